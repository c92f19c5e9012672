//! The open descriptors of this process, and what changed in them.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;

/// One open descriptor of this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// Its number.
    pub number: i32,
    /// What it is open on: a path, or `pipe:[123]`, `socket:[123]`, `anon_inode:[pidfd]`.
    pub target: OsString,
}

impl Descriptor {
    /// All of them, by number.
    ///
    /// # Errors
    /// That of reading `/proc/self/fd`.
    pub fn all() -> io::Result<Vec<Self>> {
        let names = fs::read_dir("/proc/self/fd")?.map(|entry| entry.map(|entry| entry.file_name()));
        let names = names.collect::<io::Result<Vec<_>>>()?;
        // The directory itself was open while it was read; by now it has no target any more.
        let described = |name: OsString| {
            let number = name.to_str()?.parse().ok()?;
            let target = fs::read_link(format!("/proc/self/fd/{number}")).ok()?.into_os_string();
            Some(Self { number, target })
        };
        let mut all: Vec<_> = names.into_iter().filter_map(described).collect();
        all.sort_by_key(|descriptor| descriptor.number);
        Ok(all)
    }
}

impl fmt::Display for Descriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.number, self.target.display())
    }
}

/// A difference between two moments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Open now, and not before.
    Opened(Descriptor),
    /// Open before, and not now: somebody closed what was not theirs.
    Closed(Descriptor),
    /// The same number, open on something else: both of the above.
    Replaced(Descriptor, Descriptor),
}

impl Change {
    /// All the differences between `before` and `now`, both sorted by number.
    #[must_use]
    pub fn between(before: &[Descriptor], now: &[Descriptor]) -> Vec<Self> {
        let find = |among: &[Descriptor], number| among.iter().find(|other| other.number == number).cloned();
        let since = now.iter().filter_map(|now| match find(before, now.number) {
            None => Some(Self::Opened(now.clone())),
            Some(before) => (before != *now).then(|| Self::Replaced(before, now.clone())),
        });
        let gone = before.iter().filter(|before| find(now, before.number).is_none());
        since.chain(gone.cloned().map(Self::Closed)).collect()
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opened(now) => write!(f, "descriptor {now} was left open"),
            Self::Closed(before) => {
                write!(f, "descriptor {before} was closed, and was not the test's to close")
            }
            Self::Replaced(before, now) => write!(f, "descriptor {before} has become {now}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn open(number: i32, target: &str) -> Descriptor {
        Descriptor { number, target: target.into() }
    }

    #[test]
    fn every_kind_of_change_is_seen() {
        let before = [open(0, "a"), open(1, "b"), open(2, "c")];
        let now = [open(0, "a"), open(2, "d"), open(3, "e")];
        let seen = Change::between(&before, &now);
        let (replaced, opened) = (Change::Replaced(open(2, "c"), open(2, "d")), Change::Opened(open(3, "e")));
        assert_eq!(seen, [replaced, opened, Change::Closed(open(1, "b"))]);
        assert_eq!(Change::between(&now, &now), []);
    }

    #[test]
    fn an_open_file_is_listed_with_its_path() {
        let _file = fs::File::open("/dev/null").unwrap();
        assert!(Descriptor::all().unwrap().iter().any(|descriptor| descriptor.target == "/dev/null"));
    }
}
