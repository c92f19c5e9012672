//! Starting a program under a keeper: a small process between us and the program (`guard/keeper.rs`) to which every
//! orphan of the program comes, and which ends with the last of them.
//!
//! The program is the keeper's child, not ours. We have a handle of it, which the keeper's process sends us, and are told
//! through a socket how it ended. Hanging up that socket has the keeper end all that it keeps; so does our own end.

use super::image::{self, Image};
use super::spawn::{KeepLayout, spawn_kept};
use crate::deny::{Feature, denied};
use crate::descriptor::Borrowed;
use crate::fault::{self, Fault};
use crate::handle::{Pid, Process};
use crate::order::{Order, SpawnError, Step};
use crate::poll::{Direction, Waitable};
use crate::signal::Signal;
use crate::spawn::Route;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, Shutdown, SocketFlags,
    SocketType,
};
use rustix::process::PidfdFlags;
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How a keeper holds what it keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Keeping {
    /// As a subreaper (`PR_SET_CHILD_SUBREAPER`): orphans below it become its children. What is strong enough to kill it
    /// gets away.
    Subreaper,
    /// As the first process of a PID namespace, at whose end the kernel kills all the others: nothing gets away. Pids are
    /// others inside, and `/proc` shows what is inside.
    PidNamespace,
}

/// A keeper at work. Dropping it ends what it keeps, soon.
#[derive(Debug)]
pub struct Keeper {
    process: Process,
    control: OwnedFd,
    maker: u32,
    given_up: AtomicBool,
}

/// Why programs cannot be kept.
#[derive(Debug)]
pub struct Unavailable {
    /// In words.
    pub why: String,
    /// What the kernel refused, where trying was what told.
    pub source: Option<io::Error>,
}

/// Whether programs can be kept in this way here.
///
/// # Errors
/// Why not.
pub fn available(keeping: Keeping) -> Result<(), Unavailable> {
    let lacks = |why: &str| Err(Unavailable { why: why.to_owned(), source: None });
    let hidden = match keeping {
        Keeping::Subreaper => Feature::Subreaper,
        Keeping::PidNamespace => Feature::PidNamespace,
    };
    if denied(hidden) {
        return lacks("hidden by PINFOLD_DENY");
    }
    if !image::is_built() {
        return lacks("this build has no guard program");
    }
    if denied(Feature::Pidfd) {
        return lacks("the kernel has no pidfds (Linux 5.3)");
    }
    if keeping == Keeping::Subreaper
        && let Err(error) = File::open("/proc/thread-self/children")
    {
        let why = format!("/proc does not list children (CONFIG_PROC_CHILDREN): {error}");
        return Err(Unavailable { why, source: Some(error) });
    }
    try_out(keeping)
        .map_err(|error| Unavailable { why: format!("failed to {error}"), source: Some(error.source) })
}

/// The whole way with a program that ends at once: only that tells of privileges, user namespaces, their number, security
/// modules, and what hides `/proc`.
fn try_out(keeping: Keeping) -> Result<(), SpawnError> {
    let image = Image::usable().map_err(failed)?;
    let order = Order::new(image.path().map_err(failed)?, vec![c"pinfold-guard".to_owned()], Vec::new());
    let (mut process, _keeper) = start(None, &image, &order, keeping)?;
    process.reap().map(drop).map_err(failed)
}

fn failed(source: io::Error) -> SpawnError {
    SpawnError { step: Step::Keeper, source }
}

/// Carries out an order below a keeper.
///
/// # Errors
/// As [`crate::spawn::spawn`]; nothing is left running. [`Step::Keeper`], [`Step::UserNamespace`] and [`Step::Proc`] are
/// the keeper's own.
pub fn spawn(order: &Order<'_>, keeping: Keeping) -> Result<(Process, Keeper), SpawnError> {
    spawn_by(None, order, keeping)
}

/// [`spawn`] by one given route.
///
/// # Errors
/// As [`spawn`].
pub fn spawn_by(
    route: Option<Route>,
    order: &Order<'_>,
    keeping: Keeping,
) -> Result<(Process, Keeper), SpawnError> {
    let image = Image::open().map_err(failed)?;
    start(route, &image, order, keeping)
}

fn start(
    route: Option<Route>,
    image: &Image,
    order: &Order<'_>,
    keeping: Keeping,
) -> Result<(Process, Keeper), SpawnError> {
    fault::at(Fault::KeeperSocket).map_err(failed)?;
    let (flags, kind) = (SocketFlags::CLOEXEC, SocketType::SEQPACKET);
    let (control, theirs) = rustix::net::socketpair(AddressFamily::UNIX, kind, flags, None)
        .map_err(|error| failed(error.into()))?;
    let own = rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty())
        .map_err(|error| failed(error.into()))?;
    let null = File::options().read(true).write(true).open("/dev/null").map_err(failed)?;
    let program = image.path().map_err(failed)?;
    let descriptors = [theirs.as_fd(), own.as_fd(), null.as_fd()];
    let (keeper, pid) = match keeping {
        Keeping::Subreaper => {
            let mut layout = KeepLayout::new(&program, descriptors, [c"pinfold-keeper", c"keeper"]);
            spawn_kept(order, route, &mut layout)?
        }
        Keeping::PidNamespace => {
            let mut layout = KeepLayout::new(&program, descriptors, [c"pinfold-init", c"init"]);
            layout.namespaces = (libc::CLONE_NEWPID | libc::CLONE_NEWNS) as u64;
            match spawn_kept(order, route, &mut layout) {
                // Who may not make them may do it inside of a user namespace.
                Err(SpawnError { step: Step::Clone, source })
                    if source.kind() == io::ErrorKind::PermissionDenied =>
                {
                    layout.namespaces |= libc::CLONE_NEWUSER as u64;
                    layout.user_maps = Some(own_user_maps().map_err(failed)?);
                    spawn_kept(order, route, &mut layout)?
                }
                other => other?,
            }
        }
    };
    drop(theirs);
    let keeper =
        Keeper { process: keeper, control, given_up: AtomicBool::new(false), maker: std::process::id() };
    let received = keeper.receive_handle().map_err(failed)?;
    let pid = match keeping {
        Keeping::Subreaper => i64::from(pid),
        // Inside it is called by another number.
        Keeping::PidNamespace => pid_of(&received).map_err(failed)?,
    };
    let pid = Pid::new(pid).ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
    match rustix::net::send(&keeper.control, b"!", SendFlags::NOSIGNAL) {
        // The program has killed it by now: it runs, and is lost as soon as somebody looks.
        Ok(_) | Err(rustix::io::Errno::PIPE) => {}
        Err(error) => return Err(failed(error.into())),
    }
    let reports = keeper.control.try_clone().map_err(failed)?;
    Ok((Process::kept(pid, received, reports), keeper))
}

/// Our user and group as themselves, which is what anybody may map.
fn own_user_maps() -> io::Result<[CString; 2]> {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let map = |id: u32| CString::new(format!("{id} {id} 1"));
    Ok([map(uid)?, map(gid)?])
}

/// The pid of a handle, as this process counts.
fn pid_of(handle: &OwnedFd) -> io::Result<i64> {
    let told = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", handle.as_raw_fd()))?;
    let pid = told.lines().find_map(|line| line.strip_prefix("Pid:"));
    pid.and_then(|pid| pid.trim().parse().ok()).ok_or_else(|| io::ErrorKind::NotFound.into())
}

impl Keeper {
    /// The keeper's own process. While it lives, so may what it keeps; when it has ended by itself, nothing is left.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// What becomes readable when the keeper has ended.
    pub fn waitable(&self) -> Borrowed<'_> {
        self.process.waitable()
    }

    /// Whether it has ended, and with it what it keeps.
    pub fn has_ended(&self) -> bool {
        !matches!(self.process.peek_exit(), Ok(None))
    }

    /// Has the keeper end all that it keeps, which takes a moment.
    pub fn hang_up(&self) {
        let _ = rustix::net::shutdown(&self.control, Shutdown::Write);
    }

    /// Has nobody wait for its end when it is dropped: what it keeps cannot be ended. Its record stays until this process
    /// ends.
    pub fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    /// The handle of the program, which is the first thing that comes.
    fn receive_handle(&self) -> io::Result<OwnedFd> {
        fault::at(Fault::KeeperHandle)?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0u8; 1];
        let mut parts = [io::IoSliceMut::new(&mut byte)];
        rustix::net::recvmsg(&self.control, &mut parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
        let mut handles = ancillary.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
            _ => None,
        });
        handles.next().ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        /// How long the kernel may take over it.
        const PATIENCE: Duration = Duration::from_secs(2);
        // After a fork there are two of it, and the child's is not to end what is its parent's.
        if self.maker != std::process::id() {
            return;
        }
        self.hang_up();
        if self.given_up.load(Ordering::Relaxed) {
            return;
        }
        // Stopped from outside, it could not do its work; only its own end is sure to end a namespace.
        let _ = self.process.signal(Signal::CONT);
        let gone = Waitable { descriptor: self.process.waitable(), direction: Direction::Read };
        let _ = crate::poll::wait(&[gone], Some(Instant::now() + PATIENCE));
        // It has nobody else to take its record.
        let _ = self.process.try_reap();
    }
}
