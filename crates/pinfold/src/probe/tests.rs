//! Probes over made-up time and scripted runs, and over listeners of our own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::{Probe, Waiting};
use crate::machine::Machine;
use crate::testing::{Reply, ScriptedRunner};
use crate::{Command, ErrorKind, Result, Running, Stdio, Stream};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

fn perform(reply: &Reply) -> (Command, Running) {
    let command = Command::new("child");
    let running = command.perform(reply.script.clone(), None).unwrap().0;
    (command, running)
}

/// Drives both as a driver would that is woken exactly on time: the answer, and when it came.
fn beside(probe: &Probe, timeout: Duration, reply: &Reply) -> (Result<()>, Duration) {
    let (command, mut running) = perform(reply);
    let start = running.started();
    let (mut waiting, mut now) = (probe.waiting(timeout), start);
    for _ in 0..10_000 {
        running.advance(now);
        if let Some(answer) = waiting.advance_beside(&mut running, &command, now).unwrap() {
            waiting.close(&mut running);
            assert!(waiting.interest(now).deadline.is_none(), "it is over");
            let ended = answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotReady);
            assert!(running.outcome().is_some() || !ended);
            return (answer, now - start);
        }
        let next = [running.interest().deadline, waiting.interest(now).deadline].into_iter().flatten().min();
        now = next.expect("something is due").max(now);
    }
    panic!("it spins");
}

fn alone(waiting: &mut Waiting, start: Instant) -> (Result<()>, Duration) {
    let mut now = start;
    for _ in 0..10_000 {
        if let Some(answer) = waiting.advance(now).unwrap() {
            return (answer, now - start);
        }
        now = waiting.interest(now).deadline.expect("something is due").max(now);
    }
    panic!("it spins");
}

fn is(word: &'static str) -> impl Fn(&str) -> bool + Send + Sync + 'static {
    move |text| text == word
}

#[test]
fn a_line_is_found_on_either_stream_or_on_the_one_that_is_named() {
    let reply = Reply::pending()
        .after_pause(SECOND)
        .with_stderr("x\nready\n")
        .after_pause(SECOND)
        .with_stdout("ready\n");
    for (probe, at) in [
        (Probe::line(is("ready")), SECOND),
        (Probe::line(is("ready")).on(Stream::Stderr), SECOND),
        (Probe::line(is("ready")).on(Stream::Stdout), 2 * SECOND),
    ] {
        let (answer, took) = beside(&probe, 60 * SECOND, &reply);
        answer.unwrap();
        assert_eq!(took, at);
    }
}

#[test]
fn a_prompt_is_what_stands_unfinished() {
    let reply =
        Reply::pending().with_stdout("name: no\n").after_pause(SECOND).with_stdout("na").after_pause(SECOND);
    let (answer, took) =
        beside(&Probe::prompt(is("name: ")), 60 * SECOND, &reply.clone().with_stdout("me: "));
    answer.unwrap();
    assert_eq!(took, 2 * SECOND);
    let (answer, took) = beside(&Probe::prompt(is("name: ")), 60 * SECOND, &reply.with_stdout("me:\n"));
    assert_eq!((answer.unwrap_err().kind(), took), (ErrorKind::Timeout, 60 * SECOND));
}

#[test]
fn a_timeout_says_why_and_leaves_the_run_alone() {
    let (answer, took) =
        beside(&Probe::line(is("ready")), 3 * SECOND, &Reply::pending().with_stdout("a\nb\n"));
    let error = answer.unwrap_err();
    assert_eq!((error.kind(), error.timeout(), took), (ErrorKind::Timeout, Some(3 * SECOND), 3 * SECOND));
    let said = "child: not ready after 3s: a line of its output: 2 lines have come, all of them others";
    assert_eq!(error.to_string(), said);
}

#[test]
fn the_end_of_the_run_ends_the_wait_with_its_outcome() {
    let reply = Reply::fail(3, "no space left\n").after_pause(SECOND);
    let never = Probe::holds(|| false);
    for probe in [Probe::line(is("ready")), never.clone(), Probe::all([never, Probe::line(|_| true)])] {
        let (answer, took) = beside(&probe, 60 * SECOND, &reply);
        let error = answer.unwrap_err();
        assert_eq!((error.kind(), error.code(), took), (ErrorKind::NotReady, Some(3), SECOND), "{error}");
        assert_eq!(error.output().unwrap().stderr, b"no space left\n");
        assert!(error.to_string().starts_with("child: exited with code 3 before it was ready: "), "{error}");
        assert!(error.to_string().ends_with("; it last wrote: no space left"), "{error}");
    }
}

#[test]
fn what_was_written_before_the_end_counts_and_what_holds_of_the_world_after_it_does_not() {
    let (answer, _) = beside(&Probe::line(is("ready")), SECOND, &Reply::ok("ready\n"));
    answer.unwrap();
    let (answer, _) = beside(&Probe::line(is("ready")), SECOND, &Reply::ok("ready"));
    answer.unwrap();
    let asked = Arc::new(AtomicU32::new(0));
    let probe = Probe::holds({
        let asked = asked.clone();
        move || asked.fetch_add(1, Ordering::SeqCst) > 0
    });
    let (answer, _) = beside(&probe.interval(5 * SECOND), 60 * SECOND, &Reply::exits(0).after_pause(SECOND));
    assert_eq!((answer.unwrap_err().kind(), asked.load(Ordering::SeqCst)), (ErrorKind::NotReady, 1));
}

#[test]
fn all_need_each_once_and_any_needs_one() {
    let at = |seconds: u32| {
        let asked = AtomicU32::new(0);
        // Holds at that second, and not before nor after.
        Probe::holds(move || asked.fetch_add(1, Ordering::SeqCst) == seconds)
            .interval(SECOND)
            .named(format!("{seconds}"))
    };
    type Combine = fn(Vec<Probe>) -> Probe;
    let rows: [(Combine, u64); 2] = [(Probe::all, 5), (Probe::any, 2)];
    for (combine, expected) in rows {
        let mut waiting = combine(vec![at(5), at(2), at(3)]).waiting(60 * SECOND);
        let (answer, took) = alone(&mut waiting, Instant::now());
        answer.unwrap();
        assert_eq!(took.as_secs(), expected);
    }
    let mut waiting =
        Probe::all([at(1), Probe::any([at(90), at(91)]), Probe::file("/nonexistent/x")]).waiting(9 * SECOND);
    let (answer, took) = alone(&mut waiting, Instant::now());
    let said = "not ready after 9s: 90: it does not hold; 91: it does not hold; file:/nonexistent/x: no such file or directory";
    assert_eq!((answer.unwrap_err().to_string().as_str(), took), (said, 9 * SECOND));
}

#[test]
fn contradictions_are_told_at_once() {
    let rows = [Probe::any([]), Probe::line(|_| true), Probe::all([Probe::prompt(|_| true)])];
    for probe in rows {
        let (answer, took) = alone(&mut probe.waiting(SECOND), Instant::now());
        assert_eq!((answer.unwrap_err().kind(), took), (ErrorKind::InvalidInput, Duration::ZERO));
    }
    let command = Command::new("child").stdout(Stdio::Null).stderr(Stdio::Null);
    let mut running = command.perform(Reply::pending().script, None).unwrap().0;
    let mut waiting = Probe::line(|_| true).waiting(SECOND);
    let answer = waiting.advance_beside(&mut running, &command, Instant::now()).unwrap().unwrap();
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::InvalidInput);
    let (answer, _) = alone(&mut Probe::all([]).waiting(SECOND), Instant::now());
    answer.unwrap();
}

#[test]
fn a_command_is_run_until_it_succeeds() {
    let replies = [Reply::fail(2, "not yet"), Reply::pending(), Reply::exits(0)];
    let runner = ScriptedRunner::new().sequence(["ready?"], replies);
    let probe = Probe::command_on(runner, Command::new("ready?")).attempt(4 * SECOND).interval(SECOND);
    let (answer, took) = alone(&mut probe.waiting(60 * SECOND), Instant::now());
    answer.unwrap();
    assert_eq!(took, SECOND + 4 * SECOND + SECOND);
    let runner = ScriptedRunner::new().fallback(Reply::fail(2, "secret"));
    let probe = Probe::command_on(runner, Command::new("ready?").arg("secret"));
    let error = alone(&mut probe.waiting(3 * SECOND), Instant::now()).0.unwrap_err();
    assert_eq!(error.to_string(), "not ready after 3s: cmd:ready?: ready?: exited with code 2");
}

#[test]
fn files_are_there_or_filled() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    let reason = |probe: Probe| probe.wait(Duration::ZERO).map_err(|error| error.message());
    assert!(reason(Probe::file(&path)).unwrap_err().ends_with("no such file or directory"));
    std::fs::write(&path, "").unwrap();
    reason(Probe::file(&path)).unwrap();
    assert!(reason(Probe::filled_file(&path)).unwrap_err().ends_with("it is empty"));
    std::fs::write(&path, "x").unwrap();
    reason(Probe::filled_file(&path)).unwrap();
    let socket = directory.path().join("socket");
    assert!(reason(Probe::unix(&socket)).unwrap_err().ends_with("no such file or directory"));
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    reason(Probe::unix(&socket)).unwrap();
    drop(listener);
    assert!(reason(Probe::unix(&socket)).unwrap_err().ends_with("connection refused"));
}

#[test]
fn a_port_is_awaited_until_somebody_listens() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = Probe::tcp("localhost", address.port()).wait(Duration::from_millis(1)).unwrap_err();
    assert!(error.to_string().ends_with("connection refused"), "{error}");
    let (probe, listening) = (Probe::tcp("127.0.0.1", address.port()), Arc::new(AtomicU32::new(0)));
    let thread = std::thread::spawn({
        let listening = listening.clone();
        move || {
            let answer = probe.wait(60 * SECOND);
            (answer, listening.load(Ordering::SeqCst))
        }
    });
    listening.store(1, Ordering::SeqCst);
    let _listener = TcpListener::bind(address).unwrap();
    let (answer, listening) = thread.join().unwrap();
    answer.unwrap();
    assert_eq!(listening, 1);
}

/// Gives these answers, one a connection, and closes it; an empty one is given by a thread that only listens.
fn server(answers: &'static [&'static str]) -> (String, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/ready?x=1", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let count = stream.read(&mut request).unwrap();
            asked.push(String::from_utf8_lossy(&request[..count]).into_owned());
            // In two pieces, so that a status can be cut anywhere.
            let (one, two) = answer.split_at(answer.len() / 2);
            stream.write_all(one.as_bytes()).unwrap();
            stream.flush().unwrap();
            stream.write_all(two.as_bytes()).unwrap();
        }
        asked
    });
    (url, thread)
}

#[test]
fn a_url_is_asked_until_its_status_is_good() {
    let answers = &[
        "HTTP/1.1 503 Wait\r\n\r\n",
        "",
        "HTTP/1.1 301 Moved\r\nLocation: /\r\n\r\n",
        "HTTP/1.0 204 Good\r\n\r\n",
    ];
    let (url, thread) = server(answers);
    let probe = Probe::http(&url).unwrap().interval(Duration::from_millis(1));
    probe.wait(60 * SECOND).unwrap();
    let asked = thread.join().unwrap();
    assert_eq!(asked.len(), answers.len());
    assert!(asked[0].starts_with("GET /ready?x=1 HTTP/1.1\r\nHost: 127.0.0.1:"), "{}", asked[0]);
}

#[test]
fn the_last_failure_of_a_url_is_told() {
    for (answer, reason) in [
        ("HTTP/1.1 503 Wait\r\n\r\n", "status 503"),
        ("HTTP/1.1 302 Found\r\n\r\n", "status 302, a redirect, which is not followed"),
        ("220 smtp\r\n", "what answers does not speak HTTP/1"),
        ("", "it closed the connection without an answer"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let probe = Probe::http(&url).unwrap().interval(3600 * SECOND);
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let start = Instant::now();
        let mut waiting = probe.waiting(60 * SECOND);
        // By the real clock until the attempt has failed, and then an hour later.
        while !waiting.check.has_failed() {
            assert!(waiting.advance(start).unwrap().is_none());
            pinfold_os::poll::wait(&waiting.interest(start).waitables, Some(Instant::now() + SECOND / 50))
                .unwrap();
        }
        thread.join().unwrap();
        let error = waiting.advance(start + 60 * SECOND).unwrap().unwrap().unwrap_err();
        assert!(error.to_string().ends_with(&format!("/: {reason}")), "{error}");
    }
}

#[test]
fn an_attempt_without_an_answer_has_an_end() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let mut waiting = Probe::http(&url).unwrap().attempt(2 * SECOND).interval(SECOND).waiting(8 * SECOND);
    let (answer, took) = alone(&mut waiting, Instant::now());
    assert_eq!(took, 8 * SECOND);
    assert!(answer.unwrap_err().to_string().ends_with("/: no answer within 2s"));
}

#[test]
fn several_threads_wait_for_different_things_of_one_run() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let handle = Command::new("sh")
        .args(["-c", "read line; echo $line; exec sleep 60"])
        .keep_stdin_open()
        .start()
        .unwrap();
    let wait = |probe: Probe| {
        let handle = handle.clone();
        std::thread::spawn(move || handle.wait_until(&probe, 60 * SECOND))
    };
    let waits = [wait(Probe::line(is("go"))), wait(Probe::http(&url).unwrap()), wait(Probe::line(is("go")))];
    let (mut stream, _) = listener.accept().unwrap();
    let _ = stream.read(&mut [0; 4096]).unwrap();
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
    handle.stdin().unwrap().write_all(b"go\n").unwrap();
    for wait in waits {
        wait.join().unwrap().unwrap();
    }
    let error =
        handle.wait_until(&Probe::http(&url).unwrap().attempt(SECOND / 100), SECOND / 20).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(handle.try_wait().unwrap().is_none(), "it lives on");
    let wait = wait(Probe::http(&url).unwrap());
    let _stream = listener.accept().unwrap();
    handle.kill().unwrap();
    assert_eq!(wait.join().unwrap().unwrap_err().kind(), ErrorKind::NotReady);
}

#[test]
fn a_loop_of_ones_own_asks() {
    use crate::{Host, PolledHandle, Runner};
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let command = Command::new("sh").args(["-c", "read line; echo go; sleep 0.01; exit 3"]).keep_stdin_open();
    let run = PolledHandle::new(Host::new().launch(&command).unwrap(), command);
    let ask = |probe: &Probe, timeout: Duration| {
        let mut waiting = run.wait_until(probe, timeout).unwrap();
        loop {
            let watch = match waiting.advance() {
                Ok(None) => waiting.watch(),
                answer => return answer.map_err(|error| error.kind()),
            };
            pinfold_os::poll::wait(&[watch.waitable()], watch.deadline()).unwrap();
        }
    };
    let tcp = Probe::tcp("127.0.0.1", listener.local_addr().unwrap().port());
    assert_eq!(ask(&tcp, 60 * SECOND), Ok(Some(())));
    assert_eq!(ask(&Probe::line(is("go")), SECOND / 100), Err(ErrorKind::Timeout));
    assert!(run.feed(b"\n").unwrap(), "somebody reads");
    assert_eq!(ask(&Probe::line(is("go")), 60 * SECOND), Ok(Some(())));
    assert_eq!(ask(&Probe::holds(|| false), 60 * SECOND), Err(ErrorKind::NotReady));
}

#[cfg(feature = "tokio")]
#[test]
fn tasks_wait_for_different_things_of_one_run() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let tcp = Probe::tcp("127.0.0.1", listener.local_addr().unwrap().port());
        tcp.wait_async(60 * SECOND).await.unwrap();
        let handle = Command::new("sh").args(["-c", "printf 'name: '; exec sleep 60"]).start_async().unwrap();
        let prompt = Probe::prompt(is("name: "));
        let both =
            tokio::join!(handle.wait_until(&prompt, 60 * SECOND), handle.wait_until(&tcp, 60 * SECOND));
        assert!(both.0.is_ok() && both.1.is_ok());
        let never = Probe::line(is("never"));
        let error = handle.wait_until(&never, Duration::from_millis(5)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        let (ended, _) = tokio::join!(handle.wait_until(&never, 60 * SECOND), handle.kill());
        assert_eq!(ended.unwrap_err().kind(), ErrorKind::NotReady);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_condition_may_look_at_the_run_that_it_is_of() {
    use crate::{Host, PolledHandle, Runner};
    let command = Command::new("sh").args(["-c", "echo one; echo two; exec sleep 1000"]);
    let run = PolledHandle::new(Host::new().launch(&command).unwrap(), command);
    let (same, again) = (run.clone(), run.clone());
    let lines = move || same.seen(Stream::Stdout).map_or(0, |seen| seen.lines);
    let both = Probe::all([
        Probe::holds(move || lines() == 2),
        Probe::line(move |line| line == "two" && again.known_outcome().is_none()),
    ]);
    let mut waiting = run.wait_until(&both, SECOND * 10).unwrap();
    while waiting.advance().unwrap().is_none() {
        pinfold_os::poll::wait(&[waiting.watch().waitable()], waiting.watch().deadline()).unwrap();
    }
    drop(waiting);
    // The end of the run is the end of the wait, at once.
    let mut waiting = run.wait_until(&Probe::line(|line| line == "three"), SECOND * 1000).unwrap();
    assert_eq!(waiting.advance().unwrap(), None);
    run.end();
    assert_eq!(waiting.advance().unwrap_err().kind(), ErrorKind::NotReady);
}

/// Conditions of every kind that use the handle of their own run, the first of which lasts until the run has written; and one
/// that ends the run.
#[cfg(target_os = "linux")]
fn conditions<H: Clone + Send + Sync + 'static>(
    handle: &H,
    lives: fn(&H) -> bool,
    kill: fn(&H),
) -> (Probe, Probe) {
    let (asked, [one, two, three, four]) = (Arc::new(AtomicU32::new(0)), [(); 4].map(|()| handle.clone()));
    let met = Probe::all([
        Probe::holds(move || lives(&one) && asked.fetch_add(1, Ordering::SeqCst) == 3)
            .interval(SECOND / 1000),
        Probe::line(move |line| line == "two" && lives(&two)),
        Probe::prompt(move |text| text == "name: " && lives(&three)),
    ]);
    let deadly = Probe::holds(move || {
        kill(&four);
        false
    });
    (met, deadly)
}

/// Fails where it would wait for ever.
#[cfg(target_os = "linux")]
#[track_caller]
fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(work()));
    receiver.recv_timeout(20 * SECOND).expect("it waits for itself")
}

#[cfg(target_os = "linux")]
const ASKS: [&str; 2] = ["-c", "echo one; echo two; printf 'name: '; exec sleep 1000"];

#[cfg(target_os = "linux")]
#[test]
fn a_condition_may_use_the_handle_that_waits_for_it() {
    let handle = Command::new("sh").args(ASKS).start().unwrap();
    let lives = |handle: &crate::Handle| handle.try_wait().unwrap().is_none() && !handle.members().is_empty();
    let (met, deadly) = conditions(&handle, lives, |handle| drop(handle.kill().unwrap()));
    let there = Probe::line(is("two"));
    let (met, there, deadly) = in_time(move || {
        let met = handle.wait_until(&met, 60 * SECOND);
        (met, handle.wait_until(&there, Duration::ZERO), handle.wait_until(&deadly, 60 * SECOND))
    });
    assert!(met.is_ok() && there.is_ok(), "{met:?} {there:?}");
    assert_eq!(deadly.unwrap_err().kind(), ErrorKind::NotReady);
}

#[cfg(all(feature = "tokio", target_os = "linux"))]
#[test]
fn a_condition_may_use_the_async_handle_that_waits_for_it() {
    let (met, there, deadly) = in_time(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let handle = Command::new("sh").args(ASKS).start_async().unwrap();
            let lives = |handle: &crate::AsyncHandle| !handle.members().is_empty();
            let (met, deadly) =
                conditions(&handle, lives, |handle| handle.signal(crate::Signal::KILL).unwrap());
            let met = handle.wait_until(&met, 60 * SECOND).await;
            let there = handle.wait_until(&Probe::line(is("two")), Duration::ZERO).await;
            (met, there, handle.wait_until(&deadly, 60 * SECOND).await)
        })
    });
    assert!(met.is_ok() && there.is_ok(), "{met:?} {there:?}");
    assert_eq!(deadly.unwrap_err().kind(), ErrorKind::NotReady);
}

#[cfg(target_os = "linux")]
#[test]
fn a_prompt_is_judged_when_it_has_changed_and_not_over_and_over() {
    let handle = Command::new("sh").args(ASKS).start().unwrap();
    let asked = Arc::new(AtomicU32::new(0));
    let other = Probe::prompt({
        let asked = asked.clone();
        move |_| asked.fetch_add(1, Ordering::SeqCst) > 100
    });
    // Something else has the wait look again and again.
    let busy = Probe::all([other, Probe::holds(|| false).interval(SECOND / 1000)]);
    assert_eq!(handle.wait_until(&busy, SECOND / 5).unwrap_err().kind(), ErrorKind::Timeout);
    assert!((1..10).contains(&asked.load(Ordering::SeqCst)), "{asked:?}");
}
