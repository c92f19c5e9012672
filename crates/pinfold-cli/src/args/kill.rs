//! The options of `pinfold kill`, and what it is told to end.

use super::flag::{Flag, Heading, Value, put, some};
use super::sheet::Sheet;
use super::values;
use crate::exit;
use clap::Arg;
use pinfold::Signal;
use std::time::Duration;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KillArgs {
    pub(crate) signal: Option<Signal>,
    pub(crate) grace: Option<Duration>,
    pub(crate) all: bool,
    pub(crate) targets: Vec<Named>,
}

/// An owner, or one of its runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) owner: u32,
    pub(crate) run: Option<String>,
}

/// `1234` or `1234/2`.
pub(crate) fn named(text: &str) -> values::Read<Named> {
    let (owner, run) = match text.split_once('/') {
        Some((owner, run)) if !run.is_empty() => (owner, Some(run.to_owned())),
        Some(_) => return Err(format!("'{text}' names no run; use OWNER or OWNER/RUN, as in 1234/2")),
        None => (text, None),
    };
    Ok(Named { owner: values::owner(owner)?, run })
}

pub(crate) const SHEET: Sheet<KillArgs> = Sheet {
    name: "kill",
    about: "Stop what an owner runs, all of it or one run",
    long_about: "\
Stop what an owner runs, all of it or one run.

SIGTERM goes to every process in the containers of that owner; what is still there when grace is over is killed. Nothing of \
it gets away by having left its group or session. The owner itself is not signalled, and learns of it as of any end: \
`pinfold run` then ends as its program ended, a batch goes on with the next job, and what is retried or supervised is started \
again; to end those, signal the owner. `pinfold ps` shows owners and runs.",
    usage: "pinfold kill [OPTIONS] OWNER[/RUN]...",
    examples: "\
Examples:
  pinfold kill 1234
  pinfold kill --grace 30s 1234/2
  pinfold kill -s USR1 1234
  pinfold kill --all",
    exits: exit::KILL,
    flags: &[
        Flag::new(
            "signal",
            Value::Needed("SIGNAL"),
            Heading::Which,
            "Send just this signal, and wait for nothing",
            |args: &mut KillArgs, value| put(&mut args.signal, some(value, values::signal)),
        )
        .short('s')
        .more("A name (INT, SIGINT, RTMIN+1) or a number."),
        Flag::new(
            "grace",
            Value::Needed("DURATION"),
            Heading::Which,
            "Between SIGTERM and SIGKILL [default: 5s]",
            |args: &mut KillArgs, value| put(&mut args.grace, some(value, values::duration)),
        )
        .short('k')
        .elsewhere(&["kill-after", "timeout"])
        .more("0 kills at once."),
        Flag::new(
            "all",
            Value::None,
            Heading::Which,
            "All runs of all owners of this user",
            |args: &mut KillArgs, _| put(&mut args.all, Ok(true)),
        )
        .short('a'),
    ],
    words: || {
        let target = Arg::new("target").value_name("OWNER[/RUN]").num_args(0..);
        vec![target.help("The pid of an owner, or that and the name of one of its runs")]
    },
};
