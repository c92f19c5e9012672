//! The cgroup of a group: a directory below the owner's, in which each run has a leaf and each nested group a directory.
//!
//! No process lives in it itself, so that it can hand controllers down to its runs.

use super::cgroup::{self, wait_until_empty};
use super::knobs::{self, Controller, Controllers, Setting};
use super::pool::Pool;
use super::{Counters, Refusal, Watch, control};
use pinfold_os::handle::Pid;
use pinfold_os::linux::cgroup::{Cgroup, CpuTime};
use pinfold_os::signal::Signal;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The directory of a group.
#[derive(Debug)]
pub(crate) struct Directory {
    cgroup: Cgroup,
    above: Option<Arc<Directory>>,
    take_over: bool,
    made: AtomicU64,
    /// How often it was killed: leaves that were there then are not used again.
    kills: AtomicU64,
    pool: Mutex<Pool>,
    bounds: Mutex<Bounds>,
}

/// What was written to a cgroup, and the controllers that count what is in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Bounds {
    pub(super) settings: Vec<Setting>,
    pub(super) counted: Controllers,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Directory {
    pub(super) fn make(
        settings: &[Setting],
        above: Option<Arc<Directory>>,
        take_over: bool,
    ) -> Result<Directory, Refusal> {
        let wanted = knobs::controllers(settings);
        cgroup::provide(above.as_ref(), wanted, take_over)?;
        let path = match &above {
            Some(above) => above.next("g"),
            None => cgroup::next_path("g").map_err(|error| Refusal::at("make a cgroup", error))?,
        };
        let cgroup = Cgroup::create(&path).map_err(|error| Refusal::at("make a cgroup", error))?;
        let directory = Directory {
            cgroup,
            above,
            take_over,
            made: AtomicU64::new(0),
            kills: AtomicU64::new(0),
            pool: Mutex::default(),
            bounds: Mutex::default(),
        };
        // Nothing can run there uncapped: nobody knows it yet.
        match directory.bind(settings) {
            Ok(()) => Ok(directory),
            Err(refusal) => {
                let _ = directory.cgroup.remove();
                Err(refusal)
            }
        }
    }

    /// Changes its limits to these.
    pub(super) fn bind(&self, settings: &[Setting]) -> Result<(), Refusal> {
        let mut bounds = locked(&self.bounds);
        let wanted = knobs::controllers(settings);
        cgroup::provide(self.above.as_ref(), wanted, self.take_over)?;
        control::refuse_uncounted(wanted.without(bounds.counted), self.made.load(Ordering::Relaxed) > 0)?;
        let changes = knobs::difference(&bounds.settings, settings);
        // What was written is remembered even where a later write fails.
        settings.clone_into(&mut bounds.settings);
        bounds.counted = bounds.counted.with(wanted);
        control::apply(&self.cgroup, &changes)?;
        // So that each run knows what hit it.
        control::enable(&self.cgroup, wanted)
    }

    /// Has its leaves have these controllers.
    pub(super) fn provide(&self, wanted: Controllers) -> Result<(), Refusal> {
        cgroup::provide(self.above.as_ref(), wanted, self.take_over)?;
        control::enable(&self.cgroup, wanted)
    }

    /// A path in it that nobody has had.
    pub(super) fn next(&self, prefix: &str) -> PathBuf {
        let number = self.made.fetch_add(1, Ordering::Relaxed) + 1;
        self.cgroup.path().join(format!("{prefix}{number}"))
    }

    /// The controllers that its leaves are born with.
    pub(super) fn counted(&self) -> Controllers {
        locked(&self.bounds).counted
    }

    pub(super) fn kills(&self) -> u64 {
        self.kills.load(Ordering::SeqCst)
    }

    pub(super) fn pooled(&self) -> Option<(Cgroup, CpuTime)> {
        // What its controllers have counted would be taken for the next one's.
        if self.counted().is_empty() { locked(&self.pool).take() } else { None }
    }

    /// Keeps an empty leaf that was taken when the group had been killed so often; gives back what it does not keep.
    pub(super) fn keep(&self, leaf: Cgroup, used: CpuTime, kills: u64) -> Option<Cgroup> {
        let mut pool = locked(&self.pool);
        if kills != self.kills() || !pool.has_room() {
            return Some(leaf);
        }
        pool.put(leaf, used);
        None
    }

    pub(super) fn read(&self, file: &str) -> Option<String> {
        self.cgroup.read(file).ok()
    }

    /// What its controllers have counted.
    pub(super) fn counters(&self) -> Counters {
        let mut counters = Counters::read(&self.cgroup, self.counted());
        // Before Linux 6.11 it is each leaf's file that tells of a limit further up: see GOTCHAS.md.
        if self.cgroup.read("pids.events.local").is_err() {
            counters.hit.processes = None;
        }
        counters
    }

    /// Files of its own for one waiter.
    pub(super) fn watch(&self, limits: bool) -> io::Result<Watch> {
        let populated = match self.cgroup.watch("cgroup.events") {
            Ok(file) => Some(file.into()),
            // It has ended, and whoever waits for that has to wait no more.
            Err(error) if cgroup::is_removed(&error) => None,
            Err(error) => return Err(error),
        };
        let files = [(Controller::Memory, "memory.events"), (Controller::Pids, "pids.events")];
        let counted = if limits { self.counted() } else { Controllers::default() };
        let files = files.into_iter().filter(|(controller, _)| counted.contains(*controller));
        let limits =
            files.map(|(_, file)| self.cgroup.watch(file).map(File::from)).collect::<Result<_, _>>()?;
        Ok(Watch { populated, limits })
    }

    pub(super) fn members(&self) -> Vec<Pid> {
        self.cgroup.processes().unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        match self.cgroup.is_populated() {
            Ok(populated) => !populated,
            Err(error) => cgroup::is_removed(&error),
        }
    }

    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        self.cgroup.signal(signal).map(drop)
    }

    pub(super) fn freeze(&self, frozen: bool) -> io::Result<()> {
        self.cgroup.freeze(frozen)
    }

    /// Lets all of it run, what was suspended by itself too.
    pub(super) fn thaw(&self) -> io::Result<()> {
        self.cgroup.thaw()
    }

    pub(super) fn kill(&self) -> io::Result<()> {
        {
            // In this order, so that no leaf that is being killed is kept.
            let mut pool = locked(&self.pool);
            self.kills.fetch_add(1, Ordering::SeqCst);
            std::mem::take(&mut *pool).remove();
        }
        match self.cgroup.kill() {
            // It has ended, and all that was in it.
            Err(error) if cgroup::is_removed(&error) => Ok(()),
            killed => killed,
        }
    }

    /// Takes in a process that others have started.
    pub(super) fn adopt(&self, pid: Pid) -> io::Result<()> {
        let leaf = Cgroup::create(&self.next("a"))?;
        leaf.set("cgroup.procs", &pid.to_string()).inspect_err(|_| {
            let _ = leaf.remove();
        })
    }

    /// Ends all that is in it and removes it.
    pub(super) fn end(&self, deadline: Instant) {
        if self.cgroup.remove().is_ok() {
            return;
        }
        let _ = self.kill();
        // A file of its own to wait at: others may be asking through ours.
        if let Ok(cgroup) = Cgroup::open(self.cgroup.path()) {
            wait_until_empty(&cgroup, deadline);
        }
        // What refuses to die now is still in the owner's directory, and goes with that.
        let _ = self.cgroup.remove();
    }
}
