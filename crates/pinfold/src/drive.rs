//! Drivers: what waits for a machine's descriptors and tells it to go on. They decide nothing.

pub(crate) mod background;
pub(crate) mod block;
#[cfg(all(feature = "tokio", unix))]
pub(crate) mod tokio;

use crate::running::Interest;
use std::io;
use std::time::Instant;

/// What goes on by itself as long as somebody waits for its interest and then advances it.
pub(crate) trait Machine {
    /// What it comes to.
    type Answer;

    /// Does all that can be done without waiting: the answer, once there is one.
    fn advance(&mut self, now: Instant) -> io::Result<Option<Self::Answer>>;

    /// What to wait for before it is advanced again.
    fn interest(&self, now: Instant) -> Interest<'_>;
}
