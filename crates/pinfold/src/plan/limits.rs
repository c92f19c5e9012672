//! Limits that each process is to have for itself, in the terms of `setrlimit(2)`; and limits in words.

use crate::command::Command;
use crate::error::{ErrorKind, Result};
use crate::limits::{BlockDevice, Enforcement, IoLimit, Limits};
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
        let refused = command.error(ErrorKind::Unsupported, what).about_limits();
        Err(refused.hint("leave it out, or use Enforcement::Cgroup"))
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

/// Who holds it to its limits, and a name and a value for each, with the kernel's name for it.
pub(super) fn describe(limits: &Limits) -> Vec<(&'static str, String)> {
    if limits.is_empty() {
        return Vec::new();
    }
    let each = limits.enforcement == Enforcement::PerProcess;
    let held = if each { "each process by itself (setrlimit)" } else { "all of it together, by its cgroup" };
    let mut lines = vec![("limits", held.to_owned())];
    let mut add = |name, value: Option<String>, by: &str| {
        lines.extend(value.map(|value| (name, format!("{value} ({by})"))));
    };
    let text = |value: Option<u64>| value.map(|value| value.to_string());
    let most = |value: Option<u64>, what: &str| value.map(|value| format!("{value}{what} at most"));
    add("memory", most(limits.memory_max, " bytes"), if each { "RLIMIT_AS" } else { "memory.max" });
    add(
        "memory",
        text(limits.memory_high).map(|high| format!("slowed down above {high} bytes")),
        "memory.high",
    );
    add("swap", most(limits.swap_max, " bytes"), "memory.swap.max");
    add("processes", most(limits.processes, ""), if each { "RLIMIT_NPROC" } else { "pids.max" });
    add("CPU quota", limits.cpu_quota.map(|cpus| cpus.to_string()), "cpu.max");
    add("CPU weight", limits.cpu_weight.map(|weight| weight.to_string()), "cpu.weight");
    let list = |cpus: &Vec<u32>| cpus.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    add("CPUs", limits.cpus.as_ref().map(list), if each { "affinity" } else { "cpuset.cpus" });
    add("I/O weight", limits.io_weight.map(|weight| weight.to_string()), "io.weight");
    for limit in &limits.io {
        add("I/O", Some(rates(limit)), "io.max");
    }
    lines
}

/// `/dev/sda: 4096 bytes read, 7 writes a second at most`.
fn rates(limit: &IoLimit) -> String {
    let device = match &limit.device {
        BlockDevice::Path(path) => path.display().to_string(),
        BlockDevice::Number { major, minor } => format!("{major}:{minor}"),
    };
    let rates = [
        (limit.read_bytes, "bytes read"),
        (limit.write_bytes, "bytes written"),
        (limit.read_operations, "reads"),
        (limit.write_operations, "writes"),
    ];
    let rates = rates.into_iter().filter_map(|(rate, what)| rate.map(|rate| format!("{rate} {what}")));
    format!("{device}: {} a second at most", rates.collect::<Vec<_>>().join(", "))
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

    #[test]
    fn limits_are_told_with_who_enforces_them() {
        let device = BlockDevice::Path("/dev/sda".into());
        let io = IoLimit { read_bytes: Some(4096), write_operations: Some(7), ..IoLimit::new(device) };
        let limits = Limits::new().memory_max(5).cpus([0, 2]).io_max(io);
        let told = |limits: &Limits| {
            describe(limits).iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>()
        };
        assert_eq!(
            told(&limits),
            [
                "limits: all of it together, by its cgroup",
                "memory: 5 bytes at most (memory.max)",
                "CPUs: 0,2 (cpuset.cpus)",
                "I/O: /dev/sda: 4096 bytes read, 7 writes a second at most (io.max)",
            ]
        );
        let each = Limits::new().memory_max(5).enforce(Enforcement::PerProcess);
        assert_eq!(
            told(&each),
            ["limits: each process by itself (setrlimit)", "memory: 5 bytes at most (RLIMIT_AS)"]
        );
        assert_eq!(told(&Limits::new().enforce(Enforcement::PerProcess)), Vec::<String>::new());
    }
}
