//! Pipelines: commands each of which reads what the one before it writes, as plain data.

mod ends;
mod piped;
#[cfg(test)]
mod tests;

pub use ends::{Sink, Source};
pub use piped::Piped;

use crate::command::Command;
use crate::drive::completion::Completion;
use crate::retry::Retry;
use crate::runner::Runner;
use crate::settings::{Payload, Stdin, Stdio, StopRule};
use crate::verbs::Judge;
use pinfold_os::signal::Signal;
use std::ops::BitOr;
use std::path::PathBuf;
use std::time::Duration;

/// Commands joined by pipes: `a | b | c`.
///
/// The pipes are the kernel's, from program to program: no byte passes through this process. All stages are in one
/// container, and end together where they are stopped. A stage that ends early ends those before it as in a shell: they get
/// `SIGPIPE` when they write on, which is then no failure. Standard error of a stage is captured apart, unless its command
/// says otherwise; [`Stdio::Stdout`] sends it down the pipe too.
///
/// The result has standard output of the last stage; how it ended, standard error and the program are those of the first
/// stage that did not end cleanly, if there is one ("pipefail"). [`Output::stages`](crate::Output::stages) has all of them. A
/// stage whose failure is none says [`Command::unchecked`].
///
/// ```
/// use pinfold::{Command, ErrorKind};
///
/// let words = Command::new("printf").arg("beta\nalpha\n") | Command::new("sort") | Command::new("head").arg("-n1");
/// assert_eq!(words.run()?, "alpha");
///
/// let error = (Command::new("yes") | Command::new("false") | Command::new("wc")).run().unwrap_err();
/// assert_eq!((error.kind(), error.stage()), (ErrorKind::NonZeroExit, Some(1)));
/// assert_eq!(error.to_string(), "false (stage 2 of 3): exited with code 1");
/// # pinfold::Result::Ok(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
#[must_use = "a pipeline does nothing until one of its verbs is called"]
pub struct Pipeline {
    stages: Vec<Command>,
    #[cfg_attr(feature = "serde", serde(rename = "timeout_seconds", with = "crate::wire::maybe_seconds"))]
    timeout: Option<Duration>,
    stop: StopRule,
    retry: Option<Retry>,
}

impl Pipeline {
    /// A pipeline of these stages, the first first. One without any is refused when it is run.
    pub fn new(stages: impl IntoIterator<Item = Command>) -> Pipeline {
        Pipeline { stages: stages.into_iter().collect(), ..Pipeline::default() }
    }

    /// Has what the last stage writes read by this: a command, or another pipeline, of which only the stages are taken.
    pub fn pipe(mut self, next: impl Into<Pipeline>) -> Pipeline {
        self.stages.extend(next.into().stages);
        self
    }

    /// The commands, the first first.
    pub fn stages(&self) -> &[Command] {
        &self.stages
    }

    /// Stops all of it when it has run this long. A stage may have a timeout of its own, which ends that stage alone.
    /// `None` is no timeout.
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Pipeline {
        self.timeout = timeout.into();
        self
    }

    /// How all of it is stopped, whatever its commands say: by a timeout, a cancellation or `stop`. The default is `SIGTERM`,
    /// five seconds of grace, then `SIGKILL`.
    pub fn stop_rule(mut self, rule: StopRule) -> Pipeline {
        self.stop = rule;
        self
    }

    /// The grace between the stop signal and the kill.
    pub fn timeout_grace(mut self, grace: Duration) -> Pipeline {
        self.stop.grace = grace;
        self
    }

    /// The stop signal.
    pub fn timeout_signal(mut self, signal: Signal) -> Pipeline {
        self.stop.signal = signal;
        self
    }

    /// Runs all of it again when it fails. For the verbs that wait for the end.
    pub fn retry(mut self, retry: Retry) -> Pipeline {
        self.retry = Some(retry);
        self
    }

    /// Where the first stage reads from.
    pub fn stdin(mut self, stdin: Stdin) -> Pipeline {
        if let Some(first) = self.stages.first_mut() {
            first.stdin = stdin;
        }
        self
    }

    /// Feeds the first stage these bytes, then the end.
    pub fn stdin_bytes(self, bytes: impl Into<Payload>) -> Pipeline {
        self.stdin(Stdin::Bytes(bytes.into()))
    }

    /// Feeds the first stage this text, then the end.
    pub fn stdin_text(self, text: impl Into<String>) -> Pipeline {
        self.stdin_bytes(text.into().into_bytes())
    }

    /// Feeds the first stage a file, which it reads itself.
    pub fn stdin_file(self, path: impl Into<PathBuf>) -> Pipeline {
        self.stdin(Stdin::File(path.into()))
    }

    /// Gives the first stage a pipe that stays open until the live handle's writer is closed.
    pub fn keep_stdin_open(self) -> Pipeline {
        self.stdin(Stdin::Open)
    }

    /// Where the last stage writes to.
    pub fn stdout(mut self, stdout: Stdio) -> Pipeline {
        if let Some(last) = self.stages.last_mut() {
            last.stdout = stdout;
        }
        self
    }

    /// This pipeline on a runner, with every verb.
    ///
    /// ```
    /// use pinfold::testing::{Reply, ScriptedRunner};
    /// use pinfold::{Command, Runner};
    ///
    /// let runner = ScriptedRunner::new()
    ///     .on(["git", "ls-files"], Reply::ok("one\ntwo\n"))
    ///     .on(["wc", "-l"], Reply::ok("2\n").after_input());
    /// let count = Command::new("git").arg("ls-files") | Command::new("wc").arg("-l");
    /// assert_eq!(count.on(&runner).run()?, "2");
    /// assert_eq!(runner.inputs(), [b"one\ntwo\n"]);
    /// # pinfold::Result::Ok(())
    /// ```
    pub fn on<R: Runner>(&self, runner: R) -> Piped<R> {
        Piped::new(self.clone(), runner)
    }

    /// This pipeline as a machine: its attempts and the pauses between them, and the last result judged.
    pub fn completion<R: Runner>(&self, runner: R, judge: Judge) -> Completion<Piped<R>> {
        Completion::new(self.on(runner), self.whole(), judge)
    }

    /// What holds for all stages together, as a command that stands for them: it has the input of the first and the output of
    /// the last. [`Pipeline::on`] makes a runner that starts the pipeline for it.
    pub fn whole(&self) -> Command {
        let mut whole = self.stages.last().cloned().unwrap_or_else(|| Command::new("pipeline"));
        whole.stdin = self.stages.first().map(|first| first.stdin.clone()).unwrap_or_default();
        whole.timeout = self.timeout;
        whole.stop = self.stop;
        whole.retry = self.retry;
        whole
    }
}

impl From<Command> for Pipeline {
    fn from(command: Command) -> Pipeline {
        Pipeline::new([command])
    }
}

impl Command {
    /// Has what it writes read by this: [`Pipeline`]. The same as `|`.
    pub fn pipe(self, next: impl Into<Pipeline>) -> Pipeline {
        Pipeline::from(self).pipe(next)
    }
}

impl<P: Into<Pipeline>> BitOr<P> for Command {
    type Output = Pipeline;

    fn bitor(self, next: P) -> Pipeline {
        self.pipe(next)
    }
}

impl<P: Into<Pipeline>> BitOr<P> for Pipeline {
    type Output = Pipeline;

    fn bitor(self, next: P) -> Pipeline {
        self.pipe(next)
    }
}
