//! Limits that each process is to have for itself, in the terms of `setrlimit(2)`; and limits in words.

use crate::command::Command;
use crate::error::{ErrorKind, Result};
use crate::limits::{Enforcement, Limits};
use pinfold_os::limits::Resource;
use pinfold_os::order::{Identity, Limit};

/// What comes nearest to limits for all of it.
#[derive(Default)]
pub(super) struct PerProcess<'a> {
    pub(super) limits: Vec<Limit>,
    pub(super) cpus: Option<&'a [u32]>,
}

/// The limits of each process that a command asks for by name.
pub(super) fn per_process<'a>(command: &'a Command, identity: &Identity) -> Result<PerProcess<'a>> {
    let wanted = &command.limits;
    if wanted.enforcement != Enforcement::PerProcess {
        return Ok(PerProcess::default());
    }
    let refuse = |what: &str, why: &str| {
        let what = format!("{what} cannot be enforced for each process: {why}");
        Err(command.error(ErrorKind::Unsupported, what).hint("leave it out, or use Enforcement::Cgroup"))
    };
    let without = [
        ("memory.high", wanted.memory_high.is_some()),
        ("a swap limit", wanted.swap_max.is_some()),
        ("a CPU quota", wanted.cpu_quota.is_some()),
        ("a CPU weight", wanted.cpu_weight.is_some()),
        ("an I/O weight", wanted.io_weight.is_some()),
        ("an I/O limit", !wanted.io.is_empty()),
    ];
    if let Some((what, _)) = without.into_iter().find(|(_, asked)| *asked) {
        return refuse(what, "no limit of setrlimit(2) comes near it");
    }
    if wanted.processes.is_some() && is_root(identity) {
        return refuse("a number of processes", "RLIMIT_NPROC does not bind root");
    }
    if wanted.cpus.is_some() && command.process.affinity.is_some() {
        return refuse("a list of CPUs", "the command has an affinity, which is the same for a process");
    }
    let bounds = [(Resource::AddressSpace, wanted.memory_max), (Resource::Processes, wanted.processes)];
    let mut limits = Vec::new();
    for (resource, bound) in bounds {
        let Some(bound) = bound else { continue };
        match resource.number() {
            Some(number) => limits.push(Limit { resource: number, soft: bound, hard: bound }),
            None => return refuse(resource.name(), "this platform has no such limit"),
        }
    }
    Ok(PerProcess { limits, cpus: wanted.cpus.as_deref() })
}

#[cfg(unix)]
fn is_root(identity: &Identity) -> bool {
    identity.uid.unwrap_or_else(pinfold_os::users::own_uid) == 0
}

#[cfg(not(unix))]
fn is_root(_: &Identity) -> bool {
    false
}

/// A name and a value for each limit.
pub(super) fn describe(limits: &Limits) -> Vec<(&'static str, String)> {
    let text = |value: &Option<u64>| value.map(|value| value.to_string());
    let list = |cpus: &Vec<u32>| cpus.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    let mut lines = Vec::new();
    let mut add = |name, value: Option<String>| {
        let each = if limits.enforcement == Enforcement::PerProcess { " for each process" } else { "" };
        lines.extend(value.map(|value| (name, format!("{value}{each}"))));
    };
    add("memory", text(&limits.memory_max).map(|bytes| format!("{bytes} bytes at most")));
    add("memory", text(&limits.memory_high).map(|bytes| format!("slowed down above {bytes} bytes")));
    add("swap", text(&limits.swap_max).map(|bytes| format!("{bytes} bytes at most")));
    add("processes", text(&limits.processes).map(|count| format!("{count} at most")));
    add("CPU quota", limits.cpu_quota.map(|cpus| cpus.to_string()));
    add("CPU weight", limits.cpu_weight.map(|weight| weight.to_string()));
    add("CPUs", limits.cpus.as_ref().map(list));
    add("I/O weight", limits.io_weight.map(|weight| weight.to_string()));
    add("I/O limits", (!limits.io.is_empty()).then(|| limits.io.len().to_string()));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_process_can_be_held_to_by_itself_is_refused() {
        let by = |limits: Limits| Command::new("true").limits(limits.enforce(Enforcement::PerProcess));
        let nobody = Identity { uid: Some(65534), ..Identity::default() };
        for limits in [
            Limits::new().cpu_quota(0.5),
            Limits::new().swap_max(1),
            Limits::new().memory_high(1),
            Limits::new().io_weight(5),
        ] {
            let command = by(limits);
            let error = per_process(&command, &nobody).err().expect("a refusal");
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(error.what_to_do().is_some());
        }
        let command = by(Limits::new().memory_max(7).processes(3).cpus([1]));
        let root = Identity { uid: Some(0), ..Identity::default() };
        assert!(per_process(&command, &root).err().expect("a refusal").to_string().contains("root"));
        let each = per_process(&command, &nobody).expect("a user can be held to it");
        assert_eq!(each.cpus, Some(&[1][..]));
        let bounds: Vec<_> = each.limits.iter().map(|limit| (limit.soft, limit.hard)).collect();
        assert_eq!(bounds, [(7, 7), (3, 3)]);
    }
}
