//! The program sees what it would see without pinfold.

use std::io::Write;
use std::os::fd::AsRawFd;
use std::process::Stdio;

use pinfold_trials::{Trial, fixture};

use crate::{isolations, pinfold, run, text};

/// Everything that the kernel knows of it: masks, limits, descriptors, session, ids.
#[test]
fn its_state_is_that_of_a_program_started_directly() {
    for isolation in isolations() {
        let trial = Trial::new();
        let direct = trial.fixture("state").stdin(Stdio::null()).output().unwrap();
        let mut expected = text(&direct.stdout);
        let group = match isolation {
            "cgroup" => "parent",
            // Of pinfold, as ever; but the parent is a keeper, which keys of the terminal are not to reach. It leaves that
            // group once it has made the program.
            "subreaper" => "other",
            _ => "self",
        };
        expected = expected.replace("\"group\":\"parent\"", &format!("\"group\":\"{group}\""));
        let state = |options: &str| text(&run(&trial, options, "state").output().unwrap().stdout);
        // Until it has a guard it goes with pinfold by a signal, unless the guard is there before it.
        let tied = expected.replace("\"death_signal\":\"none\"", "\"death_signal\":\"KILL\"");
        match isolation {
            "cgroup" => {
                assert_eq!(state("--isolation cgroup"), tied);
                assert_eq!(state("--isolation cgroup --require guarded"), expected);
            }
            _ => {
                let said = state(&format!("--isolation {isolation}"));
                let has_left = said.replace("\"group\":\"parent\"", "\"group\":\"other\"");
                assert_eq!(if isolation == "subreaper" { has_left } else { said }, expected, "{isolation}");
            }
        }
        trial.finish();
    }
}

#[test]
fn descriptors_that_pinfold_was_given_are_passed_on() {
    let trial = Trial::new();
    let (mut ours, theirs) = std::io::pipe().unwrap();
    rustix::io::fcntl_setfd(&theirs, rustix::io::FdFlags::empty()).unwrap();
    let script = format!("echo passed on >&{}", theirs.as_raw_fd());
    let status = pinfold(&trial, "-- sh -c").arg(script).status().unwrap();
    assert!(status.success());
    drop(theirs);
    let mut said = String::new();
    std::io::Read::read_to_string(&mut ours, &mut said).unwrap();
    assert_eq!(said, "passed on\n");
    drop(ours);
    trial.finish();
}

#[test]
fn arguments_and_environment_arrive_as_they_were_given() {
    let trial = Trial::new();
    let mut command = pinfold(&trial, "-e A=1 -e B=two=2 -u HOME --");
    command.arg(fixture()).args(["echo-args", "", "two words", "--timeout", "*", "é\n"]);
    assert_eq!(
        text(&command.output().unwrap().stdout),
        "\"\"\n\"two words\"\n\"--timeout\"\n\"*\"\n\"\\xc3\\xa9\\n\"\n"
    );
    let told = text(&run(&trial, "-e A=1 -e B=two=2 -u HOME", "env A B HOME").output().unwrap().stdout);
    assert_eq!(told, "A=1\nB=two=2\n");
    let told = text(&run(&trial, "-i -e A=1", "env").output().unwrap().stdout);
    assert_eq!(told, "A=1\n");
    trial.finish();
}

#[test]
fn standard_input_is_its_own() {
    for options in ["", "--idle-timeout 30s"] {
        let trial = Trial::new();
        let mut command = run(&trial, options, "cat");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"to and fro").unwrap();
        assert_eq!(text(&child.wait_with_output().unwrap().stdout), "to and fro", "{options}");
        trial.finish();
    }
}

#[test]
fn files_take_the_place_of_its_streams() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let (input, out) = (path("in"), path("out"));
    std::fs::write(&input, "from a file\n").unwrap();
    let trial = Trial::new();
    for stdout in [out.clone(), format!("append:{out}")] {
        let output = run(&trial, &format!("--stdin {input} --stdout {stdout}"), "cat").output().unwrap();
        assert!(output.status.success() && output.stdout.is_empty());
    }
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "from a file\nfrom a file\n");
    let both = run(&trial, &format!("--stdout {out} --stderr stdout"), "both 1").output().unwrap();
    assert!(both.stderr.is_empty());
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "out 1\nerr 1\n");
    trial.finish();
}
