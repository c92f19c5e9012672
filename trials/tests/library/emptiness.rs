//! Stopping means empty: a service with four kinds of descendants is stopped, and nothing of it is left.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use pinfold::{Cause, Handle, ProcessGroup, Runner, Signal, StopRule, StrayRule};
use pinfold_trials::{RELAY, Trial, holds_sessions, mechanisms};

use crate::{LONG, Of, begin, fixture, isolation};

const GRACE: Duration = Duration::from_millis(300);
const RULE: StopRule = StopRule { signal: Signal::TERM, grace: GRACE };
/// All of it is gone so soon after the grace. What is measured here is a millisecond or ten.
const PROMISE: Duration = Duration::from_millis(100);
/// How often a busy machine may be late before it is us. The deaths of five processes and our own waking need the processor
/// about ten times, and beside eight others that want it each of these can take 20 ms; no two tries meet the same. A ladder that
/// waits for a timer, or for a word that the kernel does not send, is late every time.
const TRIES: usize = 20;
/// Each time, though: nothing hangs.
const LATE: Duration = Duration::from_secs(20);

/// Every process of the service, and whether it makes itself a session.
const ALL: [(&str, bool); 5] =
    [("service", false), ("same-group", false), ("deaf", false), ("setsid", true), ("double-fork", false)];

/// A service that is up, and where its processes write down what they hear.
fn service(runner: &impl Runner, trial: &Trial, command: pinfold::Command, records: &Path) -> Handle {
    let command = command.arg(records).of(trial).stop_rule(RULE);
    let handle = runner.start(&command).unwrap();
    assert_eq!(handle.stdout_lines().unwrap().next().unwrap().unwrap(), "ready");
    handle
}

/// Who can be reached was told first, and had its grace. How many could not be reached.
#[track_caller]
fn escaped(name: &str, records: &Path, took: Duration) -> usize {
    assert!(took >= GRACE, "{name}: the deaf one had its grace: {took:?}");
    assert!(took < GRACE + LATE, "{name}: {took:?}");
    for (who, is_session) in ALL {
        let heard = fs::read_to_string(records.join(who)).unwrap();
        let reached = !is_session || holds_sessions(name);
        assert_eq!(heard, if reached { "TERM\n" } else { "" }, "{name}: {who}");
    }
    ALL.iter().filter(|(_, is_session)| *is_session && !holds_sessions(name)).count()
}

/// Stops services, each with every assertion, until one was stopped within the promise.
#[track_caller]
fn promptly(name: &str, mut stop: impl FnMut() -> Duration) {
    let mut took = Vec::new();
    while took.last().is_none_or(|took| *took >= GRACE + PROMISE) {
        assert!(took.len() < TRIES, "{name}: grace of {GRACE:?}, and not once {PROMISE:?}: {took:?}");
        took.push(stop());
    }
}

#[test]
fn stopping_a_run_means_empty() {
    let trial = begin();
    for name in mechanisms() {
        promptly(name, || {
            let records = tempfile::tempdir().unwrap();
            let command = fixture("service").isolation(isolation(name));
            let handle = service(&pinfold::Host::new(), &trial, command, records.path());
            let began = Instant::now();
            let outcome = handle.stop().unwrap();
            let took = began.elapsed();
            assert_eq!((outcome.cause, outcome.code()), (Cause::Stopped, Some(0)));
            let left = trial.survivors();
            assert_eq!(left.len(), escaped(name, records.path(), took), "{name}: {left:?}");
            trial.kill_survivors();
            took
        });
    }
}

#[test]
fn stopping_a_group_means_empty() {
    let trial = begin();
    for name in mechanisms() {
        promptly(name, || stop_a_group(&trial, name));
    }
}

/// Two services in one group.
fn stop_a_group(trial: &Trial, name: &str) -> Duration {
    let records = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let group = ProcessGroup::builder().isolation(isolation(name)).stop_rule(RULE).make().unwrap();
    let handles =
        records.each_ref().map(|records| service(&group, trial, fixture("service"), records.path()));
    let members = group.members().len();
    assert_eq!(members, 2 * ALL.iter().filter(|(_, session)| !session || holds_sessions(name)).count());
    let report = group.stop().unwrap();
    let left = trial.survivors();
    assert!(report.escalated);
    assert_eq!((report.members_before, report.members_after), (members, 0));
    for handle in &handles {
        let outcome = handle.wait().unwrap();
        assert_eq!((outcome.cause, outcome.code()), (Cause::Stopped, Some(0)), "{name}");
    }
    let escaped: usize = records.iter().map(|records| escaped(name, records.path(), report.duration)).sum();
    assert_eq!(left.len(), escaped, "{name}: {left:?}");
    trial.kill_survivors();
    report.duration
}

#[test]
fn who_ends_while_a_container_is_looked_through_hides_nobody() {
    let trial = begin();
    for name in mechanisms() {
        let place = tempfile::tempdir().unwrap();
        let done = place.path().join("done");
        let relay = pinfold::Command::new("sh").args(["-c", RELAY]).env("done", &done).of(&trial);
        let outcome =
            relay.isolation(isolation(name)).strays(StrayRule::StopAfter(LONG)).output().unwrap().outcome;
        assert_eq!((outcome.code(), outcome.strays), (Some(0), pinfold::Strays::default()), "{name}");
        assert!(done.exists(), "{name}: one of them lived, and was not waited for");
    }
    trial.finish();
}
