//! Naming processes that are where they should not be any more, and asking what one uses.

use crate::outcome::{Stray, Usage};
use pinfold_os::descriptor::Borrowed;
use pinfold_os::handle::{Pid, Process};
use pinfold_proc::Proc;
use std::time::Duration;

/// `USER_HZ`: what the kernel counts in towards user space, on every architecture of ours.
const TICKS_PER_SECOND: u64 = 100;
/// No list of strays is longer.
const SHOWN: usize = 16;

fn proc() -> Proc {
    Proc::new("/proc")
}

/// The first of these processes with their names.
pub(crate) fn describe(pids: &[Pid]) -> Vec<Stray> {
    let mut proc = proc();
    let mut stray = |pid: &Pid| {
        let name = proc.stat(pid.get()).map(|stat| String::from_utf8_lossy(stat.comm).into_owned());
        Stray { pid: *pid, name: name.unwrap_or_default() }
    };
    pids.iter().take(SHOWN).map(&mut stray).collect()
}

/// Whether none of these may be signalled by this user.
pub(crate) fn are_beyond_us(pids: &[Pid]) -> bool {
    pids.iter().all(|pid| Process::open(*pid).is_ok_and(|process| process.is_beyond_us()))
}

/// The processes but this one that have the other end of this pipe open, as far as this user may see them.
#[cfg(target_os = "linux")]
pub(crate) fn holders(pipe: Borrowed<'_>) -> Vec<Stray> {
    use std::os::fd::AsRawFd;
    let Ok(target) = std::fs::read_link(format!("/proc/self/fd/{}", pipe.as_raw_fd())) else {
        return Vec::new();
    };
    let holds = |pid: u32| {
        let Ok(descriptors) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
        descriptors.flatten().any(|entry| std::fs::read_link(entry.path()).is_ok_and(|link| link == target))
    };
    let pids = proc().pids().unwrap_or_default();
    let others = pids.into_iter().filter(|pid| *pid != std::process::id() && holds(*pid));
    describe(&others.filter_map(|pid| Pid::new(pid.into())).collect::<Vec<_>>())
}

/// The processes but this one that have the other end of this pipe open, as far as this user may see them.
#[cfg(not(target_os = "linux"))]
pub(crate) fn holders(_: Borrowed<'_>) -> Vec<Stray> {
    Vec::new()
}

/// The living members of the process group with this leader.
pub(crate) fn members_of_group(leader: Pid) -> Vec<Pid> {
    let mut proc = proc();
    let mut belongs = |pid: u32| {
        proc.stat(pid).is_ok_and(|stat| stat.pgrp == Some(leader.get()) && !stat.state.has_ended())
    };
    let pids = self::proc().pids().unwrap_or_default();
    pids.into_iter().filter(|pid| belongs(*pid)).filter_map(|pid| Pid::new(pid.into())).collect()
}

/// The living descendants of a process, nearest first: by the lists of children that the kernel keeps for each thread,
/// which cost as much as there are descendants, and not as there are processes on the host.
#[cfg(target_os = "linux")]
pub(crate) fn below(root: Pid) -> Vec<Pid> {
    let (mut found, mut at) = (vec![root.get()], 0);
    while let Some(pid) = found.get(at) {
        let threads = std::fs::read_dir(format!("/proc/{pid}/task"));
        for thread in threads.into_iter().flatten().flatten() {
            let children = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            found.extend(children.split_ascii_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        }
        at += 1;
    }
    let mut proc = proc();
    let mut lives = |pid: u32| proc.stat(pid).is_ok_and(|stat| !stat.state.has_ended());
    let living = found.into_iter().skip(1).filter(|pid| lives(*pid));
    living.filter_map(|pid| Pid::new(pid.into())).collect()
}

/// What a living process has used, by itself.
pub(crate) fn live_usage(pid: Pid) -> Usage {
    let mut proc = proc();
    let time = |ticks: u64| Duration::from_millis(ticks * (1000 / TICKS_PER_SECOND));
    let (user, system) = proc.stat(pid.get()).map_or((0, 0), |stat| (stat.utime, stat.stime));
    let memory = proc.status(pid.get()).ok().and_then(|status| status.memory);
    Usage {
        user: time(user),
        system: time(system),
        peak_memory: memory.and_then(|memory| memory.peak_resident),
    }
}
