//! Word from the kernel that something in a directory has changed: see inotify(7). What changed is for whoever asked to
//! find out, since names and files can be anything again by then.

use crate::poll::{Direction, Waitable};
use std::io;
use std::path::Path;

/// Directories that are watched.
#[derive(Debug)]
pub struct Changes(imp::Changes);

impl Changes {
    /// Without any directory.
    ///
    /// # Errors
    /// `EMFILE` where the user has too many of them (`fs.inotify.max_user_instances`); [`io::ErrorKind::Unsupported`]
    /// where the kernel has nothing of the kind, or this is not built yet.
    pub fn new() -> io::Result<Changes> {
        imp::Changes::new().map(Changes)
    }

    /// Watches a directory; once more is as good as once.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`], [`io::ErrorKind::NotADirectory`], [`io::ErrorKind::PermissionDenied`]; `ENOSPC` where
    /// the user watches too many (`fs.inotify.max_user_watches`).
    pub fn watch(&self, directory: &Path) -> io::Result<()> {
        self.0.watch(directory)
    }

    /// Whether something has changed since this was last asked.
    ///
    /// # Errors
    /// What read(2) gives, but not that there is nothing to read.
    pub fn take(&self) -> io::Result<bool> {
        self.0.take()
    }

    /// Readable once something has changed.
    pub fn waitable(&self) -> Waitable<'_> {
        Waitable { descriptor: self.0.descriptor(), direction: Direction::Read }
    }
}

#[cfg(target_os = "linux")]
mod imp {
    use super::{Path, io};
    use crate::descriptor::{Borrowed, Owned, borrow};
    use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
    use rustix::io::Errno;

    #[derive(Debug)]
    pub(super) struct Changes(Owned);

    impl Changes {
        pub(super) fn new() -> io::Result<Changes> {
            Ok(Changes(inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?))
        }

        pub(super) fn watch(&self, directory: &Path) -> io::Result<()> {
            let what = WatchFlags::CREATE
                | WatchFlags::DELETE
                | WatchFlags::MOVE
                | WatchFlags::MODIFY
                | WatchFlags::ATTRIB
                | WatchFlags::CLOSE_WRITE
                | WatchFlags::DELETE_SELF
                | WatchFlags::MOVE_SELF
                | WatchFlags::ONLYDIR;
            inotify::add_watch(&self.0, directory, what)?;
            Ok(())
        }

        pub(super) fn take(&self) -> io::Result<bool> {
            let mut some = false;
            // More than one event with the longest name there is.
            let mut buffer = [0u8; 4096];
            loop {
                match rustix::io::read(&self.0, &mut buffer) {
                    Ok(0) | Err(Errno::AGAIN) => return Ok(some),
                    Ok(_) => some = true,
                    Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }

        pub(super) fn descriptor(&self) -> Borrowed<'_> {
            borrow(&self.0)
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use super::{Path, io};
    use crate::descriptor::Borrowed;

    #[derive(Debug)]
    pub(super) enum Changes {}

    impl Changes {
        pub(super) fn new() -> io::Result<Changes> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(super) fn watch(&self, _: &Path) -> io::Result<()> {
            match *self {}
        }

        pub(super) fn take(&self) -> io::Result<bool> {
            match *self {}
        }

        pub(super) fn descriptor(&self) -> Borrowed<'_> {
            match *self {}
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::poll::{Woken, wait};
    use std::time::Instant;

    #[test]
    fn what_changes_in_a_directory_is_told_once() {
        let directory = tempfile::tempdir().unwrap();
        let changes = Changes::new().unwrap();
        changes.watch(directory.path()).unwrap();
        changes.watch(directory.path()).unwrap();
        let told = || wait(&[changes.waitable()], Some(Instant::now())).unwrap() == Woken::Ready;
        assert!(!told() && !changes.take().unwrap());
        std::fs::write(directory.path().join("file"), "x").unwrap();
        assert!(told() && changes.take().unwrap());
        assert!(!told() && !changes.take().unwrap());
        assert_eq!(
            changes.watch(&directory.path().join("file")).unwrap_err().kind(),
            io::ErrorKind::NotADirectory
        );
    }
}
