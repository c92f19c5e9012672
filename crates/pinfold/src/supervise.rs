//! Supervision: a command that is kept running. What is to be kept to is plain data here; keeping to it is a machine over
//! runs ([`Supervision`]), so that one thread, or one event loop, looks after as many as there are.

mod backoff;
mod files;
mod handle;
mod health;
mod machine;
mod outcome;
mod phase;
mod polled;
mod run;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub use backoff::{Backoff, Storm};
pub use handle::{SupervisionEvents, SupervisorHandle};
pub use health::Liveness;
pub use machine::Supervision;
pub use outcome::{PastRun, Reason, Stopped, SupervisionEvent, SupervisionOutcome};
pub use phase::{Phase, Status};
pub use polled::SupervisionWatch;

use crate::capture::Limit;
use crate::command::Command;
use crate::drive::block;
use crate::error::{Error, ErrorKind, Result};
use crate::output::Output;
use crate::probe::Probe;
use crate::runner::{Host, Runner};
use crate::verbs;
use health::Readiness;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How much of each stream of a run is retained, unless the command says something about it: the end of it.
const RETAINED: u64 = 64 << 10;
/// How many past runs are remembered, unless told otherwise.
const REMEMBERED: usize = 100;

/// After which ends a command is started again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Restart {
    /// After every one.
    Always,
    /// After one that is no success, or that its health probes brought about; and if it could not be started.
    #[default]
    OnCrash,
    /// After none.
    Never,
}

/// A command that is kept running: started again when it ends, as often and as soon as the rules say.
///
/// A run crashes if it does not succeed (one of the command's success codes, of its own accord), if a timeout of the
/// command's ends it, if it fails its health probes, or if it cannot be started for want of something that may come back. What
/// will not come back (no such program, no right to execute it, a command that contradicts itself) is an error if the first
/// start shows it. Each run is contained as any other and stopped by the command's own stop rule. The last 64 KiB of each stream are retained, unless
/// the command has an output limit.
///
/// ```
/// use pinfold::testing::{Reply, ScriptedRunner};
/// use pinfold::{Backoff, Command, Restart, Stopped, Supervisor};
///
/// let runs = [Reply::fail(1, ""), Reply::fail(1, ""), Reply::ok("at last\n")];
/// let outcome = Supervisor::new(Command::new("server"))
///     .runner(ScriptedRunner::new().sequence(["server"], runs))
///     .restart(Restart::OnCrash)
///     .max_restarts(5)
///     .backoff(Backoff::NONE)
///     .run()?;
/// assert_eq!((outcome.restarts, outcome.stopped), (2, Stopped::PolicySatisfied));
/// assert_eq!(outcome.final_result.unwrap().stdout, "at last\n");
/// # pinfold::Result::Ok(())
/// ```
#[derive(Clone)]
#[must_use = "a supervisor does nothing until it is run or started"]
pub struct Supervisor {
    command: Command,
    runner: Arc<dyn Runner>,
    rules: Rules,
}

type StopWhen = dyn Fn(&Output) -> bool + Send + Sync;

/// What is kept to.
#[derive(Clone)]
pub(crate) struct Rules {
    restart: Restart,
    max_restarts: Option<u32>,
    window: Option<Duration>,
    backoff: Backoff,
    reset_after: Duration,
    seed: Option<u64>,
    storm: Option<Storm>,
    stop_when: Option<Arc<StopWhen>>,
    readiness: Option<Readiness>,
    liveness: Option<Liveness>,
    watched: Vec<PathBuf>,
    quiet: Duration,
    remembered: usize,
}

impl Supervisor {
    /// Of this command, on this host; restarted on crashes, without end, by the default [`Backoff`].
    pub fn new(command: Command) -> Supervisor {
        let rules = Rules {
            restart: Restart::default(),
            max_restarts: None,
            window: None,
            backoff: Backoff::default(),
            reset_after: Duration::from_secs(10),
            seed: None,
            storm: None,
            stop_when: None,
            readiness: None,
            liveness: None,
            watched: Vec::new(),
            quiet: Duration::from_millis(100),
            remembered: REMEMBERED,
        };
        Supervisor { command, runner: Arc::new(Host::new()), rules }
    }

    /// Runs it by this runner instead: its listener is told of lines, its token ends supervision in an error.
    pub fn runner(mut self, runner: impl Runner + 'static) -> Supervisor {
        self.runner = Arc::new(runner);
        self
    }

    /// After which ends it is started again. The default is [`Restart::OnCrash`].
    pub fn restart(mut self, restart: Restart) -> Supervisor {
        self.rules.restart = restart;
        self
    }

    /// How often it is restarted by its policy at most, in all or within [`Supervisor::within`].
    pub fn max_restarts(mut self, restarts: u32) -> Supervisor {
        self.rules.max_restarts = Some(restarts);
        self
    }

    /// Counts only restarts of the last so long against [`Supervisor::max_restarts`].
    pub fn within(mut self, window: Duration) -> Supervisor {
        self.rules.window = Some(window);
        self
    }

    /// The pauses before restarts.
    pub fn backoff(mut self, backoff: Backoff) -> Supervisor {
        self.rules.backoff = backoff;
        self
    }

    /// After a run of at least this long pauses begin with the first again: 10 seconds unless told otherwise.
    pub fn reset_after(mut self, ran: Duration) -> Supervisor {
        self.rules.reset_after = ran;
        self
    }

    /// Draws pauses from this seed, the same each time: for tests.
    pub fn seed(mut self, seed: u64) -> Supervisor {
        self.rules.seed = Some(seed);
        self
    }

    /// Makes a long pause when crashes come thick and fast. Unless told so, none is made.
    pub fn storm(mut self, storm: Storm) -> Supervisor {
        self.rules.storm = Some(storm);
        self
    }

    /// Ends supervision after a run of whose result this holds, unless that was stopped from here.
    pub fn stop_when(mut self, holds: impl Fn(&Output) -> bool + Send + Sync + 'static) -> Supervisor {
        self.rules.stop_when = Some(Arc::new(holds));
        self
    }

    /// Takes a run for ready when this probe holds of it, and stops it if that is not so in time; that is a crash. Without
    /// one, what is started is ready.
    pub fn ready_when(mut self, probe: Probe, within: Duration) -> Supervisor {
        self.rules.readiness = Some(Readiness { probe, within });
        self
    }

    /// Restarts a run that was ready and does not answer any more.
    pub fn alive_while(mut self, liveness: Liveness) -> Supervisor {
        self.rules.liveness = Some(liveness);
        self
    }

    /// Restarts it when this file changes, or an entry of this directory (not what is further below). The file need not be
    /// there; symbolic links are followed.
    ///
    /// Linux tells of changes as they happen (inotify(7)). Elsewhere, behind a symbolic link, in a directory that is not
    /// there yet, and where the user has no instance left (`fs.inotify.max_user_instances`), it is looked at every second.
    pub fn watch(mut self, path: impl Into<PathBuf>) -> Supervisor {
        self.rules.watched.push(path.into());
        self
    }

    /// How long nothing more has to change before a change is acted on: 100 milliseconds unless told otherwise.
    pub fn debounce(mut self, quiet: Duration) -> Supervisor {
        self.rules.quiet = quiet;
        self
    }

    /// How many past runs the outcome has: the last 100 unless told otherwise.
    pub fn history(mut self, runs: usize) -> Supervisor {
        self.rules.remembered = runs;
        self
    }

    /// Supervision as a machine, for a loop of one's own or a [`Crowd`](crate::Crowd) of them. Nothing is started before
    /// it is advanced.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for rules that contradict themselves.
    pub fn supervision(&self) -> Result<Supervision> {
        let Supervisor { command, runner, rules } = self;
        let contradiction = [
            rules.backoff.contradiction(),
            rules.storm.as_ref().and_then(Storm::contradiction),
            rules.liveness.as_ref().and_then(Liveness::contradiction),
            command.retry.map(|_| "it is to be retried, and a supervisor restarts it already"),
            rules
                .window
                .filter(|_| rules.max_restarts.is_none())
                .map(|_| "its restarts have a window and no bound"),
        ];
        if let Some(what) = contradiction.into_iter().flatten().next() {
            return Err(command.error(ErrorKind::InvalidInput, what));
        }
        verbs::needs_no_writer(command)?;
        let mut command = command.clone();
        if command.limit == Limit::default() {
            command.limit.max_bytes = Some(RETAINED);
        }
        Ok(Supervision::new(command, runner.clone(), rules.clone()))
    }

    /// Supervises until that comes to its end, blocking.
    ///
    /// # Errors
    /// As [`Supervisor::supervision`]; what the first start shows to be wrong for good;
    /// [`ErrorKind::Cancelled`] by the runner's token; [`ErrorKind::Io`] if the descriptors cannot be waited for.
    pub fn run(&self) -> Result<SupervisionOutcome> {
        let answer = block::until(&mut self.supervision()?, None).map_err(|error| self.unwaitable(error))?;
        // Without a deadline there is an answer.
        answer.unwrap_or_else(|| Err(self.command.error(ErrorKind::Io, "is not supervised any more")))
    }

    /// [`Supervisor::run`], awaited; dropping the future kills what runs.
    ///
    /// # Errors
    /// As there.
    #[cfg(all(feature = "tokio", unix))]
    pub async fn run_async(&self) -> Result<SupervisionOutcome> {
        let waited = crate::drive::tokio::until(&mut self.supervision()?).await;
        waited.map_err(|error| self.unwaitable(error))?
    }

    /// Supervises in the background, by one thread for all that is left to it, and returns a live handle. Dropping the last
    /// clone of that kills what runs.
    ///
    /// Conditions of probes are asked by that thread. They may use the handle, but not wait for it; while one takes long, the
    /// handle answers all the same and what runs can be told to stop, and nothing else goes on in the background.
    /// [`Supervisor::stop_when`] may not use the handle.
    ///
    /// # Errors
    /// As [`Supervisor::supervision`]; [`ErrorKind::ResourceLimit`] if there can be no thread. What the first start shows is
    /// told by the handle.
    pub fn start(&self) -> Result<SupervisorHandle> {
        SupervisorHandle::new(self.supervision()?, &self.command)
    }

    fn unwaitable(&self, error: std::io::Error) -> Error {
        let what = format!("cannot be supervised: {error}");
        self.command.error(ErrorKind::Io, what).because(error)
    }
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor")
            .field("program", &self.command.program)
            .field("restart", &self.rules.restart)
            .field("max_restarts", &self.rules.max_restarts)
            .field("backoff", &self.rules.backoff)
            .finish_non_exhaustive()
    }
}
