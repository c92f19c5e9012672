//! What is told of a group, as plain values.

use crate::plain::plain;
use crate::result::{or_none, python};
use pyo3::prelude::*;

/// What a group uses and has used, by the kernel's own accounting. A figure is `None` where the kernel has none: outside of
/// cgroups, or where the controller for it is not at work (limits of the group have theirs at work).
///
/// >>> from pinfold import Command, ProcessGroup
/// >>> with ProcessGroup() as group:
/// ...     process = group.start(Command("sleep", ["1000"]))
/// ...     group.stats().active_process_count
/// 1
#[pyclass(frozen, module = "pinfold")]
pub(crate) struct GroupStats(pub(crate) pinfold::GroupStats);
plain!(GroupStats, "GroupStats");

#[pymethods]
impl GroupStats {
    /// Processes that are in it now.
    #[getter]
    fn active_process_count(&self) -> usize {
        self.0.processes
    }

    /// The most processes and threads that were in it at once. Linux 6.1.
    #[getter]
    fn peak_process_count(&self) -> Option<u64> {
        self.0.peak_processes
    }

    /// Seconds on CPUs, of all that ever were in it.
    #[getter]
    fn total_cpu_time_seconds(&self) -> Option<f64> {
        Some((self.0.user? + self.0.system?).as_secs_f64())
    }

    /// Those in user mode.
    #[getter]
    fn user_seconds(&self) -> Option<f64> {
        self.0.user.map(|time| time.as_secs_f64())
    }

    /// Those in the kernel.
    #[getter]
    fn system_seconds(&self) -> Option<f64> {
        self.0.system.map(|time| time.as_secs_f64())
    }

    /// Bytes of memory in use now, page cache included.
    #[getter]
    fn memory_bytes(&self) -> Option<u64> {
        self.0.memory
    }

    /// The most that were in use at once. Linux 5.19.
    #[getter]
    fn peak_memory_bytes(&self) -> Option<u64> {
        self.0.peak_memory
    }

    /// Bytes read from disks.
    #[getter]
    fn read_bytes(&self) -> Option<u64> {
        self.0.read_bytes
    }

    /// Bytes written to disks.
    #[getter]
    fn written_bytes(&self) -> Option<u64> {
        self.0.written_bytes
    }

    /// Time lost to waiting for a CPU.
    #[getter]
    fn cpu_pressure(&self) -> Option<Pressure> {
        self.0.cpu_pressure.map(Pressure)
    }

    /// Time lost to waiting for memory.
    #[getter]
    fn memory_pressure(&self) -> Option<Pressure> {
        self.0.memory_pressure.map(Pressure)
    }

    /// Time lost to waiting for disks.
    #[getter]
    fn io_pressure(&self) -> Option<Pressure> {
        self.0.io_pressure.map(Pressure)
    }

    fn __repr__(&self) -> String {
        format!(
            "<GroupStats: {} processes, {} seconds of CPU time, at most {} bytes of memory>",
            self.0.processes,
            self.total_cpu_time_seconds().map_or("unknown".to_owned(), |seconds| format!("{seconds:.3}")),
            self.0.peak_memory.map_or("unknown".to_owned(), |bytes| bytes.to_string()),
        )
    }
}

/// Time that was lost to waiting for something.
///
/// >>> from pinfold import Command, ProcessGroup
/// >>> with ProcessGroup() as group:
/// ...     _ = group.run(Command("true"))
/// ...     pressure = group.stats().cpu_pressure
/// >>> pressure is None or pressure.some_seconds >= 0
/// True
#[pyclass(frozen, module = "pinfold")]
pub(crate) struct Pressure(pub(crate) pinfold::Pressure);
plain!(Pressure, "Pressure");

#[pymethods]
impl Pressure {
    /// Seconds while at least one process waited.
    #[getter]
    fn some_seconds(&self) -> f64 {
        self.0.some.as_secs_f64()
    }

    /// Seconds while all that could run waited; `None` where the kernel does not count them.
    #[getter]
    fn full_seconds(&self) -> Option<f64> {
        self.0.full.map(|time| time.as_secs_f64())
    }

    fn __repr__(&self) -> String {
        let full = self.full_seconds().map_or("None".to_owned(), |seconds| format!("{seconds:?}"));
        format!("Pressure(some_seconds={:?}, full_seconds={full})", self.some_seconds())
    }
}

/// How a group was stopped.
///
/// >>> from pinfold import Command, ProcessGroup
/// >>> with ProcessGroup() as group:
/// ...     _ = group.start(Command("sleep", ["1000"]))
/// ...     report = group.stop()
/// >>> report.members_before, report.members_after, report.escalated
/// (1, 0, False)
#[pyclass(frozen, module = "pinfold")]
pub(crate) struct StopReport(pub(crate) pinfold::StopReport);
plain!(StopReport, "StopReport");

#[pymethods]
impl StopReport {
    /// How many processes were in it when it began.
    #[getter]
    fn members_before(&self) -> usize {
        self.0.members_before
    }

    /// How many are left: none, unless it was told to spare them or its mechanism lost hold of them.
    #[getter]
    fn members_after(&self) -> usize {
        self.0.members_after
    }

    /// Whether some ignored the stop signal, so that the kill had to follow.
    #[getter]
    fn escalated(&self) -> bool {
        self.0.escalated
    }

    /// Seconds from the first word to the last end.
    #[getter]
    fn duration_seconds(&self) -> f64 {
        self.0.duration.as_secs_f64()
    }

    fn __repr__(&self) -> String {
        format!(
            "StopReport(members_before={}, members_after={}, escalated={}, duration_seconds={:?})",
            self.0.members_before,
            self.0.members_after,
            python(self.0.escalated),
            self.duration_seconds()
        )
    }
}

/// A process of a group.
///
/// >>> from pinfold import Command, ProcessGroup
/// >>> with ProcessGroup() as group:
/// ...     process = group.start(Command("sleep", ["1000"]))
/// ...     [(member.name, member.pid == process.pid) for member in group.members_info()]
/// [('sleep', True)]
#[pyclass(frozen, module = "pinfold")]
pub(crate) struct MemberInfo(pub(crate) pinfold::MemberInfo);
plain!(MemberInfo, "MemberInfo");

#[pymethods]
impl MemberInfo {
    /// Its pid.
    #[getter]
    fn pid(&self) -> u32 {
        self.0.pid.get()
    }

    /// Its parent's pid; 0 for one outside of our PID namespace.
    #[getter]
    fn ppid(&self) -> u32 {
        self.0.ppid
    }

    /// Its name as the kernel has it, 15 bytes at most.
    #[getter]
    fn name(&self) -> &str {
        &self.0.name
    }

    /// When it was started, in seconds since the boot of this host: with the pid, an identity.
    #[getter]
    fn started_seconds(&self) -> f64 {
        self.0.started.as_secs_f64()
    }

    /// What it is doing: `running`, `sleeping`, `waiting` (for a disk), `stopped`, `traced`, ... What a suspended cgroup holds
    /// sleeps, by this.
    #[getter]
    fn state(&self) -> &'static str {
        self.0.state.name()
    }

    fn __repr__(&self) -> String {
        format!(
            "MemberInfo(pid={}, ppid={}, name={:?}, state='{}')",
            self.pid(),
            self.0.ppid,
            self.0.name,
            self.state()
        )
    }
}

/// Something that happened to a group.
///
/// >>> from pinfold import Command, ProcessGroup
/// >>> with ProcessGroup() as group:
/// ...     events = group.events()
/// ...     _ = group.run(Command("true"))
/// ...     next(events).kind
/// 'emptied'
#[pyclass(frozen, module = "pinfold")]
pub(crate) struct GroupEvent(pub(crate) pinfold::GroupEvent);
plain!(GroupEvent, "GroupEvent");

#[pymethods]
impl GroupEvent {
    /// What happened: `emptied` (there were processes in it, and none was left), `out_of_memory` (the kernel killed some),
    /// `memory_max` (its memory was about to go over its limit) or `processes_refused` (there were as many as its limit allows).
    #[getter]
    fn kind(&self) -> &'static str {
        self.parts().0
    }

    /// How many, or how often; `None` for `emptied`.
    #[getter]
    fn count(&self) -> Option<u64> {
        self.parts().1
    }

    fn __repr__(&self) -> String {
        let (kind, count) = self.parts();
        format!("GroupEvent(kind='{kind}', count={})", or_none(count))
    }
}

impl GroupEvent {
    fn parts(&self) -> (&'static str, Option<u64>) {
        match self.0 {
            pinfold::GroupEvent::Emptied => ("emptied", None),
            pinfold::GroupEvent::OutOfMemory { kills } => ("out_of_memory", Some(kills)),
            pinfold::GroupEvent::MemoryMax { times } => ("memory_max", Some(times)),
            pinfold::GroupEvent::ProcessesRefused { count } => ("processes_refused", Some(count)),
            pinfold::GroupEvent::Ended => ("ended", None),
            _ => ("other", None),
        }
    }
}
