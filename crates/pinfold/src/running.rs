//! A run as a state machine over descriptors: it never blocks, never sleeps and never looks at a clock of its own.
//!
//! A driver waits for what [`Running::interest`] names and then calls [`Running::advance`]; that is all there is to
//! driving. Sync, tokio and any other event loop are drivers of this one machine.

mod channel;
mod control;
mod feed;
mod results;

pub(crate) use channel::Channel;
pub(crate) use feed::Feed;

use crate::cancel::CancelToken;
use crate::capture::Journal;
use crate::containment::{self, Container, Nest};
use crate::outcome::{Cause, Ending, Guarantee, Mechanism, Outcome, Strays, Usage};
use crate::settings::{StopRule, StrayRule, Stream};
use crate::stop::{Act, Ladder};
use pinfold_os::handle::Process;
use pinfold_os::poll::{Direction, Waitable};
use pinfold_os::signal::Signal;
use pinfold_os::wait::{Exit, ExitStatus};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a container that gives no events is asked whether it is empty.
const ASK_AGAIN: Duration = Duration::from_millis(2);

/// How soon a guard is tried again for which something had run out.
const ATTEND_AGAIN: Duration = Duration::from_millis(50);

/// A started command.
///
/// Dropping it before its end kills all of it, and returns when that is done.
#[derive(Debug)]
pub struct Running {
    pub(crate) rules: Rules,
    process: Process,
    container: Option<Arc<Container>>,
    /// The group that it is in.
    group: Option<Arc<Nest>>,
    mechanism: Mechanism,
    guarantee: Guarantee,
    pub(crate) channels: [Channel; 2],
    journal: Journal,
    pub(crate) feed: Feed,
    cancel: Option<CancelToken>,
    started: Instant,
    /// When the container is to be attended to, if that was put off.
    attend_at: Option<Instant>,
    last_output: Instant,
    exit: Option<(Exit, Instant)>,
    ladder: Option<Ladder>,
    stopping_strays: bool,
    cause: Cause,
    strays: Strays,
    maker_memory: u64,
    outcome: Option<Outcome>,
    failure: Option<io::Error>,
    revision: u64,
    /// When it was advanced last.
    looked: Instant,
}

/// What a machine has to keep to, taken from the command.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) timeout: Option<Duration>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) stop: StopRule,
    pub(crate) strays: StrayRule,
}

/// What a freshly made process comes with.
pub(crate) struct Parts {
    pub(crate) rules: Rules,
    pub(crate) process: Process,
    pub(crate) container: Arc<Container>,
    pub(crate) group: Option<Arc<Nest>>,
    pub(crate) channels: [Channel; 2],
    pub(crate) feed: Feed,
    pub(crate) cancel: Option<CancelToken>,
    pub(crate) started: Instant,
    pub(crate) attend_at: Option<Instant>,
    pub(crate) maker_memory: u64,
}

/// What a driver is to wait for: any of these descriptors, or the deadline.
#[derive(Debug)]
pub struct Interest<'a> {
    /// Descriptors and directions.
    pub waitables: Vec<Waitable<'a>>,
    /// When to advance even if none is ready.
    pub deadline: Option<Instant>,
}

/// How far [`Running::advance`] got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// There is more to come: wait for [`Running::interest`].
    Pending,
    /// The run has ended, and [`Running::outcome`] says how.
    Done,
}

impl Running {
    pub(crate) fn new(parts: Parts) -> Running {
        Running {
            rules: parts.rules,
            mechanism: parts.container.mechanism(),
            guarantee: parts.container.guarantee(),
            process: parts.process,
            container: Some(parts.container),
            group: parts.group,
            channels: parts.channels,
            journal: Journal::new(),
            feed: parts.feed,
            cancel: parts.cancel,
            started: parts.started,
            attend_at: parts.attend_at,
            last_output: parts.started,
            exit: None,
            ladder: None,
            stopping_strays: false,
            cause: Cause::Itself,
            strays: Strays::default(),
            maker_memory: parts.maker_memory,
            outcome: None,
            failure: None,
            revision: 0,
            looked: parts.started,
        }
    }

    /// What to wait for before [`Running::advance`] is called again.
    pub fn interest(&self) -> Interest<'_> {
        let mut waitables = Vec::with_capacity(8);
        if self.outcome.is_some() {
            return Interest { waitables, deadline: None };
        }
        for channel in &self.channels {
            waitables.extend(channel.waitables());
        }
        waitables.extend(self.feed.waitable());
        match (self.exit, &self.container) {
            (None, _) => {
                let descriptor = self.process.waitable();
                waitables.push(Waitable { descriptor, direction: Direction::Read });
            }
            (Some(_), Some(container)) => waitables.extend(container.waitable()),
            (Some(_), None) => {}
        }
        if self.ladder.is_none()
            && let Some(token) = &self.cancel
        {
            waitables.extend(token.waitable());
        }
        Interest { waitables, deadline: self.deadline() }
    }

    fn deadline(&self) -> Option<Instant> {
        let mut deadlines = [None; 4];
        match (self.ladder, self.exit) {
            (Some(ladder), _) => deadlines[0] = ladder.deadline(),
            (None, Some((_, at))) => {
                deadlines[0] = self.rules.timeout.and_then(|timeout| self.started.checked_add(timeout));
                if let StrayRule::StopAfter(linger) = self.rules.strays {
                    deadlines[1] = at.checked_add(linger);
                }
            }
            (None, None) => {
                deadlines[0] = self.rules.timeout.and_then(|timeout| self.started.checked_add(timeout));
                deadlines[1] = self.rules.idle_timeout.and_then(|idle| self.last_output.checked_add(idle));
            }
        }
        // Where no event tells that the last member has gone, only asking does.
        if self.exit.is_some()
            && self.container.as_ref().is_some_and(|container| container.waitable().is_none())
        {
            deadlines[2] = Some(self.looked + ASK_AGAIN);
        }
        deadlines[3] = self.attend_at;
        deadlines.into_iter().flatten().min()
    }

    /// Does all that can be done without waiting: reads, writes, notices the end, and takes the steps whose time has
    /// come.
    pub fn advance(&mut self, now: Instant) -> Progress {
        if self.outcome.is_some() {
            return Progress::Done;
        }
        self.looked = now;
        self.move_bytes(now);
        self.notice_exit(now);
        self.obey_cancellation(now);
        self.keep_time(now);
        self.climb(now);
        self.finish_if_over(now);
        self.attend(now);
        if self.outcome.is_some() { Progress::Done } else { Progress::Pending }
    }

    /// Does what was put off at the start, once it is due. Where something ran out it is tried again, and the outcome tells
    /// what there was.
    fn attend(&mut self, now: Instant) {
        let Some(container) = self.container.as_mut().filter(|_| self.attend_at.is_some_and(|at| at <= now))
        else {
            return;
        };
        // Nobody else has it: what is put off is in no group.
        let attended = Arc::get_mut(container).map(|container| container.attend(&self.process));
        let again = attended.is_some_and(|attended| attended.is_err());
        self.attend_at = again.then(|| now + ATTEND_AGAIN);
        self.guarantee = container.guarantee();
    }

    fn move_bytes(&mut self, now: Instant) {
        let mut came = false;
        for index in 0..2 {
            match self.channels[index].pump() {
                Ok(bytes) => {
                    if bytes > 0 {
                        came = true;
                        self.note();
                    }
                }
                Err(error) => self.failure = Some(error),
            }
        }
        if came {
            self.last_output = now;
            self.revision += 1;
        }
        if self.ladder.is_none() && self.channels.iter().any(Channel::overflowed) {
            self.stop_for(Cause::OutputLimit, self.rules.stop, now);
        }
        let fed = self.feed.written();
        if let Err(error) = self.feed.pump() {
            self.failure = Some(error);
        }
        self.revision += u64::from(fed != self.feed.written() || self.feed.is_broken());
    }

    /// Both streams in the order in which they came.
    fn note(&mut self) {
        if let [Channel { capture: Some(stdout), .. }, Channel { capture: Some(stderr), .. }] = &self.channels
        {
            self.journal.note(stdout, stderr);
        }
    }

    fn notice_exit(&mut self, now: Instant) {
        if self.exit.is_some() {
            return;
        }
        let exit = if self.leaves_record() { self.process.peek_exit() } else { self.process.try_reap() };
        self.take_exit(exit, now);
        // What held it together was killed, and the program can go where nobody would find it.
        if self.exit.is_none() && self.container.as_ref().is_some_and(|container| container.is_broken()) {
            let exit = self.process.try_reap();
            self.take_exit(exit, now);
            if self.exit.is_none() && self.ladder.is_none_or(|ladder| !ladder.has_killed()) {
                self.begin(StopRule::KILL, now);
            }
        }
    }

    /// A leader that was waited for can no longer name its group on older kernels; its record can wait.
    fn leaves_record(&self) -> bool {
        matches!(self.container.as_deref(), Some(Container::Group(_)))
            && !self.process.group_outlives_leader()
    }

    /// For a driver that may block: waits for the end of the program where there is nothing else to wait for, which saves
    /// asking for the descriptor first. Whether it did.
    pub(crate) fn await_exit_alone(&mut self) -> bool {
        let others = self.channels.iter().any(Channel::is_open) || self.feed.waitable().is_some();
        if self.exit.is_some()
            || others
            || self.cancel.is_some()
            || self.deadline().is_some()
            || self.leaves_record()
        {
            return false;
        }
        match self.process.reap() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            exit => self.take_exit(exit.map(Some), Instant::now()),
        }
        true
    }

    fn take_exit(&mut self, exit: io::Result<Option<Exit>>, now: Instant) {
        match exit {
            Ok(Some(exit)) => {
                // What its group was told, it was told.
                let pid = self.process.pid();
                if self.ladder.is_none() && self.group.as_ref().is_some_and(|group| group.has_stopped(pid)) {
                    self.cause = Cause::Stopped;
                }
                self.exit = Some((exit, now));
                self.revision += 1;
                self.feed.close();
            }
            Ok(None) => {}
            Err(error) => {
                self.exit = Some((Exit { status: ExitStatus::Lost, usage: Default::default() }, now));
                self.failure = Some(error);
            }
        }
    }

    fn obey_cancellation(&mut self, now: Instant) {
        if self.ladder.is_none() && self.cancel.as_ref().is_some_and(CancelToken::is_cancelled) {
            self.stop_for(Cause::Cancelled, self.rules.stop, now);
        }
    }

    fn keep_time(&mut self, now: Instant) {
        if self.ladder.is_some() {
            return;
        }
        let over = |since: Instant, limit: Option<Duration>| {
            limit.is_some_and(|limit| now.saturating_duration_since(since) >= limit)
        };
        if over(self.started, self.rules.timeout) {
            self.stop_for(Cause::Timeout, self.rules.stop, now);
        } else if self.exit.is_none() && over(self.last_output, self.rules.idle_timeout) {
            self.stop_for(Cause::IdleTimeout, self.rules.stop, now);
        } else if let (Some((_, at)), StrayRule::StopAfter(linger)) = (self.exit, self.rules.strays)
            && over(at, Some(linger))
            && !self.is_empty()
        {
            self.stopping_strays = true;
            self.begin(self.rules.stop, now);
        }
    }

    /// Stops all of it, unless that has begun.
    pub fn stop(&mut self, rule: StopRule, now: Instant) {
        if self.outcome.is_some() {
            return;
        }
        // A program that has ended already was not stopped.
        self.notice_exit(now);
        match &self.ladder {
            None => self.stop_for(Cause::Stopped, rule, now),
            // Impatience: what is being stopped can still be killed.
            Some(ladder) if !ladder.has_killed() && rule.grace.is_zero() => self.begin(rule, now),
            Some(_) => {}
        }
    }

    fn stop_for(&mut self, cause: Cause, rule: StopRule, now: Instant) {
        // A program that has ended by itself did so, whatever becomes of what it left behind; but a run that was to wait
        // for that, or that gave too much output, did not end well.
        let still_counts = match cause {
            Cause::Cancelled | Cause::OutputLimit => true,
            Cause::Timeout => self.rules.strays == StrayRule::Wait,
            _ => false,
        };
        if self.exit.is_none() || still_counts {
            self.cause = cause;
        }
        self.stopping_strays = self.exit.is_some();
        self.begin(rule, now);
    }

    fn begin(&mut self, rule: StopRule, now: Instant) {
        if self.exit.is_some() && self.strays.count == 0 {
            let members = self.members();
            self.strays.count = members.len();
            self.strays.some = containment::describe(&members);
        }
        let (ladder, act) = Ladder::begin(rule, now);
        self.ladder = Some(ladder);
        self.act(act);
    }

    fn climb(&mut self, now: Instant) {
        if let Some(act) = self.ladder.as_mut().and_then(|ladder| ladder.step(now)) {
            self.act(act);
        }
    }

    fn act(&mut self, act: Act) {
        let Some(container) = &self.container else { return };
        match act {
            Act::Signal(signal) => {
                let _ = container.signal(&self.process, signal);
                // What is stopped or frozen could not act on the signal.
                if matches!(**container, Container::Group(_)) {
                    let _ = container.signal(&self.process, Signal::CONT);
                } else {
                    let _ = container.freeze(&self.process, false);
                    let _ = container.signal(&self.process, Signal::CONT);
                }
            }
            Act::Kill => {
                self.strays.killed |= self.stopping_strays && !self.is_empty();
                if container.kill(&self.process).is_err() && self.exit.is_none() {
                    let _ = self.process.signal(Signal::KILL);
                }
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.container.as_ref().is_none_or(|container| container.is_empty(&self.process))
    }

    /// The run is over when the program has ended, nothing of it is left, and its streams are at their ends.
    fn finish_if_over(&mut self, now: Instant) {
        let Some((exit, at)) = self.exit else { return };
        if !self.is_empty() {
            return;
        }
        if self.channels.iter().any(Channel::is_open) {
            // The streams are held open from outside of the container.
            let patience = match (self.ladder, self.rules.strays) {
                (Some(_), _) => Duration::ZERO,
                (None, StrayRule::StopAfter(linger)) => linger,
                (None, StrayRule::Wait) => return,
            };
            for index in 0..2 {
                if let Err(error) = self.channels[index].drain() {
                    self.failure = Some(error);
                }
                self.note();
            }
            if self.channels.iter().any(Channel::is_open) {
                if now.saturating_duration_since(at) < patience {
                    return;
                }
                for channel in &mut self.channels {
                    if let Some(reader) = channel.reader() {
                        self.strays.holding_output.extend(containment::holders(reader));
                        channel.close();
                    }
                }
                self.strays.holding_output.dedup();
            }
        }
        if self.channels.iter().any(Channel::has_backlog) && self.ladder.is_none() {
            return;
        }
        self.conclude(exit, now);
    }

    fn conclude(&mut self, mut exit: Exit, now: Instant) {
        // Before the pid can be given away.
        if let Some(group) = &self.group {
            group.leave(self.process.pid());
        }
        if let Ok(Some(reaped)) = self.process.try_reap() {
            exit = reaped;
        }
        let cpu = self.container.as_ref().and_then(|container| container.cpu_time());
        let counters = self.container.as_ref().map(|container| container.counters()).unwrap_or_default();
        let (user, system) = cpu.unwrap_or((exit.usage.user, exit.usage.system));
        // Its figure started at ours, so only what is above ours is its own.
        let peak_resident = (exit.usage.max_rss > self.maker_memory).then_some(exit.usage.max_rss);
        let peak_memory = counters.peak_memory.or(peak_resident);
        self.outcome = Some(Outcome {
            ending: ending(exit.status),
            cause: self.cause,
            duration: now.saturating_duration_since(self.started),
            usage: Usage { user, system, peak_memory },
            stdout: self.seen(Stream::Stdout),
            stderr: self.seen(Stream::Stderr),
            strays: std::mem::take(&mut self.strays),
            limits_hit: counters.hit,
            mechanism: self.mechanism,
            guarantee: self.guarantee,
        });
        self.revision += 1;
        // Back to the pool: the next run may start before this handle is dropped.
        self.container = None;
    }
}

fn ending(status: ExitStatus) -> Ending {
    match status {
        ExitStatus::Code(code) => Ending::Exited { code },
        ExitStatus::Signal { signal, core_dumped } => Ending::Signalled { signal, core_dumped },
        ExitStatus::Lost => Ending::Lost,
    }
}
