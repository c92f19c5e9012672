//! All that happens in a run, as one stream.

use super::stream_named;
use crate::error::{Form, raised};
use crate::machine::{Work, rest_for};
use crate::result::Outcome;
use pinfold::{Event, PolledEvents};
use pinfold_os::poll::{Set, Woken};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};
use std::io;
use std::sync::Arc;
use std::time::Instant;

/// More events than this are not made at a time.
const BATCH: usize = 4096;

/// Something that happened in a run: it was started, a line came, or it ended.
///
/// >>> from pinfold import Command
/// >>> with Command("sh", ["-c", "echo out; exit 3"]).start() as process:
/// ...     events = list(process.events())
/// >>> [event.kind for event in events], events[1].text, events[-1].outcome.code
/// (['started', 'line', 'ended'], 'out', 3)
#[pyclass(frozen, module = "pinfold")]
pub(crate) struct OutputEvent(Kind);

enum Kind {
    Started(u32),
    Line { stream: pinfold::Stream, text: Py<PyString> },
    Ended(Py<Outcome>),
}

impl OutputEvent {
    fn new(py: Python<'_>, event: Event) -> PyResult<Option<OutputEvent>> {
        Ok(Some(OutputEvent(match event {
            Event::Started { pid } => Kind::Started(pid.get()),
            Event::Line { stream, text } => Kind::Line { stream, text: PyString::new(py, &text).unbind() },
            Event::Ended(outcome) => Kind::Ended(Py::new(py, Outcome(*outcome))?),
            _ => return Ok(None),
        })))
    }
}

#[pymethods]
impl OutputEvent {
    /// A line of the stream `"stdout"` or `"stderr"`, for whoever tests what reads such events.
    #[new]
    fn line(py: Python<'_>, stream: &str, text: Py<PyString>) -> PyResult<OutputEvent> {
        Ok(OutputEvent(Kind::Line { stream: stream_named(py, stream)?, text }))
    }

    /// What happened: `started`, `line` or `ended`.
    #[getter]
    fn kind(&self) -> &'static str {
        match self.0 {
            Kind::Started(_) => "started",
            Kind::Line { .. } => "line",
            Kind::Ended(_) => "ended",
        }
    }

    /// The stream of a line, `stdout` or `stderr`; `None` for what is no line.
    #[getter]
    fn stream(&self) -> Option<&'static str> {
        match self.0 {
            Kind::Line { stream, .. } => Some(stream.as_str()),
            _ => None,
        }
    }

    /// Whether it is a line of standard error.
    #[getter]
    fn is_stderr(&self) -> bool {
        self.stream() == Some("stderr")
    }

    /// A line without its line break; empty for what is no line.
    #[getter]
    fn text(&self, py: Python<'_>) -> Py<PyString> {
        match &self.0 {
            Kind::Line { text, .. } => text.clone_ref(py),
            _ => PyString::new(py, "").unbind(),
        }
    }

    /// The pid of what was started; `None` for anything else.
    #[getter]
    fn pid(&self) -> Option<u32> {
        match self.0 {
            Kind::Started(pid) => Some(pid),
            _ => None,
        }
    }

    /// How it ended; `None` for anything else.
    #[getter]
    fn outcome(&self, py: Python<'_>) -> Option<Py<Outcome>> {
        match &self.0 {
            Kind::Ended(outcome) => Some(outcome.clone_ref(py)),
            _ => None,
        }
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        let Ok(other) = other.cast::<OutputEvent>() else { return Ok(false) };
        let py = other.py();
        Ok(match (&self.0, &other.get().0) {
            (Kind::Started(one), Kind::Started(other)) => one == other,
            (Kind::Line { stream, text }, Kind::Line { stream: other, text: words }) => {
                stream == other && text.bind(py).as_any().eq(words)?
            }
            (Kind::Ended(one), Kind::Ended(other)) => one.get().0 == other.get().0,
            _ => false,
        })
    }

    /// Not its text, which may be secret.
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(match &self.0 {
            Kind::Started(pid) => format!("<OutputEvent: started {pid}>"),
            Kind::Line { stream, text } => {
                format!("<OutputEvent: a line of {stream}, {} characters>", text.bind(py).len()?)
            }
            Kind::Ended(outcome) => format!("<OutputEvent: {}>", outcome.get().0),
        })
    }
}

/// What happens, as lists.
pub(super) struct Happenings {
    events: PolledEvents,
    command: Arc<pinfold::Command>,
    ready: Vec<Event>,
    failure: Option<pinfold::Error>,
    over: bool,
    only_lines: bool,
}

impl Happenings {
    pub(super) fn new(events: PolledEvents, command: Arc<pinfold::Command>, only_lines: bool) -> Happenings {
        Happenings { events, command, ready: Vec::new(), failure: None, over: false, only_lines }
    }
}

impl Work for Happenings {
    fn advance(&mut self) -> io::Result<bool> {
        while self.ready.len() < BATCH && !self.over {
            match self.events.advance() {
                Ok(Some(Some(Event::Started { .. } | Event::Ended(_)))) if self.only_lines => {}
                Ok(Some(Some(event))) => self.ready.push(event),
                Ok(Some(None)) => self.over = true,
                Ok(None) => break,
                Err(error) => {
                    self.failure = Some(error);
                    break;
                }
            }
        }
        Ok(self.over || self.failure.is_some() || !self.ready.is_empty())
    }

    fn rest(&self, until: Option<Instant>) -> io::Result<Woken> {
        rest_for(self.events.watch(), until)
    }

    fn watch(&mut self) -> io::Result<(&Set, Option<Instant>)> {
        let watch = self.events.watch();
        Ok((watch.set(), watch.deadline()))
    }

    fn answer(&mut self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        if self.ready.is_empty()
            && let Some(error) = self.failure.take()
        {
            return Err(raised(py, error, &self.command, Form::Text));
        }
        let batch = PyList::empty(py);
        for event in self.ready.drain(..) {
            if let Some(event) = OutputEvent::new(py, event)? {
                batch.append(Py::new(py, event)?)?;
            }
        }
        Ok(batch.into_any().unbind())
    }

    fn end(&mut self) {}
}
