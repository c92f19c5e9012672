//! The time from the owner's death by `SIGKILL` to the death of the last of its tree.

use super::{Job, expect, timed};
use crate::Result;
use crate::server::Answer;
use crate::tree::{End, Tree};
use pinfold_os::signal::Signal;
use std::path::Path;
use std::time::Duration;

/// Some of each kind: with the program they are ten.
const KINDS: [&str; 9] = ["child", "child", "child", "setsid", "setsid", "fork", "fork", "daemon", "daemon"];

/// The way of the job is that of the owner, its program is `native/tree.c`.
pub(super) fn answer(job: Job<'_>) -> Result<Answer> {
    expect("the number of processes", job.count == KINDS.len() as u64 + 1)?;
    let mut tree = Tree::start(job.way, Path::new(job.program), &KINDS)?;
    timed(|| {
        tree.end(End::Signal(Signal::KILL))?;
        expect("the number of survivors", tree.survivors(Duration::from_secs(2))?.is_empty())
    })
}
