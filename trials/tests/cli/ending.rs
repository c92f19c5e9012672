//! It ends as its program ended, or by a code of its own.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Output, Stdio};

use pinfold_trials::{Trial, as_nobody, given, is_root, pinfold_bin, setuid_fixture, with_time_enough};

use crate::{isolations, result, run, text};

#[test]
fn the_exit_code_is_the_programs() {
    for isolation in isolations() {
        for code in [0, 1, 2, 3, 64, 100, 122, 123, 124, 125, 126, 127, 128, 129, 143, 254, 255] {
            let output = result(&format!("--isolation {isolation}"), &format!("exit {code}"));
            assert_eq!(output.status.code(), Some(code), "{isolation}: {output:?}");
            assert_eq!((text(&output.stdout), text(&output.stderr)), (String::new(), String::new()));
        }
    }
}

#[test]
fn it_dies_of_the_signal_that_the_program_died_of() {
    for isolation in isolations() {
        for name in [
            "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
            "PIPE", "ALRM", "TERM", "STKFLT", "XCPU", "XFSZ", "VTALRM", "PROF", "IO", "PWR", "SYS", "40",
            "64",
        ] {
            let output = result(&format!("--isolation {isolation}"), &format!("signal {name}"));
            let expected = Trial::new().fixture(&format!("signal {name}")).output().unwrap();
            assert_eq!(output.status.signal(), expected.status.signal(), "{isolation} {name}: {output:?}");
            assert!(output.status.signal().is_some() && output.stderr.is_empty(), "{name}: {output:?}");
        }
    }
}

#[test]
fn the_core_is_the_programs_alone() {
    let trial = Trial::new();
    let directory = tempfile::tempdir().unwrap();
    let output = run(&trial, "", "signal SEGV --core").current_dir(&directory).output().unwrap();
    trial.finish();
    assert_eq!(output.status.signal(), Some(libc::SIGSEGV));
    assert!(!output.status.core_dumped(), "pinfold dumped core too");
}

#[test]
fn a_signal_that_cannot_end_pinfold_becomes_a_code() {
    if !given(is_root(), "root, to be PID 1") {
        return;
    }
    let trial = Trial::new();
    let inner = run(&trial, "", "signal TERM");
    let mut outer = std::process::Command::new("unshare");
    outer.args(["--pid", "--fork"]).arg(inner.get_program()).args(inner.get_args()).envs([trial.env()]);
    assert_eq!(outer.output().unwrap().status.code(), Some(143));
    trial.finish();
}

#[test]
fn a_timeout_is_124_however_the_program_then_ended() {
    for isolation in isolations() {
        let trial = Trial::new();
        let rows = [
            ("60", "sleep 60", "was ended by SIGTERM"),
            ("60", "trap TERM --exit-on TERM:0", "exited with code 0"),
            ("60", "trap TERM --exit-on TERM:3", "exited with code 3"),
            ("0.1", "trap TERM", "was ended by SIGKILL"),
            ("0", "trap TERM", "was ended by SIGKILL"),
        ];
        // All at once, since each has to be up by then.
        with_time_enough(|limit| {
            let begun = rows.map(|(grace, arguments, how)| {
                let options = format!("--isolation {isolation} -t {limit:?} -k {grace}");
                let mut command = run(&trial, &options, arguments);
                (command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap(), arguments, how)
            });
            let ended =
                begun.map(|(child, arguments, how)| (child.wait_with_output().unwrap(), arguments, how));
            let is_up = |output: &Output| output.stdout.starts_with(b"ready");
            let all_up = ended.iter().all(|(output, words, _)| !words.starts_with("trap") || is_up(output));
            for (output, arguments, how) in ended {
                assert_eq!(output.status.code(), Some(124), "{arguments}: {output:?}");
                let said = text(&output.stderr);
                let late = format!("fixture timed out after {limit:?}");
                assert!(said.starts_with("pinfold: ") && said.contains(&late), "{said}");
                assert!(!all_up || said.contains(how) && said.lines().count() == 1, "{said}");
            }
            all_up.then_some(())
        });
        trial.finish();
    }
}

#[test]
fn who_is_ended_at_a_timeout_is_told() {
    for isolation in isolations() {
        let output = result(&format!("--isolation {isolation} -t 1s"), "escape plain --stay");
        let said = text(&output.stderr);
        assert!(
            said.contains(
                "fixture timed out after 1s and was ended by SIGTERM, and 1 other process was ended with it: "
            ),
            "{said}"
        );
        assert!(said.ends_with(")\n") && said.lines().count() == 1, "{said}");
    }
}

#[test]
fn the_stop_signal_is_the_one_that_was_asked_for() {
    let output = with_time_enough(|limit| {
        let output = result(&format!("-t {limit:?} -k 60 -s USR1"), "trap TERM --exit-on USR1:9");
        output.stdout.starts_with(b"ready").then_some(output)
    });
    assert!(text(&output.stderr).contains("exited with code 9"), "{output:?}");
}

#[test]
fn an_idle_timeout_is_124_and_output_puts_it_off() {
    let output = result("--idle-timeout 200ms", "sleep 60");
    assert_eq!(output.status.code(), Some(124), "{output:?}");
    assert!(text(&output.stderr).contains("wrote nothing for 200ms"), "{output:?}");
    let output = result("--idle-timeout 30s", "both 100");
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), output.stdout.len()));
}

#[test]
fn whatever_outlives_the_program_is_ended_and_named() {
    for (isolation, kinds) in
        [("process-group", &["plain"][..]), ("cgroup", &["plain", "setsid", "daemon", "chain"])]
    {
        if !isolations().contains(&isolation) {
            continue;
        }
        for kind in kinds {
            let output = result(&format!("--isolation {isolation}"), &format!("escape {kind}"));
            assert_eq!(output.status.code(), Some(0), "{output:?}");
            let pid = text(&output.stdout).trim().replace("ready ", "");
            let said = text(&output.stderr);
            assert!(said.starts_with("pinfold: stopped 1 process that outlived "), "{kind}: {said}");
            assert!(said.ends_with(&format!(": fixture ({pid})\n")), "{kind}: {said}");
            assert_eq!(
                text(&result(&format!("-q --isolation {isolation}"), &format!("escape {kind}")).stderr),
                ""
            );
        }
    }
}

#[test]
fn what_ignores_being_stopped_is_killed() {
    let output = result("--strays stop:0 -k 100ms", "escape ignore-term");
    assert!(text(&output.stderr).contains("killed 1 process that outlived"), "{output:?}");
}

#[test]
fn strays_are_waited_for_where_that_is_asked_for() {
    let trial = Trial::new();
    let mut command = run(&trial, "--strays wait", "escape plain");
    // The one that stays ends by itself, with its life.
    let output = command.env("PINFOLD_FIXTURE_LIFE", "0.5").output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    trial.finish();
}

#[test]
fn a_timeout_that_only_strays_lived_to_see_is_not_said_of_the_program() {
    let (limit, output) = with_time_enough(|limit| {
        let output = result(&format!("--strays wait -t {limit:?}"), "escape plain");
        // By then its descendant is up, and nothing is left to be done but to end.
        output.stdout.starts_with(b"ready").then_some((limit, output))
    });
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(124), "{said}");
    let first = said.lines().next().unwrap();
    let left = format!("exited with code 0, and what it left was still there after {limit:?}");
    assert!(first.ends_with(&left), "{said}");
    assert!(said.contains("stopped 1 process that outlived "), "{said}");
}

#[test]
fn a_failure_is_tried_again_until_it_is_none() {
    let output = result("--retry 2 --retry-pause 1ms", "exit 3");
    let said = text(&output.stderr);
    assert_eq!((output.status.code(), said.lines().count()), (Some(3), 2), "{said}");
    assert!(said.contains("exited with code 3; attempt 2 of 3 in 1ms"), "{said}");
    assert!(said.contains("attempt 3 of 3 in 2ms"), "{said}");
    assert_eq!(text(&result("--retry 2 --retry-pause 1ms -q", "exit 3").stderr), "");
    let output = result("--retry 9 --success-codes 0,3-4", "exit 3");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(3), String::new()));
}

#[test]
fn verbose_tells_of_the_start_and_the_end() {
    let output = result("-v", "exit 3");
    let said = text(&output.stderr);
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("pinfold: started ") && lines[0].contains("guarantee: "), "{said}");
    assert!(lines[1].contains("exited with code 3; it ran for ") && lines.len() == 2, "{said}");
}

#[test]
fn a_program_that_this_user_may_not_end_is_said_to_be_waited_for() {
    let trial = Trial::new();
    let place = tempfile::tempdir().unwrap();
    let copy = setuid_fixture(place.path());
    if given(copy.is_some(), "root, and a place for setuid programs") {
        // Also where a record stands in place of words: that comes when it is over, which may be never.
        for (isolation, record) in [("subreaper", false), ("process-group", false), ("subreaper", true)] {
            let mut command = std::process::Command::new(pinfold_bin());
            command.args(["run", "--quiet", "--isolation", isolation, "--timeout", "1s", "--grace", "50ms"]);
            if record {
                command.arg("--json");
            }
            command.arg(copy.as_ref().unwrap()).args(["_leaf", "hold", "become-root"]).envs([trial.env()]);
            let command = as_nobody(command.stdout(Stdio::null()).stderr(Stdio::piped()));
            let mut child = command.spawn().unwrap();
            let mut stderr = BufReader::new(child.stderr.take().unwrap());
            let mut said = String::new();
            stderr.read_line(&mut said).unwrap();
            let program =
                trial.survivors().into_iter().find(|one| said.contains(&format!(" ({}) ", one.pid)));
            let expected =
                "is another user's, and this user may not end it: waiting until it ends; end it as that user";
            assert!(program.is_some() && said.contains(expected), "{isolation}: {said}");
            // By whoever may.
            let program = rustix::process::Pid::from_raw(program.unwrap().pid).unwrap();
            rustix::process::kill_process(program, rustix::process::Signal::KILL).unwrap();
            let rest = std::io::read_to_string(stderr).unwrap();
            assert_eq!(rest.lines().count(), usize::from(record), "{isolation}: it is said once: {rest}");
            assert!(!record || rest.starts_with("{\"schema\":\"pinfold.run/1\""), "{rest}");
            assert_eq!(child.wait().unwrap().code(), Some(124), "{isolation}");
        }
    }
    trial.finish();
}

#[test]
fn what_this_user_may_not_end_is_named_and_left() {
    let trial = Trial::new();
    let place = tempfile::tempdir().unwrap();
    let copy = setuid_fixture(place.path());
    if given(copy.is_some(), "root, and a place for setuid programs") {
        let mut command = std::process::Command::new(pinfold_bin());
        command
            .args(["run", "--isolation", "subreaper", "--grace", "50ms", "--strays", "stop:0"])
            .arg(copy.unwrap());
        let output = as_nobody(command.args(["escape", "become-root"]).envs([trial.env()])).output().unwrap();
        let left = trial.survivors();
        let named = format!("left running, since this user may not end it: fixture ({})\n", left[0].pid);
        // Nothing is said to have been stopped that was not.
        assert_eq!((text(&output.stderr), left.len()), (format!("pinfold: {named}"), 1));
        assert_eq!(output.status.code(), Some(0));
        trial.kill_survivors();
    }
    trial.finish();
}
