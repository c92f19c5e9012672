//! A cgroup of its own for each run, below one directory of this process.
//!
//! The directory is made with the first run, beside us in our own cgroup; its name says who made it, so that the
//! next owner can tell and clear what a dead one left. Empty cgroups are kept for the next run, since making one
//! costs more than the spawn itself.

mod bound;
mod whereabouts;

pub(super) use bound::{could_provide, next_path, provide};

use super::control::{self, Aside};
use super::knobs::Controllers;
use super::pool::{self, Pool, StaysOpen};
use super::refusal::Lack;
use bound::Bound;
use pinfold_os::descriptor::Borrowed;
use pinfold_os::handle::Pid;
use pinfold_os::linux::cgroup::{self, Cgroup, CpuTime};
use pinfold_os::linux::guard::Guard;
use pinfold_os::poll::Waitable;
use pinfold_os::signal::Signal;
use pinfold_proc::Proc;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, Once, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use whereabouts::{base, pid_namespace, settle, unreadable};

/// Why there is no second run beside one that has the directory to itself.
const ALONE: &str = "this process runs one program at a time, by its own word";

/// What a directory of ours is called: this, then PID namespace, pid and start time, with dots between.
const PREFIX: &str = "pinfold";

/// The directory of this process and the empty cgroups in it.
#[derive(Debug)]
struct Owner {
    /// Who made it: after a fork, the copy in the child is not its owner.
    pid: u32,
    /// The reason why there is none.
    directory: Result<PathBuf, String>,
    /// The directory itself, for a run that is to be alone in it.
    whole: Whole,
    pool: Pool,
    made: u64,
    /// Started with the first run; the reason why there is none.
    guard: Option<Result<Guard, String>>,
    /// It is a child of ours, since we run one program at a time and wait for nobody else.
    waits_for_guard: bool,
    /// What dead owners left was looked for.
    swept: bool,
    /// What the directory hands down to its children.
    provided: Controllers,
    /// We have stepped out of the way of that.
    aside: Option<Aside>,
}

/// What the owner's directory itself is used for.
#[derive(Debug)]
enum Whole {
    /// Nothing yet; what was used in it.
    Free(Cgroup, CpuTime),
    /// A run has it to itself.
    Lent,
    /// Other directories lie in it, or it was killed once.
    Divided,
}

static OWNER: Mutex<Option<Owner>> = Mutex::new(None);

/// This process as an owner. That it has no directory is remembered, unless something had run out just then.
fn owner() -> io::Result<MutexGuard<'static, Option<Owner>>> {
    let mut guard = OWNER.lock().unwrap_or_else(PoisonError::into_inner);
    let pid = std::process::id();
    if guard.as_ref().is_none_or(|owner| owner.pid != pid) {
        let (directory, whole) = match settle() {
            Ok(mut cgroup) => {
                // Who only asked what there is has nothing open for it.
                cgroup.close_files();
                (Ok(cgroup.path().to_owned()), Whole::Free(cgroup, CpuTime::default()))
            }
            Err(Lack::Lasting(why)) => (Err(why), Whole::Divided),
            Err(Lack::Passing(error)) => return Err(error),
        };
        if directory.is_ok() {
            static ONCE: Once = Once::new();
            ONCE.call_once(|| pinfold_os::exit::at_exit(leave));
        }
        *guard = Some(Owner {
            pid,
            directory,
            whole,
            pool: Pool::default(),
            made: 0,
            guard: None,
            waits_for_guard: false,
            swept: false,
            provided: Controllers::default(),
            aside: None,
        });
    }
    Ok(guard)
}

/// Whether cgroups can be had, and if not, why not.
pub(crate) fn available() -> Result<(), Lack> {
    match owner().map_err(Lack::Passing)?.as_ref().map(|owner| &owner.directory) {
        Some(Err(why)) => Err(Lack::Lasting(why.clone())),
        _ => Ok(()),
    }
}

/// The cgroup that this process is in, where owners have their directories.
pub(crate) fn place() -> Result<PathBuf, Lack> {
    base(&mut Proc::host().map_err(unreadable)?)
}

/// The directory of this process, if it has one.
pub(crate) fn own_directory() -> Option<PathBuf> {
    owner().ok()?.as_ref()?.directory.clone().ok()
}

impl Owner {
    /// A path in the directory that nobody has had.
    fn next_path(&mut self, prefix: &str) -> io::Result<PathBuf> {
        let path = self.directory.as_ref().map_err(|why| io::Error::other(why.clone()))?;
        let path = path.join(format!("{prefix}{}", self.made + 1));
        self.divide()?;
        self.made += 1;
        Ok(path)
    }

    /// Before another directory is made in this one: it can be no run's own any more.
    fn divide(&mut self) -> io::Result<()> {
        if matches!(self.whole, Whole::Lent) {
            return Err(io::Error::other(ALONE));
        }
        self.whole = Whole::Divided;
        Ok(())
    }

    /// Has a guard started, unless that was tried before: whether one is at work.
    fn is_guarded(&mut self) -> io::Result<bool> {
        // One that someone has killed is made again.
        if matches!(&self.guard, Some(Ok(guard)) if !guard.is_alive()) {
            self.dismiss_guard();
        }
        let Ok(directory) = &self.directory else { return Ok(false) };
        if self.guard.is_none() {
            let start = if self.waits_for_guard { Guard::start_as_child } else { Guard::start };
            let started = Cgroup::open(directory).and_then(|cgroup| start(&cgroup));
            self.guard = Some(match started {
                Err(error) if pinfold_os::wait::is_exhaustion(&error) => return Err(error),
                started => started.map_err(|error| error.to_string()),
            });
        }
        Ok(matches!(self.guard, Some(Ok(_))))
    }
}

/// Whether a guard was started for this process.
pub(crate) fn has_guard() -> bool {
    let owner = owner().ok();
    owner.as_ref().and_then(|owner| owner.as_ref()).is_some_and(|owner| matches!(owner.guard, Some(Ok(_))))
}

/// Whether runs here outlive their owner by no more than a moment: known for certain once one was started.
pub(crate) fn promises_guard() -> bool {
    let owner = owner().ok();
    let owner = owner.as_ref().and_then(|owner| owner.as_ref());
    let tried = owner.and_then(|owner| owner.guard.as_ref().map(Result::is_ok));
    tried.unwrap_or_else(pinfold_os::linux::guard::is_built)
}

/// Clears what owners left that ended without a chance to do it themselves.
fn sweep(base: &Path) {
    let (Ok(entries), Some(namespace)) = (std::fs::read_dir(base), pid_namespace()) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_str().is_some_and(|name| is_left_over(name, namespace)) {
            let path = entry.path();
            // What was started detached from there lives on.
            if entry.file_name().to_str().is_some_and(|name| name.starts_with(control::SELF)) {
                let _ = std::fs::remove_dir(&path);
                continue;
            }
            if let Ok(cgroup) = Cgroup::open(&path) {
                end(&cgroup);
            }
            let _ = cgroup::remove(&path);
        }
    }
}

/// Whether a directory of this name was made by a process of our PID namespace that is gone.
fn is_left_over(name: &str, namespace: u64) -> bool {
    let mut parts = name.split('.');
    let mut number = || parts.next().and_then(|part| part.parse::<u64>().ok());
    let is_ours = name.starts_with(PREFIX);
    let _ = number();
    let (Some(in_namespace), Some(pid), Some(start)) = (number(), number(), number()) else { return false };
    let Ok(pid) = u32::try_from(pid) else { return false };
    let lives = match Proc::new("/proc").stat(pid) {
        Ok(stat) => stat.starttime == start,
        Err(error) => !error.is_gone(),
    };
    is_ours && in_namespace == namespace && !lives
}

pub(super) fn wait_until_empty(cgroup: &Cgroup, deadline: Instant) {
    /// Somebody else may remove it the moment that it is empty, and then nothing tells us so: see GOTCHAS.md.
    const LOOK: Duration = Duration::from_millis(50);
    while cgroup.is_populated().unwrap_or(false) {
        let (Ok(waitable), now) = (cgroup.waitable(), Instant::now()) else { return };
        if now >= deadline || pinfold_os::poll::wait(&[waitable], Some(deadline.min(now + LOOK))).is_err() {
            return;
        }
    }
}

/// At the orderly end of this process: ends what is left and removes the directory.
fn leave() {
    let Ok(mut guard) = OWNER.try_lock() else { return };
    let Some(owner) = guard.as_mut().filter(|owner| owner.pid == std::process::id()) else { return };
    std::mem::take(&mut owner.pool).remove();
    let Ok(directory) = &owner.directory else { return };
    // Nothing is in it, as a rule.
    let mut removed = std::fs::remove_dir(directory).is_ok();
    if !removed && let Ok(cgroup) = Cgroup::open(directory) {
        if cgroup.is_populated().unwrap_or(false) && cgroup.kill().is_ok() {
            wait_until_empty(&cgroup, Instant::now() + Duration::from_secs(1));
        }
        removed = cgroup.remove().is_ok();
    }
    if removed {
        owner.dismiss_guard();
    }
    owner.step_back();
}

impl Owner {
    /// Once there is nothing left to guard.
    fn dismiss_guard(&mut self) {
        if let Some(Ok(guard)) = self.guard.take() {
            guard.dismiss();
        }
    }

    /// Back to where we were before limits had us step aside.
    fn step_back(&mut self) {
        let base = self.directory.as_ref().ok().and_then(|directory| directory.parent());
        if let (Some(base), Some(aside)) = (base, self.aside.take()) {
            aside.step_back(base);
        }
    }
}

/// Before this process becomes another program, which would not: removes the directory, unless something runs in it.
pub(crate) fn release() {
    let mut guard = OWNER.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(owner) = guard.as_mut().filter(|owner| owner.pid == std::process::id()) else { return };
    owner.pool = Pool::default();
    if owner.directory.as_ref().is_ok_and(|directory| cgroup::remove(directory).is_ok()) {
        owner.dismiss_guard();
        owner.step_back();
        // Should the execution fail, the next run makes it anew.
        *guard = None;
    }
}

pub(super) fn is_removed(error: &io::Error) -> bool {
    const ENODEV: i32 = 19;
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(ENODEV)
}

/// The cgroup of one run.
#[derive(Debug)]
pub(crate) struct Leaf {
    /// `Some` until it is dropped.
    cgroup: Option<Cgroup>,
    /// What its earlier occupants used.
    before: CpuTime,
    used: Mutex<Option<CpuTime>>,
    /// Once a kill was ordered, Linux 6.14 and later also kill what is born in here afterwards: see GOTCHAS.md.
    killed: AtomicBool,
    /// Whether it was empty when that was last asked.
    emptied: AtomicBool,
    /// Held where its files may stay open while it is in use.
    open: Option<StaysOpen>,
    guarded: bool,
    /// It is the owner's directory itself.
    is_whole: bool,
    /// Made where it has limits or is in a group.
    bound: OnceLock<Box<Bound>>,
}

impl Leaf {
    /// One from the pool, or a new one. With `guarded` the guard is at work before it is there.
    pub(crate) fn take(guarded: bool) -> io::Result<Leaf> {
        let mut guard = owner()?;
        let owner = guard.as_mut().ok_or(io::ErrorKind::NotFound)?;
        let guarded = guarded && owner.is_guarded()?;
        if let Some((cgroup, used)) = owner.pool.take() {
            return Ok(Leaf::new(cgroup, used, guarded));
        }
        let path = owner.next_path("")?;
        drop(guard);
        Ok(Leaf::new(Cgroup::create(&path)?, CpuTime::default(), guarded))
    }

    /// The directory of this process itself, for the one run that there is, where that is to be had: it spares making and
    /// removing another.
    pub(crate) fn take_whole(guarded: bool) -> io::Result<Leaf> {
        let mut lock = owner()?;
        let owner = lock.as_mut().ok_or(io::ErrorKind::NotFound)?;
        // The guard first: should it fail, nothing is lent.
        let guarded = guarded && owner.is_guarded()?;
        match std::mem::replace(&mut owner.whole, Whole::Lent) {
            Whole::Free(cgroup, used) => {
                let mut leaf = Leaf::new(cgroup, used, guarded);
                leaf.is_whole = true;
                Ok(leaf)
            }
            other => {
                owner.whole = other;
                drop(lock);
                Leaf::take(guarded)
            }
        }
    }

    fn new(cgroup: Cgroup, before: CpuTime, guarded: bool) -> Leaf {
        Leaf {
            is_whole: false,
            guarded,
            open: pool::stay_open(),
            cgroup: Some(cgroup),
            before,
            used: Mutex::new(None),
            killed: AtomicBool::new(false),
            emptied: AtomicBool::new(false),
            bound: OnceLock::new(),
        }
    }

    /// What is done once for each owner, beside the first program rather than before it: has the guard started, and
    /// clears what dead owners left.
    pub(crate) fn attend(&mut self) -> io::Result<()> {
        let mut guard = owner()?;
        let owner = guard.as_mut().ok_or(io::ErrorKind::NotFound)?;
        self.guarded = owner.is_guarded()?;
        let base = owner.directory.as_ref().ok().and_then(|directory| directory.parent());
        if let Some(base) = base.map(Path::to_owned).filter(|_| !std::mem::replace(&mut owner.swept, true)) {
            drop(guard);
            sweep(&base);
        }
        Ok(())
    }

    /// Whether a guard was at work when it was last attended to.
    pub(crate) fn is_guarded(&self) -> bool {
        self.guarded
    }

    fn cgroup(&self) -> &Cgroup {
        self.cgroup.as_ref().expect("a leaf has its cgroup until it is dropped")
    }

    pub(crate) fn directory(&self) -> io::Result<Borrowed<'_>> {
        self.cgroup().directory()
    }

    /// Once the process is born: closes what is not needed before its end, where there are many.
    pub(crate) fn settle(&mut self) {
        if let (None, Some(cgroup)) = (&self.open, &mut self.cgroup) {
            cgroup.close_files();
        }
    }

    pub(crate) fn waitable(&self) -> Option<Waitable<'_>> {
        self.cgroup().waitable().ok()
    }

    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        self.cgroup().signal(signal).map(drop)
    }

    pub(crate) fn kill(&self) -> io::Result<()> {
        self.killed.store(true, Ordering::Relaxed);
        self.cgroup().kill()
    }

    pub(crate) fn freeze(&self, frozen: bool) -> io::Result<()> {
        self.cgroup().freeze(frozen)
    }

    pub(crate) fn members(&self) -> Vec<Pid> {
        self.cgroup().processes().unwrap_or_default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        let empty = match self.cgroup().is_populated() {
            Ok(populated) => !populated,
            // A directory that someone removed had nobody in it.
            Err(error) => is_removed(&error),
        };
        self.emptied.store(empty, Ordering::Relaxed);
        empty
    }

    pub(crate) fn cpu_time(&self) -> Option<(Duration, Duration)> {
        let total = self.cgroup().cpu_time().ok()?;
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Some(total);
        let before = self.before;
        Some((total.user.saturating_sub(before.user), total.system.saturating_sub(before.system)))
    }
}

/// Kills all that is in it, and waits until that is gone.
fn end(cgroup: &Cgroup) {
    let _ = cgroup.kill();
    wait_until_empty(cgroup, Instant::now() + Duration::from_secs(1));
}

/// The directory of this process comes back from a run, and will be no other's own.
fn give_back_divided() {
    let mut guard = OWNER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(owner) = guard.as_mut() {
        owner.whole = Whole::Divided;
    }
}

impl Drop for Leaf {
    fn drop(&mut self) {
        let Some(mut cgroup) = self.cgroup.take() else { return };
        let mut guard = OWNER.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(owner) = guard.as_mut().filter(|owner| owner.pid == std::process::id()) else { return };
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A run ends when its cgroup was seen empty, and nobody but its members makes new ones.
        let empty =
            self.emptied.load(Ordering::Relaxed) || cgroup.is_populated().is_ok_and(|populated| !populated);
        if self.is_whole {
            owner.whole = match used.filter(|_| empty && !self.killed.load(Ordering::Relaxed)) {
                Some(used) if !cgroup.has_children() => Whole::Free(cgroup, used),
                _ if empty => Whole::Divided,
                _ => {
                    drop(guard);
                    end(&cgroup);
                    give_back_divided();
                    return;
                }
            };
            return;
        }
        let bound = self.bound.take();
        let uncounted = bound.as_ref().is_none_or(|bound| bound.is_uncounted());
        let fit = uncounted && !self.killed.load(Ordering::Relaxed) && !cgroup.has_children();
        match (bound.and_then(|bound| Bound::into_group(*bound)), used) {
            (Some((group, kills)), Some(used)) if empty && fit => match group.keep(cgroup, used, kills) {
                Some(given_back) => cgroup = given_back,
                None => return,
            },
            (None, Some(used)) if empty && fit && owner.pool.has_room() => {
                owner.pool.put(cgroup, used);
                return;
            }
            _ => {}
        }
        drop(guard);
        if !empty {
            end(&cgroup);
        }
        // What refuses to die now is still in the owner's directory, and goes with that.
        let _ = cgroup.remove();
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use pinfold_proc::Target;
    use whereabouts::own_name;

    #[test]
    fn only_what_a_dead_process_of_our_namespace_made_is_left_over() {
        let namespace = pid_namespace().unwrap();
        let own = own_name(&mut Proc::host().unwrap()).unwrap();
        assert!(!is_left_over(&own, namespace), "we live");
        let start = Proc::host().unwrap().stat(Target::Own).unwrap().starttime;
        let other_start = own.replace(&start.to_string(), &(start + 1).to_string());
        assert!(is_left_over(&other_start, namespace), "our pid was someone else's before");
        assert!(!is_left_over(&other_start, namespace + 1), "pids of another namespace mean nothing");
        for name in ["pinfold", "pinfold.1", "pinfold.a.b.c", "other.1.2.3", "system.slice"] {
            assert!(!is_left_over(name, namespace), "{name}");
        }
    }
}
