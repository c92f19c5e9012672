//! The JSON record and the explained plan.

use std::io::Read;
use std::os::fd::AsRawFd;

use pinfold_trials::{Trial, fixture};
use serde_json::{Value, json};

use crate::{pinfold, result, run, text};

/// The record, which is the last and only line that pinfold writes to its standard error.
fn record(options: &str, arguments: &str) -> Value {
    let output = result(&format!("--json {options}"), arguments);
    let said = text(&output.stderr);
    let line = said.strip_suffix('\n').unwrap();
    let record: Value = serde_json::from_str(line.lines().last().unwrap()).unwrap();
    assert_eq!(record["exit_code"].as_i64(), output.status.code().map(Into::into), "{record}");
    record
}

#[test]
fn the_record_says_how_it_ended() {
    let done = record("", "exit 3");
    assert_eq!(done["schema"], "pinfold.run/1");
    assert_eq!(done["program"], fixture().display().to_string());
    assert_eq!(
        (&done["success"], &done["attempts"], &done["error"]),
        (&json!(false), &json!(1), &json!(null))
    );
    assert_eq!(done["outcome"]["ending"], json!({"exited": {"code": 3}}));
    assert_eq!(done["outcome"]["cause"], "itself");
    assert!(done["outcome"]["duration_seconds"].as_f64().unwrap() > 0.0);
    assert!(done["outcome"]["mechanism"].is_string() && done["outcome"]["guarantee"].is_string());

    let killed = record("", "signal TERM");
    assert_eq!((&killed["exit_code"], &killed["exit_signal"]), (&json!(null), &json!("TERM")));
    let late = record("-t 200ms", "sleep 60");
    assert_eq!((&late["exit_code"], &late["outcome"]["cause"]), (&json!(124), &json!("timeout")));
    let strays = record("", "escape plain");
    assert_eq!(strays["outcome"]["strays"]["count"], 1);
    assert_eq!(strays["outcome"]["strays"]["some"][0]["name"], "fixture");
    let often = record("--retry 2 --retry-pause 1ms -q", "exit 1");
    assert_eq!(often["attempts"], 3);
    assert_eq!(record("--success-codes 3", "exit 3")["success"], true);
    let unseen = json!({"bytes": null, "lines": null, "truncated": null});
    assert_eq!((&done["outcome"]["stdout"], &done["outcome"]["stderr"]), (&unseen, &unseen));
    let all = record("--idle-timeout 60", "lines 3");
    assert_eq!(all["outcome"]["stdout"], json!({"bytes": 6, "lines": 3, "truncated": false}));
    let most = record("--output-limit 1k:drop-oldest --stderr null", "flood 800");
    assert_eq!(most["outcome"]["stdout"]["truncated"], false);
    assert_eq!(most["outcome"]["stderr"], unseen);
    let much = record("--output-limit 1k:drop-newest", "flood 4K");
    assert_eq!(much["outcome"]["stdout"], json!({"bytes": 4096, "lines": 52, "truncated": true}));
}

#[test]
fn the_record_says_why_nothing_was_started() {
    let trial = Trial::new();
    let output = pinfold(&trial, "--json no-such-program").output().unwrap();
    let record: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!((&record["exit_code"], &record["outcome"]), (&json!(127), &json!(null)));
    assert_eq!(record["error"]["kind"], "not_found");
    assert!(record["error"]["message"].as_str().unwrap().starts_with("no-such-program: not found"));
    trial.finish();
}

#[test]
fn the_record_goes_to_the_descriptor_that_was_named_and_the_program_does_not_get_that() {
    let trial = Trial::new();
    let (mut ours, theirs) = std::io::pipe().unwrap();
    rustix::io::fcntl_setfd(&theirs, rustix::io::FdFlags::empty()).unwrap();
    let number = theirs.as_raw_fd();
    let mut command = pinfold(&trial, &format!("--json={number} -t 1s -- sh -c"));
    command.arg(format!("echo out; test -e /proc/self/fd/{number} && echo passed on; sleep 60"));
    let output = command.output().unwrap();
    drop(theirs);
    let mut line = String::new();
    ours.read_to_string(&mut line).unwrap();
    let record: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((record["exit_code"].as_i64(), line.lines().count()), (Some(124), 1));
    assert_eq!(text(&output.stdout), "out\n");
    assert!(text(&output.stderr).contains("timed out"), "elsewhere the words are still said: {output:?}");
    drop(ours);
    trial.finish();
}

#[test]
fn a_record_that_nobody_reads_is_dropped_and_one_that_cannot_be_written_is_a_failure() {
    let trial = Trial::new();
    let script = "\"$0\" run --json=3 -- \"$1\" exit 4 3>/dev/full";
    let shell = |script: &str| {
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", script]).arg(pinfold_trials::pinfold_bin()).arg(fixture()).envs([trial.env()]);
        shell.output().unwrap()
    };
    let output = shell(script);
    assert_eq!(output.status.code(), Some(125));
    assert!(text(&output.stderr).contains("the JSON record cannot be written: "), "{output:?}");
    let output = shell("{ sleep 0; \"$0\" run --json=3 -- \"$1\" exit 4 3>&1 >&2; echo $? >&2; } | true");
    assert!(text(&output.stderr).ends_with("4\n") || text(&output.stderr).is_empty(), "{output:?}");
    trial.finish();
}

#[test]
fn a_plan_is_explained_and_nothing_is_started() {
    let trial = Trial::new();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("made");
    let script = format!("touch {}", file.display());
    let mut command =
        pinfold(&trial, "--explain -t 5s --retry 2 --setsid --idle-timeout 3s -e SECRET=hush -- sh -c");
    let output = command.arg(&script).output().unwrap();
    let plan = text(&output.stdout);
    for part in
        ["program      /", "timeout      5s", "retry        up to 2 times", "it sees a pipe", "no terminal"]
    {
        assert!(plan.contains(part), "{part} is not in\n{plan}");
    }
    assert!(!plan.contains("hush") && output.stderr.is_empty());
    let output = pinfold(&trial, "--explain --json -e SECRET=hush -- sh -c").arg(&script).output().unwrap();
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(plan["schema"], "pinfold.plan/1");
    assert!(plan["environment"].as_array().unwrap().contains(&json!("SECRET")));
    assert_eq!(plan["command"]["args"], json!(["-c", script]));
    assert!(!plan.to_string().contains("hush") && !file.exists());
    trial.finish();
}

#[test]
fn the_record_of_output_that_was_lost_says_how_the_program_ended() {
    let trial = Trial::new();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = run(&trial, "--json --idle-timeout 60", "out hello");
    let output = command.stdout(full).stderr(std::process::Stdio::piped()).output().unwrap();
    drop(command);
    let record: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!((&record["exit_code"], &record["error"]["kind"]), (&json!(125), &json!("io")));
    assert!(!record["outcome"]["ending"].is_null(), "{record}");
    trial.finish();
}

/// A broken pipe in the place of the descriptor of the record, without a race.
#[test]
fn a_record_into_a_pipe_without_a_reader_changes_nothing() {
    let trial = Trial::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = run(&trial, "--json", "exit 4");
    assert_eq!(command.stderr(writer).status().unwrap().code(), Some(4));
    drop(command);
    trial.finish();
}
