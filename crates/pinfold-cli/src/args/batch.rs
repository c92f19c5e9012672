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
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::args::{Task, parse};

    fn read(line: &str) -> Result<BatchArgs, Misuse> {
        match parse(line.split_whitespace().map(Into::into).collect())? {
            Task::Batch(args) => Ok(*args),
            other => panic!("{other:?}"),
        }
    }

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(Into::into).collect()
    }

    #[test]
    fn the_template_ends_where_arguments_begin() {
        let args = read("batch -j4 -k echo -n {} ::: a b ::: 1 2").unwrap();
        assert_eq!(
            (args.jobs, args.keep_order, args.template),
            (Some(Share::Count(4)), true, words("echo -n {}"))
        );
        assert_eq!(args.sources, [Source::Words(words("a b")), Source::Words(words("1 2"))]);
        let args = read("batch ::: one two").unwrap();
        assert!(args.template.is_empty());
        assert_eq!(args.sources, [Source::Words(words("one two"))]);
        let args = read("batch -a in -- -x :::: more").unwrap();
        assert_eq!(args.template, words("-x"));
        assert_eq!(args.sources, [Source::File("in".into()), Source::File("more".into())]);
        assert_eq!(read("batch -0n2 -P 8 rm").unwrap().max_args, Some(2));
        assert!(read("batch").unwrap().sources.is_empty());
    }

    #[test]
    fn what_run_has_as_well_is_called_alike() {
        for line in ["batch --retry 3 -s INT x", "batch --retries=3 --signal=SIGINT x"] {
            let args = read(line).unwrap();
            assert_eq!((args.retry, args.signal), (3, Some(Signal::INT)), "{line}");
        }
        for line in ["run --retry 3 x", "run --retries=3 x"] {
            let Ok(Task::Run(args)) = parse(words(line)) else { panic!("{line} is refused") };
            assert_eq!(args.retry, 3, "{line}");
        }
    }

    #[test]
    fn values_read_as_documented() {
        for (text, expected) in [
            ("3", Ok(Share::Count(3))),
            ("150%", Ok(Share::Percent(150))),
            ("+2", Ok(Share::Beside(2))),
            ("-1", Ok(Share::Beside(-1))),
            ("0", Ok(Share::All)),
        ] {
            assert_eq!(share(text), expected);
        }
        for text in ["", "x", "0%", "%", "1.5", "+"] {
            assert!(share(text).is_err(), "{text}");
        }
        assert_eq!(halt("never"), Ok(None));
        assert_eq!(halt("soon,done=9"), Ok(Some(Halt { now: false, on: HaltOn::Done, after: 9 })));
        assert_eq!(read("batch --fail-fast x").unwrap().halt, halt("now,fail=1").unwrap());
        for text in ["", "now", "now,fail", "now,fail=0", "later,fail=1", "now,fail=10%", "now,fails=1"] {
            assert!(halt(text).is_err(), "{text}");
        }
        assert_eq!(delimiter(",".as_ref()), Ok(b','));
        assert_eq!(delimiter("\\0".as_ref()), Ok(0));
        assert!(delimiter("ab".as_ref()).is_err() && delimiter("".as_ref()).is_err());
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_what_would_be_right() {
        for (line, part) in [
            ("batch -0 -d, x", "-0 and -d"),
            ("batch -n2 -L2 x", "-n and -L"),
            ("batch -n0 x", "at least one"),
            ("batch -n2", "without a command"),
            ("batch -n2 x ::: a ::: b", "several lists"),
            ("batch --line-buffer -k x", "in no order"),
            ("batch -u --tag x", "does not see"),
            ("batch --resume x", "--joblog FILE"),
            ("batch -a - -a - x", "read once"),
            ("batch x ::::", "no file"),
            ("batch --retry x y", "--retry: 'x'"),
            ("batch --retries x y", "--retry: 'x'"),
            ("batch --retris 3 x", "did you mean --retry?"),
            ("batch --kill-signal INT x", "here it is called --signal"),
            ("batch -s NONE x", "--signal: no signal is called 'NONE'"),
            ("batch -j x", "no number of jobs"),
            ("batch --log-format json -v x", "--verbose says arguments"),
            ("batch --log-format json --progress x", "progress bar"),
            ("batch --log-format yaml x", "use text, json"),
        ] {
            let misuse = read(line).unwrap_err();
            let told = format!("{}; {}", misuse.what, misuse.hint);
            assert!(told.contains(part), "{line}: {told}");
        }
    }
}
