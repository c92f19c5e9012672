//! The page on the records for programs: every field that is written is in it, and every field in it is written.

use std::collections::BTreeSet;

use pinfold_trials::{Trial, pinfold_bin, wait_until};
use serde_json::Value;

use crate::{LONG, Live, result, run, text};

const PAGE: &str = include_str!("../../../docs/json.md");

/// The fields that the page has of a command.
fn documented(command: &str) -> BTreeSet<String> {
    let heading = format!("\n## {command}\n");
    let section = PAGE.split(&heading).nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| row.split('`').next().unwrap().to_owned()).collect()
}

/// The path of each value in a record.
fn fields(path: &str, value: &Value, found: &mut BTreeSet<String>) {
    let under = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| fields(&under(name), value, found));
        }
        Value::Array(all) if all.iter().any(Value::is_object) => {
            all.iter().for_each(|value| fields(&format!("{path}[]"), value, found));
        }
        _ => drop(found.insert(path.to_owned())),
    }
}

/// The page and the records have the same fields. What is empty or null says nothing of what can be in it.
#[track_caller]
fn agree(command: &str, records: &[Value]) {
    let documented = documented(command);
    let mut found = BTreeSet::new();
    records.iter().for_each(|record| fields("", record, &mut found));
    let holds = |whole: &str, part: &str| {
        part.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    for field in &found {
        // A row may also speak of all that is below it.
        let is_known = documented.iter().any(|known| holds(field, known) || holds(known, field));
        assert!(is_known, "{command}: {field} is not in docs/json.md");
    }
    for known in &documented {
        let is_written = found.iter().any(|field| holds(field, known) || holds(known, field));
        assert!(is_written, "{command}: {known} is not in any record");
    }
    let schema = &records[0]["schema"];
    assert!(PAGE.contains(&format!("`{}`", schema.as_str().unwrap())), "{schema}");
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

#[test]
fn the_page_has_every_field_of_every_record() {
    let of = |options: &str, arguments: &str| parse(&text(&result(options, arguments).stderr));
    let runs = [
        of("--json --output-limit 1M", "exit 3"),
        of("--json", "signal TERM"),
        of("--json", "escape plain"),
        of("--json --timeout 1s", "escape plain --stay"),
        of("--json --cwd /nope", "exit 0"),
    ];
    agree("pinfold run --json", &runs);

    let all = |options: &str, arguments: &str| {
        let output = result(&format!("--log-format json {options}"), arguments);
        text(&output.stderr).lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    };
    let mut log = all("--retry 1 --retry-pause 1ms --output-limit 1k", "flood 4K");
    log.extend(all("-t 100ms", "sleep 60"));
    log.extend(all("--cwd /nope", "exit 0"));
    log.extend(all("", "exit 0"));
    let mut batch = std::process::Command::new(pinfold_bin());
    let output = batch.args(["batch", "--log-format", "json", ":::", "true"]).output().unwrap();
    log.push(parse(text(&output.stderr).lines().next().unwrap()));
    agree("--log-format json", &log);

    let trial = Trial::new();
    let registry = tempfile::tempdir().unwrap();
    let registry = registry.path().join("registry");
    let ask = |arguments: &str| {
        let mut command = std::process::Command::new(pinfold_bin());
        let output = command.args(arguments.split(' ')).env("PINFOLD_REGISTRY", &registry).output().unwrap();
        parse(&text(&output.stdout))
    };
    agree("pinfold doctor --json", &[ask("doctor --json")]);

    let mut command = run(&trial, "--quiet", "escape plain --stay");
    // Without a guard, so that something is left for the second half.
    command.env("PINFOLD_REGISTRY", &registry).env("PINFOLD_DENY", "cgroup,subreaper");
    let mut owner = Live::ready(&mut command);
    wait_until("the owner is noted", LONG, || {
        ask("ps --tracked --json")["owners"][0]["runs"][0]["members"].is_array()
    });
    std::fs::write(registry.join("pinfold.1.2.3"), "no entry at all").unwrap();
    agree("pinfold ps --json", &[ask("ps --json")]);

    owner.child.kill().unwrap();
    owner.child.wait().unwrap();
    drop(owner);
    agree("pinfold cleanup --json", &[ask("cleanup --json")]);
    trial.finish();
}
