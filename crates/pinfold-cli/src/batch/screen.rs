//! Where a batch prints: the output of its jobs, what it says itself, and the progress below that.

use super::progress::Bar;
use crate::out;
use pinfold::Stream;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Standard output and standard error, shared by all that write there.
pub(crate) struct Screen(Mutex<State>);

struct State {
    bar: Option<Bar>,
    failure: Option<io::Error>,
}

impl Screen {
    pub(crate) fn new(bar: Option<Bar>) -> Screen {
        Screen(Mutex::new(State { bar, failure: None }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes this to a stream of ours.
    pub(crate) fn write(&self, stream: Stream, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let mut state = self.lock();
        if let Some(bar) = &mut state.bar {
            bar.clear();
        }
        let written = match stream {
            Stream::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(bytes).and_then(|()| stdout.flush())
            }
            Stream::Stderr => io::stderr().write_all(bytes),
        };
        if let Err(error) = written {
            state.failure.get_or_insert(error);
        }
    }

    /// Has pinfold itself say something.
    pub(crate) fn say(&self, message: &str) {
        self.clear();
        out::say(message);
    }

    /// Has pinfold itself say which command comes next.
    pub(crate) fn say_command(&self, command: &str) {
        self.clear();
        out::say_unlogged(command);
    }

    /// Why something could not be written, once.
    pub(crate) fn take_failure(&self) -> Option<io::Error> {
        self.lock().failure.take()
    }

    /// Shows how far it is, if that is shown and it is time: when it is to be shown next.
    pub(crate) fn show(
        &self,
        line: impl FnOnce() -> super::progress::Facts,
        now: Instant,
    ) -> Option<Instant> {
        self.lock().bar.as_mut().map(|bar| bar.show(line, now))
    }

    /// Takes the progress away.
    pub(crate) fn clear(&self) {
        if let Some(bar) = &mut self.lock().bar {
            bar.clear();
        }
    }
}
