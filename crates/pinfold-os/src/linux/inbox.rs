//! A signalfd, and the mask that it needs.

use super::sys::call;
use crate::handle::Pid;
use crate::inbox::{Letter, Sender};
use crate::signal::{Signal, SignalSet};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// What the kernel adds to no set.
const NEVER: [Signal; 2] = [Signal::KILL, Signal::STOP];

#[derive(Debug)]
pub(crate) struct Inbox {
    descriptor: OwnedFd,
    before: SignalSet,
}

impl Inbox {
    pub(crate) fn open(signals: SignalSet) -> io::Result<Inbox> {
        if signals.contains(Signal::CHLD) {
            // SAFETY: the default action runs no code of ours.
            unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
        }
        // One that is ignored would be queued all the same once it is blocked.
        let taken = signals.iter().filter(|signal| !NEVER.contains(signal) && !is_ignored(*signal));
        let taken = taken.fold(SignalSet::empty(), SignalSet::with);
        let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
        // SAFETY: a kernel mask of 8 bytes of our own; the descriptor is new and ours.
        let descriptor = unsafe {
            let made = call!(libc::SYS_signalfd4, -1i32, &raw const taken.0, size_of::<u64>(), flags);
            OwnedFd::from_raw_fd(made.map_err(io::Error::from_raw_os_error)? as i32)
        };
        let mut before = 0u64;
        // SAFETY: two kernel masks of our own.
        let blocked = unsafe {
            call!(
                libc::SYS_rt_sigprocmask,
                libc::SIG_BLOCK,
                &raw const taken.0,
                &raw mut before,
                size_of::<u64>()
            )
        };
        blocked.map_err(io::Error::from_raw_os_error)?;
        Ok(Inbox { descriptor, before: SignalSet(before) })
    }

    pub(crate) fn mask_before(&self) -> SignalSet {
        self.before
    }

    pub(crate) fn take(&self) -> io::Result<Option<Letter>> {
        loop {
            // SAFETY: a structure of plain numbers, for which zero is a value.
            let mut info = unsafe { std::mem::zeroed::<libc::signalfd_siginfo>() };
            // SAFETY: the kernel writes whole records, and there is room for one.
            let read = unsafe {
                call!(libc::SYS_read, self.descriptor.as_raw_fd(), &raw mut info, size_of_val(&info))
            };
            match read {
                Ok(_) => match Signal::from_number(info.ssi_signo as i32) {
                    Some(signal) => return Ok(Some(Letter { signal, sender: sender(&info) })),
                    None => continue,
                },
                Err(libc::EAGAIN) => return Ok(None),
                Err(libc::EINTR) => {}
                Err(number) => return Err(io::Error::from_raw_os_error(number)),
            }
        }
    }

    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        let before = self.before.0;
        // SAFETY: the mask that this thread had.
        let _ = unsafe {
            call!(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const before, 0, size_of::<u64>())
        };
    }
}

/// `sigaction(2)`: codes of zero and below are those of processes, those above are the kernel's. Only a timer breaks
/// this, and it has nobody to be told as its sender.
fn sender(info: &libc::signalfd_siginfo) -> Sender {
    match info.ssi_code {
        libc::SI_USER | libc::SI_QUEUE | libc::SI_TKILL => Sender::Process(Pid::new(info.ssi_pid.into())),
        _ => Sender::Kernel,
    }
}

fn is_ignored(signal: Signal) -> bool {
    // SAFETY: asks only, into a structure of our own for which zero is a value.
    unsafe {
        let mut action = std::mem::zeroed::<libc::sigaction>();
        libc::sigaction(signal.number(), std::ptr::null(), &raw mut action) == 0
            && action.sa_sigaction == libc::SIG_IGN
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::handle::Process;

    fn this_process() -> Process {
        Process::open(Pid::new(std::process::id().into()).unwrap()).unwrap()
    }

    /// Each test has a process of its own, but the harness keeps a thread beside it, which would take the signal.
    fn raise(signal: Signal) {
        // SAFETY: a signal to this thread, which has it blocked.
        assert_eq!(unsafe { libc::pthread_kill(libc::pthread_self(), signal.number()) }, 0);
    }

    #[test]
    fn a_signal_comes_as_a_letter_with_its_sender() {
        let inbox = Inbox::open(SignalSet::empty().with(Signal::USR1)).unwrap();
        assert_eq!(inbox.take().unwrap(), None);
        raise(Signal::USR1);
        let own = Sender::Process(Some(this_process().pid()));
        assert_eq!(inbox.take().unwrap(), Some(Letter { signal: Signal::USR1, sender: own }));
        assert_eq!(inbox.take().unwrap(), None);
    }

    #[test]
    fn what_is_ignored_never_comes_and_what_was_blocked_is_told() {
        // SAFETY: this test has a process of its own.
        unsafe { libc::signal(libc::SIGHUP, libc::SIG_IGN) };
        let first = Inbox::open(SignalSet::empty().with(Signal::USR2)).unwrap();
        let wanted = SignalSet::empty().with(Signal::HUP).with(Signal::KILL).with(Signal::USR1);
        let inbox = Inbox::open(wanted).unwrap();
        assert!(inbox.mask_before().contains(Signal::USR2) && !inbox.mask_before().contains(Signal::USR1));
        raise(Signal::HUP);
        assert_eq!(inbox.take().unwrap(), None);
        drop((inbox, first));
    }

    #[test]
    fn the_end_of_a_child_is_the_kernels_word_even_where_it_was_ignored() {
        // SAFETY: this test has a process of its own.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
        let inbox = Inbox::open(SignalSet::empty().with(Signal::CHLD)).unwrap();
        assert!(!is_ignored(Signal::CHLD));
        drop(inbox);
    }
}
