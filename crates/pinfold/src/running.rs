//! A run as a state machine over descriptors: it never blocks, never sleeps and never looks at a clock of its own.
//!
//! A driver waits for what [`Running::interest`] names and then calls [`Running::advance`]; that is all there is to
//! driving. Sync, tokio and any other event loop are drivers of this one machine.

mod chain;
mod channel;
mod control;
mod ends;
mod feed;
mod intake;
mod reach;
mod real;
mod results;
mod script;
mod scripted;
mod scripting;
mod source;
#[cfg(feature = "serde")]
mod tape;
mod telling;
#[cfg(test)]
mod tests;

pub(crate) use chain::{Chain, Link};
pub(crate) use channel::Channel;
pub(crate) use ends::{Inlet, Outward};
pub(crate) use feed::Feed;
pub(crate) use intake::Intake;
pub(crate) use real::Real;
pub(crate) use script::{End, Reaction, Reads, Script, Step};
pub(crate) use scripted::{Outlet, Scripted};
pub(crate) use source::Source;
#[cfg(feature = "serde")]
pub(crate) use tape::{Recording, Tape};

use crate::cancel::CancelToken;
use crate::capture::Journal;
use crate::command::Command;
use crate::containment;
use crate::cursor::EventCursor;
use crate::machine::Interest;
use crate::maker::Maker;
use crate::observe::Watched;
use crate::outcome::{Cause, EndedWith, Ending, Guarantee, Mechanism, Outcome, Strays};
use crate::settings::{StopRule, StrayRule, Stream};
use crate::stop::{Act, Ladder};
use pinfold_os::wait::{Exit, ExitStatus};
use real::Account;
use std::io;
use std::time::{Duration, Instant};

/// A started command.
///
/// Dropping it before its end kills all of it, and returns when that is done.
#[derive(Debug)]
pub struct Running {
    pub(crate) rules: Rules,
    source: Source,
    mechanism: Mechanism,
    guarantee: Guarantee,
    pub(crate) channels: [Channel; 2],
    journal: Journal,
    pub(crate) feed: Feed,
    cancel: Option<CancelToken>,
    started: Instant,
    last_output: Instant,
    exit: Option<(Exit, Instant)>,
    ladder: Option<Ladder>,
    /// When it was told to end last.
    last_act: Instant,
    stopping_strays: bool,
    cause: Cause,
    strays: Strays,
    ended_with: Option<EndedWith>,
    /// Whether the program withstands its kill, once that was asked.
    withstands: Option<bool>,
    outcome: Option<Outcome>,
    failure: Option<io::Error>,
    revision: u64,
    /// Who started it: after a fork, the copy in the child is not its owner.
    pub(crate) maker: Maker,
    /// When it was advanced last.
    looked: Instant,
    /// Those who are told what happens.
    watched: Option<Box<Watched>>,
    #[cfg(feature = "serde")]
    tape: Option<Tape>,
    /// How far its story was told by `take_events`.
    pub(crate) told: Option<Box<EventCursor>>,
}

/// What a machine has to keep to, taken from the command.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) timeout: Option<Duration>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) stop: StopRule,
    pub(crate) strays: StrayRule,
}

impl Rules {
    pub(crate) fn of(command: &Command) -> Rules {
        Rules {
            timeout: command.timeout,
            idle_timeout: command.idle_timeout,
            stop: command.stop,
            strays: command.strays,
        }
    }
}

/// What a run that was just started comes with.
pub(crate) struct Parts {
    pub(crate) rules: Rules,
    pub(crate) source: Source,
    pub(crate) channels: [Channel; 2],
    pub(crate) feed: Feed,
    pub(crate) cancel: Option<CancelToken>,
    pub(crate) started: Instant,
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
            mechanism: parts.source.mechanism(),
            guarantee: parts.source.guarantee(),
            source: parts.source,
            channels: parts.channels,
            journal: Journal::new(),
            feed: parts.feed,
            cancel: parts.cancel,
            started: parts.started,
            last_output: parts.started,
            exit: None,
            ladder: None,
            last_act: parts.started,
            stopping_strays: false,
            cause: Cause::Itself,
            strays: Strays::default(),
            ended_with: None,
            withstands: None,
            outcome: None,
            failure: None,
            revision: 0,
            maker: Maker::here(),
            looked: parts.started,
            watched: None,
            #[cfg(feature = "serde")]
            tape: None,
            told: None,
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
        self.source.watch(self.exit.is_some(), &mut waitables);
        if self.ladder.is_none()
            && let Some(token) = &self.cancel
        {
            waitables.extend(token.prepared());
        }
        Interest { waitables, deadline: self.deadline() }
    }

    fn deadline(&self) -> Option<Instant> {
        let mut deadlines = [None; 5];
        if self.is_ready() {
            deadlines[3] = Some(self.looked);
        }
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
        deadlines[2] = self.source.deadline(self.exit.is_some(), self.looked, self.ask_again());
        deadlines[4] = self.doubt_at();
        deadlines.into_iter().flatten().min()
    }

    /// Whether there are bytes to move now, without a descriptor that says so.
    fn is_ready(&self) -> bool {
        self.channels.iter().any(Channel::is_ready) || self.feed.is_ready()
    }

    /// Does all that can be done without waiting: reads, writes, notices the end, and takes the steps whose time has
    /// come.
    ///
    /// In a process that was forked of the one that started it this does nothing: neither its end nor its output is that
    /// process's. [`Machine::advance`](crate::Machine::advance) refuses it there.
    pub fn advance(&mut self, now: Instant) -> Progress {
        self.step(now).unwrap_or(Progress::Pending)
    }

    /// [`Running::advance`] for a driver that is going to wait, which a forked child would do for ever.
    pub(crate) fn step(&mut self, now: Instant) -> io::Result<Progress> {
        if self.outcome.is_some() {
            return Ok(Progress::Done);
        }
        self.maker.check()?;
        self.looked = now;
        self.move_bytes(now);
        self.notice_exit(now);
        self.obey_cancellation(now);
        self.keep_time(now);
        self.climb(now);
        self.doubt_program(now);
        self.finish_if_over(now);
        if let Some(guarantee) = self.source.attend(now) {
            self.guarantee = guarantee;
        }
        Ok(if self.outcome.is_some() { Progress::Done } else { Progress::Pending })
    }

    fn move_bytes(&mut self, now: Instant) {
        self.play(now);
        self.pump(now);
        if self.ladder.is_none() && self.channels.iter().any(Channel::overflowed) {
            self.stop_for(Cause::OutputLimit, self.rules.stop, now);
        }
        self.feed();
    }

    /// Reads both streams.
    fn pump(&mut self, now: Instant) {
        let open = self.channels.each_ref().map(Channel::is_open);
        for index in 0..2 {
            match self.channels[index].pump() {
                Ok(0) => {}
                Ok(_) => {
                    self.note();
                    self.tell_of_limits();
                    self.last_output = now;
                    self.revision += 1;
                }
                Err(error) => self.failure = Some(error),
            }
        }
        // Whoever reads a stream is told of its end, too.
        self.revision += u64::from(open != self.channels.each_ref().map(Channel::is_open));
    }

    /// Writes to its standard input.
    fn feed(&mut self) {
        let fed = self.feed.written();
        if let Err(error) = self.feed.pump() {
            self.failure = Some(error);
        }
        self.revision += u64::from(fed != self.feed.written() || self.feed.is_broken());
    }

    /// Both streams in the order in which they came.
    fn note(&mut self) {
        #[cfg(feature = "serde")]
        self.tape_what_came();
        if let [Channel { capture: Some(stdout), .. }, Channel { capture: Some(stderr), .. }] = &self.channels
        {
            self.journal.note(stdout, stderr);
        }
    }

    fn notice_exit(&mut self, now: Instant) {
        if self.exit.is_some() {
            return;
        }
        let exit = self.source.poll_exit();
        self.take_exit(exit, now);
        // What held it together was killed, and the program can go where nobody would find it.
        if self.exit.is_none() && self.source.is_broken() {
            let exit = self.source.poll_lost();
            self.take_exit(exit, now);
            if self.exit.is_none() && self.ladder.is_none_or(|ladder| !ladder.has_killed()) {
                self.begin(StopRule::KILL, now);
            }
        }
    }

    /// For a driver that may block: waits for the end of the program where there is nothing else to wait for, which saves
    /// asking for the descriptor first. Whether it did.
    pub(crate) fn await_exit_alone(&mut self) -> bool {
        let others = self.channels.iter().any(Channel::is_open) || self.feed.waitable().is_some();
        if self.exit.is_some() || others || self.cancel.is_some() || self.deadline().is_some() {
            return false;
        }
        if !self.maker.is_here() {
            return false;
        }
        match self.source.await_exit() {
            None => return false,
            Some(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Some(exit) => self.take_exit(exit.map(Some), Instant::now()),
        }
        true
    }

    fn take_exit(&mut self, exit: io::Result<Option<Exit>>, now: Instant) {
        match exit {
            Ok(Some(exit)) => {
                if self.ladder.is_none() {
                    self.cause = self.source.cause();
                }
                self.exit = Some((exit, now));
                self.revision += 1;
                self.feed.close();
                self.channels.iter_mut().for_each(Channel::end_script);
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
            && !self.source.is_empty()
        {
            self.stopping_strays = true;
            self.begin(self.rules.stop, now);
        }
    }

    /// Stops all of it, unless that has begun.
    pub fn stop(&mut self, rule: StopRule, now: Instant) {
        self.stop_because(Cause::Stopped, rule, now);
    }

    /// [`Running::stop`] for another reason.
    pub(crate) fn stop_because(&mut self, cause: Cause, rule: StopRule, now: Instant) {
        if self.outcome.is_some() || !self.maker.is_here() {
            return;
        }
        // A program that has ended already was not stopped.
        self.play(now);
        self.notice_exit(now);
        match &self.ladder {
            None => self.stop_for(cause, rule, now),
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
        self.look_who_is_ended_with_it();
        if self.exit.is_some() && self.strays.count == 0 {
            let members = self.members();
            self.strays.count = members.len();
            self.strays.some = containment::describe(&members);
        }
        let (ladder, act) = Ladder::begin(rule, now);
        self.ladder = Some(ladder);
        self.act(act, rule, now);
    }

    fn climb(&mut self, now: Instant) {
        if let Some(act) = self.ladder.as_mut().and_then(|ladder| ladder.step(now)) {
            self.act(act, StopRule::KILL, now);
        }
    }

    fn act(&mut self, act: Act, rule: StopRule, now: Instant) {
        self.last_act = now;
        if let Some(watched) = &mut self.watched {
            watched.stopping(act, self.cause, rule);
        }
        match act {
            Act::Signal(signal) => self.source.tell_to_stop(self.cause, StopRule { signal, ..rule }, now),
            Act::Kill => {
                self.strays.killed |= self.stopping_strays && !self.source.is_empty();
                self.source.kill(self.cause, self.exit.is_some(), now);
            }
        }
    }

    /// The run is over when the program has ended, nothing of it is left, and its streams are at their ends.
    fn finish_if_over(&mut self, now: Instant) {
        let Some((exit, at)) = self.exit else { return };
        if !self.source.is_empty() && !self.leaves_whom_it_may_not_end(now) {
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

    fn conclude(&mut self, exit: Exit, now: Instant) {
        let Account { exit, usage, counters } = self.source.account(exit);
        if let Source::Chain(chain) = &mut self.source {
            // A stage that had ended when all of it was told to ended by itself.
            self.cause = match self.cause {
                Cause::Cancelled | Cause::OutputLimit => self.cause,
                _ => chain.cause(),
            };
            chain.add_strays(&mut self.strays);
            self.ended_with = self.ended_with.take().or_else(|| chain.ended_with());
            self.failure = self.failure.take().or_else(|| chain.take_failure());
        }
        let outcome = Outcome {
            ending: ending(exit.status),
            cause: self.cause,
            duration: now.saturating_duration_since(self.started),
            usage,
            stdout: self.seen(Stream::Stdout),
            stderr: self.seen(Stream::Stderr),
            strays: std::mem::take(&mut self.strays),
            ended_with: self.ended_with.take(),
            limits_hit: counters.hit,
            mechanism: self.mechanism,
            guarantee: self.guarantee,
        };
        let outcome = match self.source.record() {
            // What was seen is what is seen now: that depends on what this command captures.
            Some(record) if self.ladder.is_none() => {
                Outcome { stdout: outcome.stdout, stderr: outcome.stderr, ..record.clone() }
            }
            _ => outcome,
        };
        self.tell_of_limits();
        #[cfg(feature = "serde")]
        self.finish_tape(&outcome);
        if let Some(watched) = &mut self.watched {
            watched.ended(&outcome);
        }
        self.outcome = Some(outcome);
        self.revision += 1;
        self.source.let_go();
    }
}

fn ending(status: ExitStatus) -> Ending {
    match status {
        ExitStatus::Code(code) => Ending::Exited { code },
        ExitStatus::Signal { signal, core_dumped } => Ending::Signalled { signal, core_dumped },
        ExitStatus::Lost => Ending::Lost,
    }
}
