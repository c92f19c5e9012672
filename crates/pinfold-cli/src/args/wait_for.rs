//! The options of `pinfold wait-for`, and what it is told to wait for.

use super::flag::{Flag, Heading, Value, put, some};
use super::sheet::Sheet;
use super::values;
use crate::exit;
use clap::Arg;
use pinfold::Probe;
use std::ffi::OsString;
use std::time::Duration;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WaitForArgs {
    /// [`Duration::MAX`] is without end.
    pub(crate) timeout: Option<Duration>,
    pub(crate) interval: Option<Duration>,
    /// The same.
    pub(crate) attempt: Option<Duration>,
    pub(crate) any: bool,
    pub(crate) quiet: bool,
    /// The descriptor that the log goes to, if there is one.
    pub(crate) log: Option<i32>,
    pub(crate) targets: Vec<Target>,
    /// The program and its arguments, if one is to follow.
    pub(crate) command: Vec<OsString>,
}

/// Something to wait for, known to be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target(String);

impl Target {
    /// As the library reads it; and a bare `HOST:PORT`, as other tools take it, is a TCP port.
    pub(crate) fn read(text: &str) -> values::Read<Target> {
        let text = match text.parse::<Probe>() {
            Ok(_) => text.to_owned(),
            Err(error) => {
                let bare = format!("tcp://{text}");
                // What has the name of a kind is of that kind, and wrongly written.
                if has_scheme(text) || bare.parse::<Probe>().is_err() {
                    let meant = match text {
                        path if path.starts_with('/') => format!("; for a file write file:{path}"),
                        word if !word.contains([':', '/']) => {
                            "; what is to be run stands behind --".to_owned()
                        }
                        _ => String::new(),
                    };
                    return Err(format!("{error}{meant}"));
                }
                bare
            }
        };
        Ok(Target(text))
    }

    pub(crate) fn probe(&self) -> pinfold::Result<Probe> {
        self.0.parse()
    }
}

/// A bound, where there is one by default.
fn longest(text: &str) -> values::Read<Duration> {
    values::bound(text).map(|bound| bound.unwrap_or(Duration::MAX))
}

fn has_scheme(text: &str) -> bool {
    let scheme = text.split(':').next().unwrap_or_default().to_ascii_lowercase();
    ["tcp", "http", "https", "unix", "file", "nonempty", "cmd"].contains(&scheme.as_str())
        || text.contains("://")
}

pub(crate) const SHEET: Sheet<WaitForArgs> = Sheet {
    name: "wait-for",
    about: "Wait until a port, a URL, a file or a command is ready, then run a program",
    long_about: "\
Wait until a port, a URL, a file or a command is ready, then run a program.

What is waited for is written tcp://HOST:PORT (or HOST:PORT alone), http://HOST[:PORT]/PATH (a GET that is answered with a \
status from 200 to 299; redirects are not followed, and https is not spoken), unix:PATH (a socket at which somebody listens), \
file:PATH (whatever is there), nonempty:PATH (a file that is not empty) or cmd:COMMAND (words for `sh -c` that succeed). Of \
several, all have to be ready, each at some time during the wait. pinfold then becomes the program: it has the same pid, and \
nothing of pinfold stays beside it. Without a program, the exit status tells.",
    usage: "pinfold wait-for [OPTIONS] TARGET... [-- PROGRAM [ARGUMENTS]...]",
    examples: "\
Examples:
  pinfold wait-for tcp://db:5432 -- ./server
  pinfold wait-for -t 5m http://localhost:8080/health file:/run/ready
  pinfold wait-for --any tcp://one:80 tcp://two:80
  pinfold wait-for 'cmd:pg_isready -h db' -- ./migrate",
    exits: exit::WAIT_FOR,
    flags: &[
        Flag::new(
            "timeout",
            Value::Needed("DURATION"),
            Heading::Time,
            "Give up after this long; 0 is never [default: 60s]",
            |args: &mut WaitForArgs, value| put(&mut args.timeout, some(value, longest)),
        )
        .short('t')
        .elsewhere(&["wait-timeout"])
        .more("pinfold then exits with 124, and no program is run."),
        Flag::new(
            "interval",
            Value::Needed("DURATION"),
            Heading::Time,
            "Between two attempts [default: 50ms; 500ms for cmd:]",
            |args: &mut WaitForArgs, value| put(&mut args.interval, some(value, values::duration)),
        )
        .short('i')
        .elsewhere(&["wait-retry-interval", "sleep"]),
        Flag::new(
            "attempt",
            Value::Needed("DURATION"),
            Heading::Time,
            "What one attempt may take; 0 is any time [default: 5s]",
            |args: &mut WaitForArgs, value| put(&mut args.attempt, some(value, longest)),
        ),
        Flag::new(
            "any",
            Value::None,
            Heading::Which,
            "The first that is ready is enough",
            |args: &mut WaitForArgs, _| put(&mut args.any, Ok(true)),
        ),
        Flag::new(
            "log-format",
            Value::Needed("text|json[:FD]"),
            Heading::Reporting,
            "Say what happens in lines of text or of JSON [default: text]",
            |args: &mut WaitForArgs, value| {
                put(&mut args.log, values::text(value).and_then(values::log_format))
            },
        )
        .elsewhere(&["log-json", "events"])
        .more(
            "json has what pinfold says, and each start and end of a cmd:, in place of its words; json:3 writes it to a \
             descriptor that pinfold was given, beside the words. The program does not get that. Its \"schema\" is \
             pinfold.event/1 (docs/events.md).",
        ),
        Flag::new(
            "quiet",
            Value::None,
            Heading::Reporting,
            "Say nothing but what went wrong",
            |args: &mut WaitForArgs, _| put(&mut args.quiet, Ok(true)),
        )
        .short('q'),
    ],
    words: || {
        let target = Arg::new("target").value_name("TARGET").num_args(0..);
        let program = Arg::new("program").value_name("PROGRAM").num_args(0..).last(true);
        vec![
            target.help("tcp://HOST:PORT, http://HOST/PATH, unix:PATH, file:PATH, nonempty:PATH or cmd:COMMAND"),
            program.help("The program that pinfold becomes, and its arguments"),
        ]
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_host_and_port_is_a_port_and_nothing_else_is_taken_for_one() {
        let read = |text: &str| Target::read(text).map(|target| target.0);
        assert_eq!(read("db:5432").as_deref(), Ok("tcp://db:5432"));
        assert_eq!(read("[::1]:80").as_deref(), Ok("tcp://[::1]:80"));
        assert_eq!(read("unix:80").as_deref(), Ok("unix:80"));
        let wrong = |text: &str| read(text).expect_err("what names no kind");
        assert!(wrong("db:http").contains("as HOST:PORT it has 'http' for a port"), "{}", wrong("db:http"));
        assert!(wrong("::1").contains("an IPv6 address stands in brackets"), "{}", wrong("::1"));
        assert!(wrong("db").ends_with("what is to be run stands behind --"), "{}", wrong("db"));
        assert!(wrong("/run/x").ends_with("for a file write file:/run/x"), "{}", wrong("/run/x"));
        for text in ["db", "tcp:80", "ftp://db:80", "db:http", "https://db:80", ""] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
