//! What is told of supervision, as plain values.

use crate::convert::shown;
use crate::plain::plain;
use crate::result::{Outcome, ProcessResult};
use pinfold::SupervisionEvent as Event;
use pyo3::prelude::*;
use pyo3::types::PyString;
use std::time::Instant;

fn reason(reason: pinfold::Reason) -> &'static str {
    match reason {
        pinfold::Reason::Stop => "stop",
        pinfold::Reason::Restart => "restart",
        pinfold::Reason::Change => "change",
        pinfold::Reason::Unhealthy => "unhealthy",
        _ => "other",
    }
}

/// What supervision came to.
///
/// >>> from pinfold import Command, Supervisor
/// >>> supervisor = Supervisor(Command("false"), max_restarts=1, backoff_initial=0.01)
/// >>> outcome = supervisor.run()
/// >>> outcome.stopped, outcome.restarts, outcome.final_result.code
/// ('restarts_exhausted', 1, 1)
#[pyclass(frozen, module = "pinfold")]
pub(crate) struct SupervisionOutcome(pub(crate) pinfold::SupervisionOutcome);
plain!(SupervisionOutcome, "SupervisionOutcome");

#[pymethods]
impl SupervisionOutcome {
    /// What the last run wrote, as far as that is retained, and how it ended; `None` if none was ever started.
    #[getter]
    fn final_result(&self, py: Python<'_>) -> Option<ProcessResult> {
        self.0.final_result.clone().map(|output| ProcessResult::of(py, output))
    }

    /// How often it was restarted by its policy.
    #[getter]
    fn restarts(&self) -> u32 {
        self.0.restarts
    }

    /// How often it was restarted because somebody asked for that or a file changed.
    #[getter]
    fn restarts_asked(&self) -> u32 {
        self.0.restarts_asked
    }

    /// Why supervision has ended: `policy_satisfied`, `predicate`, `restarts_exhausted`, `stopped` (somebody did so) or
    /// `unhealthy` (it failed its probes, and its policy restarts nothing).
    #[getter]
    fn stopped(&self) -> &'static str {
        self.0.stopped.as_str()
    }

    /// How often failures came so fast that there was a long pause.
    #[getter]
    fn storm_pauses(&self) -> u32 {
        self.0.storm_pauses
    }

    /// The last of its runs, the oldest first.
    #[getter]
    fn history(&self) -> Vec<PastRun> {
        self.0.history.iter().cloned().map(PastRun).collect()
    }

    fn __repr__(&self) -> String {
        let (stopped, restarts) = (self.0.stopped, self.0.restarts);
        match &self.0.final_result {
            Some(result) => {
                format!("<SupervisionOutcome: {stopped} after {restarts} restarts; {}>", result.outcome)
            }
            None => format!("<SupervisionOutcome: {stopped} after {restarts} restarts>"),
        }
    }
}

/// One of the runs that there were.
///
/// >>> from pinfold import Command, Supervisor
/// >>> supervisor = Supervisor(Command("false"), max_restarts=1, backoff_initial=0.01)
/// >>> [(past.number, past.outcome.code) for past in supervisor.run().history]
/// [(1, 1), (2, 1)]
#[pyclass(frozen, module = "pinfold")]
pub(crate) struct PastRun(pub(crate) pinfold::PastRun);
plain!(PastRun, "PastRun");

#[pymethods]
impl PastRun {
    /// Counted from 1.
    #[getter]
    fn number(&self) -> u64 {
        self.0.number
    }

    /// When it was started, since the beginning of supervision.
    #[getter]
    fn began_seconds(&self) -> f64 {
        self.0.began.as_secs_f64()
    }

    /// How long after its start it was ready, if it was.
    #[getter]
    fn ready_seconds(&self) -> Option<f64> {
        self.0.ready.map(|ready| ready.as_secs_f64())
    }

    /// Why it was ended, if not by itself: `stop`, `restart`, `change` or `unhealthy`.
    #[getter]
    fn reason(&self) -> Option<&'static str> {
        self.0.reason.map(reason)
    }

    /// How it ended; `None` if it could not be started.
    #[getter]
    fn outcome(&self) -> Option<Outcome> {
        self.0.outcome.clone().map(Outcome)
    }

    /// Why it could not be started.
    #[getter]
    fn error(&self) -> Option<&str> {
        self.0.error.as_deref()
    }

    fn __repr__(&self) -> String {
        let number = self.0.number;
        match (&self.0.outcome, &self.0.error) {
            (Some(outcome), _) => format!("<PastRun {number}: {outcome}>"),
            (None, Some(error)) => format!("<PastRun {number}: {error}>"),
            (None, None) => format!("<PastRun {number}>"),
        }
    }
}

/// How supervision stands.
///
/// >>> from pinfold import Command, Supervisor
/// >>> with Supervisor(Command("sleep", ["1000"])).start() as run:
/// ...     run.wait_ready(10)
/// ...     status = run.status
/// >>> status.phase, status.restarts
/// ('up', 0)
#[pyclass(frozen, module = "pinfold")]
pub(crate) struct SupervisionStatus {
    status: pinfold::Status,
    /// When this was so.
    at: Instant,
}

impl SupervisionStatus {
    pub(super) fn new(status: pinfold::Status) -> SupervisionStatus {
        SupervisionStatus { status, at: Instant::now() }
    }
}

#[pymethods]
impl SupervisionStatus {
    /// What it is at: `due`, `starting`, `up`, `stopping`, `backoff`, `storm_pause` or `over`.
    #[getter]
    fn phase(&self) -> &'static str {
        self.status.phase.as_str()
    }

    /// The program of the run that goes on, if one does.
    #[getter]
    fn pid(&self) -> Option<u32> {
        self.status.pid.map(|pid| pid.get())
    }

    /// For how long that goes on.
    #[getter]
    fn running_seconds(&self) -> Option<f64> {
        self.status.since.map(|since| self.at.saturating_duration_since(since).as_secs_f64())
    }

    /// How long after its start it was ready, if it was.
    #[getter]
    fn ready_seconds(&self) -> Option<f64> {
        self.status.ready.map(|ready| ready.as_secs_f64())
    }

    /// How long it is until the next run begins, during a pause.
    #[getter]
    fn next_seconds(&self) -> Option<f64> {
        self.status.next.map(|next| next.saturating_duration_since(self.at).as_secs_f64())
    }

    /// How many runs have begun, or could not.
    #[getter]
    fn runs(&self) -> u64 {
        self.status.runs
    }

    /// How often its policy has restarted it.
    #[getter]
    fn restarts(&self) -> u32 {
        self.status.restarts
    }

    /// How often it was restarted because somebody asked for that or a file changed.
    #[getter]
    fn restarts_asked(&self) -> u32 {
        self.status.restarts_asked
    }

    /// How often there was a storm.
    #[getter]
    fn storm_pauses(&self) -> u32 {
        self.status.storm_pauses
    }

    /// How the last run that has ended did so.
    #[getter]
    fn last(&self) -> Option<Outcome> {
        self.status.last.clone().map(Outcome)
    }

    fn __repr__(&self) -> String {
        let pinfold::Status { phase, restarts, .. } = self.status;
        match self.status.pid {
            Some(pid) => format!("<SupervisionStatus: {phase}, pid {pid}, {restarts} restarts>"),
            None => format!("<SupervisionStatus: {phase}, {restarts} restarts>"),
        }
    }
}

/// Something that happened to what is supervised. What an event of its kind does not have is `None`.
///
/// >>> from pinfold import Command, Supervisor
/// >>> supervisor = Supervisor(Command("false"), max_restarts=1, backoff_initial=0.01)
/// >>> with supervisor.start() as run:
/// ...     [(event.number, event.pid is not None) for event in run if event.kind == "started"]
/// [(1, True), (2, True)]
#[pyclass(frozen, module = "pinfold")]
pub(crate) struct SupervisionEvent(pub(crate) Event);

#[pymethods]
impl SupervisionEvent {
    /// What happened: `started`, `not_started`, `ready`, `unhealthy`, `changed`, `stopping`, `ended`, `restarting`,
    /// `storm_pause`, and at the end `stopped` or `failed`.
    #[getter]
    fn kind(&self) -> &'static str {
        match self.0 {
            Event::Started { .. } => "started",
            Event::NotStarted { .. } => "not_started",
            Event::Ready { .. } => "ready",
            Event::Unhealthy { .. } => "unhealthy",
            Event::Changed { .. } => "changed",
            Event::Stopping { .. } => "stopping",
            Event::Ended(_) => "ended",
            Event::Restarting { .. } => "restarting",
            Event::StormPause { .. } => "storm_pause",
            Event::Stopped(_) => "stopped",
            Event::Failed { .. } => "failed",
            _ => "other",
        }
    }

    /// Which run was `started`, `not_started` or is to come (`restarting`), counted from 1.
    #[getter]
    fn number(&self) -> Option<u64> {
        match self.0 {
            Event::Started { number, .. }
            | Event::NotStarted { number, .. }
            | Event::Restarting { number, .. } => Some(number),
            _ => None,
        }
    }

    /// The pid of what was `started`.
    #[getter]
    fn pid(&self) -> Option<u32> {
        if let Event::Started { pid, .. } = &self.0 { Some(pid.get()) } else { None }
    }

    /// How long after its start it was `ready`, until it is restarted (`restarting`), or of the `storm_pause`.
    #[getter]
    fn seconds(&self) -> Option<f64> {
        match self.0 {
            Event::Ready { after } | Event::Restarting { after, .. } => Some(after.as_secs_f64()),
            Event::StormPause { pause } => Some(pause.as_secs_f64()),
            _ => None,
        }
    }

    /// Why it is `stopping` (`stop`, `restart`, `change`, `unhealthy`), is `unhealthy` or `not_started`, or what supervision
    /// `stopped` or `failed` for.
    #[getter]
    fn reason(&self) -> Option<&str> {
        match &self.0 {
            Event::Stopping { reason: why } => Some(reason(*why)),
            Event::Unhealthy { reason, .. } => Some(reason),
            Event::NotStarted { error, .. } | Event::Failed { error } => Some(error),
            Event::Stopped(stopped) => Some(stopped.as_str()),
            _ => None,
        }
    }

    /// How often in a row it was `unhealthy`.
    #[getter]
    fn failures(&self) -> Option<u32> {
        if let Event::Unhealthy { failures, .. } = self.0 { Some(failures) } else { None }
    }

    /// Whether it is ended for being `unhealthy`.
    #[getter]
    fn ending(&self) -> Option<bool> {
        if let Event::Unhealthy { ending, .. } = self.0 { Some(ending) } else { None }
    }

    /// What has `changed`.
    #[getter]
    fn path<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyString>>> {
        if let Event::Changed { path } = &self.0 { shown(py, path.as_os_str()).map(Some) } else { Ok(None) }
    }

    /// How a run `ended`.
    #[getter]
    fn outcome(&self) -> Option<Outcome> {
        if let Event::Ended(outcome) = &self.0 { Some(Outcome((**outcome).clone())) } else { None }
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<SupervisionEvent>().is_ok_and(|other| self.0 == other.get().0)
    }

    fn __repr__(&self) -> String {
        let kind = self.kind();
        let of = match &self.0 {
            Event::Started { number, pid } => format!(": run {number}, pid {}", pid.get()),
            Event::Ended(outcome) => format!(": {outcome}"),
            Event::Restarting { after, number } => format!(": run {number} after {after:.3?}"),
            Event::Ready { after } => format!(" after {after:.3?}"),
            Event::StormPause { pause } => format!(" of {pause:.3?}"),
            Event::Changed { path } => format!(": {}", path.display()),
            _ => self.reason().map_or_else(String::new, |reason| format!(": {reason}")),
        };
        format!("<SupervisionEvent {kind}{of}>")
    }
}
