//! How a process ended, from the kernel's own record of it.

use crate::signal::Signal;
use std::time::Duration;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExitStatus {
    /// It returned this code: 0 to 255 on Unix, any on Windows.
    Code(i32),
    /// A signal ended it.
    Signal {
        /// Which.
        signal: Signal,
        /// Whether the kernel dumped core.
        core_dumped: bool,
    },
    /// It ended, and someone else took the record: this process ignores `SIGCHLD`, or other code of it waited for
    /// every child. Linux 6.15 and later keep the status for whoever holds a pidfd, so it is seen on older ones only.
    Lost,
}

#[cfg(target_os = "linux")]
impl ExitStatus {
    /// From the two numbers of a wait (`waitid(2)`): what became of the child, and its code or signal.
    pub(crate) fn of_child(code: i32, status: i32) -> ExitStatus {
        match Signal::from_number(status) {
            Some(signal) if code == libc::CLD_KILLED || code == libc::CLD_DUMPED => {
                ExitStatus::Signal { signal, core_dumped: code == libc::CLD_DUMPED }
            }
            _ => ExitStatus::Code(status),
        }
    }
}

/// What a process and the children that it waited for have used, as `getrusage(2)` counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Time on a CPU in user mode.
    pub user: Duration,
    /// Time on a CPU in the kernel.
    pub system: Duration,
    /// The largest resident set in bytes. On Linux a new process starts with the figure of the one that made it, so
    /// a value not above the maker's own is no more than a bound.
    pub max_rss: u64,
}

/// The end of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// How it ended.
    pub status: ExitStatus,
    /// What it used; zero where the record was lost.
    pub usage: Usage,
}

/// The largest resident set that this process ever had, in bytes; 0 where that cannot be told.
pub fn own_peak_memory() -> u64 {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: a structure of plain numbers, filled by the call.
        let usage = unsafe {
            let mut usage = std::mem::zeroed::<libc::rusage>();
            libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
            usage
        };
        usage.ru_maxrss as u64 * 1024
    }
    #[cfg(not(target_os = "linux"))]
    {
        0
    }
}

/// Whether an error says that the system or this process has run out of processes, descriptors, memory or space.
pub fn is_exhaustion(error: &std::io::Error) -> bool {
    #[cfg(unix)]
    {
        let numbers = [libc::EAGAIN, libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::ENOSPC, libc::EDQUOT];
        error.raw_os_error().is_some_and(|number| numbers.contains(&number))
    }
    #[cfg(not(unix))]
    {
        error.kind() == std::io::ErrorKind::OutOfMemory
    }
}
