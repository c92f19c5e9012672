//! Leaves with limits or in a group, and the controllers that this takes.

use super::super::control::{self, Movable};
use super::super::directory::{Bounds, Directory};
use super::super::knobs::{self, Controllers, Setting};
use super::super::refusal::Lack;
use super::super::{Counters, Demand, Refusal};
use super::{Leaf, Owner, PREFIX, Whole, owner, whereabouts};
use pinfold_os::linux::cgroup::{Cgroup, CpuTime};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a leaf is held to.
#[derive(Debug, Default)]
pub(super) struct Bound {
    /// The group that it is in, and how often that had been killed when it was taken.
    group: Option<(Arc<Directory>, u64)>,
    take_over: bool,
    bounds: Mutex<Bounds>,
    /// What its controllers had counted when they came to it.
    counted_before: Mutex<Counters>,
}

impl Bound {
    /// Whether nothing was counted that the next one could take for its own.
    pub(super) fn is_uncounted(&self) -> bool {
        locked(&self.bounds).counted.is_empty()
    }

    pub(super) fn into_group(self) -> Option<(Arc<Directory>, u64)> {
        self.group
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Owner {
    fn movable(&self, take_over: bool) -> Movable {
        let guard = self.guard.as_ref().and_then(|guard| guard.as_ref().ok());
        let name = self.directory.as_ref().ok().and_then(|directory| directory.file_name()?.to_str());
        let numbers = name.and_then(|name| name.strip_prefix(PREFIX)).unwrap_or_default();
        Movable {
            all: take_over || control::environment_says_so(),
            helpers: guard.iter().map(|guard| guard.pid().get()).collect(),
            leaf: format!("{}{numbers}", control::SELF),
        }
    }
}

/// Has the children of the owner's directory, or of that of a group, have these controllers.
pub(in crate::containment) fn provide(
    within: Option<&Arc<Directory>>,
    wanted: Controllers,
    take_over: bool,
) -> Result<(), Refusal> {
    if let Some(directory) = within {
        return if wanted.is_empty() { Ok(()) } else { directory.provide(wanted) };
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let mut guard = owner().map_err(|error| Refusal::at("find a cgroup", error))?;
    let Some(owner) = guard.as_mut() else { return Ok(()) };
    if wanted.without(owner.provided).is_empty() {
        return Ok(());
    }
    owner.divide().map_err(|error| Refusal::at("have limits in its cgroup", error))?;
    let directory = owner.directory.clone().map_err(|why| Refusal::no_cgroup(&why))?;
    let base = directory.parent().unwrap_or(Path::new("/"));
    if let Some(aside) = control::hand_down(base, &directory, wanted, &owner.movable(take_over))? {
        owner.aside = Some(aside.after(owner.aside.take()));
    }
    let cgroup = Cgroup::open(&directory).map_err(|error| Refusal::at("open its cgroup", error))?;
    control::enable(&cgroup, wanted)?;
    owner.provided = owner.provided.with(wanted);
    Ok(())
}

/// Whether these controllers can be had, as far as that shows without changing more than our own cgroup.
pub(in crate::containment) fn could_provide(wanted: Controllers, take_over: bool) -> Result<(), Refusal> {
    let mut guard = owner().map_err(|error| Refusal::at("find a cgroup", error))?;
    let Some(owner) = guard.as_mut() else { return Ok(()) };
    let mut refusal = match owner.check(wanted, take_over) {
        Err(refusal) if refusal.passing.is_none() && owner.would_gain(wanted) => refusal,
        checked => return checked,
    };
    match owner.move_into_scope() {
        None => Err(refusal),
        Some(Ok(())) => owner.check(wanted, take_over),
        Some(Err(no)) => {
            refusal.what.push_str(&format!("; systemd gave no scope: {no}"));
            Err(refusal)
        }
    }
}

impl Owner {
    fn check(&self, wanted: Controllers, take_over: bool) -> Result<(), Refusal> {
        let directory = self.directory.as_ref().map_err(|why| Refusal::no_cgroup(why))?;
        let base = directory.parent().unwrap_or(Path::new("/"));
        control::check(base, wanted.without(self.provided), &self.movable(take_over))
    }

    /// Whether these controllers could be had in another cgroup, and nothing was started in this one.
    fn would_gain(&self, wanted: Controllers) -> bool {
        let unused = self.made == 0 && self.guard.is_none() && self.aside.is_none();
        unused
            && matches!(self.whole, Whole::Free(..))
            && self.directory.as_ref().is_ok_and(|directory| control::exist(directory, wanted))
    }

    /// Moves this process and its directory into a scope of systemd's: `None` where there is none to be asked for.
    fn move_into_scope(&mut self) -> Option<Result<(), String>> {
        let moved = whereabouts::scope()?.and_then(|()| {
            whereabouts::settle_in_scope().map_err(|lack| match lack {
                Lack::Lasting(why) => why,
                Lack::Passing(error) => error.to_string(),
            })
        });
        Some(moved.map(|cgroup| {
            let directory = cgroup.path().to_owned();
            self.whole = Whole::Free(cgroup, CpuTime::default());
            if let Ok(old) = std::mem::replace(&mut self.directory, Ok(directory))
                && self.directory.as_ref() != Ok(&old)
            {
                let _ = std::fs::remove_dir(old);
            }
        }))
    }
}

/// A path in the owner's directory that nobody has had.
pub(in crate::containment) fn next_path(prefix: &str) -> io::Result<PathBuf> {
    let mut guard = owner()?;
    let owner = guard.as_mut().ok_or(io::ErrorKind::NotFound)?;
    owner.next_path(prefix)
}

impl Leaf {
    /// One with limits, or in a group. Until all limits are written nothing can be in it, and it is gone if one is not.
    pub(crate) fn bound(settings: Vec<Setting>, demand: Demand<'_>, guarded: bool) -> Result<Leaf, Refusal> {
        let failed = |error| Refusal::at("make its cgroup", error);
        let group = demand.group.and_then(|group| group.directory());
        let take_over = demand.take_over;
        if demand.guard_as_child
            && let Some(owner) = owner().map_err(failed)?.as_mut()
        {
            owner.waits_for_guard = true;
        }
        if settings.is_empty() && group.is_none() {
            let take = if demand.alone { Leaf::take_whole } else { Leaf::take };
            return take(guarded).map_err(failed);
        }
        let wanted = knobs::controllers(&settings);
        provide(group, wanted, take_over)?;
        let guarded = guarded
            && owner()
                .and_then(|mut owner| owner.as_mut().map_or(Ok(false), Owner::is_guarded))
                .map_err(failed)?;
        let pooled = group.filter(|_| settings.is_empty()).and_then(|group| group.pooled());
        // Before the leaf is there: a kill in between then counts.
        let group_and_kills = group.map(|group| (group.clone(), group.kills()));
        let (cgroup, used) = match pooled {
            Some(pooled) => pooled,
            None => {
                let path = match group {
                    Some(group) => group.next(""),
                    None => next_path("").map_err(failed)?,
                };
                (Cgroup::create(&path).map_err(failed)?, CpuTime::default())
            }
        };
        let leaf = Leaf::new(cgroup, used, guarded);
        control::apply(leaf.cgroup(), &settings)?;
        let counted = wanted.with(group.map(|group| group.counted()).unwrap_or_default());
        let bounds = Mutex::new(Bounds { settings, counted });
        let bound = Bound { group: group_and_kills, take_over, bounds, counted_before: Mutex::default() };
        let _ = leaf.bound.set(Box::new(bound));
        Ok(leaf)
    }

    /// Changes its limits to these.
    pub(crate) fn bind(&self, settings: Vec<Setting>) -> Result<(), Refusal> {
        let bound = self.bound.get_or_init(Box::default);
        let mut bounds = locked(&bound.bounds);
        let wanted = knobs::controllers(&settings);
        let fresh = wanted.without(bounds.counted);
        control::refuse_uncounted(fresh, true)?;
        provide(bound.group.as_ref().map(|group| &group.0), wanted, bound.take_over)?;
        if !fresh.is_empty() {
            let before = Counters::read(self.cgroup(), fresh);
            let mut counted_before = locked(&bound.counted_before);
            *counted_before = counted_before.or(before);
        }
        let changes = knobs::difference(&bounds.settings, &settings);
        // What was written is remembered even where a later write fails.
        bounds.settings = settings;
        bounds.counted = bounds.counted.with(wanted);
        control::apply(self.cgroup(), &changes)
    }

    /// What its controllers have counted.
    pub(crate) fn counters(&self) -> Counters {
        let Some(bound) = self.bound.get() else { return Counters::default() };
        let counted = locked(&bound.bounds).counted;
        let before = *locked(&bound.counted_before);
        Counters::read(self.cgroup(), counted).since(before)
    }
}
