//! Batches of real programs: order, room, failures, and what is left when one ends early.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pinfold::testing::{Reply, ScriptedRunner};
use pinfold::{
    Batch, BatchProgress, CancelToken, Command, ErrorKind, Host, Judge, ProcessGroup, Retry, output_all,
    output_all_bytes, output_as_completed,
};
use pinfold_trials::Trial;

use crate::{Of, begin, fixture, sh};

fn codes(trial: &Trial, codes: &[i32]) -> Vec<Command> {
    codes.iter().map(|code| fixture(&format!("exit {code}")).of(trial)).collect()
}

#[test]
fn each_command_has_its_slot_in_its_order() {
    let trial = begin();
    let mut commands = codes(&trial, &[0, 3, 0]);
    commands.insert(1, Command::new("pinfold-no-such-program"));
    commands.push(sh("sleep 0.05; echo last").of(&trial));
    commands.push(sh("printf 'a\\377'").of(&trial));
    for concurrency in [1, 2, 50] {
        let results = Batch::new(commands.clone()).concurrency(concurrency).output();
        let told: Vec<_> = results
            .into_iter()
            .map(|result| result.map(|output| (output.code(), output.stdout)).map_err(|error| error.kind()))
            .collect();
        let ok = |code, stdout: &str| Ok((Some(code), stdout.to_owned()));
        let missing = Err(ErrorKind::NotFound);
        let expected = [ok(0, ""), missing, ok(3, ""), ok(0, ""), ok(0, "last\n"), ok(0, "a\u{fffd}")];
        assert_eq!(told, expected, "{concurrency}");
    }
    assert_eq!(output_all(commands.clone()).len(), commands.len());
    assert_eq!(output_all_bytes(commands).pop().unwrap().unwrap().stdout, b"a\xff");
}

#[test]
fn results_come_as_they_are_done() {
    let trial = begin();
    let directory = tempfile::tempdir().unwrap();
    let wait = "while [ ! -e go ]; do sleep 0.01; done";
    let commands = [sh(wait), sh("exit 0"), sh("touch go")].map(|one| one.of(&trial).cwd(directory.path()));
    let completed = Batch::new(commands.clone()).concurrency(2).as_completed();
    let order: Vec<usize> = completed.map(|(index, output)| (output.unwrap(), index).1).collect();
    assert_eq!(order.first(), Some(&1));
    let mut indices: Vec<usize> = output_as_completed(commands).map(|(index, _)| index).collect();
    indices.sort_unstable();
    assert_eq!(indices, [0, 1, 2]);
}

#[test]
fn commands_are_taken_when_there_is_room_and_no_more_run_than_may() {
    let trial = begin();
    let taken = Arc::new(AtomicUsize::new(0));
    let counting = taken.clone();
    let endless = std::iter::repeat_with(|| fixture("exit 0").of(&trial))
        .inspect(move |_| _ = counting.fetch_add(1, Ordering::Relaxed));
    let seen = Arc::new(Mutex::new(Vec::<BatchProgress>::new()));
    let told = seen.clone();
    let batch = Batch::new(endless).concurrency(3).on_progress(move |now| told.lock().unwrap().push(now));
    let mut completed = batch.as_completed();
    for done in 1..=20 {
        completed.next().unwrap().1.unwrap();
        let taken = taken.load(Ordering::Relaxed);
        assert!(taken <= done + 6, "{taken} were taken when {done} were done");
    }
    drop(completed);
    let seen = seen.lock().unwrap();
    assert!(seen.iter().all(|now| now.running <= 3 && now.total.is_none() && now.failed == 0));
    assert!(seen.iter().any(|now| now.running == 3));
    assert!(trial.survivors().is_empty(), "dropping it ended what ran");
}

#[test]
fn progress_is_told_to_the_end() {
    let trial = begin();
    let last = Arc::new(Mutex::new(BatchProgress::default()));
    let told = last.clone();
    let batch = Batch::new(codes(&trial, &[0, 1, 0, 2])).concurrency(2);
    let end = batch.on_progress(move |now| *told.lock().unwrap() = now).for_each(|_| {});
    assert_eq!((end.done, end.failed, end.running, end.total), (4, 2, 0, Some(4)));
    assert_eq!(*last.lock().unwrap(), end);
}

#[test]
fn the_first_failure_ends_a_batch_that_fails_fast() {
    let trial = begin();
    let commands = || {
        let sleepers = (0..3).map(|_| sh("exec sleep 100").of(&trial));
        let mut commands: Vec<Command> = sleepers.collect();
        commands.insert(1, sh("exit 9").of(&trial));
        commands.extend((0..5).map(|_| sh("touch never").of(&trial)));
        commands
    };
    let results = Batch::new(commands()).concurrency(4).fail_fast().output();
    let told: Vec<_> = results.into_iter().map(|result| result.map(|output| output.code())).collect();
    assert_eq!(told.len(), 9);
    for (index, result) in told.into_iter().enumerate() {
        match (index, result) {
            (1, Ok(code)) => assert_eq!(code, Some(9)),
            (0..4, Err(error)) => {
                assert_eq!(error.kind(), ErrorKind::Cancelled, "{index}");
                assert!(error.output().is_some(), "{index} was not started: {error}");
            }
            (4.., Err(error)) => {
                assert_eq!(error.kind(), ErrorKind::Cancelled);
                assert!(
                    error.to_string().contains("was not started: another of its batch failed"),
                    "{error}"
                );
            }
            (_, result) => panic!("{index}: {result:?}"),
        }
    }
    let error = Batch::new(commands()).concurrency(4).try_output().unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::NonZeroExit, Some(9)));
    let outputs = Batch::new(codes(&trial, &[0, 0])).try_output().unwrap();
    assert_eq!(outputs.len(), 2);
    assert!(trial.survivors().is_empty());
}

#[test]
fn timeouts_and_retries_are_each_commands_own() {
    let trial = begin();
    let directory = tempfile::tempdir().unwrap();
    let third = "echo x >> count; [ $(wc -l < count) = 3 ]";
    let retry = Retry { pause: Duration::from_millis(1), ..Retry::times(5) };
    let commands = [
        sh("exec sleep 100").of(&trial).timeout(Duration::from_millis(50)),
        sh(third).of(&trial).cwd(directory.path()).retry(retry),
        sh("exit 1").of(&trial).retry(Retry { attempts: 2, ..retry }),
    ];
    let mut attempts = [0; 3];
    let mut successes = [false; 3];
    Batch::new(commands.clone()).for_each(|finished| {
        attempts[finished.index] = finished.attempts;
        successes[finished.index] = finished.is_success();
    });
    assert_eq!((attempts, successes), ([1, 3, 2], [false, true, false]));
    let kinds: Vec<_> = Batch::new(commands).judge(Judge::Succeed).output();
    assert_eq!(kinds[0].as_ref().unwrap_err().kind(), ErrorKind::Timeout);
}

#[test]
fn a_token_stops_what_runs_and_starts_no_more() {
    let trial = begin();
    let token = CancelToken::new();
    let told = token.clone();
    let host = Host::new().cancel_on(&token).on_line(move |_, _| told.cancel());
    let commands: Vec<Command> = (0..50).map(|_| sh("echo up; exec sleep 100").of(&trial)).collect();
    let begun = Instant::now();
    let results = Batch::new(commands).on(&host).concurrency(2).output();
    assert_eq!(results.len(), 50);
    assert!(results.iter().all(|result| result.as_ref().unwrap_err().kind() == ErrorKind::Cancelled));
    let started = results.iter().filter(|result| result.as_ref().unwrap_err().output().is_some()).count();
    assert!((1..=2).contains(&started), "{started}");
    assert!(begun.elapsed() < crate::LONG);
    assert_eq!(Batch::new(codes(&trial, &[0])).on(&host).output().len(), 1);
}

#[test]
fn a_batch_without_room_is_refused() {
    let results = Batch::new(["a", "b"].map(Command::new)).concurrency(0).output();
    assert!(results.iter().all(|result| result.as_ref().unwrap_err().kind() == ErrorKind::InvalidInput));
    assert_eq!(results.len(), 2);
    assert!(Batch::new([]).output().is_empty());
}

#[test]
fn any_runner_will_do() {
    let trial = begin();
    let group = ProcessGroup::new().unwrap();
    let results = Batch::new(codes(&trial, &[0, 0])).on(&group).output();
    assert!(results.iter().all(|result| result.is_ok()));
    drop(group);
    let runner = ScriptedRunner::new()
        .on(["slow"], Reply::ok("").after(Duration::from_millis(20)))
        .on(["bad"], Reply::exits(1))
        .on(["gone"], Reply::not_found());
    let commands = ["slow", "bad", "gone", "slow"].map(Command::new);
    let results = Batch::new(commands).on(&runner).concurrency(2).output();
    let told: Vec<_> =
        results.iter().map(|result| result.as_ref().ok().and_then(|output| output.code())).collect();
    assert_eq!(told, [Some(0), Some(1), None, Some(0)]);
}

#[test]
fn a_hundred_thousand_cost_neither_a_thread_nor_a_descriptor_each() {
    let mut trial = begin();
    let runner = ScriptedRunner::new().fallback(Reply::ok("done"));
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    trial.begin_again();
    let (threads_before, open_before) = (threads(), open());
    let commands = (0..100_000).map(|number| Command::new("job").arg(number.to_string()));
    let mut most = (0, 0);
    let end = Batch::new(commands).on(&runner).concurrency(8).for_each(|finished| {
        if finished.index % 1000 == 0 {
            most = (most.0.max(threads()), most.1.max(open()));
        }
    });
    assert_eq!((end.done, end.failed), (100_000, 0));
    assert_eq!(most.0, threads_before);
    assert!(most.1 <= open_before + 20, "{most:?} {open_before}");
    // And of real ones.
    let end = Batch::new((0..500).map(|_| fixture("exit 0").of(&trial))).concurrency(4).for_each(|_| {
        most = (most.0.max(threads()), most.1.max(open()));
    });
    assert_eq!((end.done, most.0), (500, threads_before));
    assert!(most.1 <= open_before + 20 + 4 * 8, "{most:?} {open_before}");
}
