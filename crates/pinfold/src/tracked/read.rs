//! Reading the files of other owners, and what `/proc` says of the processes that they name.

use super::Member;
use crate::registry::boot;
use crate::registry::entry::{self, Entry};
use crate::registry::identity::{Identity, Life, own_namespace};
use pinfold_proc::Proc;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// No owner has more runs than fit into this.
const LONGEST: u64 = 16 << 20;
/// `USER_HZ`: what the kernel counts in towards user space.
const TICKS_PER_SECOND: u64 = 100;

/// What a file of the registry is.
#[derive(Debug)]
pub(super) enum Found {
    /// That of an owner that lives.
    Living(Entry),
    /// That of an owner that is gone for certain. What it says is read under its lock.
    Dead(Identity),
    /// That of an owner about which nothing can be told from here.
    Elsewhere(String),
    /// Not what an owner writes.
    Wrong(String),
}

/// All files of a registry. None of them is locked: what lives is left alone, and what is dead stays as it is.
pub(super) fn scan(registry: &Path) -> io::Result<Vec<(PathBuf, Found)>> {
    let entries = match fs::read_dir(registry) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let namespace = own_namespace();
    let mut found = Vec::new();
    for entry in entries {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        let name = name.to_string_lossy();
        // Somebody is trying whether there can be files.
        if name.starts_with("probe.") {
            continue;
        }
        let Some(owner) = Identity::parse(&name) else {
            found.push((path, Found::Wrong("its name is that of no owner".to_owned())));
            continue;
        };
        let what = match owner.life(namespace) {
            Life::Over => Found::Dead(owner),
            Life::Unknown => match read(&path, &owner) {
                // Nobody outlives the system's start.
                Ok((_, Some(entry))) if boot().is_ok_and(|boot| boot != entry.boot) => Found::Dead(owner),
                _ => Found::Elsewhere(
                    "its owner is of another PID namespace, where alone it can be told whether it lives"
                        .to_owned(),
                ),
            },
            Life::Lives => match steadily(|| read(&path, &owner)) {
                Ok((_, Some(entry))) => Found::Living(entry),
                // It has just ended, or just begun to write.
                Ok((_, None)) => continue,
                Err(_) if !path.exists() => continue,
                Err(why) => Found::Wrong(why),
            },
        };
        found.push((path, what));
    }
    Ok(found)
}

/// What is read of a file that its owner may be writing to just now: a read can find half of a line where that goes beyond a page.
fn steadily<T>(mut read: impl FnMut() -> Result<T, String>) -> Result<T, String> {
    const READS: usize = 5;
    let mut last = read();
    for _ in 1..READS {
        if last.is_ok() {
            break;
        }
        last = read();
    }
    last
}

/// The files or directories of owners that are gone for certain, by their names alone.
pub(super) fn dead(place: &Path) -> Vec<(PathBuf, Identity)> {
    let namespace = own_namespace();
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    let named =
        entries.filter_map(|entry| Some((entry.path(), Identity::parse(entry.file_name().to_str()?)?)));
    named.filter(|(_, owner)| owner.life(namespace) == Life::Over).collect()
}

/// Opens and reads an owner's file; `None` for its content if it has none yet.
///
/// # Errors
/// Why it is not believed, in words.
pub(super) fn read(path: &Path, owner: &Identity) -> Result<(File, Option<Entry>), String> {
    let words = |error: io::Error| error.to_string();
    // Looked at first: opening something else than a file might wait.
    let seen = fs::symlink_metadata(path).map_err(words)?;
    if !seen.is_file() {
        return Err("it is no file".to_owned());
    }
    let mut file = File::open(path).map_err(words)?;
    let opened = file.metadata().map_err(words)?;
    if (opened.dev(), opened.ino()) != (seen.dev(), seen.ino()) {
        return Err("it was replaced while it was opened".to_owned());
    }
    if opened.uid() != pinfold_os::users::effective() {
        return Err(format!("it belongs to another user ({})", opened.uid()));
    }
    let mut content = Vec::new();
    (&mut file).take(LONGEST).read_to_end(&mut content).map_err(words)?;
    if content.is_empty() {
        return Ok((file, None));
    }
    entry::parse(&content, owner).map(|entry| (file, Some(entry)))
}

/// The effective user of a process.
pub(super) fn user_of(pid: u32) -> Option<u32> {
    Proc::new("/proc").status(pid).ok().map(|status| status.uid.effective)
}

/// Describes processes, by one reading of the time.
#[derive(Debug)]
pub(super) struct Clock {
    proc: Proc,
    /// Since the system's start.
    now: Duration,
}

impl Clock {
    pub(super) fn new() -> Clock {
        let uptime = fs::read_to_string("/proc/uptime").unwrap_or_default();
        let seconds = uptime.split(' ').next().and_then(|seconds| seconds.parse().ok()).unwrap_or(0.0);
        let now = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        Clock { proc: Proc::new("/proc"), now }
    }

    /// A process, unless it has ended.
    pub(super) fn member(&mut self, pid: u32) -> Option<Member> {
        let stat = self.proc.stat(pid).ok().filter(pinfold_proc::parse::stat::Stat::lives)?;
        let time = |ticks: u64| Duration::from_millis(ticks.saturating_mul(1000 / TICKS_PER_SECOND));
        Some(Member {
            pid,
            name: String::from_utf8_lossy(stat.comm).into_owned(),
            state: stat.state.name(),
            age: self.now.saturating_sub(time(stat.starttime)),
            cpu: time(stat.utime.saturating_add(stat.stime)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_line_is_read_again_and_what_stays_wrong_is_wrong() {
        let mut said = vec![Ok(7), Err("half".to_owned()), Err("half".to_owned())];
        assert_eq!(steadily(|| said.pop().unwrap_or(Ok(8))), Ok(7));
        let mut reads = 0;
        let wrong: Result<(), String> = steadily(|| {
            reads += 1;
            Err("wrong".to_owned())
        });
        assert_eq!((wrong, reads), (Err("wrong".to_owned()), 5));
    }
}
