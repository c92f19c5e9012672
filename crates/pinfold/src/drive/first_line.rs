//! The verb that needs one line, as a machine.

use crate::command::Command;
use crate::cursor::LineCursor;
use crate::error::Result;
use crate::machine::{Interest, Machine};
use crate::runner::Runner;
use crate::running::{Progress, Running};
use crate::settings::Stream;
use crate::verbs::{Judge, no_line};
use std::borrow::Borrow;
use std::io;
use std::time::Instant;

/// A command on its way to its first line, and from there to its end.
///
/// Nothing is started before it is advanced for the first time. Dropping it kills what runs.
pub struct FirstLine<R, C = Command> {
    runner: R,
    command: C,
    state: State,
}

#[expect(clippy::large_enum_variant, reason = "there is one of it for each run, and it is what a run is")]
enum State {
    Due,
    Under { running: Running, cursor: LineCursor, line: Option<String> },
    Over,
}

impl<R: Runner, C: Borrow<Command>> FirstLine<R, C> {
    /// Runs a command by a runner.
    pub fn new(runner: R, command: C) -> FirstLine<R, C> {
        FirstLine { runner, command, state: State::Due }
    }

    fn launch(&self) -> Result<State> {
        let command = self.command.borrow();
        let mut running = self.runner.launch(command)?;
        let cursor = LineCursor::open(&mut running, Stream::Stdout, command);
        let cursor = cursor.ok_or_else(|| command.not_captured(Stream::Stdout))?;
        Ok(State::Under { running, cursor, line: None })
    }

    /// What a run comes to that has ended.
    fn ended(&self, mut running: Running, line: Option<String>) -> Option<Result<String>> {
        let command = self.command.borrow();
        if let Some(line) = line {
            return Some(Ok(line));
        }
        let output = running.take_output(command)?;
        let judged = running
            .unless_failed(output, command)
            .and_then(|output| Judge::Succeed.judge(output, command))
            .and_then(|output| Err(no_line(output, command)));
        Some(judged)
    }
}

impl<R: Runner, C: Borrow<Command>> Machine for FirstLine<R, C> {
    type Answer = Result<String>;

    fn advance(&mut self, now: Instant) -> io::Result<Option<Result<String>>> {
        match &mut self.state {
            State::Due => match self.launch() {
                Ok(state) => {
                    self.state = state;
                    Ok(None)
                }
                Err(error) => {
                    self.state = State::Over;
                    Ok(Some(Err(error)))
                }
            },
            State::Under { running, cursor, line } => {
                running.step(now)?;
                while line.is_none() && cursor.pull(running) {
                    *line = cursor.next().map(str::to_owned);
                    if line.is_some() {
                        running.stop(self.command.borrow().stop, now);
                    } else if cursor.has_ended() {
                        break;
                    }
                }
                if running.step(now)? == Progress::Pending {
                    return Ok(None);
                }
                match std::mem::replace(&mut self.state, State::Over) {
                    State::Under { running, line, .. } => Ok(self.ended(running, line)),
                    _ => Ok(None),
                }
            }
            State::Over => Err(io::Error::other("advanced after its answer")),
        }
    }

    fn interest(&self, now: Instant) -> Interest<'_> {
        match &self.state {
            State::Due => Interest { waitables: Vec::new(), deadline: Some(now) },
            State::Under { running, .. } => running.interest(),
            State::Over => Interest { waitables: Vec::new(), deadline: None },
        }
    }
}

/// Not what the command says: it may hold secrets.
impl<R, C> std::fmt::Debug for FirstLine<R, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FirstLine")
    }
}
