//! Where the streams of a command come from and go to, and what is kept of them.

use super::Command;
use crate::convert::{Fed, FedText, Whole, one_of, parsed, text_or};
use crate::error::invalid;
use crate::handle::stream_named;
use crate::number::named;
use pinfold::{Encoding, Keep, Limit, LineRule, Overflow, Stdin, Stdio, Stream};
use pyo3::prelude::*;
use pyo3::types::PyString;
use std::ffi::OsString;

/// What it reads.
#[pymethods]
impl Command {
    /// Feeds it these bytes, then the end. A program that stops reading early is no error. `bytes` are not copied.
    ///
    /// >>> from pinfold import Command
    /// >>> Command("wc", ["-c"]).stdin_bytes(b"\x00\xff").run()
    /// '2'
    fn stdin_bytes(&self, data: Fed) -> Command {
        self.with(|command| command.stdin_bytes(data.0))
    }

    /// Feeds it this text as UTF-8, then the end.
    ///
    /// >>> from pinfold import Command
    /// >>> Command("sort").stdin_text("b\na\n").run()
    /// 'a\nb'
    fn stdin_text(&self, text: FedText) -> Command {
        self.with(|command| command.stdin_bytes(text.0))
    }

    /// Feeds it a file, which the program reads itself.
    ///
    /// >>> from pinfold import Command
    /// >>> Command("wc", ["-c"]).stdin_file("/dev/null").run()
    /// '0'
    fn stdin_file(&self, path: &Bound<'_, PyAny>) -> PyResult<Command> {
        let path = file_to_read(path)?;
        Ok(self.with(|command| command.stdin_file(path)))
    }

    /// Lets it read what this process would.
    ///
    /// >>> from pinfold import Command
    /// >>> editor = Command("vi", ["notes"]).inherit_stdin().stdout("inherit")
    fn inherit_stdin(&self) -> Command {
        self.with(pinfold::Command::inherit_stdin)
    }

    /// Gives it a pipe that stays open until the live handle's writer is closed. The verbs that wait for the end refuse it.
    ///
    /// >>> from pinfold import Command
    /// >>> with Command("cat").keep_stdin_open().start() as process, process.take_stdin() as stdin:
    /// ...     stdin.write_line("hello")
    /// ...     next(process.lines())
    /// 'hello'
    fn keep_stdin_open(&self) -> Command {
        self.with(pinfold::Command::keep_stdin_open)
    }

    /// Gives it nothing to read: `/dev/null`, as it is unless told otherwise.
    ///
    /// >>> from pinfold import Command
    /// >>> Command("cat").stdin_text("hello").null_stdin().run()
    /// ''
    fn null_stdin(&self) -> Command {
        self.with(|command| command.stdin(Stdin::Null))
    }
}

/// What it writes.
#[pymethods]
impl Command {
    /// Where its standard output goes: `"pipe"` (captured, the default), `"inherit"`, `"null"`, or a file given as a path, which
    /// is emptied first or, with `append=True`, added to.
    ///
    /// >>> from pathlib import Path
    /// >>> from pinfold import Command
    /// >>> command = Command("make").stdout(Path("build.log"), append=True)
    #[pyo3(signature = (to, *, append = false))]
    fn stdout(&self, to: &Bound<'_, PyAny>, append: bool) -> PyResult<Command> {
        let to = target(to, append, Stream::Stdout)?;
        Ok(self.with(|command| command.stdout(to)))
    }

    /// Where its standard error goes: as for `stdout`, and `"stdout"` to where standard output goes, in the order in which the
    /// program writes.
    ///
    /// >>> from pinfold import Command
    /// >>> Command("sh", ["-c", "echo out; echo err >&2"]).stderr("stdout").run()
    /// 'out\nerr'
    #[pyo3(signature = (to, *, append = false))]
    fn stderr(&self, to: &Bound<'_, PyAny>, append: bool) -> PyResult<Command> {
        let to = target(to, append, Stream::Stderr)?;
        Ok(self.with(|command| command.stderr(to)))
    }

    /// Copies a captured stream (`"stdout"`, `"stderr"`, both if none is named) to this process's own, as it comes.
    ///
    /// >>> from pinfold import Command
    /// >>> build = Command("make").tee()
    #[pyo3(signature = (stream = None))]
    fn tee(&self, py: Python<'_>, stream: Option<&str>) -> PyResult<Command> {
        match stream {
            Some(name) => {
                let stream = stream_named(py, name)?;
                Ok(self.with(|command| command.tee(stream)))
            }
            None => Ok(self.with(|command| command.tee(Stream::Stdout).tee(Stream::Stderr))),
        }
    }

    /// How both captured streams are decoded to text: any label of the WHATWG standard. The default is UTF-8, with what is none
    /// replaced by `U+FFFD`.
    ///
    /// >>> from pinfold import Command
    /// >>> Command("printf", [r"caf\351"]).encoding("latin1").run()
    /// 'café'
    fn encoding(&self, py: Python<'_>, name: &str) -> PyResult<Command> {
        let encoding: Encoding = parsed(py, name)?;
        Ok(self.with(|command| command.encoding(encoding)))
    }

    /// How standard output alone is decoded.
    ///
    /// >>> from pinfold import Command
    /// >>> Command("printf", [r"caf\351"]).stdout_encoding("latin1").run()
    /// 'café'
    fn stdout_encoding(&self, py: Python<'_>, name: &str) -> PyResult<Command> {
        let encoding = parsed(py, name)?;
        Ok(self.with(|command| command.stdout_encoding(encoding)))
    }

    /// How standard error alone is decoded.
    ///
    /// >>> from pinfold import Command
    /// >>> Command("sh", ["-c", r"printf 'caf\351' >&2"]).stderr_encoding("latin1").output().stderr
    /// 'café'
    fn stderr_encoding(&self, py: Python<'_>, name: &str) -> PyResult<Command> {
        let encoding = parsed(py, name)?;
        Ok(self.with(|command| command.stderr_encoding(encoding)))
    }

    /// What a line is, for lines that are streamed and counted: whether a carriage return alone ends one too, as progress bars
    /// have it, and whether terminal escape sequences are taken out.
    ///
    /// >>> from pinfold import Command
    /// >>> with Command("printf", [r"10\r20\r"]).line_rule(split_bare_cr=True).start() as process:
    /// ...     list(process)
    /// ['10', '20']
    #[pyo3(signature = (*, split_bare_cr = false, strip_escapes = false))]
    fn line_rule(&self, split_bare_cr: bool, strip_escapes: bool) -> Command {
        self.with(|command| command.lines(LineRule { split_bare_cr, strip_escapes }))
    }

    /// Bounds what is retained of each captured stream, in bytes, in lines or both. What is over it is dropped (`on_overflow="drop_oldest"` or
    /// `"drop_newest"`), or with `"error"` the run is stopped and `OutputTooLarge` raised.
    ///
    /// >>> from pinfold import Command
    /// >>> Command("seq", ["1000"]).output_limit(max_lines=2).run()
    /// '999\n1000'
    #[pyo3(signature = (*, max_bytes = None, max_lines = None, on_overflow = "drop_oldest"))]
    fn output_limit(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = named::max_bytes)] max_bytes: Option<Whole<u64>>,
        #[pyo3(from_py_with = named::max_lines)] max_lines: Option<Whole<u64>>,
        on_overflow: &str,
    ) -> PyResult<Command> {
        let known = [
            ("drop_oldest", Overflow::DropOldest),
            ("drop_newest", Overflow::DropNewest),
            ("error", Overflow::Error),
        ];
        let on_overflow = one_of(py, "way to overflow", on_overflow, &known)?;
        if max_bytes.is_none() && max_lines.is_none() {
            let what = "an output limit of neither bytes nor lines bounds nothing; give max_bytes, max_lines or both";
            return Err(invalid(py, what));
        }
        let (max_bytes, max_lines) = (max_bytes.map(|most| most.0), max_lines.map(|most| most.0));
        Ok(self.with(|command| command.output_limit(Limit { max_bytes, max_lines, on_overflow })))
    }

    /// How many bytes of a stream stay readable after they were streamed. Unless told otherwise that is all for the verbs that
    /// return output, and 8 MiB for a live handle.
    ///
    /// >>> from pinfold import Command
    /// >>> with Command("seq", ["3"]).keep(0).start() as process:
    /// ...     lines = list(process)
    /// ...     lines, process.output().stdout
    /// (['1', '2', '3'], '')
    fn keep(&self, #[pyo3(from_py_with = named::max_bytes)] max_bytes: Whole<u64>) -> Command {
        self.with(|command| command.keep(Keep(max_bytes.0)))
    }
}

/// A file that is named; an open one is not taken for it.
pub(crate) fn file_to_read(path: &Bound<'_, PyAny>) -> PyResult<OsString> {
    text_or(path, |given| {
        format!(
            "expected the path of a file, not {given}; write stdin_file(path), or stdin_bytes(file.read()) for what is in an \
             open file"
        )
    })
}

/// Where a stream goes. A word that is none of those known is no file: whoever means one says so by a path.
pub(crate) fn target(to: &Bound<'_, PyAny>, append: bool, stream: Stream) -> PyResult<Stdio> {
    let py = to.py();
    if let Ok(word) = to.cast::<PyString>() {
        if append {
            return Err(invalid(py, "append=True is for a file; give it as a path"));
        }
        return Ok(match (&*word.to_cow()?, stream) {
            ("pipe", _) => Stdio::Pipe,
            ("inherit", _) => Stdio::Inherit,
            ("null", _) => Stdio::Null,
            ("stdout", Stream::Stderr) => Stdio::Stdout,
            (word, _) => {
                let what = format!(
                    "'{word}' is not where {stream} can go; use pipe, inherit or null, or a Path for a file"
                );
                return Err(invalid(py, &what));
            }
        });
    }
    let path = text_or(to, |given| {
        format!(
            "expected \"pipe\", \"inherit\", \"null\" or the path of a file, not {given}; write {stream}(Path(\"FILE\")), with \
             append=True to add to it; open files are taken by pinfold.subprocess"
        )
    })?;
    Ok(if append { Stdio::append(path) } else { Stdio::file(path) })
}
