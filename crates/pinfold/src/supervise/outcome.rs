//! What supervision came to, and what happened on the way.

use crate::error::Error;
use crate::outcome::Outcome;
use crate::output::Output;
use pinfold_os::handle::Pid;
use std::path::PathBuf;
use std::time::Duration;

/// Why supervision has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Stopped {
    /// The last run ended in a way after which its policy restarts nothing.
    PolicySatisfied,
    /// The stop condition held of the last run's result.
    Predicate,
    /// It would have had to be restarted once more than it may.
    RestartsExhausted,
    /// It was told to stop.
    Stopped,
    /// It was ended for failing its health probes, and its policy restarts nothing.
    Unhealthy,
}

impl Stopped {
    /// Its name: `policy_satisfied`, `predicate`, `restarts_exhausted`, `stopped`, `unhealthy`.
    pub fn as_str(self) -> &'static str {
        match self {
            Stopped::PolicySatisfied => "policy_satisfied",
            Stopped::Predicate => "predicate",
            Stopped::RestartsExhausted => "restarts_exhausted",
            Stopped::Stopped => "stopped",
            Stopped::Unhealthy => "unhealthy",
        }
    }
}

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a run was ended from here, if it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Reason {
    /// Supervision was told to stop.
    Stop,
    /// A restart was asked for.
    Restart,
    /// A file that is watched has changed.
    Change,
    /// It failed its health probes.
    Unhealthy,
}

/// One of the runs that there were.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct PastRun {
    /// Counted from 1.
    pub number: u64,
    /// When it was started, since the beginning of supervision.
    #[cfg_attr(feature = "serde", serde(rename = "began_seconds", with = "crate::wire::seconds"))]
    pub began: Duration,
    /// How long after its start it was ready, if it was.
    #[cfg_attr(feature = "serde", serde(rename = "ready_seconds", with = "crate::wire::maybe_seconds"))]
    pub ready: Option<Duration>,
    /// Why it was ended, if not by itself.
    pub reason: Option<Reason>,
    /// How it ended; `None` if it could not be started.
    pub outcome: Option<Outcome>,
    /// Why it could not be started.
    pub error: Option<String>,
}

/// What supervision came to.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct SupervisionOutcome {
    /// What the last run wrote, as far as that is retained, and how it ended. `None` if none was ever started.
    pub final_result: Option<Output>,
    /// How often it was restarted by its policy.
    pub restarts: u32,
    /// How often it was restarted because somebody asked for that or a file changed; these are counted against no bound.
    pub restarts_asked: u32,
    /// Why supervision has ended.
    pub stopped: Stopped,
    /// How often failures came so fast that there was a long pause.
    pub storm_pauses: u32,
    /// The last of its runs, the oldest first.
    pub history: Vec<PastRun>,
}

impl std::fmt::Display for SupervisionOutcome {
    /// What it came to, as words: `ended after 2 restarts, since it may not be restarted more often: exited with code 3`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let restarts = u64::from(self.restarts) + u64::from(self.restarts_asked);
        let why = match self.stopped {
            Stopped::PolicySatisfied => "as its policy restarts nothing after such an end",
            Stopped::Predicate => "as its stop condition holds",
            Stopped::RestartsExhausted => "since it may not be restarted more often",
            Stopped::Stopped => "since it was told to stop",
            Stopped::Unhealthy => "for failing its health probes",
        };
        let plural = if restarts == 1 { "" } else { "s" };
        write!(f, "ended after {restarts} restart{plural}, {why}")?;
        match &self.final_result {
            Some(last) => write!(f, ": {}", last.outcome),
            None => f.write_str(": it was never started"),
        }
    }
}

/// Something that happened to what is supervised.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SupervisionEvent {
    /// A run has begun.
    Started {
        /// Which, counted from 1.
        number: u64,
        /// Its program's pid.
        pid: Pid,
    },
    /// It could not be started.
    NotStarted {
        /// Which, counted from 1.
        number: u64,
        /// Why.
        error: String,
    },
    /// Its readiness probe holds; without one, it was started.
    Ready {
        /// How long after its start.
        after: Duration,
    },
    /// A health probe has failed.
    Unhealthy {
        /// Why.
        reason: String,
        /// How often in a row.
        failures: u32,
        /// Whether it is ended for that.
        ending: bool,
    },
    /// A file that is watched has changed.
    Changed {
        /// Which of those that were named.
        path: PathBuf,
    },
    /// A run is being stopped from here.
    Stopping {
        /// Why.
        reason: Reason,
    },
    /// A run has ended.
    Ended(Box<Outcome>),
    /// It is restarted.
    Restarting {
        /// After this long.
        after: Duration,
        /// The number of the run that is to be, counted from 1.
        number: u64,
    },
    /// Failures came so fast that there is a long pause before the restart.
    StormPause {
        /// How long.
        pause: Duration,
    },
    /// Supervision has ended; the last event.
    Stopped(Stopped),
    /// Supervision has failed; the last event.
    Failed {
        /// Why.
        error: String,
    },
}

impl SupervisionEvent {
    /// Whether none comes after it.
    pub fn is_last(&self) -> bool {
        matches!(self, SupervisionEvent::Stopped(_) | SupervisionEvent::Failed { .. })
    }

    pub(super) fn failed(error: &Error) -> SupervisionEvent {
        SupervisionEvent::Failed { error: error.message() }
    }
}
