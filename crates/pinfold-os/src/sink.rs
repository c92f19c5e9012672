//! Writing to a descriptor that others share, so that it must not be made non-blocking.

use crate::descriptor::{Borrowed, Owned, borrow};
use std::io;

/// A blocking descriptor that is only written to when that will not block.
#[derive(Debug)]
pub struct Sink(Owned);

impl Sink {
    /// This process's standard output (1) or standard error (2), by a descriptor of our own.
    ///
    /// # Errors
    /// `EBADF` if it is closed, `EMFILE`.
    pub fn standard(number: i32) -> io::Result<Sink> {
        let shared = match number {
            2 => borrow(&std::io::stderr()).try_clone_to_owned(),
            _ => borrow(&std::io::stdout()).try_clone_to_owned(),
        };
        shared.map(Sink)
    }

    /// Writes as much as surely goes without blocking.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] while it is full, [`io::ErrorKind::BrokenPipe`] when nobody reads it any more.
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        imp::write(&self.0, bytes)
    }

    /// What becomes writable when there is room.
    pub fn waitable(&self) -> Borrowed<'_> {
        borrow(&self.0)
    }
}

#[cfg(unix)]
mod imp {
    use super::{Owned, io};
    use crate::poll::{Direction, Waitable, Woken, wait};
    use std::time::Instant;

    /// A pipe that is writable has room for this much (`pipe(7)`, PIPE_BUF).
    const SURE: usize = 4096;

    pub(super) fn write(fd: &Owned, bytes: &[u8]) -> io::Result<usize> {
        let waitable = Waitable { descriptor: super::borrow(fd), direction: Direction::Write };
        if wait(&[waitable], Some(Instant::now()))? != Woken::Ready {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        crate::pipe::write_quietly(fd, &bytes[..bytes.len().min(SURE)])
    }
}

#[cfg(windows)]
mod imp {
    use super::{Owned, io};

    pub(super) fn write(_: &Owned, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
