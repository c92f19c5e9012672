//! One run under supervision.

use super::Rules;
use super::health::{Finding, Health};
use super::outcome::Reason;
use crate::command::Command;
use crate::error::Result;
use crate::machine::Interest;
use crate::output::Output;
use crate::running::Progress;
use crate::settings::StopRule;
use crate::verbs::Attempt;
use std::io;
use std::time::{Duration, Instant};

/// A run that goes on.
pub(super) struct Run {
    pub(super) attempt: Attempt,
    health: Health,
    pub(super) number: u64,
    pub(super) began: Instant,
    pub(super) ready: Option<Duration>,
    /// Why it is being stopped, if it is.
    pub(super) reason: Option<Reason>,
}

/// What a look at it showed.
pub(super) enum Look {
    Nothing,
    Ended,
    Found(Finding),
}

impl Run {
    pub(super) fn new(attempt: Attempt, number: u64, rules: &Rules, now: Instant) -> Run {
        let health = Health::of_started(rules.readiness.as_ref());
        Run { attempt, health, number, began: now, ready: None, reason: None }
    }

    pub(super) fn advance(&mut self, command: &Command, rules: &Rules, now: Instant) -> io::Result<Look> {
        let progress = self.attempt.advance(now)?;
        // A run that is being stopped is asked nothing, and what it wrote last can still make it ready.
        if self.reason.is_none() {
            let running = &mut self.attempt.running;
            if let Some(finding) = self.health.advance(running, command, rules.liveness.as_ref(), now)? {
                return Ok(Look::Found(finding));
            }
        }
        Ok(if progress == Progress::Done { Look::Ended } else { Look::Nothing })
    }

    pub(super) fn become_ready(&mut self, rules: &Rules, now: Instant) -> Duration {
        let after = now.saturating_duration_since(self.began);
        self.ready = Some(after);
        self.health = Health::of_ready(rules.liveness.as_ref(), now);
        after
    }

    /// Has it stopped for this reason; the last word holds.
    pub(super) fn stop(&mut self, reason: Reason, rule: StopRule, now: Instant) {
        self.reason = Some(reason);
        if let Health::NotReady(waiting) = &mut self.health {
            waiting.close(&mut self.attempt.running);
        }
        self.health = Health::Unasked;
        self.attempt.running.stop(rule, now);
    }

    pub(super) fn interest(&self, now: Instant) -> Interest<'_> {
        let mut interest = self.attempt.running.interest();
        self.health.add_interest(&mut interest, now);
        interest
    }

    /// What it wrote and how it ended. A stream that failed is no reason to have nothing.
    pub(super) fn finish(self, command: &Command) -> Result<Output<Vec<u8>>> {
        self.attempt.finish(command).or_else(|mut error| error.take_output().ok_or(error))
    }
}
