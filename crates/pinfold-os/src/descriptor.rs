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
