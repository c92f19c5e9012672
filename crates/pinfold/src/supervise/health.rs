//! How a run does: whether it is ready, and from then on whether it still answers.

use crate::command::Command;
use crate::error::ErrorKind;
use crate::machine::{Interest, Machine};
use crate::probe::{Check, Probe, Waiting};
use crate::running::Running;
use std::io;
use std::time::{Duration, Instant};

/// When a run is ready.
#[derive(Clone, Debug)]
pub(super) struct Readiness {
    pub(super) probe: Probe,
    /// It is ended if it is not by then.
    pub(super) within: Duration,
}

/// How a run that is ready shows that it still does what it should.
///
/// The probe is tried once every `interval`, beginning that long after the run was ready; when it has failed `failures`
/// times in a row, the run is stopped, which counts as a crash.
#[derive(Clone, Debug)]
#[must_use = "it is given to a supervisor"]
pub struct Liveness {
    /// What is tried; not what the run writes, which cannot be tried again.
    pub probe: Probe,
    /// How long after an answer it is tried again.
    pub interval: Duration,
    /// No answer for this long is a failure.
    pub timeout: Duration,
    /// How many failures in a row are too many.
    pub failures: u32,
}

impl Liveness {
    /// This probe every 10 seconds, with 5 seconds for its answer and 3 failures.
    pub fn new(probe: Probe) -> Liveness {
        Liveness { probe, interval: Duration::from_secs(10), timeout: Duration::from_secs(5), failures: 3 }
    }

    pub(super) fn contradiction(&self) -> Option<&'static str> {
        if self.probe.is_of_output() {
            return Some("its liveness probe is of its output, which cannot be tried again");
        }
        (self.failures == 0).then_some("it is unhealthy after no failure")
    }
}

/// What was found out.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Finding {
    Ready,
    /// It failed so often in a row; too often, or not yet.
    Failed {
        reason: String,
        failures: u32,
        too_often: bool,
    },
}

/// The probes of one run.
pub(super) enum Health {
    NotReady(Box<Waiting>),
    /// Until it is tried again.
    Resting {
        until: Option<Instant>,
        failures: u32,
    },
    Trying {
        check: Box<Check>,
        until: Option<Instant>,
        failures: u32,
        holds: bool,
    },
    /// It is with whoever is asked.
    Asked,
    /// Nothing is asked of it, or not any more.
    Unasked,
}

impl Health {
    /// Of a run that was just started; it is ready if nothing says when it is.
    pub(super) fn of_started(readiness: Option<&Readiness>) -> Health {
        match readiness {
            Some(readiness) => Health::NotReady(Box::new(readiness.probe.waiting(readiness.within))),
            None => Health::Unasked,
        }
    }

    /// Of one that is ready.
    pub(super) fn of_ready(liveness: Option<&Liveness>, now: Instant) -> Health {
        Health::resting(liveness, now, 0)
    }

    fn resting(liveness: Option<&Liveness>, now: Instant, failures: u32) -> Health {
        match liveness {
            Some(liveness) => Health::Resting { until: now.checked_add(liveness.interval), failures },
            None => Health::Unasked,
        }
    }

    /// The first of three steps: what is to be asked now, which is asked while others may look at the run, and comes back to
    /// [`Health::answered`].
    pub(super) fn question(
        &mut self,
        running: &mut Running,
        command: &Command,
        liveness: Option<&Liveness>,
        now: Instant,
    ) -> Option<Health> {
        match self {
            Health::Unasked | Health::Asked => return None,
            Health::NotReady(waiting) => {
                waiting.look(running, command);
            }
            Health::Resting { until, failures } => {
                let (true, Some(liveness)) = (until.is_some_and(|until| until <= now), liveness) else {
                    return None;
                };
                let until = now.checked_add(liveness.timeout);
                let check = Box::new(Check::new(&liveness.probe));
                *self = Health::Trying { check, until, failures: *failures, holds: false };
            }
            Health::Trying { .. } => {}
        }
        Some(std::mem::replace(self, Health::Asked))
    }

    /// The second step: asks, without the run.
    pub(super) fn ask(&mut self, now: Instant) -> io::Result<()> {
        match self {
            Health::NotReady(waiting) => waiting.ask(now),
            Health::Trying { check, holds, .. } => {
                *holds = check.advance(now, None)?;
                Ok(())
            }
            Health::Resting { .. } | Health::Asked | Health::Unasked => Ok(()),
        }
    }

    /// The third step: what was found out by that.
    pub(super) fn answered(
        &mut self,
        running: &mut Running,
        command: &Command,
        liveness: Option<&Liveness>,
        now: Instant,
    ) -> io::Result<Option<Finding>> {
        match self {
            Health::Unasked | Health::Asked | Health::Resting { .. } => Ok(None),
            Health::NotReady(waiting) => {
                let Some(answer) = waiting.answer(running, command, now)? else {
                    return Ok(None);
                };
                waiting.close(running);
                *self = Health::Unasked;
                Ok(match answer {
                    Ok(()) => Some(Finding::Ready),
                    // Its end is told by itself.
                    Err(error) if error.kind() == ErrorKind::NotReady => None,
                    Err(error) => {
                        // Without the program's name, which stands in front of all that is told of it.
                        let name = format!("{}: ", command.program().display());
                        let reason = error.message();
                        let reason = reason.strip_prefix(&name).unwrap_or(&reason).to_owned();
                        Some(Finding::Failed { reason, failures: 1, too_often: true })
                    }
                })
            }
            Health::Trying { check, until, failures, holds } => {
                let late = until.is_some_and(|until| until <= now);
                if *holds {
                    *self = Health::resting(liveness, now, 0);
                    return Ok(None);
                }
                if !check.has_failed() && !late {
                    return Ok(None);
                }
                let (reason, failures) = (check.reason(), failures.saturating_add(1));
                let name = liveness.map(|liveness| liveness.probe.to_string()).unwrap_or_default();
                let reason = format!("{name}: {reason}");
                let too_often = liveness.is_some_and(|liveness| failures >= liveness.failures);
                *self = if too_often { Health::Unasked } else { Health::resting(liveness, now, failures) };
                Ok(Some(Finding::Failed { reason, failures, too_often }))
            }
        }
    }

    /// Lets go of what it has the run keep for it.
    pub(super) fn close(&mut self, running: &mut Running) {
        if let Health::NotReady(waiting) = self {
            waiting.close(running);
        }
    }

    pub(super) fn add_interest<'a>(&'a self, all: &mut Interest<'a>, now: Instant) {
        let own = match self {
            Health::Unasked | Health::Asked => return,
            Health::NotReady(waiting) => waiting.interest(now),
            Health::Resting { until, .. } => Interest { waitables: Vec::new(), deadline: *until },
            Health::Trying { check, until, .. } => {
                let mut own = check.interest(now);
                own.deadline = [own.deadline, *until].into_iter().flatten().min();
                own
            }
        };
        all.waitables.extend(own.waitables);
        all.deadline = [all.deadline, own.deadline].into_iter().flatten().min();
    }
}
