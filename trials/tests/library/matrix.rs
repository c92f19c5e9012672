//! The promise: nothing outlives its owner, however that ends: mechanism by escape by ending, as root and as nobody.
//!
//! One round of it in every run of the tests; `PINFOLD_ROUNDS` and `cargo xtask soak` ask for more. What is left in the
//! cells that are admitted in `docs/containment.md` is named there, and here.

use crate::owner::{directories_in, directories_of};
use crate::part::Part;
use crate::{LONG, begin, fixture, isolation, mechanisms};
use pinfold::{Cause, Command, Guarantee, Isolation, Limits, Signal, StrayRule};
use pinfold_trials::proc::Stat;
use pinfold_trials::strays::Stray;
use pinfold_trials::{
    Delegated, Trial, cgroup2_dir, given, has_controllers, is_root, setuid_fixture, wait_until,
};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
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
/// What only a descendant of root's can do.
const OF_ROOT: &str = "become-nobody";

/// How owners end: by a signal from outside, or as they themselves have it.
const ENDINGS: [&str; 7] = ["KILL", "TERM", "HUP", "exit", "abort", "panic", "leave"];
/// Of these, a dead owner, one that is told, and one that clears up itself: where it is the escape that takes long.
const FEW_ENDINGS: [&str; 3] = ["KILL", "TERM", "leave"];

/// What gets away, and is admitted in docs/containment.md: by container and escape.
const ADMITTED: [(Isolation, &str); 2] =
    [(Isolation::Subreaper, "kill-keeper"), (Isolation::Cgroup, "move-cgroup")];

/// The containers that outlive an owner.
fn guarded() -> Vec<Isolation> {
    mechanisms().into_iter().filter(|isolation| *isolation != Isolation::ProcessGroup).collect()
}

/// A survivor tells by its command line how it got away.
fn is_admitted(isolation: Isolation, command_line: &str) -> bool {
    ADMITTED.iter().any(|(admitted, escape)| *admitted == isolation && command_line.contains(escape))
}

/// One cell: a container, how the owner ends, and what its runs are.
#[derive(Clone)]
struct Case<'a> {
    isolation: Isolation,
    end: &'a str,
    escapes: &'a [&'a str],
    /// The program that escapes; the fixture where it is `None`.
    program: Option<&'a Path>,
}

impl Case<'_> {
    /// As the owner is told.
    fn text(&self) -> String {
        let name = serde_json::to_value(self.isolation).unwrap();
        let escapes = self.escapes.join(",");
        let program = self.program.map(|path| path.display().to_string()).unwrap_or_default();
        format!("{} {} {escapes} {program}", name.as_str().unwrap(), self.end)
    }

    /// The owner: starts all of its runs, says that they are up, and ends as it was told.
    fn own(told: &str) {
        let [name, end, escapes, program] = told.split(' ').collect::<Vec<_>>().try_into().unwrap();
        // Until then it is put where it is to be.
        std::io::stdin().read_line(&mut String::new()).unwrap();
        let isolation = isolation(name);
        let guarantee = match isolation {
            Isolation::PidNamespace => Guarantee::Kernel,
            _ => Guarantee::Guarded,
        };
        let run = |escape: &str| {
            let command = if program.is_empty() { fixture("") } else { Command::new(program) };
            let handle = command.args(["escape", escape, "--stay"]).isolation(isolation).start().unwrap();
            // Nobody may be left to say so of who had its keeper killed.
            if let Some(line) = handle.stdout_lines().unwrap().next() {
                assert!(line.unwrap().starts_with("ready"), "{escape}");
            }
            assert_eq!(handle.guarantee(), guarantee);
            handle
        };
        let handles: Vec<_> = escapes.split(',').map(run).collect();
        println!("up");
        match end {
            "exit" => std::process::exit(3),
            "abort" => std::process::abort(),
            "panic" => panic!("as it was told"),
            "leave" => drop(handles),
            "eat" => eat(),
            // To be ended from outside.
            _ => loop {
                std::thread::park();
            },
        }
    }
}

/// Uses memory until somebody does something about it.
fn eat() -> ! {
    const MOST: usize = 1 << 10;
    let mut eaten: Vec<Vec<u8>> = Vec::new();
    while eaten.len() < MOST {
        eaten.push(std::hint::black_box(vec![1; 1 << 20]));
    }
    panic!("the limit on memory limits nothing");
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

/// One owner from its start to its end, in our cgroup or in another; gives its pid.
fn end_one(owner: &mut Part, trial: &Trial, case: &Case<'_>, place: Option<&Delegated>) -> u32 {
    let text = case.text();
    let command = owner.command(trial, &text).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut owner = command.spawn().unwrap();
    place.inspect(|place| place.admit(owner.id()));
    owner.stdin.take().unwrap().write_all(b"go\n").unwrap();
    wait_until_up(&mut owner, &text);
    if let Ok(signal) = case.end.parse::<Signal>() {
        let pid = pinfold::Pid::new(owner.id().into()).unwrap();
        pinfold_os::handle::Process::open(pid).unwrap().signal(signal).unwrap();
    }
    owner.wait().unwrap();
    owner.id()
}

/// One owner, one ending, every escape at once.
fn try_one(owner: &mut Part, trial: &Trial, case: &Case<'_>, place: Option<&Delegated>) {
    let pid = end_one(owner, trial, case, place);
    let text = case.text();
    let mut left: Vec<Stray> = Vec::new();
    let is_empty = || {
        left = trial.survivors();
        left.retain(|stray| !is_admitted(case.isolation, &stray.command_line));
        left.is_empty()
    };
    let gone = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| wait_until("", LONG, is_empty)));
    assert!(gone.is_ok(), "{text}: left after {LONG:?}: {left:#?}");
    trial.kill_survivors();
    let directory = || place.map_or_else(|| directories_of(pid), |place| directories_in(place.path(), pid));
    wait_until(&format!("{text}: the owner's directory to be removed"), LONG, || directory().is_empty());
}

/// How often a matrix is gone through.
pub(crate) fn rounds() -> u32 {
    std::env::var("PINFOLD_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1)
}

/// Every container by every ending. An owner without rights has cgroups in `place` alone.
fn try_all(
    mut owner: Part,
    escapes: &[&str],
    endings: &[&str],
    place: Option<&Delegated>,
    without_rights: bool,
) {
    let trial = begin();
    let mut isolations = guarded();
    isolations.retain(|isolation| *isolation != Isolation::Cgroup || place.is_some() || !without_rights);
    for _ in 0..rounds() {
        for &isolation in &isolations {
            let place = place.filter(|_| isolation == Isolation::Cgroup);
            for end in endings {
                let case = Case { isolation, end, escapes, program: None };
                try_one(&mut owner, &trial, &case, place);
            }
        }
    }
    trial.finish();
}

fn owner(case: &str) {
    Case::own(case);
}

/// The part of this very test that is an owner.
macro_rules! owner {
    () => {
        Part::new(|case| owner(case))
    };
}

#[test]
fn nothing_outlives_an_owner_that_ends_in_any_way() {
    let owner = owner!();
    let of_root = is_root().then_some(OF_ROOT);
    let escapes: Vec<_> = ESCAPES.into_iter().chain(of_root).collect();
    try_all(owner, &escapes, &ENDINGS, None, false);
}

#[test]
fn nothing_outlives_an_owner_without_rights_that_ends_in_any_way() {
    let owner = owner!().unprivileged();
    if given(is_root(), "root, to become somebody without its rights") {
        let place = Delegated::to_nobody();
        try_all(owner, &ESCAPES, &ENDINGS, place.as_ref(), true);
    }
}

/// Three hundred, and they are still coming while their owner ends.
#[test]
fn a_bomb_does_not_outlive_its_owner() {
    let owner = owner!();
    try_all(owner, &["bomb"], endings_of_a_bomb(), None, false);
}

#[test]
fn a_bomb_does_not_outlive_an_owner_without_rights() {
    let owner = owner!().unprivileged();
    if given(is_root(), "root, to become somebody without its rights") {
        let place = Delegated::to_nobody();
        try_all(owner, &["bomb"], endings_of_a_bomb(), place.as_ref(), true);
    }
}

fn endings_of_a_bomb() -> &'static [&'static str] {
    if rounds() > 1 { &ENDINGS } else { &FEW_ENDINGS }
}

/// The kernel picks the owner for want of memory; its guard and its keepers are in the same cgroup, and must not be hit.
#[test]
fn nothing_outlives_an_owner_that_is_killed_for_want_of_memory() {
    let mut owner = owner!();
    let trial = begin();
    if !has_controllers(&["memory"]) {
        return;
    }
    // What is admitted to get away would have the run of the owner wait for it; and what starts hundreds takes long
    // where controllers are had by emulation.
    let mut escapes = ESCAPES.to_vec();
    escapes.retain(|escape| !ADMITTED.iter().any(|(_, admitted)| admitted == escape));
    escapes.retain(|escape| !["storm", "runner"].contains(escape));
    for _ in 0..rounds() {
        for isolation in guarded() {
            let case = Case { isolation, end: "eat", escapes: &escapes, program: None };
            let limits = Limits::new().memory_max(64 << 20);
            let swapless = cgroup2_dir().is_some_and(|own| own.join("memory.swap.max").exists());
            let limits = if swapless { limits.swap_max(0) } else { limits };
            // Whatever outlives the owner is waited for, and not ended.
            let run = contained(owner.command(&trial, &case.text())).stdin_text("go\n");
            let run = run.isolation(Isolation::Cgroup).limits(limits).strays(StrayRule::Wait).timeout(LONG);
            let ended = run.output().unwrap();
            assert!(ended.stdout.lines().any(|line| line == "up"), "{isolation:?}: {ended:?}");
            // Now and then the kernel takes another one as well, while the owner is dying.
            let outcome = ended.outcome;
            assert_eq!((outcome.cause, outcome.signal()), (Cause::Itself, Some(Signal::KILL)), "{outcome}");
            assert!(outcome.limits_hit.out_of_memory(), "{isolation:?}: {outcome}");
            assert!(trial.survivors().is_empty(), "{isolation:?}: {:?}", trial.survivors());
        }
    }
}

/// A command for pinfold to run.
fn contained(command: &std::process::Command) -> Command {
    let arguments = command.get_args().map(ToOwned::to_owned);
    let envs = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let contained = Command::new(command.get_program().to_owned()).args(arguments);
    envs.fold(contained, |contained, (name, value)| contained.env(name, value))
}

/// A setuid program below an owner without rights: a cgroup ends it all the same, a user namespace lets nobody become
/// root, and below a keeper it is left, with its keeper, until it ends.
#[test]
fn who_has_become_root_outlives_an_owner_without_rights_below_a_keeper_alone() {
    let mut owner = owner!().unprivileged();
    let trial = begin();
    let directory = tempfile::tempdir().unwrap();
    let copy = setuid_fixture(directory.path());
    if !given(copy.is_some(), "root, and a place for setuid programs") {
        return;
    }
    let place = Delegated::to_nobody();
    let has_keepers = guarded().contains(&Isolation::Subreaper);
    for _ in 0..rounds() {
        for end in ENDINGS {
            let case =
                |isolation| Case { isolation, end, escapes: &["become-root"], program: copy.as_deref() };
            if let Some(place) = &place {
                try_one(&mut owner, &trial, &case(Isolation::Cgroup), Some(place));
            }
            if has_keepers {
                end_one(&mut owner, &trial, &case(Isolation::Subreaper), None);
                left_below_a_keeper(&trial, end);
            }
        }
    }
}

/// The program that has become root, and its keeper; and once that program has ended, nobody.
fn left_below_a_keeper(trial: &Trial, end: &str) {
    let mut left = Vec::new();
    wait_until(&format!("{end}: the program of root's to be alone"), LONG, || {
        left = trial.survivors();
        left.len() == 1 && !left[0].dying
    });
    assert!(left[0].command_line.contains("become-root"), "{end}: {left:?}");
    let keeper = left[0].parent.to_string();
    let name = std::fs::read_to_string(format!("/proc/{keeper}/comm")).unwrap();
    assert_eq!(name.trim_end(), "pinfold-keeper", "{end}");
    trial.kill_survivors();
    // Whoever its parent is by now may take its time over reaping it.
    let has_ended = || Stat::of(&keeper).map_or(true, |stat| stat.is_zombie());
    wait_until(&format!("{end}: its keeper to end with it"), LONG, has_ended);
}
