//! A command as plain data: it can be cloned, compared, stored and sent, and nothing happens until a verb is called.

mod debug;

use crate::capture::{Keep, Limit};
use crate::limits::{IoLimit, Limits};
use crate::outcome::Guarantee;
use crate::retry::Retry;
use crate::sandbox::Sandbox;
use crate::settings::{
    Containment, IoPriority, Isolation, Payload, Rlimit, Stdin, Stdio, StopRule, StrayRule, Stream,
};
use crate::text::{Encoding, LineRule};
use pinfold_os::limits::Resource;
use pinfold_os::signal::Signal;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

/// A program, its arguments, and everything about how it is to run.
///
/// Each method returns the changed command, so that one can be built in a single expression and kept as a template.
/// No shell is involved anywhere. What cannot be done on a host is refused when the command is run, with an error that
/// says why; no setting is ever ignored. Its debug representation shows how many arguments and which variables it has, and
/// not what is in them.
///
/// ```
/// use pinfold::Command;
///
/// let greeting = Command::new("echo").args(["hello", "fold"]).run()?;
/// assert_eq!(greeting, "hello fold");
/// # pinfold::Result::Ok(())
/// ```
#[derive(Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[must_use = "a command does nothing until one of its verbs is called"]
pub struct Command {
    #[cfg_attr(feature = "serde", serde(with = "crate::wire::os_string"))]
    pub(crate) program: OsString,
    #[cfg_attr(feature = "serde", serde(default, with = "crate::wire::os_strings"))]
    pub(crate) args: Vec<OsString>,
    #[cfg_attr(feature = "serde", serde(default, with = "crate::wire::maybe_os_string"))]
    pub(crate) arg0: Option<OsString>,
    #[cfg_attr(feature = "serde", serde(default, with = "crate::wire::maybe_path"))]
    pub(crate) cwd: Option<PathBuf>,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) env: Env,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) stdin: Stdin,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) stdout: Stdio,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) stderr: Stdio,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) tee: [bool; 2],
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) encodings: [Encoding; 2],
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) lines: LineRule,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) limit: Limit,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) keep: Option<Keep>,
    #[cfg_attr(
        feature = "serde",
        serde(default, rename = "timeout_seconds", with = "crate::wire::maybe_seconds")
    )]
    pub(crate) timeout: Option<Duration>,
    #[cfg_attr(
        feature = "serde",
        serde(default, rename = "idle_timeout_seconds", with = "crate::wire::maybe_seconds")
    )]
    pub(crate) idle_timeout: Option<Duration>,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) stop: StopRule,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) strays: StrayRule,
    #[cfg_attr(feature = "serde", serde(default = "success"))]
    pub(crate) success_codes: Vec<i32>,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) unchecked: bool,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) retry: Option<Retry>,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) containment: Containment,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) limits: Limits,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) process: ProcessSettings,
}

/// How the environment is made from that of this process.
#[derive(Clone, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub(crate) struct Env {
    /// Start with nothing but what `inherit` names.
    pub(crate) clear: bool,
    #[cfg_attr(feature = "serde", serde(with = "crate::wire::os_strings"))]
    pub(crate) inherit: Vec<OsString>,
    /// Set or removed, in order; the last word on a name holds.
    #[cfg_attr(feature = "serde", serde(with = "crate::wire::env_changes"))]
    pub(crate) changes: Vec<(OsString, Option<OsString>)>,
}

/// What the process is besides its program.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub(crate) struct ProcessSettings {
    pub(crate) user: Option<String>,
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
    pub(crate) groups: Option<Vec<u32>>,
    pub(crate) setsid: bool,
    pub(crate) foreground: bool,
    pub(crate) umask: Option<u32>,
    pub(crate) nice: Option<i32>,
    pub(crate) affinity: Option<Vec<u32>>,
    pub(crate) io_priority: Option<IoPriority>,
    pub(crate) oom_score_adj: Option<i32>,
    pub(crate) rlimits: Vec<Rlimit>,
    pub(crate) no_new_privs: bool,
    pub(crate) sandbox: Sandbox,
    pub(crate) kill_on_parent_death: bool,
    pub(crate) no_window: bool,
}

#[cfg(feature = "serde")]
fn success() -> Vec<i32> {
    vec![0]
}

/// Makes, edits, looks at.
impl Command {
    /// A command without arguments. A name without a slash is looked up in `PATH`.
    pub fn new(program: impl Into<OsString>) -> Command {
        Command {
            program: program.into(),
            args: Vec::new(),
            arg0: None,
            cwd: None,
            env: Env::default(),
            stdin: Stdin::default(),
            stdout: Stdio::default(),
            stderr: Stdio::default(),
            tee: [false; 2],
            encodings: Default::default(),
            lines: LineRule::default(),
            limit: Limit::default(),
            keep: None,
            timeout: None,
            idle_timeout: None,
            stop: StopRule::default(),
            strays: StrayRule::default(),
            success_codes: vec![0],
            unchecked: false,
            retry: None,
            containment: Containment::default(),
            limits: Limits::default(),
            process: ProcessSettings::default(),
        }
    }

    /// The same for another program: a command as a template.
    pub fn named(mut self, program: impl Into<OsString>) -> Command {
        self.program = program.into();
        self
    }

    /// The program as it was given.
    pub fn program(&self) -> &OsStr {
        &self.program
    }

    /// The arguments, without the program's own name.
    pub fn arguments(&self) -> &[OsString] {
        &self.args
    }

    /// How a captured stream is decoded to text.
    pub fn encoding_of(&self, stream: Stream) -> &Encoding {
        &self.encodings[stream as usize]
    }

    /// How it is stopped.
    pub fn stop_rule_of(&self) -> StopRule {
        self.stop
    }

    /// What [`Command::output_limit`] says.
    pub fn limit_of_output(&self) -> Limit {
        self.limit
    }
}

/// What runs, and where.
impl Command {
    /// Adds an argument. Bytes that are no UTF-8 are passed on as they are.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Command {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Command {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// What the program is told its own name is (`argv[0]`), instead of its name as given.
    pub fn arg0(mut self, name: impl Into<OsString>) -> Command {
        self.arg0 = Some(name.into());
        self
    }

    /// The directory it starts in. A program given by a relative path is looked for from there. It is entered with
    /// the rights of the user that the command switches to.
    pub fn cwd(mut self, directory: impl Into<PathBuf>) -> Command {
        self.cwd = Some(directory.into());
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Command {
        self.env.changes.push((name.into(), Some(value.into())));
        self
    }

    /// Sets environment variables.
    pub fn envs<N: Into<OsString>, V: Into<OsString>>(
        mut self,
        vars: impl IntoIterator<Item = (N, V)>,
    ) -> Command {
        self.env.changes.extend(vars.into_iter().map(|(name, value)| (name.into(), Some(value.into()))));
        self
    }

    /// Leaves an environment variable out.
    pub fn env_remove(mut self, name: impl Into<OsString>) -> Command {
        self.env.changes.push((name.into(), None));
        self
    }

    /// Starts from an empty environment, and forgets what was set before. `PATH` is gone too, so a program without a
    /// slash is then looked up in `/usr/local/bin:/bin:/usr/bin`.
    pub fn env_clear(mut self) -> Command {
        self.env = Env { clear: true, ..Env::default() };
        self
    }

    /// Starts from an empty environment with just these variables of ours, as far as they are set.
    pub fn inherit_env<N: Into<OsString>>(mut self, names: impl IntoIterator<Item = N>) -> Command {
        self.env.clear = true;
        self.env.inherit.extend(names.into_iter().map(Into::into));
        self
    }
}

/// Its streams.
impl Command {
    /// Where its standard input comes from. The default is [`Stdin::Null`].
    pub fn stdin(mut self, stdin: Stdin) -> Command {
        self.stdin = stdin;
        self
    }

    /// Feeds it these bytes, then the end. A program that stops reading early is no error.
    pub fn stdin_bytes(self, bytes: impl Into<Payload>) -> Command {
        self.stdin(Stdin::Bytes(bytes.into()))
    }

    /// Feeds it this text, then the end.
    pub fn stdin_text(self, text: impl Into<String>) -> Command {
        self.stdin_bytes(text.into())
    }

    /// Feeds it a file, which the program reads itself.
    pub fn stdin_file(self, path: impl Into<PathBuf>) -> Command {
        self.stdin(Stdin::File(path.into()))
    }

    /// Lets it read what this process would.
    pub fn inherit_stdin(self) -> Command {
        self.stdin(Stdin::Inherit)
    }

    /// Gives it a pipe that stays open until the live handle's writer is closed. The verbs that wait for the end refuse
    /// it: nobody could write.
    pub fn keep_stdin_open(self) -> Command {
        self.stdin(Stdin::Open)
    }

    /// Where its standard output goes. The default is [`Stdio::Pipe`]: captured.
    pub fn stdout(mut self, stdout: Stdio) -> Command {
        self.stdout = stdout;
        self
    }

    /// Where its standard error goes. The default is [`Stdio::Pipe`]: captured, apart from standard output.
    pub fn stderr(mut self, stderr: Stdio) -> Command {
        self.stderr = stderr;
        self
    }

    /// Copies a captured stream to this process's own, as it comes.
    pub fn tee(mut self, stream: Stream) -> Command {
        self.tee[stream as usize] = true;
        self
    }

    /// How both captured streams are decoded to text. The default is UTF-8, with what is none replaced by `U+FFFD`.
    pub fn encoding(mut self, encoding: Encoding) -> Command {
        self.encodings = [encoding.clone(), encoding];
        self
    }

    /// How standard output alone is decoded.
    pub fn stdout_encoding(mut self, encoding: Encoding) -> Command {
        self.encodings[0] = encoding;
        self
    }

    /// How standard error alone is decoded.
    pub fn stderr_encoding(mut self, encoding: Encoding) -> Command {
        self.encodings[1] = encoding;
        self
    }

    /// What a line is, for lines that are streamed and counted.
    pub fn lines(mut self, rule: LineRule) -> Command {
        self.lines = rule;
        self
    }

    /// Bounds what is retained of each captured stream. Unless told otherwise the oldest is dropped, and the run goes on.
    pub fn output_limit(mut self, limit: Limit) -> Command {
        self.limit = limit;
        self
    }

    /// How much of a stream stays readable after it was streamed. Unless told otherwise that is all of it for the verbs
    /// that return output, and 8 MiB for a live handle, which may run for months. What was not streamed is kept wholly,
    /// up to [`Command::output_limit`].
    pub fn keep(mut self, keep: Keep) -> Command {
        self.keep = Some(keep);
        self
    }
}

/// How long it runs, and how it ends.
impl Command {
    /// Stops it when it has run this long: all of it, by [`Command::stop_rule`]. `None` is no timeout; zero is refused
    /// with [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) when it is run.
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Command {
        self.timeout = timeout.into();
        self
    }

    /// Stops it when neither captured stream gave anything for this long. `None` is no timeout; zero is refused.
    pub fn idle_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Command {
        self.idle_timeout = timeout.into();
        self
    }

    /// How it is stopped: by a timeout, a cancellation or `stop`. The default is `SIGTERM` to all of it, five seconds
    /// of grace, then `SIGKILL`.
    pub fn stop_rule(mut self, rule: StopRule) -> Command {
        self.stop = rule;
        self
    }

    /// The grace between the stop signal and the kill; zero kills at once.
    pub fn timeout_grace(mut self, grace: Duration) -> Command {
        self.stop.grace = grace;
        self
    }

    /// The stop signal.
    pub fn timeout_signal(mut self, signal: Signal) -> Command {
        self.stop.signal = signal;
        self
    }

    /// What becomes of processes that outlive the program. The default gives them 100 milliseconds and then stops
    /// them.
    pub fn strays(mut self, rule: StrayRule) -> Command {
        self.strays = rule;
        self
    }

    /// The exit codes that count as success: 0 unless told otherwise.
    pub fn success_codes(mut self, codes: impl IntoIterator<Item = i32>) -> Command {
        self.success_codes = codes.into_iter().collect();
        self
    }

    /// Takes every code that it returns, and every signal that ends it, for a success; a timeout and the like is none. For a
    /// stage of a pipeline whose failure is not to be the pipeline's, as that of a `grep` that finds nothing.
    pub fn unchecked(mut self) -> Command {
        self.unchecked = true;
        self
    }

    /// Tries it again when it fails. For the verbs that wait for the end.
    pub fn retry(mut self, retry: Retry) -> Command {
        self.retry = Some(retry);
        self
    }

    /// Which container it gets. The default is the best that this host offers.
    pub fn isolation(mut self, isolation: Isolation) -> Command {
        self.containment.isolation = isolation;
        self
    }

    /// Refuses to run it in a container that guarantees less.
    pub fn require(mut self, guarantee: Guarantee) -> Command {
        self.containment.require = Some(guarantee);
        self
    }

    /// Ends it when this process is killed: [`Command::require`] with [`Guarantee::Guarded`].
    pub fn kill_on_parent_death(mut self) -> Command {
        self.process.kill_on_parent_death = true;
        self
    }
}

/// What all of it may use together. Linux, in a cgroup: see [`Limits`] for each, and for what is done elsewhere.
impl Command {
    /// Sets all limits, in place of those that were set before.
    pub fn limits(mut self, limits: Limits) -> Command {
        self.limits = limits;
        self
    }

    /// Sets [`Limits::memory_max`].
    pub fn memory_max(mut self, bytes: u64) -> Command {
        self.limits.memory_max = Some(bytes);
        self
    }

    /// Sets [`Limits::memory_high`].
    pub fn memory_high(mut self, bytes: u64) -> Command {
        self.limits.memory_high = Some(bytes);
        self
    }

    /// Sets [`Limits::swap_max`].
    pub fn swap_max(mut self, bytes: u64) -> Command {
        self.limits.swap_max = Some(bytes);
        self
    }

    /// Sets [`Limits::processes`].
    pub fn max_processes(mut self, count: u64) -> Command {
        self.limits.processes = Some(count);
        self
    }

    /// Sets [`Limits::cpu_quota`].
    pub fn cpu_quota(mut self, cpus: f64) -> Command {
        self.limits.cpu_quota = Some(cpus);
        self
    }

    /// Sets [`Limits::cpu_weight`].
    pub fn cpu_weight(mut self, weight: u32) -> Command {
        self.limits.cpu_weight = Some(weight);
        self
    }

    /// Sets [`Limits::cpus`]. Unlike [`Command::affinity`], no process of it can undo that.
    pub fn cpus(mut self, cpus: impl IntoIterator<Item = u32>) -> Command {
        self.limits.cpus = Some(cpus.into_iter().collect());
        self
    }

    /// Sets [`Limits::io_weight`].
    pub fn io_weight(mut self, weight: u32) -> Command {
        self.limits.io_weight = Some(weight);
        self
    }

    /// Adds to [`Limits::io`].
    pub fn io_max(mut self, limit: IoLimit) -> Command {
        self.limits.io.push(limit);
        self
    }
}

/// What the process is besides its program. Unix, unless said otherwise.
impl Command {
    /// Runs it as `[user][:group]`, names or numbers: with that user's groups, unless a group is given. Sets `HOME`
    /// to the user's, unless the command sets it.
    pub fn user(mut self, spec: impl Into<String>) -> Command {
        self.process.user = Some(spec.into());
        self
    }

    /// Runs it with this user id. Its groups stay ours unless they are given too.
    pub fn uid(mut self, uid: u32) -> Command {
        self.process.uid = Some(uid);
        self
    }

    /// Runs it with this group id.
    pub fn gid(mut self, gid: u32) -> Command {
        self.process.gid = Some(gid);
        self
    }

    /// Runs it with exactly these supplementary groups.
    pub fn groups(mut self, groups: impl IntoIterator<Item = u32>) -> Command {
        self.process.groups = Some(groups.into_iter().collect());
        self
    }

    /// Runs it in a session of its own, without a controlling terminal. It is contained all the same.
    pub fn setsid(mut self) -> Command {
        self.process.setsid = true;
        self
    }

    /// If it has to have a process group of its own, makes that the foreground group of the terminal on standard
    /// input, so that it can read there. Whoever asks for this takes the foreground back afterwards.
    pub fn foreground(mut self) -> Command {
        self.process.foreground = true;
        self
    }

    /// The file mode creation mask.
    pub fn umask(mut self, mask: u32) -> Command {
        self.process.umask = Some(mask);
        self
    }

    /// The nice value itself: -20 (first) to 19.
    pub fn nice(mut self, nice: i32) -> Command {
        self.process.nice = Some(nice);
        self
    }

    /// The CPUs it may run on, counted from 0. Linux.
    pub fn affinity(mut self, cpus: impl IntoIterator<Item = u32>) -> Command {
        self.process.affinity = Some(cpus.into_iter().collect());
        self
    }

    /// I/O scheduling class and level. Linux.
    pub fn io_priority(mut self, priority: IoPriority) -> Command {
        self.process.io_priority = Some(priority);
        self
    }

    /// How readily the kernel ends it when memory runs out: -1000 (never) to 1000. Linux.
    pub fn oom_score_adj(mut self, score: i32) -> Command {
        self.process.oom_score_adj = Some(score);
        self
    }

    /// A limit that each of its processes has for itself; soft and hard, `None` for no limit.
    pub fn rlimit(mut self, resource: Resource, soft: Option<u64>, hard: Option<u64>) -> Command {
        self.process.rlimits.push(Rlimit { resource, soft, hard });
        self
    }

    /// Bars it from gaining privileges by what it executes (`PR_SET_NO_NEW_PRIVS`). Linux.
    pub fn no_new_privs(mut self) -> Command {
        self.process.no_new_privs = true;
        self
    }

    /// Shuts it off from what the sandbox says, together with all that it starts. Linux.
    ///
    /// ```no_run
    /// use pinfold::{Command, Sandbox};
    ///
    /// let said = Command::new("python3").arg("-c").arg("print(6 * 7)").sandbox(Sandbox::untrusted()).run()?;
    /// assert_eq!(said, "42");
    /// # pinfold::Result::Ok(())
    /// ```
    pub fn sandbox(mut self, sandbox: Sandbox) -> Command {
        self.process.sandbox = sandbox;
        self
    }

    /// Gives a console program no window. Windows; elsewhere there is none, so that nothing has to be done.
    pub fn create_no_window(mut self) -> Command {
        self.process.no_window = true;
        self
    }
}
