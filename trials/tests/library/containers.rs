//! Containers themselves: which one a run gets, and what becomes of their directories.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use pinfold::{ErrorKind, Guarantee, Isolation, Mechanism};
use pinfold_trials::descriptors::Descriptor;
use pinfold_trials::{Trial, can_write_cgroup2, cgroup2_dir, given, wait_until};

use crate::owner::directories_of;
use crate::part::Part;
use crate::{LONG, Of, begin, fixture, sh};

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

#[test]
fn without_a_cgroup_a_run_is_in_a_group_and_says_so_and_more_is_refused() {
    let mut part = Part::new(|_| {
        let outcome = fixture("exit 0").output().unwrap().outcome;
        assert_eq!((outcome.mechanism, outcome.guarantee), (Mechanism::ProcessGroup, Guarantee::BestEffort));
        for command in [
            fixture("exit 0").isolation(Isolation::Cgroup),
            fixture("exit 0").require(Guarantee::WhileOwnerLives),
            fixture("exit 0").kill_on_parent_death(),
        ] {
            let error = command.output().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
            assert!(error.what_to_do().is_some(), "{error}");
        }
        assert!(fixture("exit 0").require(Guarantee::BestEffort).run().is_ok());
    })
    .env("PINFOLD_DENY", "cgroup,subreaper");
    part.pass(&begin(), "");
}

#[test]
fn without_a_cgroup_a_run_has_a_keeper_and_nothing_gets_away() {
    let mut part = Part::new(|_| {
        let outcome = fixture("exit 0").require(Guarantee::Guarded).output().unwrap().outcome;
        assert_eq!((outcome.mechanism, outcome.guarantee), (Mechanism::Subreaper, Guarantee::Guarded));
        let error = fixture("exit 0").isolation(Isolation::Cgroup).output().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    })
    .env("PINFOLD_DENY", "cgroup");
    part.pass(&begin(), "");
}

#[test]
fn whoever_requires_the_kernel_itself_gets_a_namespace_or_a_refusal() {
    let trial = begin();
    match fixture("exit 7").of(&trial).require(Guarantee::Kernel).output() {
        Ok(output) => {
            let told = (output.outcome.mechanism, output.outcome.guarantee, output.outcome.code());
            assert_eq!(told, (Mechanism::PidNamespace, Guarantee::Kernel, Some(7)));
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
            assert!(error.to_string().contains("pid_namespace cannot be had"), "{error}");
        }
    }
}

#[test]
fn what_a_dead_owner_left_is_ended_by_the_next_one() {
    let mut owner = Part::new(|case| {
        if case == "next" {
            fixture("exit 0").run().unwrap();
        } else {
            let handle = fixture("escape setsid --stay").start().unwrap();
            assert_eq!(handle.guarantee(), Guarantee::WhileOwnerLives);
            handle.stdout_lines().unwrap().next().unwrap().unwrap();
            let own = pinfold::Command::new("sh").args(["-c", "kill -9 $PPID"]);
            own.isolation(Isolation::ProcessGroup).exit_code().unwrap();
        }
    })
    .env("PINFOLD_DENY", "guard");
    let trial = begin();
    if !given(can_write_cgroup2(), CGROUPS) {
        return;
    }
    let mut first =
        owner.command(&trial, "first").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let pid = first.id();
    assert_eq!(first.wait().unwrap().code(), None, "it killed itself");
    // Any other test that runs beside this one may have been the next owner by now.
    owner.pass(&trial, "next");
    trial.wait_until_gone(LONG);
    assert_eq!(directories_of(pid), [""; 0]);
}

#[test]
fn many_runs_at_once_leave_a_bounded_number_of_cgroups_behind() {
    let trial = begin();
    if !given(can_write_cgroup2(), CGROUPS) {
        return;
    }
    let open = || Descriptor::all().unwrap().len();
    let before = open();
    for _ in 0..3 {
        let handles: Vec<_> =
            (0..100).map(|_| fixture("cat").of(&trial).keep_stdin_open().start().unwrap()).collect();
        for handle in &handles {
            handle.stdin().unwrap().close().unwrap();
            assert_eq!(handle.wait().unwrap().code(), Some(0));
        }
        drop(handles);
        assert!(open() <= before + 2 * 32 + 2, "{} descriptors", open());
    }
    let directories = directories_of(std::process::id());
    let own = cgroup2_dir().unwrap().join(&directories[0]);
    let kept = fs::read_dir(own).unwrap().flatten().filter(|entry| entry.path().is_dir()).count();
    // Each round used those of the one before.
    assert!(kept <= 100, "{kept} directories");
}

#[test]
fn who_moved_out_and_holds_the_output_is_named_and_holds_nothing_up() {
    let mut trial = begin();
    if !given(can_write_cgroup2(), CGROUPS) {
        return;
    }
    let own = Own::new("refuge");
    let script = "(echo 0 > \"$0/cgroup.procs\"; exec sleep 100) & echo $!; while ! grep -q . \"$0/cgroup.procs\"; do :; done; exit 6";
    let command = sh(script).arg(&own.0).of(&trial).isolation(Isolation::Cgroup).timeout(LONG);
    let output = command.output().unwrap();
    let pid: u32 = output.stdout.trim_end().parse().unwrap();
    trial.expect_survivor(pid);
    assert_eq!((output.outcome.code(), output.outcome.strays.count), (Some(6), 0));
    let holding = &output.outcome.strays.holding_output;
    assert_eq!(holding.iter().map(|stray| stray.pid.get()).collect::<Vec<_>>(), [pid], "{holding:?}");
    trial.kill_survivors();
}
