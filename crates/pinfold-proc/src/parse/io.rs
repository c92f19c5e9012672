//! `/proc/PID/io`: what a process, all its threads and the children that it has reaped have read and written.
//!
//! Only who may trace the process may read it. See
//! [proc_pid_io(5)](https://man7.org/linux/man-pages/man5/proc_pid_io.5.html).

use super::{ParseError, Problem, lines, split_once, unsigned};

const FILE: &str = "io";

/// Counters since the start of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Io {
    /// Bytes that read(2) and its kin returned, from anything: files, pipes, terminals.
    pub rchar: u64,
    /// Bytes that write(2) and its kin took.
    pub wchar: u64,
    /// Calls of read(2) and its kin.
    pub syscr: u64,
    /// Calls of write(2) and its kin.
    pub syscw: u64,
    /// Bytes fetched from storage.
    pub read_bytes: u64,
    /// Bytes sent to storage.
    pub write_bytes: u64,
    /// Bytes of `write_bytes` that were never sent, since the file was truncated or removed before.
    pub cancelled_write_bytes: u64,
}

impl Io {
    /// Parses the file.
    ///
    /// # Errors
    /// The first field that is missing or malformed.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let field = |field: &'static str| {
            let error = |problem| ParseError { file: FILE, field, problem };
            let value = lines(bytes)
                .filter_map(|line| split_once(line, b':'))
                .find(|(key, _)| *key == field.as_bytes());
            let (_, value) = value.ok_or(error(Problem::Missing))?;
            unsigned(value.trim_ascii()).map_err(error)
        };
        Ok(Self {
            rchar: field("rchar")?,
            wchar: field("wchar")?,
            syscr: field("syscr")?,
            syscw: field("syscw")?,
            read_bytes: field("read_bytes")?,
            write_bytes: field("write_bytes")?,
            cancelled_write_bytes: field("cancelled_write_bytes")?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn each_counter_is_read_by_its_name() {
        let file = b"rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 5\nwrite_bytes: 6\ncancelled_write_bytes: 7\n";
        let io = Io::parse(file).unwrap();
        assert_eq!((io.rchar, io.wchar, io.syscr, io.syscw), (1, 2, 3, 4));
        assert_eq!((io.read_bytes, io.write_bytes, io.cancelled_write_bytes), (5, 6, 7));
    }

    #[test]
    fn an_error_names_the_field() {
        assert_eq!(Io::parse(b"rchar: 1\n").unwrap_err().to_string(), "field wchar of io is missing");
        assert_eq!(Io::parse(b"rchar: -1\n").unwrap_err().to_string(), "field rchar of io is malformed");
    }
}
