//! The driver for runs that nobody waits for: one thread for all of them, made with the first and gone with the last.

use pinfold_os::poll::{self, Event, Set};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// A run that can be left to the background.
pub(crate) trait Tended: Send + Sync {
    /// Does what can be done now, and has `set` watch what is to be waited for.
    fn tend(&self, set: &Set) -> io::Result<Next>;
}

/// When a run is to be tended again, besides when its set is ready.
pub(crate) enum Next {
    /// At this time, if any.
    At(Option<Instant>),
    /// Never: it has ended.
    Done,
}

/// The thread's mailbox.
struct Background {
    /// Who made it: a thread does not survive a fork.
    pid: u32,
    new: Vec<Arc<dyn Tended>>,
    wake: Arc<Event>,
}

static BACKGROUND: Mutex<Option<Background>> = Mutex::new(None);

fn lock() -> MutexGuard<'static, Option<Background>> {
    BACKGROUND.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes a run into care.
pub(crate) fn tend(run: Arc<dyn Tended>) -> io::Result<()> {
    let mut guard = lock();
    let pid = std::process::id();
    if let Some(background) = guard.as_mut().filter(|background| background.pid == pid) {
        background.new.push(run);
        background.wake.raise();
        return Ok(());
    }
    let wake = Arc::new(Event::new()?);
    let theirs = wake.clone();
    std::thread::Builder::new().name("pinfold-background".to_owned()).spawn(move || work(&theirs))?;
    *guard = Some(Background { pid, new: vec![run], wake });
    Ok(())
}

/// Has every run tended again, since something about one of them has changed.
pub(crate) fn look_again() {
    if let Some(background) = lock().as_ref() {
        background.wake.raise();
    }
}

/// A run in care, and what it waits for.
struct Care {
    run: Arc<dyn Tended>,
    set: Set,
    next: Option<Instant>,
}

fn work(wake: &Event) {
    let mut cares: Vec<Care> = Vec::new();
    loop {
        wake.clear();
        let new = {
            let mut guard = lock();
            let new =
                guard.as_mut().map(|background| std::mem::take(&mut background.new)).unwrap_or_default();
            if new.is_empty() && cares.is_empty() {
                *guard = None;
                return;
            }
            new
        };
        // A run for which no set can be made is left to whoever waits for it.
        let set = |run| Set::new().ok().map(|set| Care { run, set, next: None });
        cares.extend(new.into_iter().filter_map(set));
        cares.retain_mut(|care| match care.run.tend(&care.set) {
            Ok(Next::At(next)) => {
                care.next = next;
                true
            }
            Ok(Next::Done) | Err(_) => false,
        });
        if cares.is_empty() {
            continue;
        }
        let mut waitables: Vec<_> = cares.iter().map(|care| care.set.waitable()).collect();
        waitables.push(wake.waitable());
        let deadline = cares.iter().filter_map(|care| care.next).min();
        if poll::wait(&waitables, deadline).is_err() {
            // Nothing that can be done about it here; whoever waits for a run is told. What comes next has another thread.
            lock().take();
            return;
        }
    }
}
