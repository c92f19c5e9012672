//! A machine of the engine that calls Python back on its way: what a callback raises is the end of it.

use crate::machine::{Driven, Work};
use pinfold::Machine;
use pinfold_os::poll::{Set, Woken};
use pyo3::prelude::*;
use std::io;
use std::time::Instant;

/// Keeps what was raised.
pub(crate) trait Ears: Send {
    /// Whether something was, while a machine was advanced on this thread.
    fn has_raised(&mut self) -> bool;

    /// Takes it.
    fn take(&mut self) -> Option<PyErr>;
}

/// The machine, and what is made of its answer.
pub(crate) struct Heard<M: Machine, E, A> {
    driven: Driven<M>,
    ears: E,
    made: A,
}

impl<M, E, A> Heard<M, E, A>
where
    M: Machine,
    A: FnMut(Python<'_>, Option<M::Answer>) -> PyResult<Py<PyAny>>,
{
    pub(crate) fn new(machine: M, ears: E, made: A) -> Heard<M, E, A> {
        Heard { driven: Driven::new(machine), ears, made }
    }
}

impl<M, E, A> Work for Heard<M, E, A>
where
    M: Machine<Answer: Send> + Send,
    E: Ears,
    A: FnMut(Python<'_>, Option<M::Answer>) -> PyResult<Py<PyAny>> + Send,
{
    fn advance(&mut self) -> io::Result<bool> {
        let done = self.driven.advance()?;
        if self.ears.has_raised() {
            self.driven.end();
            return Ok(true);
        }
        Ok(done)
    }

    fn rest(&self, until: Option<Instant>) -> io::Result<Woken> {
        self.driven.rest(until)
    }

    fn watch(&mut self) -> io::Result<(&Set, Option<Instant>)> {
        self.driven.watch()
    }

    fn answer(&mut self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self.ears.take() {
            Some(raised) => Err(raised),
            None => (self.made)(py, self.driven.answer.take()),
        }
    }

    fn end(&mut self) {
        self.driven.end();
    }
}
