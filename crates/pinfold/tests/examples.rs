//! The whole programs in examples/, run as they are.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;

/// Cargo builds examples beside the tests of the same package.
fn example(name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let path = tests.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(path.exists(), "{} is missing: cargo build -p pinfold --examples", path.display());
    path
}

fn said(name: &str) -> String {
    pinfold::Command::new(example(name)).timeout(std::time::Duration::from_secs(60)).run().unwrap()
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
