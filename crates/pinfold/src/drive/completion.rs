//! A verb that waits for the end, as a machine: the command is run, again if its retry rule says so, and the last result is
//! judged.

use crate::cancel::CancelToken;
use crate::command::Command;
use crate::error::{Error, ErrorKind, Result};
use crate::machine::{Interest, Machine};
use crate::observe::{Happening, NOBODY};
use crate::outcome::Cause;
use crate::output::Output;
use crate::runner::Runner;
use crate::running::{Progress, Running};
use crate::settings::{StopRule, Stream};
use crate::verbs::{Attempt, Attempts, Judge, needs_no_writer};
use std::borrow::Borrow;
use std::io;
use std::time::Instant;

/// A command on its way to its end, whatever it takes: attempts, and the pauses between them.
///
/// Nothing is started before it is advanced for the first time. Dropping it kills what runs, and returns when that is gone.
/// See [`Machine`] for an example.
pub struct Completion<R, C = Command> {
    runner: R,
    command: C,
    judge: Judge,
    attempts: Attempts,
    state: State,
}

#[expect(clippy::large_enum_variant, reason = "there is one of it for each run, and it is what a run is")]
enum State {
    /// The next attempt begins.
    Due,
    Under(Attempt),
    Resting {
        until: Option<Instant>,
        /// What the attempt before has written, for whoever puts that elsewhere.
        left: Option<Output<Vec<u8>>>,
    },
    /// It was cancelled while nothing ran.
    Cancelled,
    Over,
}

impl<R: Runner, C: Borrow<Command>> Completion<R, C> {
    /// Runs a command by a runner.
    pub fn new(runner: R, command: C, judge: Judge) -> Completion<R, C> {
        let attempts = Attempts::new(command.borrow(), runner.retries().cloned());
        Completion { runner, command, judge, attempts, state: State::Due }
    }

    /// The command that is run.
    pub fn command(&self) -> &Command {
        self.command.borrow()
    }

    /// The attempt that runs now, if one does.
    pub fn running(&self) -> Option<&Running> {
        match &self.state {
            State::Under(attempt) => Some(&attempt.running),
            _ => None,
        }
    }

    /// Puts output of the attempt that runs now elsewhere, so that it need not be held in memory: what is retained is shown to
    /// `take`, which says how many bytes of its front it took. The answer's output is what was not taken.
    ///
    /// Between two attempts, when [`Completion::running`] is none, it is the rest of what the one before has written.
    pub fn drain(&mut self, stream: Stream, take: impl FnOnce(&[u8]) -> usize) {
        match &mut self.state {
            State::Under(attempt) => attempt.running.drain(stream, take),
            State::Resting { left: Some(left), .. } => {
                let bytes = match stream {
                    Stream::Stdout => &mut left.stdout,
                    Stream::Stderr => &mut left.stderr,
                };
                let taken = take(bytes).min(bytes.len());
                bytes.drain(..taken);
            }
            _ => {}
        }
    }

    /// How often it was tried so far.
    pub fn attempts(&self) -> u32 {
        self.attempts.made()
    }

    /// Stops what runs by the command's stop rule, and tries no more: the answer is [`ErrorKind::Cancelled`].
    pub fn cancel(&mut self, now: Instant) {
        self.cancel_by(self.command.borrow().stop, now);
    }

    /// [`Completion::cancel`] without a signal and without grace; or, after it, without any more of that.
    pub fn kill(&mut self, now: Instant) {
        self.cancel_by(StopRule::KILL, now);
    }

    fn cancel_by(&mut self, rule: StopRule, now: Instant) {
        match &mut self.state {
            State::Under(attempt) => attempt.running.stop_because(Cause::Cancelled, rule, now),
            State::Due | State::Resting { .. } => self.state = State::Cancelled,
            State::Cancelled | State::Over => {}
        }
    }

    pub(crate) fn running_mut(&mut self) -> Option<&mut Running> {
        match &mut self.state {
            State::Under(attempt) => Some(&mut attempt.running),
            _ => None,
        }
    }

    /// The error for a driver that cannot wait for it.
    pub fn unwaitable(&self, error: io::Error) -> Error {
        self.command.borrow().unwaitable(error)
    }

    pub(crate) fn into_command(self) -> C {
        self.command
    }

    fn launch(&self, now: Instant) -> Result<Attempt> {
        let command = self.command.borrow();
        let mut running = self.runner.launch(command)?;
        running.begin_at(now);
        Ok(Attempt::new(running, command, self.runner.listener().cloned()))
    }

    /// What became of an attempt: the answer, or a pause.
    fn attempted(
        &mut self,
        result: Result<Output<Vec<u8>>>,
        now: Instant,
    ) -> io::Result<Option<Result<Output<Vec<u8>>>>> {
        let result = result.and_then(|output| self.judge.judge(output, self.command.borrow()));
        match self.attempts.after(&result) {
            None => {
                self.state = State::Over;
                Ok(Some(result))
            }
            Some(pause) => {
                if let Some(token) = self.runner.cancel_token() {
                    token.prepare()?;
                }
                let attempt = self.attempts.made() + 1;
                let observer = self.runner.observer().unwrap_or(&NOBODY);
                observer.tell_of(&self.command.borrow().program, Happening::Retrying { attempt, pause });
                let left = result.or_else(|error| error.into_output().ok_or(())).ok();
                self.state = State::Resting { until: now.checked_add(pause), left };
                Ok(None)
            }
        }
    }
}

impl<R: Runner, C: Borrow<Command>> Machine for Completion<R, C> {
    type Answer = Result<Output<Vec<u8>>>;

    fn advance(&mut self, now: Instant) -> io::Result<Option<Self::Answer>> {
        loop {
            match &mut self.state {
                State::Due => match needs_no_writer(self.command.borrow()).and_then(|()| self.launch(now)) {
                    // It waits first: a process that was just made has not done anything yet.
                    Ok(attempt) => {
                        self.state = State::Under(attempt);
                        return Ok(None);
                    }
                    Err(error) => {
                        if let Some(answer) = self.attempted(Err(error), now)? {
                            return Ok(Some(answer));
                        }
                    }
                },
                State::Under(attempt) => {
                    if attempt.advance(now)? == Progress::Pending {
                        return Ok(None);
                    }
                    let State::Under(attempt) = std::mem::replace(&mut self.state, State::Over) else {
                        return Ok(None);
                    };
                    let result = attempt.finish(self.command.borrow());
                    // It rests at least for as long as it takes to look at what the attempt has left.
                    return self.attempted(result, now);
                }
                State::Resting { until, .. } => {
                    if self.runner.cancel_token().is_some_and(CancelToken::is_cancelled) {
                        self.state = State::Cancelled;
                        continue;
                    }
                    if until.is_none_or(|until| until > now) {
                        return Ok(None);
                    }
                    self.state = State::Due;
                }
                State::Cancelled => {
                    self.state = State::Over;
                    let what = match self.attempts.made() {
                        0 => "was cancelled before it was started",
                        _ => "was cancelled between two attempts",
                    };
                    return Ok(Some(Err(self.command.borrow().error(ErrorKind::Cancelled, what))));
                }
                State::Over => return Err(io::Error::other("advanced after its answer")),
            }
        }
    }

    fn interest(&self, now: Instant) -> Interest<'_> {
        match &self.state {
            State::Due | State::Cancelled => Interest { waitables: Vec::new(), deadline: Some(now) },
            State::Under(attempt) => attempt.running.interest(),
            State::Resting { until, .. } => {
                let token = self.runner.cancel_token().and_then(CancelToken::prepared);
                Interest { waitables: token.into_iter().collect(), deadline: *until }
            }
            State::Over => Interest { waitables: Vec::new(), deadline: None },
        }
    }
}

/// Not what the command says: it may hold secrets.
impl<R, C> std::fmt::Debug for Completion<R, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Completion").field("judge", &self.judge).finish_non_exhaustive()
    }
}
