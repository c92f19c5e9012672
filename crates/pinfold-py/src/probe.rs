//! Probes, and waiting for them.

use crate::ask::{Callable, OfText, Raised, take_raised};
use crate::command::Command;
use crate::convert::{Seconds, Text};
use crate::error::{Form, invalid, raised_with};
use crate::handle::stream_named;
use crate::heard::{Ears, Heard};
use crate::machine::{Pollable, Work, block, rest_for};
use pinfold::{PolledWaiting, Stream};
use pinfold_os::poll::{Set, Woken};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use pyo3::{PyTraverseError, PyVisit};
use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Instant;

/// Something that holds or does not, and that can be waited for: a port at which somebody listens, a line that a program
/// writes, a file.
///
/// It is plain data until it is waited for: here and blocking by `wait()`, awaited by `await pinfold.wait_for(probe, timeout)`,
/// and on a handle by `wait_until(probe, timeout)`, in the handle's manner; that ends at once with the run, by a `NotReady`
/// that has its outcome. A wait that takes too long is a `Timeout` that says why the last attempt failed, and ends nothing.
///
/// >>> from pinfold import Command, Probe
/// >>> with Command("sh", ["-c", "echo listening on 80; sleep 60"]).start() as server:
/// ...     server.wait_until(Probe.line("listening"), timeout=10)
/// >>> try:
/// ...     Probe.port("127.0.0.1", 1).wait(timeout=0.02)
/// ... except TimeoutError as error:
/// ...     print(error)
/// not ready after 20ms: tcp://127.0.0.1:1: connection refused
#[pyclass(frozen, module = "pinfold")]
pub(crate) struct Probe(pub(crate) pinfold::Probe, Asked);

/// Whom a probe asks, as the garbage collector is to see it.
enum Asked {
    Nobody,
    This(Callable),
    /// Whom these ask.
    Those(Vec<Py<Probe>>),
}

/// What can be waited for.
#[pymethods]
impl Probe {
    /// A TCP port at which somebody listens. Nothing is sent.
    ///
    /// Addresses and `localhost` are known. Any other name is resolved before each attempt, which blocks for as long as the
    /// name service takes: give an address where that matters.
    ///
    /// >>> import socket
    /// >>> from pinfold import Probe
    /// >>> with socket.create_server(("127.0.0.1", 0)) as server:
    /// ...     Probe.port("127.0.0.1", server.getsockname()[1]).wait(timeout=10)
    #[staticmethod]
    fn port(host: String, port: u16) -> Probe {
        Probe(pinfold::Probe::tcp(host, port), Asked::Nobody)
    }

    /// A Unix stream socket at which somebody listens. Nothing is sent.
    ///
    /// >>> import socket
    /// >>> import tempfile
    /// >>> from pinfold import Probe
    /// >>> with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX) as server:
    /// ...     server.bind(f"{directory}/socket")
    /// ...     server.listen()
    /// ...     Probe.unix(f"{directory}/socket").wait(timeout=10)
    #[staticmethod]
    fn unix(path: Text) -> Probe {
        Probe(pinfold::Probe::unix(path.0), Asked::Nobody)
    }

    /// A URL that answers a GET with a good status: one from 200 to 299, this one, or one of this `range`. Redirects are not
    /// followed. Raises `Unsupported` for https, which is not spoken here.
    ///
    /// >>> from pinfold import Probe
    /// >>> probe = Probe.http("http://127.0.0.1:8080/health", status=range(200, 400))
    #[staticmethod]
    #[pyo3(signature = (url, *, status = None))]
    fn http(py: Python<'_>, url: &str, status: Option<Statuses>) -> PyResult<Probe> {
        let probe = pinfold::Probe::http(url).map_err(|error| raised(py, error))?;
        let probe = match status {
            Some(status) => probe.status(status.0),
            None => probe,
        };
        Ok(Probe(probe, Asked::Nobody))
    }

    /// A file, directory or anything else that is there; with `filled`, and is not empty.
    ///
    /// >>> from pinfold import Probe
    /// >>> Probe.file("/etc/passwd", filled=True).wait(timeout=10)
    #[staticmethod]
    #[pyo3(signature = (path, *, filled = false))]
    fn file(path: Text, filled: bool) -> Probe {
        let probe = if filled { pinfold::Probe::filled_file(path.0) } else { pinfold::Probe::file(path.0) };
        Probe(probe, Asked::Nobody)
    }

    /// A line of a run's output, on either stream or on this one: one that has this text in it, that this compiled pattern is
    /// found in, or of which this callable holds. Lines that are retained from before the wait count. Only of a run.
    ///
    /// >>> from pinfold import Command, Probe
    /// >>> with Command("sh", ["-c", "echo listening; exec sleep 1000"]).start() as process:
    /// ...     process.wait_until(Probe.line("listening", stream="stdout"), timeout=10)
    #[staticmethod]
    #[pyo3(signature = (holds, *, stream = None))]
    fn line(py: Python<'_>, holds: &Bound<'_, PyAny>, stream: Option<&str>) -> PyResult<Probe> {
        let holds = OfText::new(holds)?;
        let asked = asked(&holds);
        on(py, pinfold::Probe::line(move |line| holds.holds(line)), stream, asked)
    }

    /// The beginning of a line that has not come to its end, of which this holds as for a `line`: a prompt, at which a program
    /// waits. Only of a run.
    ///
    /// >>> from pinfold import Command, Probe
    /// >>> with Command("sh", ["-c", "printf 'name: '; read name; echo hello $name"]).keep_stdin_open().start() as process:
    /// ...     process.wait_until(Probe.prompt("name:"), timeout=10)
    /// ...     process.take_stdin().write_line("Ada")
    /// ...     next(process.lines())
    /// 'name: hello Ada'
    #[staticmethod]
    #[pyo3(signature = (holds, *, stream = None))]
    fn prompt(py: Python<'_>, holds: &Bound<'_, PyAny>, stream: Option<&str>) -> PyResult<Probe> {
        let holds = OfText::new(holds)?;
        let asked = asked(&holds);
        on(py, pinfold::Probe::prompt(move |text| holds.holds(text)), stream, asked)
    }

    /// A command that succeeds, run as often as it takes. Unless it has a timeout, each run has that of `attempt`.
    ///
    /// >>> from pinfold import Command, Probe
    /// >>> Probe.command(Command("test", ["-d", "/"])).wait(timeout=10)
    #[staticmethod]
    fn command(command: &Bound<'_, Command>) -> Probe {
        Probe(pinfold::Probe::command((*command.get().0).clone()), Asked::Nobody)
    }

    /// Anything that can be asked for: a callable without arguments. What it raises is raised by the wait.
    ///
    /// >>> from pinfold import Probe
    /// >>> answers = iter([False, False, True])
    /// >>> Probe.holds(lambda: next(answers)).interval(0.001).wait(timeout=10)
    /// >>> next(answers, "asked three times")
    /// 'asked three times'
    #[staticmethod]
    fn holds(predicate: &Bound<'_, PyAny>) -> PyResult<Probe> {
        let callable = Callable::new(predicate)?;
        let whom = Asked::This(callable.clone());
        let asked = move || callable.holds(|py, callable| callable.ask(py, ()));
        Ok(Probe(pinfold::Probe::asked(asked), whom))
    }

    /// All of these, each of them at some time during the wait.
    ///
    /// >>> from pinfold import Probe
    /// >>> Probe.all(Probe.file("/"), Probe.file("/etc/passwd", filled=True)).wait(timeout=10)
    #[staticmethod]
    #[pyo3(signature = (*probes))]
    fn all(probes: &Bound<'_, PyTuple>) -> PyResult<Probe> {
        let (probes, asked) = given(probes)?;
        Ok(Probe(pinfold::Probe::all(probes), asked))
    }

    /// The first of these.
    ///
    /// >>> from pinfold import Probe
    /// >>> Probe.any(Probe.file("/no/such/file"), Probe.file("/")).wait(timeout=10)
    #[staticmethod]
    #[pyo3(signature = (*probes))]
    fn any(probes: &Bound<'_, PyTuple>) -> PyResult<Probe> {
        let (probes, asked) = given(probes)?;
        Ok(Probe(pinfold::Probe::any(probes), asked))
    }
}

/// How it is waited for.
#[pymethods]
impl Probe {
    /// What errors call it.
    ///
    /// >>> from pinfold import Probe, Timeout
    /// >>> try:
    /// ...     Probe.file("/no/such/file").named("the cache").wait(timeout=0.01)
    /// ... except Timeout as error:
    /// ...     "the cache" in str(error)
    /// True
    fn named(slf: &Bound<'_, Self>, name: String) -> Probe {
        Probe(slf.get().0.clone().named(name), like(slf))
    }

    /// How long after a failed attempt the next one is made: 0.05 seconds unless told otherwise, and 0.5 for a command.
    ///
    /// >>> from pinfold import Probe
    /// >>> Probe.file("/").interval(0.5).wait(timeout=10)
    fn interval(slf: &Bound<'_, Self>, seconds: Seconds) -> Probe {
        Probe(slf.get().0.clone().interval(seconds.0), like(slf))
    }

    /// How long one attempt may take: 5 seconds unless told otherwise. 0 leaves no time to an answer: only what is told at once holds.
    ///
    /// >>> from pinfold import Command, Probe
    /// >>> Probe.command(Command("true")).attempt(1).wait(timeout=10)
    fn attempt(slf: &Bound<'_, Self>, seconds: Seconds) -> Probe {
        Probe(slf.get().0.clone().attempt(seconds.0), like(slf))
    }

    /// Blocks until it holds. Raises `Timeout` after so long without.
    ///
    /// >>> from pinfold import Probe
    /// >>> Probe.file("/etc/passwd", filled=True).wait(timeout=1)
    fn wait(&self, py: Python<'_>, timeout: Seconds) -> PyResult<Py<PyAny>> {
        block(py, &mut self.to_its_end(timeout))
    }

    /// What `pinfold.wait_for` drives.
    #[pyo3(name = "_waiting")]
    fn waiting(&self, timeout: Seconds) -> Pollable {
        Pollable::new(self.to_its_end(timeout))
    }

    fn __repr__(&self) -> String {
        format!("<Probe {}>", self.0)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match &self.1 {
            Asked::Nobody => Ok(()),
            Asked::This(callable) => callable.show(&visit),
            Asked::Those(probes) => probes.iter().try_for_each(|probe| visit.call(probe)),
        }
    }
}

fn raised(py: Python<'_>, error: pinfold::Error) -> PyErr {
    raised_with(py, error, None, Form::Text, None)
}

fn given(probes: &Bound<'_, PyTuple>) -> PyResult<(Vec<pinfold::Probe>, Asked)> {
    let probes = probes.iter().map(|probe| Ok(probe.cast_into::<Probe>()?.unbind()));
    let probes: Vec<Py<Probe>> = probes.collect::<PyResult<_>>()?;
    Ok((probes.iter().map(|probe| probe.get().0.clone()).collect(), Asked::Those(probes)))
}

fn asked(holds: &OfText) -> Asked {
    holds.callable().map_or(Asked::Nobody, |callable| Asked::This(callable.clone()))
}

fn like(probe: &Bound<'_, Probe>) -> Asked {
    Asked::Those(vec![probe.clone().unbind()])
}

fn on(py: Python<'_>, probe: pinfold::Probe, stream: Option<&str>, asked: Asked) -> PyResult<Probe> {
    let stream: Option<Stream> = stream.map(|name| stream_named(py, name)).transpose()?;
    let probe = match stream {
        Some(stream) => probe.on(stream),
        None => probe,
    };
    Ok(Probe(probe, asked))
}

/// One status, or a `range` of them.
struct Statuses(RangeInclusive<u16>);

impl<'py> FromPyObject<'_, 'py> for Statuses {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Statuses> {
        let status = |number: i64| {
            let inside = u16::try_from(number).ok().filter(|status| (100..=999).contains(status));
            inside.ok_or_else(|| invalid(given.py(), &format!("{number} is no status of HTTP")))
        };
        if let Ok(number) = given.extract::<i64>() {
            return status(number).map(|status| Statuses(status..=status));
        }
        let bound = |name: &str| given.getattr(name)?.extract::<i64>();
        let (Ok(start), Ok(stop), Ok(step)) = (bound("start"), bound("stop"), bound("step")) else {
            let what = format!("expected a status or a range of them, not {}", given.get_type().name()?);
            return Err(PyTypeError::new_err(what));
        };
        if step != 1 || stop <= start {
            return Err(invalid(given.py(), "a range of statuses has one at least, and leaves none out"));
        }
        Ok(Statuses(status(start)?..=status(stop - 1)?))
    }
}

impl Probe {
    /// A wait by itself.
    fn to_its_end(&self, timeout: Seconds) -> impl Work + use<> {
        Heard::new(self.0.waiting(timeout.0), Raised::by(take_raised), |py, answer| match answer {
            Some(Err(error)) => Err(raised(py, error)),
            _ => Ok(py.None()),
        })
    }
}

/// A wait beside a run.
pub(crate) struct Beside {
    waiting: PolledWaiting,
    command: Arc<pinfold::Command>,
    answer: Option<pinfold::Result<()>>,
    raised: Raised,
}

impl Beside {
    pub(crate) fn new(waiting: PolledWaiting, command: Arc<pinfold::Command>) -> Beside {
        Beside { waiting, command, answer: None, raised: Raised::by(take_raised) }
    }
}

impl Work for Beside {
    fn advance(&mut self) -> io::Result<bool> {
        if self.answer.is_none() {
            self.answer = self.waiting.advance().transpose();
        }
        Ok(self.raised.has_raised() || self.answer.is_some())
    }

    fn rest(&self, until: Option<Instant>) -> io::Result<Woken> {
        rest_for(self.waiting.watch(), until)
    }

    fn watch(&mut self) -> io::Result<(&Set, Option<Instant>)> {
        let watch = self.waiting.watch();
        Ok((watch.set(), watch.deadline()))
    }

    fn answer(&mut self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match (self.raised.take(), self.answer.take()) {
            (Some(raised), _) => Err(raised),
            (None, Some(Err(error))) => Err(crate::error::raised(py, error, &self.command, Form::Text)),
            (None, _) => Ok(py.None()),
        }
    }

    fn end(&mut self) {}
}
