//! The options of `pinfold cleanup`.

use super::flag::{Flag, Heading, Value, put, some};
use super::sheet::Sheet;
use super::values;
use crate::exit;
use pinfold::Pid;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CleanupArgs {
    pub(crate) dry_run: bool,
    pub(crate) owner: Option<Pid>,
    pub(crate) json: bool,
}

pub(crate) const SHEET: Sheet<CleanupArgs> = Sheet {
    name: "cleanup",
    about: "End and remove what killed owners left",
    long_about: "\
End and remove what killed owners left.

An owner is a process that runs others contained: `pinfold run`, or a program that uses the library. When it is killed, its \
guard ends what it had. What is left all the same, because there was no guard or that was killed too, is found here: cgroup \
directories and what runs in them, keepers and what they keep, files of the registry. The next owner does this as well. What \
a living owner has is never touched: only what has a pid and a start time that nobody has any more, and a file that nobody \
has locked. Looked at are the registry of this user and the cgroup that pinfold is in.",
    usage: "pinfold cleanup [OPTIONS]",
    examples: "\
Examples:
  pinfold cleanup --dry-run
  pinfold cleanup
  pinfold cleanup --owner 1234",
    exits: exit::CLEANUP,
    flags: &[
        Flag::new(
            "dry-run",
            Value::None,
            Heading::Which,
            "List what there is, and touch nothing",
            |args: &mut CleanupArgs, _| put(&mut args.dry_run, Ok(true)),
        )
        .short('n'),
        Flag::new(
            "owner",
            Value::Needed("PID"),
            Heading::Which,
            "Only what the owner that had this pid left",
            |args: &mut CleanupArgs, value| put(&mut args.owner, some(value, values::pid)),
        ),
        Flag::new(
            "json",
            Value::None,
            Heading::Reporting,
            "Print it as JSON, whose \"schema\" is pinfold.cleanup/1",
            |args: &mut CleanupArgs, _| put(&mut args.json, Ok(true)),
        ),
    ],
    words: Vec::new,
};
