//! How runs end, and what they wrote.

use crate::convert::shown;
use crate::error::{Form, raised_with};
use crate::plain::{Json, from_json, plain, to_json};
use pinfold::{Command, Output, Stream};
use pinfold_os::memory;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

/// What was seen of one stream.
#[pyclass(frozen, module = "pinfold")]
pub(crate) struct Seen(pub(crate) pinfold::Seen);
plain!(Seen, "Seen");

#[pymethods]
impl Seen {
    /// Bytes, whether they were retained or not.
    #[getter]
    fn bytes(&self) -> u64 {
        self.0.bytes
    }

    /// Lines; an unfinished last one counts.
    #[getter]
    fn lines(&self) -> u64 {
        self.0.lines
    }

    /// Whether some are not retained.
    #[getter]
    fn truncated(&self) -> bool {
        self.0.truncated
    }

    fn __repr__(&self) -> String {
        let pinfold::Seen { bytes, lines, truncated } = self.0;
        format!("Seen(bytes={bytes}, lines={lines}, truncated={})", python(truncated))
    }
}

/// What a run has used.
#[pyclass(frozen, module = "pinfold")]
pub(crate) struct Usage(pub(crate) pinfold::Usage);
plain!(Usage, "Usage");

#[pymethods]
impl Usage {
    /// Seconds on CPUs in user mode: of every process of the run in a cgroup, else of the program and the children that
    /// it waited for.
    #[getter]
    fn user_seconds(&self) -> f64 {
        self.0.user.as_secs_f64()
    }

    /// Seconds on CPUs in the kernel, counted likewise.
    #[getter]
    fn system_seconds(&self) -> f64 {
        self.0.system.as_secs_f64()
    }

    /// Both together.
    #[getter]
    fn cpu_time_seconds(&self) -> f64 {
        self.0.cpu_time().as_secs_f64()
    }

    /// The most memory of it in bytes, by the kernel's own account; `None` where the kernel cannot tell it from ours.
    #[getter]
    fn peak_memory_bytes(&self) -> Option<u64> {
        self.0.peak_memory
    }

    fn __repr__(&self) -> String {
        format!(
            "Usage(user_seconds={:?}, system_seconds={:?}, peak_memory_bytes={})",
            self.user_seconds(),
            self.system_seconds(),
            or_none(self.0.peak_memory)
        )
    }
}

/// A process that outlived its program.
#[pyclass(frozen, module = "pinfold")]
pub(crate) struct Stray(pub(crate) pinfold::Stray);
plain!(Stray, "Stray");

#[pymethods]
impl Stray {
    /// Its pid; it is most likely gone.
    #[getter]
    fn pid(&self) -> u32 {
        self.0.pid.get()
    }

    /// Its name as the kernel has it, empty if it was gone before it could be asked.
    #[getter]
    fn name(&self) -> &str {
        &self.0.name
    }

    fn __repr__(&self) -> String {
        format!("Stray(pid={}, name={:?})", self.0.pid.get(), self.0.name)
    }
}

/// The processes that outlived their program.
#[pyclass(frozen, module = "pinfold")]
pub(crate) struct Strays(pub(crate) pinfold::Strays);
plain!(Strays, "Strays");

#[pymethods]
impl Strays {
    /// How many were still there when the program had ended and their time to linger was over.
    #[getter]
    fn count(&self) -> usize {
        self.0.count
    }

    /// Whether some ignored the stop signal and were killed.
    #[getter]
    fn killed(&self) -> bool {
        self.0.killed
    }

    /// The first of them, 16 at most.
    #[getter]
    fn some(&self) -> Vec<Stray> {
        self.0.some.iter().cloned().map(Stray).collect()
    }

    /// Processes outside of the container that held the output open to the last.
    #[getter]
    fn holding_output(&self) -> Vec<Stray> {
        self.0.holding_output.iter().cloned().map(Stray).collect()
    }

    fn __bool__(&self) -> bool {
        self.0.count > 0 || !self.0.holding_output.is_empty()
    }

    fn __repr__(&self) -> String {
        format!("Strays(count={}, killed={})", self.0.count, python(self.0.killed))
    }
}

/// What a run has run into, by the kernel's own count. A figure is `None` where nobody counted.
#[pyclass(frozen, module = "pinfold")]
pub(crate) struct LimitsHit(pub(crate) pinfold::LimitsHit);
plain!(LimitsHit, "LimitsHit");

#[pymethods]
impl LimitsHit {
    /// Processes that the kernel killed because memory had run out.
    #[getter]
    fn oom_kills(&self) -> Option<u64> {
        self.0.oom_kills
    }

    /// How often its memory was about to go over the limit, most often with no harm done.
    #[getter]
    fn memory_max(&self) -> Option<u64> {
        self.0.memory_max
    }

    /// Processes and threads that were refused.
    #[getter]
    fn processes(&self) -> Option<u64> {
        self.0.processes
    }

    /// Seconds for which its CPU quota kept it from running.
    #[getter]
    fn throttled_seconds(&self) -> Option<f64> {
        self.0.throttled.map(|time| time.as_secs_f64())
    }

    /// Whether the kernel killed a process of it because memory had run out.
    #[getter]
    fn out_of_memory(&self) -> bool {
        self.0.out_of_memory()
    }

    fn __repr__(&self) -> String {
        format!(
            "LimitsHit(oom_kills={}, memory_max={}, processes={}, throttled_seconds={})",
            or_none(self.0.oom_kills),
            or_none(self.0.memory_max),
            or_none(self.0.processes),
            self.throttled_seconds().map_or("None".to_owned(), |seconds| format!("{seconds:?}"))
        )
    }
}

/// How a run ended.
#[pyclass(frozen, module = "pinfold")]
pub(crate) struct Outcome(pub(crate) pinfold::Outcome);
plain!(Outcome, "Outcome");

/// The getters of an outcome, which everything that has one has too.
macro_rules! outcome_getters {
    ($name:ident) => {
        #[pymethods]
        impl $name {
            /// The exit code; `None` if a signal ended it.
            #[getter]
            fn code(&self) -> Option<i32> {
                self.ended().code()
            }

            /// The number of the signal that ended it; `None` if it returned a code.
            #[getter]
            fn signal(&self) -> Option<i32> {
                self.ended().signal().map(|signal| signal.number())
            }

            /// Whether it dumped core.
            #[getter]
            fn core_dumped(&self) -> bool {
                self.ended().core_dumped()
            }

            /// Whether one of its timeouts ended it.
            #[getter]
            fn timed_out(&self) -> bool {
                self.ended().timed_out()
            }

            /// Whether it ended of its own accord with code 0.
            #[getter]
            fn exited_zero(&self) -> bool {
                self.ended().exited_zero()
            }

            /// Why it ended: `itself`, `timeout`, `idle_timeout`, `cancelled`, `stopped` or `output_limit`.
            #[getter]
            fn cause(&self) -> &'static str {
                self.ended().cause.as_str()
            }

            /// Seconds from the start to the end of all of it.
            #[getter]
            fn duration_seconds(&self) -> f64 {
                self.ended().duration.as_secs_f64()
            }

            /// What it used.
            #[getter]
            fn usage(&self) -> Usage {
                Usage(self.ended().usage)
            }

            /// What outlived the program.
            #[getter]
            fn strays(&self) -> Strays {
                Strays(self.ended().strays.clone())
            }

            /// Which of its limits it ran into.
            #[getter]
            fn limits_hit(&self) -> LimitsHit {
                LimitsHit(self.ended().limits_hit)
            }

            /// What held it together: `cgroup_v2`, `process_group`, ...
            #[getter]
            fn mechanism(&self) -> &'static str {
                self.ended().mechanism.as_str()
            }

            /// What that was good for: `kernel`, `guarded`, `while_owner_lives` or `best_effort`.
            #[getter]
            fn guarantee(&self) -> &'static str {
                self.ended().guarantee.as_str()
            }

            /// What was seen of its standard output; `None` if that was not captured.
            #[getter]
            fn stdout_seen(&self) -> Option<Seen> {
                self.ended().stdout.map(Seen)
            }

            /// What was seen of its standard error; `None` if that was not captured.
            #[getter]
            fn stderr_seen(&self) -> Option<Seen> {
                self.ended().stderr.map(Seen)
            }
        }
    };
}


impl Outcome {
    fn ended(&self) -> &pinfold::Outcome {
        &self.0
    }
}

outcome_getters!(Outcome);

#[pymethods]
impl Outcome {
    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        format!("<Outcome: {}>", self.0)
    }
}

/// What both forms of a result have.
macro_rules! result_methods {
    ($name:ident, $text:literal, $form:expr) => {
        #[pymethods]
        impl $name {
            /// What came on standard error, decoded; empty if it was not captured.
            #[getter]
            fn stderr(&self, py: Python<'_>) -> Py<PyString> {
                self.stderr.clone_ref(py)
            }

            /// The program as the command named it.
            #[getter]
            fn program<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
                shown(py, self.rest.program())
            }

            /// Whether it ended of its own accord with one of the command's success codes.
            #[getter]
            fn is_success(&self) -> bool {
                self.rest.is_success()
            }

            /// Whether some of the output was not retained.
            #[getter]
            fn truncated(&self) -> bool {
                self.rest.truncated()
            }

            /// How the run ended.
            #[getter]
            fn outcome(&self) -> Outcome {
                Outcome(self.rest.outcome.clone())
            }

            /// Itself, if it is a success; else raises what `run()` would, with this result in it.
            fn ensure_success<'py>(slf: Bound<'py, Self>) -> PyResult<Bound<'py, Self>> {
                let py = slf.py();
                match slf.get().rest.clone().ensure_success() {
                    Ok(_) => Ok(slf),
                    Err(error) => Err(raised_with(py, error, None, $form, Some(slf.as_any()))),
                }
            }

            /// Itself as JSON, output and all, which `from_json` reads.
            fn to_json(&self, py: Python<'_>) -> PyResult<String> {
                to_json(py, &self.whole(py)?)
            }

            #[expect(clippy::type_complexity, reason = "a pickle is a function and what it is called with")]
            fn __reduce__<'py>(
                &self,
                py: Python<'py>,
            ) -> PyResult<(Bound<'py, PyAny>, (&'static str, String, Py<PyAny>, Py<PyString>))> {
                let make = py.import("pinfold._native")?.getattr("_unpickle_result")?;
                let stdout = self.stdout.clone_ref(py).into_any();
                Ok((make, ($text, to_json(py, &self.rest)?, stdout, self.stderr.clone_ref(py))))
            }

            fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
                let outcome = &self.rest.outcome;
                let seen = |name: &str, seen: Option<pinfold::Seen>| match seen {
                    Some(seen) => format!("; {name}: {} bytes", seen.bytes),
                    None => String::new(),
                };
                let streams = seen("stdout", outcome.stdout) + &seen("stderr", outcome.stderr);
                let program = self.program(py)?.repr()?;
                Ok(format!(concat!("<", $text, " of {}: {}{}>"), program.to_cow()?, outcome, streams))
            }
        }
    };
}

/// Makes what the pickle of a result holds.
#[pyfunction]
#[pyo3(name = "_unpickle_result")]
pub(crate) fn unpickle_result<'py>(
    py: Python<'py>,
    class: &str,
    rest: &str,
    stdout: Bound<'py, PyAny>,
    stderr: Bound<'py, PyString>,
) -> PyResult<Bound<'py, PyAny>> {
    let (json, stderr) = (rest.as_bytes(), stderr.unbind());
    if class == "ProcessResult" {
        let (rest, stdout) = (from_json(py, json)?, stdout.cast_into()?.unbind());
        return Ok(Bound::new(py, ProcessResult { rest, stdout, stderr })?.into_any());
    }
    let (rest, stdout) = (from_json(py, json)?, stdout.cast_into()?.unbind());
    Ok(Bound::new(py, BytesResult { rest, stdout, stderr })?.into_any())
}

/// The result of a run with its output as text.
#[pyclass(frozen, module = "pinfold")]
pub(crate) struct ProcessResult {
    /// All but the text, which is Python's.
    rest: Output<String>,
    stdout: Py<PyString>,
    stderr: Py<PyString>,
}

impl ProcessResult {
    pub(crate) fn new(py: Python<'_>, output: Output<Vec<u8>>, command: &Command) -> PyResult<ProcessResult> {
        let encodings = Stream::BOTH.map(|stream| command.encoding_of(stream).clone());
        let text = py.detach(|| output.into_text(&encodings));
        Ok(ProcessResult::of(py, text))
    }

    fn of(py: Python<'_>, mut rest: Output<String>) -> ProcessResult {
        let stdout = PyString::new(py, &std::mem::take(&mut rest.stdout)).unbind();
        let stderr = PyString::new(py, &std::mem::take(&mut rest.stderr)).unbind();
        ProcessResult { rest, stdout, stderr }
    }

    /// With the text in it.
    fn whole(&self, py: Python<'_>) -> PyResult<Output<String>> {
        let mut whole = self.rest.clone();
        whole.stdout = self.stdout.to_str(py)?.to_owned();
        whole.stderr = self.stderr.to_str(py)?.to_owned();
        Ok(whole)
    }
}

impl ProcessResult {
    fn ended(&self) -> &pinfold::Outcome {
        &self.rest.outcome
    }
}

outcome_getters!(ProcessResult);
result_methods!(ProcessResult, "ProcessResult", Form::Text);

#[pymethods]
impl ProcessResult {
    /// What came on standard output, decoded and nothing else: its last line break and its CRLFs are there. Empty if it was
    /// not captured.
    #[getter]
    fn stdout(&self, py: Python<'_>) -> Py<PyString> {
        self.stdout.clone_ref(py)
    }

    /// What `to_json` wrote. Raises `InvalidInput` for anything else.
    #[staticmethod]
    fn from_json(py: Python<'_>, json: Json) -> PyResult<ProcessResult> {
        Ok(ProcessResult::of(py, from_json(py, json.bytes())?))
    }

    /// Both streams in the order in which they were read.
    #[getter]
    fn combined(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.whole(py)?.combined())
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        let Ok(other) = other.cast::<ProcessResult>() else { return Ok(false) };
        let (py, other) = (other.py(), other.get());
        Ok(self.rest == other.rest
            && self.stdout.bind(py).as_any().eq(&other.stdout)?
            && self.stderr.bind(py).as_any().eq(&other.stderr)?)
    }
}

/// The result of a run with its standard output as bytes.
#[pyclass(frozen, module = "pinfold")]
pub(crate) struct BytesResult {
    /// All but standard output, which is Python's.
    rest: Output<Vec<u8>>,
    stdout: Py<PyBytes>,
    stderr: Py<PyString>,
}

impl BytesResult {
    pub(crate) fn new(py: Python<'_>, output: Output<Vec<u8>>, command: &Command) -> PyResult<BytesResult> {
        let encoding = command.encoding_of(Stream::Stderr);
        BytesResult::of(py, output, |bytes| pinfold::text::decode(encoding, bytes))
    }

    fn of(
        py: Python<'_>,
        mut rest: Output<Vec<u8>>,
        decode: impl Fn(&[u8]) -> String,
    ) -> PyResult<BytesResult> {
        let stdout = bytes(py, std::mem::take(&mut rest.stdout))?.unbind();
        let stderr = PyString::new(py, &decode(&rest.stderr)).unbind();
        Ok(BytesResult { rest, stdout, stderr })
    }

    fn whole(&self, py: Python<'_>) -> PyResult<Output<Vec<u8>>> {
        let mut whole = self.rest.clone();
        whole.stdout = self.stdout.as_bytes(py).to_owned();
        Ok(whole)
    }
}

impl BytesResult {
    fn ended(&self) -> &pinfold::Outcome {
        &self.rest.outcome
    }
}

outcome_getters!(BytesResult);
result_methods!(BytesResult, "BytesResult", Form::Bytes);

#[pymethods]
impl BytesResult {
    /// What came on standard output; empty if it was not captured.
    #[getter]
    fn stdout(&self, py: Python<'_>) -> Py<PyBytes> {
        self.stdout.clone_ref(py)
    }

    /// What `to_json` wrote. Raises `InvalidInput` for anything else.
    #[staticmethod]
    fn from_json(py: Python<'_>, json: Json) -> PyResult<BytesResult> {
        let utf8 = Default::default();
        BytesResult::of(py, from_json(py, json.bytes())?, |bytes| pinfold::text::decode(&utf8, bytes))
    }

    /// What came on standard error, as bytes.
    #[getter]
    fn stderr_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.rest.stderr)
    }

    /// Both streams in the order in which they were read.
    #[getter]
    fn combined<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        bytes(py, self.whole(py)?.combined())
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        let Ok(other) = other.cast::<BytesResult>() else { return Ok(false) };
        let (py, other) = (other.py(), other.get());
        Ok(self.rest == other.rest && self.stdout.bind(py).as_any().eq(&other.stdout)?)
    }
}

/// `bytes` of what Rust holds. What is large is never there twice.
pub(crate) fn bytes(py: Python<'_>, from: Vec<u8>) -> PyResult<Bound<'_, PyBytes>> {
    /// Below this a second copy for a moment is no harm.
    const LARGE: usize = 8 << 20;
    if from.len() < LARGE {
        return Ok(PyBytes::new(py, &from));
    }
    // It grows without being moved, and gives away what it holds.
    let whole = py.import("io")?.getattr("BytesIO")?.call0()?;
    let write = whole.getattr("write")?;
    memory::hand_over(from, |piece| write.call1((PyBytes::new(py, piece),)).map(drop))?;
    Ok(whole.call_method0("getvalue")?.cast_into()?)
}

fn python(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

fn or_none(value: Option<u64>) -> String {
    value.map_or("None".to_owned(), |value| value.to_string())
}
