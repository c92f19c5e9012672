//! A cgroup that was handed over to nobody, as a manager hands one over to a user.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::host::{NOBODY, can_write_cgroup2, cgroup2_dir, is_root};
use crate::wait::holds_within;

/// What must be writable in a cgroup for it to be divided; see cgroups(7), "Cgroups delegation".
const FILES: [&str; 3] = ["cgroup.procs", "cgroup.threads", "cgroup.subtree_control"];
/// How long those who were killed in it may take to be gone.
const SETTLE: Duration = Duration::from_secs(5);

/// A directory below the cgroup of this process that belongs to nobody. It is removed with this value; whoever is in it by
/// then is left alone, and so is it.
#[derive(Debug)]
pub struct Delegated(PathBuf);

impl Delegated {
    /// Makes one; `None` where only root could, or no cgroup can be written.
    ///
    /// # Panics
    /// If it can be made and not handed over.
    #[must_use]
    pub fn to_nobody() -> Option<Self> {
        let own = cgroup2_dir().filter(|_| is_root() && can_write_cgroup2())?;
        let delegated = Self(own.join(format!("trial.{}", std::process::id())));
        fs::create_dir(&delegated.0).ok()?;
        for path in FILES.map(|file| delegated.0.join(file)).iter().chain([&delegated.0]) {
            chown(path, Some(NOBODY), Some(NOBODY)).expect("root can give away what it has made");
        }
        Some(delegated)
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Moves a process into it.
    ///
    /// # Panics
    /// If it is gone.
    pub fn admit(&self, pid: u32) {
        fs::write(self.0.join("cgroup.procs"), pid.to_string()).expect("a living process can be moved");
    }
}

impl Drop for Delegated {
    fn drop(&mut self) {
        // The dead leave a cgroup a moment after they were reaped.
        let _ = holds_within(SETTLE, || fs::remove_dir(&self.0).is_ok());
    }
}
