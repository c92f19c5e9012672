//! Locks on open files, by which a process shows that it lives: the kernel lets go of them at its end, however that comes.

use std::fs::File;
use std::io;

/// Takes the lock of an open file for as long as that is open, here or in a copy that a fork made of this process: whether
/// it could be had. Nobody is waited for. It keeps out only those that ask for it too (`flock(2)`, `LOCK_EX`).
///
/// # Errors
/// [`io::ErrorKind::Unsupported`] where the file system has no locks, or the platform none of this kind yet.
pub fn try_lock(file: &File) -> io::Result<bool> {
    #[cfg(unix)]
    {
        use rustix::fs::{FlockOperation, flock};
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(all(test, unix))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn one_open_file_has_the_lock_until_it_is_closed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let (first, second) = (File::create(&path).unwrap(), File::create(&path).unwrap());
        assert!(try_lock(&first).unwrap());
        assert!(try_lock(&first).unwrap(), "whoever has it has it");
        assert!(!try_lock(&second).unwrap());
        drop(first);
        assert!(try_lock(&second).unwrap());
    }
}
