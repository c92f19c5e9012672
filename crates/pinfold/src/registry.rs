//! The registry: a small file for each living owner, which says where its runs live.
//!
//! An owner writes its file beside its first program, never before it, holds the file's lock for as long as it lives, and
//! removes it at an orderly end. What a killed owner leaves is found by its file, wherever its cgroup was. That there is no
//! place for the file is no error of a run. Reading other owners' files, and what is done about them, is in `tracked`.

pub(crate) mod entry;
pub(crate) mod identity;
pub(crate) mod place;

use crate::outcome::Mechanism;
use entry::{Line, WIDTH};
use identity::Identity;
use pinfold_os::handle::Pid;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

/// The file of this process.
#[derive(Debug)]
struct Own {
    /// Who made it: after a fork, the copy in the child is not its owner.
    pid: u32,
    /// `None` where there is no place for one, which is remembered.
    file: Option<(File, PathBuf)>,
    /// Where the file ends.
    end: u64,
    /// Places of lines whose run has ended.
    free: Vec<u64>,
    has_cgroup: bool,
}

static OWN: Mutex<Option<Own>> = Mutex::new(None);

fn own() -> MutexGuard<'static, Option<Own>> {
    OWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The line of a run in our file, until it is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    pid: u32,
    place: u64,
}

/// What a run is to be found by.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Where<'a> {
    /// Below the owner's directory, which is told once.
    Cgroup(&'a Path),
    /// With this process: the keeper, or the leader of the group.
    Process(Mechanism, Pid),
}

/// Notes a run that was just started: its line, where it has one, and whether this is the first run of this process.
pub(crate) fn note(run: Where<'_>) -> (Option<Slot>, bool) {
    let mut guard = own();
    let pid = std::process::id();
    let is_first = guard.as_ref().is_none_or(|own| own.pid != pid);
    if is_first {
        // Where /proc cannot be read just now, it may be later.
        let Some(owner) = Identity::own() else { return (None, false) };
        let made = match make(&owner) {
            // There may be a place for one with the next run.
            Err(error) if pinfold_os::wait::is_exhaustion(&error) => return (None, false),
            made => made.ok(),
        };
        let end = made.as_ref().map_or(0, |(_, _, end)| *end);
        let file = made.map(|(file, path, _)| (file, path));
        *guard = Some(Own { pid, file, end, free: Vec::new(), has_cgroup: false });
        static ONCE: Once = Once::new();
        ONCE.call_once(|| pinfold_os::exit::at_exit(at_exit));
    }
    let slot = guard.as_mut().and_then(|own| own.note(run));
    (slot, is_first)
}

impl Own {
    fn note(&mut self, run: Where<'_>) -> Option<Slot> {
        let (file, _) = self.file.as_ref()?;
        match run {
            Where::Cgroup(_) if self.has_cgroup => None,
            Where::Cgroup(path) => {
                let line = entry::cgroup_line(path)?;
                file.write_all_at(line.as_bytes(), self.end).ok()?;
                self.end += line.len() as u64;
                self.has_cgroup = true;
                None
            }
            Where::Process(mechanism, pid) => {
                let start = identity::start_of(pid.get())?;
                let line = Line { mechanism, pid: pid.get(), start }.write();
                let place = self.free.pop().unwrap_or(self.end);
                file.write_all_at(line.as_bytes(), place).ok()?;
                self.end = self.end.max(place + WIDTH as u64);
                Some(Slot { pid: self.pid, place })
            }
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut guard = own();
        // In the copy of a fork, and after a release, it is no line of ours.
        let Some(own) = guard.as_mut().filter(|own| own.pid == self.pid && self.pid == std::process::id())
        else {
            return;
        };
        if let Some((file, _)) = &own.file
            && file.write_all_at(entry::blank().as_bytes(), self.place).is_ok()
        {
            own.free.push(self.place);
        }
    }
}

/// Makes our file, locked: it, its path, and where it ends.
fn make(owner: &Identity) -> io::Result<(File, PathBuf, u64)> {
    let directory = place::directory().map_err(io::Error::other)?;
    let path = directory.join(owner.name());
    let head = entry::head(owner, &boot()?);
    let file = match open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
            open(&path)?
        }
        // Ours by its name, so it was left by a process image of this very process before it executed us.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(&path)?;
            open(&path)?
        }
        opened => opened?,
    };
    let written = match pinfold_os::lock::try_lock(&file) {
        Ok(true) => file.write_all_at(head.as_bytes(), 0),
        // Somebody is looking at it, and would take it for one that nobody holds.
        Ok(false) => Err(io::ErrorKind::WouldBlock.into()),
        Err(error) => Err(error),
    };
    match written {
        Ok(()) => Ok((file, path, head.len() as u64)),
        Err(error) => {
            let _ = fs::remove_file(&path);
            Err(error)
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// The present start of the system.
pub(crate) fn boot() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// Whether a file could be made in the registry, and if not, why not. The directory is made where it is not there.
pub(crate) fn try_out(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    // Of a name that no owner has.
    let path = directory.join(format!("probe.{}", std::process::id()));
    let _ = fs::remove_file(&path);
    let file = open(&path)?;
    let locked = pinfold_os::lock::try_lock(&file);
    fs::remove_file(&path)?;
    locked.map(drop)
}

fn at_exit() {
    if let Ok(mut guard) = OWN.try_lock() {
        forget(&mut guard);
    }
}

/// Removes our file: this process is about to become another program.
pub(crate) fn release() {
    forget(&mut own());
}

fn forget(own: &mut Option<Own>) {
    if let Some((_, path)) = own.take().filter(|own| own.pid == std::process::id()).and_then(|own| own.file) {
        let _ = fs::remove_file(path);
    }
}
