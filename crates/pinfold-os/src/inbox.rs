//! Signals of this process taken as messages from a descriptor, instead of by handlers that interrupt whatever runs.
//!
//! What a signal means is decided above; here it is only said who sent it.

use crate::handle::Pid;
use crate::poll::{Direction, Waitable};
use crate::signal::{Signal, SignalSet};
use std::io;

/// Where a signal came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// The kernel: a key at the terminal, a terminal that hung up, a timer, the change of a child.
    Kernel,
    /// A process that called `kill(2)` or the like; `None` if it lives in a PID namespace that we do not see.
    Process(Option<Pid>),
}

/// A signal that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Which.
    pub signal: Signal,
    /// Who sent it; where several of one kind came before they were looked at, the first.
    pub sender: Sender,
}

/// The signals of this process that are blocked and read here instead (`signalfd(2)`, Linux).
///
/// It belongs to the thread that opened it, whose mask it changes, and to the threads that are started while it is
/// open. Open it before any other thread is. Dropping it gives the thread its mask back; what has come and was not
/// taken then acts as it would have without an inbox.
#[derive(Debug)]
pub struct Inbox(imp::Inbox);

impl Inbox {
    /// Takes these signals from now on, but for `SIGKILL` and `SIGSTOP`, which cannot be, and for those that this
    /// process ignores, which stay ignored. `SIGCHLD` is set to its default action, since a process that ignores it is
    /// not told how its children end.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE`; [`io::ErrorKind::Unsupported`] where this is not built yet.
    pub fn open(signals: SignalSet) -> io::Result<Inbox> {
        imp::Inbox::open(signals).map(Inbox)
    }

    /// The mask that the thread had before: what a child is to be given.
    pub fn mask_before(&self) -> SignalSet {
        self.0.mask_before()
    }

    /// The next signal that has come; `None` if there is none now.
    ///
    /// # Errors
    /// What `read(2)` gives.
    pub fn take(&self) -> io::Result<Option<Letter>> {
        self.0.take()
    }

    /// Readable when a signal has come.
    pub fn waitable(&self) -> Waitable<'_> {
        Waitable { descriptor: self.0.descriptor(), direction: Direction::Read }
    }
}

#[cfg(target_os = "linux")]
use crate::linux::inbox as imp;

#[cfg(not(target_os = "linux"))]
mod imp {
    use super::{Letter, SignalSet, io};
    use crate::descriptor::Borrowed;

    #[derive(Debug)]
    pub(super) enum Inbox {}

    impl Inbox {
        pub(super) fn open(_: SignalSet) -> io::Result<Inbox> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(super) fn mask_before(&self) -> SignalSet {
            match *self {}
        }

        pub(super) fn take(&self) -> io::Result<Option<Letter>> {
            match *self {}
        }

        pub(super) fn descriptor(&self) -> Borrowed<'_> {
            match *self {}
        }
    }
}
