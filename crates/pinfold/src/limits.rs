//! What all processes of a run, or of a group, may use together, as plain data.

use std::path::PathBuf;

/// Bounds on what all processes of a run use together, enforced by the kernel; `None` is no bound of ours.
///
/// They are the limits of a cgroup of the run's own (the kernel's `admin-guide/cgroup-v2`). Where the controller for one
/// cannot be had, the run is refused before anything is started, with the reason: nothing ever runs without a limit that
/// was asked for. [`Enforcement::PerProcess`] asks for the nearest limits that each process has for itself instead. Linux.
///
/// ```
/// use pinfold::{Command, ErrorKind, Limits};
///
/// let limits = Limits::new().memory_max(256 << 20).processes(64).cpu_quota(0.5);
/// match Command::new("echo").arg("within").limits(limits).run() {
///     Ok(text) => assert_eq!(text, "within"),
///     // This host cannot enforce one of them, says why, and nothing was started.
///     Err(error) => assert_eq!(error.kind(), ErrorKind::Unsupported),
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct Limits {
    /// Bytes of memory, page cache and kernel memory on their behalf included (`memory.max`). What cannot be kept below
    /// it, the kernel's OOM killer ends, and the outcome says so.
    #[cfg_attr(feature = "serde", serde(rename = "memory_max_bytes"))]
    pub memory_max: Option<u64>,
    /// Bytes of memory from which on they are slowed down and made to give memory back (`memory.high`). It ends nobody.
    #[cfg_attr(feature = "serde", serde(rename = "memory_high_bytes"))]
    pub memory_high: Option<u64>,
    /// Bytes of swap (`memory.swap.max`).
    #[cfg_attr(feature = "serde", serde(rename = "swap_max_bytes"))]
    pub swap_max: Option<u64>,
    /// How many processes there may be at once (`pids.max`). The kernel counts threads.
    pub processes: Option<u64>,
    /// How many CPUs' worth of time they get, on whichever they run (`cpu.max`): 0.5 is half of one. At least 0.001.
    pub cpu_quota: Option<f64>,
    /// Their share where CPUs are short, from 1 to 10000 (`cpu.weight`); the kernel's default is 100. A share among the
    /// other cgroups beside them, and no bound.
    pub cpu_weight: Option<u32>,
    /// The CPUs that they may run on, counted from 0 (`cpuset.cpus`).
    pub cpus: Option<Vec<u32>>,
    /// Their share where a disk is busy, from 1 to 10000 (`io.weight`), as far as the I/O scheduler of the device knows
    /// shares. No bound.
    pub io_weight: Option<u32>,
    /// Bounds on what they read and write per device (`io.max`).
    pub io: Vec<IoLimit>,
    /// Who holds them to it.
    pub enforcement: Enforcement,
}

/// Who holds a run to its limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Enforcement {
    /// The controllers of its cgroup, for all of its processes together; or an error.
    #[default]
    Cgroup,
    /// The limits of `setrlimit(2)` that come nearest, for each process by itself: memory as address space
    /// (`RLIMIT_AS`), processes as those of the whole user (`RLIMIT_NPROC`, which does not bind root), CPUs as an
    /// affinity, which a program can change. Limits that have nothing near are an error.
    PerProcess,
}

/// A bound on what is read from and written to one block device.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct IoLimit {
    /// The device, not a partition of it.
    pub device: BlockDevice,
    /// Bytes read per second.
    pub read_bytes: Option<u64>,
    /// Bytes written per second.
    pub write_bytes: Option<u64>,
    /// Read operations per second.
    pub read_operations: Option<u64>,
    /// Write operations per second.
    pub write_operations: Option<u64>,
}

/// A block device.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case", deny_unknown_fields)
)]
pub enum BlockDevice {
    /// By its file: `/dev/sda`.
    Path(#[cfg_attr(feature = "serde", serde(with = "crate::wire::path"))] PathBuf),
    /// By its numbers.
    Number {
        /// The driver's.
        major: u32,
        /// The device's among those of the driver.
        minor: u32,
    },
}

impl IoLimit {
    /// A device without bounds.
    pub fn new(device: BlockDevice) -> IoLimit {
        IoLimit { device, read_bytes: None, write_bytes: None, read_operations: None, write_operations: None }
    }
}

impl Limits {
    /// No limits.
    pub fn new() -> Limits {
        Limits::default()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        *self == Limits { enforcement: self.enforcement, ..Limits::default() }
    }

    /// Sets [`Limits::memory_max`].
    #[must_use]
    pub fn memory_max(mut self, bytes: u64) -> Limits {
        self.memory_max = Some(bytes);
        self
    }

    /// Sets [`Limits::memory_high`].
    #[must_use]
    pub fn memory_high(mut self, bytes: u64) -> Limits {
        self.memory_high = Some(bytes);
        self
    }

    /// Sets [`Limits::swap_max`].
    #[must_use]
    pub fn swap_max(mut self, bytes: u64) -> Limits {
        self.swap_max = Some(bytes);
        self
    }

    /// Sets [`Limits::processes`].
    #[must_use]
    pub fn processes(mut self, count: u64) -> Limits {
        self.processes = Some(count);
        self
    }

    /// Sets [`Limits::cpu_quota`].
    #[must_use]
    pub fn cpu_quota(mut self, cpus: f64) -> Limits {
        self.cpu_quota = Some(cpus);
        self
    }

    /// Sets [`Limits::cpu_weight`].
    #[must_use]
    pub fn cpu_weight(mut self, weight: u32) -> Limits {
        self.cpu_weight = Some(weight);
        self
    }

    /// Sets [`Limits::cpus`].
    #[must_use]
    pub fn cpus(mut self, cpus: impl IntoIterator<Item = u32>) -> Limits {
        self.cpus = Some(cpus.into_iter().collect());
        self
    }

    /// Sets [`Limits::io_weight`].
    #[must_use]
    pub fn io_weight(mut self, weight: u32) -> Limits {
        self.io_weight = Some(weight);
        self
    }

    /// Adds to [`Limits::io`].
    #[must_use]
    pub fn io_max(mut self, limit: IoLimit) -> Limits {
        self.io.push(limit);
        self
    }

    /// Sets [`Limits::enforcement`].
    #[must_use]
    pub fn enforce(mut self, enforcement: Enforcement) -> Limits {
        self.enforcement = enforcement;
        self
    }

    /// What no kernel could be told, with what can.
    pub(crate) fn contradiction(&self) -> Option<(String, &'static str)> {
        let weights = [("CPU", self.cpu_weight), ("I/O", self.io_weight)];
        let out_of_range = |weight: &u32| !(1..=10_000).contains(weight);
        for (name, weight) in weights {
            if let Some(weight) = weight.filter(out_of_range) {
                return Some((
                    format!("a {name} weight of {weight} is out of range"),
                    "it goes from 1 to 10000",
                ));
            }
        }
        if let Some(quota) = self.cpu_quota.filter(|quota| !quota.is_finite() || *quota < 0.001) {
            return Some((format!("a CPU quota of {quota} CPUs cannot be kept"), "it is at least 0.001"));
        }
        if self.processes == Some(0) {
            return Some(("zero processes are not even the program".to_owned(), "allow at least one"));
        }
        if self.memory_max == Some(0) {
            return Some(("zero bytes of memory hold no program".to_owned(), "allow it some"));
        }
        match self.cpus.as_deref() {
            Some([]) => return Some(("no CPU is left to run on".to_owned(), "name at least one")),
            // CONFIG_NR_CPUS of the largest kernels that are built.
            Some(cpus) if cpus.iter().any(|cpu| *cpu >= 8192) => {
                return Some(("no machine has a CPU of that number".to_owned(), "CPUs are counted from 0"));
            }
            _ => {}
        }
        for limit in &self.io {
            let bounds = [limit.read_bytes, limit.write_bytes, limit.read_operations, limit.write_operations];
            if bounds == [None; 4] {
                return Some(("an I/O limit bounds nothing".to_owned(), "give it a rate, or leave it out"));
            }
            if bounds.contains(&Some(0)) {
                return Some(("an I/O rate of zero would block for ever".to_owned(), "allow at least 1"));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_kernel_could_be_told_is_a_contradiction() {
        let device = || IoLimit::new(BlockDevice::Number { major: 8, minor: 0 });
        for (limits, word) in [
            (Limits::new().cpu_weight(0), "CPU weight"),
            (Limits::new().io_weight(10_001), "I/O weight"),
            (Limits::new().cpu_quota(0.0), "quota"),
            (Limits::new().cpu_quota(f64::NAN), "quota"),
            (Limits::new().processes(0), "processes"),
            (Limits::new().memory_max(0), "memory"),
            (Limits::new().cpus([]), "no CPU"),
            (Limits::new().cpus([9000]), "number"),
            (Limits::new().io_max(device()), "bounds nothing"),
            (Limits::new().io_max(IoLimit { read_bytes: Some(0), ..device() }), "zero"),
        ] {
            let (what, _) = limits.contradiction().expect(word);
            assert!(what.contains(word), "{what}");
        }
        let all = Limits::new().memory_max(1).memory_high(0).swap_max(0).processes(1).cpu_quota(0.001);
        let all = all.cpu_weight(1).cpus([0, 3]).io_weight(10_000);
        assert_eq!(all.io_max(IoLimit { write_operations: Some(1), ..device() }).contradiction(), None);
    }

    #[test]
    fn who_enforces_is_no_limit() {
        assert!(Limits::new().enforce(Enforcement::PerProcess).is_empty());
        assert!(!Limits::new().swap_max(0).is_empty());
    }

    #[cfg(feature = "serde")]
    #[test]
    fn limits_go_over_the_wire_as_what_they_are() {
        let limit = IoLimit { read_bytes: Some(9), ..IoLimit::new(BlockDevice::Path("/dev/sda".into())) };
        let limits = Limits::new().memory_max(1 << 20).cpu_quota(0.5).cpus([1]).io_max(limit);
        let text = serde_json::to_string(&limits).expect("plain data");
        assert!(
            text.contains("\"memory_max_bytes\":1048576") && text.contains("\"cpu_quota\":0.5"),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<Limits>(&text).expect("its own words"), limits);
        let few: Limits = serde_json::from_str("{\"processes\": 3}").expect("the rest is left out");
        assert_eq!(few, Limits::new().processes(3));
    }
}
