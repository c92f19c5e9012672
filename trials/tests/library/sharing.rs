//! One handle in the hands of several threads.

use crate::{LONG, Of, begin, fixture};
use pinfold::{Cause, StopRule};
use std::time::{Duration, Instant};

#[test]
fn all_who_wait_are_told() {
    let trial = begin();
    let handle = fixture("cat").of(&trial).keep_stdin_open().start().unwrap();
    let waiters: Vec<_> = (0..8)
        .map(|_| {
            let handle = handle.clone();
            std::thread::spawn(move || handle.wait().unwrap())
        })
        .collect();
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let lines = handle.stdout_lines().unwrap();
            std::thread::spawn(move || lines.map(Result::unwrap).count())
        })
        .collect();
    let mut stdin = handle.stdin().unwrap();
    for _ in 0..500 {
        stdin.write_line("word").unwrap();
    }
    stdin.close().unwrap();
    for reader in readers {
        assert_eq!(reader.join().unwrap(), 500);
    }
    for waiter in waiters {
        assert_eq!(waiter.join().unwrap().code(), Some(0));
    }
    drop(handle);
    trial.finish();
}

#[test]
fn a_wait_with_a_deadline_keeps_it_beside_one_without() {
    let trial = begin();
    let handle = fixture("sleep 60").of(&trial).start().unwrap();
    let patient = std::thread::spawn({
        let handle = handle.clone();
        move || handle.wait().unwrap()
    });
    for wanted in [1, 20, 50] {
        let begun = Instant::now();
        assert!(handle.wait_timeout(Duration::from_millis(wanted)).unwrap().is_none());
        assert!(begun.elapsed() >= Duration::from_millis(wanted) && begun.elapsed() < LONG);
    }
    assert!(handle.try_wait().unwrap().is_none());
    handle.kill().unwrap();
    assert_eq!(patient.join().unwrap().cause, Cause::Stopped);
    drop(handle);
    trial.finish();
}

#[test]
fn a_stop_from_another_thread_reaches_a_reader_and_a_second_one_speeds_it_up() {
    let trial = begin();
    let handle = fixture("trap TERM").of(&trial).start().unwrap();
    let mut lines = handle.stdout_lines().unwrap();
    assert_eq!(lines.next_line().unwrap(), Some("ready"));
    let stopper = std::thread::spawn({
        let handle = handle.clone();
        move || handle.stop_by(StopRule { grace: LONG, ..StopRule::default() }).unwrap()
    });
    assert_eq!(lines.next_line().unwrap(), Some("TERM"));
    let begun = Instant::now();
    handle.kill().unwrap();
    assert!(begun.elapsed() < LONG);
    assert_eq!(stopper.join().unwrap().signal(), Some(pinfold::Signal::KILL));
    assert_eq!(lines.next_line().unwrap(), None);
    drop((lines, handle));
    trial.finish();
}
