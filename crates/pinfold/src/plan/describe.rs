//! A plan in words.

use super::Plan;
use crate::settings::{Stdin, Stdio, StrayRule};
use std::fmt;
use std::time::Duration;

impl fmt::Display for Plan<'_> {
    /// A line for each decision. Arguments are shown; environment variables are counted, not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let command = self.command;
        let mut line = |name: &str, value: String| writeln!(f, "{name:<12} {value}");
        line("program", self.path.display().to_string())?;
        let args: Vec<String> = self.argv.iter().map(|arg| format!("{:?}", arg.to_string_lossy())).collect();
        line("arguments", args.join(" "))?;
        let cwd = command.cwd.as_ref().map_or("that of pinfold".to_owned(), |cwd| cwd.display().to_string());
        line("directory", cwd)?;
        line("environment", format!("{} variables", self.environment().len()))?;
        line("container", format!("{} (guarantee: {})", self.mechanism, self.guarantee()))?;
        line("stdin", stdin(&command.stdin))?;
        line("stdout", stdio(&command.stdout, command.tee[0]))?;
        line("stderr", stdio(&command.stderr, command.tee[1]))?;
        let seconds = |time: Option<Duration>| time.map_or("none".to_owned(), |time| format!("{time:?}"));
        line("timeout", seconds(command.timeout))?;
        if command.idle_timeout.is_some() {
            line("idle timeout", seconds(command.idle_timeout))?;
        }
        let stop = if command.stop.grace.is_zero() {
            "SIGKILL to all of it".to_owned()
        } else {
            format!("{} to all of it, SIGKILL after {:?}", command.stop.signal, command.stop.grace)
        };
        line("stopped by", stop)?;
        line(
            "strays",
            match command.strays {
                StrayRule::StopAfter(linger) => format!("stopped {linger:?} after the program's end"),
                StrayRule::Wait => "waited for".to_owned(),
            },
        )?;
        let identity = &self.identity;
        if let Some(uid) = identity.uid {
            line("uid", uid.to_string())?;
        }
        if let Some(gid) = identity.gid {
            line("gid", gid.to_string())?;
        }
        if let Some(groups) = &identity.groups {
            line("groups", groups.iter().map(u32::to_string).collect::<Vec<_>>().join(" "))?;
        }
        let process = &command.process;
        if let Some(nice) = process.nice {
            line("nice", nice.to_string())?;
        }
        if let Some(cpus) = &process.affinity {
            line("CPUs", cpus.iter().map(u32::to_string).collect::<Vec<_>>().join(","))?;
        }
        if let Some(mask) = process.umask {
            line("umask", format!("{mask:03o}"))?;
        }
        for (name, value) in super::limits::describe(&command.limits) {
            line(name, value)?;
        }
        let bound = |value: Option<u64>| value.map_or("unlimited".to_owned(), |value| value.to_string());
        for limit in &process.rlimits {
            line(
                "rlimit",
                format!("{} {} (hard: {})", limit.resource, bound(limit.soft), bound(limit.hard)),
            )?;
        }
        Ok(())
    }
}

fn stdin(stdin: &Stdin) -> String {
    match stdin {
        Stdin::Null => "empty".to_owned(),
        Stdin::Inherit => "that of pinfold".to_owned(),
        Stdin::Bytes(bytes) => format!("{} bytes", bytes.len()),
        Stdin::File(path) => path.display().to_string(),
        Stdin::Open => "a pipe".to_owned(),
    }
}

fn stdio(stdio: &Stdio, tee: bool) -> String {
    match stdio {
        Stdio::Pipe if tee => "captured, and passed on to that of pinfold".to_owned(),
        Stdio::Pipe => "captured".to_owned(),
        Stdio::Inherit => "that of pinfold".to_owned(),
        Stdio::Null => "discarded".to_owned(),
        Stdio::File { path, append: true } => format!("added to {}", path.display()),
        Stdio::File { path, append: false } => path.display().to_string(),
        Stdio::Stdout => "to stdout".to_owned(),
    }
}
