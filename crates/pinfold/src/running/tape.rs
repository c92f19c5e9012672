//! What a run wrote, whole and in order, for whoever records it.

use super::Channel;
use crate::outcome::Outcome;
use crate::settings::Stream;
use std::fmt;
use std::io;

/// A run that is being recorded. What its command's limits drop is on the tape all the same.
pub(crate) struct Tape {
    chunks: Vec<(Stream, Vec<u8>)>,
    /// Takes the recording when the run is over.
    done: Box<Done>,
}

type Done = dyn FnOnce(Recording) -> io::Result<()> + Send + Sync;

/// A run that was recorded.
pub(crate) struct Recording {
    pub(crate) chunks: Vec<(Stream, Vec<u8>)>,
    pub(crate) outcome: Outcome,
    /// Whether whoever wrote to its standard input ended that.
    pub(crate) input_ended: bool,
}

impl Tape {
    pub(crate) fn new(done: impl FnOnce(Recording) -> io::Result<()> + Send + Sync + 'static) -> Tape {
        Tape { chunks: Vec::new(), done: Box::new(done) }
    }

    /// Takes what came of a stream since it was last asked.
    pub(super) fn take_from(&mut self, stream: Stream, channel: &mut Channel) {
        let bytes = channel.take_tapped();
        match self.chunks.last_mut() {
            _ if bytes.is_empty() => {}
            Some((last, chunk)) if *last == stream => chunk.extend(bytes),
            _ => self.chunks.push((stream, bytes)),
        }
    }

    pub(super) fn finish(self, outcome: Outcome, input_ended: bool) -> io::Result<()> {
        (self.done)(Recording { chunks: self.chunks, outcome, input_ended })
    }
}

impl fmt::Debug for Tape {
    // A program's output may hold secrets, so its bytes stay out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tape")
    }
}
