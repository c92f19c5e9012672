//! The command line as plain data: what is asked for, and nothing decided yet.
//!
//! Each option is defined once, in a file for its command: how it is read, how it is explained, how it is completed. Reading
//! is ours, since it is on the way of every start and has to say what is wrong in one line; help, completions and the
//! manual are made by clap from the same definitions, and cost nothing until they are asked for.

pub(crate) mod batch;
pub(crate) mod cleanup;
pub(crate) mod doctor;
mod flag;
pub(crate) mod flags;
pub(crate) mod help;
pub(crate) mod kill;
pub(crate) mod limits;
mod options;
mod parse;
pub(crate) mod ps;
mod run;
mod sheet;
pub(crate) mod values;
pub(crate) mod wait_for;

pub(crate) use parse::parse;

use pinfold::{
    Guarantee, IoPriority, Isolation, Limits, Overflow, Rlimit, Sandbox, Signal, Stdin, Stdio, StrayRule,
};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// What pinfold is asked to do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Task {
    /// Run a program.
    Run(Box<RunArgs>),
    /// Run many.
    Batch(Box<batch::BatchArgs>),
    /// Say what this host offers.
    Doctor(doctor::DoctorArgs),
    /// Wait until things are ready.
    WaitFor(wait_for::WaitForArgs),
    /// Clear what dead owners left.
    Cleanup(cleanup::CleanupArgs),
    /// List owners and what they run.
    Ps(ps::PsArgs),
    /// Stop what owners run.
    Kill(kill::KillArgs),
    /// Show the help of a page.
    Help {
        /// Which.
        page: Page,
        /// All of it, rather than a line for each option.
        long: bool,
    },
    /// Show the version.
    Version,
    /// Write a shell's completions.
    Completions(clap_complete::Shell),
    /// Write a manual page.
    Man(Page),
}

/// What there is help for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// The tool itself.
    Pinfold,
    /// `pinfold run`.
    Run,
    /// `pinfold batch`.
    Batch,
    /// `pinfold wait-for`.
    WaitFor,
    /// `pinfold doctor`.
    Doctor,
    /// `pinfold cleanup`.
    Cleanup,
    /// `pinfold ps`.
    Ps,
    /// `pinfold kill`.
    Kill,
}

impl Page {
    /// Those of commands.
    pub(crate) const ALL: [Page; 7] =
        [Page::Run, Page::Batch, Page::WaitFor, Page::Doctor, Page::Cleanup, Page::Ps, Page::Kill];

    /// The command's name; that of the tool itself.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Page::Pinfold => "pinfold",
            Page::Run => run::SHEET.name,
            Page::Batch => batch::SHEET.name,
            Page::WaitFor => wait_for::SHEET.name,
            Page::Doctor => doctor::SHEET.name,
            Page::Cleanup => cleanup::SHEET.name,
            Page::Ps => ps::SHEET.name,
            Page::Kill => kill::SHEET.name,
        }
    }
}

/// A command line that means nothing: what is wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misuse {
    /// In a sentence without an end.
    pub(crate) what: String,
    /// What would be right, or where to look.
    pub(crate) hint: String,
}

/// The options of `pinfold run`, and the program.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct RunArgs {
    pub(crate) program: OsString,
    pub(crate) args: Vec<OsString>,
    pub(crate) arg0: Option<OsString>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) grace: Option<Duration>,
    pub(crate) signal: Option<Signal>,
    pub(crate) strays: Option<StrayRule>,
    pub(crate) retry: u32,
    pub(crate) retry_pause: Option<Duration>,
    /// The part of each pause that is left to chance, 0 to 1.
    pub(crate) retry_jitter: f64,
    pub(crate) success_codes: Option<Vec<i32>>,
    pub(crate) stdin: Option<Stdin>,
    pub(crate) stdout: Option<Stdio>,
    pub(crate) stderr: Option<Stdio>,
    pub(crate) max_bytes: Option<u64>,
    pub(crate) max_lines: Option<u64>,
    pub(crate) overflow: Option<Overflow>,
    pub(crate) env_clear: bool,
    pub(crate) inherit_env: Vec<OsString>,
    pub(crate) env: Vec<EnvChange>,
    pub(crate) cwd: Option<PathBuf>,
    pub(crate) user: Option<String>,
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
    pub(crate) groups: Option<Vec<u32>>,
    pub(crate) no_new_privs: bool,
    pub(crate) setsid: bool,
    pub(crate) umask: Option<u32>,
    pub(crate) nice: Option<i32>,
    pub(crate) affinity: Option<Vec<u32>>,
    pub(crate) io_priority: Option<IoPriority>,
    pub(crate) rlimits: Vec<Rlimit>,
    pub(crate) oom_score_adj: Option<i32>,
    pub(crate) limits: Limits,
    pub(crate) take_over_cgroup: bool,
    pub(crate) isolation: Isolation,
    pub(crate) require: Option<Guarantee>,
    pub(crate) untrusted: bool,
    /// What is asked for beside a preset.
    pub(crate) sandbox: Sandbox,
    pub(crate) json: Option<i32>,
    /// The descriptor that the log goes to, if there is one.
    pub(crate) log: Option<i32>,
    pub(crate) explain: bool,
    pub(crate) quiet: bool,
    pub(crate) verbose: bool,
}

/// One change of the environment, in the order of the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EnvChange {
    /// `--env`.
    Set(OsString, OsString),
    /// `--env-remove`.
    Remove(OsString),
    /// `--env-file`.
    File(PathBuf),
}
