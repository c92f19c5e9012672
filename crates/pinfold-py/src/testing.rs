//! Doubles for tests, as the classes of `pinfold.testing` use them.

mod reply;
mod seen;

pub(crate) use reply::Reply;
pub(crate) use seen::{Invocation, Spy};

use crate::command::Command;
use crate::convert::{Text, Texts, one_of};
use crate::error::{Form, raised_with};
use crate::runner::{Any, AnyRunner};
use pinfold::ErrorKind;
use pinfold::testing::{Cassette, ScriptedRunner};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::ffi::OsString;
use std::sync::{Mutex, PoisonError};

/// A runner that refuses everything because of what Python raised: [`crate::error`] raises that as it is.
pub(crate) fn refused_by(raised: PyErr) -> ScriptedRunner {
    ScriptedRunner::new().fallback(refusal(raised))
}

fn refusal(raised: PyErr) -> pinfold::testing::Reply {
    pinfold::testing::Reply::refused_by(ErrorKind::NoReply, "a function of Python's has raised", raised)
}

/// A runner that replies by rules.
#[pyclass(frozen, module = "pinfold._native")]
pub(crate) struct Script(ScriptedRunner);

#[pymethods]
impl Script {
    #[new]
    fn new() -> Script {
        Script(ScriptedRunner::new())
    }

    fn on(&self, prefix: Texts, reply: &Bound<'_, Reply>) {
        let _ = self.0.clone().on(prefix.0, reply.get().0.clone());
    }

    fn when(&self, holds: Py<PyAny>, reply: &Bound<'_, Reply>) {
        let reply = reply.get().0.clone();
        let _ = self.0.clone().answering(move |command| {
            let holds = Python::attach(|py| holds.call1(py, (Command::of(command.clone()),))?.is_truthy(py));
            match holds {
                Ok(holds) => holds.then(|| reply.clone()),
                Err(raised) => Some(refusal(raised)),
            }
        });
    }

    fn sequence(&self, prefix: Texts, replies: Vec<Bound<'_, Reply>>) {
        let _ = self.0.clone().sequence(prefix.0, replies.iter().map(|reply| reply.get().0.clone()));
    }

    fn answering(&self, answer: Py<PyAny>) {
        let _ = self.0.clone().answering(move |command| {
            let reply = Python::attach(|py| {
                let reply = answer.bind(py).call1((Command::of(command.clone()),))?;
                if reply.is_none() {
                    return Ok(None);
                }
                match reply.cast::<Reply>() {
                    Ok(reply) => Ok(Some(reply.get().0.clone())),
                    Err(_) => {
                        let what = format!("expected a Reply or None, not {}", reply.get_type().name()?);
                        Err(PyTypeError::new_err(what))
                    }
                }
            });
            reply.unwrap_or_else(|raised| Some(refusal(raised)))
        });
    }

    fn fallback(&self, reply: &Bound<'_, Reply>) {
        let _ = self.0.clone().fallback(reply.get().0.clone());
    }

    #[getter]
    fn inputs<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyBytes>> {
        self.0.inputs().iter().map(|input| PyBytes::new(py, input)).collect()
    }

    fn runner(&self) -> AnyRunner {
        AnyRunner::new(self.0.clone(), true)
    }
}

/// A cassette.
#[pyclass(frozen, module = "pinfold._native")]
pub(crate) struct Tape {
    cassette: Mutex<Cassette<Any>>,
    owns: bool,
}

impl Tape {
    fn with<T>(&self, act: impl FnOnce(&mut Cassette<Any>) -> T) -> T {
        act(&mut self.cassette.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, change: impl FnOnce(Cassette<Any>) -> Cassette<Any>) {
        self.with(|cassette| *cassette = change(cassette.clone()));
    }
}

#[pymethods]
impl Tape {
    #[new]
    fn new(py: Python<'_>, mode: &str, path: Text, inner: &Bound<'_, AnyRunner>) -> PyResult<Tape> {
        type Open = fn(OsString) -> pinfold::Result<Cassette>;
        let known: [(&str, Open); 3] =
            [("replay", Cassette::replay), ("record", Cassette::record), ("refresh", Cassette::refresh)];
        let open = one_of(py, "mode of a cassette", mode, &known)?;
        let cassette =
            py.detach(|| open(path.0)).map_err(|error| raised_with(py, error, None, Form::Text, None))?;
        let AnyRunner { any, owns } = inner.get();
        Ok(Tape { cassette: Mutex::new(cassette.over(any.clone())), owns: *owns })
    }

    fn lenient(&self) {
        self.change(Cassette::lenient);
    }

    fn keep_env(&self, name: Text) {
        self.change(|cassette| cassette.keep_env(name.0));
    }

    fn redact(&self, pattern: &str, replacement: &str) {
        self.change(|cassette| cassette.redact(pattern, replacement));
    }

    #[getter]
    fn path<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, pyo3::types::PyString>> {
        self.with(|cassette| crate::convert::shown(py, cassette.path().as_os_str()))
    }

    #[getter]
    fn length(&self) -> usize {
        self.with(|cassette| cassette.len())
    }

    #[getter]
    fn unused(&self) -> usize {
        self.with(|cassette| cassette.unused())
    }

    fn save(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.with(|cassette| cassette.save()))
            .map_err(|error| raised_with(py, error, None, Form::Text, None))
    }

    fn runner(&self) -> AnyRunner {
        AnyRunner::new(self.with(|cassette| cassette.clone()), self.owns)
    }
}
