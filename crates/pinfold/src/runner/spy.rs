//! A runner that notes what it was asked to run, and has another one run it.

use super::{Host, Reply, Runner, ScriptedRunner};
use crate::cancel::CancelToken;
use crate::command::Command;
use crate::error::Result;
use crate::listener::Listener;
use crate::observe::Observer;
use crate::retry::RetryIf;
use crate::running::Running;
use crate::settings::Stdin;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a runner was asked to run. A verb that tries again asks again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Invocation {
    /// The program as it was named.
    pub program: OsString,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// The directory that it was to start in, if one was named.
    pub cwd: Option<PathBuf>,
    /// The environment variables that were set, or removed (`None`), in order.
    pub env: Vec<(OsString, Option<OsString>)>,
    /// Whether it was given something to read, or somebody who writes.
    pub has_stdin: bool,
}

impl Invocation {
    fn of(command: &Command) -> Invocation {
        Invocation {
            program: command.program.clone(),
            args: command.args.clone(),
            cwd: command.cwd.clone(),
            env: command.env.changes.clone(),
            has_stdin: command.stdin != Stdin::Null,
        }
    }

    /// Whether a flag is among its arguments, by itself or as `flag=value`. What comes after a `--` is no flag.
    pub fn has_flag(&self, flag: impl AsRef<OsStr>) -> bool {
        let flag = flag.as_ref().as_encoded_bytes();
        let before_end = self.args.iter().take_while(|arg| *arg != "--");
        before_end
            .map(|arg| arg.as_encoded_bytes())
            .any(|arg| arg.strip_prefix(flag).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"=")))
    }

    /// The last word on an environment variable: what it was set to, `Some(None)` if it was removed, `None` if it was not
    /// named.
    pub fn env_var(&self, name: impl AsRef<OsStr>) -> Option<Option<&OsStr>> {
        let last = self.env.iter().rev().find(|(set, _)| set == name.as_ref());
        last.map(|(_, value)| value.as_deref())
    }
}

/// A spy: it notes each command, and has another runner run it. Clones are the same spy.
///
/// ```
/// use pinfold::testing::{RecordingRunner, Reply};
/// use pinfold::{Command, Runner};
///
/// let spy = RecordingRunner::replying(Reply::ok(""));
/// spy.run(&Command::new("git").args(["push", "--force"]))?;
/// let call = spy.only_call();
/// assert_eq!(call.program, "git");
/// assert!(call.has_flag("--force"));
/// # pinfold::Result::Ok(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct RecordingRunner<R = Host> {
    inner: R,
    calls: Arc<Mutex<Vec<Invocation>>>,
}

impl RecordingRunner<ScriptedRunner> {
    /// A spy that starts nothing, and replies so to whatever it is asked to run.
    pub fn replying(reply: Reply) -> RecordingRunner<ScriptedRunner> {
        RecordingRunner::new(ScriptedRunner::new().fallback(reply))
    }
}

impl<R: Runner> RecordingRunner<R> {
    /// A spy before this runner.
    pub fn new(inner: R) -> RecordingRunner<R> {
        RecordingRunner { inner, calls: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Invocation>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The runner behind it.
    pub fn inner(&self) -> &R {
        &self.inner
    }

    /// What it was asked to run, in order; what could not be started is among it.
    pub fn calls(&self) -> Vec<Invocation> {
        self.lock().clone()
    }

    /// The one command that it was asked to run.
    ///
    /// # Panics
    /// There was none, or more than one: the message has the programs.
    #[track_caller]
    pub fn only_call(&self) -> Invocation {
        let mut calls = self.calls();
        match (calls.pop(), calls.is_empty()) {
            (Some(call), true) => call,
            (None, _) => panic!("one command was to be run, and none was"),
            (Some(last), false) => {
                calls.push(last);
                let programs: Vec<_> = calls.iter().map(|call| call.program.to_string_lossy()).collect();
                panic!("one command was to be run, and {} were: {}", calls.len(), programs.join(", "))
            }
        }
    }

    /// Forgets what it has noted.
    pub fn clear(&self) {
        self.lock().clear();
    }
}

impl<R: Runner> Runner for RecordingRunner<R> {
    fn launch(&self, command: &Command) -> Result<Running> {
        self.lock().push(Invocation::of(command));
        self.inner.launch(command)
    }

    fn listener(&self) -> Option<&Listener> {
        self.inner.listener()
    }

    fn cancel_token(&self) -> Option<&CancelToken> {
        self.inner.cancel_token()
    }

    fn observer(&self) -> Option<&Observer> {
        self.inner.observer()
    }

    fn retries(&self) -> Option<&RetryIf> {
        self.inner.retries()
    }
}
