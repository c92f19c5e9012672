//! Places in the output of a run, for the streams of the blocking and of the async handle alike.

use crate::capture::{Cursor, Place};
use crate::command::Command;
use crate::error::Result;
use crate::outcome::Outcome;
use crate::running::Running;
use crate::settings::Stream;
use crate::text::LineReader;
use pinfold_os::handle::Pid;
use std::collections::VecDeque;
use std::ffi::OsString;

/// At most this much is handed over at a time, so that one lock is not held for long.
const BATCH: usize = 1 << 20;

/// A place in the bytes of one stream.
#[derive(Debug)]
pub(crate) struct ByteCursor {
    stream: Stream,
    cursor: Option<Cursor>,
    offset: u64,
    /// That the stream failed was told.
    told: bool,
}

/// What [`ByteCursor::pull`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pulled {
    /// Bytes, which `take` was given.
    Some,
    /// Nothing now.
    Later,
    /// Nothing any more, since the stream failed. Told once, and then it is [`Pulled::End`].
    Failed,
    /// Nothing any more.
    End,
}

impl ByteCursor {
    /// `None` if the stream is not captured.
    pub(crate) fn open(running: &mut Running, stream: Stream) -> Option<ByteCursor> {
        let capture = running.channels[stream as usize].capture.as_mut()?;
        let cursor = capture.open_cursor();
        Some(ByteCursor { stream, offset: capture.offset(&cursor), cursor: Some(cursor), told: false })
    }

    /// Hands over what came since the last call, and whether something before it was dropped.
    pub(crate) fn pull(&mut self, running: &mut Running, take: impl FnMut(&[u8], bool)) -> Pulled {
        self.pull_upto(running, u64::MAX, take)
    }

    /// As [`ByteCursor::pull`], with nothing from an absolute offset on.
    fn pull_upto(&mut self, running: &mut Running, upto: u64, mut take: impl FnMut(&[u8], bool)) -> Pulled {
        let over = running.outcome().is_some();
        let failed = running.channels[self.stream as usize].has_failed() && !self.told;
        let (Some(cursor), Some(capture)) =
            (&self.cursor, running.channels[self.stream as usize].capture.as_mut())
        else {
            return Pulled::End;
        };
        let (offset, unread) = capture.unread(cursor);
        if unread.is_empty() {
            if !capture.is_ended() && !over {
                return Pulled::Later;
            }
            self.told |= failed;
            return if failed { Pulled::Failed } else { Pulled::End };
        }
        let most = usize::try_from(upto.saturating_sub(offset)).unwrap_or(BATCH).min(BATCH);
        if most == 0 {
            return Pulled::Later;
        }
        let batch = &unread[..unread.len().min(most)];
        take(batch, offset > self.offset);
        self.offset = offset + batch.len() as u64;
        capture.advance_cursor(cursor, self.offset);
        Pulled::Some
    }

    /// Lets go of what it protects.
    pub(crate) fn close(&mut self, running: &mut Running) {
        if let (Some(cursor), Some(capture)) =
            (self.cursor.take(), running.channels[self.stream as usize].capture.as_mut())
        {
            capture.close_cursor(cursor);
        }
    }
}

/// A place in the lines of one stream.
#[derive(Debug)]
pub(crate) struct LineCursor {
    bytes: ByteCursor,
    reader: LineReader,
    ended: bool,
    /// It ended by a failure, which nobody was told yet.
    failed: bool,
}

impl LineCursor {
    /// `None` if the stream is not captured.
    pub(crate) fn open(running: &mut Running, stream: Stream, command: &Command) -> Option<LineCursor> {
        let bytes = ByteCursor::open(running, stream)?;
        let reader = LineReader::new(&command.encodings[stream as usize], command.lines);
        Some(LineCursor { bytes, reader, ended: false, failed: false })
    }

    /// Takes in what came: whether there is any use in asking [`LineCursor::next`] again now.
    pub(crate) fn pull(&mut self, running: &mut Running) -> bool {
        self.pull_upto(running, u64::MAX)
    }

    /// As [`LineCursor::pull`], with nothing from an absolute offset on.
    fn pull_upto(&mut self, running: &mut Running, upto: u64) -> bool {
        let reader = &mut self.reader;
        let pulled = self.bytes.pull_upto(running, upto, |bytes, gap| {
            if gap {
                reader.gap();
            }
            reader.feed(bytes);
        });
        if matches!(pulled, Pulled::End | Pulled::Failed) && !self.ended {
            self.reader.end();
            self.ended = true;
            self.failed = pulled == Pulled::Failed;
        }
        pulled != Pulled::Later
    }

    /// The next complete line of what was taken in.
    pub(crate) fn next(&mut self) -> Option<&str> {
        self.reader.next_line()
    }

    /// As [`LineReader::next_lines`].
    pub(crate) fn next_lines(&mut self, most: usize) -> Option<&str> {
        self.reader.next_lines(most)
    }

    /// Whether [`LineCursor::next`] has one.
    pub(crate) fn has_line(&self) -> bool {
        self.reader.has_line()
    }

    /// Whether no line will come any more once [`LineCursor::next`] gives none.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether its end, after the last line, is that of a stream that failed; said once.
    pub(crate) fn take_failed(&mut self) -> bool {
        std::mem::take(&mut self.failed)
    }

    /// The beginning of a line that is not complete yet.
    pub(crate) fn unfinished(&self) -> std::borrow::Cow<'_, str> {
        self.reader.unfinished()
    }

    pub(crate) fn close(&mut self, running: &mut Running) {
        self.bytes.close(running);
    }
}

/// Something that happened in a run.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// It was started.
    Started {
        /// The program's pid.
        pid: Pid,
    },
    /// A line came.
    Line {
        /// On which stream.
        stream: Stream,
        /// Without its line break.
        text: String,
    },
    /// It ended; the last event.
    Ended(Box<Outcome>),
}

impl Running {
    /// What has happened since the last time: the start, the lines that came, the end. Without waiting, and often nothing;
    /// for whoever drives the machine, after [`Running::advance`]. `command` is the one that was launched: it says what a
    /// line is.
    ///
    /// A stream that could not be read to its end is an error among the events, once.
    ///
    /// ```
    /// use pinfold::{Command, Event, Host, Progress, Runner};
    /// use std::time::Instant;
    ///
    /// let command = Command::new("printf").arg("one\\ntwo\\n");
    /// let mut running = Host::new().launch(&command)?;
    /// let mut lines = Vec::new();
    /// loop {
    ///     let progress = running.advance(Instant::now());
    ///     for event in running.take_events(&command) {
    ///         if let Event::Line { text, .. } = event? {
    ///             lines.push(text);
    ///         }
    ///     }
    ///     if progress == Progress::Done {
    ///         break;
    ///     }
    ///     // A real event loop waits for these, and for their deadline.
    ///     let interest = running.interest();
    ///     pinfold::poll::wait(&interest.waitables, interest.deadline).expect("they are open");
    /// }
    /// assert_eq!(lines, ["one", "two"]);
    /// # pinfold::Result::Ok(())
    /// ```
    pub fn take_events(&mut self, command: &Command) -> Vec<Result<Event>> {
        let mut cursor = self.told.take().unwrap_or_else(|| Box::new(EventCursor::open(self, command)));
        let mut events = Vec::new();
        while let Some(Some(event)) = cursor.advance(self) {
            events.push(event);
        }
        self.told = Some(cursor);
        events
    }
}

/// A place in everything that happens.
#[derive(Debug)]
pub(crate) struct EventCursor {
    program: OsString,
    lines: Vec<(Stream, LineCursor)>,
    /// How far the streams were read in their order.
    place: Place,
    ready: VecDeque<Result<Event>>,
    ended: bool,
}

impl EventCursor {
    pub(crate) fn open(running: &mut Running, command: &Command) -> EventCursor {
        let open = |stream| Some((stream, LineCursor::open(running, stream, command)?));
        EventCursor {
            program: command.program.clone(),
            lines: Stream::BOTH.into_iter().filter_map(open).collect(),
            place: Place::default(),
            ready: VecDeque::from([Ok(Event::Started { pid: running.pid() })]),
            ended: false,
        }
    }

    /// The next event: `Some(None)` after the last, `None` if there is none yet.
    pub(crate) fn advance(&mut self, running: &mut Running) -> Option<Option<Result<Event>>> {
        if self.ready.is_empty() && !self.pull(running) {
            return None;
        }
        Some(self.ready.pop_front())
    }

    /// Takes in what happened: whether there is something to say, if only that nothing will come.
    fn pull(&mut self, running: &mut Running) -> bool {
        while let Some(turn) = running.journal().turn(self.place) {
            for (stream, lines) in self.lines.iter_mut().filter(|(stream, _)| *stream == turn.stream) {
                while lines.bytes.offset < turn.upto
                    && !lines.has_ended()
                    && lines.pull_upto(running, turn.upto)
                {
                    self.ready.extend(told(*stream, lines));
                }
            }
            let Some(behind) = turn.behind else { break };
            self.place = behind;
        }
        // Nothing is left but what has no order: a stream that is alone, and the ends.
        let mut open = false;
        for (stream, lines) in &mut self.lines {
            while lines.pull(running) {
                self.ready.extend(told(*stream, lines));
                if lines.has_ended() {
                    break;
                }
            }
            if lines.take_failed() {
                self.ready.push_back(Err(running.stream_error(&self.program)));
            }
            open |= !lines.has_ended();
        }
        if let (false, false, Some(outcome)) = (open, self.ended, running.outcome()) {
            self.ended = true;
            self.ready.push_back(Ok(Event::Ended(Box::new(outcome.clone()))));
        }
        !self.ready.is_empty() || self.ended
    }

    pub(crate) fn close(&mut self, running: &mut Running) {
        for (_, lines) in &mut self.lines {
            lines.close(running);
        }
    }
}

/// The lines of a stream that are complete by now.
fn told(stream: Stream, lines: &mut LineCursor) -> impl Iterator<Item = Result<Event>> + '_ {
    std::iter::from_fn(move || Some(Ok(Event::Line { stream, text: lines.next()?.to_owned() })))
}
