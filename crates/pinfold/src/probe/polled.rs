//! Waiting for a probe on the polled handle.

use super::Probe;
use super::waiting::Waiting;
use crate::error::Result;
use crate::machine::Machine;
use crate::polled::{PolledHandle, Watch};
use std::time::{Duration, Instant};

/// A wait for a [`Probe`] of a run, or of the world while the run goes on, asked for until it is over.
///
/// Conditions ([`Probe::holds`], [`Probe::line`]) may use the run's handles while they are asked.
#[derive(Debug)]
pub struct PolledWaiting {
    run: PolledHandle,
    watch: Watch,
    waiting: Waiting,
}

impl PolledHandle {
    /// [`Handle::wait_until`](crate::Handle::wait_until), polled.
    ///
    /// ```
    /// use pinfold::{Command, Host, PolledHandle, Probe, Runner};
    /// use std::time::Duration;
    ///
    /// let command = Command::new("sh").args(["-c", "echo ready; sleep 60"]);
    /// let run = PolledHandle::new(Host::new().launch(&command)?, command);
    /// let same = run.clone();
    /// let seen = Probe::holds(move || same.seen(pinfold::Stream::Stdout).is_some_and(|seen| seen.lines == 1));
    /// let mut waiting = run.wait_until(&seen, Duration::from_secs(10))?;
    /// while waiting.advance()?.is_none() {
    ///     pinfold::poll::wait(&[waiting.watch().waitable()], waiting.watch().deadline())?;
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`PolledHandle::watch`].
    pub fn wait_until(&self, probe: &Probe, timeout: Duration) -> Result<PolledWaiting> {
        Ok(PolledWaiting { run: self.clone(), watch: self.watch()?, waiting: probe.waiting(timeout) })
    }
}

impl PolledWaiting {
    /// Whether it holds by now; not to be asked again after an answer.
    ///
    /// # Errors
    /// As [`Handle::wait_until`](crate::Handle::wait_until).
    pub fn advance(&mut self) -> Result<Option<()>> {
        let PolledWaiting { run, watch, waiting } = self;
        let command = run.command();
        run.moved(watch, |running| waiting.look(running, command))?;
        let now = Instant::now();
        waiting.ask(now).map_err(|error| run.unwaitable(error))?;
        let answer = run.looked_at(|running| {
            let answer = waiting.answer(running, command, now);
            if !matches!(answer, Ok(None)) {
                waiting.close(running);
            }
            answer
        });
        match answer.map_err(|error| run.unwaitable(error))? {
            Some(answer) => answer.map(Some),
            None => {
                run.watch_beside(watch, waiting.interest(now))?;
                Ok(None)
            }
        }
    }

    /// What to wait for before it is asked again.
    pub fn watch(&self) -> &Watch {
        &self.watch
    }
}

impl Drop for PolledWaiting {
    fn drop(&mut self) {
        let waiting = &mut self.waiting;
        self.run.closed(|running| waiting.close(running));
    }
}
