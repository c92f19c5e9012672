//! The streams of a live handle: lines, chunks, events, and the way in.

use std::io::{self, Write};
use std::time::Duration;

use pinfold::{Command, ErrorKind, Event, Handle, Keep, Stdio, StopRule, Stream};
use pinfold_trials::{Trial, wait_until};

use crate::part::Part;
use crate::{LONG, Of, begin, fixture, sh};

fn start(trial: &Trial, arguments: &str) -> Handle {
    command(trial, arguments).start().unwrap()
}

fn command(trial: &Trial, arguments: &str) -> Command {
    // What hangs is a failure that says what hung.
    fixture(arguments).of(trial).timeout(LONG).keep_stdin_open()
}

fn texts(lines: pinfold::Lines) -> Vec<String> {
    lines.map(Result::unwrap).collect()
}

#[test]
fn lines_are_lent_and_owned_alike() {
    let trial = begin();
    let handle = start(&trial, "lines 100000");
    let mut lent = 0_u64;
    let mut lines = handle.stdout_lines().unwrap();
    while let Some(line) = lines.next_line().unwrap() {
        lent += 1;
        assert_eq!(line, lent.to_string());
    }
    assert_eq!(lent, 100_000);
    assert_eq!(lines.next_line().unwrap(), None, "and again");
    let owned = (&handle).into_iter().map(|line| line.unwrap().parse::<u64>().unwrap());
    assert!(owned.eq(1..=100_000));
    assert_eq!(handle.stderr_lines().unwrap().count(), 0);
}

#[test]
fn lines_come_while_the_program_runs_and_end_with_their_stream() {
    let trial = begin();
    let handle = start(&trial, "close-out 100");
    assert_eq!(texts(handle.stdout_lines().unwrap()), ["open"]);
    assert!(handle.try_wait().unwrap().is_none(), "only its stream has ended");
    assert_eq!(handle.stderr_lines().unwrap().next().unwrap().unwrap(), "closed");
    handle.kill().unwrap();
}

#[test]
fn a_prompt_is_seen_before_its_line_ends() {
    let trial = begin();
    let handle = start(&trial, "partial Password:");
    let mut lines = handle.stdout_lines().unwrap();
    wait_until("the bytes of the prompt", LONG, || {
        handle.try_wait().unwrap();
        handle.seen(Stream::Stdout).unwrap().bytes == 9
    });
    assert!(std::thread::scope(|scope| {
        let reading = scope.spawn(|| lines.next());
        // With the end of its input the program ends, and the line with it.
        handle.stdin().unwrap().close().unwrap();
        reading.join().unwrap().unwrap().unwrap() == "Password:"
    }));
}

#[test]
fn chunks_are_all_the_bytes() {
    let trial = begin();
    for stream in Stream::BOTH {
        let arguments = if stream == Stream::Stdout { "flood 5M" } else { "flood 5M --stderr" };
        let handle = start(&trial, arguments);
        let chunks: Vec<_> = handle.chunks(stream).unwrap().map(Result::unwrap).collect();
        assert!(chunks.iter().all(|chunk| !chunk.is_empty() && chunk.len() <= 1 << 20));
        assert_eq!(
            chunks.concat(),
            [&[b'x'; 79][..], b"\n"].concat().repeat(5 << 20 >> 4).as_slice()[..5 << 20]
        );
    }
}

#[test]
fn events_tell_all_from_the_start_to_the_end() {
    let trial = begin();
    let handle = start(&trial, "both 300");
    let mut events = handle.events().map(Result::unwrap);
    assert_eq!(events.next(), Some(Event::Started { pid: handle.pid() }));
    let mut told = [0; 2];
    let outcome = loop {
        match events.next().unwrap() {
            Event::Line { stream, text } => {
                let count = &mut told[stream as usize];
                *count += 1;
                let name = if stream == Stream::Stdout { "out" } else { "err" };
                assert_eq!(text, format!("{name} {count}"));
            }
            Event::Ended(outcome) => break outcome,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((told, outcome.code()), ([300, 300], Some(0)));
    assert_eq!(events.next(), None);
    assert_eq!(handle.events().count(), 602, "the whole story again, after the end");
}

#[test]
fn events_that_are_asked_for_late_come_in_the_order_in_which_the_lines_came() {
    let _trial = begin();
    let script = "while read word; do echo $word; read word; echo $word >&2; done";
    let handle = sh(script).timeout(LONG).keep_stdin_open().start().unwrap();
    let mut stdin = handle.stdin().unwrap();
    let mut lines = [0; 2];
    for turn in 0..6 {
        writeln!(stdin, "{turn}").unwrap();
        stdin.flush().unwrap();
        lines[turn % 2] += 1;
        wait_until("the line", LONG, || {
            handle.try_wait().unwrap();
            Stream::BOTH.map(|stream| handle.seen(stream).unwrap().lines) == lines
        });
    }
    stdin.close().unwrap();
    assert_eq!(handle.wait().unwrap().code(), Some(0), "the end of its input is what ends it");
    for _ in 0..2 {
        let told: Vec<_> = handle
            .events()
            .filter_map(|event| match event.unwrap() {
                Event::Line { stream, text } => Some((stream as usize, text)),
                _ => None,
            })
            .collect();
        assert!(told.into_iter().eq((0..6).map(|turn| (turn % 2, turn.to_string()))));
    }
}

#[test]
fn events_without_a_captured_stream_are_the_start_and_the_end() {
    let trial = begin();
    let handle = command(&trial, "exit 4").stdout(Stdio::Null).stderr(Stdio::Null).start().unwrap();
    let events: Vec<_> = handle.events().map(Result::unwrap).collect();
    assert!(
        matches!(&events[..], [Event::Started { .. }, Event::Ended(outcome)] if outcome.code() == Some(4))
    );
}

#[test]
fn a_stream_that_is_opened_late_begins_with_what_is_retained() {
    let trial = begin();
    let handle = start(&trial, "lines 1000");
    handle.wait().unwrap();
    let expected: Vec<_> = (1..=1000).map(|number| number.to_string()).collect();
    for _ in 0..2 {
        assert_eq!(texts(handle.stdout_lines().unwrap()), expected);
    }
    let text = handle.output().unwrap().stdout;
    assert_eq!(
        handle.chunks(Stream::Stdout).unwrap().map(Result::unwrap).collect::<Vec<_>>().concat(),
        text.as_bytes()
    );
    assert_eq!(handle.output().unwrap().stdout, text, "output can be had again");
    assert_eq!(handle.into_output().unwrap().stdout, text.as_bytes());
}

#[test]
fn what_was_streamed_stays_readable_as_far_as_it_is_to_be_kept() {
    let trial = begin();
    for (keep, least, most) in
        [(None, 3 << 20, 3 << 20), (Some(Keep(1 << 16)), 1 << 16, 3 << 20), (Some(Keep(0)), 0, 1 << 20)]
    {
        let command = command(&trial, "flood 3M");
        let command = match keep {
            Some(keep) => command.keep(keep),
            None => command,
        };
        let handle = command.start().unwrap();
        assert_eq!(handle.stdout_lines().unwrap().count(), (3_usize << 20).div_ceil(80));
        let output = handle.output_bytes().unwrap();
        assert!((least..=most).contains(&output.stdout.len()), "{keep:?}: {}", output.stdout.len());
        assert_eq!(output.outcome.stdout.unwrap().truncated, output.stdout.len() < 3 << 20, "{keep:?}");
        assert_eq!(output.outcome.stdout.unwrap().bytes, 3 << 20);
    }
}

#[test]
fn what_was_not_streamed_is_kept_wholly() {
    let trial = begin();
    let handle = command(&trial, "flood 3M --both").keep(Keep(0)).start().unwrap();
    assert_eq!(
        handle.chunks(Stream::Stdout).unwrap().map(|chunk| chunk.unwrap().len()).sum::<usize>(),
        3 << 20
    );
    assert_eq!(handle.output_bytes().unwrap().stderr.len(), 3 << 20);
}

#[test]
fn several_readers_each_get_all_of_it() {
    let trial = begin();
    let handle = start(&trial, "lines 50000");
    let mut early: Vec<_> = (0..3).map(|_| handle.stdout_lines().unwrap()).collect();
    // At different paces, in one thread.
    for (index, lines) in early.iter_mut().enumerate() {
        assert_eq!(lines.by_ref().take(100 * index).count(), 100 * index);
    }
    for (index, lines) in early.into_iter().enumerate() {
        assert_eq!(lines.count(), 50_000 - 100 * index);
    }
    assert_eq!(handle.stdout_lines().unwrap().count(), 50_000);
}

#[test]
fn a_program_that_nobody_reads_waits_and_goes_on_when_somebody_does() {
    let trial = begin();
    let handle = start(&trial, "flood 4M");
    // Between calls nobody reads: the pipe is full, and nothing is lost.
    wait_until("a full pipe", LONG, || {
        let stat = pinfold_trials::proc::Stat::of(&handle.pid().to_string()).unwrap();
        stat.state == 'S' && handle.seen(Stream::Stdout).unwrap().bytes == 0
    });
    assert_eq!(handle.output_bytes().unwrap().stdout.len(), 4 << 20);
}

#[test]
fn a_stream_that_is_not_captured_is_refused_with_what_to_do() {
    let trial = begin();
    let handle = fixture("both 1").of(&trial).stdout(Stdio::Null).start().unwrap();
    for error in [
        handle.stdout_lines().err().unwrap(),
        handle.chunks(Stream::Stdout).err().unwrap(),
        handle.stdin().err().unwrap(),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        assert!(error.what_to_do().is_some(), "{error}");
    }
    assert_eq!((&handle).into_iter().count(), 0);
    assert_eq!(texts(handle.stderr_lines().unwrap()), ["err 1"]);
    handle.wait().unwrap();
}

#[test]
fn a_conversation_goes_both_ways() {
    let trial = begin();
    let handle = start(&trial, "cat");
    let (mut stdin, mut lines) = (handle.stdin().unwrap(), handle.stdout_lines().unwrap());
    for number in 0..500 {
        stdin.write_line(&format!("line {number}")).unwrap();
        assert_eq!(lines.next_line().unwrap(), Some(&*format!("line {number}")));
    }
    stdin.close().unwrap();
    assert_eq!(lines.next_line().unwrap(), None);
    assert_eq!(handle.wait().unwrap().code(), Some(0));
}

#[test]
fn large_input_and_the_output_that_it_makes_do_not_wait_for_each_other() {
    let trial = begin();
    let handle = start(&trial, "cat");
    let mut stdin = handle.stdin().unwrap();
    let input: Vec<u8> = (0..12 << 20).map(|index| (index % 251) as u8).collect();
    stdin.write_all(&input).unwrap();
    stdin.close().unwrap();
    assert!(handle.output_bytes().unwrap().stdout == input);
}

#[test]
fn a_flushed_write_has_arrived_in_the_pipe_and_two_writers_are_one() {
    let trial = begin();
    let handle = start(&trial, "cat");
    let (mut one, mut two) = (handle.stdin().unwrap(), handle.stdin().unwrap());
    write!(one, "a").unwrap();
    one.flush().unwrap();
    write!(two, "b").unwrap();
    drop(two);
    one.write_line("c").unwrap();
    one.close().unwrap();
    assert_eq!(handle.output().unwrap().stdout, "abc\n");
}

#[test]
fn writing_to_who_does_not_read_is_a_broken_pipe_and_no_signal() {
    let trial = begin();
    for arguments in ["no-stdin 100", "exit 0"] {
        let handle = start(&trial, arguments);
        let mut stdin = handle.stdin().unwrap();
        let error = loop {
            // What the pipe took before its reader went is no error.
            if let Err(error) = stdin.write_all(&[b'x'; 1 << 16]).and_then(|()| stdin.flush()) {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe, "{arguments}");
        assert_eq!(stdin.write(b"x").unwrap_err().kind(), io::ErrorKind::BrokenPipe, "{arguments}");
        handle.kill().unwrap();
    }
}

#[test]
fn writing_after_the_end_of_input_is_an_error() {
    let trial = begin();
    let handle = start(&trial, "eof");
    let mut late = handle.stdin().unwrap();
    handle.stdin().unwrap().close().unwrap();
    assert_eq!(late.write(b"x").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    late.close().unwrap();
    assert_eq!(texts(handle.stdout_lines().unwrap()), ["reading", "eof"]);
    assert_eq!(handle.wait().unwrap().code(), Some(0));
}

#[test]
fn a_write_to_who_never_reads_ends_with_the_run() {
    let trial = begin();
    let handle = fixture("sleep 100")
        .of(&trial)
        .keep_stdin_open()
        .timeout(Duration::from_millis(100))
        .start()
        .unwrap();
    let mut stdin = handle.stdin().unwrap();
    let error = stdin.write_all(&vec![0; 8 << 20]).and_then(|()| stdin.flush()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    assert!(handle.wait().unwrap().timed_out());
}

#[test]
fn a_stream_outlives_the_handle_it_came_from() {
    let trial = begin();
    let handle = start(&trial, "trap USR1 --exit-on TERM:0");
    let mut lines = handle.stdout_lines().unwrap();
    let pid = handle.pid().get();
    drop(handle);
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    assert_eq!(trial.survivors().len(), 1, "the stream keeps it");
    drop(lines);
    assert!(trial.survivors().is_empty(), "{pid} was ended with its last stream");
}

#[test]
fn a_dropped_reader_ends_nothing_and_holds_nothing_up() {
    let trial = begin();
    let handle = start(&trial, "flood 3M");
    drop(handle.stdout_lines().unwrap());
    drop(handle.events());
    drop(handle.chunks(Stream::Stdout).unwrap());
    assert_eq!(handle.output_bytes().unwrap().stdout.len(), 3 << 20);
}

#[test]
fn output_of_a_stopped_run_is_all_that_it_wrote() {
    let trial = begin();
    let handle = start(&trial, "trap TERM,USR1 --exit-on USR2:0");
    assert_eq!(handle.stdout_lines().unwrap().next().unwrap().unwrap(), "ready");
    handle.stop_by(StopRule { signal: pinfold::Signal::USR2, grace: LONG }).unwrap();
    assert_eq!(texts(handle.stdout_lines().unwrap()), ["ready", "USR2"]);
}

/// How a reader of each kind sees standard output come to its end: how many lines or chunks came, then what else.
fn ends(case: &str, handle: &Handle) -> (usize, Vec<ErrorKind>) {
    fn split<T>(all: impl Iterator<Item = pinfold::Result<T>>) -> (usize, Vec<ErrorKind>) {
        let (came, failed): (Vec<_>, Vec<_>) = all.partition(Result::is_ok);
        (came.len(), failed.into_iter().filter_map(Result::err).map(|error| error.kind()).collect())
    }
    match case {
        "lines" | "late" => split(handle.stdout_lines().unwrap()),
        "chunks" => split(handle.chunks(Stream::Stdout).unwrap()),
        _ => {
            let told =
                handle.events().filter(|event| !matches!(event, Ok(Event::Started { .. } | Event::Ended(_))));
            split(told)
        }
    }
}

#[test]
fn a_stream_that_fails_ends_in_an_error_after_what_came() {
    let mut part = Part::new(|case| {
        let handle = sh("echo one; read x; echo two").stderr(Stdio::Null).keep_stdin_open().start().unwrap();
        assert_eq!(handle.stdout_lines().unwrap().next().unwrap().unwrap(), "one");
        handle.stdin().unwrap().close().unwrap();
        if case == "late" {
            handle.wait().unwrap();
        }
        for _ in 0..2 {
            assert_eq!(ends(case, &handle), (1, vec![ErrorKind::Io]), "{case}, again and again");
        }
        let error = handle.output().unwrap_err();
        assert_eq!((error.kind(), error.output().unwrap().stdout.as_slice()), (ErrorKind::Io, &b"one\n"[..]));
    })
    .env("PINFOLD_FAULT", "read=EIO+1");
    let trial = begin();
    for case in ["lines", "late", "chunks", "events"] {
        part.pass(&trial, case);
    }
}

/// Whether a thread of this name waits for something.
fn is_asleep(name: &str) -> bool {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let mut stats = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("stat")).ok());
    stats.any(|stat| stat.contains(&format!("({name}) S")))
}

#[test]
fn who_reads_is_told_of_the_end_of_a_stream_while_somebody_else_drives() {
    let trial = begin();
    let place = tempfile::tempdir().unwrap();
    let gate = place.path().join("gate");
    rustix::fs::mkfifoat(rustix::fs::CWD, &gate, rustix::fs::Mode::RWXU).unwrap();
    let command = sh("read x <$0; exec >&-; exec sleep 1000").arg(&gate).of(&trial);
    let handle = command.timeout(LONG + LONG / 2).start().unwrap();
    let mut lines = handle.stdout_lines().unwrap();
    let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
    std::thread::scope(|scope| {
        let waiting = thread("drives").spawn_scoped(scope, || handle.wait().unwrap()).unwrap();
        wait_until("somebody to drive", LONG, || is_asleep("drives"));
        let reading = thread("reads").spawn_scoped(scope, || lines.next().is_none()).unwrap();
        wait_until("somebody to read", LONG, || is_asleep("reads"));
        std::fs::write(&gate, "go\n").unwrap();
        wait_until("the reader to be told", LONG, || reading.is_finished());
        assert!(reading.join().unwrap() && !waiting.is_finished());
        handle.kill().unwrap();
    });
}
