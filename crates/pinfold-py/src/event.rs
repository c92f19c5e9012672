//! What happens to runs, as data.

use crate::convert::shown;
use crate::machine::call_apart;
use crate::plain::plain;
use crate::result::Outcome;
use pinfold::{Happening, Observer};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

/// Something that happened to a run. It holds no argument, no environment variable and no output.
///
/// >>> from pinfold import Command
/// >>> seen = []
/// >>> Command("sh", ["-c", "exit 3"]).exit_code(on_event=seen.append)
/// 3
/// >>> [event.kind for event in seen], seen[-1].outcome.code
/// (['started', 'ended'], 3)
#[pyclass(frozen, module = "pinfold")]
pub(crate) struct RunEvent(pub(crate) pinfold::RunEvent);
plain!(RunEvent, "RunEvent");

#[pymethods]
impl RunEvent {
    /// What happened: `started`, `not_started`, `limit_hit`, `stopping`, `ended`, `retrying`, `restarted`.
    #[getter]
    fn kind(&self) -> &'static str {
        self.0.what.name()
    }

    /// Which run of this process, counted from 1; 0 for one that was not started.
    #[getter]
    fn run(&self) -> u64 {
        self.0.run
    }

    /// The program as the command named it.
    #[getter]
    fn program<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        shown(py, &self.0.program)
    }

    /// Its pid; `None` for one that was not started. That of a double is made up, and above those that a kernel gives.
    #[getter]
    fn pid(&self) -> Option<u32> {
        self.0.pid.map(pinfold::Pid::get)
    }

    /// What holds it together, for `started`.
    #[getter]
    fn mechanism(&self) -> Option<&'static str> {
        match &self.0.what {
            Happening::Started { mechanism, .. } => Some(mechanism.as_str()),
            _ => None,
        }
    }

    /// What that is good for, for `started`.
    #[getter]
    fn guarantee(&self) -> Option<&'static str> {
        match &self.0.what {
            Happening::Started { guarantee, .. } => Some(guarantee.as_str()),
            _ => None,
        }
    }

    /// Why, for `not_started`: `not_found`, `permission_denied`, ...
    #[getter]
    fn error_kind(&self) -> Option<&'static str> {
        match &self.0.what {
            Happening::NotStarted { kind } => Some(kind.as_str()),
            _ => None,
        }
    }

    /// Which, for `limit_hit`: `stdout` and `stderr` (what is retained of them), `memory`, `processes`.
    #[getter]
    fn limit(&self) -> Option<&'static str> {
        match &self.0.what {
            Happening::LimitHit { limit } => Some(limit.as_str()),
            _ => None,
        }
    }

    /// Why, for `stopping` and `ended`: `itself`, `timeout`, `cancelled`, ... Of what is stopped, `itself` is what the program
    /// left behind when it ended.
    #[getter]
    fn cause(&self) -> Option<&'static str> {
        match &self.0.what {
            Happening::Stopping { cause, .. } => Some(cause.as_str()),
            Happening::Ended { outcome } => Some(outcome.cause.as_str()),
            _ => None,
        }
    }

    /// The number of the signal by which it is told to stop, for `stopping`; 9 once there is no grace, or no more.
    #[getter]
    fn signal(&self) -> Option<i32> {
        match &self.0.what {
            Happening::Stopping { signal, .. } => Some(signal.number()),
            _ => None,
        }
    }

    /// How long it has until it is killed, for `stopping`.
    #[getter]
    fn grace_seconds(&self) -> Option<f64> {
        match &self.0.what {
            Happening::Stopping { grace, .. } => Some(grace.as_secs_f64()),
            _ => None,
        }
    }

    /// How, for `ended`.
    #[getter]
    fn outcome(&self) -> Option<Outcome> {
        match &self.0.what {
            Happening::Ended { outcome } => Some(Outcome((**outcome).clone())),
            _ => None,
        }
    }

    /// Which attempt comes next, for `retrying`; the first run was 1.
    #[getter]
    fn attempt(&self) -> Option<u32> {
        match self.0.what {
            Happening::Retrying { attempt, .. } => Some(attempt),
            _ => None,
        }
    }

    /// How many times by now, for `restarted`.
    #[getter]
    fn restarts(&self) -> Option<u64> {
        match self.0.what {
            Happening::Restarted { restarts, .. } => Some(restarts),
            _ => None,
        }
    }

    /// After which pause, for `retrying` and `restarted`.
    #[getter]
    fn pause_seconds(&self) -> Option<f64> {
        match self.0.what {
            Happening::Retrying { pause, .. } | Happening::Restarted { pause, .. } => {
                Some(pause.as_secs_f64())
            }
            _ => None,
        }
    }

    /// The attributes that are not `None`, by name, with `code`, `signal` and `duration_seconds` for the outcome.
    ///
    /// >>> from pinfold import Command
    /// >>> told = []
    /// >>> _ = Command("true").output(on_event=lambda event: told.append(event.facts()))
    /// >>> told[-1]["event"], told[-1]["program"], told[-1]["code"]
    /// ('ended', 'true', 0)
    fn facts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let facts = PyDict::new(py);
        facts.set_item("event", self.kind())?;
        facts.set_item("run", self.0.run)?;
        facts.set_item("program", self.program(py)?)?;
        if let Some(pid) = self.pid() {
            facts.set_item("pid", pid)?;
        }
        match &self.0.what {
            Happening::Started { mechanism, guarantee } => {
                facts.set_item("mechanism", mechanism.as_str())?;
                facts.set_item("guarantee", guarantee.as_str())?;
            }
            Happening::NotStarted { kind } => facts.set_item("error_kind", kind.as_str())?,
            Happening::LimitHit { limit } => facts.set_item("limit", limit.as_str())?,
            Happening::Stopping { cause, signal, grace } => {
                facts.set_item("cause", cause.as_str())?;
                facts.set_item("signal", signal.number())?;
                facts.set_item("grace_seconds", grace.as_secs_f64())?;
            }
            Happening::Ended { outcome } => {
                facts.set_item("cause", outcome.cause.as_str())?;
                facts.set_item("code", outcome.code())?;
                facts.set_item("signal", outcome.signal().map(pinfold::Signal::number))?;
                facts.set_item("duration_seconds", outcome.duration.as_secs_f64())?;
                facts.set_item("mechanism", outcome.mechanism.as_str())?;
                facts.set_item("strays", outcome.strays.count)?;
            }
            Happening::Retrying { attempt, pause } => {
                facts.set_item("attempt", attempt)?;
                facts.set_item("pause_seconds", pause.as_secs_f64())?;
            }
            Happening::Restarted { restarts, pause } => {
                facts.set_item("restarts", restarts)?;
                facts.set_item("pause_seconds", pause.as_secs_f64())?;
            }
            // What comes to be told of later has its name at least.
            _ => {}
        }
        Ok(facts)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let program = self.program(py)?.repr()?;
        let (kind, program) = (self.kind(), program.to_cow()?);
        Ok(match &self.0.what {
            Happening::Ended { outcome } => format!("<RunEvent {kind}: {program}: {outcome}>"),
            Happening::NotStarted { kind: why } => format!("<RunEvent {kind}: {program}: {}>", why.as_str()),
            _ => format!("<RunEvent {kind}: {program}>"),
        })
    }
}

/// Calls this with what happens to all runs of the process, from now on and for good.
#[pyfunction]
pub(crate) fn on_every_event(callback: Py<PyAny>) {
    Observer::everywhere(move |event| {
        // An interpreter that is going away can be told nothing.
        Python::try_attach(|py| {
            call_apart(py, || callback.call1(py, (RunEvent(event.clone()),)).map(drop));
        });
    });
}
