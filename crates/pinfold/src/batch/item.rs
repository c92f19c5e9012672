//! One command of a batch.

use crate::command::Command;
use crate::drive::completion::Completion;
use crate::error::Result;
use crate::machine::{Interest, Machine};
use crate::output::Output;
use crate::runner::Runner;
use crate::verbs::Judge;
use std::io;
use std::sync::Arc;
use std::time::Instant;

pub(super) type Answer = Result<Output<Vec<u8>>>;

/// A command on its way to its end.
pub(super) struct Item<R> {
    pub(super) index: usize,
    pub(super) completion: Completion<Arc<R>>,
}

impl<R: Runner> Item<R> {
    pub(super) fn new(index: usize, runner: Arc<R>, command: Command, judge: Judge) -> Item<R> {
        Item { index, completion: Completion::new(runner, command, judge) }
    }

    pub(super) fn finish(self, answer: io::Result<Answer>) -> Finished {
        let attempts = self.completion.attempts();
        let result = answer.map_err(|error| self.completion.unwaitable(error)).and_then(|result| result);
        let command = self.completion.into_command();
        Finished { index: self.index, command, attempts, result }
    }
}

impl<R: Runner> Machine for Item<R> {
    type Answer = Answer;

    fn advance(&mut self, now: Instant) -> io::Result<Option<Answer>> {
        self.completion.advance(now)
    }

    fn interest(&self, now: Instant) -> Interest<'_> {
        self.completion.interest(now)
    }
}

/// One command of a batch that has ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct Finished {
    /// Which of the commands it was, counted from 0.
    pub index: usize,
    /// The command itself.
    pub command: Command,
    /// How often it was run, or tried to be.
    pub attempts: u32,
    /// What became of the last attempt.
    pub result: Result<Output<Vec<u8>>>,
}

impl Finished {
    /// Whether it ended of its own accord with one of its success codes.
    pub fn is_success(&self) -> bool {
        self.result.as_ref().is_ok_and(Output::is_success)
    }

    /// The result with its output as text.
    pub fn into_text(self) -> Result<Output> {
        let encodings = self.command.encodings;
        self.result.map(|output| output.into_text(&encodings))
    }
}
