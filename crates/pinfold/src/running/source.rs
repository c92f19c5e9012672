//! Where a run comes from: a closed set of what the machine can ask for the end of a program, and act on.

use super::real::{ASK_AGAIN, Account, Real};
use super::scripted::Scripted;
use crate::containment::Refusal;
use crate::limits::Limits;
use crate::outcome::{Cause, Guarantee, LimitsHit, Mechanism, Outcome, Usage};
use pinfold_os::handle::Pid;
use pinfold_os::poll::Waitable;
use pinfold_os::signal::Signal;
use pinfold_os::wait::Exit;
use std::io;
use std::time::Instant;

/// What runs.
#[derive(Debug)]
pub(crate) enum Source {
    /// A process in a container.
    Real(Real),
    /// A script, for tests: nothing is started, and nothing can be left behind.
    Scripted(Box<Scripted>),
}

impl Source {
    pub(super) fn pid(&self) -> Pid {
        match self {
            Source::Real(real) => real.process.pid(),
            Source::Scripted(scripted) => scripted.pid(),
        }
    }

    pub(super) fn mechanism(&self) -> Mechanism {
        match self {
            Source::Real(real) => {
                real.container.as_ref().map_or(Mechanism::ProcessGroup, |container| container.mechanism())
            }
            Source::Scripted(_) => Mechanism::Scripted,
        }
    }

    pub(super) fn guarantee(&self) -> Guarantee {
        match self {
            Source::Real(real) => {
                real.container.as_ref().map_or(Guarantee::BestEffort, |container| container.guarantee())
            }
            // It goes with the memory of its owner.
            Source::Scripted(_) => Guarantee::Kernel,
        }
    }

    /// What tells that the program has ended; once it has, that the last of what it left has.
    pub(super) fn waitable(&self, exited: bool) -> Option<Waitable<'_>> {
        match self {
            Source::Real(real) => real.waitable(exited),
            Source::Scripted(_) => None,
        }
    }

    /// When it is to be looked at even if nothing tells of it.
    pub(super) fn deadline(&self, exited: bool, looked: Instant) -> Option<Instant> {
        match self {
            Source::Real(real) => {
                let ask_at = (exited && real.has_to_be_asked()).then(|| looked + ASK_AGAIN);
                [ask_at, real.attend_at].into_iter().flatten().min()
            }
            Source::Scripted(scripted) => scripted.deadline(exited),
        }
    }

    /// Does what was put off at the start, once it is due: what it is good for since.
    pub(super) fn attend(&mut self, now: Instant) -> Option<Guarantee> {
        match self {
            Source::Real(real) => real.attend(now),
            Source::Scripted(_) => None,
        }
    }

    /// The end of the program, if it has come.
    pub(super) fn poll_exit(&mut self) -> io::Result<Option<Exit>> {
        match self {
            Source::Real(real) => real.poll_exit(),
            Source::Scripted(scripted) => Ok(scripted.exit()),
        }
    }

    /// [`Source::poll_exit`] of one whose container has been lost: no group has to be named after its leader's end.
    pub(super) fn poll_lost(&mut self) -> io::Result<Option<Exit>> {
        match self {
            Source::Real(real) => real.process.try_reap(),
            Source::Scripted(scripted) => Ok(scripted.exit()),
        }
    }

    /// Blocks until the end of the program, where there is something to block on.
    pub(super) fn await_exit(&mut self) -> Option<io::Result<Exit>> {
        match self {
            Source::Real(real) if real.leaves_record() => None,
            Source::Real(real) => Some(real.process.reap()),
            Source::Scripted(_) => None,
        }
    }

    /// Whether what holds it together has been lost before the program's end.
    pub(super) fn is_broken(&self) -> bool {
        match self {
            Source::Real(real) => real.is_broken(),
            Source::Scripted(_) => false,
        }
    }

    /// Why it has ended, as far as that is not the machine's own doing.
    pub(super) fn cause(&self) -> Cause {
        match self {
            // What its group was told, it was told.
            Source::Real(real) if real.was_told_to_stop() => Cause::Stopped,
            Source::Real(_) => Cause::Itself,
            Source::Scripted(scripted) => scripted.cause(),
        }
    }

    /// Sends the first word of stopping to all of it, in such a way that it can act on it.
    pub(super) fn tell_to_stop(&mut self, signal: Signal, now: Instant) {
        match self {
            Source::Real(real) => real.tell_to_stop(signal),
            Source::Scripted(scripted) => {
                scripted.take_signal(signal, now);
                scripted.take_signal(Signal::CONT, now);
            }
        }
    }

    pub(super) fn kill(&mut self, exited: bool, now: Instant) {
        match self {
            Source::Real(real) => real.kill(exited),
            Source::Scripted(scripted) => scripted.take_signal(Signal::KILL, now),
        }
    }

    /// Whether nothing of it is left, once the program has ended.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Source::Real(real) => real.is_empty(),
            Source::Scripted(scripted) => scripted.exit().is_some(),
        }
    }

    pub(super) fn members(&self) -> Vec<Pid> {
        match self {
            Source::Real(real) => real.members(),
            Source::Scripted(scripted) if scripted.exit().is_some() => Vec::new(),
            Source::Scripted(scripted) => vec![scripted.pid()],
        }
    }

    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        match self {
            Source::Real(real) => real.process.signal(signal),
            Source::Scripted(scripted) => scripted.post(signal),
        }
    }

    pub(super) fn signal_all(&self, signal: Signal) -> io::Result<()> {
        match self {
            Source::Real(real) => real.signal_all(signal),
            Source::Scripted(scripted) => scripted.post(signal),
        }
    }

    pub(super) fn freeze(&self, frozen: bool) -> io::Result<()> {
        match self {
            Source::Real(real) => real.freeze(frozen),
            Source::Scripted(scripted) => scripted.post_freeze(frozen),
        }
    }

    pub(super) fn usage(&self) -> Usage {
        match self {
            Source::Real(real) => real.usage(),
            Source::Scripted(_) => Usage::default(),
        }
    }

    pub(super) fn limits_hit(&self) -> LimitsHit {
        match self {
            Source::Real(real) => {
                real.container.as_ref().map(|container| container.counters().hit).unwrap_or_default()
            }
            Source::Scripted(_) => LimitsHit::default(),
        }
    }

    /// Changes its limits; a script uses nothing that could be limited.
    pub(super) fn set_limits(&self, limits: &Limits) -> Result<(), Refusal> {
        match self {
            Source::Real(Real { container: Some(container), .. }) => container.set_limits(limits),
            _ => Ok(()),
        }
    }

    /// The signal that stopped it, by job control, since this was last asked.
    pub(super) fn take_stop(&self) -> Option<Signal> {
        match self {
            Source::Real(real) => real.process.take_stop().ok().flatten(),
            Source::Scripted(_) => None,
        }
    }

    /// What was counted of it, when it is over.
    pub(super) fn account(&mut self, exit: Exit) -> Account {
        match self {
            Source::Real(real) => real.account(exit),
            Source::Scripted(_) => Account { exit, usage: Usage::default(), counters: Default::default() },
        }
    }

    /// Lets go of its container.
    pub(super) fn let_go(&mut self) {
        if let Source::Real(real) = self {
            real.container = None;
        }
    }

    /// The outcome that it is to have, where a script has one.
    pub(super) fn record(&self) -> Option<&Outcome> {
        match self {
            Source::Real(_) => None,
            Source::Scripted(scripted) => scripted.record(),
        }
    }
}
