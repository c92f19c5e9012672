//! The stages of a pipeline as what one run comes from: each is a run of its own, in one container, and the run has the
//! standard input of the first and the output of the last.

use super::real::Account;
use super::{Channel, Feed, Running};
use crate::command::Command;
use crate::containment::{Counters, Nest};
use crate::limits::Limits;
use crate::observe::{Letters, Observer};
use crate::outcome::{Cause, EndedWith, Ending, LimitsHit, Outcome, Strays, Usage};
use crate::output::{Output, Stage, Terms};
use crate::settings::{StopRule, Stream};
use pinfold_os::handle::Pid;
use pinfold_os::poll::Waitable;
use pinfold_os::signal::Signal;
use pinfold_os::wait::{Exit, ExitStatus};
use std::io;
use std::sync::Arc;
use std::time::Instant;

/// So much of what a stage wrote waits for the next one at most, where we are the pipe.
const AHEAD: usize = 1 << 20;
/// The code by which a shell passes on that `SIGPIPE` ended what it ran.
const TOLD_BY_SHELL: i32 = 128 + 13;
/// As many strays are named as a run names.
const NAMED: usize = 16;

/// Several runs, each reading what the one before it writes.
#[derive(Debug)]
pub(crate) struct Chain {
    links: Vec<Link>,
    /// What holds them together.
    nest: Option<Arc<Nest>>,
    /// Where the kernel has no pipes between them, we are those.
    carries: bool,
    /// Why all of it was told to end, and what it had to keep to.
    told: Option<Cause>,
    terms: Terms,
}

/// One stage.
pub(crate) struct Link {
    pub(crate) running: Running,
    pub(crate) command: Command,
}

impl std::fmt::Debug for Link {
    /// Not what the command says: it may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.running.fmt(f)
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        self.let_go();
    }
}

impl Chain {
    /// Stages that pipes of the kernel's join; what the run as a whole has of them is taken out.
    pub(crate) fn joined(mut links: Vec<Link>, nest: Arc<Nest>, terms: Terms) -> (Chain, [Channel; 2], Feed) {
        let feed = links.first_mut().map(|link| std::mem::take(&mut link.running.feed));
        let channels = links.last_mut().map(|link| std::mem::take(&mut link.running.channels));
        let chain = Chain { links, nest: Some(nest), carries: false, told: None, terms };
        (chain, channels.unwrap_or_default(), feed.unwrap_or_default())
    }

    /// Stages between which we carry the bytes, and on to the channels of the run as a whole.
    pub(crate) fn carried(mut links: Vec<Link>, terms: Terms) -> (Chain, Feed) {
        let feed = links.first_mut().map(|link| std::mem::take(&mut link.running.feed));
        let last = links.len().saturating_sub(1);
        for (index, link) in links.iter_mut().enumerate() {
            link.running.channels[0].carry(&link.command);
            if index == last {
                link.running.channels[1].carry(&link.command);
            }
        }
        (Chain { links, nest: None, carries: true, told: None, terms }, feed.unwrap_or_default())
    }

    fn last(&self) -> &Running {
        // A chain has a stage at least.
        &self.links[self.links.len() - 1].running
    }

    pub(super) fn runs(&self) -> impl Iterator<Item = &Running> {
        self.links.iter().map(|link| &link.running)
    }

    fn living(&self) -> impl Iterator<Item = &Running> {
        self.runs().filter(|running| running.outcome.is_none())
    }

    pub(super) fn pid(&self) -> Pid {
        self.last().pid()
    }

    /// When the first stage was started.
    pub(crate) fn started(&self) -> Instant {
        self.links[0].running.started
    }

    /// The stage by which the whole is known.
    pub(super) fn face(&self) -> &Running {
        self.last()
    }

    pub(super) fn begin_at(&mut self, now: Instant) {
        self.links.iter_mut().for_each(|link| link.running.begin_at(now));
    }

    /// Has every stage go on, and carries what is to be carried.
    pub(super) fn look(&mut self, now: Instant) {
        for index in 0..self.links.len() {
            self.links[index].running.advance(now);
            if self.carries && index + 1 < self.links.len() {
                self.carry(index);
            }
        }
    }

    /// From one stage to the next.
    fn carry(&mut self, index: usize) {
        let (before, after) = self.links.split_at_mut(index + 1);
        let channel = &mut before[index].running.channels[0];
        let feed = &mut after[0].running.feed;
        while feed.pending() < AHEAD {
            let bytes = channel.carried();
            let part = bytes.len().min(AHEAD);
            if part == 0 || !feed.push(&bytes[..part]) {
                break;
            }
            channel.has_carried(part);
        }
        if channel.is_carried_out() {
            feed.end();
        } else if feed.is_closed() {
            // As the kernel's pipe breaks when its reader has gone.
            channel.close();
        }
    }

    fn can_carry(&self) -> bool {
        let ready = |pair: &[Link]| {
            let (channel, feed) = (&pair[0].running.channels[0], &pair[1].running.feed);
            let moves = !channel.carried().is_empty() && feed.pending() < AHEAD;
            if feed.is_closed() { channel.is_open() } else { moves }
        };
        self.carries && self.links.windows(2).any(ready)
    }

    /// What the last stage wrote and nobody took yet, where we are the pipe.
    pub(super) fn output(&mut self, stream: Stream) -> Option<&mut Channel> {
        let last = self.links.last_mut().filter(|_| self.carries)?;
        Some(&mut last.running.channels[stream as usize])
    }

    /// Whether the first stage reads no more.
    pub(super) fn is_fed(&self) -> bool {
        self.links.first().is_some_and(|link| link.running.exit.is_some())
    }

    pub(super) fn watch<'a>(&'a self, waitables: &mut Vec<Waitable<'a>>) {
        for running in self.living() {
            waitables.extend(running.interest().waitables);
        }
    }

    pub(super) fn deadline(&self, looked: Instant) -> Option<Instant> {
        let carrying = self.can_carry().then_some(looked);
        self.living().filter_map(Running::deadline).chain(carrying).min()
    }

    /// The end of the stage that counts, once all of them are over.
    pub(super) fn exit(&self) -> Option<Exit> {
        let outcome = self.verdict()?;
        let status = match outcome.ending {
            Ending::Exited { code } => ExitStatus::Code(code),
            Ending::Signalled { signal, core_dumped } => ExitStatus::Signal { signal, core_dumped },
            Ending::Lost => ExitStatus::Lost,
        };
        Some(Exit { status, usage: Default::default() })
    }

    pub(super) fn is_over(&self) -> bool {
        self.living().next().is_none()
    }

    /// The outcome that is the whole's: the first that came by a cancellation, an output limit, or what all of it was told;
    /// or the first that is not clean; or the last.
    fn verdict(&self) -> Option<&Outcome> {
        if !self.is_over() {
            return None;
        }
        let outcomes = || self.runs().filter_map(Running::outcome);
        let by = |cause| outcomes().find(|outcome| outcome.cause == cause);
        let decisive = self.told.into_iter().chain([Cause::Cancelled, Cause::OutputLimit]).find_map(by);
        let unclean = || outcomes().enumerate().find(|(index, outcome)| !self.is_clean(*index, outcome));
        decisive.or_else(|| unclean().map(|(_, outcome)| outcome)).or_else(|| outcomes().last())
    }

    fn is_clean(&self, index: usize, outcome: &Outcome) -> bool {
        let command = &self.links[index].command;
        let is_last = index + 1 == self.links.len();
        let succeeded = outcome.code().is_some_and(|code| command.success_codes.contains(&code));
        let broken = outcome.signal() == Some(Signal::PIPE) || outcome.code() == Some(TOLD_BY_SHELL);
        let unwanted = !is_last && broken;
        outcome.cause == Cause::Itself && (command.unchecked || succeeded || unwanted)
    }

    pub(super) fn cause(&self) -> Cause {
        self.verdict().map_or(Cause::Itself, |outcome| outcome.cause)
    }

    /// Tells all of it to end, for a reason.
    pub(super) fn tell_to_stop(&mut self, cause: Cause, rule: StopRule, now: Instant) {
        self.told = Some(cause);
        for link in &mut self.links {
            link.running.stop_because(cause, rule, now);
        }
    }

    pub(super) fn kill(&mut self, cause: Cause, now: Instant) {
        self.told.get_or_insert(cause);
        for link in &mut self.links {
            link.running.stop_because(cause, StopRule::KILL, now);
        }
    }

    pub(super) fn members(&self) -> Vec<Pid> {
        self.living().flat_map(Running::members).collect()
    }

    /// Does something with each stage that lives: a failure if it worked with none.
    pub(super) fn each(&self, act: impl Fn(&Running) -> io::Result<()>) -> io::Result<()> {
        let mut failure = io::Error::new(io::ErrorKind::NotFound, "it has ended");
        let mut worked = false;
        for running in self.living() {
            match act(running) {
                Ok(()) => worked = true,
                Err(error) => failure = error,
            }
        }
        if worked { Ok(()) } else { Err(failure) }
    }

    /// CPU time of all, and the memory of the largest.
    pub(super) fn usage(&self) -> Usage {
        let mut total = Usage::default();
        for usage in self.runs().map(Running::usage) {
            total.user += usage.user;
            total.system += usage.system;
            total.peak_memory = total.peak_memory.max(usage.peak_memory);
        }
        total
    }

    pub(super) fn limits_hit(&self) -> LimitsHit {
        fn sum<T: std::ops::Add<Output = T>>(one: Option<T>, other: Option<T>) -> Option<T> {
            match (one, other) {
                (Some(one), Some(other)) => Some(one + other),
                (one, other) => one.or(other),
            }
        }
        let whole = self.nest.as_ref().map(|nest| nest.counters().hit);
        let parts = self.runs().map(Running::limits_hit);
        parts.chain(whole).fold(LimitsHit::default(), |total, hit| LimitsHit {
            oom_kills: sum(total.oom_kills, hit.oom_kills),
            memory_max: sum(total.memory_max, hit.memory_max),
            processes: sum(total.processes, hit.processes),
            throttled: sum(total.throttled, hit.throttled),
        })
    }

    pub(super) fn set_limits(&self, limits: &Limits) -> Result<(), crate::containment::Refusal> {
        self.nest.as_ref().map_or(Ok(()), |nest| nest.set_limits(limits))
    }

    pub(super) fn account(&self, exit: Exit) -> Account {
        let counters = Counters { hit: self.limits_hit(), peak_memory: None };
        Account { exit, usage: self.usage(), counters }
    }

    /// Each stage is told of as the run that it is.
    pub(super) fn watch_too(&mut self, observer: &Observer) {
        self.links.iter_mut().for_each(|link| link.running.watch_too(observer, &link.command));
    }

    pub(super) fn tell_by(&mut self, letters: &Arc<Letters>) {
        self.links.iter_mut().for_each(|link| link.running.tell_by(letters));
    }

    /// What outlived the programs of the stages.
    pub(super) fn add_strays(&self, strays: &mut Strays) {
        for outcome in self.runs().filter_map(Running::outcome) {
            strays.count += outcome.strays.count;
            strays.killed |= outcome.strays.killed;
            let room = NAMED.saturating_sub(strays.some.len());
            strays.some.extend(outcome.strays.some.iter().take(room).cloned());
            strays.holding_output.extend(outcome.strays.holding_output.iter().cloned());
            strays.beyond_reach.extend(outcome.strays.beyond_reach.iter().cloned());
        }
    }

    /// Who was ended with the stages of which one was ended.
    pub(super) fn ended_with(&self) -> Option<EndedWith> {
        let of_stages = self.runs().filter_map(|running| running.outcome()?.ended_with.clone());
        of_stages.reduce(|mut all, more| {
            all.count += more.count;
            all.some.extend(more.some);
            all.some.truncate(NAMED);
            all
        })
    }

    pub(super) fn is_a_program(&self, pid: Pid) -> bool {
        self.runs().any(|running| running.pid() == pid)
    }

    /// The first failure of a stream of one of its stages.
    pub(super) fn take_failure(&mut self) -> Option<io::Error> {
        self.links.iter_mut().find_map(|link| link.running.failure.take())
    }

    pub(super) fn let_go(&mut self) {
        self.links.iter_mut().for_each(|link| link.running.end());
        if let Some(nest) = self.nest.take() {
            nest.end();
        }
    }

    /// Makes the output of the last stage that of the whole: with what each stage came to, and in the name of the one that
    /// counts.
    pub(super) fn attribute(&self, output: &mut Output<Vec<u8>>) {
        output.stages =
            self.links.iter().enumerate().filter_map(|(index, link)| self.stage(index, link)).collect();
        if let Some(last) = output.stages.last_mut() {
            last.stderr = output.stderr.clone().into();
            last.cut = output.cut[Stream::Stderr as usize];
            (last.outcome.stdout, last.outcome.stderr) = (output.outcome.stdout, output.outcome.stderr);
        }
        let Some(index) = output.blamed() else { return };
        let command = &self.links[index].command;
        output.program.clone_from(&command.program);
        output.success_codes.clone_from(&command.success_codes);
        output.unchecked = command.unchecked;
        if index + 1 == output.stages.len() {
            return;
        }
        let stage = &output.stages[index];
        output.outcome.ending = stage.outcome.ending;
        output.outcome.stderr = stage.outcome.stderr;
        output.stderr = stage.stderr.to_vec();
        output.cut[Stream::Stderr as usize] = stage.cut;
        // Nobody saw the order of what two programs wrote.
        output.segments = [(Stream::Stdout, output.stdout.len()), (Stream::Stderr, output.stderr.len())]
            .map(|(stream, len)| crate::capture::Segment { stream, len })
            .into();
    }

    fn stage(&self, index: usize, link: &Link) -> Option<Stage> {
        let Link { running, command } = link;
        let mut outcome = running.outcome()?.clone();
        // What went on to the next stage was seen by that.
        outcome.stdout = None;
        let terms = if self.told == Some(outcome.cause) { self.terms.clone() } else { Terms::of(command) };
        let capture = running.capture(Stream::Stderr);
        let stderr = capture.map(crate::capture::Capture::retained);
        Some(Stage {
            program: command.program.clone(),
            stderr: stderr.unwrap_or_default().to_vec().into(),
            cut: capture.map(crate::capture::Capture::cut).unwrap_or_default(),
            clean: self.is_clean(index, &outcome),
            outcome,
            encoding: command.encodings[1].clone(),
            terms,
        })
    }
}
