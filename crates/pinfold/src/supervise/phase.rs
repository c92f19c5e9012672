//! Where supervision stands. The diagram of these is in docs/supervision.md.

use crate::outcome::Outcome;
use pinfold_os::handle::Pid;
use std::time::{Duration, Instant};

/// What supervision is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Phase {
    /// A run begins as soon as it is advanced.
    Due,
    /// A run goes on, and is not ready yet.
    Starting,
    /// A run goes on, and is ready.
    Up,
    /// A run is being stopped.
    Stopping,
    /// Nothing runs until the pause before the next run is over.
    Backoff,
    /// The same, and the pause is long because failures came thick and fast.
    StormPause,
    /// Supervision has ended.
    Over,
}

impl Phase {
    /// All of them.
    pub const ALL: [Phase; 7] = [
        Phase::Due,
        Phase::Starting,
        Phase::Up,
        Phase::Stopping,
        Phase::Backoff,
        Phase::StormPause,
        Phase::Over,
    ];

    /// Its name: `due`, `starting`, `up`, `stopping`, `backoff`, `storm_pause`, `over`.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Due => "due",
            Phase::Starting => "starting",
            Phase::Up => "up",
            Phase::Stopping => "stopping",
            Phase::Backoff => "backoff",
            Phase::StormPause => "storm_pause",
            Phase::Over => "over",
        }
    }
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How supervision stands.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// What it is at.
    pub phase: Phase,
    /// The program of the run that goes on, if one does.
    pub pid: Option<Pid>,
    /// Since when that goes on.
    pub since: Option<Instant>,
    /// How long after its start it was ready, if it was.
    pub ready: Option<Duration>,
    /// When the next run begins, during a pause.
    pub next: Option<Instant>,
    /// How many runs have begun, or could not.
    pub runs: u64,
    /// How often its policy has restarted it.
    pub restarts: u32,
    /// How often it was restarted because somebody asked for that or a file changed.
    pub restarts_asked: u32,
    /// How often there was a storm.
    pub storm_pauses: u32,
    /// How the last run that has ended did so.
    pub last: Option<Outcome>,
}
