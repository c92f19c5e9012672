//! Where a run comes from: a closed set of what the machine can ask for the end of a program, and act on.

use super::chain::Chain;
use super::real::{Account, Real};
use super::scripted::Scripted;
use crate::containment::Refusal;
use crate::limits::Limits;
use crate::outcome::{Cause, Guarantee, LimitsHit, Mechanism, Outcome, Usage};
use crate::settings::StopRule;
use pinfold_os::handle::Pid;
use pinfold_os::poll::Waitable;
use pinfold_os::signal::Signal;
use pinfold_os::wait::Exit;
use std::io;
use std::time::{Duration, Instant};

/// What runs.
#[derive(Debug)]
pub(crate) enum Source {
    /// A process in a container.
    Real(Real),
    /// A script, for tests: nothing is started, and nothing can be left behind.
    Scripted(Box<Scripted>),
    /// The stages of a pipeline.
    Chain(Box<Chain>),
}

impl Source {
    pub(super) fn pid(&self) -> Pid {
        match self {
            Source::Real(real) => real.process.pid(),
            Source::Scripted(scripted) => scripted.pid(),
            Source::Chain(chain) => chain.pid(),
        }
    }

    pub(super) fn mechanism(&self) -> Mechanism {
        match self {
            Source::Real(real) => {
                real.container.as_ref().map_or(Mechanism::ProcessGroup, |container| container.mechanism())
            }
            Source::Scripted(_) => Mechanism::Scripted,
            Source::Chain(chain) => chain.face().mechanism(),
        }
    }

    pub(super) fn guarantee(&self) -> Guarantee {
        match self {
            Source::Real(real) => {
                real.container.as_ref().map_or(Guarantee::BestEffort, |container| container.guarantee())
            }
            // It goes with the memory of its owner.
            Source::Scripted(_) => Guarantee::Kernel,
            Source::Chain(chain) => chain.face().guarantee(),
        }
    }

    /// What tells that the program has ended; once it has, that the last of what it left has.
    pub(super) fn watch<'a>(&'a self, exited: bool, waitables: &mut Vec<Waitable<'a>>) {
        match self {
            Source::Real(real) => waitables.extend(real.waitable(exited)),
            Source::Scripted(_) => {}
            Source::Chain(chain) => chain.watch(waitables),
        }
    }

    /// When it is to be looked at even if nothing tells of it.
    pub(super) fn deadline(&self, exited: bool, looked: Instant, ask_again: Duration) -> Option<Instant> {
        match self {
            Source::Real(real) => {
                let ask_at = (exited && real.has_to_be_asked()).then(|| looked + ask_again);
                [ask_at, real.attend_at].into_iter().flatten().min()
            }
            Source::Scripted(scripted) => scripted.deadline(exited),
            Source::Chain(chain) => chain.deadline(looked),
        }
    }

    /// Does what was put off at the start, once it is due: what it is good for since.
    pub(super) fn attend(&mut self, now: Instant) -> Option<Guarantee> {
        match self {
            Source::Real(real) => real.attend(now),
            // Each stage looks after itself.
            Source::Scripted(_) | Source::Chain(_) => None,
        }
    }

    /// The end of the program, if it has come.
    pub(super) fn poll_exit(&mut self) -> io::Result<Option<Exit>> {
        match self {
            Source::Real(real) => real.poll_exit(),
            Source::Scripted(scripted) => Ok(scripted.exit()),
            Source::Chain(chain) => Ok(chain.exit()),
        }
    }

    /// [`Source::poll_exit`] of one whose container has been lost: no group has to be named after its leader's end.
    pub(super) fn poll_lost(&mut self) -> io::Result<Option<Exit>> {
        match self {
            Source::Real(real) => real.process.try_reap(),
            Source::Scripted(scripted) => Ok(scripted.exit()),
            Source::Chain(chain) => Ok(chain.exit()),
        }
    }

    /// Blocks until the end of the program, where there is something to block on.
    pub(super) fn await_exit(&mut self) -> Option<io::Result<Exit>> {
        match self {
            Source::Real(real) if real.leaves_record() => None,
            Source::Real(real) => Some(real.process.reap()),
            Source::Scripted(_) | Source::Chain(_) => None,
        }
    }

    /// Whether what holds it together has been lost before the program's end.
    pub(super) fn is_broken(&self) -> bool {
        match self {
            Source::Real(real) => real.is_broken(),
            // Each stage looks after itself.
            Source::Scripted(_) | Source::Chain(_) => false,
        }
    }

    /// Why it has ended, as far as that is not the machine's own doing.
    pub(super) fn cause(&self) -> Cause {
        match self {
            // What its group was told, it was told.
            Source::Real(real) if real.was_told_to_stop() => Cause::Stopped,
            Source::Real(_) => Cause::Itself,
            Source::Scripted(scripted) => scripted.cause(),
            Source::Chain(chain) => chain.cause(),
        }
    }

    /// Sends the first word of stopping to all of it, in such a way that it can act on it.
    pub(super) fn tell_to_stop(&mut self, cause: Cause, rule: StopRule, now: Instant) {
        match self {
            Source::Real(real) => real.tell_to_stop(rule.signal),
            Source::Scripted(scripted) => {
                scripted.take_signal(rule.signal, now);
                scripted.take_signal(Signal::CONT, now);
            }
            Source::Chain(chain) => chain.tell_to_stop(cause, rule, now),
        }
    }

    pub(super) fn kill(&mut self, cause: Cause, exited: bool, now: Instant) {
        match self {
            Source::Real(real) => real.kill(exited),
            Source::Scripted(scripted) => scripted.take_signal(Signal::KILL, now),
            Source::Chain(chain) => chain.kill(cause, now),
        }
    }

    /// Whether nothing of it is left, once the program has ended.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Source::Real(real) => real.is_empty(),
            Source::Scripted(scripted) => scripted.exit().is_some(),
            Source::Chain(chain) => chain.is_over(),
        }
    }

    /// Those that cannot be ended, if nobody else is left. They are left alone.
    pub(super) fn leave_whom_it_may_not_end(&self) -> Vec<Pid> {
        match self {
            Source::Real(real) => real.leave_whom_it_may_not_end(),
            // Each stage looks after itself.
            Source::Scripted(_) | Source::Chain(_) => Vec::new(),
        }
    }

    pub(super) fn members(&self) -> Vec<Pid> {
        match self {
            Source::Real(real) => real.members(),
            Source::Scripted(scripted) if scripted.exit().is_some() => Vec::new(),
            Source::Scripted(scripted) => vec![scripted.pid()],
            Source::Chain(chain) => chain.members(),
        }
    }

    /// Those of it that are no program of ours.
    pub(super) fn others(&self) -> Vec<Pid> {
        let mut members = self.members();
        match self {
            Source::Chain(chain) => members.retain(|pid| !chain.is_a_program(*pid)),
            _ => members.retain(|pid| *pid != self.pid()),
        }
        members
    }

    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        match self {
            Source::Real(real) => real.process.signal(signal),
            Source::Scripted(scripted) => scripted.post(signal),
            Source::Chain(chain) => chain.each(|running| running.signal(signal)),
        }
    }

    pub(super) fn signal_all(&self, signal: Signal) -> io::Result<()> {
        match self {
            Source::Real(real) => real.signal_all(signal),
            Source::Scripted(scripted) => scripted.post(signal),
            Source::Chain(chain) => chain.each(|running| running.signal_all(signal)),
        }
    }

    pub(super) fn freeze(&self, frozen: bool) -> io::Result<()> {
        match self {
            Source::Real(real) => real.freeze(frozen),
            Source::Scripted(scripted) => scripted.post_freeze(frozen),
            Source::Chain(chain) => {
                chain.each(|running| if frozen { running.suspend() } else { running.resume() })
            }
        }
    }

    pub(super) fn usage(&self) -> Usage {
        match self {
            Source::Real(real) => real.usage(),
            Source::Scripted(_) => Usage::default(),
            Source::Chain(chain) => chain.usage(),
        }
    }

    pub(super) fn limits_hit(&self) -> LimitsHit {
        match self {
            Source::Real(real) => {
                real.container.as_ref().map(|container| container.counters().hit).unwrap_or_default()
            }
            Source::Scripted(_) => LimitsHit::default(),
            Source::Chain(chain) => chain.limits_hit(),
        }
    }

    /// Changes its limits; a script uses nothing that could be limited.
    pub(super) fn set_limits(&self, limits: &Limits) -> Result<(), Refusal> {
        match self {
            Source::Real(Real { container: Some(container), .. }) => container.set_limits(limits),
            Source::Chain(chain) => chain.set_limits(limits),
            _ => Ok(()),
        }
    }

    /// The signal that stopped it, by job control, since this was last asked.
    pub(super) fn take_stop(&self) -> Option<Signal> {
        match self {
            Source::Real(real) => real.process.take_stop().ok().flatten(),
            Source::Scripted(_) | Source::Chain(_) => None,
        }
    }

    /// What was counted of it, when it is over.
    pub(super) fn account(&mut self, exit: Exit) -> Account {
        match self {
            Source::Real(real) => real.account(exit),
            Source::Scripted(_) => Account { exit, usage: Usage::default(), counters: Default::default() },
            Source::Chain(chain) => chain.account(chain.exit().unwrap_or(exit)),
        }
    }

    /// Lets go of its container.
    pub(super) fn let_go(&mut self) {
        match self {
            Source::Real(real) => real.container = None,
            Source::Scripted(_) => {}
            Source::Chain(chain) => chain.let_go(),
        }
    }

    /// The outcome that it is to have, where a script has one.
    pub(super) fn record(&self) -> Option<&Outcome> {
        match self {
            Source::Real(_) | Source::Chain(_) => None,
            Source::Scripted(scripted) => scripted.record(),
        }
    }
}
