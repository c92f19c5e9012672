//! How long a command runs, how it ends, and what holds it together.

use super::Command;
use crate::convert::{Seconds, SignalArg, Whole, one_of};
use crate::error::invalid;
use crate::number::{named, number};
use pinfold::{Guarantee, Isolation, Retry, RetryOn, StrayRule};
use pyo3::prelude::*;

/// How something is tried again.
pub(crate) fn retry_of(
    py: Python<'_>,
    attempts: u32,
    pause: Option<Seconds>,
    factor: f64,
    max_pause: Option<Seconds>,
    on: Option<&Bound<'_, PyAny>>,
) -> PyResult<Retry> {
    let mut retry = Retry { factor, ..Retry::times(attempts) };
    if attempts == 0 {
        return Err(invalid(py, "attempts: 0 is out of range: a command is attempted once at least"));
    }
    if factor.is_nan() || factor < 0.0 {
        return Err(invalid(py, &format!("factor: {factor} is out of range: from 0 on")));
    }
    retry.pause = pause.map_or(retry.pause, |pause| pause.0);
    retry.max_pause = max_pause.map_or(retry.max_pause, |pause| pause.0);
    if let Some(on) = on {
        let known = [("failure", RetryOn::Failure), ("timeout", RetryOn::Timeout)];
        retry.on = match on.extract::<&str>() {
            Ok(word) => one_of(py, "reason to try again", word, &known)?,
            Err(_) => RetryOn::Code(number(on, "on")?),
        };
    }
    Ok(retry)
}

pub(crate) fn isolation_named(py: Python<'_>, name: &str) -> PyResult<Isolation> {
    let known = [
        ("best", Isolation::Best),
        ("cgroup", Isolation::Cgroup),
        ("pid_namespace", Isolation::PidNamespace),
        ("subreaper", Isolation::Subreaper),
        ("process_group", Isolation::ProcessGroup),
    ];
    // As a run is called that has it.
    one_of(py, "isolation", if name == "cgroup_v2" { "cgroup" } else { name }, &known)
}

pub(crate) fn guarantee_named(py: Python<'_>, name: &str) -> PyResult<Guarantee> {
    let all = [Guarantee::Kernel, Guarantee::Guarded, Guarantee::WhileOwnerLives, Guarantee::BestEffort];
    one_of(py, "guarantee", name, &all.map(|each| (each.as_str(), each)))
}

#[pymethods]
impl Command {
    /// Stops all of it when it has run this long: by `timeout_signal`, then after `timeout_grace` by a kill.
    /// `None` is no timeout, and 0 is refused when it is run.
    ///
    /// >>> from pinfold import Command
    /// >>> Command("sleep", ["1000"]).timeout(0.05).output().timed_out
    /// True
    fn timeout(&self, #[pyo3(from_py_with = named::seconds)] seconds: Option<Seconds>) -> Command {
        self.with(|command| command.timeout(seconds.map(|seconds| seconds.0)))
    }

    /// Stops it when neither captured stream gave anything for this long. `None` is no timeout, and 0 is refused.
    ///
    /// >>> from pinfold import Command
    /// >>> result = Command("sh", ["-c", "echo begun; sleep 1000"]).idle_timeout(1).output()
    /// >>> result.stdout, result.cause
    /// ('begun\n', 'idle_timeout')
    fn idle_timeout(&self, #[pyo3(from_py_with = named::seconds)] seconds: Option<Seconds>) -> Command {
        self.with(|command| command.idle_timeout(seconds.map(|seconds| seconds.0)))
    }

    /// The grace between the stop signal and the kill: five seconds unless told otherwise, and 0 kills at once. It holds for
    /// timeouts, cancellation and `stop()`.
    ///
    /// >>> from pinfold import Command
    /// >>> Command("sleep", ["1000"]).timeout(0.05).timeout_grace(0).output().signal
    /// 9
    fn timeout_grace(&self, #[pyo3(from_py_with = named::seconds)] seconds: Seconds) -> Command {
        self.with(|command| command.timeout_grace(seconds.0))
    }

    /// The stop signal, by name or number: `"term"` unless told otherwise.
    ///
    /// >>> from pinfold import Command
    /// >>> Command("sleep", ["1000"]).timeout(0.05).timeout_signal("int").output().signal
    /// 2
    fn timeout_signal(&self, signal: SignalArg) -> Command {
        self.with(|command| command.timeout_signal(signal.0))
    }

    /// What becomes of processes that outlive the program: they are stopped after so many seconds, or with `"wait"` the run
    /// goes on until the last of them has ended. The default is 0.1.
    ///
    /// >>> from pinfold import Command
    /// >>> command = Command("sh", ["-c", "(sleep 1; echo late) & echo soon"])
    /// >>> command.run(), command.strays("wait").run()
    /// ('soon', 'soon\nlate')
    fn strays(&self, after: &Bound<'_, PyAny>) -> PyResult<Command> {
        let rule = match after.extract::<&str>() {
            Ok(word) => one_of(after.py(), "rule for strays", word, &[("wait", StrayRule::Wait)])?,
            Err(_) => StrayRule::StopAfter(number::<Seconds>(after, "after")?.0),
        };
        Ok(self.with(|command| command.strays(rule)))
    }

    /// The exit codes that count as success: 0 unless told otherwise.
    ///
    /// >>> from pinfold import Command
    /// >>> Command("grep", ["needle"]).stdin_text("hay").success_codes([0, 1]).run()
    /// ''
    fn success_codes(&self, #[pyo3(from_py_with = named::codes)] codes: Vec<i32>) -> Command {
        self.with(|command| command.success_codes(codes))
    }

    /// Takes every code that it returns, and every signal that ends it, for a success; a timeout and the like is none. For a
    /// stage of a pipeline whose failure is not to be the pipeline's, as that of a `grep` that finds nothing.
    ///
    /// >>> from pinfold import Command
    /// >>> (Command("grep", ["needle"]).stdin_text("hay").unchecked() | Command("wc", ["-l"])).run()
    /// '0'
    fn unchecked(&self) -> Command {
        self.with(pinfold::Command::unchecked)
    }

    /// Tries it again when it fails, `attempts` times in all, with a pause before the second that grows by `factor`. `on` is
    /// what is tried again: any `"failure"`, only a `"timeout"`, or only this exit code. For the verbs that wait for the end.
    ///
    /// >>> from pinfold import Command
    /// >>> attempts = []
    /// >>> flaky = Command("false").retry(3, pause=0.01, on=1)
    /// >>> flaky.output(on_event=lambda event: attempts.append(event.kind)).code, attempts.count("started")
    /// (1, 3)
    #[pyo3(signature = (attempts, *, pause = None, factor = 2.0, max_pause = None, on = None))]
    fn retry(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = named::attempts)] attempts: Whole<u32>,
        #[pyo3(from_py_with = named::pause)] pause: Option<Seconds>,
        #[pyo3(from_py_with = named::factor)] factor: f64,
        #[pyo3(from_py_with = named::max_pause)] max_pause: Option<Seconds>,
        on: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Command> {
        let retry = retry_of(py, attempts.0, pause, factor, max_pause, on)?;
        Ok(self.with(|command| command.retry(retry)))
    }

    /// Which container it gets: `"best"` (the default), `"cgroup"`, `"pid_namespace"`, `"subreaper"` or `"process_group"`; what
    /// cannot be had is an error.
    ///
    /// >>> from pinfold import Command
    /// >>> with Command("sleep", ["1000"]).isolation("subreaper").start() as process:
    /// ...     process.mechanism
    /// 'subreaper'
    fn isolation(&self, py: Python<'_>, name: &str) -> PyResult<Command> {
        let isolation = isolation_named(py, name)?;
        Ok(self.with(|command| command.isolation(isolation)))
    }

    /// Refuses to run it in a container that guarantees less: `"kernel"`, `"guarded"`, `"while_owner_lives"` or `"best_effort"`.
    ///
    /// >>> from pinfold import Command
    /// >>> command = Command("server").require("guarded")
    fn require(&self, py: Python<'_>, guarantee: &str) -> PyResult<Command> {
        let guarantee = guarantee_named(py, guarantee)?;
        Ok(self.with(|command| command.require(guarantee)))
    }

    /// Ends it when this process is killed: `require("guarded")`.
    ///
    /// >>> from pinfold import Command
    /// >>> command = Command("server").kill_on_parent_death()
    fn kill_on_parent_death(&self) -> Command {
        self.with(pinfold::Command::kill_on_parent_death)
    }
}
