//! What stands at the ends of a pipeline besides commands: bytes and files.

use super::Pipeline;
use crate::command::Command;
use crate::settings::{Payload, Stdin, Stdio};
use std::ops::BitOr;
use std::path::PathBuf;

/// What the first stage reads, in front of it.
///
/// ```
/// use pinfold::{Command, Sink, Source};
///
/// # let directory = tempfile::tempdir().unwrap();
/// # let path = directory.path().join("sorted");
/// (Source::text("b\na\n") | Command::new("sort") | Sink::file(&path)).run()?;
/// (Source::file(&path) | Command::new("tac") | Sink::append(&path)).run()?;
/// assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\nb\nb\na\n");
/// # pinfold::Result::Ok(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a source is followed by a command"]
pub struct Source(Stdin);

impl Source {
    /// These bytes, then the end.
    pub fn bytes(bytes: impl Into<Payload>) -> Source {
        Source(Stdin::Bytes(bytes.into()))
    }

    /// This text, then the end.
    pub fn text(text: impl Into<String>) -> Source {
        Source::bytes(text.into().into_bytes())
    }

    /// A file, which the first stage reads itself.
    pub fn file(path: impl Into<PathBuf>) -> Source {
        Source(Stdin::File(path.into()))
    }
}

/// Where the last stage writes to, behind it: nothing of that is captured. See [`Source`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a sink follows a command"]
pub struct Sink(Stdio);

impl Sink {
    /// A file, emptied first.
    pub fn file(path: impl Into<PathBuf>) -> Sink {
        Sink(Stdio::file(path))
    }

    /// A file, added to.
    pub fn append(path: impl Into<PathBuf>) -> Sink {
        Sink(Stdio::append(path))
    }

    /// Nowhere.
    pub fn null() -> Sink {
        Sink(Stdio::Null)
    }
}

impl<P: Into<Pipeline>> BitOr<P> for Source {
    type Output = Pipeline;

    fn bitor(self, next: P) -> Pipeline {
        next.into().stdin(self.0)
    }
}

impl BitOr<Sink> for Command {
    type Output = Pipeline;

    fn bitor(self, sink: Sink) -> Pipeline {
        Pipeline::from(self) | sink
    }
}

impl BitOr<Sink> for Pipeline {
    type Output = Pipeline;

    fn bitor(self, sink: Sink) -> Pipeline {
        self.stdout(sink.0)
    }
}
