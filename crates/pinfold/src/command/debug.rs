//! A command in a log: all that it says, but for what may be a secret in it: arguments, variables, input.

use super::{Command, Env};
use std::ffi::OsString;
use std::fmt;

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // By name, so that a field which is added is thought of here.
        let Command {
            program,
            args,
            arg0,
            cwd,
            env,
            stdin,
            stdout,
            stderr,
            tee,
            encodings,
            lines,
            limit,
            keep,
            timeout,
            idle_timeout,
            stop,
            strays,
            success_codes,
            unchecked,
            retry,
            containment,
            limits,
            process,
        } = self;
        f.debug_struct("Command")
            .field("program", program)
            .field("args", &args.len())
            .field("arg0", arg0)
            .field("cwd", cwd)
            .field("env", env)
            .field("stdin", stdin)
            .field("stdout", stdout)
            .field("stderr", stderr)
            .field("tee", tee)
            .field("encodings", encodings)
            .field("lines", lines)
            .field("limit", limit)
            .field("keep", keep)
            .field("timeout", timeout)
            .field("idle_timeout", idle_timeout)
            .field("stop", stop)
            .field("strays", strays)
            .field("success_codes", success_codes)
            .field("unchecked", unchecked)
            .field("retry", retry)
            .field("containment", containment)
            .field("limits", limits)
            .field("process", process)
            .finish()
    }
}

impl fmt::Debug for Env {
    /// Names, not values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |set: bool| {
            let changes = self.changes.iter().filter(move |(_, value)| value.is_some() == set);
            changes.map(|(name, _)| name).collect::<Vec<&OsString>>()
        };
        f.debug_struct("Env")
            .field("clear", &self.clear)
            .field("inherit", &self.inherit)
            .field("set", &names(true))
            .field("removed", &names(false))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_not_in_it() {
        let command = Command::new("curl").arg("hunter2").args(["-u", "hunter2"]).env("TOKEN", "hunter2");
        let command = command.env_remove("HOME").stdin_text("hunter2").cwd("/srv");
        let shown = format!("{command:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("104, 117"), "{shown}");
        for word in ["curl", "args: 3", "TOKEN", "HOME", "7 bytes", "/srv"] {
            assert!(shown.contains(word), "{word}: {shown}");
        }
        if cfg!(target_os = "linux") {
            let plan = Command::new("true").arg("hunter2").env("TOKEN", "hunter2");
            assert!(!format!("{:?}", plan.plan().expect("it can be had")).contains("hunter2"));
        }
    }
}
