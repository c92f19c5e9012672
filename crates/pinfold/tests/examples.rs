//! The examples as whole programs, run as a reader would run them.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use pinfold::{Command, Output};
use std::path::PathBuf;

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
