//! How a run goes until its end: what it used, exactly, and how that grew.

use crate::error::{Form, invalid, raised};
use crate::machine::{Pollable, Work, rest_for};
use crate::plain::plain;
use crate::result::{Outcome, or_none};
use pinfold::{PolledHandle, Watch};
use pinfold_os::poll::{Set, Woken};
use pyo3::prelude::*;
use serde::{Deserialize, Serialize};
use std::io;
use std::time::{Duration, Instant};

/// One look at a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Look {
    elapsed_seconds: f64,
    cpu_time_seconds: f64,
    peak_memory_bytes: Option<u64>,
    process_count: usize,
}

/// All of them, and the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Profile {
    outcome: pinfold::Outcome,
    timeline: Vec<Look>,
}

/// One look at a run: what it had used by then.
///
/// >>> from pinfold import Command
/// >>> with Command("sleep", ["0.05"]).start() as process:
/// ...     sample = process.profile().timeline[0]
/// >>> sample.process_count, sample.elapsed_seconds < 10
/// (1, True)
#[pyclass(frozen, module = "pinfold")]
pub(crate) struct Sample(pub(crate) Look);
plain!(Sample, "Sample");

#[pymethods]
impl Sample {
    /// Seconds since its start.
    #[getter]
    fn elapsed_seconds(&self) -> f64 {
        self.0.elapsed_seconds
    }

    /// Seconds on CPUs so far.
    #[getter]
    fn cpu_time_seconds(&self) -> f64 {
        self.0.cpu_time_seconds
    }

    /// The most memory of it so far, where the kernel knows it.
    #[getter]
    fn peak_memory_bytes(&self) -> Option<u64> {
        self.0.peak_memory_bytes
    }

    /// How many processes it had.
    #[getter]
    fn process_count(&self) -> usize {
        self.0.process_count
    }

    fn __repr__(&self) -> String {
        format!(
            "Sample(elapsed_seconds={:?}, cpu_time_seconds={:?}, peak_memory_bytes={}, process_count={})",
            self.0.elapsed_seconds,
            self.0.cpu_time_seconds,
            or_none(self.0.peak_memory_bytes),
            self.0.process_count
        )
    }
}

/// What a run used, by the kernel's own accounting at its end, and how that grew.
///
/// >>> from pinfold import Command
/// >>> with Command("sleep", ["0.05"]).start() as process:
/// ...     profile = process.profile(0.01)
/// >>> profile.code, profile.samples > 1, profile.avg_cpu_cores < 1
/// (0, True, True)
#[pyclass(frozen, module = "pinfold")]
pub(crate) struct RunProfile(pub(crate) Profile);
plain!(RunProfile, "RunProfile");

#[pymethods]
impl RunProfile {
    /// How it ended.
    #[getter]
    fn outcome(&self) -> Outcome {
        Outcome(self.0.outcome.clone())
    }

    /// The exit code; `None` if a signal ended it.
    #[getter]
    fn code(&self) -> Option<i32> {
        self.0.outcome.code()
    }

    /// The number of the signal that ended it; `None` if it returned a code.
    #[getter]
    fn signal(&self) -> Option<i32> {
        self.0.outcome.signal().map(|signal| signal.number())
    }

    /// Whether one of its timeouts ended it.
    #[getter]
    fn timed_out(&self) -> bool {
        self.0.outcome.timed_out()
    }

    /// Seconds from the start to the end of all of it.
    #[getter]
    fn duration_seconds(&self) -> f64 {
        self.0.outcome.duration.as_secs_f64()
    }

    /// Seconds on CPUs, in user mode and in the kernel.
    #[getter]
    fn cpu_time_seconds(&self) -> f64 {
        self.0.outcome.usage.cpu_time().as_secs_f64()
    }

    /// The most memory of it in bytes, by the kernel's own account and not by samples; `None` where the kernel cannot tell it
    /// from ours.
    #[getter]
    fn peak_memory_bytes(&self) -> Option<u64> {
        self.0.outcome.usage.peak_memory
    }

    /// How many CPUs it kept busy on average.
    #[getter]
    fn avg_cpu_cores(&self) -> f64 {
        let duration = self.duration_seconds();
        if duration > 0.0 { self.cpu_time_seconds() / duration } else { 0.0 }
    }

    /// How often it was looked at.
    #[getter]
    fn samples(&self) -> usize {
        self.0.timeline.len()
    }

    /// What was seen each time.
    #[getter]
    fn timeline(&self) -> Vec<Sample> {
        self.0.timeline.iter().cloned().map(Sample).collect()
    }

    fn __repr__(&self) -> String {
        format!(
            "<RunProfile: {}; {:.3} seconds, {:.3} of CPU time, {} samples>",
            self.0.outcome,
            self.duration_seconds(),
            self.cpu_time_seconds(),
            self.0.timeline.len()
        )
    }
}

/// A run that is looked at now and then until its end.
struct Looking {
    run: PolledHandle,
    watch: Watch,
    every: Duration,
    /// The next look; `None` where that is too far away to come.
    next: Option<Instant>,
    timeline: Vec<Look>,
    answer: Option<pinfold::Result<pinfold::Outcome>>,
}

pub(super) fn work(py: Python<'_>, run: PolledHandle, watch: Watch, every: Duration) -> PyResult<Pollable> {
    if every.is_zero() {
        return Err(invalid(py, "a run cannot be looked at all the time: give a time between two looks"));
    }
    let next = Some(Instant::now());
    Ok(Pollable::new(Looking { run, watch, every, next, timeline: Vec::new(), answer: None }))
}

impl Looking {
    fn look(&mut self, now: Instant) {
        let (elapsed, usage) = (self.run.elapsed(), self.run.usage());
        self.timeline.push(Look {
            elapsed_seconds: elapsed.as_secs_f64(),
            cpu_time_seconds: usage.cpu_time().as_secs_f64(),
            peak_memory_bytes: usage.peak_memory,
            process_count: self.run.members().len(),
        });
        self.next = now.checked_add(self.every);
    }

    fn until(&self) -> Option<Instant> {
        [self.next, self.watch.deadline()].into_iter().flatten().min()
    }
}

impl Work for Looking {
    fn advance(&mut self) -> io::Result<bool> {
        if self.answer.is_none() {
            self.answer = self.run.outcome(&mut self.watch).transpose();
        }
        let now = Instant::now();
        if self.answer.is_none() && self.next.is_some_and(|next| next <= now) {
            self.look(now);
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
        match self.answer.take() {
            Some(Ok(outcome)) => {
                let timeline = std::mem::take(&mut self.timeline);
                Ok(Py::new(py, RunProfile(Profile { outcome, timeline }))?.into_any())
            }
            Some(Err(error)) => Err(raised(py, error, self.run.command(), Form::Text)),
            None => Ok(py.None()),
        }
    }

    /// Asking no more changes nothing: the run belongs to its handle.
    fn end(&mut self) {}
}
