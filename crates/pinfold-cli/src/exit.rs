//! The exit codes of pinfold as a contract, and the end of this process.
//!
//! What is written here is what docs/exit-codes.md and `--help` say, and no other place decides an exit code.

use pinfold::{Cause, Ending, Error, ErrorKind, Outcome, Signal};
use std::fmt::Write as _;

/// The output went over a limit that says that this is an error.
pub(crate) const OUTPUT_LIMIT: u8 = 123;
/// Kept for a run that was cancelled.
pub(crate) const CANCELLED: u8 = 122;
/// One of the timeouts passed, whatever the program made of being stopped.
pub(crate) const TIMEOUT: u8 = 124;
/// pinfold itself failed, or was asked for what means nothing or cannot be had.
pub(crate) const FAILED: u8 = 125;
/// The program is there and cannot be executed.
pub(crate) const CANNOT_EXECUTE: u8 = 126;
/// Some jobs of a batch failed, as `xargs` says it.
pub(crate) const SOME_FAILED: u8 = 123;
/// There is no such program.
pub(crate) const NOT_FOUND: u8 = 127;

/// Not all of what was asked for is so: `doctor` found nothing better than a process group, something could not be cleared,
/// or was not there to be stopped.
pub(crate) const NOT_ALL: u8 = 1;

/// What is exited with, and when, in words.
pub(crate) type Contract = &'static [(&'static str, &'static str)];

/// That of `pinfold run`.
pub(crate) const RUN: Contract = &[
    ("0 to 255", "the program's own exit code"),
    ("a signal", "the program was ended by it, and so is pinfold (a shell shows 128+n)"),
    ("TERM, HUP", "pinfold was told to stop by it, and the stop signal (--signal) ended the program"),
    ("128+n", "the same, where a signal cannot end pinfold: as PID 1 of a container"),
    ("122", "kept for a run that was cancelled"),
    ("123", "the output went over --output-limit or --max-lines, and their policy is error"),
    ("124", "--timeout or --idle-timeout passed, however the program then ended"),
    ("125", "pinfold itself failed: bad usage, a refusal, a file or a privilege that is missing"),
    ("126", "the program, or what its #! line names, was found and cannot be executed"),
    ("127", "the program, or what its #! line names, was not found"),
];

/// That of `pinfold batch`.
pub(crate) const BATCH: Contract = &[
    ("0", "no job failed: each that was started succeeded, or was stopped by --halt"),
    ("123", "some job failed, timed out or could not be started"),
    ("125", "pinfold itself failed: bad usage, input that cannot be read, a job log that cannot be written"),
    ("126", "the command was found and cannot be executed, so that no more jobs were started"),
    ("127", "the command was not found, so that no more jobs were started"),
    (
        "a signal",
        "it was told to stop by it (HUP, INT, QUIT, TERM), or nobody reads its output any more (PIPE)",
    ),
];

/// That of `pinfold wait-for`.
pub(crate) const WAIT_FOR: Contract = &[
    ("0", "what was waited for is ready, and no program was given"),
    ("0 to 255", "the program's own exit code, once that runs in pinfold's place"),
    ("a signal", "it came during the wait, and ended that"),
    ("124", "--timeout passed first; a line says what failed last, and no program was run"),
    ("125", "pinfold itself failed: bad usage, or something that cannot be waited for"),
    ("126", "the program, or what its #! line names, was found and cannot be executed"),
    ("127", "the program, or what its #! line names, was not found"),
];

/// That of `pinfold doctor`.
pub(crate) const DOCTOR: Contract = &[
    ("0", "something better than a process group can be had here"),
    ("1", "nothing better than a process group can be had here"),
    ("125", "pinfold itself failed: bad usage, or output that cannot be written"),
];

/// That of `pinfold cleanup`.
pub(crate) const CLEANUP: Contract = &[
    ("0", "nothing that could be cleared is left of dead owners, or with --dry-run it is listed"),
    ("1", "something could not be cleared, or is nothing that an owner writes; a line says what and why"),
    ("125", "pinfold itself failed: bad usage, or a registry that cannot be read"),
];

/// That of `pinfold ps`.
pub(crate) const PS: Contract = &[
    ("0", "the owners that live are listed, be it none"),
    ("125", "pinfold itself failed: bad usage, or a registry that cannot be read"),
];

/// That of `pinfold kill`.
pub(crate) const KILL: Contract = &[
    ("0", "all of it has ended; with --signal, it was sent"),
    ("1", "an owner or run is not there or is another user's, or something did not end"),
    ("125", "pinfold itself failed: bad usage, or a registry that cannot be read"),
];

/// A contract as a table.
pub(crate) fn table(contract: Contract) -> String {
    let mut table = String::from("Exit status:");
    for (what, when) in contract {
        // Writing to a String cannot fail.
        let _ = write!(table, "\n  {what:<10}{when}");
    }
    table
}

/// How pinfold ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With this code.
    Code(u8),
    /// By this signal.
    Signal(Signal),
}

impl End {
    /// The end that tells of a run.
    pub(crate) fn of(outcome: &Outcome) -> End {
        match (outcome.cause, outcome.ending) {
            (Cause::Timeout | Cause::IdleTimeout, _) => End::Code(TIMEOUT),
            (Cause::OutputLimit, _) => End::Code(OUTPUT_LIMIT),
            (Cause::Cancelled, _) => End::Code(CANCELLED),
            (_, Ending::Exited { code }) => End::Code(u8::try_from(code).unwrap_or(FAILED)),
            (_, Ending::Signalled { signal, .. }) => End::Signal(signal),
            _ => End::Code(FAILED),
        }
    }

    /// The end that tells of a run that was stopped because `told` came, by sending it `sent`: it ends by the one if the
    /// program did by the other, as it would have without pinfold in front of it.
    pub(crate) fn of_stopped(outcome: &Outcome, told: Signal, sent: Signal) -> End {
        match End::of(outcome) {
            End::Signal(signal) if signal == sent && outcome.cause == Cause::Stopped => End::Signal(told),
            end => end,
        }
    }

    /// The end that tells of a program that was not started.
    pub(crate) fn of_error(error: &Error) -> End {
        End::Code(match (error.blames_program(), error.kind()) {
            (true, ErrorKind::NotFound) => NOT_FOUND,
            (true, ErrorKind::InvalidInput) if error.os_error().is_none() => FAILED,
            (true, _) => CANNOT_EXECUTE,
            (false, _) => FAILED,
        })
    }

    /// Ends this process.
    pub(crate) fn leave(self) -> ! {
        match self {
            End::Code(code) => std::process::exit(code.into()),
            End::Signal(signal) => pinfold_os::exit::by_signal(signal),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    /// An outcome as it comes from elsewhere.
    fn outcome(cause: &str, ending: &serde_json::Value) -> Outcome {
        let none = serde_json::json!({"bytes": 0, "lines": 0, "truncated": false});
        serde_json::from_value(serde_json::json!({
            "ending": ending, "cause": cause, "duration_seconds": 1.0,
            "usage": {"user_seconds": 0.0, "system_seconds": 0.0, "peak_memory_bytes": null},
            "stdout": none, "stderr": none,
            "strays": {"count": 0, "killed": false, "some": [], "holding_output": []},
            "mechanism": "cgroup_v2", "guarantee": "while_owner_lives",
        }))
        .unwrap()
    }

    #[test]
    fn a_run_ends_as_its_program_unless_pinfold_ended_it() {
        let exited = |code: i32| serde_json::json!({"exited": {"code": code}});
        let signalled = serde_json::json!({"signalled": {"signal": "TERM", "core_dumped": false}});
        for (cause, ending, end) in [
            ("itself", exited(0), End::Code(0)),
            ("itself", exited(255), End::Code(255)),
            ("itself", signalled.clone(), End::Signal(Signal::TERM)),
            ("stopped", exited(3), End::Code(3)),
            ("stopped", signalled.clone(), End::Signal(Signal::TERM)),
            ("timeout", exited(0), End::Code(TIMEOUT)),
            ("timeout", signalled.clone(), End::Code(TIMEOUT)),
            ("idle_timeout", signalled.clone(), End::Code(TIMEOUT)),
            ("output_limit", signalled.clone(), End::Code(OUTPUT_LIMIT)),
            ("cancelled", signalled, End::Code(CANCELLED)),
            ("itself", serde_json::json!("lost"), End::Code(FAILED)),
            ("itself", exited(-1), End::Code(FAILED)),
        ] {
            assert_eq!(End::of(&outcome(cause, &ending)), end, "{cause} {ending}");
        }
    }

    #[test]
    fn a_run_that_was_told_to_stop_ends_by_the_signal_that_told_it() {
        let by = |signal: &str| serde_json::json!({"signalled": {"signal": signal, "core_dumped": false}});
        let exited = serde_json::json!({"exited": {"code": 3}});
        for (cause, ending, end) in [
            ("stopped", by("TERM"), End::Signal(Signal::HUP)),
            ("stopped", by("KILL"), End::Signal(Signal::KILL)),
            ("stopped", exited, End::Code(3)),
            ("itself", by("TERM"), End::Signal(Signal::TERM)),
            ("timeout", by("TERM"), End::Code(TIMEOUT)),
        ] {
            let end_of = End::of_stopped(&outcome(cause, &ending), Signal::HUP, Signal::TERM);
            assert_eq!(end_of, end, "{cause} {ending}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_cannot_be_started_is_told_from_what_is_refused() {
        use pinfold::Command;
        let end = |command: Command| End::of_error(&command.start().unwrap_err());
        assert_eq!(end(Command::new("no-such-program")), End::Code(NOT_FOUND));
        assert_eq!(end(Command::new("/etc/passwd")), End::Code(CANNOT_EXECUTE));
        assert_eq!(end(Command::new("/")), End::Code(CANNOT_EXECUTE));
        assert_eq!(end(Command::new("true").arg("x".repeat(1 << 20))), End::Code(CANNOT_EXECUTE));
        assert_eq!(end(Command::new("")), End::Code(FAILED));
        assert_eq!(end(Command::new("a\0b")), End::Code(FAILED));
        assert_eq!(end(Command::new("true").cwd("/nowhere")), End::Code(FAILED));
        assert_eq!(end(Command::new("true").stdin_file("/nowhere")), End::Code(FAILED));
        assert_eq!(end(Command::new("true").nice(99)), End::Code(FAILED));
    }

    #[test]
    fn the_page_on_exit_codes_and_the_help_say_the_same() {
        let page = include_str!("../../../docs/exit-codes.md");
        for (what, when) in [RUN, BATCH, WAIT_FOR, DOCTOR, CLEANUP, PS, KILL].concat() {
            let row = format!("| {what} | {when} |");
            assert!(page.contains(&row), "docs/exit-codes.md lacks: {row}");
        }
        for code in [CANCELLED, OUTPUT_LIMIT, TIMEOUT, FAILED, CANNOT_EXECUTE, NOT_FOUND] {
            assert!(RUN.iter().any(|(what, _)| *what == code.to_string()), "{code}");
        }
    }
}
