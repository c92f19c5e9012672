//! The driver that blocks the calling thread.

use super::Machine;
use crate::command::Command;
use crate::error::{ErrorKind, Result};
use crate::output::Output;
use crate::runner::Runner;
use crate::running::{Progress, Running};
use crate::verbs::{Attempt, Attempts, Judge, needs_no_writer};
use pinfold_os::poll;
use std::io;
use std::time::{Duration, Instant};

/// Runs a command to its end, as often as it says, and has the last result judged.
pub(crate) fn complete<R: Runner + ?Sized>(
    runner: &R,
    command: &Command,
    judge: Judge,
) -> Result<Output<Vec<u8>>> {
    needs_no_writer(command)?;
    let mut attempts = Attempts::new(command, runner.retry_if());
    loop {
        let result = once(runner, command).and_then(|output| judge(output, command));
        match attempts.after(&result) {
            Some(pause) => rest(runner, command, pause)?,
            None => return result,
        }
    }
}

fn once<R: Runner + ?Sized>(runner: &R, command: &Command) -> Result<Output<Vec<u8>>> {
    let mut attempt = Attempt::new(runner.launch(command)?, command, runner.listener());
    // It waits first: a process that was just made has not done anything yet.
    wait(&mut attempt.running, command)?;
    while attempt.advance() == Progress::Pending {
        wait(&mut attempt.running, command)?;
    }
    attempt.finish()
}

/// Blocks until the machine can go on.
fn wait(running: &mut Running, command: &Command) -> Result<()> {
    if running.outcome().is_some() || running.await_exit_alone() {
        return Ok(());
    }
    let interest = running.interest();
    let woken = poll::wait(&interest.waitables, interest.deadline);
    woken.map(drop).map_err(|error| {
        command.error(ErrorKind::Io, format!("cannot be waited for: {error}")).because(error)
    })
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

/// The pause between two attempts, which a cancellation ends.
fn rest<R: Runner + ?Sized>(runner: &R, command: &Command, pause: Duration) -> Result<()> {
    let deadline = Instant::now().checked_add(pause);
    let cancelled = || command.error(ErrorKind::Cancelled, "was cancelled between two attempts");
    let token = runner.cancel_token();
    if let Some(token) = token {
        token.prepare().map_err(|error| command.error(ErrorKind::Io, error.to_string()).because(error))?;
    }
    loop {
        if token.is_some_and(crate::cancel::CancelToken::is_cancelled) {
            return Err(cancelled());
        }
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Ok(());
        }
        let waitables: Vec<_> = token.and_then(|token| token.waitable()).into_iter().collect();
        if waitables.is_empty() {
            std::thread::sleep(pause);
            return Ok(());
        }
        poll::wait(&waitables, deadline)
            .map_err(|error| command.error(ErrorKind::Io, error.to_string()).because(error))?;
    }
}
