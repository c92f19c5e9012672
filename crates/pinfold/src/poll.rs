//! What event loops of one's own wait for, and `poll(2)` for those that have none.

pub use pinfold_os::poll::{Direction, Waitable, Woken, wait};
