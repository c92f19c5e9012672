//! The driver that blocks the calling thread.

use super::completion::Completion;
use crate::command::Command;
use crate::error::Result;
use crate::machine::Machine;
use crate::output::Output;
use crate::runner::Runner;
use crate::verbs::Judge;
use pinfold_os::poll;
use std::io;
use std::time::Instant;

/// Runs a command to its end, as often as it says, and has the last result judged.
pub(crate) fn complete<R: Runner + ?Sized>(
    runner: &R,
    command: &Command,
    judge: Judge,
) -> Result<Output<Vec<u8>>> {
    let mut completion = Completion::new(runner, command, judge);
    let unwaitable = |error| command.unwaitable(error);
    loop {
        let now = Instant::now();
        if let Some(answer) = completion.advance(now).map_err(unwaitable)? {
            return answer;
        }
        if completion.running_mut().is_some_and(|running| running.await_exit_alone()) {
            continue;
        }
        let interest = completion.interest(now);
        poll::wait(&interest.waitables, interest.deadline).map_err(unwaitable)?;
    }
}

/// Drives a machine until it has its answer, or until the deadline.
pub(crate) fn until<M: Machine>(machine: &mut M, deadline: Option<Instant>) -> io::Result<Option<M::Answer>> {
    loop {
        let now = Instant::now();
        let answer = machine.advance(now)?;
        if answer.is_some() || deadline.is_some_and(|deadline| deadline <= now) {
            return Ok(answer);
        }
        let interest = machine.interest(now);
        let first = [interest.deadline, deadline].into_iter().flatten().min();
        poll::wait(&interest.waitables, first)?;
    }
}

/// Drives a machine until it has its answer.
pub(crate) fn until_known<M: Machine>(machine: &mut M) -> io::Result<M::Answer> {
    loop {
        if let Some(answer) = until(machine, None)? {
            return Ok(answer);
        }
    }
}
