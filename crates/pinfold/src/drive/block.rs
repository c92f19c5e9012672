//! The driver that blocks the calling thread.

use crate::command::Command;
use crate::error::{ErrorKind, Result};
use crate::output::Output;
use crate::runner::Runner;
use crate::running::{Progress, Running};
use crate::verbs::{Attempts, Judge, Telling};
use pinfold_os::poll;
use std::time::{Duration, Instant};

/// Runs a command to its end, as often as it says, and has the last result judged.
pub(crate) fn complete<R: Runner + ?Sized>(
    runner: &R,
    command: &Command,
    judge: Judge,
) -> Result<Output<Vec<u8>>> {
    let mut attempts = Attempts::new(command);
    loop {
        let result = once(runner, command).and_then(|output| judge(output, command));
        match attempts.after(&result) {
            Some(pause) => rest(runner, command, pause)?,
            None => return result,
        }
    }
}

fn once<R: Runner + ?Sized>(runner: &R, command: &Command) -> Result<Output<Vec<u8>>> {
    let mut running = runner.launch(command)?;
    running.keep_for_verb(command);
    let mut telling = runner.listener().map(|listener| Telling::new(listener, &mut running, command));
    loop {
        let progress = running.advance(Instant::now());
        if let Some(telling) = &mut telling {
            telling.tell(&mut running);
        }
        if progress == Progress::Done {
            break;
        }
        wait(&running, command)?;
    }
    finish(&mut running, command)
}

/// Blocks until the machine can go on.
fn wait(running: &Running, command: &Command) -> Result<()> {
    let interest = running.interest();
    let woken = poll::wait(&interest.waitables, interest.deadline);
    woken.map(drop).map_err(|error| {
        command.error(ErrorKind::Io, format!("cannot be waited for: {error}")).because(error)
    })
}

/// The output of a run that has ended. A stream that failed on the way is an error that carries the rest.
pub(crate) fn finish(running: &mut Running, command: &Command) -> Result<Output<Vec<u8>>> {
    let failure = running.take_failure();
    let Some(output) = running.take_output(command) else {
        return Err(command.error(ErrorKind::Io, "has not ended yet"));
    };
    match failure {
        Some(error) => {
            let what = format!("its streams failed: {error}");
            Err(command.error(ErrorKind::Io, what).because(error).with_output(output))
        }
        None => Ok(output),
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
