//! Which namespaces this process is in, by the numbers that `/proc/PID/ns` tells too (`namespaces(7)`).

use rustix::process::PidfdFlags;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// A kind of namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What pids mean.
    Pid,
    /// Where paths of cgroups begin.
    Cgroup,
}

/// The number of our own namespace of this kind; `None` where nobody tells it.
pub fn own(kind: Kind) -> Option<u64> {
    by_handle(kind).or_else(|| by_link(kind))
}

/// A handle of ourselves gives the namespace as a descriptor from Linux 6.11 on, at a tenth of the cost of the link, for
/// which the kernel makes three directory entries that it has to clear away again with the process.
fn by_handle(kind: Kind) -> Option<u64> {
    // `PIDFD_GET_CGROUP_NAMESPACE` and `PIDFD_GET_PID_NAMESPACE` of <linux/pidfd.h>: _IO(0xFF, 1) and _IO(0xFF, 5).
    let request = match kind {
        Kind::Cgroup => 0xff01,
        Kind::Pid => 0xff05,
    };
    let ourselves = rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty()).ok()?;
    // SAFETY: the request takes no argument and returns a new descriptor, or -1.
    let namespace = unsafe {
        let descriptor = libc::ioctl(ourselves.as_raw_fd(), request, 0);
        (descriptor >= 0).then(|| OwnedFd::from_raw_fd(descriptor))?
    };
    Some(rustix::fs::fstat(namespace).ok()?.st_ino)
}

fn by_link(kind: Kind) -> Option<u64> {
    let (path, prefix) = match kind {
        Kind::Pid => ("/proc/self/ns/pid", "pid:["),
        Kind::Cgroup => ("/proc/self/ns/cgroup", "cgroup:["),
    };
    let link = std::fs::read_link(path).ok()?;
    link.to_str()?.strip_prefix(prefix)?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_tell_the_same() {
        for kind in [Kind::Pid, Kind::Cgroup] {
            let told = by_link(kind);
            assert!(told.is_some_and(|number| number > 0), "{kind:?}");
            assert_eq!(own(kind), told, "{kind:?}");
            // Older kernels have one way only.
            assert!(by_handle(kind).is_none_or(|number| Some(number) == told), "{kind:?}");
        }
    }
}
