//! Containers: what a run and all its descendants live in, so that they can be told and ended together.
//!
//! A closed set: each rung of the ladder is a variant here and a file beside this one; which one a command gets is
//! decided in `ladder`.

mod bounds;
#[cfg(target_os = "linux")]
mod cgroup;
#[cfg(target_os = "linux")]
mod control;
mod counters;
#[cfg(target_os = "linux")]
mod directory;
#[cfg(target_os = "linux")]
mod kept;
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux has files like these"))]
pub(crate) mod knobs;
mod ladder;
mod nest;
#[cfg(target_os = "linux")]
mod pool;
mod refusal;
mod strays;
#[cfg(all(target_os = "linux", feature = "systemd"))]
mod systemd;
mod watch;

pub(crate) use bounds::{Demand, choose_for};
pub(crate) use counters::Counters;
#[cfg(target_os = "linux")]
pub(crate) use kept::tell_all;
pub(crate) use ladder::{choose, guarantee, rung};
pub(crate) use nest::Nest;
pub(crate) use refusal::{Lack, Refusal};
#[cfg(target_os = "linux")]
pub(crate) use strays::{below, is_childless, is_empty_group, members_of_group};
pub(crate) use strays::{describe, holders, live_usage};
pub(crate) use watch::Watch;

use crate::outcome::{Guarantee, Mechanism};
use pinfold_os::handle::{Pid, Process};
use pinfold_os::order::{Grouping, Order, SpawnError};
use pinfold_os::poll::Waitable;
use pinfold_os::signal::Signal;
use pinfold_os::spawn;
use std::io;
use std::time::Duration;

/// Lets go of what is kept for the next run: this process is about to become another program.
pub(crate) fn release() {
    #[cfg(target_os = "linux")]
    {
        cgroup::release();
        crate::registry::release();
    }
}

/// The cgroup v2 directory that this process is in, or why there is none.
#[cfg(target_os = "linux")]
pub(crate) fn cgroup_place() -> Result<std::path::PathBuf, Lack> {
    cgroup::place()
}

/// How the controllers could be had that are missing there.
#[cfg(target_os = "linux")]
pub(crate) fn controllers_remedy(place: Option<&std::path::Path>, missing: &[&str]) -> Option<String> {
    control::remedy(place, missing)
}

/// The directory of this process below that, if one can be had.
#[cfg(target_os = "linux")]
pub(crate) fn cgroup_directory() -> Option<std::path::PathBuf> {
    cgroup::own_directory()
}

/// What notes a run in the registry for as long as it is there.
#[cfg(target_os = "linux")]
pub(crate) type Slot = crate::registry::Slot;
#[cfg(not(target_os = "linux"))]
pub(crate) type Slot = std::convert::Infallible;

/// A container, empty or in use. Dropping it ends whatever is in it.
#[derive(Debug)]
pub(crate) enum Container {
    #[cfg(target_os = "linux")]
    Cgroup(cgroup::Leaf),
    /// A keeper, or the first process of a PID namespace, above the program.
    #[cfg(target_os = "linux")]
    Kept(kept::Kept),
    /// The process group that the program leads. It has no existence of its own; where it is noted is let go with it.
    Group(Option<Slot>),
}

impl Container {
    /// An empty one; where a guard is required, it is at work by then.
    pub(crate) fn make(mechanism: Mechanism, required: Option<Guarantee>) -> io::Result<Container> {
        let _ = required;
        match mechanism {
            #[cfg(target_os = "linux")]
            Mechanism::CgroupV2 => {
                Ok(Container::Cgroup(cgroup::Leaf::take(required >= Some(Guarantee::Guarded))?))
            }
            #[cfg(target_os = "linux")]
            Mechanism::Subreaper | Mechanism::PidNamespace => {
                Ok(Container::Kept(kept::Kept::new(mechanism, None)))
            }
            Mechanism::ProcessGroup => Ok(Container::Group(None)),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Whether [`Container::attend`] has much to do, and can wait.
    pub(crate) fn can_be_attended_later(&self) -> bool {
        match self {
            #[cfg(target_os = "linux")]
            Container::Cgroup(leaf) => !leaf.is_guarded() && !cgroup::has_guard(),
            _ => false,
        }
    }

    /// After a program was started in here: what does not have to come before it, so that it has not to wait for it.
    pub(crate) fn attend(&mut self, leader: &Process) -> io::Result<()> {
        // The guard comes first: what it is for cannot wait.
        let attended = match self {
            #[cfg(target_os = "linux")]
            Container::Cgroup(leaf) => {
                leaf.settle();
                leaf.attend()
            }
            #[cfg(target_os = "linux")]
            Container::Kept(kept) => kept.attend(),
            Container::Group(_) => Ok(()),
        };
        self.enter_registry(leader);
        attended
    }

    /// Notes where it is for whoever asks, or has to clear what we leave.
    #[cfg(target_os = "linux")]
    fn enter_registry(&mut self, leader: &Process) {
        use crate::registry::{Where, note};
        let first = match self {
            Container::Cgroup(_) => {
                cgroup::own_directory().map_or((None, false), |path| note(Where::Cgroup(&path))).1
            }
            Container::Kept(kept) => kept.enter_registry(),
            Container::Group(slot) => {
                let first;
                (*slot, first) = note(Where::Process(Mechanism::ProcessGroup, leader.pid()));
                first
            }
        };
        if first {
            crate::tracked::sweep();
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn enter_registry(&mut self, _: &Process) {}

    pub(crate) fn mechanism(&self) -> Mechanism {
        match self {
            #[cfg(target_os = "linux")]
            Container::Cgroup(_) => Mechanism::CgroupV2,
            #[cfg(target_os = "linux")]
            Container::Kept(kept) => kept.mechanism(),
            Container::Group(_) => Mechanism::ProcessGroup,
        }
    }

    /// What it is good for.
    pub(crate) fn guarantee(&self) -> Guarantee {
        match self {
            #[cfg(target_os = "linux")]
            Container::Cgroup(leaf) if leaf.is_guarded() => Guarantee::Guarded,
            #[cfg(target_os = "linux")]
            Container::Cgroup(_) => Guarantee::WhileOwnerLives,
            #[cfg(target_os = "linux")]
            Container::Kept(kept) => ladder::guarantee(kept.mechanism()),
            Container::Group(_) => Guarantee::BestEffort,
        }
    }

    /// Carries out an order, so that the process is born in here.
    pub(crate) fn launch<'a>(
        &'a mut self,
        mut order: Order<'a>,
        foreground: bool,
    ) -> Result<Process, SpawnError> {
        // Where the kernel knows the program by its group, or by a number that means nothing outside.
        let apart = match self {
            #[cfg(target_os = "linux")]
            Container::Cgroup(_) => false,
            #[cfg(target_os = "linux")]
            Container::Kept(kept) => kept.mechanism() == Mechanism::PidNamespace,
            Container::Group(_) => true,
        };
        if apart && order.grouping == Grouping::Inherit {
            order.grouping = if foreground { Grouping::OwnForeground(0) } else { Grouping::Own };
        }
        match self {
            #[cfg(target_os = "linux")]
            Container::Cgroup(leaf) => {
                let no_directory = |source| SpawnError { step: pinfold_os::order::Step::Cgroup, source };
                order.cgroup = Some(leaf.directory().map_err(no_directory)?);
                spawn::spawn(&order)
            }
            #[cfg(target_os = "linux")]
            Container::Kept(kept) => kept.launch(order),
            Container::Group(_) => spawn::spawn(&order),
        }
    }

    /// Whether what holds it together has been lost before the program's end.
    pub(crate) fn is_broken(&self) -> bool {
        match self {
            #[cfg(target_os = "linux")]
            Container::Kept(kept) => kept.is_gone(),
            _ => false,
        }
    }

    /// Sends a signal to all that is in here.
    pub(crate) fn signal(&self, leader: &Process, signal: Signal) -> io::Result<()> {
        match self {
            #[cfg(target_os = "linux")]
            Container::Cgroup(leaf) => leaf.signal(signal),
            #[cfg(target_os = "linux")]
            Container::Kept(kept) => kept.signal(signal),
            Container::Group(_) => leader.signal_group(signal),
        }
    }

    /// Ends all that is in here, at once.
    pub(crate) fn kill(&self, leader: &Process) -> io::Result<()> {
        match self {
            #[cfg(target_os = "linux")]
            Container::Cgroup(leaf) => leaf.kill(),
            #[cfg(target_os = "linux")]
            Container::Kept(kept) => kept.kill(leader),
            Container::Group(_) => leader.signal_group(Signal::KILL),
        }
    }

    /// Whether nothing lives in here any more. A `leader` that has ended must have been waited for unless its group could then
    /// no longer be named.
    pub(crate) fn is_empty(&self, leader: &Process) -> bool {
        match self {
            #[cfg(target_os = "linux")]
            Container::Cgroup(leaf) => leaf.is_empty(),
            #[cfg(target_os = "linux")]
            Container::Kept(kept) => kept.is_gone(),
            // Whoever still runs is no zombie, and all processes of the host need not be looked at to know that.
            Container::Group(_) => !matches!(leader.peek_exit(), Ok(None)) && strays::is_empty_group(leader),
        }
    }

    /// Those in here that cannot be ended, if nobody else is left: processes of another user, as setuid programs make
    /// themselves. The kernel's own kill of a cgroup asks nobody's rights.
    pub(crate) fn beyond_us(&self, leader: &Process) -> Vec<Pid> {
        let members = self.members(leader);
        if strays::are_beyond_us(&members) { members } else { Vec::new() }
    }

    /// Has nobody wait for what cannot be ended when this is dropped.
    pub(crate) fn give_up(&self) {
        #[cfg(target_os = "linux")]
        if let Container::Kept(kept) = self {
            kept.give_up();
        }
    }

    /// What tells that [`Container::is_empty`] may have changed; `None` where it has to be asked again and again.
    pub(crate) fn waitable(&self) -> Option<Waitable<'_>> {
        match self {
            #[cfg(target_os = "linux")]
            Container::Cgroup(leaf) => leaf.waitable(),
            #[cfg(target_os = "linux")]
            Container::Kept(kept) => kept.waitable(),
            Container::Group(_) => None,
        }
    }

    /// Stops all of it from running, or lets it run on.
    pub(crate) fn freeze(&self, leader: &Process, frozen: bool) -> io::Result<()> {
        match self {
            #[cfg(target_os = "linux")]
            Container::Cgroup(leaf) => leaf.freeze(frozen),
            #[cfg(target_os = "linux")]
            Container::Kept(kept) => kept.signal(if frozen { Signal::STOP } else { Signal::CONT }),
            Container::Group(_) => leader.signal_group(if frozen { Signal::STOP } else { Signal::CONT }),
        }
    }

    /// The processes in here.
    pub(crate) fn members(&self, leader: &Process) -> Vec<Pid> {
        match self {
            #[cfg(target_os = "linux")]
            Container::Cgroup(leaf) => leaf.members(),
            #[cfg(target_os = "linux")]
            Container::Kept(kept) => kept.members(),
            Container::Group(_) => strays::members_of_group(leader.pid()),
        }
    }

    /// Time on CPUs of all that was in here, in user mode and in the kernel.
    pub(crate) fn cpu_time(&self) -> Option<(Duration, Duration)> {
        match self {
            #[cfg(target_os = "linux")]
            Container::Cgroup(leaf) => leaf.cpu_time(),
            #[cfg(target_os = "linux")]
            Container::Kept(kept) => kept.leaf().and_then(cgroup::Leaf::cpu_time),
            Container::Group(_) => None,
        }
    }
}
