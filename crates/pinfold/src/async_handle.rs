//! The live handle of the async world, on tokio: the names are those of [`Handle`](crate::Handle), awaited.

mod streams;

pub use streams::{AsyncChunks, AsyncEvents, AsyncLines, AsyncStdinWriter, AsyncStream};

use crate::command::Command;
use crate::cursor::{ByteCursor, EventCursor, LineCursor};
use crate::drive::tokio::{Watch, either, failed};
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::outcome::{Guarantee, LimitsHit, Mechanism, Outcome, Seen, Usage};
use crate::output::Output;
use crate::running::Running;
use crate::settings::{StopRule, Stream};
use pinfold_os::handle::Pid;
use pinfold_os::signal::Signal;
use std::io;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// A started command, in a tokio runtime.
///
/// The run moves while one of its futures is awaited. Futures can be dropped at any point, and nothing is lost by it.
/// Several tasks may await at once, on clones.
///
/// Dropping the last clone before the end kills all of the run and blocks until that is done: a millisecond or so.
///
/// ```
/// use pinfold::Command;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let server = Command::new("sh").args(["-c", "echo listening; sleep 60"]).start_async()?;
/// let first = server.stdout_lines()?.next().await.unwrap()?;
/// assert_eq!(first, "listening");
/// let outcome = server.stop().await?;
/// assert_eq!(outcome.cause, pinfold::Cause::Stopped);
/// # pinfold::Result::Ok(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
#[must_use = "dropping it ends the run"]
pub struct AsyncHandle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    command: Command,
    pid: Pid,
    mechanism: Mechanism,
    guarantee: Guarantee,
    running: Mutex<Running>,
    watch: Watch,
    moved: Notify,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the machine that takes no waiting, and has everyone look again.
    fn visit<T>(&self, act: impl FnOnce(&mut Running) -> T) -> T {
        let answer = act(&mut self.lock());
        self.moved.notify_waiters();
        answer
    }

    /// What is said where a stream ended before its time.
    fn stream_error(&self) -> Error {
        self.lock().stream_error(&self.command.program)
    }

    /// Drives the machine until `ready` says what was waited for.
    async fn drive<T>(&self, mut ready: impl FnMut(&mut Running) -> Option<T>) -> Result<T> {
        // As the blocking handle does: nothing more is read while there is something to hand out.
        if let Some(answer) = ready(&mut self.lock()) {
            return Ok(answer);
        }
        loop {
            // Before the look, so that nothing that happens after it is missed.
            let told = self.moved.notified();
            let deadline = {
                let mut running = self.lock();
                let before = running.revision();
                // What is there already comes first: reading on before it is taken would let it pile up without end.
                let mut answer = ready(&mut running);
                if answer.is_none() {
                    running.step(Instant::now()).map_err(|error| failed(&self.command, error))?;
                    answer = ready(&mut running);
                }
                if running.revision() != before {
                    self.moved.notify_waiters();
                }
                if let Some(answer) = answer {
                    return Ok(answer);
                }
                self.watch.update(&running.interest()).map_err(|error| failed(&self.command, error))?
            };
            self.watch.wait(deadline, Some(told)).await.map_err(|error| failed(&self.command, error))?;
        }
    }
}

impl AsyncHandle {
    /// Drives the machine until `look` has an answer. What that waits for beside the run is in `own`, until the time that it
    /// says; the run's watch is every waiting task's.
    pub(crate) async fn drive_beside<T>(
        &self,
        own: &Watch,
        mut look: impl FnMut(&mut Running, Instant) -> io::Result<ControlFlow<T, Option<Instant>>>,
    ) -> Result<T> {
        let shared = &*self.0;
        let failed = |error| failed(&shared.command, error);
        loop {
            let told = shared.moved.notified();
            let (deadline, other) = {
                let now = Instant::now();
                let mut running = shared.lock();
                let before = running.revision();
                running.step(now).map_err(failed)?;
                if running.revision() != before {
                    shared.moved.notify_waiters();
                }
                match look(&mut running, now).map_err(failed)? {
                    ControlFlow::Break(answer) => return Ok(answer),
                    ControlFlow::Continue(deadline) => {
                        (deadline, shared.watch.update(&running.interest()).map_err(failed)?)
                    }
                }
            };
            either(own.wait(deadline, None), shared.watch.wait(other, Some(told))).await.map_err(failed)?;
        }
    }

    /// Does something with the machine that takes no waiting.
    pub(crate) fn visit<T>(&self, act: impl FnOnce(&mut Running) -> T) -> T {
        self.0.visit(act)
    }

    /// Must be called inside a tokio runtime with I/O and time enabled.
    pub(crate) fn new(running: Running, command: &Command) -> Result<AsyncHandle> {
        let watch = Watch::new().map_err(|error| failed(command, error))?;
        Ok(AsyncHandle(Arc::new(Shared {
            command: command.clone(),
            pid: running.pid(),
            mechanism: running.mechanism(),
            guarantee: running.guarantee(),
            running: Mutex::new(running),
            watch,
            moved: Notify::new(),
        })))
    }

    /// The program's pid. Good for showing: signals go through [`AsyncHandle::signal`].
    pub fn pid(&self) -> Pid {
        self.0.pid
    }

    /// What holds the run together.
    pub fn mechanism(&self) -> Mechanism {
        self.0.mechanism
    }

    /// What that is good for.
    pub fn guarantee(&self) -> Guarantee {
        self.0.guarantee
    }

    /// The command that was started.
    pub fn command(&self) -> &Command {
        &self.0.command
    }

    /// Since the start; for a run that has ended, until its end.
    pub fn elapsed(&self) -> Duration {
        self.0.lock().elapsed()
    }

    /// Waits for the end of all of it.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the descriptors cannot be waited for.
    pub async fn wait(&self) -> Result<Outcome> {
        self.0.drive(|running| running.outcome().cloned()).await
    }

    /// How it ended, if it has; without waiting.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) in a process that was forked of the one that started it.
    pub fn try_wait(&self) -> Result<Option<Outcome>> {
        let looked = self.0.visit(|running| {
            running.step(Instant::now())?;
            Ok(running.outcome().cloned())
        });
        looked.map_err(|error| failed(&self.0.command, error))
    }

    /// Waits for the end and copies what is retained of the output.
    ///
    /// # Errors
    /// As [`AsyncHandle::wait`], and if one of its streams failed: the error has what came. How the run ended is data.
    pub async fn output(&self) -> Result<Output> {
        Ok(self.output_bytes().await?.into_text(&self.0.command.encodings))
    }

    /// [`AsyncHandle::output`] as bytes.
    ///
    /// # Errors
    /// As there.
    pub async fn output_bytes(&self) -> Result<Output<Vec<u8>>> {
        let command = &self.0.command;
        let copied = self.0.drive(|running| {
            let output = running.copy_output(command)?;
            Some(running.unless_failed(output, command))
        });
        copied.await?
    }

    /// Stops all of it by the command's stop rule and waits for the end.
    ///
    /// # Errors
    /// As [`AsyncHandle::wait`].
    pub async fn stop(&self) -> Result<Outcome> {
        self.stop_by(self.0.command.stop).await
    }

    /// [`AsyncHandle::stop`] by another rule.
    ///
    /// # Errors
    /// As [`AsyncHandle::wait`].
    pub async fn stop_by(&self, rule: StopRule) -> Result<Outcome> {
        self.0.visit(|running| running.stop(rule, Instant::now()));
        self.wait().await
    }

    /// Kills all of it and waits until it is gone.
    ///
    /// # Errors
    /// As [`AsyncHandle::wait`].
    pub async fn kill(&self) -> Result<Outcome> {
        self.stop_by(StopRule::KILL).await
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
    /// As [`AsyncHandle::signal`].
    pub fn signal_all(&self, signal: Signal) -> Result<()> {
        self.act("signalled", |running| running.signal_all(signal))
    }

    /// Stops every process of the run from running: by the cgroup freezer, where there is none by `SIGSTOP`.
    ///
    /// # Errors
    /// As [`AsyncHandle::signal`].
    pub fn suspend(&self) -> Result<()> {
        self.act("suspended", Running::suspend)
    }

    /// Lets it run again.
    ///
    /// # Errors
    /// As [`AsyncHandle::signal`].
    pub fn resume(&self) -> Result<()> {
        self.act("resumed", Running::resume)
    }

    fn act(&self, what: &str, act: impl FnOnce(&Running) -> io::Result<()>) -> Result<()> {
        let acted = self.0.visit(|running| {
            running.catch_up(Instant::now());
            act(running)
        });
        self.0.command.acted(what, acted)
    }

    /// The processes of the run.
    pub fn members(&self) -> Vec<Pid> {
        self.0.lock().members()
    }

    /// What it has used so far.
    pub fn usage(&self) -> Usage {
        self.0.lock().usage()
    }

    /// Which of its limits it has run into so far.
    pub fn limits_hit(&self) -> LimitsHit {
        self.0.lock().limits_hit()
    }

    /// Changes its limits to these, while it runs: what is not named has no limit of ours any more.
    ///
    /// # Errors
    /// As [`Handle::set_limits`](crate::Handle::set_limits).
    pub fn set_limits(&self, limits: &Limits) -> Result<()> {
        self.0.lock().change_limits(&self.0.command, limits)
    }

    /// Bytes and lines seen on a stream so far; `None` if it is not captured.
    pub fn seen(&self, stream: Stream) -> Option<Seen> {
        self.0.lock().seen(stream)
    }

    /// The lines of standard output, from the first that is retained.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) if it is not captured.
    pub fn stdout_lines(&self) -> Result<AsyncLines> {
        self.lines(Stream::Stdout)
    }

    /// The lines of standard error, from the first that is retained.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) if it is not captured.
    pub fn stderr_lines(&self) -> Result<AsyncLines> {
        self.lines(Stream::Stderr)
    }

    /// The lines of a stream, from the first that is retained.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) if it is not captured.
    pub fn lines(&self, stream: Stream) -> Result<AsyncLines> {
        let cursor = LineCursor::open(&mut self.0.lock(), stream, &self.0.command);
        Ok(AsyncLines::new(self.clone(), cursor.ok_or_else(|| self.not_captured(stream))?))
    }

    /// The bytes of a stream as they come, from the first that is retained.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) if it is not captured.
    pub fn chunks(&self, stream: Stream) -> Result<AsyncChunks> {
        let cursor = ByteCursor::open(&mut self.0.lock(), stream);
        Ok(AsyncChunks::new(self.clone(), cursor.ok_or_else(|| self.not_captured(stream))?))
    }

    /// Everything that happens, from the start to the end: lines of both streams among it, in the order in which they were read.
    /// That is also the order of what came before this was called, as far as it is retained.
    pub fn events(&self) -> AsyncEvents {
        let cursor = EventCursor::open(&mut self.0.lock(), &self.0.command);
        AsyncEvents::new(self.clone(), cursor)
    }

    /// The program's standard input, for a command that keeps it open. It ends by [`AsyncStdinWriter::close`], and not when the writer is dropped.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) if the command does not say [`Command::keep_stdin_open`].
    pub fn stdin(&self) -> Result<AsyncStdinWriter> {
        self.0.command.must_keep_stdin_open()?;
        Ok(AsyncStdinWriter::new(self.clone()))
    }

    fn not_captured(&self, stream: Stream) -> Error {
        self.0.command.not_captured(stream)
    }
}
