//! Stopping means empty, for `pinfold run` that is told to stop.

use std::fs;
use std::time::{Duration, Instant};

use pinfold_trials::{Trial, holds_sessions};

use crate::{Live, isolations, run};

const GRACE: Duration = Duration::from_millis(300);
/// All of it is gone, and pinfold too, so soon after the grace; and why it is tried again is said where the library's own
/// promise is tried (`library/emptiness.rs`).
const PROMISE: Duration = Duration::from_millis(100);
const TRIES: usize = 20;
const LATE: Duration = Duration::from_secs(20);

#[test]
fn stopping_pinfold_means_empty() {
    for name in isolations() {
        let mut took = Vec::new();
        while took.last().is_none_or(|took| *took >= GRACE + PROMISE) {
            assert!(took.len() < TRIES, "{name}: grace of {GRACE:?}, and not once {PROMISE:?}: {took:?}");
            took.push(stop_a_service(name));
        }
    }
}

fn stop_a_service(name: &str) -> Duration {
    let trial = Trial::new();
    let records = tempfile::tempdir().unwrap();
    let options = format!("--isolation {name} --grace 300ms");
    let live = Live::ready(run(&trial, &options, "service").arg(records.path()));
    let began = Instant::now();
    live.signal(libc::SIGTERM);
    live.end();
    let (took, left) = (began.elapsed(), trial.survivors());
    assert!(took >= GRACE && took < GRACE + LATE, "{name}: {took:?}");
    let mut escaped = 0;
    for who in ["service", "same-group", "deaf", "setsid", "double-fork"] {
        let reached = who != "setsid" || holds_sessions(name);
        let heard = fs::read_to_string(records.path().join(who)).unwrap();
        assert_eq!(heard, if reached { "TERM\n" } else { "" }, "{name}: {who}");
        escaped += usize::from(!reached);
    }
    assert_eq!(left.len(), escaped, "{name}: {left:?}");
    trial.kill_survivors();
    trial.finish();
    took
}
