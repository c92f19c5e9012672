//! Kernel features hidden on purpose, so that the path for a kernel without them can be tested on one that has them.
//!
//! `PINFOLD_DENY` is a comma-separated list of [`Feature`] names (`clone3`, `pidfd`, `cgroup`, ...); it is read once.

use std::sync::OnceLock;

/// A kernel feature for which there is a fallback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// `clone3(2)`, Linux 5.3; ours needs `CLONE_INTO_CGROUP` (5.7).
    Clone3,
    /// `CLONE_VM`: a child that shares its parent's memory until it executes.
    Vfork,
    /// `pidfd_open(2)` and its kin, Linux 5.3.
    Pidfd,
    /// Signalling a process group through a pidfd, Linux 6.9.
    PidfdGroup,
    /// `close_range(2)` with `CLOSE_RANGE_CLOEXEC`, Linux 5.11.
    CloseRange,
    /// A writable cgroup v2 directory.
    Cgroup,
    /// `cgroup.kill`, Linux 5.14.
    CgroupKill,
    /// Starting a guard, or a keeper.
    Guard,
    /// Keeping as a subreaper.
    Subreaper,
    /// PID namespaces.
    PidNamespace,
    /// Landlock, Linux 5.13.
    Landlock,
    /// Filters of system calls.
    Seccomp,
    /// A scope of systemd's, where no cgroup can be written.
    Systemd,
}

impl Feature {
    const ALL: [(Feature, &'static str); 13] = [
        (Feature::Clone3, "clone3"),
        (Feature::Vfork, "vfork"),
        (Feature::Pidfd, "pidfd"),
        (Feature::PidfdGroup, "pidfd_group"),
        (Feature::CloseRange, "close_range"),
        (Feature::Cgroup, "cgroup"),
        (Feature::CgroupKill, "cgroup_kill"),
        (Feature::Guard, "guard"),
        (Feature::Subreaper, "subreaper"),
        (Feature::PidNamespace, "pid_namespace"),
        (Feature::Landlock, "landlock"),
        (Feature::Seccomp, "seccomp"),
        (Feature::Systemd, "systemd"),
    ];
}

/// Whether `PINFOLD_DENY` hides this feature.
pub fn denied(feature: Feature) -> bool {
    static MASK: OnceLock<u32> = OnceLock::new();
    let mask = MASK.get_or_init(|| {
        let Ok(list) = std::env::var("PINFOLD_DENY") else { return 0 };
        let wanted = |name: &str| list.split(',').any(|item| item.trim() == name);
        Feature::ALL.iter().filter(|(_, name)| wanted(name)).fold(0, |mask, (f, _)| mask | 1 << *f as u32)
    });
    mask & (1 << feature as u32) != 0
}
