//! The options of `pinfold batch`, and the template and arguments behind them.

mod flags;

use super::parse::{Words, misuse};
use super::sheet::Sheet;
use super::{Misuse, values};
use crate::exit;
use crate::log::STDERR;
use clap::{Arg, ValueHint};
use pinfold::{Guarantee, Isolation, Signal};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct BatchArgs {
    /// The command, in which arguments are put; none if each input is a command itself.
    pub(crate) template: Vec<OsString>,
    /// Where the arguments come from; standard input if nothing is named.
    pub(crate) sources: Vec<Source>,
    pub(crate) jobs: Option<Share>,
    pub(crate) null: bool,
    pub(crate) delimiter: Option<u8>,
    pub(crate) max_args: Option<usize>,
    pub(crate) max_lines: Option<usize>,
    pub(crate) replace: Option<String>,
    pub(crate) keep_order: bool,
    pub(crate) line_buffer: bool,
    pub(crate) ungroup: bool,
    pub(crate) tag: bool,
    pub(crate) joblog: Option<PathBuf>,
    pub(crate) resume: bool,
    pub(crate) resume_failed: bool,
    pub(crate) halt: Option<Halt>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) retry: u32,
    pub(crate) retry_pause: Option<Duration>,
    /// The part of each pause that is left to chance, 0 to 1.
    pub(crate) retry_jitter: f64,
    pub(crate) grace: Option<Duration>,
    pub(crate) signal: Option<Signal>,
    pub(crate) isolation: Isolation,
    pub(crate) require: Option<Guarantee>,
    pub(crate) dry_run: bool,
    /// The descriptor that the log goes to, if there is one.
    pub(crate) log: Option<i32>,
    pub(crate) progress: Option<bool>,
    pub(crate) quiet: bool,
    pub(crate) verbose: bool,
}

/// Where arguments come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The command line.
    Words(Vec<OsString>),
    /// A file; `-` is standard input.
    File(PathBuf),
}

/// How many jobs at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Share {
    /// So many.
    Count(usize),
    /// So many hundredths of the CPUs.
    Percent(usize),
    /// The CPUs, and so many more or less.
    Beside(isize),
    /// As many as there are commands.
    All,
}

/// When the batch ends before its commands do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Halt {
    /// Whether what runs is stopped, rather than waited for.
    pub(crate) now: bool,
    pub(crate) on: HaltOn,
    /// After so many of them.
    pub(crate) after: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HaltOn {
    Fail,
    Success,
    Done,
}

impl BatchArgs {
    /// Takes the template and the words of `:::` and `::::` from what stands behind the options.
    pub(crate) fn take(&mut self, words: Words) -> Result<(), Misuse> {
        let mut words = words.peekable();
        let is_mark = |word: &OsString| [":::", "::::", ":::+", "::::+"].iter().any(|mark| word == mark);
        while let Some(word) = words.next_if(|word| !is_mark(word)) {
            self.template.push(word);
        }
        while let Some(mark) = words.next() {
            let mut group = Vec::new();
            while let Some(word) = words.next_if(|word| !is_mark(word)) {
                group.push(word);
            }
            if mark == ":::+" || mark == "::::+" {
                let what = format!("batch: lists are not linked by {}", mark.display());
                return Err(misuse(what, "give what belongs together to one command: -n 2 ::: a 1 b 2"));
            }
            if mark == ":::" {
                self.sources.push(Source::Words(group));
            } else if group.is_empty() {
                return Err(misuse("batch: no file is named after ::::", "use `:::: FILE`, or -a FILE"));
            } else {
                self.sources.extend(group.into_iter().map(|file| Source::File(file.into())));
            }
        }
        self.check()
    }

    fn check(&self) -> Result<(), Misuse> {
        let no = |what: &str, hint: &str| Err(misuse(format!("batch: {what}"), hint));
        if self.null && self.delimiter.is_some() {
            return no("-0 and -d both say what ends an argument", "leave one out");
        }
        if self.max_args.is_some() && self.max_lines.is_some() {
            return no("-n and -L both say how much a command gets", "leave one out");
        }
        if self.max_args == Some(0) || self.max_lines == Some(0) {
            return no("a command gets at least one argument", "use -n 1");
        }
        let chunked = self.max_args.is_some() || self.max_lines.is_some();
        if chunked && self.template.is_empty() {
            return no(
                "without a command to add to, each line is one",
                "name a command, or leave out -n and -L",
            );
        }
        if chunked && self.sources.len() > 1 {
            return no("of several lists each command gets one argument each", "leave out -n and -L");
        }
        if self.replace.as_deref() == Some("") {
            return no("-I needs something to look for", "use -I {}");
        }
        if self.line_buffer && self.keep_order {
            return no(
                "lines that come as they are written are in no order",
                "leave out --line-buffer or -k",
            );
        }
        if self.ungroup && (self.keep_order || self.line_buffer || self.tag) {
            return no(
                "with --ungroup pinfold does not see the output",
                "leave it out, or -k, --line-buffer and --tag",
            );
        }
        if (self.resume || self.resume_failed) && self.joblog.is_none() {
            return no("there is no job log to resume from", "name it with --joblog FILE");
        }
        if self.log == Some(STDERR) && self.verbose {
            return no(
                "--verbose says arguments, which a log never has",
                "leave it out, or log to another descriptor: --log-format json:3 3>log.jsonl",
            );
        }
        if self.log == Some(STDERR) && self.progress == Some(true) {
            return no(
                "a progress bar does not go with lines of JSON",
                "leave it out, or log to another descriptor: --log-format json:3 3>log.jsonl",
            );
        }
        let inputs = self.sources.iter().filter(|source| **source == Source::File("-".into())).count();
        if inputs > 1 {
            return no("standard input can be read once", "name it once");
        }
        Ok(())
    }
}

/// `8`, `150%`, `+2`, `-1`, `0`.
fn share(text: &str) -> values::Read<Share> {
    let wrong = || format!("'{text}' is no number of jobs; use 8, 150%, +2, or 0 for as many as there are");
    if let Some(percent) = text.strip_suffix('%') {
        return match percent.parse() {
            Ok(0) | Err(_) => Err(wrong()),
            Ok(percent) => Ok(Share::Percent(percent)),
        };
    }
    if text.starts_with(['+', '-']) {
        return text.parse().map(Share::Beside).map_err(|_| wrong());
    }
    match text.parse() {
        Ok(0) => Ok(Share::All),
        Ok(count) => Ok(Share::Count(count)),
        Err(_) => Err(wrong()),
    }
}

/// `now,fail=1`, `soon,success=2`, `never`.
fn halt(text: &str) -> values::Read<Option<Halt>> {
    let wrong =
        || format!("'{text}' is no rule; use now,fail=1, soon,fail=3, now,success=1, soon,done=9 or never");
    if text == "never" {
        return Ok(None);
    }
    let (when, what) = text.split_once(',').ok_or_else(wrong)?;
    let (on, after) = what.split_once('=').ok_or_else(wrong)?;
    let on = match on {
        "fail" => HaltOn::Fail,
        "success" => HaltOn::Success,
        "done" => HaltOn::Done,
        _ => return Err(wrong()),
    };
    let now = match when {
        "now" => true,
        "soon" => false,
        _ => return Err(wrong()),
    };
    let after = after.parse().ok().filter(|after| *after > 0).ok_or_else(wrong)?;
    Ok(Some(Halt { now, on, after }))
}

/// A character, as itself or as `\n`, `\t`, `\0`.
fn delimiter(value: &OsStr) -> values::Read<u8> {
    match value.as_encoded_bytes() {
        [byte] => Ok(*byte),
        b"\\n" => Ok(b'\n'),
        b"\\t" => Ok(b'\t'),
        b"\\0" => Ok(0),
        _ => Err(format!("'{}' is no single byte; use , or \\n, \\t, \\0", value.display())),
    }
}

pub(crate) const SHEET: Sheet<BatchArgs> = Sheet {
    name: "batch",
    about: "Run many commands, a few at a time, each contained",
    long_about: "\
Run many commands, a few at a time, each contained.

With a command, that is run for each argument: for those after :::, for the lines of --arg-file, or else for the lines of \
standard input. The argument stands where {} does, and at the end where nothing of the kind is. Without a command each line is \
one itself, split into words as a shell does it (quotes and backslashes); nothing is expanded, and no shell is started.

In the command, {} is the argument, {.} the same without its extension, {/} its last part, {//} its directory, {/.} its last \
part without extension, {#} the number of the job; {1} and {2}, {1.} and so on, are the first and the second of several. Several \
::: lists are combined, each with each.

Each job is in a container of its own, so that nothing that it starts outlives it; ^C, SIGTERM and SIGHUP stop all of them \
(a second one, half a second later or more, kills), and SIGUSR1 has pinfold say how far it is.",
    usage: "pinfold batch [OPTIONS] [--] [COMMAND [ARGUMENT]...] [::: ARGUMENT...]",
    examples: "\
Examples:
  pinfold batch -j4 gzip -9 ::: *.log
  find . -name '*.png' -print0 | pinfold batch -0 optipng -quiet {}
  pinfold batch --joblog jobs.jsonl --retry 2 -t 5m < commands.txt
  pinfold batch --joblog jobs.jsonl --resume < commands.txt
  pinfold batch -k --tag convert {} {.}.webp ::: *.jpg
  pinfold batch --dry-run echo {1} {2} ::: a b ::: 1 2",
    exits: exit::BATCH,
    flags: flags::FLAGS,
    words: || {
        let template = Arg::new("command")
            .value_name("COMMAND")
            .help("What to run for each argument, up to :::")
            .num_args(0..)
            .trailing_var_arg(true)
            .allow_hyphen_values(true)
            .value_hint(ValueHint::CommandWithArguments);
        vec![template]
    },
};

#[cfg(test)]
mod tests;
