//! Starting the guard: the small program that ends what its owner can no longer end (`guard/main.rs`).

use super::cgroup::Cgroup;
use crate::descriptor::borrow;
use crate::handle::{Pid, Process};
use crate::order::{Directory, Grouping, Mapping, Order};
use rustix::fs::{MemfdFlags, Mode, OFlags};
use rustix::process::PidfdFlags;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;

/// The program, as the build script left it.
#[cfg(guard)]
const PROGRAM: Option<&[u8]> = Some(include_bytes!(concat!(env!("OUT_DIR"), "/guard")));
#[cfg(not(guard))]
const PROGRAM: Option<&[u8]> = None;

/// Whether this build holds the program.
pub fn is_built() -> bool {
    PROGRAM.is_some() && !crate::deny::denied(crate::deny::Feature::Guard)
}

/// A guard at work.
#[derive(Debug)]
pub struct Guard {
    process: Process,
}

impl Guard {
    /// Starts a guard of this process over `directory`: at our end, however that comes, it kills what lives there and
    /// removes it.
    ///
    /// It has a session of its own, no environment, no descriptor of ours but what it needs, and is nobody's child.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] if this build has none; else whatever kept it from being started.
    pub fn start(directory: &Cgroup) -> io::Result<Guard> {
        let program = PROGRAM.filter(|_| is_built()).ok_or(io::ErrorKind::Unsupported)?;
        match Image::in_memory(program).and_then(|image| start_from(&image, directory)) {
            // Memory may not be executed here (`vm.memfd_noexec`, or a security module).
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                start_from(&Image::in_file(program)?, directory)
            }
            result => result,
        }
    }

    /// Its pid.
    pub fn pid(&self) -> Pid {
        self.process.pid()
    }

    /// Whether it is still there.
    pub fn is_alive(&self) -> bool {
        self.process.exists()
    }
}

/// The program where it can be executed from.
struct Image {
    path: CString,
    /// Removed when the image is dropped.
    file: Option<std::path::PathBuf>,
    _memory: Option<OwnedFd>,
}

impl Image {
    fn in_memory(program: &[u8]) -> io::Result<Image> {
        // Above the numbers that the guard's own descriptors are placed at.
        const FREE: i32 = 10;
        let flags = MemfdFlags::CLOEXEC;
        let memory = match rustix::fs::memfd_create("pinfold-guard", flags | MemfdFlags::EXEC) {
            // Before Linux 6.3 there is no such flag, and no need of it.
            Err(rustix::io::Errno::INVAL) => rustix::fs::memfd_create("pinfold-guard", flags)?,
            made => made?,
        };
        let mut file = File::from(memory);
        file.write_all(program)?;
        let memory = rustix::io::fcntl_dupfd_cloexec(&file, FREE)?;
        let path = CString::new(format!("/proc/self/fd/{}", memory.as_raw_fd()))?;
        Ok(Image { path, file: None, _memory: Some(memory) })
    }

    fn in_file(program: &[u8]) -> io::Result<Image> {
        let path = std::env::temp_dir().join(format!("pinfold-guard.{}", std::process::id()));
        let mut file = File::options().write(true).create_new(true).mode(0o700).open(&path)?;
        let image =
            Image { path: CString::new(path.as_os_str().as_bytes())?, file: Some(path), _memory: None };
        file.write_all(program)?;
        Ok(image)
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        if let Some(path) = &self.file {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn start_from(image: &Image, directory: &Cgroup) -> io::Result<Guard> {
    let (Some(parent), Some(name)) = (directory.path().parent(), directory.path().file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let own = rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty())?;
    let above = rustix::fs::open(parent, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let null = File::options().read(true).write(true).open("/dev/null")?;
    let argv = vec![c"pinfold-guard".to_owned(), CString::new(name.as_bytes())?];
    let mut order = Order::new(image.path.clone(), argv, Vec::new());
    let places =
        [borrow(&null), borrow(&null), borrow(&null), own.as_fd(), directory.directory()?, above.as_fd()];
    order.descriptors =
        places.into_iter().zip(0..).map(|(source, target)| Mapping { source, target }).collect();
    order.directory = Some(Directory::Path(c"/".to_owned()));
    order.grouping = Grouping::Session;
    order.detach = true;
    let spawned = crate::spawn::spawn(&order);
    Ok(Guard { process: spawned.map_err(|error| error.source)? })
}
