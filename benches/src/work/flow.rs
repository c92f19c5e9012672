//! Several commands at once: one after the other in a pipeline, side by side in a batch.

use super::{Job, expect, timed};
use crate::Result;
use crate::server::Answer;
use pinfold::{Batch, Pipeline, Stdio};
use pinfold_os::order::Order;
use pinfold_os::poll::{self, Direction, Waitable};
use std::ffi::CString;
use std::os::unix::ffi::OsStringExt;

/// So much may a thread read that has a pipeline waited for: not what passes through it.
const READS: u64 = 1 << 20;

/// So many gibibytes through three programs.
pub(super) fn pipeline(job: Job<'_>) -> Result<Answer> {
    let size = format!("{}G", job.count);
    match job.way {
        "ours" => {
            let command = |program: &str| pinfold::Command::new(program);
            let stages = [command("head").args(["-c", &size, "/dev/zero"]), command("cat"), command("cat")];
            let pipeline = Pipeline::new(stages).stdout(Stdio::Null);
            let before = has_read()?;
            let answer = timed(|| pipeline.run().map(drop).map_err(Into::into))?;
            expect("what the parent read", has_read()? - before < READS)?;
            Ok(answer)
        }
        "sh" => {
            let script = format!("head -c {size} /dev/zero | cat | cat >/dev/null");
            let mut command = std::process::Command::new("sh");
            command.args(["-c", &script]);
            timed(|| expect("the status", command.status()?.success()))
        }
        _ => job.unknown(),
    }
}

/// What this thread has read.
fn has_read() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/io")?;
    let number = text.lines().find_map(|line| line.strip_prefix("rchar: "));
    Ok(number.ok_or("no such figure")?.parse()?)
}

/// So many of a program, two at a time, with the streams that they inherit.
pub(super) fn batch(job: Job<'_>) -> Result<Answer> {
    match job.way {
        "ours" | "captured" => {
            let command = match job.way {
                "ours" => job.ours().inherit_stdin().stdout(Stdio::Inherit).stderr(Stdio::Inherit),
                _ => job.ours(),
            };
            timed(|| {
                let batch = Batch::new((0..job.count).map(|_| command.clone())).concurrency(2);
                let end = batch.for_each(|_| {});
                expect("the number of successes", end.done as u64 == job.count && end.failed == 0)
            })
        }
        "bare" => bare(job),
        "xargs" => {
            let mut command = std::process::Command::new("xargs");
            command.args(["-P2", "-n1", "-a", job.args.first().copied().unwrap_or_default(), job.program]);
            timed(|| expect("the status", command.status()?.success()))
        }
        _ => job.unknown(),
    }
}

/// Two at a time with nothing around: orders, and processes that are waited for.
fn bare(job: Job<'_>) -> Result<Answer> {
    let program = CString::new(job.program)?;
    let mut env = Vec::new();
    for (name, value) in std::env::vars_os() {
        env.push(CString::new([name.into_vec(), value.into_vec()].join(&b'='))?);
    }
    let mut argv = vec![program.clone()];
    for arg in job.args {
        argv.push(CString::new(*arg)?);
    }
    let order = Order::new(program, argv, env);
    timed(|| {
        let (mut started, mut ended, mut running) = (0, 0, Vec::new());
        while ended < job.count {
            while running.len() < 2 && started < job.count {
                running.push(pinfold_os::spawn::spawn(&order).map_err(|error| error.to_string())?);
                started += 1;
            }
            let wanted: Vec<Waitable<'_>> = running
                .iter()
                .map(|process: &pinfold_os::handle::Process| Waitable {
                    descriptor: process.waitable(),
                    direction: Direction::Read,
                })
                .collect();
            poll::wait(&wanted, None)?;
            drop(wanted);
            let mut index = 0;
            while index < running.len() {
                if running[index].try_reap()?.is_some() {
                    drop(running.swap_remove(index));
                    ended += 1;
                } else {
                    index += 1;
                }
            }
        }
        Ok(())
    })
}
