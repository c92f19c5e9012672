//! Supervision: a command that is kept running.

mod facts;
mod live;

pub(crate) use facts::{PastRun, SupervisionEvent, SupervisionOutcome, SupervisionStatus};
pub(crate) use live::Supervised;

use crate::ask::{Callable, Raised, take_exit};
use crate::cancel::CancelToken;
use crate::command::Command;
use crate::convert::{Seconds, Texts, Whole, one_of};
use crate::error::{Form, invalid, raised};
use crate::heard::Heard;
use crate::machine::{Pollable, Work, block};
use crate::number::named;
use crate::probe::Probe;
use crate::result::ProcessResult;
use pinfold::{Backoff, Liveness, Restart, Storm};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::{PyTraverseError, PyVisit};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A command that is kept running: started again when it ends, as often and as soon as the rules say.
///
/// A run crashes if it does not succeed, if a timeout of the command's ends it, if it fails its health probes, or if it cannot be
/// started for want of something that may come back; what will not come back (no such program) is raised. Each run is contained
/// as any other and stopped by the command's own stop rule. The last 64 KiB of each stream are retained, unless the command has
/// an output limit.
///
/// The rules are keywords:
///
/// - `restart`: after which ends it is started again: `"always"`, `"on_crash"` (the default) or `"never"`.
/// - `max_restarts`: how often by this policy at most, in all or within the last `restart_window` seconds; without it, without
///   end.
/// - `backoff_initial`, `backoff_factor`, `max_backoff`: the bounds of the pauses before restarts: 0.2 seconds, each twice the
///   one before, 30 at most; with `jitter` (the default) each pause is drawn evenly from zero to its bound. A run of
///   `reset_after` seconds (10) begins with the first again. `seed` has the same pauses drawn each time.
/// - `storm_pause`: a long pause of so many seconds when failures come thick and fast: when their count goes above
///   `failure_threshold` (5), which halves every `failure_decay` seconds (30). Without it, none is made.
/// - `stop_when`: called with each run's `ProcessResult`; supervision ends where that holds. What it raises ends supervision too,
///   and is raised to the first who waits for that.
/// - `ready`: a `Probe` that a run has to pass within `ready_within` seconds (30) of its start; that it does not is a crash.
/// - `alive`: a `Probe` that is tried every `alive_every` seconds (10) once it is ready; `alive_failures` (3) in a row, each
///   an answer that did not come within `alive_timeout` (5) or was no, are a crash. A predicate that raises an exception has
///   failed.
/// - `watch`: files, or directories for what is in them; when one changes and nothing more does for `debounce` seconds (0.1),
///   it is restarted, which is counted against no bound.
/// - `history`: how many past runs the outcome has: the last 100.
/// - `cancel`: a token that ends supervision in a `Cancelled`.
/// - `runner`: what runs it, a double or a group, in place of this host.
///
/// >>> from pinfold import Command, Supervisor
/// >>> script = "test -e done && exit 0; touch done; exit 1"
/// >>> import tempfile
/// >>> with tempfile.TemporaryDirectory() as directory:
/// ...     worker = Command("sh", ["-c", script]).cwd(directory)
/// ...     outcome = Supervisor(worker, max_restarts=5, backoff_initial=0.01).run()
/// >>> outcome.restarts, outcome.stopped, outcome.final_result.code
/// (1, 'policy_satisfied', 0)
#[pyclass(frozen, module = "pinfold")]
pub(crate) struct Supervisor {
    command: Arc<pinfold::Command>,
    supervisor: pinfold::Supervisor,
    stop_when: Option<Callable>,
    /// Those that it was given, whose callables the garbage collector has to see.
    probes: Vec<Py<Probe>>,
}

/// A stop condition of Python's, and what it raised.
pub(crate) struct StopWhen {
    callable: Callable,
    raised: Mutex<Option<PyErr>>,
}

impl StopWhen {
    /// Whether supervision ends: also if it cannot be known any more.
    fn holds(&self, output: &pinfold::Output) -> bool {
        let asked = Python::try_attach(|py| {
            let result = ProcessResult::of(py, output.clone());
            self.callable.ask(py, (result,)).unwrap_or_else(|error| {
                *self.lock() = Some(error);
                true
            })
        });
        asked.unwrap_or(true)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<PyErr>> {
        self.raised.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn show(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.callable.show(visit)
    }

    /// What it raised, for the first who asks: an exception that is raised knows who was asked, and would keep them for ever.
    pub(crate) fn take_raised(&self) -> Option<PyErr> {
        self.lock().take()
    }
}

#[pymethods]
impl Supervisor {
    #[new]
    #[pyo3(signature = (
        command, *, restart = "on_crash", max_restarts = None, restart_window = None, backoff_initial = None,
        backoff_factor = 2.0, max_backoff = None, jitter = true, reset_after = None, seed = None, stop_when = None,
        storm_pause = None, failure_threshold = None, failure_decay = None, ready = None, ready_within = None,
        alive = None, alive_every = None, alive_timeout = None, alive_failures = 3, watch = None, debounce = None,
        history = None, cancel = None, runner = None
    ))]
    #[expect(clippy::too_many_arguments, reason = "they are keywords, and each has a default")]
    fn new(
        py: Python<'_>,
        command: &Bound<'_, Command>,
        restart: &str,
        #[pyo3(from_py_with = named::max_restarts)] max_restarts: Option<Whole<u32>>,
        #[pyo3(from_py_with = named::restart_window)] restart_window: Option<Seconds>,
        #[pyo3(from_py_with = named::backoff_initial)] backoff_initial: Option<Seconds>,
        #[pyo3(from_py_with = named::backoff_factor)] backoff_factor: f64,
        #[pyo3(from_py_with = named::max_backoff)] max_backoff: Option<Seconds>,
        jitter: bool,
        #[pyo3(from_py_with = named::reset_after)] reset_after: Option<Seconds>,
        #[pyo3(from_py_with = named::seed)] seed: Option<Whole<u64>>,
        stop_when: Option<&Bound<'_, PyAny>>,
        #[pyo3(from_py_with = named::storm_pause)] storm_pause: Option<Seconds>,
        #[pyo3(from_py_with = named::failure_threshold)] failure_threshold: Option<f64>,
        #[pyo3(from_py_with = named::failure_decay)] failure_decay: Option<Seconds>,
        ready: Option<&Bound<'_, Probe>>,
        #[pyo3(from_py_with = named::ready_within)] ready_within: Option<Seconds>,
        alive: Option<&Bound<'_, Probe>>,
        #[pyo3(from_py_with = named::alive_every)] alive_every: Option<Seconds>,
        #[pyo3(from_py_with = named::alive_timeout)] alive_timeout: Option<Seconds>,
        #[pyo3(from_py_with = named::alive_failures)] alive_failures: u32,
        watch: Option<Texts>,
        #[pyo3(from_py_with = named::debounce)] debounce: Option<Seconds>,
        #[pyo3(from_py_with = named::history)] history: Option<Whole<usize>>,
        cancel: Option<&Bound<'_, CancelToken>>,
        runner: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Supervisor> {
        let known = [("always", Restart::Always), ("on_crash", Restart::OnCrash), ("never", Restart::Never)];
        let own = Backoff::default();
        let backoff = Backoff {
            initial: backoff_initial.map_or(own.initial, |seconds| seconds.0),
            factor: backoff_factor,
            max: max_backoff.map_or(own.max, |seconds| seconds.0),
            jitter,
        };
        let command = command.get().0.clone();
        let mut supervisor = pinfold::Supervisor::new((*command).clone())
            .runner(crate::runner::cancelled_on(py, runner, cancel)?)
            .restart(one_of(py, "restart policy", restart, &known)?)
            .backoff(backoff);
        if let Some(restarts) = max_restarts {
            supervisor = supervisor.max_restarts(restarts.0);
        }
        if let Some(window) = restart_window {
            supervisor = supervisor.within(window.0);
        }
        if let Some(ran) = reset_after {
            supervisor = supervisor.reset_after(ran.0);
        }
        if let Some(seed) = seed {
            supervisor = supervisor.seed(seed.0);
        }
        match storm_pause {
            Some(pause) => {
                let own = Storm::pausing(pause.0);
                supervisor = supervisor.storm(Storm {
                    threshold: failure_threshold.unwrap_or(own.threshold),
                    decay: failure_decay.map_or(own.decay, |seconds| seconds.0),
                    ..own
                });
            }
            None if failure_threshold.is_some() || failure_decay.is_some() => {
                return Err(invalid(py, "failures are counted for a storm_pause, and there is none"));
            }
            None => {}
        }
        match (ready, ready_within) {
            (Some(probe), within) => {
                let within = within.map_or(Duration::from_secs(30), |seconds| seconds.0);
                supervisor = supervisor.ready_when(probe.get().0.clone(), within);
            }
            (None, Some(_)) => {
                return Err(invalid(py, "ready_within is for a ready probe, and there is none"));
            }
            (None, None) => {}
        }
        match alive {
            Some(probe) => {
                let own = Liveness::new(probe.get().0.clone());
                supervisor = supervisor.alive_while(Liveness {
                    interval: alive_every.map_or(own.interval, |seconds| seconds.0),
                    timeout: alive_timeout.map_or(own.timeout, |seconds| seconds.0),
                    failures: alive_failures,
                    ..own
                });
            }
            None if alive_every.is_some() || alive_timeout.is_some() => {
                return Err(invalid(
                    py,
                    "alive_every and alive_timeout are for an alive probe, and there is none",
                ));
            }
            None => {}
        }
        for path in watch.into_iter().flat_map(|paths| paths.0) {
            supervisor = supervisor.watch(path);
        }
        if let Some(quiet) = debounce {
            supervisor = supervisor.debounce(quiet.0);
        }
        if let Some(runs) = history {
            supervisor = supervisor.history(runs.0);
        }
        let stop_when = stop_when.map(Callable::new).transpose()?;
        let probes = [ready, alive].into_iter().flatten().map(|probe| probe.clone().unbind()).collect();
        let made = Supervisor { command, supervisor, stop_when, probes };
        // What contradicts itself is told at once.
        made.supervisor.supervision().map_err(|error| made.raised(py, error))?;
        Ok(made)
    }

    /// The command that is supervised.
    #[getter]
    fn command(&self) -> Command {
        Command(self.command.clone())
    }

    /// Supervises until that comes to its end. What runs then is gone, however it ends.
    ///
    /// >>> from pinfold import Command, Supervisor
    /// >>> Supervisor(Command("true")).run().restarts
    /// 0
    fn run(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        block(py, &mut self.to_its_end(py)?)
    }

    /// `run()`, awaited.
    fn arun<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Pollable::new(self.to_its_end(py)?).driven(py, intern!(py, "Supervisor.arun"))
    }

    /// Supervises in the background, by one thread for all that is supervised so, and returns a live handle. Leaving its `with`
    /// block ends supervision and what runs. Predicates are called on that thread, and hold it up as long as they take. Those of
    /// probes may look at the handle and tell it something, but not wait for it; `stop_when` may not use it.
    ///
    /// >>> from pinfold import Command, Probe, Supervisor
    /// >>> server = Command("sh", ["-c", "echo listening; exec sleep 60"])
    /// >>> with Supervisor(server, ready=Probe.line("listening")).start() as running:
    /// ...     running.wait_ready(timeout=10)
    /// ...     running.status.phase
    /// 'up'
    fn start<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let class = CLASS.import(py, "pinfold._supervise", "RunningSupervisor")?;
        class.call1((self.launch(py)?,))
    }

    /// `start()`, with a live handle whose methods are awaited; `async with` on it enters that as well.
    fn astart<'py>(slf: &Bound<'py, Supervisor>) -> PyResult<Bound<'py, PyAny>> {
        static START: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        START.import(slf.py(), "pinfold._supervise", "start")?.call1((slf,))
    }

    /// What both handles are made of.
    #[pyo3(name = "_launch")]
    fn launch(&self, py: Python<'_>) -> PyResult<Supervised> {
        let (supervisor, stop_when) = self.fresh(py);
        let handle = py.detach(|| supervisor.start()).map_err(|error| self.raised(py, error))?;
        let probes = self.probes.iter().map(|probe| probe.clone_ref(py)).collect();
        Ok(Supervised::new(handle, stop_when, probes))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.stop_when.iter().try_for_each(|stop_when| stop_when.show(&visit))?;
        self.probes.iter().try_for_each(|probe| visit.call(probe))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let program = crate::convert::shown(py, self.command.program())?.repr()?;
        Ok(format!("<Supervisor of {}>", program.to_cow()?))
    }
}

impl Supervisor {
    fn raised(&self, py: Python<'_>, error: pinfold::Error) -> PyErr {
        raised(py, error, &self.command, Form::Text)
    }

    /// With a stop condition whose exceptions are this supervision's own.
    fn fresh(&self, py: Python<'_>) -> (pinfold::Supervisor, Option<Arc<StopWhen>>) {
        let Some(stop_when) = &self.stop_when else { return (self.supervisor.clone(), None) };
        let own = Arc::new(StopWhen { callable: stop_when.twin(py), raised: Mutex::default() });
        let asked = own.clone();
        (self.supervisor.clone().stop_when(move |output| asked.holds(output)), Some(own))
    }

    fn to_its_end(&self, py: Python<'_>) -> PyResult<impl Work + use<>> {
        let (supervisor, stop_when) = self.fresh(py);
        let supervision = supervisor.supervision().map_err(|error| self.raised(py, error))?;
        let command = self.command.clone();
        Ok(Heard::new(supervision, Raised::by(take_exit), move |py, told| {
            answer(py, told, stop_when.as_deref(), &command)
        }))
    }
}

/// What supervision came to, for Python.
fn answer(
    py: Python<'_>,
    answer: Option<pinfold::Result<pinfold::SupervisionOutcome>>,
    stop_when: Option<&StopWhen>,
    command: &pinfold::Command,
) -> PyResult<Py<PyAny>> {
    if let Some(error) = stop_when.and_then(StopWhen::take_raised) {
        return Err(error);
    }
    match answer {
        Some(Ok(outcome)) => Ok(Py::new(py, SupervisionOutcome(outcome))?.into_any()),
        Some(Err(error)) => Err(raised(py, error, command, Form::Text)),
        None => Ok(py.None()),
    }
}
