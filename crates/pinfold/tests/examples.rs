//! The examples as whole programs, run as a reader would run them.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use pinfold::{Command, Output};
use std::path::PathBuf;

/// Its own tests, which a reader has by `cargo test --example`, are run with these.
#[expect(dead_code, reason = "what only its `main` uses")]
#[path = "../examples/deploy_with_doubles.rs"]
mod deploy_with_doubles;

/// An example as cargo built it, beside this test.
fn example(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let path: PathBuf = test.parent().unwrap().parent().unwrap().join("examples").join(name);
    assert!(path.exists(), "{} is not built, which it is where the whole package is tested", path.display());
    Command::new(path)
}

fn told(command: &Command) -> Output {
    command.output().unwrap()
}

fn said(name: &str) -> String {
    example(name).timeout(std::time::Duration::from_secs(60)).run().unwrap()
}

#[test]
fn a_pipeline_counts_words() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "To be, or not to be: that is the question. Or not?\n").unwrap();
    let output = told(&example("pipeline").arg(file.path()).arg("3"));
    let words: Vec<&str> = output.stdout.split_whitespace().collect();
    assert_eq!(words, ["2", "be", "2", "not", "2", "or"], "{}", output.stderr);
    let output = told(&example("pipeline").arg("/no/such/file"));
    assert_eq!(output.code(), Some(1));
    assert!(
        output.stderr.contains("tr (stage 1 of 6): its standard input cannot be opened"),
        "{}",
        output.stderr
    );
}

#[test]
fn a_batch_sums_files_and_tells_its_progress() {
    let files: Vec<_> = (0..5).map(|_| tempfile::NamedTempFile::new().unwrap()).collect();
    let output = told(&example("batch").args(files.iter().map(|file| file.path().as_os_str().to_owned())));
    assert_eq!((output.code(), output.stdout.lines().count()), (Some(0), 5), "{}", output.stderr);
    assert!(output.stderr.contains("5/5 done, 0 failed"), "{}", output.stderr);
    let output = told(&example("batch").arg(files[0].path()).arg("/no/such/file"));
    assert_eq!((output.code(), output.stdout.lines().count()), (Some(1), 1));
    assert!(output.stderr.contains("/no/such/file: sha256sum: exited with code 1"), "{}", output.stderr);
}

#[test]
fn a_server_is_used_once_it_is_ready() {
    let said = said("ready_server");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "the server says: hello");
    assert_eq!(lines[1], "and ends: was stopped and was ended by SIGTERM");
    assert_eq!(lines[2], "another ended first: Some(1)");
}

#[test]
fn a_flaky_service_is_started_until_it_is_healthy() {
    let said = said("until_healthy");
    let lines: Vec<&str> = said.lines().collect();
    let expected = [
        "run 1 has begun",
        "  it exited with code 1",
        "run 2 has begun",
        "  it exited with code 1",
        "run 3 has begun",
        "  it is healthy",
        "  it was stopped and was ended by SIGTERM",
        "restarts: 2; ended because it was stopped",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn nothing_of_an_environment_is_left_whatever_ends_it() {
    let lines = said("no_orphans");
    let lines: Vec<&str> = lines.lines().collect();
    let expected = [
        "4 processes live",
        "stopped: 4 before, 0 after; 0 live",
        "an error (invalid digit found in string): 0 of 4 live",
        "the owner killed: 0 of 4 live",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn what_nobody_vouches_for_is_shut_off_and_limited() {
    let output = told(&example("limited_sandbox").timeout(std::time::Duration::from_secs(60)));
    // What the host is asked for here is what the example asks for, but for the limits, for which it has another way.
    let sandbox = pinfold::Sandbox::untrusted();
    if let Err(refused) = Command::new("true").sandbox(sandbox).run() {
        let expected = format!("this host cannot shut off programs: {refused}");
        let said = output.stdout.replace("sh: ", "true: ");
        assert_eq!(
            (output.code(), said.lines().last()),
            (Some(2), Some(expected.as_str())),
            "{}",
            output.stderr
        );
        return;
    }
    let verdict = |name: &str| {
        let line = output.stdout.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_else(|| panic!("{name} is not in\n{}", output.stdout))
    };
    assert_eq!(verdict("honest"), "accepted");
    assert_eq!(verdict("wrong"), "rejected: says 41");
    for name in ["nosy", "untidy"] {
        assert!(verdict(name).starts_with("rejected: exited with code 1 ("), "{}", verdict(name));
    }
    assert!(verdict("greedy").starts_with("rejected: exited with code 1"), "{}", verdict("greedy"));
    assert_eq!(verdict("endless"), "rejected: timed out and was ended by SIGKILL");
    assert_eq!(verdict("chatty"), "rejected: sh: wrote more than 65536 bytes");
    assert_eq!(output.code(), Some(0));
}

#[test]
fn a_deployment_is_planned_and_nothing_is_run() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["git", "make", "rsync"] {
        let path = directory.path().join(name);
        std::fs::write(&path, "#!/bin/sh\ntouch ran\n").unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let plan = example("deploy_with_doubles").args(["--dry-run", "v1"]).env("PATH", directory.path());
    let output = told(&plan.cwd(directory.path()));
    let said: Vec<&str> = output.stderr.lines().filter(|line| !line.starts_with(' ')).collect();
    let expected = ["git", "git", "make", "rsync"];
    let expected = expected.map(|name| format!("would run {}", directory.path().join(name).display()));
    assert_eq!(said, expected);
    assert_eq!((output.code(), output.stdout.as_str()), (Some(0), "nothing was run\n"));
    assert!(!directory.path().join("ran").exists());
}
