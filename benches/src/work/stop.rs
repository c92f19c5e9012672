//! The time from the wish to stop a program until it is reaped.

use super::{Job, expect, timed};
use crate::Result;
use crate::server::Answer;
use pinfold::{Ending, Signal, StopRule, Stream};
use std::time::Duration;

/// The number of the job is the grace in milliseconds; none is for a program that ends on the signal.
pub(super) fn answer(job: Job<'_>) -> Result<Answer> {
    let grace = Duration::from_millis(job.count);
    let (rule, last) = match job.count {
        0 => (StopRule::default(), Signal::TERM),
        _ => (StopRule { grace, ..StopRule::default() }, Signal::KILL),
    };
    let handle = job.ours().start()?;
    let first = handle.chunks(Stream::Stdout)?.next().transpose()?;
    expect("the first byte", first.is_some_and(|bytes| bytes == b"."))?;
    timed(|| {
        let outcome = handle.stop_by(rule)?;
        expect("the ending", outcome.ending == Ending::Signalled { signal: last, core_dumped: false })
    })
}
