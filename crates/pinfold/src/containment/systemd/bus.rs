//! As much of D-Bus as one request to systemd takes: a connection, calls one after the other, signals.
//!
//! Everything has happened before one deadline or is an error: it starts no thread, leaves nothing open, and whoever listens
//! at the other end can neither hold us up nor have us signalled.

use super::wire::{self, Kind, Message, Method, Writer};
use pinfold_os::linux::socket::Socket;
use pinfold_os::poll::{Direction, Woken, wait};
use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::time::Instant;

/// What a line of the bus may be long while it looks at who we are.
const LINE: usize = 1024;
const BUS: Method<'_> = Method {
    destination: "org.freedesktop.DBus",
    path: "/org/freedesktop/DBus",
    interface: "org.freedesktop.DBus",
    member: "",
};

/// A connection.
#[derive(Debug)]
pub(super) struct Bus {
    socket: Socket,
    deadline: Instant,
    serial: u32,
    /// What came while an answer was waited for.
    signals: VecDeque<Message>,
}

impl Bus {
    /// Connects to the bus that listens at a path, as the user that we are.
    pub(super) fn connect(path: &Path, deadline: Instant) -> io::Result<Bus> {
        let mut bus = Bus { socket: Socket::connect(path)?, deadline, serial: 0, signals: VecDeque::new() };
        // Without a number of ours: the kernel tells the bus who we are, in terms of its own user namespace.
        bus.send(b"\0AUTH EXTERNAL\r\nDATA\r\n")?;
        for expected in ["DATA", "OK "] {
            let line = bus.line()?;
            if !line.starts_with(expected) {
                return Err(io::Error::other(format!("it does not let us in: {:?}", line.trim_end())));
            }
        }
        bus.send(b"BEGIN\r\n")?;
        bus.call(Method { member: "Hello", ..BUS }, "", &Writer::default())?;
        Ok(bus)
    }

    /// Has signals sent to us.
    pub(super) fn subscribe(&mut self, rule: &str) -> io::Result<()> {
        let mut body = Writer::default();
        body.text(rule);
        self.call(Method { member: "AddMatch", ..BUS }, "s", &body).map(drop)
    }

    /// Calls a method: the body of its answer.
    pub(super) fn call(&mut self, method: Method<'_>, signature: &str, body: &Writer) -> io::Result<Vec<u8>> {
        self.serial += 1;
        let serial = self.serial;
        self.send(&wire::call(method, serial, signature, body))?;
        loop {
            let message = self.message()?;
            match message.kind {
                Some(Kind::Signal) => self.signals.push_back(message),
                Some(Kind::Return) if message.reply_to == Some(serial) => return Ok(message.body),
                Some(Kind::Error) if message.reply_to == Some(serial) => return Err(refused(&message)),
                _ => {}
            }
        }
    }

    /// The next signal of this name: its body.
    pub(super) fn signal(&mut self, member: &str) -> io::Result<Vec<u8>> {
        loop {
            let message = match self.signals.pop_front() {
                Some(message) => message,
                None => self.message()?,
            };
            if message.kind == Some(Kind::Signal) && message.member == member {
                return Ok(message.body);
            }
        }
    }

    fn message(&mut self) -> io::Result<Message> {
        let malformed = || io::Error::other("it sends what is no message of D-Bus");
        let mut bytes = vec![0; wire::FIXED];
        self.fill(&mut bytes)?;
        let length = wire::length(&bytes).ok_or_else(malformed)?;
        bytes.resize(length.max(wire::FIXED), 0);
        self.fill(&mut bytes[wire::FIXED..])?;
        wire::message(&bytes).ok_or_else(malformed)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        while line.last() != Some(&b'\n') {
            let mut byte = [0];
            self.fill(&mut byte)?;
            line.extend(byte);
            if line.len() > LINE {
                return Err(io::Error::other("it sends what is no line of D-Bus"));
            }
        }
        Ok(String::from_utf8_lossy(&line).into_owned())
    }

    fn fill(&self, mut rest: &mut [u8]) -> io::Result<()> {
        while !rest.is_empty() {
            match self.once(Direction::Read, || self.socket.receive(rest))? {
                0 => return Err(io::Error::other("it has hung up")),
                read => rest = &mut rest[read..],
            }
        }
        Ok(())
    }

    fn send(&self, mut rest: &[u8]) -> io::Result<()> {
        while !rest.is_empty() {
            let sent = self.once(Direction::Write, || self.socket.send(rest))?;
            rest = &rest[sent..];
        }
        Ok(())
    }

    /// Does it as soon as it can be done.
    fn once(&self, way: Direction, mut act: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
        loop {
            match act() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                done => return done,
            }
            if wait(&[self.socket.waitable(way)], Some(self.deadline))? == Woken::Deadline {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "it does not answer in time"));
            }
        }
    }
}

/// An error that came as an answer: its name, and what a person is told of it.
fn refused(message: &Message) -> io::Error {
    let why = message.signature.starts_with('s').then(|| wire::Reader::new(&message.body).text()).flatten();
    let name = message.error.rsplit('.').next().unwrap_or_default();
    io::Error::other(match why {
        Some(why) if !why.is_empty() => format!("{why} ({name})"),
        _ => name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use std::io::{BufRead, BufReader, Read, Write};
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::thread;
    use std::time::Duration;

    /// A bus that does as it is told, once; `ask` is what is done at the other end.
    fn with_bus<T>(
        act: impl FnOnce(UnixStream) + Send + 'static,
        ask: impl FnOnce(&Path, Instant) -> io::Result<T>,
    ) -> io::Result<T> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bus");
        let listener = UnixListener::bind(&path).unwrap();
        let acting = thread::spawn(move || act(listener.accept().unwrap().0));
        let asked = ask(&path, Instant::now() + Duration::from_secs(20));
        acting.join().unwrap();
        asked
    }

    fn let_in(stream: &UnixStream) -> BufReader<UnixStream> {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut lines = String::new();
        reader.read_line(&mut lines).unwrap();
        reader.read_line(&mut lines).unwrap();
        assert_eq!(lines, "\0AUTH EXTERNAL\r\nDATA\r\n");
        (&*stream).write_all(b"DATA\r\nOK 0123\r\n").unwrap();
        lines.clear();
        reader.read_line(&mut lines).unwrap();
        assert_eq!(lines, "BEGIN\r\n");
        reader
    }

    fn taken(reader: &mut impl Read) -> Message {
        let mut bytes = vec![0; wire::FIXED];
        reader.read_exact(&mut bytes).unwrap();
        let length = wire::length(&bytes).unwrap();
        bytes.resize(length, 0);
        reader.read_exact(&mut bytes[wire::FIXED..]).unwrap();
        wire::message(&bytes).unwrap()
    }

    fn text(text: &str) -> Writer {
        let mut body = Writer::default();
        body.text(text);
        body
    }

    const METHOD: Method<'_> = Method { destination: "a.b", path: "/a", interface: "a.b", member: "Do" };

    #[test]
    fn a_call_is_answered_and_signals_in_between_are_kept() {
        let act = |mut stream: UnixStream| {
            let mut reader = let_in(&stream);
            assert_eq!(taken(&mut reader).member, "Hello");
            let named = wire::answer(Kind::Signal, 0, "NameAcquired", "s", &text(":1"));
            // Byte by byte, as it may come.
            for byte in [wire::answer(Kind::Return, 1, "", "s", &text(":1")), named].concat() {
                stream.write_all(&[byte]).unwrap();
            }
            assert_eq!(taken(&mut reader).member, "AddMatch");
            stream.write_all(&wire::answer(Kind::Return, 2, "", "", &Writer::default())).unwrap();
            assert_eq!(taken(&mut reader).member, "Do");
            stream.write_all(&wire::answer(Kind::Signal, 0, "Done", "s", &text("first"))).unwrap();
            stream.write_all(&wire::answer(Kind::Return, 77, "", "s", &text("not yours"))).unwrap();
            stream.write_all(&wire::answer(Kind::Return, 3, "", "s", &text("yes"))).unwrap();
            assert_eq!(taken(&mut reader).member, "Do");
            stream.write_all(&wire::answer(Kind::Error, 4, "a.b.No", "s", &text("not twice"))).unwrap();
        };
        let asked = with_bus(act, |path, deadline| {
            let mut bus = Bus::connect(path, deadline)?;
            bus.subscribe("type='signal'")?;
            let body = bus.call(METHOD, "s", &text("x"))?;
            assert_eq!(wire::Reader::new(&body).text().unwrap(), "yes");
            let body = bus.signal("Done")?;
            assert_eq!(wire::Reader::new(&body).text().unwrap(), "first");
            bus.call(METHOD, "s", &text("x"))
        });
        assert_eq!(asked.unwrap_err().to_string(), "not twice (No)");
    }

    #[test]
    fn a_bus_that_refuses_lies_or_leaves_is_an_error() {
        let refuses = |stream: UnixStream| {
            let mut first = [0; 22];
            (&stream).read_exact(&mut first).unwrap();
            (&stream).write_all(b"REJECTED EXTERNAL\r\n").unwrap();
        };
        let lies = |mut stream: UnixStream| {
            let mut reader = let_in(&stream);
            taken(&mut reader);
            stream.write_all(&[0xff; 64]).unwrap();
        };
        let leaves = |stream: UnixStream| {
            let mut reader = let_in(&stream);
            taken(&mut reader);
        };
        let connect = |path: &Path, deadline: Instant| Bus::connect(path, deadline).map(drop);
        let why = |asked: io::Result<()>| asked.unwrap_err().to_string();
        assert!(why(with_bus(refuses, connect)).contains("does not let us in"));
        assert!(why(with_bus(lies, connect)).contains("no message"));
        assert_eq!(why(with_bus(leaves, connect)), "it has hung up");
    }

    #[test]
    fn a_silent_bus_holds_nobody_up() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bus");
        let _listener = UnixListener::bind(&path).unwrap();
        let began = Instant::now();
        let error = Bus::connect(&path, began + Duration::from_millis(50)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() >= Duration::from_millis(50));
    }
}
