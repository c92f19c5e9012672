//! Supervision over made-up time and scripted runs; and, where that is what counts, over processes.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::machine::{Crowd, Machine};
use crate::outcome::Ending;
use crate::testing::{Reply, ScriptedRunner};
use crate::{CancelToken, Retry, Stdin, StopRule};
use pinfold_os::signal::Signal;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

fn replying(replies: impl IntoIterator<Item = Reply>) -> Supervisor {
    let runner = ScriptedRunner::new().sequence(["child"], replies).fallback(Reply::pending());
    Supervisor::new(Command::new("child")).runner(runner).backoff(Backoff::NONE)
}

fn crashes(count: usize) -> Vec<Reply> {
    vec![Reply::exits(1); count]
}

/// A machine and its made-up clock.
struct Clock {
    supervision: Supervision,
    start: Instant,
    now: Instant,
}

impl Clock {
    fn new(supervisor: &Supervisor) -> Clock {
        let now = Instant::now();
        Clock { supervision: supervisor.supervision().unwrap(), start: now, now }
    }

    /// Goes on as a driver would that is woken exactly on time, until the answer or for this long.
    fn run_for(&mut self, long: Duration) -> Option<Result<SupervisionOutcome>> {
        let until = self.now + long;
        for _ in 0..100_000 {
            if let Some(answer) = self.supervision.advance(self.now).unwrap() {
                return Some(answer);
            }
            match self.supervision.interest(self.now).deadline {
                Some(next) if next <= until => self.now = next.max(self.now),
                _ => {
                    self.now = until;
                    return None;
                }
            }
        }
        panic!("it spins");
    }

    fn finish(&mut self) -> SupervisionOutcome {
        self.run_for(Duration::from_secs(1 << 30)).expect("an end").unwrap()
    }

    fn passed(&self) -> Duration {
        self.now - self.start
    }

    fn events(&mut self) -> Vec<String> {
        let events = self.supervision.take_events();
        events
            .iter()
            .map(|event| match event {
                SupervisionEvent::Started { number, .. } => format!("started {number}"),
                SupervisionEvent::NotStarted { number, .. } => format!("not started {number}"),
                SupervisionEvent::Ready { after } => format!("ready {}", after.as_secs()),
                SupervisionEvent::Unhealthy { failures, ending, .. } => {
                    format!("unhealthy {failures} {ending}")
                }
                SupervisionEvent::Changed { .. } => "changed".to_owned(),
                SupervisionEvent::Stopping { reason } => format!("stopping {reason:?}"),
                SupervisionEvent::Ended(outcome) => match outcome.ending {
                    Ending::Exited { code } => format!("exited {code}"),
                    _ => format!("ended {:?}", outcome.cause),
                },
                SupervisionEvent::Restarting { after, .. } => format!("restarting {}", after.as_secs()),
                SupervisionEvent::StormPause { pause } => format!("storm {}", pause.as_secs()),
                SupervisionEvent::Stopped(stopped) => stopped.to_string(),
                SupervisionEvent::Failed { error } => error.clone(),
            })
            .collect()
    }
}

#[test]
fn policies_say_what_comes_after_each_end() {
    use Restart::{Always, Never, OnCrash};
    use Stopped::{PolicySatisfied, Predicate, RestartsExhausted};
    let ok = || Reply::exits(0);
    let rows = [
        (Never, vec![ok()], 0, PolicySatisfied),
        (Never, crashes(1), 0, PolicySatisfied),
        (OnCrash, vec![ok()], 0, PolicySatisfied),
        (OnCrash, [crashes(2), vec![ok()]].concat(), 2, PolicySatisfied),
        (OnCrash, vec![Reply::signalled(Signal::SEGV), ok()], 1, PolicySatisfied),
        (OnCrash, vec![Reply::timeout(), ok()], 1, PolicySatisfied),
        (OnCrash, vec![Reply::refused(ErrorKind::ResourceLimit, "no memory"), ok()], 1, PolicySatisfied),
        (OnCrash, vec![Reply::exits(1), Reply::not_found(), ok()], 2, PolicySatisfied),
        (OnCrash, crashes(9), 3, RestartsExhausted),
        (Always, vec![ok(); 9], 3, RestartsExhausted),
        (Always, [vec![ok()], vec![Reply::exits(7)], vec![ok()]].concat(), 1, Predicate),
    ];
    for (restart, replies, restarts, stopped) in rows {
        let supervisor =
            replying(replies).restart(restart).max_restarts(3).stop_when(|output| output.code() == Some(7));
        let outcome = Clock::new(&supervisor).finish();
        assert_eq!((outcome.restarts, outcome.stopped), (restarts, stopped), "{restart:?}");
        assert_eq!(outcome.history.len(), restarts as usize + 1);
    }
}

#[test]
fn what_it_came_to_reads_as_a_sentence() {
    let told = |replies: Vec<Reply>, most: u32| {
        Clock::new(&replying(replies).max_restarts(most)).finish().to_string()
    };
    let healed =
        "ended after 1 restart, as its policy restarts nothing after such an end: exited with code 0";
    assert_eq!(told([crashes(1), vec![Reply::exits(0)]].concat(), 3), healed);
    let given_up = "ended after 2 restarts, since it may not be restarted more often: exited with code ";
    assert!(told(crashes(9), 2).starts_with(given_up), "{}", told(crashes(9), 2));
    let never = "ended after 0 restarts, since it may not be restarted more often: it was never started";
    assert_eq!(told(vec![Reply::refused(ErrorKind::ResourceLimit, "no memory")], 0), never);
}

#[test]
fn what_cannot_be_started_for_good_is_told_at_the_first_start() {
    let rows = [
        (Reply::not_found(), ErrorKind::NotFound),
        (Reply::refused(ErrorKind::PermissionDenied, "no"), ErrorKind::PermissionDenied),
        (Reply::refused(ErrorKind::Unsupported, "no"), ErrorKind::Unsupported),
        (Reply::refused(ErrorKind::Cancelled, "no"), ErrorKind::Cancelled),
    ];
    for (reply, kind) in rows {
        let mut clock = Clock::new(&replying([reply]).restart(Restart::Always));
        assert_eq!(clock.run_for(SECOND).unwrap().unwrap_err().kind(), kind);
        assert!(clock.supervision.advance(clock.now).is_err(), "it is over");
    }
    let never = replying([Reply::refused(ErrorKind::ResourceLimit, "no memory")]).max_restarts(0);
    let outcome = Clock::new(&never).finish();
    assert_eq!((outcome.stopped, outcome.final_result), (Stopped::RestartsExhausted, None));
    assert_eq!(outcome.history[0].error.as_deref(), Some("child: no memory"));
}

#[test]
fn rules_that_contradict_themselves_are_refused() {
    let base = || replying([]);
    let rows = [
        base().backoff(Backoff { factor: 0.0, ..Backoff::default() }),
        base().storm(Storm { threshold: f64::NAN, ..Storm::pausing(SECOND) }),
        base().storm(Storm { decay: Duration::ZERO, ..Storm::pausing(SECOND) }),
        base().alive_while(Liveness::new(Probe::line(|_| true))),
        base().alive_while(Liveness { failures: 0, ..Liveness::new(Probe::holds(|| true)) }),
        base().within(SECOND),
        Supervisor::new(Command::new("child").stdin(Stdin::Open)),
        Supervisor::new(Command::new("child").retry(Retry::times(2))),
    ];
    for (row, supervisor) in rows.iter().enumerate() {
        assert_eq!(supervisor.supervision().unwrap_err().kind(), ErrorKind::InvalidInput, "{row}");
    }
}

#[test]
fn pauses_grow_and_begin_anew_after_a_run_that_lasted() {
    let backoff = Backoff { initial: SECOND, factor: 2.0, max: 5 * SECOND, jitter: false };
    let long = Reply::exits(1).after_pause(20 * SECOND);
    let replies = [crashes(4), vec![long], crashes(2), vec![Reply::exits(0)]].concat();
    let mut clock = Clock::new(&replying(replies).backoff(backoff));
    let outcome = clock.finish();
    assert_eq!(clock.passed(), (1 + 2 + 4 + 5) * SECOND + 20 * SECOND + (1 + 2 + 4) * SECOND);
    assert_eq!(outcome.restarts, 7);
    let began: Vec<u64> = outcome.history.iter().map(|past| past.began.as_secs()).collect();
    assert_eq!(began, [0, 1, 3, 7, 12, 33, 35, 39]);
}

#[test]
fn restarts_within_a_window_are_bounded_and_older_ones_forgotten() {
    let slow = || Reply::exits(1).after_pause(4 * SECOND);
    // One every 4 seconds: never more than 3 in 10.
    let replies = (0..9).map(|_| slow()).chain([Reply::exits(0)]);
    let outcome = Clock::new(&replying(replies).max_restarts(3).within(10 * SECOND)).finish();
    assert_eq!((outcome.restarts, outcome.stopped), (9, Stopped::PolicySatisfied));
    let outcome = Clock::new(&replying(crashes(9)).max_restarts(3).within(10 * SECOND)).finish();
    assert_eq!((outcome.restarts, outcome.stopped), (3, Stopped::RestartsExhausted));
}

#[test]
fn a_storm_makes_a_long_pause() {
    let storm = Storm { pause: 60 * SECOND, threshold: 2.0, decay: 10 * SECOND };
    let supervisor = replying([crashes(5), vec![Reply::exits(0)]].concat()).storm(storm);
    let mut clock = Clock::new(&supervisor);
    assert!(clock.run_for(SECOND).is_none());
    assert_eq!(clock.supervision.phase(), Phase::StormPause);
    let outcome = clock.finish();
    assert_eq!((outcome.storm_pauses, clock.passed()), (1, 60 * SECOND));
    assert_eq!(clock.events().iter().filter(|event| *event == "storm 60").count(), 1);
    let calm = Clock::new(&replying([crashes(5), vec![Reply::exits(0)]].concat())).finish();
    assert_eq!(calm.storm_pauses, 0);
}

#[test]
fn each_phase_can_be_stopped_and_restarted() {
    let backoff = Backoff { initial: 9 * SECOND, factor: 1.0, max: 9 * SECOND, jitter: false };
    let stubborn = || Reply::pending().ignoring(Signal::TERM);
    let never = || Probe::holds(|| false);
    let storm = Storm { pause: 9 * SECOND, threshold: 0.0, decay: SECOND };
    let rows: [(Phase, Supervisor); 5] = [
        (Phase::Due, replying([])),
        (Phase::Starting, replying([]).ready_when(never(), 60 * SECOND)),
        (Phase::Up, replying([])),
        (Phase::Backoff, replying(crashes(1)).backoff(backoff)),
        (Phase::StormPause, replying(crashes(1)).storm(storm)),
    ];
    for (phase, supervisor) in rows {
        for restart in [false, true] {
            let mut clock = Clock::new(&supervisor_of(&supervisor, phase));
            if phase != Phase::Due {
                assert!(clock.run_for(SECOND).is_none());
            }
            assert_eq!(clock.supervision.phase(), phase);
            if restart {
                clock.supervision.restart(clock.now);
                assert!(clock.run_for(SECOND).is_none());
                let asked = clock.supervision.status().restarts_asked;
                assert_eq!(asked, u32::from(phase != Phase::Due), "{phase}");
                assert!(matches!(clock.supervision.phase(), Phase::Up | Phase::Starting), "{phase}");
            }
            clock.supervision.stop(clock.now);
            let outcome = clock.run_for(SECOND).expect("an end within its second").unwrap();
            assert_eq!(outcome.stopped, Stopped::Stopped, "{phase}");
            assert_eq!(clock.events().last().unwrap(), "stopped");
        }
    }
    // While it is being stopped for another reason, and by a second word that is the last.
    let mut clock = Clock::new(&replying([stubborn()]));
    assert!(clock.run_for(SECOND).is_none());
    clock.supervision.restart(clock.now);
    assert_eq!(clock.supervision.phase(), Phase::Stopping);
    assert!(clock.run_for(SECOND).is_none());
    clock.supervision.stop_by(StopRule::KILL, clock.now);
    let outcome = clock.run_for(SECOND).expect("killed").unwrap();
    assert_eq!(
        (outcome.stopped, outcome.outcome().unwrap().signal()),
        (Stopped::Stopped, Some(Signal::KILL))
    );
}

/// The same rules with replies of their own, since a sequence is used up.
fn supervisor_of(supervisor: &Supervisor, phase: Phase) -> Supervisor {
    let replies = match phase {
        Phase::Backoff | Phase::StormPause => crashes(1),
        _ => Vec::new(),
    };
    let fresh = replying(replies);
    Supervisor { runner: fresh.runner, ..supervisor.clone() }
}

#[test]
fn a_run_is_ready_when_its_probe_holds_and_ended_if_that_takes_too_long() {
    let late = Reply::pending().after_pause(3 * SECOND).with_stdout("ready\n");
    let dead = Reply::fail(4, "no\n").after_pause(SECOND);
    let supervisor =
        replying([Reply::pending(), dead, late]).ready_when(Probe::line(|line| line == "ready"), 5 * SECOND);
    let mut clock = Clock::new(&supervisor);
    assert!(clock.run_for(60 * SECOND).is_none());
    assert_eq!(clock.supervision.status().ready, Some(3 * SECOND));
    let said = [
        "started 1",
        "unhealthy 1 true",
        "stopping Unhealthy",
        "ended Stopped",
        "restarting 0",
        "started 2",
        "exited 4",
        "restarting 0",
        "started 3",
        "ready 3",
    ];
    assert_eq!(clock.events(), said);
    let never = replying([]).restart(Restart::Never).ready_when(Probe::holds(|| false), SECOND);
    let outcome = Clock::new(&never).finish();
    assert_eq!((outcome.stopped, outcome.history[0].reason), (Stopped::Unhealthy, Some(Reason::Unhealthy)));
}

#[test]
fn a_run_that_does_not_answer_any_more_is_restarted() {
    let asked = Arc::new(AtomicU32::new(0));
    // The 3rd, and the 5th to the 7th, fail.
    let probe = Probe::asked({
        let asked = asked.clone();
        move || match asked.fetch_add(1, Ordering::SeqCst) + 1 {
            3 | 5..=7 => Err("busy".to_owned()),
            _ => Ok(()),
        }
    });
    let liveness = Liveness { interval: 10 * SECOND, ..Liveness::new(probe) };
    let mut clock = Clock::new(&replying([]).alive_while(liveness));
    assert!(clock.run_for(75 * SECOND).is_none());
    let said = [
        "started 1",
        "ready 0",
        "unhealthy 1 false",
        "unhealthy 1 false",
        "unhealthy 2 false",
        "unhealthy 3 true",
        "stopping Unhealthy",
        "ended Stopped",
        "restarting 0",
        "started 2",
        "ready 0",
    ];
    assert_eq!(clock.events(), said);
    assert_eq!(asked.load(Ordering::SeqCst), 7);
}

#[test]
fn a_liveness_probe_that_never_answers_fails_in_time() {
    let runner = ScriptedRunner::new().fallback(Reply::pending());
    let probe = Probe::command_on(runner, Command::new("healthy?")).attempt(3600 * SECOND);
    let liveness = Liveness { interval: 10 * SECOND, timeout: 2 * SECOND, failures: 1, probe };
    let mut clock = Clock::new(&replying([]).alive_while(liveness).restart(Restart::Never));
    let outcome = clock.finish();
    assert_eq!((outcome.stopped, clock.passed()), (Stopped::Unhealthy, 12 * SECOND));
}

#[test]
fn a_token_ends_supervision_in_an_error_at_any_time() {
    for replies in [vec![], crashes(1)] {
        let token = CancelToken::new();
        let runner =
            ScriptedRunner::new().sequence(["child"], replies).fallback(Reply::pending()).cancel_on(&token);
        let backoff = Backoff { initial: 9 * SECOND, jitter: false, ..Backoff::default() };
        let mut clock = Clock::new(&Supervisor::new(Command::new("child")).runner(runner).backoff(backoff));
        assert!(clock.run_for(SECOND).is_none());
        token.cancel();
        assert_eq!(clock.run_for(SECOND).unwrap().unwrap_err().kind(), ErrorKind::Cancelled);
    }
}

#[test]
fn a_signal_reaches_what_runs_and_nothing_else() {
    let supervisor = replying([Reply::pending().on_signal(Signal::HUP, Reply::ok("reread\n"))]);
    let mut clock = Clock::new(&supervisor);
    assert_eq!(clock.supervision.signal(Signal::HUP).unwrap_err().kind(), ErrorKind::NotFound);
    assert!(clock.run_for(SECOND).is_none());
    clock.supervision.signal(Signal::HUP).unwrap();
    assert_eq!(clock.finish().final_result.unwrap().stdout, "reread\n");
}

#[test]
fn output_is_the_end_of_it_and_history_the_last_of_it() {
    let line = "x".repeat(1023) + "\n";
    let loud = Reply::fail(1, "").with_stdout(line.repeat(100)).with_stdout("end\n");
    let replies = vec![loud; 20];
    let outcome = Clock::new(&replying(replies).max_restarts(19).history(5)).finish();
    let last = outcome.final_result.unwrap();
    assert!(last.stdout.ends_with("end\n") && last.stdout.len() == 64 << 10 && last.truncated());
    let numbers: Vec<u64> = outcome.history.iter().map(|past| past.number).collect();
    assert_eq!(numbers, [16, 17, 18, 19, 20]);
}

#[test]
fn a_change_restarts_it_once_all_is_quiet() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config");
    let mut clock = Clock::new(&replying([]).watch(&path).debounce(3 * SECOND));
    assert!(clock.run_for(SECOND).is_none());
    let mut said = vec!["started 1", "ready 0"];
    assert_eq!(clock.events(), said);
    type Change = fn(&std::path::Path);
    let changes: [Change; 4] = [
        |path| std::fs::write(path, "a").unwrap(),
        |path| std::fs::write(path, "bb").unwrap(),
        |path| {
            std::fs::write(path.with_extension("new"), "ccc").unwrap();
            std::fs::rename(path.with_extension("new"), path).unwrap();
        },
        |path| std::fs::remove_file(path).unwrap(),
    ];
    for (number, change) in changes.iter().enumerate() {
        change(&path);
        assert!(clock.run_for(SECOND).is_none());
        assert_eq!(clock.supervision.phase(), Phase::Up, "not yet quiet");
        assert!(clock.run_for(5 * SECOND).is_none());
        said = vec!["changed", "stopping Change", "ended Stopped", "restarting 0"];
        let started = format!("started {}", number + 2);
        said.extend([started.as_str(), "ready 0"]);
        assert_eq!(clock.events(), said);
    }
    std::fs::write(directory.path().join("other"), "x").unwrap();
    assert!(clock.run_for(60 * SECOND).is_none());
    assert!(clock.events().is_empty(), "another file");
}

#[test]
fn a_directory_changes_with_its_entries_and_what_links_lead_to_is_looked_at() {
    let directory = tempfile::tempdir().unwrap();
    let (one, two) = (directory.path().join("one"), directory.path().join("two"));
    std::fs::create_dir(&one).unwrap();
    std::fs::create_dir(&two).unwrap();
    std::fs::write(two.join("target"), "x").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(two.join("target"), directory.path().join("link")).unwrap();
    let supervisor = replying([])
        .watch(&one)
        .watch(directory.path().join("link"))
        .watch(directory.path().join("no/where"));
    let mut clock = Clock::new(&supervisor);
    assert!(clock.run_for(SECOND).is_none());
    clock.events();
    type Change<'a> = &'a dyn Fn();
    let changes: [Change<'_>; 4] = [
        &|| std::fs::write(one.join("entry"), "x").unwrap(),
        &|| std::fs::write(one.join("entry"), "xx").unwrap(),
        &|| std::fs::write(two.join("target"), "xx").unwrap(),
        &|| {
            std::fs::create_dir(directory.path().join("no")).unwrap();
            std::fs::write(directory.path().join("no/where"), "x").unwrap();
        },
    ];
    for (number, change) in changes.iter().enumerate() {
        change();
        assert!(clock.run_for(2 * SECOND).is_none());
        assert_eq!(clock.events().first().map(String::as_str), Some("changed"), "{number}");
    }
}

#[test]
fn a_run_really_lives_and_is_really_stopped() {
    let script = "trap 'echo bye; exit 0' TERM; echo listening; while :; do sleep 0.01; done";
    let supervisor = Supervisor::new(Command::new("sh").args(["-c", script]))
        .ready_when(Probe::line(|line| line == "listening"), 60 * SECOND)
        .start()
        .unwrap();
    supervisor.wait_ready(60 * SECOND).unwrap();
    let first = supervisor.status().pid.unwrap();
    supervisor.restart();
    let mut events = supervisor.events();
    assert!(events.by_ref().any(|event| matches!(event, SupervisionEvent::Started { number: 2, .. })));
    supervisor.wait_ready(60 * SECOND).unwrap();
    assert_ne!(supervisor.status().pid, Some(first));
    supervisor.signal(Signal::KILL).unwrap();
    assert!(events.by_ref().any(|event| matches!(event, SupervisionEvent::Started { number: 3, .. })));
    supervisor.wait_ready(60 * SECOND).unwrap();
    assert!(supervisor.wait_timeout(Duration::ZERO).unwrap().is_none());
    let outcome = supervisor.stop().unwrap();
    assert_eq!((outcome.stopped, outcome.restarts, outcome.restarts_asked), (Stopped::Stopped, 1, 1));
    assert_eq!(outcome.final_result.as_ref().unwrap().stdout, "listening\nbye\n");
    assert_eq!(supervisor.wait().unwrap(), outcome, "asked again");
    assert_eq!(supervisor.status().phase, Phase::Over);
    assert_eq!(events.last(), Some(SupervisionEvent::Stopped(Stopped::Stopped)));
    assert_eq!(supervisor.signal(Signal::HUP).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_handle_that_is_dropped_ends_what_runs() {
    let supervisor = Supervisor::new(Command::new("sleep").arg("600")).start().unwrap();
    supervisor.wait_ready(60 * SECOND).unwrap();
    let process = pinfold_os::handle::Process::open(supervisor.status().pid.unwrap()).unwrap();
    drop(supervisor);
    assert!(!process.exists());
    let failed = Supervisor::new(Command::new("/nonexistent/program")).start().unwrap();
    assert_eq!(failed.wait_ready(60 * SECOND).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(failed.wait().unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(failed.wait().unwrap_err().kind(), ErrorKind::NotFound);
    let quick =
        Supervisor::new(Command::new("true")).ready_when(Probe::holds(|| false), SECOND).start().unwrap();
    assert_eq!(quick.wait_ready(60 * SECOND).unwrap_err().kind(), ErrorKind::NotReady);
}

#[test]
fn it_is_looked_at_and_stopped_while_a_probe_is_asked() {
    for stopping in [true, false] {
        let (asked, is_asked) = std::sync::mpsc::channel();
        let (go_on, gone_on) = std::sync::mpsc::channel::<()>();
        let gone_on = Mutex::new(gone_on);
        let holds = move || asked.send(()).is_ok() && gone_on.lock().unwrap().recv().is_ok();
        let supervisor = Supervisor::new(Command::new("sleep").arg("600"))
            .ready_when(Probe::holds(holds), 60 * SECOND)
            .start()
            .unwrap();
        is_asked.recv().unwrap();
        let status = supervisor.status();
        assert_eq!((status.phase, status.runs), (Phase::Starting, 1));
        assert!(supervisor.try_wait().is_none() && supervisor.try_ready().is_none());
        assert!(supervisor.wait_timeout(Duration::from_millis(1)).unwrap().is_none());
        assert!(matches!(supervisor.events().next(), Some(SupervisionEvent::Started { .. })));
        supervisor.signal(Signal::CONT).unwrap();
        if stopping {
            supervisor.begin_stop();
            assert_eq!(supervisor.status().phase, Phase::Stopping);
        }
        go_on.send(()).unwrap();
        if !stopping {
            supervisor.wait_ready(10 * SECOND).unwrap();
        }
        let outcome = supervisor.stop().unwrap();
        // What is heard of a run after it was told to stop counts for nothing.
        let ready = supervisor.events().any(|event| matches!(event, SupervisionEvent::Ready { .. }));
        assert_eq!((outcome.stopped, ready), (Stopped::Stopped, !stopping));
    }
}

#[cfg(feature = "tokio")]
#[test]
fn tasks_supervise_too() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let failing = Supervisor::new(Command::new("false")).backoff(Backoff::NONE).max_restarts(2);
        let outcome = failing.run_async().await.unwrap();
        assert_eq!((outcome.restarts, outcome.stopped), (2, Stopped::RestartsExhausted));
        let live = Supervisor::new(Command::new("sleep").arg("600")).start().unwrap();
        live.wait_ready_async().await.unwrap();
        let mut events = live.events();
        assert!(matches!(events.next_async().await, Some(SupervisionEvent::Started { .. })));
        let (outcome, _) = tokio::join!(live.wait_async(), live.stop_async());
        assert_eq!(outcome.unwrap().stopped, Stopped::Stopped);
        while events.next_async().await.is_some() {}
    });
}

#[test]
fn a_crowd_of_supervisors_is_driven_in_one_poll_set() {
    const MANY: usize = 1000;
    let sleeper = Supervisor::new(Command::new("sleep").arg("600"));
    let mut crowd = Crowd::default();
    let keys: Vec<_> = (0..MANY).map(|_| crowd.add(sleeper.supervision().unwrap())).collect();
    let drive = |crowd: &mut Crowd<Supervision>| {
        let interest = crowd.interest(Instant::now());
        assert!(interest.waitables.len() <= 1);
        pinfold_os::poll::wait(&interest.waitables, interest.deadline).unwrap();
        crowd.advance(Instant::now()).unwrap()
    };
    while crowd.iter().any(|(_, supervision)| supervision.phase() != Phase::Up) {
        assert!(drive(&mut crowd).is_empty());
    }
    // One that dies comes back without the others.
    crowd.get_mut(keys[7]).unwrap().signal(Signal::KILL).unwrap();
    while crowd.get_mut(keys[7]).unwrap().status().runs < 2 {
        assert!(drive(&mut crowd).is_empty());
    }
    assert!(
        crowd.iter().all(|(key, supervision)| supervision.status().runs == 1 + u64::from(key == keys[7]))
    );
    for key in keys {
        crowd.get_mut(key).unwrap().stop(Instant::now());
    }
    let mut stopped = 0;
    while !crowd.is_empty() {
        for (_, _, answer) in drive(&mut crowd) {
            assert_eq!(answer.unwrap().unwrap().stopped, Stopped::Stopped);
            stopped += 1;
        }
    }
    assert_eq!(stopped, MANY);
}

#[test]
fn the_diagram_names_every_phase() {
    let page = include_str!("../../../../docs/supervision.md");
    let diagram = page.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    for phase in Phase::ALL {
        let names = diagram.split(|c: char| !c.is_alphanumeric() && c != '_');
        assert!(names.clone().any(|name| name == phase.as_str()), "the diagram lacks {phase}");
        assert!(page.contains(&format!("\n| `{phase}` | ")), "the table lacks {phase}");
    }
}
