//! What a blocking handle gives out as it comes: an iterator that its user may share, interrupt and drop as they like.
//!
//! It is native for its price alone: a call of Python's for each line would cost more than the line does.

use crate::machine::Pollable;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::PyIterator;
use pyo3::{PyTraverseError, PyVisit};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What comes of a run, one piece at a time. Threads that share it get each piece once, whoever waits for it; what a signal
/// handler raises meanwhile loses nothing.
#[pyclass(frozen, module = "pinfold._native")]
pub(crate) struct Flow {
    /// Whose it is: a handle that is forgotten ends its run, and it is not forgotten while this goes on.
    ///
    /// It is dropped first by whoever closes this.
    owner: Mutex<Option<Py<PyAny>>>,
    machine: Mutex<Option<Py<Pollable>>>,
    /// Whether what comes in lists is given out piece by piece.
    singly: bool,
    ready: Mutex<Option<Py<PyIterator>>>,
}

fn lock<'a, T>(py: Python<'_>, mutex: &'a Mutex<T>) -> MutexGuard<'a, T> {
    mutex.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
}

impl Flow {
    /// The next of what is there.
    fn take<'py>(&self, py: Python<'py>) -> Option<PyResult<Bound<'py, PyAny>>> {
        lock(py, &self.ready).as_ref()?.bind_borrowed(py).to_owned().next()
    }

    /// The next of what comes.
    fn wait<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let machine = lock(py, &self.machine).as_ref().map(|machine| machine.clone_ref(py));
        let Some(machine) = machine else { return Ok(None) };
        let mut turn = machine.get().turn(py)?;
        // Another thread may have had its turn meanwhile.
        if let Some(item) = self.take(py) {
            return item.map(Some);
        }
        let came = turn.block(py)?.into_bound(py);
        if !came.is_truthy()? {
            return Ok(None);
        }
        if !self.singly {
            return Ok(Some(came));
        }
        let mut pieces = came.try_iter()?;
        let first = pieces.next().transpose()?;
        let old = lock(py, &self.ready).replace(pieces.unbind());
        drop(old);
        Ok(first)
    }
}

#[pymethods]
impl Flow {
    #[new]
    fn new(owner: Py<PyAny>, machine: Py<Pollable>, singly: bool) -> Flow {
        Flow {
            owner: Mutex::new(Some(owner)),
            machine: Mutex::new(Some(machine)),
            singly,
            ready: Mutex::default(),
        }
    }

    fn __iter__<'py>(slf: &Bound<'py, Self>) -> Bound<'py, Self> {
        slf.clone()
    }

    fn __next__<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = slf.py();
        if let Some(item) = slf.get().take(py) {
            return item.map(Some);
        }
        // Whoever called may let go of it while this waits.
        let held = slf.clone();
        held.get().wait(py)
    }

    /// Lets go of it before its end: what it would have given is kept for it no more.
    fn close(slf: &Bound<'_, Self>) {
        let (py, held) = (slf.py(), slf.clone());
        let flow = held.get();
        let (machine, ready) = (lock(py, &flow.machine).take(), lock(py, &flow.ready).take());
        drop((machine, ready));
        let owner = lock(py, &flow.owner).take();
        drop(owner);
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // Whoever holds it is in the midst of something, which then is reachable.
        if let Ok(owner) = self.owner.try_lock() {
            visit.call(&*owner)?;
        }
        Ok(())
    }

    fn __clear__(&self) {
        let owner = self.owner.try_lock().ok().and_then(|mut owner| owner.take());
        drop(owner);
    }
}
