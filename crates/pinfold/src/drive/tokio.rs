//! The driver for tokio: one descriptor of each run is watched by the reactor that is there already.

use super::completion::Completion;
use crate::command::Command;
use crate::error::Result;
use crate::machine::{Interest, Machine};
use crate::output::Output;
use crate::runner::Runner;
use crate::verbs::Judge;
use pinfold_os::poll::Set;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Instant;
use tokio::io::Interest as Readiness;
use tokio::io::unix::AsyncFd;
use tokio::sync::futures::Notified;

/// The descriptors of one run, as one that tokio's reactor watches.
#[derive(Debug)]
pub(crate) struct Watch(AsyncFd<Set>);

impl Watch {
    /// Must be called inside a tokio runtime with I/O and time enabled.
    #[expect(
        deprecated,
        reason = "its successor is unsafe for types that may change their descriptor; a Set owns one"
    )]
    pub(crate) fn new() -> io::Result<Watch> {
        Ok(Watch(AsyncFd::with_interest(Set::new()?, Readiness::READABLE)?))
    }

    /// Watches what the machine is interested in: until when, if until a time.
    pub(crate) fn update(&self, interest: &Interest<'_>) -> io::Result<Option<Instant>> {
        self.0.get_ref().update(&interest.waitables)?;
        Ok(interest.deadline)
    }

    /// Whether one of the descriptors is ready.
    pub(crate) fn is_ready(&self) -> io::Result<bool> {
        self.0.get_ref().is_ready()
    }

    /// Waits until one of the descriptors is ready, the deadline has passed, or somebody says so.
    pub(crate) async fn wait(&self, deadline: Option<Instant>, told: Option<Notified<'_>>) -> io::Result<()> {
        let mut readable = pin!(self.0.readable());
        let mut sleep = pin!(deadline.map(|deadline| tokio::time::sleep_until(deadline.into())));
        let mut told = pin!(told);
        let woken = poll_fn(|context| {
            if let Poll::Ready(guard) = readable.as_mut().poll(context) {
                return Poll::Ready(Some(guard));
            }
            let rung = sleep.as_mut().as_pin_mut().is_some_and(|sleep| sleep.poll(context).is_ready())
                || told.as_mut().as_pin_mut().is_some_and(|told| told.poll(context).is_ready());
            if rung { Poll::Ready(None) } else { Poll::Pending }
        });
        if let Some(guard) = woken.await {
            let mut guard = guard?;
            // What the reactor remembers is cleared only when it is no longer so.
            if !self.is_ready()? {
                guard.clear_ready();
            }
        }
        Ok(())
    }
}

/// Waits for the first of two.
pub(crate) async fn either<T>(one: impl Future<Output = T>, other: impl Future<Output = T>) -> T {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|context| match one.as_mut().poll(context) {
        Poll::Pending => other.as_mut().poll(context),
        ready => ready,
    })
    .await
}

/// Runs a command to its end, as often as it says, and has the last result judged.
pub(crate) async fn complete<R: Runner + ?Sized>(
    runner: &R,
    command: &Command,
    judge: Judge,
) -> Result<Output<Vec<u8>>> {
    until(&mut Completion::new(runner, command, judge)).await.map_err(|error| failed(command, error))?
}

/// Drives a machine until it has its answer.
pub(crate) async fn until<M: Machine>(machine: &mut M) -> io::Result<M::Answer> {
    until_watched(machine, &Watch::new()?).await
}

/// [`until`] with a watch that is used again.
pub(crate) async fn until_watched<M: Machine>(machine: &mut M, watch: &Watch) -> io::Result<M::Answer> {
    loop {
        let now = Instant::now();
        if let Some(answer) = machine.advance(now)? {
            return Ok(answer);
        }
        let deadline = watch.update(&machine.interest(now))?;
        watch.wait(deadline, None).await?;
    }
}

pub(crate) fn failed(command: &Command, error: io::Error) -> crate::error::Error {
    command.unwaitable(error)
}
