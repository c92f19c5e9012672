//! Where what we keep for each process lies among our descriptors: its handle, our ends of its pipes, sets to wait for it.
//!
//! A clone copies the table of descriptors, and the execution that follows closes what was copied: with a thousand handles in
//! it that takes longer than all the rest. So once there are many they lie high, and what a child needs lies below them: it
//! shares the table for its first instructions and then copies only as much as it needs (`close_range(2)`,
//! `CLOSE_RANGE_UNSHARE`).

use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

/// As many descriptors are copied sooner than moved.
const FEW: i32 = 64;
/// Where moved ones begin: leaves room below for what is opened for a child, and above where the limit is the usual 1024.
const HIGH: i32 = 256;

static MANY: AtomicBool = AtomicBool::new(false);

/// Moves a descriptor that was just made to where it is in nobody's way, if there are many descriptors.
pub(crate) fn place(handle: OwnedFd) -> OwnedFd {
    if handle.as_raw_fd() < FEW || handle.as_raw_fd() >= HIGH {
        return handle;
    }
    match rustix::io::fcntl_dupfd_cloexec(&handle, HIGH) {
        Ok(moved) => {
            MANY.store(true, Ordering::Relaxed);
            moved
        }
        // It does as well where it is.
        Err(_) => handle,
    }
}

/// Whether handles were moved, so that a copy of the whole table is to be avoided.
pub(super) fn are_many() -> bool {
    MANY.load(Ordering::Relaxed)
}
