//! Why a user could not be told.

use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::Path;

use super::{GROUP, MAX_ID, PASSWD};

/// What was being looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A user, in [`PASSWD`].
    User,
    /// A group, in [`GROUP`].
    Group,
}

impl Kind {
    /// The file that says who there is.
    #[must_use]
    pub fn file(self) -> &'static Path {
        Path::new(match self {
            Self::User => PASSWD,
            Self::Group => GROUP,
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "user",
            Self::Group => "group",
        })
    }
}

/// Why a user could not be told.
#[derive(Debug)]
#[non_exhaustive]
pub enum UserError {
    /// The spec names neither a user nor a group.
    EmptySpec,
    /// More than one colon.
    TooManyColons {
        /// The spec as given.
        spec: OsString,
    },
    /// A number beyond [`MAX_ID`].
    OutOfRange {
        /// Which side of the spec.
        kind: Kind,
        /// The number as given.
        text: OsString,
    },
    /// Characters such as `²` or `٣`, which are numeric but are neither a number here nor a likely name.
    NotAsciiDigits {
        /// Which side of the spec.
        kind: Kind,
        /// The text as given.
        text: OsString,
    },
    /// A name that is not in the file.
    NotFound {
        /// What was looked for; [`Kind::file`] says where.
        kind: Kind,
        /// The name.
        name: OsString,
        /// The file itself does not exist.
        file_missing: bool,
    },
    /// The file exists but could not be read.
    Unreadable {
        /// The file.
        path: &'static Path,
        /// Why.
        source: io::Error,
    },
}

impl fmt::Display for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptySpec => {
                f.write_str("no user or group given; write a name or a number, as [user][:group]")
            }
            Self::TooManyColons { spec } => {
                write!(f, "{spec:?} has more than one colon; write [user][:group]")
            }
            Self::OutOfRange { kind, text } => {
                write!(f, "{kind} id {} is out of range; the largest is {MAX_ID}", text.display())
            }
            Self::NotAsciiDigits { kind, text } => {
                write!(f, "{kind} {text:?} is written with digits other than 0 to 9; use those")
            }
            Self::NotFound { kind, name, file_missing } => {
                let file = kind.file().display();
                let missing = if *file_missing { ", which does not exist" } else { "" };
                write!(
                    f,
                    "no {kind} {name:?} in {file}{missing}; an account that is kept elsewhere works by its number"
                )
            }
            Self::Unreadable { path, source } => write!(f, "cannot read {}: {source}", path.display()),
        }
    }
}

// The reason is in the message already, so there is no `source` to print it a second time.
impl Error for UserError {}
