//! Writing to a descriptor that others share, so that it must not be made non-blocking.

use crate::descriptor::{Borrowed, Owned, borrow};
use crate::poll::{self, Direction, Waitable, Woken};
use std::io;
use std::time::Instant;

/// A blocking descriptor that is only written to when that will not block.
#[derive(Debug)]
pub struct Sink {
    descriptor: Owned,
    /// It is a pipe or a socket: someone reads it, and may leave.
    has_reader: bool,
}

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
        shared.map(Sink::from)
    }

    /// Writes as much as surely goes without blocking.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] while it is full, [`io::ErrorKind::BrokenPipe`] when nobody reads it any more.
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        imp::write(&self.descriptor, bytes)
    }

    /// What tells that whoever reads it has left; `None` where nobody could.
    pub fn desertion(&self) -> Option<Waitable<'_>> {
        self.has_reader.then(|| Waitable { descriptor: self.waitable(), direction: Direction::Desertion })
    }

    /// Whether whoever read it has left, so that no write can succeed any more.
    ///
    /// # Errors
    /// As [`poll::wait`].
    pub fn is_deserted(&self) -> io::Result<bool> {
        let Some(desertion) = self.desertion() else { return Ok(false) };
        Ok(poll::wait(&[desertion], Some(Instant::now()))? == Woken::Ready)
    }

    /// What becomes writable when there is room.
    pub fn waitable(&self) -> Borrowed<'_> {
        borrow(&self.descriptor)
    }
}

impl From<Owned> for Sink {
    fn from(descriptor: Owned) -> Sink {
        let has_reader = imp::has_reader(&descriptor);
        Sink { descriptor, has_reader }
    }
}

#[cfg(unix)]
mod imp {
    use super::{Direction, Instant, Owned, Waitable, Woken, io};
    use crate::poll::wait;
    use rustix::fs::FileType;

    /// A pipe that is writable has room for this much (`pipe(7)`, PIPE_BUF).
    const SURE: usize = 4096;

    pub(super) fn has_reader(fd: &Owned) -> bool {
        let kind = rustix::fs::fstat(fd).map(|stat| FileType::from_raw_mode(stat.st_mode));
        matches!(kind, Ok(FileType::Fifo | FileType::Socket))
    }

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

    pub(super) fn has_reader(_: &Owned) -> bool {
        false
    }

    pub(super) fn write(_: &Owned, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(all(test, unix))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_pipe_tells_that_its_reader_left_whether_full_or_empty() {
        for full in [false, true] {
            let (reader, writer) = std::io::pipe().unwrap();
            let sink = Sink::from(Owned::from(writer));
            while full && sink.write(&[0; 4096]).is_ok() {}
            assert!(!sink.is_deserted().unwrap(), "full: {full}");
            drop(reader);
            assert!(sink.is_deserted().unwrap(), "full: {full}");
            assert_eq!(sink.write(b"x").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        }
    }

    #[test]
    fn what_nobody_reads_is_never_deserted() {
        let null = std::fs::File::options().write(true).open("/dev/null").unwrap();
        let sink = Sink::from(Owned::from(null));
        assert!(sink.desertion().is_none() && !sink.is_deserted().unwrap());
    }
}
