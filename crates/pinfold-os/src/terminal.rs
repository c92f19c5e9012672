//! The controlling terminal: who is in its foreground, and stopping as a job does.
//!
//! It follows `tcsetpgrp(3)` and the job control of POSIX; who is to have the foreground is decided above.

use crate::handle::Pid;
use crate::signal::Signal;
use std::io;

/// The controlling terminal of this process.
#[derive(Debug)]
pub struct Terminal(imp::Terminal);

impl Terminal {
    /// Opens it.
    ///
    /// # Errors
    /// `ENXIO` for a process that has none; [`io::ErrorKind::Unsupported`] where there is no such thing.
    pub fn controlling() -> io::Result<Terminal> {
        imp::Terminal::controlling().map(Terminal)
    }

    /// Whether the process group of this process is in the foreground.
    pub fn is_ours(&self) -> bool {
        self.0.is_ours()
    }

    /// Puts the group that this process leads in the foreground. Works from the background too.
    ///
    /// # Errors
    /// `EPERM` for a group of another session.
    pub fn give(&self, leader: Pid) -> io::Result<()> {
        self.0.give(leader)
    }

    /// Puts our own group in the foreground. Works from the background too.
    ///
    /// # Errors
    /// `ENOTTY` once it is our controlling terminal no more.
    pub fn take(&self) -> io::Result<()> {
        self.0.take()
    }
}

/// Whether standard input is a terminal with our process group in its foreground.
pub fn stdin_is_ours() -> bool {
    imp::stdin_is_ours()
}

/// How many characters a line of the terminal on standard error has; `None` where that is no terminal, or does not say.
pub fn width() -> Option<usize> {
    imp::width()
}

/// Lets a job control signal (`SIGTSTP`, `SIGTTIN`, `SIGTTOU`) stop this process as it does by default, even while it
/// is blocked; returns when the process goes on. In a process group that no shell looks after (an orphaned one) the
/// kernel does not stop it, and this returns at once.
pub fn stop_by(signal: Signal) {
    imp::stop_by(signal);
}

#[cfg(unix)]
mod imp {
    use super::{Pid, Signal, io};
    use crate::signal::{with_blocked, with_unblocked};
    use rustix::fs::{Mode, OFlags};
    use rustix::process::getpgrp;
    use rustix::termios::{tcgetpgrp, tcsetpgrp};
    use std::os::fd::OwnedFd;

    #[derive(Debug)]
    pub(super) struct Terminal(OwnedFd);

    impl Terminal {
        pub(super) fn controlling() -> io::Result<Terminal> {
            let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOCTTY;
            Ok(Terminal(rustix::fs::open("/dev/tty", flags, Mode::empty())?))
        }

        pub(super) fn is_ours(&self) -> bool {
            tcgetpgrp(&self.0).is_ok_and(|group| group == getpgrp())
        }

        pub(super) fn give(&self, leader: Pid) -> io::Result<()> {
            let group = rustix::process::Pid::from_raw(leader.get() as i32).ok_or(io::ErrorKind::NotFound)?;
            self.set(group)
        }

        pub(super) fn take(&self) -> io::Result<()> {
            self.set(getpgrp())
        }

        /// The kernel stops whoever does this from the background, unless the signal that it does that by is blocked.
        fn set(&self, group: rustix::process::Pid) -> io::Result<()> {
            with_blocked(Signal::TTOU, || Ok(tcsetpgrp(&self.0, group)?))
        }
    }

    pub(super) fn stdin_is_ours() -> bool {
        tcgetpgrp(rustix::stdio::stdin()).is_ok_and(|group| group == getpgrp())
    }

    pub(super) fn width() -> Option<usize> {
        let size = rustix::termios::tcgetwinsize(rustix::stdio::stderr()).ok()?;
        (size.ws_col > 0).then_some(size.ws_col.into())
    }

    pub(super) fn stop_by(signal: Signal) {
        // Raised while it is blocked: the terminal's own may be waiting too, and they are to stop us once.
        // SAFETY: a signal to this thread; its default action stops the process and does no more.
        with_blocked(signal, || unsafe { libc::raise(signal.number()) });
        with_unblocked(signal, || {});
    }
}

#[cfg(not(unix))]
mod imp {
    use super::{Pid, Signal, io};

    #[derive(Debug)]
    pub(super) enum Terminal {}

    impl Terminal {
        pub(super) fn controlling() -> io::Result<Terminal> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(super) fn is_ours(&self) -> bool {
            match *self {}
        }

        pub(super) fn give(&self, _: Pid) -> io::Result<()> {
            match *self {}
        }

        pub(super) fn take(&self) -> io::Result<()> {
            match *self {}
        }
    }

    pub(super) fn stdin_is_ours() -> bool {
        false
    }

    pub(super) fn width() -> Option<usize> {
        None
    }

    pub(super) fn stop_by(_: Signal) {}
}
