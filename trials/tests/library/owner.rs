//! The promise: nothing outlives its owner, however that ends.

use crate::part::Part;
use crate::{LONG, Of, begin, fixture, mechanisms};
use pinfold::{Guarantee, Isolation, Stream};
use pinfold_trials::{cgroup2_dir, wait_until};
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

const ESCAPES: [&str; 10] = [
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
];

/// Directories of ours that this process made and that are still there.
pub(crate) fn directories_of(pid: u32) -> Vec<String> {
    let own = cgroup2_dir().map(std::fs::read_dir);
    let names = own
        .into_iter()
        .flatten()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.starts_with("pinfold.") && name.contains(&format!(".{pid}."))).collect()
}

fn wait_for_line(owner: &mut Child) {
    let mut line = String::new();
    let mut reader = BufReader::new(owner.stdout.take().unwrap());
    while line.trim() != "up" {
        line.clear();
        assert_ne!(reader.read_line(&mut line).unwrap(), 0, "the owner ended early");
    }
}

#[test]
fn nothing_outlives_an_owner_that_ends_in_any_way() {
    let mut owner = Part::new(|case| {
        let (isolation, case) = case.split_once(' ').unwrap();
        let (end, escape) = case.split_once(' ').unwrap();
        let (isolation, guarantee) = match isolation {
            "Cgroup" => (Isolation::Cgroup, Guarantee::Guarded),
            "Subreaper" => (Isolation::Subreaper, Guarantee::Guarded),
            _ => (Isolation::PidNamespace, Guarantee::Kernel),
        };
        let handles: Vec<_> = ["plain", escape]
            .iter()
            .map(|escape| {
                let handle =
                    fixture(&format!("escape {escape} --stay")).isolation(isolation).start().unwrap();
                let line = handle.lines(Stream::Stdout).unwrap().next().unwrap().unwrap();
                assert!(line.starts_with("ready"), "{line}");
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
            _ => drop(handles.into_iter().map(|handle| handle.wait()).collect::<Vec<_>>()),
        }
    });
    let trial = begin();
    for isolation in mechanisms().into_iter().filter(|isolation| *isolation != Isolation::ProcessGroup) {
        for escape in ESCAPES {
            for end in ["KILL", "TERM", "HUP", "exit", "abort", "panic", "leave"] {
                let mut owner = owner
                    .command(&trial, &format!("{isolation:?} {end} {escape}"))
                    .stdout(Stdio::piped())
                    .stderr(Stdio::null())
                    .spawn()
                    .unwrap();
                wait_for_line(&mut owner);
                if let Ok(signal) = end.parse::<pinfold::Signal>() {
                    let pid = pinfold::Pid::new(owner.id().into()).unwrap();
                    pinfold_os::handle::Process::open(pid).unwrap().signal(signal).unwrap();
                }
                owner.wait().unwrap();
                trial.wait_until_gone(LONG);
                wait_until("the owner's directory is removed", LONG, || {
                    directories_of(owner.id()).is_empty()
                });
            }
        }
    }
    trial.finish();
}

#[test]
fn a_guard_that_was_killed_is_made_again_and_its_lack_is_told() {
    let mut alone = Part::new(|_| {
        let handle = fixture("sleep 60").start().unwrap();
        assert_eq!(handle.guarantee(), Guarantee::WhileOwnerLives);
        handle.kill().unwrap();
        let error = fixture("exit 0").require(Guarantee::Guarded).run().unwrap_err();
        assert_eq!(error.kind(), pinfold::ErrorKind::Unsupported);
        assert!(error.to_string().contains("guard"), "{error}");
    });
    let trial = begin();
    if !mechanisms().contains(&Isolation::Cgroup) {
        return;
    }
    alone = alone.env("PINFOLD_DENY", "guard");
    alone.pass(&trial, "without");
    let guarded = fixture("exit 0").of(&trial).require(Guarantee::Guarded).output().unwrap();
    assert_eq!(guarded.guarantee, Guarantee::Guarded);
    trial.finish();
}
