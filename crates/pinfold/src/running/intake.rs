//! The standard input of a scripted child, from its side.

use super::script::Reads;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a pipe holds that nobody reads.
const PIPE: u64 = 64 << 10;

/// What a scripted child was given on its standard input. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Intake(Arc<Mutex<Taken>>);

#[derive(Debug)]
struct Taken {
    bytes: Vec<u8>,
    /// How many more can be written.
    room: u64,
    /// Whether it closes the stream when it has those.
    closes: bool,
    ended: bool,
    /// How many of its lines were waited for.
    lines: usize,
}

impl Intake {
    pub(crate) fn new(reads: Reads) -> Intake {
        let (room, closes) = match reads {
            Reads::All => (u64::MAX, false),
            Reads::Only(bytes) => (bytes, true),
            Reads::Nothing => (PIPE, false),
        };
        Intake(Arc::new(Mutex::new(Taken { bytes: Vec::new(), room, closes, ended: false, lines: 0 })))
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As write(2) into a pipe that never blocks.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut taken = self.lock();
        let fits = bytes.len().min(usize::try_from(taken.room).unwrap_or(usize::MAX));
        if fits == 0 && !bytes.is_empty() {
            let kind = if taken.closes { io::ErrorKind::BrokenPipe } else { io::ErrorKind::WouldBlock };
            return Err(kind.into());
        }
        taken.bytes.extend_from_slice(&bytes[..fits]);
        taken.room -= fits as u64;
        Ok(fits)
    }

    /// Whether something can be written, if only to be told that nobody reads it.
    pub(super) fn is_ready(&self) -> bool {
        let taken = self.lock();
        taken.room > 0 || taken.closes
    }

    /// Nothing more comes.
    pub(super) fn end(&self) {
        self.lock().ended = true;
    }

    pub(super) fn is_ended(&self) -> bool {
        self.lock().ended
    }

    /// Whether it was given a line that it did not wait for yet, which it has then. The end is as good as a line.
    pub(super) fn take_line(&self) -> bool {
        let mut taken = self.lock();
        let lines = taken.bytes.iter().filter(|byte| **byte == b'\n').count();
        let has = lines > taken.lines;
        taken.lines += usize::from(has);
        has || taken.ended
    }

    /// All that it was given.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.lock().bytes.clone()
    }
}
