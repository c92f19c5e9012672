//! The kernel made safe: floor 0 of pinfold, and the only one that holds `unsafe`.
//!
//! It spawns from an [`order::Order`] that leaves nothing to decide, names processes by handles that survive the
//! reuse of a pid, and moves bytes. It decides no policy: which container, which deadline, which signal and what a
//! failure means to a user are the business of the floors above.
//!
//! Linux has everything. On macOS, the BSDs and Windows the types are the same and what is not built yet answers
//! with [`std::io::ErrorKind::Unsupported`].
#![expect(
    unsafe_code,
    reason = "this is the floor on which the kernel is made safe; each use says why it holds"
)]

pub mod capability;
pub mod changes;
pub mod connect;
pub mod deny;
pub mod descriptor;
pub mod exit;
pub mod fault;
pub mod files;
pub mod handle;
pub mod inbox;
pub mod limits;
pub mod lock;
pub mod memory;
pub mod order;
pub mod pipe;
pub mod poll;
pub mod sandbox;
pub mod signal;
pub mod sink;
pub mod spawn;
pub mod terminal;
pub mod users;
pub mod wait;

#[cfg(target_os = "linux")]
pub mod linux;
