//! What comes from a live run, in batches: a call for each batch, and not for each line.

use crate::error::{Form, raised};
use crate::machine::{Work, rest_for};
use pinfold::{PolledChunks, PolledLines};
use pinfold_os::poll::{Set, Woken};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString};
use std::io;
use std::sync::Arc;
use std::time::Instant;

/// Lines that are made at a time: so many that a call for them does not count, and so few that they are still in the cache when
/// they are used.
const BATCH: usize = 4096;
/// The same in bytes of text.
pub(super) const BATCH_BYTES: usize = 32 << 10;

/// The lines of one stream, as lists.
pub(super) struct Batches {
    lines: PolledLines,
    command: Arc<pinfold::Command>,
    failure: Option<pinfold::Error>,
    /// Bytes of text that are made into lines at a time.
    most: usize,
}

impl Batches {
    pub(super) fn new(lines: PolledLines, command: Arc<pinfold::Command>, most: usize) -> Batches {
        Batches { lines, command, failure: None, most }
    }
}

impl Work for Batches {
    fn advance(&mut self) -> io::Result<bool> {
        match self.lines.advance() {
            Ok(there) => Ok(there.is_some()),
            Err(error) => {
                self.failure = Some(error);
                Ok(true)
            }
        }
    }

    fn rest(&self, until: Option<Instant>) -> io::Result<Woken> {
        rest_for(self.lines.watch(), until)
    }

    fn watch(&mut self) -> io::Result<(&Set, Option<Instant>)> {
        let watch = self.lines.watch();
        Ok((watch.set(), watch.deadline()))
    }

    fn answer(&mut self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        if let Some(error) = self.failure.take() {
            return Err(raised(py, error, &self.command, Form::Text));
        }
        let most = self.most;
        if let Some(several) = self.lines.next_lines(most) {
            // Python divides a text sooner than anybody hands it strings one by one.
            return Ok(PyString::new(py, several)
                .call_method1(intern!(py, "split"), (intern!(py, "\n"),))?
                .unbind());
        }
        let batch = PyList::empty(py);
        while batch.len() < BATCH
            && let Some(line) = self.lines.next_line()
        {
            batch.append(PyString::new(py, line))?;
        }
        Ok(batch.into_any().unbind())
    }

    fn end(&mut self) {}
}

/// The bytes of one stream, as they come.
pub(super) struct Chunks {
    chunks: PolledChunks,
    command: Arc<pinfold::Command>,
    answer: Option<pinfold::Result<Vec<u8>>>,
}

impl Chunks {
    pub(super) fn new(chunks: PolledChunks, command: Arc<pinfold::Command>) -> Chunks {
        Chunks { chunks, command, answer: None }
    }
}

impl Work for Chunks {
    fn advance(&mut self) -> io::Result<bool> {
        if self.answer.is_none() {
            self.answer = self.chunks.advance().transpose();
        }
        Ok(self.answer.is_some())
    }

    fn rest(&self, until: Option<Instant>) -> io::Result<Woken> {
        rest_for(self.chunks.watch(), until)
    }

    fn watch(&mut self) -> io::Result<(&Set, Option<Instant>)> {
        let watch = self.chunks.watch();
        Ok((watch.set(), watch.deadline()))
    }

    fn answer(&mut self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self.answer.take() {
            Some(Ok(chunk)) => Ok(PyBytes::new(py, &chunk).into_any().unbind()),
            Some(Err(error)) => Err(raised(py, error, &self.command, Form::Text)),
            None => Ok(py.None()),
        }
    }

    fn end(&mut self) {}
}
