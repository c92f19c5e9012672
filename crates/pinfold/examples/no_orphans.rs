//! A test environment of several services that goes with whoever started it: when it is stopped, by an error in the
//! middle, and even when the owner itself is killed and can do nothing any more.
//!
//! `cargo run -p pinfold --example no_orphans`
#![expect(clippy::print_stdout, reason = "an example talks to the person who runs it")]

use pinfold::{Command, Guarantee, Handle, ProcessGroup, Runner, StopRule};
use std::error::Error;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// As services are: it starts a helper that goes its own way, in a session of its own, where a shell's ^C and a signal to
/// the process group do not reach it; and it would rather not end.
const SERVICE: &str = "trap '' TERM; setsid sleep 600 & echo $$ $!; wait; exec sleep 600";

/// The services; each says its own pid and that of its helper.
fn start(group: &ProcessGroup) -> Result<(Vec<Handle>, Vec<u32>), Box<dyn Error>> {
    let (mut services, mut pids) = (Vec::new(), Vec::new());
    for name in ["database", "worker"] {
        let service = group.start(&Command::new("sh").args(["-c", SERVICE, name]))?;
        let line = service.stdout_lines()?.next().ok_or("it has said nothing")??;
        for pid in line.split_whitespace() {
            pids.push(pid.parse()?);
        }
        services.push(service);
    }
    Ok((services, pids))
}

/// The group of the environment. On a host that could let something get away this is an error, and not a weaker promise.
fn environment() -> pinfold::Result<ProcessGroup> {
    ProcessGroup::builder().require(Guarantee::Guarded).make()
}

/// What goes wrong in the middle: `?` leaves the function, as a panic would, and the group, which is dropped, ends all that is
/// in it.
fn fails(pids: &mut Vec<u32>) -> Result<(), Box<dyn Error>> {
    let group = environment()?;
    let (_services, started) = start(&group)?;
    *pids = started;
    let answer: u32 = "not a number".parse()?;
    println!("not printed: {answer}");
    Ok(())
}

/// How many of them live. One that has ended and whose parent has not asked yet is a zombie.
fn living(pids: &[u32]) -> usize {
    let status = |pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/status"));
    let lives = |pid: &&u32| status(pid).is_ok_and(|status| !status.contains("State:\tZ"));
    pids.iter().filter(lives).count()
}

fn main() -> Result<(), Box<dyn Error>> {
    if std::env::args().nth(1).as_deref() == Some("own") {
        return own();
    }
    let group = environment()?;
    let (_services, pids) = start(&group)?;
    println!("{} processes live", living(&pids));
    // Asked to end, given a moment, killed: when it returns, they are gone.
    let report = group.stop_by(StopRule { grace: Duration::from_millis(100), ..StopRule::default() })?;
    println!(
        "stopped: {} before, {} after; {} live",
        report.members_before,
        report.members_after,
        living(&pids)
    );

    let mut pids = Vec::new();
    let error = fails(&mut pids).expect_err("there is no number");
    println!("an error ({error}): {} of {} live", living(&pids), pids.len());

    // The owner is a program of its own, started without pinfold, and killed: nothing of its own code runs after that.
    let mut owner =
        std::process::Command::new(std::env::current_exe()?).arg("own").stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    BufReader::new(owner.stdout.take().ok_or("no pipe")?).read_line(&mut line)?;
    let pids: Vec<u32> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    owner.kill()?;
    owner.wait()?;
    // A guard beside the group sees it, and does the rest.
    let deadline = Instant::now() + Duration::from_secs(10);
    while living(&pids) > 0 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
    println!("the owner killed: {} of {} live", living(&pids), pids.len());
    Ok(())
}

/// The owner that is killed: it says whom it has started, and waits for that.
fn own() -> Result<(), Box<dyn Error>> {
    let group = environment()?;
    let (services, pids) = start(&group)?;
    println!("{}", pids.iter().map(u32::to_string).collect::<Vec<_>>().join(" "));
    for service in services {
        service.wait()?;
    }
    Ok(())
}
