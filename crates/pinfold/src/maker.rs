//! Whose something is: a fork copies handles and machines, and what they stand for stays the process's that made them.

use std::fmt;
use std::io;
use std::process;

/// The process that made something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Maker(u32);

impl Maker {
    /// This process.
    pub(crate) fn here() -> Maker {
        Maker(process::id())
    }

    /// Another one, for tests that do not fork.
    #[cfg(test)]
    pub(crate) fn elsewhere() -> Maker {
        Maker(1)
    }

    pub(crate) fn is_here(self) -> bool {
        self.0 == process::id()
    }

    /// Refuses a process that has a copy.
    pub(crate) fn check(self) -> io::Result<()> {
        if self.is_here() { Ok(()) } else { Err(io::Error::new(io::ErrorKind::Unsupported, Copied(self.0))) }
    }
}

/// Only a copy of it is here.
#[derive(Debug)]
struct Copied(u32);

impl fmt::Display for Copied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it belongs to process {}, of which this one was forked", self.0)
    }
}

impl std::error::Error for Copied {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_maker_passes() {
        assert!(Maker::here().check().is_ok());
        let refused = Maker::elsewhere().check().map_err(|error| (error.kind(), error.to_string()));
        let why = "it belongs to process 1, of which this one was forked".to_owned();
        assert_eq!(refused, Err((io::ErrorKind::Unsupported, why)));
    }
}
