//! A run below a keeper: a small process of ours between us and the program, to which every orphan comes.
//!
//! The kernel gives no name to all that is below a process, so whatever is done to all of it is done to those that `/proc`
//! shows there, again and again until no new ones show up.

use super::cgroup::Leaf;
use super::strays;
use crate::outcome::Mechanism;
use crate::registry::{Slot, Where, note};
use pinfold_os::handle::{Pid, Process};
use pinfold_os::linux::keeper::{self, Keeper, Keeping};
use pinfold_os::order::{Order, SpawnError, Step};
use pinfold_os::poll::{Direction, Waitable};
use pinfold_os::signal::Signal;
use std::collections::HashSet;
use std::io;

/// How often new ones are looked for: a program that makes processes faster than they are listed is never told whole.
const ROUNDS: usize = 64;

/// The keeper of one run.
#[derive(Debug)]
pub(crate) struct Kept {
    mechanism: Mechanism,
    /// `None` before the launch.
    keeper: Option<Keeper>,
    /// The cgroup that holds the keeper and all below it to their limits, if they have any. Let go of last.
    leaf: Option<Leaf>,
    /// Let go after the keeper, whose drop ends what it keeps.
    slot: Option<Slot>,
}

impl Kept {
    pub(crate) fn new(mechanism: Mechanism, leaf: Option<Leaf>) -> Kept {
        Kept { mechanism, keeper: None, leaf, slot: None }
    }

    /// The cgroup of its limits, if it has any.
    pub(crate) fn leaf(&self) -> Option<&Leaf> {
        self.leaf.as_ref()
    }

    /// What has not to come before the launch.
    pub(crate) fn attend(&mut self) -> io::Result<()> {
        let Some(leaf) = &mut self.leaf else { return Ok(()) };
        leaf.settle();
        leaf.attend()
    }

    pub(crate) fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    pub(crate) fn launch<'a>(&'a mut self, mut order: Order<'a>) -> Result<Process, SpawnError> {
        if let Some(leaf) = &self.leaf {
            let no_directory = |source| SpawnError { step: Step::Cgroup, source };
            order.cgroup = Some(leaf.directory().map_err(no_directory)?);
        }
        let keeping = match self.mechanism {
            Mechanism::PidNamespace => Keeping::PidNamespace,
            _ => Keeping::Subreaper,
        };
        let (process, keeper) = keeper::spawn(&order, keeping)?;
        self.keeper = Some(keeper);
        Ok(process)
    }

    /// Notes the keeper: whether this is the first run of this process.
    pub(crate) fn enter_registry(&mut self) -> bool {
        let Some(keeper) = &self.keeper else { return false };
        let directory = self.leaf.as_ref().and_then(|_| super::cgroup::own_directory());
        let was_first = directory.is_some_and(|path| note(Where::Cgroup(&path)).1);
        let (slot, is_first) = note(Where::Process(self.mechanism, keeper.process().pid()));
        self.slot = slot;
        is_first || was_first
    }

    /// Whether the keeper has ended, after the last of those below it or because it was killed.
    pub(crate) fn is_gone(&self) -> bool {
        self.keeper.as_ref().is_none_or(Keeper::has_ended)
    }

    /// Has nobody wait for its end any more.
    pub(crate) fn give_up(&self) {
        if let Some(keeper) = &self.keeper {
            keeper.give_up();
        }
    }

    pub(crate) fn waitable(&self) -> Option<Waitable<'_>> {
        let keeper = self.keeper.as_ref()?;
        Some(Waitable { descriptor: keeper.waitable(), direction: Direction::Read })
    }

    pub(crate) fn members(&self) -> Vec<Pid> {
        let keeper = self.keeper.as_ref().map(|keeper| keeper.process().pid());
        keeper.map(strays::below).unwrap_or_default()
    }

    /// Sends a signal to all of them; those that may not be signalled are passed over.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        tell_all(signal, || self.members());
        Ok(())
    }

    pub(crate) fn kill(&self, program: &Process) -> io::Result<()> {
        let Some(keeper) = &self.keeper else { return Ok(()) };
        if self.mechanism == Mechanism::PidNamespace {
            // The keeper ends the program, tells us, and ends; the kernel kills what is left then.
            keeper.hang_up();
            return Ok(());
        }
        if keeper.has_ended() {
            // Somebody killed it: what is still below the program is all that can be told apart from strangers.
            let _ = program.signal(Signal::STOP);
            tell_all(Signal::KILL, || strays::below(program.pid()));
            return program.signal(Signal::KILL);
        }
        // Stopped, nothing makes new processes any more; the keeper kills what comes up all the same.
        tell_all(Signal::STOP, || self.members());
        tell_all(Signal::KILL, || self.members());
        keeper.hang_up();
        Ok(())
    }
}

/// Sends a signal to each process that is listed, until none is listed that has not got it.
pub(crate) fn tell_all(signal: Signal, list: impl Fn() -> Vec<Pid>) {
    let mut told = HashSet::new();
    for _ in 0..ROUNDS {
        let fresh = list().into_iter().filter(|pid| !told.contains(pid));
        let handles: Vec<Process> = fresh.filter_map(|pid| Process::open(pid).ok()).collect();
        if handles.is_empty() {
            return;
        }
        // One that is still listed once it has been opened is the one that was opened.
        let still: HashSet<Pid> = list().into_iter().collect();
        for handle in handles.iter().filter(|handle| still.contains(&handle.pid())) {
            let _ = handle.signal(signal);
            told.insert(handle.pid());
        }
    }
}
