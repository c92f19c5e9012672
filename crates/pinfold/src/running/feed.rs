//! The standard input of a run, from our side.

use super::Outward;
use crate::settings::Payload;
use pinfold_os::pipe;
use pinfold_os::poll::{Direction, Waitable};
use std::collections::VecDeque;
use std::io;

/// More than this is worth a larger pipe.
const LARGE: usize = 64 << 10;

/// What is written to a run's standard input. A program that stops reading is no error: what is left is dropped.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    writer: Option<Outward>,
    source: Source,
    written: u64,
    broken: bool,
}

#[derive(Debug)]
enum Source {
    /// Given as a whole before the start.
    Whole { bytes: Payload, at: usize },
    /// Given bit by bit.
    Queue { bytes: VecDeque<u8>, ends: bool },
}

impl Default for Source {
    fn default() -> Source {
        Source::Queue { bytes: VecDeque::new(), ends: true }
    }
}

impl Feed {
    /// These bytes and then the end.
    pub(crate) fn whole(writer: Outward, bytes: Payload) -> Feed {
        if bytes.len() > LARGE {
            writer.grow(pipe::LARGE);
        }
        Feed { writer: Some(writer), source: Source::Whole { bytes, at: 0 }, written: 0, broken: false }
    }

    /// Open until it is closed.
    pub(crate) fn open(writer: Outward) -> Feed {
        let source = Source::Queue { bytes: VecDeque::new(), ends: false };
        Feed { writer: Some(writer), source, written: 0, broken: false }
    }

    /// Adds to what is written: whether anybody can still read it.
    pub(crate) fn push(&mut self, more: &[u8]) -> bool {
        match (&self.writer, &mut self.source) {
            (Some(_), Source::Queue { bytes, ends: false }) => {
                bytes.extend(more);
                true
            }
            _ => false,
        }
    }

    /// Ends the stream once what was pushed is written.
    pub(crate) fn end(&mut self) {
        if let Source::Queue { bytes, ends } = &mut self.source {
            *ends = true;
            if bytes.is_empty() {
                self.writer = None;
            }
        }
    }

    /// Writes no more.
    pub(crate) fn close(&mut self) {
        self.writer = None;
    }

    /// Whether nothing that is pushed would be written any more.
    pub(super) fn is_closed(&self) -> bool {
        self.writer.is_none()
    }

    /// How many bytes are still to be written.
    pub(crate) fn pending(&self) -> usize {
        match (&self.writer, &self.source) {
            (None, _) => 0,
            (Some(_), Source::Whole { bytes, at }) => bytes.len() - at,
            (Some(_), Source::Queue { bytes, .. }) => bytes.len(),
        }
    }

    /// Whether a writer that waits for no more than `left` bytes to be pending can go on: `Some(false)` if the program
    /// stopped reading, or has ended, before it had them.
    pub(crate) fn drained_to(&self, left: usize, over: bool) -> Option<bool> {
        (self.broken || over || self.pending() <= left).then_some(!self.broken)
    }

    /// How many bytes were written.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Whether whoever writes has said that there is no more.
    #[cfg(feature = "serde")]
    pub(super) fn was_ended(&self) -> bool {
        matches!(self.source, Source::Queue { ends: true, .. })
    }

    /// Whether the program stopped reading before it had everything.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    pub(crate) fn waitable(&self) -> Option<Waitable<'_>> {
        let writer = self.writer.as_ref().filter(|_| self.pending() > 0)?;
        Some(Waitable { descriptor: writer.waitable()?, direction: Direction::Write })
    }

    /// Whether something can be written that no descriptor tells of.
    pub(super) fn is_ready(&self) -> bool {
        self.pending() > 0 && self.writer.as_ref().is_some_and(Outward::is_ready)
    }

    /// Writes what the pipe takes.
    pub(crate) fn pump(&mut self) -> io::Result<()> {
        loop {
            let Some(writer) = &self.writer else { return Ok(()) };
            let next = match &self.source {
                Source::Whole { bytes, at } => &bytes[*at..],
                Source::Queue { bytes, .. } => bytes.as_slices().0,
            };
            if next.is_empty() {
                if !matches!(self.source, Source::Queue { ends: false, .. }) {
                    self.writer = None;
                }
                return Ok(());
            }
            match writer.write(next) {
                Ok(count) => {
                    self.written += count as u64;
                    match &mut self.source {
                        Source::Whole { at, .. } => *at += count,
                        Source::Queue { bytes, .. } => drop(bytes.drain(..count)),
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.broken = true;
                    self.writer = None;
                    return if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) };
                }
            }
        }
    }
}
