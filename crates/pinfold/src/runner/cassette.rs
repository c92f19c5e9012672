//! Cassettes: real runs recorded in a file, and replayed without running anything.

mod entry;
mod file;
mod redact;
#[cfg(test)]
mod tests;

use super::{Host, Runner, watched};
use crate::cancel::CancelToken;
use crate::command::Command;
use crate::error::{Error, ErrorKind, Result};
use crate::listener::Listener;
use crate::observe::{NOBODY, Observer};
use crate::retry::RetryIf;
use crate::running::{Running, Tape};
use entry::{Entry, Rules, Shape};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A runner that replays recorded runs, and records what it may.
///
/// A recording holds what the program wrote on its captured streams, in order, and its whole outcome: code or signal, why
/// it ended, how long it took. It is replayed at once, whatever that was, and passes through the same machine as a real
/// child: the limits, encodings and lines are those of the command that asks. A run that was stopped when it was recorded
/// goes on until it is stopped again. One that was cancelled is not recorded.
///
/// The file is for people to read, to compare and to commit: JSON lines, output as text where it is UTF-8. Values of
/// environment variables are never stored, unless [`Cassette::keep_env`] names them; where such a value of six bytes or
/// more stands in arguments, input or output, `$NAME` is stored instead. What else is secret is for [`Cassette::redact`].
/// Only what the command sets is known: a secret that the program inherits and prints is not.
///
/// Recordings of equal commands are replayed in the order in which they were made, each once.
///
/// ```
/// use pinfold::testing::Cassette;
/// use pinfold::{Command, Runner};
///
/// # let directory = tempfile::tempdir().unwrap();
/// # let path = directory.path().join("shell.jsonl");
/// // Once, where the program is there.
/// let cassette = Cassette::refresh(&path)?.redact("token-*", "TOKEN");
/// let command = Command::new("sh").args(["-c", "echo token-1234; exit 3"]);
/// assert_eq!(cassette.output(&command)?.stdout, "token-1234\n");
///
/// // And then anywhere.
/// let cassette = Cassette::replay(&path)?.redact("token-*", "TOKEN");
/// let output = cassette.output(&command)?;
/// assert_eq!((output.stdout.as_str(), output.code()), ("TOKEN\n", Some(3)));
/// # pinfold::Result::Ok(())
/// ```
#[derive(Clone, Debug)]
pub struct Cassette<R = Host> {
    inner: R,
    rules: Rules,
    mode: Mode,
    lenient: bool,
    shared: Arc<Shared>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Replay,
    /// What is missing is recorded.
    Refresh,
    /// Everything is, in place of what there is of it.
    Record,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: Vec<(Entry, bool)>,
    /// The lines that were written by us.
    ours: Vec<String>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cassette {
    /// Replays what is recorded there, and runs nothing: what is missing is an error,
    /// [`ErrorKind::NoReply`](crate::ErrorKind::NoReply).
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the file cannot be read or is not there;
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) if it is no cassette.
    pub fn replay(path: impl Into<PathBuf>) -> Result<Cassette> {
        Cassette::open(path.into(), Mode::Replay)
    }

    /// Replays what is recorded there, and runs and records what is not. The file is made when there is something to store.
    ///
    /// # Errors
    /// As [`Cassette::replay`], but for a file that is not there yet.
    pub fn refresh(path: impl Into<PathBuf>) -> Result<Cassette> {
        Cassette::open(path.into(), Mode::Refresh)
    }

    /// Runs and records everything, in place of older recordings of the same commands. What is recorded of others stays.
    ///
    /// # Errors
    /// As [`Cassette::refresh`].
    pub fn record(path: impl Into<PathBuf>) -> Result<Cassette> {
        Cassette::open(path.into(), Mode::Record)
    }

    fn open(path: PathBuf, mode: Mode) -> Result<Cassette> {
        let failed = |kind, error: io::Error| {
            Error::new(kind, path.as_os_str(), format!("cannot be replayed: {error}")).because(error)
        };
        let entries = match file::read(&path) {
            Ok(Some(lines)) => lines.into_iter().map(|(_, entry)| (entry, false)).collect(),
            Ok(None) if mode != Mode::Replay => Vec::new(),
            Ok(None) => {
                let missing = io::Error::new(io::ErrorKind::NotFound, "there is no such file");
                return Err(failed(ErrorKind::Io, missing)
                    .hint("record it first, by a cassette that is to be refreshed"));
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(failed(ErrorKind::InvalidInput, error));
            }
            Err(error) => return Err(failed(ErrorKind::Io, error)),
        };
        let state = Mutex::new(State { entries, ours: Vec::new() });
        let shared = Arc::new(Shared { path, state });
        Ok(Cassette { inner: Host::new(), rules: Rules::default(), mode, lenient: false, shared })
    }
}

impl<R> Cassette<R> {
    /// Has this runner run what is recorded, and takes its listeners and its token.
    #[must_use]
    pub fn over<S: Runner>(self, runner: S) -> Cassette<S> {
        let Cassette { rules, mode, lenient, shared, .. } = self;
        Cassette { inner: runner, rules, mode, lenient, shared }
    }

    /// Knows a command again by its program and arguments alone, and replays the last recording of it as often as it is
    /// asked for. Otherwise the directory, the environment as far as the command says it, standard input and where output goes
    /// have to be the same, and each recording is replayed once.
    #[must_use]
    pub fn lenient(mut self) -> Cassette<R> {
        self.lenient = true;
        self
    }

    /// Stores and compares the value of this environment variable.
    #[must_use]
    pub fn keep_env(mut self, name: impl Into<OsString>) -> Cassette<R> {
        self.rules.kept.push(name.into());
        self
    }

    /// Replaces this in arguments, the directory, input and output, before they are compared or stored. A `*` stands for
    /// anything but blanks and quotes: `ghp_*`, `password=*`, `://*@`.
    #[must_use]
    pub fn redact(mut self, pattern: &str, replacement: &str) -> Cassette<R> {
        self.rules.redaction.pattern(pattern, replacement);
        self
    }

    /// Replaces text there by what this makes of it. It sees an argument as a whole, and a stream whole and in pieces.
    #[must_use]
    pub fn redact_with(mut self, replace: impl Fn(&str) -> String + Send + Sync + 'static) -> Cassette<R> {
        self.rules.redaction.function(replace);
        self
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// How many recordings it has.
    pub fn len(&self) -> usize {
        self.shared.lock().entries.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many of its recordings were not replayed yet, and were not made just now: in the end of a test, what the code no
    /// longer runs.
    pub fn unused(&self) -> usize {
        self.shared.lock().entries.iter().filter(|(_, used)| !used).count()
    }

    /// Makes sure that there is a file, even if nothing was recorded: then it has no recordings. Recordings are stored as
    /// their runs end, and need no saving.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if it is not there and cannot be made.
    pub fn save(&self) -> Result<()> {
        let path = &self.shared.path;
        file::make(path).map_err(|error| {
            Error::new(ErrorKind::Io, path.as_os_str(), format!("cannot be written: {error}")).because(error)
        })
    }

    /// The next recording that fits.
    fn find(&self, shape: &Shape) -> Option<Entry> {
        let mut state = self.shared.lock();
        let fits = |entry: &Entry| {
            if self.lenient { entry.shape.is_like(shape) } else { entry.shape == *shape }
        };
        if let Some((entry, used)) = state.entries.iter_mut().find(|(entry, used)| !used && fits(entry)) {
            *used = true;
            return Some(entry.clone());
        }
        let last = state.entries.iter().rev().find(|(entry, _)| self.lenient && fits(entry));
        last.map(|(entry, _)| entry.clone())
    }

    /// Why none fits.
    fn missing(&self, command: &Command, shape: &Shape) -> Error {
        let state = self.shared.lock();
        let file = self.shared.path.display();
        let like = state.entries.iter().filter(|(entry, _)| entry.shape.is_like(shape));
        let (same, others): (Vec<_>, Vec<_>) = like.partition(|(entry, _)| entry.shape == *shape);
        let what = match (same.len(), others.first()) {
            (1, _) => format!("its recording in {file} was replayed already"),
            (count, _) if count > 1 => format!("its {count} recordings in {file} were replayed already"),
            (_, Some((entry, _))) => {
                let parts = entry.shape.differences(shape).join(" and ");
                format!("is recorded in {file} with these arguments, but with another {parts}")
            }
            _ => {
                let of_program = state.entries.iter().filter(|(entry, _)| entry.shape.is_program_of(shape));
                let (count, all) = (of_program.count(), state.entries.len());
                format!("is not recorded in {file}, which has {all} recordings, {count} of this program")
            }
        };
        command.error(ErrorKind::NoReply, what).hint("record it by a cassette that is to be refreshed")
    }
}

impl<R: Runner> Cassette<R> {
    fn replay_or_record(&self, command: &Command) -> Result<Running> {
        let shape = self.rules.shape(command);
        let found = if self.mode == Mode::Record { None } else { self.find(&shape) };
        if let Some(entry) = found {
            let token = self.inner.cancel_token().cloned();
            let launched = command.perform(Arc::new(entry.script()), token).map(|(running, _)| running);
            return watched(self.inner.observer().unwrap_or(&NOBODY), command, launched);
        }
        if self.mode == Mode::Replay {
            let missing = Err(self.missing(command, &shape));
            return watched(self.inner.observer().unwrap_or(&NOBODY), command, missing);
        }
        let mut running = self.inner.launch(command)?;
        let (shared, rules, command) = (self.shared.clone(), self.rules.clone(), command.clone());
        let replaces = self.mode == Mode::Record;
        running.record_on(Tape::new(move |recording| {
            if !entry::is_worth(&recording.outcome) {
                return Ok(());
            }
            shared.store(rules.entry(&command, recording), replaces)
        }));
        Ok(running)
    }
}

impl Shared {
    fn store(&self, entry: Entry, replaces: bool) -> io::Result<()> {
        let line = serde_json::to_string(&entry)?;
        let mut state = self.lock();
        let ours = &state.ours;
        let replaced = |other: &str, old: &Entry| {
            replaces && old.shape == entry.shape && !ours.iter().any(|line| line == other)
        };
        file::add(&self.path, &line, replaced).map_err(|error| {
            io::Error::new(error.kind(), format!("{} cannot be written: {error}", self.path.display()))
        })?;
        if replaces {
            state.entries.retain(|(old, used)| *used || old.shape != entry.shape);
        }
        state.ours.push(line);
        state.entries.push((entry, true));
        Ok(())
    }
}

impl<R: Runner> Runner for Cassette<R> {
    fn launch(&self, command: &Command) -> Result<Running> {
        self.replay_or_record(command)
    }

    fn listener(&self) -> Option<&Listener> {
        self.inner.listener()
    }

    fn cancel_token(&self) -> Option<&CancelToken> {
        self.inner.cancel_token()
    }

    fn observer(&self) -> Option<&Observer> {
        self.inner.observer()
    }

    fn retries(&self) -> Option<&RetryIf> {
        self.inner.retries()
    }
}
