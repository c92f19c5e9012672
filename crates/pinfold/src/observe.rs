//! Seeing what runs: what happens to runs, told to whoever listens.
//!
//! No event holds an argument, an environment variable or output: those routinely are secrets.

mod everywhere;
mod letters;
#[cfg(feature = "tracing")]
mod trace;
mod watched;

pub(crate) use letters::Letters;
pub(crate) use watched::Watched;

use crate::error::ErrorKind;
use crate::outcome::{Cause, Guarantee, Mechanism, Outcome};
use crate::settings::Stream;
use pinfold_os::handle::Pid;
use pinfold_os::signal::Signal;
use std::ffi::OsString;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Something that happened to a run.
///
/// As data (feature `serde`) it is one flat object: `{"run":1,"program":"make","pid":4711,"event":"started",...}`.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct RunEvent {
    /// Which run of this process, counted from 1; 0 for one that was not started.
    pub run: u64,
    /// The program as the command named it.
    #[cfg_attr(feature = "serde", serde(with = "crate::wire::os_string"))]
    pub program: OsString,
    /// Its pid; `None` for one that was not started. That of a double is made up, and above those that a kernel gives.
    #[cfg_attr(feature = "serde", serde(with = "crate::wire::maybe_pid"))]
    pub pid: Option<Pid>,
    /// What happened.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub what: Happening,
}

/// What happened to a run.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(tag = "event", rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Happening {
    /// It was started.
    Started {
        /// What holds it together.
        mechanism: Mechanism,
        /// What that is good for.
        guarantee: Guarantee,
    },
    /// It could not be started.
    NotStarted {
        /// Why.
        kind: ErrorKind,
    },
    /// It ran into a limit. What the kernel counts is told at the end.
    LimitHit {
        /// Which.
        limit: LimitKind,
    },
    /// It is being stopped.
    Stopping {
        /// Why. [`Cause::Itself`] if its program has ended and what that left behind is stopped.
        cause: Cause,
        /// By which signal; `SIGKILL` once there is no grace, or no more.
        #[cfg_attr(feature = "serde", serde(with = "crate::wire::signal"))]
        signal: Signal,
        /// How long it has until it is killed.
        #[cfg_attr(feature = "serde", serde(rename = "grace_seconds", with = "crate::wire::seconds"))]
        grace: Duration,
    },
    /// It ended, all of it.
    Ended {
        /// How.
        outcome: Box<Outcome>,
    },
    /// It is tried again by its command's retry rule.
    Retrying {
        /// Which attempt comes next; the first run was 1.
        attempt: u32,
        /// After which pause.
        #[cfg_attr(feature = "serde", serde(rename = "pause_seconds", with = "crate::wire::seconds"))]
        pause: Duration,
    },
    /// Whoever looks after it starts it again.
    Restarted {
        /// How many times by now.
        restarts: u64,
        /// After which pause.
        #[cfg_attr(feature = "serde", serde(rename = "pause_seconds", with = "crate::wire::seconds"))]
        pause: Duration,
    },
}

/// A limit that a run ran into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum LimitKind {
    /// What is retained of its standard output.
    Stdout,
    /// What is retained of its standard error.
    Stderr,
    /// Memory: the kernel killed a process of it.
    Memory,
    /// Processes and threads: the kernel refused one.
    Processes,
}

impl LimitKind {
    /// Its name: `stdout`, `stderr`, `memory`, `processes`.
    pub fn as_str(self) -> &'static str {
        match self {
            LimitKind::Stdout => "stdout",
            LimitKind::Stderr => "stderr",
            LimitKind::Memory => "memory",
            LimitKind::Processes => "processes",
        }
    }

    fn of(stream: Stream) -> LimitKind {
        match stream {
            Stream::Stdout => LimitKind::Stdout,
            Stream::Stderr => LimitKind::Stderr,
        }
    }
}

impl Happening {
    /// Its name: `started`, `not_started`, `limit_hit`, `stopping`, `ended`, `retrying`, `restarted`.
    pub fn name(&self) -> &'static str {
        match self {
            Happening::Started { .. } => "started",
            Happening::NotStarted { .. } => "not_started",
            Happening::LimitHit { .. } => "limit_hit",
            Happening::Stopping { .. } => "stopping",
            Happening::Ended { .. } => "ended",
            Happening::Retrying { .. } => "retrying",
            Happening::Restarted { .. } => "restarted",
        }
    }
}

/// Those who are told what happens. Clones tell the same.
#[derive(Clone, Default)]
pub struct Observer(Vec<Arc<Told>>);

/// For runners without any: what this build has for it is told all the same.
pub(crate) static NOBODY: Observer = Observer(Vec::new());

type Told = dyn Fn(&RunEvent) + Send + Sync;

impl Observer {
    /// Tells this one, too.
    pub(crate) fn add(&mut self, told: impl Fn(&RunEvent) + Send + Sync + 'static) {
        self.0.push(Arc::new(told));
    }

    /// Tells these, too.
    pub(crate) fn join(&mut self, others: &Observer) {
        self.0.extend(others.0.iter().cloned());
    }

    /// Calls this with what happens to all runs of this process, whatever starts them, from now on and for good: what a log of
    /// the whole program is made of. See [`Host::on_event`](crate::Host::on_event) for what it may do.
    ///
    /// ```
    /// use pinfold::{Command, Observer};
    ///
    /// Observer::everywhere(|event| eprintln!("{}: {}", event.program.display(), event.what.name()));
    /// Command::new("true").run()?;
    /// # pinfold::Result::Ok(())
    /// ```
    pub fn everywhere(told: impl Fn(&RunEvent) + Send + Sync + 'static) {
        everywhere::add(Box::new(told));
    }

    /// Tells all of them, and whoever is told of everything.
    pub(crate) fn tell(&self, event: &RunEvent) {
        #[cfg(feature = "metrics")]
        crate::metrics::count(event);
        everywhere::tell(event);
        self.tell_ours(event);
    }

    /// Tells none but these.
    pub(crate) fn tell_ours(&self, event: &RunEvent) {
        for told in &self.0 {
            told(event);
        }
    }

    /// Tells none but these of a run that is not there.
    pub(crate) fn tell_ours_of(&self, program: &std::ffi::OsStr, what: Happening) {
        if !self.0.is_empty() {
            self.tell_ours(&RunEvent { run: 0, program: program.to_owned(), pid: None, what });
        }
    }

    /// Tells of a run that is not there, or not yet again.
    pub(crate) fn tell_of(&self, program: &std::ffi::OsStr, what: Happening) {
        if self.is_heard() {
            let event = RunEvent { run: 0, program: program.to_owned(), pid: None, what };
            #[cfg(feature = "tracing")]
            trace::tell(&tracing::Span::none(), &event);
            self.tell(&event);
        }
    }

    /// Whether anybody is told.
    pub(crate) fn is_heard(&self) -> bool {
        let built_in = cfg!(any(feature = "tracing", feature = "metrics"));
        built_in || !self.0.is_empty() || everywhere::is_heard()
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Observer({})", self.0.len())
    }
}
