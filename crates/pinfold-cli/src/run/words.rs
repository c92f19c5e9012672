//! What pinfold says of a run, in a line for each thing that a person should know.

use super::limits;
use super::session::Finished;
use crate::args::RunArgs;
use crate::out;
use pinfold::{Cause, EndedWith, Ending, Guarantee, Isolation, Mechanism, Outcome, Pid, Running, Stray};
use std::time::Duration;

/// No message lists more processes.
const SHOWN: usize = 5;

/// How it was started, for `--verbose`.
pub(crate) fn started(args: &RunArgs, running: &Running) -> String {
    let (program, pid) = (args.program.display(), running.pid());
    format!("started {program} ({pid}) in {} (guarantee: {})", running.mechanism(), running.guarantee())
}

/// What a person should know of the container, who did not ask for this one and may take it for a better one.
pub(crate) fn weakness(
    (isolation, required): (Isolation, Option<Guarantee>),
    mechanism: Mechanism,
    guarantee: Guarantee,
) -> Option<String> {
    // Whoever says that this guarantee will do knows it.
    if isolation != Isolation::Best || required.is_some() || guarantee > Guarantee::BestEffort {
        return None;
    }
    let (what, escape) = match mechanism {
        Mechanism::ProcessGroup => ("a process group", "what calls setsid gets away"),
        other => (other.as_str(), "what tries to can get away"),
    };
    Some(format!("contained by no more than {what}: {escape}"))
}

/// Where to go from [`weakness`], the reason for which this tells.
pub(crate) fn weakness_hint(teller: &str) -> String {
    format!("{teller} says why, --require guarded refuses it, --require best-effort is content with it")
}

/// Says what is to be said at the end.
pub(crate) fn tell(args: &RunArgs, finished: &Finished) {
    let outcome = &finished.outcome;
    if args.verbose || (is_pinfolds_doing(finished) && !args.quiet) {
        let told =
            finished.told_to_stop.map(|signal| format!("told to stop by {signal}; ")).unwrap_or_default();
        out::say(&format!("{told}{}", ended(args, outcome)));
    }
    if args.quiet {
        return;
    }
    for line in limits::hit(args, outcome).into_iter().chain(barred(args, outcome)) {
        out::say(&line);
    }
    if let Some(line) = strays(args, outcome) {
        out::say(&line);
    }
    if !outcome.strays.beyond_reach.is_empty() {
        let who = list(&outcome.strays.beyond_reach, 0);
        out::say(&format!("left running, since this user may not end it: {who}"));
    }
    if !outcome.strays.holding_output.is_empty() {
        let (who, program) = (list(&outcome.strays.holding_output, 0), args.program.display());
        out::say(&format!("the output of {program} was still held open by {who}"));
    }
}

/// What a shell, `env` or a shim was told by the kernel, and tells by its exit code alone, has a cause that only we know of.
fn barred(args: &RunArgs, outcome: &Outcome) -> Option<String> {
    const CANNOT_EXECUTE: i32 = 126;
    let by_paths = args.untrusted || args.sandbox.paths.is_some();
    let told = by_paths && outcome.cause == Cause::Itself && outcome.code() == Some(CANNOT_EXECUTE);
    told.then(|| {
        let program = args.program.display();
        format!(
            "{program} exited with code {CANNOT_EXECUTE}, which mostly means that it may not execute something: that has to lie \
             in the paths that its sandbox allows (--allow-path)"
        )
    })
}

fn is_pinfolds_doing(finished: &Finished) -> bool {
    let cause = finished.outcome.cause;
    finished.told_to_stop.is_some()
        || matches!(cause, Cause::Timeout | Cause::IdleTimeout | Cause::OutputLimit)
}

/// How it ended: `make timed out after 5s and was ended by SIGTERM`.
pub(crate) fn ended(args: &RunArgs, outcome: &Outcome) -> String {
    let program = args.program.display();
    let timeout = args.timeout.unwrap_or_default();
    // Of a program that was still there itself, none is a stray yet.
    let outlived = outcome.strays.count > 0;
    let (why, so) = match outcome.cause {
        Cause::Timeout if outlived => {
            (String::new(), format!(", and what it left was still there after {timeout:?}"))
        }
        Cause::Timeout => (format!("timed out after {timeout:?} and "), String::new()),
        Cause::IdleTimeout => {
            (format!("wrote nothing for {:?} and ", args.idle_timeout.unwrap_or_default()), String::new())
        }
        Cause::OutputLimit => (format!("went over its limit of {} and ", output_limits(args)), String::new()),
        _ => (String::new(), String::new()),
    };
    let with = outcome.ended_with.as_ref().map(ended_with).unwrap_or_default();
    let how = match outcome.ending {
        Ending::Exited { code } => format!("exited with code {code}"),
        Ending::Signalled { signal, core_dumped: false } => format!("was ended by {signal}"),
        Ending::Signalled { signal, core_dumped: true } => format!("was ended by {signal} (core dumped)"),
        _ => "ended, and its status was lost".to_owned(),
    };
    if !args.verbose {
        return format!("{program} {why}{how}{so}{with}");
    }
    let memory = match outcome.usage.peak_memory {
        Some(bytes) => format!(", {} MiB at most", bytes.div_ceil(1 << 20)),
        None => String::new(),
    };
    let throttled = match outcome.limits_hit.throttled {
        Some(time) if !time.is_zero() => format!(", held back by its limit of CPUs for {}", short(time)),
        _ => String::new(),
    };
    let (ran, cpu) = (short(outcome.duration), short(outcome.usage.cpu_time()));
    format!("{program} {why}{how}{so}{with}; it ran for {ran}, {cpu} on CPUs{memory}{throttled}")
}

/// Who else was ended, and that by name.
fn ended_with(with: &EndedWith) -> String {
    let who = list(&with.some, with.count);
    let colon = if who.is_empty() { "" } else { ": " };
    format!("{with}{colon}{who}")
}

/// What is said of a program that was killed and lives, since it is another user's.
pub(crate) fn withstands(args: &RunArgs, pid: Pid) -> String {
    let program = args.program.display();
    format!(
        "{program} ({pid}) is another user's, and this user may not end it: waiting until it ends; end it as that user"
    )
}

/// A pause as it was asked for, or as exact as chance deserves it.
pub(crate) fn pause(args: &RunArgs, pause: Duration) -> String {
    match args.retry_jitter {
        _ if pause.is_zero() => "at once".to_owned(),
        0.0 => format!("in {pause:?}"),
        _ => format!("in {}", short(pause)),
    }
}

/// A time to three digits, and to microseconds: nothing here is known better.
fn short(time: Duration) -> String {
    let (amount, unit) = match time.as_micros() {
        micros @ ..1_000 => return format!("{micros}µs"),
        ..1_000_000 => (time.as_secs_f64() * 1e3, "ms"),
        _ => (time.as_secs_f64(), "s"),
    };
    let places = match amount {
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    format!("{amount:.places$}{unit}")
}

fn output_limits(args: &RunArgs) -> String {
    let count = |count: u64, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let bytes = args.max_bytes.map(|bytes| count(bytes, "byte"));
    let lines = args.max_lines.map(|lines| count(lines, "line"));
    bytes.into_iter().chain(lines).collect::<Vec<_>>().join(" or ")
}

/// What outlived the program: `stopped 2 processes that outlived make: sccache (123), ld (124)`.
fn strays(args: &RunArgs, outcome: &Outcome) -> Option<String> {
    let strays = &outcome.strays;
    // Who could not be ended has a line of its own.
    let ended = |stray: &&Stray| !strays.beyond_reach.contains(stray);
    let some: Vec<Stray> = strays.some.iter().filter(ended).cloned().collect();
    let count = strays.count.saturating_sub(strays.some.len() - some.len());
    if count == 0 {
        return None;
    }
    let did = if strays.killed { "killed" } else { "stopped" };
    let what = if count == 1 { "1 process".to_owned() } else { format!("{count} processes") };
    let who = list(&some, count);
    let colon = if who.is_empty() { "" } else { ": " };
    Some(format!("{did} {what} that outlived {}{colon}{who}", args.program.display()))
}

/// The first of them, and dots where there are more.
fn list(strays: &[Stray], count: usize) -> String {
    let mut names: Vec<String> = strays.iter().take(SHOWN).map(Stray::to_string).collect();
    if strays.len().max(count) > names.len() && !names.is_empty() {
        names.push("...".to_owned());
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinfold_os::handle::Pid;

    fn stray(number: i64) -> Stray {
        Stray { pid: Pid::new(number).expect("a pid"), name: format!("p{number}") }
    }

    #[test]
    fn a_list_shows_the_first_and_says_that_there_are_more() {
        assert_eq!(list(&[stray(2), stray(3)], 2), "p2 (2), p3 (3)");
        assert_eq!(list(&[stray(2)], 9), "p2 (2), ...");
        let many: Vec<Stray> = (2..10).map(stray).collect();
        assert!(list(&many, 0).ends_with("p6 (6), ..."));
        assert_eq!(list(&[], 3), "");
    }

    #[test]
    fn times_are_short() {
        for (nanoseconds, said) in [
            (0, "0µs"),
            (12_345, "12µs"),
            (986_000, "986µs"),
            (1_494_000, "1.49ms"),
            (61_040_000, "61.0ms"),
            (301_040_000, "301ms"),
            (1_234_567_890, "1.23s"),
            (3_725_000_000_000, "3725s"),
        ] {
            assert_eq!(short(Duration::from_nanos(nanoseconds)), said);
        }
    }
}
