//! The live handle of the blocking world: several threads may use it at once, and every question can be asked again.

mod shared;
mod streams;

pub use streams::{Chunks, Events, Lines, StdinWriter};

use crate::command::Command;
use crate::cursor::{ByteCursor, EventCursor, LineCursor};
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::outcome::{Guarantee, LimitsHit, Mechanism, Outcome, Usage};
use crate::output::Output;
use crate::running::Running;
use crate::settings::{StopRule, Stream};
use pinfold_os::handle::Pid;
use pinfold_os::signal::Signal;
use shared::Shared;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A started command.
///
/// The run moves while one of its methods waits: whichever thread waits drives it for all, so that a timeout, a stop
/// and the output of the other stream are dealt with whatever is being waited for. Waiting takes `&self`, and can be
/// done by several threads and repeatedly. Output stays readable after the end, and a stream can be opened at any time:
/// it starts with what is retained. Between calls nobody reads, and a program that writes more than a pipe holds waits;
/// [`Handle::in_background`] changes that.
///
/// Dropping the last clone before the end kills all of the run, and returns when that is done.
///
/// ```
/// use pinfold::Command;
///
/// let server = Command::new("sh").args(["-c", "echo listening; sleep 60"]).start()?;
/// let first = server.stdout_lines()?.next().unwrap()?;
/// assert_eq!(first, "listening");
/// let outcome = server.stop()?;
/// assert_eq!(outcome.cause, pinfold::Cause::Stopped);
/// # pinfold::Result::Ok(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "dropping it ends the run"]
pub struct Handle(Arc<Owner>);

/// What clones of a handle share. The background knows the machine too, but does not keep the run alive.
#[derive(Debug)]
struct Owner(Arc<Shared>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Handle {
    pub(crate) fn new(running: Running, command: &Command) -> Handle {
        Handle(Arc::new(Owner(Arc::new(Shared::new(running, command.clone())))))
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.0.0
    }

    /// Has the run move while no method of its handle waits: its output is read, its timeouts hold and its end is
    /// noticed in time. One thread does so for all handles that ask for it, and ends when the last of them has ended.
    ///
    /// # Errors
    /// [`ErrorKind::ResourceLimit`](crate::ErrorKind::ResourceLimit) if the thread cannot be made.
    pub fn in_background(&self) -> Result<()> {
        self.0.0.clone().leave_to_background().map_err(|error| {
            let kind = crate::error::ErrorKind::ResourceLimit;
            self.shared()
                .command
                .error(kind, format!("cannot be left to the background: {error}"))
                .because(error)
        })
    }

    /// The program's pid. Good for showing: signals go through [`Handle::signal`].
    pub fn pid(&self) -> Pid {
        self.shared().pid
    }

    /// What holds the run together.
    pub fn mechanism(&self) -> Mechanism {
        self.shared().mechanism
    }

    /// What that is good for.
    pub fn guarantee(&self) -> Guarantee {
        self.shared().guarantee
    }

    /// The command that was started.
    pub fn command(&self) -> &Command {
        &self.shared().command
    }

    /// Since the start; for a run that has ended, until its end.
    pub fn elapsed(&self) -> Duration {
        self.shared().visit(|running| running.elapsed())
    }

    /// Waits for the end of all of it.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the descriptors cannot be waited for.
    pub fn wait(&self) -> Result<Outcome> {
        self.shared().drive_to(|running| running.outcome().cloned())
    }

    /// [`Handle::wait`] for this long at most; `None` if it has not ended by then. It is left running.
    ///
    /// # Errors
    /// As [`Handle::wait`].
    pub fn wait_timeout(&self, timeout: Duration) -> Result<Option<Outcome>> {
        self.shared().drive(Instant::now().checked_add(timeout), |running| running.outcome().cloned())
    }

    /// How it ended, if it has; without waiting.
    ///
    /// # Errors
    /// As [`Handle::wait`].
    pub fn try_wait(&self) -> Result<Option<Outcome>> {
        self.shared().drive(Some(Instant::now()), |running| running.outcome().cloned())
    }

    /// Waits for the end and copies what is retained of the output.
    ///
    /// # Errors
    /// As [`Handle::wait`], and if one of its streams failed ([`ErrorKind::Io`](crate::ErrorKind::Io),
    /// [`ErrorKind::ResourceLimit`](crate::ErrorKind::ResourceLimit)): the error has what came. How the run ended is data.
    pub fn output(&self) -> Result<Output> {
        Ok(self.output_bytes()?.into_text(&self.shared().command.encodings))
    }

    /// [`Handle::output`] as bytes.
    ///
    /// # Errors
    /// As there.
    pub fn output_bytes(&self) -> Result<Output<Vec<u8>>> {
        let command = &self.shared().command;
        self.shared().drive_to(|running| {
            let output = running.copy_output(command)?;
            Some(running.unless_failed(output, command))
        })?
    }

    /// [`Handle::output_bytes`] without a copy, where this is the last clone.
    ///
    /// # Errors
    /// As there.
    pub fn into_output(self) -> Result<Output<Vec<u8>>> {
        self.wait()?;
        match Arc::strong_count(&self.0) {
            1 => self.shared().take_output(),
            _ => self.output_bytes(),
        }
    }

    /// Stops all of it by the command's stop rule and waits for the end.
    ///
    /// # Errors
    /// As [`Handle::wait`].
    pub fn stop(&self) -> Result<Outcome> {
        self.stop_by(self.shared().command.stop)
    }

    /// [`Handle::stop`] by another rule.
    ///
    /// # Errors
    /// As [`Handle::wait`].
    pub fn stop_by(&self, rule: StopRule) -> Result<Outcome> {
        self.shared().visit(|running| running.stop(rule, Instant::now()));
        self.wait()
    }

    /// Kills all of it and waits until it is gone.
    ///
    /// # Errors
    /// As [`Handle::wait`].
    pub fn kill(&self) -> Result<Outcome> {
        self.stop_by(StopRule::KILL)
    }

    /// Sends a signal to the program.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if it has ended, [`ErrorKind::PermissionDenied`](crate::ErrorKind::PermissionDenied) if it has become another user.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.act("signalled", |running| running.signal(signal))
    }

    /// Sends a signal to every process of the run.
    ///
    /// # Errors
    /// As [`Handle::signal`].
    pub fn signal_all(&self, signal: Signal) -> Result<()> {
        self.act("signalled", |running| running.signal_all(signal))
    }

    /// Stops every process of the run from running: by the cgroup freezer, where there is none by `SIGSTOP`.
    ///
    /// # Errors
    /// As [`Handle::signal`].
    pub fn suspend(&self) -> Result<()> {
        self.act("suspended", Running::suspend)
    }

    /// Lets it run again.
    ///
    /// # Errors
    /// As [`Handle::signal`].
    pub fn resume(&self) -> Result<()> {
        self.act("resumed", Running::resume)
    }

    fn act(&self, what: &str, act: impl FnOnce(&Running) -> io::Result<()>) -> Result<()> {
        let acted = self.shared().check().and_then(|()| {
            self.shared().visit(|running| {
                running.catch_up(Instant::now());
                act(running)
            })
        });
        self.shared().command.acted(what, acted)
    }

    /// The processes of the run.
    pub fn members(&self) -> Vec<Pid> {
        self.shared().visit(|running| running.members())
    }

    /// What it has used so far.
    pub fn usage(&self) -> Usage {
        self.shared().visit(|running| running.usage())
    }

    /// Which of its limits it has run into so far.
    pub fn limits_hit(&self) -> LimitsHit {
        self.shared().visit(|running| running.limits_hit())
    }

    /// Changes its limits to these, while it runs: what is not named has no limit of ours any more.
    ///
    /// # Errors
    /// As for limits at the start; [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for a memory limit if it was
    /// started without one, since what it took before is not counted.
    pub fn set_limits(&self, limits: &Limits) -> Result<()> {
        self.shared().visit(|running| running.change_limits(&self.shared().command, limits))
    }

    /// Bytes and lines seen on a stream so far; `None` if it is not captured.
    pub fn seen(&self, stream: Stream) -> Option<crate::outcome::Seen> {
        self.shared().visit(|running| running.seen(stream))
    }

    /// The lines of standard output, from the first that is retained.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) if it is not captured.
    pub fn stdout_lines(&self) -> Result<Lines> {
        self.lines(Stream::Stdout)
    }

    /// The lines of standard error, from the first that is retained.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) if it is not captured.
    pub fn stderr_lines(&self) -> Result<Lines> {
        self.lines(Stream::Stderr)
    }

    /// The lines of a stream, from the first that is retained.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) if it is not captured.
    pub fn lines(&self, stream: Stream) -> Result<Lines> {
        let cursor = self.shared().visit(|running| LineCursor::open(running, stream, &self.shared().command));
        Ok(Lines::new(self.clone(), cursor.ok_or_else(|| self.not_captured(stream))?))
    }

    /// The bytes of a stream as they come, from the first that is retained.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) if it is not captured.
    pub fn chunks(&self, stream: Stream) -> Result<Chunks> {
        let cursor = self.shared().visit(|running| ByteCursor::open(running, stream));
        Ok(Chunks::new(self.clone(), cursor.ok_or_else(|| self.not_captured(stream))?))
    }

    /// Everything that happens, from the start to the end: lines of both streams among it, in the order in which they were read.
    /// That is also the order of what came before this was called, as far as it is retained.
    pub fn events(&self) -> Events {
        Events::new(
            self.clone(),
            self.shared().visit(|running| EventCursor::open(running, &self.shared().command)),
        )
    }

    /// The program's standard input, for a command that keeps it open. It ends by [`StdinWriter::close`], and not when the writer is dropped.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) if the command does not say [`Command::keep_stdin_open`].
    pub fn stdin(&self) -> Result<StdinWriter> {
        self.shared().command.must_keep_stdin_open()?;
        Ok(StdinWriter::new(self.clone()))
    }

    fn not_captured(&self, stream: Stream) -> Error {
        self.shared().command.not_captured(stream)
    }
}

impl IntoIterator for &Handle {
    type Item = Result<String>;
    type IntoIter = Lines;

    /// The lines of standard output; none if it is not captured.
    fn into_iter(self) -> Lines {
        self.stdout_lines().unwrap_or_else(|_| Lines::none(self.clone()))
    }
}
