//! Waiting for a probe on the live handles.

use super::Probe;
use super::waiting::Waiting;
#[cfg(all(feature = "tokio", unix))]
use crate::async_handle::AsyncHandle;
#[cfg(all(feature = "tokio", unix))]
use crate::drive::tokio::{self, failed};
use crate::error::Result;
use crate::handle::Handle;
use crate::machine::Machine;
use pinfold_os::poll::Set;
#[cfg(all(feature = "tokio", unix))]
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

impl Handle {
    /// Waits until a probe holds of this run, or of the world while it runs. The run is left alone whatever comes of it.
    /// Conditions ([`Probe::holds`], [`Probe::line`]) may use the run's handles while they are asked.
    ///
    /// ```
    /// use pinfold::{Command, ErrorKind, Probe};
    /// use std::time::Duration;
    ///
    /// let server = Command::new("sh").args(["-c", "echo no space left >&2; exit 3"]).start()?;
    /// let error = server.wait_until(&Probe::tcp("127.0.0.1", 1), Duration::from_secs(60)).unwrap_err();
    /// assert_eq!((error.kind(), error.code()), (ErrorKind::NotReady, Some(3)));
    /// assert!(error.to_string().ends_with("it last wrote: no space left"));
    /// # pinfold::Result::Ok(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout), with the reason of the last failure;
    /// [`ErrorKind::NotReady`](crate::ErrorKind::NotReady) as soon as the run has ended, with its outcome and output;
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) if it is about output that is not captured;
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the descriptors cannot be waited for.
    pub fn wait_until(&self, probe: &Probe, timeout: Duration) -> Result<()> {
        let mut waiting = probe.waiting(timeout);
        let answer = self.wait_beside(&mut waiting);
        self.shared().visit(|running| waiting.close(running));
        answer
    }

    fn wait_beside(&self, waiting: &mut Waiting) -> Result<()> {
        let command = self.command();
        let failed = |error: std::io::Error| {
            let kind = crate::error::ErrorKind::Io;
            command.error(kind, format!("cannot be waited for: {error}")).because(error)
        };
        let mut set: Option<Arc<Set>> = None;
        // The first look is for what is there already.
        let mut deadline = Some(Instant::now());
        loop {
            // Where it cannot be told whether something is ready, asking for it tells.
            let ready = || set.as_ref().is_some_and(|set| set.is_ready().unwrap_or(true));
            self.shared().drive_beside(deadline, set.as_ref(), |running| {
                (waiting.look(running, command) || ready()).then_some(())
            })?;
            let now = Instant::now();
            waiting.ask(now).map_err(failed)?;
            let answer = self.shared().visit(|running| waiting.answer(running, command, now));
            if let Some(answer) = answer.map_err(failed)? {
                return answer;
            }
            let interest = waiting.interest(now);
            // What reads along with the run needs no descriptors of its own.
            if set.is_none() && !interest.waitables.is_empty() {
                set = Some(Arc::new(Set::new().map_err(failed)?));
            }
            if let Some(set) = &set {
                set.update(&interest.waitables).map_err(failed)?;
            }
            deadline = interest.deadline;
        }
    }
}

#[cfg(all(feature = "tokio", unix))]
impl AsyncHandle {
    /// [`Handle::wait_until`], awaited. The future can be dropped at any point, and nothing is lost by it.
    ///
    /// # Errors
    /// As those of that.
    pub async fn wait_until(&self, probe: &Probe, timeout: Duration) -> Result<()> {
        let command = self.command();
        let own = tokio::Watch::new().map_err(|error| failed(command, error))?;
        let mut beside = Beside { handle: self, waiting: probe.waiting(timeout) };
        let waiting = &mut beside.waiting;
        let failed = |error| failed(command, error);
        // The first look is for what is there already.
        let mut deadline = Some(Instant::now());
        loop {
            let looked = self.drive_beside(&own, |running, now| {
                let due = deadline.is_some_and(|deadline| deadline <= now);
                let goes_on = waiting.look(running, command) || due || own.is_ready()?;
                Ok(if goes_on { ControlFlow::Break(()) } else { ControlFlow::Continue(deadline) })
            });
            looked.await?;
            let now = Instant::now();
            waiting.ask(now).map_err(failed)?;
            let answer = self.visit(|running| waiting.answer(running, command, now));
            if let Some(answer) = answer.map_err(failed)? {
                return answer;
            }
            deadline = own.update(&waiting.interest(now)).map_err(failed)?;
        }
    }
}

/// Has the wait let go of the run, however its future ends.
#[cfg(all(feature = "tokio", unix))]
struct Beside<'a> {
    handle: &'a AsyncHandle,
    waiting: Waiting,
}

#[cfg(all(feature = "tokio", unix))]
impl Drop for Beside<'_> {
    fn drop(&mut self) {
        self.handle.visit(|running| self.waiting.close(running));
    }
}
