//! What the process is besides its program, and what all of it may use.

use super::Command;
use crate::convert::{Whole, Wholes, one_of, parsed};
use crate::error::invalid;
use crate::limits::Limits;
use crate::number::{named, number};
use crate::sandbox::Sandbox;
use pinfold::{IoPriority, Resource};
use pyo3::prelude::*;

/// A hard limit, where one is given.
enum Hard {
    AsSoft,
    Given(Option<i64>),
}

impl<'py> FromPyObject<'_, 'py> for Hard {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Hard> {
        number(&given, "hard").map(Hard::Given)
    }
}

/// Who it is. Unix, unless said otherwise.
#[pymethods]
impl Command {
    /// Runs it as `[user][:group]`, names or numbers: with that user's groups, unless a group is given. Sets `HOME` to the
    /// user's, unless the command sets it.
    ///
    /// >>> from pinfold import Command
    /// >>> command = Command("server").user("nobody:nogroup")
    fn user(&self, spec: String) -> Command {
        self.with(|command| command.user(spec))
    }

    /// Runs it with this user id. Its groups stay ours unless they are given too.
    ///
    /// >>> from pinfold import Command
    /// >>> command = Command("server").gid(1000).groups([1000]).uid(1000)
    fn uid(&self, #[pyo3(from_py_with = named::uid)] uid: Whole<u32>) -> Command {
        self.with(|command| command.uid(uid.0))
    }

    /// Runs it with this group id.
    ///
    /// >>> from pinfold import Command
    /// >>> command = Command("server").gid(1000).groups([])
    fn gid(&self, #[pyo3(from_py_with = named::gid)] gid: Whole<u32>) -> Command {
        self.with(|command| command.gid(gid.0))
    }

    /// Runs it with exactly these supplementary groups.
    ///
    /// >>> from pinfold import Command
    /// >>> command = Command("server").groups([1000, 1001])
    fn groups(&self, #[pyo3(from_py_with = named::gids)] gids: Wholes<u32>) -> Command {
        self.with(|command| command.groups(gids.0))
    }

    /// Runs it in a session of its own, without a controlling terminal. It is contained all the same.
    ///
    /// >>> import os
    /// >>> from pinfold import Command
    /// >>> with Command("sleep", ["1000"]).setsid().start() as process:
    /// ...     os.getsid(process.pid) == process.pid
    /// True
    fn setsid(&self) -> Command {
        self.with(pinfold::Command::setsid)
    }

    /// The file mode creation mask, such as `0o022`.
    ///
    /// >>> from pinfold import Command
    /// >>> Command("sh", ["-c", "umask"]).umask(0o027).run()
    /// '0027'
    fn umask(&self, #[pyo3(from_py_with = named::mask)] mask: Whole<u32>) -> Command {
        self.with(|command| command.umask(mask.0))
    }

    /// Bars it from gaining privileges by what it executes. Linux.
    ///
    /// >>> from pinfold import Command
    /// >>> Command("grep", ["NoNewPrivs", "/proc/self/status"]).no_new_privs().run().split()
    /// ['NoNewPrivs:', '1']
    fn no_new_privs(&self) -> Command {
        self.with(pinfold::Command::no_new_privs)
    }

    /// Shuts it off from what the sandbox says, together with all that it starts. Linux.
    ///
    /// >>> from pinfold import Command, Sandbox
    /// >>> command = Command("python3", ["-c", "print(6 * 7)"]).sandbox(Sandbox.untrusted())
    fn sandbox(&self, sandbox: &Bound<'_, Sandbox>) -> Command {
        self.with(|command| command.sandbox(sandbox.get().0.clone()))
    }

    /// Gives a console program no window. Windows; elsewhere there is none.
    ///
    /// >>> from pinfold import Command
    /// >>> Command("echo", ["hello"]).create_no_window().run()
    /// 'hello'
    fn create_no_window(&self) -> Command {
        self.with(pinfold::Command::create_no_window)
    }
}

/// What it gets of the machine.
#[pymethods]
impl Command {
    /// The nice value itself: -20 (first) to 19.
    ///
    /// >>> from pinfold import Command
    /// >>> Command("nice").nice(19).run()
    /// '19'
    fn nice(&self, #[pyo3(from_py_with = named::value)] value: i32) -> Command {
        self.with(|command| command.nice(value))
    }

    /// The CPUs it may run on, counted from 0. Linux.
    ///
    /// >>> import os
    /// >>> from pinfold import Command
    /// >>> first = min(os.sched_getaffinity(0))
    /// >>> Command("nproc").affinity([first]).run()
    /// '1'
    fn affinity(&self, #[pyo3(from_py_with = named::cpus)] cpus: Wholes<u32>) -> Command {
        self.with(|command| command.affinity(cpus.0))
    }

    /// I/O scheduling class (`"realtime"`, `"best_effort"`, `"idle"`) and level, 0 (first) to 7. Linux.
    ///
    /// >>> from pinfold import Command
    /// >>> Command("echo", ["patient"]).io_priority("idle").run()
    /// 'patient'
    #[pyo3(signature = (class_, level = None))]
    fn io_priority(
        &self,
        py: Python<'_>,
        class_: &str,
        #[pyo3(from_py_with = named::level)] level: Option<Whole<u8>>,
    ) -> PyResult<Command> {
        let at = level.map_or(4, |level| level.0);
        let known = [
            ("realtime", IoPriority::Realtime(at)),
            ("best_effort", IoPriority::BestEffort(at)),
            ("idle", IoPriority::Idle),
        ];
        let priority = one_of(py, "class of I/O priority", class_, &known)?;
        if priority == IoPriority::Idle && level.is_some() {
            return Err(invalid(py, "idle I/O priority has no levels"));
        }
        Ok(self.with(|command| command.io_priority(priority)))
    }

    /// How readily the kernel ends it when memory runs out: -1000 (never) to 1000. Linux.
    ///
    /// >>> from pinfold import Command
    /// >>> Command("cat", ["/proc/self/oom_score_adj"]).oom_score_adj(1000).run()
    /// '1000'
    fn oom_score_adj(&self, #[pyo3(from_py_with = named::score)] score: i32) -> Command {
        self.with(|command| command.oom_score_adj(score))
    }

    /// A limit that each of its processes has for itself (`setrlimit(2)`), by name: `"nofile"`, `"cpu"`, ... Without a hard limit
    /// that is the soft one. `None` and -1 (`resource.RLIM_INFINITY`) are no limit.
    ///
    /// >>> from pinfold import Command
    /// >>> Command("sh", ["-c", "ulimit -n"]).rlimit("nofile", 64).run()
    /// '64'
    #[pyo3(signature = (resource, soft, hard = Hard::AsSoft))]
    fn rlimit(
        &self,
        py: Python<'_>,
        resource: &str,
        #[pyo3(from_py_with = named::soft)] soft: Option<i64>,
        hard: Hard,
    ) -> PyResult<Command> {
        let resource: Resource = parsed(py, resource)?;
        let value = |name: &str, given: Option<i64>| match given {
            None | Some(-1) => Ok(None),
            Some(given) => u64::try_from(given)
                .map(Some)
                .map_err(|_| invalid(py, &format!("{name}: {given} is no resource limit: from -1 on"))),
        };
        let hard = match hard {
            Hard::AsSoft => soft,
            Hard::Given(hard) => hard,
        };
        let (soft, hard) = (value("soft", soft)?, value("hard", hard)?);
        Ok(self.with(|command| command.rlimit(resource, soft, hard)))
    }
}

/// What all of it may use together. Linux, in a cgroup.
#[pymethods]
impl Command {
    /// Sets all limits, in place of those that were set before.
    ///
    /// >>> from pinfold import Command, Limits
    /// >>> command = Command("make").limits(Limits(max_memory=1 << 30, max_processes=100))
    fn limits(&self, limits: &Bound<'_, Limits>) -> Command {
        self.with(|command| command.limits(limits.get().0.clone()))
    }

    /// The most memory of all of it in bytes: over it, the kernel kills.
    ///
    /// >>> from pinfold import Command
    /// >>> command = Command("make").max_memory(2 << 30)
    fn max_memory(&self, #[pyo3(from_py_with = named::max_bytes)] max_bytes: Whole<u64>) -> Command {
        self.with(|command| command.memory_max(max_bytes.0))
    }

    /// From how many bytes on the kernel slows it and takes memory back.
    ///
    /// >>> from pinfold import Command
    /// >>> command = Command("make").memory_high(1 << 30).max_memory(2 << 30)
    fn memory_high(&self, #[pyo3(from_py_with = named::high_bytes)] high_bytes: Whole<u64>) -> Command {
        self.with(|command| command.memory_high(high_bytes.0))
    }

    /// The most swap of all of it in bytes.
    ///
    /// >>> from pinfold import Command
    /// >>> command = Command("make").max_memory(2 << 30).max_swap(0)
    fn max_swap(&self, #[pyo3(from_py_with = named::max_bytes)] max_bytes: Whole<u64>) -> Command {
        self.with(|command| command.swap_max(max_bytes.0))
    }

    /// The most processes and threads at a time.
    ///
    /// >>> from pinfold import Command
    /// >>> command = Command("make").max_processes(100)
    fn max_processes(&self, #[pyo3(from_py_with = named::count)] count: Whole<u64>) -> Command {
        self.with(|command| command.max_processes(count.0))
    }

    /// The most CPU time, in CPUs: 1.5 is one and a half.
    ///
    /// >>> from pinfold import Command
    /// >>> command = Command("make").cpu_quota(1.5)
    fn cpu_quota(&self, #[pyo3(from_py_with = named::cpus)] cpus: f64) -> Command {
        self.with(|command| command.cpu_quota(cpus))
    }

    /// Its share of the CPUs where they are contended: 1 to 10000, 100 unless told otherwise.
    ///
    /// >>> from pinfold import Command
    /// >>> command = Command("make").cpu_weight(10)
    fn cpu_weight(&self, #[pyo3(from_py_with = named::weight)] weight: Whole<u32>) -> Command {
        self.with(|command| command.cpu_weight(weight.0))
    }

    /// The CPUs that all of it is kept to. Unlike `affinity`, no process of it can undo that.
    ///
    /// >>> from pinfold import Command
    /// >>> command = Command("make").cpus([0, 1])
    fn cpus(&self, #[pyo3(from_py_with = named::numbers)] numbers: Wholes<u32>) -> Command {
        self.with(|command| command.cpus(numbers.0))
    }

    /// Its share of the disks where they are contended: 1 to 10000, 100 unless told otherwise.
    ///
    /// >>> from pinfold import Command
    /// >>> command = Command("make").io_weight(10)
    fn io_weight(&self, #[pyo3(from_py_with = named::weight)] weight: Whole<u32>) -> Command {
        self.with(|command| command.io_weight(weight.0))
    }
}
