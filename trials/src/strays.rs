//! Processes that a test started and left: finding them by what they were given, and ending them.
//!
//! They are found by a variable of their environment, which every descendant inherits wherever it goes. A process that was
//! started with a cleared environment, or that runs as another user than an unprivileged test, is not found.

use std::fmt;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, getpid, pidfd_open, pidfd_send_signal, waitpid};

use crate::proc::{self, Stat, Status};

/// How long a killed process may take to be dead.
const DEATH: Duration = Duration::from_secs(5);

/// A process that should not be there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stray {
    /// Its process id.
    pub pid: i32,
    /// When it started, in clock ticks since boot.
    pub start: u64,
    /// Its parent.
    pub parent: i32,
    /// Its state, in a word.
    pub state: &'static str,
    /// Its command line.
    pub command_line: String,
    /// Whether it is dead, and a child of this process that nobody has waited for.
    pub unreaped: bool,
    /// Whether nothing can keep it alive any more: it exits, or SIGKILL is on its way to it.
    pub dying: bool,
}

impl Stray {
    /// What is known of `pid`, while it is there.
    fn of(pid: i32) -> Option<Self> {
        let stat = Stat::of(&pid.to_string()).ok()?;
        let status = Status::of(&pid.to_string()).ok()?;
        let pending = status.mask("SigPnd").ok()? | status.mask("ShdPnd").ok()?;
        let killed = pending & (1 << (libc::SIGKILL - 1)) != 0;
        Some(Self {
            pid,
            start: stat.start,
            parent: stat.ppid,
            state: stat.state_name(),
            command_line: proc::command_line(pid),
            unreaped: stat.is_zombie() && stat.ppid == getpid().as_raw_pid(),
            dying: killed || stat.is_exiting(),
        })
    }

    /// Kills it, and waits until it is dead; when it is a child of this process, also until it is reaped.
    ///
    /// Only a process that still holds `variable`, or is the very zombie, is touched: never one that has got its pid since.
    pub fn end(&self, variable: &str) {
        let Some(pid) = Pid::from_raw(self.pid).filter(|pid| !pid.is_init() && *pid != getpid()) else {
            return;
        };
        let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else {
            return;
        };
        // From here on the descriptor stands for one process; this tells whether it is the right one.
        let is_it = Stat::of(&self.pid.to_string()).is_ok_and(|stat| stat.start == self.start);
        if !is_it || !(self.unreaped || proc::was_given(self.pid, variable)) {
            return;
        }
        // Whatever fails here leaves the process where the next search finds it.
        let _ = pidfd_send_signal(&process, Signal::KILL);
        let timeout = Timespec::try_from(DEATH).ok();
        let _ = poll(&mut [PollFd::new(&process, PollFlags::IN)], timeout.as_ref());
        if self.unreaped || self.parent == getpid().as_raw_pid() {
            let _ = waitpid(Some(pid), WaitOptions::NOHANG);
        }
    }
}

impl fmt::Display for Stray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pid, parent, state, command_line, .. } = self;
        if self.unreaped {
            return write!(
                f,
                "process {pid} (unreaped: a dead child that nobody waited for): {command_line}"
            );
        }
        let dying = if self.dying { ", dying" } else { "" };
        write!(f, "process {pid} ({state}{dying}, child of {parent}): {command_line}")
    }
}

/// Every process but this one that was given `variable`, which is `NAME=VALUE`, and is not dead.
#[must_use]
pub fn carrying(variable: &str) -> Vec<Stray> {
    let others = proc::pids().filter(|&pid| pid != getpid().as_raw_pid());
    others.filter(|&pid| proc::was_given(pid, variable)).filter_map(Stray::of).collect()
}

/// Every dead child of this process that nobody has waited for.
#[must_use]
pub fn unreaped() -> Vec<Stray> {
    let dead_child = |pid: &i32| {
        let stat = Stat::of(&pid.to_string());
        stat.is_ok_and(|stat| stat.is_zombie() && stat.ppid == getpid().as_raw_pid())
    };
    proc::pids().filter(dead_child).filter_map(Stray::of).filter(|stray| stray.unreaped).collect()
}
