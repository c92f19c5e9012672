//! The verbs that wait for the end, in both manners.

mod call;
mod work;

pub(crate) use call::Call;

use crate::cancel::CancelToken;
use crate::command::Command;
use crate::convert::{one_of, shown};
use crate::error::{Form, raised};
use crate::handle::Run;
use crate::machine::{Pollable, block, kept};
use crate::runner::{Any, chosen};
use call::Ear;
use pinfold::Runner;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use work::nothing;
pub(crate) use work::{Shape, to_a_line, to_its_end};

/// A verb of a runner by its name.
pub(crate) fn verb(
    py: Python<'_>,
    name: &str,
    runner: Any,
    command: &Command,
    call: Call,
) -> PyResult<Pollable> {
    let known = [
        ("run", Some(Shape::Run)),
        ("output", Some(Shape::Output)),
        ("output_bytes", Some(Shape::OutputBytes)),
        ("output_json", Some(Shape::Json)),
        ("exit_code", Some(Shape::ExitCode)),
        ("probe", Some(Shape::Probe)),
        ("first_line", None),
    ];
    match (one_of(py, "verb", name, &known)?, call.of_the_end()) {
        (Some(shape), _) => Ok(Pollable::new(to_its_end(runner, command, shape, call))),
        (None, None) => Ok(Pollable::new(to_a_line(runner, command, call))),
        (None, Some(option)) => Err(no_use(name, option)),
    }
}

fn no_use(name: &str, option: &str) -> PyErr {
    PyTypeError::new_err(format!("{name}() does not wait for the end, and has no use for {option}"))
}

/// Starts a command by a runner; `owns` where it has a container that is its alone.
pub(crate) fn launched(
    py: Python<'_>,
    runner: Any,
    command: &Command,
    call: Call,
    owns: bool,
) -> PyResult<Run> {
    if let Some(option) = call.of_the_end() {
        return Err(no_use("start", option));
    }
    let (ear, listener) = (Ear::default(), call.listener());
    let runner = call.with(runner, &command.0, &ear);
    let mut running = Some(py.detach(|| runner.launch(&command.0)));
    if ear.has_raised() {
        // Before that is taken, so that the end of the run is not told to who has raised.
        py.detach(|| running = None);
    }
    if let Some(raised) = ear.desert().or_else(kept) {
        py.detach(|| running = None);
        return Err(raised);
    }
    let running = running.ok_or_else(nothing)?.map_err(|error| raised(py, error, &command.0, Form::Text))?;
    Ok(Run::new(running, command.0.clone(), owns, listener))
}

/// A verb and its awaitable twin.
macro_rules! verbs {
    ($class:ty: $($(#[$doc:meta])* $name:ident, $twin:ident, $twin_doc:literal => $shape:expr;)*) => {
        #[pymethods]
        impl $class {
            $(
                $(#[$doc])*
                #[pyo3(signature = (
                    *, on_line = None, on_event = None, cancel = None, retry_if = None, runner = None
                ))]
                fn $name(
                    &self,
                    py: Python<'_>,
                    on_line: Option<Py<PyAny>>,
                    on_event: Option<Py<PyAny>>,
                    cancel: Option<&Bound<'_, CancelToken>>,
                    retry_if: Option<Py<PyAny>>,
                    runner: Option<&Bound<'_, PyAny>>,
                ) -> PyResult<Py<PyAny>> {
                    let call = Call::new(cancel, on_event).until_the_end(on_line, retry_if);
                    let (runner, command, _) = self.ran_by(py, runner)?;
                    block(py, &mut to_its_end(runner, &command, $shape, call))
                }

                #[doc = $twin_doc]
                #[pyo3(signature = (
                    *, on_line = None, on_event = None, cancel = None, retry_if = None, runner = None
                ))]
                fn $twin<'py>(
                    &self,
                    py: Python<'py>,
                    on_line: Option<Py<PyAny>>,
                    on_event: Option<Py<PyAny>>,
                    cancel: Option<&Bound<'py, CancelToken>>,
                    retry_if: Option<Py<PyAny>>,
                    runner: Option<&Bound<'py, PyAny>>,
                ) -> PyResult<Bound<'py, PyAny>> {
                    let call = Call::new(cancel, on_event).until_the_end(on_line, retry_if);
                    let (runner, command, _) = self.ran_by(py, runner)?;
                    let called = pyo3::intern!(py, concat!(stringify!($class), ".", stringify!($twin)));
                    Pollable::new(to_its_end(runner, &command, $shape, call)).driven(py, called)
                }
            )*
        }
    };
}

pub(crate) use verbs;

/// The verbs that do not wait for the end, with their twins.
macro_rules! live_verbs {
    ($class:ty: $(#[$first:meta])* first_line; $(#[$start:meta])* start;) => {
        #[pymethods]
        impl $class {
            $(#[$first])*
            #[pyo3(signature = (*, on_event = None, cancel = None, runner = None))]
            fn first_line(
                &self,
                py: Python<'_>,
                on_event: Option<Py<PyAny>>,
                cancel: Option<&Bound<'_, CancelToken>>,
                runner: Option<&Bound<'_, PyAny>>,
            ) -> PyResult<Py<PyAny>> {
                let (runner, command, _) = self.ran_by(py, runner)?;
                block(py, &mut to_a_line(runner, &command, Call::new(cancel, on_event)))
            }

            /// `first_line()`, awaited.
            #[pyo3(signature = (*, on_event = None, cancel = None, runner = None))]
            fn afirst_line<'py>(
                &self,
                py: Python<'py>,
                on_event: Option<Py<PyAny>>,
                cancel: Option<&Bound<'py, CancelToken>>,
                runner: Option<&Bound<'py, PyAny>>,
            ) -> PyResult<Bound<'py, PyAny>> {
                let (runner, command, _) = self.ran_by(py, runner)?;
                let called = pyo3::intern!(py, concat!(stringify!($class), ".afirst_line"));
                Pollable::new(to_a_line(runner, &command, Call::new(cancel, on_event))).driven(py, called)
            }

            $(#[$start])*
            #[pyo3(signature = (*, on_event = None, cancel = None, runner = None))]
            fn start<'py>(
                &self,
                py: Python<'py>,
                on_event: Option<Py<PyAny>>,
                cancel: Option<&Bound<'py, CancelToken>>,
                runner: Option<&Bound<'py, PyAny>>,
            ) -> PyResult<Bound<'py, PyAny>> {
                static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
                let run = self.launch(py, cancel, on_event, runner)?;
                CLASS.import(py, "pinfold._sync", "RunningProcess")?.call1((run,))
            }

            /// Starts it and returns a live handle whose methods are awaited; `async with` on it does both and enters the handle.
            /// Leaving the block ends all of it.
            #[pyo3(signature = (*, on_event = None, cancel = None, runner = None))]
            fn astart<'py>(
                slf: &Bound<'py, $class>,
                on_event: Option<Py<PyAny>>,
                cancel: Option<&Bound<'py, CancelToken>>,
                runner: Option<&Bound<'py, PyAny>>,
            ) -> PyResult<Bound<'py, PyAny>> {
                static START: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
                START.import(slf.py(), "pinfold._async", "start")?.call1((slf, cancel, on_event, runner))
            }

            /// What both handles are made of.
            #[pyo3(name = "_launch", signature = (cancel = None, on_event = None, runner = None))]
            fn launch(
                &self,
                py: Python<'_>,
                cancel: Option<&Bound<'_, CancelToken>>,
                on_event: Option<Py<PyAny>>,
                runner: Option<&Bound<'_, PyAny>>,
            ) -> PyResult<Run> {
                let (runner, command, owns) = self.ran_by(py, runner)?;
                launched(py, runner, &command, Call::new(cancel, on_event), owns)
            }
        }
    };
}

pub(crate) use live_verbs;

impl Command {
    /// What runs it, what is run, and whether that has a container that is its alone.
    fn ran_by(&self, py: Python<'_>, runner: Option<&Bound<'_, PyAny>>) -> PyResult<(Any, Command, bool)> {
        let (runner, owns) = chosen(py, runner)?;
        Ok((runner, Command(self.0.clone()), owns))
    }
}

verbs! { Command:
    /// Runs it and returns its standard output without the line breaks at its end. It has to succeed.
    ///
    /// Raises whatever is no success: `NonZeroExit`, `Timeout`, `Signalled`, `ProcessNotFound`, ... `on_line` is called with
    /// the stream's name and each line as it comes, and `on_event` with what happens to the run; `cancel` is a token that
    /// ends it. `runner` is what runs it, a double or a group, in place of this host. `retry_if` decides in place of `retry(on=..)` whether a command that has a retry rule is tried again: it is
    /// given the result, or the exception if the command could not be started.
    ///
    /// >>> from pinfold import Command
    /// >>> Command("echo", ["hello"]).run()
    /// 'hello'
    run, arun, "`run()`, awaited." => Shape::Run;
    /// Runs it and returns its output as text and how it ended. A failure of the program or a timeout is data.
    ///
    /// >>> from pinfold import Command
    /// >>> result = Command("sh", ["-c", "echo out; exit 3"]).output()
    /// >>> result.stdout, result.code, result.is_success
    /// ('out\n', 3, False)
    output, aoutput, "`output()`, awaited." => Shape::Output;
    /// `output()` with standard output as bytes.
    ///
    /// >>> from pinfold import Command
    /// >>> Command("printf", [r"\377"]).output_bytes().stdout
    /// b'\xff'
    output_bytes, aoutput_bytes, "`output_bytes()`, awaited." => Shape::OutputBytes;
    /// Runs it and reads its standard output as one JSON value. It has to succeed; raises `UnexpectedOutput` if it wrote
    /// something else.
    ///
    /// >>> from pinfold import Command
    /// >>> Command("echo", ['{"a": [1, 2]}']).output_json()
    /// {'a': [1, 2]}
    output_json, aoutput_json, "`output_json()`, awaited." => Shape::Json;
    /// Another name of `output_json()`.
    ///
    /// >>> from pinfold import Command
    /// >>> Command("echo", ["[1, 2]"]).run_json()
    /// [1, 2]
    run_json, arun_json, "Another name of `aoutput_json()`." => Shape::Json;
    /// Runs it and returns its exit code, whatever that is. Raises if it ended without one: by a timeout or a signal.
    ///
    /// >>> from pinfold import Command
    /// >>> Command("sh", ["-c", "exit 3"]).exit_code()
    /// 3
    exit_code, aexit_code, "`exit_code()`, awaited." => Shape::ExitCode;
    /// Runs it as a question: 0 is `True`, 1 is `False`, and everything else raises.
    ///
    /// >>> from pinfold import Command
    /// >>> Command("test", ["-d", "/"]).probe()
    /// True
    probe, aprobe, "`probe()`, awaited." => Shape::Probe;
}

live_verbs! { Command:
    /// Runs it until it has written one line, returns that and stops it. Raises `UnexpectedOutput` if it ended without one.
    ///
    /// >>> from pinfold import Command
    /// >>> Command("yes").first_line()
    /// 'y'
    first_line;
    /// Starts it and returns a live handle that blocks where it waits. Leaving its `with` block ends all of it.
    ///
    /// >>> from pinfold import Command
    /// >>> with Command("seq", ["3"]).start() as process:
    /// ...     [int(line) for line in process]
    /// [1, 2, 3]
    start;
}

#[pymethods]
impl Command {
    /// Starts it as nobody's child, in a session of its own and in no container, and returns its pid: the one way for a
    /// process to outlive us. What would be captured goes to where our own output goes.
    ///
    /// >>> from pinfold import Command
    /// >>> pid = Command("true").stdout("null").stderr("null").spawn_detached()
    /// >>> pid > 0
    /// True
    fn spawn_detached(&self, py: Python<'_>) -> PyResult<u32> {
        let pid = py.detach(|| self.0.spawn_detached());
        pid.map(|pid| pid.get()).map_err(|error| raised(py, error, &self.0, Form::Text))
    }

    /// Becomes it: this process executes the program and is no more. What Python has buffered is lost unless it was
    /// flushed.
    ///
    /// Raises, with this process as it was, where the program cannot be executed.
    ///
    /// >>> from pinfold import Command
    /// >>> try:
    /// ...     Command("no-such-program").exec()
    /// ... except FileNotFoundError:
    /// ...     "still here"
    /// 'still here'
    fn exec(&self, py: Python<'_>) -> PyResult<()> {
        // Threads that run on cannot matter: there is nothing left for them to run in.
        match self.0.exec() {
            Ok(never) => match never {},
            Err(error) => Err(raised(py, error, &self.0, Form::Text)),
        }
    }

    /// The file that the program's name means, looked for as a run would.
    ///
    /// >>> from pinfold import Command
    /// >>> Command("sh").resolve_program().endswith("/sh")
    /// True
    fn resolve_program<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, pyo3::types::PyString>> {
        let path = self.0.resolve_program().map_err(|error| raised(py, error, &self.0, Form::Text))?;
        shown(py, path.as_os_str())
    }

    /// What would be done on this host, a line for each decision, and nothing done. Raises what would keep it from being
    /// started. Arguments are in it.
    ///
    /// >>> from pinfold import Command
    /// >>> Command("true").explain().splitlines()[0].startswith("program")
    /// True
    fn explain(&self, py: Python<'_>) -> PyResult<String> {
        let plan = self.0.plan().map_err(|error| raised(py, error, &self.0, Form::Text))?;
        Ok(plan.to_string())
    }
}
