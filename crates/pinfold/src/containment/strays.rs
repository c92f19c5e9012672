//! Naming processes that are where they should not be any more, and asking what one uses.

use crate::outcome::{Stray, Usage};
use pinfold_os::descriptor::Borrowed;
use pinfold_os::handle::{Pid, Process};
use pinfold_proc::Proc;
use pinfold_proc::parse::stat::Stat;
use std::collections::HashSet;
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

/// What a look through a container came to.
#[derive(Default)]
struct Look {
    living: Vec<Pid>,
    zombies: HashSet<u32>,
    /// Who was looked at and is none of it.
    strangers: HashSet<u32>,
    /// Who was listed, and gone before it could be looked at.
    gone: HashSet<u32>,
}

impl Look {
    /// Looks at each of these that belongs to the container.
    fn at(pids: &[u32], belongs: impl Fn(&Stat<'_>) -> bool) -> Look {
        let mut proc = proc();
        let mut look = Look::default();
        for pid in pids {
            match proc.stat(*pid) {
                Ok(stat) if !belongs(&stat) => drop(look.strangers.insert(*pid)),
                Ok(stat) if stat.lives() => look.living.extend(Pid::new((*pid).into())),
                Ok(_) => drop(look.zombies.insert(*pid)),
                Err(error) if error.is_gone() => drop(look.gone.insert(*pid)),
                Err(_) => {}
            }
        }
        look
    }

    fn at_group(leader: Pid) -> Look {
        let mut pids = proc().pids().unwrap_or_default();
        // The latest first: whoever lives shortest is looked at before it has gone.
        pids.reverse();
        Look::at(&pids, |stat| stat.pgrp == Some(leader.get()))
    }

    /// By the lists of children that the kernel keeps for each thread, which cost as much as there are descendants, and not
    /// as there are processes on the host.
    #[cfg(target_os = "linux")]
    fn below(root: Pid) -> Look {
        let (mut found, mut at) = (vec![root.get()], 0);
        while let Some(pid) = found.get(at) {
            let threads = std::fs::read_dir(format!("/proc/{pid}/task"));
            for thread in threads.into_iter().flatten().flatten() {
                let children = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
                found.extend(children.split_ascii_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
            }
            at += 1;
        }
        Look::at(&found[1..], |_| true)
    }

    /// Looks until nobody of it ends meanwhile: whoever does leaves children where the look has been already. `false` with the
    /// last look where that never comes.
    ///
    /// With `among_strangers` those who were gone need not have belonged to it, and on a busy host there are always some: where
    /// no look shows anybody who lives or has just ended, there is nobody.
    fn settled(among_strangers: bool, look: impl Fn() -> Look) -> (Look, bool) {
        const LOOKS: usize = 16;
        let mut last = look();
        if last.gone.is_empty() && last.zombies.is_empty() {
            return (last, true);
        }
        let mut nobody = among_strangers && last.living.is_empty();
        for _ in 1..LOOKS {
            let next = look();
            let is_quiet = next.zombies.is_subset(&last.zombies);
            let is_settled = is_quiet && next.gone.is_subset(&last.strangers)
                || next.gone.is_empty() && next.zombies.is_empty();
            nobody &= is_quiet && next.living.is_empty();
            last = next;
            if is_settled {
                return (last, true);
            }
        }
        (last, nobody)
    }
}

/// The living members of the process group with this leader.
pub(crate) fn members_of_group(leader: Pid) -> Vec<Pid> {
    Look::settled(true, || Look::at_group(leader)).0.living
}

/// Whether nobody lives in the process group with this leader.
pub(crate) fn is_empty_group(leader: &Process) -> bool {
    let exists = leader.group_exists();
    if exists == Some(false) {
        return true;
    }
    // The kernel counts zombies as members, and some init processes take their time over them. Where none explains why the
    // group is still there, somebody was missed.
    let (look, is_settled) = Look::settled(true, || Look::at_group(leader.pid()));
    is_settled && look.living.is_empty() && (exists.is_none() || !look.zombies.is_empty())
}

/// The living descendants of a process, nearest first.
#[cfg(target_os = "linux")]
pub(crate) fn below(root: Pid) -> Vec<Pid> {
    Look::settled(false, || Look::below(root)).0.living
}

/// Whether nobody lives below a process to which orphans come: a keeper, or the first of a namespace.
#[cfg(target_os = "linux")]
pub(crate) fn is_childless(root: Pid) -> bool {
    let (look, is_settled) = Look::settled(false, || Look::below(root));
    is_settled && look.living.is_empty()
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn look(living: &[i64], zombies: &[u32], strangers: &[u32], gone: &[u32]) -> Look {
        let living = living.iter().filter_map(|pid| Pid::new(*pid)).collect();
        let [zombies, strangers, gone] =
            [zombies, strangers, gone].map(|pids| pids.iter().copied().collect());
        Look { living, zombies, strangers, gone }
    }

    /// What becomes of looks, the last of them for good: who lives, how many looks that took, and whether it is certain.
    fn settled(among_strangers: bool, looks: &[[&[u32]; 4]]) -> (Vec<u32>, usize, bool) {
        let count = Cell::new(0);
        let (look, is_settled) = Look::settled(among_strangers, || {
            let [living, zombies, strangers, gone] = looks[count.get().min(looks.len() - 1)];
            count.set(count.get() + 1);
            let living: Vec<i64> = living.iter().map(|pid| (*pid).into()).collect();
            look(&living, zombies, strangers, gone)
        });
        (look.living.iter().map(|pid| pid.get()).collect(), count.get(), is_settled)
    }

    #[test]
    fn it_is_looked_again_until_nobody_has_ended_meanwhile() {
        for strangers in [false, true] {
            let settled = |looks: &[[&[u32]; 4]]| settled(strangers, looks);
            assert_eq!(settled(&[[&[7], &[], &[], &[]]]), (vec![7], 1, true));
            // The child of 5 came to light when 5 was known to be dead.
            assert_eq!(settled(&[[&[], &[5], &[], &[]], [&[6], &[5], &[], &[]]]), (vec![6], 2, true));
            assert_eq!(settled(&[[&[], &[], &[], &[5]], [&[6], &[], &[], &[]]]), (vec![6], 2, true));
            let news: &[[&[u32]; 4]] =
                &[[&[7], &[5], &[], &[]], [&[7], &[5, 6], &[], &[]], [&[7, 8], &[6], &[], &[]]];
            assert_eq!(settled(news), (vec![7, 8], 3, true));
            // Zombies that stay are no news; where news do not end, nothing is certain.
            assert_eq!(settled(&[[&[], &[5], &[], &[]]]), (vec![], 2, true));
            assert_eq!(settled(&[[&[7], &[], &[], &[5]]]), (vec![7], 16, false));
            assert_eq!(settled(&[[&[7], &[], &[], &[5]], [&[], &[], &[], &[5]]]), (vec![], 16, false));
            assert_eq!(settled(&[[&[], &[5], &[], &[4]], [&[], &[6], &[], &[4]]]), (vec![], 16, false));
        }
    }

    #[test]
    fn strangers_come_and_go_as_they_like() {
        for strangers in [false, true] {
            // Known to be none of it while it lived.
            assert_eq!(
                settled(strangers, &[[&[], &[5], &[3], &[4]], [&[], &[5], &[], &[3]]]),
                (vec![], 2, true)
            );
        }
        for (strangers, is_certain) in [(false, false), (true, true)] {
            assert_eq!(settled(strangers, &[[&[], &[5], &[3], &[4]]]), (vec![], 16, is_certain));
        }
    }
}
