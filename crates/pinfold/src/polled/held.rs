//! Holding the machine of a run that is shared.

use crate::observe::Letters;
use crate::running::Running;
use std::ops::{Deref, DerefMut};
use std::sync::MutexGuard;

/// The machine, held. What happened meanwhile is told when it is let go of: in this order.
pub(super) struct Held<'a> {
    running: MutexGuard<'a, Running>,
    _letters: Delivery<'a>,
}

/// Delivers at its end.
struct Delivery<'a>(&'a Letters);

impl Drop for Delivery<'_> {
    fn drop(&mut self) {
        self.0.deliver();
    }
}

impl<'a> Held<'a> {
    pub(super) fn new(running: MutexGuard<'a, Running>, letters: &'a Letters) -> Held<'a> {
        Held { running, _letters: Delivery(letters) }
    }
}

impl Deref for Held<'_> {
    type Target = Running;

    fn deref(&self) -> &Running {
        &self.running
    }
}

impl DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut Running {
        &mut self.running
    }
}
