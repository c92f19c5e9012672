//! Owners: their directories, and their guards.

use crate::part::Part;
use crate::{Of, begin, fixture, mechanisms};
use pinfold::{Guarantee, Isolation};
use pinfold_trials::cgroup2_dir;

/// Directories of ours that this process made, beside us in our own cgroup, and that are still there.
pub(crate) fn directories_of(pid: u32) -> Vec<String> {
    cgroup2_dir().map_or_else(Vec::new, |own| directories_in(&own, pid))
}

/// The same, in another cgroup.
pub(crate) fn directories_in(place: &std::path::Path, pid: u32) -> Vec<String> {
    let own = Some(std::fs::read_dir(place));
    let names = own
        .into_iter()
        .flatten()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.starts_with("pinfold.") && name.contains(&format!(".{pid}."))).collect()
}

#[test]
fn a_guard_that_was_killed_is_made_again_and_its_lack_is_told() {
    let mut alone = Part::new(|_| {
        let handle = fixture("sleep 60").start().unwrap();
        assert_eq!(handle.guarantee(), Guarantee::WhileOwnerLives);
        handle.kill().unwrap();
        let error = fixture("exit 0").require(Guarantee::Guarded).run().unwrap_err();
        assert_eq!(error.kind(), pinfold::ErrorKind::Unsupported);
        assert!(error.to_string().contains("guard"), "{error}");
    });
    let trial = begin();
    if !mechanisms().contains(&Isolation::Cgroup) {
        return;
    }
    alone = alone.env("PINFOLD_DENY", "guard");
    alone.pass(&trial, "without");
    let guarded = fixture("exit 0").of(&trial).require(Guarantee::Guarded).output().unwrap();
    assert_eq!(guarded.guarantee, Guarantee::Guarded);
    trial.finish();
}
