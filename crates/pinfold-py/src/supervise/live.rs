//! What is supervised in the background, as the handles of `pinfold._supervise` use it.

use super::facts::{SupervisionEvent, SupervisionStatus};
use super::{StopWhen, answer};
use crate::convert::{Seconds, SignalArg};
use crate::error::{Form, raised};
use crate::machine::{Pollable, Work};
use crate::number::named;
use crate::probe::Probe;
use pinfold::{StopRule, SupervisionEvents, SupervisionWatch, SupervisorHandle};
use pinfold_os::poll::{Set, Woken, wait};
use pyo3::prelude::*;
use pyo3::types::PyList;
use pyo3::{PyTraverseError, PyVisit};
use std::io;
use std::sync::Arc;
use std::time::Instant;

/// What is supervised. `pinfold.RunningSupervisor` and `pinfold.AsyncRunningSupervisor` are its handles.
#[pyclass(frozen, module = "pinfold._native")]
pub(crate) struct Supervised {
    /// `None` only while it is dropped.
    handle: Option<SupervisorHandle>,
    stop_when: Option<Arc<StopWhen>>,
    probes: Vec<Py<Probe>>,
}

impl Supervised {
    pub(super) fn new(
        handle: SupervisorHandle,
        stop_when: Option<Arc<StopWhen>>,
        probes: Vec<Py<Probe>>,
    ) -> Supervised {
        Supervised { handle: Some(handle), stop_when, probes }
    }

    #[expect(clippy::expect_used, reason = "only the drop takes it out")]
    fn handle(&self) -> &SupervisorHandle {
        self.handle.as_ref().expect("what is supervised and not being dropped")
    }

    fn asked(&self, py: Python<'_>, question: Question) -> PyResult<Pollable> {
        let handle = self.handle().clone();
        let watch = handle.watch().map_err(|error| raised(py, error, handle.command(), Form::Text))?;
        Ok(Pollable::new(Asked { handle, watch, question, stop_when: self.stop_when.clone(), answer: None }))
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        let handle = self.handle.take();
        // The last one waits until what runs is gone.
        let _ = Python::try_attach(|py| py.detach(|| drop(handle)));
    }
}

fn until(timeout: Option<Seconds>) -> Option<Instant> {
    timeout.and_then(|timeout| Instant::now().checked_add(timeout.0))
}

#[pymethods]
impl Supervised {
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.stop_when.iter().try_for_each(|stop_when| stop_when.show(&visit))?;
        self.probes.iter().try_for_each(|probe| visit.call(probe))
    }

    #[getter]
    fn program<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, pyo3::types::PyString>> {
        crate::convert::shown(py, self.handle().command().program())
    }

    #[getter]
    fn status(&self, py: Python<'_>) -> SupervisionStatus {
        SupervisionStatus::new(py.detach(|| self.handle().status()))
    }

    /// Whether it has come to its end.
    fn is_over(&self, py: Python<'_>) -> bool {
        py.detach(|| self.handle().try_wait()).is_some()
    }

    /// The outcome; `None` after so many seconds without.
    #[pyo3(signature = (timeout = None))]
    fn wait(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = named::timeout)] timeout: Option<Seconds>,
    ) -> PyResult<Pollable> {
        self.asked(py, Question::Outcome { until: until(timeout) })
    }

    /// `True` when it has come to its end, in whatever way.
    fn over(&self, py: Python<'_>) -> PyResult<Pollable> {
        self.asked(py, Question::Over)
    }

    /// `True` once a run is ready; `None` after so many seconds without.
    #[pyo3(signature = (timeout = None))]
    fn ready(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = named::timeout)] timeout: Option<Seconds>,
    ) -> PyResult<Pollable> {
        self.asked(py, Question::Ready { until: until(timeout) })
    }

    /// All that happens, each time what has happened meanwhile, as a list; an empty one at the end.
    fn events(&self, py: Python<'_>) -> PyResult<Pollable> {
        self.asked(py, Question::Events(self.handle().events()))
    }

    /// Begins to end supervision, by the command's stop rule or by parts of another; without grace what runs is killed.
    #[pyo3(signature = (signal = None, grace = None))]
    fn stop(
        &self,
        py: Python<'_>,
        signal: Option<SignalArg>,
        #[pyo3(from_py_with = named::grace)] grace: Option<Seconds>,
    ) {
        let own = self.handle().command().stop_rule_of();
        let rule = StopRule {
            signal: signal.map_or(own.signal, |signal| signal.0),
            grace: grace.map_or(own.grace, |grace| grace.0),
        };
        py.detach(|| self.handle().begin_stop_by(rule));
    }

    /// Kills what runs, and returns when it is gone.
    fn end(&self, py: Python<'_>) {
        // How it ended is told by `wait`.
        py.detach(|| drop(self.handle().stop_by(StopRule::KILL)));
    }

    fn restart(&self, py: Python<'_>) -> PyResult<()> {
        let handle = self.handle();
        handle.check().map_err(|error| raised(py, error, handle.command(), Form::Text))?;
        py.detach(|| handle.restart());
        Ok(())
    }

    fn signal(&self, py: Python<'_>, signal: SignalArg) -> PyResult<()> {
        let handle = self.handle();
        py.detach(|| handle.signal(signal.0)).map_err(|error| raised(py, error, handle.command(), Form::Text))
    }
}

/// What is asked.
enum Question {
    Outcome { until: Option<Instant> },
    Ready { until: Option<Instant> },
    Events(SupervisionEvents),
    Over,
}

/// What is answered.
enum Answer {
    Late,
    Outcome(Box<pinfold::Result<pinfold::SupervisionOutcome>>),
    Ready(pinfold::Result<()>),
    Events(Vec<pinfold::SupervisionEvent>),
}

/// A question that is asked until there is an answer.
struct Asked {
    handle: SupervisorHandle,
    watch: SupervisionWatch,
    question: Question,
    stop_when: Option<Arc<StopWhen>>,
    answer: Option<Answer>,
}

impl Asked {
    fn ask(&mut self) -> Option<Answer> {
        self.watch.clear();
        let late = |until: Option<Instant>| until.is_some_and(|until| until <= Instant::now());
        match &mut self.question {
            Question::Outcome { until } => match self.handle.try_wait() {
                Some(outcome) => Some(Answer::Outcome(Box::new(outcome))),
                None => late(*until).then_some(Answer::Late),
            },
            Question::Ready { until } => match self.handle.try_ready() {
                Some(ready) => Some(Answer::Ready(ready)),
                None => late(*until).then_some(Answer::Late),
            },
            Question::Over => self.handle.try_wait().map(|_| Answer::Ready(Ok(()))),
            Question::Events(events) => {
                // Else an iterator that a forked child has inherited would look as if this were over.
                if let Err(error) = self.handle.check() {
                    return Some(Answer::Ready(Err(error)));
                }
                // Before they are taken, so that none comes between.
                let over = self.handle.try_wait().is_some();
                let there: Vec<_> = std::iter::from_fn(|| events.try_next()).collect();
                (over || !there.is_empty()).then_some(Answer::Events(there))
            }
        }
    }

    fn until(&self) -> Option<Instant> {
        match self.question {
            Question::Outcome { until } | Question::Ready { until } => until,
            Question::Events(_) | Question::Over => None,
        }
    }
}

impl Work for Asked {
    fn advance(&mut self) -> io::Result<bool> {
        if self.answer.is_none() {
            self.answer = self.ask();
        }
        Ok(self.answer.is_some())
    }

    fn rest(&self, until: Option<Instant>) -> io::Result<Woken> {
        wait(&[self.watch.waitable()], [self.until(), until].into_iter().flatten().min())
    }

    fn watch(&mut self) -> io::Result<(&Set, Option<Instant>)> {
        Ok((self.watch.set(), self.until()))
    }

    fn answer(&mut self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let command = self.handle.command();
        match self.answer.take() {
            None | Some(Answer::Late) => Ok(py.None()),
            Some(Answer::Outcome(outcome)) => answer(py, Some(*outcome), self.stop_when.as_deref(), command),
            Some(Answer::Ready(ready)) => match ready {
                Ok(()) => Ok(true.into_pyobject(py)?.to_owned().into_any().unbind()),
                Err(error) => Err(raised(py, error, command, Form::Text)),
            },
            Some(Answer::Events(events)) => {
                let events = events.into_iter().map(|event| Bound::new(py, SupervisionEvent(event)));
                let events: Vec<_> = events.collect::<PyResult<_>>()?;
                Ok(PyList::new(py, events)?.into_any().unbind())
            }
        }
    }

    /// Asking no more changes nothing: supervision belongs to its handle.
    fn end(&mut self) {}
}
