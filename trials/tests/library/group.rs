//! Several commands in one container: who is in it, what becomes of all of it at once, and when.

use std::time::{Duration, Instant};

use pinfold::{
    Cause, Command, ErrorKind, GroupEvent, Guarantee, Handle, Host, Isolation, Limits, Machine, Mechanism,
    Pid, ProcessGroup, Runner, Sandbox, Signal, StopRule,
};
use pinfold_os::poll;
use pinfold_trials::proc::Stat;
use pinfold_trials::{Trial, can_write_cgroup2, given, wait_until};

use crate::owner::directories_of;
use crate::part::Part;
use crate::{LONG, Of, begin, fixture, mechanisms, sh};

const CGROUPS: &str = "a cgroup v2 directory that can be written to";

fn group(isolation: Isolation) -> ProcessGroup {
    ProcessGroup::builder().isolation(isolation).make().unwrap()
}

/// A tree of so many children, all up.
fn tree(group: &ProcessGroup, trial: &Trial, children: usize) -> Handle {
    up(group, &fixture(&format!("tree 1 {children}")).of(trial))
}

fn up(group: &ProcessGroup, command: &Command) -> Handle {
    let handle = group.start(command).unwrap();
    assert!(handle.stdout_lines().unwrap().map(Result::unwrap).any(|line| line.starts_with("ready")));
    handle
}

fn sorted(mut pids: Vec<Pid>) -> Vec<Pid> {
    pids.sort_unstable_by_key(|pid| pid.get());
    pids
}

#[test]
fn members_are_those_of_all_its_runs_and_of_the_groups_in_it() {
    let trial = begin();
    for isolation in mechanisms() {
        let group = group(isolation);
        assert!(group.is_empty());
        let inner = group.group().unwrap();
        assert_eq!(inner.mechanism(), group.mechanism());
        let (one, two, three) = (tree(&group, &trial, 1), tree(&group, &trial, 2), tree(&inner, &trial, 3));
        let own: Vec<Pid> = [&one, &two].into_iter().flat_map(Handle::members).collect();
        let all: Vec<Pid> = own.iter().copied().chain(three.members()).collect();
        assert_eq!((own.len(), all.len()), (5, 9));
        assert_eq!(sorted(group.members()), sorted(all), "{isolation:?}");
        assert_eq!(sorted(inner.members()), sorted(three.members()));
        let told = group.members_info();
        assert_eq!(told.len(), 9);
        for member in told {
            let stat = Stat::of(&member.pid.to_string()).unwrap();
            assert_eq!((member.ppid, member.name.as_str()), (stat.ppid as u32, "fixture"));
            assert_eq!(member.started, Duration::from_millis(stat.start * 10));
        }
        // Each run still has an end of its own.
        assert_eq!(one.kill().unwrap().cause, Cause::Stopped);
        assert_eq!(group.members().len(), 7);
        assert_eq!(inner.kill_all().unwrap().members_before, 4);
        assert_eq!(group.members().len(), 3);
        drop((two, group));
        assert!(trial.survivors().is_empty(), "{isolation:?}");
    }
}

#[test]
fn a_signal_reaches_all_of_it_and_nobody_else() {
    let trial = begin();
    for isolation in mechanisms() {
        let (group, other) = (group(isolation), group(isolation));
        let inner = group.group().unwrap();
        let command = fixture("trap USR1 --exit-on TERM:0").of(&trial);
        let told = [up(&group, &command), up(&inner, &command)];
        let untold = up(&other, &command);
        group.signal(Signal::USR1).unwrap();
        for handle in &told {
            assert_eq!(handle.stdout_lines().unwrap().nth(1).unwrap().unwrap(), "USR1");
        }
        untold.signal(Signal::TERM).unwrap();
        assert_eq!(untold.output().unwrap().stdout, "ready\nTERM\n");
    }
}

#[test]
fn killed_means_gone_and_the_group_can_be_used_again() {
    let trial = begin();
    for isolation in mechanisms() {
        let group = group(isolation);
        for _ in 0..3 {
            let handles = [tree(&group, &trial, 5), up(&group, &fixture("trap all").of(&trial))];
            let report = group.kill_all().unwrap();
            assert_eq!((report.members_before, report.members_after, report.escalated), (7, 0, false));
            assert!(trial.survivors().is_empty(), "{isolation:?}");
            for handle in handles {
                let outcome = handle.wait().unwrap();
                assert_eq!((outcome.cause, outcome.signal()), (Cause::Stopped, Some(Signal::KILL)));
            }
            assert_eq!(group.output(&fixture("exit 3").of(&trial)).unwrap().code(), Some(3));
        }
        assert_eq!(group.kill_all().unwrap().members_before, 0);
    }
}

#[test]
fn a_run_that_ended_by_itself_was_not_stopped() {
    let trial = begin();
    for isolation in mechanisms() {
        let group = group(isolation);
        let ended = group.start(&fixture("exit 4").of(&trial)).unwrap();
        group.wait().unwrap();
        assert_eq!(group.stop().unwrap().members_before, 0);
        let outcome = ended.wait().unwrap();
        assert_eq!((outcome.cause, outcome.code()), (Cause::Itself, Some(4)), "{isolation:?}");
    }
}

#[test]
fn a_suspended_group_takes_no_start_and_hears_a_stop() {
    let trial = begin();
    for isolation in mechanisms() {
        let group = group(isolation);
        let inner = group.group().unwrap();
        let handle = up(&group, &fixture("trap USR1 --exit-on TERM:9").of(&trial));
        group.suspend().unwrap();
        assert!(group.is_suspended());
        for group in [&group, &inner] {
            // It is refused, rather than to wait for what cannot run.
            let error = group.start(&fixture("exit 0").of(&trial)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
            assert!(error.to_string().contains("suspended; resume"), "{error}");
        }
        group.resume().unwrap();
        assert_eq!(inner.exit_code(&fixture("exit 5").of(&trial)).unwrap(), 5);
        group.suspend().unwrap();
        let report = group.stop_by(StopRule { signal: Signal::TERM, grace: LONG }).unwrap();
        assert!(!report.escalated, "{isolation:?}");
        assert_eq!(handle.wait().unwrap().code(), Some(9));
        assert!(!group.is_suspended());
        group.run(&fixture("exit 0").of(&trial)).unwrap();
        let _asleep = tree(&group, &trial, 2);
        group.suspend().unwrap();
        group.kill_all().unwrap();
        group.run(&fixture("exit 0").of(&trial)).unwrap();
    }
}

#[test]
fn its_end_is_the_end_of_all_of_it() {
    let trial = begin();
    for isolation in mechanisms() {
        let outer = group(isolation);
        let inner = outer.group().unwrap();
        let (one, two) = (tree(&outer, &trial, 2), tree(&inner, &trial, 2));
        let clone = outer.clone();
        drop(outer);
        assert_eq!(clone.members().len(), 6, "a clone keeps it");
        drop(clone);
        assert!(trial.survivors().is_empty(), "{isolation:?}");
        assert_eq!(
            (one.wait().unwrap().signal(), two.wait().unwrap().signal()),
            (Some(Signal::KILL), Some(Signal::KILL))
        );
        assert!(inner.is_empty());
        let error = inner.start(&fixture("exit 0").of(&trial)).unwrap_err();
        assert!(error.to_string().contains("has ended"), "{error}");
        assert_eq!(inner.kill_all().unwrap().members_after, 0);

        let kept = ProcessGroup::builder().isolation(isolation).scope(|group| {
            let handle = tree(group, &trial, 2);
            (group.clone(), handle)
        });
        assert!(trial.survivors().is_empty(), "{isolation:?}");
        drop(kept);
        let mut kept = Vec::new();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _ = ProcessGroup::builder().isolation(isolation).scope(|group| {
                kept.push((group.clone(), tree(group, &trial, 2)));
                std::panic::resume_unwind(Box::new(()));
            });
        }));
        assert!(panicked.is_err() && trial.survivors().is_empty(), "{isolation:?}");
    }
    // Nothing but what is kept for the next run.
    for directory in directories_of(std::process::id()) {
        let own = pinfold_trials::cgroup2_dir().unwrap().join(directory);
        let groups = std::fs::read_dir(own).unwrap().flatten();
        let groups = groups.filter(|entry| entry.file_name().to_string_lossy().starts_with('g')).count();
        assert_eq!(groups, 0);
    }
}

#[test]
fn when_its_owner_is_killed_a_guarded_group_goes_too() {
    let mut owner = Part::new(|_| {
        let group = ProcessGroup::builder().require(Guarantee::Guarded).make().unwrap();
        let inner = group.group().unwrap();
        let command = fixture("escape setsid --stay");
        let mut handles = Vec::new();
        for group in [&group, &inner] {
            let handle = group.start(&command).unwrap();
            assert_eq!(handle.guarantee(), Guarantee::Guarded);
            assert!(handle.stdout_lines().unwrap().next().unwrap().unwrap().starts_with("ready"));
            handles.push(handle);
        }
        assert_eq!(group.members().len(), 4);
        Command::new("sh")
            .args(["-c", "kill -9 $PPID"])
            .isolation(Isolation::ProcessGroup)
            .exit_code()
            .unwrap();
    });
    let trial = begin();
    if !given(can_write_cgroup2(), CGROUPS) {
        return;
    }
    let output = owner.output(&trial, "");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code().is_none(), "it killed itself: {said}");
    trial.wait_until_gone(LONG);
}

#[test]
fn what_others_started_can_be_taken_in_by_a_cgroup_alone() {
    let trial = begin();
    let mut child = trial.fixture("sleep 100").spawn().unwrap();
    let pid = Pid::new(child.id().into()).unwrap();
    let refused = group(Isolation::ProcessGroup).adopt(pid).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported, "{refused}");
    assert!(refused.what_to_do().is_some());
    if given(can_write_cgroup2(), CGROUPS) {
        let group = group(Isolation::Cgroup);
        group.adopt(pid).unwrap();
        assert_eq!(group.members(), [pid]);
        let own = Pid::new(std::process::id().into()).unwrap();
        assert_eq!(group.adopt(own).unwrap_err().kind(), ErrorKind::Unsupported);
        group.kill_all().unwrap();
        assert!(child.wait().unwrap().code().is_none());
        assert_eq!(group.adopt(pid).unwrap_err().kind(), ErrorKind::NotFound);
    }
    let _ = child.kill();
    child.wait().unwrap();
}

#[test]
fn it_tells_when_it_is_empty() {
    let trial = begin();
    for isolation in mechanisms() {
        let group = group(isolation);
        let mut events = group.events().unwrap();
        assert_eq!(events.take_events().unwrap(), []);
        for _ in 0..3 {
            let handle = group.start(&fixture("cat").of(&trial).keep_stdin_open()).unwrap();
            assert_eq!(events.take_events().unwrap(), [], "{isolation:?}");
            assert_eq!(events.next(Some(Duration::from_millis(20))).unwrap(), []);
            assert!(!group.wait_timeout(Duration::from_millis(20)).unwrap());
            handle.stdin().unwrap().close().unwrap();
            assert_eq!(events.next(Some(LONG)).unwrap(), [GroupEvent::Emptied]);
            assert_eq!(events.take_events().unwrap(), []);
        }
        // What came and went between two looks is told all the same.
        group.run(&fixture("exit 0").of(&trial)).unwrap();
        assert_eq!(events.take_events().unwrap(), [GroupEvent::Emptied]);
    }
}

#[test]
fn its_own_end_is_the_last_that_it_tells() {
    let trial = begin();
    for isolation in mechanisms() {
        let outer = group(isolation);
        let inner = outer.group().unwrap();
        let mut told = [outer.events().unwrap(), inner.events().unwrap()];
        let handle = up(&inner, &sh("trap '' TERM; echo ready; exec sleep 1000").of(&trial));
        let begun = Instant::now();
        let rule = StopRule { signal: Signal::TERM, grace: Duration::from_millis(50) };
        let report = drive(inner.stopping(rule).unwrap().sparing());
        assert_eq!(
            (report.members_before, report.members_after, report.escalated),
            (1, 1, false),
            "{isolation:?}"
        );
        assert!(begun.elapsed() >= rule.grace && handle.try_wait().unwrap().is_none());
        std::thread::scope(|scope| {
            let waiting = told.each_mut().map(|events| {
                scope.spawn(|| {
                    let mut all = Vec::new();
                    while all.last() != Some(&GroupEvent::Ended) {
                        all.extend(events.next(Some(LONG)).unwrap());
                    }
                    all
                })
            });
            outer.end();
            for waiter in waiting {
                assert_eq!(waiter.join().unwrap(), [GroupEvent::Emptied, GroupEvent::Ended], "{isolation:?}");
            }
        });
        assert_eq!(told[0].take_events().unwrap(), [GroupEvent::Ended]);
        assert_eq!(inner.start(&fixture("exit 0").of(&trial)).unwrap_err().kind(), ErrorKind::Unsupported);
        assert_eq!(handle.wait().unwrap().signal(), Some(Signal::KILL));
    }
}

#[test]
fn its_sandbox_is_that_of_all_that_is_in_it() {
    let deny = || Sandbox::new().deny_syscalls(["mkdir", "mkdirat"]);
    let command = sh("mkdir made && rmdir made");
    let group = ProcessGroup::builder().sandbox(deny()).make().unwrap();
    let inner = group.group().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let command = command.cwd(directory.path());
    assert!(command.output().unwrap().is_success());
    for group in [&group, &inner] {
        assert!(!group.output(&command).unwrap().is_success());
        assert!(!Host::new().in_group(group).output(&command).unwrap().is_success());
        let error = group.run(&command.clone().sandbox(Sandbox::new().no_outside_signals())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
    let error = ProcessGroup::builder().sandbox(deny()).make_in(&group).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

fn drive<M: Machine>(mut machine: M) -> M::Answer {
    loop {
        if let Some(answer) = machine.advance(Instant::now()).unwrap() {
            return answer;
        }
        let interest = machine.interest(Instant::now());
        poll::wait(&interest.waitables, interest.deadline).unwrap();
    }
}

#[test]
fn two_who_wait_for_the_end_are_both_told() {
    let trial = begin();
    for isolation in mechanisms() {
        for _ in 0..20 {
            let group = group(isolation);
            let handle = group.start(&fixture("cat").of(&trial).keep_stdin_open()).unwrap();
            std::thread::scope(|scope| {
                let waiters: Vec<_> =
                    (0..3).map(|_| scope.spawn(|| group.wait_timeout(LONG).unwrap())).collect();
                handle.stdin().unwrap().close().unwrap();
                assert!(waiters.into_iter().all(|waiter| waiter.join().unwrap()));
            });
        }
    }
}

#[test]
fn what_it_used_is_told_with_the_dead() {
    let trial = begin();
    for isolation in mechanisms() {
        let group = group(isolation);
        group.run(&fixture("burn 0.2").of(&trial)).unwrap();
        let tree = tree(&group, &trial, 3);
        let stats = group.stats();
        assert_eq!(stats.processes, 4);
        match group.mechanism() {
            Mechanism::CgroupV2 => {
                let used = stats.user.unwrap() + stats.system.unwrap();
                assert!(used >= Duration::from_millis(190), "{used:?}");
            }
            // Nobody counts there, so nothing is told.
            _ => assert_eq!((stats.user, stats.memory, stats.cpu_pressure), (None, None, None)),
        }
        drop(tree);
    }
}

#[test]
fn a_group_that_cannot_be_as_asked_is_refused() {
    let trial = begin();
    let weak = group(Isolation::ProcessGroup);
    for (command, word) in [
        (fixture("exit 0").isolation(Isolation::Cgroup), "another isolation"),
        (fixture("exit 0").require(Guarantee::Guarded), "guarantee"),
        (fixture("exit 0").memory_max(1 << 30), "limits"),
    ] {
        let error = weak.start(&command.of(&trial)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.to_string().contains(word) && error.what_to_do().is_some(), "{error}");
    }
    let builder = ProcessGroup::builder;
    for (builder, kind) in [
        (
            builder().isolation(Isolation::ProcessGroup).limits(Limits::new().processes(9)),
            ErrorKind::Unsupported,
        ),
        (builder().isolation(Isolation::ProcessGroup).require(Guarantee::Kernel), ErrorKind::Unsupported),
        (builder().limits(Limits::new().cpu_weight(0)), ErrorKind::InvalidInput),
    ] {
        assert_eq!(builder.make().unwrap_err().kind(), kind);
    }
}

#[test]
fn starting_while_it_is_stopped_is_refused_or_stopped_too() {
    let trial = begin();
    for isolation in mechanisms() {
        let group = group(isolation);
        let command = fixture("sleep 100").of(&trial);
        let kept = std::thread::scope(|scope| {
            let killer = scope.spawn(|| {
                for _ in 0..20 {
                    assert_eq!(group.kill_all().unwrap().members_after, 0);
                }
            });
            let mut handles = Vec::new();
            while !killer.is_finished() {
                match group.start(&command) {
                    Ok(handle) => handles.push(handle),
                    Err(error) => assert!(error.to_string().contains("being stopped"), "{error}"),
                }
            }
            handles
        });
        drop((kept, group));
        assert!(trial.survivors().is_empty(), "{isolation:?}");
    }
}

#[test]
fn its_twins_of_tokio_do_the_same() {
    use pinfold::AsyncRunner;
    let trial = crate::asynchronous::begin();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for isolation in mechanisms() {
        runtime.block_on(async {
            let group = group(isolation);
            let mut events = group.events().unwrap();
            assert_eq!(group.run_async(&sh("echo inside").of(&trial)).await.unwrap(), "inside");
            assert_eq!(events.next_async().await.unwrap(), [GroupEvent::Emptied]);
            let handle = group.start_async(&fixture("trap TERM").of(&trial)).unwrap();
            assert_eq!(handle.stdout_lines().unwrap().next().await.unwrap().unwrap(), "ready");
            let rule = StopRule { signal: Signal::TERM, grace: Duration::from_millis(50) };
            let report = group.stop_by_async(rule).await.unwrap();
            assert!(report.escalated && report.duration >= rule.grace);
            assert_eq!(handle.wait().await.unwrap().cause, Cause::Stopped);
            group.wait_async().await.unwrap();
        });
    }
    wait_until("nobody to be left", LONG, || trial.survivors().is_empty());
}
