//! Containers themselves: which one a run gets, and what becomes of their directories.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use pinfold::Mechanism;
use pinfold_trials::{Trial, can_write_cgroup2, cgroup2_dir, given, wait_until};

use crate::part::Part;
use crate::{LONG, begin, fixture};

const CGROUPS: &str = "a cgroup v2 directory that can be written to";

/// A cgroup of the test's own.
struct Own(PathBuf);

impl Own {
    fn new(name: &str) -> Own {
        let path = cgroup2_dir().unwrap().join(format!("pinfold-trial-{}-{name}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Own(path)
    }

    fn take_in(&self, child: &Child) {
        fs::write(self.0.join("cgroup.procs"), child.id().to_string()).unwrap();
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // The guard of who was in there tidies up after it, and goes last.
        if !std::thread::panicking() {
            wait_until("the cgroup to be empty", LONG, || fs::remove_dir(&self.0).is_ok());
        }
    }
}

fn sleeper(trial: &Trial) -> Child {
    trial.fixture("sleep 100").stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap()
}

#[test]
fn a_maker_whose_own_cgroup_was_killed_once_can_still_start_something() {
    let mut part = Part::new(|own| {
        fs::write(PathBuf::from(own).join("cgroup.procs"), "0").unwrap();
        for _ in 0..3 {
            let output = fixture("out hello").output().unwrap();
            assert_eq!((&*output.stdout, output.outcome.mechanism), ("hello\n", Mechanism::CgroupV2));
        }
    });
    let trial = begin();
    if !given(can_write_cgroup2(), CGROUPS) {
        return;
    }
    let own = Own::new("killed");
    let mut child = sleeper(&trial);
    own.take_in(&child);
    // Before 5.14 there is no such file, and nothing to get wrong.
    if fs::write(own.0.join("cgroup.kill"), "1").is_err() {
        child.kill().unwrap();
    }
    child.wait().unwrap();
    part.pass(&trial, own.0.to_str().unwrap());
}
