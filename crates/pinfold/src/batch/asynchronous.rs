//! The verbs of batches as futures on tokio.

use super::verbs::Slots;
use super::{Batch, BatchProgress, Finished, Next};
use crate::async_handle::AsyncStream;
use crate::command::Command;
use crate::drive::tokio::{Watch, until_watched};
use crate::error::Result;
use crate::output::Output;
use crate::runner::{Host, Runner};
use crate::verbs::Judge;

/// The results of a batch in the order in which they come, awaited: [`Completed`](super::Completed).
#[derive(Debug)]
pub struct AsyncCompleted<I, R = Host> {
    batch: Batch<I, R>,
    watch: Option<Watch>,
}

impl<I: Iterator<Item = Command>, R: Runner> AsyncCompleted<I, R> {
    /// The next one, with its command and its output as bytes; `None` at the end. Dropping the future loses nothing.
    pub async fn next_finished(&mut self) -> Option<Finished> {
        let watch = match self.watch.take() {
            Some(watch) => Ok(watch),
            None => Watch::new(),
        };
        let next = match watch {
            Ok(watch) => until_watched(&mut Next(&mut self.batch), self.watch.insert(watch)).await,
            Err(error) => Err(error),
        };
        next.unwrap_or_else(|error| {
            self.batch.give_up(&error);
            self.batch.ready.pop_front()
        })
    }

    /// The next one; `None` at the end.
    pub async fn next(&mut self) -> Option<(usize, Result<Output>)> {
        let finished = self.next_finished().await?;
        Some((finished.index, finished.into_text()))
    }

    /// How far the batch is.
    pub fn progress(&self) -> BatchProgress {
        self.batch.progress
    }

    /// As a [`Stream`](futures_core::Stream).
    pub fn into_stream(self) -> AsyncStream<(usize, Result<Output>)>
    where
        I: Send + 'static,
        R: 'static,
    {
        AsyncStream::new(self, |mut completed| async move {
            let next = completed.next().await;
            (next, completed)
        })
    }
}

impl<I: Iterator<Item = Command>, R: Runner> Batch<I, R> {
    /// [`Batch::as_completed`] for a tokio runtime.
    pub fn as_completed_async(self) -> AsyncCompleted<I, R> {
        AsyncCompleted { batch: self, watch: None }
    }

    /// [`Batch::output`], awaited.
    pub async fn output_async(self) -> Vec<Result<Output>> {
        self.collect_async(Finished::into_text).await
    }

    /// [`Batch::output_bytes`], awaited.
    pub async fn output_bytes_async(self) -> Vec<Result<Output<Vec<u8>>>> {
        self.collect_async(|finished| finished.result).await
    }

    /// [`Batch::for_each`], awaited.
    pub async fn for_each_async(self, mut take: impl FnMut(Finished)) -> BatchProgress {
        let mut completed = self.as_completed_async();
        while let Some(finished) = completed.next_finished().await {
            take(finished);
        }
        completed.progress()
    }

    /// [`Batch::try_output`], awaited.
    ///
    /// # Errors
    /// As there.
    pub async fn try_output_async(self) -> Result<Vec<Output>> {
        let mut first = None;
        let mut outputs = Slots::new();
        let mut completed = self.judge(Judge::Succeed).fail_fast().as_completed_async();
        while let Some((index, result)) = completed.next().await {
            match result {
                Ok(output) => outputs.put(index, Ok(output)),
                Err(error) => drop(first.get_or_insert(error)),
            }
        }
        first.map_or_else(|| outputs.all(completed.batch).into_iter().collect(), Err)
    }

    async fn collect_async<T>(self, convert: impl Fn(Finished) -> Result<T>) -> Vec<Result<T>> {
        let mut slots = Slots::new();
        let mut completed = self.as_completed_async();
        while let Some(finished) = completed.next_finished().await {
            slots.put(finished.index, convert(finished));
        }
        slots.all(completed.batch)
    }
}

/// [`output_all`](super::output_all), awaited.
pub async fn output_all_async(commands: impl IntoIterator<Item = Command>) -> Vec<Result<Output>> {
    Batch::new(commands).output_async().await
}

/// [`output_all_bytes`](super::output_all_bytes), awaited.
pub async fn output_all_bytes_async(
    commands: impl IntoIterator<Item = Command>,
) -> Vec<Result<Output<Vec<u8>>>> {
    Batch::new(commands).output_bytes_async().await
}

/// [`output_as_completed`](super::output_as_completed) for a tokio runtime.
pub fn output_as_completed_async<I>(commands: I) -> AsyncCompleted<I::IntoIter>
where
    I: IntoIterator<Item = Command>,
{
    Batch::new(commands).as_completed_async()
}
