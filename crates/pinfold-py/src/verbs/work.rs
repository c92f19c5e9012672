//! What is run on its way to what a verb makes of it.

use super::call::{Call, Ear};
use crate::command::Command;
use crate::convert::shown;
use crate::error::{Form, raised, unexpected};
use crate::heard::Heard;
use crate::machine::Work;
use crate::result::{BytesResult, ProcessResult};
use crate::runner::Any;
use pinfold::text::trim_newline;
use pinfold::{Completion, FirstLine, Judge, Output, Stream};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// What a verb makes of a finished run.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    Run,
    Output,
    OutputBytes,
    Json,
    ExitCode,
    Probe,
}

impl Shape {
    fn judge(self) -> Judge {
        match self {
            Shape::Run | Shape::Json => Judge::Succeed,
            Shape::Output | Shape::OutputBytes => Judge::End,
            Shape::ExitCode => Judge::Return,
            Shape::Probe => Judge::Answer,
        }
    }

    fn form(self) -> Form {
        match self {
            Shape::OutputBytes => Form::Bytes,
            _ => Form::Text,
        }
    }

    fn made(
        self,
        py: Python<'_>,
        output: Output<Vec<u8>>,
        command: &pinfold::Command,
    ) -> PyResult<Py<PyAny>> {
        Ok(match self {
            Shape::Run => {
                let encodings = Stream::BOTH.map(|stream| command.encoding_of(stream).clone());
                // Nobody will look at the other stream.
                let mut output = output;
                output.stderr.clear();
                let text = py.detach(|| output.into_text(&encodings)).stdout;
                trim_newline(&text).into_pyobject(py)?.into_any().unbind()
            }
            Shape::Output => Py::new(py, ProcessResult::new(py, output, command)?)?.into_any(),
            Shape::OutputBytes => Py::new(py, BytesResult::new(py, output, command)?)?.into_any(),
            Shape::Json => json(py, output, command)?,
            Shape::ExitCode => output.outcome.code().into_pyobject(py)?.into_any().unbind(),
            Shape::Probe => {
                (output.outcome.code() == Some(0)).into_pyobject(py)?.to_owned().into_any().unbind()
            }
        })
    }
}

/// Read by Python's own reader, so that numbers are what Python makes of them.
fn json(py: Python<'_>, output: Output<Vec<u8>>, command: &pinfold::Command) -> PyResult<Py<PyAny>> {
    static LOADS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let result = ProcessResult::new(py, output, command)?;
    let result = Bound::new(py, result)?;
    match LOADS.import(py, "json", "loads")?.call1((result.getattr("stdout")?,)) {
        Ok(value) => Ok(value.unbind()),
        Err(error) if error.is_instance_of::<pyo3::exceptions::PyValueError>(py) => {
            let program = command.program();
            let what = format!("{}: wrote no such JSON: {}", shown(py, program)?, error.value(py));
            Err(unexpected(py, &what, program, result.into_any().unbind()))
        }
        Err(error) => Err(error),
    }
}

/// A command on its way to what a verb makes of it.
pub(crate) fn to_its_end(runner: Any, command: &Command, shape: Shape, call: Call) -> impl Work + use<> {
    let (command, ear) = (command.0.clone(), Ear::default());
    let runner = call.with(runner, &command, &ear);
    let completion = Completion::new(runner, command.clone(), shape.judge());
    Heard::new(completion, ear, move |py, answer| match answer {
        Some(Ok(output)) => shape.made(py, output, &command),
        Some(Err(error)) => Err(raised(py, error, &command, shape.form())),
        None => Err(nothing()),
    })
}

/// A command on its way to its first line.
pub(crate) fn to_a_line(runner: Any, command: &Command, call: Call) -> impl Work + use<> {
    let (command, ear) = (command.0.clone(), Ear::default());
    let runner = call.with(runner, &command, &ear);
    Heard::new(FirstLine::new(runner, command.clone()), ear, move |py, answer| match answer {
        Some(Ok(line)) => Ok(line.into_pyobject(py)?.into_any().unbind()),
        Some(Err(error)) => Err(raised(py, error, &command, Form::Text)),
        None => Err(nothing()),
    })
}

pub(super) fn nothing() -> PyErr {
    PyRuntimeError::new_err("there is no answer, or it was taken")
}
