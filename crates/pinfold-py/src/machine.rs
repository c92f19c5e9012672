//! What goes on by itself, for both manners of waiting: on the calling thread, or on the loop that the user runs.
//!
//! Whatever takes time is a [`Work`]. [`block`] drives one to its answer on the calling thread, without the interpreter, and
//! lets its signal handlers run; [`Pollable`] has a loop drive it: `pinfold._loop` is the other half of that.

use crate::error::failed;
use pinfold::{Machine, Watch};
use pinfold_os::poll::{Set, Waitable, Woken, wait};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::{MutexExt, PyOnceLock};
use std::io;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Something that goes on by itself and comes to an answer.
pub(crate) trait Work: Send {
    /// Does all that can be done without waiting: whether there is an answer. Called without the interpreter.
    fn advance(&mut self) -> io::Result<bool>;

    /// Blocks until it is to be advanced again, or until then. Called without the interpreter.
    fn rest(&self, until: Option<Instant>) -> io::Result<Woken>;

    /// The one descriptor to watch, and until when.
    fn watch(&mut self) -> io::Result<(&Set, Option<Instant>)>;

    /// The answer, once there is one. Afterwards it can be advanced again where there is more to come.
    fn answer(&mut self, py: Python<'_>) -> PyResult<Py<PyAny>>;

    /// Nobody waits any more: ends what was started for this alone, and returns when it is gone.
    fn end(&mut self);
}

/// A machine of the engine, and the set that stands for its descriptors where a loop watches them.
pub(crate) struct Driven<M: Machine> {
    machine: Option<M>,
    set: Option<Set>,
    pub(crate) answer: Option<M::Answer>,
}

impl<M: Machine> Driven<M> {
    pub(crate) fn new(machine: M) -> Driven<M> {
        Driven { machine: Some(machine), set: None, answer: None }
    }

    pub(crate) fn advance(&mut self) -> io::Result<bool> {
        if let Some(machine) = &mut self.machine {
            self.answer = machine.advance(Instant::now())?;
            if self.answer.is_some() {
                self.machine = None;
            }
        }
        Ok(self.machine.is_none())
    }

    pub(crate) fn rest(&self, until: Option<Instant>) -> io::Result<Woken> {
        let Some(machine) = &self.machine else { return Ok(Woken::Ready) };
        let interest = machine.interest(Instant::now());
        wait(&interest.waitables, [interest.deadline, until].into_iter().flatten().min())
    }

    pub(crate) fn watch(&mut self) -> io::Result<(&Set, Option<Instant>)> {
        let set = match self.set.take() {
            Some(set) => set,
            None => Set::new()?,
        };
        let set = &*self.set.insert(set);
        let Some(machine) = &self.machine else { return Ok((set, None)) };
        let interest = machine.interest(Instant::now());
        set.update(&interest.waitables)?;
        Ok((set, interest.deadline))
    }

    /// Drops the machine, and with it whatever it has started.
    pub(crate) fn end(&mut self) {
        self.machine = None;
    }
}

/// Rests until a watch of the engine says so.
pub(crate) fn rest_for(watch: &Watch, until: Option<Instant>) -> io::Result<Woken> {
    let waitables: [Waitable<'_>; 1] = [watch.waitable()];
    wait(&waitables, [watch.deadline(), until].into_iter().flatten().min())
}

/// Drives work to its answer on this thread. The interpreter runs other threads meanwhile, and signal handlers: if one of
/// them raises, the work is ended before that goes on.
pub(crate) fn block(py: Python<'_>, work: &mut dyn Work) -> PyResult<Py<PyAny>> {
    let patience = patience();
    loop {
        let done = py.detach(|| until_disturbed(work, patience)).map_err(failed)?;
        if done {
            return work.answer(py);
        }
        if let Err(raised) = py.check_signals() {
            py.detach(|| work.end());
            return Err(raised);
        }
    }
}

/// How long the main thread waits before it looks for signals unasked. One that comes between its last look and its
/// system call does not wake it; every other one does, at once.
fn patience() -> Option<Duration> {
    pinfold_os::signal::is_main_thread().then_some(Duration::from_millis(250))
}

/// Whether there is an answer; if not, a signal may have come.
fn until_disturbed(work: &mut dyn Work, patience: Option<Duration>) -> io::Result<bool> {
    loop {
        if work.advance()? {
            return Ok(true);
        }
        let until = patience.map(|patience| Instant::now() + patience);
        match work.rest(until)? {
            Woken::Interrupted => return Ok(false),
            Woken::Deadline if until.is_some_and(|until| until <= Instant::now()) => return Ok(false),
            Woken::Deadline | Woken::Ready => {}
        }
    }
}

/// Work for an event loop: one descriptor to watch, and steps to take whenever it is readable or a time has come. There is none
/// only while it is dropped.
#[pyclass(frozen, module = "pinfold._native")]
pub(crate) struct Pollable(Mutex<Option<Box<dyn Work>>>);

impl Pollable {
    pub(crate) fn new(work: impl Work + 'static) -> Pollable {
        Pollable(Mutex::new(Some(Box::new(work))))
    }

    /// Has the user's loop drive it: a coroutine.
    pub(crate) fn driven<'py>(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        static DRIVE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        DRIVE.import(py, "pinfold._loop", "drive")?.call1((self,))
    }

    fn with<T: Send>(&self, py: Python<'_>, act: impl FnOnce(&mut dyn Work) -> T + Send) -> PyResult<T> {
        let mut work = self.0.lock_py_attached(py).map_err(|_| broken())?;
        let work = &mut **work.as_mut().ok_or_else(broken)?;
        Ok(py.detach(|| act(work)))
    }
}

impl Drop for Pollable {
    fn drop(&mut self) {
        let work = self.0.get_mut().map_or(None, Option::take);
        // It may wait for the kernel, or for somebody who waits for the interpreter.
        let _ = Python::try_attach(|py| py.detach(|| drop(work)));
    }
}

fn broken() -> PyErr {
    PyRuntimeError::new_err("an earlier step of this has panicked")
}

#[pymethods]
impl Pollable {
    /// Takes the steps that can be taken without waiting. `None` if that led to an answer; else the seconds after which to
    /// come again even if the descriptor is not readable, negative if only then.
    fn advance(&self, py: Python<'_>) -> PyResult<Option<f64>> {
        let advanced =
            self.with(py, |work| {
                if work.advance()? {
                    return Ok(None);
                }
                let (_, deadline) = work.watch()?;
                Ok(Some(deadline.map_or(-1.0, |deadline| {
                    deadline.saturating_duration_since(Instant::now()).as_secs_f64()
                })))
            })?;
        advanced.map_err(failed)
    }

    /// The descriptor that is readable when there is a step to take.
    #[cfg(unix)]
    fn fileno(&self, py: Python<'_>) -> PyResult<i32> {
        use std::os::fd::AsRawFd;
        self.with(py, |work| work.watch().map(|(set, _)| set.as_raw_fd()))?.map_err(failed)
    }

    /// The answer.
    fn result(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.0.lock_py_attached(py).map_err(|_| broken())?.as_mut().ok_or_else(broken)?.answer(py)
    }

    /// Waits for the answer on this thread.
    fn block(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let mut work = self.0.lock_py_attached(py).map_err(|_| broken())?;
        block(py, &mut **work.as_mut().ok_or_else(broken)?)
    }

    /// Ends what was started for this alone, and returns when it is gone.
    fn end(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, |work| work.end())
    }
}
