//! What a blocking handle gives out as it comes: an iterator that its user may share, interrupt and drop as they like.
//!
//! It is native for its price alone: a call of Python's for each line would cost more than the line does.

use crate::machine::Pollable;
use pyo3::prelude::*;
use pyo3::types::PyIterator;
use pyo3::{PyTraverseError, PyVisit};
use std::thread;

/// What comes of a run, one piece at a time. Threads that share it get each piece once, whoever waits for it; what a signal
/// handler raises meanwhile loses nothing.
///
/// It is borrowed for moments only, in which nothing of Python's runs: one atomic operation for each line is what it costs,
/// where a lock costs two.
#[pyclass(module = "pinfold._native")]
pub(crate) struct Flow {
    /// Whose it is: a handle that is forgotten ends its run, and it is not forgotten while this goes on.
    owner: Option<Py<PyAny>>,
    machine: Option<Py<Pollable>>,
    /// Whether what comes in lists is given out piece by piece.
    singly: bool,
    ready: Option<Py<PyIterator>>,
}

/// Does something with it that takes a moment, as soon as no other thread does.
fn with<T>(flow: &Bound<'_, Flow>, act: impl FnOnce(&mut Flow) -> T) -> T {
    loop {
        if let Ok(mut flow) = flow.try_borrow_mut() {
            return act(&mut flow);
        }
        flow.py().detach(thread::yield_now);
    }
}

impl Flow {
    /// The next of what is there.
    fn take<'py>(&mut self, py: Python<'py>) -> Option<PyResult<Bound<'py, PyAny>>> {
        let mut ready = self.ready.take()?.into_bound(py);
        let item = ready.next();
        self.ready = Some(ready.unbind());
        item
    }
}

/// The next of what comes.
fn wait<'py>(flow: &Bound<'py, Flow>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = flow.py();
    let (machine, singly) =
        with(flow, |flow| (flow.machine.as_ref().map(|machine| machine.clone_ref(py)), flow.singly));
    let Some(machine) = machine else { return Ok(None) };
    let mut turn = machine.get().turn(py)?;
    // Another thread may have had its turn meanwhile.
    if let Some(item) = with(flow, |flow| flow.take(py)) {
        return item.map(Some);
    }
    let came = turn.block(py)?.into_bound(py);
    if !came.is_truthy()? {
        return Ok(None);
    }
    if !singly {
        return Ok(Some(came));
    }
    let mut pieces = came.try_iter()?;
    let first = pieces.next().transpose()?;
    let old = with(flow, |flow| flow.ready.replace(pieces.unbind()));
    drop(old);
    Ok(first)
}

#[pymethods]
impl Flow {
    #[new]
    fn new(owner: Py<PyAny>, machine: Py<Pollable>, singly: bool) -> Flow {
        Flow { owner: Some(owner), machine: Some(machine), singly, ready: None }
    }

    fn __iter__<'py>(slf: &Bound<'py, Self>) -> Bound<'py, Self> {
        slf.clone()
    }

    fn __next__<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = slf.py();
        if let Ok(mut flow) = slf.try_borrow_mut()
            && let Some(item) = flow.take(py)
        {
            return item.map(Some);
        }
        // Whoever called may let go of it while this waits.
        let held = slf.clone();
        wait(&held)
    }

    /// Lets go of it before its end: what it would have given is kept for it no more.
    fn close(slf: &Bound<'_, Self>) {
        let held = slf.clone();
        let (machine, ready) = with(&held, |flow| (flow.machine.take(), flow.ready.take()));
        drop((machine, ready));
        let owner = with(&held, |flow| flow.owner.take());
        drop(owner);
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.owner)
    }
}
