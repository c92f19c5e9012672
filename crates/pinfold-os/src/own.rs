//! This process's own number, asked for once.
//!
//! Whatever belongs to the process that made it looks whether it still is there, several times a run. A system call for
//! each look is more than the look is worth.

/// The pid of this process; of the new one after a fork, however it was made.
///
/// ```
/// assert_eq!(pinfold_os::own::pid(), std::process::id());
/// ```
pub fn pid() -> u32 {
    imp::pid()
}

#[cfg(target_os = "linux")]
mod imp {
    use rustix::mm::{Advice, MapFlags, ProtFlags};
    use std::process;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Holds the pid once it was asked for. The kernel makes it zero in whoever gets a copy of this memory
    /// (`MADV_WIPEONFORK` of `madvise(2)`, Linux 4.14); whoever shares it instead becomes another program first.
    static KNOWN: OnceLock<Option<&'static AtomicU32>> = OnceLock::new();

    pub(super) fn pid() -> u32 {
        let Some(known) = KNOWN.get_or_init(wiped) else { return process::id() };
        match known.load(Ordering::Relaxed) {
            0 => {
                let pid = process::id();
                known.store(pid, Ordering::Relaxed);
                pid
            }
            pid => pid,
        }
    }

    /// A number that is zero again after a fork; `None` where the kernel promises no such thing.
    fn wiped() -> Option<&'static AtomicU32> {
        const LENGTH: usize = size_of::<AtomicU32>();
        let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
        // SAFETY: a mapping of its own, where the kernel likes; nothing that is there is touched.
        let page = unsafe { rustix::mm::mmap_anonymous(std::ptr::null_mut(), LENGTH, access, flags) }.ok()?;
        // SAFETY: all of the mapping just made, which nobody else knows.
        let promised = unsafe { rustix::mm::madvise(page, LENGTH, Advice::LinuxWipeOnFork) }.is_ok();
        if !promised {
            // SAFETY: as above, and nothing refers to it.
            let _ = unsafe { rustix::mm::munmap(page, LENGTH) };
            return None;
        }
        // SAFETY: the mapping is zeroed, aligned to a page, larger than this, and never unmapped.
        Some(unsafe { &*page.cast::<AtomicU32>() })
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    pub(super) fn pid() -> u32 {
        std::process::id()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::pid;

    #[test]
    fn a_fork_has_a_number_of_its_own() {
        assert_eq!(pid(), std::process::id());
        // SAFETY: the copy calls nothing but what is allowed after a fork, and leaves at once.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let is_its_own = pid() == std::process::id() && pid() == std::process::id();
            // SAFETY: ends the copy without running anything of the original's.
            unsafe { libc::_exit(i32::from(!is_its_own)) };
        }
        let mut status = 0;
        // SAFETY: our own child, and a status to write to.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0, "the copy took itself for the original");
        assert_eq!(pid(), std::process::id());
    }
}
