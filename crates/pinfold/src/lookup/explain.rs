//! Why execve(2) refused, told from the file: its errno says "no such file" of a script that is there and means the
//! interpreter that is not.
//!
//! The file is looked at after the fact and with this process's permissions, so an explanation is a finding, not a
//! proof; where the finding contradicts the errno, [`ExecFailure::Other`] says only what the kernel said.

mod image;

use std::io;
use std::path::{Path, PathBuf};

use pinfold_os::files;

use image::Image;
pub use image::Machine;

/// How many interpreters of interpreters are followed, and how many symbolic links. The kernel follows five of the one.
const DEPTH: usize = 5;
/// `ENOEXEC` has one number on every Unix; Windows calls it `ERROR_BAD_EXE_FORMAT`.
const ENOEXEC: i32 = if cfg!(windows) { 193 } else { 8 };

/// Says why execve(2) of this file gave this errno.
///
/// ```
/// # #[cfg(unix)] {
/// use std::{fs, path::Path};
/// use pinfold::lookup::{ExecFailure, explain_exec_failure};
///
/// let folder = std::env::temp_dir().join(format!("explain-{}", std::process::id()));
/// fs::create_dir_all(&folder)?;
/// let script = folder.join("from-windows.sh");
/// fs::write(&script, "#!/bin/sh\r\necho hello\r\n")?;
/// let why = explain_exec_failure(&script, 2);
/// assert!(matches!(why, ExecFailure::CarriageReturn { .. }));
/// # fs::remove_dir_all(&folder)?;
/// # }
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use]
pub fn explain_exec_failure(path: &Path, errno: i32) -> ExecFailure {
    explain(path, errno, DEPTH)
}

fn explain(path: &Path, errno: i32, depth: usize) -> ExecFailure {
    let found = match io::Error::from_raw_os_error(errno).kind() {
        _ if errno == ENOEXEC => no_format(path, depth),
        io::ErrorKind::NotFound => missing(path, errno, depth),
        io::ErrorKind::PermissionDenied => Some(refused(path, errno, depth)),
        io::ErrorKind::ExecutableFileBusy => Some(ExecFailure::Busy { path: path.to_owned() }),
        io::ErrorKind::ArgumentListTooLong => Some(ExecFailure::TooLong { path: path.to_owned() }),
        _ => None,
    };
    found.unwrap_or_else(|| ExecFailure::Other { path: path.to_owned(), errno })
}

/// ENOENT: the file, or the interpreter that it names.
fn missing(path: &Path, errno: i32, depth: usize) -> Option<ExecFailure> {
    let owned = path.to_owned();
    if path.metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Some(match path.read_link() {
            Ok(target) => ExecFailure::DanglingLink { path: owned, target },
            Err(_) => ExecFailure::Missing { path: owned },
        });
    }
    match Image::read(path)? {
        Image::Script { interpreter } if interpreter.as_os_str().as_encoded_bytes().ends_with(b"\r") => {
            Some(ExecFailure::CarriageReturn { path: owned })
        }
        image => through_interpreter(path, &image, errno, depth),
    }
}

/// ENOEXEC: the kernel knows no way to run such a file.
fn no_format(path: &Path, depth: usize) -> Option<ExecFailure> {
    let owned = path.to_owned();
    let image = Image::read(path)?;
    Some(match image {
        Image::Empty => ExecFailure::Empty { path: owned },
        Image::MarkedScript => ExecFailure::ByteOrderMark { path: owned },
        Image::NamelessScript => ExecFailure::BadShebang { path: owned },
        Image::Script { .. } => return through_interpreter(path, &image, ENOEXEC, depth),
        Image::Elf { machine, .. } if machine != Machine::HOST => {
            ExecFailure::WrongMachine { path: owned, machine }
        }
        Image::Elf { .. } => ExecFailure::BadElf { path: owned },
        Image::Foreign { system } => ExecFailure::Foreign { path: owned, system },
        Image::Unknown => ExecFailure::NoShebang { path: owned },
    })
}

/// What keeps this process from executing the file.
pub(super) fn denied(path: &Path) -> ExecFailure {
    const EACCES: i32 = if cfg!(windows) { 5 } else { 13 };
    refused(path, EACCES, DEPTH)
}

/// EACCES or EPERM: the way to the file, the file, its mount, its interpreter.
fn refused(path: &Path, errno: i32, depth: usize) -> ExecFailure {
    let owned = path.to_owned();
    if let Some(directory) = unsearchable(path) {
        return ExecFailure::Unsearchable { path: owned, directory };
    }
    let Ok(metadata) = path.metadata() else {
        return ExecFailure::Other { path: owned, errno };
    };
    if !metadata.is_file() {
        return ExecFailure::NotRegular { path: owned };
    }
    if files::on_noexec_mount(path).unwrap_or(false) {
        return ExecFailure::NoexecMount { path: owned };
    }
    if files::access(path).is_err() {
        return ExecFailure::NotExecutable { path: owned, mode: mode(&metadata) };
    }
    let interpreter = Image::read(path).and_then(|image| through_interpreter(path, &image, errno, depth));
    interpreter.unwrap_or(ExecFailure::Denied { path: owned })
}

#[cfg(unix)]
fn mode(metadata: &std::fs::Metadata) -> Option<u32> {
    Some(std::os::unix::fs::MetadataExt::mode(metadata) & 0o7777)
}

#[cfg(not(unix))]
fn mode(_: &std::fs::Metadata) -> Option<u32> {
    None
}

/// The same question of the interpreter, unless there is none or nothing is wrong with it.
fn through_interpreter(path: &Path, image: &Image, errno: i32, depth: usize) -> Option<ExecFailure> {
    let (interpreter, loader) = image.interpreter()?;
    let because = explain(interpreter, errno, depth.checked_sub(1)?);
    if matches!(because, ExecFailure::Other { .. } | ExecFailure::Denied { .. }) {
        return None;
    }
    Some(ExecFailure::Interpreter {
        path: path.to_owned(),
        interpreter: interpreter.to_owned(),
        loader,
        because: Box::new(because),
    })
}

/// All that executing a file takes beside it: its interpreter, the interpreter of that, and so on.
pub(crate) fn interpreters(path: &Path) -> Vec<(PathBuf, Loader)> {
    let mut found: Vec<(PathBuf, Loader)> = Vec::new();
    let mut image = Image::read(path);
    while let Some((next, loader)) = image.as_ref().and_then(Image::interpreter)
        && found.len() < DEPTH
    {
        let next = next.to_owned();
        image = Image::read(&next);
        found.push((next, loader));
    }
    found
}

/// The first directory on the way to a file that this process may not search, links followed.
pub(super) fn unsearchable(path: &Path) -> Option<PathBuf> {
    blocked(path, DEPTH)
}

fn blocked(path: &Path, links: usize) -> Option<PathBuf> {
    let prefixes: Vec<&Path> = path.ancestors().filter(|prefix| !prefix.as_os_str().is_empty()).collect();
    for prefix in prefixes.into_iter().rev() {
        let question = if prefix == path { path.metadata().map(drop) } else { files::access(prefix) };
        if !question.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied) {
            continue;
        }
        let through = || Some(prefix.parent()?.join(prefix.read_link().ok()?));
        return match (links.checked_sub(1), through()) {
            (Some(links), Some(target)) => blocked(&target, links).or(Some(target)),
            _ => Some(prefix.to_owned()),
        };
    }
    None
}

/// What names an interpreter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loader {
    /// The `#!` line of a script.
    Shebang,
    /// The `PT_INTERP` header of an ELF program: its dynamic loader.
    Elf,
}

/// Why an exec was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExecFailure {
    /// There is no such file.
    #[error("{path:?} does not exist")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// It is a symbolic link to nothing.
    #[error("{path:?} is a symbolic link to {target:?}, which does not exist")]
    DanglingLink {
        /// The link.
        path: PathBuf,
        /// What it points to, as written in it.
        target: PathBuf,
    },
    /// The `#!` line ends in a carriage return, which makes it part of the interpreter's name.
    #[error("the \"#!\" line of {path:?} ends in a carriage return; save the file with Unix line ends")]
    CarriageReturn {
        /// The script.
        path: PathBuf,
    },
    /// The file needs an interpreter, and there the exec failed.
    #[error("{path:?} needs {interpreter:?} {}, but {because}{}", loader.aside(), advice(*loader, because))]
    Interpreter {
        /// The script or program.
        path: PathBuf,
        /// What it names.
        interpreter: PathBuf,
        /// Where it names it.
        loader: Loader,
        /// What is wrong with the interpreter.
        because: Box<ExecFailure>,
    },
    /// The file has no content.
    #[error("{path:?} is empty")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Before `#!` there is a UTF-8 byte order mark.
    #[error("{path:?} begins with a byte order mark, which hides its \"#!\"; save the file without it")]
    ByteOrderMark {
        /// The script.
        path: PathBuf,
    },
    /// A `#!` line without an interpreter.
    #[error(
        "the \"#!\" line of {path:?} names no interpreter, or is longer than the 255 bytes that are read"
    )]
    BadShebang {
        /// The script.
        path: PathBuf,
    },
    /// Neither a program nor a script that says what runs it.
    #[error("{path:?} is no program and has no \"#!\" line; begin it with one, such as \"#!/bin/sh\"")]
    NoShebang {
        /// The file.
        path: PathBuf,
    },
    /// A program for another kind of processor.
    #[error("{path:?} is built for {machine}, and this is {}", Machine::HOST)]
    WrongMachine {
        /// The program.
        path: PathBuf,
        /// What it was built for.
        machine: Machine,
    },
    /// An ELF file for this machine that is no program.
    #[error("{path:?} is an ELF file but no program: an object file, or damaged")]
    BadElf {
        /// The file.
        path: PathBuf,
    },
    /// A program for another operating system.
    #[error("{path:?} is a program for {system}")]
    Foreign {
        /// The program.
        path: PathBuf,
        /// That system.
        system: &'static str,
    },
    /// A directory on the way may not be searched.
    #[error("{path:?} cannot be reached: not permitted to search {directory:?}")]
    Unsearchable {
        /// The file.
        path: PathBuf,
        /// The first such directory.
        directory: PathBuf,
    },
    /// A directory, a device, a socket.
    #[error("{path:?} is not a regular file")]
    NotRegular {
        /// The thing.
        path: PathBuf,
    },
    /// The mount forbids execution, whatever the mode says.
    #[error("{path:?} lies on a file system that is mounted noexec")]
    NoexecMount {
        /// The file.
        path: PathBuf,
    },
    /// The mode gives this process no execute permission.
    #[error("{path:?} has no execute permission for this user{}; see chmod(1)", octal(*mode))]
    NotExecutable {
        /// The file.
        path: PathBuf,
        /// Its permission bits, where the platform has them.
        mode: Option<u32>,
    },
    /// Permission denied, although this process may execute the file.
    #[error(
        "{path:?} may not be executed by the child: its user lacks the permission, or a security policy forbids it"
    )]
    Denied {
        /// The file.
        path: PathBuf,
    },
    /// Somebody has the file open for writing.
    #[error("{path:?} is open for writing; close it everywhere, then try again")]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// Arguments and environment together, or one string of them, are longer than the kernel takes.
    #[error(
        "the arguments and environment for {path:?} are too long for the kernel; pass them by file or stdin"
    )]
    TooLong {
        /// The program.
        path: PathBuf,
    },
    /// The file explains nothing.
    #[error("cannot execute {path:?}: {}", io::Error::from_raw_os_error(*errno))]
    Other {
        /// The file.
        path: PathBuf,
        /// What the system said.
        errno: i32,
    },
}

impl Loader {
    /// In brackets behind what it names.
    pub(crate) fn aside(self) -> &'static str {
        match self {
            Loader::Shebang => "(its \"#!\" line)",
            Loader::Elf => "(its dynamic loader)",
        }
    }
}

fn advice(loader: Loader, because: &ExecFailure) -> &'static str {
    match (loader, because) {
        (Loader::Elf, ExecFailure::Missing { .. }) => "; it was built for a system with another C library",
        _ => "",
    }
}

fn octal(mode: Option<u32>) -> String {
    mode.map(|mode| format!(" (mode {mode:04o})")).unwrap_or_default()
}
