//! A group that is still to be made.

use super::{Inner, ProcessGroup, error, refused};
use crate::containment::{Demand, Nest};
use crate::error::{ErrorKind, Result};
use crate::limits::Limits;
use crate::outcome::Guarantee;
use crate::runner::Host;
use crate::sandbox::Sandbox;
use crate::settings::{Containment, Isolation, StopRule};
use std::sync::Arc;

/// What a [`ProcessGroup`] is to be.
///
/// ```
/// use pinfold::{Command, Guarantee, ProcessGroup, Runner, StopRule};
///
/// let group = ProcessGroup::builder().require(Guarantee::BestEffort).stop_rule(StopRule::KILL).make()?;
/// assert_eq!(group.run(&Command::new("echo").arg("inside"))?, "inside");
/// # pinfold::Result::Ok(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a group is made by make()"]
pub struct GroupBuilder {
    containment: Containment,
    limits: Limits,
    stop: StopRule,
    sandbox: Option<Sandbox>,
    host: Host,
}

impl GroupBuilder {
    /// What all of the group may use together; each of its runs may have limits of its own below that.
    pub fn limits(mut self, limits: Limits) -> GroupBuilder {
        self.limits = limits;
        self
    }

    /// What every command of it is shut off from, those of nested groups too. A command, or a nested group, that has a
    /// sandbox of its own is refused in it.
    pub fn sandbox(mut self, sandbox: Sandbox) -> GroupBuilder {
        self.sandbox = Some(sandbox);
        self
    }

    /// Which container it gets. Commands in it leave theirs at [`Isolation::Best`], or name the same.
    pub fn isolation(mut self, isolation: Isolation) -> GroupBuilder {
        self.containment.isolation = isolation;
        self
    }

    /// Refuses to make it with a guarantee that is less.
    pub fn require(mut self, guarantee: Guarantee) -> GroupBuilder {
        self.containment.require = Some(guarantee);
        self
    }

    /// How [`ProcessGroup::stop`] stops it.
    pub fn stop_rule(mut self, rule: StopRule) -> GroupBuilder {
        self.stop = rule;
        self
    }

    /// What its runs are given beside their commands: a token, listeners, a signal mask.
    pub fn host(mut self, host: Host) -> GroupBuilder {
        self.host = host;
        self
    }

    /// Makes it.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if this host cannot hold it together or limit it as asked, [`ErrorKind::ResourceLimit`] where
    /// something has run out.
    pub fn make(self) -> Result<ProcessGroup> {
        self.build(None)
    }

    /// Makes it inside another one, in a container of the same kind.
    ///
    /// # Errors
    /// As [`GroupBuilder::make`].
    pub fn make_in(self, outer: &ProcessGroup) -> Result<ProcessGroup> {
        self.build(Some(outer))
    }

    fn build(self, outer: Option<&ProcessGroup>) -> Result<ProcessGroup> {
        if let Some((what, instead)) = self.limits.contradiction() {
            return Err(error(ErrorKind::InvalidInput, what).hint(instead));
        }
        if self.limits.enforcement != Default::default() {
            let what = "limits of each process are those of a command, not of a group";
            return Err(error(ErrorKind::InvalidInput, what).hint("give them to each command"));
        }
        let outer_sandbox = outer.and_then(|outer| outer.0.host.sandbox().cloned());
        if outer_sandbox.is_some() && self.sandbox.is_some() {
            let what = "has a sandbox of its own, and the group around it has one for all in it";
            return Err(error(ErrorKind::InvalidInput, what).hint("leave the sandbox to the outer group"));
        }
        let sandbox = self.sandbox.map(Arc::new).or(outer_sandbox);
        let outer = outer.map(|outer| &outer.0.nest);
        let take_over = self.host.takes_over();
        let demand = Demand { limits: Some(&self.limits), group: outer, take_over, ..Demand::default() };
        let nest = Nest::make(self.containment, demand).map_err(refused)?;
        let (host, stop) = (self.host.within(nest.clone(), sandbox), self.stop);
        Ok(ProcessGroup(Arc::new(Inner { nest, host, stop })))
    }
}
