//! The machine over scripted children and made-up time: nothing here waits, and nothing is started.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[cfg(target_os = "linux")]
mod copied;

use crate::capture::{Limit, Overflow};
use crate::outcome::{Cause, Ending, Mechanism, Outcome};
use crate::settings::{Stdio, StopRule, Stream};
use crate::testing::Reply;
use crate::{Command, Progress, Running};
use pinfold_os::signal::Signal;
use proptest::prelude::*;
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

fn command() -> Command {
    Command::new("child")
}

fn perform(command: &Command, reply: &Reply) -> Running {
    command.perform(reply.script.clone(), None).unwrap().0
}

/// Drives it as a driver would that is woken exactly on time: the instants, since the start, at which it had to look.
fn drive(running: &mut Running) -> Vec<Duration> {
    let start = running.started();
    let (mut now, mut looks) = (start, Vec::new());
    while running.advance(now) == Progress::Pending {
        let interest = running.interest();
        assert!(interest.waitables.is_empty(), "a script has no descriptor");
        let next = interest.deadline.expect("a script that is to end has something due").max(now);
        assert!(looks.len() < 10_000, "it spins");
        now = next;
        looks.push(now - start);
    }
    assert!(running.interest().deadline.is_none());
    looks
}

fn end(command: &Command, reply: &Reply) -> (Outcome, String, Vec<Duration>) {
    let mut running = perform(command, reply);
    let looks = drive(&mut running);
    let output = running.take_output(command).unwrap().into_text(&command.encodings);
    (output.outcome.clone(), output.combined(), looks)
}

#[test]
fn output_comes_in_its_order_and_at_its_time() {
    let reply = Reply::ok("a").with_stderr("b").with_stdout("c").after_pause(SECOND).with_stderr("d");
    let (outcome, combined, looks) = end(&command(), &reply);
    assert_eq!((combined.as_str(), outcome.code()), ("abcd", Some(0)));
    assert_eq!((outcome.duration, looks), (SECOND, vec![SECOND]));
    assert_eq!((outcome.cause, outcome.mechanism), (Cause::Itself, Mechanism::Scripted));
    assert_eq!(outcome.seen(Stream::Stderr).map(|seen| seen.bytes), Some(2));
}

#[test]
fn timeouts_act_on_it_and_the_ladder_is_climbed() {
    let grace = 5 * SECOND;
    let timeout = 3 * SECOND;
    let command = command().timeout(timeout).timeout_grace(grace);
    let by = |signal| Ending::Signalled { signal, core_dumped: false };
    let rows = [
        (Reply::pending(), by(Signal::TERM), timeout),
        (Reply::pending().ignoring(Signal::TERM), by(Signal::KILL), timeout + grace),
        (
            Reply::pending().on_signal(Signal::TERM, Reply::ok("bye").after(SECOND)),
            Ending::Exited { code: 0 },
            timeout + SECOND,
        ),
        (
            Reply::pending().on_signal(Signal::TERM, Reply::ok("bye").after(60 * SECOND)),
            by(Signal::KILL),
            timeout + grace,
        ),
        // The kill cannot be ignored, whatever a script says.
        (Reply::pending().ignoring(Signal::TERM).ignoring(Signal::KILL), by(Signal::KILL), timeout + grace),
    ];
    for (reply, ending, duration) in rows {
        let (outcome, _, _) = end(&command, &reply);
        assert_eq!((outcome.cause, outcome.ending, outcome.duration), (Cause::Timeout, ending, duration));
    }
}

#[test]
fn an_idle_timeout_counts_from_the_last_output() {
    let command = command().idle_timeout(3 * SECOND);
    let steady = Reply::lines(["a", "b", "c"], 2 * SECOND);
    assert_eq!(end(&command, &steady).0.cause, Cause::Itself);
    let (outcome, combined, _) = end(&command, &Reply::lines(["a", "b"], 2 * SECOND).after_pause(4 * SECOND));
    assert_eq!((outcome.cause, outcome.duration), (Cause::IdleTimeout, 5 * SECOND));
    assert_eq!(combined, "a\nb\n");
}

#[test]
fn a_reply_that_timed_out_says_so_at_once() {
    let (outcome, combined, looks) = end(&command(), &Reply::timeout().with_stdout("so far"));
    assert!(outcome.timed_out() && looks.is_empty());
    assert_eq!((combined.as_str(), outcome.signal()), ("so far", Some(Signal::TERM)));
}

#[test]
fn output_limits_act_on_it() {
    let limit = |on_overflow| Limit { max_bytes: Some(4), max_lines: None, on_overflow };
    let reply = Reply::ok("12345678").after_pause(SECOND);
    let (outcome, combined, _) = end(&command().output_limit(limit(Overflow::Error)), &reply);
    assert_eq!((outcome.cause, combined.as_str()), (Cause::OutputLimit, "1234"));
    assert_eq!(outcome.duration, Duration::ZERO);
    let (outcome, combined, _) = end(&command().output_limit(limit(Overflow::DropOldest)), &reply);
    assert_eq!((outcome.cause, combined.as_str()), (Cause::Itself, "5678"));
    assert!(outcome.seen(Stream::Stdout).unwrap().truncated);
}

#[test]
fn it_reads_what_it_is_given() {
    let command = command().stdin_text("one\ntwo\n");
    let reply = Reply::ok("").after_line().with_stdout("1").after_line().with_stdout("2").after_input();
    let (mut running, intake) = command.perform(reply.script, None).unwrap();
    drive(&mut running);
    assert_eq!(intake.unwrap().bytes(), b"one\ntwo\n");
    assert_eq!(running.take_output(&command).unwrap().stdout, b"12");
    // It closes its input early, which is no error.
    let (mut running, intake) =
        command.perform(Reply::ok("").after_pause(SECOND).reads(3).script, None).unwrap();
    drive(&mut running);
    assert_eq!(intake.unwrap().bytes(), b"one");
    assert!(running.feed.is_broken());
}

#[test]
fn what_waits_for_input_is_stopped_all_the_same() {
    let command = command().keep_stdin_open().timeout(SECOND);
    let (outcome, _, _) = end(&command, &Reply::ok("").after_input());
    assert_eq!((outcome.cause, outcome.duration), (Cause::Timeout, SECOND));
}

#[test]
fn while_it_is_suspended_its_time_stands_still() {
    let command = command();
    let mut running = perform(&command, &Reply::ok("late").after(3 * SECOND));
    let start = running.started();
    assert_eq!(running.advance(start + SECOND), Progress::Pending);
    running.suspend().unwrap();
    assert_eq!(running.interest().deadline, Some(start + SECOND), "the letter is to be read");
    assert_eq!(running.advance(start + 9 * SECOND), Progress::Pending);
    assert_eq!(running.interest().deadline, None);
    running.resume().unwrap();
    assert_eq!(running.advance(start + 10 * SECOND), Progress::Pending);
    assert_eq!(running.interest().deadline, Some(start + 11 * SECOND));
    assert_eq!(running.advance(start + 11 * SECOND), Progress::Done);
}

#[test]
fn a_suspended_child_takes_a_stop_and_not_a_signal() {
    let mut running = perform(&command(), &Reply::pending());
    let start = running.started();
    running.suspend().unwrap();
    running.signal(Signal::TERM).unwrap();
    assert_eq!(running.advance(start), Progress::Pending);
    running.stop(StopRule::default(), start);
    assert_eq!(running.advance(start), Progress::Done);
    assert_eq!(running.outcome().unwrap().signal(), Some(Signal::TERM));
    assert!(running.signal(Signal::TERM).is_err(), "there is nobody any more");
    assert!(running.members().is_empty());
}

#[test]
fn a_made_up_pid_is_nobodys() {
    let (one, two) = (perform(&command(), &Reply::pending()), perform(&command(), &Reply::pending()));
    assert_ne!(one.pid(), two.pid());
    assert!(one.pid().get() > 4_194_304);
    assert_eq!(one.members(), [one.pid()]);
}

#[test]
fn uncaptured_output_goes_where_the_command_says() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let command = command().stdout(Stdio::file(&path)).stderr(Stdio::Stdout);
    end(&command, &Reply::ok("out\n").with_stderr("err\n"));
    assert_eq!(std::fs::read_to_string(path).unwrap(), "out\nerr\n");
    // Both in one stream.
    let merged = Command::new("child").stderr(Stdio::Stdout);
    let (outcome, combined, _) = end(&merged, &Reply::ok("out\n").with_stderr("err\n"));
    assert_eq!((combined.as_str(), outcome.stderr), ("out\nerr\n", None));
}

#[test]
fn dropping_it_takes_no_time() {
    let before = Instant::now();
    drop(perform(&command(), &Reply::pending().ignoring(Signal::TERM)));
    assert!(before.elapsed() < SECOND);
}

#[test]
fn more_than_one_turn_of_output_all_comes() {
    let big = vec![b'x'; 5 << 20];
    let (outcome, combined, _) = end(&command(), &Reply::ok(&big));
    assert_eq!((combined.len(), outcome.code()), (big.len(), Some(0)));
}

#[derive(Clone, Debug)]
enum Move {
    Pause(u64),
    Write(bool, usize),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        (0..4000u64).prop_map(Move::Pause),
        (any::<bool>(), 0..3000usize).prop_map(|(stream, len)| Move::Write(stream, len)),
    ];
    prop::collection::vec(one, 0..20)
}

proptest! {
    /// Whatever a child does: it ends by itself before its timeouts, or by them exactly then; stopping takes no longer than
    /// its grace; all that it wrote by then is there, in order; and looking more often than needed changes nothing.
    #[test]
    fn every_run_is_over_in_time_and_says_why(
        moves in moves(),
        ends in any::<bool>(),
        timeout in 1..20_000u64,
        idle in 1..5_000u64,
        grace in 0..3_000u64,
        ignores in any::<bool>(),
        step in 1..2_000u64,
    ) {
        let millis = Duration::from_millis;
        let mut reply = if ends { Reply::exits(7) } else { Reply::pending() };
        if ignores {
            reply = reply.ignoring(Signal::TERM);
        }
        let mut model: Vec<(u64, Vec<u8>)> = Vec::new();
        let mut at = 0;
        for (index, one) in moves.iter().enumerate() {
            match *one {
                Move::Pause(pause) => {
                    reply = reply.after_pause(millis(pause));
                    at += pause;
                }
                Move::Write(stream, len) => {
                    let bytes = vec![index as u8; len];
                    let stream = if stream { Stream::Stdout } else { Stream::Stderr };
                    reply = reply.writes(stream, &bytes);
                    if len > 0 {
                        model.push((at, bytes));
                    }
                }
            }
        }
        let natural = ends.then_some(at);
        // When it is stopped, if it is: idle counts from what it wrote last before.
        let mut last = 0;
        let mut idles = u64::MAX;
        // Output at the very instant comes first.
        for (time, _) in &model {
            if *time > last + idle {
                break;
            }
            last = *time;
        }
        if natural.is_none_or(|end| end > last + idle) {
            idles = last + idle;
        }
        let stop = natural.map_or(timeout.min(idles), |end| end.min(timeout).min(idles));
        let by_itself = natural.is_some_and(|end| end <= timeout && end <= idles);
        let command = command().timeout(millis(timeout)).idle_timeout(millis(idle)).timeout_grace(millis(grace));
        let (outcome, combined, _) = end(&command, &reply);
        if by_itself {
            prop_assert_eq!((outcome.cause, outcome.code()), (Cause::Itself, Some(7)));
            prop_assert_eq!(outcome.duration, millis(stop));
        } else {
            let cause = if timeout <= idles { Cause::Timeout } else { Cause::IdleTimeout };
            prop_assert_eq!(outcome.cause, cause);
            let longest = stop + if ignores { grace } else { 0 };
            prop_assert!(outcome.duration <= millis(longest), "{:?} of {longest}", outcome.duration);
            prop_assert!(outcome.duration >= millis(stop));
        }
        let lived = outcome.duration.as_millis() as u64;
        let said: Vec<u8> = model.iter().filter(|(time, _)| *time <= lived).flat_map(|(_, bytes)| bytes.clone()).collect();
        prop_assert!(combined.as_bytes() == said, "{} bytes for {}", combined.len(), said.len());

        // The same by a driver that looks every so often besides.
        let mut running = perform(&command, &reply);
        let start = running.started();
        let (mut now, mut tick) = (start, start);
        while running.advance(now) == Progress::Pending {
            if tick <= now {
                tick = now + millis(step);
            }
            now = running.interest().deadline.map_or(tick, |deadline| deadline.min(tick)).max(now);
        }
        let again = running.outcome().unwrap();
        prop_assert_eq!((again.cause, again.ending, again.duration), (outcome.cause, outcome.ending, outcome.duration));
    }
}

/// Ten seconds of retries and pauses, which take no time.
#[test]
fn a_verb_is_driven_by_a_made_up_clock() {
    use crate::testing::ScriptedRunner;
    use crate::{Completion, Judge, Machine, Retry};
    let replies = [Reply::fail(1, "no").after(3 * SECOND), Reply::pending(), Reply::ok("yes")];
    let runner = ScriptedRunner::new().sequence(["child"], replies);
    let retry = Retry { pause: SECOND, ..Retry::times(3) };
    let mut verb = Completion::new(runner, command().timeout(4 * SECOND).retry(retry), Judge::Succeed);
    let start = Instant::now() + 3600 * SECOND;
    let mut now = start;
    let output = loop {
        if let Some(answer) = verb.advance(now).unwrap() {
            break answer.unwrap();
        }
        now = verb.interest(now).deadline.unwrap().max(now);
    };
    assert_eq!((output.stdout.as_slice(), now - start), (&b"yes"[..], 10 * SECOND));
}
