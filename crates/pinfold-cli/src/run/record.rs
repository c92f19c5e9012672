//! The machine-readable record of a run: one line of JSON on a descriptor of the user's choice.
//!
//! It holds the program's name and no argument or variable, like every message.

use super::Refusal;
use crate::args::{Misuse, RunArgs};
use crate::exit::{End, FAILED};
use crate::{log, out};
use pinfold::Outcome;
use serde::Serialize;
use std::fs::File;
use std::io::{self, Write};

/// What the record's fields mean is fixed under this name; fields may be added.
const SCHEMA: &str = "pinfold.run/1";

/// Where the record goes, if one is wanted.
pub(crate) struct Record {
    program: String,
    to: Option<File>,
    on_stderr: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    schema: &'static str,
    program: &'a str,
    attempts: u32,
    success: bool,
    /// What pinfold exits with, unless a signal ends it.
    exit_code: Option<u8>,
    /// The signal that ends pinfold, as it ended the program.
    exit_signal: Option<String>,
    outcome: Option<&'a Outcome>,
    error: Option<Problem<'a>>,
}

#[derive(Serialize)]
struct Problem<'a> {
    kind: &'a str,
    message: &'a str,
    hint: Option<&'a str>,
}

impl<'a> From<&'a Refusal> for Problem<'a> {
    fn from(refusal: &'a Refusal) -> Problem<'a> {
        Problem { kind: refusal.kind, message: &refusal.what, hint: refusal.hint.as_deref() }
    }
}

impl Record {
    /// Claims the descriptor, so that the program does not get it.
    ///
    /// # Errors
    /// If it is not open.
    pub(crate) fn open(args: &RunArgs) -> Result<Record, Misuse> {
        let program = args.program.to_string_lossy().into_owned();
        let Some(number) = args.json else { return Ok(Record { program, to: None, on_stderr: false }) };
        let to = log::claim(number, &format!("--json={number}"), "record.json")?;
        Ok(Record { program, to: Some(to), on_stderr: number == log::STDERR })
    }

    /// Whether the record stands where pinfold would otherwise say in words what is in it.
    pub(crate) fn replaces_words(&self) -> bool {
        self.on_stderr
    }

    /// Records a run that ended; the end that pinfold then has to take.
    pub(crate) fn outcome(&mut self, end: End, attempts: u32, success: bool, outcome: &Outcome) -> End {
        self.write(end, attempts, success, Some(outcome), None)
    }

    /// Records that nothing was started; the end that pinfold then has to take.
    pub(crate) fn refusal(&mut self, refusal: &Refusal, attempts: u32) -> End {
        self.write(refusal.end, attempts, false, None, Some(Problem::from(refusal)))
    }

    /// Records a run that ended, and what was lost of it; the end that pinfold then has to take.
    pub(crate) fn failure(&mut self, refusal: &Refusal, attempts: u32, outcome: &Outcome) -> End {
        self.write(refusal.end, attempts, false, Some(outcome), Some(Problem::from(refusal)))
    }

    fn write(
        &mut self,
        end: End,
        attempts: u32,
        success: bool,
        outcome: Option<&Outcome>,
        error: Option<Problem<'_>>,
    ) -> End {
        let Some(to) = &mut self.to else { return end };
        let (exit_code, exit_signal) = match end {
            End::Code(code) => (Some(code), None),
            End::Signal(signal) => (None, Some(signal.name().unwrap_or_else(|| signal.number().to_string()))),
        };
        let line = Line {
            schema: SCHEMA,
            program: &self.program,
            attempts,
            success,
            exit_code,
            exit_signal,
            outcome,
            error,
        };
        match serde_json::to_string(&line).map_err(io::Error::from).and_then(|text| writeln!(to, "{text}")) {
            Ok(()) => end,
            // Whoever wanted the record does so no more.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => end,
            Err(error) => {
                out::fail(&format!("the JSON record cannot be written: {error}"), None);
                End::Code(FAILED)
            }
        }
    }
}
