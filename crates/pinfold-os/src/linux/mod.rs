//! What only Linux has.

pub mod cgroup;
mod child;
mod clone;
pub mod guard;
pub(crate) mod inbox;
pub(crate) mod reap;
pub(crate) mod spawn;
pub(crate) mod sys;

pub use clone::host_path;
