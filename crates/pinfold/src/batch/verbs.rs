//! The verbs of batches that block.

use super::{Batch, Completed, Finished};
use crate::command::Command;
use crate::error::Result;
use crate::output::Output;
use crate::runner::Runner;
use crate::verbs::Judge;

/// Results in the order of their commands.
#[derive(Debug)]
pub(super) struct Slots<T>(Vec<Option<Result<T>>>);

impl<T> Slots<T> {
    pub(super) fn new() -> Slots<T> {
        Slots(Vec::new())
    }

    pub(super) fn put(&mut self, index: usize, result: Result<T>) {
        if self.0.len() <= index {
            self.0.resize_with(index + 1, || None);
        }
        self.0[index] = Some(result);
    }

    /// All of them, with one for each command that was not started.
    pub(super) fn all<I, R>(self, batch: Batch<I, R>) -> Vec<Result<T>>
    where
        I: Iterator<Item = Command>,
        R: Runner,
    {
        let mut all: Vec<Result<T>> = self.0.into_iter().flatten().collect();
        all.extend(batch.not_started());
        all
    }
}

impl<I: Iterator<Item = Command>, R: Runner> Batch<I, R> {
    /// The results in the order in which they come. With [`Batch::fail_fast`], or where it is cancelled, it ends with those that
    /// were started.
    pub fn as_completed(self) -> Completed<I, R> {
        Completed::new(self)
    }

    /// Runs all of them: a result for each command, in the order of the commands. Those that were not started, since the
    /// batch failed fast or was cancelled, have errors that say so.
    pub fn output(self) -> Vec<Result<Output>> {
        self.collect(Finished::into_text)
    }

    /// [`Batch::output`] as bytes.
    pub fn output_bytes(self) -> Vec<Result<Output<Vec<u8>>>> {
        self.collect(|finished| finished.result)
    }

    /// Runs all of them and hands each result over as it comes; nothing is kept.
    pub fn for_each(self, mut take: impl FnMut(Finished)) -> super::BatchProgress {
        let mut completed = self.as_completed();
        while let Some(finished) = completed.next_finished() {
            take(finished);
        }
        completed.progress()
    }

    /// Runs all of them, each of which has to succeed. With the first that does not, what runs is stopped, and no more is
    /// started.
    ///
    /// # Errors
    /// That of the first that failed.
    pub fn try_output(self) -> Result<Vec<Output>> {
        let mut first = None;
        let mut outputs = Slots::new();
        self.judge(Judge::Succeed).fail_fast().for_each(|finished| {
            let index = finished.index;
            match finished.into_text() {
                Ok(output) => outputs.put(index, Ok(output)),
                Err(error) => drop(first.get_or_insert(error)),
            }
        });
        first.map_or_else(|| outputs.0.into_iter().flatten().collect(), Err)
    }

    fn collect<T>(self, convert: impl Fn(Finished) -> Result<T>) -> Vec<Result<T>> {
        let mut slots = Slots::new();
        let mut completed = self.as_completed();
        while let Some(finished) = completed.next_finished() {
            slots.put(finished.index, convert(finished));
        }
        slots.all(completed.into_batch())
    }
}

/// Runs all of these commands on this host, as many at a time as this process may use CPUs: a result or an error for each, in
/// their order. For more, see [`Batch`].
///
/// ```
/// use pinfold::{Command, output_all};
///
/// let results = output_all(["one", "two"].map(|word| Command::new("echo").arg(word)));
/// let words: Vec<String> = results.into_iter().map(|output| output.unwrap().stdout).collect();
/// assert_eq!(words, ["one\n", "two\n"]);
/// ```
pub fn output_all(commands: impl IntoIterator<Item = Command>) -> Vec<Result<Output>> {
    Batch::new(commands).output()
}

/// [`output_all`] as bytes.
pub fn output_all_bytes(commands: impl IntoIterator<Item = Command>) -> Vec<Result<Output<Vec<u8>>>> {
    Batch::new(commands).output_bytes()
}

/// Runs all of these commands as [`output_all`] does, and gives the results in the order in which they come, each with the
/// index of its command.
pub fn output_as_completed<I>(commands: I) -> Completed<I::IntoIter>
where
    I: IntoIterator<Item = Command>,
{
    Batch::new(commands).as_completed()
}
