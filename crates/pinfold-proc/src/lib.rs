//! Who is running: what the kernel tells of processes, read exactly (floor 1 of pinfold).
//!
//! [`parse`] holds one pure function for each kind of file below `/proc`: bytes in, facts or a typed error out, on every
//! platform and for any input. [`read`] fetches those files. Nothing here signals, waits or decides.
#![forbid(unsafe_code)]

pub mod parse;
pub mod read;

pub use read::{Proc, ReadError, Target};
