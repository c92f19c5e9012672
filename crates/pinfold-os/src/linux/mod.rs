//! What only Linux has.

pub mod cgroup;
mod child;
mod clone;
pub mod guard;
pub(crate) mod inbox;
pub mod landlock;
pub(crate) mod reap;
pub mod seccomp;
pub(crate) mod spawn;
pub(crate) mod sys;

pub use clone::host_path;
