//! The options of `pinfold doctor`.

use super::flag::{Flag, Heading, Value, put};
use super::sheet::Sheet;
use crate::exit;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DoctorArgs {
    pub(crate) json: bool,
}

pub(crate) const SHEET: Sheet<DoctorArgs> = Sheet {
    name: "doctor",
    about: "Say what this host offers for containment, and how to get more",
    long_about: "\
Say what this host offers for containment, and how to get more.

Each way to hold a run together is tried: whether it can be had here, what it would guarantee, or why it cannot be had and \
what to do about it. A few processes are started for that, which end at once, and a cgroup is made and removed.",
    usage: "pinfold doctor [OPTIONS]",
    examples: "\
Examples:
  pinfold doctor
  pinfold doctor --json | jq -r .best",
    exits: exit::DOCTOR,
    flags: &[Flag::new(
        "json",
        Value::None,
        Heading::Reporting,
        "Print it as JSON, whose \"schema\" is pinfold.doctor/1",
        |args: &mut DoctorArgs, _| put(&mut args.json, Ok(true)),
    )],
    words: Vec::new,
};
