//! What a cassette promises to who records, and to who replays.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::Cassette;
use crate::testing::{RecordingRunner, Reply, ScriptedRunner};
use crate::{Cause, Command, ErrorKind, Limit, Overflow, Runner, Signal, StopRule, Stream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("tool.jsonl")
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.path()).unwrap()
    }

    fn replay(&self) -> Cassette {
        Cassette::replay(self.path()).unwrap()
    }

    /// Records what this reply is to a command.
    fn record(&self, command: &Command, reply: Reply) {
        let cassette = Cassette::refresh(self.path()).unwrap().over(replying(reply));
        let _ = cassette.output(command);
    }
}

fn replying(reply: Reply) -> RecordingRunner<ScriptedRunner> {
    RecordingRunner::replying(reply)
}

fn tool() -> Command {
    Command::new("tool")
}

#[test]
fn a_whole_outcome_comes_back() {
    let place = Place::new();
    let rows = [
        (tool().arg("fails"), Reply::fail(3, "no\n").with_stdout("out").with_stderr("more\n")),
        (tool().arg("dies"), Reply::signalled(Signal::SEGV)),
        (
            tool().arg("hangs").timeout(Duration::from_millis(5)),
            Reply::ok("a\n").after_pause(Duration::from_secs(3600)),
        ),
        (tool().arg("binary"), Reply::ok(b"\xff\0\xfe")),
        (tool().arg("reads").stdin_text("question"), Reply::ok("").after_input().with_stdout("answer")),
    ];
    for (command, reply) in rows {
        let cassette = Cassette::refresh(place.path()).unwrap().over(replying(reply));
        let live = cassette.output_bytes(&command).unwrap();
        let again = place.replay().output_bytes(&command).unwrap();
        assert_eq!(again.outcome, live.outcome);
        assert_eq!(
            (&again.stdout, &again.stderr, again.combined()),
            (&live.stdout, &live.stderr, live.combined())
        );
    }
    let lines = place.text();
    assert_eq!(lines.lines().count(), 6, "{lines}");
    assert!(lines.starts_with("{\"pinfold_cassette\":1}\n"), "{lines}");
    assert!(
        lines.contains(r#""output":[["stderr","no\n"],["stdout","out"],["stderr","more\n"]]"#),
        "{lines}"
    );
    assert!(lines.contains(r#"[["stdout",{"bytes":[255,0,254]}]]"#), "{lines}");
}

#[test]
fn a_long_run_replays_at_once_and_says_how_long_it_was() {
    let place = Place::new();
    let command = tool();
    place.record(&command, Reply::ok("done").after(Duration::from_millis(50)));
    let before = Instant::now();
    let text = place.text().replace("\"duration_seconds\":0.", "\"duration_seconds\":3600.");
    std::fs::write(place.path(), text).unwrap();
    let output = place.replay().output(&command).unwrap();
    assert!(output.duration >= Duration::from_secs(3600) && before.elapsed() < Duration::from_secs(60));
}

#[test]
fn limits_of_who_replays_hold_and_what_limits_dropped_was_recorded() {
    let place = Place::new();
    let limit = |on_overflow| Limit { max_bytes: Some(3), max_lines: None, on_overflow };
    let bounded = tool().output_limit(limit(Overflow::DropNewest));
    place.record(&bounded, Reply::ok("abcdef"));
    let output = place.replay().output(&bounded).unwrap();
    assert_eq!((output.stdout.as_str(), output.seen(Stream::Stdout).unwrap().bytes), ("abc", 6));
    assert_eq!(place.replay().output(&tool()).unwrap().stdout, "abcdef");
    let error = place.replay().output(&tool().output_limit(limit(Overflow::Error))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutputTooLarge);
}

#[test]
fn what_was_stopped_is_there_until_it_is_stopped_again() {
    let place = Place::new();
    let command = Command::new("server");
    let cassette =
        Cassette::refresh(place.path()).unwrap().over(replying(Reply::pending().with_stdout("up\nlog\n")));
    assert_eq!(cassette.first_line(&command).unwrap(), "up");
    assert_eq!(place.replay().first_line(&command).unwrap(), "up");
    let handle = place.replay().start(&command).unwrap();
    assert!(handle.wait_timeout(Duration::from_millis(5)).unwrap().is_none());
    let outcome = handle.stop().unwrap();
    assert_eq!((outcome.cause, outcome.signal()), (Cause::Stopped, Some(Signal::TERM)));
}

#[test]
fn a_dialogue_waits_for_its_end_of_input() {
    let place = Place::new();
    let command = Command::new("cat").keep_stdin_open();
    let cassette = Cassette::refresh(place.path()).unwrap();
    let handle = cassette.start(&command).unwrap();
    let mut stdin = handle.stdin().unwrap();
    stdin.write_line("hello").unwrap();
    stdin.close().unwrap();
    assert_eq!(handle.output().unwrap().stdout, "hello\n");

    let handle = place.replay().start(&command).unwrap();
    let mut stdin = handle.stdin().unwrap();
    let mut lines = handle.stdout_lines().unwrap();
    stdin.write_line("hello").unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "hello");
    assert!(handle.wait_timeout(Duration::from_millis(5)).unwrap().is_none());
    stdin.close().unwrap();
    assert_eq!(handle.wait().unwrap().code(), Some(0));
}

#[test]
fn secrets_are_not_stored() {
    let place = Place::new();
    let command = |token: &str, key: &str| {
        tool()
            .args([format!("--token={token}"), "--user".into()])
            .env("API_KEY", key)
            .env("LANG", "C")
            .env_remove("HOME")
    };
    let redacted = |cassette: Cassette| cassette.redact("--token=*", "--token=***").keep_env("LANG");
    let reply = Reply::ok("key ")
        .with_stdout("first-key is fine\n")
        .with_stderr("first")
        .with_stdout("-")
        .with_stderr("-key\n");
    let cassette = redacted(Cassette::refresh(place.path()).unwrap()).over(replying(reply));
    cassette.run(&command("hunter2", "first-key")).unwrap();
    let text = place.text();
    for secret in ["hunter2", "first-key"] {
        assert!(!text.contains(secret), "{text}");
    }
    assert!(text.contains(r#""env":{"set":{"API_KEY":null,"LANG":"C"},"removed":["HOME"]}"#), "{text}");
    // The secret stood across two turns of the stream, which is one piece for that.
    assert!(text.contains(r#"["stderr","$API_KEY\n"]"#), "{text}");
    // Other secrets, the same recording.
    let output = redacted(place.replay()).output(&command("other", "second-key")).unwrap();
    assert_eq!(output.stdout, "key $API_KEY is fine\n-");
}

#[test]
fn strict_and_lenient_matching() {
    let place = Place::new();
    place.record(&tool().arg("x").cwd("/a"), Reply::ok("1"));
    place.record(&tool().arg("x").cwd("/b").env("A", "1"), Reply::ok("2"));
    let error = place.replay().run(&tool().arg("x").cwd("/a").stdin_text("s")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoReply);
    let file = place.path().display().to_string();
    let what = format!(
        "tool: is recorded in {file} with these arguments, but with another standard input; record it by a cassette that is to be refreshed"
    );
    assert_eq!(error.to_string(), what);
    let error = place.replay().run(&tool().arg("secret")).unwrap_err().to_string();
    assert!(
        error
            .contains(&format!("tool: is not recorded in {file}, which has 2 recordings, 2 of this program")),
        "{error}"
    );
    assert!(!error.contains("secret"));

    let strict = place.replay();
    assert_eq!(strict.run(&tool().arg("x").cwd("/a")).unwrap(), "1");
    assert_eq!((strict.len(), strict.unused()), (2, 1));
    let error = strict.run(&tool().arg("x").cwd("/a")).unwrap_err().to_string();
    assert!(error.contains("was replayed already"), "{error}");

    let lenient = place.replay().lenient();
    let run = || lenient.run(&tool().arg("x").cwd("/elsewhere")).unwrap();
    assert_eq!([run(), run(), run(), run()], ["1", "2", "2", "2"]);
    assert_eq!(lenient.unused(), 0);
}

#[test]
fn refreshing_runs_only_what_is_missing_and_recording_replaces_only_what_it_runs() {
    let place = Place::new();
    place.record(&tool().arg("old"), Reply::ok("old"));
    let spy = replying(Reply::ok("new"));
    let refresh = Cassette::refresh(place.path()).unwrap().over(spy.clone());
    assert_eq!(refresh.run(&tool().arg("old")).unwrap(), "old");
    assert_eq!(refresh.run(&tool().arg("more")).unwrap(), "new");
    assert_eq!(spy.only_call().args, ["more"]);

    let record = Cassette::record(place.path())
        .unwrap()
        .over(ScriptedRunner::new().sequence(["tool"], [Reply::ok("1"), Reply::ok("2")]));
    for expected in ["1", "2"] {
        assert_eq!(record.run(&tool().arg("old")).unwrap(), expected);
    }
    let replay = place.replay();
    let run = |arg: &str| replay.run(&tool().arg(arg)).unwrap();
    assert_eq!([run("more"), run("old"), run("old")], ["new", "1", "2"]);
    assert_eq!(replay.unused(), 0);
}

#[test]
fn recorders_side_by_side_lose_nothing() {
    let place = Place::new();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let cassette = Cassette::refresh(place.path()).unwrap().over(replying(Reply::ok("x")));
            scope.spawn(move || {
                for run in 0..5 {
                    cassette.run(&tool().arg(format!("{thread} {run}"))).unwrap();
                }
            });
        }
    });
    assert_eq!(place.replay().len(), 20);
    let files: Vec<_> = place.0.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["tool.jsonl"], "nothing else is left there");
}

#[test]
fn what_cannot_be_stored_is_an_error_that_has_the_output() {
    let place = Place::new();
    place.record(&tool(), Reply::ok("kept"));
    let cassette = Cassette::refresh(place.path()).unwrap().over(replying(Reply::ok("new")));
    std::fs::write(place.path(), "spoilt by somebody\n").unwrap();
    let error = cassette.run(&tool().arg("x")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("tool.jsonl cannot be written: it is no cassette"), "{error}");
    assert_eq!(error.output().unwrap().stdout, b"new");
    assert_eq!(place.text(), "spoilt by somebody\n", "what is there is left alone");
}

#[test]
fn a_cancelled_run_is_not_recorded() {
    let place = Place::new();
    let token = crate::CancelToken::new();
    let inner = ScriptedRunner::new().fallback(Reply::pending()).cancel_on(&token);
    let handle = Cassette::refresh(place.path()).unwrap().over(inner).start(&tool()).unwrap();
    token.cancel();
    assert_eq!(handle.wait().unwrap().cause, Cause::Cancelled);
    assert!(!place.path().exists());
    let dropped =
        Cassette::refresh(place.path()).unwrap().over(replying(Reply::pending())).start(&tool()).unwrap();
    drop(dropped);
    assert_eq!(place.replay().start(&tool()).unwrap().stop_by(StopRule::KILL).unwrap().cause, Cause::Stopped);
}

#[test]
fn what_is_no_cassette_is_refused_with_its_line() {
    let place = Place::new();
    let refused = |text: &str| {
        std::fs::write(place.path(), text).unwrap();
        let error = Cassette::replay(place.path()).unwrap_err();
        (error.kind(), error.to_string())
    };
    let missing = Cassette::replay(Path::new("/no/such/file")).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::Io);
    assert!(missing.to_string().contains("there is no such file; record it first"), "{missing}");
    for (text, part) in [
        ("hello\n", "its first line is not"),
        ("{\"pinfold_cassette\":2}\n", "another version"),
        ("{\"pinfold_cassette\":1}\n{\"program\":\"x\"}\n", "line 2 is no recording: missing field"),
        ("{\"pinfold_cassette\":1}\n\n{\"program\":\"tool\",\"ar", "line 3 is no recording"),
    ] {
        let (kind, message) = refused(text);
        assert_eq!(kind, ErrorKind::InvalidInput, "{message}");
        assert!(message.contains(part), "{message}");
    }
    std::fs::write(place.path(), "").unwrap();
    assert!(place.replay().is_empty());
}

#[test]
fn saving_makes_a_file_and_changes_none() {
    let place = Place::new();
    let nested = place.0.path().join("new/tool.jsonl");
    Cassette::record(&nested).unwrap().save().unwrap();
    assert!(Cassette::replay(&nested).unwrap().is_empty());
    place.record(&tool(), Reply::ok("kept"));
    let text = place.text();
    Cassette::refresh(place.path()).unwrap().save().unwrap();
    assert_eq!(place.text(), text);
    std::fs::write(nested.with_file_name("file"), "").unwrap();
    let error = Cassette::record(nested.with_file_name("file").join("tool.jsonl"))
        .and_then(|cassette| cassette.save())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
}

#[cfg(target_os = "linux")]
#[test]
fn a_real_program_is_recorded() {
    let place = Place::new();
    let command = Command::new("sh").args(["-c", "echo out; echo err >&2; exit 7"]);
    let live = Cassette::refresh(place.path()).unwrap().output(&command).unwrap();
    let again = place.replay().output(&command).unwrap();
    assert_eq!(again.outcome, live.outcome);
    assert_eq!((again.stdout.as_str(), again.stderr.as_str()), ("out\n", "err\n"));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    /// Whatever was written, in whatever turns, text or not: it comes back the same, in the same order.
    #[test]
    fn what_was_written_comes_back(
        chunks in proptest::collection::vec(
            (proptest::bool::ANY, proptest::collection::vec(proptest::num::u8::ANY, 0..40)),
            0..12,
        ),
        code in 0..256i32,
    ) {
        let place = Place::new();
        let mut reply = Reply::exits(code);
        for (stdout, bytes) in &chunks {
            reply = reply.writes(if *stdout { Stream::Stdout } else { Stream::Stderr }, bytes);
        }
        let cassette = Cassette::refresh(place.path()).unwrap().over(replying(reply));
        let live = cassette.output_bytes(&tool()).unwrap();
        let again = place.replay().output_bytes(&tool()).unwrap();
        proptest::prop_assert_eq!(again, live);
    }
}
