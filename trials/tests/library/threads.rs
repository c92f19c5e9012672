//! Several threads at one handle.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use pinfold::{Cause, Handle, Outcome, Signal, Stream};
use pinfold_trials::Trial;

use crate::{LONG, Of, begin, fixture, mechanisms};

const CROWD: usize = 8;

fn start(trial: &Trial, arguments: &str) -> Handle {
    let handle = fixture(arguments).of(trial).timeout(LONG).keep_stdin_open().start().unwrap();
    // Up, with its signal handlers in place.
    handle.stdout_lines().unwrap().next().unwrap().unwrap();
    handle
}

/// Lets a crowd wait for the end at once, does `meanwhile` beside them, and gives what they were told.
fn all_wait(handle: &Handle, meanwhile: impl FnOnce()) -> Vec<Outcome> {
    let together = Barrier::new(CROWD + 1);
    thread::scope(|scope| {
        let waiting: Vec<_> = (0..CROWD)
            .map(|_| {
                scope.spawn(|| {
                    together.wait();
                    handle.wait().unwrap()
                })
            })
            .collect();
        together.wait();
        meanwhile();
        waiting.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn all_who_wait_are_told_the_same_end() {
    let trial = begin();
    for isolation in mechanisms() {
        let command = fixture("trap USR1 --exit-on TERM:5").of(&trial).isolation(isolation).timeout(LONG);
        type End = (&'static str, fn(&Handle), Cause, Option<i32>);
        let ends: [End; 4] = [
            ("signal", |handle| handle.signal(Signal::TERM).unwrap(), Cause::Itself, Some(5)),
            ("signal_all", |handle| handle.signal_all(Signal::TERM).unwrap(), Cause::Itself, Some(5)),
            ("stop", |handle| drop(handle.stop().unwrap()), Cause::Stopped, Some(5)),
            ("kill", |handle| drop(handle.kill().unwrap()), Cause::Stopped, None),
        ];
        for (name, end, cause, code) in ends {
            let handle = command.start().unwrap();
            handle.stdout_lines().unwrap().next().unwrap().unwrap();
            let told = all_wait(&handle, || end(&handle));
            for outcome in &told {
                assert_eq!((outcome.cause, outcome.code()), (cause, code), "{name}: {outcome:?}");
                assert_eq!(outcome, &told[0]);
            }
            assert_eq!(handle.wait().unwrap(), told[0], "and again");
            assert_eq!(handle.stop().unwrap(), told[0], "stopping what has ended changes nothing");
        }
    }
}

#[test]
fn readers_and_waiters_of_all_kinds_share_one_run() {
    let trial = begin();
    let handle = start(&trial, "lines 20000");
    thread::scope(|scope| {
        let handle = &handle;
        for _ in 0..2 {
            scope.spawn(|| assert_eq!(handle.stdout_lines().unwrap().map(Result::unwrap).count(), 20_000));
            scope.spawn(|| assert_eq!(handle.events().map(Result::unwrap).count(), 20_002));
            scope.spawn(|| {
                let bytes: usize =
                    handle.chunks(Stream::Stdout).unwrap().map(|chunk| chunk.unwrap().len()).sum();
                assert_eq!(bytes, 108_894);
            });
            scope.spawn(|| assert_eq!(handle.wait().unwrap().code(), Some(0)));
            scope.spawn(|| assert_eq!(handle.output().unwrap().outcome.stdout.unwrap().lines, 20_000));
            scope.spawn(|| assert_eq!(handle.stderr_lines().unwrap().count(), 0));
        }
    });
}

#[test]
fn questions_are_answered_while_somebody_waits() {
    let trial = begin();
    let handle = start(&trial, "trap USR1");
    let begun = Instant::now();
    let told = all_wait(&handle, || {
        for _ in 0..200 {
            assert_eq!(handle.members(), [handle.pid()]);
            assert!(handle.try_wait().unwrap().is_none());
            assert!(handle.seen(Stream::Stdout).unwrap().bytes >= 6);
            handle.usage();
        }
        handle.kill().unwrap();
    });
    assert_eq!(told[0].cause, Cause::Stopped);
    assert!(begun.elapsed() < LONG, "nobody waited for the leader");
}

#[test]
fn waiting_for_a_time_leaves_the_run_and_the_others_alone() {
    let trial = begin();
    let handle = start(&trial, "trap USR1");
    thread::scope(|scope| {
        let waiting = scope.spawn(|| handle.wait().unwrap());
        // Now as leader, now as follower.
        for _ in 0..20 {
            assert_eq!(handle.wait_timeout(Duration::from_millis(3)).unwrap(), None);
        }
        assert!(!waiting.is_finished());
        handle.kill().unwrap();
        assert_eq!(waiting.join().unwrap().signal(), Some(Signal::KILL));
    });
}

#[test]
fn who_stops_waiting_hands_over_to_who_still_waits() {
    let trial = begin();
    let handle = fixture("cat").of(&trial).timeout(LONG).keep_stdin_open().start().unwrap();
    thread::scope(|scope| {
        let waiting: Vec<_> = (0..CROWD).map(|_| scope.spawn(|| handle.wait().unwrap())).collect();
        let (mut stdin, mut lines) = (handle.stdin().unwrap(), handle.stdout_lines().unwrap());
        for number in 0..300 {
            stdin.write_line(&number.to_string()).unwrap();
            assert_eq!(lines.next_line().unwrap(), Some(&*number.to_string()));
        }
        // Whoever led last does not come back.
        stdin.close().unwrap();
        for thread in waiting {
            assert_eq!(thread.join().unwrap().code(), Some(0));
        }
    });
}

#[test]
fn a_run_passes_from_thread_to_thread() {
    let trial = begin();
    let handle = start(&trial, "trap USR1");
    let pid = thread::spawn(move || {
        handle.signal(Signal::USR1).unwrap();
        let mut lines = handle.stdout_lines().unwrap();
        assert_eq!(lines.nth(1).unwrap().unwrap(), "USR1");
        handle.pid()
    });
    // The last clone was dropped over there, and nothing is left when that thread has ended.
    pid.join().unwrap();
    assert!(trial.survivors().is_empty());
}

#[test]
fn the_thread_that_started_a_run_may_end() {
    let trial = begin();
    let command = fixture("trap USR1 --exit-on TERM:0").of(&trial);
    let handle = thread::spawn(move || command.start().unwrap()).join().unwrap();
    assert_eq!(handle.stdout_lines().unwrap().next().unwrap().unwrap(), "ready");
    assert_eq!(handle.stop().unwrap().code(), Some(0));
}

#[test]
fn many_runs_at_once_from_many_threads() {
    let trial = begin();
    thread::scope(|scope| {
        for thread in 0..CROWD {
            let command = fixture("out").of(&trial);
            scope.spawn(move || {
                for round in 0..10 {
                    let text = format!("{thread}-{round}");
                    assert_eq!(command.clone().arg(text.clone()).run().unwrap(), text);
                }
            });
        }
    });
}
