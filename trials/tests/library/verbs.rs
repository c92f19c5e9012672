//! Each verb against each way in which a program can end, and what the verbs have of their own.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pinfold::{
    CancelToken, Cause, Command, Error, ErrorKind, Host, Limit, Overflow, ProcessGroup, Retry, RetryOn,
    Runner, RunnerJson, Signal, Stdin, Stdio, StopRule, Stream,
};

use pinfold_trials::{wait_until, with_time_enough};

use crate::part::Part;
use crate::{LONG, Of, begin, fixture, sh};

/// What a verb made of a run, in a word: its value, or the kind of its error.
type Verb = (&'static str, fn(&Host, &Command) -> Result<String, Error>);

const VERBS: [Verb; 7] = [
    ("run", |host, command| host.run(command)),
    ("output", |host, command| host.output(command).map(|output| output.outcome.to_string())),
    ("output_bytes", |host, command| host.output_bytes(command).map(|output| output.outcome.to_string())),
    ("exit_code", |host, command| host.exit_code(command).map(|code| code.to_string())),
    ("probe", |host, command| host.probe(command).map(|answer| answer.to_string())),
    ("first_line", |host, command| host.first_line(command)),
    ("output_json", |host, command| host.output_json::<u8>(command).map(|value| value.to_string())),
];

/// Asserts what each verb makes of a command: `words` are its values or the names of its error kinds.
#[track_caller]
fn each(host: &Host, command: &Command, words: [&str; 7]) {
    for ((verb, run), expected) in VERBS.iter().zip(words) {
        let told = match run(host, command) {
            Ok(value) => value,
            Err(error) => {
                assert_eq!(error.program(), command.program(), "{verb}: {error}");
                assert!(
                    error.to_string().starts_with(&format!("{}: ", command.program().display())),
                    "{error}"
                );
                error.kind().as_str().to_owned()
            }
        };
        assert_eq!(told, expected, "{verb}");
    }
}

#[test]
fn each_verb_makes_its_own_of_each_ending() {
    let trial = begin();
    let host = Host::new();
    let of = |arguments: &str| fixture(arguments).of(&trial);

    let said = "exited with code 0";
    each(&host, &of("out 7"), ["7", said, said, "0", "true", "7", "7"]);
    let none = "unexpected_output";
    each(&host, &of("exit 0"), ["", said, said, "0", "true", none, none]);
    let (said, bad) = ("exited with code 1", "non_zero_exit");
    each(&host, &of("exit 1"), [bad, said, said, "1", "false", bad, bad]);
    let said = "exited with code 3";
    each(&host, &of("exit 3"), [bad, said, said, "3", bad, bad, bad]);
    let command = of("exit 3").success_codes([3, 4]);
    each(&host, &command, ["", said, said, "3", bad, none, none]);
    let (said, bad) = ("was ended by SIGUSR1", "signalled");
    each(&host, &of("signal USR1"), [bad, said, said, bad, bad, bad, bad]);

    let limit = Duration::from_millis(100);
    let command = of("sleep 100").timeout(limit);
    let (said, bad) = ("timed out and was ended by SIGTERM", "timeout");
    each(&host, &command, [bad, said, said, bad, bad, bad, bad]);
    assert_eq!(host.run(&command).unwrap_err().timeout(), Some(limit));

    let command = of("sleep 100").idle_timeout(limit);
    let said = "gave no output for too long and was ended by SIGTERM";
    each(&host, &command, [bad, said, said, bad, bad, bad, bad]);

    let command = of("flood 1M --line 1024").output_limit(Limit {
        max_bytes: Some(4096),
        max_lines: None,
        on_overflow: Overflow::Error,
    });
    let (bad, line) = ("output_too_large", "x".repeat(1023));
    each(&host, &command, [bad, bad, bad, bad, bad, &line, bad]);

    let command = Command::new("pinfold-no-such-program");
    each(&host, &command, ["not_found"; 7]);

    let token = CancelToken::new();
    token.cancel();
    each(&host.cancel_on(&token), &of("exit 0"), ["cancelled"; 7]);
}

#[test]
fn each_verb_ends_in_an_error_when_it_is_cancelled_on_the_way() {
    let trial = begin();
    for (verb, run) in VERBS {
        let token = CancelToken::new();
        let told = token.clone();
        let host = Host::new().cancel_on(&token.child()).on_line(move |_, _| told.cancel());
        // `first_line` has its line, and cancels nothing.
        let command = fixture("trap USR1").of(&trial).timeout_grace(Duration::ZERO);
        match run(&host, &command) {
            Ok(line) => assert_eq!((verb, &*line), ("first_line", "ready")),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Cancelled, "{verb}: {error}");
                assert_eq!(error.output().unwrap().stdout, b"ready\n", "{verb}");
            }
        }
    }
}

#[test]
fn run_trims_line_breaks_and_output_does_not() {
    let trial = begin();
    let command = fixture("bytes 2061200a0d0a0a").of(&trial);
    assert_eq!(command.run().unwrap(), " a ");
    assert_eq!(command.output().unwrap().stdout, " a \n\r\n\n");
    assert_eq!(command.output_bytes().unwrap().stdout, b" a \n\r\n\n");
}

#[test]
fn an_error_carries_what_was_written_and_says_the_last_of_it() {
    let trial = begin();
    let command = sh("echo kept; echo >&2 'first'; echo >&2 'the disk is on fire'; exit 9").of(&trial);
    let error = command.run().unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::NonZeroExit, Some(9)));
    assert_eq!(error.to_string(), "sh: exited with code 9; it last wrote: the disk is on fire");
    let output = error.into_output().unwrap();
    assert_eq!((&*output.stdout, &*output.stderr), (&b"kept\n"[..], &b"first\nthe disk is on fire\n"[..]));
}

#[test]
fn first_line_stops_what_would_go_on() {
    let trial = begin();
    let begun = Instant::now();
    assert_eq!(fixture("tree 2 3").of(&trial).first_line().unwrap().split(' ').next(), Some("pid"));
    trial.wait_until_gone(Duration::ZERO);
    assert!(begun.elapsed() < LONG);
}

#[test]
fn json_is_read_and_what_is_none_is_told_with_the_output() {
    let trial = begin();
    let command = |text: &str| Command::new("printf").arg(text.to_owned()).of(&trial);
    assert_eq!(command("[1, 2]\n").output_json::<Vec<u8>>().unwrap(), [1, 2]);
    let error = command("[1, 2, secret]").output_json::<Vec<u8>>().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedOutput);
    assert!(!error.to_string().contains("secret"), "{error}");
    assert_eq!(error.into_output().unwrap().stdout, b"[1, 2, secret]");
}

#[test]
fn a_program_is_looked_for_where_the_child_would_look() {
    let trial = begin();
    let folder = tempfile::tempdir().unwrap();
    let tool = folder.path().join("pinfold-test-tool");
    std::os::unix::fs::symlink(pinfold_trials::fixture(), &tool).unwrap();
    let bare = Command::new("pinfold-test-tool").arg("cwd").of(&trial);
    assert_eq!(bare.resolve_program().unwrap_err().kind(), ErrorKind::NotFound);

    let by_path = bare.env("PATH", folder.path());
    assert_eq!(by_path.resolve_program().unwrap(), tool);
    assert_eq!(by_path.exit_code().unwrap(), 0);

    let relative = Command::new("./pinfold-test-tool").arg("cwd").of(&trial).cwd(folder.path());
    assert_eq!(relative.resolve_program().unwrap(), folder.path().join("./pinfold-test-tool"));
    assert_eq!(Path::new(&relative.run().unwrap()), folder.path().canonicalize().unwrap());
}

#[test]
fn each_kind_of_stdin_is_read_to_its_end() {
    let trial = begin();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("input");
    std::fs::write(&file, "from a file").unwrap();
    let cat = || fixture("cat").of(&trial);
    let large = vec![b'x'; 3 << 20];
    for (command, expected) in [
        (cat(), &b""[..]),
        (cat().stdin(Stdin::Null), b""),
        (cat().stdin_text("text"), b"text"),
        (cat().stdin_bytes(*b"\xff\0"), b"\xff\0"),
        (cat().stdin_bytes(large.clone()), &large),
        (cat().stdin_file(&file), b"from a file"),
    ] {
        assert_eq!(command.output_bytes().unwrap().stdout, expected);
    }
}

#[test]
fn a_program_that_does_not_read_all_its_input_is_no_error() {
    let trial = begin();
    let command = fixture("no-stdin 0").of(&trial).stdin_bytes(vec![0; 1 << 20]);
    assert_eq!(command.run().unwrap(), "closed");
}

#[test]
fn an_open_stdin_that_no_verb_could_write_to_is_refused() {
    let trial = begin();
    let command = fixture("cat").of(&trial).keep_stdin_open().timeout(LONG);
    let error = command.output().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    assert!(error.to_string().contains("start()"), "{error}");
}

#[test]
fn output_goes_where_it_is_sent() {
    let trial = begin();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log");
    let both = || fixture("both 2").of(&trial);

    let output = both().stdout(Stdio::Null).output().unwrap();
    assert_eq!((&*output.stdout, &*output.stderr), ("", "err 1\nerr 2\n"));
    assert_eq!(output.outcome.stdout, None);
    assert_eq!(both().stderr(Stdio::Stdout).output().unwrap().stdout, "out 1\nerr 1\nout 2\nerr 2\n");

    std::fs::write(&file, "what was there").unwrap();
    let output = both().stdout(Stdio::file(&file)).output().unwrap();
    assert_eq!((&*output.stdout, &*output.stderr), ("", "err 1\nerr 2\n"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "out 1\nout 2\n");
    both().stdout(Stdio::append(&file)).stderr(Stdio::Stdout).output().unwrap();
    let all = "out 1\nout 2\nout 1\nerr 1\nout 2\nerr 2\n";
    assert_eq!(std::fs::read_to_string(&file).unwrap(), all);
}

#[test]
fn both_streams_together_keep_the_order_of_each() {
    let trial = begin();
    let output = fixture("both 200").of(&trial).output().unwrap();
    let combined = output.combined();
    for stream in ["out", "err"] {
        let lines = combined.lines().filter(|line| line.starts_with(stream));
        let expected = (1..=200).map(|number| format!("{stream} {number}"));
        assert!(lines.eq(expected), "{combined}");
    }
    // A writer that waits between the two is seen in its order.
    let output =
        sh("for n in 1 2 3; do echo o$n; sleep 0.05; echo e$n >&2; sleep 0.05; done").of(&trial).output();
    let combined = output.unwrap().combined();
    assert_eq!(combined.lines().count(), 6, "{combined}");
}

#[test]
fn a_listener_is_told_each_line_while_the_verb_waits() {
    let trial = begin();
    let folder = tempfile::tempdir().unwrap();
    let seen = folder.path().join("seen");
    let lines = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let host = Host::new().on_line({
        let (seen, lines) = (seen.clone(), lines.clone());
        move |stream, line| {
            lines.lock().unwrap().push(format!("{stream}: {line}"));
            std::fs::write(&seen, "").unwrap();
        }
    });
    // The program goes on only once its first line was told.
    let script = format!("echo >&2 one; \"$0\" wait-file {}; printf unfinished", seen.display());
    let command = sh(&script).arg(pinfold_trials::fixture()).of(&trial).timeout(LONG);
    assert_eq!(host.output(&command).unwrap().stdout, "found\nunfinished");
    assert_eq!(*lines.lock().unwrap(), ["stderr: one", "stdout: found", "stdout: unfinished"]);
}

#[test]
fn a_teed_stream_is_captured_and_passed_on() {
    let mut part = Part::new(|_| {
        let command = fixture("both 3").tee(Stream::Stdout).tee(Stream::Stderr);
        let output = command.output().unwrap();
        assert_eq!(output.stdout, "out 1\nout 2\nout 3\n");
        assert_eq!(output.stderr, "err 1\nerr 2\nerr 3\n");
    });
    let trial = begin();
    let output = part.output(&trial, "");
    let [out, err] = [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap());
    assert!(output.status.success(), "{err}");
    assert!(out.ends_with("out 1\nout 2\nout 3\n"), "{out}");
    assert!(err.ends_with("err 1\nerr 2\nerr 3\n"), "{err}");
}

#[test]
fn a_failing_command_is_tried_as_often_as_it_says() {
    let trial = begin();
    let folder = tempfile::tempdir().unwrap();
    let quick = |attempts| Retry { pause: Duration::from_millis(1), ..Retry::times(attempts) };
    let counted = |script: &str, retry: Retry| {
        let count = folder.path().join("count");
        let _ = std::fs::remove_file(&count);
        let script = format!("echo >> {}; {script}", count.display());
        let result = sh(&script).of(&trial).retry(retry).timeout(LONG).run();
        (result.map_err(|error| error.kind()), std::fs::read(&count).unwrap().len())
    };
    let third = format!("test $(wc -l < {}) = 3", folder.path().join("count").display());
    assert_eq!(counted("exit 3", quick(4)), (Err(ErrorKind::NonZeroExit), 4));
    assert_eq!(counted("exit 0", quick(4)), (Ok(String::new()), 1));
    assert_eq!(counted(&third, quick(5)), (Ok(String::new()), 3));
    let on = |code| Retry { on: RetryOn::Code(code), ..quick(3) };
    assert_eq!(counted("exit 3", on(3)), (Err(ErrorKind::NonZeroExit), 3));
    assert_eq!(counted("exit 3", on(4)), (Err(ErrorKind::NonZeroExit), 1));
    assert_eq!(counted("exit 3", Retry { on: RetryOn::Timeout, ..quick(3) }).1, 1);
}

#[test]
fn a_function_decides_what_is_tried_again_the_same_for_every_verb() {
    let trial = begin();
    let folder = tempfile::tempdir().unwrap();
    let count = folder.path().join("count");
    let script = format!("echo >> {0}; wc -l < {0}; exit 3", count.display());
    let retry = Retry { pause: Duration::from_millis(1), jitter: 1.0, ..Retry::times(5) };
    let command = sh(&script).of(&trial).retry(retry).timeout(LONG);
    // What its command says of codes is not asked.
    let command = command.retry(Retry { on: RetryOn::Code(4), ..retry });
    let asked = Arc::new(AtomicUsize::new(0));
    let host = Host::new().retry_if({
        let asked = asked.clone();
        move |result| {
            asked.fetch_add(1, Ordering::SeqCst);
            result.is_ok_and(|output| output.code() == Some(3) && output.stdout != b"3\n")
        }
    });
    let verbs: [fn(&Host, &Command) -> bool; 3] = [
        |host, command| host.run(command).is_err_and(|error| error.code() == Some(3)),
        |host, command| host.output(command).is_ok_and(|output| output.stdout == "3\n"),
        |host, command| host.exit_code(command).is_ok_and(|code| code == 3),
    ];
    for verb in verbs {
        let _ = std::fs::remove_file(&count);
        asked.store(0, Ordering::SeqCst);
        assert!(verb(&host, &command));
        assert_eq!((std::fs::read(&count).unwrap().len(), asked.load(Ordering::SeqCst)), (3, 3));
    }
    // In a group as well, which has its host's.
    let _ = std::fs::remove_file(&count);
    let group = ProcessGroup::builder().host(host.clone()).make().unwrap();
    assert_eq!(group.output(&command).unwrap().stdout, "3\n");
    // An error before any program is asked about too, and is no output.
    asked.store(0, Ordering::SeqCst);
    assert_eq!(host.run(&Command::new("/nope").retry(retry)).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[test]
fn a_pause_between_attempts_ends_when_it_is_cancelled() {
    let trial = begin();
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("mark");
    let token = CancelToken::new();
    let host = Host::new().cancel_on(&token);
    let retry = Retry { pause: LONG * 9, ..Retry::times(2) };
    let command = sh(&format!("touch {}; exit 1", mark.display())).of(&trial).retry(retry);
    let begun = Instant::now();
    let error = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| host.run(&command));
        wait_until("the end of the first attempt", LONG, || mark.exists() && trial.survivors().is_empty());
        token.cancel();
        waiting.join().unwrap().unwrap_err()
    });
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
    assert!(begun.elapsed() < LONG);
}

#[test]
fn a_stop_signal_of_ones_own_is_the_first_word() {
    let trial = begin();
    let rule = StopRule { signal: Signal::USR2, grace: LONG };
    let command = fixture("trap USR1 --exit-on USR2:42").of(&trial).stop_rule(rule);
    let output = with_time_enough(|limit| {
        let output = command.clone().timeout(limit).output().unwrap();
        output.stdout.starts_with("ready").then_some(output)
    });
    assert_eq!((output.outcome.cause, output.outcome.code()), (Cause::Timeout, Some(42)));
    assert_eq!(output.stdout, "ready\nUSR2\n");
}
