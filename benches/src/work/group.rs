//! Groups: made and removed, started into, and killed with all that is in them.

use super::{Job, expect, repeated, timed};
use crate::Result;
use crate::server::Answer;
use pinfold::{Isolation, ProcessGroup, Runner, Stdio, Stream};
use pinfold_os::linux::cgroup::Cgroup;
use pinfold_os::poll;
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

/// Starts so many of a program that stay, says so, and stays itself; first it moves into a cgroup, if one is named.
const TREE: &str = "[ -z \"$2\" ] || echo 0 >\"$2/cgroup.procs\"; i=1; \
    while [ $i -lt \"$1\" ]; do \"$0\" stay >/dev/null & i=$((i + 1)); done; echo; exec \"$0\" stay >/dev/null";

/// Longer than the kernel holds back the news of a cgroup after the last (`CGROUP_FILE_NOTIFY_MIN_INTV`, 10 ms). A tree that
/// is killed sooner after its start would be measured by that.
const REST: Duration = Duration::from_millis(30);

pub(super) fn answer(job: Job<'_>) -> Result<Answer> {
    match job.way {
        "make" => repeated(job.count, || {
            drop(group()?);
            Ok(())
        }),
        "bare make" => {
            let path = place()?;
            repeated(job.count, || Ok(Cgroup::create(&path)?.remove()?))
        }
        "spawn" => {
            let (group, command) = (group()?, job.ours());
            let command = command.inherit_stdin().stdout(Stdio::Inherit).stderr(Stdio::Inherit);
            repeated(job.count, || expect("the code", group.exit_code(&command)? == 0))
        }
        "kill" => kill(job),
        "bare kill" => bare_kill(job),
        _ => job.unknown(),
    }
}

fn group() -> Result<ProcessGroup> {
    Ok(ProcessGroup::builder().isolation(Isolation::Cgroup).make()?)
}

fn kill(job: Job<'_>) -> Result<Answer> {
    let group = group()?;
    let count = job.count.to_string();
    let tree = group.start(&pinfold::Command::new("sh").args(["-c", TREE, job.program, &count, ""]))?;
    let first = tree.chunks(Stream::Stdout)?.next().transpose()?;
    expect("the tree", first.is_some() && group.members().len() as u64 == job.count)?;
    std::thread::sleep(REST);
    timed(|| {
        let report = group.kill_all()?;
        expect("the report", report.members_before as u64 == job.count && report.members_after == 0)
    })
}

/// The least that can be done: one write, and waiting for the word of the kernel.
fn bare_kill(job: Job<'_>) -> Result<Answer> {
    let cgroup = Cgroup::create(&place()?)?;
    let mut command = std::process::Command::new("sh");
    command.args(["-c", TREE, job.program, &job.count.to_string()]).arg(cgroup.path());
    let mut child = command.stdout(std::process::Stdio::piped()).spawn()?;
    child.stdout.take().ok_or("no pipe")?.read_exact(&mut [0])?;
    expect("the tree", cgroup.processes()?.len() as u64 == job.count)?;
    std::thread::sleep(REST);
    let answer = timed(|| {
        cgroup.kill()?;
        while cgroup.is_populated()? {
            poll::wait(&[cgroup.waitable()?], None)?;
        }
        Ok(())
    });
    child.wait()?;
    cgroup.remove()?;
    answer
}

/// Where a cgroup of our own can be made.
fn place() -> Result<PathBuf> {
    Ok(crate::machine::cgroup()?.join(format!("pinfold-bench.{}", std::process::id())))
}
