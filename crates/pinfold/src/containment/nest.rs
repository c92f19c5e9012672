//! What a group holds: a cgroup of its own with its runs in it, or on the other mechanisms the set of the containers of
//! its runs; and the groups below it.

use super::bounds::Demand;
use super::{Container, Counters, Refusal, Watch, guarantee};
use crate::limits::Limits;
use crate::maker::Maker;
use crate::outcome::{Guarantee, Mechanism};
use crate::settings::{Containment, Isolation};
use pinfold_os::handle::{Pid, Process};
use pinfold_os::poll::Event;
use pinfold_os::signal::Signal;
use std::collections::HashSet;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};
use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
use super::directory::Directory;

/// How long the kernel may take over what it was told to kill before the end of a group goes on without it.
const KILL_TAKES: Duration = Duration::from_secs(2);
/// How often a container that gives no events is asked whether it is empty.
const ASK_AGAIN: Duration = Duration::from_millis(2);

/// The processes of a group.
#[derive(Debug)]
pub(crate) struct Nest {
    /// Who made it: after a fork, the copy in the child is not its owner.
    maker: Maker,
    mechanism: Mechanism,
    required: Option<Guarantee>,
    #[cfg(target_os = "linux")]
    directory: Option<Arc<Directory>>,
    /// Where there is no directory: the containers of its runs, each with a handle of who leads it.
    runs: Mutex<Vec<(Weak<Container>, Process)>>,
    above: Option<Arc<Nest>>,
    below: Mutex<Vec<Weak<Nest>>>,
    gate: RwLock<Gate>,
    /// Who was there when the group was stopped.
    told: Mutex<HashSet<Pid>>,
    births: AtomicU64,
    /// Nothing is started in it any more.
    ended: AtomicBool,
    /// Nobody lives in it any more.
    over: AtomicBool,
    /// Raised at the end, for those who wait for it.
    farewells: Mutex<Vec<Weak<Event>>>,
}

/// What keeps new processes out. A start holds it for reading: what is born frozen before it has executed anything would
/// hold up whoever starts it for ever, and what is started behind a kill would outlive it.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    suspended: bool,
    stopping: u32,
}

/// The right to start something in a group, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Entry<'a>(#[expect(dead_code, reason = "held")] Vec<RwLockReadGuard<'a, Gate>>);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn no_entry(what: &str, instead: &str) -> Refusal {
    Refusal { what: what.to_owned(), instead: instead.to_owned(), passing: None, limits: false }
}

impl Nest {
    pub(crate) fn make(wanted: Containment, demand: Demand<'_>) -> Result<Arc<Nest>, Refusal> {
        let mechanism = super::choose_for(wanted, demand)?.mechanism;
        let above = demand.group.cloned();
        if let Some(above) = &above {
            above.must_be_here("no group can be made in it")?;
        }
        #[cfg(target_os = "linux")]
        let directory = if mechanism == Mechanism::CgroupV2 {
            let outer = above.as_ref().and_then(|above| above.directory.clone());
            let settings = super::bounds::settings(demand.limits)?;
            Some(Arc::new(Directory::make(&settings, outer, demand.take_over)?))
        } else {
            None
        };
        let nest = Arc::new(Nest {
            maker: Maker::here(),
            mechanism,
            required: wanted.require.max(above.as_ref().and_then(|above| above.required)),
            #[cfg(target_os = "linux")]
            directory,
            runs: Mutex::default(),
            above,
            below: Mutex::default(),
            gate: RwLock::default(),
            told: Mutex::default(),
            births: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            over: AtomicBool::new(false),
            farewells: Mutex::default(),
        });
        if let Some(above) = &nest.above {
            let mut below = locked(&above.below);
            below.retain(|nest| nest.strong_count() > 0);
            below.push(Arc::downgrade(&nest));
        }
        Ok(nest)
    }

    pub(crate) fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    pub(crate) fn required(&self) -> Option<Guarantee> {
        self.required
    }

    #[cfg(target_os = "linux")]
    pub(super) fn directory(&self) -> Option<&Arc<Directory>> {
        self.directory.as_ref()
    }

    /// Its mechanism, for a command that wants this.
    pub(super) fn admit(&self, wanted: Containment) -> Result<Mechanism, Refusal> {
        let fits = match wanted.isolation {
            Isolation::Best => true,
            Isolation::Cgroup => self.mechanism == Mechanism::CgroupV2,
            Isolation::ProcessGroup => self.mechanism == Mechanism::ProcessGroup,
            Isolation::Subreaper => self.mechanism == Mechanism::Subreaper,
            Isolation::PidNamespace => self.mechanism == Mechanism::PidNamespace,
        };
        if !fits {
            let what = format!("another isolation was asked for than that of its group, {}", self.mechanism);
            return Err(no_entry(&what, "leave the isolation to the group"));
        }
        match wanted.require {
            Some(required) if guarantee(self.mechanism) < required => {
                let has = guarantee(self.mechanism);
                let what = format!("the guarantee {required} was required, and its group guarantees {has}");
                Err(no_entry(&what, "require less, or nothing"))
            }
            _ => Ok(self.mechanism),
        }
    }

    /// The right to start something in it.
    pub(crate) fn enter(&self) -> Result<Entry<'_>, Refusal> {
        self.must_be_here("nothing can be started in its group")?;
        let mut held = Vec::new();
        let mut nest = Some(self);
        while let Some(this) = nest {
            let gate = this.gate.read().unwrap_or_else(PoisonError::into_inner);
            if this.ended.load(Ordering::SeqCst) {
                return Err(no_entry("its group has ended", "make another group"));
            }
            if gate.stopping > 0 {
                return Err(no_entry("its group is being stopped", "start it when that is done"));
            }
            if gate.suspended {
                return Err(no_entry("its group is suspended", "resume the group first"));
            }
            held.push(gate);
            nest = this.above.as_deref();
        }
        Ok(Entry(held))
    }

    fn gate(&self) -> RwLockWriteGuard<'_, Gate> {
        self.gate.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what was just started.
    pub(crate) fn join(&self, container: &Arc<Container>, leader: &Process) -> io::Result<()> {
        if self.lists_runs() {
            let mut runs = locked(&self.runs);
            runs.retain(|(container, _)| container.strong_count() > 0);
            runs.push((Arc::downgrade(container), leader.twin()?));
        }
        self.note_birth(leader.pid());
        Ok(())
    }

    /// Forgets the run that this process leads: it is about to be waited for.
    pub(crate) fn leave(&self, leader: Pid) {
        if self.lists_runs() {
            locked(&self.runs).retain(|(_, process)| process.pid() != leader);
        }
    }

    fn note_birth(&self, pid: Pid) {
        let mut nest = Some(self);
        while let Some(this) = nest {
            locked(&this.told).remove(&pid);
            this.births.fetch_add(1, Ordering::SeqCst);
            nest = this.above.as_deref();
        }
    }

    /// Grows with each process that is started in it or taken in.
    pub(crate) fn births(&self) -> u64 {
        self.births.load(Ordering::SeqCst)
    }

    /// Whether the run that this process leads was there when the group was stopped.
    pub(crate) fn has_stopped(&self, leader: Pid) -> bool {
        locked(&self.told).contains(&leader)
            || self.above.as_ref().is_some_and(|above| above.has_stopped(leader))
    }

    fn lists_runs(&self) -> bool {
        self.mechanism != Mechanism::CgroupV2
    }

    /// Does something with each of its containers, those of nested groups included.
    fn each(&self, act: &mut dyn FnMut(&Container, &Process)) {
        for (container, leader) in locked(&self.runs).iter() {
            if let Some(container) = container.upgrade() {
                act(&container, leader);
            }
        }
        let below: Vec<_> = locked(&self.below).iter().filter_map(Weak::upgrade).collect();
        below.iter().for_each(|nest| nest.each(act));
    }

    /// [`Nest::each`] for what can fail: the first failure, unless one of them worked.
    fn try_each(&self, act: impl Fn(&Container, &Process) -> io::Result<()>) -> io::Result<()> {
        let (mut worked, mut failure) = (false, None);
        self.each(&mut |container, leader| match act(container, leader) {
            Ok(()) => worked = true,
            // Nobody of it is left.
            Err(error) if error.raw_os_error() == Some(ESRCH) => {}
            Err(error) => failure = Some(error),
        });
        if worked { Ok(()) } else { failure.map_or(Ok(()), Err) }
    }

    pub(crate) fn members(&self) -> Vec<Pid> {
        #[cfg(target_os = "linux")]
        if let Some(directory) = &self.directory {
            return directory.members();
        }
        let mut members = Vec::new();
        self.each(&mut |container, leader| members.extend(container.members(leader)));
        members
    }

    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        self.maker.check()?;
        #[cfg(target_os = "linux")]
        if let Some(directory) = &self.directory {
            return directory.signal(signal);
        }
        self.try_each(|container, leader| container.signal(leader, signal))
    }

    /// Suspends all of it, or lets it run again. Nothing is started while it is suspended.
    pub(crate) fn suspend(&self, suspended: bool) -> io::Result<()> {
        self.maker.check()?;
        let mut gate = self.gate();
        #[cfg(target_os = "linux")]
        let done = match &self.directory {
            Some(directory) => directory.freeze(suspended),
            None => self.try_each(|container, leader| container.freeze(leader, suspended)),
        };
        #[cfg(not(target_os = "linux"))]
        let done = self.try_each(|container, leader| container.freeze(leader, suspended));
        if done.is_ok() {
            gate.suspended = suspended;
        }
        done
    }

    /// From here to [`Nest::stopped`] nothing is started in it: who is there now.
    pub(crate) fn begin_stop(&self) -> Vec<Pid> {
        let mut gate = self.gate();
        gate.stopping += 1;
        let members = self.members();
        locked(&self.told).extend(&members);
        members
    }

    pub(crate) fn stopped(&self) {
        // Of a copy the lock may be held for ever.
        if !self.maker.is_here() {
            return;
        }
        let mut gate = self.gate();
        gate.stopping = gate.stopping.saturating_sub(1);
    }

    /// A signal that has to be heard: by what is suspended too.
    pub(crate) fn tell(&self, signal: Signal) -> io::Result<()> {
        self.maker.check()?;
        let _ = self.signal(signal);
        self.gate().suspended = false;
        #[cfg(target_os = "linux")]
        if let Some(directory) = &self.directory {
            let _ = directory.thaw();
        }
        let _ = self.try_each(|container, leader| container.freeze(leader, false));
        let _ = self.signal(Signal::CONT);
        Ok(())
    }

    pub(crate) fn kill(&self) -> io::Result<()> {
        self.maker.check()?;
        #[cfg(target_os = "linux")]
        if let Some(directory) = &self.directory {
            let killed = directory.kill();
            // The next that is started must not find it suspended.
            if std::mem::take(&mut self.gate().suspended) {
                let _ = directory.thaw();
            }
            return killed;
        }
        self.gate().suspended = false;
        self.try_each(Container::kill)
    }

    /// Whether nobody is left in it but processes of another user, which no signal of ours reaches.
    pub(crate) fn is_beyond_us(&self) -> bool {
        let members = self.members();
        !members.is_empty() && super::strays::are_beyond_us(&members)
    }

    pub(crate) fn is_empty(&self) -> bool {
        #[cfg(target_os = "linux")]
        if let Some(directory) = &self.directory {
            return directory.is_empty();
        }
        let mut empty = true;
        self.each(&mut |container, leader| empty = empty && container.is_empty(leader));
        empty
    }

    /// Changes its limits to these.
    pub(crate) fn set_limits(&self, limits: &Limits) -> Result<(), Refusal> {
        self.must_be_here("its limits cannot be changed")?;
        #[cfg(target_os = "linux")]
        if let Some(directory) = &self.directory
            && limits.enforcement == crate::limits::Enforcement::Cgroup
        {
            return directory.bind(&super::bounds::settings(Some(limits))?);
        }
        let _ = limits;
        Err(Refusal::no_cgroup(&format!("the group is held together by {}", self.mechanism)))
    }

    /// What one of the files of its cgroup says.
    pub(crate) fn read(&self, file: &str) -> Option<String> {
        #[cfg(target_os = "linux")]
        if let Some(directory) = &self.directory {
            return directory.read(file);
        }
        let _ = file;
        None
    }

    /// What its controllers have counted.
    pub(crate) fn counters(&self) -> Counters {
        #[cfg(target_os = "linux")]
        if let Some(directory) = &self.directory {
            return directory.counters();
        }
        Counters::default()
    }

    /// What tells one waiter of changes: that it is empty, and that a limit was hit if that is asked for.
    pub(crate) fn watch(&self, limits: bool) -> io::Result<Watch> {
        self.maker.check()?;
        #[cfg(target_os = "linux")]
        if let Some(directory) = &self.directory {
            return directory.watch(limits);
        }
        let _ = limits;
        Ok(Watch::default())
    }

    pub(crate) fn is_suspended(&self) -> bool {
        self.gate.read().unwrap_or_else(PoisonError::into_inner).suspended
    }

    /// Takes in a process that others have started.
    pub(crate) fn adopt(&self, pid: Pid) -> Result<(), Refusal> {
        let _entry = self.enter()?;
        #[cfg(target_os = "linux")]
        if let Some(directory) = &self.directory {
            if pid.get() == std::process::id() {
                return Err(no_entry(
                    "a group cannot take in the process that owns it",
                    "adopt another process",
                ));
            }
            // Held, the handle keeps the number from coming to mean another process.
            let failed = |error| Refusal::at(&format!("take in process {pid}"), error);
            let process = Process::open(pid).map_err(failed)?;
            directory.adopt(pid).map_err(failed)?;
            if !process.exists() {
                return Err(failed(io::Error::from_raw_os_error(ESRCH)));
            }
            self.note_birth(pid);
            return Ok(());
        }
        let what = format!("a group held together by {} cannot take in process {pid}", self.mechanism);
        Err(no_entry(&what, "use a group in a cgroup: isolation(Isolation::Cgroup)"))
    }

    /// Kills all of it, waits until it is gone and lets go of what holds it.
    pub(crate) fn end(&self) {
        if !self.maker.is_here() || self.ended.swap(true, Ordering::SeqCst) {
            return;
        }
        // A start that is under way is let through first, and ended with the rest.
        drop(self.begin_stop());
        self.kill_for_good(Instant::now() + KILL_TAKES);
        self.over.store(true, Ordering::SeqCst);
        self.say_farewell();
    }

    fn must_be_here(&self, what: &str) -> Result<(), Refusal> {
        let refuse = |error| no_entry(&format!("{what}: {error}"), "make a group in this process");
        self.maker.check().map_err(refuse)
    }

    /// Refuses a forked child, which has a copy.
    pub(crate) fn check(&self) -> io::Result<()> {
        self.maker.check()
    }

    /// Whether it has ended, or a group around it has.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst) || self.above.as_ref().is_some_and(|above| above.is_over())
    }

    /// What is raised when it has ended.
    pub(crate) fn farewell(&self) -> io::Result<Arc<Event>> {
        let event = Arc::new(Event::new()?);
        let mut farewells = locked(&self.farewells);
        farewells.retain(|event| event.strong_count() > 0);
        farewells.push(Arc::downgrade(&event));
        drop(farewells);
        // The end may have come before the event was there.
        if self.is_over() {
            event.raise();
        }
        Ok(event)
    }

    fn say_farewell(&self) {
        locked(&self.farewells).iter().filter_map(Weak::upgrade).for_each(|event| event.raise());
        let below: Vec<_> = locked(&self.below).iter().filter_map(Weak::upgrade).collect();
        below.iter().for_each(|nest| nest.say_farewell());
    }

    fn kill_for_good(&self, deadline: Instant) {
        #[cfg(target_os = "linux")]
        if let Some(directory) = &self.directory {
            directory.end(deadline);
            return;
        }
        while !self.is_empty() && Instant::now() < deadline {
            let _ = self.kill();
            let _ = pinfold_os::poll::wait(&[], Some(Instant::now() + ASK_AGAIN));
        }
    }
}

const ESRCH: i32 = 3;

impl Drop for Nest {
    fn drop(&mut self) {
        self.end();
    }
}
