//! A cgroup for the owners of one test.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use pinfold_trials::{cgroup2_dir, wait_until};

use crate::LONG;

/// A cgroup of this test's own, where nobody else's owners clear what they find.
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new() -> Place {
        let path = cgroup2_dir().unwrap().join(format!("trial-place-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Place(path)
    }

    /// The same command, in there.
    pub(crate) fn inside(&self, command: &Command) -> Command {
        let mut inside = Command::new("sh");
        inside.args(["-c", "echo $$ >\"$0/cgroup.procs\" && exec \"$@\""]).arg(&self.0);
        inside.arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
        inside.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        inside
    }

    /// Lets nobody in there do anything any more, but be killed.
    pub(crate) fn freeze(&self) {
        fs::write(self.0.join("cgroup.freeze"), "1").unwrap();
        let events = || fs::read_to_string(self.0.join("cgroup.events")).unwrap();
        wait_until("all of it is frozen", LONG, || events().contains("frozen 1"));
    }

    pub(crate) fn directories(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap());
        entries.filter(|entry| entry.file_type().unwrap().is_dir()).map(|entry| entry.path()).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What a failed test left in it is killed by its trial, and the directory is then in nobody's way.
        let _ = fs::remove_dir(&self.0);
    }
}
