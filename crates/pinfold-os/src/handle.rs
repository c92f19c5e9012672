//! A process, named so that the name can never come to mean another one.
//!
//! On Linux that name is a pidfd. Where the kernel has none, the pid is used together with the start time, and only
//! while the process is a child that was not yet waited for, since its pid cannot be given away before that.
//! No number that arithmetic or a failed call can make gets to `kill(2)`: see [`Pid`].

use crate::descriptor::Borrowed;
use crate::signal::Signal;
use crate::wait::Exit;
use std::io;
use std::num::NonZeroU32;

/// A process id that can be signalled: at least 2. 0, 1 and what is negative as a `pid_t` name groups, everything,
/// or the init process, and are no pid here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pid(NonZeroU32);

impl Pid {
    /// The pid of this number, unless it is one that must not be signalled.
    pub fn new(number: i64) -> Option<Pid> {
        let number = u32::try_from(number).ok()?;
        if number < 2 || i32::try_from(number).is_err() {
            return None;
        }
        NonZeroU32::new(number).map(Pid)
    }

    /// The number.
    pub fn get(self) -> u32 {
        self.0.get()
    }
}

impl std::fmt::Display for Pid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A process: a child of ours or of a keeper of ours, or one that was opened by its pid.
///
/// Dropping it leaves the process alone; a child that is dropped before [`Process::try_reap`] gave its end stays a
/// zombie until this process ends.
#[derive(Debug)]
pub struct Process {
    pid: Pid,
    imp: imp::Handle,
}

impl Process {
    /// A handle of the process that has this pid now.
    ///
    /// # Errors
    /// `ESRCH` if there is none.
    pub fn open(pid: Pid) -> io::Result<Process> {
        crate::fault::at(crate::fault::Fault::Handle)?;
        Ok(Process { pid, imp: imp::Handle::open(pid)? })
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn child(pid: Pid, pidfd: Option<std::os::fd::OwnedFd>) -> io::Result<Process> {
        Ok(Process { pid, imp: imp::Handle::child(pid, pidfd)? })
    }

    /// The child of a keeper, which reports its end through this socket.
    #[cfg(target_os = "linux")]
    pub(crate) fn kept(pid: Pid, pidfd: std::os::fd::OwnedFd, reports: std::os::fd::OwnedFd) -> Process {
        Process { pid, imp: imp::Handle::kept(pidfd, reports) }
    }

    /// Another handle of the same process. Where this one is a child that has not been waited for, the other relies on
    /// that as long as it lives: let go of it before the child is waited for.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] on kernels without pidfds.
    pub fn twin(&self) -> io::Result<Process> {
        Ok(Process { pid: self.pid, imp: self.imp.twin()? })
    }

    /// Its pid. Good for showing; signals go through the handle.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// What becomes readable when the process has ended.
    pub fn waitable(&self) -> Borrowed<'_> {
        self.imp.waitable()
    }

    /// Sends a signal to this very process.
    ///
    /// # Errors
    /// `ESRCH` once it has been waited for; `EPERM` if it is not ours to signal.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        crate::fault::at(crate::fault::Fault::Signal)?;
        self.imp.signal(self.pid, Some(signal))
    }

    /// Whether the process is still there: running, or ended and not yet waited for.
    pub fn exists(&self) -> bool {
        match self.imp.signal(self.pid, None) {
            Ok(()) => true,
            Err(error) => error.kind() == io::ErrorKind::PermissionDenied,
        }
    }

    /// Whether it is there and may not be signalled by us: that of another user, as a setuid program can make itself.
    pub fn is_beyond_us(&self) -> bool {
        self.imp.signal(self.pid, None).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
    }

    /// Sends a signal to the process group that this process leads, even after its own end while members are left
    /// (Linux 6.9 and later; before that only until it was waited for).
    ///
    /// # Errors
    /// `ESRCH` if the group has no member, or can no longer be named safely.
    pub fn signal_group(&self, signal: Signal) -> io::Result<()> {
        crate::fault::at(crate::fault::Fault::Signal)?;
        self.imp.signal_group(self.pid, Some(signal))
    }

    /// Whether the process group that this process leads has members; `None` where the kernel cannot tell without
    /// the risk of meaning another group. A leader that was not waited for counts as a member.
    pub fn group_exists(&self) -> Option<bool> {
        match self.imp.signal_group(self.pid, None) {
            Ok(()) => Some(true),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Some(true),
            Err(_) => self.imp.names_group().then_some(false),
        }
    }

    /// Takes the record of its end, if it has ended. Only for a child of ours, and only until it has answered.
    ///
    /// # Errors
    /// `ECHILD` if it is no child of ours.
    pub fn try_reap(&mut self) -> io::Result<Option<Exit>> {
        self.imp.reap(self.pid, false)
    }

    /// [`Process::try_reap`] without taking the record: the child stays a zombie and keeps its pid.
    ///
    /// # Errors
    /// `ECHILD` if it is no child of ours.
    pub fn peek_exit(&self) -> io::Result<Option<Exit>> {
        self.imp.peek(self.pid)
    }

    /// Whether [`Process::signal_group`] still works when this process has ended and was waited for.
    pub fn group_outlives_leader(&self) -> bool {
        self.imp.group_outlives_leader()
    }

    /// [`Process::try_reap`], blocking until it has ended.
    ///
    /// # Errors
    /// As there; `EINTR` if a signal handler of ours ran.
    pub fn reap(&mut self) -> io::Result<Exit> {
        loop {
            if let Some(exit) = self.imp.reap(self.pid, true)? {
                return Ok(exit);
            }
        }
    }

    /// The signal by which this child was stopped (`SIGTSTP`, `SIGSTOP`, ...) since this was last asked.
    ///
    /// # Errors
    /// `ECHILD` if it is no child of ours.
    pub fn take_stop(&self) -> io::Result<Option<Signal>> {
        self.imp.take_stop(self.pid)
    }
}

#[cfg(target_os = "linux")]
use crate::linux::reap as imp;

#[cfg(not(target_os = "linux"))]
mod imp {
    use super::{Borrowed, Exit, Pid, Signal, io};

    /// No process can be named here yet, so none is.
    #[derive(Debug)]
    pub(super) enum Handle {}

    impl Handle {
        pub(super) fn open(_: Pid) -> io::Result<Handle> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(super) fn twin(&self) -> io::Result<Handle> {
            match *self {}
        }

        pub(super) fn waitable(&self) -> Borrowed<'_> {
            match *self {}
        }

        pub(super) fn signal(&self, _: Pid, _: Option<Signal>) -> io::Result<()> {
            match *self {}
        }

        pub(super) fn signal_group(&self, _: Pid, _: Option<Signal>) -> io::Result<()> {
            match *self {}
        }

        pub(super) fn names_group(&self) -> bool {
            match *self {}
        }

        pub(super) fn group_outlives_leader(&self) -> bool {
            match *self {}
        }

        pub(super) fn peek(&self, _: Pid) -> io::Result<Option<Exit>> {
            match *self {}
        }

        pub(super) fn reap(&mut self, _: Pid, _: bool) -> io::Result<Option<Exit>> {
            match *self {}
        }

        pub(super) fn take_stop(&self, _: Pid) -> io::Result<Option<Signal>> {
            match *self {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_name_more_than_one_process_are_no_pid() {
        for number in [i64::MIN, -2, -1, 0, 1, 1 << 31, 1 << 32, (1 << 32) + 7, i64::MAX] {
            assert_eq!(Pid::new(number), None, "{number}");
        }
        assert_eq!(Pid::new(2).map(Pid::get), Some(2));
        assert_eq!(Pid::new(i64::from(i32::MAX)).map(Pid::get), Some(i32::MAX as u32));
    }
}
