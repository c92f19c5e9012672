//! Bounds on what is retained: what stays, what is counted, and when the run ends for it.

use std::time::Duration;

use pinfold::{Cause, Command, ErrorKind, Limit, Overflow, Signal, StopRule, Stream};
use pinfold_trials::proc::Status;

use crate::part::Part;
use crate::{LONG, Of, begin, fixture, sh};

const EVERY: [Overflow; 3] = [Overflow::DropOldest, Overflow::DropNewest, Overflow::Error];

/// What of `all` is to be retained.
fn retained(all: &[u8], limit: Limit) -> &[u8] {
    let starts: Vec<usize> = (0..all.len()).filter(|&at| at == 0 || all[at - 1] == b'\n').collect();
    let most = |max: Option<u64>| max.map_or(usize::MAX, |max| usize::try_from(max).unwrap());
    let (bytes, lines) = (most(limit.max_bytes).min(all.len()), most(limit.max_lines).min(starts.len()));
    if limit.on_overflow == Overflow::DropOldest {
        let first = starts.len() - lines;
        let by_lines = starts.get(first).copied().unwrap_or(all.len());
        &all[by_lines.max(all.len() - bytes)..]
    } else {
        let by_lines = starts.get(lines).copied().unwrap_or(all.len());
        &all[..by_lines.min(bytes)]
    }
}

fn limits() -> Vec<Limit> {
    let mut all = Vec::new();
    for on_overflow in EVERY {
        for (max_bytes, max_lines) in [
            (None, None),
            (Some(0), None),
            (Some(1), None),
            (Some(1000), None),
            (Some(3892), None),
            (Some(3893), None),
            (Some(1 << 40), None),
            (None, Some(0)),
            (None, Some(1)),
            (None, Some(999)),
            (None, Some(1000)),
            (None, Some(u64::MAX)),
            (Some(1000), Some(10)),
            (Some(20), Some(10)),
        ] {
            all.push(Limit { max_bytes, max_lines, on_overflow });
        }
    }
    all
}

#[test]
fn each_policy_keeps_its_end_of_each_stream() {
    let trial = begin();
    let all: Vec<u8> = (1..=1000).flat_map(|number| format!("{number}\n").into_bytes()).collect();
    assert_eq!(all.len(), 3893);
    for limit in limits() {
        let whole = retained(&all, limit).len() == all.len();
        let on_stderr = sh("exec \"$0\" lines 1000 >&2").arg(pinfold_trials::fixture()).of(&trial);
        for (stream, command) in
            [(Stream::Stdout, fixture("lines 1000").of(&trial)), (Stream::Stderr, on_stderr)]
        {
            let command = command.output_limit(limit);
            let output = match command.output_bytes() {
                Ok(output) => {
                    assert!(whole || limit.on_overflow != Overflow::Error, "{limit:?}");
                    assert_eq!(output.outcome.code(), Some(0), "{limit:?}");
                    output
                }
                Err(error) => {
                    assert!(!whole && limit.on_overflow == Overflow::Error, "{limit:?}: {error}");
                    assert_eq!(error.kind(), ErrorKind::OutputTooLarge, "{error}");
                    let wanted = limit.max_bytes.map_or_else(
                        || format!("{} lines", limit.max_lines.unwrap()),
                        |bytes| format!("{bytes} bytes"),
                    );
                    assert!(error.to_string().contains(&wanted), "{error}");
                    let output = error.into_output().unwrap();
                    assert_eq!(output.outcome.cause, Cause::OutputLimit);
                    output
                }
            };
            let (ours, other) = match stream {
                Stream::Stdout => (&output.stdout, &output.stderr),
                Stream::Stderr => (&output.stderr, &output.stdout),
            };
            assert_eq!(*ours, retained(&all, limit), "{stream} {limit:?}");
            assert_eq!(*other, b"");
            let seen = output.outcome.seen(stream).unwrap();
            assert_eq!((seen.truncated, output.truncated()), (!whole, !whole), "{limit:?}");
            if limit.on_overflow != Overflow::Error || whole {
                assert_eq!((seen.bytes, seen.lines), (3893, 1000), "all is counted: {limit:?}");
            }
        }
    }
}

#[test]
fn each_stream_has_a_limit_of_its_own() {
    let trial = begin();
    let limit = Limit { max_bytes: Some(100), max_lines: None, on_overflow: Overflow::DropNewest };
    let output = sh("printf %090d 1; printf %090d 2 >&2").of(&trial).output_limit(limit).output().unwrap();
    assert_eq!((output.stdout.len(), output.stderr.len(), output.truncated()), (90, 90, false));
    let output = fixture("flood 1000 --both").of(&trial).output_limit(limit).output().unwrap();
    assert_eq!((output.stdout.len(), output.stderr.len(), output.combined().len()), (100, 100, 200));
}

#[test]
fn a_live_handle_keeps_to_its_limit_as_well() {
    let trial = begin();
    for limit in limits() {
        let handle = fixture("lines 1000").of(&trial).output_limit(limit).start().unwrap();
        let outcome = handle.wait().unwrap();
        let output = handle.output_bytes().unwrap();
        let all: Vec<u8> = (1..=1000).flat_map(|number| format!("{number}\n").into_bytes()).collect();
        assert_eq!(output.stdout, retained(&all, limit), "{limit:?}");
        let overflowed = output.stdout.len() < all.len() && limit.on_overflow == Overflow::Error;
        assert_eq!(outcome.cause == Cause::OutputLimit, overflowed, "{limit:?}");
        let streamed =
            handle.chunks(Stream::Stdout).unwrap().map(Result::unwrap).collect::<Vec<_>>().concat();
        assert_eq!(streamed, output.stdout);
    }
}

#[test]
fn lines_that_are_streamed_under_a_limit_are_whole_and_in_order() {
    let trial = begin();
    let limit = Limit { max_bytes: None, max_lines: Some(50), on_overflow: Overflow::DropOldest };
    let handle = fixture("lines 300000").of(&trial).output_limit(limit).start().unwrap();
    let mut last = 0;
    for line in handle.stdout_lines().unwrap() {
        let line = line.unwrap();
        let number: u64 = line.parse().unwrap();
        // A line of which the rest was dropped ends where it was cut.
        if !(last + 1).to_string().starts_with(&line) {
            assert!(number > last, "{number} after {last}");
        }
        last = last.max(number);
    }
    assert_eq!(last, 300_000);
    assert_eq!(handle.wait().unwrap().stdout.unwrap().lines, 300_000);
}

#[test]
fn too_much_output_ends_also_who_would_go_on() {
    let trial = begin();
    let limit = Limit { max_bytes: Some(1 << 20), max_lines: None, on_overflow: Overflow::Error };
    let endless = |script: &str, grace: Duration| -> Command {
        let rule = StopRule { signal: Signal::TERM, grace };
        sh(script).arg(pinfold_trials::fixture()).of(&trial).output_limit(limit).stop_rule(rule).timeout(LONG)
    };
    for (script, signal) in [
        ("\"$0\" flood 100G", Signal::TERM),
        ("trap '' TERM; exec \"$0\" flood 100G", Signal::KILL),
        ("trap '' TERM; \"$0\" flood 100G & exec \"$0\" trap TERM", Signal::KILL),
    ] {
        // Whoever obeys is not killed because the machine is slow.
        let grace = if signal == Signal::TERM { LONG } else { Duration::from_millis(50) };
        let error = endless(script, grace).output_bytes().unwrap_err();
        assert_eq!(
            (error.kind(), error.signal()),
            (ErrorKind::OutputTooLarge, Some(signal)),
            "{script}: {error}"
        );
        assert_eq!(error.into_output().unwrap().stdout.len(), 1 << 20);
        assert!(trial.survivors().is_empty(), "{script}");
    }
}

#[test]
fn what_is_dropped_takes_no_memory() {
    let mut part = Part::new(|_| {
        let peak = || {
            let status = Status::of("self").unwrap();
            status.field("VmHWM").unwrap().trim_end_matches(" kB").parse::<u64>().unwrap() >> 10
        };
        for on_overflow in [Overflow::DropOldest, Overflow::DropNewest] {
            for (max_bytes, max_lines) in [(Some(1 << 20), None), (None, Some(1000))] {
                let limit = Limit { max_bytes, max_lines, on_overflow };
                let output = fixture("flood 128M").output_limit(limit).output_bytes().unwrap();
                assert_eq!(output.outcome.stdout.unwrap().bytes, 128 << 20);
                assert!(peak() < 64, "{limit:?}: {} MiB", peak());
            }
        }
        let handle = fixture("flood 128M").start().unwrap();
        let lines = handle.stdout_lines().unwrap();
        assert_eq!(lines.map(Result::unwrap).count(), (128_usize << 20).div_ceil(80));
        assert!(peak() < 96, "8 MiB stay readable: {} MiB", peak());
    });
    part.pass(&begin(), "");
}
