//! The measures of the Python package, each against what the standard library has for the same, and beside its peers.

use super::{measure, side};
use crate::measure::Judge::{More, Ratio, Shown, Under};
use crate::measure::{Ask, Judge, Measure, Who};
use crate::programs::Programs;
use crate::report::Unit;

const GROUP: &str = "python";
/// A gibibyte in lines of 79 bytes and their ends, and as many bytes.
const CAPTURED: (&str, u64) = ("13421773\t79\t79", 13_421_773 * 80);
const FED: u64 = 256 << 20;

pub(super) fn all(list: &mut Vec<Measure>, programs: &Programs) {
    runs(list);
    lines(list, programs);
    captures(list, programs);
    feeding(list);
    starts(list);
    handles(list);
}

/// `verb WAY TIMES PROGRAM ARG...`, of which the time is told for each of `times`.
fn ask(who: Who, verb: &str, way: &str, times: u32, program: &str) -> Ask {
    side(who, times, format!("{verb}\t{way}\t{times}\t{program}"))
}

fn runs(list: &mut Vec<Measure>) {
    const TIMES: u32 = 40;
    let mut add = |what: &str, against: &str, verb: &str, ways: [(Who, &str); 2], times, judge| {
        let sides = ways.map(|(who, way)| ask(who, verb, way, times, "true"));
        list.push(measure(GROUP, what, against, sides, judge));
    };
    let (small, large) = (Who::Python, Who::PythonLarge);
    let what = "output() of true";
    let peers = [("subprocess", Ratio(0.90)), ("processkit-py", Shown), ("running-process", Shown)];
    for (peer, judge) in peers {
        add(what, peer, "output", [(small, "ours"), (small, peer)], TIMES, judge);
    }
    let what = "aoutput() of true";
    let peers = [
        ("asyncio", "asyncio", Ratio(0.75)),
        ("asyncio", "uvloop", Shown),
        ("processkit-py", "asyncio", Shown),
    ];
    for (count, verb, what) in
        [(TIMES, "aoutput", what), (500, "many", "500 times aoutput() of true at once")]
    {
        for (peer, on, judge) in peers {
            let against = if peer == on { peer.to_owned() } else { format!("{peer} on {on}") };
            let [ours, theirs] = ["ours", peer].map(|whose| format!("{whose} on {on}"));
            add(what, &against, verb, [(small, &ours), (small, &theirs)], count, judge);
        }
    }
    let what = "output_all() of 2 000 times true, 8 at a time";
    for (peer, judge) in [("ThreadPoolExecutor, subprocess", Ratio(0.75)), ("processkit-py", Ratio(0.40))] {
        let way = peer.split(',').next().unwrap_or(peer);
        add(what, peer, "batch", [(small, "ours"), (small, way)], 2000, judge);
    }
    for (verb, way, peer) in
        [("output", "ours", "subprocess"), ("aoutput", "ours on asyncio", "asyncio on asyncio")]
    {
        let what = format!("{verb}() of true, parent holds 4 GiB");
        add(&what, "itself, small parent", verb, [(large, way), (small, way)], TIMES, Ratio(1.10));
        add(
            &what,
            &format!("{}, same parent", peer.split(' ').next().unwrap_or(peer)),
            verb,
            [(large, way), (large, peer)],
            TIMES,
            Shown,
        );
    }
}

fn lines(list: &mut Vec<Measure>, programs: &Programs) {
    const MILLION: u32 = 1_000_000;
    /// As many as the slowest peers give in good time.
    const FEW: u32 = 20_000;
    let writer = programs.writer.display();
    let mut add = |what: &str, against: &str, verb: &str, ways: [&str; 2], count: u32, judge| {
        let sides = ways.map(|way| ask(Who::Python, verb, way, count, &format!("{writer}\t{count}\t4\t12")));
        list.push(measure(GROUP, &format!("a line, {what}"), against, sides, judge));
    };
    add("async for", "asyncio", "alines", ["ours", "asyncio"], MILLION, Ratio(0.20));
    add("async for over line_batches()", "asyncio", "alines", ["batches", "asyncio"], MILLION, Ratio(0.09));
    add("async for, of few", "processkit-py", "alines", ["ours", "processkit-py"], FEW, Shown);
    add("for", "Popen, text", "lines", ["ours", "Popen"], MILLION, Ratio(1.05));
    add("for, of few", "running-process", "lines", ["ours", "running-process"], FEW, Shown);
}

fn captures(list: &mut Vec<Measure>, programs: &Programs) {
    let (lines, bytes) = CAPTURED;
    let way = |way: &str| {
        side(Who::PythonFresh, 1, format!("capture\t{way}\t{bytes}\t{}\t{lines}", programs.writer.display()))
    };
    let mut add = |what: &str, against: &str, peer: &str, judge: Judge, unit| {
        let measured = measure(GROUP, what, against, [way("ours"), way(peer)], judge);
        list.push(Measure { unit, ..measured });
    };
    let what = "output_bytes() of 1 GiB";
    let most = Under(1.1 * bytes as f64);
    add(what, "subprocess, stdout alone", "stdout", Ratio(0.80), Unit::Nanos);
    add(what, "subprocess, both streams", "both", Ratio(0.45), Unit::Nanos);
    add(&format!("{what}: memory that it takes"), "subprocess, both streams", "both", most, Unit::Bytes);
    for peer in ["processkit-py", "running-process"] {
        add(what, peer, peer, Shown, Unit::Nanos);
    }
}

fn feeding(list: &mut Vec<Measure>) {
    let way = |way: &str| side(Who::PythonFresh, 1, format!("feed\t{way}\t{FED}\twc\t-c"));
    let mut add = |what: &str, peer: &str, judge: Judge, unit| {
        let measured = measure(GROUP, what, peer, [way("ours"), way(peer)], judge);
        list.push(Measure { unit, ..measured });
    };
    let what = "stdin_bytes() of 256 MiB to wc -c";
    add(what, "subprocess", Ratio(0.90), Unit::Nanos);
    // A second copy would be ten times that.
    add(&format!("{what}: memory that it takes"), "subprocess", Under(0.1 * FED as f64), Unit::Bytes);
    for peer in ["processkit-py", "running-process"] {
        add(what, peer, Shown, Unit::Nanos);
    }
}

fn starts(list: &mut Vec<Measure>) {
    const TIMES: u32 = 10;
    let start = |what: &str| side(Who::PythonBare, TIMES, format!("spawn\t{TIMES}\tpython\t-c\t{what}"));
    let mut add = |module: &str, judge| {
        let sides = [start(&format!("import {module}")), start("pass")];
        list.push(measure(GROUP, &format!("import {module}"), "bare interpreter", sides, judge));
    };
    add("pinfold", More(30.0));
    add("asyncio.subprocess", Judge::MoreShown);
    add("processkit", Judge::MoreShown);
    add("running_process", Judge::MoreShown);
}

fn handles(list: &mut Vec<Measure>) {
    for (count, what) in [(1, "memory of one live handle"), (1000, "memory of each of 1 000 live handles")] {
        let way = |way: &str| side(Who::PythonFresh, 1, format!("handles\t{way}\t{count}\tcat"));
        for peer in ["subprocess", "processkit-py", "running-process"] {
            let measured = measure(GROUP, what, peer, [way("ours"), way(peer)], Shown);
            list.push(Measure { unit: Unit::Bytes, ..measured });
        }
    }
}
