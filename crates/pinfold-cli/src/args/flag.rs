//! What an option is: how it is read, how it is explained, how it is completed. Which there are is told in a file for each
//! command.

use super::values::{self, Read};
use std::ffi::OsStr;

/// Puts a value into the arguments.
pub(crate) type Apply<T> = fn(&mut T, &OsStr) -> Read<()>;

/// An option of a command whose arguments are a `T`.
pub(crate) struct Flag<T> {
    pub(crate) long: &'static str,
    pub(crate) short: Option<char>,
    pub(crate) value: Value,
    pub(crate) heading: Heading,
    /// A line.
    pub(crate) about: &'static str,
    /// What `--help` says after that line.
    pub(crate) more: &'static str,
    /// Every value, where they are a closed set.
    pub(crate) choices: fn() -> Vec<&'static str>,
    /// Other names that it goes by.
    pub(crate) also: &'static [&'static str],
    /// What the tools that people come from call it: good for a hint, not for use.
    pub(crate) elsewhere: &'static [&'static str],
    /// Puts the value, empty where there is none, into the arguments.
    pub(crate) apply: Apply<T>,
}

/// The options of a command and the arguments that they are put into, whatever type those have: what reads a command line is
/// there once, and not once for each command.
pub(crate) trait Options {
    /// An option by its place, and none behind the last.
    fn face(&self, index: usize) -> Option<Face>;
    /// Puts a value into the arguments by the option in this place.
    fn apply(&mut self, index: usize, value: &OsStr) -> Read<()>;
}

/// What is known of an option without the type of its arguments.
#[derive(Clone, Copy)]
pub(crate) struct Face {
    /// Its place.
    pub(crate) index: usize,
    pub(crate) long: &'static str,
    pub(crate) short: Option<char>,
    pub(crate) value: Value,
    pub(crate) also: &'static [&'static str],
    pub(crate) elsewhere: &'static [&'static str],
}

impl Face {
    /// Whether it goes by this name.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.long == name || self.also.contains(&name)
    }
}

/// The options of one command, and its arguments.
pub(crate) struct Of<'a, T: 'static>(pub(crate) &'static [Flag<T>], pub(crate) &'a mut T);

impl<T> Options for Of<'_, T> {
    fn face(&self, index: usize) -> Option<Face> {
        let Flag { long, short, value, also, elsewhere, .. } = *self.0.get(index)?;
        Some(Face { index, long, short, value, also, elsewhere })
    }

    fn apply(&mut self, index: usize, value: &OsStr) -> Read<()> {
        (self.0[index].apply)(self.1, value)
    }
}

/// What an option wants after its name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value {
    /// Nothing.
    None,
    /// A value, which this names.
    Needed(&'static str),
    /// A value after `=`, or nothing.
    Optional(&'static str),
}

/// What options are grouped by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heading {
    Time,
    Streams,
    Environment,
    User,
    Process,
    Limits,
    Containment,
    Sandbox,
    Which,
    Input,
    Jobs,
    Printing,
    Reporting,
}

impl Heading {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Heading::Time => "Time, end and retry",
            Heading::Streams => "Streams",
            Heading::Environment => "Environment and directory",
            Heading::User => "User and privileges",
            Heading::Process => "Process",
            Heading::Limits => "Limits on all of it together (Linux; see docs/run.md)",
            Heading::Containment => "Containment",
            Heading::Sandbox => "Sandbox (Linux; see docs/sandbox.md)",
            Heading::Which => "What it is about",
            Heading::Input => "Arguments",
            Heading::Jobs => "Jobs",
            Heading::Printing => "Output of the jobs",
            Heading::Reporting => "What pinfold tells",
        }
    }
}

impl<T> Flag<T> {
    pub(crate) const fn new(
        long: &'static str,
        value: Value,
        heading: Heading,
        about: &'static str,
        apply: Apply<T>,
    ) -> Flag<T> {
        Flag {
            long,
            short: None,
            value,
            heading,
            about,
            more: "",
            choices: Vec::new,
            also: &[],
            elsewhere: &[],
            apply,
        }
    }

    pub(crate) const fn short(self, short: char) -> Flag<T> {
        Flag { short: Some(short), ..self }
    }

    pub(crate) const fn more(self, more: &'static str) -> Flag<T> {
        Flag { more, ..self }
    }

    pub(crate) const fn choices(self, choices: fn() -> Vec<&'static str>) -> Flag<T> {
        Flag { choices, ..self }
    }

    pub(crate) const fn also(self, also: &'static [&'static str]) -> Flag<T> {
        Flag { also, ..self }
    }

    pub(crate) const fn elsewhere(self, elsewhere: &'static [&'static str]) -> Flag<T> {
        Flag { elsewhere, ..self }
    }
}

/// Stores a value; what was read wrongly is passed on.
pub(crate) fn put<T>(place: &mut T, read: Read<T>) -> Read<()> {
    *place = read?;
    Ok(())
}

/// A text read by `read`.
pub(crate) fn some<T>(value: &OsStr, read: fn(&str) -> Read<T>) -> Read<Option<T>> {
    read(values::text(value)?).map(Some)
}

pub(crate) fn names<T>(choices: values::Choices<T>) -> Vec<&'static str> {
    choices.iter().map(|(name, _)| *name).collect()
}
