//! What happened to a run whose machine is shared under a lock, told once that is free: a listener may use the run, and what
//! it lets go of may be somebody's who waits for that lock.

use super::{Observer, RunEvent};
use crate::maker::Maker;
use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Events on their way.
pub(crate) struct Letters {
    /// After a fork, the copy in the child tells nobody.
    maker: Maker,
    /// Whether there may be some.
    some: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(Observer, RunEvent)>,
    /// Somebody is at it, and goes on until none is left.
    delivered: bool,
}

/// The turn of whoever delivers them, until all are delivered or a listener panics.
struct Turn<'a> {
    letters: &'a Letters,
    over: bool,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.letters.lock().delivered = false;
        }
    }
}

impl Letters {
    pub(crate) fn new() -> Letters {
        Letters { maker: Maker::here(), some: AtomicBool::new(false), state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn put(&self, observer: &Observer, event: &RunEvent) {
        self.lock().waiting.push_back((observer.clone(), event.clone()));
        self.some.store(true, Ordering::SeqCst);
    }

    /// Tells all that is there, in the order in which it happened. Where somebody does so already, also further up on this
    /// very thread, it is left to that.
    pub(crate) fn deliver(&self) {
        if !self.some.load(Ordering::SeqCst) || !self.maker.is_here() {
            return;
        }
        if mem::replace(&mut self.lock().delivered, true) {
            return;
        }
        let mut turn = Turn { letters: self, over: false };
        loop {
            let mut state = self.lock();
            let Some((observer, event)) = state.waiting.pop_front() else {
                // All at once, or what is put now would be left to nobody.
                self.some.store(false, Ordering::SeqCst);
                state.delivered = false;
                turn.over = true;
                return;
            };
            drop(state);
            observer.tell(&event);
        }
    }
}

impl Drop for Letters {
    fn drop(&mut self) {
        if self.maker.is_here() {
            let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
            for (observer, event) in mem::take(&mut state.waiting) {
                observer.tell(&event);
            }
        }
    }
}

impl fmt::Debug for Letters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Letters").finish_non_exhaustive()
    }
}
