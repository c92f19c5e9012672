//! Stopping means empty, for `pinfold run` that is told to stop.

use std::fs;
use std::time::{Duration, Instant};

use pinfold_trials::{Trial, holds_sessions};

use crate::{Live, isolations, run};

#[test]
fn stopping_pinfold_means_empty() {
    let grace = Duration::from_millis(300);
    for name in isolations() {
        let trial = Trial::new();
        let records = tempfile::tempdir().unwrap();
        let options = format!("--isolation {name} --grace 300ms");
        let live = Live::ready(run(&trial, &options, "service").arg(records.path()));
        let began = Instant::now();
        live.signal(libc::SIGTERM);
        live.end();
        let (took, left) = (began.elapsed(), trial.survivors());
        assert!(took >= grace && took < grace + Duration::from_secs(3), "{name}: {took:?}");
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
    }
}
