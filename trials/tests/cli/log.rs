//! `--log-format json`: each thing that happens is a line, and no line has an argument or a variable in it.

use std::io::Read;
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};

use pinfold_trials::{Trial, fixture, pinfold_bin, with_time_enough};
use serde_json::{Value, json};

use crate::{pinfold, result, run, text};

/// Every line of the log, which has to be one.
#[track_caller]
fn lines(log: &str) -> Vec<Value> {
    let parse =
        |line: &str| serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
    let lines: Vec<Value> = log.lines().map(parse).collect();
    for line in &lines {
        assert_eq!(line["schema"], "pinfold.event/1", "{line}");
        assert!(line["unix_seconds"].as_f64().is_some_and(|seconds| seconds > 1.7e9), "{line}");
    }
    lines
}

fn names(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["event"].as_str().unwrap()).collect()
}

/// A command of pinfold's other than `run`.
fn other(trial: &Trial, options: &str) -> Command {
    let mut command = Command::new(pinfold_bin());
    command.args(options.split_whitespace()).envs([trial.env()]).stdin(Stdio::null());
    command
}

#[test]
fn what_happens_is_told_as_it_happens_and_words_are_lines_too() {
    for (options, arguments, expected) in [
        ("", "exit 3", &["started", "ended"][..]),
        ("--quiet -t 200ms", "sleep 60", &["started", "stopping", "ended"]),
        ("--output-limit 1k", "flood 4K", &["started", "limit_hit", "stopping", "ended", "said"]),
        ("--max-lines 1:drop-newest", "lines 3", &["started", "limit_hit", "ended"]),
        ("", "escape plain", &["started", "stopping", "ended", "said"]),
        (
            "--retry 1 --retry-pause 1ms",
            "exit 1",
            &["started", "ended", "retrying", "said", "started", "ended"],
        ),
        ("--cwd /nope", "exit 0", &["not_started", "failed"]),
    ] {
        let output = result(&format!("--log-format json {options}"), arguments);
        let told = lines(&text(&output.stderr));
        assert_eq!(names(&told), expected, "{options} -- {arguments}: {told:#?}");
        let program = fixture().display().to_string();
        let of_run = |line: &&Value| !matches!(line["event"].as_str(), Some("said" | "failed"));
        for line in told.iter().filter(of_run) {
            assert_eq!(line["program"], program, "{line}");
        }
    }
}

#[test]
fn the_lines_have_what_the_page_on_events_says() {
    let (limit, output) = with_time_enough(|limit| {
        let output = result(&format!("--log-format json -t {limit:?} -k 100ms"), "trap TERM");
        output.stdout.starts_with(b"ready").then_some((limit, output))
    });
    let told = lines(&text(&output.stderr));
    assert_eq!(names(&told), ["started", "stopping", "stopping", "ended", "said"]);
    assert_eq!(output.status.code(), Some(124));
    let [started, term, kill, ended, said] = &told[..] else { panic!("{told:#?}") };
    let pid = &started["pid"];
    assert!(pid.is_u64() && started["mechanism"].is_string() && started["guarantee"].is_string());
    assert!([term, kill, ended].iter().all(|line| &line["pid"] == pid && line["run"] == 1));
    assert_eq!((&term["cause"], &term["signal"]), (&json!("timeout"), &json!("TERM")));
    assert_eq!(term["grace_seconds"], 0.1);
    assert_eq!((&kill["signal"], &kill["grace_seconds"]), (&json!("KILL"), &json!(0.0)));
    assert_eq!(ended["outcome"]["ending"]["signalled"]["signal"], "KILL");
    let late = format!("timed out after {limit:?} and was ended by SIGKILL");
    assert!(said["message"].as_str().unwrap().ends_with(&late));
    let missing = Trial::new();
    let output = pinfold(&missing, "--log-format json no-such-program").output().unwrap();
    let told = lines(&text(&output.stderr));
    assert_eq!((&told[0]["kind"], &told[0]["pid"]), (&json!("not_found"), &Value::Null));
    assert!(told[1]["message"].as_str().unwrap().starts_with("no-such-program: not found"));
    missing.finish();
}

#[test]
fn no_line_has_an_argument_or_a_variable() {
    let trial = Trial::new();
    let mut command =
        pinfold(&trial, "--log-format json -v --retry 1 --retry-pause 1ms -e TOKEN=hushhush -- sh -c");
    let said = text(&command.args(["exit 1", "sh", "hushhush"]).output().unwrap().stderr);
    assert!(lines(&said).len() > 6 && !said.contains("hushhush"), "{said}");
    let mut command = other(&trial, "batch --log-format json sh -c");
    let output = command.args(["exit 1 # hushhush", "sh", ":::", "hushhush"]).output().unwrap();
    let said = text(&output.stderr);
    assert!(!lines(&said).is_empty() && !said.contains("hushhush"), "{said}");
    let mut command = other(&trial, "wait-for -t 100ms --log-format json");
    let said = text(&command.arg("cmd:false hushhush").output().unwrap().stderr);
    assert!(!lines(&said).is_empty() && !said.contains("hushhush"), "{said}");
    trial.finish();
}

#[test]
fn on_a_descriptor_of_its_own_it_is_beside_the_words_and_the_program_does_not_get_it() {
    let trial = Trial::new();
    for verb in ["run", "batch -q", "wait-for -q file:/"] {
        let (mut ours, theirs) = std::io::pipe().unwrap();
        rustix::io::fcntl_setfd(&theirs, rustix::io::FdFlags::empty()).unwrap();
        let number = theirs.as_raw_fd();
        let (verb, rest) = verb.split_once(' ').unwrap_or((verb, ""));
        let mut command = other(&trial, &format!("{verb} --log-format json:{number} {rest} -- sh -c"));
        command.arg(format!("test -e /proc/self/fd/{number} && echo passed on >&2; exit 4"));
        if verb == "batch" {
            command.args([":::", "x"]);
        }
        let output = command.output().unwrap();
        drop(theirs);
        let mut log = String::new();
        ours.read_to_string(&mut log).unwrap();
        assert!(!text(&output.stderr).contains("passed on"), "{verb}: {output:?}");
        assert_eq!(output.status.code(), Some(if verb == "batch" { 123 } else { 4 }), "{output:?}");
        let told = lines(&log);
        let expected: &[&str] = if verb == "wait-for" { &[] } else { &["started", "ended"] };
        let happened: Vec<&str> = names(&told).into_iter().filter(|name| *name != "said").collect();
        assert_eq!(happened, expected, "{verb}");
    }
    let (mut ours, theirs) = std::io::pipe().unwrap();
    rustix::io::fcntl_setfd(&theirs, rustix::io::FdFlags::empty()).unwrap();
    let output =
        run(&trial, &format!("--log-format json:{} -t 100ms", theirs.as_raw_fd()), "sleep 60").output();
    drop(theirs);
    let (output, mut log) = (output.unwrap(), String::new());
    ours.read_to_string(&mut log).unwrap();
    assert!(text(&output.stderr).contains("timed out after 100ms"), "{output:?}");
    assert!(log.contains("timed out after 100ms"), "{log}");
    drop(ours);
    trial.finish();
}

#[test]
fn a_batch_says_of_which_job_it_tells() {
    let trial = Trial::new();
    let mut command = other(&trial, "batch -j1 --log-format json --retry 1 --retry-pause 1ms :::");
    let output = command.args(["true", "false", "no-such-program"]).output().unwrap();
    let told = lines(&text(&output.stderr));
    let of = |job: u64| {
        let lines: Vec<Value> = told.iter().filter(|line| line["job"] == job).cloned().collect();
        names(&lines).join(" ")
    };
    assert_eq!(of(1), "started ended");
    assert_eq!(of(2), "started ended retrying started ended");
    assert_eq!(of(3), "not_started");
    let said: Vec<&str> = told.iter().filter_map(|line| line["message"].as_str()).collect();
    assert!(said.contains(&"job 2: false: exited with code 1, attempt 2"), "{said:?}");
    assert!(said.last().unwrap().contains("1 succeeded, 2 failed"), "{said:?}");
    trial.finish();
}

#[test]
fn chance_has_the_part_of_each_pause_that_it_is_given() {
    let trial = Trial::new();
    for (verb, tail) in [("run --retry", "--"), ("batch -j1 --retry", ":::")] {
        for (jitter, least) in [("0", 1.0), ("0.5", 0.5), ("1", 0.0)] {
            let options =
                format!("{verb} 5 --retry-pause 2ms --retry-jitter {jitter} --log-format json {tail} false");
            let told = lines(&text(&other(&trial, &options).output().unwrap().stderr));
            let pauses: Vec<f64> = told.iter().filter_map(|line| line["pause_seconds"].as_f64()).collect();
            assert_eq!(pauses.len(), 5, "{told:?}");
            let bounds = [0.002, 0.004, 0.008, 0.016, 0.032];
            let parts: Vec<f64> = pauses.iter().zip(bounds).map(|(pause, longest)| pause / longest).collect();
            let fits = |part: &f64| (least - 1e-6..=1.0 + 1e-6).contains(part);
            assert!(parts.iter().all(fits), "{options}: {parts:?}");
            let all_are_longest = parts.iter().all(|part| *part > 1.0 - 1e-6);
            assert_eq!(all_are_longest, jitter == "0", "{options}: {parts:?}");
        }
    }
    trial.finish();
}

#[test]
fn waiting_is_told_too() {
    let trial = Trial::new();
    let told = lines(&text(&other(&trial, "wait-for --log-format json file:/").output().unwrap().stderr));
    assert!(told[0]["message"].as_str().unwrap().starts_with("file:/: ready after "), "{told:?}");
    let mut command = other(&trial, "wait-for -q -i 10s --log-format json -t 1s");
    let output = command.arg("cmd:exit 3").output().unwrap();
    assert_eq!(output.status.code(), Some(124));
    let told = lines(&text(&output.stderr));
    assert_eq!(names(&told), ["started", "ended", "failed"]);
    trial.finish();
}

#[test]
fn beside_a_record_on_the_same_descriptor_nothing_is_said_twice() {
    let output = result("--json --log-format json -t 100ms", "sleep 60");
    let said = text(&output.stderr);
    let lines: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let schemas: Vec<&str> = lines.iter().map(|line| line["schema"].as_str().unwrap()).collect();
    let event = "pinfold.event/1";
    assert_eq!(schemas, [event, event, event, "pinfold.run/1"], "{said}");
    assert!(!said.contains("\"said\""), "{said}");
}

#[test]
fn a_log_that_cannot_be_written_changes_nothing_and_is_said_once() {
    let trial = Trial::new();
    let shell = |script: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).arg(pinfold_bin()).arg(fixture()).envs([trial.env()]);
        shell.output().unwrap()
    };
    let output = shell("\"$0\" run --require best-effort --log-format json:3 -- \"$1\" exit 4 3>/dev/full");
    assert_eq!(output.status.code(), Some(4));
    let said = text(&output.stderr);
    assert!(said.starts_with("pinfold: the log lacks lines: it cannot be written: "), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    // Also where pinfold itself is about to open something there.
    for option in
        ["--log-format json:7", "--log-format json:3", "--log-format json:4", "--json=3", "--json=4"]
    {
        let output = shell(&format!("\"$0\" run {option} -- \"$1\" exit 4"));
        assert_eq!(output.status.code(), Some(125), "{option}");
        assert!(text(&output.stderr).contains("there is no such descriptor: "), "{output:?}");
    }
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = run(&trial, "--log-format json", "exit 4");
    assert_eq!(command.stderr(writer).status().unwrap().code(), Some(4), "nobody reads it");
    drop(command);
    trial.finish();
}
