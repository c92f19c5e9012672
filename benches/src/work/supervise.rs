//! Supervision: the memory that a supervised child takes in its supervisor, and the time from a crash to the next child.

use super::{Job, expect, status, timed};
use crate::Result;
use crate::server::Answer;
use pinfold::{Backoff, Crowd, Phase, Restart, StopRule, Stopped, Supervision, Supervisor};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longer than any restart takes.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn answer(job: Job<'_>) -> Result<Answer> {
    match job.way {
        "memory" => memory(job),
        "std memory" => std_memory(job),
        "restart" => restart(job),
        "shell restart" => shell_restart(job),
        "supervisord restart" => supervisord_restart(job),
        _ => job.unknown(),
    }
}

/// What has become resident meanwhile, for each of so many.
fn grown(before: u64, count: u64) -> Result<Answer> {
    Ok(Answer { nanos: 1, bytes: status("VmRSS")?.saturating_sub(before) * 1024 / count })
}

fn drive(crowd: &mut Crowd<Supervision>) -> Result<()> {
    let interest = crowd.interest(Instant::now());
    pinfold_os::poll::wait(&interest.waitables, interest.deadline)?;
    for (_, _, answer) in crowd.advance(Instant::now())? {
        expect("the end of supervision", answer??.stopped == Stopped::Stopped)?;
    }
    Ok(())
}

fn memory(job: Job<'_>) -> Result<Answer> {
    let supervisor = Supervisor::new(job.ours());
    let mut crowd = Crowd::default();
    // The first run of a process finds out what this host offers, and that is kept once.
    job.ours().start()?.kill()?;
    let before = status("VmRSS")?;
    for _ in 0..job.count {
        crowd.add(supervisor.supervision()?);
    }
    while crowd.iter().any(|(_, supervision)| supervision.phase() != Phase::Up) {
        drive(&mut crowd)?;
    }
    let answer = grown(before, job.count);
    let keys: Vec<_> = crowd.iter().map(|(key, _)| key).collect();
    for key in keys {
        crowd.get_mut(key).ok_or("it has ended")?.stop_by(StopRule::KILL, Instant::now());
    }
    while !crowd.is_empty() {
        drive(&mut crowd)?;
    }
    answer
}

fn std_memory(job: Job<'_>) -> Result<Answer> {
    let before = status("VmRSS")?;
    let mut children: Vec<Child> = Vec::new();
    for _ in 0..job.count {
        children.push(job.std().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?);
    }
    let answer = grown(before, job.count);
    for child in &mut children {
        child.kill()?;
        child.wait()?;
    }
    answer
}

/// A program that ends at once, so many times more than once.
fn restart(job: Job<'_>) -> Result<Answer> {
    let restarts = u32::try_from(job.count)?;
    let supervisor =
        Supervisor::new(job.ours()).restart(Restart::Always).max_restarts(restarts).backoff(Backoff::NONE);
    timed(|| expect("the number of restarts", supervisor.run()?.restarts == restarts))
}

fn shell_restart(job: Job<'_>) -> Result<Answer> {
    let script = format!("i=0; while [ $i -le {} ]; do {}; i=$((i+1)); done", job.count, job.program);
    timed(|| expect("the end of the loop", Command::new("sh").args(["-c", &script]).status()?.success()))
}

/// From its word that it has begun the first to that of the last.
fn supervisord_restart(job: Job<'_>) -> Result<Answer> {
    let [supervisord] = job.args else { return job.unknown() };
    let directory = std::env::temp_dir().join(format!("pinfold-bench-supervisord-{}", std::process::id()));
    fs::create_dir_all(&directory)?;
    let answer = under_supervisord(job, Path::new(supervisord), &directory);
    fs::remove_dir_all(&directory)?;
    answer
}

fn under_supervisord(job: Job<'_>, supervisord: &Path, directory: &Path) -> Result<Answer> {
    let (config, log) = (directory.join("config"), directory.join("log"));
    let text = format!(
        "[supervisord]\nnodaemon=true\nlogfile={}\npidfile={}\n[program:it]\ncommand={}\nautorestart=true\nstartsecs=0\n",
        log.display(),
        directory.join("pid").display(),
        job.program
    );
    fs::write(&config, text)?;
    let mut command = Command::new(supervisord);
    command.arg("-c").arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let begun = |runs: usize| -> Result<()> {
        let deadline = Instant::now() + PATIENCE * u32::try_from(runs)?;
        while fs::read_to_string(&log).unwrap_or_default().matches(" spawned: ").count() < runs {
            expect("supervisord", Instant::now() < deadline)?;
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    };
    let answer = begun(1).and_then(|()| timed(|| begun(usize::try_from(job.count)? + 1)));
    child.kill()?;
    child.wait()?;
    answer
}
