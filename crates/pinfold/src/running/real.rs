//! A process of the kernel's, and the container that it was born in.

use crate::containment::{self, Container, Counters, Nest};
use crate::outcome::{Guarantee, Usage};
use pinfold_os::handle::{Pid, Process};
use pinfold_os::poll::{Direction, Waitable};
use pinfold_os::signal::Signal;
use pinfold_os::wait::Exit;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How soon a guard is tried again for which something had run out.
const ATTEND_AGAIN: Duration = Duration::from_millis(50);

/// A freshly made process, and what it is in.
#[derive(Debug)]
pub(crate) struct Real {
    pub(crate) process: Process,
    pub(crate) container: Option<Arc<Container>>,
    /// The group that it is in.
    pub(crate) group: Option<Arc<Nest>>,
    pub(crate) maker_memory: u64,
    /// When its container is to be attended to, if that was put off.
    pub(crate) attend_at: Option<Instant>,
}

/// What was counted of a run by its end.
pub(super) struct Account {
    pub(super) exit: Exit,
    pub(super) usage: Usage,
    pub(super) counters: Counters,
}

impl Real {
    pub(super) fn waitable(&self, exited: bool) -> Option<Waitable<'_>> {
        if exited {
            return self.container.as_ref().and_then(|container| container.waitable());
        }
        Some(Waitable { descriptor: self.process.waitable(), direction: Direction::Read })
    }

    /// Whether no event tells that the last member has gone, so that only asking does.
    pub(super) fn has_to_be_asked(&self) -> bool {
        self.container.as_ref().is_some_and(|container| container.waitable().is_none())
    }

    /// Where something ran out it is tried again, and the outcome tells what there was.
    pub(super) fn attend(&mut self, now: Instant) -> Option<Guarantee> {
        self.attend_at.filter(|at| *at <= now)?;
        let container = self.container.as_mut()?;
        // Nobody else has it: what is put off is in no group.
        let attended = Arc::get_mut(container).map(|container| container.attend(&self.process));
        let again = attended.is_some_and(|attended| attended.is_err());
        self.attend_at = again.then(|| now + ATTEND_AGAIN);
        Some(container.guarantee())
    }

    pub(super) fn poll_exit(&mut self) -> io::Result<Option<Exit>> {
        if self.leaves_record() { self.process.peek_exit() } else { self.process.try_reap() }
    }

    /// A leader that was waited for can no longer name its group on older kernels; its record can wait.
    pub(super) fn leaves_record(&self) -> bool {
        matches!(self.container.as_deref(), Some(Container::Group(_)))
            && !self.process.group_outlives_leader()
    }

    pub(super) fn is_broken(&self) -> bool {
        self.container.as_ref().is_some_and(|container| container.is_broken())
    }

    pub(super) fn was_told_to_stop(&self) -> bool {
        self.group.as_ref().is_some_and(|group| group.has_stopped(self.process.pid()))
    }

    /// Sends a signal to all of it, and has what is stopped or frozen run on, which could not act on it.
    pub(super) fn tell_to_stop(&self, signal: Signal) {
        let Some(container) = &self.container else { return };
        let _ = container.signal(&self.process, signal);
        if !matches!(**container, Container::Group(_)) {
            let _ = container.freeze(&self.process, false);
        }
        let _ = container.signal(&self.process, Signal::CONT);
    }

    pub(super) fn kill(&self, exited: bool) {
        let Some(container) = &self.container else { return };
        if container.kill(&self.process).is_err() && !exited {
            let _ = self.process.signal(Signal::KILL);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.container.as_ref().is_none_or(|container| container.is_empty(&self.process))
    }

    pub(super) fn leave_whom_it_may_not_end(&self) -> Vec<Pid> {
        let Some(container) = &self.container else { return Vec::new() };
        let left = container.beyond_us(&self.process);
        if !left.is_empty() {
            container.give_up();
        }
        left
    }

    pub(super) fn members(&self) -> Vec<Pid> {
        self.container.as_ref().map(|container| container.members(&self.process)).unwrap_or_default()
    }

    pub(super) fn signal_all(&self, signal: Signal) -> io::Result<()> {
        self.contained()?.signal(&self.process, signal)
    }

    pub(super) fn freeze(&self, frozen: bool) -> io::Result<()> {
        self.contained()?.freeze(&self.process, frozen)
    }

    fn contained(&self) -> io::Result<&Container> {
        self.container.as_deref().ok_or_else(|| io::Error::other("the run has ended"))
    }

    pub(super) fn usage(&self) -> Usage {
        let live = containment::live_usage(self.process.pid());
        let Some(container) = &self.container else { return live };
        let peak_memory = container.counters().peak_memory.or(live.peak_memory);
        match container.cpu_time() {
            Some((user, system)) => Usage { user, system, peak_memory },
            None => live,
        }
    }

    /// The last that is asked of it: what it has used. Its container goes back to the pool, since the next run may start
    /// before this handle is dropped.
    pub(super) fn account(&mut self, mut exit: Exit) -> Account {
        // Before the pid can be given away.
        if let Some(group) = &self.group {
            group.leave(self.process.pid());
        }
        if let Ok(Some(reaped)) = self.process.try_reap() {
            exit = reaped;
        }
        let cpu = self.container.as_ref().and_then(|container| container.cpu_time());
        let counters = self.container.as_ref().map(|container| container.counters()).unwrap_or_default();
        let (user, system) = cpu.unwrap_or((exit.usage.user, exit.usage.system));
        // Its figure started at ours, so only what is above ours is its own.
        let peak_resident = (exit.usage.max_rss > self.maker_memory).then_some(exit.usage.max_rss);
        let peak_memory = counters.peak_memory.or(peak_resident);
        Account { exit, usage: Usage { user, system, peak_memory }, counters }
    }
}
