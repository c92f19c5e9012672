//! Files and directories whose change is a reason to restart: where the kernel tells of changes it is listened to, and
//! elsewhere they are looked at from time to time. What has changed is decided in one way for both: by a look.

use crate::machine::Interest;
use pinfold_os::changes::Changes;
use std::collections::hash_map::DefaultHasher;
use std::fs::Metadata;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// How often what cannot be listened to is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What is watched, and how it looked last.
pub(super) struct Files {
    paths: Vec<(PathBuf, u64)>,
    quiet: Duration,
    changes: Option<Changes>,
    /// When to look without having been told: where the kernel cannot tell, or there is nothing yet to tell of.
    look_at: Option<Instant>,
    /// What has changed, and when it is to be told, if nothing more changes until then.
    changed: Option<(PathBuf, Option<Instant>)>,
}

impl Files {
    /// Watches these, from now on; a change is told once nothing has changed for as long as `quiet`.
    pub(super) fn new(paths: &[PathBuf], quiet: Duration, now: Instant) -> Files {
        let paths = paths.iter().map(|path| (path.clone(), looks(path))).collect();
        let mut files = Files { paths, quiet, changes: Changes::new().ok(), look_at: None, changed: None };
        files.listen(now);
        // What changed between the first look and listening is seen by this one.
        files.look(now);
        files
    }

    /// Listens to the directory that each is in, where a file that is replaced is replaced, and to each that is one.
    fn listen(&mut self, now: Instant) {
        let changes = self.changes.as_ref();
        let all = changes.is_some_and(|changes| {
            self.paths.iter().fold(true, |all, (path, _)| {
                let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
                let around = changes.watch(parent.unwrap_or(Path::new("."))).is_ok();
                let inside = !path.is_dir() || changes.watch(path).is_ok();
                all && around && inside && !leads_away(path)
            })
        });
        self.look_at = if all { None } else { now.checked_add(LOOK_EVERY) };
    }

    fn look(&mut self, now: Instant) {
        for (path, before) in &mut self.paths {
            let after = looks(path);
            if after != *before {
                *before = after;
                self.changed = Some((path.clone(), now.checked_add(self.quiet)));
            }
        }
    }

    /// What has changed, once it is quiet again.
    pub(super) fn advance(&mut self, now: Instant) -> std::io::Result<Option<PathBuf>> {
        let told = match &self.changes {
            Some(changes) => changes.take()?,
            None => false,
        };
        if told || self.look_at.is_some_and(|at| at <= now) {
            // Directories may have been made, or made anew.
            self.listen(now);
            self.look(now);
        }
        if self.changed.as_ref().is_some_and(|(_, at)| at.is_some_and(|at| at <= now)) {
            return Ok(self.changed.take().map(|(path, _)| path));
        }
        Ok(None)
    }

    pub(super) fn add_interest<'a>(&'a self, all: &mut Interest<'a>) {
        all.waitables.extend(self.changes.as_ref().map(Changes::waitable));
        let told = self.changed.as_ref().and_then(|(_, at)| *at);
        all.deadline = [all.deadline, self.look_at, told].into_iter().flatten().min();
    }
}

/// Whether it is a symbolic link: what that leads to may change where nobody listens.
fn leads_away(path: &Path) -> bool {
    path.is_symlink()
}

/// All that a change would change: of a directory, of each of its entries too, but not of what is below those.
fn looks(path: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    let metadata = std::fs::metadata(path).ok();
    add(metadata.as_ref(), &mut hasher);
    if metadata.is_some_and(|metadata| metadata.is_dir()) {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        let mut entries: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        entries.sort();
        for entry in entries {
            add(std::fs::metadata(&entry).ok().as_ref(), &mut hasher);
            entry.hash(&mut hasher);
        }
    }
    hasher.finish()
}

fn add(metadata: Option<&Metadata>, hasher: &mut DefaultHasher) {
    let Some(metadata) = metadata else { return };
    let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    (modified, metadata.len(), metadata.is_dir()).hash(hasher);
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        (metadata.ino(), metadata.dev(), metadata.mode()).hash(hasher);
    }
}
