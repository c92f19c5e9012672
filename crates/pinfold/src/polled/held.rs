//! Holding the machine of a run that is shared.

use crate::observe::Letters;
use crate::running::Running;
use std::ops::{Deref, DerefMut};
use std::sync::MutexGuard;

/// The machine, held. What happened meanwhile is told when it is let go of.
pub(super) struct Held<'a> {
    /// `Some` until it is dropped.
    running: Option<MutexGuard<'a, Running>>,
    letters: &'a Letters,
}

impl<'a> Held<'a> {
    pub(super) fn new(running: MutexGuard<'a, Running>, letters: &'a Letters) -> Held<'a> {
        Held { running: Some(running), letters }
    }
}

#[expect(clippy::expect_used, reason = "only the drop takes it out")]
impl Deref for Held<'_> {
    type Target = Running;

    fn deref(&self) -> &Running {
        self.running.as_ref().expect("it is held")
    }
}

#[expect(clippy::expect_used, reason = "only the drop takes it out")]
impl DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut Running {
        self.running.as_mut().expect("it is held")
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        drop(self.running.take());
        self.letters.deliver();
    }
}
