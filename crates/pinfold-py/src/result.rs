//! How runs end: outcomes, and the facts in them.

use crate::plain::plain;
use pyo3::prelude::*;

/// What was seen of one stream.
///
/// >>> from pinfold import Command
/// >>> with Command("seq", ["1000"]).output_limit(max_lines=10).start() as process:
/// ...     seen = process.wait().stdout_seen
/// >>> seen.lines, seen.bytes, seen.truncated
/// (1000, 3893, True)
#[pyclass(frozen, module = "pinfold")]
pub(crate) struct Seen(pub(crate) pinfold::Seen);
plain!(Seen, "Seen");

#[pymethods]
impl Seen {
    /// Bytes, whether they were retained or not.
    #[getter]
    fn bytes(&self) -> u64 {
        self.0.bytes
    }

    /// Lines; an unfinished last one counts.
    #[getter]
    fn lines(&self) -> u64 {
        self.0.lines
    }

    /// Whether some are not retained.
    #[getter]
    fn truncated(&self) -> bool {
        self.0.truncated
    }

    fn __repr__(&self) -> String {
        let pinfold::Seen { bytes, lines, truncated } = self.0;
        format!("Seen(bytes={bytes}, lines={lines}, truncated={})", python(truncated))
    }
}

/// What a run has used.
///
/// >>> from pinfold import Command
/// >>> usage = Command("sh", ["-c", "while :; do :; done"]).timeout(0.2).output().usage
/// >>> usage.user_seconds + usage.system_seconds > 0
/// True
#[pyclass(frozen, module = "pinfold")]
pub(crate) struct Usage(pub(crate) pinfold::Usage);
plain!(Usage, "Usage");

#[pymethods]
impl Usage {
    /// Seconds on CPUs in user mode: of every process of the run in a cgroup, else of the program and the children that
    /// it waited for.
    #[getter]
    fn user_seconds(&self) -> f64 {
        self.0.user.as_secs_f64()
    }

    /// Seconds on CPUs in the kernel, counted likewise.
    #[getter]
    fn system_seconds(&self) -> f64 {
        self.0.system.as_secs_f64()
    }

    /// Both together.
    #[getter]
    fn cpu_time_seconds(&self) -> f64 {
        self.0.cpu_time().as_secs_f64()
    }

    /// The most memory of it in bytes, by the kernel's own account; `None` where the kernel cannot tell it from ours.
    #[getter]
    fn peak_memory_bytes(&self) -> Option<u64> {
        self.0.peak_memory
    }

    fn __repr__(&self) -> String {
        format!(
            "Usage(user_seconds={:?}, system_seconds={:?}, peak_memory_bytes={})",
            self.user_seconds(),
            self.system_seconds(),
            or_none(self.0.peak_memory)
        )
    }
}

/// A process that outlived its program, or was ended with it.
///
/// >>> from pinfold import Command
/// >>> strays = Command("sh", ["-c", "sleep 1000 & echo done"]).output().strays
/// >>> [stray.name for stray in strays.some]
/// ['sleep']
#[pyclass(frozen, module = "pinfold")]
pub(crate) struct Stray(pub(crate) pinfold::Stray);
plain!(Stray, "Stray");

#[pymethods]
impl Stray {
    /// Its pid; it is most likely gone.
    #[getter]
    fn pid(&self) -> u32 {
        self.0.pid.get()
    }

    /// Its name as the kernel has it, empty if it was gone before it could be asked.
    #[getter]
    fn name(&self) -> &str {
        &self.0.name
    }

    fn __repr__(&self) -> String {
        format!("Stray(pid={}, name={:?})", self.0.pid.get(), self.0.name)
    }
}

/// Who else was there when a timeout, a limit of its output or a cancellation ended a program.
///
/// >>> from pinfold import Command
/// >>> with_it = Command("sh", ["-c", "sleep 1000 & wait"]).timeout(0.5).output().ended_with
/// >>> with_it.count, [stray.name for stray in with_it.some]
/// (1, ['sleep'])
#[pyclass(frozen, module = "pinfold")]
pub(crate) struct EndedWith(pub(crate) pinfold::EndedWith);
plain!(EndedWith, "EndedWith");

#[pymethods]
impl EndedWith {
    /// How many processes beside the program.
    #[getter]
    fn count(&self) -> usize {
        self.0.count
    }

    /// The first of them, 16 at most.
    #[getter]
    fn some(&self) -> Vec<Stray> {
        self.0.some.iter().cloned().map(Stray).collect()
    }

    fn __bool__(&self) -> bool {
        self.0.count > 0
    }

    fn __repr__(&self) -> String {
        format!("EndedWith(count={})", self.0.count)
    }
}

/// The processes that outlived their program.
///
/// >>> from pinfold import Command
/// >>> strays = Command("sh", ["-c", "sleep 1000 & echo done"]).output().strays
/// >>> bool(strays), strays.count, bool(Command("true").output().strays)
/// (True, 1, False)
#[pyclass(frozen, module = "pinfold")]
pub(crate) struct Strays(pub(crate) pinfold::Strays);
plain!(Strays, "Strays");

#[pymethods]
impl Strays {
    /// How many were still there when the program had ended and their time to linger was over.
    #[getter]
    fn count(&self) -> usize {
        self.0.count
    }

    /// Whether some ignored the stop signal and were killed.
    #[getter]
    fn killed(&self) -> bool {
        self.0.killed
    }

    /// The first of them, 16 at most.
    #[getter]
    fn some(&self) -> Vec<Stray> {
        self.0.some.iter().cloned().map(Stray).collect()
    }

    /// Processes outside of the container that held the output open to the last.
    #[getter]
    fn holding_output(&self) -> Vec<Stray> {
        self.0.holding_output.iter().cloned().map(Stray).collect()
    }

    fn __bool__(&self) -> bool {
        self.0.count > 0 || !self.0.holding_output.is_empty()
    }

    fn __repr__(&self) -> String {
        format!("Strays(count={}, killed={})", self.0.count, python(self.0.killed))
    }
}

/// What a run has run into, by the kernel's own count. A figure is `None` where nobody counted.
///
/// >>> from pinfold import Command
/// >>> hit = Command("true").output().limits_hit
/// >>> hit.out_of_memory, hit.oom_kills in (0, None)
/// (False, True)
#[pyclass(frozen, module = "pinfold")]
pub(crate) struct LimitsHit(pub(crate) pinfold::LimitsHit);
plain!(LimitsHit, "LimitsHit");

#[pymethods]
impl LimitsHit {
    /// Processes that the kernel killed because memory had run out.
    #[getter]
    fn oom_kills(&self) -> Option<u64> {
        self.0.oom_kills
    }

    /// How often its memory was about to go over the limit, most often with no harm done.
    #[getter]
    fn memory_max(&self) -> Option<u64> {
        self.0.memory_max
    }

    /// Processes and threads that were refused.
    #[getter]
    fn processes(&self) -> Option<u64> {
        self.0.processes
    }

    /// Seconds for which its CPU quota kept it from running.
    #[getter]
    fn throttled_seconds(&self) -> Option<f64> {
        self.0.throttled.map(|time| time.as_secs_f64())
    }

    /// Whether the kernel killed a process of it because memory had run out.
    #[getter]
    fn out_of_memory(&self) -> bool {
        self.0.out_of_memory()
    }

    fn __repr__(&self) -> String {
        format!(
            "LimitsHit(oom_kills={}, memory_max={}, processes={}, throttled_seconds={})",
            or_none(self.0.oom_kills),
            or_none(self.0.memory_max),
            or_none(self.0.processes),
            self.throttled_seconds().map_or("None".to_owned(), |seconds| format!("{seconds:?}"))
        )
    }
}

/// How a run ended.
///
/// >>> from pinfold import Command
/// >>> with Command("sleep", ["1000"]).timeout(0.05).start() as process:
/// ...     outcome = process.wait()
/// >>> outcome.cause, outcome.code, outcome.signal
/// ('timeout', None, 15)
#[pyclass(frozen, module = "pinfold")]
pub(crate) struct Outcome(pub(crate) pinfold::Outcome);
plain!(Outcome, "Outcome");

/// The getters of an outcome, which everything that has one has too.
macro_rules! outcome_getters {
    ($name:ident) => {
        #[pymethods]
        impl $name {
            /// The exit code; `None` if a signal ended it.
            #[getter]
            fn code(&self) -> Option<i32> {
                self.ended().code()
            }

            /// The number of the signal that ended it; `None` if it returned a code.
            #[getter]
            fn signal(&self) -> Option<i32> {
                self.ended().signal().map(|signal| signal.number())
            }

            /// Whether it dumped core.
            #[getter]
            fn core_dumped(&self) -> bool {
                self.ended().core_dumped()
            }

            /// Whether one of its timeouts ended it.
            #[getter]
            fn timed_out(&self) -> bool {
                self.ended().timed_out()
            }

            /// Whether it ended of its own accord with code 0.
            #[getter]
            fn exited_zero(&self) -> bool {
                self.ended().exited_zero()
            }

            /// Why it ended: `itself`, `timeout`, `idle_timeout`, `cancelled`, `stopped` or `output_limit`.
            #[getter]
            fn cause(&self) -> &'static str {
                self.ended().cause.as_str()
            }

            /// Seconds from the start to the end of all of it.
            #[getter]
            fn duration_seconds(&self) -> f64 {
                self.ended().duration.as_secs_f64()
            }

            /// What it used.
            #[getter]
            fn usage(&self) -> Usage {
                Usage(self.ended().usage)
            }

            /// What outlived the program.
            #[getter]
            fn strays(&self) -> Strays {
                Strays(self.ended().strays.clone())
            }

            /// Who else was ended with it by a timeout, a limit of its output or a cancellation; `None` where it ended for another
            /// reason.
            #[getter]
            fn ended_with(&self) -> Option<EndedWith> {
                self.ended().ended_with.clone().map(EndedWith)
            }

            /// Which of its limits it ran into.
            #[getter]
            fn limits_hit(&self) -> LimitsHit {
                LimitsHit(self.ended().limits_hit)
            }

            /// What held it together: `cgroup_v2`, `process_group`, ...
            #[getter]
            fn mechanism(&self) -> &'static str {
                self.ended().mechanism.as_str()
            }

            /// What that was good for: `kernel`, `guarded`, `while_owner_lives` or `best_effort`.
            #[getter]
            fn guarantee(&self) -> &'static str {
                self.ended().guarantee.as_str()
            }

            /// What was seen of its standard output; `None` if that was not captured.
            #[getter]
            fn stdout_seen(&self) -> Option<Seen> {
                self.ended().stdout.map(Seen)
            }

            /// What was seen of its standard error; `None` if that was not captured.
            #[getter]
            fn stderr_seen(&self) -> Option<Seen> {
                self.ended().stderr.map(Seen)
            }
        }
    };
}

impl Outcome {
    fn ended(&self) -> &pinfold::Outcome {
        &self.0
    }
}

outcome_getters!(Outcome);

#[pymethods]
impl Outcome {
    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        format!("<Outcome: {}>", self.0)
    }
}

pub(crate) fn python(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

pub(crate) fn or_none(value: Option<u64>) -> String {
    value.map_or("None".to_owned(), |value| value.to_string())
}

mod output;
mod stage;

pub(crate) use output::{BytesResult, ProcessResult, unpickle_result};
pub(crate) use stage::Stage;
