//! Pipes: one end ours and never blocking, the other the child's; or both the children's.

use crate::descriptor::{Borrowed, Owned, borrow};
use std::io;

/// The size that a pipe is given once a stream proves large: the most that an unprivileged user may ask for
/// (`/proc/sys/fs/pipe-max-size`).
pub const LARGE: usize = 1 << 20;

/// An end that we read from without blocking.
#[derive(Debug)]
pub struct Reader(Owned);

/// An end that we write to without blocking, and without the signal that a reader's absence would bring.
#[derive(Debug)]
pub struct Writer(Owned);

/// A pipe for a child's output: our end, and the one to hand to the child.
///
/// # Errors
/// `EMFILE`, `ENFILE`.
pub fn output() -> io::Result<(Reader, Owned)> {
    let (read, write) = imp::pair()?;
    imp::set_nonblocking(&read)?;
    Ok((Reader(imp::place(read)), write))
}

/// A pipe for a child's input: the end to hand to the child, and ours.
///
/// # Errors
/// `EMFILE`, `ENFILE`.
pub fn input() -> io::Result<(Owned, Writer)> {
    let (read, write) = imp::pair()?;
    imp::set_nonblocking(&write)?;
    Ok((read, Writer(imp::place(write))))
}

/// A pipe from one child to another: the end to read from, and the one to write to. Neither is ours to use. It is as large as
/// the kernel grants, so that the two take turns less often.
///
/// # Errors
/// `EMFILE`, `ENFILE`.
pub fn between() -> io::Result<(Owned, Owned)> {
    let (read, write) = imp::pair()?;
    imp::grow(&write, LARGE);
    Ok((read, write))
}

impl Reader {
    /// Reads once into the free capacity of `buffer`: the number of bytes added, 0 at the end of the stream.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if nothing is there yet.
    pub fn read_append(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        imp::read_append(&self.0, buffer)
    }

    /// Asks for a larger pipe. What the kernel does not grant is no error: the pipe works as it is.
    pub fn grow(&self, bytes: usize) {
        imp::grow(&self.0, bytes);
    }

    /// What becomes readable when there is something to read, or the end.
    pub fn waitable(&self) -> Borrowed<'_> {
        borrow(&self.0)
    }
}

impl Writer {
    #[cfg(all(unix, not(any(target_os = "linux", target_os = "freebsd"))))]
    pub(crate) fn nonblocking(end: Owned) -> io::Result<Writer> {
        imp::set_nonblocking(&end)?;
        Ok(Writer(end))
    }

    /// Writes once: the number of bytes taken.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] while the pipe is full, [`io::ErrorKind::BrokenPipe`] when nobody reads it any
    /// more; `SIGPIPE` is never raised.
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        imp::write(&self.0, bytes)
    }

    /// As [`Reader::grow`].
    pub fn grow(&self, bytes: usize) {
        imp::grow(&self.0, bytes);
    }

    /// What becomes writable when there is room, or nobody reads.
    pub fn waitable(&self) -> Borrowed<'_> {
        borrow(&self.0)
    }
}

#[cfg(unix)]
pub(crate) use imp::write as write_quietly;

#[cfg(unix)]
mod imp {
    use super::{Owned, io};

    pub(super) fn pair() -> io::Result<(Owned, Owned)> {
        #[cfg(any(target_os = "linux", target_os = "freebsd"))]
        {
            crate::fault::at(crate::fault::Fault::Pipe)?;
            Ok(rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?)
        }
        #[cfg(not(any(target_os = "linux", target_os = "freebsd")))]
        {
            let (read, write) = rustix::pipe::pipe()?;
            for end in [&read, &write] {
                rustix::io::fcntl_setfd(end, rustix::io::FdFlags::CLOEXEC)?;
            }
            Ok((read, write))
        }
    }

    /// Where our end is in no child's way.
    pub(super) fn place(end: Owned) -> Owned {
        #[cfg(target_os = "linux")]
        let end = crate::linux::handles::place(end);
        end
    }

    pub(super) fn set_nonblocking(fd: &Owned) -> io::Result<()> {
        Ok(rustix::io::ioctl_fionbio(fd, true)?)
    }

    pub(super) fn read_append(fd: &Owned, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let before = buffer.len();
        let read = rustix::io::read(fd, rustix::buffer::spare_capacity(buffer))?;
        // Afterwards, so that looks at an empty pipe are not counted.
        crate::fault::at(crate::fault::Fault::Read).inspect_err(|_| buffer.truncate(before))?;
        Ok(read)
    }

    pub(super) fn grow(fd: &Owned, bytes: usize) {
        #[cfg(target_os = "linux")]
        let _ = rustix::pipe::fcntl_setpipe_size(fd, bytes);
        #[cfg(not(target_os = "linux"))]
        let _ = (fd, bytes);
    }

    /// `write(2)` without `SIGPIPE`.
    pub(crate) fn write(fd: &Owned, bytes: &[u8]) -> io::Result<usize> {
        let quiet = QuietPipe::new();
        let written = rustix::io::write(fd, bytes).map_err(io::Error::from);
        if written.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
            quiet.take_signal();
        }
        written
    }

    /// `SIGPIPE` held back in this thread, so that a host which has not ignored it is not killed by a child that
    /// stopped reading. What we raised is taken out again; what was pending before is left.
    struct QuietPipe {
        before: libc::sigset_t,
        pipe: libc::sigset_t,
        pending_before: bool,
    }

    impl QuietPipe {
        fn new() -> QuietPipe {
            // SAFETY: the sets are filled before they are read, and live in this frame.
            unsafe {
                let mut pipe = std::mem::zeroed();
                libc::sigemptyset(&raw mut pipe);
                libc::sigaddset(&raw mut pipe, libc::SIGPIPE);
                let mut before = std::mem::zeroed();
                libc::pthread_sigmask(libc::SIG_BLOCK, &raw const pipe, &raw mut before);
                let already_blocked = libc::sigismember(&raw const before, libc::SIGPIPE) == 1;
                QuietPipe { before, pipe, pending_before: already_blocked && pending() }
            }
        }

        fn take_signal(&self) {
            if !self.pending_before && pending() {
                let mut signal = 0;
                // SAFETY: a pending signal is there, so this does not block.
                unsafe { libc::sigwait(&raw const self.pipe, &raw mut signal) };
            }
        }
    }

    impl Drop for QuietPipe {
        fn drop(&mut self) {
            // SAFETY: the mask that this thread had.
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, std::ptr::null_mut()) };
        }
    }

    fn pending() -> bool {
        // SAFETY: fills a set of our own.
        unsafe {
            let mut set = std::mem::zeroed();
            libc::sigpending(&raw mut set);
            libc::sigismember(&raw const set, libc::SIGPIPE) == 1
        }
    }
}

#[cfg(windows)]
mod imp {
    use super::{Owned, io};

    pub(super) fn pair() -> io::Result<(Owned, Owned)> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn place(end: Owned) -> Owned {
        end
    }

    pub(super) fn set_nonblocking(_: &Owned) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn read_append(_: &Owned, _: &mut Vec<u8>) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn grow(_: &Owned, _: usize) {}

    pub(super) fn write(_: &Owned, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(all(test, unix))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn what_is_written_is_read_and_the_end_is_seen() {
        let (read, write) = input().unwrap();
        assert_eq!(write.write(b"stray").unwrap(), 5);
        let reader = Reader(read);
        let mut buffer = Vec::with_capacity(64);
        assert_eq!(reader.read_append(&mut buffer).unwrap(), 5);
        drop(write);
        assert_eq!(reader.read_append(&mut buffer).unwrap(), 0);
        assert_eq!(buffer, b"stray");
    }

    #[test]
    fn an_empty_pipe_does_not_block_and_a_full_one_neither() {
        let (reader, _write) = output().unwrap();
        let empty = reader.read_append(&mut Vec::with_capacity(1)).unwrap_err();
        assert_eq!(empty.kind(), io::ErrorKind::WouldBlock);
        let (_read, writer) = input().unwrap();
        let chunk = vec![0; LARGE];
        while writer.write(&chunk).is_ok() {}
        assert_eq!(writer.write(&chunk).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_reader_that_is_gone_is_an_error_and_no_signal() {
        let (read, writer) = input().unwrap();
        drop(read);
        // SAFETY: this test has a process of its own; the default action would end it.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        assert_eq!(writer.write(b"x").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(writer.write(b"x").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
