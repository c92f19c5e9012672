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
    list().0 & (1 << feature as u32) != 0
}

/// What `PINFOLD_DENY` names that is no feature, and so hides nothing; and the names of those that are.
pub fn unknown() -> Option<(&'static str, String)> {
    let names = Feature::ALL.map(|(_, name)| name).join(", ");
    list().1.as_deref().map(|word| (word, names))
}

fn list() -> &'static (u32, Option<String>) {
    static LIST: OnceLock<(u32, Option<String>)> = OnceLock::new();
    LIST.get_or_init(|| read(&std::env::var("PINFOLD_DENY").unwrap_or_default()))
}

/// The features that are named, and the first word that names none. A container may be called as it calls itself.
fn read(list: &str) -> (u32, Option<String>) {
    let (mut mask, mut unknown) = (0, None);
    for item in list.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        let name = item.replace('-', "_");
        let name = if name == "cgroup_v2" { "cgroup" } else { &*name };
        match Feature::ALL.iter().find(|(_, known)| *known == name) {
            Some((feature, _)) => mask |= 1 << *feature as u32,
            None => {
                unknown.get_or_insert_with(|| item.to_owned());
            }
        }
    }
    (mask, unknown)
}

#[cfg(test)]
mod tests {
    use super::{Feature, read};

    #[test]
    fn what_is_named_is_hidden_and_what_is_no_feature_is_told() {
        let bits =
            |features: &[Feature]| features.iter().fold(0, |mask, feature| mask | 1 << *feature as u32);
        assert_eq!(read(""), (0, None));
        assert_eq!(read(" clone3, ,pidfd"), (bits(&[Feature::Clone3, Feature::Pidfd]), None));
        assert_eq!(read("cgroup_v2,pid-namespace"), (bits(&[Feature::Cgroup, Feature::PidNamespace]), None));
        assert_eq!(read("cgroop,subreaper,x"), (bits(&[Feature::Subreaper]), Some("cgroop".to_owned())));
    }
}
