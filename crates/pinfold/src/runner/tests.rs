//! What doubles promise to those who test with them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::testing::{RecordingRunner, Reply, ScriptedRunner};
use crate::{
    CancelToken, Cause, CliClient, Command, DryRunner, ErrorKind, Happening, Keep, Limit, LimitKind,
    Overflow, Retry, RunEvent, Runner, Signal, Stdio, StopRule,
};
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const SOON: Duration = Duration::from_millis(5);
/// Long enough that a test which really waits for it is noticed.
const LONG: Duration = Duration::from_secs(3600);

/// A runner, and the events that it has told.
fn watched(reply: Reply) -> (ScriptedRunner, Arc<Mutex<Vec<RunEvent>>>) {
    let events = Arc::new(Mutex::new(Vec::new()));
    let runner = ScriptedRunner::new().on(["tool"], reply).on_event({
        let events = events.clone();
        move |event| events.lock().unwrap().push(event.clone())
    });
    (runner, events)
}

fn names(events: &Mutex<Vec<RunEvent>>) -> Vec<&'static str> {
    events.lock().unwrap().iter().map(|event| event.what.name()).collect()
}

#[test]
fn rules_are_tried_in_their_order() {
    let runner = ScriptedRunner::new()
        .on(["git", "log", "-1"], Reply::ok("one"))
        .on(["git", "log"], Reply::ok("all"))
        .when(|command| command.arguments().len() > 2, Reply::ok("many"))
        .answering(|command| {
            (command.program() == "echo").then(|| Reply::ok(command.arguments()[0].as_encoded_bytes()))
        })
        .fallback(Reply::fail(9, ""));
    let code = |args: &[&str]| runner.output(&Command::new(args[0]).args(&args[1..])).unwrap();
    assert_eq!(code(&["git", "log", "-1"]).stdout, "one");
    assert_eq!(code(&["git", "log"]).stdout, "all");
    assert_eq!(code(&["/usr/bin/git", "log", "x"]).stdout, "all");
    assert_eq!(code(&["hg", "a", "b", "c"]).stdout, "many");
    assert_eq!(code(&["echo", "said"]).stdout, "said");
    assert_eq!(code(&["gitk", "log"]).code(), Some(9));
}

#[test]
fn a_command_without_a_reply_is_an_error_that_holds_no_argument() {
    let runner = ScriptedRunner::new();
    let command = Command::new("tool").arg("--password=hunter2");
    let error = runner.run(&command).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoReply);
    let text =
        "tool: no reply of this scripted runner matches it; it has no rules; add one with on() or fallback()";
    assert_eq!(error.to_string(), text);
    let runner = runner.sequence(["tool"], [Reply::ok("1"), Reply::ok("2")]).on(["other"], Reply::ok(""));
    assert_eq!((runner.run(&command).unwrap(), runner.run(&command).unwrap()), ("1".into(), "2".into()));
    let error = runner.run(&command).unwrap_err().to_string();
    assert!(
        error.starts_with("tool: the replies of this scripted runner to it are used up; it has 2 rules"),
        "{error}"
    );
    assert!(!error.contains("hunter2"));
}

#[test]
fn verbs_see_a_double_as_they_see_a_program() {
    let command = Command::new("tool");
    let kind = |reply| ScriptedRunner::new().fallback(reply).run(&command).unwrap_err().kind();
    assert_eq!(kind(Reply::fail(3, "no\n")), ErrorKind::NonZeroExit);
    assert_eq!(kind(Reply::signalled(Signal::SEGV)), ErrorKind::Signalled);
    assert_eq!(kind(Reply::timeout()), ErrorKind::Timeout);
    assert_eq!(kind(Reply::not_found()), ErrorKind::NotFound);
    assert_eq!(kind(Reply::refused(ErrorKind::ResourceLimit, "no more processes")), ErrorKind::ResourceLimit);
    let first = |reply| ScriptedRunner::new().fallback(reply).first_line(&command);
    assert_eq!(first(Reply::lines(["up", "never"], LONG)).unwrap(), "up");
    assert_eq!(first(Reply::ok("")).unwrap_err().kind(), ErrorKind::UnexpectedOutput);
    let probe = |code| ScriptedRunner::new().fallback(Reply::exits(code)).probe(&command);
    assert_eq!((probe(0).unwrap(), probe(1).unwrap()), (true, false));
    assert_eq!(probe(2).unwrap_err().code(), Some(2));
    let contradiction = Command::new("tool").timeout(Duration::ZERO);
    let error = ScriptedRunner::new().fallback(Reply::ok("")).run(&contradiction).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let nul = ScriptedRunner::new().fallback(Reply::ok("")).run(&Command::new("tool").arg("a\0b"));
    assert_eq!(nul.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_live_handle_talks_with_a_double() {
    let reply = Reply::ok("name?\n").after_line().with_stdout("hello\n").after_input().with_stdout("bye\n");
    let runner = ScriptedRunner::new().on(["greet"], reply);
    let handle = runner.start(&Command::new("greet").keep_stdin_open()).unwrap();
    let mut lines = handle.stdout_lines().unwrap();
    let mut stdin = handle.stdin().unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "name?");
    stdin.write_line("ann").unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "hello");
    assert!(handle.wait_timeout(SOON).unwrap().is_none());
    stdin.close().unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "bye");
    assert_eq!(handle.wait().unwrap().code(), Some(0));
    assert_eq!(runner.inputs(), [b"ann\n"]);
}

#[test]
fn a_double_that_reads_no_more_breaks_the_pipe() {
    let runner = ScriptedRunner::new().on(["head"], Reply::pending().reads(4));
    let handle = runner.start(&Command::new("head").keep_stdin_open()).unwrap();
    let mut stdin = handle.stdin().unwrap();
    stdin.write_all(b"four").unwrap();
    stdin.flush().unwrap();
    stdin.write_all(b"more").unwrap_or(());
    assert_eq!(stdin.flush().unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
    assert_eq!(handle.kill().unwrap().signal(), Some(Signal::KILL));
}

#[test]
fn a_signal_finds_a_double_where_a_real_child_would_be() {
    let reply = Reply::ok("early\n").after_pause(LONG).with_stdout("late\n");
    let handle = ScriptedRunner::new().on(["tool"], reply).start(&Command::new("tool")).unwrap();
    handle.signal(Signal::HUP).unwrap();
    let output = handle.output().unwrap();
    assert_eq!(
        (output.stdout.as_str(), output.signal(), output.cause),
        ("early\n", Some(Signal::HUP), Cause::Itself)
    );
    assert_eq!(handle.signal(Signal::HUP).unwrap_err().kind(), ErrorKind::NotFound);
}

#[cfg(target_os = "linux")]
#[test]
fn who_waits_by_a_watch_is_told_of_a_signal_to_a_double() {
    let command = Command::new("server");
    let running = ScriptedRunner::new().fallback(Reply::pending()).launch(&command).unwrap();
    let handle = crate::PolledHandle::new(running, command);
    let mut watch = handle.watch().unwrap();
    assert_eq!(handle.outcome(&mut watch).unwrap(), None);
    handle.signal(Signal::USR1).unwrap();
    let soon = std::time::Instant::now() + Duration::from_secs(60);
    let woken = pinfold_os::poll::wait(&[watch.waitable()], Some(soon)).unwrap();
    assert_eq!(woken, pinfold_os::poll::Woken::Ready);
    assert_eq!(handle.outcome(&mut watch).unwrap().unwrap().signal(), Some(Signal::USR1));
}

#[test]
fn another_thread_can_stop_a_double_that_never_ends() {
    let runner = ScriptedRunner::new().fallback(Reply::pending());
    let handle = runner.start(&Command::new("server")).unwrap();
    let waiting = std::thread::spawn({
        let handle = handle.clone();
        move || handle.wait().unwrap()
    });
    handle.in_background().unwrap();
    assert_eq!(handle.stop().unwrap().signal(), Some(Signal::TERM));
    assert_eq!(waiting.join().unwrap().cause, Cause::Stopped);
}

#[test]
fn a_token_ends_doubles_too() {
    let token = CancelToken::new();
    let runner = ScriptedRunner::new().fallback(Reply::pending()).cancel_on(&token);
    let error = std::thread::scope(|scope| {
        let run = scope.spawn(|| runner.run(&Command::new("server")));
        token.cancel();
        run.join().unwrap().unwrap_err()
    });
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

#[test]
fn a_listener_hears_lines_of_a_double() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let runner = ScriptedRunner::new().fallback(Reply::ok("a\nb").with_stderr("c\n")).on_line({
        let heard = heard.clone();
        move |stream, line| heard.lock().unwrap().push(format!("{stream} {line}"))
    });
    runner.run(&Command::new("tool")).unwrap();
    assert_eq!(*heard.lock().unwrap(), ["stdout a", "stdout b", "stderr c"]);
}

#[test]
fn a_spy_tells_what_was_asked_for() {
    let spy = RecordingRunner::replying(Reply::ok("done"));
    let command = Command::new("git")
        .args(["commit", "--message=x", "--", "--amend"])
        .cwd("/repo")
        .env("A", "1")
        .env_remove("B");
    spy.run(&command.stdin_text("x")).unwrap();
    let call = spy.only_call();
    assert_eq!((call.program.to_str(), call.cwd.as_deref()), (Some("git"), Some("/repo".as_ref())));
    assert!(
        call.has_flag("--message") && !call.has_flag("--mess") && !call.has_flag("--amend") && call.has_stdin
    );
    assert_eq!(call.env_var("A"), Some(Some("1".as_ref())));
    assert_eq!((call.env_var("B"), call.env_var("C")), (Some(None), None));
    let twice = Retry { pause: Duration::ZERO, ..Retry::times(2) };
    let spy =
        RecordingRunner::new(ScriptedRunner::new().sequence(["flaky"], [Reply::exits(1), Reply::ok("ok")]));
    assert_eq!(spy.run(&Command::new("flaky").retry(twice)).unwrap(), "ok");
    assert_eq!(spy.calls().len(), 2);
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| spy.only_call())).unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert_eq!(message, "one command was to be run, and 2 were: flaky, flaky");
}

#[test]
fn a_dry_run_touches_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out");
    let plans = Arc::new(Mutex::new(String::new()));
    let dry = DryRunner::telling({
        let plans = plans.clone();
        move |plan| *plans.lock().unwrap() += &plan.to_string()
    });
    let command = Command::new("sh").args(["-c", "exit 3"]).stdout(Stdio::file(&path)).stderr(Stdio::Stdout);
    let output = dry.output(&command).unwrap();
    assert!(output.is_success() && output.stderr.is_empty() && !path.exists());
    assert!(plans.lock().unwrap().contains("exit 3"));
    let handle = dry.start(&Command::new("cat").keep_stdin_open()).unwrap();
    assert_eq!(handle.wait().unwrap().code(), Some(0));
    assert_eq!(dry.run(&Command::new("/no/such")).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_client_says_its_defaults_each_time() {
    let spy = RecordingRunner::replying(Reply::pending());
    let client = CliClient::new("git")
        .timeout(SOON)
        .env("LANG", "C")
        .env_remove("PAGER")
        .cwd("/repo")
        .defaults(|command| command.arg("--no-pager"))
        .with_runner(spy.clone());
    assert_eq!(client.run(["log", "-1"]).unwrap_err().kind(), ErrorKind::Timeout);
    let call = spy.only_call();
    assert_eq!(call.args, ["--no-pager", "log", "-1"]);
    assert_eq!((call.env_var("LANG"), call.env_var("PAGER")), (Some(Some("C".as_ref())), Some(None)));
    assert_eq!(call.cwd, Some("/repo".into()));
}

#[test]
fn events_tell_a_run_from_its_start_to_its_end() {
    let limit = Limit { max_bytes: Some(3), max_lines: None, on_overflow: Overflow::DropOldest };
    let (runner, events) = watched(Reply::ok("too much").after_pause(LONG).ignoring(Signal::TERM));
    let rule = StopRule { signal: Signal::TERM, grace: SOON };
    let command = Command::new("tool").arg("secret").output_limit(limit).timeout(SOON).stop_rule(rule);
    runner.output(&command).unwrap();
    assert_eq!(names(&events), ["started", "limit_hit", "stopping", "stopping", "ended"]);
    let events = events.lock().unwrap();
    assert!(
        events
            .iter()
            .all(|event| event.run == events[0].run && event.program == "tool" && event.pid.is_some())
    );
    assert_eq!(events[1].what, Happening::LimitHit { limit: LimitKind::Stdout });
    assert_eq!(
        events[2].what,
        Happening::Stopping { cause: Cause::Timeout, signal: Signal::TERM, grace: SOON }
    );
    assert_eq!(
        events[3].what,
        Happening::Stopping { cause: Cause::Timeout, signal: Signal::KILL, grace: Duration::ZERO }
    );
    let Happening::Ended { outcome } = &events[4].what else { panic!("{:?}", events[4]) };
    assert!(outcome.timed_out());
    assert!(!format!("{events:?}").contains("secret"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_listener_may_use_the_polled_handle_and_what_it_drops_may_be_of_that_run() {
    use crate::{Host, PolledHandle, PolledLines, Stream};
    #[derive(Default)]
    struct Theirs {
        handle: Option<PolledHandle>,
        lines: Option<PolledLines>,
        heard: Vec<&'static str>,
    }
    let theirs: Arc<Mutex<Theirs>> = Arc::default();
    let told = theirs.clone();
    let host = Host::new().on_event(move |event| {
        let mut theirs = told.lock().unwrap();
        theirs.heard.push(event.what.name());
        let (lines, handle) = (theirs.lines.take(), theirs.handle.clone());
        drop((theirs, lines));
        let Some(handle) = handle else { return };
        assert_eq!(handle.known_outcome().is_some(), event.what.name() == "ended");
        // Once more, from within: what that leads to is told when this has returned.
        handle.stop(None);
        handle.try_outcome().unwrap();
    });
    let command = Command::new("sh").args(["-c", "echo one; exec sleep 1000"]).stop_rule(StopRule::KILL);
    let run = PolledHandle::new(host.launch(&command).unwrap(), command.clone());
    *theirs.lock().unwrap() = Theirs {
        handle: Some(run.clone()),
        lines: Some(run.lines(Stream::Stdout).unwrap()),
        heard: vec!["started"],
    };
    run.stop(None);
    let mut watch = run.watch().unwrap();
    while run.outcome(&mut watch).unwrap().is_none() {
        pinfold_os::poll::wait(&[watch.waitable()], watch.deadline()).unwrap();
    }
    assert_eq!(theirs.lock().unwrap().heard, ["started", "stopping", "ended"]);

    // The last handle that goes ends the run, which is told too.
    *theirs.lock().unwrap() = Theirs::default();
    drop(PolledHandle::new(host.launch(&command).unwrap(), command));
    let heard = theirs.lock().unwrap().heard.clone();
    assert_eq!((heard.first(), heard.last()), (Some(&"started"), Some(&"ended")), "{heard:?}");
}

#[test]
fn events_tell_of_what_was_not_started_and_of_what_is_tried_again() {
    let (runner, events) = watched(Reply::refused(ErrorKind::ResourceLimit, "no more processes"));
    let twice = Retry { pause: Duration::ZERO, ..Retry::times(2) };
    runner.run(&Command::new("tool").retry(twice)).unwrap_err();
    assert_eq!(names(&events), ["not_started", "retrying", "not_started"]);
    let retrying = Happening::Retrying { attempt: 2, pause: Duration::ZERO };
    assert_eq!(events.lock().unwrap()[1].what, retrying);
}

#[test]
fn a_dropped_run_is_told_to_its_end() {
    let (runner, events) = watched(Reply::pending());
    drop(runner.start(&Command::new("tool").keep(Keep(0))).unwrap());
    assert_eq!(names(&events), ["started", "stopping", "ended"]);
}

#[cfg(feature = "serde")]
#[test]
fn an_event_is_one_flat_object() {
    let (runner, events) = watched(Reply::exits(3));
    runner.output(&Command::new("tool")).unwrap();
    for event in events.lock().unwrap().iter() {
        let json = serde_json::to_value(event).unwrap();
        assert_eq!((&json["event"], &json["program"]), (&event.what.name().into(), &"tool".into()));
        let again: RunEvent = serde_json::from_value(json).unwrap();
        assert_eq!(again, *event);
    }
}

#[cfg(feature = "metrics")]
#[test]
fn counters_add_up() {
    let before = crate::metrics::snapshot();
    let (runner, _) = watched(Reply::timeout().with_stdout("12345"));
    runner.output(&Command::new("tool")).unwrap();
    let now = crate::metrics::snapshot();
    let timeouts = |snapshot: &crate::metrics::Snapshot| {
        let of = snapshot.ended.iter().filter(|(cause, ..)| *cause == Cause::Timeout);
        of.map(|(.., count)| count).sum::<u64>()
    };
    assert_eq!(timeouts(&now) - timeouts(&before), 1);
    assert_eq!(now.output_bytes[0] - before.output_bytes[0], 5);
    let text = now.to_string();
    assert!(text.contains("pinfold_run_duration_seconds_bucket{le=\"+Inf\"} "), "{text}");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("pinfold_") && value.parse::<f64>().is_ok(), "{line}");
    }
}

#[cfg(feature = "tokio")]
#[tokio::test]
async fn a_double_is_awaited_like_a_program() {
    use crate::AsyncRunner;
    let runner = ScriptedRunner::new().on(["tool"], Reply::lines(["a", "b"], SOON));
    let command = Command::new("tool");
    assert_eq!(runner.run_async(&command).await.unwrap(), "a\nb");
    let handle = runner.start_async(&command).unwrap();
    let mut lines = handle.stdout_lines().unwrap();
    assert_eq!(lines.next().await.unwrap().unwrap(), "a");
    assert_eq!(handle.stop().await.unwrap().signal(), Some(Signal::TERM));
}

#[cfg(target_os = "linux")]
#[test]
fn events_of_real_runs_and_of_groups_are_told_too() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let host = crate::Host::new().on_event({
        let events = events.clone();
        move |event| events.lock().unwrap().push(event.clone())
    });
    let group = crate::ProcessGroup::builder().host(host.clone()).make().unwrap();
    let (alone, inside) = (
        host.start(&Command::new("sleep").arg("1000")).unwrap(),
        group.start(&Command::new("sleep").arg("1000")).unwrap(),
    );
    alone.stop().unwrap();
    group.stop().unwrap();
    assert_eq!(inside.wait().unwrap().cause, Cause::Stopped);
    host.run(&Command::new("/no/such/program")).unwrap_err();
    let events = events.lock().unwrap();
    let of = |pid| -> Vec<&str> {
        events.iter().filter(|event| event.pid == pid).map(|event| event.what.name()).collect()
    };
    assert_eq!(of(Some(alone.pid())), ["started", "stopping", "ended"]);
    // The group was told to stop, not the run.
    assert_eq!(of(Some(inside.pid())), ["started", "ended"]);
    assert_eq!(of(None), ["not_started"]);
}

/// A subscriber of nothing but what it writes down.
#[cfg(feature = "tracing")]
mod traced {
    use super::*;
    use std::fmt::Write as _;
    use std::sync::atomic::{AtomicU64, Ordering};
    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};

    struct Log {
        text: Arc<Mutex<String>>,
        spans: AtomicU64,
    }

    struct Line<'a>(&'a mut String);

    impl Visit for Line<'_> {
        fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
            write!(self.0, " {field}={value:?}").unwrap();
        }
    }

    impl Log {
        fn line(&self, head: &str, record: impl FnOnce(&mut Line<'_>)) {
            let mut text = self.text.lock().unwrap();
            *text += head;
            record(&mut Line(&mut text));
            text.push('\n');
        }
    }

    impl tracing::Subscriber for Log {
        fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
            metadata.target() == "pinfold"
        }

        fn new_span(&self, attributes: &Attributes<'_>) -> Id {
            self.line("span", |line| attributes.record(line));
            Id::from_u64(self.spans.fetch_add(1, Ordering::SeqCst) + 1)
        }

        fn record(&self, _: &Id, values: &Record<'_>) {
            self.line("record", |line| values.record(line));
        }

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &tracing::Event<'_>) {
            let parent = event.parent().map_or(0, Id::into_u64);
            self.line(&format!("{} in {parent}:", event.metadata().level()), |line| event.record(line));
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    #[test]
    fn a_run_is_a_span_without_arguments_and_variables() {
        let text = Arc::new(Mutex::new(String::new()));
        let log = Log { text: text.clone(), spans: AtomicU64::new(0) };
        tracing::subscriber::with_default(log, || {
            let runner = ScriptedRunner::new().on(["tool"], Reply::fail(3, "output of it"));
            let command = Command::new("tool").arg("argument").env("NAME", "variable");
            runner.output(&command).unwrap();
            runner.output(&Command::new("other")).unwrap_err();
        });
        let text = text.lock().unwrap();
        let part = |part: &str| assert!(text.contains(part), "no {part} in {text}");
        part("program=tool");
        part("mechanism=\"scripted\"");
        part("DEBUG in 1: message=started");
        part("record cause=\"itself\"");
        part("record code=3");
        part("DEBUG in 1: message=ended program=tool cause=\"itself\" code=3");
        part("WARN in 0: message=not started program=other kind=\"no_reply\"");
        for secret in ["argument", "variable", "NAME", "output of it"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}
