//! What survives: owners that end in several ways, and descendants that had got away from the program that started them.

use crate::Result;
use crate::report::Verdict;
use crate::tree::{End, Tree};
use pinfold_os::signal::Signal;
use std::path::Path;
use std::time::Duration;

/// What this is called among the groups of measures.
pub(crate) const GROUP: &str = "escapes";

/// The columns: what a process of a tree is, and its letter.
const KINDS: [(&str, u8); 5] =
    [("program", b'p'), ("child", b'c'), ("setsid", b's'), ("double fork", b'f'), ("daemon", b'd')];
/// The descendants, as `native/tree.c` calls them.
const DESCENDANTS: [&str; 4] = ["child", "setsid", "fork", "daemon"];
/// How long a tree may take to be gone. What is contained takes milliseconds, what is not never goes.
const PATIENCE: Duration = Duration::from_millis(500);

/// A way to start a tree.
#[derive(Clone, Copy, Debug)]
struct Way {
    name: &'static str,
    /// What an owner is told.
    way: &'static str,
    /// Whether nothing may survive.
    holds: bool,
}

const WAYS: [Way; 7] = [
    Way { name: "pinfold, by default", way: "best", holds: true },
    Way { name: "pinfold, Subreaper", way: "subreaper", holds: true },
    Way { name: "pinfold, PidNamespace", way: "namespace", holds: true },
    Way { name: "pinfold, ProcessGroup", way: "group", holds: false },
    Way { name: "processkit", way: "processkit", holds: false },
    Way { name: "processkit, kill_on_parent_death", way: "processkit, on parent death", holds: false },
    Way { name: "process-wrap, ProcessGroup, KillOnDrop", way: "process-wrap", holds: false },
];

const ENDS: [(&str, End); 3] =
    [("drop", End::Drop), ("SIGTERM", End::Signal(Signal::TERM)), ("SIGKILL", End::Signal(Signal::KILL))];

/// The first line of the table.
pub(crate) fn head() -> Vec<String> {
    let kinds = KINDS.iter().map(|(name, _)| *name);
    ["survivors of", "held by", "owner ends by"]
        .into_iter()
        .chain(kinds)
        .chain([""])
        .map(str::to_owned)
        .collect()
}

/// The table without its head, and how each line of it stands. Only what must hold, if that is all that is asked for.
pub(crate) fn take(program: &Path, rounds: usize, bounds: bool) -> Vec<(Vec<String>, Verdict)> {
    let ways = WAYS.iter().filter(|way| way.holds || !bounds);
    ways.flat_map(|way| ENDS.iter().map(move |end| line(*way, *end, program, rounds))).collect()
}

fn line(way: Way, (how, end): (&str, End), program: &Path, rounds: usize) -> (Vec<String>, Verdict) {
    let mut counts = Counts::default();
    let mut mechanism = String::new();
    let mut round = || -> Result<()> {
        let mut tree = Tree::start(way.way, program, &DESCENDANTS)?;
        mechanism.clone_from(&tree.mechanism);
        tree.end(end)?;
        counts.add(&tree.survivors(PATIENCE)?);
        Ok(())
    };
    let taken = (0..rounds).try_for_each(|_| round());
    let verdict = match taken {
        Err(error) => Verdict::Failed(error.to_string()),
        Ok(()) if !way.holds => Verdict::Shown,
        Ok(()) if counts.is_none() => Verdict::Ok,
        Ok(()) => Verdict::Over,
    };
    let cells = [way.name.to_owned(), mechanism, how.to_owned()];
    (cells.into_iter().chain(counts.cells(rounds)).collect(), verdict)
}

/// How many of each kind survived.
#[derive(Debug, Default)]
struct Counts([usize; KINDS.len()]);

impl Counts {
    fn add(&mut self, survivors: &[u8]) {
        for (count, (_, letter)) in self.0.iter_mut().zip(KINDS) {
            *count += survivors.iter().filter(|kind| **kind == letter).count();
        }
    }

    fn is_none(&self) -> bool {
        self.0.iter().all(|count| *count == 0)
    }

    fn cells(&self, rounds: usize) -> Vec<String> {
        self.0.iter().map(|count| format!("{count} of {rounds}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survivors_are_counted_by_their_kind() {
        let mut counts = Counts::default();
        assert!(counts.is_none());
        counts.add(b"pd");
        counts.add(b"d");
        assert!(!counts.is_none());
        assert_eq!(counts.cells(2), ["1 of 2", "0 of 2", "0 of 2", "0 of 2", "2 of 2"]);
    }

    #[test]
    fn each_descendant_has_a_column() {
        for descendant in DESCENDANTS {
            assert!(KINDS.iter().any(|(_, letter)| descendant.as_bytes()[0] == *letter), "{descendant}");
        }
        assert_eq!(KINDS.len(), DESCENDANTS.len() + 1);
    }
}
