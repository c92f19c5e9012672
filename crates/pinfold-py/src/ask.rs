//! Questions to Python: predicates, which the engine asks, and what they raise, which it knows nothing of.

use crate::convert::shown_error;
use crate::heard::Ears;
use pyo3::call::PyCallArgs;
use pyo3::exceptions::{PyException, PyTypeError};
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
use std::cell::RefCell;
use std::sync::Arc;

thread_local! {
    /// What was raised on this thread while a machine was advanced on it.
    static RAISED: RefCell<Option<PyErr>> = const { RefCell::new(None) };
}

/// Takes what was raised since the last time.
pub(crate) fn take_raised() -> Option<PyErr> {
    RAISED.with_borrow_mut(Option::take)
}

/// What was raised on the thread that advances a machine, all of it or what counts of it.
pub(crate) struct Raised {
    look: fn() -> Option<PyErr>,
    kept: Option<PyErr>,
}

impl Raised {
    pub(crate) fn by(look: fn() -> Option<PyErr>) -> Raised {
        Raised { look, kept: None }
    }
}

impl Ears for Raised {
    fn has_raised(&mut self) -> bool {
        self.kept = self.kept.take().or_else(self.look);
        self.kept.is_some()
    }

    fn take(&mut self) -> Option<PyErr> {
        self.kept.take()
    }
}

fn keep(error: PyErr) {
    RAISED.with_borrow_mut(|raised| {
        raised.get_or_insert(error);
    });
}

/// A callable of Python's. Its clones are one reference, which one object of Python's shows to the garbage collector: what a
/// closure of the engine's holds besides could not be seen.
#[derive(Clone)]
pub(crate) struct Callable(Arc<Py<PyAny>>);

impl Callable {
    pub(crate) fn new(given: &Bound<'_, PyAny>) -> PyResult<Callable> {
        if given.is_callable() {
            return Ok(Callable(Arc::new(given.clone().unbind())));
        }
        Err(PyTypeError::new_err(format!("expected a callable, not {}", given.get_type().name()?)))
    }

    /// What is to be called, whatever it is.
    pub(crate) fn of(given: Py<PyAny>) -> Callable {
        Callable(Arc::new(given))
    }

    /// A reference of its own, for another object of Python's to show.
    pub(crate) fn twin(&self, py: Python<'_>) -> Callable {
        Callable(Arc::new(self.0.clone_ref(py)))
    }

    /// For `__traverse__` of the object whose it is.
    pub(crate) fn show(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&*self.0)
    }

    pub(crate) fn call<'py>(&self, py: Python<'py>, args: impl PyCallArgs<'py>) -> PyResult<Py<PyAny>> {
        self.0.call1(py, args)
    }

    /// Whether it holds. An answer that would have to be awaited is refused, since it would always hold.
    pub(crate) fn ask<'py>(&self, py: Python<'py>, args: impl PyCallArgs<'py>) -> PyResult<bool> {
        let answer = self.0.bind(py).call1(args)?;
        if answer.hasattr("__await__")? {
            if answer.hasattr("close")? {
                answer.call_method0("close")?;
            }
            let what = "an async predicate can only be awaited: `await wait_for(predicate, ...)`";
            return Err(PyTypeError::new_err(what));
        }
        answer.is_truthy()
    }

    /// Whether it holds, for the engine; no if it raised.
    pub(crate) fn holds(
        &self,
        ask: impl FnOnce(Python<'_>, &Callable) -> PyResult<bool>,
    ) -> Result<(), String> {
        // Nobody can be asked any more where the interpreter is about to be gone.
        let asked = Python::try_attach(|py| match ask(py, self) {
            Ok(true) => Ok(()),
            Ok(false) => Err("it does not hold".to_owned()),
            Err(error) => {
                let reason = format!("it raised {}", shown_error(py, &error));
                keep(error);
                Err(reason)
            }
        });
        asked.unwrap_or_else(|| Err("there is nobody to ask".to_owned()))
    }
}

/// What is no failure of a health check, but an end to all: `KeyboardInterrupt` and its like.
pub(crate) fn take_exit() -> Option<PyErr> {
    take_raised()
        .filter(|error| Python::try_attach(|py| !error.is_instance_of::<PyException>(py)) == Some(true))
}

/// A condition on text: a callable, something that has `search` (a compiled pattern), or text to be in it.
pub(crate) enum OfText {
    Within(String),
    Asked(Callable),
}

impl OfText {
    pub(crate) fn new(given: &Bound<'_, PyAny>) -> PyResult<OfText> {
        if let Ok(text) = given.extract::<String>() {
            return Ok(OfText::Within(text));
        }
        if let Some(search) = given.getattr_opt("search")? {
            return Callable::new(&search).map(OfText::Asked);
        }
        Callable::new(given).map(OfText::Asked)
    }

    /// What it calls, if it does.
    pub(crate) fn callable(&self) -> Option<&Callable> {
        match self {
            OfText::Within(_) => None,
            OfText::Asked(callable) => Some(callable),
        }
    }

    pub(crate) fn holds(&self, text: &str) -> bool {
        match self {
            OfText::Within(part) => text.contains(part.as_str()),
            OfText::Asked(callable) => callable.holds(|py, callable| callable.ask(py, (text,))).is_ok(),
        }
    }
}
