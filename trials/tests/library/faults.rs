//! Each step that the kernel can refuse, refused in turn: a typed error or a run that says what it lacks, nothing hung and
//! nothing left.

use crate::owner::directories_of;
use crate::part::Part;
use crate::{LONG, begin, fixture, mechanisms};
use pinfold::{ErrorKind, Isolation, Pid, ProcessGroup, Runner, Signal, StopRule, StrayRule};
use pinfold_os::fault::Fault;
use pinfold_trials::wait_until;
use std::process::Stdio;
use std::time::Duration;

/// With how many that are let through.
const ERRORS: [(&str, u32); 3] = [("EMFILE", 0), ("EACCES", 0), ("EIO", 2)];

const SHORT: Duration = Duration::from_millis(20);
const NO_TIME: StrayRule = StrayRule::StopAfter(Duration::ZERO);

fn isolation(name: &str) -> Isolation {
    match name {
        "Best" => Isolation::Best,
        "Cgroup" => Isolation::Cgroup,
        "Subreaper" => Isolation::Subreaper,
        "PidNamespace" => Isolation::PidNamespace,
        _ => Isolation::ProcessGroup,
    }
}

fn is_typed(error: &pinfold::Error) -> bool {
    use ErrorKind::{Io, PermissionDenied, ResourceLimit, Spawn, Unsupported};
    matches!(error.kind(), Io | PermissionDenied | ResourceLimit | Spawn | Unsupported)
}

/// One run that ends by itself and leaves somebody, and one that is dropped.
fn run(wanted: &str) {
    let isolation = isolation(wanted);
    // Who cannot be told to end waits for the kill.
    let fixture = |words| fixture(words).isolation(isolation).strays(NO_TIME).timeout_grace(SHORT);
    match fixture("escape double-fork").output() {
        Ok(output) => assert_eq!(output.outcome.code(), Some(0)),
        Err(error) => assert!(is_typed(&error), "{error}"),
    }
    match fixture("escape plain --stay").start() {
        Ok(handle) => {
            match handle.stdout_lines().unwrap().next() {
                Some(Ok(line)) => assert!(line.starts_with("ready"), "{line}"),
                Some(Err(error)) => assert!(is_typed(&error), "{error}"),
                None => panic!("it ended without a word"),
            }
            drop(handle);
        }
        Err(error) => assert!(is_typed(&error), "{error}"),
    }
}

/// A group that is used in every way there is, and dropped.
fn run_group(wanted: &str) {
    let typed = |result: pinfold::Result<()>| {
        if let Err(error) = result {
            assert!(is_typed(&error) || error.kind() == ErrorKind::NotFound, "{error}");
        }
    };
    let rule = StopRule { grace: SHORT, ..StopRule::default() };
    let group = match ProcessGroup::builder().isolation(isolation(wanted)).stop_rule(rule).make() {
        Ok(group) => group,
        Err(error) => return typed(Err(error)),
    };
    let inner = group.group();
    for runner in [Some(&group), inner.as_ref().ok()].into_iter().flatten() {
        let command = fixture("escape double-fork --stay").timeout_grace(SHORT).strays(NO_TIME);
        typed(runner.start(&command).map(|handle| {
            // It is the group that ends it.
            let _ = handle.stdout_lines().unwrap().next();
            typed(runner.suspend());
            typed(runner.resume());
            typed(runner.signal(Signal::CONT));
            typed(runner.stop().map(drop));
        }));
    }
    let mut other =
        std::process::Command::new(pinfold_trials::fixture()).arg("sleep").arg("100").spawn().unwrap();
    match group.adopt(Pid::new(other.id().into()).unwrap()) {
        Ok(()) => typed(group.kill_all().map(drop)),
        Err(error) => typed(Err(error)),
    }
    // Nobody else's to end where it was not adopted, or where the group could not be killed.
    let _ = other.kill();
    other.wait().unwrap();
    typed(inner.map(drop));
}

/// Everything that can be refused, in every container, one after the other.
fn refuse_each(part: Part, kind: &str) {
    let mut part = part;
    let trial = begin();
    let isolations = mechanisms().into_iter().chain([Isolation::Best]);
    let cases: Vec<String> = isolations.map(|isolation| format!("{isolation:?}")).collect();
    // Signals are all that ends a process group, and nobody guards one.
    let is_beyond_help = |name: &str, case: &str| name == "signal" && case == "ProcessGroup";
    for (_, name) in Fault::ALL {
        // All at once, since much of it is waiting for what does not come.
        let mut started = Vec::new();
        for (error, passes) in ERRORS {
            part = part.env("PINFOLD_FAULT", &format!("{name}={error}+{passes}"));
            for case in cases.iter().filter(|case| !is_beyond_help(name, case)) {
                let child = part.command(&trial, case).stdout(Stdio::null()).spawn().unwrap();
                started.push((format!("{kind} {case}: {name}={error}+{passes}"), child));
            }
        }
        for (told, mut child) in started {
            assert!(child.wait().unwrap().success(), "{told}");
            wait_until(&format!("{told}: no directory"), LONG, || directories_of(child.id()).is_empty());
        }
        // What could not be killed or removed by its owner is the guard's to end.
        wait_until(&format!("{name}: nothing to be left"), LONG, || trial.survivors().is_empty());
    }
    trial.finish();
}

#[test]
#[expect(
    clippy::redundant_closure,
    reason = "the closure has the name of its test, by which the part is found"
)]
fn each_step_of_a_run_that_is_refused_is_told_and_leaves_nothing() {
    refuse_each(Part::new(|case| run(case)), "run");
}

#[test]
#[expect(
    clippy::redundant_closure,
    reason = "the closure has the name of its test, by which the part is found"
)]
fn each_step_of_a_group_that_is_refused_is_told_and_leaves_nothing() {
    refuse_each(Part::new(|case| run_group(case)), "group");
}
