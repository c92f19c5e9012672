//! Pipelines: commands each of which reads what the one before it writes.

mod ends;
mod verbs;

use crate::command::Command;
use crate::command::ending::retry_of;
use crate::command::streams::{file_to_read, target};
use crate::convert::{Fed, FedText, Seconds, SignalArg, Whole};
use crate::number::named;
use crate::plain::{Json, from_json, pickled, to_json};
use ends::Joined;
use pinfold::Stream;
use pyo3::prelude::*;
use std::sync::Arc;

/// Commands joined by pipes: `a | b | c`.
///
/// The pipes are the kernel's, from program to program: no shell is involved, and no byte passes through this process. All
/// stages are in one container, and end together where they are stopped. A stage that ends early ends those before it as in a
/// shell: they get `SIGPIPE` when they write on, which is then no failure. Standard error of a stage is captured apart, unless
/// its command says otherwise; `stderr("stdout")` sends it down the pipe too.
///
/// The result has standard output of the last stage; how it ended, standard error and the program are those of the first stage
/// that did not end cleanly, if there is one ("pipefail"). `result.stages` has all of them. A stage whose failure is none says
/// `Command.unchecked()`. At the ends may stand `bytes` to be fed and paths of files to be read or written.
///
/// >>> from pinfold import Command, NonZeroExit
/// >>> words = b"beta\nalpha\n" | Command("sort") | Command("head", ["-n1"])
/// >>> words.run()
/// 'alpha'
/// >>> try:
/// ...     (Command("yes") | Command("false") | Command("wc")).run()
/// ... except NonZeroExit as error:
/// ...     print(error, error.stage)
/// false (stage 2 of 3): exited with code 1 1
#[pyclass(frozen, module = "pinfold")]
pub(crate) struct Pipeline(Arc<pinfold::Pipeline>);

impl Pipeline {
    pub(crate) fn of(pipeline: pinfold::Pipeline) -> Pipeline {
        Pipeline(Arc::new(pipeline))
    }

    fn with(&self, change: impl FnOnce(pinfold::Pipeline) -> pinfold::Pipeline) -> Pipeline {
        Pipeline::of(change((*self.0).clone()))
    }
}

#[pymethods]
impl Pipeline {
    #[new]
    fn new(stages: &Bound<'_, PyAny>) -> PyResult<Pipeline> {
        let stage = |stage: PyResult<Bound<'_, PyAny>>| Ok((*stage?.cast::<Command>()?.get().0).clone());
        let stages: Vec<pinfold::Command> = stages.try_iter()?.map(stage).collect::<PyResult<_>>()?;
        Ok(Pipeline::of(pinfold::Pipeline::new(stages)))
    }

    /// The commands, the first first.
    #[getter]
    fn stages(&self) -> Vec<Command> {
        self.0.stages().iter().cloned().map(Command::of).collect()
    }

    /// Has what the last stage writes read by this: a command, or another pipeline, of which only the stages are taken. The same
    /// as `|`.
    ///
    /// >>> from pinfold import Command
    /// >>> (Command("seq", ["3"]) | Command("tac")).pipe(Command("head", ["-n1"])).run()
    /// '3'
    fn pipe(&self, next: Joined) -> Pipeline {
        self.with(|pipeline| next.after(pipeline))
    }

    /// Stops all of it when it has run this long. A stage may have a timeout of its own, which ends that stage alone.
    /// `None` is no timeout.
    ///
    /// >>> from pinfold import Command
    /// >>> (Command("sleep", ["1000"]) | Command("cat")).timeout(0.05).output().timed_out
    /// True
    fn timeout(&self, #[pyo3(from_py_with = named::seconds)] seconds: Option<Seconds>) -> Pipeline {
        self.with(|pipeline| pipeline.timeout(seconds.map(|seconds| seconds.0)))
    }

    /// The grace between the stop signal and the kill, whatever its commands say: five seconds unless told otherwise.
    ///
    /// >>> from pinfold import Command
    /// >>> (Command("sleep", ["1000"]) | Command("cat")).timeout(0.05).timeout_grace(0).output().timed_out
    /// True
    fn timeout_grace(&self, #[pyo3(from_py_with = named::seconds)] seconds: Seconds) -> Pipeline {
        self.with(|pipeline| pipeline.timeout_grace(seconds.0))
    }

    /// The stop signal, whatever its commands say, by name or number: `"term"` unless told otherwise.
    ///
    /// >>> from pinfold import Command
    /// >>> (Command("sleep", ["1000"]) | Command("cat")).timeout(0.05).timeout_signal("int").output().signal
    /// 2
    fn timeout_signal(&self, signal: SignalArg) -> Pipeline {
        self.with(|pipeline| pipeline.timeout_signal(signal.0))
    }

    /// Runs all of it again when it fails: as for a command.
    ///
    /// >>> from pinfold import Command
    /// >>> (Command("true") | Command("false")).retry(3, pause=0.01).output().code
    /// 1
    #[pyo3(signature = (attempts, *, pause = None, factor = 2.0, max_pause = None, on = None))]
    fn retry(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = named::attempts)] attempts: Whole<u32>,
        #[pyo3(from_py_with = named::pause)] pause: Option<Seconds>,
        #[pyo3(from_py_with = named::factor)] factor: f64,
        #[pyo3(from_py_with = named::max_pause)] max_pause: Option<Seconds>,
        on: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Pipeline> {
        let retry = retry_of(py, attempts.0, pause, factor, max_pause, on)?;
        Ok(self.with(|pipeline| pipeline.retry(retry)))
    }

    /// Feeds the first stage these bytes, then the end: `data | pipeline`.
    ///
    /// >>> from pinfold import Command
    /// >>> (Command("cat") | Command("wc", ["-c"])).stdin_bytes(b"\x00\xff").run()
    /// '2'
    fn stdin_bytes(&self, data: Fed) -> Pipeline {
        self.with(|pipeline| pipeline.stdin_bytes(data.0))
    }

    /// Feeds the first stage this text as UTF-8, then the end.
    ///
    /// >>> from pinfold import Command
    /// >>> (Command("sort") | Command("head", ["-n1"])).stdin_text("b\na\n").run()
    /// 'a'
    fn stdin_text(&self, text: FedText) -> Pipeline {
        self.with(|pipeline| pipeline.stdin_bytes(text.0))
    }

    /// Feeds the first stage a file, which it reads itself: `path | pipeline`.
    ///
    /// >>> from pinfold import Command
    /// >>> (Command("cat") | Command("wc", ["-c"])).stdin_file("/dev/null").run()
    /// '0'
    fn stdin_file(&self, path: &Bound<'_, PyAny>) -> PyResult<Pipeline> {
        let path = file_to_read(path)?;
        Ok(self.with(|pipeline| pipeline.stdin_file(path)))
    }

    /// Gives the first stage a pipe that stays open until the live handle's writer is closed.
    ///
    /// >>> from pinfold import Command
    /// >>> with (Command("cat") | Command("cat")).keep_stdin_open().start() as process, process.take_stdin() as stdin:
    /// ...     stdin.write_line("hello")
    /// ...     next(process.lines())
    /// 'hello'
    fn keep_stdin_open(&self) -> Pipeline {
        self.with(pinfold::Pipeline::keep_stdin_open)
    }

    /// Where the last stage's standard output goes: as for a command.
    ///
    /// >>> from pinfold import Command
    /// >>> (Command("echo", ["hello"]) | Command("cat")).stdout("null").run()
    /// ''
    #[pyo3(signature = (to, *, append = false))]
    fn stdout(&self, to: &Bound<'_, PyAny>, append: bool) -> PyResult<Pipeline> {
        let to = target(to, append, Stream::Stdout)?;
        Ok(self.with(|pipeline| pipeline.stdout(to)))
    }

    /// Itself as JSON, which `from_json` reads. It holds what its commands hold, secrets too.
    fn to_json(&self, py: Python<'_>) -> PyResult<String> {
        to_json(py, &*self.0)
    }

    /// What `to_json` wrote. Raises `InvalidInput` for anything else.
    #[staticmethod]
    fn from_json(py: Python<'_>, json: Json) -> PyResult<Pipeline> {
        from_json(py, json.bytes()).map(Pipeline::of)
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Pipeline>().is_ok_and(|other| self.0 == other.get().0)
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, (&'static str, String))> {
        pickled(py, "Pipeline", &*self.0)
    }

    /// The programs: what their arguments are may be secret.
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let shown = |stage: &pinfold::Command| {
            Ok(crate::convert::shown(py, stage.program())?.repr()?.to_cow()?.into_owned())
        };
        let programs: Vec<String> = self.0.stages().iter().map(shown).collect::<PyResult<_>>()?;
        Ok(format!("<Pipeline {}>", programs.join(" | ")))
    }
}
