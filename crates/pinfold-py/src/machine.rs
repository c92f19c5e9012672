//! What goes on by itself, for both manners of waiting: on the calling thread, or on the loop that the user runs.
//!
//! Whatever takes time is a [`Work`]. [`block`] drives one to its answer on the calling thread, without the interpreter, and
//! lets its signal handlers run; [`Pollable`] has a loop drive it: `pinfold._loop` is the other half of that.

use crate::error::failed;
use pinfold::{Interest, Machine, Watch};
use pinfold_os::poll::{Set, Waitable, Woken, wait};
use pyo3::exceptions::{PyException, PyRuntimeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::{MutexExt, PyOnceLock};
use pyo3::types::PyString;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
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
        rest_on(self.machine.as_ref().map(|machine| machine.interest(Instant::now())), until)
    }

    pub(crate) fn watch(&mut self) -> io::Result<(&Set, Option<Instant>)> {
        watch_on(&mut self.set, self.machine.as_ref().map(|machine| machine.interest(Instant::now())))
    }

    /// Drops the machine, and with it whatever it has started.
    pub(crate) fn end(&mut self) {
        self.machine = None;
    }
}

/// Rests until what a machine is interested in comes, if one is there.
pub(crate) fn rest_on(interest: Option<Interest<'_>>, until: Option<Instant>) -> io::Result<Woken> {
    let Some(interest) = interest else { return Ok(Woken::Ready) };
    wait(&interest.waitables, [interest.deadline, until].into_iter().flatten().min())
}

/// The set that stands for what a machine is interested in, if one is there, and until when.
pub(crate) fn watch_on<'a>(
    set: &'a mut Option<Set>,
    interest: Option<Interest<'_>>,
) -> io::Result<(&'a Set, Option<Instant>)> {
    let made = match set.take() {
        Some(set) => set,
        None => Set::new()?,
    };
    let set = &*set.insert(made);
    let Some(interest) = interest else { return Ok((set, None)) };
    set.update(&interest.waitables)?;
    Ok((set, interest.deadline))
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
        if let Some(raised) = kept() {
            py.detach(|| work.end());
            return Err(raised);
        }
        if done {
            return work.answer(py);
        }
        if let Err(raised) = py.check_signals() {
            py.detach(|| work.end());
            return Err(raised);
        }
    }
}

/// What a signal handler raised where nobody could take it, until the main thread is where it can be raised.
static KEPT: Mutex<Option<PyErr>> = Mutex::new(None);

/// Takes what was kept, on the main thread.
pub(crate) fn kept() -> Option<PyErr> {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    // As a rule there is nothing, and then the kernel need not be asked which thread this is.
    if kept.is_none() || !pinfold_os::signal::is_main_thread() {
        return None;
    }
    kept.take()
}

fn keep(raised: PyErr) {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(raised);
}

/// Calls Python where nobody takes what that raises: it is reported. Signal handlers run in the midst of whatever the main thread
/// executes, so that what they raise comes out of the callback; that is kept for who waits.
pub(crate) fn call_apart(py: Python<'_>, call: impl FnOnce() -> PyResult<()>) {
    let is_main = pinfold_os::signal::is_main_thread();
    // Those of signals that have come by now run here.
    if is_main && let Err(raised) = py.check_signals() {
        keep(raised);
    }
    match call() {
        Ok(()) => {}
        // An interrupt, or a word to exit, and no failure of the callback.
        Err(raised) if is_main && !raised.is_instance_of::<PyException>(py) => keep(raised),
        Err(raised) => raised.write_unraisable(py, None),
    }
}

/// How long the main thread goes on before it looks for signals unasked. One that comes while it sleeps wakes it; one that comes
/// between its last look and its system call does not, nor does one that comes while it is at work, as for a program that
/// writes without end.
fn patience() -> Option<Duration> {
    pinfold_os::signal::is_main_thread().then_some(Duration::from_millis(250))
}

/// Whether there is an answer; if not, a signal may have come.
pub(crate) fn until_disturbed(work: &mut dyn Work, patience: Option<Duration>) -> io::Result<bool> {
    let until = patience.map(|patience| Instant::now() + patience);
    loop {
        if work.advance()? {
            return Ok(true);
        }
        let woken = work.rest(until)?;
        if woken == Woken::Interrupted || until.is_some_and(|until| until <= Instant::now()) {
            return Ok(false);
        }
    }
}

/// Work for an event loop: one descriptor to watch, and steps to take whenever it is readable or a time has come.
///
/// Its methods hold it themselves while others run, and do not go by who called: what calls may let go of it meanwhile.
#[pyclass(frozen, module = "pinfold._native")]
pub(crate) struct Pollable {
    /// `None` only while it is dropped.
    work: Mutex<Option<Box<dyn Work>>>,
    /// Whose turn it is: of which process, and which of its threads.
    holder: Mutex<Option<(u32, ThreadId)>>,
}

/// The right to have it go on, which one thread at a time has.
pub(crate) struct Turn<'a> {
    work: MutexGuard<'a, Option<Box<dyn Work>>>,
    holder: &'a Mutex<Option<(u32, ThreadId)>>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.holder.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Turn<'_> {
    fn work(&mut self) -> PyResult<&mut dyn Work> {
        match &mut *self.work {
            Some(work) => Ok(&mut **work),
            None => Err(broken()),
        }
    }

    /// Waits for the answer on this thread.
    pub(crate) fn block(&mut self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        block(py, self.work()?)
    }
}

impl Pollable {
    pub(crate) fn new(work: impl Work + 'static) -> Pollable {
        Pollable { work: Mutex::new(Some(Box::new(work))), holder: Mutex::default() }
    }

    /// Has the user's loop drive it: a coroutine, which whoever forgets to await it is told by the name of what was called.
    pub(crate) fn driven<'py>(
        self,
        py: Python<'py>,
        called: &Bound<'py, PyString>,
    ) -> PyResult<Bound<'py, PyAny>> {
        static DRIVE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let coroutine = DRIVE.import(py, "pinfold._loop", "drive")?.call1((self,))?;
        coroutine.setattr(intern!(py, "__qualname__"), called)?;
        Ok(coroutine)
    }

    fn with<T: Send>(&self, py: Python<'_>, act: impl FnOnce(&mut dyn Work) -> T + Send) -> PyResult<T> {
        let mut turn = self.turn(py)?;
        let work = turn.work()?;
        Ok(py.detach(|| act(work)))
    }

    /// Waits for its turn. A thread that has it and comes again, in a signal handler, would wait for itself.
    pub(crate) fn turn(&self, py: Python<'_>) -> PyResult<Turn<'_>> {
        let here = (std::process::id(), thread::current().id());
        match *self.holder.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(holder) if holder == here => {
                return Err(PyRuntimeError::new_err("this thread waits for the next of this already"));
            }
            // It has not come along.
            Some((process, _)) if process != here.0 => {
                let what =
                    format!("a thread of process {process}, of which this one was forked, waits for this");
                return Err(PyRuntimeError::new_err(what));
            }
            _ => {}
        }
        let work = self.work.lock_py_attached(py).map_err(|_| broken())?;
        *self.holder.lock().unwrap_or_else(PoisonError::into_inner) = Some(here);
        Ok(Turn { work, holder: &self.holder })
    }
}

impl Drop for Pollable {
    fn drop(&mut self) {
        let work = self.work.get_mut().map_or(None, Option::take);
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
    fn advance(slf: &Bound<'_, Self>) -> PyResult<Option<f64>> {
        let (py, held) = (slf.py(), slf.clone());
        let advanced =
            held.get().with(py, |work| {
                if work.advance()? {
                    return Ok(None);
                }
                let (_, deadline) = work.watch()?;
                Ok(Some(deadline.map_or(-1.0, |deadline| {
                    deadline.saturating_duration_since(Instant::now()).as_secs_f64()
                })))
            })?;
        if let Some(raised) = kept() {
            return Err(raised);
        }
        advanced.map_err(failed)
    }

    /// The descriptor that is readable when there is a step to take.
    #[cfg(unix)]
    fn fileno(slf: &Bound<'_, Self>) -> PyResult<i32> {
        use std::os::fd::AsRawFd;
        let (py, held) = (slf.py(), slf.clone());
        held.get().with(py, |work| work.watch().map(|(set, _)| set.as_raw_fd()))?.map_err(failed)
    }

    /// The answer.
    fn result(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let held = slf.clone();
        let mut turn = held.get().turn(slf.py())?;
        turn.work()?.answer(slf.py())
    }

    /// Waits for the answer on this thread.
    fn block(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let held = slf.clone();
        let mut turn = held.get().turn(slf.py())?;
        turn.block(slf.py())
    }

    /// Ends what was started for this alone, and returns when it is gone.
    fn end(slf: &Bound<'_, Self>) -> PyResult<()> {
        let held = slf.clone();
        held.get().with(slf.py(), |work| work.end())
    }
}
