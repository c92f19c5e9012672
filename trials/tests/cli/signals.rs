//! What becomes of a signal to pinfold: each by what the program makes of it and by who sent it.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::Instant;

use pinfold_trials::{Trial, pinfold_bin, wait_until};

use crate::{LONG, Live, isolations, pinfold, run};

/// Signals that are passed on, with the names that the fixture gives them.
const PASSED_ON: &[(&str, i32)] = &[
    ("INT", libc::SIGINT),
    ("QUIT", libc::SIGQUIT),
    ("TRAP", libc::SIGTRAP),
    ("ABRT", libc::SIGABRT),
    ("BUS", libc::SIGBUS),
    ("USR1", libc::SIGUSR1),
    ("USR2", libc::SIGUSR2),
    ("ALRM", libc::SIGALRM),
    ("STKFLT", libc::SIGSTKFLT),
    ("CONT", libc::SIGCONT),
    ("TSTP", libc::SIGTSTP),
    ("TTIN", libc::SIGTTIN),
    ("TTOU", libc::SIGTTOU),
    ("URG", libc::SIGURG),
    ("XCPU", libc::SIGXCPU),
    ("XFSZ", libc::SIGXFSZ),
    ("VTALRM", libc::SIGVTALRM),
    ("PROF", libc::SIGPROF),
    ("WINCH", libc::SIGWINCH),
    ("IO", libc::SIGIO),
    ("PWR", libc::SIGPWR),
    ("SYS", libc::SIGSYS),
];

/// Those of them that end a program by default, and others that do.
const DEADLY: &[i32] = &[
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGILL,
    libc::SIGTRAP,
    libc::SIGABRT,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGUSR1,
    libc::SIGSEGV,
    libc::SIGUSR2,
    libc::SIGALRM,
    libc::SIGXCPU,
    libc::SIGVTALRM,
    libc::SIGSYS,
];

#[test]
fn a_program_that_survives_a_signal_gets_each_of_them_once() {
    for isolation in isolations() {
        let trial = Trial::new();
        let mut live =
            Live::ready(&mut run(&trial, &format!("--isolation {isolation}"), "trap all --exit-on TERM:7"));
        for (name, number) in PASSED_ON {
            live.signal(*number);
            assert_eq!(live.line(), *name, "{isolation}");
        }
        live.signal(libc::SIGTERM);
        let (rest, status) = live.end();
        assert_eq!((status.code(), rest.lines().next()), (Some(7), Some("TERM")), "{isolation}");
        trial.finish();
    }
}

#[test]
fn a_program_that_does_not_survive_it_takes_pinfold_with_it() {
    for isolation in isolations() {
        for number in DEADLY {
            let trial = Trial::new();
            // The fixture is no such program: Rust has handlers for SIGSEGV and SIGBUS.
            let mut command = pinfold(&trial, &format!("--isolation {isolation} -- sh -c"));
            let live = Live::ready(command.arg("echo ready; exec sleep 60"));
            live.signal(*number);
            assert_eq!(live.end().1.signal(), Some(*number), "{isolation}");
            trial.finish();
        }
    }
}

/// Sent to the whole process group, as by a test runner or a shell script, it reaches the program as well, and the
/// program ends as it would have without pinfold.
#[test]
fn a_signal_to_the_group_ends_both() {
    use std::os::unix::process::CommandExt;
    for isolation in isolations() {
        for number in [libc::SIGINT, libc::SIGTERM, libc::SIGUSR1] {
            let trial = Trial::new();
            let mut command = run(&trial, &format!("--isolation {isolation}"), "trap CONT");
            let live = Live::ready(command.process_group(0));
            let group = rustix::process::Pid::from_child(&live.child);
            rustix::process::kill_process_group(group, crate::named(number)).unwrap();
            assert_eq!(live.end().1.signal(), Some(number), "{isolation}");
            trial.finish();
        }
    }
}

#[test]
fn term_and_hup_stop_all_of_it_and_leave_nothing() {
    for number in [libc::SIGTERM, libc::SIGHUP] {
        for isolation in isolations() {
            let kinds: &[&str] = match isolation {
                "cgroup" => {
                    &["plain", "setsid", "double-fork", "daemon", "chain", "setsid-ignore-term", "subreaper"]
                }
                _ => &["plain", "ignore-term"],
            };
            for kind in kinds {
                let trial = Trial::new();
                let options = format!("--isolation {isolation} -k 200ms");
                let live = Live::ready(&mut run(&trial, &options, &format!("escape {kind} --stay")));
                live.signal(number);
                assert_eq!(live.end().1.signal(), Some(number), "{isolation} {kind}");
                trial.finish();
            }
        }
    }
}

#[test]
fn that_it_was_told_to_stop_is_said_unless_it_is_to_be_quiet() {
    for (options, number, said) in [
        ("", libc::SIGTERM, "pinfold: told to stop by SIGTERM; FIXTURE was ended by SIGTERM\n"),
        ("", libc::SIGHUP, "pinfold: told to stop by SIGHUP; FIXTURE was ended by SIGTERM\n"),
        ("-s INT", libc::SIGTERM, "pinfold: told to stop by SIGTERM; FIXTURE exited with code 4\n"),
        ("-q", libc::SIGTERM, ""),
    ] {
        let trial = Trial::new();
        let mut command = run(&trial, options, "trap CONT --exit-on INT:4");
        let mut live = Live::ready(command.stderr(std::process::Stdio::piped()));
        let mut stderr = live.child.stderr.take().unwrap();
        live.signal(number);
        drop(live.end());
        let mut heard = String::new();
        std::io::Read::read_to_string(&mut stderr, &mut heard).unwrap();
        assert_eq!(heard, said.replace("FIXTURE", &pinfold_trials::fixture().display().to_string()));
        drop(stderr);
        trial.finish();
    }
}

#[test]
fn the_programs_own_answer_to_being_stopped_is_the_answer() {
    for number in [libc::SIGTERM, libc::SIGHUP] {
        let trial = Trial::new();
        let live = Live::ready(&mut run(&trial, "", "trap HUP,INT --exit-on TERM:0"));
        live.signal(number);
        let (rest, status) = live.end();
        assert_eq!((rest.as_str(), status.code()), ("TERM\n", Some(0)));
        trial.finish();
    }
}

#[test]
fn a_second_request_kills_what_takes_its_time() {
    let trial = Trial::new();
    let begun = Instant::now();
    let mut live = Live::ready(&mut run(&trial, "-k 1h", "trap TERM"));
    live.signal(libc::SIGTERM);
    assert_eq!(live.line(), "TERM");
    wait_until("its end", LONG, || {
        live.signal(libc::SIGTERM);
        live.child.try_wait().unwrap().is_some()
    });
    assert_eq!(live.end().1.signal(), Some(libc::SIGKILL));
    assert!(begun.elapsed() < LONG);
    trial.finish();
}

/// `timeout` sends its signal to its child and then to its group: that is one request.
#[test]
fn a_request_that_comes_twice_at_once_is_one() {
    let trial = Trial::new();
    let mut live = Live::ready(&mut run(&trial, "-k 1h", "trap TERM --exit-on USR1:9"));
    // Stopped, it finds both at once, whoever is kept from the processor in between.
    live.signal(libc::SIGSTOP);
    live.signal(libc::SIGTERM);
    live.signal(libc::SIGHUP);
    live.signal(libc::SIGCONT);
    assert_eq!(live.line(), "TERM");
    live.signal(libc::SIGUSR1);
    assert_eq!(live.end().1.code(), Some(9));
    trial.finish();
}

#[test]
fn what_was_ignored_before_stays_ignored() {
    let trial = Trial::new();
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' HUP INT; exec \"$0\" run -- \"$@\""]).arg(pinfold_bin());
    shell.arg(pinfold_trials::fixture()).args(["trap", "CONT", "--exit-on", "USR1:9"]).envs([trial.env()]);
    let live = Live::ready(&mut shell);
    live.signal(libc::SIGHUP);
    live.signal(libc::SIGINT);
    live.signal(libc::SIGUSR1);
    assert_eq!(live.end(), ("USR1\n".to_owned(), std::process::ExitStatus::from_raw(9 << 8)));
    trial.finish();
}

/// `kill 0` means the program's own group, of which pinfold is a member: it is not told a second time.
#[test]
fn what_the_program_sends_to_its_own_group_comes_once() {
    let trial = Trial::new();
    let script = "trap 'echo INT' INT; kill -INT 0; kill -USR1 $PPID; sleep 0; echo end";
    let mut command = pinfold(&trial, "-- sh -c");
    let (text, status) = Live::start({
        use std::os::unix::process::CommandExt;
        command.arg(script).process_group(0)
    })
    .end();
    assert_eq!((text.as_str(), status.code()), ("INT\nend\n", Some(0)));
    trial.finish();
}

#[test]
fn what_is_left_behind_can_be_stopped_by_hand() {
    for number in [libc::SIGTERM, libc::SIGINT] {
        let trial = Trial::new();
        let live = Live::ready(&mut run(&trial, "--strays wait", "escape plain"));
        wait_until("the program's own end", LONG, || trial.survivors().len() == 2);
        live.signal(number);
        assert_eq!(live.end().1.code(), Some(0), "the program's own");
        trial.finish();
    }
}

#[test]
fn between_two_attempts_a_signal_ends_pinfold() {
    for number in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT] {
        let trial = Trial::new();
        let mut command = run(&trial, "--retry 3 --retry-pause 1h", "exit 1");
        let mut child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
        let mut said = std::io::BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        std::io::BufRead::read_line(&mut said, &mut line).unwrap();
        assert!(line.contains("attempt 2 of 4"), "{line}");
        rustix::process::kill_process(rustix::process::Pid::from_child(&child), crate::named(number))
            .unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(number));
        drop(said);
        trial.finish();
    }
}

#[test]
fn a_run_that_was_told_to_stop_is_not_tried_again() {
    let trial = Trial::new();
    let live = Live::ready(&mut run(&trial, "--retry 3", "trap TERM --exit-on INT:4"));
    live.signal(libc::SIGINT);
    assert_eq!(live.end().1.code(), Some(4));
    trial.finish();
}
