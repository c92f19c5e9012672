//! The measures of supervision.

use super::{measure, request, side, worker};
use crate::measure::Judge::{Shown, Under};
use crate::measure::{Measure, Who};
use crate::programs::Programs;
use crate::report::Unit;
use std::path::PathBuf;

/// What a supervised child may take in its supervisor, in bytes.
const MOST: f64 = 16.0 * 1024.0;

pub(super) fn supervise(list: &mut Vec<Measure>, programs: &Programs) {
    let tiny = programs.tiny.display();
    let ask = |way: &str| side(Who::Fresh, 1, format!("supervise\t{way}\t1000\t{tiny}\tstay"));
    let sides = [ask("memory"), ask("std memory")];
    let what = "memory per child, 1 000 supervised sleepers";
    let memory = measure("supervise", what, "std, a Child with two pipes", sides, Under(MOST));
    list.push(Measure { unit: Unit::Bytes, ..memory });
    let restart = |way: &str, times: u32| worker(request("supervise", way, times, &programs.tiny), times);
    let what = "crash to restarted child, no backoff";
    let sides = [restart("restart", 300), restart("shell restart", 300)];
    list.push(measure("supervise", what, "a loop of sh", sides, Shown));
    if let Some(supervisord) = on_path("supervisord") {
        let words = format!("supervise\tsupervisord restart\t3\t{tiny}\t{}", supervisord.display());
        let sides = [restart("restart", 300), worker(words, 3)];
        list.push(measure("supervise", what, "supervisord", sides, Shown));
    }
}

/// A peer that not every machine has.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(|file| file.is_file())
}
