//! A run as a bare machine, driven by hand and by made-up time.

use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use pinfold::{Cause, Command, Host, Progress, Runner, Running, Signal, StopRule, StrayRule, Stream};
use pinfold_os::poll;
use pinfold_trials::wait_until;

use crate::{LONG, Of, begin, fixture, mechanisms};

const HOUR: Duration = Duration::from_secs(3600);

fn launch(command: &Command) -> Running {
    Host::new().launch(command).unwrap()
}

/// Drives it as any event loop would, by a clock that is ahead.
fn drive(running: &mut Running, ahead: Duration) {
    let begun = Instant::now();
    while running.advance(Instant::now() + ahead) == Progress::Pending {
        assert!(begun.elapsed() < LONG, "{running:?}");
        let interest = running.interest();
        let deadline = interest.deadline.and_then(|deadline| deadline.checked_sub(ahead));
        let limit = Instant::now() + LONG;
        poll::wait(&interest.waitables, Some(deadline.map_or(limit, |deadline| deadline.min(limit))))
            .unwrap();
    }
}

#[test]
fn any_loop_that_waits_for_its_interest_brings_it_to_its_end() {
    let trial = begin();
    for isolation in mechanisms() {
        let command = fixture("flood 3M --both").of(&trial).isolation(isolation);
        let mut running = launch(&command);
        assert!(running.interest().waitables.iter().all(|waitable| waitable.descriptor.as_raw_fd() > 2));
        drive(&mut running, Duration::ZERO);
        assert_eq!(running.outcome().unwrap().code(), Some(0));
        for stream in Stream::BOTH {
            assert_eq!(running.capture(stream).unwrap().retained().len(), 3 << 20);
        }
        assert!(running.interest().waitables.is_empty() && running.interest().deadline.is_none());
        assert_eq!(running.advance(Instant::now()), Progress::Done);
    }
}

#[test]
fn advancing_waits_for_nothing() {
    let trial = begin();
    let mut running = launch(&fixture("trap TERM").of(&trial));
    let begun = Instant::now();
    for _ in 0..10_000 {
        assert_eq!(running.advance(Instant::now()), Progress::Pending);
    }
    assert!(begun.elapsed() < LONG);
    assert_eq!((running.outcome(), running.ending()), (None, None));
    running.stop(StopRule::KILL, Instant::now());
    drive(&mut running, Duration::ZERO);
    assert_eq!(running.outcome().unwrap().cause, Cause::Stopped);
}

#[test]
fn deadlines_are_kept_by_the_clock_that_is_told() {
    let trial = begin();
    for isolation in mechanisms() {
        let base = || fixture("trap TERM").of(&trial).isolation(isolation);
        type Row = (Command, Duration, Cause);
        let rows: [Row; 3] = [
            (base().timeout(HOUR), HOUR, Cause::Timeout),
            (base().idle_timeout(HOUR), HOUR, Cause::IdleTimeout),
            (base().timeout(HOUR).idle_timeout(2 * HOUR), HOUR, Cause::Timeout),
        ];
        for (command, limit, cause) in rows {
            let mut running = launch(&command.timeout_grace(HOUR));
            wait_until("its first line", LONG, || {
                running.advance(Instant::now());
                running.seen(Stream::Stdout).unwrap().lines == 1
            });
            // Just before, nothing happens.
            let start = running.started();
            assert_eq!(running.advance(start + limit - Duration::from_secs(9)), Progress::Pending);
            assert!(running.interest().deadline.unwrap() <= Instant::now() + limit);
            running.advance(Instant::now() + limit);
            wait_until("the signal", LONG, || {
                running.advance(Instant::now() + limit);
                running.seen(Stream::Stdout).unwrap().lines == 2
            });
            // Grace is an hour as well, and is over by the same clock.
            assert_eq!(running.advance(Instant::now() + limit + HOUR / 2), Progress::Pending);
            drive(&mut running, limit + HOUR + Duration::from_secs(1));
            let outcome = running.outcome().unwrap();
            assert_eq!((outcome.cause, outcome.signal()), (cause, Some(Signal::KILL)), "{isolation:?}");
            assert!(trial.survivors().is_empty());
        }
    }
}

#[test]
fn strays_have_the_time_that_they_are_given_by_the_same_clock() {
    let trial = begin();
    for isolation in mechanisms() {
        let command =
            fixture("escape plain").of(&trial).isolation(isolation).strays(StrayRule::StopAfter(HOUR));
        let mut running = launch(&command);
        wait_until("the end of the program itself", LONG, || {
            running.advance(Instant::now());
            running.ending().is_some()
        });
        assert_eq!(running.advance(Instant::now() + HOUR / 2), Progress::Pending);
        assert_eq!(running.members().len(), 1);
        drive(&mut running, HOUR + Duration::from_secs(1));
        let outcome = running.outcome().unwrap();
        assert_eq!((outcome.cause, outcome.strays.count), (Cause::Itself, 1), "{isolation:?}");
    }
}

#[test]
fn a_machine_that_is_dropped_ends_its_run() {
    let trial = begin();
    for isolation in mechanisms() {
        let mut running = launch(&fixture("tree 2 2").of(&trial).isolation(isolation));
        wait_until("all of it", LONG, || {
            running.advance(Instant::now());
            running.seen(Stream::Stdout).unwrap().lines == 8
        });
        drop(running);
        assert!(trial.survivors().is_empty(), "{isolation:?}");
    }
}

#[test]
fn a_storm_is_ended_in_its_midst() {
    let trial = begin();
    for isolation in mechanisms() {
        for _ in 0..5 {
            let mut running = launch(&fixture("spawn-storm 200").of(&trial).isolation(isolation));
            wait_until("the storm", LONG, || {
                running.advance(Instant::now());
                running.seen(Stream::Stdout).unwrap().lines >= 1
            });
            running.stop(StopRule::KILL, Instant::now());
            drive(&mut running, Duration::ZERO);
            assert!(trial.survivors().is_empty(), "{isolation:?}");
        }
    }
}
