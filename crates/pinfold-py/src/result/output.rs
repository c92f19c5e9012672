//! What runs wrote, together with how they ended.

use super::{EndedWith, LimitsHit, Outcome, Seen, Stage, Strays, Usage};
use crate::convert::shown;
use crate::error::{Form, raised_with};
use crate::plain::{Json, from_json, to_json};
use pinfold::{Command, Encoding, Output, Stream};
use pinfold_os_python::bytes;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyString};

/// What both forms of a result have.
macro_rules! result_methods {
    ($name:ident, $text:literal, $form:expr) => {
        #[pymethods]
        impl $name {
            /// What came on standard error, decoded; empty if it was not captured.
            #[getter]
            fn stderr(&self, py: Python<'_>) -> Py<PyString> {
                self.text_of_stderr(py).clone_ref(py)
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

            /// What became of each stage of a pipeline, the first first; empty for a single command.
            #[getter]
            fn stages(&self) -> Vec<Stage> {
                self.rest.stages().iter().cloned().map(Stage).collect()
            }

            /// The index of the stage that a pipeline's outcome is of, if it is none that ended cleanly.
            #[getter]
            fn failed_stage(&self) -> Option<usize> {
                self.rest.failed_stage()
            }

            /// Itself, if it is a success; else raises what `run()` would, with this result in it.
            ///
            /// >>> from pinfold import Command
            /// >>> Command("echo", ["hello"]).output_bytes().ensure_success().stdout
            /// b'hello\n'
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

            fn __reduce__<'py>(
                &self,
                py: Python<'py>,
            ) -> PyResult<(Bound<'py, PyAny>, (&'static str, String, Py<PyAny>, Py<PyString>))> {
                let make = py.import("pinfold._native")?.getattr("_unpickle_result")?;
                let stdout = self.stdout.clone_ref(py).into_any();
                Ok((make, ($text, to_json(py, &self.rest)?, stdout, self.stderr(py))))
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
    let known = PyOnceLock::new();
    // It was empty until now.
    let _ = known.set(py, stderr);
    let result = BytesResult { rest, stdout, encoding: Encoding::default(), stderr: known };
    Ok(Bound::new(py, result)?.into_any())
}

/// The result of a run with its output as text.
///
/// >>> from pinfold import Command
/// >>> result = Command("sh", ["-c", "echo out; echo err >&2; exit 3"]).output()
/// >>> result.stdout, result.stderr, result.code, result.is_success
/// ('out\n', 'err\n', 3, False)
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

    pub(crate) fn of(py: Python<'_>, mut rest: Output<String>) -> ProcessResult {
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
    fn text_of_stderr(&self, _: Python<'_>) -> &Py<PyString> {
        &self.stderr
    }

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

    /// Both streams in one, in the order in which they were read. That is the order of time only as far as the program
    /// waited between the two: what it writes to both at once is read at once, and then standard output is first, all of it
    /// perhaps. `stderr("stdout")` on the command keeps the order of writing.
    ///
    /// >>> from pinfold import Command
    /// >>> Command("sh", ["-c", "echo 1 >&2; echo 2; echo 3 >&2"]).stderr("stdout").output().combined
    /// '1\n2\n3\n'
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
///
/// >>> from pinfold import Command
/// >>> result = Command("printf", ["\\377\\n"]).output_bytes()
/// >>> result.stdout, result.code
/// (b'\xff\n', 0)
#[pyclass(frozen, module = "pinfold")]
pub(crate) struct BytesResult {
    /// All but standard output, which is Python's.
    rest: Output<Vec<u8>>,
    stdout: Py<PyBytes>,
    /// How standard error is decoded.
    encoding: Encoding,
    /// Decoded when it is asked for: it may be as large as the other, and never looked at.
    stderr: PyOnceLock<Py<PyString>>,
}

impl BytesResult {
    pub(crate) fn new(py: Python<'_>, output: Output<Vec<u8>>, command: &Command) -> PyResult<BytesResult> {
        // Standard error of a pipeline is that of one of its stages, which has an encoding of its own.
        let of_stage = output.failed_stage().or(output.stages().len().checked_sub(1));
        let of_stage = of_stage.and_then(|index| output.stages().get(index)).map(pinfold::Stage::encoding);
        let encoding = of_stage.unwrap_or_else(|| command.encoding_of(Stream::Stderr)).clone();
        BytesResult::of(py, output, encoding)
    }

    fn of(py: Python<'_>, mut rest: Output<Vec<u8>>, encoding: Encoding) -> PyResult<BytesResult> {
        let stdout = bytes(py, std::mem::take(&mut rest.stdout))?.unbind();
        Ok(BytesResult { rest, stdout, encoding, stderr: PyOnceLock::new() })
    }

    fn text_of_stderr(&self, py: Python<'_>) -> &Py<PyString> {
        self.stderr.get_or_init(py, || {
            let text = py.detach(|| self.rest.text_of(Stream::Stderr, &self.encoding));
            PyString::new(py, &text).unbind()
        })
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
        BytesResult::of(py, from_json(py, json.bytes())?, Encoding::default())
    }

    /// What came on standard error, as bytes.
    #[getter]
    fn stderr_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.rest.stderr)
    }

    /// Both streams in one, as that of the result as text: in the order in which they were read.
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
