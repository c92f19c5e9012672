//! What became of one stage of a pipeline.

use super::Outcome;
use crate::convert::shown;
use crate::plain::plain;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

/// What became of one stage of a pipeline.
///
/// >>> from pinfold import Command
/// >>> result = (Command("echo", ["a"]) | Command("cat")).output()
/// >>> [(stage.program, stage.outcome.code) for stage in result.stages]
/// [('echo', 0), ('cat', 0)]
#[pyclass(frozen, module = "pinfold")]
pub(crate) struct Stage(pub(crate) pinfold::Stage);
plain!(Stage, "Stage");

#[pymethods]
impl Stage {
    /// The program as its command named it.
    #[getter]
    fn program<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        shown(py, &self.0.program)
    }

    /// What came on its standard error, decoded; empty if that was not captured.
    #[getter]
    fn stderr(&self) -> String {
        self.0.stderr_text()
    }

    /// The same as bytes.
    #[getter]
    fn stderr_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.stderr)
    }

    /// How it ended.
    #[getter]
    fn outcome(&self) -> Outcome {
        Outcome(self.0.outcome.clone())
    }

    /// Whether it ended cleanly: with a code that is a success, in whatever way if it is unchecked, or, before the last, by
    /// `SIGPIPE`, since nobody wanted more of it.
    #[getter]
    fn is_clean(&self) -> bool {
        self.0.clean
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let program = self.program(py)?.repr()?;
        Ok(format!("<Stage {}: {}>", program.to_cow()?, self.0.outcome))
    }
}
