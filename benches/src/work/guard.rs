//! Guards: the time that one takes to start, and the memory that it takes while it waits.

use super::{Job, expect, timed};
use crate::Result;
use crate::server::Answer;
use crate::tree::has_ended;
use pinfold_os::handle::{Pid, Process};
use pinfold_os::linux::cgroup::Cgroup;
use pinfold_os::linux::guard::Guard;
use pinfold_os::signal::Signal;
use std::io::Read;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// How long a guard may take to come to rest, and to be dead.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn answer(job: Job<'_>) -> Result<Answer> {
    match job.way {
        "start" => start(job.count),
        "private" | "resident" => of_guard(job.way),
        "bare private" => of_program(job, "private"),
        "bare resident" => of_program(job, "resident"),
        _ => job.unknown(),
    }
}

/// A guard over a directory of its own that is empty.
struct Watch {
    directory: Cgroup,
    guard: Option<Guard>,
}

impl Watch {
    fn over(number: u64) -> Result<Watch> {
        let name = format!("pinfold-bench.{}.guarded{number}", std::process::id());
        Ok(Watch { directory: Cgroup::create(&crate::machine::cgroup()?.join(name))?, guard: None })
    }

    fn begin(&mut self) -> Result<Pid> {
        let guard = Guard::start(&self.directory)?;
        let pid = guard.pid();
        self.guard = Some(guard);
        Ok(pid)
    }

    /// Ends the guard, so that it does not do its work while something else is measured.
    fn end(&mut self) -> Result<()> {
        let Some(guard) = self.guard.take() else { return Ok(()) };
        let process = Process::open(guard.pid())?;
        // Alive by a handle that is as old as itself, it still had that pid.
        expect("the guard", guard.is_alive())?;
        process.signal(Signal::KILL)?;
        expect("the end of the guard", has_ended(&process, Instant::now() + PATIENCE)?)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.end();
        let _ = pinfold_os::linux::cgroup::remove(self.directory.path());
    }
}

fn start(count: u64) -> Result<Answer> {
    let mut watches = (0..count).map(Watch::over).collect::<Result<Vec<_>>>()?;
    let mut pids = Vec::new();
    let answer = timed(|| {
        for watch in &mut watches {
            pids.push(watch.begin()?);
        }
        Ok(())
    })?;
    // What it has to do at its start is its own business, and not that of the next measure.
    pids.into_iter().try_for_each(at_rest)?;
    watches.iter_mut().try_for_each(Watch::end)?;
    Ok(answer)
}

/// Waits until a process sleeps, which a guard does once it waits for the end of its owner.
fn at_rest(pid: Pid) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !sleeps(&std::fs::read_to_string(format!("/proc/{pid}/stat"))?) {
        expect("the state of the guard", Instant::now() < deadline)?;
        std::thread::yield_now();
    }
    Ok(())
}

/// Whether a line of `/proc/PID/stat` is that of a process that sleeps; the name in it may hold anything.
fn sleeps(stat: &str) -> bool {
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('S'))
}

fn of_guard(what: &str) -> Result<Answer> {
    let mut watch = Watch::over(0)?;
    let pid = watch.begin()?;
    at_rest(pid)?;
    let bytes = memory(pid, what)?;
    watch.end()?;
    Ok(Answer { nanos: 0, bytes })
}

fn of_program(job: Job<'_>, what: &str) -> Result<Answer> {
    let mut child = job.std().stdout(Stdio::piped()).spawn()?;
    let first = child.stdout.take().ok_or("no pipe")?.read_exact(&mut [0]);
    let pid = Pid::new(child.id().into()).ok_or("no pid")?;
    let bytes = memory(pid, what);
    child.kill()?;
    child.wait()?;
    first?;
    Ok(Answer { nanos: 0, bytes: bytes? })
}

fn memory(pid: Pid, what: &str) -> Result<u64> {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let bytes = if what == "private" {
        figure(&rollup, "Private_Clean")
            .zip(figure(&rollup, "Private_Dirty"))
            .map(|(clean, dirty)| clean + dirty)
    } else {
        figure(&rollup, "Rss")
    };
    Ok(bytes.ok_or("no such figure")?)
}

/// A figure of `/proc/PID/smaps_rollup`, in bytes.
fn figure(rollup: &str, name: &str) -> Option<u64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_by_their_whole_name() {
        let rollup = "00400000-7ffd [rollup]\nRss:                  24 kB\nPrivate_Clean:         4 kB\n\
                      Private_Dirty:         8 kB\nPrivate_Hugetlb: none\n";
        assert_eq!(figure(rollup, "Rss"), Some(24 << 10));
        assert_eq!(figure(rollup, "Private_Dirty"), Some(8 << 10));
        assert_eq!(figure(rollup, "Private"), None);
        assert_eq!(figure(rollup, "Private_Hugetlb"), None);
    }

    #[test]
    fn who_sleeps_is_read_behind_the_name() {
        assert!(sleeps("7 (pinfold-guard) S 1 7"));
        assert!(!sleeps("7 (a) S (b) R 1 7"));
        assert!(!sleeps(""));
    }
}
