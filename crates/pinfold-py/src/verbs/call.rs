//! What a call of a verb says besides its command, and how Python's callbacks are called.

use crate::ask::Callable;
use crate::cancel::CancelToken;
use crate::error::told;
use crate::event::RunEvent;
use crate::heard::Ears;
use crate::machine::call_apart;
use crate::result::ProcessResult;
use crate::runner::Any;
use pinfold::With;
use pyo3::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a call says besides its command.
#[derive(Default)]
pub(crate) struct Call {
    cancel: Option<pinfold::CancelToken>,
    on_event: Option<Callable>,
    on_line: Option<Py<PyAny>>,
    retry_if: Option<Py<PyAny>>,
}

impl Call {
    pub(crate) fn new(cancel: Option<&Bound<'_, CancelToken>>, on_event: Option<Py<PyAny>>) -> Call {
        Call {
            cancel: cancel.map(|token| token.get().0.clone()),
            on_event: on_event.map(Callable::of),
            ..Call::default()
        }
    }

    /// Who is told of events.
    pub(crate) fn listener(&self) -> Option<Callable> {
        self.on_event.clone()
    }

    /// With what only those verbs have use for that wait for the end.
    pub(crate) fn until_the_end(self, on_line: Option<Py<PyAny>>, retry_if: Option<Py<PyAny>>) -> Call {
        Call { on_line, retry_if, ..self }
    }

    /// Which of those it has.
    pub(crate) fn of_the_end(&self) -> Option<&'static str> {
        match (&self.on_line, &self.retry_if) {
            (Some(_), _) => Some("on_line"),
            (None, Some(_)) => Some("retry_if"),
            (None, None) => None,
        }
    }

    /// A runner that does so; this ear hears what callbacks raise.
    pub(crate) fn with(self, runner: Any, command: &Arc<pinfold::Command>, ear: &Ear) -> With<Any> {
        let mut with = With::new(runner);
        if let Some(token) = &self.cancel {
            with = with.cancel_on(token);
        }
        if let Some(callback) = self.on_event {
            let ear = ear.clone();
            with = with.on_event(move |event| {
                ear.call(|py| callback.call(py, (RunEvent(event.clone()),)).map(drop));
            });
        }
        if let Some(callback) = self.on_line {
            let ear = ear.clone();
            with = with.on_line(move |stream, line| {
                ear.call(|py| callback.call1(py, (stream.as_str(), line)).map(drop));
            });
        }
        if let Some(callback) = self.retry_if {
            let (ear, command) = (ear.clone(), command.clone());
            with = with.retry_if(move |result| {
                let wants = ear.call(|py| {
                    let asked = match result {
                        Ok(output) => {
                            Py::new(py, ProcessResult::new(py, output.clone(), &command)?)?.into_any()
                        }
                        Err(error) => told(py, error, &command).into_value(py).into_any(),
                    };
                    callback.call1(py, (asked,))?.is_truthy(py)
                });
                wants == Some(true)
            });
        }
        with
    }
}

/// Calls Python, and keeps what that raises until somebody takes it; meanwhile it calls no more.
#[derive(Clone, Default)]
pub(crate) struct Ear(Arc<Slot>);

#[derive(Default)]
struct Slot {
    raised: Mutex<Option<PyErr>>,
    /// Nobody will take anything.
    deserted: AtomicBool,
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Option<PyErr>> {
        self.raised.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ear {
    fn call<T>(&self, call: impl FnOnce(Python<'_>) -> PyResult<T>) -> Option<T> {
        if self.has_raised() {
            return None;
        }
        // An interpreter that is going away can be told nothing.
        Python::try_attach(|py| {
            if self.0.deserted.load(Ordering::Relaxed) {
                let mut said = None;
                call_apart(py, || call(py).map(|answer| said = Some(answer)));
                return said;
            }
            call(py).map_err(|raised| *self.0.lock() = Some(raised)).ok()
        })?
    }

    /// What was raised so far; what comes later has nobody to be raised to, and is reported as such at once.
    pub(crate) fn desert(&self) -> Option<PyErr> {
        self.0.deserted.store(true, Ordering::Relaxed);
        self.take()
    }

    pub(crate) fn take(&self) -> Option<PyErr> {
        self.0.lock().take()
    }

    pub(crate) fn has_raised(&self) -> bool {
        self.0.lock().is_some()
    }
}

impl Ears for Ear {
    fn has_raised(&mut self) -> bool {
        Ear::has_raised(self)
    }

    fn take(&mut self) -> Option<PyErr> {
        Ear::take(self)
    }
}

/// What nobody has taken is reported, too.
impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(raised) = self.lock().take() {
            Python::try_attach(|py| raised.write_unraisable(py, None));
        }
    }
}
