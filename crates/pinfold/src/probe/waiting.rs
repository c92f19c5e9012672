//! Waiting for a probe, by itself or beside the run that it is of, until a time.

use super::Probe;
use super::check::{Check, Of};
use crate::command::Command;
use crate::error::{Error, ErrorKind, Result};
use crate::machine::{Interest, Machine};
use crate::running::Running;
use crate::verbs;
use std::ffi::OsStr;
use std::io;
use std::time::{Duration, Instant};

/// A wait for a [`Probe`], as a machine.
///
/// Beside a run ([`Waiting::advance_beside`]) it is advanced whenever the run is, reads along with it and ends with it.
///
/// ```
/// use pinfold::{Command, Host, Machine, Probe, Runner};
/// use std::time::{Duration, Instant};
///
/// let command = Command::new("sh").args(["-c", "printf 'name: '; sleep 60"]);
/// let mut run = Host::new().launch(&command)?;
/// let mut prompt = Probe::prompt(|text| text.ends_with(": ")).waiting(Duration::from_secs(10));
/// loop {
///     let now = Instant::now();
///     run.advance(now);
///     if let Some(answer) = prompt.advance_beside(&mut run, &command, now)? {
///         break answer?;
///     }
///     let (own, other) = (prompt.interest(now), run.interest());
///     let waitables = [own.waitables, other.waitables].concat();
///     pinfold::poll::wait(&waitables, own.deadline.into_iter().chain(other.deadline).min())?;
/// }
/// prompt.close(&mut run);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a wait does nothing until it is driven"]
pub struct Waiting {
    probe: Probe,
    pub(super) check: Check,
    timeout: Duration,
    /// Set when it begins.
    until: Option<Instant>,
    begun: bool,
    over: bool,
    /// The run was over when it was looked at last.
    ended: bool,
}

impl Waiting {
    pub(super) fn new(probe: &Probe, timeout: Duration) -> Waiting {
        let check = Check::new(probe);
        Waiting { probe: probe.clone(), check, timeout, until: None, begun: false, over: false, ended: false }
    }

    /// [`Machine::advance`], for a probe of a run, which is to have been advanced before: its end is the end of the wait.
    ///
    /// The error is [`ErrorKind::NotReady`] then, and has the run's outcome and what is retained of its output.
    ///
    /// # Errors
    /// As those of that.
    pub fn advance_beside(
        &mut self,
        running: &mut Running,
        command: &Command,
        now: Instant,
    ) -> io::Result<Option<Result<()>>> {
        self.ended = running.outcome().is_some();
        self.step_beside(running, command, now, false)
    }

    /// The first of three steps that do what [`Waiting::advance_beside`] does, for a run that is shared: it is locked in the
    /// first and the third, and whoever is asked in the second may use its handles. This one reads what the run wrote: whether
    /// there is something to go on for.
    pub(crate) fn look(&mut self, running: &mut Running, command: &Command) -> bool {
        self.check.collect(running, command);
        self.ended = running.outcome().is_some();
        self.ended || self.check.has_news()
    }

    /// The second step: asks whoever is to be asked.
    pub(crate) fn ask(&mut self, now: Instant) -> io::Result<()> {
        if self.over { Ok(()) } else { self.check.ask(now, self.ended) }
    }

    /// The third step: the answer, by what was read and asked. What the run has done meanwhile is for the next look.
    pub(crate) fn answer(
        &mut self,
        running: &mut Running,
        command: &Command,
        now: Instant,
    ) -> io::Result<Option<Result<()>>> {
        self.step_beside(running, command, now, true)
    }

    fn step_beside(
        &mut self,
        running: &mut Running,
        command: &Command,
        now: Instant,
        asked: bool,
    ) -> io::Result<Option<Result<()>>> {
        let of = Of { running: &mut *running, command, over: self.ended, asked };
        let answer = self.step(now, Some(of))?;
        if answer.is_none() && self.ended {
            self.over = true;
            return Ok(Some(Err(self.died(running, command))));
        }
        Ok(answer)
    }

    /// Lets go of what it has the run keep for it. Whoever drops one that was advanced beside a run before its answer, and
    /// keeps the run, calls this first.
    pub fn close(&mut self, running: &mut Running) {
        self.check.close(running);
    }

    fn step(&mut self, now: Instant, of: Option<Of<'_>>) -> io::Result<Option<Result<()>>> {
        if self.over {
            return Err(io::Error::other("advanced after its answer"));
        }
        if !self.begun {
            self.begun = true;
            self.until = now.checked_add(self.timeout);
            if let Some(refusal) = self.refusal(of.as_ref()) {
                self.over = true;
                return Ok(Some(Err(refusal)));
            }
        }
        let command = of.as_ref().map(|of| of.command);
        if self.check.advance(now, of)? {
            self.over = true;
            return Ok(Some(Ok(())));
        }
        if self.check.is_blind() {
            self.over = true;
            let what = format!("is waited for {}, and its output is not captured", self.probe);
            let error = self.error(ErrorKind::InvalidInput, command, what);
            return Ok(Some(Err(error.hint("leave it at Stdio::Pipe, or wait for a port"))));
        }
        if self.until.is_some_and(|until| until <= now) {
            self.over = true;
            let what = format!("not ready after {:?}: {}", self.timeout, self.reasons());
            return Ok(Some(Err(self.error(ErrorKind::Timeout, command, what).after(Some(self.timeout)))));
        }
        Ok(None)
    }

    fn refusal(&self, of: Option<&Of<'_>>) -> Option<Error> {
        let error = |what: String| self.error(ErrorKind::InvalidInput, of.map(|of| of.command), what);
        if let Some(what) = self.probe.contradiction() {
            return Some(error(format!("{} {what}", self.probe)));
        }
        (of.is_none() && self.probe.is_of_output()).then(|| {
            error(format!("{} is of a run, and none is there", self.probe))
                .hint("wait for it on a handle: wait_until()")
        })
    }

    /// What has not held, and why.
    fn reasons(&self) -> String {
        let reason = self.check.reason();
        // Of several each is named in it.
        if self.probe.is_named_in_reasons() { reason } else { format!("{}: {reason}", self.probe) }
    }

    fn error(&self, kind: ErrorKind, command: Option<&Command>, what: String) -> Error {
        Error::new(kind, command.map_or(OsStr::new(""), Command::program), what)
    }

    /// The run has ended first.
    fn died(&self, running: &Running, command: &Command) -> Error {
        let outcome = running.outcome().map_or_else(|| "ended".to_owned(), ToString::to_string);
        let what = format!("{outcome} before it was ready: {}", self.reasons());
        let error = command.error(ErrorKind::NotReady, what);
        let Some(output) = running.copy_output(command) else { return error };
        let error = match verbs::last_line(&output.stderr) {
            Some(line) => error.hint(format!("it last wrote: {line}")),
            None => error,
        };
        error.with_output(output)
    }
}

impl Machine for Waiting {
    type Answer = Result<()>;

    fn advance(&mut self, now: Instant) -> io::Result<Option<Result<()>>> {
        self.step(now, None)
    }

    fn interest(&self, now: Instant) -> Interest<'_> {
        if self.over {
            return Interest { waitables: Vec::new(), deadline: None };
        }
        if !self.begun {
            return Interest { waitables: Vec::new(), deadline: Some(now) };
        }
        let mut interest = self.check.interest(now);
        interest.deadline = [interest.deadline, self.until].into_iter().flatten().min();
        interest
    }
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waiting")
            .field("probe", &self.probe)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
