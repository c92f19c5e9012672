//! Doubles for tests: runners that start nothing, or that watch what is started.
//!
//! Code that takes a [`Runner`](crate::Runner) can be given any of them. What they give passes through the same machine as a
//! real child, so that timeouts, limits, decoding and streams act on it as they do in earnest.

#[cfg(feature = "serde")]
pub use crate::runner::Cassette;
pub use crate::runner::{Invocation, RecordingRunner, Reply, ScriptedRunner};
