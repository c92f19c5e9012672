//! A program that is called again and again: its defaults are said once, and each call says its arguments.

use crate::command::Command;
use crate::error::Result;
use crate::handle::Handle;
use crate::output::Output;
use crate::runner::{Host, Runner};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// A program with defaults, over any runner: the verbs take its arguments.
///
/// ```
/// use pinfold::testing::{Reply, ScriptedRunner};
/// use pinfold::CliClient;
/// use std::time::Duration;
///
/// let git = CliClient::new("git").timeout(Duration::from_secs(30)).env("GIT_TERMINAL_PROMPT", "0");
/// // In a test, by a double.
/// let git = git.with_runner(ScriptedRunner::new().on(["git", "rev-parse"], Reply::ok("deadbeef\n")));
/// assert_eq!(git.run(["rev-parse", "HEAD"])?, "deadbeef");
/// # pinfold::Result::Ok(())
/// ```
#[derive(Clone, Debug)]
pub struct CliClient<R = Host> {
    defaults: Command,
    runner: R,
}

impl CliClient {
    /// A program on this host, without defaults.
    pub fn new(program: impl Into<OsString>) -> CliClient {
        CliClient { defaults: Command::new(program), runner: Host::new() }
    }
}

/// Its defaults.
impl<R> CliClient<R> {
    /// The same over another runner.
    #[must_use]
    pub fn with_runner<S: Runner>(self, runner: S) -> CliClient<S> {
        CliClient { defaults: self.defaults, runner }
    }

    /// Changes the command that every call begins with: arguments that come first, success codes, and whatever else.
    #[must_use]
    pub fn defaults(mut self, change: impl FnOnce(Command) -> Command) -> CliClient<R> {
        self.defaults = change(self.defaults);
        self
    }

    /// [`Command::timeout`] of each call.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> CliClient<R> {
        self.defaults(|command| command.timeout(timeout))
    }

    /// Sets an environment variable in each call.
    #[must_use]
    pub fn env(self, name: impl Into<OsString>, value: impl Into<OsString>) -> CliClient<R> {
        self.defaults(|command| command.env(name, value))
    }

    /// Leaves an environment variable out of each call.
    #[must_use]
    pub fn env_remove(self, name: impl Into<OsString>) -> CliClient<R> {
        self.defaults(|command| command.env_remove(name))
    }

    /// The directory that each call starts in.
    #[must_use]
    pub fn cwd(self, directory: impl Into<PathBuf>) -> CliClient<R> {
        self.defaults(|command| command.cwd(directory))
    }

    /// The runner behind it.
    pub fn runner(&self) -> &R {
        &self.runner
    }

    /// The command of a call, to be changed further and given to [`CliClient::runner`].
    pub fn command<A: Into<OsString>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        self.defaults.clone().args(args)
    }
}

/// The verbs: see [`Runner`] for each, and for their errors.
impl<R: Runner> CliClient<R> {
    /// [`Runner::run`] with these arguments.
    ///
    /// # Errors
    /// As there.
    pub fn run<A: Into<OsString>>(&self, args: impl IntoIterator<Item = A>) -> Result<String> {
        self.runner.run(&self.command(args))
    }

    /// [`Runner::output`] with these arguments.
    ///
    /// # Errors
    /// As there.
    pub fn output<A: Into<OsString>>(&self, args: impl IntoIterator<Item = A>) -> Result<Output> {
        self.runner.output(&self.command(args))
    }

    /// [`Runner::output_bytes`] with these arguments.
    ///
    /// # Errors
    /// As there.
    pub fn output_bytes<A: Into<OsString>>(
        &self,
        args: impl IntoIterator<Item = A>,
    ) -> Result<Output<Vec<u8>>> {
        self.runner.output_bytes(&self.command(args))
    }

    /// [`RunnerJson::output_json`](crate::RunnerJson::output_json) with these arguments.
    ///
    /// # Errors
    /// As there.
    #[cfg(feature = "serde")]
    pub fn output_json<T: serde::de::DeserializeOwned, A: Into<OsString>>(
        &self,
        args: impl IntoIterator<Item = A>,
    ) -> Result<T> {
        crate::runner::RunnerJson::output_json(&self.runner, &self.command(args))
    }

    /// [`Runner::exit_code`] with these arguments.
    ///
    /// # Errors
    /// As there.
    pub fn exit_code<A: Into<OsString>>(&self, args: impl IntoIterator<Item = A>) -> Result<i32> {
        self.runner.exit_code(&self.command(args))
    }

    /// [`Runner::probe`] with these arguments.
    ///
    /// # Errors
    /// As there.
    pub fn probe<A: Into<OsString>>(&self, args: impl IntoIterator<Item = A>) -> Result<bool> {
        self.runner.probe(&self.command(args))
    }

    /// [`Runner::first_line`] with these arguments.
    ///
    /// # Errors
    /// As there.
    pub fn first_line<A: Into<OsString>>(&self, args: impl IntoIterator<Item = A>) -> Result<String> {
        self.runner.first_line(&self.command(args))
    }

    /// [`Runner::start`] with these arguments.
    ///
    /// # Errors
    /// As there.
    pub fn start<A: Into<OsString>>(&self, args: impl IntoIterator<Item = A>) -> Result<Handle> {
        self.runner.start(&self.command(args))
    }
}

/// The verbs, awaited: see [`AsyncRunner`](crate::AsyncRunner).
#[cfg(all(feature = "tokio", unix))]
impl<R: Runner> CliClient<R> {
    /// [`CliClient::run`], awaited.
    ///
    /// # Errors
    /// As there.
    pub async fn run_async<A: Into<OsString>>(&self, args: impl IntoIterator<Item = A>) -> Result<String> {
        let command = self.command(args);
        crate::async_runner::AsyncRunner::run_async(&self.runner, &command).await
    }

    /// [`CliClient::output`], awaited.
    ///
    /// # Errors
    /// As there.
    pub async fn output_async<A: Into<OsString>>(&self, args: impl IntoIterator<Item = A>) -> Result<Output> {
        let command = self.command(args);
        crate::async_runner::AsyncRunner::output_async(&self.runner, &command).await
    }

    /// [`CliClient::output_bytes`], awaited.
    ///
    /// # Errors
    /// As there.
    pub async fn output_bytes_async<A: Into<OsString>>(
        &self,
        args: impl IntoIterator<Item = A>,
    ) -> Result<Output<Vec<u8>>> {
        let command = self.command(args);
        crate::async_runner::AsyncRunner::output_bytes_async(&self.runner, &command).await
    }

    /// [`CliClient::output_json`], awaited.
    ///
    /// # Errors
    /// As there.
    #[cfg(feature = "serde")]
    pub async fn output_json_async<T: serde::de::DeserializeOwned, A: Into<OsString>>(
        &self,
        args: impl IntoIterator<Item = A>,
    ) -> Result<T> {
        let command = self.command(args);
        crate::async_runner::AsyncRunner::output_json_async(&self.runner, &command).await
    }

    /// [`CliClient::exit_code`], awaited.
    ///
    /// # Errors
    /// As there.
    pub async fn exit_code_async<A: Into<OsString>>(&self, args: impl IntoIterator<Item = A>) -> Result<i32> {
        let command = self.command(args);
        crate::async_runner::AsyncRunner::exit_code_async(&self.runner, &command).await
    }

    /// [`CliClient::probe`], awaited.
    ///
    /// # Errors
    /// As there.
    pub async fn probe_async<A: Into<OsString>>(&self, args: impl IntoIterator<Item = A>) -> Result<bool> {
        let command = self.command(args);
        crate::async_runner::AsyncRunner::probe_async(&self.runner, &command).await
    }

    /// [`CliClient::first_line`], awaited.
    ///
    /// # Errors
    /// As there.
    pub async fn first_line_async<A: Into<OsString>>(
        &self,
        args: impl IntoIterator<Item = A>,
    ) -> Result<String> {
        let command = self.command(args);
        crate::async_runner::AsyncRunner::first_line_async(&self.runner, &command).await
    }

    /// [`CliClient::start`] with an async handle; not a future.
    ///
    /// # Errors
    /// As there.
    pub fn start_async<A: Into<OsString>>(
        &self,
        args: impl IntoIterator<Item = A>,
    ) -> Result<crate::async_handle::AsyncHandle> {
        crate::async_runner::AsyncRunner::start_async(&self.runner, &self.command(args))
    }
}
