//! The measures of the Python package, and the environment that they are taken in: the wheel, and its peers from a package
//! index.

use crate::Result;
use crate::measure::Judge::{More, Ratio, Shown, Under};
use crate::measure::{Ask, Judge, Measure, Who};
use crate::programs::{Programs, run};
use crate::report::Unit;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) const GROUP: &str = "python";

/// The peers by the names that a package index has for them. What is not pinned here is told in the head of the table.
const PEERS: [&str; 3] = ["uvloop", "processkit-py", "running-process"];
/// A million lines of four to twelve bytes.
const LINES: &str = "1000000\t4\t12";
/// A gibibyte in lines of 79 bytes and their ends, and the same on two streams.
const GIBIBYTE: (&str, &str) = ("1073741840", "13421773\t79\t79");
const TWO_HALVES: (&str, &str) = ("536870880", "\"$0\" 6710886 79 79 & \"$0\" 6710886 79 79 >&2; wait");
const STDIN: u32 = 256 << 20;

/// The interpreter of an environment that has everything: `PINFOLD_BENCH_PYTHON`, or one that is made below `target`.
pub(crate) fn environment(target: &Path) -> std::result::Result<PathBuf, String> {
    if let Some(given) = std::env::var_os("PINFOLD_BENCH_PYTHON") {
        return Ok(given.into());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("no workspace")?;
    let (place, wheels) = (target.join("python/bench"), target.join("python/bench-wheel"));
    let base = std::env::var_os("PINFOLD_PYTHON").unwrap_or_else(|| "python3".into());
    let mut make = Command::new(base);
    make.args(["-m", "venv", "--clear"]).arg(&place);
    run(make)?;
    let python = place.join("bin/python");
    let pip = |words: &[&str]| {
        let mut pip = Command::new(&python);
        pip.current_dir(root)
            .args(["-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"])
            .args(words);
        pip
    };
    let _ = std::fs::remove_dir_all(&wheels);
    let folder = wheels.to_str().ok_or("a path that is no text")?;
    eprintln!("{GROUP}: builds the wheel, and installs it beside {}", PEERS.join(", "));
    run(pip(&["wheel", ".", "--no-deps", "--wheel-dir", folder]))?;
    let entries = std::fs::read_dir(&wheels).map_err(|error| error.to_string())?;
    let wheel = entries.filter_map(|entry| Some(entry.ok()?.path())).next().ok_or("no wheel")?;
    run(pip(&[&["install", wheel.to_str().ok_or("a path that is no text")?], &PEERS[..]].concat()))?;
    Ok(python)
}

/// What the table is of: the interpreter, and everything in its environment.
pub(crate) fn versions(python: &Path) -> Result<String> {
    let source = "import platform; from importlib.metadata import version; \
        print('CPython', platform.python_version(), *(f', {n} {version(n)}' for n in ('pinfold', 'uvloop', 'processkit-py', \
        'running-process')), sep=' ')";
    let output = Command::new(python).args(["-c", source]).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().replace(" ,", ","))
}

/// Every measure of the group.
pub(crate) fn all(programs: &Programs) -> Vec<Measure> {
    let mut list = Vec::new();
    output(&mut list);
    lines(&mut list, programs);
    bytes(&mut list, programs);
    imports(&mut list, programs);
    handles(&mut list);
    list
}

fn measure(what: &str, against: &str, sides: [Ask; 2], judge: Judge) -> Measure {
    let [ours, peer] = sides;
    let (what, against) = (what.to_owned(), against.to_owned());
    Measure { group: GROUP, what, against, ours, peer, judge, given: 0, unit: Unit::Nanos }
}

fn ask(who: Who, times: u32, request: String) -> Ask {
    Ask { who, request, times }
}

fn output(list: &mut Vec<Measure>) {
    const TIMES: u32 = 20;
    let once = |who, way: &str| ask(who, TIMES, format!("output\t{way}\t{TIMES}\ttrue"));
    let mut add = |what: &str, ours: &str, peers: &[(&str, Judge)]| {
        for (peer, judge) in peers {
            list.push(measure(what, peer, [once(Who::Python, ours), once(Who::Python, peer)], *judge));
        }
    };
    let peers = [("subprocess", Ratio(0.90)), ("processkit", Shown), ("running-process", Shown)];
    add("Command(\"true\").output()", "pinfold", &peers);
    add("pinfold.subprocess.run([\"true\"], capture_output=True)", "twin", &[("subprocess", Shown)]);
    let peers = [("asyncio", Ratio(0.75)), ("processkit asyncio", Shown)];
    add("await Command(\"true\").aoutput()", "pinfold asyncio", &peers);
    add("await Command(\"true\").aoutput(), uvloop", "pinfold uvloop", &[("uvloop", Shown)]);
    for (what, way) in [("output()", "pinfold"), ("aoutput()", "pinfold asyncio")] {
        let what = format!("Command(\"true\").{what}, parent holds 4 GiB");
        let sides = [once(Who::LargePython, way), once(Who::Python, way)];
        list.push(measure(&what, "itself, small parent", sides, Ratio(1.10)));
    }
    let many = |way: &str| ask(Who::Python, 1, format!("many\t{way}\t500\ttrue"));
    for (ours, peer, judge) in [
        ("pinfold asyncio", "asyncio", Ratio(0.75)),
        ("pinfold uvloop", "uvloop", Shown),
        ("pinfold asyncio", "processkit asyncio", Shown),
    ] {
        list.push(measure("500 concurrent aoutput()", peer, [many(ours), many(peer)], judge));
    }
}

fn lines(list: &mut Vec<Measure>, programs: &Programs) {
    let writer = programs.writer.display();
    let lines = |way: &str| ask(Who::Python, 1, format!("lines\t{way}\t1\t{writer}\t{LINES}"));
    for (what, ours, peer, judge) in [
        ("async for over 1 million lines", "pinfold asyncio", "asyncio", Ratio(0.20)),
        ("async for over 1 million lines, in batches", "pinfold batches asyncio", "asyncio", Ratio(0.09)),
        ("async for over 1 million lines, uvloop", "pinfold uvloop", "uvloop", Shown),
        ("async for over 1 million lines", "pinfold asyncio", "processkit asyncio", Shown),
        ("for over 1 million lines", "pinfold", "subprocess", Ratio(1.05)),
        ("for over 1 million lines, in batches", "pinfold batches", "subprocess", Shown),
        ("for over 1 million lines, pinfold.subprocess", "twin", "subprocess", Shown),
        ("for over 1 million lines", "pinfold", "running-process", Shown),
    ] {
        list.push(measure(what, peer, [lines(ours), lines(peer)], judge));
    }
}

fn bytes(list: &mut Vec<Measure>, programs: &Programs) {
    let writer = programs.writer.display();
    let mut add = |what: &str, ask: &dyn Fn(&str) -> Ask, bound: f64, most: f64| {
        for (peer, judge) in [("subprocess", Ratio(bound)), ("processkit", Shown), ("running-process", Shown)]
        {
            list.push(measure(what, peer, [ask("pinfold"), ask(peer)], judge));
        }
        let peak = measure(
            &format!("{what}, the most memory"),
            "subprocess",
            [ask("pinfold"), ask("subprocess")],
            Under(most),
        );
        list.push(Measure { unit: Unit::Bytes, ..peak });
    };
    let gibibyte = 1.1 * f64::from(1 << 30);
    let one = |way: &str| {
        let (size, words) = GIBIBYTE;
        ask(Who::FreshPython, 1, format!("capture\t{way}\t1\t{size}\t{writer}\t{words}"))
    };
    add("1 GiB of stdout, as bytes", &one, 0.80, gibibyte);
    let two = |way: &str| {
        let (size, script) = TWO_HALVES;
        ask(Who::FreshPython, 1, format!("capture\t{way}\t1\t{size}\tsh\t-c\t{script}\t{writer}"))
    };
    add("1 GiB on both streams, as bytes", &two, 0.45, gibibyte);
    let fed = |way: &str| ask(Who::FreshPython, 1, format!("stdin\t{way}\t{STDIN}\tsh\t-c\tcat >/dev/null"));
    // The interpreter itself takes a twentieth of that.
    add("256 MiB of stdin", &fed, 0.90, 1.1 * f64::from(STDIN));
}

fn imports(list: &mut Vec<Measure>, programs: &Programs) {
    const TIMES: u32 = 5;
    let python = match &programs.python {
        Ok(python) => python.display().to_string(),
        Err(why) => why.clone(),
    };
    let spawn = |source: &str| ask(Who::Floor, TIMES, format!("spawn\t{TIMES}\t{python}\t-c\t{source}"));
    for (what, source) in [("pinfold", "import pinfold"), ("pinfold.subprocess", "import pinfold.subprocess")]
    {
        let judge = if what == "pinfold" { More(30.0) } else { crate::measure::Judge::MoreShown };
        list.push(measure(
            &format!("import {what}"),
            "bare interpreter",
            [spawn(source), spawn("pass")],
            judge,
        ));
    }
    list.push(measure(
        "import pinfold",
        "import subprocess",
        [spawn("import pinfold"), spawn("import subprocess")],
        Shown,
    ));
    list.push(measure(
        "import pinfold",
        "import processkit",
        [spawn("import pinfold"), spawn("import processkit")],
        Shown,
    ));
}

fn handles(list: &mut Vec<Measure>) {
    for (count, what) in [(1, "memory of one live handle"), (1_000, "memory of 1 000 live handles")] {
        let live = |way: &str| ask(Who::FreshPython, 1, format!("handles\t{way}\t{count}\tsleep\t100"));
        let memory = measure(what, "subprocess", [live("pinfold"), live("subprocess")], Shown);
        list.push(Measure { unit: Unit::Bytes, ..memory });
    }
}
