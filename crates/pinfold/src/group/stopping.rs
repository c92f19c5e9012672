//! Machines that see a group to its end.

use crate::containment::{Nest, Watch};
use crate::machine::{Interest, Machine};
use crate::settings::StopRule;
use crate::stop::{Act, Ladder};
use pinfold_os::signal::Signal;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often those that are left after a kill are asked whether they can be ended.
const DOUBT_AGAIN: Duration = Duration::from_millis(100);

/// How a group was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct StopReport {
    /// How many processes were in it when it began.
    pub members_before: usize,
    /// How many are left: none, but for those that had become another user's, where no cgroup holds them.
    pub members_after: usize,
    /// Whether some ignored the stop signal, so that the kill had to follow.
    pub escalated: bool,
    /// From the first word to the last end.
    #[cfg_attr(feature = "serde", serde(rename = "duration_seconds", with = "crate::wire::seconds"))]
    pub duration: Duration,
}

/// A group on its way down the one ladder of stopping, from [`ProcessGroup::stopping`](super::ProcessGroup::stopping).
/// Dropped before its end, it goes no further, and the group takes starts again.
#[derive(Debug)]
pub struct Stopping {
    nest: Arc<Nest>,
    watch: Watch,
    ladder: Ladder,
    act: Option<Act>,
    before: usize,
    escalated: bool,
    begun: Instant,
    /// When it went up the ladder last.
    acted: Instant,
    signal: Signal,
    /// When it goes no further, whoever is left.
    give_up: Option<Instant>,
}

impl Stopping {
    pub(super) fn begin(nest: Arc<Nest>, rule: StopRule, now: Instant) -> io::Result<Stopping> {
        let watch = nest.watch(false)?;
        let before = nest.begin_stop().len();
        let (ladder, act) = Ladder::begin(rule, now);
        Ok(Stopping {
            nest,
            watch,
            ladder,
            act: Some(act),
            before,
            escalated: false,
            begun: now,
            acted: now,
            signal: rule.signal,
            give_up: None,
        })
    }

    /// Gives up when the grace of its rule is over, instead of killing what is left: the report says how many that are.
    #[must_use]
    pub fn sparing(mut self) -> Stopping {
        self.give_up = Some(self.ladder.deadline().unwrap_or(self.begun));
        self.act = Some(Act::Signal(self.signal));
        self
    }

    /// How many are left at its end: none, or those whom it may not end, or whom it spares when grace is over.
    fn left(&self, now: Instant) -> io::Result<Option<usize>> {
        if self.watch.is_empty(&self.nest)? {
            return Ok(Some(0));
        }
        let given_up = self.give_up.is_some_and(|at| at <= now);
        let doubts = self.ladder.doubts_from().is_some_and(|from| from <= now);
        let is_over = given_up || (doubts && self.nest.is_beyond_us());
        Ok(is_over.then(|| self.nest.members().len()))
    }

    fn act(&self, act: Act) -> io::Result<()> {
        match act {
            Act::Signal(signal) => self.nest.tell(signal),
            Act::Kill => self.nest.kill(),
        }
    }
}

impl Machine for Stopping {
    type Answer = StopReport;

    fn advance(&mut self, now: Instant) -> io::Result<Option<StopReport>> {
        if let Some(act) = self.act.take() {
            self.act(act)?;
        }
        let mut left = self.left(now)?;
        if left.is_none() {
            if let Some(act) = self.ladder.step(now) {
                (self.escalated, self.acted) = (true, now);
                self.act(act)?;
            } else if self.ladder.has_killed() && self.watch.has_to_be_asked() {
                // What was being made while the others were killed.
                self.act(Act::Kill)?;
            }
            left = self.left(now)?;
        }
        Ok(left.map(|left| StopReport {
            members_before: self.before,
            members_after: left,
            escalated: self.escalated,
            duration: now.saturating_duration_since(self.begun),
        }))
    }

    fn interest(&self, now: Instant) -> Interest<'_> {
        let doubts = self.ladder.doubts_from().map(|from| from.max(now + DOUBT_AGAIN));
        let deadlines = [self.ladder.deadline(), self.give_up, self.watch.ask_again(now, self.acted), doubts];
        let deadline = deadlines.into_iter().flatten().min();
        Interest { waitables: self.watch.waitables(), deadline }
    }
}

impl Drop for Stopping {
    fn drop(&mut self) {
        self.nest.stopped();
    }
}

/// A group that is waited for, from [`ProcessGroup::emptying`](super::ProcessGroup::emptying).
#[derive(Debug)]
pub struct Emptying {
    nest: Arc<Nest>,
    watch: Watch,
    /// When it was looked at first.
    begun: Option<Instant>,
}

impl Emptying {
    pub(super) fn new(nest: Arc<Nest>) -> io::Result<Emptying> {
        Ok(Emptying { watch: nest.watch(false)?, nest, begun: None })
    }
}

impl Machine for Emptying {
    type Answer = ();

    fn advance(&mut self, now: Instant) -> io::Result<Option<()>> {
        self.begun.get_or_insert(now);
        Ok(self.watch.is_empty(&self.nest)?.then_some(()))
    }

    fn interest(&self, now: Instant) -> Interest<'_> {
        let deadline = self.watch.ask_again(now, self.begun.unwrap_or(now));
        Interest { waitables: self.watch.waitables(), deadline }
    }
}
