//! Runs that nobody waits for.

use crate::{LONG, Of, begin, fixture};
use pinfold::{Cause, Command, Stream};
use pinfold_trials::{Trial, wait_until};
use std::time::Duration;

fn command(trial: &Trial, arguments: &str) -> Command {
    fixture(arguments).of(trial)
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

#[test]
fn a_timeout_holds_though_nobody_waits() {
    let trial = begin();
    let handle = command(&trial, "sleep 60").timeout(Duration::from_millis(20)).start().unwrap();
    handle.in_background().unwrap();
    // Ended by the background alone; its streams may take a moment longer.
    trial.wait_until_gone(LONG);
    assert_eq!(handle.wait().unwrap().cause, Cause::Timeout);
    drop(handle);
    trial.finish();
}

#[test]
fn output_is_read_though_nobody_waits() {
    let trial = begin();
    // More than a pipe holds: unread, it would never end.
    let handle = command(&trial, "flood 4000000").start().unwrap();
    handle.in_background().unwrap();
    trial.wait_until_gone(LONG);
    // The last of it may still be in the pipe.
    wait_until("all of it", LONG, || handle.seen(Stream::Stdout).unwrap().bytes == 4_000_000);
    assert_eq!(handle.output_bytes().unwrap().stdout.len(), 4_000_000);
    drop(handle);
    trial.finish();
}

#[test]
fn one_thread_looks_after_all_and_leaves_with_the_last() {
    let trial = begin();
    let before = threads();
    let handles: Vec<_> = (0..20).map(|_| command(&trial, "sleep 60").start().unwrap()).collect();
    assert_eq!(threads(), before);
    for handle in &handles {
        handle.in_background().unwrap();
        handle.in_background().unwrap();
    }
    assert_eq!(threads(), before + 1);
    drop(handles);
    assert_eq!(trial.survivors().len(), 0, "dropping the handle ends the run there and then");
    wait_until("the background thread leaves", LONG, || threads() == before);
    trial.finish();
}

#[test]
fn whoever_waits_is_served_beside_the_background() {
    let trial = begin();
    let handle = command(&trial, "cat").keep_stdin_open().start().unwrap();
    handle.in_background().unwrap();
    let waiter = std::thread::spawn({
        let handle = handle.clone();
        move || handle.wait().unwrap()
    });
    let mut stdin = handle.stdin().unwrap();
    let mut lines = handle.stdout_lines().unwrap();
    for number in 0..200 {
        stdin.write_line(&number.to_string()).unwrap();
        assert_eq!(lines.next_line().unwrap(), Some(number.to_string().as_str()));
    }
    stdin.close().unwrap();
    assert_eq!(waiter.join().unwrap().code(), Some(0));
    drop((lines, handle));
    wait_until("the background thread leaves", LONG, || threads() <= 2);
    trial.finish();
}
