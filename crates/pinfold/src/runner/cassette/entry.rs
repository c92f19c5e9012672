//! A recording: one line of a cassette.

use super::redact::Redaction;
use crate::command::Command;
use crate::outcome::{Cause, Outcome};
use crate::running::{End, Recording, Script, Step};
use crate::settings::{Stdin, Stdio, Stream};
use crate::wire::OsText;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::sync::Arc;

/// A run that was recorded.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Entry {
    #[serde(flatten)]
    pub(super) shape: Shape,
    /// What it wrote, in order.
    output: Vec<(Stream, OsText)>,
    /// Whether whoever wrote to its standard input ended that before it ended.
    #[serde(default, skip_serializing_if = "is_default")]
    input_ended: bool,
    outcome: Outcome,
}

/// By what a command is known again. All of it is redacted.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Shape {
    program: OsText,
    args: Vec<OsText>,
    #[serde(default, skip_serializing_if = "is_default")]
    cwd: Option<OsText>,
    #[serde(default, skip_serializing_if = "is_default")]
    env: Variables,
    #[serde(default, skip_serializing_if = "is_default")]
    stdin: Stdin,
    #[serde(default, skip_serializing_if = "is_default")]
    stdout: Stdio,
    #[serde(default, skip_serializing_if = "is_default")]
    stderr: Stdio,
}

/// What a command says of the environment: values only of variables that are named to be kept.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
struct Variables {
    #[serde(skip_serializing_if = "is_default")]
    clear: bool,
    #[serde(skip_serializing_if = "is_default")]
    inherit: Vec<String>,
    /// `None` for a value that is not stored.
    #[serde(skip_serializing_if = "is_default")]
    set: BTreeMap<String, Option<String>>,
    #[serde(skip_serializing_if = "is_default")]
    removed: Vec<String>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What a cassette does with what it is shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    pub(super) redaction: Redaction,
    /// Variables whose values are stored.
    pub(super) kept: Vec<OsString>,
}

impl Rules {
    /// The redaction of what one command says and writes.
    fn redaction_of(&self, command: &Command) -> Redaction {
        let hidden = command.env.changes.iter().filter(|(name, _)| !self.kept.contains(name));
        let values = hidden.filter_map(|(name, value)| {
            Some((name.to_string_lossy().into_owned(), value.as_deref()?.as_encoded_bytes()))
        });
        self.redaction.hiding(values)
    }

    fn variables(&self, command: &Command, redaction: &Redaction) -> Variables {
        let name = |name: &OsString| name.to_string_lossy().into_owned();
        let mut variables = Variables {
            clear: command.env.clear,
            inherit: command.env.inherit.iter().map(name).collect(),
            ..Variables::default()
        };
        for (variable, value) in &command.env.changes {
            let key = name(variable);
            variables.removed.retain(|removed| *removed != key);
            match value {
                None => {
                    variables.set.remove(&key);
                    variables.removed.push(key);
                }
                Some(value) => {
                    let kept = self.kept.contains(variable);
                    let text = || redaction.apply(value.as_encoded_bytes());
                    let shown = kept.then(|| String::from_utf8_lossy(&text()).into_owned());
                    variables.set.insert(key, shown);
                }
            }
        }
        variables.inherit.sort();
        variables.removed.sort();
        variables
    }

    pub(super) fn shape(&self, command: &Command) -> Shape {
        let redaction = self.redaction_of(command);
        let text = |text: &OsStr| OsText::from_bytes(redaction.apply(text.as_encoded_bytes()));
        Shape {
            program: text(&command.program),
            args: command.args.iter().map(|arg| text(arg)).collect(),
            cwd: command.cwd.as_deref().map(|cwd| text(cwd.as_os_str())),
            env: self.variables(command, &redaction),
            stdin: match &command.stdin {
                Stdin::Bytes(bytes) => Stdin::Bytes(redaction.apply(bytes).into()),
                other => other.clone(),
            },
            stdout: command.stdout.clone(),
            stderr: command.stderr.clone(),
        }
    }

    pub(super) fn entry(&self, command: &Command, recording: Recording) -> Entry {
        let Recording { chunks, outcome, input_ended } = recording;
        let output = redact(&self.redaction_of(command), &chunks);
        Entry {
            shape: self.shape(command),
            output: output.into_iter().map(|(stream, bytes)| (stream, OsText::from_bytes(bytes))).collect(),
            input_ended: input_ended && command.stdin == Stdin::Open,
            outcome,
        }
    }
}

/// Redacts each stream. What is to go may stand across the turns of the streams: where it does, a stream comes in one piece.
fn redact(redaction: &Redaction, chunks: &[(Stream, Vec<u8>)]) -> Vec<(Stream, Vec<u8>)> {
    let mut redacted: Vec<(Stream, Vec<u8>)> =
        chunks.iter().map(|(stream, bytes)| (*stream, redaction.apply(bytes))).collect();
    for stream in Stream::BOTH {
        let of = |chunks: &[(Stream, Vec<u8>)]| -> Vec<u8> {
            let ours = chunks.iter().filter(|(other, _)| *other == stream);
            ours.flat_map(|(_, bytes)| bytes.iter().copied()).collect()
        };
        let whole = redaction.apply(&of(chunks));
        if whole != of(&redacted) {
            let first = redacted.iter().position(|(other, _)| *other == stream).unwrap_or(0);
            let mut index = 0;
            redacted.retain(|(other, _)| {
                index += 1;
                *other != stream || index - 1 == first
            });
            redacted[first].1 = whole;
        }
    }
    redacted
}

impl Shape {
    /// Whether it is the same program with the same arguments.
    pub(super) fn is_like(&self, other: &Shape) -> bool {
        self.program == other.program && self.args == other.args
    }

    pub(super) fn is_program_of(&self, other: &Shape) -> bool {
        self.program == other.program
    }

    /// In what else two commands differ.
    pub(super) fn differences(&self, other: &Shape) -> Vec<&'static str> {
        let parts = [
            ("directory", self.cwd == other.cwd),
            ("environment", self.env == other.env),
            ("standard input", self.stdin == other.stdin),
            ("output files", (&self.stdout, &self.stderr) == (&other.stdout, &other.stderr)),
        ];
        parts.into_iter().filter(|(_, same)| !same).map(|(part, _)| part).collect()
    }
}

impl Entry {
    /// What a double of it does.
    pub(super) fn script(&self) -> Script {
        let mut script = Script::new(End::Recorded(Arc::new(self.outcome.clone())));
        let writes = self.output.iter().map(|(stream, text)| Step::Write(*stream, text.bytes().into()));
        script.steps.extend(writes.filter(|step| !matches!(step, Step::Write(_, bytes) if bytes.is_empty())));
        if self.input_ended {
            script.steps.push(Step::AwaitEnd);
        }
        script
    }
}

/// Whether a run is worth recording: one that was cancelled tells of whoever cancelled it.
pub(super) fn is_worth(outcome: &Outcome) -> bool {
    outcome.cause != Cause::Cancelled
}
