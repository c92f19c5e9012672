//! A live run in hand: signals, suspending, stopping, and asking how it is.

use std::time::{Duration, Instant};

use pinfold::{
    CancelToken, Cause, Command, ErrorKind, Handle, Host, Isolation, Runner, Signal, StopRule, Stream,
};
use pinfold_trials::proc::Stat;
use pinfold_trials::{Trial, wait_until};

use crate::{LONG, Of, begin, fixture, mechanisms, sh};

fn start(command: &Command) -> Handle {
    let handle = command.clone().timeout(LONG).start().unwrap();
    let is_up = |line: &str| line == "ready" || line.starts_with("peak");
    assert!(handle.stdout_lines().unwrap().map(Result::unwrap).any(|line| is_up(&line)));
    handle
}

fn up(trial: &Trial, arguments: &str, isolation: Isolation) -> Handle {
    start(&fixture(arguments).of(trial).isolation(isolation))
}

/// The state of every process of the run.
fn states(handle: &Handle) -> String {
    let state = |pid: &pinfold::Pid| Stat::of(&pid.to_string()).map_or('X', |stat| stat.state);
    handle.members().iter().map(state).collect()
}

#[test]
fn a_signal_reaches_the_program_and_signal_all_everything() {
    let trial = begin();
    // Two that tell their signals, one the child of the other.
    let script = "\"$0\" trap USR1,USR2 & exec \"$0\" trap USR1,USR2";
    for isolation in mechanisms() {
        let command = sh(script).arg(pinfold_trials::fixture()).of(&trial).isolation(isolation).timeout(LONG);
        let handle = command.start().unwrap();
        let mut lines = handle.stdout_lines().unwrap();
        let mut next =
            |expected: &str| assert_eq!(lines.next_line().unwrap(), Some(expected), "{isolation:?}");
        next("ready");
        next("ready");
        handle.signal(Signal::USR1).unwrap();
        next("USR1");
        handle.signal_all(Signal::USR2).unwrap();
        next("USR2");
        next("USR2");
        assert_eq!(handle.members().len(), 2);
        handle.kill().unwrap();
        for (what, result) in [
            ("signalled", handle.signal(Signal::USR1)),
            ("signalled", handle.signal_all(Signal::USR1)),
            ("suspended", handle.suspend()),
            ("resumed", handle.resume()),
        ] {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
            assert!(error.to_string().contains(what), "{error}");
        }
        assert_eq!(handle.members(), []);
    }
}

#[test]
fn what_is_suspended_does_nothing_until_it_is_resumed() {
    let trial = begin();
    for isolation in mechanisms() {
        let handle = up(&trial, "tree 1 3", isolation);
        handle.suspend().unwrap();
        let stopped = |handle: &Handle| match isolation {
            // The freezer has no letter of its own; what is frozen can be asked of its cgroup alone.
            Isolation::Cgroup => frozen(handle),
            _ => states(handle) == "TTTT",
        };
        wait_until("all to be suspended", LONG, || stopped(&handle));
        assert!(handle.try_wait().unwrap().is_none());
        handle.resume().unwrap();
        wait_until("all to be resumed", LONG, || !stopped(&handle));
        assert_eq!(handle.stop().unwrap().signal(), Some(Signal::TERM));
    }
}

/// Whether the kernel says so of the cgroup of the program.
fn frozen(handle: &Handle) -> bool {
    let own = std::fs::read_to_string(format!("/proc/{}/cgroup", handle.pid())).unwrap();
    let own = own.lines().find_map(|line| line.strip_prefix("0::/")).unwrap().to_owned();
    let root = pinfold_trials::cgroup2_dir().unwrap();
    // Ours is a directory below that of this test.
    let name: Vec<_> = own.rsplit('/').take(2).collect();
    let events = std::fs::read_to_string(root.join(name[1]).join(name[0]).join("cgroup.events")).unwrap();
    events.contains("frozen 1")
}

#[test]
fn what_is_suspended_can_be_stopped_and_hears_the_signal() {
    let trial = begin();
    for isolation in mechanisms() {
        for (rule, code) in
            [(StopRule { signal: Signal::TERM, grace: LONG }, Some(9)), (StopRule::KILL, None)]
        {
            let handle = up(&trial, "trap USR1 --exit-on TERM:9", isolation);
            handle.suspend().unwrap();
            assert_eq!(handle.stop_by(rule).unwrap().code(), code, "{isolation:?}");
        }
        let handle = up(&trial, "tree 1 2", isolation);
        handle.suspend().unwrap();
        drop(handle);
        assert!(trial.survivors().is_empty(), "{isolation:?}");
    }
}

#[test]
fn stopping_goes_up_its_ladder() {
    let trial = begin();
    let grace = Duration::from_millis(50);
    for isolation in mechanisms() {
        type Row = (&'static str, StopRule, &'static str, bool);
        let rows: [Row; 5] = [
            (
                "trap USR1 --exit-on TERM:9",
                StopRule { signal: Signal::TERM, grace: LONG },
                "exited with code 9",
                false,
            ),
            (
                "trap USR1 --exit-on INT:9",
                StopRule { signal: Signal::INT, grace: LONG },
                "exited with code 9",
                false,
            ),
            ("trap TERM", StopRule { signal: Signal::TERM, grace }, "was ended by SIGKILL", true),
            (
                "trap TERM",
                StopRule { signal: Signal::TERM, grace: Duration::ZERO },
                "was ended by SIGKILL",
                false,
            ),
            ("trap all", StopRule { signal: Signal::HUP, grace }, "was ended by SIGKILL", true),
        ];
        for (program, rule, said, waits) in rows {
            let handle = up(&trial, program, isolation);
            let begun = Instant::now();
            let outcome = handle.stop_by(rule).unwrap();
            assert_eq!(outcome.to_string(), format!("was stopped and {said}"), "{program}");
            assert!(begun.elapsed() < LONG);
            assert!(!waits || begun.elapsed() >= grace, "it had its grace");
            assert!(trial.survivors().is_empty());
        }
    }
}

#[test]
fn the_rule_of_the_command_is_that_of_stop_and_of_cancelling() {
    let trial = begin();
    let rule = StopRule { signal: Signal::USR2, grace: LONG };
    let command = fixture("trap USR1 --exit-on USR2:3").of(&trial).stop_rule(rule);
    assert_eq!(start(&command).stop().unwrap().code(), Some(3));

    let token = CancelToken::new();
    let handle = Host::new().cancel_on(&token).start(&command).unwrap();
    assert_eq!(handle.stdout_lines().unwrap().next().unwrap().unwrap(), "ready");
    token.cancel();
    let outcome = handle.wait().unwrap();
    assert_eq!((outcome.cause, outcome.code()), (Cause::Cancelled, Some(3)));
}

#[test]
fn one_token_ends_many_and_a_child_token_only_its_own() {
    let trial = begin();
    let (token, other) = (CancelToken::new(), CancelToken::new());
    let child = token.child();
    let command = fixture("trap USR1 --exit-on TERM:0").of(&trial);
    let on = |token: &CancelToken| Host::new().cancel_on(token).start(&command).unwrap();
    let (all, alone, stranger) = ([on(&token), on(&token), on(&child)], on(&child), on(&other));
    child.cancel();
    for handle in [&alone, &all[2]] {
        assert_eq!(handle.wait().unwrap().cause, Cause::Cancelled);
    }
    assert!(all[0].try_wait().unwrap().is_none());
    token.cancel();
    for handle in &all {
        assert_eq!(handle.wait().unwrap().cause, Cause::Cancelled);
    }
    assert!(stranger.try_wait().unwrap().is_none());
    stranger.kill().unwrap();
}

#[test]
fn what_it_uses_is_told_while_it_runs() {
    let trial = begin();
    for isolation in mechanisms() {
        let handle = up(&trial, "alloc 64M --hold", isolation);
        assert!(handle.usage().peak_memory.unwrap() >= 64 << 20, "{isolation:?}");
        assert!(handle.usage().cpu_time() > Duration::ZERO);
        let (early, early_usage) = (handle.elapsed(), handle.usage().cpu_time());
        assert!(handle.usage().cpu_time() >= early_usage);
        let outcome = handle.kill().unwrap();
        assert!(handle.elapsed() >= early);
        assert_eq!(handle.elapsed(), outcome.duration);
        assert_eq!(handle.usage(), outcome.usage);
    }
}

#[test]
fn members_are_all_of_it() {
    let trial = begin();
    for isolation in mechanisms() {
        let handle = fixture("tree 2 3").of(&trial).isolation(isolation).timeout(LONG).start().unwrap();
        let told = handle.stdout_lines().unwrap().map(Result::unwrap).take_while(|line| line != "ready");
        let mut told: Vec<u32> =
            told.map(|line| line.strip_prefix("pid ").unwrap().parse().unwrap()).collect();
        let mut members: Vec<u32> = handle.members().into_iter().map(|pid| pid.get()).collect();
        told.sort_unstable();
        members.sort_unstable();
        // In a namespace of their own they know each other by other numbers.
        if isolation != Isolation::PidNamespace {
            assert_eq!(members, told, "{isolation:?}");
        }
        assert_eq!((members.len(), told.len()), (13, 13), "{isolation:?}");
        handle.kill().unwrap();
    }
}

#[test]
fn seen_counts_what_came_so_far() {
    let trial = begin();
    let handle = fixture("both 10").of(&trial).start().unwrap();
    handle.wait().unwrap();
    let seen = handle.seen(Stream::Stderr).unwrap();
    assert_eq!((seen.lines, seen.bytes, seen.truncated), (10, 61, false));
    let handle = fixture("both 10").of(&trial).stderr(pinfold::Stdio::Null).start().unwrap();
    assert_eq!(handle.seen(Stream::Stderr), None);
}
