//! A cgroup v2 directory: who is in it, ending all of it, being told when it is empty.
//!
//! The files are those of the kernel's `admin-guide/cgroup-v2`. Where cgroups are found and which to use is decided
//! above.

use crate::deny::{Feature, denied};
use crate::descriptor::{Borrowed, Owned};
use crate::fault::{self, Fault};
use crate::handle::{Pid, Process};
use crate::poll::{Direction, Waitable};
use crate::signal::Signal;
use rustix::fs::{AtFlags, Mode, OFlags};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

/// A cgroup directory, and those of its files that were needed so far: opening one costs more than reading it, so each
/// stays open until [`Cgroup::close_files`].
#[derive(Debug)]
pub struct Cgroup {
    path: PathBuf,
    directory: OnceLock<OwnedFd>,
    events: OnceLock<OwnedFd>,
    cpu: OnceLock<OwnedFd>,
}

/// Time on CPUs of all that ever ran in a cgroup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTime {
    /// In user mode.
    pub user: Duration,
    /// In the kernel.
    pub system: Duration,
}

impl Cgroup {
    /// Opens a directory of a cgroup v2 hierarchy that is not its root. Whether it is one shows with the first question
    /// to it.
    ///
    /// # Errors
    /// `ENOENT` if it is not there.
    pub fn open(path: &Path) -> io::Result<Cgroup> {
        let closed = OnceLock::new;
        let cgroup = Cgroup { path: path.to_owned(), directory: closed(), events: closed(), cpu: closed() };
        cgroup.directory()?;
        Ok(cgroup)
    }

    /// Makes a directory and opens it.
    ///
    /// # Errors
    /// `EEXIST`, `EACCES`, `EROFS`; `EAGAIN` where the hierarchy's own limits on depth or number are reached.
    pub fn create(path: &Path) -> io::Result<Cgroup> {
        fault::at(Fault::CgroupMake)?;
        rustix::fs::mkdir(path, Mode::from_raw_mode(0o755))?;
        Cgroup::open(path).inspect_err(|_| {
            let _ = rustix::fs::rmdir(path);
        })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory, for [`crate::order::Order::cgroup`].
    ///
    /// # Errors
    /// `EMFILE`, if it had been closed.
    pub fn directory(&self) -> io::Result<Borrowed<'_>> {
        opened(&self.directory, || {
            fault::at(Fault::CgroupOpen)?;
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            Ok(rustix::fs::open(&self.path, flags, Mode::empty())?)
        })
    }

    /// Closes what is open of it until it is needed again: a thousand cgroups need not be thousands of descriptors, all of
    /// which every new process is given and has to close.
    pub fn close_files(&mut self) {
        self.directory.take();
        self.events.take();
        self.cpu.take();
    }

    fn events(&self) -> io::Result<Borrowed<'_>> {
        opened(&self.events, || {
            fault::at(Fault::CgroupEvents)?;
            self.open_file("cgroup.events", OFlags::RDONLY)
        })
    }

    /// Whether a process lives in it or below it. Zombies do not count.
    ///
    /// # Errors
    /// `ENODEV` once it was removed.
    pub fn is_populated(&self) -> io::Result<bool> {
        let mut buffer = [0u8; 128];
        let length = rustix::io::pread(self.events()?, &mut buffer, 0)?;
        Ok(buffer[..length].starts_with(b"populated 1") || find(&buffer[..length], b"\npopulated 1"))
    }

    /// Ready when [`Cgroup::is_populated`] may have changed since it was last asked.
    ///
    /// # Errors
    /// `EMFILE`, if it was not asked before.
    pub fn waitable(&self) -> io::Result<Waitable<'_>> {
        Ok(Waitable { descriptor: self.events()?, direction: Direction::Change })
    }

    /// Ends every process in it and below it, those that are being made at this moment too. Returns before they are
    /// gone: wait for [`Cgroup::is_populated`] to become false.
    ///
    /// # Errors
    /// `EACCES` without the right to write there.
    pub fn kill(&self) -> io::Result<()> {
        fault::at(Fault::CgroupKill)?;
        if !denied(Feature::CgroupKill) {
            match self.write("cgroup.kill", b"1") {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => return other,
            }
        }
        // Before 5.14: frozen, nothing can fork away while it is being signalled, and SIGKILL still acts.
        self.write("cgroup.freeze", b"1")?;
        let killed = self.signal(Signal::KILL);
        self.write("cgroup.freeze", b"0")?;
        killed.map(drop)
    }

    /// Stops all of it from running (`true`) or lets it run again.
    ///
    /// # Errors
    /// `EACCES` without the right to write there.
    pub fn freeze(&self, frozen: bool) -> io::Result<()> {
        self.write("cgroup.freeze", if frozen { b"1" } else { b"0" })
    }

    /// Lets all of it run again, cgroups below it that were frozen by themselves too.
    ///
    /// # Errors
    /// `EACCES` without the right to write there.
    pub fn thaw(&self) -> io::Result<()> {
        self.visit(&mut |directory| {
            rustix::io::write(&open_in(directory, "cgroup.freeze", OFlags::WRONLY)?, b"0")?;
            Ok(())
        })
    }

    /// Sends a signal to every process in it and below it: the number of those that got it.
    ///
    /// A process that is made while this runs is found by looking again until nothing new shows up.
    ///
    /// # Errors
    /// `EACCES` without the right to read there. Members that may not be signalled are passed over.
    pub fn signal(&self, signal: Signal) -> io::Result<usize> {
        const ROUNDS: usize = 16;
        let mut told = std::collections::HashSet::new();
        for _ in 0..ROUNDS {
            let handles: Vec<Process> = self
                .processes()?
                .into_iter()
                .filter(|pid| !told.contains(pid))
                .filter_map(|pid| Process::open(pid).ok())
                .collect();
            if handles.is_empty() {
                break;
            }
            // A pid that is still listed once it has been opened is the process that was opened: had it ended and its
            // number been given away in between, the signal through the handle would reach nobody.
            let still = self.processes()?;
            for handle in handles.iter().filter(|handle| still.contains(&handle.pid())) {
                if handle.signal(signal).is_ok() {
                    told.insert(handle.pid());
                }
            }
        }
        Ok(told.len())
    }

    /// The processes in it and below it. A process that comes or goes meanwhile may be missing.
    ///
    /// # Errors
    /// `EACCES`; `ENODEV` once it was removed.
    pub fn processes(&self) -> io::Result<Vec<Pid>> {
        fault::at(Fault::CgroupList)?;
        let mut pids = Vec::new();
        self.visit(&mut |directory| {
            let listed = read_in(directory, "cgroup.procs")?;
            let numbers =
                listed.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
            pids.extend(numbers.filter_map(|line| line.parse().ok().and_then(Pid::new)));
            Ok(())
        })?;
        Ok(pids)
    }

    /// Time on CPUs of all that ever ran in it, the dead included.
    ///
    /// # Errors
    /// `ENOENT` before Linux 4.15.
    pub fn cpu_time(&self) -> io::Result<CpuTime> {
        // The two are among the first lines.
        let mut buffer = [0u8; 512];
        let file = opened(&self.cpu, || self.open_file("cpu.stat", OFlags::RDONLY))?;
        let length = rustix::io::pread(file, &mut buffer, 0)?;
        let text = std::str::from_utf8(&buffer[..length]).unwrap_or_default();
        let microseconds = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name));
            value.and_then(|value| value.parse().ok()).map(Duration::from_micros).unwrap_or_default()
        };
        Ok(CpuTime { user: microseconds("user_usec "), system: microseconds("system_usec ") })
    }

    /// What one of its files says (`memory.events`, `cgroup.controllers`, ...).
    ///
    /// # Errors
    /// `ENOENT` where its controller is not at work; `ENODEV` once it was removed.
    pub fn read(&self, file: &str) -> io::Result<String> {
        let content = read_whole(self.open_file(file, OFlags::RDONLY)?)?;
        String::from_utf8(content).map_err(io::Error::other)
    }

    /// Writes to one of its files, in a single write: a limit, a controller, a process to take in.
    ///
    /// # Errors
    /// What the kernel says: `EINVAL`, `ERANGE`, `EBUSY`, `ENOENT` where the controller is not at work, ...
    pub fn set(&self, file: &str, value: &str) -> io::Result<()> {
        self.write(file, value.as_bytes())
    }

    /// One of its files whose changes the kernel tells ([`Direction::Change`]): `memory.events`, `pids.events`, ...
    ///
    /// # Errors
    /// `ENOENT` where its controller is not at work.
    pub fn watch(&self, file: &str) -> io::Result<Owned> {
        self.open_file(file, OFlags::RDONLY)
    }

    /// Whether it is the root of the whole hierarchy, to which the rules about processes beside controllers do not apply.
    /// The root of a cgroup namespace or of a container is none.
    pub fn is_top(&self) -> bool {
        let no_type = rustix::fs::access(self.path.join("cgroup.type"), rustix::fs::Access::EXISTS);
        no_type == Err(rustix::io::Errno::NOENT)
    }

    /// Removes it and what is below it.
    ///
    /// # Errors
    /// `EBUSY` while a process lives there.
    pub fn remove(&self) -> io::Result<()> {
        remove(&self.path)
    }

    /// Whether there are cgroups below it.
    pub fn has_children(&self) -> bool {
        self.directory().and_then(has_children).unwrap_or(true)
    }

    fn visit(&self, each: &mut dyn FnMut(Borrowed<'_>) -> io::Result<()>) -> io::Result<()> {
        each(self.directory()?)?;
        visit_below(self.directory()?, each)
    }

    /// With no more than the one descriptor, since a kill must not fail for want of a second.
    fn open_file(&self, file: &str, flags: OFlags) -> io::Result<OwnedFd> {
        match self.directory.get() {
            Some(directory) => open_in(directory, file, flags),
            None => open_in(rustix::fs::CWD, self.path.join(file), flags),
        }
    }

    fn write(&self, file: &str, bytes: &[u8]) -> io::Result<()> {
        match file {
            "cgroup.kill" => {}
            "cgroup.procs" => fault::at(Fault::CgroupAdmit)?,
            _ => fault::at(Fault::CgroupWrite)?,
        }
        let file = self.open_file(file, OFlags::WRONLY)?;
        rustix::io::write(&file, bytes)?;
        Ok(())
    }
}

/// Whether this is a whole cgroup v2 hierarchy: mounted here, and from its root. The kernel numbers the root of each
/// file system of this kind 1.
pub fn is_hierarchy(path: &Path) -> bool {
    is_in_cgroup2(path) && rustix::fs::stat(path).is_ok_and(|found| found.st_ino == 1)
}

fn is_in_cgroup2(path: &Path) -> bool {
    const CGROUP2_SUPER_MAGIC: u32 = 0x6367_7270;
    rustix::fs::statfs(path).is_ok_and(|found| found.f_type as u32 == CGROUP2_SUPER_MAGIC)
}

/// Whether this is a directory of a cgroup v2 hierarchy, and no link to one.
pub fn is_cgroup(path: &Path) -> bool {
    let is_directory = std::fs::symlink_metadata(path).is_ok_and(|found| found.is_dir());
    is_directory && is_in_cgroup2(path)
}

/// Removes a cgroup directory and those below it; they hold no files that could be lost.
///
/// # Errors
/// `EBUSY` while a process lives there.
pub fn remove(path: &Path) -> io::Result<()> {
    fault::at(Fault::CgroupRemove)?;
    match rustix::fs::rmdir(path) {
        Err(rustix::io::Errno::BUSY | rustix::io::Errno::NOTEMPTY) => {}
        other => return Ok(other?),
    }
    for entry in std::fs::read_dir(path)?.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path())?;
        }
    }
    Ok(rustix::fs::rmdir(path)?)
}

fn has_children(directory: Borrowed<'_>) -> io::Result<bool> {
    // Two links are `.` and the entry in the parent; each child directory adds one.
    Ok(rustix::fs::statat(directory, "", AtFlags::EMPTY_PATH)?.st_nlink > 2)
}

fn visit_below(
    directory: Borrowed<'_>,
    each: &mut dyn FnMut(Borrowed<'_>) -> io::Result<()>,
) -> io::Result<()> {
    if !has_children(directory)? {
        return Ok(());
    }
    let readable = rustix::fs::openat(directory, ".", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let entries = rustix::fs::Dir::new(readable)?;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let is_directory = entry.file_type() == rustix::fs::FileType::Directory;
        if !is_directory || name.to_bytes().starts_with(b".") {
            continue;
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        // It may have been removed meanwhile, and then nobody is in it.
        let Ok(below) = rustix::fs::openat(directory, name, flags, Mode::empty()) else { continue };
        match each(below.as_fd()).and_then(|()| visit_below(below.as_fd(), each)) {
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => {}
            other => other?,
        }
    }
    Ok(())
}

/// What is open in this cell, opened now if nothing is.
fn opened(cell: &OnceLock<OwnedFd>, open: impl FnOnce() -> io::Result<OwnedFd>) -> io::Result<Borrowed<'_>> {
    let file = match cell.get() {
        Some(file) => file,
        None => {
            let file = open()?;
            cell.get_or_init(|| file)
        }
    };
    Ok(file.as_fd())
}

fn open_in(directory: impl AsFd, file: impl AsRef<Path>, flags: OFlags) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat(directory, file.as_ref(), flags | OFlags::CLOEXEC, Mode::empty())?)
}

fn read_in(directory: Borrowed<'_>, file: &str) -> io::Result<Vec<u8>> {
    read_whole(open_in(directory, file, OFlags::RDONLY)?)
}

/// All that a kernel file says. Its size is never told, so that nobody asks for it, and a read gives a page at most.
fn read_whole(file: OwnedFd) -> io::Result<Vec<u8>> {
    use std::io::Read;
    let mut content = Vec::with_capacity(4096);
    std::fs::File::from(file).take(u64::MAX).read_to_end(&mut content)?;
    Ok(content)
}

fn find(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}
