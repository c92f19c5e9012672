//! How a run ended, and the plain facts about it.

use crate::settings::Stream;
use pinfold_os::handle::Pid;
use pinfold_os::signal::Signal;
use std::fmt;
use std::time::Duration;

/// How the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Ending {
    /// It returned this exit code.
    Exited {
        /// 0 to 255 on Unix.
        code: i32,
    },
    /// A signal ended it.
    Signalled {
        /// Which.
        #[cfg_attr(feature = "serde", serde(with = "crate::wire::signal"))]
        signal: Signal,
        /// Whether the kernel says that it dumped core.
        core_dumped: bool,
    },
    /// It ended, and its status was taken by other code of this process: see
    /// [`pinfold_os::wait::ExitStatus::Lost`].
    Lost,
}

/// Why it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Cause {
    /// Of its own accord, or by something that pinfold had no part in.
    Itself,
    /// It ran longer than its timeout.
    Timeout,
    /// It gave no output for longer than its idle timeout.
    IdleTimeout,
    /// A cancellation token was cancelled.
    Cancelled,
    /// It was told to stop: by `stop`, `kill`, or the end of its handle.
    Stopped,
    /// Its output went over a limit whose overflow is an error.
    OutputLimit,
}

impl Cause {
    /// Its name: `itself`, `timeout`, `idle_timeout`, ...
    pub fn as_str(self) -> &'static str {
        match self {
            Cause::Itself => "itself",
            Cause::Timeout => "timeout",
            Cause::IdleTimeout => "idle_timeout",
            Cause::Cancelled => "cancelled",
            Cause::Stopped => "stopped",
            Cause::OutputLimit => "output_limit",
        }
    }
}

/// What holds a run together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Mechanism {
    /// A cgroup v2 directory of its own: every descendant is in it, whatever it does short of moving itself to
    /// another cgroup that it may write to.
    CgroupV2,
    /// A PID namespace (Linux).
    PidNamespace,
    /// A job object (Windows).
    JobObject,
    /// A keeper process that adopts every descendant (Linux).
    Subreaper,
    /// A process group: descendants that leave it (`setsid`, daemons) are not reached.
    ProcessGroup,
    /// Nothing, since nothing was started: the run is a double, for tests.
    Scripted,
}

impl Mechanism {
    /// Its name: `cgroup_v2`, `process_group`, ...
    pub fn as_str(self) -> &'static str {
        match self {
            Mechanism::CgroupV2 => "cgroup_v2",
            Mechanism::PidNamespace => "pid_namespace",
            Mechanism::JobObject => "job_object",
            Mechanism::Subreaper => "subreaper",
            Mechanism::ProcessGroup => "process_group",
            Mechanism::Scripted => "scripted",
        }
    }
}

/// What holds even when the process that owns a run is killed. From weakest to strongest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Guarantee {
    /// Descendants that try can get away; all are left if the owner ends without ending its runs, by `exit` too.
    BestEffort,
    /// None gets away while the owner lives or ends in an orderly way; all are left if it is killed.
    WhileOwnerLives,
    /// A guard process ends them all when the owner is killed.
    Guarded,
    /// The kernel itself ends them all.
    Kernel,
}

impl Guarantee {
    /// Its name: `best_effort`, `while_owner_lives`, `guarded`, `kernel`.
    pub fn as_str(self) -> &'static str {
        match self {
            Guarantee::BestEffort => "best_effort",
            Guarantee::WhileOwnerLives => "while_owner_lives",
            Guarantee::Guarded => "guarded",
            Guarantee::Kernel => "kernel",
        }
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Guarantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a run has used.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Usage {
    /// Time on CPUs in user mode. In a cgroup: of every process of the run; else of the program and of the children
    /// that it waited for.
    #[cfg_attr(feature = "serde", serde(rename = "user_seconds", with = "crate::wire::seconds"))]
    pub user: Duration,
    /// Time on CPUs in the kernel, counted likewise.
    #[cfg_attr(feature = "serde", serde(rename = "system_seconds", with = "crate::wire::seconds"))]
    pub system: Duration,
    /// The largest resident set of one process of the run, in bytes. Where a limit of its own or of its group has the memory
    /// controller at work, exactly the most memory of all of it at once, page cache included (`memory.peak`, Linux 5.19).
    ///
    /// Linux starts a new process with its maker's figure (`getrusage(2)` after `execve(2)`), so a program that stays
    /// smaller than its maker hides behind it: then this is `None`, rather than the maker's size.
    #[cfg_attr(feature = "serde", serde(rename = "peak_memory_bytes"))]
    pub peak_memory: Option<u64>,
}

impl Usage {
    /// Time on CPUs, in user mode and in the kernel.
    pub fn cpu_time(&self) -> Duration {
        self.user + self.system
    }
}

/// A process that was still there when its run had to be ended, or that held its output open.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Stray {
    /// Its pid.
    #[cfg_attr(feature = "serde", serde(with = "crate::wire::pid"))]
    pub pid: Pid,
    /// Its name (`/proc/PID/comm`), empty if it was gone before it could be asked.
    pub name: String,
}

impl fmt::Display for Stray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", if self.name.is_empty() { "?" } else { &self.name }, self.pid)
    }
}

/// The processes that outlived their program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Strays {
    /// How many were still in the container when the program had ended and its time to linger was over.
    pub count: usize,
    /// Whether some ignored the stop signal and were killed.
    pub killed: bool,
    /// The first of them, 16 at most.
    pub some: Vec<Stray>,
    /// Processes outside of the container that held the output open to the last; the run ended without them.
    pub holding_output: Vec<Stray>,
    /// Processes that could not be ended, since they had become another user's (as `sudo` does), and that the run ended
    /// without; 16 at most. Empty in a cgroup, where the kernel asks nobody's rights.
    #[cfg_attr(feature = "serde", serde(default))]
    pub beyond_reach: Vec<Stray>,
}

/// Who else was there when all of a run began to be ended: the processes of it beside its program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct EndedWith {
    /// How many.
    pub count: usize,
    /// The first of them, 16 at most.
    pub some: Vec<Stray>,
}

/// What came from one stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Seen {
    /// Bytes, whether they were retained or not.
    pub bytes: u64,
    /// Lines; an unfinished last one counts.
    pub lines: u64,
    /// Whether some are not retained.
    pub truncated: bool,
}

/// What a run or a group has run into, by the kernel's own count. A figure is `None` where no limit of ours had its
/// controller at work: then nobody counted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
pub struct LimitsHit {
    /// Processes that the kernel killed because memory had run out: that of its limit, or of the whole machine
    /// (`oom_kill` in `memory.events`).
    pub oom_kills: Option<u64>,
    /// How often its memory was about to go over the limit, most often with no harm done (`max` in `memory.events`).
    pub memory_max: Option<u64>,
    /// Processes and threads that were refused (`max` in `pids.events`). Of a group as a whole the kernel tells it since
    /// Linux 6.11; before that each of its runs knows its own.
    pub processes: Option<u64>,
    /// How long it was kept from running by its CPU quota (`throttled_usec` in `cpu.stat`).
    #[cfg_attr(feature = "serde", serde(rename = "throttled_seconds", with = "crate::wire::maybe_seconds"))]
    pub throttled: Option<Duration>,
}

impl LimitsHit {
    /// Whether the kernel killed a process of it because memory had run out.
    pub fn out_of_memory(&self) -> bool {
        self.oom_kills.is_some_and(|kills| kills > 0)
    }
}

/// The end of a run.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Outcome {
    /// How the program ended.
    pub ending: Ending,
    /// Why.
    pub cause: Cause,
    /// From the start to the end of all of it.
    #[cfg_attr(feature = "serde", serde(rename = "duration_seconds", with = "crate::wire::seconds"))]
    pub duration: Duration,
    /// What it used.
    pub usage: Usage,
    /// What was seen on its standard output; `None` if that was not captured.
    #[cfg_attr(feature = "serde", serde(with = "crate::wire::maybe_seen"))]
    pub stdout: Option<Seen>,
    /// What was seen on its standard error; `None` if that was not captured.
    #[cfg_attr(feature = "serde", serde(with = "crate::wire::maybe_seen"))]
    pub stderr: Option<Seen>,
    /// What outlived the program.
    pub strays: Strays,
    /// Who else was ended with the program, where a timeout, a limit of its output or a cancellation did that. `None` where it
    /// ended for another reason, or before it was ended: then nobody looked.
    #[cfg_attr(feature = "serde", serde(default))]
    pub ended_with: Option<EndedWith>,
    /// Which of its limits it ran into.
    #[cfg_attr(feature = "serde", serde(default))]
    pub limits_hit: LimitsHit,
    /// What held it together.
    pub mechanism: Mechanism,
    /// What that was good for.
    pub guarantee: Guarantee,
}

impl Outcome {
    /// The exit code, if it returned one.
    pub fn code(&self) -> Option<i32> {
        match self.ending {
            Ending::Exited { code } => Some(code),
            _ => None,
        }
    }

    /// The signal that ended it, if one did.
    pub fn signal(&self) -> Option<Signal> {
        match self.ending {
            Ending::Signalled { signal, .. } => Some(signal),
            _ => None,
        }
    }

    /// Whether the kernel says that it dumped core.
    pub fn core_dumped(&self) -> bool {
        matches!(self.ending, Ending::Signalled { core_dumped: true, .. })
    }

    /// Whether it was ended because of one of its timeouts.
    pub fn timed_out(&self) -> bool {
        matches!(self.cause, Cause::Timeout | Cause::IdleTimeout)
    }

    /// Whether it ended of its own accord with code 0.
    pub fn exited_zero(&self) -> bool {
        self.cause == Cause::Itself && self.code() == Some(0)
    }

    /// What was seen on one stream; `None` if it was not captured.
    pub fn seen(&self, stream: Stream) -> Option<Seen> {
        match stream {
            Stream::Stdout => self.stdout,
            Stream::Stderr => self.stderr,
        }
    }
}

impl fmt::Display for EndedWith {
    /// What is said behind the end of the program: nothing where it was alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count {
            0 => Ok(()),
            1 => f.write_str(", and 1 other process was ended with it"),
            count => write!(f, ", and {count} other processes were ended with it"),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cause {
            Cause::Timeout => f.write_str("timed out and ")?,
            Cause::IdleTimeout => f.write_str("gave no output for too long and ")?,
            Cause::Cancelled => f.write_str("was cancelled and ")?,
            Cause::Stopped => f.write_str("was stopped and ")?,
            Cause::OutputLimit => f.write_str("went over its output limit and ")?,
            Cause::Itself => {}
        }
        match self.ending {
            Ending::Exited { code } => write!(f, "exited with code {code}")?,
            Ending::Signalled { signal, core_dumped } => {
                let core = if core_dumped { " (core dumped)" } else { "" };
                write!(f, "was ended by {signal}{core}")?;
            }
            Ending::Lost => f.write_str("ended, and its status was taken by other code of this process")?,
        }
        if let Some(ended_with) = &self.ended_with {
            fmt::Display::fmt(ended_with, f)?;
        }
        match self.limits_hit.oom_kills {
            None | Some(0) => Ok(()),
            Some(1) => f.write_str("; the kernel killed a process of it for want of memory"),
            Some(kills) => write!(f, "; the kernel killed {kills} processes of it for want of memory"),
        }
    }
}
