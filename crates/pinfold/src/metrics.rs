//! Counters and histograms of all runs of this process, for a metrics endpoint.
//!
//! They are kept by this crate and read as a [`Snapshot`], whose text is the exposition format of Prometheus, so that any
//! web server can serve them; whoever counts by another library listens to [`Host::on_event`](crate::Host::on_event).
//! Nothing is labelled by program: there may be any number of those.

use crate::observe::{Happening, RunEvent};
use crate::outcome::{Cause, Ending, Mechanism, Outcome};
use crate::settings::Stream;
use std::fmt::{self, Display, Write};
use std::sync::atomic::{AtomicU64, Ordering};

/// The upper bounds of the histogram of durations, in seconds.
pub const BOUNDS: [f64; 14] =
    [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 3600.0];

const MECHANISMS: [Mechanism; 6] = [
    Mechanism::CgroupV2,
    Mechanism::PidNamespace,
    Mechanism::JobObject,
    Mechanism::Subreaper,
    Mechanism::ProcessGroup,
    Mechanism::Scripted,
];
const CAUSES: [Cause; 6] =
    [Cause::Itself, Cause::Timeout, Cause::IdleTimeout, Cause::Cancelled, Cause::Stopped, Cause::OutputLimit];
const ENDINGS: [&str; 4] = ["exited_zero", "exited_non_zero", "signalled", "lost"];
const LIMITS: [&str; 4] = ["stdout", "stderr", "memory", "processes"];

/// What was counted, by place: a closed set of numbers, so that counting is one addition and never a lock.
struct Counters {
    started: [AtomicU64; MECHANISMS.len()],
    not_started: AtomicU64,
    ended: [[AtomicU64; ENDINGS.len()]; CAUSES.len()],
    durations: [AtomicU64; BOUNDS.len() + 1],
    duration_nanoseconds: AtomicU64,
    output_bytes: [AtomicU64; 2],
    limit_hits: [AtomicU64; LIMITS.len()],
    stops: AtomicU64,
    kills: AtomicU64,
    strays: AtomicU64,
    retries: AtomicU64,
    restarts: AtomicU64,
}

static COUNTERS: Counters = Counters {
    started: [const { AtomicU64::new(0) }; MECHANISMS.len()],
    not_started: AtomicU64::new(0),
    ended: [const { [const { AtomicU64::new(0) }; ENDINGS.len()] }; CAUSES.len()],
    durations: [const { AtomicU64::new(0) }; BOUNDS.len() + 1],
    duration_nanoseconds: AtomicU64::new(0),
    output_bytes: [const { AtomicU64::new(0) }; 2],
    limit_hits: [const { AtomicU64::new(0) }; LIMITS.len()],
    stops: AtomicU64::new(0),
    kills: AtomicU64::new(0),
    strays: AtomicU64::new(0),
    retries: AtomicU64::new(0),
    restarts: AtomicU64::new(0),
};

fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

fn place<T: PartialEq>(all: &[T], one: &T) -> usize {
    // What is not among them is counted with the last.
    all.iter().position(|other| other == one).unwrap_or(all.len() - 1)
}

pub(crate) fn count(event: &RunEvent) {
    match &event.what {
        Happening::Started { mechanism, .. } => add(&COUNTERS.started[place(&MECHANISMS, mechanism)], 1),
        Happening::NotStarted { .. } => add(&COUNTERS.not_started, 1),
        Happening::LimitHit { limit } => add(&COUNTERS.limit_hits[place(&LIMITS, &limit.as_str())], 1),
        Happening::Stopping { grace, .. } if grace.is_zero() => add(&COUNTERS.kills, 1),
        Happening::Stopping { .. } => add(&COUNTERS.stops, 1),
        Happening::Ended { outcome } => count_end(outcome),
        Happening::Retrying { .. } => add(&COUNTERS.retries, 1),
        Happening::Restarted { .. } => add(&COUNTERS.restarts, 1),
    }
}

fn count_end(outcome: &Outcome) {
    let ending = match outcome.ending {
        Ending::Exited { code: 0 } => 0,
        Ending::Exited { .. } => 1,
        Ending::Signalled { .. } => 2,
        Ending::Lost => 3,
    };
    add(&COUNTERS.ended[place(&CAUSES, &outcome.cause)][ending], 1);
    let seconds = outcome.duration.as_secs_f64();
    let bucket = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
    add(&COUNTERS.durations[bucket], 1);
    let nanoseconds = u64::try_from(outcome.duration.as_nanos()).unwrap_or(u64::MAX);
    add(&COUNTERS.duration_nanoseconds, nanoseconds);
    for stream in Stream::BOTH {
        let bytes = outcome.seen(stream).map_or(0, |seen| seen.bytes);
        add(&COUNTERS.output_bytes[stream as usize], bytes);
    }
    add(&COUNTERS.strays, outcome.strays.count as u64);
}

/// What was counted since this process started, doubles among it.
///
/// Printed, it is the text that Prometheus scrapes, of the content type `text/plain; version=0.0.4`.
///
/// ```
/// use pinfold::{Command, metrics};
///
/// Command::new("true").run()?;
/// let text = metrics::snapshot().to_string();
/// assert!(text.contains(r#"pinfold_runs_ended_total{cause="itself",ending="exited_zero"} 1"#));
/// # pinfold::Result::Ok(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Runs that were started, by what holds them together.
    pub started: Vec<(Mechanism, u64)>,
    /// Runs that could not be started.
    pub not_started: u64,
    /// Runs that have ended, by why and how (`exited_zero`, `exited_non_zero`, `signalled`, `lost`).
    pub ended: Vec<(Cause, &'static str, u64)>,
    /// How many of those took no longer than each of [`BOUNDS`] and longer than the one before; the last took longer than all.
    pub durations: Vec<u64>,
    /// How long they took together, in seconds.
    pub duration_seconds: f64,
    /// Bytes that were captured of standard output and standard error.
    pub output_bytes: [u64; 2],
    /// Limits that were run into, by name: see [`LimitKind`](crate::LimitKind).
    pub limit_hits: Vec<(&'static str, u64)>,
    /// How often one was told to stop.
    pub stops: u64,
    /// How often one was killed.
    pub kills: u64,
    /// Processes that outlived their programs.
    pub strays: u64,
    /// Further attempts by the retry rules of commands.
    pub retries: u64,
    /// Restarts by whoever looked after one.
    pub restarts: u64,
}

/// What was counted by now. The figures are read one after the other, while runs go on.
pub fn snapshot() -> Snapshot {
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let mut ended = Vec::with_capacity(CAUSES.len() * ENDINGS.len());
    for (cause, row) in CAUSES.iter().zip(&COUNTERS.ended) {
        ended.extend(ENDINGS.iter().zip(row).map(|(ending, counter)| (*cause, *ending, read(counter))));
    }
    Snapshot {
        started: MECHANISMS.into_iter().zip(COUNTERS.started.iter().map(read)).collect(),
        not_started: read(&COUNTERS.not_started),
        ended,
        durations: COUNTERS.durations.iter().map(read).collect(),
        duration_seconds: read(&COUNTERS.duration_nanoseconds) as f64 / 1e9,
        output_bytes: [read(&COUNTERS.output_bytes[0]), read(&COUNTERS.output_bytes[1])],
        limit_hits: LIMITS.into_iter().zip(COUNTERS.limit_hits.iter().map(read)).collect(),
        stops: read(&COUNTERS.stops),
        kills: read(&COUNTERS.kills),
        strays: read(&COUNTERS.strays),
        retries: read(&COUNTERS.retries),
        restarts: read(&COUNTERS.restarts),
    }
}

impl Snapshot {
    /// Runs that have been started and have not ended.
    pub fn running(&self) -> u64 {
        let started: u64 = self.started.iter().map(|(_, count)| count).sum();
        started.saturating_sub(self.durations.iter().sum())
    }
}

impl Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        family(f, "runs_started_total", "counter", "Runs that were started, by what holds them together.")?;
        for (mechanism, count) in self.started.iter().filter(|(_, count)| *count > 0) {
            writeln!(f, "pinfold_runs_started_total{{mechanism=\"{mechanism}\"}} {count}")?;
        }
        single(f, "runs_not_started_total", "counter", "Runs that could not be started.", self.not_started)?;
        single(f, "runs_running", "gauge", "Runs that have not ended.", self.running())?;
        family(f, "runs_ended_total", "counter", "Runs that have ended, by why and how.")?;
        for (cause, ending, count) in self.ended.iter().filter(|(.., count)| *count > 0) {
            let cause = cause.as_str();
            writeln!(f, "pinfold_runs_ended_total{{cause=\"{cause}\",ending=\"{ending}\"}} {count}")?;
        }
        family(f, "run_duration_seconds", "histogram", "From the start to the end of all of a run.")?;
        let mut sum = 0;
        for (bound, count) in BOUNDS.iter().zip(&self.durations) {
            sum += count;
            writeln!(f, "pinfold_run_duration_seconds_bucket{{le=\"{bound}\"}} {sum}")?;
        }
        let all: u64 = self.durations.iter().sum();
        writeln!(f, "pinfold_run_duration_seconds_bucket{{le=\"+Inf\"}} {all}")?;
        writeln!(f, "pinfold_run_duration_seconds_sum {}", self.duration_seconds)?;
        writeln!(f, "pinfold_run_duration_seconds_count {all}")?;
        family(f, "output_bytes_total", "counter", "Bytes that were captured.")?;
        for (stream, bytes) in Stream::BOTH.iter().zip(self.output_bytes) {
            writeln!(f, "pinfold_output_bytes_total{{stream=\"{stream}\"}} {bytes}")?;
        }
        family(f, "limit_hits_total", "counter", "Limits that runs ran into.")?;
        for (limit, count) in &self.limit_hits {
            writeln!(f, "pinfold_limit_hits_total{{limit=\"{limit}\"}} {count}")?;
        }
        single(f, "stops_total", "counter", "Runs that were told to stop.", self.stops)?;
        single(f, "kills_total", "counter", "Runs that were killed.", self.kills)?;
        single(f, "strays_total", "counter", "Processes that outlived their programs.", self.strays)?;
        single(f, "retries_total", "counter", "Further attempts by retry rules.", self.retries)?;
        single(f, "restarts_total", "counter", "Restarts by whoever looked after a run.", self.restarts)
    }
}

fn family(f: &mut impl Write, name: &str, kind: &str, help: &str) -> fmt::Result {
    writeln!(f, "# HELP pinfold_{name} {help}\n# TYPE pinfold_{name} {kind}")
}

fn single(f: &mut impl Write, name: &str, kind: &str, help: &str, value: u64) -> fmt::Result {
    family(f, name, kind, help)?;
    writeln!(f, "pinfold_{name} {value}")
}
