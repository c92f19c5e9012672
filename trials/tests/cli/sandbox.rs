//! The sandbox options: that each gets to the engine, and what pinfold itself does about them. What they stop is tried in
//! the trials of the library.

use std::os::fd::AsRawFd;
use std::process::Command;

use pinfold_trials::{Trial, is_root};

use crate::{pinfold, text};

/// Whether this host can do all that the preset takes; says so where it cannot.
fn can_be_untrusted() -> bool {
    let landlock = pinfold_os::linux::landlock::version().is_ok_and(|version| version >= 6);
    let unshare = Command::new("unshare").args([if is_root() { "-mn" } else { "-Umn" }, "true"]).status();
    let can = landlock && unshare.is_ok_and(|status| status.success());
    if !can {
        eprintln!("skipped: needs namespaces and the Landlock of Linux 6.12");
    }
    can
}

/// What `sh -c SCRIPT` says in a sandbox by these options, on both outputs.
fn said(options: &str, script: &str) -> String {
    let trial = Trial::new();
    let output = pinfold(&trial, options).args(["-C", "/", "--", "sh", "-c", script]).output().unwrap();
    trial.finish();
    text(&output.stdout) + &text(&output.stderr)
}

#[test]
fn an_untrusted_program_is_given_no_descriptor_of_ours() {
    if !can_be_untrusted() {
        return;
    }
    let given = std::fs::File::open("/etc/passwd").unwrap();
    rustix::io::fcntl_setfd(&given, rustix::io::FdFlags::empty()).unwrap();
    let script = format!("readlink /proc/$$/fd/{} || echo none", given.as_raw_fd());
    assert_eq!(said("--no-network", &script), "/etc/passwd\n");
    assert_eq!(said("--sandbox untrusted", &script), "none\n");
}

#[test]
fn each_option_takes_what_it_says() {
    if !can_be_untrusted() {
        return;
    }
    assert_eq!(said("--no-network", "sed 1,2d /proc/net/dev | wc -l"), "1\n");
    assert_eq!(said("--private-tmp", "ls -A /tmp"), "");
    assert!(said("--allow-path=/:ro", "echo x >/var/tmp/pinfold-barred").contains("ermission denied"));
    assert!(said("--no-outside-signals", "kill -0 $PPID").contains("not permitted"));
    assert!(said("--deny-syscalls=mkdir,mkdirat", "mkdir /var/tmp/pinfold-barred").contains("not permitted"));
    // A shim that starts what lies elsewhere: the shell knows that it may not, and not why.
    let elsewhere = tempfile::tempdir_in("/var/tmp").unwrap();
    let tool = elsewhere.path().join("tool");
    std::fs::copy("/bin/true", &tool).unwrap();
    let shim = format!("exec {} 2>/dev/null", tool.display());
    let told = said(
        "--allow-path=/bin --allow-path=/lib --allow-path=/lib64 --allow-path=/usr --allow-path=/dev:rw",
        &shim,
    );
    assert!(told.contains("sh exited with code 126") && told.contains("(--allow-path)"), "{told}");
    let quiet =
        "-q --allow-path=/bin --allow-path=/lib --allow-path=/lib64 --allow-path=/usr --allow-path=/dev:rw";
    assert_eq!(said(quiet, &shim), "");
    assert_eq!(said("--allow-path=/:rw", &shim), "");
    assert_eq!(said("--no-outside-signals", "exit 126"), "");
    if is_root() {
        assert_eq!(
            said("--capabilities none", "grep CapBnd /proc/self/status"),
            "CapBnd:\t0000000000000000\n"
        );
    }
    let plan = said("--sandbox untrusted --allow-path /srv:rw --explain", "");
    assert!(
        plan.contains("no network") && plan.contains("writes /dev/null /dev/full /srv its own /tmp"),
        "{plan}"
    );
}
