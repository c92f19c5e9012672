//! What a user who named a program that is not there may have meant. Runs only after the search has failed.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use pinfold_os::files;

/// Directory entries that are compared at most, over all directories: a mistyped name may not cost seconds.
const ENTRIES: usize = 16_384;
/// A name longer than this has no close names.
const LONGEST: usize = 64;
/// A name shorter than this is close to many others by chance.
const SHORT: usize = 4;
/// In one that is shorter than this, two slips leave too little of what was meant.
const LONG: usize = 8;

/// What may have been meant by the name of a program that was not found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Hint {
    /// There is a symbolic link of that name whose target does not exist.
    #[error("{link:?} is a symbolic link to {target:?}, which does not exist")]
    DanglingLink {
        /// The link.
        link: PathBuf,
        /// What it points to, as written in it.
        target: PathBuf,
    },
    /// The working directory, which is not searched, has a program of that name.
    #[error("did you mean \"./{}\"?", program.display())]
    InCwd {
        /// The name as given.
        program: OsString,
    },
    /// The first word alone is a program.
    #[error("{program:?} is a program; pass the words after it as arguments")]
    HasArguments {
        /// The first word.
        program: OsString,
    },
    /// The first word alone is a program, and among the others is what only a shell would act upon.
    #[error("what only a shell reads is in it; run it by sh -c, or do without")]
    NeedsShell,
    /// It is what a shell takes for a variable that is set for one command.
    #[error("to a shell that would set a variable; set it by env, as {name}=...")]
    Variable {
        /// The name of the variable. Its value is nobody's business.
        name: String,
    },
    /// A program whose name is a slip of the fingers away, or two where it is long; a version at its end is none.
    #[error("did you mean {program:?}?")]
    CloseName {
        /// The name of that program.
        program: OsString,
    },
}

/// `places` are the files that were looked at, `directories` those of `PATH` (none if the name was a path).
pub(super) fn find(program: &OsStr, places: &[PathBuf], directories: &[PathBuf], cwd: &Path) -> Option<Hint> {
    dangling(places)
        .or_else(|| in_cwd(program, cwd))
        .or_else(|| has_arguments(program, directories, cwd))
        .or_else(|| variable(program))
        .or_else(|| close_name(program, places, directories))
}

fn dangling(places: &[PathBuf]) -> Option<Hint> {
    places
        .iter()
        .find_map(|link| Some(Hint::DanglingLink { link: link.clone(), target: link.read_link().ok()? }))
}

fn in_cwd(program: &OsStr, cwd: &Path) -> Option<Hint> {
    files::is_executable(&cwd.join(program)).then(|| Hint::InCwd { program: program.to_owned() })
}

fn has_arguments(program: &OsStr, directories: &[PathBuf], cwd: &Path) -> Option<Hint> {
    let (first, rest) = program.to_str()?.split_once(char::is_whitespace)?;
    let mut places =
        directories.iter().map(PathBuf::as_path).chain(super::names_a_file(first.as_ref()).then_some(cwd));
    let found = !first.is_empty() && places.any(|place| files::is_executable(&place.join(first)));
    found.then(|| match rest.contains(['|', '&', ';', '<', '>', '$', '`']) {
        true => Hint::NeedsShell,
        false => Hint::HasArguments { program: first.into() },
    })
}

fn variable(program: &OsStr) -> Option<Hint> {
    let (name, _) = program.to_str()?.split_once('=')?;
    let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_');
    is_name.then(|| Hint::Variable { name: name.to_owned() })
}

fn close_name(program: &OsStr, places: &[PathBuf], directories: &[PathBuf]) -> Option<Hint> {
    let parents: Vec<&Path> = match directories {
        [] => places.iter().filter_map(|place| place.parent()).collect(),
        directories => directories.iter().map(PathBuf::as_path).collect(),
    };
    let wanted = Path::new(program).file_name()?.as_encoded_bytes();
    let mut allowed = match wanted.len() {
        2..LONG => 1,
        LONG..=LONGEST => 2,
        _ => return None,
    };
    let entries = parents.iter().filter_map(|parent| parent.read_dir().ok()).flatten().flatten();
    let mut best = None;
    for entry in entries.take(ENTRIES) {
        let name = entry.file_name();
        let bytes = unversioned(wanted, name.as_encoded_bytes());
        if bytes.len().abs_diff(wanted.len()) > allowed {
            continue;
        }
        // Half of all names of two letters are a letter apart: only a slip says something of those that are so short.
        if wanted.len() < SHORT && !is_slip(wanted, bytes) {
            continue;
        }
        let distance = distance(wanted, bytes);
        // Of equally close names the first of the alphabet, so that the answer does not depend on the directory's order.
        let better = best.as_ref().is_none_or(|(least, other)| (distance, &name) < (*least, other));
        if distance <= allowed && better && files::is_executable(&entry.path()) {
            allowed = distance;
            best = Some((distance, name));
        }
    }
    best.map(|(_, program)| Hint::CloseName { program })
}

/// A program's name without the version at its end (`python3.12`, `gcc-13`), unless what was asked for ends with one too.
fn unversioned<'n>(wanted: &[u8], name: &'n [u8]) -> &'n [u8] {
    let is_version = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    if wanted.last().is_some_and(is_version) || !name.last().is_some_and(u8::is_ascii_digit) {
        return name;
    }
    &name[..name.iter().rposition(|byte| !is_version(byte)).map_or(0, |last| last + 1)]
}

/// Whether the two have the same letters in another order, or one of them has a letter doubled: `gti`, `shh`.
fn is_slip(a: &[u8], b: &[u8]) -> bool {
    let sorted = |name: &[u8]| {
        let mut letters = name.to_vec();
        letters.sort_unstable();
        letters
    };
    let single = |name: &[u8]| {
        let mut letters = name.to_vec();
        letters.dedup();
        letters
    };
    sorted(a) == sorted(b) || single(a) == single(b)
}

/// Of names, the one that differs least from a wrong one, in a letter or two.
pub(crate) fn closest<'n>(wrong: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let allowed = if wrong.len() < 6 { 1 } else { 2 };
    let near = names.map(|name| (distance(wrong.as_bytes(), name.as_bytes()), name));
    near.filter(|(distance, _)| *distance <= allowed).min().map(|(_, name)| name)
}

/// Insertions, deletions, replacements and swaps of neighbours between two names, in bytes (optimal string alignment).
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, byte) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, other) in b.iter().enumerate() {
            let replaced = above[j] + usize::from(byte != other);
            let mut least = replaced.min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *byte == b[j - 1] && a[i - 1] == *other {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swap_counts_once_and_distance_is_symmetric() {
        let cases =
            [("git", "gti", 1), ("git", "git", 0), ("", "ab", 2), ("kitten", "sitting", 3), ("ls", "sl", 1)];
        for (a, b, expected) in cases {
            assert_eq!(distance(a.as_bytes(), b.as_bytes()), expected, "{a} {b}");
            assert_eq!(distance(b.as_bytes(), a.as_bytes()), expected, "{b} {a}");
        }
    }
}
