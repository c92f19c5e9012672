//! Starting the guard of a cgroup directory: the small program that ends what its owner can no longer end
//! (`guard/main.rs`).

use super::cgroup::Cgroup;
use super::image::Image;
use crate::descriptor::borrow;
use crate::handle::{Pid, Process};
use crate::order::{Directory, Grouping, Mapping, Order};
use crate::poll::{self, Direction, Waitable, Woken};
use crate::signal::Signal;
use rustix::fs::{Mode, OFlags};
use rustix::process::PidfdFlags;
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::time::Instant;

pub use super::image::is_built;

/// A guard at work.
#[derive(Debug)]
pub struct Guard {
    process: Process,
    is_child: bool,
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
        Image::with(|image| start_from(image, directory, true))
    }

    /// The same, but it stays our child, so that [`Guard::dismiss`] leaves nothing of it, not even where nobody waits for
    /// orphans. Whoever waits for just any child (`wait(2)`) would wait for it too.
    ///
    /// # Errors
    /// Those of [`Guard::start`].
    pub fn start_as_child(directory: &Cgroup) -> io::Result<Guard> {
        Image::with(|image| start_from(image, directory, false))
    }

    /// Ends it, once its directory is gone: a child of ours is waited for, and any other ends by itself when we do.
    pub fn dismiss(mut self) {
        if self.is_child && self.process.signal(Signal::KILL).is_ok() {
            let _ = self.process.reap();
        }
    }

    /// Its pid.
    pub fn pid(&self) -> Pid {
        self.process.pid()
    }

    /// Whether it is still at work.
    pub fn is_alive(&self) -> bool {
        // Asked for before every run: half of what a signal that is none would cost, and a guard that nobody waits for is none.
        let ended = Waitable { descriptor: self.process.waitable(), direction: Direction::Read };
        !matches!(poll::wait(&[ended], Some(Instant::now())), Ok(Woken::Ready))
    }
}

fn start_from(image: &Image, directory: &Cgroup, detach: bool) -> io::Result<Guard> {
    let (Some(parent), Some(name)) = (directory.path().parent(), directory.path().file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let own = rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty())?;
    let above = rustix::fs::open(parent, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let null = File::options().read(true).write(true).open("/dev/null")?;
    let argv = vec![c"pinfold-guard".to_owned(), c"guard".to_owned(), CString::new(name.as_bytes())?];
    let mut order = Order::new(image.path()?, argv, Vec::new());
    let places =
        [borrow(&null), borrow(&null), borrow(&null), own.as_fd(), directory.directory()?, above.as_fd()];
    order.descriptors =
        places.into_iter().zip(0..).map(|(source, target)| Mapping { source, target }).collect();
    order.directory = Some(Directory::Path(c"/".to_owned()));
    order.grouping = Grouping::Session;
    order.detach = detach;
    let spawned = crate::spawn::spawn(&order);
    Ok(Guard { process: spawned.map_err(|error| error.source)?, is_child: !detach })
}
