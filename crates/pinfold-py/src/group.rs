//! A group of runs in one container, as `pinfold.ProcessGroup` uses it.

mod facts;

pub(crate) use facts::{GroupEvent, GroupStats, MemberInfo, Pressure, StopReport};

use crate::command::ending::{guarantee_named, isolation_named};
use crate::convert::{Seconds, SignalArg};
use crate::error::{Form, invalid, raised_with};
use crate::limits::Limits;
use crate::machine::{Driven, Pollable, Work, rest_on, watch_on};
use crate::number::named;
use crate::result::LimitsHit;
use crate::runner::AnyRunner;
use crate::sandbox::Sandbox;
use pinfold::{GroupEvents, Host, Machine, Pid, ProcessGroup, StopRule};
use pinfold_os::poll::{Set, Woken};
use pyo3::prelude::*;
use std::collections::VecDeque;
use std::io;
use std::time::Instant;

/// A group. `pinfold.ProcessGroup` is its face.
#[pyclass(frozen, module = "pinfold._native")]
pub(crate) struct Group {
    /// `None` only while it is dropped.
    group: Option<ProcessGroup>,
    rule: StopRule,
    escalates: bool,
}

impl Group {
    #[expect(clippy::expect_used, reason = "only the drop takes it out")]
    fn group(&self) -> &ProcessGroup {
        self.group.as_ref().expect("a group that is not being dropped")
    }
}

fn raised(py: Python<'_>, error: pinfold::Error) -> PyErr {
    raised_with(py, error, None, Form::Text, None)
}

impl Drop for Group {
    fn drop(&mut self) {
        let group = self.group.take();
        // It waits until all of it is gone, and others may go on meanwhile.
        let _ = Python::try_attach(|py| py.detach(|| drop(group)));
    }
}

/// Makes it, and starts what is in it.
#[pymethods]
impl Group {
    #[new]
    #[pyo3(signature = (*, limits, sandbox, signal, grace, escalates, isolation, require, take_over, outer))]
    #[expect(clippy::too_many_arguments, reason = "they are named, and its face has the defaults")]
    fn new(
        py: Python<'_>,
        limits: Option<&Bound<'_, Limits>>,
        sandbox: Option<&Bound<'_, Sandbox>>,
        signal: Option<SignalArg>,
        #[pyo3(from_py_with = named::shutdown_grace)] grace: Option<Seconds>,
        escalates: bool,
        isolation: Option<&str>,
        require: Option<&str>,
        take_over: bool,
        outer: Option<&Bound<'_, Group>>,
    ) -> PyResult<Group> {
        let own = StopRule::default();
        let rule = StopRule {
            signal: signal.map_or(own.signal, |signal| signal.0),
            grace: grace.map_or(own.grace, |grace| grace.0),
        };
        let mut builder = ProcessGroup::builder().stop_rule(rule);
        if let Some(limits) = limits {
            builder = builder.limits(limits.get().0.clone());
        }
        if let Some(sandbox) = sandbox {
            builder = builder.sandbox(sandbox.get().0.clone());
        }
        if let Some(isolation) = isolation {
            builder = builder.isolation(isolation_named(py, isolation)?);
        }
        if let Some(guarantee) = require {
            builder = builder.require(guarantee_named(py, guarantee)?);
        }
        if take_over {
            builder = builder.host(Host::new().take_over_cgroup());
        }
        let outer = outer.map(|outer| outer.get().group());
        let made = py.detach(|| match outer {
            Some(outer) => builder.make_in(outer),
            None => builder.make(),
        });
        let group = made.map_err(|error| raised(py, error))?;
        Ok(Group { group: Some(group), rule, escalates })
    }

    /// What runs commands in it.
    fn runner(&self) -> AnyRunner {
        AnyRunner::new(Host::new().in_group(self.group()), false)
    }
}

/// Asks how it does.
#[pymethods]
impl Group {
    #[getter]
    fn mechanism(&self) -> &'static str {
        self.group().mechanism().as_str()
    }

    #[getter]
    fn guarantee(&self) -> &'static str {
        self.group().guarantee().as_str()
    }

    #[getter]
    fn members(&self, py: Python<'_>) -> Vec<u32> {
        py.detach(|| self.group().members()).into_iter().map(Pid::get).collect()
    }

    #[getter]
    fn members_info(&self, py: Python<'_>) -> Vec<MemberInfo> {
        py.detach(|| self.group().members_info()).into_iter().map(MemberInfo).collect()
    }

    #[getter]
    fn is_empty(&self, py: Python<'_>) -> bool {
        py.detach(|| self.group().is_empty())
    }

    #[getter]
    fn is_suspended(&self, py: Python<'_>) -> bool {
        py.detach(|| self.group().is_suspended())
    }

    #[getter]
    fn stats(&self, py: Python<'_>) -> GroupStats {
        GroupStats(py.detach(|| self.group().stats()))
    }

    #[getter]
    fn limits_hit(&self, py: Python<'_>) -> LimitsHit {
        LimitsHit(py.detach(|| self.group().limits_hit()))
    }

    /// What happens to it from now on, one thing at a time; `None` when it has ended.
    fn events(&self, py: Python<'_>) -> PyResult<Pollable> {
        let events = py.detach(|| self.group().events()).map_err(|error| raised(py, error))?;
        Ok(Pollable::new(Happenings { events, set: None, told: VecDeque::new() }))
    }

    /// When nobody lives in it; `False` after so many seconds without.
    #[pyo3(signature = (timeout = None))]
    fn wait(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = named::timeout)] timeout: Option<Seconds>,
    ) -> PyResult<Pollable> {
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout.0));
        let emptying = py.detach(|| self.group().emptying()).map_err(|error| raised(py, error))?;
        Ok(Pollable::new(Plain {
            driven: Driven::new(emptying),
            until,
            made: |py, answer| Ok(answer.is_some().into_pyobject(py)?.to_owned().into_any().unbind()),
        }))
    }
}

/// Acts on it.
#[pymethods]
impl Group {
    fn signal(&self, py: Python<'_>, signal: SignalArg) -> PyResult<()> {
        py.detach(|| self.group().signal(signal.0)).map_err(|error| raised(py, error))
    }

    fn suspend(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.group().suspend()).map_err(|error| raised(py, error))
    }

    fn resume(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.group().resume()).map_err(|error| raised(py, error))
    }

    fn set_limits(&self, py: Python<'_>, limits: &Bound<'_, Limits>) -> PyResult<()> {
        let limits = &limits.get().0;
        py.detach(|| self.group().set_limits(limits)).map_err(|error| raised(py, error))
    }

    fn adopt(&self, py: Python<'_>, #[pyo3(from_py_with = named::pid)] pid: i64) -> PyResult<()> {
        let Some(pid) = Pid::new(pid) else {
            return Err(invalid(py, &format!("{pid} is no pid of a process")));
        };
        py.detach(|| self.group().adopt(pid)).map_err(|error| raised(py, error))
    }

    /// Its end by its rule, or by parts of another; without grace it is killed. Where it does not escalate, it gives up when
    /// grace is over.
    #[pyo3(signature = (signal = None, grace = None, escalate = None))]
    fn stop(
        &self,
        py: Python<'_>,
        signal: Option<SignalArg>,
        #[pyo3(from_py_with = named::grace)] grace: Option<Seconds>,
        escalate: Option<bool>,
    ) -> PyResult<Pollable> {
        let rule = StopRule {
            signal: signal.map_or(self.rule.signal, |signal| signal.0),
            grace: grace.map_or(self.rule.grace, |grace| grace.0),
        };
        let begun = py.detach(|| self.group().stopping(rule)).map_err(|error| raised(py, error))?;
        let stopping = if escalate.unwrap_or(self.escalates) { begun } else { begun.sparing() };
        Ok(Pollable::new(Plain {
            driven: Driven::new(stopping),
            until: None,
            made: |py, answer| match answer {
                Some(report) => Ok(Py::new(py, StopReport(report))?.into_any()),
                None => Ok(py.None()),
            },
        }))
    }

    /// Kills all of it for good, and returns when it is gone.
    fn end(&self, py: Python<'_>) {
        py.detach(|| self.group().end());
    }
}

/// A machine whose answer has only to be converted, and that can be given up at some time.
struct Plain<M: Machine> {
    driven: Driven<M>,
    until: Option<Instant>,
    made: fn(Python<'_>, Option<M::Answer>) -> PyResult<Py<PyAny>>,
}

impl<M: Machine<Answer: Send> + Send> Work for Plain<M> {
    fn advance(&mut self) -> io::Result<bool> {
        Ok(self.driven.advance()? || self.until.is_some_and(|until| until <= Instant::now()))
    }

    fn rest(&self, until: Option<Instant>) -> io::Result<Woken> {
        self.driven.rest([self.until, until].into_iter().flatten().min())
    }

    fn watch(&mut self) -> io::Result<(&Set, Option<Instant>)> {
        let (set, deadline) = self.driven.watch()?;
        Ok((set, [self.until, deadline].into_iter().flatten().min()))
    }

    fn answer(&mut self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        (self.made)(py, self.driven.answer.take())
    }

    fn end(&mut self) {
        self.driven.end();
    }
}

/// What happens to a group, singly: what more there is stays here, where threads that share it take turns.
struct Happenings {
    events: GroupEvents,
    set: Option<Set>,
    told: VecDeque<pinfold::GroupEvent>,
}

impl Work for Happenings {
    fn advance(&mut self) -> io::Result<bool> {
        if self.told.is_empty() {
            self.told = Machine::advance(&mut self.events, Instant::now())?.unwrap_or_default().into();
        }
        Ok(!self.told.is_empty())
    }

    fn rest(&self, until: Option<Instant>) -> io::Result<Woken> {
        rest_on(Some(self.events.interest()), until)
    }

    fn watch(&mut self) -> io::Result<(&Set, Option<Instant>)> {
        watch_on(&mut self.set, Some(self.events.interest()))
    }

    fn answer(&mut self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self.told.front() {
            // It stays, for each who asks then.
            None | Some(pinfold::GroupEvent::Ended) => Ok(py.None()),
            Some(_) => self.told.pop_front().map(GroupEvent).into_pyobject(py).map(|told| told.unbind()),
        }
    }

    fn end(&mut self) {}
}
