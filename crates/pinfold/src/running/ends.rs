//! Our ends of a run's streams: of a pipe, or of a script.

use super::Intake;
use pinfold_os::descriptor::Borrowed;
use pinfold_os::pipe::{self, Reader, Writer};
use std::collections::VecDeque;
use std::io;

/// Where its output comes in.
#[derive(Debug)]
pub(crate) enum Inlet {
    Pipe(Reader),
    /// What a script has written and nobody has read yet, and whether it writes more.
    Script {
        written: VecDeque<u8>,
        ended: bool,
    },
}

impl Inlet {
    pub(crate) fn script() -> Inlet {
        Inlet::Script { written: VecDeque::new(), ended: false }
    }

    pub(super) fn waitable(&self) -> Option<Borrowed<'_>> {
        match self {
            Inlet::Pipe(reader) => Some(reader.waitable()),
            Inlet::Script { .. } => None,
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        match self {
            Inlet::Pipe(_) => false,
            Inlet::Script { written, ended } => *ended || !written.is_empty(),
        }
    }

    /// Takes what a script writes: whether it can.
    pub(super) fn write(&mut self, bytes: &[u8]) -> bool {
        match self {
            Inlet::Pipe(_) | Inlet::Script { ended: true, .. } => false,
            Inlet::Script { written, .. } => {
                written.extend(bytes);
                true
            }
        }
    }

    pub(super) fn end(&mut self) {
        if let Inlet::Script { ended, .. } = self {
            *ended = true;
        }
    }

    /// More than this cannot be in it at once.
    pub(super) fn most(&self) -> usize {
        match self {
            Inlet::Pipe(_) => 2 * pipe::LARGE,
            Inlet::Script { .. } => usize::MAX,
        }
    }

    pub(super) fn grow(&self, bytes: usize) {
        if let Inlet::Pipe(reader) = self {
            reader.grow(bytes);
        }
    }

    /// One read, as of a pipe that never blocks: what is there and fits, 0 at the end.
    pub(super) fn read_append(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Inlet::Pipe(reader) => reader.read_append(buffer),
            Inlet::Script { written, ended } if written.is_empty() => {
                if *ended {
                    Ok(0)
                } else {
                    Err(io::ErrorKind::WouldBlock.into())
                }
            }
            Inlet::Script { written, .. } => {
                let room = (buffer.capacity() - buffer.len()).min(written.len());
                buffer.extend(written.drain(..room));
                Ok(room)
            }
        }
    }
}

/// Where its input goes out.
#[derive(Debug)]
pub(crate) enum Outward {
    Pipe(Writer),
    Script(Intake),
}

impl Outward {
    pub(super) fn waitable(&self) -> Option<Borrowed<'_>> {
        match self {
            Outward::Pipe(writer) => Some(writer.waitable()),
            Outward::Script(_) => None,
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        match self {
            Outward::Pipe(_) => false,
            Outward::Script(intake) => intake.is_ready(),
        }
    }

    pub(super) fn grow(&self, bytes: usize) {
        if let Outward::Pipe(writer) = self {
            writer.grow(bytes);
        }
    }

    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Outward::Pipe(writer) => writer.write(bytes),
            Outward::Script(intake) => intake.write(bytes),
        }
    }
}

impl Drop for Outward {
    fn drop(&mut self) {
        if let Outward::Script(intake) = self {
            intake.end();
        }
    }
}
