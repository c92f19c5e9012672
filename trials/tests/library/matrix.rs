//! The promise: nothing outlives its owner, however that ends: mechanism by escape by ending, as root and as nobody.
//!
//! One round of it in every run of the tests; `PINFOLD_ROUNDS` and `cargo xtask soak` ask for more.

use crate::owner::directories_of;
use crate::part::Part;
use crate::{LONG, begin, fixture, mechanisms};
use pinfold::{Guarantee, Isolation};
use pinfold_trials::{Trial, given, is_root, wait_until};
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

/// What descendants do to get away.
const ESCAPES: [&str; 14] = [
    "plain",
    "new-group",
    "setsid",
    "double-fork",
    "daemon",
    "chain",
    "ignore-term",
    "setsid-ignore-term",
    "hold-pipe",
    "subreaper",
    "runner",
    "storm",
    "kill-keeper",
    "move-cgroup",
];

/// How owners end: by a signal from outside, or as they themselves have it.
const ENDINGS: [&str; 7] = ["KILL", "TERM", "HUP", "exit", "abort", "panic", "leave"];

/// What gets away, and is admitted in the README: by container and escape.
const ADMITTED: [(Isolation, &str); 2] =
    [(Isolation::Subreaper, "kill-keeper"), (Isolation::Cgroup, "move-cgroup")];

/// A survivor tells by its command line how it got away.
fn is_admitted(isolation: Isolation, command_line: &str) -> bool {
    ADMITTED.iter().any(|(admitted, escape)| *admitted == isolation && command_line.contains(escape))
}

fn own(case: &str) {
    let (isolation, end) = case.split_once(' ').unwrap();
    let (isolation, guarantee) = match isolation {
        "Cgroup" => (Isolation::Cgroup, Guarantee::Guarded),
        "Subreaper" => (Isolation::Subreaper, Guarantee::Guarded),
        _ => (Isolation::PidNamespace, Guarantee::Kernel),
    };
    let handles: Vec<_> = ESCAPES
        .iter()
        .map(|escape| {
            let handle = fixture(&format!("escape {escape} --stay")).isolation(isolation).start().unwrap();
            // Nobody may be left to say so of who had its keeper killed.
            if let Some(line) = handle.stdout_lines().unwrap().next() {
                assert!(line.unwrap().starts_with("ready"), "{escape}");
            }
            assert_eq!(handle.guarantee(), guarantee);
            handle
        })
        .collect();
    println!("up");
    match end {
        "exit" => std::process::exit(3),
        "abort" => std::process::abort(),
        "panic" => panic!("as it was told"),
        "leave" => drop(handles),
        // To be ended from outside.
        _ => loop {
            std::thread::park();
        },
    }
}

fn wait_until_up(owner: &mut Child, case: &str) {
    let mut line = String::new();
    let mut reader = BufReader::new(owner.stdout.take().unwrap());
    while line.trim() != "up" {
        line.clear();
        assert_ne!(
            reader.read_line(&mut line).unwrap(),
            0,
            "{case}: the owner ended early: {:?}",
            owner.try_wait()
        );
    }
}

/// One owner, one ending, every escape at once.
fn try_one(owner: &mut Part, trial: &mut Trial, isolation: Isolation, end: &str) {
    let case = format!("{isolation:?} {end}");
    let command = owner.command(trial, &case).stdout(Stdio::piped());
    let mut owner = command.spawn().unwrap();
    wait_until_up(&mut owner, &case);
    if let Ok(signal) = end.parse::<pinfold::Signal>() {
        let pid = pinfold::Pid::new(owner.id().into()).unwrap();
        pinfold_os::handle::Process::open(pid).unwrap().signal(signal).unwrap();
    }
    owner.wait().unwrap();
    let left = || {
        let survivors = trial.survivors().into_iter();
        survivors.filter(|stray| !is_admitted(isolation, &stray.command_line)).collect::<Vec<_>>()
    };
    wait_until(&format!("{case}: nothing to be left"), LONG, || left().is_empty());
    trial.kill_survivors();
    wait_until("the owner's directory is removed", LONG, || directories_of(owner.id()).is_empty());
}

/// How often a matrix is gone through.
pub(crate) fn rounds() -> u32 {
    std::env::var("PINFOLD_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1)
}

fn try_all(mut owner: Part, isolations: impl Fn() -> Vec<Isolation>) {
    let mut trial = begin();
    let isolations = isolations();
    for _ in 0..rounds() {
        for isolation in isolations.iter().copied().filter(|isolation| *isolation != Isolation::ProcessGroup)
        {
            for end in ENDINGS {
                try_one(&mut owner, &mut trial, isolation, end);
            }
        }
    }
    trial.finish();
}

#[test]
#[expect(
    clippy::redundant_closure,
    reason = "the closure has the name of its test, by which the part is found"
)]
fn nothing_outlives_an_owner_that_ends_in_any_way() {
    try_all(Part::new(|case| own(case)), mechanisms);
}

#[test]
#[expect(
    clippy::redundant_closure,
    reason = "the closure has the name of its test, by which the part is found"
)]
fn nothing_outlives_an_owner_without_rights_that_ends_in_any_way() {
    let owner = Part::new(|case| own(case)).unprivileged();
    if given(is_root(), "root, to become somebody without its rights") {
        // Which cgroups nobody may write to is for the host to say; here there are none.
        try_all(owner, || {
            mechanisms().into_iter().filter(|isolation| *isolation != Isolation::Cgroup).collect()
        });
    }
}
