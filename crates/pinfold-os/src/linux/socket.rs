//! A stream socket to whoever listens at a path: see unix(7). It never blocks, is closed in programs that are executed, and
//! raises no signal where nobody listens any more.

use crate::descriptor::{AsDescriptor, Owned};
use crate::poll::{Direction, Waitable};
use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType};
use std::io;
use std::path::Path;

/// Our end.
#[derive(Debug)]
pub struct Socket(Owned);

impl Socket {
    /// Connects at once or not at all.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`], [`io::ErrorKind::ConnectionRefused`], [`io::ErrorKind::PermissionDenied`];
    /// [`io::ErrorKind::WouldBlock`] where too many others wait to be let in.
    pub fn connect(path: &Path) -> io::Result<Socket> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
        Ok(Socket(socket))
    }

    /// Sends as much as there is room for: how much.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if there is none; [`io::ErrorKind::BrokenPipe`].
    pub fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::net::send(&self.0, bytes, SendFlags::NOSIGNAL)?)
    }

    /// Takes what has come, as far as there is room for it: how much, 0 at the end.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if nothing has; [`io::ErrorKind::ConnectionReset`].
    pub fn receive(&self, bytes: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::read(&self.0, bytes)?)
    }

    /// What becomes ready when it can be read from or written to.
    pub fn waitable(&self, direction: Direction) -> Waitable<'_> {
        Waitable { descriptor: self.0.as_fd(), direction }
    }
}
