//! One machine, several threads: whoever waits drives it, the others are told.

use crate::command::Command;
use crate::drive::background;
use crate::error::{Error, ErrorKind, Result};
use crate::maker::Maker;
use crate::outcome::{Guarantee, Mechanism};
use crate::output::Output;
use crate::running::{Progress, Running};
use pinfold_os::handle::Pid;
use pinfold_os::poll::{self, Event, Set};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

/// The machine and what it takes to share it.
///
/// The leader holds the lock while it is blocked in the kernel, so that no descriptor can go away under it. Who wants
/// in counts itself among the visitors and raises the event, at which the leader steps aside until there are none. Who
/// waits for something while there is a leader follows: it sleeps on the condition variable, is called, as a visitor,
/// whenever something has happened, and takes the lead when that is free.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(super) command: Command,
    pub(super) pid: Pid,
    pub(super) mechanism: Mechanism,
    pub(super) guarantee: Guarantee,
    /// In its copy in a forked child the lock may be held by a thread that is not there.
    maker: Maker,
    state: Mutex<State>,
    moved: Condvar,
    visitors: AtomicUsize,
    /// The leader is in the kernel, or on its way there.
    blocked: AtomicBool,
    /// Made when somebody blocks for the first time: a thousand runs that nobody waits for yet need none.
    wake: OnceLock<Event>,
    /// The event was raised and not cleared yet.
    raised: AtomicBool,
    tended: AtomicBool,
}

#[derive(Debug)]
struct State {
    running: Running,
    led: bool,
    followers: usize,
    /// Those of the followers that were called and have not come yet.
    called: usize,
    /// The machine's revision at which they were called last.
    told: u64,
    /// The first of their deadlines.
    until: Option<Instant>,
    /// What those who wait for more than the run wait for beside it.
    beside: Vec<Arc<Set>>,
}

impl Shared {
    pub(super) fn new(running: Running, command: Command) -> Shared {
        Shared {
            command,
            pid: running.pid(),
            mechanism: running.mechanism(),
            guarantee: running.guarantee(),
            maker: running.maker,
            state: Mutex::new(State {
                running,
                led: false,
                followers: 0,
                called: 0,
                told: 0,
                until: None,
                beside: Vec::new(),
            }),
            moved: Condvar::new(),
            visitors: AtomicUsize::new(0),
            blocked: AtomicBool::new(false),
            wake: OnceLock::new(),
            raised: AtomicBool::new(false),
            tended: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.visitors.fetch_add(1, Ordering::SeqCst);
        if self.blocked.load(Ordering::SeqCst)
            && let Some(wake) = self.wake.get()
        {
            wake.raise();
            // In this order, so that whoever sees the mark clears what is up already.
            self.raised.store(true, Ordering::SeqCst);
        }
        let guard = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.visitors.fetch_sub(1, Ordering::SeqCst);
        guard
    }

    /// Does something with the machine that takes no waiting.
    pub(crate) fn visit<T>(&self, act: impl FnOnce(&mut Running) -> T) -> T {
        let answer = act(&mut self.lock().running);
        self.call_background();
        answer
    }

    /// What is said where a stream ended before its time.
    pub(super) fn stream_error(&self) -> Error {
        self.visit(|running| running.stream_error(&self.command.program))
    }

    /// Has the background look again, if this run is in its care.
    fn call_background(&self) {
        if self.tended.load(Ordering::SeqCst) {
            background::look_again();
        }
    }

    /// Leaves the run to the background.
    pub(super) fn leave_to_background(self: Arc<Self>) -> std::io::Result<()> {
        if self.tended.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        background::tend(self.clone()).inspect_err(|_| self.tended.store(false, Ordering::SeqCst))
    }

    /// Ends all of it now, whoever else still knows the machine.
    pub(super) fn end(&self) {
        if !self.maker.is_here() {
            return;
        }
        self.lock().running.end();
        self.call_background();
    }

    /// [`Shared::drive`] without a deadline.
    pub(super) fn drive_to<T>(&self, ready: impl FnMut(&mut Running) -> Option<T>) -> Result<T> {
        self.drive(None, ready)?.ok_or_else(|| self.lost())
    }

    /// Drives the machine until `ready` says what was waited for, or until the deadline.
    pub(super) fn drive<T>(
        &self,
        deadline: Option<Instant>,
        ready: impl FnMut(&mut Running) -> Option<T>,
    ) -> Result<Option<T>> {
        if let Err(error) = self.maker.check() {
            return self.remembered(error, ready);
        }
        self.drive_locked(self.lock(), deadline, ready)
    }

    /// [`Shared::drive`], for one who waits for a member of this set as well: then too `ready` is called.
    pub(crate) fn drive_beside<T>(
        &self,
        deadline: Option<Instant>,
        beside: Option<&Arc<Set>>,
        ready: impl FnMut(&mut Running) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(set) = beside else { return self.drive(deadline, ready) };
        if let Err(error) = self.maker.check() {
            return self.remembered(error, ready);
        }
        let mut state = self.lock();
        state.beside.push(set.clone());
        let answer = self.drive_locked(state, deadline, ready);
        self.lock().beside.retain(|other| !Arc::ptr_eq(other, set));
        answer
    }

    /// The answer in a forked child: by what was known when it was forked, and else there is none.
    fn remembered<T>(
        &self,
        error: std::io::Error,
        mut ready: impl FnMut(&mut Running) -> Option<T>,
    ) -> Result<Option<T>> {
        let answer = self.state.try_lock().ok().and_then(|mut state| ready(&mut state.running));
        answer.map_or_else(|| Err(self.command.unwaitable(error)), |answer| Ok(Some(answer)))
    }

    /// Refuses what acts on the run to a forked child.
    pub(super) fn check(&self) -> std::io::Result<()> {
        self.maker.check()
    }

    fn drive_locked<'a, T>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        deadline: Option<Instant>,
        mut ready: impl FnMut(&mut Running) -> Option<T>,
    ) -> Result<Option<T>> {
        // What is there already is handed out before more is read: a reader slower than the program would otherwise fall
        // behind by all that the program ever writes.
        let answer = ready(&mut state.running);
        if answer.is_some() {
            return Ok(answer);
        }
        let mut leading = false;
        loop {
            let now = Instant::now();
            // What is there already comes first: reading on before it is taken would let it pile up without end.
            let mut answer = ready(&mut state.running);
            if answer.is_none() {
                state.running.advance(now);
                answer = ready(&mut state.running);
            }
            if answer.is_some() || deadline.is_some_and(|deadline| deadline <= now) {
                self.step_down(&mut state, leading);
                return Ok(answer);
            }
            if state.led && !leading {
                state = self.follow(state, deadline);
                continue;
            }
            state.led = true;
            leading = true;
            self.call_followers(&mut state, now);
            if self.visitors.load(Ordering::SeqCst) > 0 {
                state = self.make_way(state);
                continue;
            }
            if let Err(error) = self.block(&mut state, deadline) {
                self.step_down(&mut state, leading);
                return Err(self.command.unwaitable(error));
            }
        }
    }

    /// Lets every visitor in, one after the other.
    fn make_way<'a>(&'a self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        drop(state);
        // They hold the lock for no longer than a few system calls each.
        while self.visitors.load(Ordering::SeqCst) > 0 {
            std::thread::yield_now();
        }
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the followers look, if something has happened since they last did or one of them has waited long enough.
    fn call_followers(&self, state: &mut State, now: Instant) {
        let revision = state.running.revision();
        let mut due = state.until.is_some_and(|until| until <= now);
        if state.followers > state.called {
            due |= state.beside.iter().any(|set| set.is_ready().unwrap_or(true));
        }
        if state.told == revision && !due {
            return;
        }
        state.told = revision;
        if due && state.until.is_some_and(|until| until <= now) {
            state.until = None;
        }
        let fresh = state.followers - state.called;
        if fresh > 0 {
            state.called += fresh;
            self.visitors.fetch_add(fresh, Ordering::SeqCst);
            self.moved.notify_all();
        }
    }

    fn follow<'a>(
        &self,
        mut state: MutexGuard<'a, State>,
        deadline: Option<Instant>,
    ) -> MutexGuard<'a, State> {
        state.followers += 1;
        state.until = [state.until, deadline].into_iter().flatten().min();
        let mut state = match deadline {
            None => self.moved.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                self.moved.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
            }
        };
        state.followers -= 1;
        if state.called > 0 {
            state.called -= 1;
            self.visitors.fetch_sub(1, Ordering::SeqCst);
        }
        state
    }

    fn step_down(&self, state: &mut State, leading: bool) {
        if leading {
            state.led = false;
            self.call_background();
        }
        if state.followers > 0 {
            self.moved.notify_all();
        }
    }

    /// Blocks in the kernel, with the lock held, until there is something to do or somebody wants in.
    fn block(&self, state: &mut State, deadline: Option<Instant>) -> std::io::Result<()> {
        // Where no descriptor is left for it, a visitor waits until the leader wakes by itself.
        if self.wake.get().is_none()
            && let Ok(wake) = Event::new()
        {
            let _ = self.wake.set(wake);
        }
        self.blocked.store(true, Ordering::SeqCst);
        let woken = if self.visitors.load(Ordering::SeqCst) > 0 {
            Ok(())
        } else {
            let mut interest = state.running.interest();
            interest.waitables.extend(self.wake.get().map(Event::waitable));
            interest.waitables.extend(state.beside.iter().map(|set| set.waitable()));
            let until = [interest.deadline, deadline, state.until].into_iter().flatten().min();
            poll::wait(&interest.waitables, until).map(drop)
        };
        self.blocked.store(false, Ordering::SeqCst);
        if self.raised.swap(false, Ordering::SeqCst)
            && let Some(wake) = self.wake.get()
        {
            wake.clear();
        }
        woken
    }

    pub(super) fn lost(&self) -> Error {
        self.command.error(ErrorKind::Io, "has not ended, though waiting for it has")
    }

    /// What was captured, taken.
    pub(super) fn take_output(&self) -> Result<Output<Vec<u8>>> {
        let taken = self.visit(|running| {
            let output = running.take_output(&self.command)?;
            Some(running.unless_failed(output, &self.command))
        });
        taken.ok_or_else(|| self.lost())?
    }
}

impl background::Tended for Shared {
    fn tend(&self, set: &Set) -> std::io::Result<background::Next> {
        let mut state = self.lock();
        // Whoever waits for it drives it; stepping down, it calls us.
        if state.led {
            set.update(&[])?;
            return Ok(background::Next::At(None));
        }
        if state.running.advance(Instant::now()) == Progress::Done {
            set.update(&[])?;
            self.tended.store(false, Ordering::SeqCst);
            self.step_down(&mut state, false);
            return Ok(background::Next::Done);
        }
        self.step_down(&mut state, false);
        let interest = state.running.interest();
        set.update(&interest.waitables)?;
        Ok(background::Next::At(interest.deadline))
    }
}
