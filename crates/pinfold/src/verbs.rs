//! What each verb makes of a finished run: the part that the blocking and the async forms share.

use crate::command::Command;
use crate::error::{Error, ErrorKind, Result};
use crate::listener::Listener;
use crate::outcome::{Cause, EndedWith, Ending, Outcome};
use crate::output::{Output, Terms};
use crate::retry::{Retry, RetryIf, RetryOn};
use crate::running::{Progress, Running};
use crate::settings::{Stdin, Stream};
use crate::text::trim_newline;
use std::io;
use std::time::{Duration, Instant};

/// What a verb asks of a finished run. Each asks for what those before it ask for, and for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Judge {
    /// It ended, somehow; only a cancellation or an output limit that says so makes an error of that.
    End,
    /// It returned a code of its own accord.
    Return,
    /// It returned 0 or 1.
    Answer,
    /// It returned one of the codes that are a success.
    Succeed,
}

impl Judge {
    pub(crate) fn judge(self, output: Output<Vec<u8>>, command: &Command) -> Result<Output<Vec<u8>>> {
        match self {
            Judge::End => must_end(output, command),
            Judge::Return => must_return(output, command),
            Judge::Answer => must_answer(output, command),
            Judge::Succeed => must_succeed(output, command),
        }
    }
}

/// A verb that waits for the end has nobody who could write to an open standard input, and many programs end only when
/// that does.
pub(crate) fn needs_no_writer(command: &Command) -> Result<()> {
    if command.stdin != Stdin::Open {
        return Ok(());
    }
    let what = "its standard input is to stay open, and this verb leaves nobody to write to it";
    Err(command.error(ErrorKind::InvalidInput, what).hint("use start(), or give it its input before"))
}

/// It ended, somehow: only what makes its output worthless is an error.
fn must_end(output: Output<Vec<u8>>, command: &Command) -> Result<Output<Vec<u8>>> {
    let kind = match output.outcome.cause {
        Cause::Cancelled => ErrorKind::Cancelled,
        Cause::OutputLimit => ErrorKind::OutputTooLarge,
        _ => return Ok(output),
    };
    Err(failure(kind, output, command))
}

/// It returned a code of its own accord.
fn must_return(output: Output<Vec<u8>>, command: &Command) -> Result<Output<Vec<u8>>> {
    let output = must_end(output, command)?;
    let kind = match (output.outcome.cause, output.outcome.ending) {
        (Cause::Timeout | Cause::IdleTimeout, _) => ErrorKind::Timeout,
        (_, Ending::Exited { .. }) => return Ok(output),
        (_, Ending::Signalled { .. }) => ErrorKind::Signalled,
        (_, Ending::Lost) => ErrorKind::StatusLost,
    };
    Err(failure(kind, output, command))
}

/// It returned one of the codes that are a success.
fn must_succeed(output: Output<Vec<u8>>, command: &Command) -> Result<Output<Vec<u8>>> {
    let output = must_end(output, command)?;
    if output.is_success() {
        return Ok(output);
    }
    let output = must_return(output, command)?;
    Err(failure(ErrorKind::NonZeroExit, output, command))
}

/// It returned 0 or 1.
fn must_answer(output: Output<Vec<u8>>, command: &Command) -> Result<Output<Vec<u8>>> {
    let output = must_return(output, command)?;
    match output.outcome.code() {
        Some(0 | 1) => Ok(output),
        _ => Err(failure(ErrorKind::NonZeroExit, output, command)),
    }
}

pub(crate) fn code(output: Output<Vec<u8>>) -> Result<i32> {
    output.outcome.code().ok_or_else(|| {
        Error::new(ErrorKind::StatusLost, &output.program.clone(), "ended without a code").with_output(output)
    })
}

/// It succeeded, and wrote no line.
pub(crate) fn no_line(output: Output<Vec<u8>>, command: &Command) -> Error {
    command.error(ErrorKind::UnexpectedOutput, "ended without writing a line").with_output(output)
}

pub(crate) fn trimmed(mut text: String) -> String {
    text.truncate(trim_newline(&text).len());
    text
}

#[cfg(feature = "serde")]
pub(crate) fn json<T: serde::de::DeserializeOwned>(output: Output<Vec<u8>>, command: &Command) -> Result<T> {
    serde_json::from_slice(&output.stdout).map_err(|error| {
        // serde's words quote the input at most by its type; where it is says enough.
        let what = format!("wrote no such JSON: {error}");
        command.error(ErrorKind::UnexpectedOutput, what).with_output(output)
    })
}

/// One line of a stream of JSON values.
#[cfg(feature = "serde")]
pub(crate) fn json_line<T: serde::de::DeserializeOwned>(
    line: &str,
    number: u64,
    command: &Command,
) -> Result<T> {
    serde_json::from_str(line).map_err(|error| {
        // To serde each line is the first.
        let said = error.to_string().replace(" at line 1 column ", " at column ");
        command.error(ErrorKind::UnexpectedOutput, format!("wrote no such JSON on line {number}: {said}"))
    })
}

fn failure(kind: ErrorKind, output: Output<Vec<u8>>, command: &Command) -> Error {
    let own = Terms::of(command);
    let blamed = output.blamed();
    let terms = blamed.map_or(&own, |index| &output.stages[index].terms);
    let what = describe(&output.outcome, terms);
    let last = last_line(&output.stderr);
    let timeout = match output.outcome.cause {
        Cause::IdleTimeout => terms.idle_timeout,
        _ => terms.timeout,
    };
    let error = Error::new(kind, &output.program, what);
    let error = error.after(timeout.filter(|_| kind == ErrorKind::Timeout));
    let error = match blamed {
        Some(index) => error.at_stage(index, output.stages.len()),
        None => error,
    };
    let barred =
        (kind == ErrorKind::NonZeroExit).then(|| barred(&output.outcome, terms, last.as_deref())).flatten();
    let hints: Vec<String> = last
        .map(|line| format!("it last wrote: {line}"))
        .into_iter()
        .chain(barred.map(str::to_owned))
        .collect();
    let error = if hints.is_empty() { error } else { error.hint(hints.join("; ")) };
    error.with_output(output)
}

/// What its sandbox may have to do with the failure of a program, which was told that it may not, and never why. That is a
/// guess, and is said as one.
fn barred(outcome: &Outcome, terms: &Terms, last: Option<&str>) -> Option<&'static str> {
    const CANNOT_EXECUTE: i32 = 126;
    let is_denied = |line: &str| line.contains("ermission denied") || line.contains("not permitted");
    if terms.kept_to_paths && outcome.code() == Some(CANNOT_EXECUTE) {
        let what = "that code mostly means that it may not execute something, which has to lie in the paths that its sandbox \
                    allows";
        return Some(what);
    }
    (terms.sandboxed && last.is_some_and(is_denied)).then_some("its sandbox may be what denies that")
}

fn describe(outcome: &Outcome, terms: &Terms) -> String {
    let after = |limit: Option<Duration>| limit.map_or(String::new(), |limit| format!(" after {limit:?}"));
    let with = outcome.ended_with.as_ref().map(EndedWith::to_string).unwrap_or_default();
    match outcome.cause {
        Cause::Timeout => format!("timed out{}{with}", after(terms.timeout)),
        Cause::IdleTimeout => {
            format!("wrote nothing for {:?}{with}", terms.idle_timeout.unwrap_or_default())
        }
        Cause::OutputLimit => {
            let limit = &terms.limit;
            let bytes = limit.max_bytes.map(|bytes| format!("{bytes} bytes"));
            let lines = limit.max_lines.map(|lines| format!("{lines} lines"));
            let limits: Vec<String> = bytes.into_iter().chain(lines).collect();
            format!("wrote more than {}{with}", limits.join(" or "))
        }
        _ => outcome.to_string(),
    }
}

/// The last line of standard error that says something, if it is short enough to be a message.
pub(crate) fn last_line(stderr: &[u8]) -> Option<String> {
    const LONGEST: usize = 300;
    let tail = &stderr[stderr.len().saturating_sub(2 * LONGEST)..];
    let text = String::from_utf8_lossy(tail);
    let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
    let clean = crate::text::strip_escapes(line);
    (clean.len() <= LONGEST).then(|| clean.into_owned())
}

/// The attempts of one verb.
pub(crate) struct Attempts {
    retry: Option<Retry>,
    judge: Option<RetryIf>,
    made: u32,
}

impl Attempts {
    pub(crate) fn new(command: &Command, judge: Option<RetryIf>) -> Attempts {
        Attempts { retry: command.retry, judge, made: 0 }
    }

    /// How many have ended.
    pub(crate) fn made(&self) -> u32 {
        self.made
    }

    /// The pause before the next attempt, or `None` if this result stands.
    pub(crate) fn after(&mut self, result: &Result<Output<Vec<u8>>>) -> Option<Duration> {
        self.made += 1;
        let retry = self.retry.filter(|retry| self.made < retry.attempts)?;
        let output = match result {
            Ok(output) => Some(output),
            Err(error) if matches!(error.kind(), ErrorKind::Cancelled) => return None,
            Err(error) => error.output(),
        };
        if let Some(judge) = &self.judge {
            // The same question for every verb, whatever each of them makes of a failure.
            let asked = match (output, result) {
                (None, Err(error)) => Err(error),
                (Some(output), _) | (None, Ok(output)) => Ok(output),
            };
            return judge.wants(asked).then(|| retry.draw_pause(self.made));
        }
        let outcome = output.map(|output| &output.outcome);
        let again = match (retry.on, outcome) {
            (RetryOn::Failure, Some(_)) => !matches!(result, Ok(output) if output.is_success()),
            (RetryOn::Failure, None) => {
                result.as_ref().is_err_and(|error| error.kind() == ErrorKind::ResourceLimit)
            }
            (RetryOn::Timeout, outcome) => outcome.is_some_and(Outcome::timed_out),
            (RetryOn::Code(code), outcome) => outcome.and_then(Outcome::code) == Some(code),
        };
        again.then(|| retry.draw_pause(self.made))
    }
}

/// One run of a verb.
pub(crate) struct Attempt {
    pub(crate) running: Running,
    telling: Option<Telling>,
}

impl Attempt {
    pub(crate) fn new(mut running: Running, command: &Command, listener: Option<Listener>) -> Attempt {
        running.keep_for_verb(command);
        let telling = listener.map(|listener| Telling::new(listener, &mut running, command));
        Attempt { running, telling }
    }

    /// Has the machine go on, and tells what came of it.
    pub(crate) fn advance(&mut self, now: Instant) -> io::Result<Progress> {
        let progress = self.running.step(now)?;
        if let Some(telling) = &mut self.telling {
            telling.tell(&mut self.running);
        }
        Ok(progress)
    }

    /// The output, once the run has ended. A stream that failed on the way is an error that carries the rest.
    pub(crate) fn finish(mut self, command: &Command) -> Result<Output<Vec<u8>>> {
        let Some(output) = self.running.take_output(command) else {
            return Err(command.error(ErrorKind::Io, "has not ended yet"));
        };
        self.running.unless_failed(output, command)
    }
}

/// The lines of both streams, told to a listener as they come.
struct Telling {
    listener: Listener,
    readers: [(crate::text::LineReader, Option<crate::capture::Cursor>); 2],
}

impl Telling {
    fn new(listener: Listener, running: &mut Running, command: &Command) -> Telling {
        let readers = Stream::BOTH.map(|stream| {
            let reader = crate::text::LineReader::new(&command.encodings[stream as usize], command.lines);
            let capture = running.channels[stream as usize].capture.as_mut();
            (reader, capture.map(crate::capture::Capture::open_cursor))
        });
        Telling { listener, readers }
    }

    fn tell(&mut self, running: &mut Running) {
        for (stream, (reader, cursor)) in Stream::BOTH.into_iter().zip(&mut self.readers) {
            let (Some(cursor), Some(capture)) = (cursor, running.channels[stream as usize].capture.as_mut())
            else {
                continue;
            };
            let (offset, unread) = capture.unread(cursor);
            reader.feed(unread);
            let end = offset + unread.len() as u64;
            capture.advance_cursor(cursor, end);
            if capture.is_ended() && running.outcome().is_some() {
                reader.end();
            }
            while let Some(line) = reader.next_line() {
                self.listener.tell(stream, line);
            }
        }
    }
}
