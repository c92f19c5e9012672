//! What only Linux has.

pub mod cgroup;
mod child;
mod clone;
pub mod guard;
pub(crate) mod handles;
mod image;
pub(crate) mod inbox;
pub mod keeper;
pub mod landlock;
pub mod namespace;
pub(crate) mod reap;
mod reports;
pub mod seccomp;
pub mod socket;
pub(crate) mod spawn;
pub(crate) mod sys;

pub use clone::host_path;
