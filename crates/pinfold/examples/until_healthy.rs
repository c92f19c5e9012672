//! A flaky service, started again and again until it is healthy, and then kept so.
//!
//! `cargo run -p pinfold --example until_healthy`
#![expect(clippy::print_stdout, reason = "an example talks to the person who runs it")]

use pinfold::{Backoff, Command, Probe, Restart, SupervisionEvent, Supervisor};
use std::time::Duration;

/// Fails twice, and does its work the third time.
const FLAKY: &str = r#"
tries=$(cat tries 2>/dev/null || echo 0)
echo $((tries + 1)) >tries
[ "$tries" -ge 2 ] || { echo "the database is not there yet" >&2; exit 1; }
echo healthy
exec sleep 600
"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::temp_dir().join(format!("until-healthy-{}", std::process::id()));
    std::fs::create_dir(&directory)?;
    let service = Supervisor::new(Command::new("sh").args(["-c", FLAKY]).cwd(&directory))
        .restart(Restart::Always)
        .max_restarts(5)
        .backoff(Backoff { initial: Duration::from_millis(20), ..Backoff::default() })
        .ready_when(Probe::line(|line| line == "healthy"), Duration::from_secs(10))
        .start()?;

    let ready = service.wait_ready(Duration::from_secs(60));
    let outcome = service.stop()?;
    for event in service.events() {
        match event {
            SupervisionEvent::Started { number, .. } => println!("run {number} has begun"),
            SupervisionEvent::Ended(outcome) => println!("  it {outcome}"),
            SupervisionEvent::Ready { .. } => println!("  it is healthy"),
            _ => {}
        }
    }
    println!("restarts: {}; ended because it was {}", outcome.restarts, outcome.stopped);
    std::fs::remove_dir_all(&directory)?;
    Ok(ready?)
}
