//! A live run, as the handles of `pinfold._sync` and `pinfold._async` use it.
//!
//! What takes time is given out as a [`Pollable`]: the blocking handle blocks on it, the async one has the loop drive it.

mod events;
mod profile;
mod streams;

use crate::ask::Callable;
use crate::convert::{Seconds, SignalArg};
use crate::error::{Form, raised};
use crate::limits::Limits;
use crate::machine::{Pollable, Work, rest_for, until_disturbed};
use crate::number::named;
use crate::plain::Json;
use crate::probe::{Beside, Probe};
use crate::result::{BytesResult, LimitsHit, Outcome, ProcessResult, Seen, Usage};
pub(crate) use events::OutputEvent;
use pinfold::{PolledHandle, Running, StopRule, Stream, Watch};
use pinfold_os::poll::{Set, Woken};
pub(crate) use profile::{RunProfile, Sample};
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A live run. `pinfold.RunningProcess` and `pinfold.AsyncRunningProcess` are its handles.
#[pyclass(frozen, module = "pinfold._native")]
pub(crate) struct Run {
    /// `None` only while it is dropped.
    run: Option<PolledHandle>,
    /// Its container is its alone, and not that of a group.
    owns: bool,
    /// Who is told of its events: by a closure that the engine has.
    listener: Option<Callable>,
}

impl Run {
    pub(crate) fn new(
        running: Running,
        command: Arc<pinfold::Command>,
        owns: bool,
        listener: Option<Callable>,
    ) -> Run {
        Run { run: Some(PolledHandle::new(running, command)), owns, listener }
    }

    #[expect(clippy::expect_used, reason = "only the drop takes it out")]
    fn run(&self) -> &PolledHandle {
        self.run.as_ref().expect("a run that is not being dropped")
    }

    /// Does so without the interpreter, and by a handle of its own: whoever called may let go of this meanwhile.
    fn with<T: Send>(&self, py: Python<'_>, act: impl FnOnce(&PolledHandle) -> T + Send) -> T {
        let run = self.run().clone();
        py.detach(move || act(&run))
    }

    fn raised(&self, py: Python<'_>, error: pinfold::Error) -> PyErr {
        raised(py, error, self.run().command(), Form::Text)
    }

    fn asked(&self, py: Python<'_>, question: Question) -> PyResult<Pollable> {
        let run = self.run().clone();
        let watch = py.detach(|| run.watch()).map_err(|error| self.raised(py, error))?;
        Ok(Pollable::new(Asked { run, watch, question, answer: None }))
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let run = self.run.take();
        // The last one waits until all of the run is gone, and others may go on meanwhile.
        let _ = Python::try_attach(|py| py.detach(|| drop(run)));
    }
}

#[pymethods]
impl Run {
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.listener.iter().try_for_each(|listener| listener.show(&visit))
    }

    #[getter]
    fn pid(&self) -> u32 {
        self.run().pid().get()
    }

    /// Whether it has a container of its own: it is not in a group.
    #[getter]
    fn owns_group(&self) -> bool {
        self.owns
    }

    #[getter]
    fn mechanism(&self) -> &'static str {
        self.run().mechanism().as_str()
    }

    #[getter]
    fn guarantee(&self) -> &'static str {
        self.run().guarantee().as_str()
    }

    #[getter]
    fn program<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, pyo3::types::PyString>> {
        crate::convert::shown(py, self.run().command().program())
    }

    #[getter]
    fn elapsed_seconds(&self, py: Python<'_>) -> f64 {
        self.with(py, |run| run.elapsed().as_secs_f64())
    }

    #[getter]
    fn usage(&self, py: Python<'_>) -> Usage {
        Usage(self.with(py, |run| run.usage()))
    }

    #[getter]
    fn limits_hit(&self, py: Python<'_>) -> LimitsHit {
        LimitsHit(self.with(py, |run| run.limits_hit()))
    }

    #[getter]
    fn members(&self, py: Python<'_>) -> Vec<u32> {
        self.with(py, |run| run.members()).into_iter().map(|pid| pid.get()).collect()
    }

    #[getter]
    fn stdout_seen(&self, py: Python<'_>) -> Option<Seen> {
        self.with(py, |run| run.seen(Stream::Stdout)).map(Seen)
    }

    #[getter]
    fn stderr_seen(&self, py: Python<'_>) -> Option<Seen> {
        self.with(py, |run| run.seen(Stream::Stderr)).map(Seen)
    }

    /// How it ended, if it has by now.
    fn try_wait(&self, py: Python<'_>) -> PyResult<Option<Outcome>> {
        let ended = self.with(py, |run| run.try_outcome()).map_err(|error| self.raised(py, error))?;
        Ok(ended.map(Outcome))
    }

    /// Whether it is known to have ended, without a look.
    fn has_ended(&self, py: Python<'_>) -> bool {
        self.with(py, |run| run.known_outcome()).is_some()
    }

    /// The end of all of it; `None` after so many seconds without.
    #[pyo3(signature = (timeout = None))]
    fn wait(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = named::timeout)] timeout: Option<Seconds>,
    ) -> PyResult<Pollable> {
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout.0));
        self.asked(py, Question::Outcome { until })
    }

    fn output(&self, py: Python<'_>) -> PyResult<Pollable> {
        self.asked(py, Question::Output(Form::Text))
    }

    fn output_bytes(&self, py: Python<'_>) -> PyResult<Pollable> {
        self.asked(py, Question::Output(Form::Bytes))
    }

    /// Begins to stop all of it by the command's stop rule, or by parts of another; without grace it is killed.
    #[pyo3(signature = (signal = None, grace = None))]
    fn stop(
        &self,
        py: Python<'_>,
        signal: Option<SignalArg>,
        #[pyo3(from_py_with = named::grace)] grace: Option<Seconds>,
    ) {
        let own = self.run().command().stop_rule_of();
        let rule = StopRule {
            signal: signal.map_or(own.signal, |signal| signal.0),
            grace: grace.map_or(own.grace, |grace| grace.0),
        };
        self.with(py, |run| run.stop(Some(rule)));
    }

    /// Kills all of it and returns when it is gone.
    fn end(&self, py: Python<'_>) {
        self.with(py, |run| run.end());
    }

    /// Whether it ends by itself, given a moment where its output is at its end: a program that ends closes that first. It does
    /// not go by the interpreter, so that no signal handler raises where nobody would be told.
    fn ends_by_itself(&self, py: Python<'_>) -> bool {
        const MOMENT: Duration = Duration::from_millis(250);
        self.with(py, |run| {
            let ended = || run.try_outcome().is_ok_and(|outcome| outcome.is_some());
            if ended() || !Stream::BOTH.into_iter().any(|stream| run.is_at_its_end(stream)) {
                return run.known_outcome().is_some();
            }
            let Ok(watch) = run.watch() else { return false };
            let question = Question::Outcome { until: Instant::now().checked_add(MOMENT) };
            let mut asked = Asked { run: run.clone(), watch, question, answer: None };
            while matches!(until_disturbed(&mut asked, None), Ok(false)) {}
            run.known_outcome().is_some()
        })
    }

    /// Has it go on without its handle, which is about to be dropped, until its group ends it.
    fn leave(&self, py: Python<'_>) -> PyResult<()> {
        let run = self.run().clone();
        py.detach(|| run.leave()).map_err(|error| self.raised(py, error))
    }

    /// Changes its limits to these, while it runs.
    fn set_limits(&self, py: Python<'_>, limits: &Bound<'_, Limits>) -> PyResult<()> {
        let limits = limits.get().0.clone();
        self.with(py, |run| run.set_limits(&limits)).map_err(|error| self.raised(py, error))
    }

    /// How it goes until its end: see `profile.rs`.
    fn profile(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = named::every_seconds)] every: Seconds,
    ) -> PyResult<Pollable> {
        let run = self.run().clone();
        let watch = py.detach(|| run.watch()).map_err(|error| self.raised(py, error))?;
        profile::work(py, run, watch, every.0)
    }

    /// All that happens, or the lines of it, each time what has happened meanwhile, as a list; an empty one at the end.
    #[pyo3(signature = (only_lines = false))]
    fn events(&self, py: Python<'_>, only_lines: bool) -> PyResult<Pollable> {
        let events = self.with(py, |run| run.events()).map_err(|error| self.raised(py, error))?;
        Ok(Pollable::new(events::Happenings::new(events, self.run().command().clone(), only_lines)))
    }

    #[pyo3(signature = (signal, to_all = true))]
    fn signal(&self, py: Python<'_>, signal: SignalArg, to_all: bool) -> PyResult<()> {
        let sent = self.with(py, |run| if to_all { run.signal_all(signal.0) } else { run.signal(signal.0) });
        sent.map_err(|error| self.raised(py, error))
    }

    fn suspend(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, |run| run.suspend()).map_err(|error| self.raised(py, error))
    }

    fn resume(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, |run| run.resume()).map_err(|error| self.raised(py, error))
    }

    /// When a probe holds of it, or of the world while it runs.
    fn wait_until(
        &self,
        py: Python<'_>,
        probe: &Bound<'_, Probe>,
        #[pyo3(from_py_with = named::timeout)] timeout: Seconds,
    ) -> PyResult<Pollable> {
        let probe = probe.get().0.clone();
        let waiting = self.with(py, |run| run.wait_until(&probe, timeout.0));
        let waiting = waiting.map_err(|error| self.raised(py, error))?;
        Ok(Pollable::new(Beside::new(waiting, self.run().command().clone())))
    }

    /// Batches of lines of one stream, each a list of up to so many bytes of text; an empty one at the end.
    #[pyo3(signature = (stream, most = streams::BATCH_BYTES))]
    fn lines(&self, py: Python<'_>, stream: &str, most: usize) -> PyResult<Pollable> {
        let stream = stream_named(py, stream)?;
        let lines = self.with(py, |run| run.lines(stream)).map_err(|error| self.raised(py, error))?;
        Ok(Pollable::new(streams::Batches::new(lines, self.run().command().clone(), most)))
    }

    /// Chunks of one stream, each `bytes`; empty at the end.
    fn chunks(&self, py: Python<'_>, stream: &str) -> PyResult<Pollable> {
        let stream = stream_named(py, stream)?;
        let chunks = self.with(py, |run| run.chunks(stream)).map_err(|error| self.raised(py, error))?;
        Ok(Pollable::new(streams::Chunks::new(chunks, self.run().command().clone())))
    }

    /// Adds to what is written to its standard input: whether anybody can still read it.
    fn feed(&self, py: Python<'_>, bytes: Fed) -> PyResult<bool> {
        self.with(py, |run| run.feed(bytes.bytes())).map_err(|error| self.raised(py, error))
    }

    /// When no more than so many bytes are still to be written; `False` if the program stopped reading before.
    fn fed(&self, py: Python<'_>, left: usize) -> PyResult<Pollable> {
        self.asked(py, Question::Fed { left })
    }

    /// Ends its standard input once everything is written.
    fn end_of_input(&self, py: Python<'_>) {
        self.with(py, |run| run.end_of_input());
    }
}

type Fed = Json;

pub(crate) fn stream_named(py: Python<'_>, name: &str) -> PyResult<Stream> {
    crate::convert::one_of(py, "stream", name, &[("stdout", Stream::Stdout), ("stderr", Stream::Stderr)])
}

/// What is asked of a run.
enum Question {
    Outcome { until: Option<Instant> },
    Output(Form),
    Fed { left: usize },
}

/// What is answered.
enum Answer {
    Outcome(Option<pinfold::Outcome>),
    Output(pinfold::Output<Vec<u8>>),
    Fed(bool),
}

/// A question that is asked until there is an answer.
struct Asked {
    run: PolledHandle,
    watch: Watch,
    question: Question,
    answer: Option<pinfold::Result<Answer>>,
}

impl Asked {
    fn ask(&mut self) -> pinfold::Result<Option<Answer>> {
        Ok(match self.question {
            Question::Outcome { until } => match self.run.outcome(&mut self.watch)? {
                Some(outcome) => Some(Answer::Outcome(Some(outcome))),
                None => until.is_some_and(|until| until <= Instant::now()).then_some(Answer::Outcome(None)),
            },
            Question::Output(_) => self.run.output(&mut self.watch)?.map(Answer::Output),
            Question::Fed { left } => self.run.fed(&mut self.watch, left)?.map(Answer::Fed),
        })
    }

    /// The first of its deadlines.
    fn until(&self) -> Option<Instant> {
        let own = match self.question {
            Question::Outcome { until } => until,
            _ => None,
        };
        [own, self.watch.deadline()].into_iter().flatten().min()
    }
}

impl Work for Asked {
    fn advance(&mut self) -> io::Result<bool> {
        if self.answer.is_none() {
            self.answer = self.ask().transpose();
        }
        Ok(self.answer.is_some())
    }

    fn rest(&self, until: Option<Instant>) -> io::Result<Woken> {
        rest_for(&self.watch, [self.until(), until].into_iter().flatten().min())
    }

    fn watch(&mut self) -> io::Result<(&Set, Option<Instant>)> {
        let until = self.until();
        Ok((self.watch.set(), until))
    }

    fn answer(&mut self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let command = self.run.command();
        let form = match self.question {
            Question::Output(form) => form,
            _ => Form::Text,
        };
        let Some(answer) = self.answer.take() else { return Ok(py.None()) };
        Ok(match answer.map_err(|error| raised(py, error, command, form))? {
            Answer::Outcome(Some(outcome)) => Py::new(py, Outcome(outcome))?.into_any(),
            Answer::Outcome(None) => py.None(),
            Answer::Fed(fed) => fed.into_pyobject(py)?.to_owned().into_any().unbind(),
            Answer::Output(output) => match form {
                Form::Text => Py::new(py, ProcessResult::new(py, output, command)?)?.into_any(),
                Form::Bytes => Py::new(py, BytesResult::new(py, output, command)?)?.into_any(),
            },
        })
    }

    /// Asking no more changes nothing: the run belongs to its handle.
    fn end(&mut self) {}
}
