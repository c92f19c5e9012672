//! Pipelines of scripted children and made-up time: nothing here waits, and nothing is started.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::drive::completion::Completion;
use crate::testing::{Reply, ScriptedRunner};
use crate::{
    CancelToken, Cause, Command, ErrorKind, Limit, Machine, Mechanism, Output, Overflow, Pipeline, Result,
    Signal, Source, Stream,
};
use crate::{Judge, Piped};
use proptest::prelude::*;
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

fn pipeline(programs: &[&str]) -> Pipeline {
    Pipeline::new(programs.iter().map(Command::new))
}

/// Drives it by a driver that is woken exactly on time: the answer, and how much time was made up.
fn drive(machine: &mut Completion<Piped<&ScriptedRunner>>) -> (Result<Output<Vec<u8>>>, Duration) {
    let start = Instant::now();
    let (mut now, mut looks) = (start, 0);
    loop {
        if let Some(answer) = machine.advance(now).unwrap() {
            return (answer, now - start);
        }
        let interest = machine.interest(now);
        now = interest.deadline.expect("a script that is to end has something due").max(now);
        looks += 1;
        assert!(looks < 10_000, "it spins");
    }
}

fn end(pipeline: &Pipeline, runner: &ScriptedRunner) -> (Result<Output<Vec<u8>>>, Duration) {
    drive(&mut pipeline.completion(runner, Judge::End))
}

#[test]
fn each_stage_reads_what_the_one_before_it_wrote() {
    let runner = ScriptedRunner::new()
        .on(["a"], Reply::ok("one\n").after_pause(SECOND).with_stdout("two\n").with_stderr("hm"))
        .on(["b"], Reply::exits(0).after_line().with_stdout("b1").after_input().with_stdout("b2"))
        .on(["c"], Reply::exits(4).after_input().with_stdout("last"));
    let (output, took) = end(&pipeline(&["a", "b", "c"]), &runner);
    let output = output.unwrap();
    assert_eq!(runner.inputs(), [b"one\ntwo\n".to_vec(), b"b1b2".to_vec()]);
    assert_eq!((output.stdout.as_slice(), output.code(), took), (&b"last"[..], Some(4), SECOND));
    assert_eq!((output.failed_stage(), output.mechanism), (Some(2), Mechanism::Scripted));
    assert_eq!(output.stages()[0].stderr_text(), "hm");
    assert_eq!(output.outcome.seen(Stream::Stdout).map(|seen| seen.bytes), Some(4));
}

#[test]
fn the_first_is_fed_and_a_reader_that_has_enough_breaks_the_pipe() {
    let chatty = (0..100).fold(Reply::exits(0), |reply, _| reply.after_pause(SECOND).with_stdout("y\n"));
    let runner = ScriptedRunner::new()
        .on(["yes"], chatty)
        .on(["head"], Reply::ok("y\n").reads(2).after_line())
        .on(["cat"], Reply::ok("fed").after_input());
    let (output, _) = end(&pipeline(&["yes", "head"]), &runner);
    let output = output.unwrap();
    let signals: Vec<_> = output.stages().iter().map(|stage| stage.outcome.signal()).collect();
    assert_eq!(signals, [Some(Signal::PIPE), None]);
    assert!(output.is_success() && output.stages()[0].clean);
    let fed = Source::bytes(*b"input") | pipeline(&["cat", "cat"]);
    assert!(end(&fed, &runner).0.unwrap().is_success());
    assert!(runner.inputs().contains(&b"input".to_vec()));
}

#[test]
fn timeouts_of_the_chain_and_of_stages_act_on_it() {
    let runner = ScriptedRunner::new()
        .on(["late"], Reply::ok("late").after(100 * SECOND))
        .on(["stubborn"], Reply::pending().ignoring(Signal::TERM))
        .on(["cat"], Reply::exits(0).after_input());
    let chain = pipeline(&["late", "stubborn"]).timeout(3 * SECOND).timeout_grace(5 * SECOND);
    let (output, took) = end(&chain, &runner);
    let output = output.unwrap();
    assert_eq!((output.cause, output.failed_stage(), took), (Cause::Timeout, Some(0), 8 * SECOND));
    let own = Command::new("late").timeout(2 * SECOND) | Command::new("cat");
    let (output, took) = end(&own, &runner);
    let output = output.unwrap();
    assert_eq!((output.cause, output.failed_stage(), took), (Cause::Timeout, Some(0), 2 * SECOND));
    assert!(output.stages()[1].clean);
    let error = drive(&mut own.completion(&runner, Judge::Succeed)).0.unwrap_err();
    assert_eq!(
        (error.kind(), error.timeout(), error.stage()),
        (ErrorKind::Timeout, Some(2 * SECOND), Some(0))
    );
}

#[test]
fn limits_listeners_and_tokens_act_on_it() {
    let heard = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let (told, token) = (heard.clone(), CancelToken::new());
    let runner = ScriptedRunner::new()
        .on(["a"], Reply::ok("passed on\n").with_stderr("error\n"))
        .on(["b"], Reply::ok("line\nand more\n").after_input())
        .on(["never"], Reply::pending())
        .cancel_on(&token)
        .on_line(move |stream, line| told.lock().unwrap().push(format!("{stream}: {line}")));
    let few = Limit { max_bytes: Some(6), max_lines: None, on_overflow: Overflow::Error };
    let limited = Command::new("a") | Command::new("b").output_limit(few);
    assert_eq!(end(&limited, &runner).0.unwrap_err().kind(), ErrorKind::OutputTooLarge);
    heard.lock().unwrap().clear();
    let passing = Command::new("a").output_limit(few) | Command::new("b");
    assert!(
        end(&passing, &runner).0.unwrap().is_success(),
        "what passes through is not held against a limit"
    );
    assert_eq!(*heard.lock().unwrap(), ["stdout: line", "stdout: and more"]);
    let waiting = pipeline(&["never", "b"]);
    let mut machine = waiting.completion(&runner, Judge::End);
    assert!(machine.advance(Instant::now()).unwrap().is_none());
    token.cancel();
    assert_eq!(drive(&mut machine).0.unwrap_err().kind(), ErrorKind::Cancelled);
}

#[test]
fn a_stage_that_is_not_started_names_itself() {
    let runner = ScriptedRunner::new().on(["a"], Reply::pending()).on(["gone"], Reply::not_found());
    let error = end(&pipeline(&["a", "gone", "b"]), &runner).0.unwrap_err();
    assert_eq!((error.kind(), error.stage()), (ErrorKind::NotFound, Some(1)));
    let error = end(&pipeline(&["a", "b"]), &runner).0.unwrap_err();
    assert_eq!((error.kind(), error.stage()), (ErrorKind::NoReply, Some(1)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Whatever stages write and when, all of it comes out at the end, and it is the first that failed that counts.
    #[test]
    fn nothing_is_lost_between_stages(
        parts in prop::collection::vec((1..1_500_000_usize, 0..3_u32), 0..4),
        codes in prop::collection::vec(0..3_i32, 1..5),
    ) {
        let last = codes.len() - 1;
        let writer = parts.iter().fold(Reply::exits(codes[0]), |reply, (len, pause)| {
            reply.after_pause(*pause * SECOND).with_stdout(vec![*len as u8; *len])
        });
        let runner = ScriptedRunner::new().answering(move |command| {
            let index: usize = command.program().to_str()?.parse().ok()?;
            Some(if index == 0 { writer.clone() } else { Reply::exits(codes[index]).after_input() })
        });
        let all: Vec<u8> = parts.iter().flat_map(|(len, _)| vec![*len as u8; *len]).collect();
        let programs: Vec<String> = (0..=last).map(|index| index.to_string()).collect();
        let chain = Pipeline::new(programs.iter().map(Command::new));
        let output = end(&chain, &runner).0.unwrap();
        if last == 0 {
            prop_assert!(output.stdout == all);
        } else {
            prop_assert!(runner.inputs()[0] == all);
        }
        let first = output.stages().iter().position(|stage| stage.outcome.code() != Some(0));
        prop_assert_eq!(output.failed_stage(), first);
    }
}
