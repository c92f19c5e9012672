//! What a double does instead of a program.

use crate::convert::{Seconds, SignalArg, Whole, one_of};
use crate::handle::stream_named;
use crate::number::named;
use crate::plain::Json;
use pinfold::ErrorKind;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use std::time::Duration;

/// Text, which is written as UTF-8, or bytes.
type Written = Json;

/// What a double does instead of a program: what it writes and when, how it ends, and how it takes being stopped.
///
/// It passes through the same machine as a real child, so the command's timeouts, limits, encodings and stop rule act on it. A
/// reply never changes; each method returns a new one, which does this besides, in the order of the calls. Text is written as it
/// is, without a line break of its own.
///
/// >>> from pinfold import Command, Timeout
/// >>> from pinfold.testing import Reply, ScriptedRunner
/// >>> slow = Reply.ok("done\n").after(3600)
/// >>> runner = ScriptedRunner().on(["job"], slow)
/// >>> try:
/// ...     runner.run(Command("job").timeout(0.01))
/// ... except Timeout as error:
/// ...     print(error)
/// job: timed out after 10ms
#[pyclass(frozen, module = "pinfold.testing")]
pub(crate) struct Reply(pub(crate) pinfold::testing::Reply);

/// How it ends.
#[pymethods]
impl Reply {
    /// Writes this to standard output and returns 0.
    ///
    /// >>> from pinfold import Command
    /// >>> from pinfold.testing import Reply, ScriptedRunner
    /// >>> runner = ScriptedRunner().fallback(Reply.ok("hello\n"))
    /// >>> runner.run(Command("greet"))
    /// 'hello'
    #[staticmethod]
    #[pyo3(signature = (stdout = None))]
    fn ok(stdout: Option<Written>) -> Reply {
        Reply(pinfold::testing::Reply::ok(written(&stdout)))
    }

    /// Writes this to standard error and returns a code.
    ///
    /// >>> from pinfold import Command
    /// >>> from pinfold.testing import Reply, ScriptedRunner
    /// >>> runner = ScriptedRunner().fallback(Reply.fail(2, "no such file"))
    /// >>> result = runner.output(Command("cat"))
    /// >>> result.code, result.stderr
    /// (2, 'no such file')
    #[staticmethod]
    #[pyo3(signature = (code = 1, stderr = None))]
    fn fail(#[pyo3(from_py_with = named::code)] code: i32, stderr: Option<Written>) -> Reply {
        Reply(pinfold::testing::Reply::fail(code, written(&stderr)))
    }

    /// Writes nothing and returns a code.
    ///
    /// >>> from pinfold import Command
    /// >>> from pinfold.testing import Reply, ScriptedRunner
    /// >>> runner = ScriptedRunner().fallback(Reply.exits(3))
    /// >>> runner.exit_code(Command("make"))
    /// 3
    #[staticmethod]
    fn exits(#[pyo3(from_py_with = named::code)] code: i32) -> Reply {
        Reply(pinfold::testing::Reply::exits(code))
    }

    /// Writes these lines to standard output, with a pause before each but the first, and returns 0.
    ///
    /// >>> from pinfold import Command
    /// >>> from pinfold.testing import Reply, ScriptedRunner
    /// >>> runner = ScriptedRunner().fallback(Reply.lines(["one", "two"], pause=0.01))
    /// >>> with runner.start(Command("tail", ["-f", "log"])) as process:
    /// ...     list(process)
    /// ['one', 'two']
    #[staticmethod]
    #[pyo3(signature = (lines, pause = Seconds(Duration::ZERO)))]
    fn lines(
        lines: &Bound<'_, PyAny>,
        #[pyo3(from_py_with = named::pause)] pause: Seconds,
    ) -> PyResult<Reply> {
        if lines.is_instance_of::<PyString>() || lines.is_instance_of::<PyBytes>() {
            let what = format!("expected lines, not one {}", lines.get_type().name()?);
            return Err(pyo3::exceptions::PyTypeError::new_err(what));
        }
        let lines: Vec<String> = lines.try_iter()?.map(|line| line?.extract()).collect::<PyResult<_>>()?;
        Ok(Reply(pinfold::testing::Reply::lines(lines, pause.0)))
    }

    /// Ends at once, as a run that went over its timeout and was stopped. For one that really lives through its command's own
    /// timeout there is `pending()`.
    ///
    /// >>> from pinfold import Command
    /// >>> from pinfold.testing import Reply, ScriptedRunner
    /// >>> runner = ScriptedRunner().fallback(Reply.timeout())
    /// >>> runner.output(Command("make")).timed_out
    /// True
    #[staticmethod]
    fn timeout() -> Reply {
        Reply(pinfold::testing::Reply::timeout())
    }

    /// Ends by a signal that nobody here sent.
    ///
    /// >>> from pinfold import Command
    /// >>> from pinfold.testing import Reply, ScriptedRunner
    /// >>> runner = ScriptedRunner().fallback(Reply.signalled("kill"))
    /// >>> runner.output(Command("make")).signal
    /// 9
    #[staticmethod]
    fn signalled(signal: SignalArg) -> Reply {
        Reply(pinfold::testing::Reply::signalled(signal.0))
    }

    /// Goes on until it is stopped.
    ///
    /// >>> from pinfold import Command
    /// >>> from pinfold.testing import Reply, ScriptedRunner
    /// >>> runner = ScriptedRunner().fallback(Reply.pending())
    /// >>> runner.output(Command("make").timeout(0.05)).timed_out
    /// True
    #[staticmethod]
    fn pending() -> Reply {
        Reply(pinfold::testing::Reply::pending())
    }

    /// Is not started, because there is no such program.
    ///
    /// >>> from pinfold import Command
    /// >>> from pinfold.testing import Reply, ScriptedRunner
    /// >>> runner = ScriptedRunner().fallback(Reply.not_found())
    /// >>> try:
    /// ...     runner.run(Command("make"))
    /// ... except FileNotFoundError:
    /// ...     "no make here"
    /// 'no make here'
    #[staticmethod]
    fn not_found() -> Reply {
        Reply(pinfold::testing::Reply::not_found())
    }

    /// Is not started: the exception of this kind (`"permission_denied"`, `"resource_limit"`, `"spawn"`, `"unsupported"`,
    /// `"not_found"`, `"invalid_input"`, `"io"`), which says this after the program's name.
    ///
    /// >>> from pinfold import Command
    /// >>> from pinfold.testing import Reply, ScriptedRunner
    /// >>> runner = ScriptedRunner().fallback(Reply.refused("permission_denied", "is not for you"))
    /// >>> try:
    /// ...     runner.run(Command("make"))
    /// ... except PermissionError as error:
    /// ...     print(error)
    /// make: is not for you
    #[staticmethod]
    fn refused(py: Python<'_>, kind: &str, what: String) -> PyResult<Reply> {
        use ErrorKind::{InvalidInput, Io, NotFound, PermissionDenied, ResourceLimit, Spawn, Unsupported};
        let known = [PermissionDenied, ResourceLimit, Spawn, Unsupported, NotFound, InvalidInput, Io]
            .map(|kind| (kind.as_str(), kind));
        let kind = one_of(py, "kind of refusal", kind, &known)?;
        Ok(Reply(pinfold::testing::Reply::refused(kind, what)))
    }
}

fn written(text: &Option<Written>) -> &[u8] {
    text.as_ref().map_or(&[], Written::bytes)
}

impl Reply {
    /// A copy, changed.
    fn with(&self, change: impl FnOnce(pinfold::testing::Reply) -> pinfold::testing::Reply) -> Reply {
        Reply(change(self.0.clone()))
    }
}

/// What it does before that.
#[pymethods]
impl Reply {
    /// Then writes this to standard output.
    ///
    /// >>> from pinfold import Command
    /// >>> from pinfold.testing import Reply, ScriptedRunner
    /// >>> runner = ScriptedRunner().fallback(Reply.fail(1, "and failed").with_stdout("begun"))
    /// >>> runner.output(Command("make")).stdout
    /// 'begun'
    fn with_stdout(&self, text: Written) -> Reply {
        self.with(|reply| reply.with_stdout(text.bytes()))
    }

    /// Then writes this to standard error.
    ///
    /// >>> from pinfold import Command
    /// >>> from pinfold.testing import Reply, ScriptedRunner
    /// >>> runner = ScriptedRunner().fallback(Reply.ok("made").with_stderr("a warning"))
    /// >>> runner.output(Command("make")).stderr
    /// 'a warning'
    fn with_stderr(&self, text: Written) -> Reply {
        self.with(|reply| reply.with_stderr(text.bytes()))
    }

    /// Then writes this to a stream, `"stdout"` or `"stderr"`.
    ///
    /// >>> from pinfold import Command
    /// >>> from pinfold.testing import Reply, ScriptedRunner
    /// >>> runner = ScriptedRunner().fallback(Reply.exits(0).writes("stdout", "one\n").writes("stderr", "two\n"))
    /// >>> runner.output(Command("make")).combined
    /// 'one\ntwo\n'
    fn writes(&self, py: Python<'_>, stream: &str, text: Written) -> PyResult<Reply> {
        let stream = stream_named(py, stream)?;
        Ok(self.with(|reply| reply.writes(stream, text.bytes())))
    }

    /// Then does nothing for this long: what is written after it comes later, or else its end.
    ///
    /// >>> from pinfold import Command
    /// >>> from pinfold.testing import Reply, ScriptedRunner
    /// >>> runner = ScriptedRunner().fallback(Reply.exits(0).with_stdout("one\n").after_pause(0.01).with_stdout("two\n"))
    /// >>> runner.run(Command("make"))
    /// 'one\ntwo'
    fn after_pause(&self, #[pyo3(from_py_with = named::seconds)] seconds: Seconds) -> Reply {
        self.with(|reply| reply.after_pause(seconds.0))
    }

    /// Does nothing for this long before everything else.
    ///
    /// >>> from pinfold import Command
    /// >>> from pinfold.testing import Reply, ScriptedRunner
    /// >>> runner = ScriptedRunner().fallback(Reply.ok("late").after(0.01))
    /// >>> runner.run(Command("make"))
    /// 'late'
    fn after(&self, #[pyo3(from_py_with = named::seconds)] seconds: Seconds) -> Reply {
        self.with(|reply| reply.after(seconds.0))
    }

    /// Then waits until it was given another line on its standard input, or the end of that.
    ///
    /// >>> from pinfold import Command
    /// >>> from pinfold.testing import Reply, ScriptedRunner
    /// >>> runner = ScriptedRunner().fallback(Reply.exits(0).after_line().with_stdout("hello\n"))
    /// >>> with runner.start(Command("greet").keep_stdin_open()) as process, process.take_stdin() as stdin:
    /// ...     stdin.write_line("Ada")
    /// ...     next(process.lines())
    /// 'hello'
    fn after_line(&self) -> Reply {
        self.with(pinfold::testing::Reply::after_line)
    }

    /// Then waits for the end of its standard input. Without one to read, that is there at once.
    ///
    /// >>> from pinfold import Command
    /// >>> from pinfold.testing import Reply, ScriptedRunner
    /// >>> runner = ScriptedRunner().fallback(Reply.exits(0).after_input().with_stdout("all read"))
    /// >>> runner.run(Command("wc").stdin_text("some text"))
    /// 'all read'
    fn after_input(&self) -> Reply {
        self.with(pinfold::testing::Reply::after_input)
    }

    /// Ignores a signal, the command's stop signal for one. `SIGKILL` and `SIGSTOP` cannot be ignored.
    ///
    /// >>> from pinfold import Command
    /// >>> from pinfold.testing import Reply, ScriptedRunner
    /// >>> runner = ScriptedRunner().fallback(Reply.pending().ignoring("term"))
    /// >>> runner.output(Command("server").timeout(0.02).timeout_grace(0.02)).signal
    /// 9
    fn ignoring(&self, signal: SignalArg) -> Reply {
        self.with(|reply| reply.ignoring(signal.0))
    }

    /// On a signal leaves what it was at and does this instead; otherwise signals do what they do to a program that does not
    /// care for them, which mostly is to end it.
    ///
    /// >>> from pinfold import Command
    /// >>> from pinfold.testing import Reply, ScriptedRunner
    /// >>> runner = ScriptedRunner().fallback(Reply.pending().on_signal("term", Reply.ok("goodbye\n")))
    /// >>> with runner.start(Command("server")) as process:
    /// ...     process.stop().code, process.output().stdout
    /// (0, 'goodbye\n')
    fn on_signal(&self, signal: SignalArg, reply: &Bound<'_, Reply>) -> Reply {
        let other = reply.get().0.clone();
        self.with(|reply| reply.on_signal(signal.0, other))
    }

    /// Reads so many bytes of its standard input, which it then closes, instead of all of it.
    ///
    /// >>> from pinfold import Command
    /// >>> from pinfold.testing import Reply, ScriptedRunner
    /// >>> runner = ScriptedRunner().fallback(Reply.ok("the head").reads(4))
    /// >>> runner.run(Command("head").stdin_text("a long text"))
    /// 'the head'
    fn reads(&self, #[pyo3(from_py_with = named::bytes)] bytes: Whole<u64>) -> Reply {
        self.with(|reply| reply.reads(bytes.0))
    }

    /// Never reads its standard input: as much can be written to it as a pipe holds.
    ///
    /// >>> from pinfold import Command
    /// >>> from pinfold.testing import Reply, ScriptedRunner
    /// >>> runner = ScriptedRunner().fallback(Reply.ok("read nothing").reads_nothing())
    /// >>> runner.run(Command("true").stdin_text("some text"))
    /// 'read nothing'
    fn reads_nothing(&self) -> Reply {
        self.with(pinfold::testing::Reply::reads_nothing)
    }
}
