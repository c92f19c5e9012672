//! What the owners on this host have, as JSON, of which `pinfold._tracked` makes records. Linux: elsewhere each of these raises
//! `Unsupported`.

#[cfg(target_os = "linux")]
pub(crate) use linux::{cleanup_json, signal_tracked, stop_tracked, tracked_json};
#[cfg(not(target_os = "linux"))]
pub(crate) use other::{cleanup_json, signal_tracked, stop_tracked, tracked_json};

#[cfg(target_os = "linux")]
mod linux {
    use crate::convert::{Seconds, SignalArg};
    use crate::error::{Form, invalid, raised_with};
    use crate::machine::{Pollable, Work};
    use crate::number::named;
    use crate::plain::to_json;
    use pinfold::tracked::{self, Target};
    use pinfold::{Pid, StopRule};
    use pinfold_os::poll::{Set, Woken, wait};
    use pyo3::prelude::*;
    use std::io;
    use std::time::Instant;

    fn raised(py: Python<'_>, error: pinfold::Error) -> PyErr {
        raised_with(py, error, None, Form::Text, None)
    }

    fn owner(py: Python<'_>, pid: i64) -> PyResult<Pid> {
        Pid::new(pid).ok_or_else(|| invalid(py, &format!("{pid} is no pid of a process")))
    }

    fn target(py: Python<'_>, pid: i64, run: Option<String>) -> PyResult<Target> {
        // The owner itself is not signalled, and may be the first process.
        let owner = if pid == 1 { 1 } else { owner(py, pid)?.get() };
        Ok(match run {
            Some(run) => Target::run(owner, run),
            None => Target::owner(owner),
        })
    }

    /// The living owners of this user, as JSON.
    #[pyfunction]
    pub(crate) fn tracked_json(py: Python<'_>) -> PyResult<String> {
        let tracked = py.detach(tracked::list).map_err(|error| raised(py, error))?;
        to_json(py, &tracked)
    }

    /// What dead owners left, and what became of it, as JSON.
    #[pyfunction]
    pub(crate) fn cleanup_json(
        py: Python<'_>,
        dry_run: bool,
        #[pyo3(from_py_with = named::pid)] pid: Option<i64>,
    ) -> PyResult<String> {
        let only = pid.map(|pid| owner(py, pid)).transpose()?;
        let left = py.detach(|| tracked::cleanup(dry_run, only)).map_err(|error| raised(py, error))?;
        to_json(py, &left)
    }

    /// Signals what an owner has, or one run of it: who was there, as JSON.
    #[pyfunction]
    pub(crate) fn signal_tracked(
        py: Python<'_>,
        #[pyo3(from_py_with = named::pid)] pid: i64,
        run: Option<String>,
        signal: SignalArg,
    ) -> PyResult<String> {
        let target = target(py, pid, run)?;
        let members = py.detach(|| target.signal(signal.0)).map_err(|error| raised(py, error))?;
        to_json(py, &members)
    }

    /// Stops what an owner has, or one run of it: what that came to, as JSON, once it is over.
    #[pyfunction]
    #[pyo3(signature = (pid, run, signal, grace))]
    pub(crate) fn stop_tracked(
        py: Python<'_>,
        #[pyo3(from_py_with = named::pid)] pid: i64,
        run: Option<String>,
        signal: Option<SignalArg>,
        #[pyo3(from_py_with = named::grace)] grace: Option<Seconds>,
    ) -> PyResult<Pollable> {
        let own = StopRule::default();
        let rule = StopRule {
            signal: signal.map_or(own.signal, |signal| signal.0),
            grace: grace.map_or(own.grace, |grace| grace.0),
        };
        let target = target(py, pid, run)?;
        let stopping = py.detach(|| target.stopping(rule)).map_err(|error| raised(py, error))?;
        Ok(Pollable::new(Stop { stopping, set: None, stopped: None }))
    }

    /// Stopping somebody else's runs.
    struct Stop {
        stopping: tracked::Stopping,
        set: Option<Set>,
        stopped: Option<tracked::Stopped>,
    }

    impl Work for Stop {
        fn advance(&mut self) -> io::Result<bool> {
            if self.stopped.is_none() {
                self.stopped = self.stopping.advance(Instant::now());
            }
            Ok(self.stopped.is_some())
        }

        fn rest(&self, until: Option<Instant>) -> io::Result<Woken> {
            let (waitables, deadline) = self.stopping.waiting(Instant::now());
            wait(&waitables, Some(until.map_or(deadline, |until| until.min(deadline))))
        }

        fn watch(&mut self) -> io::Result<(&Set, Option<Instant>)> {
            let set = match self.set.take() {
                Some(set) => set,
                None => Set::new()?,
            };
            let set = &*self.set.insert(set);
            let (waitables, deadline) = self.stopping.waiting(Instant::now());
            set.update(&waitables)?;
            Ok((set, Some(deadline)))
        }

        fn answer(&mut self, py: Python<'_>) -> PyResult<Py<PyAny>> {
            let stopped = to_json(py, &self.stopped.take())?;
            Ok(stopped.into_pyobject(py)?.into_any().unbind())
        }

        /// What was signalled stays signalled; it is not killed.
        fn end(&mut self) {}
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use crate::convert::{Seconds, SignalArg};
    use crate::machine::Pollable;
    use pyo3::exceptions::PyNotImplementedError;
    use pyo3::prelude::*;

    fn unsupported<T>() -> PyResult<T> {
        Err(PyNotImplementedError::new_err("owners are tracked on Linux alone"))
    }

    #[pyfunction]
    pub(crate) fn tracked_json() -> PyResult<String> {
        unsupported()
    }

    #[pyfunction]
    pub(crate) fn cleanup_json(_dry_run: bool, _pid: Option<i64>) -> PyResult<String> {
        unsupported()
    }

    #[pyfunction]
    pub(crate) fn signal_tracked(_pid: i64, _run: Option<String>, _signal: SignalArg) -> PyResult<String> {
        unsupported()
    }

    #[pyfunction]
    #[pyo3(signature = (_pid, _run, _signal, _grace))]
    pub(crate) fn stop_tracked(
        _pid: i64,
        _run: Option<String>,
        _signal: Option<SignalArg>,
        _grace: Option<Seconds>,
    ) -> PyResult<Pollable> {
        unsupported()
    }
}
