//! The one definition of stopping: a signal to all of it, grace, and then the kill.
//!
//! It is a machine over made-up time: it decides, and whoever holds the container acts. Stopping is over when the
//! container is empty, or holds nobody but whom this user may not end; never because a timer ended.

use crate::settings::StopRule;
use pinfold_os::signal::Signal;
use std::time::{Duration, Instant};

/// What is to be done to the container now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Send this signal to all of it.
    Signal(Signal),
    /// Kill all of it.
    Kill,
}

/// Stopping, begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ladder {
    /// When grace is over; `None` once the kill was ordered.
    kill_at: Option<Instant>,
    /// When the kill was ordered.
    killed_at: Option<Instant>,
}

impl Ladder {
    /// The first rung, and what to do on it.
    pub(crate) fn begin(rule: StopRule, now: Instant) -> (Ladder, Act) {
        if rule.grace.is_zero() || rule.signal == Signal::KILL {
            return (Ladder { kill_at: None, killed_at: Some(now) }, Act::Kill);
        }
        // Too long a grace to be represented is as good as one that ends next year.
        let kill_at = now.checked_add(rule.grace).unwrap_or(now + Duration::from_secs(365 * 86_400));
        (Ladder { kill_at: Some(kill_at), killed_at: None }, Act::Signal(rule.signal))
    }

    /// What has become due.
    pub(crate) fn step(&mut self, now: Instant) -> Option<Act> {
        if self.kill_at.is_some_and(|at| at <= now) {
            self.kill_at = None;
            self.killed_at = Some(now);
            return Some(Act::Kill);
        }
        None
    }

    /// When [`Ladder::step`] is to be asked again.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.kill_at
    }

    /// Whether the kill was ordered.
    pub(crate) fn has_killed(&self) -> bool {
        self.killed_at.is_some()
    }

    /// Since when whoever is still there is to be asked whether it can be ended at all; `None` before the kill.
    pub(crate) fn doubts_from(&self) -> Option<Instant> {
        /// What the kernel may take over a kill before anybody wonders.
        const PATIENCE: Duration = Duration::from_millis(100);
        self.killed_at.map(|at| at + PATIENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kill_comes_when_grace_is_over_and_once() {
        let start = Instant::now();
        let rule = StopRule { signal: Signal::INT, grace: Duration::from_secs(3) };
        let (mut ladder, act) = Ladder::begin(rule, start);
        assert_eq!(act, Act::Signal(Signal::INT));
        assert_eq!(ladder.deadline(), Some(start + rule.grace));
        assert_eq!(ladder.step(start + Duration::from_millis(2999)), None);
        assert!(!ladder.has_killed());
        assert_eq!(ladder.step(start + Duration::from_secs(3)), Some(Act::Kill));
        assert!(ladder.has_killed());
        assert_eq!(ladder.step(start + Duration::from_secs(9)), None);
    }

    #[test]
    fn without_grace_the_kill_is_the_first_word() {
        let now = Instant::now();
        for rule in [
            StopRule::KILL,
            StopRule { signal: Signal::TERM, grace: Duration::ZERO },
            StopRule { signal: Signal::KILL, grace: Duration::from_secs(9) },
        ] {
            let (ladder, act) = Ladder::begin(rule, now);
            assert_eq!((act, ladder.deadline()), (Act::Kill, None));
        }
    }

    #[test]
    fn grace_without_end_is_no_overflow() {
        let rule = StopRule { signal: Signal::TERM, grace: Duration::MAX };
        assert!(Ladder::begin(rule, Instant::now()).0.deadline().is_some());
    }
}
