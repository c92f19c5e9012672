//! `pinfold cleanup`, `pinfold ps` and `pinfold kill`: what other owners have, or left.

mod table;

use crate::args::cleanup::CleanupArgs;
use crate::args::kill::{KillArgs, Named};
use crate::args::ps::PsArgs;
use crate::exit::{End, FAILED, NOT_ALL};
use crate::out;
use pinfold::tracked::{self, Fate, LeftOver, Member, Target, Thing, Tracked};
use pinfold::{Error, ErrorKind, StopRule};
use serde::Serialize;

/// What the fields mean is fixed under these names; fields may be added.
const TRACKED_SCHEMA: &str = "pinfold.tracked/1";
const CLEANUP_SCHEMA: &str = "pinfold.cleanup/1";

#[derive(Serialize)]
struct Left<'a> {
    left: &'a [LeftOver],
}

/// `pinfold cleanup`.
pub(crate) fn cleanup(args: &CleanupArgs) -> End {
    let left = match tracked::cleanup(args.dry_run, args.owner) {
        Ok(left) => left,
        Err(error) => return refuse(&error),
    };
    if let Err(error) = tracked::registry() {
        out::say(&format!("{error}; looked at were only the cgroups beside this process"));
    }
    let printed = if args.json {
        out::print_json(CLEANUP_SCHEMA, &Left { left: &left })
    } else if left.is_empty() {
        out::print("nothing is left of dead owners\n")
    } else {
        let nothing_else = left.iter().all(|left| matches!(left.fate, Fate::Skipped(_)));
        let rest = if nothing_else { "nothing else is left of dead owners\n" } else { "" };
        out::print(&(left.iter().map(line).collect::<String>() + rest))
    };
    let failed = left.iter().any(|left| matches!(left.fate, Fate::Failed(_)));
    match printed {
        End::Code(0) if failed => End::Code(NOT_ALL),
        end => end,
    }
}

fn line(left: &LeftOver) -> String {
    let (fate, why) = match &left.fate {
        Fate::Found => ("found", None),
        Fate::Cleared => ("cleared", None),
        Fate::Skipped(why) => ("left alone", Some(why)),
        Fate::Failed(why) => ("not cleared", Some(why)),
        _ => ("seen", None),
    };
    let thing = match left.thing {
        Thing::Entry => "registry entry",
        Thing::Cgroup => "cgroup",
        Thing::Keeper => "keeper",
        Thing::ProcessGroup => "process group",
        _ => "something",
    };
    let mut line = format!("{fate}: {thing} {}", left.path.display());
    if let Some(owner) = left.owner {
        line += &format!(" of process {owner}");
    }
    if !left.members.is_empty() {
        line += &format!(", with {}", named(&left.members));
    }
    if let Some(why) = why {
        line += &format!(": {why}");
    }
    out::plain(&line) + "\n"
}

/// `sh (55), sleep (56)`.
fn named(members: &[Member]) -> String {
    const SHOWN: usize = 8;
    let mut names: Vec<String> =
        members.iter().take(SHOWN).map(|member| format!("{} ({})", member.name, member.pid)).collect();
    if members.len() > SHOWN {
        names.push(format!("{} more", members.len() - SHOWN));
    }
    names.join(", ")
}

/// `pinfold ps`.
pub(crate) fn ps(args: &PsArgs) -> End {
    let tracked = match tracked::list() {
        Ok(tracked) => tracked,
        Err(error) => return refuse(&error),
    };
    if args.json {
        return out::print_json(TRACKED_SCHEMA, &tracked);
    }
    tell_skipped(&tracked);
    out::print(&table::table(&tracked.owners))
}

fn tell_skipped(tracked: &Tracked) {
    for skipped in &tracked.skipped {
        out::say(&format!("{} is left out: {}", skipped.path.display(), skipped.why));
    }
}

/// `pinfold kill`.
pub(crate) fn kill(args: &KillArgs) -> End {
    let targets = if args.all {
        match tracked::list() {
            Ok(tracked) => {
                tell_skipped(&tracked);
                let owners = tracked.owners.iter().filter(|owner| !owner.runs.is_empty());
                owners.map(|owner| Named { owner: owner.pid, run: None }).collect()
            }
            Err(error) => return refuse(&error),
        }
    } else {
        args.targets.clone()
    };
    if targets.is_empty() {
        return out::print("nobody runs anything\n");
    }
    let mut end = End::Code(0);
    for named in targets {
        let one = kill_one(args, &named);
        if one != End::Code(0) && end != End::Code(FAILED) {
            end = one;
        }
    }
    end
}

fn kill_one(args: &KillArgs, target: &Named) -> End {
    let (shown, aim) = match &target.run {
        Some(run) => (format!("{}/{run}", target.owner), Target::run(target.owner, run)),
        None => (target.owner.to_string(), Target::owner(target.owner)),
    };
    if let Some(signal) = args.signal {
        return match aim.signal(signal) {
            Ok(members) if members.is_empty() => tell(&format!("{shown}: nothing runs there")),
            Ok(members) => tell(&format!("{shown}: sent {signal} to {}", named(&members))),
            Err(error) => not_there(&error),
        };
    }
    let rule = StopRule { grace: args.grace.unwrap_or(StopRule::default().grace), ..StopRule::default() };
    let stopped = match aim.stop(rule) {
        Ok(stopped) => stopped,
        // With --all it may have ended by itself meanwhile.
        Err(error) if args.all && error.kind() == ErrorKind::NotFound => return End::Code(0),
        Err(error) => return not_there(&error),
    };
    let mut said = match stopped.members.as_slice() {
        [] => format!("{shown}: nothing runs there"),
        members => format!("{shown}: stopped {}", named(members)),
    };
    if stopped.killed && !stopped.members.is_empty() {
        said +=
            if rule.grace.is_zero() { ", by SIGKILL" } else { "; not all ended in time, and were killed" };
    }
    let printed = tell(&said);
    if stopped.left.is_empty() {
        return printed;
    }
    let hint = "as root they can be signalled, unless the kernel waits for a device";
    out::fail(&format!("{shown}: still there: {}", named(&stopped.left)), Some(hint));
    End::Code(NOT_ALL)
}

/// Prints a line, whatever the names in it hold.
fn tell(text: &str) -> End {
    out::print(&(out::plain(text) + "\n"))
}

fn refuse(error: &Error) -> End {
    out::fail(&error.message(), error.what_to_do());
    End::Code(FAILED)
}

/// An owner or run that was named may have ended, or be another user's: no failure of pinfold's own.
fn not_there(error: &Error) -> End {
    let end = refuse(error);
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::PermissionDenied => End::Code(NOT_ALL),
        _ => end,
    }
}
