//! The live handle for an event loop that pinfold knows nothing of: questions that are asked until there is an answer, and
//! one descriptor to wait for in between.

mod held;
mod left;
mod streams;

pub use streams::{PolledChunks, PolledEvents, PolledLines};

use crate::command::Command;
use crate::cursor::{ByteCursor, EventCursor, LineCursor};
use crate::drive::background;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::Limits;
use crate::machine::Interest;
use crate::maker::Maker;
use crate::observe::Letters;
use crate::outcome::{Guarantee, LimitsHit, Mechanism, Outcome, Seen, Usage};
use crate::output::Output;
use crate::running::Running;
use crate::settings::{StopRule, Stream};
use held::Held;
use pinfold_os::handle::Pid;
use pinfold_os::poll::{Event, Set, Waitable};
use pinfold_os::signal::Signal;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// A started command, for whoever waits in a way of their own.
///
/// Nothing here blocks but [`PolledHandle::end`]. What takes time is asked through a [`Watch`]: an answer, or `None`, after
/// which the watch says what to wait for before it is asked again. The run moves while it is asked. Several threads and
/// loops may ask at once, each through a watch of its own, and nothing is lost by asking no more.
///
/// Dropping the last clone before the end kills all of the run and blocks until that is done: a millisecond or so.
///
/// ```
/// use pinfold::{Command, Host, PolledHandle, Runner};
///
/// let command = Command::new("sh").args(["-c", "exit 3"]);
/// let run = PolledHandle::new(Host::new().launch(&command)?, command);
/// let mut watch = run.watch()?;
/// let outcome = loop {
///     if let Some(outcome) = run.outcome(&mut watch)? {
///         break outcome;
///     }
///     // Whatever an event loop does: here it is poll(2).
///     pinfold::poll::wait(&[watch.waitable()], watch.deadline())?;
/// };
/// assert_eq!(outcome.code(), Some(3));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "dropping it ends the run"]
pub struct PolledHandle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    command: Arc<Command>,
    pid: Pid,
    mechanism: Mechanism,
    guarantee: Guarantee,
    maker: Maker,
    running: Mutex<Running>,
    /// What its listeners are told once the lock is free; at the end of all by its own end, so that it comes after the run.
    letters: Arc<Letters>,
    /// Raised when somebody else has moved the run, so that nobody waits for what has come already.
    watches: Mutex<Vec<Weak<Event>>>,
    /// The background looks after it.
    tended: AtomicBool,
}

/// What to wait for between two askings of one question: a descriptor, and perhaps until a time.
#[derive(Debug)]
pub struct Watch {
    set: Set,
    told: Arc<Event>,
    deadline: Option<Instant>,
}

impl Watch {
    /// Readable when it is time to ask again.
    pub fn waitable(&self) -> Waitable<'_> {
        self.set.waitable()
    }

    /// The set that this is, for whoever needs its descriptor.
    pub fn set(&self) -> &Set {
        &self.set
    }

    /// When to ask again even if it is not readable.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }
}

impl Shared {
    fn lock(&self) -> Held<'_> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        Held::new(running, &self.letters)
    }

    /// What is said where a stream ended before its time.
    fn stream_error(&self) -> Error {
        self.lock().stream_error(&self.command.program)
    }

    fn watches(&self) -> MutexGuard<'_, Vec<Weak<Event>>> {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has everybody look again, but the one who did it.
    fn tell(&self, but: Option<&Arc<Event>>) {
        self.tell_watches(but);
        if self.tended.load(Ordering::SeqCst) {
            background::look_again();
        }
    }

    fn tell_watches(&self, but: Option<&Arc<Event>>) {
        for event in self.watches().iter().filter_map(Weak::upgrade) {
            if but.is_none_or(|but| !Arc::ptr_eq(but, &event)) {
                event.raise();
            }
        }
    }

    /// Does something with the machine that takes no waiting.
    fn visit<T>(&self, act: impl FnOnce(&mut Running) -> T) -> T {
        let answer = act(&mut self.lock());
        // Who would be told in a forked child are the waiters of its parent.
        if self.maker.is_here() {
            self.tell(None);
        }
        answer
    }

    /// Lets go of what the run keeps for somebody. In a forked child it keeps nothing for anybody.
    fn close(&self, act: impl FnOnce(&mut Running)) {
        if self.maker.is_here() {
            self.visit(act);
        }
    }

    /// The answer in a forked child: by what was known when it was forked, and else there is none. The lock may be held by
    /// a thread that is not there.
    fn remembered<T>(
        &self,
        error: io::Error,
        mut ready: impl FnMut(&mut Running) -> Option<T>,
    ) -> Result<Option<T>> {
        let answer = self.running.try_lock().ok().and_then(|mut running| ready(&mut running));
        answer.map_or_else(|| Err(self.unwaitable(error)), |answer| Ok(Some(answer)))
    }

    /// Asks until `ready` has an answer; without one, the watch knows what to wait for.
    fn ask<T>(
        &self,
        watch: &mut Watch,
        mut ready: impl FnMut(&mut Running) -> Option<T>,
    ) -> Result<Option<T>> {
        if let Err(error) = self.maker.check() {
            return self.remembered(error, ready);
        }
        let mut running = self.lock();
        watch.told.clear();
        let before = running.revision();
        // What is there already comes first: reading on before it is taken would let it pile up without end.
        let mut answer = ready(&mut running);
        if answer.is_none() {
            running.advance(Instant::now());
            answer = ready(&mut running);
        }
        if running.revision() != before {
            self.tell(Some(&watch.told));
        }
        if answer.is_none() {
            let mut interest = running.interest();
            interest.waitables.push(watch.told.waitable());
            watch.deadline = interest.deadline;
            watch.set.update(&interest.waitables).map_err(|error| self.unwaitable(error))?;
        }
        Ok(answer)
    }

    fn unwaitable(&self, error: io::Error) -> Error {
        self.command.unwaitable(error)
    }
}

impl PolledHandle {
    /// A handle of what was started of this command.
    pub fn new(mut running: Running, command: impl Into<Arc<Command>>) -> PolledHandle {
        let letters = Arc::new(Letters::new());
        running.tell_by(&letters);
        PolledHandle(Arc::new(Shared {
            command: command.into(),
            pid: running.pid(),
            mechanism: running.mechanism(),
            guarantee: running.guarantee(),
            maker: running.maker,
            running: Mutex::new(running),
            letters,
            watches: Mutex::default(),
            tended: AtomicBool::new(false),
        }))
    }

    /// A watch for one question at a time.
    ///
    /// # Errors
    /// [`ErrorKind::ResourceLimit`] if there are no descriptors left for it.
    pub fn watch(&self) -> Result<Watch> {
        let make = || Ok((Set::new()?, Arc::new(Event::new()?)));
        let (set, told) = make().map_err(|error: io::Error| {
            let what = format!("cannot be waited for: {error}");
            self.0.command.error(ErrorKind::ResourceLimit, what).because(error)
        })?;
        let mut watches = self.0.watches();
        watches.retain(|watch| watch.strong_count() > 0);
        watches.push(Arc::downgrade(&told));
        Ok(Watch { set, told, deadline: None })
    }

    /// The end of all of it.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the descriptors cannot be waited for; [`ErrorKind::Unsupported`] in a process that was forked of the
    /// one that started it, unless the answer was known by then.
    pub fn outcome(&self, watch: &mut Watch) -> Result<Option<Outcome>> {
        self.0.ask(watch, |running| running.outcome().cloned())
    }

    /// Has the run move, and then does something with it, for a watch that asks about more than the run.
    pub(crate) fn moved<T>(&self, watch: &Watch, act: impl FnOnce(&mut Running) -> T) -> Result<T> {
        self.0.maker.check().map_err(|error| self.unwaitable(error))?;
        let mut running = self.0.lock();
        watch.told.clear();
        let before = running.revision();
        running.advance(Instant::now());
        let answer = act(&mut running);
        if running.revision() != before {
            self.0.tell(Some(&watch.told));
        }
        Ok(answer)
    }

    /// Has a watch wait for the run and for something besides.
    pub(crate) fn watch_beside(&self, watch: &mut Watch, other: Interest<'_>) -> Result<()> {
        let running = self.0.lock();
        let mut interest = running.interest();
        interest.waitables.extend(other.waitables);
        interest.waitables.push(watch.told.waitable());
        watch.deadline = [interest.deadline, other.deadline].into_iter().flatten().min();
        watch.set.update(&interest.waitables).map_err(|error| self.0.unwaitable(error))
    }

    pub(crate) fn unwaitable(&self, error: io::Error) -> Error {
        self.0.unwaitable(error)
    }

    /// Lets go of what the run keeps for somebody.
    pub(crate) fn closed(&self, act: impl FnOnce(&mut Running)) {
        self.0.close(act);
    }

    /// Does something with the run that changes nothing for others.
    pub(crate) fn looked_at<T>(&self, act: impl FnOnce(&mut Running) -> T) -> T {
        act(&mut self.0.lock())
    }

    /// How it ended, as far as that is known: it is not advanced.
    pub fn known_outcome(&self) -> Option<Outcome> {
        self.0.lock().outcome().cloned()
    }

    /// How it ended, if it has by now.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] in a process that was forked of the one that started it.
    pub fn try_outcome(&self) -> Result<Option<Outcome>> {
        if let Err(error) = self.0.maker.check() {
            return self.0.remembered(error, |running| running.outcome().cloned());
        }
        Ok(self.0.visit(|running| {
            running.advance(Instant::now());
            running.outcome().cloned()
        }))
    }

    /// A copy of what is retained of the output, at the end.
    ///
    /// # Errors
    /// As [`PolledHandle::outcome`], and if one of its streams failed: the error has what came.
    pub fn output(&self, watch: &mut Watch) -> Result<Option<Output<Vec<u8>>>> {
        let command = &self.0.command;
        let copied = self.0.ask(watch, |running| {
            let output = running.copy_output(command)?;
            Some(running.unless_failed(output, command))
        })?;
        copied.transpose()
    }

    /// The lines of a stream, from the first that is retained.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if it is not captured.
    pub fn lines(&self, stream: Stream) -> Result<PolledLines> {
        let watch = self.watch()?;
        let cursor = LineCursor::open(&mut self.0.lock(), stream, &self.0.command);
        let cursor = cursor.ok_or_else(|| self.0.command.not_captured(stream))?;
        Ok(PolledLines::new(self.clone(), watch, cursor))
    }

    /// The bytes of a stream as they come, from the first that is retained.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if it is not captured.
    pub fn chunks(&self, stream: Stream) -> Result<PolledChunks> {
        let watch = self.watch()?;
        let cursor = ByteCursor::open(&mut self.0.lock(), stream);
        let cursor = cursor.ok_or_else(|| self.0.command.not_captured(stream))?;
        Ok(PolledChunks::new(self.clone(), watch, cursor))
    }

    /// Everything that happens, from the start to the end: lines of both streams among it, in the order in which they were read.
    /// That is also the order of what came before this was called, as far as it is retained.
    ///
    /// # Errors
    /// As [`PolledHandle::watch`].
    pub fn events(&self) -> Result<PolledEvents> {
        let watch = self.watch()?;
        let cursor = EventCursor::open(&mut self.0.lock(), &self.0.command);
        Ok(PolledEvents::new(self.clone(), watch, cursor))
    }

    /// Adds to what is written to its standard input: whether anybody can still read it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if the command does not say [`Command::keep_stdin_open`];
    /// [`ErrorKind::Unsupported`] in a process that was forked of the one that started it.
    pub fn feed(&self, bytes: &[u8]) -> Result<bool> {
        self.0.command.must_keep_stdin_open()?;
        self.0.maker.check().map_err(|error| self.0.command.failed_at("written to", error))?;
        Ok(self.0.visit(|running| running.feed.push(bytes)))
    }

    /// Whether no more than `left` bytes are still to be written; `false` if the program stopped reading before.
    ///
    /// # Errors
    /// As [`PolledHandle::outcome`].
    pub fn fed(&self, watch: &mut Watch, left: usize) -> Result<Option<bool>> {
        self.0.ask(watch, |running| running.feed.drained_to(left, running.outcome().is_some()))
    }

    /// Ends its standard input once everything is written.
    pub fn end_of_input(&self) {
        self.0.close(|running| running.feed.end());
    }
}

/// Acts on it, and asks how it does, without waiting.
impl PolledHandle {
    /// The program's pid. Good for showing: signals go through [`PolledHandle::signal`].
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
    pub fn command(&self) -> &Arc<Command> {
        &self.0.command
    }

    /// Since the start; for a run that has ended, until its end.
    pub fn elapsed(&self) -> Duration {
        self.0.lock().elapsed()
    }

    /// Begins to stop all of it, by this rule or by the command's.
    pub fn stop(&self, rule: Option<StopRule>) {
        let rule = rule.unwrap_or(self.0.command.stop);
        self.0.close(|running| running.stop(rule, Instant::now()));
    }

    /// Kills all of it and blocks until it is gone.
    pub fn end(&self) {
        self.0.close(Running::end);
    }

    /// Sends a signal to the program.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if it has ended, [`ErrorKind::PermissionDenied`] if it has become another user,
    /// [`ErrorKind::Unsupported`] in a process that was forked of the one that started it.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.act("signalled", |running| running.signal(signal))
    }

    /// Sends a signal to every process of the run.
    ///
    /// # Errors
    /// As [`PolledHandle::signal`].
    pub fn signal_all(&self, signal: Signal) -> Result<()> {
        self.act("signalled", |running| running.signal_all(signal))
    }

    /// Stops every process of the run from running.
    ///
    /// # Errors
    /// As [`PolledHandle::signal`].
    pub fn suspend(&self) -> Result<()> {
        self.act("suspended", Running::suspend)
    }

    /// Lets it run again.
    ///
    /// # Errors
    /// As [`PolledHandle::signal`].
    pub fn resume(&self) -> Result<()> {
        self.act("resumed", Running::resume)
    }

    fn act(&self, what: &str, act: impl FnOnce(&Running) -> io::Result<()>) -> Result<()> {
        let acted = self.0.maker.check().and_then(|()| {
            self.0.visit(|running| {
                running.catch_up(Instant::now());
                act(running)
            })
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

    /// Changes its limits to these, while it runs.
    ///
    /// # Errors
    /// As [`Handle::set_limits`](crate::Handle::set_limits).
    pub fn set_limits(&self, limits: &Limits) -> Result<()> {
        self.0.lock().change_limits(&self.0.command, limits)
    }

    /// Whether a stream is captured and nothing more can come of it. A program that ends closes its streams a moment before.
    pub fn is_at_its_end(&self, stream: Stream) -> bool {
        self.looked_at(|running| {
            let channel = &running.channels[stream as usize];
            channel.capture.is_some() && !channel.is_open()
        })
    }

    /// Bytes and lines seen on a stream so far; `None` if it is not captured.
    pub fn seen(&self, stream: Stream) -> Option<Seen> {
        self.0.lock().seen(stream)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::{Cause, Host, Runner};
    use pinfold_os::poll;

    fn start(script: &str) -> PolledHandle {
        let command = Command::new("sh").args(["-c", script]).keep_stdin_open();
        PolledHandle::new(Host::new().launch(&command).unwrap(), command)
    }

    fn until<T>(watch: &mut Watch, mut ask: impl FnMut(&mut Watch) -> Result<Option<T>>) -> T {
        loop {
            if let Some(answer) = ask(watch).unwrap() {
                return answer;
            }
            poll::wait(&[watch.waitable()], watch.deadline()).unwrap();
        }
    }

    #[test]
    fn a_question_is_asked_until_there_is_an_answer_and_can_be_asked_again() {
        let run = start("read line; echo got $line; exit 3");
        let mut lines = run.lines(Stream::Stdout).unwrap();
        assert_eq!(lines.advance().unwrap(), None);
        assert!(run.feed(b"it\n").unwrap());
        let mut watch = run.watch().unwrap();
        assert!(until(&mut watch, |watch| run.fed(watch, 0)));
        for _ in 0..2 {
            assert_eq!(until(&mut watch, |watch| run.outcome(watch)).code(), Some(3));
        }
        assert_eq!(lines.advance().unwrap(), Some(true));
        assert_eq!(lines.next_line(), Some("got it"));
        assert_eq!(until(&mut watch, |watch| run.output(watch)).stdout, b"got it\n");
    }

    #[test]
    fn whoever_waits_hears_of_what_another_has_read_or_done() {
        let run = start("read line; echo here; read line");
        run.suspend().unwrap();
        assert!(run.feed(b"go\n").unwrap());
        let mut lines = run.lines(Stream::Stdout).unwrap();
        let (mut one, mut two) = (run.watch().unwrap(), run.watch().unwrap());
        assert_eq!(run.outcome(&mut one).unwrap(), None);
        run.resume().unwrap();
        until(&mut two, |watch| {
            run.outcome(watch)?;
            Ok((run.seen(Stream::Stdout).unwrap().lines == 1).then_some(()))
        });
        // The line was read for the second, and is told to the others.
        assert!(one.set.is_ready().unwrap());
        assert_eq!(lines.advance().unwrap(), Some(true));
        assert_eq!(run.outcome(&mut one).unwrap(), None);
        run.stop(Some(StopRule::KILL));
        assert!(one.set.is_ready().unwrap());
        assert_eq!(until(&mut one, |watch| run.outcome(watch)).cause, Cause::Stopped);
        assert!(!run.feed(b"late").unwrap());
    }

    #[test]
    fn what_is_left_is_read_away_and_ends_by_itself() {
        let directory = tempfile::tempdir().unwrap();
        let done = directory.path().join("done");
        let script = format!(
            "head -c 3000000 /dev/zero; read line; head -c 3000000 /dev/zero; echo > '{}'",
            done.display()
        );
        let run = start(&script);
        let mut chunks = run.chunks(Stream::Stdout).unwrap();
        let shared = Arc::downgrade(&run.0);
        run.feed(b"go\n").unwrap();
        run.leave().unwrap();
        // Who reads it already gets all of it, and nobody waits for who does not.
        let mut bytes = 0;
        loop {
            match chunks.advance().unwrap() {
                Some(chunk) if chunk.is_empty() => break,
                Some(chunk) => bytes += chunk.len(),
                None => drop(poll::wait(&[chunks.watch().waitable()], chunks.watch().deadline()).unwrap()),
            }
        }
        assert_eq!(bytes, 6_000_000);
        assert!(done.exists());
        drop(chunks);
        let until = Instant::now() + Duration::from_secs(10);
        while shared.strong_count() > 0 && Instant::now() < until {
            std::thread::yield_now();
        }
        assert_eq!(shared.strong_count(), 0);
    }
}
