//! Containers: what a run and all its descendants live in, so that they can be told and ended together.
//!
//! A closed set: each rung of the ladder is a variant here and a file beside this one. Built so far are
//! [`Mechanism::CgroupV2`] and [`Mechanism::ProcessGroup`]; asking for another is a typed refusal.

mod bounds;
#[cfg(target_os = "linux")]
mod cgroup;
#[cfg(target_os = "linux")]
mod control;
mod counters;
#[cfg(target_os = "linux")]
mod directory;
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux has files like these"))]
pub(crate) mod knobs;
mod nest;
#[cfg(target_os = "linux")]
mod pool;
mod strays;
mod watch;

pub(crate) use bounds::{Demand, choose_for};
pub(crate) use counters::Counters;
pub(crate) use nest::Nest;
pub(crate) use strays::{describe, holders, live_usage};
pub(crate) use watch::Watch;

use crate::outcome::{Guarantee, Mechanism};
use crate::settings::{Containment, Isolation};
use pinfold_os::handle::{Pid, Process};
use pinfold_os::order::{Grouping, Order};
use pinfold_os::poll::Waitable;
use pinfold_os::signal::Signal;
use std::io;
use std::time::Duration;

/// Why a container cannot be had.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) what: String,
    pub(crate) instead: String,
    /// Something had run out: it may be had later.
    pub(crate) passing: Option<io::Error>,
}

/// Why one kind of container cannot be had.
#[derive(Debug)]
pub(crate) enum Lack {
    /// For this reason, as long as this process lives.
    Lasting(String),
    /// Something had run out just now. That is no reason to be content with less: the run fails as any other does then.
    Passing(io::Error),
}

impl Lack {
    pub(crate) fn lasting(why: impl Into<String>) -> Lack {
        Lack::Lasting(why.into())
    }

    /// What an error in doing something means.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only what Linux has can run out"))]
    pub(crate) fn of(what: &str, error: io::Error) -> Lack {
        if pinfold_os::wait::is_exhaustion(&error) {
            Lack::Passing(error)
        } else {
            Lack::Lasting(format!("{what}: {error}"))
        }
    }
}

/// Chooses the mechanism for a command on this host.
pub(crate) fn choose(wanted: Containment) -> Result<Mechanism, Refusal> {
    let mechanism = match wanted.isolation {
        Isolation::Best | Isolation::Cgroup => match cgroups() {
            Ok(()) => Mechanism::CgroupV2,
            Err(Lack::Lasting(_)) if wanted.isolation == Isolation::Best => Mechanism::ProcessGroup,
            Err(Lack::Lasting(why)) => {
                return Err(Refusal {
                    what: format!("cgroup v2 was asked for and cannot be had: {why}"),
                    instead: "run as root, or in a cgroup that is delegated to your user".to_owned(),
                    passing: None,
                });
            }
            Err(Lack::Passing(error)) => {
                return Err(Refusal {
                    what: format!("failed to find a container for it: {error}"),
                    instead: "see ulimit -n for descriptors, ulimit -u for processes".to_owned(),
                    passing: Some(error),
                });
            }
        },
        Isolation::ProcessGroup => Mechanism::ProcessGroup,
        Isolation::Subreaper => return Err(not_built("a subreaper keeper")),
        Isolation::PidNamespace => return Err(not_built("a PID namespace")),
    };
    match wanted.require {
        Some(required) if guarantee(mechanism) < required => Err(Refusal {
            what: format!(
                "the guarantee {required} was required, and {mechanism} guarantees {}",
                guarantee(mechanism)
            ),
            instead: "require less, or nothing".to_owned(),
            passing: None,
        }),
        _ => Ok(mechanism),
    }
}

fn not_built(what: &str) -> Refusal {
    Refusal {
        what: format!("isolation by {what} is not supported by this version"),
        instead: "use isolation cgroup or best".to_owned(),
        passing: None,
    }
}

/// What a mechanism is good for on this host, as far as that can be told before a run.
pub(crate) fn guarantee(mechanism: Mechanism) -> Guarantee {
    match mechanism {
        #[cfg(target_os = "linux")]
        Mechanism::CgroupV2 if cgroup::promises_guard() => Guarantee::Guarded,
        Mechanism::CgroupV2 => Guarantee::WhileOwnerLives,
        Mechanism::PidNamespace | Mechanism::JobObject => Guarantee::Kernel,
        Mechanism::Subreaper => Guarantee::Guarded,
        Mechanism::ProcessGroup => Guarantee::BestEffort,
    }
}

/// Whether cgroups can be had here, and if not, why not.
pub(crate) fn cgroups() -> Result<(), Lack> {
    #[cfg(target_os = "linux")]
    {
        cgroup::available()
    }
    #[cfg(not(target_os = "linux"))]
    {
        Err(Lack::lasting("only Linux has them"))
    }
}

/// Lets go of what is kept for the next run: this process is about to become another program.
pub(crate) fn release() {
    #[cfg(target_os = "linux")]
    cgroup::release();
}

/// A container, empty or in use. Dropping it ends whatever is in it.
#[derive(Debug)]
pub(crate) enum Container {
    #[cfg(target_os = "linux")]
    Cgroup(cgroup::Leaf),
    /// The process group that the program leads. It has no existence of its own.
    Group,
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
            Mechanism::ProcessGroup => Ok(Container::Group),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// After a program was started in here: what does not have to come before it, so that it has not to wait for it.
    pub(crate) fn attend(&mut self) -> io::Result<()> {
        match self {
            #[cfg(target_os = "linux")]
            Container::Cgroup(leaf) => {
                leaf.settle();
                leaf.attend()
            }
            Container::Group => Ok(()),
        }
    }

    pub(crate) fn mechanism(&self) -> Mechanism {
        match self {
            #[cfg(target_os = "linux")]
            Container::Cgroup(_) => Mechanism::CgroupV2,
            Container::Group => Mechanism::ProcessGroup,
        }
    }

    /// What it is good for.
    pub(crate) fn guarantee(&self) -> Guarantee {
        match self {
            #[cfg(target_os = "linux")]
            Container::Cgroup(leaf) if leaf.is_guarded() => Guarantee::Guarded,
            #[cfg(target_os = "linux")]
            Container::Cgroup(_) => Guarantee::WhileOwnerLives,
            Container::Group => Guarantee::BestEffort,
        }
    }

    /// Writes into an order that the process is to be born in here.
    pub(crate) fn admit<'a>(&'a self, order: &mut Order<'a>, foreground: bool) -> io::Result<()> {
        match self {
            #[cfg(target_os = "linux")]
            Container::Cgroup(leaf) => order.cgroup = Some(leaf.directory()?),
            Container::Group if order.grouping == Grouping::Inherit => {
                order.grouping = if foreground { Grouping::OwnForeground(0) } else { Grouping::Own };
            }
            Container::Group => {}
        }
        Ok(())
    }

    /// Sends a signal to all that is in here.
    pub(crate) fn signal(&self, leader: &Process, signal: Signal) -> io::Result<()> {
        match self {
            #[cfg(target_os = "linux")]
            Container::Cgroup(leaf) => leaf.signal(signal),
            Container::Group => leader.signal_group(signal),
        }
    }

    /// Ends all that is in here, at once.
    pub(crate) fn kill(&self, leader: &Process) -> io::Result<()> {
        match self {
            #[cfg(target_os = "linux")]
            Container::Cgroup(leaf) => leaf.kill(),
            Container::Group => leader.signal_group(Signal::KILL),
        }
    }

    /// Whether nothing lives in here any more. `leader` must have ended, and been waited for unless its group could
    /// then no longer be named.
    pub(crate) fn is_empty(&self, leader: &Process) -> bool {
        match self {
            #[cfg(target_os = "linux")]
            Container::Cgroup(leaf) => leaf.is_empty(),
            // The kernel counts zombies as members, and some init processes take their time over them.
            Container::Group => {
                leader.group_exists() == Some(false) || strays::members_of_group(leader.pid()).is_empty()
            }
        }
    }

    /// What tells that [`Container::is_empty`] may have changed; `None` where it has to be asked again and again.
    pub(crate) fn waitable(&self) -> Option<Waitable<'_>> {
        match self {
            #[cfg(target_os = "linux")]
            Container::Cgroup(leaf) => leaf.waitable(),
            Container::Group => None,
        }
    }

    /// Stops all of it from running, or lets it run on.
    pub(crate) fn freeze(&self, leader: &Process, frozen: bool) -> io::Result<()> {
        match self {
            #[cfg(target_os = "linux")]
            Container::Cgroup(leaf) => leaf.freeze(frozen),
            Container::Group => leader.signal_group(if frozen { Signal::STOP } else { Signal::CONT }),
        }
    }

    /// The processes in here.
    pub(crate) fn members(&self, leader: &Process) -> Vec<Pid> {
        match self {
            #[cfg(target_os = "linux")]
            Container::Cgroup(leaf) => leaf.members(),
            Container::Group => strays::members_of_group(leader.pid()),
        }
    }

    /// Time on CPUs of all that was in here, in user mode and in the kernel.
    pub(crate) fn cpu_time(&self) -> Option<(Duration, Duration)> {
        match self {
            #[cfg(target_os = "linux")]
            Container::Cgroup(leaf) => leaf.cpu_time(),
            Container::Group => None,
        }
    }
}
