//! What is run on its way to what a verb makes of it.

use crate::convert::shown;
use crate::error::{Form, raised, unexpected};
use crate::machine::{Driven, Work};
use crate::result::{BytesResult, ProcessResult};
use pinfold::text::{decode_owned, trim_newline};
use pinfold::{Completion, FirstLine, Host, Judge, Output, Runner, Stream};
use pinfold_os::poll::{Set, Woken};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

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
                let encoding = command.encoding_of(Stream::Stdout);
                let text = py.detach(|| decode_owned(encoding, output.stdout));
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

/// A callback of Python's for each line, and what it raised.
#[derive(Clone, Default)]
struct Ear {
    raised: Arc<Mutex<Option<PyErr>>>,
}

impl Ear {
    fn on(&self, host: Host, callback: Py<PyAny>) -> Host {
        let raised = self.raised.clone();
        host.on_line(move |stream, line| {
            let mut raised = raised.lock().unwrap_or_else(PoisonError::into_inner);
            if raised.is_none() {
                let told = Python::attach(|py| callback.call1(py, (stream.as_str(), line)).map(drop));
                *raised = told.err();
            }
        })
    }

    fn take(&self) -> Option<PyErr> {
        self.raised.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn has_raised(&self) -> bool {
        self.raised.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

/// A command, or what it stands for, on its way to what a verb makes of it.
pub(crate) struct Verb<R: Runner = Host> {
    driven: Driven<Completion<R, Arc<pinfold::Command>>>,
    command: Arc<pinfold::Command>,
    shape: Shape,
    ear: Ear,
}

impl<R: Runner> Verb<R> {
    /// What runs it is made of a host that listens for the callback.
    pub(crate) fn new(
        command: Arc<pinfold::Command>,
        shape: Shape,
        on_line: Option<Py<PyAny>>,
        host: Host,
        on: impl FnOnce(Host) -> R,
    ) -> Verb<R> {
        let ear = Ear::default();
        let host = match on_line {
            Some(callback) => ear.on(host, callback),
            None => host,
        };
        let driven = Driven::new(Completion::new(on(host), command.clone(), shape.judge()));
        Verb { driven, command, shape, ear }
    }
}

impl<R: Runner> Work for Verb<R> {
    fn advance(&mut self) -> io::Result<bool> {
        let done = self.driven.advance()?;
        if self.ear.has_raised() {
            self.driven.end();
            return Ok(true);
        }
        Ok(done)
    }

    fn rest(&self, until: Option<Instant>) -> io::Result<Woken> {
        self.driven.rest(until)
    }

    fn watch(&mut self) -> io::Result<(&Set, Option<Instant>)> {
        self.driven.watch()
    }

    fn answer(&mut self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        if let Some(raised) = self.ear.take() {
            return Err(raised);
        }
        match self.driven.answer.take() {
            Some(Ok(output)) => self.shape.made(py, output, &self.command),
            Some(Err(error)) => Err(raised(py, error, &self.command, self.shape.form())),
            None => Err(nothing()),
        }
    }

    fn end(&mut self) {
        self.driven.end();
    }
}

fn nothing() -> PyErr {
    PyRuntimeError::new_err("there is no answer, or it was taken")
}

/// A command, or what it stands for, on its way to its first line.
pub(crate) struct Line<R: Runner = Host> {
    driven: Driven<FirstLine<R, Arc<pinfold::Command>>>,
    command: Arc<pinfold::Command>,
}

impl<R: Runner> Line<R> {
    pub(crate) fn new(command: Arc<pinfold::Command>, runner: R) -> Line<R> {
        Line { driven: Driven::new(FirstLine::new(runner, command.clone())), command }
    }
}

impl<R: Runner> Work for Line<R> {
    fn advance(&mut self) -> io::Result<bool> {
        self.driven.advance()
    }

    fn rest(&self, until: Option<Instant>) -> io::Result<Woken> {
        self.driven.rest(until)
    }

    fn watch(&mut self) -> io::Result<(&Set, Option<Instant>)> {
        self.driven.watch()
    }

    fn answer(&mut self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self.driven.answer.take() {
            Some(Ok(line)) => Ok(line.into_pyobject(py)?.into_any().unbind()),
            Some(Err(error)) => Err(raised(py, error, &self.command, Form::Text)),
            None => Err(nothing()),
        }
    }

    fn end(&mut self) {
        self.driven.end();
    }
}
