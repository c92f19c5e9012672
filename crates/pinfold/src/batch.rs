//! Batches: many commands, a few at a time.

#[cfg(all(feature = "tokio", unix))]
mod asynchronous;
mod completed;
mod item;
mod verbs;

#[cfg(all(feature = "tokio", unix))]
pub use asynchronous::{AsyncCompleted, output_all_async, output_all_bytes_async, output_as_completed_async};
pub use completed::Completed;
pub use item::Finished;
pub use verbs::{output_all, output_all_bytes, output_as_completed};

use crate::cancel::CancelToken;
use crate::command::Command;
use crate::error::{ErrorKind, Result};
use crate::machine::{Crowd, Interest, Machine};
use crate::runner::{Host, Runner};
use crate::verbs::Judge;
use item::Item;
use std::collections::VecDeque;
use std::io;
use std::iter::Fuse;
use std::sync::Arc;
use std::time::Instant;

/// Many commands, a few at a time: each with its own timeout, retries, limits and container.
///
/// Commands come from an iterator, and one is taken when there is room for it; so a hundred thousand cost no more than those
/// that run. No thread is made. What a run that did not go well means is said by [`Batch::judge`] and [`Batch::fail_fast`];
/// unless told otherwise every result is collected, and a program that fails is no error. Dropping a batch kills what runs.
///
/// ```
/// use pinfold::{Batch, Command};
///
/// let commands = (1..=20).map(|number| Command::new("expr").args([number.to_string(), "*".into(), "2".into()]));
/// let mut sum = 0;
/// for (_, output) in Batch::new(commands).concurrency(4).as_completed() {
///     sum += output?.stdout.trim().parse::<u32>().unwrap();
/// }
/// assert_eq!(sum, 420);
/// # pinfold::Result::Ok(())
/// ```
///
/// It is driven as a [`Crowd`] is, where the verbs are not what is wanted:
/// ```
/// use pinfold::{Batch, Command};
/// use std::time::Instant;
///
/// let mut batch = Batch::new(["one", "two"].map(|word| Command::new("echo").arg(word)));
/// let mut done = 0;
/// loop {
///     if let Some(finished) = batch.advance(Instant::now())? {
///         println!("{}: {:?}", finished.index, finished.result?.stdout);
///         done += 1;
///         continue;
///     }
///     // Asked after it was advanced, since that may show that there are no more commands.
///     if batch.is_over() {
///         break;
///     }
///     let interest = batch.interest(Instant::now());
///     pinfold::poll::wait(&interest.waitables, interest.deadline)?;
/// }
/// assert_eq!(done, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a batch does nothing until one of its verbs is called"]
pub struct Batch<I, R = Host> {
    commands: Fuse<I>,
    runner: Arc<R>,
    concurrency: usize,
    judge: Judge,
    fail_fast: bool,
    listener: Option<Box<ProgressListener>>,
    crowd: Crowd<Item<R>>,
    ready: VecDeque<Finished>,
    progress: BatchProgress,
    /// Why no more are taken.
    closed: Option<Closed>,
}

type ProgressListener = dyn FnMut(BatchProgress) + Send;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closed {
    Exhausted,
    Failed,
    Cancelled,
    /// It cannot be waited for.
    Broken,
}

/// How far a batch is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct BatchProgress {
    /// How many commands have ended, in whatever way.
    pub done: usize,
    /// How many of those are no success.
    pub failed: usize,
    /// How many run now, or wait for their next attempt.
    pub running: usize,
    /// How many there are, where the iterator of the commands knows it.
    pub total: Option<usize>,
}

impl<I, R> std::fmt::Debug for Batch<I, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch").field("progress", &self.progress).finish_non_exhaustive()
    }
}

impl<I: Iterator<Item = Command>> Batch<I> {
    /// These commands, on this host, as many at a time as this process may use CPUs.
    pub fn new(commands: impl IntoIterator<Item = Command, IntoIter = I>) -> Batch<I> {
        let commands = commands.into_iter();
        let total = match commands.size_hint() {
            (least, Some(most)) if least == most => Some(most),
            _ => None,
        };
        Batch {
            commands: commands.fuse(),
            runner: Arc::new(Host::new()),
            concurrency: std::thread::available_parallelism().map_or(1, Into::into),
            judge: Judge::End,
            fail_fast: false,
            listener: None,
            crowd: Crowd::default(),
            ready: VecDeque::new(),
            progress: BatchProgress { total, ..BatchProgress::default() },
            closed: None,
        }
    }
}

/// What it is to be.
impl<I: Iterator<Item = Command>, R: Runner> Batch<I, R> {
    /// Runs them by this runner. Its token, if it has one, ends the batch: what runs is stopped, and no more is started.
    pub fn on<S: Runner>(self, runner: S) -> Batch<I, S> {
        Batch {
            commands: self.commands,
            runner: Arc::new(runner),
            concurrency: self.concurrency,
            judge: self.judge,
            fail_fast: self.fail_fast,
            listener: self.listener,
            crowd: Crowd::default(),
            ready: VecDeque::new(),
            progress: self.progress,
            closed: self.closed,
        }
    }

    /// How many run at a time. With none at all every command is refused.
    pub fn concurrency(mut self, most: usize) -> Batch<I, R> {
        self.concurrency = most;
        self
    }

    /// What is asked of each run; a run that falls short of it is an error. The default is [`Judge::End`].
    pub fn judge(mut self, judge: Judge) -> Batch<I, R> {
        self.judge = judge;
        self
    }

    /// Ends the batch with the first run that is no success: what runs is stopped, each by its command's stop rule, and no more
    /// is started. Those are then [`ErrorKind::Cancelled`].
    pub fn fail_fast(mut self) -> Batch<I, R> {
        self.fail_fast = true;
        self
    }

    /// Calls this whenever a run has begun or ended, on the thread that waits.
    pub fn on_progress(mut self, listener: impl FnMut(BatchProgress) + Send + 'static) -> Batch<I, R> {
        self.listener = Some(Box::new(listener));
        self
    }
}

/// The machine.
impl<I: Iterator<Item = Command>, R: Runner> Batch<I, R> {
    /// How far it is.
    pub fn progress(&self) -> BatchProgress {
        self.progress
    }

    /// What runs now or waits for its next attempt: its index and the attempt's run.
    pub fn running(&self) -> impl Iterator<Item = (usize, Option<&crate::running::Running>)> {
        self.crowd.iter().map(|(_, item)| (item.index, item.completion.running()))
    }

    /// Whether nothing will come any more.
    pub fn is_over(&self) -> bool {
        self.closed.is_some() && self.crowd.is_empty() && self.ready.is_empty()
    }

    /// Does all that can be done without waiting: the next result, if there is one.
    ///
    /// # Errors
    /// The kernel does not say which runs have something to do. The batch can only be given up then.
    pub fn advance(&mut self, now: Instant) -> io::Result<Option<Finished>> {
        if self.ready.is_empty() {
            self.work(now)?;
        }
        Ok(self.ready.pop_front())
    }

    /// What to wait for before it is advanced again.
    pub fn interest(&self, now: Instant) -> Interest<'_> {
        let mut interest = self.crowd.interest(now);
        if self.closed.is_none() {
            interest.waitables.extend(self.runner.cancel_token().and_then(CancelToken::prepared));
        }
        let begins = self.closed.is_none() && self.crowd.len() < self.concurrency.max(1);
        if begins || !self.ready.is_empty() {
            interest.deadline = Some(now);
        }
        interest
    }

    /// Starts no more, and stops what runs: each ends as [`ErrorKind::Cancelled`].
    pub fn cancel(&mut self, now: Instant) {
        self.end_early(Closed::Cancelled, now);
    }

    /// Starts no more; what runs goes on.
    pub fn take_no_more(&mut self) {
        self.closed.get_or_insert(Closed::Cancelled);
    }

    /// Kills what runs, after [`Batch::cancel`] or instead of it.
    pub fn kill(&mut self, now: Instant) {
        self.end_early(Closed::Cancelled, now);
        self.each(|item| item.completion.kill(now));
    }

    fn work(&mut self, now: Instant) -> io::Result<()> {
        if let Some(token) = self.runner.cancel_token() {
            token.prepare()?;
            if token.is_cancelled() && self.closed != Some(Closed::Cancelled) {
                self.end_early(Closed::Cancelled, now);
            }
        }
        // Room that a run leaves is taken before its result is told.
        loop {
            let took = self.fill();
            let answers = self.crowd.advance(now)?;
            let came = !answers.is_empty();
            for (_, item, answer) in answers {
                self.take(item, answer, now);
            }
            self.tell(took || came);
            if !came || self.ready.len() >= self.concurrency {
                return Ok(());
            }
        }
    }

    /// Takes commands while there is room: whether it took any.
    fn fill(&mut self) -> bool {
        let mut took = false;
        while self.closed.is_none() && self.crowd.len() < self.concurrency.max(1) {
            let Some(command) = self.commands.next() else {
                self.closed = Some(Closed::Exhausted);
                break;
            };
            took = true;
            let index = self.progress.done + self.crowd.len();
            if self.concurrency == 0 {
                let what = "a batch of which none may run at a time runs nothing";
                let error = command.error(ErrorKind::InvalidInput, what).hint("let 1 run at a time");
                (self.progress.done, self.progress.failed) = (index + 1, self.progress.failed + 1);
                self.ready.push_back(Finished { index, command, attempts: 0, result: Err(error) });
                break;
            }
            self.crowd.add(Item::new(index, self.runner.clone(), command, self.judge));
        }
        took
    }

    fn take(&mut self, item: Item<R>, answer: io::Result<item::Answer>, now: Instant) {
        let finished = item.finish(answer);
        self.progress.done += 1;
        if !finished.is_success() {
            self.progress.failed += 1;
            if self.fail_fast {
                self.end_early(Closed::Failed, now);
            }
        }
        self.ready.push_back(finished);
    }

    fn tell(&mut self, changed: bool) {
        self.progress.running = self.crowd.len();
        if let (true, Some(listener)) = (changed, &mut self.listener) {
            listener(self.progress);
        }
    }

    fn end_early(&mut self, why: Closed, now: Instant) {
        if !matches!(self.closed, None | Some(Closed::Exhausted)) {
            return;
        }
        // What was taken was all there is, or was not.
        self.closed = Some(why);
        self.each(|item| item.completion.cancel(now));
    }

    fn each(&mut self, mut act: impl FnMut(&mut Item<R>)) {
        let keys: Vec<_> = self.crowd.iter().map(|(key, _)| key).collect();
        for key in keys {
            if let Some(item) = self.crowd.get_mut(key) {
                act(item);
            }
        }
    }

    /// Gives up: what runs is killed, and each is this error.
    fn give_up(&mut self, failure: &io::Error) {
        self.closed = Some(Closed::Broken);
        for item in std::mem::take(&mut self.crowd).into_machines() {
            let again =
                failure.raw_os_error().map_or_else(|| failure.kind().into(), io::Error::from_raw_os_error);
            self.progress.done += 1;
            self.progress.failed += 1;
            self.ready.push_back(item.finish(Err(again)));
        }
        self.tell(true);
    }

    /// The commands that were not taken, where a batch ended early, each as the error that says so. They are all taken from
    /// their iterator for that.
    pub fn not_started<T>(self) -> Vec<Result<T>> {
        let (kind, what) = match self.closed {
            Some(Closed::Failed) => (ErrorKind::Cancelled, "was not started: another of its batch failed"),
            Some(Closed::Cancelled) => (ErrorKind::Cancelled, "was not started: its batch was cancelled"),
            Some(Closed::Broken) => (ErrorKind::Io, "was not started: its batch could not be waited for"),
            Some(Closed::Exhausted) | None => return Vec::new(),
        };
        self.commands.map(|command| Err(command.error(kind, what))).collect()
    }
}

/// The next result of a batch, or that there is none any more, as a machine for a driver.
struct Next<'a, I, R>(&'a mut Batch<I, R>);

impl<I: Iterator<Item = Command>, R: Runner> Machine for Next<'_, I, R> {
    type Answer = Option<Finished>;

    fn advance(&mut self, now: Instant) -> io::Result<Option<Option<Finished>>> {
        match self.0.advance(now)? {
            None if self.0.is_over() => Ok(Some(None)),
            None => Ok(None),
            some => Ok(Some(some)),
        }
    }

    fn interest(&self, now: Instant) -> Interest<'_> {
        self.0.interest(now)
    }
}
