//! What a keeper tells of its program through a socket: that it was stopped, and how it ended.

use crate::signal::Signal;
use crate::wait::{Exit, ExitStatus, Usage};
use rustix::net::RecvFlags;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A record, as `guard/keeper.rs` writes it: kind, code, status, microseconds in user mode and in the kernel, peak in KiB.
type Record = [i64; 6];
const ENDED: i64 = 1;
const STOPPED: i64 = 2;

/// The reader of a keeper's records.
#[derive(Debug)]
pub(super) struct Reports {
    socket: OwnedFd,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    exit: Option<Exit>,
    stop: Option<Signal>,
    /// The keeper has gone, and told nothing.
    lost: bool,
}

/// What is known of the program's end.
#[derive(Clone, Copy, Debug)]
pub(super) enum Told {
    /// Nothing yet.
    Nothing,
    /// This.
    Exit(Exit),
    /// Nothing, and nobody is left who could tell.
    Lost,
}

impl Reports {
    pub(super) fn new(socket: OwnedFd) -> Reports {
        Reports { socket, seen: Mutex::default() }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Readable when there is more to read; `None` when no more will come.
    pub(super) fn waitable(&self) -> Option<BorrowedFd<'_>> {
        (!self.seen().lost).then(|| self.socket.as_fd())
    }

    /// How the program ended; with `block`, once it has.
    pub(super) fn exit(&self, block: bool) -> Told {
        let mut seen = self.seen();
        loop {
            match seen.exit {
                Some(exit) => return Told::Exit(exit),
                None if seen.lost => return Told::Lost,
                None => {}
            }
            if !self.read(&mut seen, block) {
                return Told::Nothing;
            }
        }
    }

    /// By which signal it was stopped, once for each stop.
    pub(super) fn take_stop(&self) -> Option<Signal> {
        let mut seen = self.seen();
        while seen.exit.is_none() && !seen.lost && self.read(&mut seen, false) {}
        seen.stop.take()
    }

    /// One record, if one is there: whether anything new is known.
    fn read(&self, seen: &mut Seen, block: bool) -> bool {
        let mut bytes = [0u8; size_of::<Record>()];
        let flags = if block { RecvFlags::empty() } else { RecvFlags::DONTWAIT };
        match rustix::net::recv(&self.socket, &mut bytes, flags) {
            Ok((length, _)) if length == bytes.len() => {
                let number = |at: usize| {
                    let mut word = [0u8; 8];
                    word.copy_from_slice(&bytes[8 * at..8 * at + 8]);
                    i64::from_ne_bytes(word)
                };
                match number(0) {
                    ENDED => seen.exit = Some(exit(std::array::from_fn(number))),
                    STOPPED => seen.stop = Signal::from_number(number(2) as i32),
                    _ => {}
                }
                true
            }
            Err(rustix::io::Errno::AGAIN) => false,
            Err(rustix::io::Errno::INTR) => !block,
            Ok(_) | Err(_) => {
                seen.lost = true;
                true
            }
        }
    }
}

fn exit([_, code, status, user, system, peak]: Record) -> Exit {
    let micros = |micros: i64| Duration::from_micros(u64::try_from(micros).unwrap_or(0));
    let peak = u64::try_from(peak).unwrap_or(0) * 1024;
    Exit {
        status: ExitStatus::of_child(code as i32, status as i32),
        usage: Usage { user: micros(user), system: micros(system), max_rss: peak },
    }
}
