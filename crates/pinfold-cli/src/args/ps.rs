//! The options of `pinfold ps`.

use super::flag::{Flag, Heading, Value, put};
use super::sheet::Sheet;
use crate::exit;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PsArgs {
    pub(crate) json: bool,
}

pub(crate) const SHEET: Sheet<PsArgs> = Sheet {
    name: "ps",
    about: "List the owners that live, and what runs in their containers",
    long_about: "\
List the owners that live, and what runs in their containers.

An owner is a process of this user that runs others contained: `pinfold run`, or a program that uses the library. A line for \
each, and below it one for each process in its runs: the run's name, which `pinfold kill` takes, what holds it together, pid, \
state, how long it has been there, and how much time on CPUs it has used.",
    usage: "pinfold ps [OPTIONS]",
    examples: "\
Examples:
  pinfold ps
  pinfold ps --json | jq '.owners[].runs[].members[].pid'",
    exits: exit::PS,
    flags: &[
        Flag::new(
            "tracked",
            Value::None,
            Heading::Which,
            "What pinfold runs, by the registry of owners",
            |_: &mut PsArgs, _| Ok(()),
        )
        .more("That is what is listed without it as well."),
        Flag::new(
            "json",
            Value::None,
            Heading::Reporting,
            "Print it as JSON, whose \"schema\" is pinfold.tracked/1",
            |args: &mut PsArgs, _| put(&mut args.json, Ok(true)),
        ),
    ],
    words: Vec::new,
};
