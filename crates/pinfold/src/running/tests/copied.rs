//! A run in a process that has only a copy of it, which a fork makes: it is told apart by its maker.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::maker::Maker;
use crate::outcome::Cause;
use crate::settings::{StopRule, Stream};
use crate::{Command, ErrorKind, Handle, Host, Machine, PolledHandle, Progress, Runner, Running};
use pinfold_os::poll;
use pinfold_os::signal::Signal;
use std::io;
use std::time::{Duration, Instant};

fn start() -> (Running, Command) {
    let command = Command::new("sh").args(["-c", "echo one; exit 3"]).keep_stdin_open();
    (Host::new().launch(&command).unwrap(), command)
}

/// Waits until it has ended, without touching it.
fn ended(running: &Running) {
    let pid = pinfold_os::handle::Process::open(running.pid()).unwrap();
    poll::wait(&[poll::Waitable { descriptor: pid.waitable(), direction: poll::Direction::Read }], None)
        .unwrap();
}

#[test]
fn a_copy_reads_reaps_and_signals_nothing() {
    let (mut running, command) = start();
    ended(&running);
    running.maker = Maker::elsewhere();
    for _ in 0..4 {
        assert_eq!(running.advance(Instant::now()), Progress::Pending);
        let refused = Machine::advance(&mut running, Instant::now()).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::Unsupported);
        assert!(!running.await_exit_alone());
        running.stop(StopRule::KILL, Instant::now());
        running.end();
        for acted in [
            running.signal(Signal::TERM),
            running.signal_all(Signal::TERM),
            running.suspend(),
            running.resume(),
        ] {
            assert_eq!(acted.unwrap_err().kind(), io::ErrorKind::Unsupported);
        }
        let refused = running.set_limits(&crate::Limits::new()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
    }
    assert_eq!(running.seen(Stream::Stdout).unwrap().bytes, 0);
    // All of it is still there for its maker.
    running.maker = Maker::here();
    while running.advance(Instant::now()) == Progress::Pending {
        poll::wait(&running.interest().waitables, running.interest().deadline).unwrap();
    }
    let outcome = running.outcome().unwrap();
    assert_eq!((outcome.code(), outcome.cause), (Some(3), Cause::Itself));
    assert_eq!(running.take_output(&command).unwrap().stdout, b"one\n");
}

#[test]
fn handles_refuse_to_wait_for_a_copy() {
    let second = Duration::from_secs(1);
    let (mut running, command) = start();
    running.maker = Maker::elsewhere();
    let handle = Handle::new(running, &command);
    let kinds = [
        handle.wait().unwrap_err().kind(),
        handle.wait_timeout(second).unwrap_err().kind(),
        handle.try_wait().unwrap_err().kind(),
        handle.output().unwrap_err().kind(),
        handle.kill().unwrap_err().kind(),
        handle.signal(Signal::TERM).unwrap_err().kind(),
        handle.stdout_lines().unwrap().next().unwrap().unwrap_err().kind(),
        handle.wait_until(&crate::Probe::line(|line| line == "one"), second).unwrap_err().kind(),
    ];
    assert_eq!(kinds, [ErrorKind::Unsupported; 8]);
    let refused = handle.wait().unwrap_err().to_string();
    assert!(refused.contains("it belongs to process 1, of which this one was forked"), "{refused}");
    handle.shared().visit(|running| running.maker = Maker::here());
    handle.shared().visit(Running::end);
}

#[test]
fn polled_handles_refuse_to_ask_a_copy() {
    let (mut running, command) = start();
    running.maker = Maker::elsewhere();
    let handle = PolledHandle::new(running, command);
    let mut watch = handle.watch().unwrap();
    let waiting =
        &mut handle.wait_until(&crate::Probe::line(|line| line == "one"), Duration::from_secs(1)).unwrap();
    let kinds = [
        handle.outcome(&mut watch).unwrap_err().kind(),
        handle.output(&mut watch).unwrap_err().kind(),
        handle.try_outcome().unwrap_err().kind(),
        handle.lines(Stream::Stdout).unwrap().advance().unwrap_err().kind(),
        handle.chunks(Stream::Stdout).unwrap().advance().unwrap_err().kind(),
        handle.events().unwrap().advance().map(|_| ErrorKind::Io).unwrap_or(ErrorKind::Unsupported),
        handle.feed(b"x").unwrap_err().kind(),
        handle.signal(Signal::TERM).unwrap_err().kind(),
        waiting.advance().unwrap_err().kind(),
    ];
    let [.., events, _, _, _] = kinds;
    assert_eq!(events, ErrorKind::Io, "its start was known");
    assert_eq!(kinds.iter().filter(|kind| **kind == ErrorKind::Unsupported).count(), 8);
    handle.stop(None);
    handle.end();
    handle.clone().leave().unwrap();
    assert!(handle.known_outcome().is_none());
    handle.looked_at(|running| running.maker = Maker::here());
    handle.looked_at(Running::end);
}
