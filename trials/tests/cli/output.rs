//! Output that goes through pinfold, and output whose reader is gone.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use pinfold_trials::{Trial, pinfold_bin};

use crate::{result, run, text};

#[test]
fn output_within_its_limit_passes_through_unchanged() {
    let direct = Trial::new().fixture("flood 3M --both").output().unwrap();
    let output = result("--output-limit 3M", "flood 3M --both");
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout == direct.stdout && output.stderr == direct.stderr, "not the same bytes");
}

#[test]
fn output_beyond_its_limit_is_123_and_the_first_of_it_was_passed_on() {
    for (options, arguments, limit) in [
        ("--output-limit 1000", "flood 1G", "1000 bytes"),
        ("--output-limit 1000:error", "flood 1G --stderr", "1000 bytes"),
        ("--max-lines 10", "lines 1000000", "10 lines"),
        ("--max-lines 10 --output-limit 1G", "lines 1000000", "1073741824 bytes or 10 lines"),
    ] {
        let output = result(options, arguments);
        assert_eq!(output.status.code(), Some(123), "{options}: {output:?}");
        let said = text(&output.stderr);
        assert!(said.contains(&format!("went over its limit of {limit} and ")), "{options}: {said}");
    }
    let output = result("--output-limit 1000", "flood 1G");
    let direct = Trial::new().fixture("flood 1000").output().unwrap();
    assert!(output.stdout == direct.stdout, "{} bytes", output.stdout.len());
}

#[test]
fn what_is_to_be_dropped_is_dropped_and_the_run_goes_on() {
    let output = result("--max-lines 3:drop-newest", "lines 1000");
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), "1\n2\n3\n".to_owned()));
    assert_eq!(text(&output.stderr), "");
}

/// `pinfold run ... | head -1`: the program is told as it would be without pinfold.
#[test]
fn a_reader_that_leaves_ends_the_program_by_sigpipe() {
    for options in ["", "--idle-timeout 60", "--output-limit 1T"] {
        let trial = Trial::new();
        let mut command = run(&trial, options, "lines 100000000");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        drop(reader);
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        let status = child.wait().unwrap();
        assert_eq!(
            (line.as_str(), status.signal(), said.as_str()),
            ("1\n", Some(libc::SIGPIPE), ""),
            "{options}"
        );
        trial.finish();
    }
}

/// Where all that is left of its output is dropped, nothing is written that could find the reader gone.
#[test]
fn a_reader_that_leaves_ends_the_program_though_nothing_more_is_passed_on() {
    // The timeout is for the day when this fails.
    for options in ["-t 10s --max-lines 5:drop-newest", "-t 10s --output-limit 10:drop-newest"] {
        let trial = Trial::new();
        let mut command = run(&trial, options, "lines 1000000000000");
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        for number in ["1\n", "2\n", "3\n", "4\n", "5\n"] {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            assert_eq!(line, number);
        }
        drop(reader);
        let status = child.wait().unwrap();
        assert_eq!(status.signal(), Some(libc::SIGPIPE), "{options}: {status}");
        drop(command);
        trial.finish();
    }
}

/// A program that has nothing to say is none the worse for a reader that does not listen.
#[test]
fn a_reader_that_leaves_is_nothing_to_a_program_that_writes_nothing() {
    let trial = Trial::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = run(&trial, "--idle-timeout 60", "exit 3").stdout(writer).status().unwrap();
    assert_eq!(status.code(), Some(3));
    trial.finish();
}

/// What pinfold itself prints, when there is nobody to read it or nowhere to put it.
#[test]
fn its_own_output_ends_quietly_or_by_a_message_and_never_by_a_panic() {
    for arguments in
        [&["--help"][..], &["--version"], &["completions", "bash"], &["man"], &["run", "--explain", "sh"]]
    {
        let trial = Trial::new();
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(pinfold_bin());
        let output = command.args(arguments).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(
            (output.status.signal(), text(&output.stderr)),
            (Some(libc::SIGPIPE), String::new()),
            "{arguments:?}"
        );
        drop(command);
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let mut command = Command::new(pinfold_bin());
        let output = command.args(arguments).stdout(full).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(125), "{arguments:?}");
        assert!(
            text(&output.stderr).starts_with("pinfold: standard output cannot be written to: "),
            "{output:?}"
        );
        drop(command);
        trial.finish();
    }
}

#[test]
fn without_any_streams_it_runs_and_ends_as_ever() {
    let trial = Trial::new();
    let mut shell = Command::new("sh");
    shell.args(["-c", "exec \"$0\" \"$@\" <&- >&- 2>&-"]).arg(pinfold_bin());
    shell.args(["run", "-v", "--"]).arg(pinfold_trials::fixture()).args(["exit", "3"]).envs([trial.env()]);
    assert_eq!(shell.status().unwrap().code(), Some(3));
    // What was closed is /dev/null by then.
    let script = "\"$0\" run -q -- readlink /proc/self/fd/0 <&- >&2";
    let mut shell = Command::new("sh");
    let output = shell.args(["-c", script]).arg(pinfold_bin()).envs([trial.env()]).output().unwrap();
    assert_eq!(text(&output.stderr), "/dev/null\n");
    trial.finish();
}

#[test]
fn what_cannot_be_passed_on_is_a_failure_and_not_a_success() {
    let trial = Trial::new();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = run(&trial, "--idle-timeout 60", "out hello");
    let output = command.stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    assert!(text(&output.stderr).contains("fixture: its output cannot be passed on: "), "{output:?}");
    drop(command);
    trial.finish();
}

#[test]
fn completions_help_and_the_manual_are_there() {
    let ask = |arguments: &[&str]| {
        let output = Command::new(pinfold_bin()).args(arguments).output().unwrap();
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()), "{arguments:?}");
        text(&output.stdout)
    };
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = ask(&["completions", shell]);
        assert!(script.contains("idle-timeout"), "{shell}");
    }
    assert!(ask(&["man", "run"]).contains("\\-\\-idle\\-timeout"));
    assert!(ask(&["man"]).starts_with(".ie"));
    assert!(ask(&["help", "run"]).contains("Exit status:"));
    assert!(ask(&["run", "-h"]).contains("--idle-timeout"));
    assert!(ask(&["--version"]).starts_with("pinfold "));
}
