//! The files of `/proc/PID`, from bytes.
//!
//! Each parser takes a file's content as read at once, borrows from it where it can, and panics on no input. Names,
//! arguments and paths are bytes: nothing makes them UTF-8. Formats are those of [proc(5)]; fields that older kernels
//! and other implementations (gVisor) lack are `Option`.
//!
//! [proc(5)]: https://man7.org/linux/man-pages/man5/proc.5.html

use std::error::Error;
use std::fmt;

pub mod cgroup;
pub mod cmdline;
pub mod io;
pub mod mountinfo;
pub mod stat;
pub mod status;

/// Where a file is not what the kernel documents. It carries no content, since that may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The file's name below `/proc/PID`.
    pub file: &'static str,
    /// The field, by the name that proc(5) gives it.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It is not there.
    Missing,
    /// It is there in another form than documented.
    Malformed,
    /// It is a number too large, or too small, for what it counts.
    OutOfRange,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problem = match self.problem {
            Problem::Missing => "missing",
            Problem::Malformed => "malformed",
            Problem::OutOfRange => "out of range",
        };
        write!(f, "field {} of {} is {problem}", self.field, self.file)
    }
}

impl Error for ParseError {}

/// An unsigned number in ASCII digits of this radix, with no sign and nothing around it.
fn radix<T: TryFrom<u64>>(text: &[u8], radix: u32) -> Result<T, Problem> {
    if text.is_empty() {
        return Err(Problem::Malformed);
    }
    let mut sum = 0u64;
    for byte in text {
        let digit = char::from(*byte).to_digit(radix).ok_or(Problem::Malformed)?;
        let shifted = sum.checked_mul(u64::from(radix)).and_then(|sum| sum.checked_add(u64::from(digit)));
        sum = shifted.ok_or(Problem::OutOfRange)?;
    }
    T::try_from(sum).map_err(|_| Problem::OutOfRange)
}

fn unsigned<T: TryFrom<u64>>(text: &[u8]) -> Result<T, Problem> {
    radix(text, 10)
}

fn signed(text: &[u8]) -> Result<i32, Problem> {
    let number = match text.strip_prefix(b"-") {
        Some(digits) => -i64::from(unsigned::<u32>(digits)?),
        None => i64::from(unsigned::<u32>(text)?),
    };
    i32::try_from(number).map_err(|_| Problem::OutOfRange)
}

/// A pid that is somebody's: 1 and upwards.
pub(crate) fn pid(text: &[u8]) -> Result<u32, Problem> {
    relative(text)?.ok_or(Problem::OutOfRange)
}

/// A pid, or `None` where the kernel says 0 (nobody, or somebody outside this pid namespace) or -1 (gone meanwhile).
fn relative(text: &[u8]) -> Result<Option<u32>, Problem> {
    match signed(text)? {
        -1 | 0 => Ok(None),
        number => u32::try_from(number).map(Some).map_err(|_| Problem::OutOfRange),
    }
}

/// Where the first such byte is. The crate `memchr` asks the CPU what it can before its first search, which costs 40 us
/// under a hypervisor: more than reading and parsing all of these files.
fn find(byte: u8, bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|other| *other == byte)
}

fn lines(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let all = std::iter::from_fn(move || {
        let end = find(b'\n', bytes).unwrap_or(bytes.len());
        let line = bytes.get(..end).filter(|_| !bytes.is_empty())?;
        bytes = bytes.get(end + 1..).unwrap_or_default();
        Some(line)
    });
    all.filter(|line| !line.is_empty())
}

/// The two sides of the first such byte.
fn split_once(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let position = find(at, bytes)?;
    Some((&bytes[..position], &bytes[position + 1..]))
}

/// The parts of a line of fields, in order.
struct Fields<I> {
    file: &'static str,
    parts: I,
}

impl<'a, I: Iterator<Item = &'a [u8]>> Fields<I> {
    fn text(&mut self, field: &'static str) -> Result<&'a [u8], ParseError> {
        self.parts.next().ok_or(ParseError { file: self.file, field, problem: Problem::Missing })
    }

    fn read<T>(
        &mut self,
        field: &'static str,
        parse: impl FnOnce(&'a [u8]) -> Result<T, Problem>,
    ) -> Result<T, ParseError> {
        let file = self.file;
        parse(self.text(field)?).map_err(|problem| ParseError { file, field, problem })
    }

    /// Itself, after fields that nobody needs.
    fn after(&mut self, skipped: &[&'static str]) -> Result<&mut Self, ParseError> {
        for field in skipped {
            self.text(field)?;
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_digits_and_nothing_else() {
        assert_eq!(unsigned(b"18446744073709551615"), Ok(u64::MAX));
        assert_eq!(unsigned::<u64>(b"18446744073709551616"), Err(Problem::OutOfRange));
        assert_eq!(unsigned::<u8>(b"256"), Err(Problem::OutOfRange));
        assert_eq!(radix(b"fFfF", 16), Ok(65_535u32));
        assert_eq!(signed(b"-2147483648"), Ok(i32::MIN));
        assert_eq!(signed(b"2147483648"), Err(Problem::OutOfRange));
        for text in [&b""[..], b"+1", b" 1", b"1 ", b"1a", b"-", b"--1", b"\xb2"] {
            assert_eq!(unsigned::<u64>(text), Err(Problem::Malformed), "{text:?}");
            assert_eq!(signed(text), Err(Problem::Malformed), "{text:?}");
        }
    }

    #[test]
    fn lines_are_what_lies_between_line_ends() {
        let split = |bytes| lines(bytes).collect::<Vec<_>>();
        assert_eq!(split(b"a\n\nbc\nd"), [&b"a"[..], b"bc", b"d"]);
        assert_eq!(split(b"\na\n\n"), [b"a"]);
        assert_eq!(split(b"\n\n"), split(b""));
    }

    #[test]
    fn nobody_is_no_pid() {
        assert_eq!(relative(b"0"), Ok(None));
        assert_eq!(relative(b"-1"), Ok(None));
        assert_eq!(relative(b"-2"), Err(Problem::OutOfRange));
        assert_eq!(relative(b"4194304"), Ok(Some(4_194_304)));
        assert_eq!(pid(b"0"), Err(Problem::OutOfRange));
        assert_eq!(pid(b"1"), Ok(1));
    }
}
