//! `pinfold run`: one program, run to its end, as often as it takes.

mod command;
mod explain;
mod job;
pub(crate) mod letters;
mod limits;
mod record;
mod session;
pub(crate) mod words;

use crate::args::{Misuse, RunArgs};
use crate::exit::{End, FAILED};
use crate::{log, out};
use pinfold::{Cause, Command, Error, ErrorKind, Host, Outcome, Running, Signal, StopRule};
use pinfold_os::inbox::Inbox;
use record::Record;
use session::{Finished, Session};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// A guard and a line in the registry take longer than many programs do. One that is still there after this gets them; until
/// then the kernel ends it with us.
const GUARD_AFTER: Duration = Duration::from_millis(5);

/// Why the program was not started, or not brought to its end.
struct Refusal {
    kind: &'static str,
    what: String,
    hint: Option<String>,
    /// Where the program was looked for.
    searched: Vec<PathBuf>,
    end: End,
    /// Whether it may be different the next time.
    passing: bool,
}

/// What one attempt came to.
enum Attempt {
    Finished(Box<Finished>),
    Refused(Refusal),
    /// A signal ended it before there was anything to end.
    Cut(Signal),
}

/// Runs the program, and ends pinfold as it ended.
pub(crate) fn run(args: &RunArgs) -> ! {
    // Before anything of pinfold's own is open: that is not what the user named.
    let record = log::open(args.log).and_then(|()| Record::open(args));
    let inbox = Inbox::open(letters::taken());
    // The inbox stays open to the last: a ^C that came when the program was just ending is not to end pinfold.
    start(args, record, inbox.as_ref()).leave()
}

fn start(args: &RunArgs, record: Result<Record, Misuse>, inbox: Result<&Inbox, &io::Error>) -> End {
    let mut record = match record {
        Ok(record) => record,
        Err(misuse) => {
            out::fail(&misuse.what, Some(&misuse.hint));
            return End::Code(FAILED);
        }
    };
    let command = match command::build(args) {
        Ok(command) => command,
        Err(misuse) => return refuse(args, &Refusal::from(misuse), &mut record, 0),
    };
    if args.explain {
        return match explain::explain(args, &command) {
            Ok(end) => end,
            Err(error) => refuse(args, &Refusal::from(error), &mut record, 0),
        };
    }
    match inbox {
        Ok(inbox) => repeat(args, &command, inbox, &mut record),
        Err(error) => refuse(args, &Refusal::of_io("its signals cannot be taken", error), &mut record, 0),
    }
}

/// Tries until it succeeds, may not be tried again, or is interrupted.
fn repeat(args: &RunArgs, command: &Command, inbox: &Inbox, record: &mut Record) -> End {
    let retry = command::retry(args);
    let silent = record.replaces_words();
    let mut number = 1;
    loop {
        let attempt = attempt(args, command, inbox, |running| {
            let weakness =
                words::weakness((args.isolation, args.require), running.mechanism(), running.guarantee());
            if let Some(weakness) = weakness.filter(|_| number == 1 && !args.quiet && !silent) {
                out::say(&format!("{weakness}; {}", words::weakness_hint("--explain")));
            }
        });
        let (again, ended) = match &attempt {
            Attempt::Finished(finished) => {
                let again = !finished.interrupted && !is_success(args, &finished.outcome);
                (again, words::ended(args, &finished.outcome))
            }
            Attempt::Refused(refusal) => (refusal.passing, refusal.what.clone()),
            Attempt::Cut(_) => (false, String::new()),
        };
        if !again || number >= retry.attempts {
            return conclude(args, attempt, record, number);
        }
        let pause = retry.draw_pause(number);
        number += 1;
        log::retrying(&args.program.to_string_lossy(), number, pause);
        if !args.quiet {
            out::say(&format!(
                "{ended}; attempt {number} of {} {}",
                retry.attempts,
                words::pause(args, pause)
            ));
            if let Attempt::Finished(finished) = &attempt {
                limits::hit(args, &finished.outcome).iter().for_each(|line| out::say(line));
            }
        }
        if let Some(signal) = session::rest(inbox, pause) {
            return End::Signal(signal);
        }
    }
}

fn attempt(args: &RunArgs, command: &Command, inbox: &Inbox, started: impl FnOnce(&Running)) -> Attempt {
    // What came while there was no program yet.
    let early = match letters::before_start(inbox) {
        Ok(early) => early,
        Err(signal) => return Attempt::Cut(signal),
    };
    let host = Host::new().signal_mask(inbox.mask_before()).one_at_a_time().guard_as_child();
    // What is open already is open to whoever gets it, whatever its sandbox says.
    let host = if args.untrusted { host } else { host.pass_descriptors() };
    let host = if args.take_over_cgroup { host.take_over_cgroup() } else { host };
    // Whoever asks what holds it together is told of the guard that it has, and does not mind a fraction of a millisecond.
    let asks = args.verbose || args.json.is_some() || args.log.is_some() || args.require.is_some();
    let host = if asks { host } else { host.guard_after(GUARD_AFTER) };
    let host = log::watch(host, None);
    let session = match Session::start(args, &host, command, inbox) {
        Ok(session) => session,
        Err(error) => return Attempt::Refused(error.into()),
    };
    if args.verbose {
        out::say(&words::started(args, session.running()));
    }
    started(session.running());
    match session.finish(early) {
        Ok(finished) => Attempt::Finished(Box::new(finished)),
        Err(error) => {
            let what = format!("{}: its end cannot be waited for", args.program.display());
            Attempt::Refused(Refusal::of_io(&what, &error))
        }
    }
}

fn is_success(args: &RunArgs, outcome: &Outcome) -> bool {
    let codes = args.success_codes.as_deref().unwrap_or(&[0]);
    outcome.cause == Cause::Itself && outcome.code().is_some_and(|code| codes.contains(&code))
}

/// Says and records how it ended.
fn conclude(args: &RunArgs, attempt: Attempt, record: &mut Record, attempts: u32) -> End {
    match attempt {
        Attempt::Cut(signal) => End::Signal(signal),
        Attempt::Refused(refusal) => refuse(args, &refusal, record, attempts),
        Attempt::Finished(finished) => {
            let outcome = &finished.outcome;
            if let Some(error) = &finished.failure {
                let what = format!("{}: its output cannot be passed on", args.program.display());
                let refusal = Refusal::of_io(&what, error);
                if !record.replaces_words() {
                    out::fail(&refusal.what, None);
                }
                return record.failure(&refusal, attempts, outcome);
            }
            let sent = args.signal.unwrap_or(StopRule::default().signal);
            let end = match finished.told_to_stop {
                Some(told) => End::of_stopped(outcome, told, sent),
                None => End::of(outcome),
            };
            if !record.replaces_words() {
                words::tell(args, &finished);
            }
            record.outcome(end, attempts, is_success(args, outcome), outcome)
        }
    }
}

fn refuse(args: &RunArgs, refusal: &Refusal, record: &mut Record, attempts: u32) -> End {
    if !record.replaces_words() {
        out::fail(&refusal.what, refusal.hint.as_deref());
        if (args.verbose || args.explain) && refusal.searched.len() > 1 {
            let directories = refusal.searched.iter().filter_map(|path| path.parent());
            let directories: Vec<String> = directories.map(|path| path.display().to_string()).collect();
            out::say(&format!("{} was looked for in {}", args.program.display(), directories.join(":")));
        }
    }
    record.refusal(refusal, attempts)
}

impl Refusal {
    fn of_io(what: &str, error: &io::Error) -> Refusal {
        let kind =
            if error.kind() == io::ErrorKind::Unsupported { ErrorKind::Unsupported } else { ErrorKind::Io };
        Refusal {
            kind: kind.as_str(),
            what: format!("{what}: {error}"),
            hint: None,
            searched: Vec::new(),
            end: End::Code(FAILED),
            passing: false,
        }
    }
}

impl From<Misuse> for Refusal {
    fn from(misuse: Misuse) -> Refusal {
        Refusal {
            kind: ErrorKind::InvalidInput.as_str(),
            what: misuse.what,
            hint: Some(misuse.hint),
            searched: Vec::new(),
            end: End::Code(FAILED),
            passing: false,
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        Refusal {
            kind: error.kind().as_str(),
            what: error.message(),
            hint: error.what_to_do().map(limits::advice),
            searched: error.searched().to_vec(),
            end: End::of_error(&error),
            passing: error.kind() == ErrorKind::ResourceLimit,
        }
    }
}
