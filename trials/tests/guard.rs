//! The guard itself: it must find what a test leaves behind, name it, and end it.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::{AsRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use pinfold_trials::proc::Stat;
use pinfold_trials::{Trial, wait_until};

const LONG: Duration = Duration::from_secs(20);

/// Starts `command` and gives its first line of output; by then it is up.
fn start(command: &mut Command) -> (Child, String) {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (child, line.trim_end().to_owned())
}

/// What the guard says when `trial` ends; it must not be content.
fn complaint(trial: &mut Trial) -> String {
    trial.conclude().expect_err("the guard found nothing")
}

fn pid_of(child: &Child) -> i32 {
    i32::try_from(child.id()).unwrap()
}

/// Whether `pid` is dead; whether it is reaped is for its parent to say.
fn is_gone(pid: i32) -> bool {
    Stat::of(&pid.to_string()).map_or(true, |stat| stat.is_zombie())
}

#[test]
fn a_clean_test_passes() {
    let trial = Trial::new();
    assert!(trial.fixture("exit 0").status().unwrap().success());
    trial.finish();
}

#[test]
fn a_stray_child_is_named_killed_and_reaped() {
    let mut trial = Trial::new();
    let (child, _) = start(&mut trial.fixture("trap TERM"));
    let said = complaint(&mut trial);
    assert!(said.contains(&format!("process {} (", child.id())), "{said}");
    assert!(said.contains(&format!(", child of {}): ", std::process::id())), "{said}");
    assert!(said.contains("fixture trap TERM"), "{said}");
    assert!(Stat::of(&child.id().to_string()).is_err(), "neither running nor a zombie");
}

#[test]
fn a_stray_that_left_the_tree_and_the_session_is_found_too() {
    for kind in ["setsid", "double-fork", "daemon", "chain", "setsid-ignore-term"] {
        let mut trial = Trial::new();
        let (mut child, ready) = start(&mut trial.fixture(&format!("escape {kind}")));
        assert!(child.wait().unwrap().success());
        let pid = ready.strip_prefix("ready ").unwrap();
        let said = complaint(&mut trial);
        assert!(said.contains(&format!("process {pid} ")) && said.contains("_leaf"), "{kind}: {said}");
        assert!(is_gone(pid.parse().unwrap()), "{kind}");
    }
}

#[test]
fn a_stopped_stray_is_found_and_killed() {
    let mut trial = Trial::new();
    let (child, _) = start(&mut trial.fixture("stop-self"));
    wait_until("the child to stop", LONG, || Stat::of(&child.id().to_string()).unwrap().state == 'T');
    let said = complaint(&mut trial);
    assert!(said.contains(&format!("process {} (stopped", child.id())), "{said}");
    assert!(is_gone(pid_of(&child)));
}

#[test]
fn a_dropped_trial_complains_as_well() {
    let dropped = catch_unwind(|| {
        let trial = Trial::new();
        start(&mut trial.fixture("trap TERM"));
    });
    let said = dropped.unwrap_err();
    assert!(said.downcast_ref::<String>().unwrap().contains("fixture trap TERM"));
}

#[test]
fn a_test_that_fails_leaves_nothing_behind_and_fails_by_its_own_words() {
    let mut pid = 0;
    let failed = catch_unwind(AssertUnwindSafe(|| {
        let trial = Trial::new();
        pid = pid_of(&start(&mut trial.fixture("trap TERM")).0);
        panic!("its own words");
    }));
    assert_eq!(*failed.unwrap_err().downcast_ref::<&str>().unwrap(), "its own words");
    assert!(is_gone(pid));
}

#[test]
fn a_child_that_nobody_waited_for_is_named_and_reaped() {
    let mut trial = Trial::new();
    let (child, _) = start(&mut trial.fixture("out hello"));
    wait_until("the child to end", LONG, || Stat::of(&child.id().to_string()).unwrap().is_zombie());
    let said = complaint(&mut trial);
    assert!(said.contains(&format!("process {} (unreaped", child.id())), "{said}");
    assert!(Stat::of(&child.id().to_string()).is_err(), "reaped");
}

#[test]
fn a_child_that_was_unreaped_before_is_not_of_this_trial() {
    let mut trial = Trial::new();
    let (mut child, _) = start(&mut trial.fixture("out hello"));
    wait_until("the child to end", LONG, || Stat::of(&child.id().to_string()).unwrap().is_zombie());
    trial.begin_again();
    trial.conclude().unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_dying_process_is_waited_for() {
    let trial = Trial::new();
    let (mut child, ready) = start(&mut trial.fixture("escape plain --stay"));
    let leaf: i32 = ready.strip_prefix("ready ").unwrap().parse().unwrap();
    let leaf = rustix::process::Pid::from_raw(leaf).unwrap();
    let leaf = rustix::process::pidfd_open(leaf, rustix::process::PidfdFlags::empty()).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    rustix::process::pidfd_send_signal(&leaf, rustix::process::Signal::KILL).unwrap();
    drop(leaf);
    // The SIGKILL is on its way, and no more than that is certain.
    trial.finish();
}

#[test]
fn a_process_without_the_variable_is_none_of_the_trials_business() {
    let mut trial = Trial::new();
    let mut foreign = Command::new(pinfold_trials::fixture());
    let (mut child, _) = start(foreign.args(["trap", "TERM"]));
    assert_eq!(trial.survivors(), []);
    trial.conclude().unwrap();
    assert!(child.try_wait().unwrap().is_none(), "it was left in peace");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn an_expected_survivor_is_no_complaint_and_ends_with_the_trial() {
    let mut trial = Trial::new();
    let (mut child, ready) = start(&mut trial.fixture("escape daemon"));
    child.wait().unwrap();
    let pid: u32 = ready.strip_prefix("ready ").unwrap().parse().unwrap();
    trial.expect_survivor(pid);
    trial.wait_until_gone(Duration::ZERO);
    assert_eq!(trial.survivors().len(), 1);
    trial.finish();
    assert!(is_gone(i32::try_from(pid).unwrap()));
}

#[test]
fn waiting_for_the_end_of_all_names_who_does_not_end() {
    let trial = Trial::new();
    let (mut child, _) = start(&mut trial.fixture("trap TERM"));
    let waited = catch_unwind(AssertUnwindSafe(|| {
        trial.wait_until_gone(Duration::from_millis(20));
    }));
    let said = waited.unwrap_err().downcast_ref::<String>().unwrap().clone();
    assert!(said.contains(&format!("process {}", child.id())), "{said}");
    child.kill().unwrap();
    trial.wait_until_gone(LONG);
    child.wait().unwrap();
    trial.finish();
}

#[test]
fn a_leaked_descriptor_is_named_with_what_it_is_open_on() {
    let mut trial = Trial::new();
    let leaked = File::open("/dev/zero").unwrap();
    let said = complaint(&mut trial);
    assert!(said.contains(&format!("descriptor {} (/dev/zero) was left open", leaked.as_raw_fd())), "{said}");
}

#[test]
fn a_closed_and_a_replaced_descriptor_are_named() {
    let mut trial = Trial::new();
    let (closed, replaced) = (File::open("/dev/zero").unwrap(), File::open("/dev/full").unwrap());
    trial.begin_again();
    let number = closed.as_raw_fd();
    let expected = format!("descriptor {} (/dev/full) has become", replaced.as_raw_fd());
    let mut replaced = OwnedFd::from(replaced);
    rustix::io::dup2(&closed, &mut replaced).unwrap();
    drop(closed);
    let said = complaint(&mut trial);
    assert!(said.contains(&format!("descriptor {number} (/dev/zero) was closed")), "{said}");
    assert!(said.contains(&expected), "{said}");
}

#[test]
fn an_allowed_descriptor_is_no_complaint() {
    let mut trial = Trial::new();
    let open = File::open("/dev/zero").unwrap();
    let number = open.as_raw_fd();
    trial.allow_fds(move |descriptor| descriptor.number == number);
    trial.conclude().unwrap();
}

#[test]
fn a_second_trial_in_one_test_is_refused_instead_of_waiting_for_ever() {
    let trial = Trial::new();
    let second = catch_unwind(Trial::new);
    assert!(second.err().unwrap().downcast_ref::<&str>().unwrap().contains("has a trial already"));
    trial.finish();
}
