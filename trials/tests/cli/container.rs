//! What is said of a container that is not the best there is, and pinfold as the first process of somebody's.

use pinfold_trials::{Trial, fixture, given, pinfold_bin};
use std::fs;
use std::process::{Command, Output, Stdio};

use crate::text;

/// On a host without cgroups.
fn without_cgroups(options: &str) -> Output {
    let trial = Trial::new();
    let mut command = Command::new(pinfold_bin());
    command.arg("run").args(options.split_whitespace()).arg("--").arg(fixture()).args(["exit", "3"]);
    let output = command.envs([trial.env(), ("PINFOLD_DENY", "cgroup,subreaper")]).output().unwrap();
    drop(command);
    trial.finish();
    output
}

#[test]
fn one_line_says_that_a_process_group_is_all_there_is() {
    for options in ["", "--retry 1 --retry-pause 1ms", "--json=2 --explain"] {
        let output = without_cgroups(options);
        let said = text(&output.stderr) + &text(&output.stdout);
        assert_eq!(said.matches("by no more than a process group: what calls setsid").count(), 1, "{said}");
    }
    let said = text(&without_cgroups("").stderr);
    assert!(said.starts_with("pinfold: contained by ") && said.lines().count() == 1, "{said}");
    assert!(said.contains("--require guarded"), "{said}");
}

#[test]
fn it_is_not_said_to_whom_knows_it() {
    for options in ["--quiet", "--isolation process-group", "--require best-effort"] {
        let output = without_cgroups(options);
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(3), String::new()), "{options}");
    }
    let record = text(&without_cgroups("--json").stderr);
    assert!(record.lines().count() == 1 && record.contains("\"mechanism\":\"process_group\""), "{record}");
}

#[test]
fn why_there_is_no_cgroup_is_explained_and_part_of_the_refusal() {
    let plan = text(&without_cgroups("--explain").stdout);
    assert!(plan.contains("cgroup_v2 cannot be had: hidden by PINFOLD_DENY"), "{plan}");
    let output = without_cgroups("--require guarded");
    assert_eq!(output.status.code(), Some(125));
    assert!(text(&output.stderr).contains("cgroup_v2 cannot be had: hidden by PINFOLD_DENY"), "{output:?}");
}

#[test]
fn kill_stops_what_the_first_process_of_a_container_runs() {
    let trial = Trial::new();
    let place = tempfile::tempdir().unwrap();
    for words in ["1", "--all"] {
        let said = place.path().join(words);
        // The program has itself stopped, by way of its owner, once that is noted.
        let script =
            format!("for i in $(seq 100); do pinfold kill {words} > {}; sleep 0.1; done", said.display());
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--kill-child", "--mount-proc"]).arg(pinfold_bin());
        command
            .args(["run", "--require", "best-effort", "-q", "--", "sh", "-c", &script])
            .envs([trial.env()]);
        command.env("PINFOLD_REGISTRY", place.path().join("registry"));
        command.env("PATH", format!("{}:/usr/bin:/bin", pinfold_bin().parent().unwrap().display()));
        let tried = command.stdin(Stdio::null()).output();
        let can = tried.as_ref().is_ok_and(|output| !text(&output.stderr).contains("unshare failed"));
        if !given(can, "PID namespaces by unshare(1)") {
            return;
        }
        let output = tried.unwrap();
        assert_ne!(output.status.code(), Some(125), "{output:?}");
        let said = fs::read_to_string(said).unwrap_or_default();
        assert!(said.is_empty() || said.starts_with("1: stopped sh"), "{said}");
        assert!(!output.status.success(), "{words}: it was not stopped");
    }
    trial.finish();
}
