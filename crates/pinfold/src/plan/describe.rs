//! A plan in words.

use super::Plan;
use crate::sandbox::{Access, Sandbox};
use crate::settings::{Stdin, Stdio, StrayRule};
use std::fmt;
use std::time::Duration;

impl fmt::Debug for Plan<'_> {
    /// For a log: without arguments and variables, which may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("command", self.command)
            .field("path", &self.path)
            .field("identity", &self.identity)
            .field("mechanism", &self.mechanism)
            .field("missed", &self.missed)
            .field("required", &self.required)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Plan<'_> {
    /// A line for each decision. Arguments are shown; environment variables are counted, not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let command = self.command;
        let mut line = |name: &str, value: String| writeln!(f, "{name:<12} {value}");
        line("program", self.path.display().to_string())?;
        let args: Vec<String> = self.argv.iter().map(|arg| format!("{:?}", arg.to_string_lossy())).collect();
        line("arguments", args.join(" "))?;
        let cwd =
            command.cwd.as_ref().map_or("that of this process".to_owned(), |cwd| cwd.display().to_string());
        line("directory", cwd)?;
        line("environment", format!("{} variables", self.environment().len()))?;
        line("container", format!("{} (guarantee: {})", self.mechanism, self.guarantee()))?;
        if let Some(missed) = &self.missed {
            line("", missed.clone())?;
        }
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
        for taken in sandbox(&process.sandbox, self.sandbox.in_user_namespace()) {
            line("sandbox", taken)?;
        }
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

/// What it is shut off from, a line each.
fn sandbox(sandbox: &Sandbox, in_user_namespace: bool) -> Vec<String> {
    let mut lines = Vec::new();
    if sandbox.is_none() {
        return lines;
    }
    lines.push("gains no privileges by what it executes".to_owned());
    if sandbox.no_network {
        lines.push("no network: a namespace with a loopback device".to_owned());
    }
    if sandbox.private_tmp {
        lines.push("an empty /tmp of its own".to_owned());
    }
    if in_user_namespace {
        lines.push("in a user namespace, since namespaces take privileges".to_owned());
    }
    if let Some(paths) = &sandbox.paths {
        for (access, doing) in [(Access::ReadOnly, "reads and executes"), (Access::ReadWrite, "writes")] {
            let which = paths.iter().filter(|allowed| allowed.access == access);
            let mut which: Vec<String> = which.map(|allowed| allowed.path.display().to_string()).collect();
            if sandbox.private_tmp && access == Access::ReadWrite {
                which.push("its own /tmp".to_owned());
            }
            let which = if which.is_empty() { "nothing".to_owned() } else { which.join(" ") };
            lines.push(format!("{doing} {which}"));
        }
    }
    if sandbox.no_outside_signals {
        lines.push("its signals reach nobody outside".to_owned());
    }
    if let Some(names) = &sandbox.capabilities {
        let names = if names.is_empty() { "none".to_owned() } else { names.join(" ") };
        lines.push(format!("capabilities: {names}"));
    }
    if let Some(names) = &sandbox.allow_syscalls {
        lines.push(format!("makes no system call but {} of them", names.len() + 3));
    }
    if !sandbox.deny_syscalls.is_empty() {
        lines.push(format!("denied {} system calls, or parts of them", sandbox.deny_syscalls.len()));
    }
    lines
}

fn stdin(stdin: &Stdin) -> String {
    match stdin {
        Stdin::Null => "empty".to_owned(),
        Stdin::Inherit => "that of this process".to_owned(),
        Stdin::Bytes(bytes) => format!("{} bytes", bytes.len()),
        Stdin::File(path) => path.display().to_string(),
        Stdin::Open => "a pipe".to_owned(),
    }
}

fn stdio(stdio: &Stdio, tee: bool) -> String {
    match stdio {
        Stdio::Pipe if tee => "captured, and passed on to that of this process".to_owned(),
        Stdio::Pipe => "captured".to_owned(),
        Stdio::Inherit => "that of this process".to_owned(),
        Stdio::Null => "discarded".to_owned(),
        Stdio::File { path, append: true } => format!("added to {}", path.display()),
        Stdio::File { path, append: false } => path.display().to_string(),
        Stdio::Stdout => "to stdout".to_owned(),
    }
}
