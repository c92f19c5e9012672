//! The async twins: the same machine in tokio's hands.

use crate::part::Part;
use crate::{LONG, Of, fixture, mechanisms, sh};
use pinfold::{
    AsyncHandle, AsyncRunner, CancelToken, Cause, Command, ErrorKind, Event, Host, Isolation, Retry, Stdio,
    StopRule, Stream,
};
use pinfold_trials::Trial;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

/// A trial that begins with what a runtime keeps for the life of its process: a pair of sockets, if any crate of the
/// build wants its signals.
pub(crate) fn begin() -> Trial {
    drop(tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap());
    crate::begin()
}

/// Runs a test's future in a runtime of its own, on one thread and then on two.
fn with_tokio<F: Future<Output = ()>>(test: impl Fn() -> F) {
    let one = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    one.block_on(test());
    drop(one);
    let two = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    two.block_on(test());
}

fn command(trial: &Trial, arguments: &str) -> Command {
    fixture(arguments).of(trial)
}

/// Polls a future once: it has begun.
async fn begin_polling(future: &mut (impl Future + Unpin)) {
    let mut future = pin!(future);
    poll_fn(|context| {
        let _ = future.as_mut().poll(context);
        Poll::Ready(())
    })
    .await;
}

#[test]
fn each_verb_says_what_its_twin_says() {
    let trial = begin();
    with_tokio(|| async {
        let out = command(&trial, "out hello");
        assert_eq!(out.run_async().await.unwrap(), out.run().unwrap());
        assert_eq!(out.output_async().await.unwrap().stdout, out.output().unwrap().stdout);
        assert_eq!(out.output_bytes_async().await.unwrap().stdout, out.output_bytes().unwrap().stdout);
        assert_eq!(out.first_line_async().await.unwrap(), out.first_line().unwrap());
        let json = Command::new("printf").arg("[1, 2]");
        assert_eq!(json.output_json_async::<Vec<u8>>().await.unwrap(), [1, 2]);
        for code in ["0", "1", "3", "255"] {
            let exit = command(&trial, "exit").arg(code);
            assert_eq!(exit.exit_code_async().await.unwrap(), exit.exit_code().unwrap());
            let answers =
                [exit.probe_async().await, exit.probe()].map(|answer| answer.map_err(|error| error.kind()));
            assert_eq!(answers[0], answers[1]);
        }
        let error = Command::new("no-such-program").run_async().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    });
    trial.finish();
}

#[test]
fn a_dropped_future_empties_the_tree_before_the_drop_returns() {
    let trial = begin();
    // A process group does not hold who leaves it.
    let escapes = if mechanisms().contains(&Isolation::Cgroup) {
        &["double-fork", "ignore-term", "setsid"][..]
    } else {
        &["double-fork", "ignore-term"]
    };
    with_tokio(|| async {
        for escape in escapes {
            let file = tempfile::NamedTempFile::new().unwrap();
            let run = command(&trial, "escape").args([*escape, "--stay"]).stdout(Stdio::file(file.path()));
            let mut future = Box::pin(run.output_async());
            begin_polling(&mut future).await;
            let deadline = Instant::now() + LONG;
            while !std::fs::read_to_string(file.path()).unwrap().contains("ready") {
                assert!(Instant::now() < deadline, "{escape} never came up");
                tokio::select! {
                    _ = &mut future => panic!("{escape} ended"),
                    () = tokio::time::sleep(Duration::from_millis(2)) => {}
                }
            }
            assert!(!trial.survivors().is_empty());
            drop(future);
            assert_eq!(trial.survivors().len(), 0, "{escape}");
        }
    });
    trial.finish();
}

#[test]
fn a_timeout_of_the_runtime_ends_it_as_well() {
    let trial = begin();
    with_tokio(|| async {
        let run = command(&trial, "sleep 60");
        let cut_off = tokio::time::timeout(Duration::from_millis(20), run.output_async()).await;
        assert!(cut_off.is_err());
        assert_eq!(trial.survivors().len(), 0);
    });
    trial.finish();
}

#[test]
fn its_own_timeout_is_data_and_a_cancellation_an_error() {
    let trial = begin();
    with_tokio(|| async {
        let run = command(&trial, "sleep 60").timeout(Duration::from_millis(20));
        let output = run.output_async().await.unwrap();
        assert_eq!(output.cause, Cause::Timeout);
        let token = CancelToken::new();
        let host = Host::new().cancel_on(&token);
        let sleeper = command(&trial, "sleep 60");
        let (result, ()) = tokio::join!(host.output_async(&sleeper), async { token.cancel() });
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Cancelled);
        let patient = command(&trial, "exit 1").retry(Retry { pause: LONG, ..Retry::times(2) });
        let token = CancelToken::new();
        let host = Host::new().cancel_on(&token).on_line(|_, _| ());
        let begun = Instant::now();
        let (result, ()) = tokio::join!(host.run_async(&patient), async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            token.cancel();
        });
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Cancelled);
        assert!(begun.elapsed() < LONG);
    });
    trial.finish();
}

#[test]
fn several_tasks_share_one_handle() {
    let trial = begin();
    with_tokio(|| async {
        let handle = command(&trial, "cat").keep_stdin_open().start_async().unwrap();
        let mut stdin = handle.stdin().unwrap();
        let mut lines = handle.stdout_lines().unwrap();
        let mut again = handle.stdout_lines().unwrap();
        let talk = async {
            for number in 0..100 {
                stdin.write_line(&number.to_string()).await.unwrap();
                assert_eq!(lines.next_line().await.unwrap().unwrap(), number.to_string());
            }
            stdin.close().await.unwrap();
            assert!(lines.next().await.is_none());
        };
        let listen = async {
            let mut count = 0;
            while let Some(line) = again.next().await {
                assert_eq!(line.unwrap(), count.to_string());
                count += 1;
            }
            count
        };
        let (outcome, (), count) = tokio::join!(handle.wait(), talk, listen);
        assert_eq!((outcome.unwrap().code(), count), (Some(0), 100));
        // Late, and once more.
        assert_eq!(handle.output().await.unwrap().stdout.lines().count(), 100);
        assert_eq!(handle.wait().await.unwrap().code(), Some(0));
        assert_eq!(handle.stdout_lines().unwrap().next().await.unwrap().unwrap(), "0");
    });
    trial.finish();
}

#[test]
fn a_task_that_waits_hears_of_a_stop_from_another() {
    let trial = begin();
    with_tokio(|| async {
        let handle: AsyncHandle = command(&trial, "trap TERM").start_async().unwrap();
        let mut lines = handle.stdout_lines().unwrap();
        assert_eq!(lines.next().await.unwrap().unwrap(), "ready");
        let grace = StopRule { grace: Duration::from_secs(1), ..StopRule::default() };
        let (waited, stopped) = tokio::join!(handle.wait(), handle.stop_by(grace));
        assert_eq!(waited.unwrap(), stopped.unwrap());
        assert_eq!(lines.next().await.unwrap().unwrap(), "TERM");
    });
    trial.finish();
}

#[test]
fn events_come_in_order_and_end_with_the_outcome() {
    let trial = begin();
    with_tokio(|| async {
        let handle = command(&trial, "both 4").start_async().unwrap();
        let mut events = handle.events();
        let mut seen = Vec::new();
        while let Some(event) = events.next().await {
            seen.push(event.unwrap());
        }
        assert!(matches!(seen.first(), Some(Event::Started { pid }) if *pid == handle.pid()));
        assert!(matches!(seen.last(), Some(Event::Ended(outcome)) if outcome.code() == Some(0)));
        let lines = |wanted| {
            let of = |event: &Event| matches!(event, Event::Line { stream, .. } if *stream == wanted);
            seen.iter().filter(|event| of(event)).count()
        };
        assert_eq!((lines(Stream::Stdout), lines(Stream::Stderr)), (4, 4));
    });
    trial.finish();
}

#[test]
fn streams_are_streams() {
    let trial = begin();
    with_tokio(|| async {
        let handle = command(&trial, "lines 1000").start_async().unwrap();
        let mut stream = pin!(handle.stdout_lines().unwrap().into_stream());
        let mut count = 0;
        while let Some(line) =
            poll_fn(|context| futures_core::Stream::poll_next(stream.as_mut(), context)).await
        {
            line.unwrap();
            count += 1;
        }
        assert_eq!(count, 1000);
        let mut bytes = 0;
        let mut chunks = handle.chunks(Stream::Stdout).unwrap();
        while let Some(chunk) = chunks.next().await {
            bytes += chunk.unwrap().len() as u64;
        }
        assert_eq!(Some(bytes), handle.seen(Stream::Stdout).map(|seen| seen.bytes));
    });
    trial.finish();
}

#[test]
fn a_stream_that_fails_ends_in_an_error_after_what_came() {
    let mut part = Part::new(|case| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let handle =
                sh("echo one; read x; echo two").stderr(Stdio::Null).keep_stdin_open().start_async().unwrap();
            assert_eq!(handle.stdout_lines().unwrap().next().await.unwrap().unwrap(), "one");
            handle.stdin().unwrap().close().await.unwrap();
            let mut came = Vec::new();
            match case {
                "lines" => {
                    let mut lines = handle.stdout_lines().unwrap();
                    while let Some(line) = lines.next().await {
                        came.push(line.map(drop));
                    }
                }
                "chunks" => {
                    let mut chunks = handle.chunks(Stream::Stdout).unwrap();
                    while let Some(chunk) = chunks.next().await {
                        came.push(chunk.map(drop));
                    }
                }
                _ => {
                    let mut events = handle.events();
                    while let Some(event) = events.next().await {
                        if !matches!(event, Ok(Event::Started { .. } | Event::Ended(_))) {
                            came.push(event.map(drop));
                        }
                    }
                }
            }
            assert!(matches!(&came[..], [Ok(()), Err(error)] if error.kind() == ErrorKind::Io), "{came:?}");
        });
    })
    .env("PINFOLD_FAULT", "read=EIO+1");
    let trial = begin();
    for case in ["lines", "chunks", "events"] {
        part.pass(&trial, case);
    }
}

#[test]
fn many_runs_at_once_need_no_thread_each() {
    let trial = begin();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let before = std::fs::read_dir("/proc/self/task").unwrap().count();
    let seen = Arc::new(Mutex::new(0));
    runtime.block_on(async {
        let sleepers: Vec<_> = (0..100).map(|_| command(&trial, "sleep 60").start_async().unwrap()).collect();
        assert_eq!(std::fs::read_dir("/proc/self/task").unwrap().count(), before);
        for sleeper in sleepers {
            assert_eq!(sleeper.kill().await.unwrap().cause, Cause::Stopped);
            *seen.lock().unwrap() += 1;
        }
    });
    drop(runtime);
    assert_eq!(*seen.lock().unwrap(), 100);
    trial.finish();
}

#[test]
fn pipelines_and_batches_say_what_their_twins_say() {
    let _trial = begin();
    with_tokio(|| async {
        let trial = &_trial;
        let word = |word: &str| command(trial, "out").arg(word);
        let pipeline = word("one") | Command::new("cat").envs([trial.env()]);
        assert_eq!(pipeline.run_async().await.unwrap(), pipeline.run().unwrap());
        let handle = pipeline.start_async().unwrap();
        assert_eq!(handle.stdout_lines().unwrap().next().await.unwrap().unwrap(), "one");
        assert_eq!(handle.output().await.unwrap().stages().len(), 2);
        let failing = command(trial, "exit 3") | Command::new("cat").envs([trial.env()]);
        assert_eq!(failing.exit_code_async().await.unwrap(), 3);
        let error = failing.run_async().await.unwrap_err();
        assert_eq!((error.kind(), error.stage()), (ErrorKind::NonZeroExit, Some(0)));

        let commands = || ["one", "two", "three"].map(word);
        let outputs = pinfold::output_all_async(commands()).await;
        let words: Vec<String> = outputs.into_iter().map(|output| output.unwrap().stdout).collect();
        assert_eq!(words, ["one\n", "two\n", "three\n"]);
        let mut stream = pinfold::output_as_completed_async(commands()).into_stream();
        let mut indices = Vec::new();
        while let Some((index, output)) =
            poll_fn(|context| futures_core::Stream::poll_next(std::pin::Pin::new(&mut stream), context)).await
        {
            output.unwrap();
            indices.push(index);
        }
        indices.sort_unstable();
        assert_eq!(indices, [0, 1, 2]);
        let error = pinfold::Batch::new([command(trial, "exit 9"), command(trial, "sleep 100")])
            .concurrency(2)
            .try_output_async()
            .await
            .unwrap_err();
        assert_eq!(error.code(), Some(9));
    });
}

#[test]
fn a_batch_whose_future_is_dropped_leaves_nothing() {
    let trial = begin();
    with_tokio(|| async {
        let sleepers = (0..4).map(|_| command(&trial, "sleep 100"));
        let mut future = Box::pin(pinfold::Batch::new(sleepers).concurrency(3).output_async());
        begin_polling(&mut future).await;
        assert_eq!(trial.survivors().len(), 3);
        drop(future);
        assert!(trial.survivors().is_empty());
    });
}
