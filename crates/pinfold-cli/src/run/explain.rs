//! `--explain`: what would be done, and nothing done.

use super::command::captures;
use super::limits;
use super::words;
use crate::args::RunArgs;
use crate::exit::{End, FAILED};
use crate::out;
use pinfold::{Command, Host, Mechanism, Plan};
use serde_json::{Value, json};
use std::fmt::Write as _;

const SCHEMA: &str = "pinfold.plan/1";

/// Prints the plan, or as JSON where that is asked for.
///
/// # Errors
/// What would keep the program from being started.
pub(crate) fn explain(args: &RunArgs, command: &Command) -> pinfold::Result<End> {
    let host = Host::new();
    let host = if args.take_over_cgroup { host.take_over_cgroup() } else { host };
    let plan = host.plan(command)?;
    if args.json.is_none() {
        return Ok(out::print(&text(args, &plan)));
    }
    match as_json(args, command, &plan) {
        Ok(value) => Ok(out::print(&format!("{value}\n"))),
        Err(error) => {
            out::fail(&format!("the plan cannot be written as JSON: {error}"), None);
            Ok(End::Code(FAILED))
        }
    }
}

fn text(args: &RunArgs, plan: &Plan<'_>) -> String {
    let mut text = plan.to_string();
    if args.retry > 0 {
        line(&mut text, "retry", &format!("up to {} times when it fails", args.retry));
    }
    for note in notes(args, plan) {
        line(&mut text, "note", &note);
    }
    text
}

fn line(text: &mut String, name: &str, value: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{name:<12} {value}");
}

/// What a person would be surprised by.
fn notes(args: &RunArgs, plan: &Plan<'_>) -> Vec<String> {
    let mut notes: Vec<String> =
        words::weakness((args.isolation, args.require), plan.mechanism(), plan.guarantee())
            .into_iter()
            .collect();
    if captures(args) {
        notes.push("its output goes through pinfold: it sees a pipe there, and no terminal".to_owned());
    }
    if limits::may_move_others(args) {
        notes.push(
            "the other processes of pinfold's cgroup are moved aside for its limits, and back at its end"
                .to_owned(),
        );
    }
    if args.setsid {
        notes.push(
            "in a session of its own it has no terminal: keys such as ^C are passed on to it by pinfold"
                .to_owned(),
        );
    } else if plan.mechanism() == Mechanism::ProcessGroup {
        notes.push(
            "it gets a process group of its own, and the foreground of the terminal if pinfold is there"
                .to_owned(),
        );
    }
    notes
}

/// The plan as data: the command without its environment, whose values are nobody's business, and what became of it
/// on this host.
fn as_json(args: &RunArgs, command: &Command, plan: &Plan<'_>) -> serde_json::Result<Value> {
    let mut command = serde_json::to_value(command)?;
    if let Value::Object(fields) = &mut command {
        fields.remove("env");
    }
    let name = |variable: &std::ffi::CString| {
        let text = variable.to_string_lossy();
        text.split('=').next().unwrap_or_default().to_owned()
    };
    Ok(json!({
        "schema": SCHEMA,
        "program": plan.program().to_string_lossy(),
        "mechanism": plan.mechanism().as_str(),
        "guarantee": plan.guarantee().as_str(),
        "missed": plan.missed(),
        "environment": plan.environment().iter().map(name).collect::<Vec<_>>(),
        "notes": notes(args, plan),
        "command": command,
    }))
}
