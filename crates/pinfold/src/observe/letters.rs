//! What happened to a run whose machine is shared under a lock, told once that is free: a listener may use the run, and what
//! it lets go of may be somebody's who waits for that lock.

use super::{Observer, RunEvent};
use crate::maker::Maker;
use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

/// Events on their way.
pub(crate) struct Letters {
    /// After a fork, the copy in the child tells nobody.
    maker: Maker,
    waiting: Mutex<VecDeque<(Observer, RunEvent)>>,
    /// Whether some wait, for whoever comes by all the time and must not need the lock, which a fork may have left held.
    some: AtomicBool,
    /// Held by whoever delivers them.
    turn: Mutex<()>,
}

impl Letters {
    pub(crate) fn new() -> Letters {
        Letters {
            maker: Maker::here(),
            waiting: Mutex::default(),
            some: AtomicBool::new(false),
            turn: Mutex::default(),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<(Observer, RunEvent)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn put(&self, observer: &Observer, event: &RunEvent) {
        let mut waiting = self.waiting();
        waiting.push_back((observer.clone(), event.clone()));
        self.some.store(true, Ordering::SeqCst);
    }

    fn next(&self) -> Option<(Observer, RunEvent)> {
        let mut waiting = self.waiting();
        let next = waiting.pop_front();
        self.some.store(next.is_some(), Ordering::SeqCst);
        next
    }

    /// Tells all that is there, in the order in which it happened. Where somebody does so already, also further up on this
    /// very thread, it is left to that, who looks once more after the turn is over.
    pub(crate) fn deliver(&self) {
        while self.some.load(Ordering::SeqCst) && self.maker.is_here() {
            let _turn = match self.turn.try_lock() {
                Ok(turn) => turn,
                // A listener has panicked, which is no matter of the others.
                Err(TryLockError::Poisoned(error)) => error.into_inner(),
                Err(TryLockError::WouldBlock) => return,
            };
            while let Some((observer, event)) = self.next() {
                observer.tell(&event);
            }
        }
    }
}

impl Drop for Letters {
    fn drop(&mut self) {
        self.deliver();
    }
}

impl fmt::Debug for Letters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Letters").finish_non_exhaustive()
    }
}
