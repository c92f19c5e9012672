//! Connections that are begun without waiting for them: whether somebody listens, and a few words with whoever does.
//! See connect(2) on `EINPROGRESS`.

use crate::poll::{Direction, Waitable};
use std::io;
use std::net::SocketAddr;
use std::path::Path;

/// A stream socket that is being connected, or is. It never blocks, is closed in programs that are executed, and raises no
/// signal where nobody listens any more.
#[derive(Debug)]
pub struct Connection(imp::Connection);

impl Connection {
    /// Begins to connect to a port.
    ///
    /// # Errors
    /// What connect(2) can say at once: [`io::ErrorKind::ConnectionRefused`], [`io::ErrorKind::NetworkUnreachable`], ...;
    /// [`io::ErrorKind::Unsupported`] where this is not built yet.
    pub fn tcp(address: SocketAddr) -> io::Result<Connection> {
        imp::Connection::tcp(address).map(Connection)
    }

    /// Connects to whoever listens at a path, at once or not at all: see unix(7).
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`], [`io::ErrorKind::ConnectionRefused`], [`io::ErrorKind::PermissionDenied`];
    /// [`io::ErrorKind::WouldBlock`] where too many others wait to be let in.
    pub fn unix(path: &Path) -> io::Result<Connection> {
        imp::Connection::unix(path).map(Connection)
    }

    /// Whether it is connected; until it is, it is to be waited for in the direction of writing.
    ///
    /// # Errors
    /// Why it never will be.
    pub fn is_connected(&self) -> io::Result<bool> {
        self.0.is_connected()
    }

    /// Sends as much as there is room for: how much.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if there is none; [`io::ErrorKind::BrokenPipe`].
    pub fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes)
    }

    /// Takes what has come, as far as there is room for it: how much, 0 at the end.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if nothing has; [`io::ErrorKind::ConnectionReset`].
    pub fn receive(&self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.receive(bytes)
    }

    /// What becomes ready when it is connected or can be read from.
    pub fn waitable(&self, direction: Direction) -> Waitable<'_> {
        Waitable { descriptor: self.0.descriptor(), direction }
    }
}

#[cfg(unix)]
mod imp {
    use super::{Path, SocketAddr, io};
    use crate::descriptor::{Borrowed, Owned, borrow};
    use rustix::io::Errno;
    use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketType, sockopt};

    #[derive(Debug)]
    pub(super) struct Connection(Owned);

    impl Connection {
        fn socket(family: AddressFamily) -> io::Result<Connection> {
            #[cfg(not(target_vendor = "apple"))]
            let socket = {
                use rustix::net::SocketFlags;
                let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
                rustix::net::socket_with(family, SocketType::STREAM, flags, None)?
            };
            #[cfg(target_vendor = "apple")]
            let socket = {
                let socket = rustix::net::socket(family, SocketType::STREAM, None)?;
                rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
                rustix::io::ioctl_fionbio(&socket, true)?;
                sockopt::set_socket_nosigpipe(&socket, true)?;
                socket
            };
            Ok(Connection(socket))
        }

        #[cfg(test)]
        pub(super) fn of(socket: Owned) -> Connection {
            Connection(socket)
        }

        pub(super) fn tcp(address: SocketAddr) -> io::Result<Connection> {
            let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
            let connection = Connection::socket(family)?;
            match rustix::net::connect(&connection.0, &address) {
                // After a signal it goes on by itself.
                Ok(()) | Err(Errno::INPROGRESS | Errno::INTR) => Ok(connection),
                Err(error) => Err(error.into()),
            }
        }

        pub(super) fn unix(path: &Path) -> io::Result<Connection> {
            let connection = Connection::socket(AddressFamily::UNIX)?;
            rustix::net::connect(&connection.0, &SocketAddrUnix::new(path)?)?;
            Ok(connection)
        }

        pub(super) fn is_connected(&self) -> io::Result<bool> {
            sockopt::socket_error(&self.0)??;
            match rustix::net::getpeername(&self.0) {
                // The kernel chose the very port that nobody listens at as our own, and we answered ourselves
                // (RFC 9293, 3.5, simultaneous open).
                Ok(Some(peer)) if rustix::net::getsockname(&self.0).is_ok_and(|own| own == peer) => {
                    Err(Errno::CONNREFUSED.into())
                }
                Ok(_) => Ok(true),
                Err(Errno::NOTCONN) => Ok(false),
                Err(error) => Err(error.into()),
            }
        }

        pub(super) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
            #[cfg(not(target_vendor = "apple"))]
            let flags = SendFlags::NOSIGNAL;
            #[cfg(target_vendor = "apple")]
            let flags = SendFlags::empty();
            Ok(rustix::net::send(&self.0, bytes, flags)?)
        }

        pub(super) fn receive(&self, bytes: &mut [u8]) -> io::Result<usize> {
            Ok(rustix::io::read(&self.0, bytes)?)
        }

        pub(super) fn descriptor(&self) -> Borrowed<'_> {
            borrow(&self.0)
        }
    }
}

#[cfg(windows)]
mod imp {
    use super::{Path, SocketAddr, io};
    use crate::descriptor::Borrowed;

    #[derive(Debug)]
    pub(super) enum Connection {}

    impl Connection {
        pub(super) fn tcp(_: SocketAddr) -> io::Result<Connection> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(super) fn unix(_: &Path) -> io::Result<Connection> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(super) fn is_connected(&self) -> io::Result<bool> {
            match *self {}
        }

        pub(super) fn send(&self, _: &[u8]) -> io::Result<usize> {
            match *self {}
        }

        pub(super) fn receive(&self, _: &mut [u8]) -> io::Result<usize> {
            match *self {}
        }

        pub(super) fn descriptor(&self) -> Borrowed<'_> {
            match *self {}
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::poll::wait;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    fn connected(connection: &Connection) -> io::Result<()> {
        while !connection.is_connected()? {
            wait(&[connection.waitable(Direction::Write)], None)?;
        }
        Ok(())
    }

    #[test]
    fn it_talks_with_who_listens_and_is_refused_by_who_does_not() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connection = Connection::tcp(address).unwrap();
        connected(&connection).unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        assert_eq!(connection.send(b"hello").unwrap(), 5);
        let mut buffer = [0; 16];
        assert_eq!(peer.read(&mut buffer).unwrap(), 5);
        assert_eq!(connection.receive(&mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        peer.write_all(b"welcome").unwrap();
        wait(&[connection.waitable(Direction::Read)], None).unwrap();
        assert_eq!(connection.receive(&mut buffer).unwrap(), 7);
        drop((listener, peer));
        let refused = Connection::tcp(address).and_then(|connection| connected(&connection));
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn nobody_listens_where_only_we_answer_ourselves() {
        use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        bind(&socket, &any).unwrap();
        let own: SocketAddr = rustix::net::getsockname(&socket).unwrap().try_into().unwrap();
        connect(&socket, &own).unwrap();
        let connection = Connection(imp::Connection::of(socket));
        assert_eq!(connection.is_connected().unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn a_path_is_listened_at_or_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        assert_eq!(Connection::unix(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert!(Connection::unix(&path).unwrap().is_connected().unwrap());
        drop(listener);
        assert_eq!(Connection::unix(&path).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }
}
