//! `pinfold run` killed by the one signal that it cannot answer: before it has a guard, and after.

use std::fs;
use std::path::PathBuf;

use pinfold_trials::{Trial, can_write_cgroup2, cgroup2_dir, given, wait_until};

use crate::place::Place;
use crate::{LONG, Live, run};

const CGROUPS: &str = "a cgroup v2 that can be written";

/// The directory of an owner among ours, if it is still there.
fn has_directory(pid: u32) -> bool {
    let wanted = format!(".{pid}.");
    let all = cgroup2_dir().into_iter().flat_map(|base| fs::read_dir(base).unwrap().flatten());
    all.filter_map(|entry| entry.file_name().into_string().ok())
        .any(|name| name.starts_with("pinfold") && name.contains(&wanted))
}

/// Whether a guard looks after the directory of an owner.
fn has_guard(pid: u32) -> bool {
    let wanted = format!(".{pid}.");
    let all = fs::read_dir("/proc").unwrap().flatten();
    all.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok()).any(|line| {
        let line = String::from_utf8_lossy(&line).into_owned();
        line.starts_with("pinfold-guard") && line.contains(&wanted)
    })
}

#[test]
fn a_run_that_lasts_gets_its_guard_and_goes_with_pinfold() {
    if !given(can_write_cgroup2(), CGROUPS) {
        return;
    }
    let trial = Trial::new();
    for escape in ["plain", "setsid", "daemon"] {
        let mut live = Live::ready(&mut run(&trial, "", &format!("escape {escape} --stay")));
        let pid = live.child.id();
        wait_until("it has a guard", LONG, || has_guard(pid));
        live.child.kill().unwrap();
        live.child.wait().unwrap();
        trial.wait_until_gone(LONG);
        wait_until("its directory is gone", LONG, || !has_directory(pid));
    }
    trial.finish();
}

#[test]
fn a_program_goes_with_a_pinfold_that_has_no_guard_yet_and_the_next_owner_clears_the_directory() {
    if !given(can_write_cgroup2(), CGROUPS) {
        return;
    }
    let trial = Trial::new();
    let place = Place::new();
    for _ in 0..10 {
        // One that never gets a guard is as one that does not have it yet. It is noted nowhere, so that no owner elsewhere
        // comes first.
        let mut command = place.inside(&run(&trial, "--isolation cgroup", "trap USR2"));
        let mut live = Live::ready(command.envs([("PINFOLD_DENY", "guard"), ("PINFOLD_REGISTRY", "none")]));
        live.child.kill().unwrap();
        live.child.wait().unwrap();
        trial.wait_until_gone(LONG);
        assert_eq!(place.directories().len(), 1);
        // This one does at once what others put off.
        assert!(
            place
                .inside(&run(&trial, "--isolation cgroup --verbose", "exit 0"))
                .output()
                .unwrap()
                .status
                .success()
        );
        assert_eq!(place.directories(), Vec::<PathBuf>::new());
    }
    drop(place);
    trial.finish();
}
