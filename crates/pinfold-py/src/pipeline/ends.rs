//! What `|` joins: commands and pipelines, and bytes and files at the ends.

use super::Pipeline;
use crate::command::Command;
use crate::convert::{Fed, Text};
use pinfold::Stdio;
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyMemoryView, PyNotImplemented};

/// What can come after a stage, as a pipeline.
pub(super) struct Joined(pinfold::Pipeline);

impl Joined {
    pub(super) fn after(self, pipeline: pinfold::Pipeline) -> pinfold::Pipeline {
        pipeline.pipe(self.0)
    }
}

impl<'py> FromPyObject<'_, 'py> for Joined {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Joined> {
        if let Ok(command) = given.cast::<Command>() {
            return Ok(Joined((*command.get().0).clone().into()));
        }
        if let Ok(pipeline) = given.cast::<Pipeline>() {
            return Ok(Joined((*pipeline.get().0).clone()));
        }
        Err(PyTypeError::new_err(format!(
            "expected a Command or a Pipeline, not {}",
            given.get_type().name()?
        )))
    }
}

fn is_path(given: &Bound<'_, PyAny>) -> PyResult<bool> {
    given.get_type().hasattr(intern!(given.py(), "__fspath__"))
}

/// `left | right`, or that Python is to ask the other side.
fn joined(left: pinfold::Pipeline, right: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
    let py = right.py();
    let pipeline = match right.extract::<Joined>() {
        Ok(next) => next.after(left),
        Err(_) if is_path(right)? => left.stdout(Stdio::file(right.extract::<Text>()?.0)),
        Err(_) => return Ok(PyNotImplemented::get(py).to_owned().into_any().unbind()),
    };
    Ok(Py::new(py, Pipeline::of(pipeline))?.into_any())
}

/// `left | right` where the left side is no command: what the first stage reads.
fn fed(left: &Bound<'_, PyAny>, right: pinfold::Pipeline) -> PyResult<Py<PyAny>> {
    let py = left.py();
    let is_bytes = left.is_instance_of::<PyBytes>()
        || left.is_instance_of::<PyByteArray>()
        || left.is_instance_of::<PyMemoryView>();
    let pipeline = if is_bytes {
        right.stdin_bytes(left.extract::<Fed>()?.0)
    } else if is_path(left)? {
        right.stdin_file(left.extract::<Text>()?.0)
    } else {
        return Ok(PyNotImplemented::get(py).to_owned().into_any().unbind());
    };
    Ok(Py::new(py, Pipeline::of(pipeline))?.into_any())
}

#[pymethods]
impl Command {
    /// Has what it writes read by this, a command or a pipeline, by a pipe of the kernel's. The same as `|`.
    ///
    /// >>> from pinfold import Command
    /// >>> Command("echo", ["hello"]).pipe(Command("tr", ["a-z", "A-Z"])).run()
    /// 'HELLO'
    fn pipe(&self, next: Joined) -> Pipeline {
        Pipeline::of(next.after((*self.0).clone().into()))
    }

    fn __or__(&self, next: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        joined((*self.0).clone().into(), next)
    }

    fn __ror__(&self, before: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        fed(before, (*self.0).clone().into())
    }
}

#[pymethods]
impl Pipeline {
    fn __or__(&self, next: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        joined((*self.0).clone(), next)
    }

    fn __ror__(&self, before: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        fed(before, (*self.0).clone())
    }
}
