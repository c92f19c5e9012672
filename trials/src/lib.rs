//! What the end-to-end tests of pinfold stand on: the [`fixture`] program, a [`Trial`] that finds whatever a test leaves
//! behind, a [`Terminal`] to sit at, and waiting on conditions.
//!
//! It reads `/proc` on its own and uses nothing of pinfold: a test must not believe the code that it tests. It refuses to
//! know what a right result is.
//!
//! ```no_run
//! use pinfold_trials::{Trial, fixture};
//!
//! let trial = Trial::new(); // first, so that it is dropped last
//! let status = std::process::Command::new(fixture()).args(["exit", "3"]).envs([trial.env()]).status()?;
//! assert_eq!(status.code(), Some(3));
//! trial.finish(); // panics and names what is left, be it a process or a descriptor
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! [`Trial`] and what it is made of exist on Linux only; a test that needs them says so with `cfg`.
#![forbid(unsafe_code)]

#[cfg(target_os = "linux")]
mod delegated;
#[cfg(target_os = "linux")]
pub mod descriptors;
#[cfg(target_os = "linux")]
pub mod proc;
#[cfg(target_os = "linux")]
pub mod strays;

mod host;
mod programs;
#[cfg(target_os = "linux")]
mod terminal;
#[cfg(target_os = "linux")]
mod trial;
mod wait;

#[cfg(target_os = "linux")]
pub use delegated::Delegated;
pub use host::given;
#[cfg(unix)]
pub use host::{as_nobody, is_root};
#[cfg(target_os = "linux")]
pub use host::{
    can_write_cgroup2, cgroup2_dir, controllers, has_controllers, holds_sessions, mechanisms, setuid_fixture,
};
pub use programs::{RELAY, fixture, pinfold_bin};
#[cfg(target_os = "linux")]
pub use terminal::Terminal;
#[cfg(target_os = "linux")]
pub use trial::Trial;
pub use wait::{wait_until, with_time_enough};
