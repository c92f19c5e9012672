//! At a terminal: keys, the window, hanging up, and the foreground afterwards.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};

use pinfold_trials::{Terminal, Trial, fixture, pinfold_bin, with_time_enough};

use crate::{LONG, isolations};

/// `pinfold run OPTIONS -- fixture ARGUMENTS` at a terminal.
fn sit_down(trial: &Trial, options: &str, arguments: &str) -> (Terminal, Child) {
    let terminal = Terminal::new().unwrap();
    let mut command = terminal.command(pinfold_bin()).unwrap();
    command.arg("run").args(options.split_whitespace()).arg("--");
    command.arg(fixture()).args(arguments.split_whitespace()).envs([trial.env()]);
    let child = command.spawn().unwrap();
    (terminal, child)
}

/// `sh OPTIONS -c SCRIPT` at a terminal, in which `$P` is pinfold and `$F` the fixture.
pub(crate) fn shell(trial: &Trial, options: &[&str], script: &str) -> (Terminal, Child) {
    let terminal = Terminal::new().unwrap();
    let mut command: Command = terminal.command("sh").unwrap();
    command.args(options).args(["-c", script]);
    command.env("P", pinfold_bin()).env("F", fixture()).envs([trial.env()]);
    let child = command.spawn().unwrap();
    (terminal, child)
}

#[test]
fn the_program_sees_the_terminal_and_is_in_front() {
    for isolation in isolations() {
        let trial = Trial::new();
        let (mut terminal, mut child) = sit_down(&trial, &format!("--isolation {isolation}"), "tty");
        let shown = terminal.wait_for_hang_up(LONG).replace("\r\n", "\n");
        assert_eq!(
            shown, "stdin tty\nstdout tty\nstderr tty\nsize 24 80\nforeground self\ncontrolling yes\n",
            "{isolation}"
        );
        assert!(child.wait().unwrap().success());
        drop((terminal, child));
        trial.finish();
    }
}

#[test]
fn a_key_reaches_the_program_once_and_pinfold_waits_for_what_it_does() {
    for isolation in isolations() {
        let trial = Trial::new();
        let options = format!("--isolation {isolation}");
        let (mut terminal, mut child) = sit_down(&trial, &options, "trap INT,TERM --exit-on QUIT:9");
        terminal.wait_for("ready\r\n", LONG);
        for _ in 0..3 {
            terminal.type_keys("\x03").unwrap();
            assert_eq!(terminal.wait_for("INT\r\n", LONG), "^CINT\r\n", "{isolation}");
        }
        terminal.type_keys("\x1c").unwrap();
        assert_eq!(terminal.wait_for_hang_up(LONG), "^\\QUIT\r\n", "{isolation}");
        assert_eq!(child.wait().unwrap().code(), Some(9));
        drop((terminal, child));
        trial.finish();
    }
}

#[test]
fn a_program_that_dies_of_a_key_takes_pinfold_with_it() {
    for isolation in isolations() {
        for (key, number) in [("\x03", libc::SIGINT), ("\x1c", libc::SIGQUIT)] {
            let trial = Trial::new();
            let (mut terminal, mut child) =
                sit_down(&trial, &format!("--isolation {isolation}"), "trap TERM");
            terminal.wait_for("ready\r\n", LONG);
            terminal.type_keys(key).unwrap();
            assert_eq!(child.wait().unwrap().signal(), Some(number), "{isolation}");
            drop((terminal, child));
            trial.finish();
        }
    }
}

/// A program that is not in the foreground itself gets keys by way of pinfold.
#[test]
fn a_key_reaches_a_program_in_a_session_of_its_own() {
    for isolation in isolations() {
        let trial = Trial::new();
        let options = format!("--isolation {isolation} --setsid");
        let (mut terminal, mut child) = sit_down(&trial, &options, "trap INT,WINCH --exit-on QUIT:9");
        terminal.wait_for("ready\r\n", LONG);
        terminal.type_keys("\x03").unwrap();
        terminal.wait_for("INT\r\n", LONG);
        terminal.resize(30, 90).unwrap();
        terminal.wait_for("WINCH\r\n", LONG);
        terminal.type_keys("\x1c").unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(9), "{isolation}");
        drop((terminal, child));
        trial.finish();
    }
}

#[test]
fn the_program_is_told_of_the_window() {
    for isolation in isolations() {
        let trial = Trial::new();
        let (mut terminal, mut child) = sit_down(&trial, &format!("--isolation {isolation}"), "tty --watch");
        terminal.wait_for("controlling yes\r\n", LONG);
        terminal.resize(50, 132).unwrap();
        assert_eq!(terminal.wait_for("\r\n", LONG), "size 50 132\r\n", "{isolation}");
        terminal.type_keys("\x03").unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGINT));
        drop((terminal, child));
        trial.finish();
    }
}

#[test]
fn what_the_program_reads_is_what_is_typed() {
    for isolation in isolations() {
        for options in ["", "--idle-timeout 60"] {
            let trial = Trial::new();
            let (mut terminal, mut child) =
                sit_down(&trial, &format!("--isolation {isolation} {options}"), "cat");
            terminal.type_keys("typed\n").unwrap();
            terminal.wait_for("typed\r\ntyped\r\n", LONG);
            terminal.type_keys("\x04").unwrap();
            assert_eq!(child.wait().unwrap().code(), Some(0), "{isolation}");
            drop((terminal, child));
            trial.finish();
        }
    }
}

#[test]
fn a_terminal_that_hangs_up_ends_all_of_it() {
    for isolation in isolations() {
        let kind = if isolation == "cgroup" { "setsid-ignore-term" } else { "ignore-term" };
        let trial = Trial::new();
        let options = format!("--isolation {isolation} -k 200ms");
        let (mut terminal, mut child) = sit_down(&trial, &options, &format!("escape {kind} --stay"));
        terminal.wait_for("ready", LONG);
        drop(terminal);
        let status = child.wait().unwrap();
        assert!(matches!(status.signal(), Some(libc::SIGHUP | libc::SIGTERM)), "{isolation}: {status:?}");
        trial.finish();
    }
}

/// A shell without job control does not take the foreground back by itself.
#[test]
fn the_foreground_is_given_back_at_the_end() {
    for isolation in isolations() {
        let trial = Trial::new();
        let script = format!("$P run -q -t 200ms --isolation {isolation} -- $F sleep 60; echo $?; $F tty");
        let (mut terminal, mut child) = shell(&trial, &[], &script);
        terminal.wait_for("124\r\n", LONG);
        let shown = terminal.wait_for_hang_up(LONG);
        assert!(shown.contains("foreground self"), "{isolation}: {shown}");
        assert!(child.wait().unwrap().success());
        drop((terminal, child));
        trial.finish();
    }
}

/// A shell with job control that is killed cannot give the foreground back, which then belongs to nobody. (Its jobs have
/// process groups of their own, so that a process group does not hold them.)
#[test]
fn a_foreground_that_was_left_to_nobody_is_taken_back() {
    if !isolations().contains(&"cgroup") {
        return;
    }
    let trial = Trial::new();
    with_time_enough(|limit| {
        let job = format!("$P run -q -t {limit:?} -k 0 --isolation cgroup -- sh -mc '$F trap TERM'");
        let (mut terminal, mut child) = shell(&trial, &[], &format!("{job}; echo $?; $F tty"));
        let before = terminal.wait_for("124\r\n", LONG);
        let shown = terminal.wait_for_hang_up(LONG);
        assert!(shown.contains("foreground self"), "{shown}");
        child.wait().unwrap();
        before.starts_with("ready\r\n").then_some(())
    });
    trial.finish();
}
