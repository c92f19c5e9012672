//! Who an owner is, in a form that can never come to mean another process.

use pinfold_os::linux::namespace;
use pinfold_proc::{Proc, Target};

/// What is ours is called: this, then PID namespace, pid and start time, with dots between.
const PREFIX: &str = "pinfold";

/// A process for all times between two starts of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    /// The number of its PID namespace: pids of other ones mean nothing here.
    pub(crate) namespace: u64,
    pub(crate) pid: u32,
    /// In clock ticks since the system's start.
    pub(crate) start: u64,
}

/// What can be said of a process that was named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Lives,
    /// Its pid is free, or another process has it.
    Over,
    /// It is of another PID namespace, or may not be looked at.
    Unknown,
}

impl Identity {
    /// This process.
    pub(crate) fn own() -> Option<Identity> {
        let stat = Proc::host().ok()?.stat(Target::Own).map(|stat| (stat.pid, stat.starttime)).ok()?;
        Some(Identity { namespace: own_namespace()?, pid: stat.0, start: stat.1 })
    }

    /// What its file and its cgroup directory are called.
    pub(crate) fn name(&self) -> String {
        format!("{PREFIX}.{}.{}.{}", self.namespace, self.pid, self.start)
    }

    /// The reverse of [`Identity::name`]: nothing else means anybody.
    pub(crate) fn parse(name: &str) -> Option<Identity> {
        let mut parts = name.strip_prefix(PREFIX)?.strip_prefix('.')?.split('.');
        let identity = Identity {
            namespace: parts.next()?.parse().ok()?,
            pid: parts.next()?.parse().ok()?,
            start: parts.next()?.parse().ok()?,
        };
        // Not with signs, leading zeros or more parts.
        (identity.name() == name).then_some(identity)
    }

    /// Whether it lives, for somebody of this PID namespace.
    pub(crate) fn life(&self, namespace: Option<u64>) -> Life {
        if namespace != Some(self.namespace) {
            return Life::Unknown;
        }
        life(self.pid, self.start)
    }
}

/// Whether the process of this pid and start time, in our PID namespace, lives. A zombie does not, unless only its first
/// thread has ended.
pub(crate) fn life(pid: u32, start: u64) -> Life {
    match Proc::new("/proc").stat(pid) {
        Ok(stat) if stat.starttime == start && stat.lives() => Life::Lives,
        Ok(_) => Life::Over,
        Err(error) if error.is_gone() => Life::Over,
        Err(_) => Life::Unknown,
    }
}

/// When the process of this pid was started, in clock ticks since the system's start.
pub(crate) fn start_of(pid: u32) -> Option<u64> {
    Proc::new("/proc").stat(pid).ok().map(|stat| stat.starttime)
}

/// The number of our PID namespace.
pub(crate) fn own_namespace() -> Option<u64> {
    namespace::own(namespace::Kind::Pid)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_name_means_one_process_and_nothing_else_means_any() {
        let own = Identity::own().unwrap();
        assert_eq!(Identity::parse(&own.name()), Some(own));
        for name in [
            "",
            "pinfold",
            "pinfold.1.2",
            "pinfold.1.2.3.4",
            "pinfold.1.2.x",
            "pinfold.1.-2.3",
            "pinfold.1.+2.3",
            "pinfold.1.02.3",
            "pinfold-self.1.2.3",
            "xpinfold.1.2.3",
            "pinfold.1.99999999999.3",
        ] {
            assert_eq!(Identity::parse(name), None, "{name}");
        }
    }

    #[test]
    fn life_is_told_by_pid_and_start_together() {
        let own = Identity::own().unwrap();
        let here = Some(own.namespace);
        assert_eq!(own.life(here), Life::Lives);
        assert_eq!(
            Identity { start: own.start + 1, ..own }.life(here),
            Life::Over,
            "another had our pid before"
        );
        assert_eq!(Identity { namespace: own.namespace + 1, ..own }.life(here), Life::Unknown);
        assert_eq!(own.life(None), Life::Unknown);
    }
}
