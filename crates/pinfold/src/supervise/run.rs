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
    Ask(Question),
}

/// What a run is asked. Whoever is asked may take long, and has the run's handle: nobody holds the run meanwhile.
pub(super) struct Question {
    health: Health,
    /// The number of the run.
    of: u64,
    pub(super) at: Instant,
}

impl Question {
    pub(super) fn ask(&mut self) -> io::Result<()> {
        self.health.ask(self.at)
    }
}

impl Run {
    pub(super) fn new(attempt: Attempt, number: u64, rules: &Rules, now: Instant) -> Run {
        let health = Health::of_started(rules.readiness.as_ref());
        Run { attempt, health, number, began: now, ready: None, reason: None }
    }

    /// It is asked once in a look at most.
    pub(super) fn advance(
        &mut self,
        command: &Command,
        rules: &Rules,
        now: Instant,
        may_ask: bool,
    ) -> io::Result<Look> {
        let progress = self.attempt.advance(now)?;
        // A run that is being stopped is asked nothing, and what it wrote last can still make it ready.
        if may_ask && self.reason.is_none() {
            let running = &mut self.attempt.running;
            if let Some(health) = self.health.question(running, command, rules.liveness.as_ref(), now) {
                return Ok(Look::Ask(Question { health, of: self.number, at: now }));
            }
        }
        Ok(if progress == Progress::Done { Look::Ended } else { Look::Nothing })
    }

    /// Takes back what was asked; of a run before this one, or of one that was told to stop meanwhile, nobody wants to know.
    pub(super) fn answered(
        &mut self,
        mut question: Question,
        command: &Command,
        rules: &Rules,
    ) -> io::Result<Option<Finding>> {
        if question.of != self.number {
            return Ok(None);
        }
        let running = &mut self.attempt.running;
        if !matches!(self.health, Health::Asked) {
            question.health.close(running);
            return Ok(None);
        }
        self.health = question.health;
        self.health.answered(running, command, rules.liveness.as_ref(), question.at)
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
        self.health.close(&mut self.attempt.running);
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
