//! Stopping what an owner's containers hold, from outside: the ladder of every stop, climbed for somebody else.

use super::container::{Claim, Container};
use super::read::Clock;
use super::{Member, containers_of};
use crate::error::{Error, ErrorKind, Result};
use crate::settings::StopRule;
use crate::stop::{Act, Ladder};
use pinfold_os::poll::{self, Waitable};
use pinfold_os::signal::Signal;
use std::io;
use std::time::{Duration, Instant};

/// How long what was killed may take to be gone.
const DEATH: Duration = Duration::from_secs(2);
/// Between two looks where nothing tells of a change.
const LOOK: Duration = Duration::from_millis(10);
/// Between two looks where something should.
const LATER_LOOK: Duration = Duration::from_millis(50);

/// All runs of a living owner of this user, or one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    owner: u32,
    run: Option<String>,
}

/// What stopping came to.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Stopped {
    /// Who was there when it began.
    pub members: Vec<Member>,
    /// Whether grace ended before they did.
    pub killed: bool,
    /// Who is still there: what this user may not signal, or what the kernel keeps from ending.
    pub left: Vec<Member>,
}

impl Target {
    /// All runs of the owner with this pid, which may be 1: it is not signalled.
    pub fn owner(pid: u32) -> Target {
        Target { owner: pid, run: None }
    }

    /// The run of this owner that [`super::list`] calls by this name.
    pub fn run(pid: u32, id: impl Into<String>) -> Target {
        Target { owner: pid, run: Some(id.into()) }
    }

    /// Stops everything that runs there now: the rule's signal to all of it, grace, SIGKILL. Returns when it is gone, or
    /// two seconds after the kill. The owner itself is not signalled, and learns of it as of any end.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if there is no such owner or run,
    /// [`ErrorKind::PermissionDenied`](crate::ErrorKind::PermissionDenied) if it is another user's.
    pub fn stop(&self, rule: StopRule) -> Result<Stopped> {
        self.stopping(rule)?.drive().map_err(|error| {
            let name = format!("process {}", self.owner);
            Error::new(ErrorKind::Io, name.as_ref(), format!("cannot be waited for: {error}")).because(error)
        })
    }

    /// [`Target::stop`], begun, for whoever waits in a way of their own.
    ///
    /// # Errors
    /// As there.
    pub fn stopping(&self, rule: StopRule) -> Result<Stopping> {
        let (containers, claims) = self.claimed()?;
        Ok(Stopping { all: self.run.is_none(), ..Stopping::begin(containers, claims, rule) })
    }

    /// Sends a signal to everything that runs there now, and waits for nothing: who was there.
    ///
    /// # Errors
    /// As [`Target::stop`].
    pub fn signal(&self, signal: Signal) -> Result<Vec<Member>> {
        let (containers, _claims) = self.claimed()?;
        let members = members(&containers);
        containers.iter().for_each(|container| container.signal(signal));
        Ok(members)
    }

    /// The containers of what runs now, in which their owner begins nothing else meanwhile. What is empty is over, and may be
    /// another run's in a moment.
    fn claimed(&self) -> Result<(Vec<Container>, Vec<Claim>)> {
        let mut containers = containers_of(self.owner, self.run.as_deref())?;
        containers.retain(|container| !container.is_empty());
        let claims = containers.iter().filter_map(Container::claim).collect();
        Ok((containers, claims))
    }
}

/// Those who live in these containers.
pub(super) fn members(containers: &[Container]) -> Vec<Member> {
    let mut clock = Clock::new();
    let pids = containers.iter().flat_map(Container::members);
    pids.filter_map(|pid| clock.member(pid.get())).collect()
}

/// Kills what is in a container and waits until it is empty, within reason.
pub(super) fn kill(container: Container) -> Container {
    let mut stopping = Stopping::begin(vec![container], Vec::new(), StopRule::KILL);
    let _ = stopping.drive();
    stopping.containers.remove(0)
}

/// Containers of somebody else's on their way down the ladder, from [`Target::stopping`]. Dropped before its end, it goes no
/// further.
#[derive(Debug)]
pub struct Stopping {
    containers: Vec<Container>,
    /// For as long as it is waited for.
    _claims: Vec<Claim>,
    /// They are all that their owner has.
    all: bool,
    members: Vec<Member>,
    ladder: Ladder,
    act: Option<Act>,
    give_up: Option<Instant>,
}

impl Stopping {
    fn begin(containers: Vec<Container>, claims: Vec<Claim>, rule: StopRule) -> Stopping {
        let members = members(&containers);
        let (ladder, act) = Ladder::begin(rule, Instant::now());
        Stopping { containers, _claims: claims, all: false, members, ladder, act: Some(act), give_up: None }
    }

    fn act(&mut self, act: Act, now: Instant) {
        match act {
            Act::Signal(signal) => {
                self.containers.iter().for_each(|container| container.tell_to_stop(signal, self.all));
            }
            Act::Kill => {
                self.containers.iter().for_each(Container::kill);
                self.give_up = Some(now + DEATH);
            }
        }
    }

    fn full(&self) -> impl Iterator<Item = &Container> {
        self.containers.iter().filter(|container| !container.is_empty())
    }

    /// Does all that can be done without waiting: what it came to, once it is over.
    pub fn advance(&mut self, now: Instant) -> Option<Stopped> {
        if let Some(act) = self.act.take() {
            self.act(act, now);
        }
        if self.full().next().is_some() && self.give_up.is_none_or(|at| at > now) {
            if let Some(due) = self.ladder.step(now) {
                self.act(due, now);
            } else if self.ladder.has_killed() {
                // What was being made while the others were killed.
                self.full().for_each(Container::kill);
            }
            return None;
        }
        let (members, killed) = (std::mem::take(&mut self.members), self.ladder.has_killed());
        Some(Stopped { members, killed, left: self::members(&self.containers) })
    }

    /// What to wait for before it is advanced again, and until when at most.
    pub fn waiting(&self, now: Instant) -> (Vec<Waitable<'_>>, Instant) {
        let full: Vec<&Container> = self.full().collect();
        let waitables: Vec<_> = full.iter().filter_map(|container| container.waitable()).collect();
        // Its owner may remove a cgroup the moment that it is empty, and then nothing tells us so: see GOTCHAS.md.
        let look = now + if waitables.len() < full.len() { LOOK } else { LATER_LOOK };
        let deadline = self.ladder.deadline().or(self.give_up).map_or(look, |at| at.min(look));
        (waitables, deadline)
    }

    fn drive(&mut self) -> io::Result<Stopped> {
        loop {
            let now = Instant::now();
            if let Some(stopped) = self.advance(now) {
                return Ok(stopped);
            }
            let (waitables, deadline) = self.waiting(now);
            poll::wait(&waitables, Some(deadline))?;
        }
    }
}
