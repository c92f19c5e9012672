//! A pseudo-terminal that a test sits at: what it types, what it sees, and how large its window is.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// A terminal with a test before it and a program behind it; see pty(7).
#[derive(Debug)]
pub struct Terminal {
    ours: File,
    seen: Vec<u8>,
}

impl Terminal {
    /// A new terminal of 24 rows and 80 columns.
    ///
    /// # Errors
    /// That of opening or setting up the pseudo-terminal.
    pub fn new() -> io::Result<Self> {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&ours)?;
        unlockpt(&ours)?;
        let terminal = Self { ours: File::from(ours), seen: Vec::new() };
        terminal.resize(24, 80)?;
        Ok(terminal)
    }

    /// `program` at this terminal: its three streams, and the controlling terminal of a session that it leads.
    ///
    /// The arguments and the environment may be added to what is returned. Once it has been spawned, drop it: it holds the
    /// terminal open.
    ///
    /// # Errors
    /// That of opening the other side.
    ///
    /// # Panics
    /// When the fixture, which prepares the session, is not built.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> io::Result<Command> {
        let theirs =
            ioctl_tiocgptpeer(&self.ours, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        let stream = || io::Result::Ok(Stdio::from(OwnedFd::try_clone(&theirs)?));
        let mut command = Command::new(crate::fixture());
        command.arg("with-terminal").arg(program).stdin(stream()?).stdout(stream()?).stderr(stream()?);
        Ok(command)
    }

    /// Types `keys`, as bytes: `\x03` is ^C, `\x1a` is ^Z, `\x04` is ^D.
    ///
    /// # Errors
    /// That of writing to the terminal.
    pub fn type_keys(&mut self, keys: &str) -> io::Result<()> {
        self.ours.write_all(keys.as_bytes())
    }

    /// Gives the window another size, of which the foreground group is told by SIGWINCH.
    ///
    /// # Errors
    /// That of the ioctl.
    pub fn resize(&self, rows: u16, columns: u16) -> io::Result<()> {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        Ok(tcsetwinsize(&self.ours, size)?)
    }

    /// Reads until `text` is on the screen, and gives everything from the last call up to its end.
    ///
    /// # Panics
    /// When the terminal is hung up or `deadline` passes first; it shows what was there instead.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str, deadline: Duration) -> String {
        let end = Instant::now() + deadline;
        loop {
            if let Some(at) = self.seen.windows(text.len()).position(|window| window == text.as_bytes()) {
                let shown: Vec<u8> = self.seen.drain(..at + text.len()).collect();
                return String::from_utf8_lossy(&shown).into_owned();
            }
            let left = end.saturating_duration_since(Instant::now());
            if !self.read(left) {
                panic!(
                    "waited in vain for {text:?}; the terminal shows {:?}",
                    String::from_utf8_lossy(&self.seen)
                );
            }
        }
    }

    /// Reads until the last program at the terminal has closed it.
    ///
    /// # Panics
    /// When `deadline` passes first.
    #[track_caller]
    pub fn wait_for_hang_up(&mut self, deadline: Duration) -> String {
        let end = Instant::now() + deadline;
        while self.read(end.saturating_duration_since(Instant::now())) {}
        assert!(Instant::now() < end, "the terminal is still in use after {deadline:?}");
        String::from_utf8_lossy(&std::mem::take(&mut self.seen)).into_owned()
    }

    /// Reads what there is within `left`; false at the end, be it that of the time or that of the terminal.
    fn read(&mut self, left: Duration) -> bool {
        let timeout = Timespec::try_from(left).unwrap_or_default();
        let waited = poll(&mut [PollFd::new(&self.ours.as_fd(), PollFlags::IN)], Some(&timeout));
        if waited != Ok(1) {
            return waited == Err(rustix::io::Errno::INTR);
        }
        let mut buffer = [0; 4096];
        // Linux tells a terminal that nobody has open as EIO.
        let count = self.ours.read(&mut buffer).unwrap_or(0);
        self.seen.extend_from_slice(&buffer[..count]);
        count > 0
    }
}
