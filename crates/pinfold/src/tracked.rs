//! What the owners on this host have, seen from outside: who they are, what runs in their containers, and what dead ones
//! left.
//!
//! It is told by the registry, a directory of small files, each of them written and locked by a living owner. Where it is:
//! `PINFOLD_REGISTRY`, for root `/run/pinfold`, else `$XDG_RUNTIME_DIR/pinfold`, else `$XDG_STATE_HOME/pinfold` or
//! `~/.local/state/pinfold`. It holds the owners of this user. What is ended in an owner's name is proven first: a cgroup by
//! its name, a process by its pid and start time, through a handle that cannot come to mean another one.
//!
//! ```
//! for owner in pinfold::tracked::list()?.owners {
//!     println!("{} ({}): {} runs", owner.pid, owner.name, owner.runs.len());
//! }
//! # pinfold::Result::Ok(())
//! ```

mod cleanup;
mod container;
mod read;
mod stopping;

pub use cleanup::{Fate, LeftOver, Thing, cleanup};
pub use stopping::{Stopped, Stopping, Target};

pub(crate) use cleanup::sweep;

use crate::error::{Error, ErrorKind, Result};
use crate::outcome::Mechanism;
use container::Container;
use read::Found;
use std::path::PathBuf;
use std::time::Duration;

/// What errors are about that concern no single process.
const REGISTRY: &str = "the registry of owners";

/// The living owners of this user.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Tracked {
    /// The directory that was read.
    pub registry: PathBuf,
    /// In the order of their pids.
    pub owners: Vec<Owner>,
    /// What was not believed.
    pub skipped: Vec<Skipped>,
}

/// A process that has runs.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Owner {
    /// Its pid.
    pub pid: u32,
    /// When it was started, in clock ticks since the system's start: with the pid, an identity.
    pub start: u64,
    /// What its program is called, in at most 15 bytes.
    pub name: String,
    /// How long it has been there.
    #[cfg_attr(feature = "serde", serde(rename = "age_seconds", with = "crate::wire::seconds"))]
    pub age: Duration,
    /// Those of its runs in which something lives.
    pub runs: Vec<Run>,
}

/// A run, or part of one: what lives in one container.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Run {
    /// What it is called among the runs of its owner.
    pub id: String,
    /// What holds it together.
    pub mechanism: Mechanism,
    /// Who lives in it.
    pub members: Vec<Member>,
}

/// A process in a run.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Member {
    /// Its pid.
    pub pid: u32,
    /// What its program is called, in at most 15 bytes.
    pub name: String,
    /// Its state in a word: running, sleeping, stopped, ...
    pub state: &'static str,
    /// How long it has been there.
    #[cfg_attr(feature = "serde", serde(rename = "age_seconds", with = "crate::wire::seconds"))]
    pub age: Duration,
    /// Time on CPUs, in user mode and in the kernel.
    #[cfg_attr(feature = "serde", serde(rename = "cpu_seconds", with = "crate::wire::seconds"))]
    pub cpu: Duration,
}

/// A file of the registry that was not believed, or that nothing is done about.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Skipped {
    /// The file.
    pub path: PathBuf,
    /// Why, in words.
    pub why: String,
}

/// Lists the living owners of this user, and what runs in their containers.
///
/// # Errors
/// [`ErrorKind::Unsupported`] where the registry is turned off or has no place; [`ErrorKind::PermissionDenied`] where it may
/// not be read. That nobody has made one yet is none: there are no owners then.
pub fn list() -> Result<Tracked> {
    let registry = registry()?;
    let mut tracked = Tracked { registry, owners: Vec::new(), skipped: Vec::new() };
    let mut clock = read::Clock::new();
    for (path, found) in
        read::scan(&tracked.registry).map_err(|error| unreadable(&tracked.registry, error))?
    {
        match found {
            Found::Living(entry) => {
                let Some(process) = clock.member(entry.owner.pid) else { continue };
                let runs = container::of(&entry).into_iter().filter_map(|(id, container)| {
                    let members: Vec<Member> =
                        container.members().into_iter().filter_map(|pid| clock.member(pid.get())).collect();
                    (!members.is_empty()).then(|| Run { id, mechanism: container.mechanism(), members })
                });
                let runs = runs.collect();
                let (pid, start) = (entry.owner.pid, entry.owner.start);
                tracked.owners.push(Owner { pid, start, name: process.name, age: process.age, runs });
            }
            Found::Dead(_) => {}
            Found::Elsewhere(why) | Found::Wrong(why) => tracked.skipped.push(Skipped { path, why }),
        }
    }
    tracked.owners.sort_by_key(|owner| owner.pid);
    Ok(tracked)
}

/// The directory of the registry, whether it is there already or not.
///
/// # Errors
/// [`ErrorKind::Unsupported`] where there can be none: `PINFOLD_REGISTRY` turns it off or is no path, or nothing says
/// where this user may have one.
///
/// ```
/// match pinfold::tracked::registry() {
///     Ok(directory) => println!("owners note themselves in {}", directory.display()),
///     Err(why) => println!("{why}"),
/// }
/// ```
pub fn registry() -> Result<PathBuf> {
    crate::registry::place::directory().map_err(|why| {
        Error::new(ErrorKind::Unsupported, REGISTRY.as_ref(), format!("cannot be had: {why}"))
            .hint("name a directory with PINFOLD_REGISTRY")
    })
}

fn unreadable(registry: &std::path::Path, error: std::io::Error) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
        _ => ErrorKind::Io,
    };
    let what = format!("{} cannot be read: {error}", registry.display());
    let failed = Error::new(kind, REGISTRY.as_ref(), what).because(error);
    if kind == ErrorKind::PermissionDenied {
        return failed.hint("it belongs to another user: ask as that one, or as root with PINFOLD_REGISTRY");
    }
    failed
}

/// The containers of one owner, or one of them.
fn containers_of(owner: u32, run: Option<&str>) -> Result<Vec<Container>> {
    let registry = registry()?;
    let found = read::scan(&registry).map_err(|error| unreadable(&registry, error))?;
    let living = found.into_iter().find_map(|(_, found)| match found {
        Found::Living(entry) if entry.owner.pid == owner => Some(entry),
        _ => None,
    });
    let Some(entry) = living else { return Err(no_owner(owner, &registry)) };
    let mut containers = container::of(&entry);
    if let Some(run) = run {
        containers.retain(|(id, _)| id == run);
        if containers.is_empty() {
            let what = format!("has no run that is called {run}");
            return Err(Error::new(ErrorKind::NotFound, format!("process {owner}").as_ref(), what)
                .hint("see `pinfold ps`"));
        }
    }
    Ok(containers.into_iter().map(|(_, container)| container).collect())
}

/// What can be said of a pid that is nobody's in the registry.
fn no_owner(pid: u32, registry: &std::path::Path) -> Error {
    let name = format!("process {pid}");
    match read::user_of(pid) {
        None => Error::new(ErrorKind::NotFound, name.as_ref(), "does not exist")
            .hint("see `pinfold ps` for the owners there are"),
        Some(user) if user != pinfold_os::users::effective() => {
            let what = format!("belongs to another user ({user}), and so does its registry");
            Error::new(ErrorKind::PermissionDenied, name.as_ref(), what).hint("do it as that user")
        }
        Some(_) => {
            let what = format!("is no owner: there is nothing of it in {}", registry.display());
            Error::new(ErrorKind::NotFound, name.as_ref(), what)
                .hint("see `pinfold ps` for the owners there are")
        }
    }
}
