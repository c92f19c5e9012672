//! The list of all measures: what the project promises, and then what else there is to compare with.

mod python;
mod supervise;

use crate::measure::Judge::{More, MoreShown, Ratio, Shown, Under};
use crate::measure::{Ask, Judge, Measure, Who};
use crate::programs::Programs;
use crate::report::Unit;
use std::path::Path;

/// A gibibyte in lines of 79 bytes and their ends.
const GIBIBYTE: &str = "13421773\t79\t79";
/// Ten million lines of four to twelve bytes.
const LINES: &str = "10000000\t4\t12";
/// The grace that a program which ignores the signal is given.
const GRACE_MS: u64 = 50;

/// Every measure, in the order of the table.
pub(crate) fn all(programs: &Programs) -> Vec<Measure> {
    let mut list = Vec::new();
    spawning(&mut list, programs);
    rungs(&mut list, programs);
    memory(&mut list, programs);
    output(&mut list, programs);
    streams(&mut list, programs);
    many(&mut list, programs);
    stop(&mut list, programs);
    groups(&mut list, programs);
    guard(&mut list, programs);
    death(&mut list, programs);
    supervise::supervise(&mut list, programs);
    tool(&mut list, programs);
    python::all(&mut list, programs);
    crate::flow::add(&mut list, programs);
    list
}

/// A side of a measure and how it is called in the table.
fn side(who: Who, times: u32, request: String) -> Ask {
    Ask { who, request, times }
}

fn measure(group: &'static str, what: &str, against: &str, sides: [Ask; 2], judge: Judge) -> Measure {
    let [ours, peer] = sides;
    Measure {
        group,
        what: what.to_owned(),
        against: against.to_owned(),
        ours,
        peer,
        judge,
        given: 0,
        unit: Unit::Nanos,
    }
}

fn worker(request: String, times: u32) -> Ask {
    side(Who::Worker, times, request)
}

/// `verb WAY TIMES PROGRAM`.
fn request(verb: &str, way: &str, times: u32, program: &Path) -> String {
    format!("{verb}\t{way}\t{times}\t{}", program.display())
}

fn spawning(list: &mut Vec<Measure>, programs: &Programs) {
    let true_program = Path::new("/bin/true");
    let groups = [
        ("spawn", "/bin/true", true_program, 40, 1.05),
        ("tiny", "tiny program", &*programs.tiny, 300, 1.30),
    ];
    for (group, name, program, times, bound) in groups {
        let spawn = |way: &str| worker(request("spawn", way, times, program), times);
        let floor = side(Who::Floor, times, format!("spawn\t{times}\t{}", program.display()));
        let mut add = |what: &str, against: &str, way: &str, peer: Ask, judge| {
            list.push(measure(group, what, against, [spawn(way), peer], judge));
        };
        let what = format!("spawn and wait, {name}, no capture");
        add(&what, "bare loop", "cgroup", floor.clone(), Ratio(bound));
        add(&format!("{what}, process group"), "bare loop", "group", floor.clone(), Shown);
        add(&format!("{what}, lowest floor"), "bare loop", "floor", floor, Shown);
        for peer in ["std", "tokio", "duct", "processkit"] {
            add(&what, peer, "cgroup", spawn(peer), Shown);
        }
    }
}

fn rungs(list: &mut Vec<Measure>, programs: &Programs) {
    const TIMES: u32 = 100;
    let floor = side(Who::Floor, TIMES, format!("spawn\t{TIMES}\t{}", programs.tiny.display()));
    for (name, way) in [("subreaper keeper", "subreaper"), ("PID namespace", "namespace")] {
        let what = format!("spawn and wait, tiny program, {name}");
        let ours = worker(request("spawn", way, TIMES, &programs.tiny), TIMES);
        list.push(measure("rungs", &what, "bare loop", [ours, floor.clone()], MoreShown));
    }
}

fn memory(list: &mut Vec<Measure>, programs: &Programs) {
    for (name, program, times, judge) in [
        ("/bin/true", Path::new("/bin/true"), 40, Ratio(1.10)),
        ("tiny program", &*programs.tiny, 300, Shown),
    ] {
        let ask = |who, way: &str, times| side(who, times, request("spawn", way, times, program));
        let what = format!("spawn and wait, {name}, parent holds 4 GiB");
        let sides = [ask(Who::Large, "cgroup", times), ask(Who::Worker, "cgroup", times)];
        list.push(measure("memory", &what, "itself, small parent", sides, judge));
        // What forks takes tens of milliseconds each.
        for peer in ["std", "std with uid", "processkit"] {
            let sides = [ask(Who::Large, "cgroup", 5), ask(Who::Large, peer, 5)];
            list.push(measure("memory", &what, &format!("{peer}, same parent"), sides, Shown));
        }
    }
}

fn output(list: &mut Vec<Measure>, programs: &Programs) {
    for (name, program, times, judge) in [
        ("/bin/echo", Path::new("/bin/echo"), 40, Ratio(1.10)),
        ("tiny program", &*programs.tiny, 200, Shown),
    ] {
        let what = format!("own cgroup, capture, output(), {name}");
        let ask = |way: &str| worker(request("output", way, times, program), times);
        list.push(measure("output", &what, "std", [ask("ours"), ask("std")], judge));
        for peer in ["tokio", "duct", "processkit"] {
            list.push(measure("output", &what, peer, [ask("ours"), ask(peer)], Shown));
        }
    }
}

fn streams(list: &mut Vec<Measure>, programs: &Programs) {
    let writer = programs.writer.display();
    let capture = |way: &str| side(Who::Fresh, 1, format!("capture\t{way}\t1\t{writer}\t{GIBIBYTE}"));
    for (peer, judge) in [("std", Ratio(0.65)), ("tokio", Shown), ("duct", Shown), ("processkit", Shown)] {
        let sides = [capture("ours"), capture(peer)];
        list.push(measure("capture", "capture 1 GiB of stdout", peer, sides, judge));
    }
    let lines = |way: &str| worker(format!("lines\t{way}\t1\t{writer}\t{LINES}"), 1);
    let mut add = |what: &str, against: &str, ours: &str, peer: &str, judge| {
        let what = format!("10 million lines, {what}");
        list.push(measure("lines", &what, against, [lines(ours), lines(peer)], judge));
    };
    let std = "std, BufReader::lines()";
    add("borrowed", std, "borrowed", "std", Ratio(0.40));
    add("owned", std, "owned", "std", Ratio(1.00));
    add("borrowed", "std, read_line() into one String", "borrowed", "std reused", Shown);
    for peer in ["tokio", "duct", "processkit"] {
        add("owned", peer, "owned", peer, Shown);
    }
}

fn many(list: &mut Vec<Measure>, programs: &Programs) {
    let ask = |way: &str| worker(format!("many\t{way}\t1000\t{}\twait", programs.tiny.display()), 1);
    let cat = |way: &str| worker(format!("many\t{way}\t1000\t/bin/cat"), 1);
    let mut add = |what: &str, against: &str, sides, judge| {
        list.push(measure("many", &format!("1 000 children at once, {what}"), against, sides, judge));
    };
    let std = "std, a thread for each";
    add("tiny program", std, [ask("ours"), ask("std")], Ratio(0.80));
    add("tiny program, process groups", std, [ask("group"), ask("std")], Shown);
    add("/bin/cat", std, [cat("ours"), cat("std")], Shown);
}

fn stop(list: &mut Vec<Measure>, programs: &Programs) {
    let tiny = programs.tiny.display();
    let cases = [("ends on SIGTERM", "stay", 15, 0), ("ignores SIGTERM", "ignore", 9, GRACE_MS)];
    for (what, mode, signal, grace) in cases {
        let ours = worker(format!("stop\tours\t{grace}\t{tiny}\t{mode}"), 1);
        let floor = side(Who::Floor, 1, format!("stop\t{signal}\t{tiny}\t{mode}"));
        let what = format!("stop of a child that {what}");
        let mut measure = measure("stop", &what, "bare kill and wait", [ours, floor], More(2.0));
        measure.given = grace * 1_000_000;
        list.push(measure);
    }
}

fn groups(list: &mut Vec<Measure>, programs: &Programs) {
    let ask = |verb: &str, way: &str, times: u32, units: u32| {
        worker(request(verb, way, times, &programs.tiny), units)
    };
    let sides = [ask("group", "make", 100, 100), ask("group", "bare make", 100, 100)];
    list.push(measure("group", "make and remove a group", "bare mkdir and rmdir of a cgroup", sides, Shown));
    let sides = [ask("group", "spawn", 300, 300), ask("spawn", "cgroup", 300, 300)];
    list.push(measure("group", "spawn and wait in a group, tiny program", "itself, no group", sides, Shown));
    for size in [10, 1_000, 10_000] {
        let what = format!("kill of a group of {size} processes");
        let sides = [ask("group", "kill", size, 1), ask("group", "bare kill", size, 1)];
        list.push(measure("group", &what, "bare cgroup.kill", sides, Ratio(1.15)));
    }
}

fn guard(list: &mut Vec<Measure>, programs: &Programs) {
    const TIMES: u32 = 20;
    let tiny = programs.tiny.display();
    let starts = [
        side(Who::Fresh, TIMES, request("guard", "start", TIMES, &programs.tiny)),
        side(Who::Floor, TIMES, format!("start\t{TIMES}\t{tiny}\tstay")),
    ];
    list.push(measure(
        "guard",
        "start of a guard",
        "bare vfork and execve of the tiny program",
        starts,
        Shown,
    ));
    for (what, way, judge) in [("private", "private", Under(200.0 * 1024.0)), ("all", "resident", Shown)] {
        let ask = |way: &str| worker(format!("guard\t{way}\t1\t{tiny}\tstay"), 1);
        let what = format!("resident memory of a guard, {what}");
        let sides = [ask(way), ask(&format!("bare {way}"))];
        let memory = measure("guard", &what, "the tiny program as it stays", sides, judge);
        list.push(Measure { unit: Unit::Bytes, ..memory });
    }
}

fn death(list: &mut Vec<Measure>, programs: &Programs) {
    const SIZE: u32 = 10;
    const MILLISECONDS: f64 = 1e6;
    for (name, way) in
        [("cgroup and guard", "cgroup"), ("subreaper keeper", "subreaper"), ("PID namespace", "namespace")]
    {
        let ours = worker(request("death", way, SIZE, &programs.tree), 1);
        let bare = worker(request("group", "bare kill", SIZE, &programs.tiny), 1);
        let what = format!("SIGKILL of the owner to the last death of {SIZE} processes, {name}");
        list.push(measure("death", &what, "bare cgroup.kill", [ours, bare], Under(5.0 * MILLISECONDS)));
    }
}

fn tool(list: &mut Vec<Measure>, programs: &Programs) {
    const TIMES: u32 = 40;
    let run = |words: &str| side(Who::Floor, TIMES, format!("spawn\t{TIMES}\t{words}"));
    let ours = match &programs.tool {
        Ok(path) => run(&format!("{}\trun\t--\ttrue", path.display())),
        Err(why) => run(why),
    };
    let sides = [ours, run("/usr/bin/timeout\t5\ttrue")];
    list.push(measure("tool", "pinfold run -- true, whole process", "timeout 5 true", sides, Ratio(0.80)));
}
