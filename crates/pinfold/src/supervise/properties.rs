//! What must hold of supervision whatever the rules are and however runs end: never more starts than allowed, pauses within
//! their bounds, and an end whenever it is asked for. Time is made up and runs are scripted, so that failures are cheap.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::machine::Machine;
use crate::testing::{Reply, ScriptedRunner};
use pinfold_os::signal::Signal;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

const MILLISECOND: Duration = Duration::from_millis(1);

/// What each run does, by turns: a number tells it.
fn reply(number: u64) -> Reply {
    let pause = |number: u64| Duration::from_millis(number % 3000);
    match number % 11 {
        0 => Reply::exits(0),
        1 => Reply::signalled(Signal::SEGV),
        2 => Reply::refused(ErrorKind::ResourceLimit, "no memory"),
        3 => Reply::timeout(),
        4 => Reply::exits(0).after_pause(pause(number / 11)),
        5 => Reply::fail(1, "x").after_pause(pause(number / 11)),
        _ => Reply::exits(1),
    }
}

fn scatter(number: u64) -> u64 {
    let number = (number ^ (number >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    number ^ (number >> 29)
}

fn runner(seed: u64, only_failures: bool) -> (ScriptedRunner, Arc<AtomicU64>) {
    let starts = Arc::new(AtomicU64::new(0));
    let counter = starts.clone();
    let runner = ScriptedRunner::new().answering(move |_| {
        let number = scatter(seed ^ counter.fetch_add(1, Ordering::Relaxed));
        let bad = only_failures && matches!(number % 11, 0 | 4);
        Some(reply(if bad { number / 11 * 11 + 6 } else { number }))
    });
    (runner, starts)
}

#[derive(Clone, Debug)]
struct Drawn {
    restart: Restart,
    max_restarts: Option<u32>,
    window: Option<u64>,
    backoff: Backoff,
    reset_after: u64,
    storm: Option<Storm>,
    seed: u64,
    stop_after: u64,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let backoff =
        (0..500u64, 1.0..4.0f64, 0..60_000u64, any::<bool>()).prop_map(|(initial, factor, max, jitter)| {
            Backoff {
                initial: Duration::from_millis(initial),
                factor,
                max: Duration::from_millis(max),
                jitter,
            }
        });
    let storm = (1..100_000u64, 0.0..9.0f64, 1..60_000u64).prop_map(|(pause, threshold, decay)| Storm {
        pause: Duration::from_millis(pause),
        threshold,
        decay: Duration::from_millis(decay),
    });
    let restart = prop_oneof![Just(Restart::Always), Just(Restart::OnCrash), Just(Restart::Never)];
    (
        restart,
        proptest::option::of(0..40u32),
        proptest::option::of(1..100_000u64),
        backoff,
        0..5_000u64,
        proptest::option::of(storm),
        any::<u64>(),
        1..1_000_000u64,
    )
        .prop_map(|(restart, max_restarts, window, backoff, reset_after, storm, seed, stop_after)| {
            Drawn {
                restart,
                max_restarts,
                window: window.filter(|_| max_restarts.is_some()),
                backoff,
                reset_after,
                storm,
                seed,
                stop_after,
            }
        })
}

/// Keeps count from outside of what the machine does, by its events and its clock alone.
struct Watcher<'a> {
    rules: &'a Drawn,
    in_a_row: u32,
    began: Instant,
    restarts: VecDeque<Instant>,
    storms: u32,
    stormy: bool,
    pause: Option<(Duration, Instant)>,
    total: u64,
}

impl Watcher<'_> {
    fn see(&mut self, event: &SupervisionEvent, now: Instant) {
        match event {
            SupervisionEvent::Started { .. } | SupervisionEvent::NotStarted { .. } => {
                if let Some((pause, since)) = self.pause.take() {
                    assert_eq!(now - since, pause, "it starts when its pause is over");
                }
                self.began = now;
                self.total += 1;
            }
            SupervisionEvent::StormPause { pause } => {
                let storm = self.rules.storm.expect("only where a storm makes a pause");
                assert!(*pause >= storm.pause);
                self.stormy = true;
                self.storms += 1;
            }
            SupervisionEvent::Restarting { after, .. } => {
                if now - self.began >= Duration::from_millis(self.rules.reset_after) {
                    self.in_a_row = 0;
                }
                self.in_a_row += 1;
                let bound = self.rules.backoff.bound(self.in_a_row);
                assert!(bound <= self.rules.backoff.max);
                match (std::mem::take(&mut self.stormy), self.rules.storm) {
                    (true, Some(storm)) => assert!(*after <= bound.max(storm.pause)),
                    _ if self.rules.backoff.jitter => assert!(*after <= bound),
                    _ => assert_eq!(*after, bound),
                }
                self.restarts.push_back(now);
                if let Some(most) = self.rules.max_restarts {
                    let window = self.rules.window.map(Duration::from_millis);
                    if let Some(window) = window {
                        self.restarts.retain(|at| now - *at < window);
                    }
                    assert!(self.restarts.len() <= most as usize, "more restarts than allowed");
                }
                self.pause = Some((*after, now));
            }
            _ => {}
        }
    }
}

/// Supervises by these rules until it ends or is stopped: how many runs there were.
fn supervise(rules: &Drawn, only_failures: bool, most: u64) -> u64 {
    let (runner, starts) = runner(rules.seed, only_failures);
    let mut supervisor = Supervisor::new(Command::new("child").timeout(Duration::from_secs(9)))
        .runner(runner)
        .restart(rules.restart)
        .backoff(rules.backoff)
        .reset_after(Duration::from_millis(rules.reset_after))
        .seed(rules.seed);
    if let Some(restarts) = rules.max_restarts {
        supervisor = supervisor.max_restarts(restarts);
    }
    if let Some(window) = rules.window {
        supervisor = supervisor.within(Duration::from_millis(window));
    }
    if let Some(storm) = rules.storm {
        supervisor = supervisor.storm(storm);
    }
    let mut supervision = supervisor.supervision().unwrap();
    let start = Instant::now();
    let (mut now, stop_at) = (start, start + Duration::from_millis(rules.stop_after));
    let mut watcher = Watcher {
        rules,
        in_a_row: 0,
        began: start,
        restarts: VecDeque::new(),
        storms: 0,
        stormy: false,
        pause: None,
        total: 0,
    };
    let mut told = false;
    let outcome = loop {
        let answer = supervision.advance(now).unwrap();
        for event in supervision.take_events() {
            watcher.see(&event, now);
        }
        if let Some(answer) = answer {
            break answer.unwrap();
        }
        assert!(!told || supervision.phase() == Phase::Stopping, "told to stop, it does nothing else");
        if !told && (now >= stop_at || watcher.total >= most) {
            told = true;
            supervision.stop(now);
            continue;
        }
        let next = supervision.interest(now).deadline.expect("something is always due");
        now = next.max(now).min(if told { next.max(now) } else { stop_at.max(now) });
    };
    assert_eq!(watcher.total, starts.load(Ordering::Relaxed));
    assert_eq!(outcome.storm_pauses, watcher.storms);
    let (none, exhausted) = (watcher.total <= 1, outcome.stopped == Stopped::RestartsExhausted);
    assert!(none || rules.restart != Restart::Never);
    assert!(!exhausted || rules.max_restarts.is_some_and(|most| u64::from(most) < watcher.total));
    assert!(!told || outcome.stopped != Stopped::Predicate);
    if let (Some(most), None) = (rules.max_restarts, rules.window) {
        assert!(watcher.total <= u64::from(most) + 1, "more starts than allowed");
    }
    assert_eq!(u64::from(outcome.restarts) + 1, watcher.total.max(1) + u64::from(pending(&watcher)));
    watcher.total
}

/// Whether a restart was promised and not come to.
fn pending(watcher: &Watcher<'_>) -> bool {
    watcher.pause.is_some()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_rules_are_they_are_kept(rules in drawn()) {
        supervise(&rules, false, 5_000);
    }
}

/// A million failures under one set of rules after another, in ten parts, which run side by side.
fn a_tenth_of_a_million_failures(mut seed: u64) {
    let mut failures = 0;
    while failures < 100_000 {
        seed = scatter(seed.wrapping_add(seed << 7));
        let backoff = Backoff {
            initial: MILLISECOND * (seed % 7) as u32,
            factor: 1.0 + (seed % 5) as f64 / 4.0,
            max: Duration::from_millis(seed % 1_000),
            jitter: seed.is_multiple_of(2),
        };
        let bounded = seed.is_multiple_of(3);
        let rules = Drawn {
            restart: if seed.is_multiple_of(4) { Restart::Always } else { Restart::OnCrash },
            max_restarts: bounded.then_some((seed % 20_000) as u32),
            window: (bounded && seed.is_multiple_of(9)).then_some(seed % 100_000 + 1),
            backoff,
            reset_after: seed % 4_000,
            storm: (seed.is_multiple_of(5))
                .then_some(Storm { decay: Duration::from_secs(1), ..Storm::pausing(MILLISECOND * 40) }),
            seed,
            stop_after: u64::MAX >> 24,
        };
        failures += supervise(&rules, true, 100_000);
    }
}

macro_rules! a_million_failures_change_nothing {
    ($($part:ident $seed:literal),*) => {$(
        #[test]
        fn $part() {
            a_tenth_of_a_million_failures($seed);
        }
    )*};
}

mod a_million_failures_change_nothing {
    use super::a_tenth_of_a_million_failures;

    a_million_failures_change_nothing! {
        part_1 1, part_2 2, part_3 3, part_4 4, part_5 5, part_6 6, part_7 7, part_8 8, part_9 9, part_10 10
    }
}
