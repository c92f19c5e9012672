//! What a runner was asked to run.

use crate::convert::{Text, shown};
use crate::runner::{Any, AnyRunner};
use pinfold::testing::RecordingRunner;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

/// What a runner was asked to run. A verb that tries again asks again.
///
/// >>> from pinfold import Command
/// >>> from pinfold.testing import RecordingRunner, Reply
/// >>> spy = RecordingRunner.replying(Reply.ok())
/// >>> spy.run(Command("rsync", ["--delete", "a/", "b/"]).env("RSYNC_RSH", "ssh -4"))
/// ''
/// >>> spy.only_call()
/// Invocation(program='rsync', args=['--delete', 'a/', 'b/'])
/// >>> spy.only_call().env
/// {'RSYNC_RSH': 'ssh -4'}
#[pyclass(frozen, module = "pinfold.testing")]
pub(crate) struct Invocation(pinfold::testing::Invocation);

#[pymethods]
impl Invocation {
    /// The program as it was named.
    #[getter]
    fn program<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        shown(py, &self.0.program)
    }

    /// Its arguments.
    #[getter]
    fn args<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyString>>> {
        self.0.args.iter().map(|arg| shown(py, arg)).collect()
    }

    /// The directory that it was to start in; `None` if none was named.
    #[getter]
    fn cwd<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyString>>> {
        self.0.cwd.as_ref().map(|cwd| shown(py, cwd.as_os_str())).transpose()
    }

    /// The environment variables that were set, or removed (`None`): the last word on each.
    #[getter]
    fn env<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let env = PyDict::new(py);
        for (name, value) in &self.0.env {
            env.set_item(shown(py, name)?, value.as_ref().map(|value| shown(py, value)).transpose()?)?;
        }
        Ok(env)
    }

    /// Whether it was given something to read, or somebody who writes.
    #[getter]
    fn has_stdin(&self) -> bool {
        self.0.has_stdin
    }

    /// Whether a flag is among its arguments, by itself or as `flag=value`. What comes after a `--` is no flag.
    ///
    /// >>> from pinfold import Command
    /// >>> from pinfold.testing import RecordingRunner, Reply
    /// >>> spy = RecordingRunner.replying(Reply.ok(""))
    /// >>> _ = spy.run(Command("git", ["push", "--force", "--", "--tags"]))
    /// >>> spy.only_call().has_flag("--force"), spy.only_call().has_flag("--tags")
    /// (True, False)
    fn has_flag(&self, flag: Text) -> bool {
        self.0.has_flag(flag.0)
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Invocation>().is_ok_and(|other| self.0 == other.get().0)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let (program, args) = (self.program(py)?.repr()?, self.args(py)?.into_pyobject(py)?.repr()?);
        Ok(format!("Invocation(program={}, args={})", program.to_cow()?, args.to_cow()?))
    }
}

/// A runner that notes what it is asked for.
#[pyclass(frozen, module = "pinfold._native")]
pub(crate) struct Spy {
    spy: RecordingRunner<Any>,
    owns: bool,
}

#[pymethods]
impl Spy {
    #[new]
    fn new(inner: &Bound<'_, AnyRunner>) -> Spy {
        let AnyRunner { any, owns } = inner.get();
        Spy { spy: RecordingRunner::new(any.clone()), owns: *owns }
    }

    #[getter]
    fn calls(&self) -> Vec<Invocation> {
        self.spy.calls().into_iter().map(Invocation).collect()
    }

    fn clear(&self) {
        self.spy.clear();
    }

    fn runner(&self) -> AnyRunner {
        AnyRunner::new(self.spy.clone(), self.owns)
    }
}
