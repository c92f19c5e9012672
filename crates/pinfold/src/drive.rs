//! Drivers: what waits for a machine's descriptors and tells it to go on. They decide nothing.

pub(crate) mod background;
pub(crate) mod block;
pub(crate) mod completion;
pub(crate) mod first_line;
#[cfg(all(feature = "tokio", unix))]
pub(crate) mod tokio;
