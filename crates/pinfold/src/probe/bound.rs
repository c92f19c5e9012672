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
        loop {
            let deadline = waiting.interest(Instant::now()).deadline;
            // One look each time that the run is looked at, until there is an answer or something else to wait for.
            let looked = self.shared().drive_beside(deadline, set.as_ref(), |running| {
                let now = Instant::now();
                if let Some(answer) = waiting.advance_beside(running, command, now).transpose() {
                    return Some(Some(answer));
                }
                let interest = waiting.interest(now);
                match &set {
                    Some(set) => {
                        if let Err(error) = set.update(&interest.waitables) {
                            return Some(Some(Err(error)));
                        }
                    }
                    // What reads along with the run needs no descriptors of its own.
                    None if interest.waitables.is_empty() => {}
                    None => return Some(None),
                }
                (interest.deadline != deadline).then_some(None)
            })?;
            if let Some(Some(answer)) = looked {
                return answer.map_err(failed)?;
            }
            if set.is_none() {
                let fresh = Set::new().map_err(failed)?;
                fresh.update(&waiting.interest(Instant::now()).waitables).map_err(failed)?;
                set = Some(Arc::new(fresh));
            }
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
        let looked = self.drive_beside(&own, |running, now| {
            Ok(match waiting.advance_beside(running, command, now)? {
                Some(answer) => ControlFlow::Break(answer),
                None => ControlFlow::Continue(own.update(&waiting.interest(now))?),
            })
        });
        looked.await?
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
