//! Empty cgroups kept for the next runs, and how many descriptors cgroups may take.
//!
//! Making one and removing it costs more than the spawn itself. Opening one costs less, and every descriptor is one more
//! that each new process is given and has to close: so many are kept, and few of them open.

use pinfold_os::linux::cgroup::{Cgroup, CpuTime};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many empty cgroups are kept. Each takes the kernel some ten kilobytes.
const KEPT: usize = 1024;
/// How many of them, and how many of those in use, stay open, at two or three descriptors each.
const OPEN: usize = 16;

/// Empty cgroups, and what their occupants used so far.
#[derive(Debug, Default)]
pub(super) struct Pool {
    open: Vec<(Cgroup, CpuTime)>,
    closed: Vec<(PathBuf, CpuTime)>,
}

impl Pool {
    pub(super) fn take(&mut self) -> Option<(Cgroup, CpuTime)> {
        if let Some(open) = self.open.pop() {
            return Some(open);
        }
        while let Some((path, used)) = self.closed.pop() {
            // One that somebody has removed is none.
            if let Ok(cgroup) = Cgroup::open(&path) {
                return Some((cgroup, used));
            }
        }
        None
    }

    /// Removes all of them, as far as nobody is in them.
    pub(super) fn remove(self) {
        for (cgroup, _) in self.open {
            let _ = cgroup.remove();
        }
        for (path, _) in self.closed {
            let _ = pinfold_os::linux::cgroup::remove(&path);
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.open.len() + self.closed.len() < KEPT
    }

    pub(super) fn put(&mut self, cgroup: Cgroup, used: CpuTime) {
        if self.open.len() < OPEN {
            self.open.push((cgroup, used));
        } else {
            self.closed.push((cgroup.path().to_owned(), used));
        }
    }
}

static IN_USE: AtomicUsize = AtomicUsize::new(0);

/// The right of a cgroup in use to stay open, for as long as this lives.
#[derive(Debug)]
pub(super) struct StaysOpen(());

/// That right, unless enough others have it.
pub(super) fn stay_open() -> Option<StaysOpen> {
    let right = StaysOpen(());
    (IN_USE.fetch_add(1, Ordering::Relaxed) < OPEN).then_some(right)
}

impl Drop for StaysOpen {
    fn drop(&mut self) {
        IN_USE.fetch_sub(1, Ordering::Relaxed);
    }
}
