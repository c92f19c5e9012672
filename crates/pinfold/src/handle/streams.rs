//! What a live handle gives: lines, chunks, events, and a way to write.

use super::Handle;
use crate::cursor::{ByteCursor, Event, EventCursor, LineCursor, Pulled};
use crate::error::Result;
use std::io::{self, Write};

/// The lines of one stream, decoded and without their line breaks. Ends with the stream; where that could not be read to
/// its end, an error comes after the last line, once.
///
/// As an iterator it owns each line; [`Lines::next_line`] lends them, which is several times faster.
///
/// ```
/// use pinfold::Command;
///
/// let mut lines = Command::new("seq").arg("3").start()?.stdout_lines()?;
/// let mut sum = 0;
/// while let Some(line) = lines.next_line()? {
///     sum += line.parse::<u32>().unwrap();
/// }
/// assert_eq!(sum, 6);
/// # pinfold::Result::Ok(())
/// ```
pub struct Lines {
    handle: Handle,
    cursor: Option<LineCursor>,
    taken: u64,
}

impl Lines {
    pub(super) fn new(handle: Handle, cursor: LineCursor) -> Lines {
        Lines { handle, cursor: Some(cursor), taken: 0 }
    }

    pub(super) fn none(handle: Handle) -> Lines {
        Lines { handle, cursor: None, taken: 0 }
    }

    /// Waits for the next line and lends it.
    ///
    /// # Errors
    /// As [`Handle::wait`], and once if the stream failed: as [`Handle::output`].
    pub fn next_line(&mut self) -> Result<Option<&str>> {
        let Some(cursor) = &mut self.cursor else { return Ok(None) };
        while !cursor.has_line() {
            if cursor.has_ended() {
                return if cursor.take_failed() {
                    Err(self.handle.shared().stream_error())
                } else {
                    Ok(None)
                };
            }
            self.handle.shared().drive_to(|running| cursor.pull(running).then_some(()))?;
        }
        let line = cursor.next();
        self.taken += u64::from(line.is_some());
        Ok(line)
    }

    /// Each line as a JSON value (NDJSON, JSON Lines); empty lines are passed over. One that is no such value is an error that
    /// names its number, counted from the first that these lines gave, and the next comes after that all the same.
    ///
    /// ```
    /// use pinfold::Command;
    ///
    /// let lines = Command::new("printf").arg("[1]\n\n[2,3]\n").start()?.stdout_lines()?;
    /// let values = lines.json().collect::<pinfold::Result<Vec<Vec<u8>>>>()?;
    /// assert_eq!(values, [vec![1], vec![2, 3]]);
    /// # pinfold::Result::Ok(())
    /// ```
    #[cfg(feature = "serde")]
    pub fn json<T: serde::de::DeserializeOwned>(mut self) -> impl Iterator<Item = Result<T>> {
        let command = self.handle.command().clone();
        std::iter::from_fn(move || {
            loop {
                let number = self.taken + 1;
                return match self.next_line() {
                    Ok(Some(line)) if line.trim().is_empty() => continue,
                    Ok(Some(line)) => Some(crate::verbs::json_line(line, number, &command)),
                    Ok(None) => None,
                    Err(error) => Some(Err(error)),
                };
            }
        })
    }

    /// The beginning of a line that has not come to its end: a prompt, perhaps.
    pub fn unfinished(&self) -> String {
        self.cursor.as_ref().map(|cursor| cursor.unfinished().into_owned()).unwrap_or_default()
    }
}

impl Iterator for Lines {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Result<String>> {
        self.next_line().map(|line| line.map(str::to_owned)).transpose()
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        if let Some(cursor) = &mut self.cursor {
            self.handle.shared().visit(|running| cursor.close(running));
        }
    }
}

/// The bytes of one stream as they come, up to 1 MiB at a time. Ends with the stream; where that could not be read to its
/// end, an error comes after the last of them, once.
pub struct Chunks {
    handle: Handle,
    cursor: ByteCursor,
}

impl Chunks {
    pub(super) fn new(handle: Handle, cursor: ByteCursor) -> Chunks {
        Chunks { handle, cursor }
    }
}

impl Iterator for Chunks {
    type Item = Result<Vec<u8>>;

    fn next(&mut self) -> Option<Result<Vec<u8>>> {
        let mut chunk = Vec::new();
        let cursor = &mut self.cursor;
        let pulled = self.handle.shared().drive_to(|running| {
            let pulled = cursor.pull(running, |bytes, _| chunk.extend_from_slice(bytes));
            (pulled != Pulled::Later).then_some(pulled)
        });
        match pulled {
            Ok(Pulled::Some) => Some(Ok(chunk)),
            Ok(Pulled::Failed) => Some(Err(self.handle.shared().stream_error())),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        }
    }
}

impl Drop for Chunks {
    fn drop(&mut self) {
        self.handle.shared().visit(|running| self.cursor.close(running));
    }
}

/// Everything that happens in a run, from its start to its end. A stream that could not be read to its end is an error
/// among the events, once.
pub struct Events {
    handle: Handle,
    cursor: EventCursor,
}

impl Events {
    pub(super) fn new(handle: Handle, cursor: EventCursor) -> Events {
        Events { handle, cursor }
    }
}

impl Iterator for Events {
    type Item = Result<Event>;

    fn next(&mut self) -> Option<Result<Event>> {
        let cursor = &mut self.cursor;
        let next = self.handle.shared().drive_to(|running| cursor.advance(running));
        next.unwrap_or_else(|error| Some(Err(error)))
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.handle.shared().visit(|running| self.cursor.close(running));
    }
}

/// Writes to a run's standard input. Output is read meanwhile, so that the two cannot wait for each other.
///
/// A write fails with [`io::ErrorKind::BrokenPipe`] once the program has stopped reading. Dropping it closes nothing;
/// [`StdinWriter::close`] does.
pub struct StdinWriter {
    handle: Handle,
}

impl StdinWriter {
    pub(super) fn new(handle: Handle) -> StdinWriter {
        StdinWriter { handle }
    }

    /// Writes a line and flushes it.
    ///
    /// # Errors
    /// As a write.
    pub fn write_line(&mut self, line: &str) -> io::Result<()> {
        self.write_all(format!("{line}\n").as_bytes())?;
        self.flush()
    }

    /// Ends the stream once everything is written.
    ///
    /// # Errors
    /// As a write.
    pub fn close(mut self) -> io::Result<()> {
        let flushed = self.flush();
        self.handle.shared().visit(|running| running.feed.end());
        flushed
    }

    fn drain_to(&self, left: usize) -> io::Result<()> {
        let drained = self
            .handle
            .shared()
            .drive_to(|running| running.feed.drained_to(left, running.outcome().is_some()));
        if drained.map_err(io::Error::from)? { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    }
}

impl Write for StdinWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        /// No more than this waits to be written.
        const AHEAD: usize = 1 << 20;
        let part = &bytes[..bytes.len().min(AHEAD)];
        if !self.handle.shared().visit(|running| running.feed.push(part)) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.drain_to(AHEAD)?;
        Ok(part.len())
    }

    /// Waits until the pipe has everything.
    fn flush(&mut self) -> io::Result<()> {
        self.drain_to(0)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use crate::{Command, Stream};

    #[cfg(feature = "serde")]
    #[test]
    fn a_line_that_is_no_value_is_named_by_its_number_and_the_next_one_comes() {
        let text = "[1]\n\n{\"a\": \n \n[2]\n\"x\"\n";
        let lines = Command::new("printf").arg("%s").arg(text).start().unwrap().stdout_lines().unwrap();
        let values: Vec<_> =
            lines.json::<Vec<u8>>().map(|value| value.map_err(|error| error.to_string())).collect();
        let [Ok(one), Err(cut), Ok(two), Err(other)] = values.as_slice() else { panic!("{values:?}") };
        assert_eq!((one.as_slice(), two.as_slice()), (&[1][..], &[2][..]));
        assert!(
            cut.starts_with("printf: wrote no such JSON on line 3: ") && cut.contains(" at column "),
            "{cut}"
        );
        assert!(other.contains("on line 6: ") && !cut.contains("line 1"), "{other}");
    }

    #[test]
    fn no_more_is_read_ahead_of_a_reader_than_a_few_reads() {
        let handle = Command::new("head").args(["-c", "128M", "/dev/zero"]).start().unwrap();
        let chunks = handle.chunks(Stream::Stdout).unwrap();
        let (mut taken, mut ahead) = (0, 0);
        for chunk in chunks {
            taken += chunk.unwrap().len() as u64;
            ahead = ahead.max(handle.seen(Stream::Stdout).unwrap().bytes - taken);
        }
        assert_eq!(taken, 128 << 20);
        assert!(ahead <= 3 << 20, "{ahead} bytes");
    }
}
