//! Each step that the kernel can refuse, refused in turn: a typed error or a run that says what it lacks, nothing hung and
//! nothing left.

use crate::owner::directories_of;
use crate::part::Part;
use crate::{LONG, begin, fixture, mechanisms};
use pinfold::{ErrorKind, Isolation, StrayRule};
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
            let line = handle.stdout_lines().unwrap().next();
            assert!(line.is_some_and(|line| line.unwrap().starts_with("ready")));
            drop(handle);
        }
        Err(error) => assert!(is_typed(&error), "{error}"),
    }
}

#[test]
#[expect(
    clippy::redundant_closure,
    reason = "the closure has the name of its test, by which the part is found"
)]
fn each_step_that_is_refused_is_told_and_leaves_nothing() {
    let mut part = Part::new(|case| run(case));
    let trial = begin();
    let isolations: Vec<String> =
        mechanisms().iter().chain([&Isolation::Best]).map(|isolation| format!("{isolation:?}")).collect();
    for (_, name) in Fault::ALL {
        for (error, passes) in ERRORS {
            part = part.env("PINFOLD_FAULT", &format!("{name}={error}+{passes}"));
            let started: Vec<_> = isolations
                .iter()
                .map(|isolation| {
                    let child = part.command(&trial, isolation).stdout(Stdio::null()).spawn();
                    (isolation, child.unwrap())
                })
                .collect();
            for (isolation, mut child) in started {
                let told = format!("{isolation}: {name}={error}+{passes}");
                assert!(child.wait().unwrap().success(), "{told}");
                wait_until(&format!("{told}: no directory"), LONG, || directories_of(child.id()).is_empty());
            }
            // What could not be killed or removed by its owner is the guard's to end.
            wait_until(&format!("{name}={error}: nothing to be left"), LONG, || trial.survivors().is_empty());
        }
    }
    trial.finish();
}
