//! The live handle of what is supervised in the background.

use super::machine::{Step, Supervision};
use super::outcome::{SupervisionEvent, SupervisionOutcome};
use super::phase::{Phase, Status};
use super::run::Question;
use crate::command::Command;
use crate::drive::background::{self, Next, Tended};
use crate::error::{Error, ErrorKind, Result};
use crate::machine::Machine;
use crate::maker::Maker;
use crate::settings::StopRule;
use pinfold_os::poll::{Event, Set};
use pinfold_os::signal::Signal;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// Events that are kept for readers that have not come to them.
const KEPT: usize = 1024;

/// A command that is supervised in the background.
///
/// Clones are the same supervision, and several threads or tasks may use it at once. Dropping the last clone kills what
/// runs, and returns when that is done.
///
/// ```
/// use pinfold::{Command, Probe, Stopped, SupervisionEvent, Supervisor};
/// use std::time::Duration;
///
/// let server = Supervisor::new(Command::new("sh").args(["-c", "echo listening; exec sleep 60"]))
///     .ready_when(Probe::line(|line| line == "listening"), Duration::from_secs(10))
///     .start()?;
/// server.wait_ready(Duration::from_secs(10))?;
/// let outcome = server.stop()?;
/// assert_eq!((outcome.stopped, outcome.restarts), (Stopped::Stopped, 0));
/// assert!(server.events().any(|event| matches!(event, SupervisionEvent::Ready { .. })));
/// # pinfold::Result::Ok(())
/// ```
#[derive(Clone, Debug)]
pub struct SupervisorHandle(Arc<Owner>);

/// What clones share. The background knows the machine too, but does not keep it going.
#[derive(Debug)]
struct Owner(Arc<Shared>);

impl Drop for Owner {
    fn drop(&mut self) {
        // The thread that has the lock, or will go on with it, is in another process.
        if !self.0.maker.is_here() {
            return;
        }
        let ended = {
            let mut state = self.0.lock();
            state.supervision.take()
        };
        // Out of the lock, since it waits for the kernel.
        drop(ended);
        background::look_again();
    }
}

#[derive(Debug)]
struct Shared {
    command: Command,
    maker: Maker,
    state: Mutex<State>,
    moved: Condvar,
    /// Raised when something has moved.
    watches: Mutex<Vec<Weak<Event>>>,
    #[cfg(all(feature = "tokio", unix))]
    told: tokio::sync::Notify,
}

#[derive(Debug)]
struct State {
    /// `None` once it has its answer.
    supervision: Option<Box<Supervision>>,
    answer: Option<Result<SupervisionOutcome>>,
    /// As it stood at the answer.
    status: Status,
    events: VecDeque<SupervisionEvent>,
    /// How many came before those.
    forgotten: u64,
}

impl State {
    /// Goes on until it rests or somebody is to be asked.
    fn step(&mut self, now: Instant, may_ask: bool) -> Option<Question> {
        let step = self.supervision.as_mut()?.step(now, may_ask);
        self.take_in(step)
    }

    /// What came of a question, unless nobody wants to know any more.
    fn answered(&mut self, asked: io::Result<()>, question: Question) {
        let Some(supervision) = &mut self.supervision else { return };
        let step = asked.and_then(|()| supervision.answered(question)).map(|()| Step::Rest);
        self.take_in(step);
    }

    fn take_in(&mut self, step: io::Result<Step>) -> Option<Question> {
        let supervision = self.supervision.as_mut()?;
        self.events.extend(supervision.take_events());
        while self.events.len() > KEPT {
            self.events.pop_front();
            self.forgotten += 1;
        }
        self.status = supervision.status();
        self.answer = match step {
            Ok(Step::Rest) => return None,
            Ok(Step::Ask(question)) => return Some(question),
            Ok(Step::Answer(answer)) => Some(*answer),
            Err(error) => Some(Err(supervision.unwaitable(error))),
        };
        self.supervision = None;
        None
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) {
        self.moved.notify_all();
        for event in self.watches.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            if let Some(event) = event.upgrade() {
                event.raise();
            }
        }
        #[cfg(all(feature = "tokio", unix))]
        self.told.notify_waiters();
    }

    /// Waits until something is so, or until the deadline.
    fn wait<T>(&self, deadline: Option<Instant>, mut so: impl FnMut(&mut State) -> Option<T>) -> Option<T> {
        if !self.maker.is_here() {
            // Nothing will come in a forked child.
            return self.state.try_lock().ok().and_then(|mut state| so(&mut state));
        }
        let mut state = self.lock();
        loop {
            let answer = so(&mut state);
            let now = Instant::now();
            if answer.is_some() || deadline.is_some_and(|deadline| deadline <= now) {
                return answer;
            }
            state = match deadline {
                None => self.moved.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(now);
                    self.moved.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    #[cfg(all(feature = "tokio", unix))]
    async fn wait_async<T>(&self, mut so: impl FnMut(&mut State) -> Option<T>) -> T {
        loop {
            // Before the look, so that nothing that happens after it is missed.
            let told = self.told.notified();
            if let Some(answer) = so(&mut self.lock()) {
                return answer;
            }
            told.await;
        }
    }
}

impl Tended for Shared {
    fn tend(&self, set: &Set) -> io::Result<Next> {
        let mut state = self.lock();
        let mut now = Instant::now();
        if let Some(mut question) = state.step(now, true) {
            drop(state);
            // Whoever is asked may take long, while others look at this and stop it.
            self.tell();
            let asked = question.ask();
            state = self.lock();
            state.answered(asked, question);
            now = Instant::now();
            state.step(now, false);
        }
        let next = match &state.supervision {
            Some(supervision) => {
                let interest = supervision.interest(now);
                set.update(&interest.waitables)?;
                Next::At(interest.deadline)
            }
            None => {
                set.update(&[])?;
                Next::Done
            }
        };
        drop(state);
        self.tell();
        Ok(next)
    }
}

/// The answer for one of those who ask for it.
fn answer(state: &State) -> Option<Result<SupervisionOutcome>> {
    match state.answer.as_ref()? {
        Ok(outcome) => Some(Ok(outcome.clone())),
        Err(error) => Some(Err(error.twin())),
    }
}

impl SupervisorHandle {
    pub(super) fn new(supervision: Supervision, command: &Command) -> Result<SupervisorHandle> {
        let status = supervision.status();
        let shared = Arc::new(Shared {
            command: command.clone(),
            maker: Maker::here(),
            state: Mutex::new(State {
                supervision: Some(Box::new(supervision)),
                answer: None,
                status,
                events: VecDeque::new(),
                forgotten: 0,
            }),
            moved: Condvar::new(),
            watches: Mutex::default(),
            #[cfg(all(feature = "tokio", unix))]
            told: tokio::sync::Notify::new(),
        });
        background::tend(shared.clone()).map_err(|error| {
            let what = format!("cannot be supervised in the background: {error}");
            command.error(ErrorKind::ResourceLimit, what).because(error)
        })?;
        Ok(SupervisorHandle(Arc::new(Owner(shared))))
    }

    fn shared(&self) -> &Shared {
        &self.0.0
    }

    /// Whether this process may use it. In one that was forked of the one that started it nothing goes on: there nothing is
    /// stopped or restarted, nor ended when this is dropped, and whatever waits or asks is refused.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] there.
    pub fn check(&self) -> Result<()> {
        self.shared().maker.check().map_err(|error| self.command().unwaitable(error))
    }

    fn visit<T>(&self, act: impl FnOnce(&mut Supervision) -> T) -> Option<T> {
        if !self.shared().maker.is_here() {
            return None;
        }
        let done = self.shared().lock().supervision.as_deref_mut().map(act);
        background::look_again();
        done
    }

    /// The command that is supervised.
    pub fn command(&self) -> &Command {
        &self.shared().command
    }

    /// How it stands.
    pub fn status(&self) -> Status {
        let state = self.shared().lock();
        state.supervision.as_ref().map_or_else(|| state.status.clone(), |supervision| supervision.status())
    }

    /// Waits for the end of supervision.
    ///
    /// # Errors
    /// As [`Supervisor::run`](crate::Supervisor::run).
    pub fn wait(&self) -> Result<SupervisionOutcome> {
        self.shared().wait(None, |state| answer(state)).unwrap_or_else(|| Err(self.lost()))
    }

    /// [`SupervisorHandle::wait`] for this long at most; `None` if it has not ended by then. It goes on.
    ///
    /// # Errors
    /// As there.
    pub fn wait_timeout(&self, timeout: Duration) -> Result<Option<SupervisionOutcome>> {
        match self.shared().wait(Instant::now().checked_add(timeout), |state| answer(state)) {
            None => self.check().map(|()| None),
            Some(answer) => answer.map(Some),
        }
    }

    /// Waits until a run is ready; it may have ended again when this returns.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`] if none was in time: supervision goes on; [`ErrorKind::NotReady`] if supervision has ended; what it failed by, if it has
    /// failed.
    pub fn wait_ready(&self, timeout: Duration) -> Result<()> {
        let waited = self.shared().wait(Instant::now().checked_add(timeout), |state| self.readiness(state));
        waited.unwrap_or_else(|| {
            self.check()?;
            let what = format!("was not ready after {timeout:?}, and is {} now", self.status().phase);
            Err(self.command().error(ErrorKind::Timeout, what).after(Some(timeout)))
        })
    }

    /// Has this raised whenever something has moved.
    pub(super) fn raise_on_moves(&self, told: &Arc<Event>) {
        let mut watches = self.shared().watches.lock().unwrap_or_else(PoisonError::into_inner);
        watches.retain(|watch| watch.strong_count() > 0);
        watches.push(Arc::downgrade(told));
    }

    /// The answer of [`SupervisorHandle::wait`], if there is one by now.
    pub fn try_wait(&self) -> Option<Result<SupervisionOutcome>> {
        self.now(answer)
    }

    /// The answer of [`SupervisorHandle::wait_ready`], if there is one by now.
    pub fn try_ready(&self) -> Option<Result<()>> {
        self.now(|state| self.readiness(state))
    }

    /// The answer, if there is one by now, which there never will be in a forked child.
    fn now<T>(&self, so: impl FnOnce(&State) -> Option<Result<T>>) -> Option<Result<T>> {
        match self.check() {
            Ok(()) => so(&self.shared().lock()),
            Err(error) => {
                let known = self.shared().state.try_lock().ok().and_then(|state| so(&state));
                known.or(Some(Err(error)))
            }
        }
    }

    fn readiness(&self, state: &State) -> Option<Result<()>> {
        match (answer(state), &state.status) {
            (Some(Err(error)), _) => Some(Err(error)),
            (Some(Ok(outcome)), _) => {
                let what = format!("is supervised no more ({}), and was not ready", outcome.stopped);
                Some(Err(self.command().error(ErrorKind::NotReady, what)))
            }
            (None, status) => (status.phase == Phase::Up).then_some(Ok(())),
        }
    }

    /// Ends supervision: stops what runs, by the command's stop rule, and waits for the end.
    ///
    /// # Errors
    /// As [`SupervisorHandle::wait`].
    pub fn stop(&self) -> Result<SupervisionOutcome> {
        self.begin_stop();
        self.wait()
    }

    /// [`SupervisorHandle::stop`] by another rule.
    ///
    /// # Errors
    /// As [`SupervisorHandle::wait`].
    pub fn stop_by(&self, rule: StopRule) -> Result<SupervisionOutcome> {
        self.begin_stop_by(rule);
        self.wait()
    }

    /// Has it stop, without waiting for that.
    pub fn begin_stop(&self) {
        self.visit(|supervision| supervision.stop(Instant::now()));
    }

    /// Has it stop by another rule, without waiting for that.
    pub fn begin_stop_by(&self, rule: StopRule) {
        self.visit(|supervision| supervision.stop_by(rule, Instant::now()));
    }

    /// Has it run anew, without waiting for that: see [`Supervision::restart`].
    pub fn restart(&self) {
        self.visit(|supervision| supervision.restart(Instant::now()));
    }

    /// Sends a signal to the program of the run that goes on.
    ///
    /// # Errors
    /// As [`Supervision::signal`].
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.check()?;
        let sent = self.visit(|supervision| supervision.signal(signal));
        sent.unwrap_or_else(|| {
            Err(self.command().error(ErrorKind::NotFound, "cannot be signalled: it is supervised no more"))
        })
    }

    /// All that happens, from the first event on that is still kept (the last 1024 are) to the end of supervision. Each
    /// reader has all of them.
    pub fn events(&self) -> SupervisionEvents {
        SupervisionEvents { handle: self.clone(), next: 0, ended: false }
    }

    fn lost(&self) -> Error {
        self.check().err().unwrap_or_else(|| self.command().error(ErrorKind::Io, "is supervised no more"))
    }
}

/// The same, awaited; in any runtime, since the background does the work.
#[cfg(all(feature = "tokio", unix))]
impl SupervisorHandle {
    /// [`SupervisorHandle::wait`], awaited.
    ///
    /// # Errors
    /// As there.
    pub async fn wait_async(&self) -> Result<SupervisionOutcome> {
        self.shared().wait_async(|state| answer(state)).await
    }

    /// [`SupervisorHandle::wait_ready`], awaited, and without a timeout: there is `tokio::time::timeout` for that.
    ///
    /// # Errors
    /// As there.
    pub async fn wait_ready_async(&self) -> Result<()> {
        self.shared().wait_async(|state| self.readiness(state)).await
    }

    /// [`SupervisorHandle::stop`], awaited.
    ///
    /// # Errors
    /// As there.
    pub async fn stop_async(&self) -> Result<SupervisionOutcome> {
        self.begin_stop();
        self.wait_async().await
    }
}

/// All that happens to what is supervised: see [`SupervisorHandle::events`].
#[derive(Debug)]
pub struct SupervisionEvents {
    handle: SupervisorHandle,
    next: u64,
    ended: bool,
}

impl SupervisionEvents {
    /// The next one: `Some(None)` after the last.
    fn take(next: &mut u64, state: &State) -> Option<Option<SupervisionEvent>> {
        let at = (*next).max(state.forgotten);
        match state.events.get((at - state.forgotten) as usize) {
            Some(event) => {
                *next = at + 1;
                Some(Some(event.clone()))
            }
            None => state.answer.is_some().then_some(None),
        }
    }

    /// The next event, without waiting for one; `None` if there is none now.
    pub fn try_next(&mut self) -> Option<SupervisionEvent> {
        SupervisionEvents::take(&mut self.next, &self.handle.shared().lock()).flatten()
    }

    /// Whether the last one was taken, and none will come any more.
    pub fn is_over(&self) -> bool {
        let state = self.handle.shared().lock();
        state.answer.is_some() && self.next >= state.forgotten + state.events.len() as u64
    }

    /// The next event, awaited; `None` after the last.
    #[cfg(all(feature = "tokio", unix))]
    pub async fn next_async(&mut self) -> Option<SupervisionEvent> {
        let next = &mut self.next;
        self.handle.shared().wait_async(|state| SupervisionEvents::take(next, state)).await
    }
}

impl Iterator for SupervisionEvents {
    type Item = SupervisionEvent;

    fn next(&mut self) -> Option<SupervisionEvent> {
        if self.ended {
            return None;
        }
        let next = &mut self.next;
        let event = self.handle.shared().wait(None, |state| SupervisionEvents::take(next, state)).flatten();
        self.ended = event.as_ref().is_none_or(SupervisionEvent::is_last);
        event
    }
}
