//! The results of a batch as they come, for the blocking world.

use super::{Batch, Finished, Next};
use crate::command::Command;
use crate::drive::block;
use crate::error::Result;
use crate::output::Output;
use crate::runner::{Host, Runner};

/// The results of a batch in the order in which they come, each with the index of its command.
///
/// Runs go on while the next is waited for, and not between. Dropping it kills what runs.
#[derive(Debug)]
pub struct Completed<I, R = Host>(Batch<I, R>);

impl<I: Iterator<Item = Command>, R: Runner> Completed<I, R> {
    pub(super) fn new(batch: Batch<I, R>) -> Completed<I, R> {
        Completed(batch)
    }

    /// Waits for the next one, with its command and its output as bytes.
    pub fn next_finished(&mut self) -> Option<Finished> {
        match block::until(&mut Next(&mut self.0), None) {
            Ok(next) => next.flatten(),
            Err(error) => {
                self.0.give_up(&error);
                self.0.ready.pop_front()
            }
        }
    }

    /// How far the batch is.
    pub fn progress(&self) -> super::BatchProgress {
        self.0.progress
    }

    pub(super) fn into_batch(self) -> Batch<I, R> {
        self.0
    }
}

impl<I: Iterator<Item = Command>, R: Runner> Iterator for Completed<I, R> {
    type Item = (usize, Result<Output>);

    fn next(&mut self) -> Option<(usize, Result<Output>)> {
        self.next_finished().map(|finished| (finished.index, finished.into_text()))
    }
}
