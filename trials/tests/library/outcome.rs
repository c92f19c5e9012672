//! The truth about an ending: codes, signals, time, memory, and who was left.

use std::time::Duration;

use pinfold::{
    CancelToken, Cause, Command, Ending, ErrorKind, Host, Isolation, Mechanism, Outcome, Resource, Runner,
    Signal, Stray, StrayRule,
};
use pinfold_trials::{Trial, given, wait_until, with_time_enough};

use crate::{LONG, Of, begin, fixture, mechanisms, sh};

fn of(command: &Command) -> Outcome {
    command.output_bytes().unwrap().outcome
}

#[test]
fn every_code_is_told() {
    let trial = begin();
    for isolation in mechanisms() {
        for code in [0, 1, 2, 9, 15, 42, 75, 126, 127, 128, 129, 137, 143, 254, 255] {
            let outcome = of(&fixture("exit").arg(code.to_string()).of(&trial).isolation(isolation));
            assert_eq!((outcome.code(), outcome.signal(), outcome.cause), (Some(code), None, Cause::Itself));
            assert_eq!(outcome.exited_zero(), code == 0);
            assert!(!outcome.timed_out() && !outcome.core_dumped());
        }
    }
}

#[test]
fn every_deadly_signal_is_told_by_name() {
    let trial = begin();
    let harmless = [
        Signal::CHLD,
        Signal::CONT,
        Signal::STOP,
        Signal::TSTP,
        Signal::TTIN,
        Signal::TTOU,
        Signal::URG,
        Signal::WINCH,
    ];
    for signal in Signal::named().filter(|signal| !harmless.contains(signal)) {
        let name = signal.name().unwrap();
        let outcome = of(&fixture("signal").arg(name.clone()).of(&trial));
        assert_eq!(outcome.ending, Ending::Signalled { signal, core_dumped: false }, "{name}");
        assert_eq!(outcome.to_string(), format!("was ended by SIG{name}"));
    }
    // A shell that saw its child end by a signal returns a code, and that is what is told.
    assert_eq!(of(&sh("sh -c 'kill -9 $$'; exit $?").of(&trial)).code(), Some(137));
}

#[test]
fn a_core_that_was_dumped_is_told() {
    let trial = begin();
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    let hard = rustix::process::getrlimit(rustix::process::Resource::Core).maximum;
    if !given(!pattern.starts_with('|') && hard != Some(0), "a kernel that writes cores to files") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let command = fixture("abort --core").of(&trial).cwd(folder.path()).rlimit(Resource::Core, None, None);
    let command = if hard.is_none() { command } else { command.rlimit(Resource::Core, hard, hard) };
    let outcome = of(&command);
    assert!(outcome.core_dumped(), "{outcome}");
    assert_eq!(outcome.to_string(), "was ended by SIGABRT (core dumped)");
    let outcome = of(&fixture("abort").of(&trial).cwd(folder.path()));
    assert_eq!((outcome.signal(), outcome.core_dumped()), (Some(Signal::ABRT), false));
}

#[test]
fn who_is_ended_with_the_program_is_told() {
    let trial = begin();
    for isolation in mechanisms() {
        let host = |token: &CancelToken| {
            let told = token.clone();
            Host::new().cancel_on(token).on_line(move |_, _| told.cancel())
        };
        let is_told = |error: pinfold::Error| {
            assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
            assert!(error.to_string().contains(", and 1 other process was ended with it"), "{error}");
            let output = error.output().unwrap();
            let ended_with = output.outcome.ended_with.clone().unwrap();
            assert_eq!((ended_with.count, output.outcome.strays.count), (1, 0), "{error:#?}");
            let child = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            // In a namespace of its own it has another number.
            if isolation != Isolation::PidNamespace {
                assert_eq!(ended_with.some[0].pid.to_string(), child, "{error:#?}");
            }
        };
        let one = sh("sleep 1000 & echo $!; wait").of(&trial).isolation(isolation);
        is_told(host(&CancelToken::new()).output_bytes(&one).unwrap_err());
        let first = fixture("sleep 60").of(&trial).isolation(isolation);
        let pipeline = first.pipe(one.clone());
        is_told(pipeline.on(host(&CancelToken::new())).output_bytes().unwrap_err());

        let alone =
            of(&fixture("sleep 60").of(&trial).isolation(isolation).timeout(Duration::from_millis(50)));
        assert_eq!((alone.ended_with.map(|with| with.count), alone.cause), (Some(0), Cause::Timeout));
        assert_eq!(of(&fixture("exit 0").of(&trial).isolation(isolation)).ended_with, None);
        let handle = one.start().unwrap();
        assert_eq!(handle.stop().unwrap().ended_with, None, "who tells it to stop has not asked");
    }
    assert!(trial.survivors().is_empty());
}

#[test]
fn duration_is_from_the_start_to_the_end_of_all_of_it() {
    let trial = begin();
    let begun = std::time::Instant::now();
    let outcome = of(&fixture("sleep 0.2").of(&trial));
    let around = begun.elapsed();
    assert!(outcome.duration >= Duration::from_millis(200) && outcome.duration <= around, "{outcome:?}");
    let waits =
        fixture("escape plain").of(&trial).strays(StrayRule::Wait).timeout(Duration::from_millis(300));
    assert!(of(&waits).duration >= Duration::from_millis(300), "the program itself ended long before");
}

#[test]
fn time_on_cpus_is_that_of_every_process_of_the_run() {
    let trial = begin();
    let burnt = |isolation, script: &str| {
        let command = sh(script).arg(pinfold_trials::fixture()).of(&trial).isolation(isolation).timeout(LONG);
        of(&command.strays(StrayRule::Wait)).usage.cpu_time()
    };
    for isolation in mechanisms() {
        let (least, most) = (Duration::from_millis(290), Duration::from_millis(2000));
        let waited_for = burnt(isolation, "\"$0\" burn 0.1; \"$0\" burn 0.2");
        assert!((least..most).contains(&waited_for), "{isolation:?}: {waited_for:?}");
        // Nobody waits for that one: in a cgroup it counts, elsewhere the docs say that it does not.
        let orphan = burnt(isolation, "\"$0\" burn 0.3 &");
        let counted = (least..most).contains(&orphan);
        assert_eq!(counted, isolation == Isolation::Cgroup, "{isolation:?}: {orphan:?}");
        // The next occupant of a cgroup begins at nothing.
        let nothing = of(&fixture("exit 0").of(&trial).isolation(isolation)).usage.cpu_time();
        assert!(nothing < least, "{isolation:?}: {nothing:?}");
    }
}

#[test]
fn peak_memory_is_the_kernels_or_is_not_told() {
    let trial = begin();
    for isolation in mechanisms() {
        let peak =
            |arguments: &str| of(&fixture(arguments).of(&trial).isolation(isolation)).usage.peak_memory;
        let large = peak("alloc 200M").unwrap();
        assert!(((200 << 20)..(260 << 20)).contains(&large), "{large}");
        let script = "\"$0\" alloc 200M; exit 0";
        let command = sh(script).arg(pinfold_trials::fixture()).of(&trial).isolation(isolation);
        let large = of(&command).usage.peak_memory.unwrap();
        assert!(((200 << 20)..(260 << 20)).contains(&large), "of the largest of its processes: {large}");
        // We are larger than that, and it began with our size.
        let ballast = vec![1_u8; 64 << 20];
        assert_eq!(peak("exit 0"), None, "{}", ballast.len());
    }
}

/// A run whose program ends at once and leaves a descendant behind: what is told of that.
fn strays(trial: &Trial, kind: &str, isolation: Isolation, rule: StrayRule) -> (Outcome, Stray) {
    // Whoever obeys has all the time that it needs, and is not killed because the machine is slow.
    let grace = if kind == "ignore-term" { Duration::from_millis(50) } else { LONG };
    let command = fixture("escape").arg(kind).of(trial).isolation(isolation).strays(rule);
    let output = command.timeout_grace(grace).output().unwrap();
    let pid = output.stdout.trim_end().strip_prefix("ready ").unwrap().parse().unwrap();
    (output.outcome, Stray { pid: pinfold::Pid::new(pid).unwrap(), name: "fixture".to_owned() })
}

#[test]
fn who_outlived_the_program_is_named_and_ended() {
    let trial = begin();
    let soon = StrayRule::StopAfter(Duration::ZERO);
    for isolation in mechanisms() {
        for (kind, killed) in [("plain", false), ("double-fork", false), ("ignore-term", true)] {
            let (outcome, stray) = strays(&trial, kind, isolation, soon);
            assert_eq!((outcome.code(), outcome.cause), (Some(0), Cause::Itself), "{kind}");
            assert_eq!(outcome.strays.count, 1, "{kind}");
            assert_eq!(outcome.strays.killed, killed, "{kind} {isolation:?}");
            // In a namespace of its own it knows itself by another number.
            if isolation == Isolation::PidNamespace {
                assert_eq!(outcome.strays.some[0].name, stray.name, "{kind}");
            } else {
                assert_eq!(outcome.strays.some, [stray], "{kind} {isolation:?}");
            }
            assert_eq!(outcome.strays.holding_output, [], "{kind}");
            assert!(trial.survivors().is_empty());
        }
        let clean = of(&fixture("exit 0").of(&trial).isolation(isolation)).strays;
        assert_eq!((clean.count, clean.killed, clean.some), (0, false, vec![]));
    }
}

#[test]
fn who_ends_in_time_is_no_stray() {
    let trial = begin();
    for isolation in mechanisms() {
        let command = sh("(sleep 0.05; echo late) &").of(&trial).isolation(isolation);
        for rule in [StrayRule::StopAfter(LONG), StrayRule::Wait] {
            let output = command.clone().strays(rule).output().unwrap();
            assert_eq!(
                (&*output.stdout, output.outcome.strays.count),
                ("late\n", 0),
                "{isolation:?} {rule:?}"
            );
        }
    }
}

#[test]
fn strays_that_are_waited_for_end_by_a_stop_or_a_timeout() {
    let trial = begin();
    for isolation in mechanisms() {
        let command = fixture("escape plain").of(&trial).isolation(isolation).strays(StrayRule::Wait);
        let handle = command.clone().timeout(LONG).start().unwrap();
        assert!(handle.stdout_lines().unwrap().next().unwrap().unwrap().starts_with("ready"));
        wait_until("the end of the program itself", LONG, || {
            assert!(handle.try_wait().unwrap().is_none());
            let is_kept = matches!(isolation, Isolation::Subreaper | Isolation::PidNamespace);
            let is_there = std::path::Path::new(&format!("/proc/{}", handle.pid())).exists();
            // A keeper tells of an end before it takes the record of it.
            !is_there || !is_kept && handle.members().len() == 1
        });
        let outcome = handle.stop().unwrap();
        // The program ended by itself, and what was left of it was stopped.
        assert_eq!((outcome.code(), outcome.strays.count), (Some(0), 1), "{isolation:?}");

        let outcome = with_time_enough(|limit| {
            let output = command.clone().timeout(limit).output().unwrap();
            // By then its descendant is up, and nothing is left to be done but to end.
            output.stdout.starts_with("ready").then_some(output.outcome)
        });
        assert_eq!((outcome.cause, outcome.code(), outcome.strays.count), (Cause::Timeout, Some(0), 1));
    }
}

#[test]
fn many_strays_are_counted_and_the_first_of_them_named() {
    let trial = begin();
    for isolation in mechanisms() {
        // Each has become what it is called by when the shell ends.
        let script = "for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do sleep 100 & pids=\"$pids $!\"; done
            for pid in $pids; do until read name < /proc/$pid/comm && [ $name = sleep ]; do :; done; done";
        let outcome = of(&sh(script).of(&trial).isolation(isolation));
        assert_eq!((outcome.strays.count, outcome.strays.some.len()), (20, 16), "{isolation:?}");
        assert!(outcome.strays.some.iter().all(|stray| stray.name == "sleep"));
    }
}

#[test]
fn who_holds_the_output_from_outside_is_named_and_holds_nothing_up() {
    let mut trial = begin();
    // `setsid` leaves the process group before it becomes the other program, and the pipe goes with it.
    let script = "setsid sleep 100 & echo $!; until read name < /proc/$!/comm && [ $name = sleep ]; do :; done; exit 6";
    let command = sh(script).of(&trial).isolation(Isolation::ProcessGroup);
    let output = command.timeout(LONG).output().unwrap();
    let pid: u32 = output.stdout.trim_end().parse().unwrap();
    trial.expect_survivor(pid);
    assert_eq!((output.outcome.code(), output.outcome.cause), (Some(6), Cause::Itself));
    let holding = &output.outcome.strays.holding_output;
    assert_eq!(
        holding.iter().map(|stray| (stray.pid.get(), &*stray.name)).collect::<Vec<_>>(),
        [(pid, "sleep")]
    );
    assert_eq!(output.outcome.mechanism, Mechanism::ProcessGroup);
}

#[test]
fn all_seen_is_counted_whether_it_is_kept_or_not() {
    let trial = begin();
    let outcome = of(&fixture("both 7").of(&trial));
    assert_eq!((outcome.stdout.unwrap().lines, outcome.stdout.unwrap().bytes), (7, 42));
    assert_eq!((outcome.stderr.unwrap().lines, outcome.stderr.unwrap().bytes), (7, 42));
    let outcome = of(&fixture("partial x").of(&trial));
    assert_eq!(
        (outcome.stdout.unwrap().lines, outcome.stdout.unwrap().bytes),
        (1, 1),
        "an unfinished line is one"
    );
}

#[test]
fn an_outcome_is_the_same_after_a_journey_as_json() {
    let trial = begin();
    for command in
        [fixture("exit 3").of(&trial), fixture("signal TERM").of(&trial), sh("sleep 9 & echo x").of(&trial)]
    {
        let output = command.output().unwrap();
        let json = serde_json::to_string(&output).unwrap();
        let again: pinfold::Output = serde_json::from_str(&json).unwrap();
        assert_eq!(
            (again.outcome.ending, &again.outcome.strays),
            (output.outcome.ending, &output.outcome.strays)
        );
        assert_eq!((again.stdout, again.stderr), (output.stdout, output.stderr));
    }
}
