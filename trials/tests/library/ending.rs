//! Ways in which a run can end, and what is left of it then: nothing, save what its mechanism admits.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use pinfold::{
    CancelToken, Cause, Command, Guarantee, Handle, Host, Isolation, Limit, Mechanism, Overflow,
    ProcessGroup, Runner, StopRule, StrayRule,
};
use pinfold_trials::descriptors::Descriptor;
use pinfold_trials::{Trial, given, is_root, setuid_fixture, wait_until};

use crate::part::Part;
use crate::{LONG, Of, begin, fixture, mechanisms, sh};

/// Every kind of descendant, and whether it leaves the process group.
const KINDS: [(&str, bool); 10] = [
    ("plain", false),
    ("new-group", true),
    ("setsid", true),
    ("double-fork", false),
    ("daemon", true),
    ("chain", true),
    ("ignore-term", false),
    ("setsid-ignore-term", true),
    ("hold-pipe", false),
    ("subreaper", false),
];

/// A way for a run to end: the command with a descendant of some kind, and what is done once that is up. Gives the cause
/// that is told, if there is somebody left to be told.
struct Way {
    name: &'static str,
    command: fn(&str) -> Command,
    end: fn(Handle, &CancelToken) -> Option<Cause>,
}

/// A program that stays, as its descendant does.
fn stay(kind: &str) -> Command {
    fixture("escape").args([kind, "--stay"])
}

/// Waits for an end that comes by itself.
fn wait(handle: Handle, _: &CancelToken) -> Option<Cause> {
    let cause = handle.wait().unwrap().cause;
    drop(handle);
    Some(cause)
}

fn drop_it(handle: Handle, _: &CancelToken) -> Option<Cause> {
    drop(handle);
    None
}

fn panic_with_it(handle: Handle, _: &CancelToken) -> Option<Cause> {
    let unwound = catch_unwind(AssertUnwindSafe(move || {
        let _owned = handle;
        // A panic without its message on the terminal.
        resume_unwind(Box::new(()));
    }));
    assert!(unwound.is_err());
    None
}

fn cancel(handle: Handle, token: &CancelToken) -> Option<Cause> {
    token.cancel();
    wait(handle, token)
}

const WAYS: [Way; 9] = [
    Way { name: "drop", command: stay, end: drop_it },
    Way { name: "stop", command: stay, end: |handle, _| Some(handle.stop().unwrap().cause) },
    Way { name: "kill", command: stay, end: |handle, _| Some(handle.kill().unwrap().cause) },
    Way {
        name: "timeout",
        // Long enough for the descendant to come up, on all but the slowest machines.
        command: |kind| stay(kind).timeout(Duration::from_millis(500)),
        end: wait,
    },
    Way {
        name: "idle timeout",
        command: |kind| stay(kind).idle_timeout(Duration::from_millis(200)),
        end: wait,
    },
    Way { name: "cancel", command: stay, end: cancel },
    Way {
        name: "output limit",
        command: |kind| {
            let limit = Limit { max_bytes: None, max_lines: Some(1), on_overflow: Overflow::Error };
            let script = "\"$0\" escape $1; echo too much; exec sleep 100";
            sh(script).arg(pinfold_trials::fixture()).arg(kind).output_limit(limit)
        },
        end: wait,
    },
    Way { name: "panic", command: stay, end: panic_with_it },
    Way { name: "its own end", command: |kind| fixture("escape").arg(kind), end: wait },
];

impl Way {
    /// What the outcome says of it.
    fn cause(&self) -> Option<Cause> {
        match self.name {
            "stop" | "kill" => Some(Cause::Stopped),
            "timeout" => Some(Cause::Timeout),
            "idle timeout" => Some(Cause::IdleTimeout),
            "cancel" => Some(Cause::Cancelled),
            "output limit" => Some(Cause::OutputLimit),
            "its own end" => Some(Cause::Itself),
            _ => None,
        }
    }
}

/// Ends a run of each kind in each way.
fn end_in_every_way(trial: &Trial, isolation: Isolation) {
    WAYS.iter().for_each(|way| end_all_in(way, trial, isolation));
}

/// Ends runs of all kinds at once.
fn end_all_in(way: &Way, trial: &Trial, isolation: Isolation) {
    let token = CancelToken::new();
    let host = Host::new().cancel_on(&token);
    let start = |(kind, leaves): (&'static str, bool)| {
        let command = (way.command)(kind).of(trial).isolation(isolation);
        let command = command.timeout_grace(Duration::from_millis(50));
        let handle = host.start(&command.strays(StrayRule::StopAfter(Duration::ZERO))).unwrap();
        (kind, leaves, handle)
    };
    let of_root = is_root().then_some(("become-nobody", false));
    let started: Vec<_> = KINDS.into_iter().chain(of_root).map(start).collect();
    let mechanism = started[0].2.mechanism();
    let mut expected = BTreeSet::new();
    let mut all_up = true;
    let mut handles = Vec::new();
    for (kind, leaves, handle) in started {
        // The group does not reach those, and nothing else was promised.
        let admitted = mechanism == Mechanism::ProcessGroup && leaves;
        match up(&handle) {
            Some(pid) => expected.extend(admitted.then_some(pid)),
            None => {
                assert!(way.name.ends_with("timeout"), "{}: {kind} did not come up", way.name);
                all_up &= !admitted;
            }
        }
        handles.push((kind, handle));
    }
    for (kind, handle) in handles {
        assert_eq!((way.end)(handle, &token), way.cause(), "{} {kind}", way.name);
    }
    let left: BTreeSet<u32> = trial.survivors().iter().map(|stray| stray.pid.unsigned_abs()).collect();
    // On a machine so slow that time was up first, nobody knows who was on the way out of the group.
    if all_up {
        assert_eq!(left, expected, "{} {mechanism}: {:?}", way.name, trial.survivors());
    }
    trial.kill_survivors();
}

/// The pid of the descendant, once it is up.
fn up(handle: &Handle) -> Option<u32> {
    let line = handle.stdout_lines().unwrap().next()?.unwrap();
    line.strip_prefix("ready ").unwrap().parse().ok()
}

#[test]
fn nothing_is_left_of_a_run_however_it_ends() {
    let trial = begin();
    for _ in 0..crate::matrix::rounds() {
        for isolation in mechanisms() {
            end_in_every_way(&trial, isolation);
        }
    }
}

/// Ends runs of all kinds in a process for which these features are hidden.
macro_rules! without {
    ($($test:ident: $denied:literal,)*) => {$(
        #[test]
        fn $test() {
            let part = Part::new(|denied| end_where_the_kernel_lacks(denied)).env("PINFOLD_DENY", $denied);
            run_where_the_kernel_lacks(part, $denied);
        }
    )*};
}

without! {
    nothing_is_left_without_cgroups: "cgroup",
    nothing_is_left_without_cgroups_and_clone3: "cgroup,clone3",
    nothing_is_left_without_cgroups_with_fork_alone: "cgroup,clone3,vfork",
    nothing_is_left_of_a_group: "cgroup,subreaper",
    nothing_is_left_without_handles_of_groups: "cgroup,subreaper,pidfd_group",
    nothing_is_left_without_cgroups_and_pidfds: "cgroup,pidfd",
    nothing_is_left_without_a_kill_of_cgroups: "cgroup_kill",
    nothing_is_left_without_pidfds: "pidfd",
    nothing_is_left_without_clone3: "clone3",
    nothing_is_left_with_fork_alone: "clone3,vfork",
    nothing_is_left_without_a_guard: "guard",
}

fn run_where_the_kernel_lacks(mut part: Part, denied: &str) {
    let trial = begin();
    if denied.starts_with("cgroup") && denied != "cgroup_kill" || mechanisms().contains(&Isolation::Cgroup) {
        part.pass(&trial, denied);
    }
}

fn end_where_the_kernel_lacks(denied: &str) {
    let mut trial = begin();
    let is_event = |descriptor: &Descriptor| descriptor.target == "anon_inode:[eventfd]";
    // Without a pidfd the handle of the guard is two of these, and cannot be told from others.
    if denied == "pidfd" {
        trial.allow_fds(is_event);
    }
    let mechanism = fixture("exit 0").of(&trial).plan().unwrap().mechanism();
    let lacks = |feature: &str| denied.split(',').any(|denied| denied == feature);
    let expected = match (lacks("cgroup"), lacks("subreaper") || lacks("pidfd")) {
        (false, _) => Mechanism::CgroupV2,
        (true, false) => Mechanism::Subreaper,
        (true, true) => Mechanism::ProcessGroup,
    };
    assert_eq!(mechanism, expected, "without {denied}");
    // Whose time has come is of no concern to how all of it is ended.
    let quick = WAYS.iter().filter(|way| ["drop", "stop", "kill", "its own end"].contains(&way.name));
    quick.for_each(|way| end_all_in(way, &trial, Isolation::Best));
    let events = || Descriptor::all().unwrap().into_iter().filter(is_event).count();
    wait_until("the threads of the dead to end", LONG, || events() <= if denied == "pidfd" { 2 } else { 0 });
}

#[test]
fn nothing_is_left_either_for_a_user_without_rights() {
    let mut part = Part::new(|_| end_in_every_way(&begin(), Isolation::Best)).unprivileged();
    let trial = begin();
    let mut reach = std::process::Command::new(pinfold_trials::fixture());
    let can = pinfold_trials::as_nobody(reach.args(["exit", "0"])).status().is_ok();
    if given(is_root() && can, "root, and a fixture that everybody can execute") {
        part.pass(&trial, "");
    }
}

#[test]
fn a_run_after_a_killed_one_is_none_the_worse() {
    let trial = begin();
    for isolation in mechanisms() {
        for _ in 0..3 {
            let handle = fixture("sleep 100").of(&trial).isolation(isolation).start().unwrap();
            handle.kill().unwrap();
            let after = fixture("exit 0").of(&trial).isolation(isolation);
            assert_eq!(after.exit_code().unwrap(), 0, "{isolation:?}");
        }
    }
}

/// Before the first of a namespace ends, and all others with it, it waits for the program to have died and tells of it.
#[test]
fn a_program_that_is_long_in_dying_is_told_as_any_other() {
    let trial = begin();
    if !mechanisms().contains(&Isolation::PidNamespace) {
        return;
    }
    // Its memory is given back in its own time on a CPU, of which it gets next to none.
    let busy = fixture("burn 100").of(&trial).affinity([0]).start().unwrap();
    let slow = fixture("alloc 100M --hold").of(&trial).isolation(Isolation::PidNamespace);
    let handle = slow.affinity([0]).start().unwrap();
    assert!(handle.stdout_lines().unwrap().next().unwrap().unwrap().starts_with("peak"));
    let pid = rustix::process::Pid::from_raw(handle.pid().get() as i32);
    rustix::process::setpriority_process(pid, 19).unwrap();
    let outcome = handle.kill().unwrap();
    assert_eq!(outcome.signal(), Some(pinfold::Signal::KILL));
    assert!(outcome.usage.cpu_time() > Duration::ZERO, "{outcome:?}");
    drop((handle, busy));
    trial.finish();
}

#[test]
fn who_has_become_another_user_is_named_and_holds_nothing_up() {
    let mut part = Part::new(|case| {
        let (wanted, copy) = case.split_once(' ').unwrap();
        let isolation = crate::isolation(wanted);
        let grace = Duration::from_millis(50);
        let command = Command::new(copy).args(["escape", "become-root", "--stay"]).timeout_grace(grace);
        let handle = command.clone().isolation(isolation).start().unwrap();
        let pid = up(&handle).unwrap();
        let outcome = handle.stop().unwrap();
        assert_eq!((outcome.cause, outcome.duration < LONG), (Cause::Stopped, true));
        let named: Vec<u32> = outcome.strays.beyond_reach.iter().map(|stray| stray.pid.get()).collect();
        assert_eq!(named, [pid], "{outcome:?}");
        let rule = StopRule { grace, ..StopRule::default() };
        let group = ProcessGroup::builder().isolation(isolation).stop_rule(rule).make().unwrap();
        let handle = group.start(&command).unwrap();
        assert!(up(&handle).is_some());
        let report = group.stop().unwrap();
        assert_eq!((report.members_after, report.escalated, report.duration < LONG), (1, true, true));
    })
    .unprivileged();
    let trial = begin();
    let place = tempfile::tempdir().unwrap();
    let copy = setuid_fixture(place.path());
    if given(copy.is_some(), "root, and a place for setuid programs") {
        for wanted in ["subreaper", "process-group"] {
            part.pass(&trial, &format!("{wanted} {}", copy.as_ref().unwrap().display()));
            assert_eq!(trial.survivors().len(), 2, "{wanted}: {:?}", trial.survivors());
            trial.kill_survivors();
        }
    }
}

#[test]
fn a_process_group_is_left_behind_by_an_owner_that_exits() {
    // What the words of its guarantee say; the stronger mechanisms have the tests of owners.
    let mut part = Part::new(|_| {
        let handle = fixture("escape plain --stay").isolation(Isolation::ProcessGroup).start().unwrap();
        assert_eq!(handle.guarantee(), Guarantee::BestEffort);
        assert!(up(&handle).is_some());
        std::process::exit(3);
    });
    let trial = begin();
    assert_eq!(part.output(&trial, "").status.code(), Some(3));
    assert_eq!(trial.survivors().len(), 2);
    trial.kill_survivors();
}

#[test]
fn the_end_of_a_verb_by_an_error_leaves_nothing() {
    let trial = begin();
    for isolation in mechanisms() {
        // The line comes when the descendant is up, and is refused as JSON only after the end.
        let command =
            fixture("escape setsid-ignore-term").of(&trial).timeout_grace(Duration::ZERO).timeout(LONG);
        let command = command.isolation(isolation).strays(StrayRule::StopAfter(Duration::ZERO));
        assert!(command.output_json::<u8>().is_err());
        if isolation != Isolation::ProcessGroup {
            assert!(trial.survivors().is_empty());
        }
        trial.kill_survivors();
    }
}
