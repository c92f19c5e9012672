//! Acting on a run, and asking how it does.

use super::{Progress, Running};
use crate::cancel::CancelToken;
use crate::command::Command;
use crate::error::{ErrorKind, Result};
use crate::limits::Limits;
use crate::outcome::{LimitsHit, Usage};
use crate::settings::StopRule;
use pinfold_os::handle::Pid;
use pinfold_os::signal::Signal;
use std::io;
use std::time::{Duration, Instant};

/// How long the kernel may take over what it was told to kill before the end of a handle goes on without it.
const KILL_TAKES: Duration = Duration::from_secs(2);

impl Running {
    /// Sends a signal to the program itself.
    ///
    /// # Errors
    /// `ESRCH` if it has ended; `EPERM` if it has become another user.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        self.maker.check()?;
        self.source.signal(signal)
    }

    /// Sends a signal to every process of the run.
    ///
    /// # Errors
    /// `ESRCH` if the run has ended.
    pub fn signal_all(&self, signal: Signal) -> io::Result<()> {
        self.maker.check()?;
        self.source.signal_all(signal)
    }

    /// Stops all of it from running: by the cgroup freezer, or where there is none by `SIGSTOP` to the group.
    ///
    /// # Errors
    /// If the run has ended.
    pub fn suspend(&self) -> io::Result<()> {
        self.maker.check()?;
        self.source.freeze(true)
    }

    /// Lets it run again after [`Running::suspend`].
    ///
    /// # Errors
    /// If the run has ended.
    pub fn resume(&self) -> io::Result<()> {
        self.maker.check()?;
        self.source.freeze(false)
    }

    /// The processes of the run, as far as they are in its container.
    pub fn members(&self) -> Vec<Pid> {
        self.source.members()
    }

    /// What it has used so far.
    pub fn usage(&self) -> Usage {
        self.outcome.as_ref().map_or_else(|| self.source.usage(), |outcome| outcome.usage)
    }

    /// Which of its limits it has run into so far.
    pub fn limits_hit(&self) -> LimitsHit {
        self.outcome.as_ref().map_or_else(|| self.source.limits_hit(), |outcome| outcome.limits_hit)
    }

    /// Changes its limits to these, for the command that it was made of.
    pub(crate) fn change_limits(&self, command: &Command, limits: &Limits) -> Result<()> {
        let refuse = |kind, what: String, hint: &str| Err(command.error(kind, what).hint(hint));
        if let Some((what, hint)) = limits.contradiction() {
            return refuse(ErrorKind::InvalidInput, what, hint);
        }
        if self.outcome.is_some() {
            let what = "its limits cannot be changed: the run has ended";
            return refuse(ErrorKind::NotFound, what.to_owned(), "set them before the end");
        }
        self.maker.check().map_err(|error| command.failed_at("limited", error))?;
        self.source.set_limits(limits).map_err(|refusal| refusal.into_error(command))
    }

    /// Changes its limits to these: what is not named has no limit of ours any more.
    ///
    /// # Errors
    /// As [`Handle::set_limits`](crate::Handle::set_limits); they name the program by its pid.
    pub fn set_limits(&self, limits: &Limits) -> Result<()> {
        self.change_limits(&Command::new(format!("process {}", self.pid())), limits)
    }

    /// Whether the program was stopped by a job control signal since this was last asked, and by which.
    pub fn take_stop(&self) -> Option<Signal> {
        self.maker.is_here().then(|| self.source.take_stop()).flatten()
    }

    /// Ties it to this token, which can be waited for, instead of the one that it has.
    pub(crate) fn cancel_on(&mut self, token: &CancelToken) {
        self.cancel = Some(token.clone());
    }

    /// Kills all of it and waits until it is gone, if it has not ended yet. In a forked child, whose it is not, it does nothing.
    pub(crate) fn end(&mut self) {
        if self.outcome.is_some() || !self.maker.is_here() {
            return;
        }
        let deadline = Instant::now() + KILL_TAKES;
        for channel in &mut self.channels {
            channel.close();
        }
        self.feed.close();
        self.cancel = None;
        self.ladder = None;
        self.stop(StopRule::KILL, Instant::now());
        while self.advance(Instant::now()) == Progress::Pending && Instant::now() < deadline {
            let interest = self.interest();
            let until = interest.deadline.map_or(deadline, |other| other.min(deadline));
            if pinfold_os::poll::wait(&interest.waitables, Some(until)).is_err() {
                return;
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}
