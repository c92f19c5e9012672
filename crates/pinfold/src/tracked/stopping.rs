//! Stopping what an owner's containers hold, from outside: the ladder of every stop, climbed for somebody else.

use super::container::Container;
use super::read::Clock;
use super::{Member, containers_of};
use crate::error::Result;
use crate::settings::StopRule;
use crate::stop::{Act, Ladder};
use pinfold_os::handle::Pid;
use pinfold_os::poll;
use pinfold_os::signal::Signal;
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
    owner: Pid,
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
    /// All runs of the owner with this pid.
    pub fn owner(pid: Pid) -> Target {
        Target { owner: pid, run: None }
    }

    /// The run of this owner that [`super::list`] calls by this name.
    pub fn run(pid: Pid, id: impl Into<String>) -> Target {
        Target { owner: pid, run: Some(id.into()) }
    }

    /// Stops everything that runs there now: the rule's signal to all of it, grace, SIGKILL. Returns when it is gone, or
    /// two seconds after the kill. The owner itself is not signalled, and learns of it as of any end.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if there is no such owner or run,
    /// [`ErrorKind::PermissionDenied`](crate::ErrorKind::PermissionDenied) if it is another user's.
    pub fn stop(&self, rule: StopRule) -> Result<Stopped> {
        let containers = containers_of(self.owner, self.run.as_deref())?;
        let members = members(&containers);
        let killed = climb(&containers, rule);
        Ok(Stopped { members, killed, left: self::members(&containers) })
    }

    /// Sends a signal to everything that runs there now, and waits for nothing: who was there.
    ///
    /// # Errors
    /// As [`Target::stop`].
    pub fn signal(&self, signal: Signal) -> Result<Vec<Member>> {
        let containers = containers_of(self.owner, self.run.as_deref())?;
        let members = members(&containers);
        containers.iter().for_each(|container| container.signal(signal));
        Ok(members)
    }
}

/// Those who live in these containers.
pub(super) fn members(containers: &[Container]) -> Vec<Member> {
    let mut clock = Clock::new();
    let pids = containers.iter().flat_map(Container::members);
    pids.filter_map(|pid| clock.member(pid.get())).collect()
}

/// Climbs the ladder until all of them are empty: whether it came to the kill.
pub(super) fn climb(containers: &[Container], rule: StopRule) -> bool {
    let act = |act: Act| match act {
        Act::Signal(signal) => containers.iter().for_each(|container| container.signal(signal)),
        Act::Kill => containers.iter().for_each(Container::kill),
    };
    let (mut ladder, first) = Ladder::begin(rule, Instant::now());
    act(first);
    let mut give_up = ladder.has_killed().then(|| Instant::now() + DEATH);
    loop {
        let full: Vec<&Container> = containers.iter().filter(|container| !container.is_empty()).collect();
        let now = Instant::now();
        if full.is_empty() || give_up.is_some_and(|at| at <= now) {
            return ladder.has_killed();
        }
        if let Some(due) = ladder.step(now) {
            act(due);
            give_up = Some(now + DEATH);
            continue;
        }
        let waitables: Vec<_> = full.iter().filter_map(|container| container.waitable()).collect();
        // Its owner may remove a cgroup the moment that it is empty, and then nothing tells us so: see GOTCHAS.md.
        let look = now + if waitables.len() < full.len() { LOOK } else { LATER_LOOK };
        let deadline = Some(ladder.deadline().or(give_up).map_or(look, |at| at.min(look)));
        if poll::wait(&waitables, deadline).is_err() {
            return ladder.has_killed();
        }
    }
}
