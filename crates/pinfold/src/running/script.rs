//! What a scripted child does, as data.

use crate::outcome::{Cause, Ending, Outcome};
use crate::settings::Stream;
use pinfold_os::signal::Signal;
use std::sync::Arc;
use std::time::Duration;

/// What a scripted child does from its start to its end.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) steps: Vec<Step>,
    pub(crate) end: End,
    /// What it does about signals; the last word on a signal holds, and what is not named does what it does by default.
    pub(crate) reactions: Vec<(Signal, Reaction)>,
    pub(crate) reads: Reads,
}

/// One thing that it does.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Nothing, for this long.
    Pause(Duration),
    /// It writes.
    Write(Stream, Arc<[u8]>),
    /// It waits until it was given another line on its standard input.
    AwaitLine,
    /// It waits for the end of its standard input.
    AwaitEnd,
}

/// How it ends once it has done all that.
#[derive(Clone, Debug)]
pub(crate) enum End {
    /// It does not.
    Never,
    /// Like this, and because of that.
    As(Ending, Cause),
    /// As a run that was recorded.
    #[cfg_attr(not(feature = "serde"), expect(dead_code, reason = "only cassettes record runs"))]
    Recorded(Arc<Outcome>),
}

/// What it does about a signal.
#[derive(Clone, Debug)]
pub(crate) enum Reaction {
    Ignore,
    /// It goes on with this instead of with what it was at.
    Turn(Arc<Script>),
}

/// How much of its standard input it reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reads {
    #[default]
    All,
    /// So many bytes; then it closes it.
    Only(u64),
    /// None, and leaves it open: as much as a pipe holds can be written.
    Nothing,
}

impl End {
    /// Whether it comes without a stop. What was stopped when it was recorded is there until it is stopped again.
    pub(super) fn comes(&self) -> bool {
        match self {
            End::Never => false,
            End::As(..) => true,
            End::Recorded(outcome) => !matches!(outcome.cause, Cause::Stopped | Cause::Cancelled),
        }
    }
}

impl Script {
    pub(crate) fn new(end: End) -> Script {
        Script { steps: Vec::new(), end, reactions: Vec::new(), reads: Reads::All }
    }

    pub(super) fn reaction(&self, signal: Signal) -> Option<&Reaction> {
        self.reactions.iter().rev().find(|(on, _)| *on == signal).map(|(_, reaction)| reaction)
    }
}
