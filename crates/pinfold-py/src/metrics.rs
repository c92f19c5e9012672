//! What was counted of all runs of the process.

use pinfold::metrics::{BOUNDS, Snapshot, snapshot};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// What was counted since this process started, doubles among it. As text it is what Prometheus scrapes, of the content type
/// `text/plain; version=0.0.4`.
///
/// >>> from pinfold import Command, metrics
/// >>> before = metrics()
/// >>> Command("true").run()
/// ''
/// >>> metrics().ended["itself", "exited_zero"] - before.ended["itself", "exited_zero"]
/// 1
/// >>> "pinfold_run_duration_seconds_count" in str(metrics())
/// True
#[pyclass(frozen, module = "pinfold")]
pub(crate) struct Metrics(Snapshot);

#[pymethods]
impl Metrics {
    /// Runs that were started, by what holds them together.
    #[getter]
    fn started<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let started = PyDict::new(py);
        for (mechanism, count) in &self.0.started {
            started.set_item(mechanism.as_str(), count)?;
        }
        Ok(started)
    }

    /// Runs that could not be started.
    #[getter]
    fn not_started(&self) -> u64 {
        self.0.not_started
    }

    /// Runs that have been started and have not ended.
    #[getter]
    fn running(&self) -> u64 {
        self.0.running()
    }

    /// Runs that have ended, by why and how: `("itself", "exited_zero")`, `("timeout", "signalled")`, ...
    #[getter]
    fn ended<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let ended = PyDict::new(py);
        for (cause, ending, count) in &self.0.ended {
            ended.set_item((cause.as_str(), ending), count)?;
        }
        Ok(ended)
    }

    /// How many of those took no longer than each of these bounds in seconds, and longer than the one before.
    #[getter]
    fn durations<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let durations = PyDict::new(py);
        for (bound, count) in BOUNDS.iter().chain([&f64::INFINITY]).zip(&self.0.durations) {
            durations.set_item(bound, count)?;
        }
        Ok(durations)
    }

    /// How long they took together.
    #[getter]
    fn duration_seconds(&self) -> f64 {
        self.0.duration_seconds
    }

    /// Bytes that were captured, by stream.
    #[getter]
    fn output_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let bytes = PyDict::new(py);
        for (stream, count) in pinfold::Stream::BOTH.iter().zip(self.0.output_bytes) {
            bytes.set_item(stream.as_str(), count)?;
        }
        Ok(bytes)
    }

    /// Limits that were run into: `stdout`, `stderr`, `memory`, `processes`.
    #[getter]
    fn limit_hits<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let hits = PyDict::new(py);
        for (limit, count) in &self.0.limit_hits {
            hits.set_item(limit, count)?;
        }
        Ok(hits)
    }

    /// How often one was told to stop.
    #[getter]
    fn stops(&self) -> u64 {
        self.0.stops
    }

    /// How often one was killed.
    #[getter]
    fn kills(&self) -> u64 {
        self.0.kills
    }

    /// Processes that outlived their programs.
    #[getter]
    fn strays(&self) -> u64 {
        self.0.strays
    }

    /// Further attempts by retry rules.
    #[getter]
    fn retries(&self) -> u64 {
        self.0.retries
    }

    /// Restarts by whoever looked after a run.
    #[getter]
    fn restarts(&self) -> u64 {
        self.0.restarts
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        let started: u64 = self.0.started.iter().map(|(_, count)| count).sum();
        format!("<Metrics: {started} runs started, {} running>", self.0.running())
    }
}

/// What was counted of all runs of this process by now.
///
/// >>> from pinfold import Command, metrics
/// >>> before = sum(metrics().started.values())
/// >>> Command("echo", ["hello"]).run()
/// 'hello'
/// >>> sum(metrics().started.values()) - before
/// 1
#[pyfunction]
pub(crate) fn metrics() -> Metrics {
    Metrics(snapshot())
}
