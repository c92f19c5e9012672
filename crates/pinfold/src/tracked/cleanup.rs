//! What dead owners left: finding it, and clearing it.
//!
//! An owner is dead when its pid and start time are nobody's any more and nobody holds the lock of its file; either alone is
//! not enough. Whoever clears holds the lock meanwhile, so that two of them are never at the same file.

use super::container::Container;
use super::read::{self, Found};
use super::stopping::{kill, members};
use super::{Member, registry, unreadable};
use crate::error::Result;
use crate::registry::entry::Entry;
use crate::registry::identity::Identity;
use crate::registry::{boot, place};
use pinfold_os::handle::Pid;
use std::fs;
use std::path::{Path, PathBuf};

/// Something that a dead owner left, or a file that cannot be what an owner left.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LeftOver {
    /// The owner that was; `None` where that cannot be told.
    pub owner: Option<u32>,
    /// What it is.
    pub thing: Thing,
    /// The file or directory; that of the registry where it is a process.
    pub path: PathBuf,
    /// Who lived in it when it was found.
    pub members: Vec<Member>,
    /// What became of it.
    pub fate: Fate,
}

/// What can be left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Thing {
    /// A file of the registry.
    Entry,
    /// A cgroup directory.
    Cgroup,
    /// A keeper and what it keeps.
    Keeper,
    /// A process group.
    ProcessGroup,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Fate {
    /// Nothing yet: this was only to look.
    Found,
    /// It is gone, and all that lived in it.
    Cleared,
    /// It was left alone, for this reason, and there is nothing wrong in that: it is nobody's to clear from here and now.
    Skipped(String),
    /// It could not be cleared, or does not read as what an owner writes, for this reason: somebody should look at it.
    Failed(String),
}

/// Finds what dead owners of this user left, and clears it unless `dry_run`. With `only`, what the owner of that pid left.
///
/// Looked at is what the registry names, and the cgroup that this process is in.
///
/// # Errors
/// [`ErrorKind::PermissionDenied`](crate::ErrorKind::PermissionDenied) where the registry may not be read. That there is
/// none is no error: cgroups are looked at all the same.
pub fn cleanup(dry_run: bool, only: Option<Pid>) -> Result<Vec<LeftOver>> {
    let wanted = |owner: u32| only.is_none_or(|only| only.get() == owner);
    let mut all = Vec::new();
    if let Ok(registry) = registry() {
        let found = read::scan(&registry).map_err(|error| unreadable(&registry, error))?;
        for (path, found) in found {
            match found {
                Found::Living(_) => {}
                Found::Dead(owner) if wanted(owner.pid) => clear_entry(&path, &owner, dry_run, &mut all),
                Found::Dead(_) => {}
                Found::Elsewhere(why) if only.is_none() => all.push(entry(None, path, Fate::Skipped(why))),
                Found::Wrong(why) if only.is_none() => all.push(entry(None, path, Fate::Failed(why))),
                Found::Elsewhere(_) | Found::Wrong(_) => {}
            }
        }
    }
    for (path, owner) in beside_us() {
        // One that its owner's file named is in the list, and as a rule gone.
        if wanted(owner.pid) && !all.iter().any(|left| left.path == path) {
            clear(Some(owner.pid), Thing::Cgroup, &path, Container::cgroup(path.clone()), dry_run, &mut all);
        }
    }
    Ok(all)
}

/// Clears what dead owners left as far as the registry names it: for an owner that begins.
pub(crate) fn sweep() {
    let Ok(registry) = place::directory() else { return };
    for (path, owner) in read::dead(&registry) {
        clear_entry(&path, &owner, false, &mut Vec::new());
    }
}

/// Directories of dead owners in the cgroup that we are in.
fn beside_us() -> Vec<(PathBuf, Identity)> {
    let Some(base) = crate::containment::cgroup_place().ok() else { return Vec::new() };
    read::dead(&base)
}

fn entry(owner: Option<u32>, path: PathBuf, fate: Fate) -> LeftOver {
    LeftOver { owner, thing: Thing::Entry, path, members: Vec::new(), fate }
}

/// Clears all that the file of a dead owner names, and then the file.
fn clear_entry(path: &Path, owner: &Identity, dry_run: bool, all: &mut Vec<LeftOver>) {
    let pid = Some(owner.pid);
    let become_of_it = |fate| entry(pid, path.to_owned(), fate);
    let (file, content) = match read::read(path, owner) {
        Ok(read) => read,
        Err(_) if !path.exists() => return,
        Err(why) => return all.push(become_of_it(Fate::Failed(why))),
    };
    // To look, no lock is taken: it would be in the way of whoever clears.
    let lock = if dry_run { Ok(true) } else { pinfold_os::lock::try_lock(&file) };
    match lock {
        Ok(true) => {}
        Ok(false) => {
            let why = "its lock is held, by a fork of its owner or by another cleanup";
            return all.push(become_of_it(Fate::Skipped(why.to_owned())));
        }
        Err(error) => {
            return all.push(become_of_it(Fate::Failed(format!("it cannot be locked: {error}"))));
        }
    }
    // Whoever had the lock before us may have cleared and removed it.
    if !path.exists() {
        return;
    }
    let begun = all.len();
    if let Some(content) = content.filter(|content| boot().is_ok_and(|boot| boot == content.boot)) {
        clear_containers(path, &content, dry_run, all);
    }
    let is_clear = all[begun..].iter().all(|left| left.fate == Fate::Cleared);
    let fate = match is_clear {
        _ if dry_run => Fate::Found,
        false => Fate::Skipped("it names what is still there".to_owned()),
        true => match fs::remove_file(path) {
            Ok(()) => Fate::Cleared,
            Err(error) => Fate::Failed(error.to_string()),
        },
    };
    all.push(become_of_it(fate));
}

fn clear_containers(path: &Path, entry: &Entry, dry_run: bool, all: &mut Vec<LeftOver>) {
    let owner = Some(entry.owner.pid);
    if let Some(directory) = &entry.cgroup {
        let container = Container::cgroup(directory.clone());
        if container.exists() && !pinfold_os::linux::cgroup::is_cgroup(directory) {
            let fate = Fate::Failed("it is no cgroup".to_owned());
            let (thing, path) = (Thing::Cgroup, directory.clone());
            all.push(LeftOver { owner, thing, path, members: Vec::new(), fate });
        } else {
            clear(owner, Thing::Cgroup, directory, container, dry_run, all);
        }
    }
    for line in &entry.runs {
        let thing = match line.mechanism {
            crate::outcome::Mechanism::ProcessGroup => Thing::ProcessGroup,
            _ => Thing::Keeper,
        };
        clear(owner, thing, path, Container::process(*line), dry_run, all);
    }
}

/// Clears one container, if it is still there.
fn clear(
    owner: Option<u32>,
    thing: Thing,
    path: &Path,
    container: Container,
    dry_run: bool,
    all: &mut Vec<LeftOver>,
) {
    if !container.exists() {
        return;
    }
    let members = members(std::slice::from_ref(&container));
    let fate = if dry_run {
        Fate::Found
    } else {
        let container = kill(container);
        container.end_keeper();
        match container.remove() {
            Ok(()) if container.is_empty() => Fate::Cleared,
            Ok(()) => Fate::Failed("something in it refuses to end, or may not be signalled".to_owned()),
            Err(error) => Fate::Failed(error.to_string()),
        }
    };
    all.push(LeftOver { owner, thing, path: path.to_owned(), members, fate });
}
