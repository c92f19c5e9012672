//! Fetching the files of `/proc/PID`.
//!
//! Each file is opened, read to its end and closed, so an answer is from one moment and for whoever has the pid then;
//! two answers may be about two processes. Whoever must not be mistaken compares `starttime`, or holds a pidfd. The
//! root directory is a parameter: another mount of `/proc`, or a directory of files for a test.

use std::error::Error;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::parse::cgroup::Cgroups;
use crate::parse::cmdline::Cmdline;
use crate::parse::io::Io;
use crate::parse::mountinfo::Mounts;
use crate::parse::stat::Stat;
use crate::parse::status::Status;
use crate::parse::{self, ParseError};

/// What read(2) answers when the process ended after its file was opened. The same number on every Unix; std has no
/// [`io::ErrorKind`] for it.
const ESRCH: i32 = 3;
/// Enough for the files that are read most, and little enough for no allocator to map memory for it alone. The buffer grows
/// with what is read into it.
const BUFFER: usize = 1024;

/// Whose files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// The process that reads. Its pid may be another in the namespace of that `/proc`, so the kernel is asked.
    Own,
    /// The process, or the thread, of this pid in the namespace of that `/proc`.
    Pid(u32),
}

impl From<u32> for Target {
    fn from(pid: u32) -> Self {
        Self::Pid(pid)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own => f.write_str("self"),
            Self::Pid(pid) => pid.fmt(f),
        }
    }
}

/// A `/proc`, and one buffer that every answer is read into: an answer must be dropped before the next is asked for.
#[derive(Clone, Debug)]
pub struct Proc {
    root: PathBuf,
    path: PathBuf,
    number: String,
    buffer: Vec<u8>,
}

impl Proc {
    /// This host's `/proc`.
    ///
    /// ```
    /// # #[cfg(target_os = "linux")] {
    /// use pinfold_proc::{Proc, Target};
    ///
    /// let mut proc = Proc::host()?;
    /// assert_eq!(proc.stat(Target::Own)?.pid, std::process::id());
    /// # }
    /// # Ok::<(), pinfold_proc::ReadError>(())
    /// ```
    ///
    /// # Errors
    /// [`ReadError::Unsupported`] where there is none: not mounted, or another system than Linux.
    pub fn host() -> Result<Self, ReadError> {
        if !cfg!(any(target_os = "linux", target_os = "android")) {
            return Err(ReadError::Unsupported { what: "/proc", because: "this system is not Linux" });
        }
        // Without this every process of a host without /proc would seem gone.
        if !Path::new("/proc/self/stat").exists() {
            return Err(ReadError::Unsupported { what: "/proc", because: "it is not mounted" });
        }
        Ok(Self::new("/proc"))
    }

    /// A directory that holds what `/proc` holds. It is not looked at yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Self { path: root.clone(), root, number: String::new(), buffer: Vec::new() }
    }

    /// The processes that there are and that may be seen, in ascending order; threads are not among them.
    ///
    /// # Errors
    /// [`ReadError::Other`] if the root directory cannot be read.
    pub fn pids(&self) -> Result<Vec<u32>, ReadError> {
        let other = |source| ReadError::Other { path: self.root.clone(), source };
        let mut pids = Vec::new();
        for entry in fs::read_dir(&self.root).map_err(other)? {
            let name = entry.map_err(other)?.file_name();
            pids.extend(parse::pid(name.as_encoded_bytes()).ok());
        }
        pids.sort_unstable();
        Ok(pids)
    }

    /// `stat`: name, state, family, times.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn stat(&mut self, target: impl Into<Target>) -> Result<Stat<'_>, ReadError> {
        self.parsed(target.into(), "stat", Stat::parse)
    }

    /// `status`: ids, memory, signals.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn status(&mut self, target: impl Into<Target>) -> Result<Status<'_>, ReadError> {
        self.parsed(target.into(), "status", Status::parse)
    }

    /// `cmdline`: the arguments; for what has none see [`Cmdline::is_empty`].
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn cmdline(&mut self, target: impl Into<Target>) -> Result<Cmdline<'_>, ReadError> {
        self.read(target.into(), "cmdline").map(Cmdline::parse)
    }

    /// `cgroup`: the control groups.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn cgroup(&mut self, target: impl Into<Target>) -> Result<Cgroups<'_>, ReadError> {
        self.read(target.into(), "cgroup").map(Cgroups::parse)
    }

    /// `mountinfo`: the mounts. A zombie has none, which is told as [`ReadError::Other`] with `EINVAL`.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn mountinfo(&mut self, target: impl Into<Target>) -> Result<Mounts<'_>, ReadError> {
        self.read(target.into(), "mountinfo").map(Mounts::parse)
    }

    /// `io`: bytes read and written. Denied unless this process may trace that one.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn io(&mut self, target: impl Into<Target>) -> Result<Io, ReadError> {
        self.parsed(target.into(), "io", Io::parse)
    }

    fn parsed<'a, T>(
        &'a mut self,
        target: Target,
        file: &'static str,
        parse: impl FnOnce(&'a [u8]) -> Result<T, ParseError>,
    ) -> Result<T, ReadError> {
        parse(self.read(target, file)?).map_err(|source| ReadError::Malformed { target, source })
    }

    fn read(&mut self, target: Target, file: &'static str) -> Result<&[u8], ReadError> {
        use fmt::Write as _;
        self.number.clear();
        // Writing to a String cannot fail.
        let _ = write!(self.number, "{target}");
        self.path.clone_from(&self.root);
        self.path.push(&self.number);
        self.path.push(file);
        match read_whole(&self.path, &mut self.buffer) {
            Ok(length) => Ok(&self.buffer[..length]),
            Err(error) => Err(self.explain(target, file, error)),
        }
    }

    fn explain(&self, target: Target, file: &'static str, source: io::Error) -> ReadError {
        let there = || self.path.parent().is_some_and(|directory| directory.symlink_metadata().is_ok());
        match source.kind() {
            _ if source.raw_os_error() == Some(ESRCH) => ReadError::Gone { target },
            io::ErrorKind::NotFound if there() => {
                ReadError::Unsupported { what: file, because: "this kernel does not have that file" }
            }
            io::ErrorKind::NotFound if self.root.is_dir() => ReadError::Gone { target },
            io::ErrorKind::PermissionDenied => ReadError::Denied { target, file },
            _ => ReadError::Other { path: self.path.clone(), source },
        }
    }
}

/// Reads a file of unknown length (those of `/proc` say 0) into a buffer that only grows, and says how much it was.
/// `read_to_end` would ask for the length and the position first: two calls that cost as much as the read.
fn read_whole(path: &Path, buffer: &mut Vec<u8>) -> io::Result<usize> {
    let mut file = File::open(path)?;
    let mut length = 0;
    loop {
        if length == buffer.len() {
            buffer.resize((length * 2).max(BUFFER), 0);
        }
        match file.read(&mut buffer[length..]) {
            Ok(0) => return Ok(length),
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Why there is no answer.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadError {
    /// The process is not there, or not any more. Where `/proc` is mounted with `hidepid=2`, the processes of others
    /// seem so too.
    Gone {
        /// Which process.
        target: Target,
    },
    /// The process is there, and its file is not for this user.
    Denied {
        /// Which process.
        target: Target,
        /// Which file.
        file: &'static str,
    },
    /// The file is not what the kernel documents.
    Malformed {
        /// Which process.
        target: Target,
        /// Which file and field.
        source: ParseError,
    },
    /// There is no such thing on this host.
    Unsupported {
        /// What.
        what: &'static str,
        /// Why not.
        because: &'static str,
    },
    /// Anything else.
    Other {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

impl ReadError {
    /// Whether the process is gone.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Gone { .. })
    }

    /// Whether the process is there and this user may not know.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Denied { .. })
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone { target } => write!(f, "process {target} is gone"),
            Self::Denied { target, file } => {
                write!(f, "not permitted to read {file} of process {target}; root is")
            }
            Self::Malformed { target, source } => write!(f, "cannot understand process {target}: {source}"),
            Self::Unsupported { what, because } => write!(f, "cannot read {what}: {because}"),
            Self::Other { path, source } => write!(f, "cannot read {}: {source}", path.display()),
        }
    }
}

// The reason is in the message already, so there is no `source` to print it a second time.
impl Error for ReadError {}

#[cfg(test)]
mod tests;
