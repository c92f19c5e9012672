//! Several commands in one container, which is signalled, suspended, measured and stopped as one.

#[cfg(all(feature = "tokio", unix))]
mod asynchronous;
mod builder;
mod events;
mod members;
mod scope;
mod stats;
mod stopping;

pub use builder::GroupBuilder;
pub use events::{GroupEvent, GroupEvents};
pub use members::{MemberInfo, ProcessState};
pub use stats::{GroupStats, Pressure};
pub use stopping::{Emptying, StopReport, Stopping};

use crate::cancel::CancelToken;
use crate::command::Command;
use crate::containment::{self, Nest, Refusal};
use crate::drive::block;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::Limits;
use crate::listener::Listener;
use crate::machine::Machine;
use crate::observe::Observer;
use crate::outcome::{Guarantee, LimitsHit, Mechanism};
use crate::retry::RetryIf;
use crate::runner::{Host, Runner};
use crate::running::Running;
use crate::settings::StopRule;
use pinfold_os::handle::Pid;
use pinfold_os::signal::Signal;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A container that several commands share.
///
/// It is a [`Runner`], so every verb works in it; each run has its own handle, its own end and its own strays, as anywhere
/// else. On cgroup v2 the group is a directory in which each run has one of its own; on the other mechanisms it is the set
/// of the containers of its runs, and reaches what those reach: [`ProcessGroup::mechanism`] tells. Clones are the same
/// group. Dropping the last of them kills all of it and returns when that is gone, as the end of the process does.
///
/// ```
/// use pinfold::{Command, ProcessGroup, Runner};
///
/// let group = ProcessGroup::new()?;
/// let server = group.start(&Command::new("sleep").arg("1000"))?;
/// let client = group.start(&Command::new("sleep").arg("1000"))?;
/// assert_eq!(group.members().len(), 2);
/// let report = group.stop()?;
/// assert_eq!((report.members_before, report.members_after), (2, 0));
/// assert_eq!(server.wait()?.cause, pinfold::Cause::Stopped);
/// # pinfold::Result::Ok(())
/// ```
#[derive(Clone, Debug)]
pub struct ProcessGroup(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    nest: Arc<Nest>,
    host: Host,
    stop: StopRule,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.nest.end();
    }
}

impl Runner for ProcessGroup {
    /// Starts it in the group. That is refused while the group is suspended or being stopped.
    fn launch(&self, command: &Command) -> Result<Running> {
        self.0.host.launch(command)
    }

    /// Starts them in a group of their own inside of this one.
    fn launch_piped(&self, stages: &[Command], whole: &Command) -> Result<Running> {
        self.0.host.launch_piped(stages, whole)
    }

    fn listener(&self) -> Option<&Listener> {
        self.0.host.listener()
    }

    fn cancel_token(&self) -> Option<&CancelToken> {
        self.0.host.cancel_token()
    }

    fn observer(&self) -> Option<&Observer> {
        self.0.host.observer()
    }

    fn retries(&self) -> Option<&RetryIf> {
        self.0.host.retries()
    }
}

/// What a group is called in errors.
fn named() -> Command {
    Command::new("process group")
}

fn error(kind: ErrorKind, what: impl Into<String>) -> Error {
    named().error(kind, what)
}

fn refused(refusal: Refusal) -> Error {
    refusal.into_error(&named())
}

fn unwaitable(failure: io::Error) -> Error {
    named().unwaitable(failure)
}

impl ProcessGroup {
    /// An empty group in the best container that this host offers.
    ///
    /// # Errors
    /// [`ErrorKind::ResourceLimit`] where something has run out.
    pub fn new() -> Result<ProcessGroup> {
        ProcessGroup::builder().make()
    }

    /// A group that is still to be made, with limits and the like.
    pub fn builder() -> GroupBuilder {
        GroupBuilder::default()
    }

    /// A group inside this one: whatever is done to this one is done to that as well, and it ends with this one.
    ///
    /// # Errors
    /// As [`ProcessGroup::new`].
    pub fn group(&self) -> Result<ProcessGroup> {
        ProcessGroup::builder().make_in(self)
    }

    /// What holds the group together.
    pub fn mechanism(&self) -> Mechanism {
        self.0.nest.mechanism()
    }

    /// What that is good for.
    pub fn guarantee(&self) -> Guarantee {
        containment::guarantee(self.mechanism())
    }

    /// The processes in it, those of nested groups included.
    pub fn members(&self) -> Vec<Pid> {
        self.0.nest.members()
    }

    /// Whether no process lives in it.
    pub fn is_empty(&self) -> bool {
        self.0.nest.is_empty()
    }

    /// Sends a signal to all of it.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`] if none of it may be signalled.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        named().acted("signalled", self.0.nest.signal(signal))
    }

    /// Stops all of it from running: by the cgroup freezer, which no process notices; on other mechanisms by `SIGSTOP`,
    /// which parents do. Until it is resumed nothing can be started in it: what is born frozen could not tell that it came
    /// up, and would hold up whoever starts it.
    ///
    /// # Errors
    /// As [`ProcessGroup::signal`].
    pub fn suspend(&self) -> Result<()> {
        named().acted("suspended", self.0.nest.suspend(true))
    }

    /// Lets it run again after [`ProcessGroup::suspend`].
    ///
    /// # Errors
    /// As [`ProcessGroup::signal`].
    pub fn resume(&self) -> Result<()> {
        named().acted("resumed", self.0.nest.suspend(false))
    }

    /// Whether it is suspended.
    pub fn is_suspended(&self) -> bool {
        self.0.nest.is_suspended()
    }

    /// Kills all of it and waits until it is gone: when this returns, the kernel says that the group is empty. Until then
    /// nothing can be started in it. The group can be used again.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if it cannot be killed or waited for.
    pub fn kill_all(&self) -> Result<StopReport> {
        self.stop_by(StopRule::KILL)
    }

    /// Stops all of it by the group's stop rule, and waits until it is gone. A run of it that is stopped so ends as any
    /// that is stopped.
    ///
    /// # Errors
    /// As [`ProcessGroup::kill_all`].
    pub fn stop(&self) -> Result<StopReport> {
        self.stop_by(self.0.stop)
    }

    /// [`ProcessGroup::stop`] by another rule.
    ///
    /// # Errors
    /// As there.
    pub fn stop_by(&self, rule: StopRule) -> Result<StopReport> {
        drive(&mut self.stopping(rule)?, None)?
            .ok_or_else(|| error(ErrorKind::Io, "has not ended, though waiting has"))
    }

    /// Waits until no process lives in it. It does not read what its runs write: one that writes more than a pipe holds
    /// waits for whoever reads its handle.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if it cannot be waited for.
    pub fn wait(&self) -> Result<()> {
        drive(&mut self.emptying()?, None).map(drop)
    }

    /// [`ProcessGroup::wait`] for this long at most: whether it is empty.
    ///
    /// # Errors
    /// As there.
    pub fn wait_timeout(&self, timeout: Duration) -> Result<bool> {
        let deadline = Instant::now().checked_add(timeout);
        Ok(drive(&mut self.emptying()?, deadline)?.is_some())
    }

    /// [`ProcessGroup::stop_by`] as a machine, for whoever drives machines in a way of their own.
    ///
    /// # Errors
    /// As there.
    pub fn stopping(&self, rule: StopRule) -> Result<Stopping> {
        Stopping::begin(self.0.nest.clone(), rule, Instant::now()).map_err(unwaitable)
    }

    /// [`ProcessGroup::wait`] as a machine.
    ///
    /// # Errors
    /// As there.
    pub fn emptying(&self) -> Result<Emptying> {
        Emptying::new(self.0.nest.clone()).map_err(unwaitable)
    }

    /// Kills all of it for good, as dropping its last clone does, and returns when it is gone: from here on everything that
    /// is to be started in it is refused.
    pub fn end(&self) {
        self.0.nest.end();
    }

    /// What it uses and has used.
    pub fn stats(&self) -> GroupStats {
        stats::read(&self.0.nest)
    }

    /// Each of its processes as `/proc` tells it; who ends meanwhile is left out.
    pub fn members_info(&self) -> Vec<MemberInfo> {
        members::describe(&self.members())
    }

    /// Which of its limits it has run into so far.
    pub fn limits_hit(&self) -> LimitsHit {
        self.0.nest.counters().hit
    }

    /// Changes its limits to these: what is not named has no limit of ours any more.
    ///
    /// # Errors
    /// As for limits at the start; [`ErrorKind::Unsupported`] for a memory limit if the group began without one and has
    /// been used, since what it took before is not counted.
    pub fn set_limits(&self, limits: &Limits) -> Result<()> {
        if let Some((what, instead)) = limits.contradiction() {
            return Err(error(ErrorKind::InvalidInput, what).hint(instead));
        }
        self.0.nest.set_limits(limits).map_err(refused)
    }

    /// Takes in a process that others have started: from here on it is a member, and what it starts from here on too. What
    /// it has started before stays where it is.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where the group is no cgroup, or for this very process; [`ErrorKind::NotFound`],
    /// [`ErrorKind::PermissionDenied`].
    pub fn adopt(&self, pid: Pid) -> Result<()> {
        self.0.nest.adopt(pid).map_err(refused)
    }
}

impl Host {
    /// Has every run of this host be in a group, for as long as that is there: the group is not kept by it. So a run in a
    /// group can have a token or a listener of its own.
    ///
    /// ```
    /// use pinfold::{CancelToken, Command, ErrorKind, Host, ProcessGroup, Runner};
    ///
    /// let (group, token) = (ProcessGroup::new()?, CancelToken::new());
    /// let host = Host::new().cancel_on(&token).in_group(&group);
    /// let one = host.start(&Command::new("sleep").arg("1000"))?;
    /// assert_eq!(group.members(), [one.pid()]);
    /// token.cancel();
    /// assert_eq!(one.wait()?.cause, pinfold::Cause::Cancelled);
    /// group.end();
    /// assert_eq!(Host::new().in_group(&group).run(&Command::new("true")).unwrap_err().kind(), ErrorKind::Unsupported);
    /// # pinfold::Result::Ok(())
    /// ```
    #[must_use]
    pub fn in_group(self, group: &ProcessGroup) -> Host {
        self.within(group.0.nest.clone(), group.0.host.sandbox().cloned())
    }
}

fn drive<M: Machine>(machine: &mut M, deadline: Option<Instant>) -> Result<Option<M::Answer>> {
    block::until(machine, deadline).map_err(unwaitable)
}
