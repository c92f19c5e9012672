//! One output stream of a run: from the pipe into its capture, and on to our own stream if it is teed.

use super::Inlet;
use crate::capture::{Capture, Cursor, Keep, Limit};
use crate::command::Command;
use crate::text::LineCounter;
use pinfold_os::descriptor::Borrowed;
use pinfold_os::pipe;
use pinfold_os::poll::{Direction, Waitable};
use pinfold_os::sink::Sink;
use std::io;

/// A stream that gave this much gets a larger pipe.
const PROVED_LARGE: u64 = 256 << 10;
/// How much is read before others get their turn.
const TURN: usize = 1 << 20;
/// A read of at least this much left the pipe not empty, most likely.
const FULL: usize = 64 << 10;
/// More than this is not read ahead of a reader of ours that does not keep up.
const AHEAD: u64 = 1 << 20;

/// One captured stream, or none if it is not captured.
#[derive(Debug, Default)]
pub(crate) struct Channel {
    inlet: Option<Inlet>,
    pub(crate) capture: Option<Capture>,
    tee: Option<Tee>,
    /// What was read since somebody took it, for whoever records the run.
    tapped: Option<Vec<u8>>,
    /// How far it was carried on to another run.
    carried: Option<Cursor>,
    /// Some was dropped before it could be passed on.
    skipped: bool,
    /// It ended before its time, since it could not be read or passed on.
    failed: bool,
    grown: bool,
}

#[derive(Debug)]
struct Tee {
    sink: Sink,
    cursor: Cursor,
}

impl Channel {
    pub(crate) fn new(inlet: Inlet, mut capture: Capture, sink: Option<Sink>) -> Channel {
        let tee = sink.map(|sink| Tee { sink, cursor: capture.open_cursor() });
        Channel {
            inlet: Some(inlet),
            capture: Some(capture),
            tee,
            carried: None,
            tapped: None,
            skipped: false,
            failed: false,
            grown: false,
        }
    }

    /// From here on it is carried on to another run: nothing is retained or counted that was.
    pub(super) fn carry(&mut self, command: &Command) {
        let Some(capture) = &mut self.capture else { return };
        let counter = LineCounter::new(&command.encodings[0], command.lines);
        *capture = Capture::new(Limit::default(), Keep(0), counter);
        self.carried = Some(capture.open_cursor());
    }

    /// What is to be carried on.
    pub(super) fn carried(&self) -> &[u8] {
        match (&self.carried, &self.capture) {
            (Some(cursor), Some(capture)) => capture.unread(cursor).1,
            _ => &[],
        }
    }

    /// So much of that was.
    pub(super) fn has_carried(&mut self, bytes: usize) {
        if let (Some(cursor), Some(capture)) = (&self.carried, &mut self.capture) {
            let (offset, _) = capture.unread(cursor);
            capture.advance_cursor(cursor, offset + bytes as u64);
        }
    }

    /// Whether nothing more is to be carried on, now or ever.
    pub(super) fn is_carried_out(&self) -> bool {
        self.inlet.is_none() && self.carried().is_empty()
    }

    /// Whether more may come.
    pub(crate) fn is_open(&self) -> bool {
        self.inlet.is_some()
    }

    /// What a script writes: whether anybody reads it.
    pub(super) fn write(&mut self, bytes: &[u8]) -> bool {
        self.inlet.as_mut().is_some_and(|inlet| inlet.write(bytes))
    }

    /// A script writes no more.
    pub(super) fn end_script(&mut self) {
        if let Some(inlet) = &mut self.inlet {
            inlet.end();
        }
    }

    /// Keeps what is read from now on, whatever is retained of it.
    #[cfg(feature = "serde")]
    pub(super) fn tap(&mut self) {
        self.tapped = Some(Vec::new());
    }

    #[cfg(feature = "serde")]
    pub(super) fn take_tapped(&mut self) -> Vec<u8> {
        self.tapped.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Whether there is something to read that no descriptor tells of.
    pub(super) fn is_ready(&self) -> bool {
        self.inlet.as_ref().is_some_and(Inlet::is_ready) && self.ahead() < AHEAD
    }

    pub(crate) fn overflowed(&self) -> bool {
        self.capture.as_ref().is_some_and(Capture::overflowed)
    }

    /// Whether it ended before its time, since it could not be read or passed on.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed
    }

    /// Whether its limit dropped some before it could be passed on.
    pub(crate) fn was_cut(&self) -> bool {
        self.skipped || self.capture.as_ref().is_some_and(Capture::is_full)
    }

    /// Whether some of it has still to be passed on.
    pub(crate) fn has_backlog(&self) -> bool {
        self.backlog() > 0
    }

    /// How much was read that nobody took yet who has to.
    fn ahead(&self) -> u64 {
        self.backlog().max(self.carried().len() as u64)
    }

    fn backlog(&self) -> u64 {
        match (&self.tee, &self.capture) {
            (Some(tee), Some(capture)) => capture.unread(&tee.cursor).1.len() as u64,
            _ => 0,
        }
    }

    pub(crate) fn reader(&self) -> Option<Borrowed<'_>> {
        self.inlet.as_ref().and_then(Inlet::waitable)
    }

    pub(crate) fn waitables(&self) -> impl Iterator<Item = Waitable<'_>> {
        let backlog = self.backlog();
        let reader = self.inlet.as_ref().filter(|_| self.ahead() < AHEAD).and_then(Inlet::waitable);
        let sink = self.tee.as_ref().map(|tee| &tee.sink);
        let read = reader.map(|descriptor| Waitable { descriptor, direction: Direction::Read });
        let write = sink.and_then(|sink| match backlog {
            // What is dropped is never written, and so never told that nobody reads it.
            0 => sink.desertion().filter(|_| self.is_open()),
            _ => Some(Waitable { descriptor: sink.waitable(), direction: Direction::Write }),
        });
        read.into_iter().chain(write)
    }

    /// Reads what is there, within reason: the number of bytes.
    pub(crate) fn pump(&mut self) -> io::Result<usize> {
        let mut total = 0;
        while total < TURN && self.ahead() < AHEAD {
            match self.read()? {
                Some(bytes) => {
                    total += bytes;
                    if bytes < FULL {
                        break;
                    }
                }
                None => break,
            }
        }
        self.pass_on()?;
        Ok(total)
    }

    /// Reads all that is in the pipe now, since nobody will wait for more.
    pub(crate) fn drain(&mut self) -> io::Result<()> {
        // No pipe holds more, so whatever comes after was written after the end.
        let mut left = self.inlet.as_ref().map_or(0, Inlet::most);
        while let Some(bytes) = self.read()? {
            left = left.saturating_sub(bytes);
            if left == 0 {
                break;
            }
        }
        self.pass_on()
    }

    /// One read: the bytes that came, or `None` if there is nothing now or ever.
    fn read(&mut self) -> io::Result<Option<usize>> {
        let (Some(inlet), Some(capture)) = (&mut self.inlet, &mut self.capture) else { return Ok(None) };
        let tapped = &mut self.tapped;
        loop {
            let read = capture.take_in(|buffer| {
                let old = buffer.len();
                let read = inlet.read_append(buffer);
                if let Some(tapped) = tapped {
                    tapped.extend_from_slice(&buffer[old..]);
                }
                read
            });
            match read {
                Ok(0) => {
                    self.close();
                    return Ok(None);
                }
                Ok(bytes) => {
                    if !self.grown && capture.bytes_seen() >= PROVED_LARGE {
                        self.grown = true;
                        inlet.grow(pipe::LARGE);
                    }
                    return Ok(Some(bytes));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.failed = true;
                    self.close();
                    return Err(error);
                }
            }
        }
    }

    fn pass_on(&mut self) -> io::Result<()> {
        let (Some(tee), Some(capture)) = (&self.tee, &mut self.capture) else { return Ok(()) };
        loop {
            let (offset, unread) = capture.unread(&tee.cursor);
            self.skipped |= offset > capture.offset(&tee.cursor);
            let wrote = match unread {
                [] if self.inlet.is_none() || !tee.sink.is_deserted()? => return Ok(()),
                [] => Err(io::ErrorKind::BrokenPipe.into()),
                unread => tee.sink.write(unread),
            };
            match wrote {
                Ok(bytes) => capture.advance_cursor(&tee.cursor, offset + bytes as u64),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => {
                    // Whoever read our stream is gone: the program is told so the same way, by its own pipe.
                    self.stop_passing_on();
                    self.close();
                    if error.kind() == io::ErrorKind::BrokenPipe {
                        return Ok(());
                    }
                    self.failed = true;
                    return Err(error);
                }
            }
        }
    }

    fn stop_passing_on(&mut self) {
        if let (Some(tee), Some(capture)) = (self.tee.take(), &mut self.capture) {
            capture.close_cursor(tee.cursor);
        }
    }

    /// Reads no more.
    pub(crate) fn close(&mut self) {
        self.inlet = None;
        if let Some(capture) = &mut self.capture {
            capture.end();
        }
    }
}
