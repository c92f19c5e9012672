//! Failures on purpose: a step that fails as if the kernel had refused it, so that what follows from that can be tried.
//!
//! `PINFOLD_FAULT` is a comma-separated list of `STEP=ERROR`, with the names below and those of `errno(3)`; `STEP=ERROR+N`
//! lets the first N through. It is read once, and costs a load of memory where it is not set.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// A step that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Making a cgroup.
    CgroupMake,
    /// Opening one.
    CgroupOpen,
    /// Asking one whether it is populated.
    CgroupEvents,
    /// Listing who is in one.
    CgroupList,
    /// Taking a process into one.
    CgroupAdmit,
    /// Writing to another of its files: a limit, a controller, the freezer.
    CgroupWrite,
    /// Killing all that is in one.
    CgroupKill,
    /// Removing one.
    CgroupRemove,
    /// Making a process.
    Clone,
    /// Making a pipe.
    Pipe,
    /// Reading from one, as the output of a run is.
    Read,
    /// Making the guard's program executable.
    Image,
    /// Making the socket between an owner and a keeper.
    KeeperSocket,
    /// Receiving the handle of a program from its keeper.
    KeeperHandle,
    /// Opening a handle of a process by its pid.
    Handle,
    /// Sending a signal through one, to a process or to its group.
    Signal,
}

impl Fault {
    /// Every step, by its name.
    pub const ALL: [(Fault, &'static str); 16] = [
        (Fault::CgroupMake, "cgroup_make"),
        (Fault::CgroupOpen, "cgroup_open"),
        (Fault::CgroupEvents, "cgroup_events"),
        (Fault::CgroupList, "cgroup_list"),
        (Fault::CgroupAdmit, "cgroup_admit"),
        (Fault::CgroupWrite, "cgroup_write"),
        (Fault::CgroupKill, "cgroup_kill"),
        (Fault::CgroupRemove, "cgroup_remove"),
        (Fault::Clone, "clone"),
        (Fault::Pipe, "pipe"),
        (Fault::Read, "read"),
        (Fault::Image, "image"),
        (Fault::KeeperSocket, "keeper_socket"),
        (Fault::KeeperHandle, "keeper_handle"),
        (Fault::Handle, "handle"),
        (Fault::Signal, "signal"),
    ];
}

const ERRORS: [(&str, i32); 7] = [
    ("EPERM", 1),
    ("EIO", 5),
    ("EAGAIN", 11),
    ("ENOMEM", 12),
    ("EACCES", 13),
    ("EMFILE", 24),
    ("ENOSPC", 28),
];

#[derive(Debug)]
struct Planned {
    fault: Fault,
    error: i32,
    passes: AtomicU32,
}

fn plan() -> &'static [Planned] {
    static PLAN: OnceLock<Vec<Planned>> = OnceLock::new();
    PLAN.get_or_init(|| match std::env::var("PINFOLD_FAULT") {
        Ok(list) => list.split(',').filter_map(parse).collect(),
        Err(_) => Vec::new(),
    })
}

fn parse(item: &str) -> Option<Planned> {
    let (step, error) = item.trim().split_once('=')?;
    let (error, passes) = error.split_once('+').unwrap_or((error, "0"));
    let (fault, _) = Fault::ALL.into_iter().find(|(_, name)| *name == step)?;
    let (_, error) = ERRORS.into_iter().find(|(name, _)| *name == error)?;
    Some(Planned { fault, error, passes: AtomicU32::new(passes.parse().ok()?) })
}

/// The failure that was planned for this step, if one was.
///
/// # Errors
/// That failure.
pub fn at(fault: Fault) -> io::Result<()> {
    for planned in plan() {
        let pass = |left: u32| left.checked_sub(1);
        if planned.fault == fault
            && planned.passes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, pass).is_err()
        {
            return Err(io::Error::from_raw_os_error(planned.error));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_names_a_step_an_error_and_how_many_are_let_through() {
        let told = |item| parse(item).map(|plan| (plan.fault, plan.error, plan.passes.into_inner()));
        assert_eq!(told("clone=EAGAIN"), Some((Fault::Clone, 11, 0)));
        assert_eq!(told(" pipe=EMFILE+3"), Some((Fault::Pipe, 24, 3)));
        for nothing in ["", "clone", "clone=", "clone=EWHATEVER", "whatever=EIO", "clone=EIO+x"] {
            assert_eq!(told(nothing), None, "{nothing}");
        }
    }
}
