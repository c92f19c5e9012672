//! Limits as the files of a cgroup, and those files read: text and numbers, no file is opened here.
//!
//! Their forms are those of the kernel's `admin-guide/cgroup-v2`.

use crate::limits::{IoLimit, Limits};
use std::fmt::Write;
use std::time::Duration;

/// A controller of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Controller {
    Memory,
    Pids,
    Cpu,
    Cpuset,
    Io,
}

impl Controller {
    const ALL: [Controller; 5] =
        [Controller::Memory, Controller::Pids, Controller::Cpu, Controller::Cpuset, Controller::Io];

    /// As the kernel calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Controller::Memory => "memory",
            Controller::Pids => "pids",
            Controller::Cpu => "cpu",
            Controller::Cpuset => "cpuset",
            Controller::Io => "io",
        }
    }
}

/// A set of controllers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Controllers(u8);

impl Controllers {
    /// Those in `cgroup.controllers` or `cgroup.subtree_control` that concern us.
    pub(crate) fn parse(text: &str) -> Controllers {
        let named = |name| Controller::ALL.into_iter().find(|controller| controller.name() == name);
        text.split_whitespace().filter_map(named).collect()
    }

    pub(crate) fn contains(self, controller: Controller) -> bool {
        self.0 & 1 << controller as u8 != 0
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn without(self, others: Controllers) -> Controllers {
        Controllers(self.0 & !others.0)
    }

    pub(crate) fn with(self, others: Controllers) -> Controllers {
        Controllers(self.0 | others.0)
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Controller> {
        Controller::ALL.into_iter().filter(move |controller| self.contains(*controller))
    }

    /// What is written to `cgroup.subtree_control` to have them (`+`) or not (`-`).
    pub(crate) fn order(self, sign: char) -> String {
        self.iter().map(|controller| format!("{sign}{}", controller.name())).collect::<Vec<_>>().join(" ")
    }

    /// For a message.
    pub(crate) fn names(self) -> String {
        self.iter().map(Controller::name).collect::<Vec<_>>().join(", ")
    }
}

impl FromIterator<Controller> for Controllers {
    fn from_iter<I: IntoIterator<Item = Controller>>(controllers: I) -> Controllers {
        Controllers(controllers.into_iter().fold(0, |bits, controller| bits | 1 << controller as u8))
    }
}

/// One thing to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) controller: Controller,
    pub(crate) file: &'static str,
    pub(crate) value: String,
}

/// All that is to be written for these limits, a write each. Each entry of `devices` belongs to that of `limits.io`.
pub(crate) fn settings(limits: &Limits, devices: &[(u32, u32)]) -> Vec<Setting> {
    let mut settings = Vec::new();
    let mut add = |controller, file, value: Option<String>| {
        settings.extend(value.map(|value| Setting { controller, file, value }));
    };
    let bytes = |bytes: Option<u64>| bytes.map(|bytes| bytes.to_string());
    // The softer bound first: it has them slowed down before the harder one has them killed.
    add(Controller::Memory, "memory.high", bytes(limits.memory_high));
    add(Controller::Memory, "memory.max", bytes(limits.memory_max));
    add(Controller::Memory, "memory.swap.max", bytes(limits.swap_max));
    add(Controller::Pids, "pids.max", limits.processes.map(|count| count.to_string()));
    add(Controller::Cpu, "cpu.max", limits.cpu_quota.map(cpu_max));
    add(Controller::Cpu, "cpu.weight", limits.cpu_weight.map(|weight| weight.to_string()));
    add(Controller::Cpuset, "cpuset.cpus", limits.cpus.as_deref().map(format_list));
    add(Controller::Io, "io.weight", limits.io_weight.map(|weight| format!("default {weight}")));
    for (limit, device) in limits.io.iter().zip(devices) {
        add(Controller::Io, "io.max", Some(io_max(limit, *device)));
    }
    settings
}

/// What undoes a setting.
pub(crate) fn undo(setting: &Setting) -> Setting {
    let value = match setting.file {
        "cpu.weight" => "100".to_owned(),
        "io.weight" => "default 100".to_owned(),
        // Empty, it is that of the cgroup above.
        "cpuset.cpus" => "\n".to_owned(),
        "io.max" => {
            let device = setting.value.split(' ').next().unwrap_or_default();
            format!("{device} rbps=max wbps=max riops=max wiops=max")
        }
        _ => "max".to_owned(),
    };
    Setting { value, ..setting.clone() }
}

/// What turns one list of settings into another: first what is to go, then what is to come.
pub(crate) fn difference(before: &[Setting], after: &[Setting]) -> Vec<Setting> {
    let device = |setting: &Setting| setting.value.split(' ').next().map(str::to_owned);
    let same_place = |one: &Setting, other: &Setting| {
        one.file == other.file && (one.file != "io.max" || device(one) == device(other))
    };
    let gone = before.iter().filter(|old| !after.iter().any(|new| same_place(old, new)));
    let new = after.iter().filter(|new| !before.contains(new));
    gone.map(undo).chain(new.cloned()).collect()
}

/// Which controllers settings take.
pub(crate) fn controllers(settings: &[Setting]) -> Controllers {
    settings.iter().map(|setting| setting.controller).collect()
}

/// Microseconds in a period of so many. The kernel takes no less than 1000, and no period above a second.
fn cpu_max(cpus: f64) -> String {
    let period: u64 = if cpus < 0.01 { 1_000_000 } else { 100_000 };
    format!("{} {period}", (cpus * period as f64).round() as u64)
}

fn io_max(limit: &IoLimit, (major, minor): (u32, u32)) -> String {
    let mut line = format!("{major}:{minor}");
    for (name, value) in [
        ("rbps", limit.read_bytes),
        ("wbps", limit.write_bytes),
        ("riops", limit.read_operations),
        ("wiops", limit.write_operations),
    ] {
        // What is not said stays as it was, and this line is to be the whole truth.
        let value = value.map_or("max".to_owned(), |value| value.to_string());
        let _ = write!(line, " {name}={value}");
    }
    line
}

/// A list of CPUs as the kernel writes one: `0-2,5`.
pub(crate) fn format_list(cpus: &[u32]) -> String {
    let mut cpus = cpus.to_vec();
    cpus.sort_unstable();
    cpus.dedup();
    let runs = cpus.chunk_by(|one, next| one + 1 == *next);
    let run = |run: &[u32]| match run {
        [first, .., last] => format!("{first}-{last}"),
        one => one.iter().map(u32::to_string).collect(),
    };
    runs.map(run).collect::<Vec<_>>().join(",")
}

/// A list of CPUs, one by one; `None` if it is none.
pub(crate) fn parse_list(text: &str) -> Option<Vec<u32>> {
    let mut cpus = Vec::new();
    for part in text.trim().split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        if last - first.min(last) > 8192 {
            return None;
        }
        cpus.extend(first..=last);
    }
    Some(cpus)
}

/// The value of a key in a file of `key value` lines.
pub(crate) fn keyed(text: &str, key: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '))?;
    value.trim().parse().ok()
}

/// Bytes read and written, of all devices in `io.stat` together.
pub(crate) fn io_bytes(text: &str) -> (u64, u64) {
    let sum = |key: &str| {
        let values = text.split_whitespace().filter_map(|word| word.strip_prefix(key)?.parse::<u64>().ok());
        values.fold(0, u64::saturating_add)
    };
    (sum("rbytes="), sum("wbytes="))
}

/// Time lost to waiting, from a `.pressure` file: by some of the processes, and by all of them at once. The kernel has no
/// second figure for CPUs of the whole machine before Linux 5.13.
pub(crate) fn stalled(text: &str) -> Option<(Duration, Option<Duration>)> {
    let total = |kind: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(kind))?;
        let total = line.split_whitespace().find_map(|word| word.strip_prefix("total="))?;
        total.parse().ok().map(Duration::from_micros)
    };
    Some((total("some ")?, total("full ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::BlockDevice;

    fn written(limits: &Limits) -> Vec<(&'static str, String)> {
        let settings = settings(limits, &[(8, 16)]);
        settings.into_iter().map(|setting| (setting.file, setting.value)).collect()
    }

    fn disk() -> IoLimit {
        IoLimit::new(BlockDevice::Number { major: 8, minor: 16 })
    }

    #[test]
    fn limits_become_what_the_kernel_reads() {
        let limits = Limits::new().memory_max(1 << 20).memory_high(4096).swap_max(0).processes(7);
        let limits = limits.cpu_quota(1.5).cpu_weight(50).cpus([5, 1, 0, 2]).io_weight(200);
        let limits = limits.io_max(IoLimit { read_bytes: Some(9), write_operations: Some(3), ..disk() });
        let expected = [
            ("memory.high", "4096"),
            ("memory.max", "1048576"),
            ("memory.swap.max", "0"),
            ("pids.max", "7"),
            ("cpu.max", "150000 100000"),
            ("cpu.weight", "50"),
            ("cpuset.cpus", "0-2,5"),
            ("io.weight", "default 200"),
            ("io.max", "8:16 rbps=9 wbps=max riops=max wiops=3"),
        ];
        assert_eq!(written(&limits), expected.map(|(file, value)| (file, value.to_owned())));
        let all = controllers(&settings(&limits, &[(8, 16)]));
        assert_eq!(all.order('+'), "+memory +pids +cpu +cpuset +io");
        assert_eq!(written(&Limits::new()), []);
    }

    #[test]
    fn a_small_quota_stays_above_what_the_kernel_takes() {
        assert_eq!(cpu_max(0.001), "1000 1000000");
        assert_eq!(cpu_max(0.01), "1000 100000");
        assert_eq!(cpu_max(64.0), "6400000 100000");
    }

    #[test]
    fn a_change_writes_what_changed_and_undoes_what_went() {
        let list = |limits: Limits| settings(&limits, &[(8, 16)]);
        let before = Limits::new().memory_max(9).processes(7).cpus([0]).cpu_weight(3);
        let before = before.io_max(IoLimit { read_bytes: Some(9), ..disk() });
        let after = Limits::new().memory_max(9).processes(8);
        let changes = difference(&list(before.clone()), &list(after));
        let changes: Vec<_> = changes.iter().map(|change| (change.file, change.value.as_str())).collect();
        assert_eq!(
            changes,
            [
                ("cpu.weight", "100"),
                ("cpuset.cpus", "\n"),
                ("io.max", "8:16 rbps=max wbps=max riops=max wiops=max"),
                ("pids.max", "8"),
            ]
        );
        assert_eq!(difference(&list(before.clone()), &list(before)), []);
    }

    #[test]
    fn lists_of_cpus_are_read_as_they_are_written() {
        assert_eq!(parse_list("0-2,5\n"), Some(vec![0, 1, 2, 5]));
        assert_eq!(parse_list("\n"), Some(vec![]));
        assert_eq!(parse_list("4-1"), Some(vec![]));
        for none in ["a", "1-", "0-4000000000"] {
            assert_eq!(parse_list(none), None, "{none}");
        }
        assert_eq!(format_list(&[3, 3]), "3");
    }

    #[test]
    fn files_of_the_kernel_are_read() {
        let events = "low 0\nhigh 2\nmax 31\noom 1\noom_kill 4\noom_group_kill 0\n";
        assert_eq!(
            (keyed(events, "oom_kill"), keyed(events, "oom"), keyed(events, "none")),
            (Some(4), Some(1), None)
        );
        let stat =
            "8:16 rbytes=1459200 wbytes=314773504 rios=192 wios=353\n8:0 rbytes=5 wbytes=1 rios=1\n8:1\n";
        assert_eq!(io_bytes(stat), (1_459_205, 314_773_505));
        let pressure = "some avg10=0.00 avg60=0.12 avg300=0.00 total=1500\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=20\n";
        let micros = Duration::from_micros;
        assert_eq!(stalled(pressure), Some((micros(1500), Some(micros(20)))));
        assert_eq!(stalled("some avg10=0.00 total=7\n"), Some((micros(7), None)));
        assert_eq!(stalled(""), None);
        let has = Controllers::parse("cpuset cpu io hugetlb pids\n");
        assert_eq!(has.names(), "pids, cpu, cpuset, io");
        assert_eq!(has.without(Controllers::parse("cpu")).order('-'), "-pids -cpuset -io");
    }
}
