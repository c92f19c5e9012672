//! What a polled handle gives: lines, chunks and events, asked for until they come.

use super::{PolledHandle, Watch};
use crate::cursor::{ByteCursor, Event, EventCursor, LineCursor, Pulled};
use crate::error::Result;
use std::borrow::Cow;

/// The lines of one stream, decoded and without their line breaks.
pub struct PolledLines {
    run: PolledHandle,
    watch: Watch,
    cursor: LineCursor,
}

impl PolledLines {
    pub(super) fn new(run: PolledHandle, watch: Watch, cursor: LineCursor) -> PolledLines {
        PolledLines { run, watch, cursor }
    }

    /// Whether there is a line: `Some(false)` at the end, `None` if there is none yet.
    ///
    /// # Errors
    /// As [`PolledHandle::outcome`], and once if a stream could not be read to its end.
    pub fn advance(&mut self) -> Result<Option<bool>> {
        loop {
            if self.cursor.has_line() {
                return Ok(Some(true));
            }
            if self.cursor.has_ended() {
                return if self.cursor.take_failed() {
                    Err(self.run.0.stream_error())
                } else {
                    Ok(Some(false))
                };
            }
            let cursor = &mut self.cursor;
            let asked = self.run.0.ask(&mut self.watch, |running| cursor.pull(running).then_some(()));
            if asked?.is_none() {
                return Ok(None);
            }
        }
    }

    /// The next of the lines that are there.
    pub fn next_line(&mut self) -> Option<&str> {
        self.cursor.next()
    }

    /// Several of the lines that are there, as [`LineReader::next_lines`](crate::text::LineReader::next_lines) gives them;
    /// where it gives none there may still be a [`next_line`](PolledLines::next_line).
    pub fn next_lines(&mut self, most: usize) -> Option<&str> {
        self.cursor.next_lines(most)
    }

    /// The beginning of a line that has not come to its end: a prompt, perhaps.
    pub fn unfinished(&self) -> Cow<'_, str> {
        self.cursor.unfinished()
    }

    /// What to wait for when there is no line yet.
    pub fn watch(&self) -> &Watch {
        &self.watch
    }
}

impl Drop for PolledLines {
    fn drop(&mut self) {
        self.run.0.close(|running| self.cursor.close(running));
    }
}

/// The bytes of one stream as they come, up to 1 MiB at a time.
pub struct PolledChunks {
    run: PolledHandle,
    watch: Watch,
    cursor: ByteCursor,
}

impl PolledChunks {
    pub(super) fn new(run: PolledHandle, watch: Watch, cursor: ByteCursor) -> PolledChunks {
        PolledChunks { run, watch, cursor }
    }

    /// The next chunk; empty at the end, `None` if there is none yet.
    ///
    /// # Errors
    /// As [`PolledHandle::outcome`], and once if a stream could not be read to its end.
    pub fn advance(&mut self) -> Result<Option<Vec<u8>>> {
        let mut chunk = Vec::new();
        let cursor = &mut self.cursor;
        let asked = self.run.0.ask(&mut self.watch, |running| {
            let pulled = cursor.pull(running, |bytes, _| chunk.extend_from_slice(bytes));
            (pulled != Pulled::Later).then_some(pulled)
        });
        match asked? {
            Some(Pulled::Failed) => Err(self.run.0.stream_error()),
            asked => Ok(asked.map(|_| chunk)),
        }
    }

    /// What to wait for when there is none yet.
    pub fn watch(&self) -> &Watch {
        &self.watch
    }
}

impl Drop for PolledChunks {
    fn drop(&mut self) {
        self.run.0.close(|running| self.cursor.close(running));
    }
}

/// Everything that happens in a run, from its start to its end.
pub struct PolledEvents {
    run: PolledHandle,
    watch: Watch,
    cursor: EventCursor,
}

impl PolledEvents {
    pub(super) fn new(run: PolledHandle, watch: Watch, cursor: EventCursor) -> PolledEvents {
        PolledEvents { run, watch, cursor }
    }

    /// The next event; `Some(None)` after the last, `None` if there is none yet.
    ///
    /// # Errors
    /// As [`PolledHandle::outcome`], and once if a stream could not be read to its end.
    pub fn advance(&mut self) -> Result<Option<Option<Event>>> {
        let cursor = &mut self.cursor;
        self.run.0.ask(&mut self.watch, |running| cursor.advance(running))?.map(Option::transpose).transpose()
    }

    /// What to wait for when there is none yet.
    pub fn watch(&self) -> &Watch {
        &self.watch
    }
}

impl Drop for PolledEvents {
    fn drop(&mut self) {
        self.run.0.close(|running| self.cursor.close(running));
    }
}
