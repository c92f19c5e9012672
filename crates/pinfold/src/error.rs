//! The one error of this crate: what failed, at which program and step, why, and what to do.
//!
//! Messages never hold arguments or environment values, which routinely are secrets.

use crate::command::Command;
use crate::output::Output;
use crate::settings::{Stdin, Stream};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What kind of failure an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is no such program, or what it needs to be executed (its `#!` interpreter) is not there.
    NotFound,
    /// The program is there and cannot be executed, or the kernel refused a privilege that the command asks for.
    PermissionDenied,
    /// The command contradicts itself or holds a value that cannot be meant: nothing was started.
    InvalidInput,
    /// This host or this build cannot do what the command asks for: nothing was started.
    Unsupported,
    /// A resource ran out: processes, descriptors, memory.
    ResourceLimit,
    /// The program could not be started for another reason.
    Spawn,
    /// It ended with a code that is not a success.
    NonZeroExit,
    /// A signal ended it.
    Signalled,
    /// A timeout of its own ended it, or something was waited for longer than was to be, and nothing was ended by that.
    Timeout,
    /// It ended before what was waited for.
    NotReady,
    /// A cancellation token ended it.
    Cancelled,
    /// It gave more output than its limit, and the limit says that this is an error.
    OutputTooLarge,
    /// Its output is not what the verb asked for: not JSON, not even a line.
    UnexpectedOutput,
    /// Its status was taken by other code of this process.
    StatusLost,
    /// Reading or writing its streams failed.
    Io,
    /// It was to be run by a double, which has no reply to it.
    NoReply,
}

impl ErrorKind {
    /// Its name in `snake_case`: `not_found`, `non_zero_exit`, ...
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorKind::NotFound => "not_found",
            ErrorKind::PermissionDenied => "permission_denied",
            ErrorKind::InvalidInput => "invalid_input",
            ErrorKind::Unsupported => "unsupported",
            ErrorKind::ResourceLimit => "resource_limit",
            ErrorKind::Spawn => "spawn",
            ErrorKind::NonZeroExit => "non_zero_exit",
            ErrorKind::Signalled => "signalled",
            ErrorKind::Timeout => "timeout",
            ErrorKind::NotReady => "not_ready",
            ErrorKind::Cancelled => "cancelled",
            ErrorKind::OutputTooLarge => "output_too_large",
            ErrorKind::UnexpectedOutput => "unexpected_output",
            ErrorKind::StatusLost => "status_lost",
            ErrorKind::Io => "io",
            ErrorKind::NoReply => "no_reply",
        }
    }
}

/// A run that did not go as asked.
///
/// `{}` and `{:?}` are its message with what to do, `{:#?}` its fields. Neither has an argument, a variable or output in it.
/// ```
/// let error = pinfold::Command::new("sl33p").arg("secret").run().unwrap_err();
/// assert!(format!("{error:?}").starts_with("sl33p: not found in "));
/// assert!(format!("{error:#?}").contains("kind: NotFound"));
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    program: OsString,
    /// Reads after the program's name: "cannot be executed: ...".
    what: String,
    hint: Option<String>,
    source: Option<io::Error>,
    output: Option<Output<Vec<u8>>>,
    timeout: Option<Duration>,
    blames_program: bool,
    /// The stage of a pipeline, counted from 0, and how many there are.
    stage: Option<(usize, usize)>,
    about_limits: bool,
    path: Option<PathBuf>,
    searched: Vec<PathBuf>,
}

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A failure of a kind at a program; `what` reads after the program's name.
    pub(crate) fn new(kind: ErrorKind, program: &OsStr, what: impl Into<String>) -> Error {
        Error(Box::new(Inner {
            kind,
            program: program.to_owned(),
            what: what.into(),
            hint: None,
            source: None,
            output: None,
            timeout: None,
            blames_program: false,
            stage: None,
            about_limits: false,
            path: None,
            searched: Vec::new(),
        }))
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Error {
        self.0.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub(crate) fn because(mut self, source: io::Error) -> Error {
        self.0.source = Some(source);
        self
    }

    #[must_use]
    pub(crate) fn with_output(mut self, output: Output<Vec<u8>>) -> Error {
        self.0.output = Some(output);
        self
    }

    #[must_use]
    pub(crate) fn after(mut self, timeout: Option<Duration>) -> Error {
        self.0.timeout = timeout;
        self
    }

    #[must_use]
    pub(crate) fn blame_program(mut self) -> Error {
        self.0.blames_program = true;
        self
    }

    #[must_use]
    pub(crate) fn at_stage(mut self, index: usize, count: usize) -> Error {
        self.0.stage = (count > 1).then_some((index, count));
        self
    }

    /// Which stage of a pipeline it was, counted from 0, where that is known; `None` for a single command.
    pub fn stage(&self) -> Option<usize> {
        self.0.stage.map(|(index, _)| index)
    }

    pub(crate) fn about_limits(mut self) -> Error {
        self.0.about_limits = true;
        self
    }

    #[must_use]
    pub(crate) fn at_path(mut self, path: &Path) -> Error {
        self.0.path = Some(path.to_owned());
        self
    }

    #[must_use]
    pub(crate) fn looked_for(mut self, searched: &[PathBuf]) -> Error {
        self.0.searched = searched.to_owned();
        self
    }

    /// The file or directory that was not there or was refused, where that is not the program's own: the directory to start in,
    /// a file to read or to write, the interpreter that a script names in its `#!` line (or that of its interpreter).
    ///
    /// ```
    /// use pinfold::Command;
    ///
    /// let error = Command::new("true").cwd("/no/such/directory").run().unwrap_err();
    /// assert_eq!(error.path().unwrap().to_str(), Some("/no/such/directory"));
    /// ```
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// The files that were looked for, in order, where the program was not found: its name in each directory of its `PATH`. The
    /// message names the directories only where they are few.
    ///
    /// ```
    /// use pinfold::Command;
    ///
    /// let error = Command::new("sl33p").env("PATH", "/usr/bin:/bin").run().unwrap_err();
    /// assert!(error.searched().iter().all(|file| file.ends_with("sl33p")));
    /// assert_eq!(error.searched().len(), 2);
    /// ```
    pub fn searched(&self) -> &[PathBuf] {
        &self.0.searched
    }

    /// Whether it is limits of a run or a group that cannot be had here.
    pub fn refuses_limits(&self) -> bool {
        self.0.about_limits
    }

    /// Whether nothing was started because of the program's own file: it was not found, or cannot be executed. Not so
    /// where something else is missing or refused: its directory, a file to read, a privilege.
    pub fn blames_program(&self) -> bool {
        self.0.blames_program
    }

    /// Whether nothing was started for want of something that ends of others give back: descriptors, processes, memory.
    pub fn is_shortage(&self) -> bool {
        let exhausted = || self.os_error().map(io::Error::from_raw_os_error);
        self.0.output.is_none() && exhausted().is_some_and(|error| pinfold_os::wait::is_exhaustion(&error))
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The program's name as the command has it; of a pipeline, that of the stage.
    pub fn program(&self) -> &OsStr {
        &self.0.program
    }

    /// What to do about it, where that is known.
    pub fn what_to_do(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The run's output up to the failure and its outcome, where there was a run.
    pub fn output(&self) -> Option<&Output<Vec<u8>>> {
        self.0.output.as_ref()
    }

    pub(crate) fn take_output(&mut self) -> Option<Output<Vec<u8>>> {
        self.0.output.take()
    }

    /// The same for another who asks.
    pub(crate) fn twin(&self) -> Error {
        let Inner {
            kind,
            program,
            what,
            hint,
            source,
            output,
            timeout,
            blames_program,
            stage,
            about_limits,
            path,
            searched,
        } = &*self.0;
        let source = source.as_ref().map(|source| match source.raw_os_error() {
            Some(number) => io::Error::from_raw_os_error(number),
            None => io::Error::new(source.kind(), source.to_string()),
        });
        Error(Box::new(Inner {
            kind: *kind,
            program: program.clone(),
            what: what.clone(),
            hint: hint.clone(),
            source,
            output: output.clone(),
            timeout: *timeout,
            blames_program: *blames_program,
            stage: *stage,
            about_limits: *about_limits,
            path: path.clone(),
            searched: searched.clone(),
        }))
    }

    /// [`Error::output`], taken out.
    pub fn into_output(self) -> Option<Output<Vec<u8>>> {
        self.0.output
    }

    /// The exit code, where the run ended with one.
    pub fn code(&self) -> Option<i32> {
        self.output().and_then(|output| output.outcome.code())
    }

    /// The signal that ended the run, where one did.
    pub fn signal(&self) -> Option<pinfold_os::signal::Signal> {
        self.output().and_then(|output| output.outcome.signal())
    }

    /// The timeout that passed, for [`ErrorKind::Timeout`].
    pub fn timeout(&self) -> Option<Duration> {
        self.0.timeout
    }

    /// The operating system's error number, where it gave one.
    pub fn os_error(&self) -> Option<i32> {
        self.0.source.as_ref().and_then(io::Error::raw_os_error)
    }

    /// The message without the hint.
    pub fn message(&self) -> String {
        let Inner { program, what, stage, .. } = &*self.0;
        let program = program.display();
        match stage {
            Some((index, count)) => format!("{program} (stage {} of {count}): {what}", index + 1),
            // What has no name cannot be named.
            None if self.0.program.is_empty() => what.clone(),
            None => format!("{program}: {what}"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())?;
        match &self.0.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    /// The message, since that is what a `main` that returns an error prints; its fields with `{:#?}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !f.alternate() {
            return fmt::Display::fmt(self, f);
        }
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("program", &self.0.program)
            .field("what", &self.0.what)
            .field("hint", &self.0.hint)
            .field("source", &self.0.source)
            .field("outcome", &self.0.output.as_ref().map(|output| &output.outcome))
            .finish_non_exhaustive()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|error| error as _)
    }
}

impl From<Error> for io::Error {
    /// Keeps the error as the source, under the nearest kind of the standard library.
    fn from(error: Error) -> io::Error {
        let kind = match error.kind() {
            ErrorKind::NotFound => io::ErrorKind::NotFound,
            ErrorKind::PermissionDenied => io::ErrorKind::PermissionDenied,
            ErrorKind::InvalidInput => io::ErrorKind::InvalidInput,
            ErrorKind::Unsupported => io::ErrorKind::Unsupported,
            ErrorKind::Timeout => io::ErrorKind::TimedOut,
            ErrorKind::Cancelled => io::ErrorKind::Interrupted,
            ErrorKind::UnexpectedOutput => io::ErrorKind::InvalidData,
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}

/// Errors that more than one verb gives.
impl Command {
    pub(crate) fn error(&self, kind: ErrorKind, what: impl Into<String>) -> Error {
        Error::new(kind, &self.program, what)
    }

    pub(crate) fn not_captured(&self, stream: Stream) -> Error {
        self.error(ErrorKind::InvalidInput, format!("its {stream} is not captured"))
            .hint("leave it at Stdio::Pipe")
    }

    pub(crate) fn must_keep_stdin_open(&self) -> Result<()> {
        if self.stdin == Stdin::Open {
            return Ok(());
        }
        let error = self.error(ErrorKind::InvalidInput, "its standard input is not open to be written to");
        Err(error.hint("say keep_stdin_open() on the command"))
    }

    /// The result of something that only works on what is still running.
    pub(crate) fn acted(&self, what: &str, result: io::Result<()>) -> Result<()> {
        result.map_err(|error| {
            let kind = match error.kind() {
                io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
                io::ErrorKind::Unsupported => ErrorKind::Unsupported,
                _ => ErrorKind::NotFound,
            };
            self.error(kind, format!("cannot be {what}: {error}")).because(error)
        })
    }

    /// For a driver that cannot wait for its run.
    pub(crate) fn unwaitable(&self, error: io::Error) -> Error {
        self.failed_at("waited for", error)
    }

    /// What could not be done with it, by no fault of its own.
    pub(crate) fn failed_at(&self, what: &str, error: io::Error) -> Error {
        let kind = match error.kind() {
            // A copy of it, in a forked child.
            io::ErrorKind::Unsupported => ErrorKind::Unsupported,
            _ => ErrorKind::Io,
        };
        self.error(kind, format!("cannot be {what}: {error}")).because(error)
    }
}
