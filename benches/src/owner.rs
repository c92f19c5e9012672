//! An owner: this program started again to start a tree by one library, hold it, and let go of it or be killed.
//!
//! It says `started` and what holds the tree; a line on its standard input has it drop what it holds and say `dropped`;
//! the end of its standard input is its end.

use crate::{Error, Result};
use pinfold::{Isolation, Stdio};
use std::io::{BufRead, Write};
use std::path::Path;

/// What this program is told to become an owner.
pub(crate) const OWNER: &str = "owner";

/// `WAY CGROUP PROGRAM ARG..`: moves into that cgroup, if one is named, and is the owner of that program.
pub(crate) fn serve(words: &[String]) -> Result<()> {
    let [way, home, program, args @ ..] = words else {
        return Err(Error::from(format!("no such owner: {words:?}")));
    };
    if !home.is_empty() {
        std::fs::write(Path::new(home).join("cgroup.procs"), "0")?;
    }
    let isolation = match way.as_str() {
        "best" => Isolation::Best,
        "cgroup" => Isolation::Cgroup,
        "subreaper" => Isolation::Subreaper,
        "namespace" => Isolation::PidNamespace,
        "group" => Isolation::ProcessGroup,
        _ => return peer(way, program, args),
    };
    let command = pinfold::Command::new(program).args(args).stdout(Stdio::Null).stderr(Stdio::Null);
    let handle = command.isolation(isolation).start()?;
    told(&format!("started {}", handle.mechanism()))?;
    told_to()?;
    drop(handle);
    told("dropped")?;
    told_to()
}

fn peer(way: &str, program: &str, args: &[String]) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match way {
            "process-wrap" => {
                use process_wrap::tokio::{CommandWrap, KillOnDrop, ProcessGroup};
                let null = std::process::Stdio::null;
                let mut command = CommandWrap::with_new(program, |command| {
                    command.args(args).stdin(null()).stdout(null()).stderr(null());
                });
                let child = command.wrap(ProcessGroup::leader()).wrap(KillOnDrop).spawn()?;
                hold(child, "process_group").await
            }
            "processkit" | "processkit, on parent death" => {
                let null = processkit::StdioMode::Null;
                let mut command = processkit::Command::new(program).args(args).stdout(null).stderr(null);
                if way != "processkit" {
                    command = command.kill_on_parent_death();
                }
                let run = command.start().await?;
                hold(run, processkit::host_containment().mechanism().name()).await
            }
            _ => Err(Error::from(format!("no such way: {way}"))),
        }
    })
}

/// Holds what a library gave, on a runtime that stays free to do what the library left to it.
async fn hold<T>(held: T, mechanism: &str) -> Result<()> {
    told(&format!("started {mechanism}"))?;
    listen().await?;
    drop(held);
    told("dropped")?;
    listen().await
}

async fn listen() -> Result<()> {
    let heard = tokio::task::spawn_blocking(|| told_to().map_err(|error| error.to_string())).await?;
    heard.map_err(Error::from)
}

fn told(what: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{what}")?;
    Ok(out.flush()?)
}

/// A line, or the end of all of them.
fn told_to() -> Result<()> {
    std::io::stdin().lock().read_line(&mut String::new())?;
    Ok(())
}
