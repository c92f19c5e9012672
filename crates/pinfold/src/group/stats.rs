//! What a group uses.

use crate::containment::{Nest, knobs};
use std::time::Duration;

/// What a group uses and has used. A figure is `None` where the kernel has none: outside of cgroups, or where the
/// controller for it is not at work (limits of the group have theirs at work).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct GroupStats {
    /// Time on CPUs in user mode, of all that ever were in it.
    #[cfg_attr(feature = "serde", serde(rename = "user_seconds", with = "crate::wire::maybe_seconds"))]
    pub user: Option<Duration>,
    /// Time on CPUs in the kernel, likewise.
    #[cfg_attr(feature = "serde", serde(rename = "system_seconds", with = "crate::wire::maybe_seconds"))]
    pub system: Option<Duration>,
    /// Bytes of memory in use now, page cache included (`memory.current`).
    pub memory: Option<u64>,
    /// The most that were in use at once (`memory.peak`, Linux 5.19).
    pub peak_memory: Option<u64>,
    /// Processes that are in it now.
    pub processes: usize,
    /// The most processes and threads that were in it at once (`pids.peak`, Linux 6.1).
    pub peak_processes: Option<u64>,
    /// Bytes read from disks.
    pub read_bytes: Option<u64>,
    /// Bytes written to disks.
    pub written_bytes: Option<u64>,
    /// Time lost to waiting for a CPU.
    pub cpu_pressure: Option<Pressure>,
    /// Time lost to waiting for memory.
    pub memory_pressure: Option<Pressure>,
    /// Time lost to waiting for disks.
    pub io_pressure: Option<Pressure>,
}

/// Time that was lost to waiting for something (the kernel's `accounting/psi`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Pressure {
    /// While at least one process waited.
    #[cfg_attr(feature = "serde", serde(rename = "some_seconds", with = "crate::wire::seconds"))]
    pub some: Duration,
    /// While all that could run waited.
    #[cfg_attr(feature = "serde", serde(rename = "full_seconds", with = "crate::wire::maybe_seconds"))]
    pub full: Option<Duration>,
}

pub(super) fn read(nest: &Nest) -> GroupStats {
    let number = |file: &str| nest.read(file)?.trim().parse().ok();
    let cpu = nest.read("cpu.stat");
    let time = |key| cpu.as_deref().and_then(|text| knobs::keyed(text, key)).map(Duration::from_micros);
    let (read_bytes, written_bytes) = nest.read("io.stat").map(|text| knobs::io_bytes(&text)).unzip();
    let pressure = |file: &str| {
        let (some, full) = knobs::stalled(&nest.read(file)?)?;
        Some(Pressure { some, full })
    };
    GroupStats {
        user: time("user_usec"),
        system: time("system_usec"),
        memory: number("memory.current"),
        peak_memory: number("memory.peak"),
        processes: nest.members().len(),
        peak_processes: number("pids.peak"),
        read_bytes,
        written_bytes,
        cpu_pressure: pressure("cpu.pressure"),
        memory_pressure: pressure("memory.pressure"),
        io_pressure: pressure("io.pressure"),
    }
}
