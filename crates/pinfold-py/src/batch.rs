//! Batches: many commands, a few at a time.

use crate::cancel::CancelToken;
use crate::command::Command;
use crate::convert::Whole;
use crate::error::{Form, invalid, raised, within};
use crate::machine::{Pollable, Work, rest_on, watch_on};
use crate::number::named;
use crate::result::{BytesResult, ProcessResult};
use crate::runner::{Any, cancelled_on};
use pinfold::{Batch, Finished, With};
use pinfold_os::poll::{Set, Woken};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyIterator, PyList};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// How far a batch is.
///
/// >>> from pinfold import Command, output_all
/// >>> seen = []
/// >>> _ = output_all([Command("true"), Command("false")], concurrency=1, on_progress=seen.append)
/// >>> seen[-1].done, seen[-1].failed, seen[-1].total
/// (2, 1, 2)
#[pyclass(frozen, eq, module = "pinfold")]
#[derive(PartialEq)]
pub(crate) struct BatchProgress(pinfold::BatchProgress);

#[pymethods]
impl BatchProgress {
    /// For batches that run elsewhere.
    #[staticmethod]
    #[pyo3(name = "_of", signature = (done, failed, running, total))]
    fn of(done: usize, failed: usize, running: usize, total: Option<usize>) -> BatchProgress {
        let mut progress = pinfold::BatchProgress::default();
        (progress.done, progress.failed) = (done, failed);
        (progress.running, progress.total) = (running, total);
        BatchProgress(progress)
    }

    /// How many commands have ended, in whatever way.
    #[getter]
    fn done(&self) -> usize {
        self.0.done
    }

    /// How many of those are no success.
    #[getter]
    fn failed(&self) -> usize {
        self.0.failed
    }

    /// How many run now, or wait for their next attempt.
    #[getter]
    fn running(&self) -> usize {
        self.0.running
    }

    /// How many there are, where the commands have a `len()`.
    #[getter]
    fn total(&self) -> Option<usize> {
        self.0.total
    }

    fn __repr__(&self) -> String {
        let pinfold::BatchProgress { done, failed, running, total, .. } = self.0;
        let of = total.map_or(String::new(), |total| format!(" of {total}"));
        format!("<BatchProgress: {done}{of} done, {failed} failed, {running} running>")
    }
}

/// What Python raised while a batch was at work: its commands, or who is told how far it is.
#[derive(Clone, Default)]
struct Raised(Arc<Mutex<Option<PyErr>>>);

impl Raised {
    fn keep(&self, error: PyErr) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    fn take(&self) -> Option<PyErr> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn is_there(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

/// The commands, taken from Python one by one.
struct Commands {
    iterator: Py<PyIterator>,
    /// How many are to come, where that is known.
    left: Option<usize>,
    raised: Raised,
}

impl Iterator for Commands {
    type Item = pinfold::Command;

    fn next(&mut self) -> Option<pinfold::Command> {
        let taken = Python::try_attach(|py| match self.iterator.bind(py).clone().next()? {
            Ok(given) => match given.cast::<Command>() {
                Ok(command) => Some((*command.get().0).clone()),
                Err(_) => {
                    let name =
                        given.get_type().name().map_or_else(|_| "?".to_owned(), |name| name.to_string());
                    let what = format!("a batch runs commands, and there is a {name} among them");
                    self.raised.keep(PyTypeError::new_err(what));
                    None
                }
            },
            Err(error) => {
                self.raised.keep(error);
                None
            }
        });
        let command = taken.flatten()?;
        self.left = self.left.map(|left| left.saturating_sub(1));
        Some(command)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left.unwrap_or(0), self.left)
    }
}

/// A batch, whose answers are lists of what has ended; an empty one at the end.
struct Many {
    /// `None` once it is over.
    batch: Option<Batch<Commands, With<Any>>>,
    set: Option<Set>,
    ready: Vec<Finished>,
    /// So many at a time are worth an answer, as long as there are more to come. Answers wait for no more than that, so that
    /// commands that end as fast as others begin do not keep an answer from coming.
    enough: usize,
    sized: bool,
    form: Form,
    raised: Raised,
}

impl Many {
    /// What has ended, for Python: index, command, attempts, and the result or the exception of its slot.
    fn made(&self, py: Python<'_>, finished: Finished) -> PyResult<(usize, Command, u32, Py<PyAny>)> {
        let Finished { index, command, attempts, result, .. } = finished;
        if let Err(error) = &result
            && let Some(raised) = within(py, error)
        {
            return Err(raised);
        }
        let slot = match (result, self.form) {
            (Ok(output), Form::Text) => Py::new(py, ProcessResult::new(py, output, &command)?)?.into_any(),
            (Ok(output), Form::Bytes) => Py::new(py, BytesResult::new(py, output, &command)?)?.into_any(),
            (Err(error), form) => raised(py, error, &command, form).into_value(py).into_any(),
        };
        Ok((index, Command::of(command), attempts, slot))
    }

    fn give_up(&mut self) {
        self.batch = None;
        self.ready.clear();
    }
}

impl Work for Many {
    fn advance(&mut self) -> io::Result<bool> {
        loop {
            let Some(batch) = &mut self.batch else { return Ok(true) };
            let finished = batch.advance(Instant::now())?;
            if self.raised.is_there() {
                self.give_up();
                return Ok(true);
            }
            let Some(finished) = finished else {
                // An answer that says that it is over comes by itself.
                return Ok(batch.is_over());
            };
            self.ready.push(finished);
            if self.ready.len() >= self.enough {
                return Ok(true);
            }
        }
    }

    fn rest(&self, until: Option<Instant>) -> io::Result<Woken> {
        rest_on(self.batch.as_ref().map(|batch| batch.interest(Instant::now())), until)
    }

    fn watch(&mut self) -> io::Result<(&Set, Option<Instant>)> {
        watch_on(&mut self.set, self.batch.as_ref().map(|batch| batch.interest(Instant::now())))
    }

    fn answer(&mut self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        if let Some(raised) = self.raised.take() {
            return Err(raised);
        }
        let list = PyList::empty(py);
        for finished in std::mem::take(&mut self.ready) {
            let made = self.made(py, finished);
            if made.is_err() {
                // What a runner of Python's raises ends all of them, as what the other callbacks raise does.
                py.detach(|| self.give_up());
            }
            list.append(made?)?;
        }
        if list.is_empty()
            && let Some(batch) = self.batch.take()
            && self.sized
        {
            let mut index = batch.progress().done;
            // They have slots too, where it is known how many there are.
            for result in py.detach(|| batch.not_started::<()>()) {
                if let Err(error) = result {
                    let name = pinfold::Command::new(error.program());
                    let error = raised(py, error, &name, self.form).into_value(py);
                    list.append((index, py.None(), 0, error))?;
                    index += 1;
                }
            }
            if let Some(raised) = self.raised.take() {
                return Err(raised);
            }
        }
        Ok(list.into_any().unbind())
    }

    fn end(&mut self) {
        self.give_up();
    }
}

/// What `pinfold._batch` drives: without `enough`, each result is an answer, as it comes.
#[pyfunction]
#[pyo3(signature = (commands, as_bytes, enough, concurrency, fail_fast, on_progress, cancel, runner = None))]
#[expect(clippy::too_many_arguments, reason = "its face has them as keywords")]
pub(crate) fn batch(
    py: Python<'_>,
    commands: &Bound<'_, PyAny>,
    as_bytes: bool,
    enough: Option<usize>,
    #[pyo3(from_py_with = named::concurrency)] concurrency: Option<Whole<usize>>,
    fail_fast: bool,
    on_progress: Option<Py<PyAny>>,
    cancel: Option<&Bound<'_, CancelToken>>,
    runner: Option<&Bound<'_, PyAny>>,
) -> PyResult<Pollable> {
    let left = commands.len().ok();
    let raised = Raised::default();
    let iterator = commands.try_iter()?.unbind();
    let mut batch =
        Batch::new(Commands { iterator, left, raised: raised.clone() }).on(cancelled_on(py, runner, cancel)?);
    match concurrency.map(|most| most.0) {
        Some(0) => {
            return Err(invalid(py, "concurrency: a batch of which 0 may run at a time runs nothing"));
        }
        Some(most) => batch = batch.concurrency(most),
        None => {}
    }
    if fail_fast {
        batch = batch.fail_fast();
    }
    if let Some(callback) = on_progress {
        let raised = raised.clone();
        batch = batch.on_progress(move |progress| {
            let told = Python::try_attach(|py| callback.call1(py, (BatchProgress(progress),)).map(drop));
            if let Some(Err(error)) = told {
                raised.keep(error);
            }
        });
    }
    let form = if as_bytes { Form::Bytes } else { Form::Text };
    // As they are completed there is nothing to tell of what was not started.
    let sized = left.is_some() && enough.is_some();
    let enough = enough.unwrap_or(1);
    Ok(Pollable::new(Many { batch: Some(batch), set: None, ready: Vec::new(), enough, sized, form, raised }))
}
