//! The guard's program (`guard/main.rs`) where it can be executed from.

use crate::fault::{self, Fault};
use crate::order::Order;
use rustix::fs::{MemfdFlags, Mode, OFlags};
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

/// The program, as the build script left it.
#[cfg(guard)]
const PROGRAM: Option<&[u8]> = Some(include_bytes!(concat!(env!("OUT_DIR"), "/guard")));
#[cfg(not(guard))]
const PROGRAM: Option<&[u8]> = None;

/// Whether this build holds the program.
pub fn is_built() -> bool {
    PROGRAM.is_some() && !crate::deny::denied(crate::deny::Feature::Guard)
}

/// The lowest number above those that the descriptors of its process are placed at.
const ABOVE_ALL_PLACES: i32 = 10;

/// Memory may not be executed here.
static IN_FILES: AtomicBool = AtomicBool::new(false);

/// The program in memory, or in a file that is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Image {
    descriptor: OwnedFd,
    file: Option<PathBuf>,
}

impl Image {
    /// The program in memory, or where that was found to be forbidden (`vm.memfd_noexec`, or a security module) in a file.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] if this build has no such program.
    pub(super) fn open() -> io::Result<Image> {
        let program = PROGRAM.filter(|_| is_built()).ok_or(io::ErrorKind::Unsupported)?;
        fault::at(Fault::Image)?;
        if IN_FILES.load(Ordering::Relaxed) {
            return Image::in_file(program);
        }
        Image::in_memory(program)
    }

    /// The program from where it can be executed, which is tried.
    ///
    /// # Errors
    /// Those of [`Image::open`], and what the kernel says to its execution.
    pub(super) fn usable() -> io::Result<Image> {
        let image = Image::open()?;
        // Told to follow no trade, it ends at once.
        let order = Order::new(image.path()?, vec![c"pinfold-guard".to_owned()], Vec::new());
        match crate::spawn::spawn(&order) {
            Ok(mut process) => process.reap().map(|_| image),
            Err(error) if error.source.kind() == io::ErrorKind::PermissionDenied => {
                IN_FILES.store(true, Ordering::Relaxed);
                Image::open()
            }
            Err(error) => Err(error.source),
        }
    }

    /// Has `start` execute the program from where it can be executed.
    ///
    /// # Errors
    /// Those of [`Image::open`] and of `start`.
    pub(super) fn with<T>(start: impl Fn(&Image) -> io::Result<T>) -> io::Result<T> {
        match Image::open().and_then(|image| start(&image)) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                IN_FILES.store(true, Ordering::Relaxed);
                start(&Image::open()?)
            }
            result => result,
        }
    }

    fn in_memory(program: &[u8]) -> io::Result<Image> {
        let flags = MemfdFlags::CLOEXEC;
        let memory = match rustix::fs::memfd_create("pinfold-guard", flags | MemfdFlags::EXEC) {
            // Before Linux 6.3 there is no such flag, and no need of it.
            Err(rustix::io::Errno::INVAL) => rustix::fs::memfd_create("pinfold-guard", flags)?,
            made => made?,
        };
        let mut file = File::from(memory);
        file.write_all(program)?;
        Ok(Image { descriptor: rustix::io::fcntl_dupfd_cloexec(&file, ABOVE_ALL_PLACES)?, file: None })
    }

    fn in_file(program: &[u8]) -> io::Result<Image> {
        let path = std::env::temp_dir().join(format!("pinfold-guard.{}", std::process::id()));
        let mut file = File::options().write(true).create_new(true).mode(0o700).open(&path)?;
        let written = file.write_all(program);
        // What is open for writing cannot be executed.
        drop(file);
        let opened = rustix::fs::open(&path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
            .and_then(|opened| rustix::io::fcntl_dupfd_cloexec(opened, ABOVE_ALL_PLACES));
        let image = Image { descriptor: opened?, file: Some(path) };
        written.map(|()| image)
    }

    /// A path of the program that holds in this process and in what it clones.
    pub(super) fn path(&self) -> io::Result<CString> {
        Ok(CString::new(format!("/proc/self/fd/{}", self.descriptor.as_raw_fd()))?)
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        if let Some(path) = &self.file {
            let _ = std::fs::remove_file(path);
        }
    }
}
