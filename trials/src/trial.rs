//! The guard of a test: what the test started must be gone when it ends, and what it opened must be closed.

use std::cell::Cell;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::descriptors::{Change, Descriptor};
use crate::proc::Stat;
use crate::strays::{self, Stray};
use crate::wait::holds_within;

/// The variable by which a process is known to belong to a trial.
const VARIABLE: &str = "PINFOLD_TRIAL";

/// How long that which is already ending may take to end. Nothing waits that long when all is well.
const SETTLE: Duration = Duration::from_secs(3);

/// Which descriptors may stay open.
type Allowed = Box<dyn Fn(&Descriptor) -> bool>;

/// A test under watch, from [`Trial::new`] until it is finished or dropped.
///
/// At its end, three things are asserted:
/// - no process on the machine was given this trial's variable, except those that are dying: they exit or have a SIGKILL
///   pending, and are waited for. A process that would end soon by itself is a leak; a test that wants its end waits
///   for it, with [`Trial::wait_until_gone`];
/// - no dead child of this process is unreaped that was not so before. The zombies of other parents are not ours to reap,
///   and count as gone;
/// - the descriptors of this process are those that were open before, each on the same thing.
///
/// Each survivor is named, and then killed: a failing test leaves nothing behind either. The end is [`Trial::finish`], or
/// the drop: make the trial first in a test, so that everything else is dropped before it.
///
/// Descriptors and children belong to the whole process. Therefore trials of one process run one after the other, and a
/// test beside them that opens files for seconds without a trial of its own disturbs them; nextest gives each test a process.
pub struct Trial {
    id: String,
    descriptors: Vec<Descriptor>,
    /// Pid and start of those that were dead and unreaped before.
    dead_before: Vec<(i32, u64)>,
    allowed: Vec<Allowed>,
    expected: Vec<i32>,
    concluded: bool,
    _alone: Alone,
}

impl Trial {
    /// Begins to watch. Waits while another thread of this process has a trial.
    ///
    /// # Panics
    /// When this thread has one already, or `/proc` cannot be read.
    #[must_use = "a trial that is dropped at once watches nothing"]
    #[track_caller]
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let alone = Alone::new();
        let stat = Stat::of("self").unwrap_or_else(|why| panic!("a trial needs /proc: {why}"));
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self {
            id: format!("{}-{}-{count}", stat.pid, stat.start),
            descriptors: open_now(),
            dead_before: strays::unreaped().iter().map(|dead| (dead.pid, dead.start)).collect(),
            allowed: Vec::new(),
            expected: Vec::new(),
            concluded: false,
            _alone: alone,
        }
    }

    /// The variable, name and value, that the test puts into the environment of all that it starts.
    #[must_use]
    pub fn env(&self) -> (&'static str, &str) {
        (VARIABLE, &self.id)
    }

    /// The fixture with this trial's variable, ready to be given arguments: `trial.fixture("sleep 9")` splits at spaces.
    ///
    /// # Panics
    /// When the fixture is not built.
    #[must_use]
    pub fn fixture(&self, arguments: &str) -> Command {
        let mut command = Command::new(crate::fixture());
        command.args(arguments.split_whitespace()).envs([self.env()]);
        command
    }

    /// Lets descriptors come and go for which `allowed` says so, as those of a runtime that is made once for ever.
    pub fn allow_fds(&mut self, allowed: impl Fn(&Descriptor) -> bool + 'static) {
        self.allowed.push(Box::new(allowed));
    }

    /// Lets the process `pid` outlive the test; the trial then kills it without a complaint.
    pub fn expect_survivor(&mut self, pid: u32) {
        self.expected.extend(i32::try_from(pid));
    }

    /// Every living process of this trial, the expected ones and the dying included.
    #[must_use]
    pub fn survivors(&self) -> Vec<Stray> {
        strays::carrying(&self.variable())
    }

    /// Waits until no process of this trial is left but the expected ones.
    ///
    /// # Panics
    /// When some are still there after `deadline`; it names them.
    #[track_caller]
    pub fn wait_until_gone(&self, deadline: Duration) {
        let mut left = Vec::new();
        let gone = holds_within(deadline, || {
            left = self.unexpected();
            left.is_empty()
        });
        assert!(gone, "after {deadline:?} still there:{}", lines(&left));
    }

    /// Kills every process of this trial, and those that they start meanwhile; reaps those that are children of this one.
    pub fn kill_survivors(&self) {
        holds_within(SETTLE, || {
            let survivors = self.survivors();
            survivors.iter().for_each(|stray| stray.end(&self.variable()));
            survivors.is_empty()
        });
    }

    /// Takes what is open and what is unreaped by now as if it had been so before: for what a test prepares and keeps.
    #[track_caller]
    pub fn begin_again(&mut self) {
        self.descriptors = open_now();
        self.dead_before = identities(&strays::unreaped());
    }

    /// Ends the trial.
    ///
    /// # Panics
    /// When something was left behind; it names each.
    #[track_caller]
    pub fn finish(mut self) {
        if let Err(left) = self.conclude() {
            panic!("{left}");
        }
    }

    /// Ends the trial like [`Trial::finish`], but gives what that would panic with. Until it is dropped it says no more, and
    /// no other trial of this process begins.
    ///
    /// # Errors
    /// When something was left behind; it names each.
    pub fn conclude(&mut self) -> Result<(), String> {
        self.concluded = true;
        // Until nothing is left, or something is certain to stay.
        let mut left = Left::default();
        let settled = holds_within(SETTLE, || {
            left = self.look();
            left.is_nothing() || left.strays.iter().any(|stray| !stray.dying)
        });
        left.strays.iter().for_each(|stray| stray.end(&self.variable()));
        self.kill_survivors();
        if left.is_nothing() {
            return Ok(());
        }
        let late = if settled { String::new() } else { format!(", after {SETTLE:?}") };
        Err(format!("the test left behind{late}:{}{}", lines(&left.strays), lines(&left.changes)))
    }

    fn variable(&self) -> String {
        format!("{VARIABLE}={}", self.id)
    }

    fn unexpected(&self) -> Vec<Stray> {
        let mut strays = self.survivors();
        strays.retain(|stray| !self.expected.contains(&stray.pid));
        strays
    }

    fn look(&self) -> Left {
        let mut strays = self.unexpected();
        let new = |dead: &Stray| !self.dead_before.contains(&(dead.pid, dead.start));
        strays.extend(
            strays::unreaped().into_iter().filter(|dead| new(dead) && !self.expected.contains(&dead.pid)),
        );
        let allowed = |open: &Descriptor| self.allowed.iter().any(|allowed| allowed(open));
        let watched = |all: &[Descriptor]| -> Vec<Descriptor> {
            all.iter().filter(|open| !allowed(open)).cloned().collect()
        };
        Left { strays, changes: Change::between(&watched(&self.descriptors), &watched(&open_now())) }
    }
}

impl Default for Trial {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Trial {
    #[expect(clippy::print_stderr, reason = "a test that panics already can be told no other way")]
    fn drop(&mut self) {
        if self.concluded {
            return;
        }
        match self.conclude() {
            Err(left) if thread::panicking() => eprintln!("{left}"),
            Err(left) => panic!("{left}"),
            Ok(()) => {}
        }
    }
}

/// What a test has left.
#[derive(Default)]
struct Left {
    strays: Vec<Stray>,
    changes: Vec<Change>,
}

impl Left {
    fn is_nothing(&self) -> bool {
        self.strays.is_empty() && self.changes.is_empty()
    }
}

fn identities(of: &[Stray]) -> Vec<(i32, u64)> {
    of.iter().map(|stray| (stray.pid, stray.start)).collect()
}

fn lines<T: ToString>(of: &[T]) -> String {
    of.iter().map(|one| format!("\n  {}", one.to_string())).collect()
}

#[track_caller]
fn open_now() -> Vec<Descriptor> {
    Descriptor::all().unwrap_or_else(|why| panic!("a trial needs /proc/self/fd: {why}"))
}

/// The right to be the only trial of this process.
struct Alone(#[expect(dead_code, reason = "held, not read")] MutexGuard<'static, ()>);

thread_local! {
    static HAS_TRIAL: Cell<bool> = const { Cell::new(false) };
}

impl Alone {
    #[track_caller]
    fn new() -> Self {
        static TRIAL: Mutex<()> = Mutex::new(());
        // The lock would wait for itself for ever.
        assert!(!HAS_TRIAL.replace(true), "this thread has a trial already: one is enough for a test");
        // A trial that panicked is over like any other.
        Self(TRIAL.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        HAS_TRIAL.set(false);
    }
}
