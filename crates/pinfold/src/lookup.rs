//! Which file a program's name means, decided before anything is spawned, and why an exec that was refused was refused.
//!
//! The search is that of execvp(3) with the child's `PATH` and working directory instead of the caller's, and it looks
//! with the caller's permissions: a child that runs as another user may still be refused. Nothing is executed here.
//!
//! On Windows the suffixes of `PATHEXT` are tried after the name as given; the application directory and the registry
//! are not searched.

mod explain;
mod hint;

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

pub(crate) use explain::interpreters;
pub use explain::{ExecFailure, Loader, Machine, explain_exec_failure};
pub use hint::Hint;
pub(crate) use hint::closest;
use pinfold_os::files;

/// What is searched when `PATH` is not set.
#[cfg(not(windows))]
pub const DEFAULT_PATH: &str = "/usr/local/bin:/bin:/usr/bin";
/// What is searched when `PATH` is not set.
#[cfg(windows)]
pub const DEFAULT_PATH: &str = r"C:\Windows\System32;C:\Windows";

/// Finds the file that a program's name means for a child with this `PATH` and this working directory.
///
/// A name with a slash is taken relative to `cwd`. Any other is searched for in the entries of `path`, in order; an
/// empty entry is `cwd`, as [POSIX] says, and a relative one is relative to `cwd`. Without `path`, [`DEFAULT_PATH`] is
/// searched. The result is absolute where `cwd` is. What was found and cannot be executed does not end the search, and
/// is reported if nothing better follows.
///
/// ```
/// # #[cfg(unix)] {
/// use std::{ffi::OsStr, path::Path};
/// use pinfold::lookup::{LookupError, resolve};
///
/// let sh = resolve(OsStr::new("sh"), Some(OsStr::new("/nowhere:/bin")), Path::new("/"))?;
/// assert_eq!(sh, Path::new("/bin/sh"));
///
/// let error = resolve(OsStr::new("no-such-program"), None, Path::new("/")).unwrap_err();
/// assert!(matches!(error, LookupError::NotFound { .. }));
/// # }
/// # Ok::<(), pinfold::lookup::LookupError>(())
/// ```
///
/// # Errors
/// See [`LookupError`].
///
/// [POSIX]: https://pubs.opengroup.org/onlinepubs/9799919799/basedefs/V1_chap08.html#tag_08_03
pub fn resolve(program: &OsStr, path: Option<&OsStr>, cwd: &Path) -> Result<PathBuf, LookupError> {
    let name = program.as_encoded_bytes();
    if name.is_empty() {
        return Err(LookupError::Empty);
    }
    if name.contains(&0) {
        return Err(LookupError::Nul { program: program.to_owned() });
    }
    let directories: Vec<PathBuf> = if names_a_file(program) {
        Vec::new()
    } else {
        let path = path.unwrap_or(OsStr::new(DEFAULT_PATH));
        std::env::split_paths(path).map(|entry| cwd.join(entry)).collect()
    };
    search(program, &directories, cwd)
}

/// Whether the name is a path already, so that `PATH` has no say in it.
pub(crate) fn names_a_file(program: &OsStr) -> bool {
    program.as_encoded_bytes().iter().any(|byte| std::path::is_separator(char::from(*byte)))
        || Path::new(program).components().count() > 1
}

fn search(program: &OsStr, directories: &[PathBuf], cwd: &Path) -> Result<PathBuf, LookupError> {
    let suffixes = files::executable_suffixes();
    let places = if names_a_file(program) {
        vec![cwd.join(program)]
    } else {
        directories.iter().map(|directory| directory.join(program)).collect()
    };
    let mut refused = None;
    let mut unsearchable = Vec::new();
    for place in &places {
        let with_suffixes = suffixes.iter().map(|suffix| {
            let mut name = place.clone().into_os_string();
            name.push(suffix);
            PathBuf::from(name)
        });
        for candidate in std::iter::once(place.clone()).chain(with_suffixes) {
            match look_at(&candidate) {
                Seen::Executable => return Ok(candidate),
                Seen::Nothing => {}
                Seen::Unsearchable => unsearchable.extend(explain::unsearchable(&candidate)),
                Seen::Refused(error) => refused = refused.or(Some(error)),
            }
        }
    }
    if let Some(refused) = refused {
        return Err(refused);
    }
    unsearchable.dedup();
    Err(LookupError::NotFound {
        program: program.to_owned(),
        hint: hint::find(program, &places, directories, cwd).map(Box::new),
        searched: places,
        unsearchable,
    })
}

/// What is in one place.
enum Seen {
    Executable,
    Nothing,
    /// A directory on the way refuses the question.
    Unsearchable,
    Refused(LookupError),
}

fn look_at(candidate: &Path) -> Seen {
    let path = candidate.to_owned();
    match candidate.metadata() {
        Ok(metadata) if metadata.is_dir() => Seen::Refused(LookupError::IsDirectory { path }),
        Ok(metadata) if metadata.is_file() && files::access(candidate).is_ok() => Seen::Executable,
        Ok(_) => {
            Seen::Refused(LookupError::NotExecutable { because: Box::new(explain::denied(candidate)), path })
        }
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Seen::Nothing,
            io::ErrorKind::PermissionDenied => Seen::Unsearchable,
            _ => Seen::Refused(LookupError::Unreadable { path, source: error }),
        },
    }
}

/// Why a program's name means no file that can be executed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// The name is empty.
    #[error("the program's name is empty")]
    Empty,
    /// The name holds a NUL byte, which no file name can.
    #[error("the program's name {program:?} holds a NUL byte")]
    Nul {
        /// The name as given.
        program: OsString,
    },
    /// There is no such file in any place that was looked at.
    #[error("program {program:?} not found: looked at {}{}{}", list(searched), closed(unsearchable), advice(hint.as_deref()))]
    NotFound {
        /// The name as given.
        program: OsString,
        /// The files that were looked for, in order.
        searched: Vec<PathBuf>,
        /// Directories that this process may not search; the program may be there.
        unsearchable: Vec<PathBuf>,
        /// What may have been meant.
        hint: Option<Box<Hint>>,
    },
    /// The only thing of that name is a file that may not be executed.
    #[error("{because}")]
    NotExecutable {
        /// The first such file.
        path: PathBuf,
        /// What forbids it.
        because: Box<ExecFailure>,
    },
    /// The only thing of that name is a directory.
    #[error("{path:?} is a directory, not a program")]
    IsDirectory {
        /// The first such directory.
        path: PathBuf,
    },
    /// A place could not be looked at, for example because its disk failed, and the program is nowhere else.
    #[error("cannot look at {path:?}: {source}")]
    Unreadable {
        /// The file that was looked for.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

fn list(paths: &[PathBuf]) -> String {
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    paths.join(", ")
}

fn closed(directories: &[PathBuf]) -> String {
    if directories.is_empty() {
        return String::new();
    }
    format!("; not permitted to search {}", list(directories))
}

fn advice(hint: Option<&Hint>) -> String {
    hint.map(|hint| format!("; {hint}")).unwrap_or_default()
}

#[cfg(all(test, unix))]
mod tests;
