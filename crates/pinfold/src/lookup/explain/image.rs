//! What kind of file the kernel was asked to execute, from its first bytes, as binfmt_script and binfmt_elf read them.

use super::Loader;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// How much of a file the kernel looks at to tell its kind (`BINPRM_BUF_SIZE`).
const HEAD: usize = 256;
/// The longest `PT_INTERP` that the kernel takes (`PATH_MAX`).
const LONGEST_LOADER: u64 = 4096;
/// The most bytes of program headers that the kernel takes.
const HEADERS: u64 = 65_536;
const PT_INTERP: u32 = 3;

/// A processor, as the `e_machine` of an ELF header numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine(pub u16);

impl Machine {
    const NAMES: &[(u16, &str)] = &[
        (3, "x86"),
        (8, "mips"),
        (20, "powerpc"),
        (21, "powerpc64"),
        (22, "s390x"),
        (40, "arm"),
        (62, "x86_64"),
        (183, "aarch64"),
        (243, "riscv64"),
        (258, "loongarch64"),
    ];

    /// The processor that this code is built for; 0 if it has no name here.
    pub const HOST: Machine = Machine(if cfg!(target_arch = "x86_64") {
        62
    } else if cfg!(target_arch = "aarch64") {
        183
    } else if cfg!(target_arch = "x86") {
        3
    } else if cfg!(target_arch = "arm") {
        40
    } else if cfg!(target_arch = "riscv64") {
        243
    } else if cfg!(target_arch = "powerpc64") {
        21
    } else if cfg!(target_arch = "s390x") {
        22
    } else if cfg!(target_arch = "loongarch64") {
        258
    } else {
        0
    });
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::NAMES.iter().find(|(number, _)| *number == self.0) {
            Some((_, name)) => f.write_str(name),
            None if *self == Self::HOST => f.write_str(std::env::consts::ARCH),
            None => write!(f, "ELF machine {}", self.0),
        }
    }
}

/// A file's kind.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Image {
    Empty,
    Script {
        interpreter: PathBuf,
    },
    /// `#!` and nothing, or nothing that ends within [`HEAD`].
    NamelessScript,
    /// `#!` behind a byte order mark.
    MarkedScript,
    Elf {
        machine: Machine,
        interpreter: Option<PathBuf>,
    },
    Foreign {
        system: &'static str,
    },
    Unknown,
}

impl Image {
    /// `None` if it cannot be read; a program may be executable and not readable.
    pub(super) fn read(path: &Path) -> Option<Self> {
        // To open anything else may block, or do things.
        if !path.metadata().ok()?.is_file() {
            return None;
        }
        let mut file = File::open(path).ok()?;
        let mut head = Vec::new();
        file.by_ref().take(HEAD as u64).read_to_end(&mut head).ok()?;
        Some(match head.as_slice() {
            [] => Self::Empty,
            [b'#', b'!', line @ ..] => shebang(line),
            [0xef, 0xbb, 0xbf, b'#', b'!', ..] => Self::MarkedScript,
            [0x7f, b'E', b'L', b'F', ..] => Elf::read(&head).map_or(Self::Unknown, |elf| Self::Elf {
                machine: elf.machine,
                interpreter: elf.interpreter(&mut file),
            }),
            [b'M', b'Z', ..] => Self::Foreign { system: "Windows" },
            [0xcf | 0xce, 0xfa, 0xed, 0xfe, ..] => Self::Foreign { system: "macOS" },
            [0, b'a', b's', b'm', ..] => Self::Foreign { system: "WebAssembly" },
            _ => Self::Unknown,
        })
    }
}

impl Image {
    /// What is executed in its place, and which part of it says so.
    pub(super) fn interpreter(&self) -> Option<(&Path, Loader)> {
        match self {
            Image::Script { interpreter } => Some((interpreter, Loader::Shebang)),
            Image::Elf { interpreter: Some(interpreter), .. } => Some((interpreter, Loader::Elf)),
            _ => None,
        }
    }
}

/// What follows `#!`: blanks, the interpreter up to a blank, and perhaps one argument.
fn shebang(line: &[u8]) -> Image {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let (line, ended) = match line.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&line[..end], true),
        None => (line, line.len() < HEAD - 2),
    };
    let start = line.iter().position(|byte| !blank(byte)).unwrap_or(line.len());
    let name = match line[start..].iter().position(|byte| blank(byte) || *byte == 0) {
        Some(length) => &line[start..start + length],
        // The name may go on beyond what is read; to execute what its beginning names would be wrong.
        None if !ended => &[],
        None => &line[start..],
    };
    match path(name) {
        Some(interpreter) if !name.is_empty() => Image::Script { interpreter },
        _ => Image::NamelessScript,
    }
}

/// A path from bytes; off Unix, where file names are no bytes, only if they are UTF-8.
fn path(bytes: &[u8]) -> Option<PathBuf> {
    #[cfg(unix)]
    let name: OsString = std::os::unix::ffi::OsStringExt::from_vec(bytes.to_vec());
    #[cfg(not(unix))]
    let name: OsString = std::str::from_utf8(bytes).ok()?.into();
    Some(name.into())
}

/// The few fields of an ELF header that matter here, in either width and byte order.
struct Elf {
    machine: Machine,
    wide: bool,
    little: bool,
    headers: u64,
    header_size: u64,
    header_count: u64,
}

impl Elf {
    fn read(head: &[u8]) -> Option<Self> {
        let wide = *head.get(4)? == 2;
        let little = *head.get(5)? == 1;
        let field = |at, width| number(head, at, width, little);
        let (headers, sizes) = if wide { (field(32, 8)?, 54) } else { (field(28, 4)?, 42) };
        Some(Self {
            machine: Machine(u16::try_from(field(18, 2)?).ok()?),
            wide,
            little,
            headers,
            header_size: field(sizes, 2)?,
            header_count: field(sizes + 2, 2)?,
        })
    }

    fn interpreter(&self, file: &mut File) -> Option<PathBuf> {
        let (offset_at, size_at, width) = if self.wide { (8, 32, 8) } else { (4, 16, 4) };
        let table = read_at(file, self.headers, (self.header_size * self.header_count).min(HEADERS))?;
        let header = table
            .chunks_exact(usize::try_from(self.header_size).ok().filter(|size| *size > 0)?)
            .find(|header| number(header, 0, 4, self.little) == Some(u64::from(PT_INTERP)))?;
        let offset = number(header, offset_at, width, self.little)?;
        let size = number(header, size_at, width, self.little)?;
        let name = read_at(file, offset, size.min(LONGEST_LOADER))?;
        path(name.split(|byte| *byte == 0).next()?)
    }
}

fn read_at(file: &mut File, offset: u64, length: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(offset)).ok()?;
    file.take(length).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// An unsigned number of `width` bytes, at most eight.
fn number(bytes: &[u8], at: usize, width: usize, little: bool) -> Option<u64> {
    let field = bytes.get(at..at.checked_add(width)?)?;
    let join = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
    Some(if little { field.iter().rev().fold(0, join) } else { field.iter().fold(0, join) })
}
