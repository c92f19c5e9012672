//! What pinfold says of resource limits: which were hit, and what would help where they are refused.

use crate::args::RunArgs;
use pinfold::{Enforcement, Outcome};

/// What a person should know of the limits that it ran into, a line each, by the kernel's own count.
pub(crate) fn hit(args: &RunArgs, outcome: &Outcome) -> Vec<String> {
    let (program, limits, hit) = (args.program.display(), &args.limits, &outcome.limits_hit);
    let mut lines = Vec::new();
    if let Some(kills @ 1..) = hit.oom_kills {
        let bound = match limits.memory_max {
            // The memory of the machine, or of a cgroup around ours.
            Some(bytes) if hit.memory_max == Some(0) => {
                format!("its limit of {} was not reached", size(bytes))
            }
            Some(bytes) => format!("limit {}", size(bytes)),
            None => "not by a limit of its own".to_owned(),
        };
        let killed = count(kills, "process", "processes");
        lines.push(format!("{program} ran out of memory: {killed} killed by the kernel ({bound})"));
    }
    if let (Some(refused @ 1..), Some(most)) = (hit.processes, limits.processes) {
        let times = count(refused, "time", "times");
        lines.push(format!("{program} was refused a process or thread {times} by the kernel (limit {most})"));
    }
    lines
}

fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// In the largest unit that it is a whole number of.
fn size(bytes: u64) -> String {
    let units = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.into_iter().find(|(unit, _)| bytes >= *unit && bytes.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{} {name}", bytes / unit),
        None => count(bytes, "byte", "bytes"),
    }
}

/// Whether others may be moved out of its cgroup for its limits.
pub(crate) fn may_move_others(args: &RunArgs) -> bool {
    args.take_over_cgroup && args.limits.enforcement == Enforcement::Cgroup && !args.limits.is_empty()
}

/// What the engine advises to whoever writes Rust, as advice on options.
pub(crate) fn advice(hint: &str) -> String {
    const OPTIONS: &[(&str, &str)] = &[
        ("or use Enforcement::Cgroup", "or leave --limits-per-process out"),
        ("Enforcement::PerProcess", "--limits-per-process (it has --memory, --processes and --cpuset)"),
        ("Host::take_over_cgroup()", "--take-over-cgroup"),
        ("set it by env, as ", "set it by -e "),
        (
            "start this program in a cgroup of its own",
            "start pinfold in a cgroup of its own (systemd-run --user --scope -p Delegate=yes pinfold run ...)",
        ),
    ];
    OPTIONS.iter().fold(hint.to_owned(), |hint, (rust, option)| hint.replace(rust, option))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_said_in_whole_units() {
        for (bytes, said) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (1023, "1023 bytes"),
            (64 << 20, "64 MiB"),
            (1536 << 20, "1536 MiB"),
            (2 << 40, "2 TiB"),
            (1_000_000, "1000000 bytes"),
        ] {
            assert_eq!(size(bytes), said);
        }
    }
}
