//! The measures of pipelines and batches.

use crate::measure::Judge::{Ratio, Shown};
use crate::measure::{Ask, Judge, Measure, Who};
use crate::programs::Programs;
use crate::report::Unit;
use std::fmt::Write as _;
use std::path::Path;

/// So many commands has a batch in one round; five rounds are taken at least.
const COMMANDS: u32 = 10_000;
/// So many gibibytes go through a pipeline.
const GIBIBYTES: u32 = 4;

/// Adds them to the list.
pub(crate) fn add(list: &mut Vec<Measure>, programs: &Programs) {
    let mut add = |group, what: String, against: &str, ours: Ask, peer: Ask, judge: Judge| {
        let against = against.to_owned();
        list.push(Measure { group, what, against, ours, peer, judge, given: 0, unit: Unit::Nanos });
    };
    let pipe = |way: &str| Ask {
        who: Who::Worker,
        request: format!("pipeline\t{way}\t{GIBIBYTES}\t/dev/zero"),
        times: 1,
    };
    let what = format!("{GIBIBYTES} GiB through 3 programs, none of it through the parent");
    add("pipeline", what, "sh", pipe("ours"), pipe("sh"), Ratio(1.02));

    let numbers = numbers(programs);
    let batch = |way: &str| Ask {
        who: Who::Worker,
        request: format!("batch\t{way}\t{COMMANDS}\t/bin/true\t{numbers}"),
        times: COMMANDS,
    };
    let what = |more: &str| format!("batch of {COMMANDS} true, 2 at a time{more}");
    add("batch", what(""), "xargs -P2 -n1", batch("ours"), batch("xargs"), Ratio(0.80));
    add("batch", what(""), "bare loop, 2 at a time", batch("ours"), batch("bare"), Ratio(1.15));
    // What nobody can be faster than.
    add("batch", what(", bare loop"), "xargs -P2 -n1", batch("bare"), batch("xargs"), Shown);
    add("batch", what(", captured"), "xargs -P2 -n1", batch("captured"), batch("xargs"), Shown);

    let whole =
        |words: String| Ask { who: Who::Floor, request: format!("spawn\t1\t{words}"), times: COMMANDS };
    let tool = match &programs.tool {
        Ok(path) => whole(format!("{}\tbatch\t-q\t-j2\t-a\t{numbers}\t/bin/true", path.display())),
        Err(why) => whole(why.clone()),
    };
    let xargs = whole(format!("/usr/bin/xargs\t-P2\t-n1\t-a\t{numbers}\t/bin/true"));
    let what = format!("pinfold batch of {COMMANDS} true, whole process, 2 at a time");
    add("batch", what.clone(), "xargs -P2 -n1", tool.clone(), xargs, Ratio(1.10));
    // By its path, so that its shell does not take a `true` of its own.
    let parallel = whole(format!("/usr/bin/parallel\t-j2\t-a\t{numbers}\t/bin/true"));
    if Path::new("/usr/bin/parallel").exists() {
        add("batch", what, "GNU parallel -j2", tool, parallel, Ratio(0.10));
    } else {
        say_skipped(&what);
    }
}

#[expect(clippy::print_stderr, reason = "whoever measures is told what is not measured")]
fn say_skipped(what: &str) {
    eprintln!("skipped: {what} against GNU parallel, which is not installed (apt install parallel)");
}

/// A file of as many lines as a batch has commands.
fn numbers(programs: &Programs) -> String {
    let path = programs.tiny.with_file_name("numbers");
    let mut text = String::new();
    for number in 0..COMMANDS {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{number}");
    }
    // Where it cannot be written, the rows that read it fail and say so.
    let _ = std::fs::write(&path, text);
    path.display().to_string()
}
