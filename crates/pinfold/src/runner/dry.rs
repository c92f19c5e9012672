//! A runner that says what would be run.

use super::{Reply, Runner};
use crate::command::Command;
use crate::error::Result;
use crate::observe::NOBODY;
use crate::plan::Plan;
use crate::running::Running;
use crate::settings::{Stdin, Stdio};
use std::fmt;
use std::io::Write;
use std::sync::Arc;

/// A runner that plans each command as this host would run it, says so, and starts nothing: every run succeeds at once and
/// writes nothing. What this host could not start is refused with the same error as in earnest.
///
/// ```
/// use pinfold::{Command, DryRunner, ErrorKind, Runner};
/// use std::sync::{Arc, Mutex};
///
/// let said = Arc::new(Mutex::new(String::new()));
/// let dry = DryRunner::telling({
///     let said = said.clone();
///     move |plan| *said.lock().unwrap() += &plan.to_string()
/// });
/// assert_eq!(dry.run(&Command::new("rm").args(["-r", "everything"]))?, "");
/// assert!(said.lock().unwrap().contains(r#""rm" "-r" "everything""#));
/// let error = dry.run(&Command::new("no-such-program")).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::NotFound);
/// # pinfold::Result::Ok(())
/// ```
#[derive(Clone)]
pub struct DryRunner {
    tell: Arc<Tell>,
}

type Tell = dyn Fn(&Plan<'_>) + Send + Sync;

impl Default for DryRunner {
    /// Says it on standard error: the program, and its plan indented below. The plan shows the arguments.
    fn default() -> DryRunner {
        DryRunner::telling(|plan| {
            let mut text = format!("would run {}\n", plan.program().display());
            for line in plan.to_string().lines() {
                text += &format!("    {line}\n");
            }
            // Nobody is left to be told that standard error is closed.
            let _ = std::io::stderr().write_all(text.as_bytes());
        })
    }
}

impl DryRunner {
    /// A runner that says it on standard error.
    pub fn new() -> DryRunner {
        DryRunner::default()
    }

    /// A runner that says it to this.
    pub fn telling(tell: impl Fn(&Plan<'_>) + Send + Sync + 'static) -> DryRunner {
        DryRunner { tell: Arc::new(tell) }
    }
}

impl Runner for DryRunner {
    fn launch(&self, command: &Command) -> Result<Running> {
        super::watched(&NOBODY, command, self.pretend(command))
    }
}

impl DryRunner {
    fn pretend(&self, command: &Command) -> Result<Running> {
        (self.tell)(&command.plan()?);
        // Not even the files that it would write to are opened.
        let blind = Command {
            stdin: if let Stdin::File(_) = command.stdin { Stdin::Null } else { command.stdin.clone() },
            stdout: captured_or_null(&command.stdout),
            stderr: captured_or_null(&command.stderr),
            ..command.clone()
        };
        Ok(blind.perform(Reply::exits(0).script, None)?.0)
    }
}

fn captured_or_null(stdio: &Stdio) -> Stdio {
    if *stdio == Stdio::Pipe { Stdio::Pipe } else { Stdio::Null }
}

impl fmt::Debug for DryRunner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DryRunner")
    }
}
