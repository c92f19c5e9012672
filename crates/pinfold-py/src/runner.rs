//! Whatever can run commands, as `pinfold.Runner`, the doubles and the groups use it.

use crate::cancel::CancelToken;
use crate::command::Command;
use crate::handle::Run;
use crate::machine::Pollable;
use crate::testing::refused_by;
use crate::verbs::{Call, launched, verb};
use pinfold::{DryRunner, Host, Runner, Running, With};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use std::sync::{Arc, LazyLock};

/// A runner of whatever kind.
pub(crate) type Any = Arc<dyn Runner>;

/// This host.
pub(crate) fn here() -> Any {
    static HERE: LazyLock<Any> = LazyLock::new(|| Arc::new(Host::new()));
    HERE.clone()
}

/// The runner that a call names: this host, if it names none.
pub(crate) fn chosen<'py>(py: Python<'py>, runner: Option<&Bound<'py, PyAny>>) -> PyResult<(Any, bool)> {
    static BEHIND: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let Some(runner) = runner else { return Ok((here(), true)) };
    let verbs = BEHIND.import(py, "pinfold._verbs", "Verbs")?;
    let behind = verbs.call_method1("_behind", (runner,))?;
    let AnyRunner { any, owns } = behind.cast::<AnyRunner>()?.get();
    Ok((any.clone(), *owns))
}

/// The same, with the token of a call.
pub(crate) fn cancelled_on<'py>(
    py: Python<'py>,
    runner: Option<&Bound<'py, PyAny>>,
    cancel: Option<&Bound<'py, CancelToken>>,
) -> PyResult<With<Any>> {
    let with = With::new(chosen(py, runner)?.0);
    Ok(match cancel {
        Some(token) => with.cancel_on(&token.get().0),
        None => with,
    })
}

/// A runner. The classes of `pinfold` that have the verbs are its faces.
#[pyclass(frozen, module = "pinfold._native")]
pub(crate) struct AnyRunner {
    pub(crate) any: Any,
    /// Whether each of its runs has a container that is its alone.
    pub(crate) owns: bool,
}

impl AnyRunner {
    pub(crate) fn new(runner: impl Runner + 'static, owns: bool) -> AnyRunner {
        AnyRunner { any: Arc::new(runner), owns }
    }
}

#[pymethods]
impl AnyRunner {
    /// The one that really starts processes.
    #[staticmethod]
    fn here() -> AnyRunner {
        AnyRunner { any: here(), owns: true }
    }

    /// One that starts nothing, and tells what it would do: the command, and its plan as text.
    #[staticmethod]
    fn dry(tell: Py<PyAny>) -> AnyRunner {
        AnyRunner::new(Dry { tell }, true)
    }

    /// What a verb makes of a command.
    #[pyo3(signature = (name, command, *, on_line = None, on_event = None, cancel = None, retry_if = None))]
    #[expect(clippy::too_many_arguments, reason = "they are named")]
    fn verb(
        &self,
        py: Python<'_>,
        name: &str,
        command: &Bound<'_, Command>,
        on_line: Option<Py<PyAny>>,
        on_event: Option<Py<PyAny>>,
        cancel: Option<&Bound<'_, CancelToken>>,
        retry_if: Option<Py<PyAny>>,
    ) -> PyResult<Pollable> {
        let call = Call::new(cancel, on_event).until_the_end(on_line, retry_if);
        verb(py, name, self.any.clone(), command.get(), call)
    }

    /// What the handles of a command are made of.
    #[pyo3(signature = (command, *, on_event = None, cancel = None))]
    fn launch(
        &self,
        py: Python<'_>,
        command: &Bound<'_, Command>,
        on_event: Option<Py<PyAny>>,
        cancel: Option<&Bound<'_, CancelToken>>,
    ) -> PyResult<Run> {
        launched(py, self.any.clone(), command.get(), Call::new(cancel, on_event), self.owns)
    }
}

/// A dry run that is told in Python.
struct Dry {
    tell: Py<PyAny>,
}

impl Runner for Dry {
    fn launch(&self, command: &pinfold::Command) -> pinfold::Result<Running> {
        if let Ok(plan) = command.plan() {
            let plan = plan.to_string();
            let told =
                Python::attach(|py| self.tell.call1(py, (Command::of(command.clone()), plan)).map(drop));
            if let Err(raised) = told {
                return refused_by(raised).launch(command);
            }
        }
        // What it cannot plan it refuses.
        DryRunner::telling(|_| ()).launch(command)
    }
}
