//! One job of a batch: what it is called, and when it began.

use super::joblog::{self, Entry, Problem, Word};
use pinfold::{Error, ErrorKind, Outcome, Output};
use std::ffi::OsString;
use std::time::{Duration, Instant, SystemTime};

pub(crate) struct Job {
    /// From 1.
    pub(crate) number: usize,
    /// What stands in front of its lines, if something does.
    pub(crate) tag: Vec<u8>,
    words: Vec<Word>,
    begun: Instant,
    started: SystemTime,
}

/// What became of it.
pub(crate) struct Verdict<'a> {
    pub(crate) result: &'a Result<Output<Vec<u8>>, Error>,
    pub(crate) attempts: u32,
}

impl<'a> Verdict<'a> {
    pub(crate) fn is_success(&self) -> bool {
        self.result.as_ref().is_ok_and(Output::is_success)
    }

    /// Whether it was stopped with its batch.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.result.as_ref().is_err_and(|error| error.kind() == ErrorKind::Cancelled)
    }

    /// Whether it was not started.
    pub(crate) fn is_refusal(&self) -> bool {
        self.result.as_ref().is_err_and(|error| error.output().is_none())
    }

    fn outcome(&self) -> Option<&'a Outcome> {
        let output = self.result.as_ref().ok().or(self.result.as_ref().err().and_then(Error::output));
        output.map(|output| &output.outcome)
    }

    /// In words, the program's name first.
    pub(crate) fn words(&self) -> String {
        let words = match self.result {
            Ok(output) => format!("{}: {}", output.program().display(), output.outcome),
            Err(error) => error.to_string(),
        };
        if self.attempts > 1 { format!("{words}, attempt {}", self.attempts) } else { words }
    }
}

impl Job {
    pub(crate) fn new(number: usize, command: &[OsString], tag: &[OsString]) -> Job {
        let tag: Vec<&[u8]> = tag.iter().map(|word| word.as_encoded_bytes()).collect();
        Job {
            number,
            tag: tag.join(&b' '),
            words: joblog::words(command),
            begun: Instant::now(),
            started: SystemTime::now(),
        }
    }

    /// The entry for one that means nothing, so that there is no command.
    pub(crate) fn refused(&self, why: &str) -> Entry<'static> {
        let error = Problem { kind: ErrorKind::InvalidInput.as_str(), message: why.to_owned() };
        Entry { error: Some(error), ..self.blank() }
    }

    fn blank(&self) -> Entry<'static> {
        let since_1970 = self.started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Entry {
            schema: Entry::SCHEMA,
            job: self.number,
            command: self.words.clone(),
            started_unix_seconds: since_1970.as_secs_f64(),
            duration_seconds: 0.0,
            attempts: 0,
            success: false,
            cancelled: false,
            exit_code: None,
            signal: None,
            outcome: None,
            error: None,
        }
    }

    pub(crate) fn entry<'a>(&self, verdict: &Verdict<'a>, now: Instant) -> Entry<'a> {
        let outcome = verdict.outcome();
        let error = verdict.result.as_ref().err();
        Entry {
            duration_seconds: now.saturating_duration_since(self.begun).as_secs_f64(),
            attempts: verdict.attempts,
            success: verdict.is_success(),
            cancelled: verdict.is_cancelled(),
            exit_code: outcome.and_then(Outcome::code),
            signal: outcome.and_then(Outcome::signal).and_then(|signal| signal.name()),
            outcome,
            error: error.map(|error| Problem { kind: error.kind().as_str(), message: error.to_string() }),
            ..self.blank()
        }
    }
}
