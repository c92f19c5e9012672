//! Probes of what a run writes: its lines, and the beginning of one at which it stands.

use super::HoldsOfText;
use crate::command::Command;
use crate::cursor::LineCursor;
use crate::running::Running;
use crate::settings::Stream;
use std::sync::Arc;

/// Reads along with a run.
pub(super) struct Reading {
    stream: Option<Stream>,
    holds: Arc<HoldsOfText>,
    prompt: bool,
    /// Opened at the first look.
    cursors: Option<Vec<LineCursor>>,
    /// Of a prompt: where each stands that was read last.
    stands: Vec<String>,
    lines: u64,
    /// What was read and not judged.
    pending: Vec<String>,
    found: bool,
}

impl Reading {
    pub(super) fn new(stream: Option<Stream>, holds: Arc<HoldsOfText>, prompt: bool) -> Reading {
        let (cursors, stands, pending) = (None, Vec::new(), Vec::new());
        Reading { stream, holds, prompt, cursors, stands, lines: 0, pending, found: false }
    }

    /// Whether it holds of something that was written since the last look.
    pub(super) fn look(&mut self, running: &mut Running, command: &Command) -> bool {
        self.read(running, command);
        self.judge()
    }

    /// Reads, for a judgement that is made without the run.
    pub(super) fn read(&mut self, running: &mut Running, command: &Command) {
        let wanted = self.stream;
        let cursors = self.cursors.get_or_insert_with(|| {
            let streams =
                Stream::BOTH.into_iter().filter(|stream| wanted.is_none_or(|wanted| wanted == *stream));
            streams.filter_map(|stream| LineCursor::open(running, stream, command)).collect()
        });
        self.stands.resize(cursors.len(), String::new());
        for (cursor, stands) in cursors.iter_mut().zip(&mut self.stands) {
            let mut more = true;
            while more {
                more = cursor.pull(running) && !cursor.has_ended();
                while let Some(line) = cursor.next() {
                    self.lines += 1;
                    if !self.prompt {
                        self.pending.push(line.to_owned());
                    }
                }
            }
            if self.prompt && !cursor.has_ended() && cursor.unfinished() != stands.as_str() {
                *stands = cursor.unfinished().into();
                // Nobody is asked again about what has not changed.
                if !stands.is_empty() {
                    self.pending.push(stands.clone());
                }
            }
        }
    }

    /// Whether it held when it was judged last.
    pub(super) fn has_found(&self) -> bool {
        self.found
    }

    /// Whether there is something to judge.
    pub(super) fn has_news(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Whether it holds of what was read.
    pub(super) fn judge(&mut self) -> bool {
        let mut pending = std::mem::take(&mut self.pending);
        self.found = self.found || pending.iter().any(|text| (self.holds)(text));
        pending.clear();
        self.pending = pending;
        self.found
    }

    /// Why it has not held so far.
    pub(super) fn reason(&self) -> String {
        match (&self.cursors, self.lines) {
            (Some(cursors), _) if cursors.is_empty() => "its output is not captured".to_owned(),
            (_, 0) => "no line has come".to_owned(),
            (_, 1) => "1 line has come, and it was another".to_owned(),
            (_, lines) => format!("{lines} lines have come, all of them others"),
        }
    }

    /// Whether there is nothing to read, now or later.
    pub(super) fn is_blind(&self) -> bool {
        self.cursors.as_ref().is_some_and(Vec::is_empty)
    }

    /// Lets go of what it has the run keep.
    pub(super) fn close(&mut self, running: &mut Running) {
        for mut cursor in self.cursors.take().into_iter().flatten() {
            cursor.close(running);
        }
    }
}
