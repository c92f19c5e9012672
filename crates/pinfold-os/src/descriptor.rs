//! Descriptors in the platform's own form: file descriptors on Unix, handles on Windows.

#[cfg(unix)]
pub use std::os::fd::AsFd as AsDescriptor;
#[cfg(unix)]
pub use std::os::fd::{BorrowedFd as Borrowed, OwnedFd as Owned};
#[cfg(windows)]
pub use std::os::windows::io::AsHandle as AsDescriptor;
#[cfg(windows)]
pub use std::os::windows::io::{BorrowedHandle as Borrowed, OwnedHandle as Owned};

/// Borrows the descriptor of a standard library type (`File`, `TcpStream`, ...).
pub fn borrow(from: &impl AsDescriptor) -> Borrowed<'_> {
    #[cfg(unix)]
    {
        from.as_fd()
    }
    #[cfg(windows)]
    {
        from.as_handle()
    }
}

/// A descriptor of ours for what the one of this number leads to, which is left as it is.
///
/// # Errors
/// `EBADF` if it is not open; [`std::io::ErrorKind::Unsupported`] where descriptors have no numbers.
pub fn copy(number: i32) -> std::io::Result<Owned> {
    #[cfg(unix)]
    {
        use std::os::fd::FromRawFd;
        // SAFETY: any number may be asked about; the descriptor that comes back is new and ours.
        unsafe {
            let copy = libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3);
            if copy < 0 {
                return Err(std::io::Error::last_os_error());
            }
            Ok(Owned::from_raw_fd(copy))
        }
    }
    #[cfg(windows)]
    {
        let _ = number;
        Err(std::io::ErrorKind::Unsupported.into())
    }
}

/// A descriptor of ours for what the one of this number leads to, and the end of passing that number on: from now on
/// it is closed in programs that this process executes, unless it is 0, 1 or 2.
///
/// # Errors
/// As [`copy`].
pub fn claim(number: i32) -> std::io::Result<Owned> {
    let copy = copy(number)?;
    #[cfg(unix)]
    if number > 2 {
        // SAFETY: a mark of a descriptor that is open, as the copy says.
        unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    Ok(copy)
}
