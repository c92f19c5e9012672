//! A command and the facts of this host: every decision made, every refusal typed, and nothing spawned yet.

mod chain;
mod contradictions;
mod describe;
mod environment;
mod given;
mod launch;
mod limits;
mod perform;
mod sandbox;

use crate::command::Command;
use crate::containment::{self, Demand};
use crate::error::{Error, ErrorKind, Result};
use crate::lookup::{self, LookupError};
use crate::outcome::{Guarantee, Mechanism};
use crate::settings::{Stdin, Stdio};
use pinfold_os::order::{Identity, Limit};
use std::ffi::{CString, OsStr};
use std::path::{Path, PathBuf};

pub(crate) use chain::{Stages, prepare};
pub(crate) use given::Given;
pub(crate) use launch::Extras;

/// What will be done for a command on this host. Printed, it explains itself.
///
/// ```
/// use pinfold::Command;
///
/// let command = Command::new("sh").args(["-c", "exit 3"]).timeout(std::time::Duration::from_secs(5));
/// let plan = command.plan()?;
/// assert!(plan.program().is_absolute());
/// assert!(plan.to_string().contains("timeout"));
/// # pinfold::Result::Ok(())
/// ```
#[derive(Clone)]
pub struct Plan<'a> {
    pub(crate) command: &'a Command,
    path: PathBuf,
    /// Whether the program's file was looked at. Where it was not, what executes it does, and a refusal is explained then.
    looked_at: bool,
    argv: Vec<CString>,
    /// `None` is ours, unchanged.
    env: Option<Vec<CString>>,
    directory: Option<CString>,
    identity: Identity,
    limits: Vec<Limit>,
    affinity: Option<Vec<u64>>,
    io_priority: Option<u32>,
    sandbox: sandbox::Resolved,
    mechanism: Mechanism,
    missed: Option<String>,
    required: Option<Guarantee>,
}

impl Command {
    /// Decides everything that running it takes, without running it.
    ///
    /// # Errors
    /// Whatever would keep it from being started, as far as that can be told before.
    pub fn plan(&self) -> Result<Plan<'_>> {
        self.plan_with(&Extras::default())
    }

    pub(crate) fn plan_with(&self, extras: &Extras) -> Result<Plan<'_>> {
        let plan = Plan::new(self, true, extras)?;
        launch::refuse_what_is_missing(self)?;
        Ok(plan)
    }

    /// [`Command::plan`] for an execution that follows at once: a program that is given by its path is left to that to
    /// find, which saves a fifth of all that we do. Not where a file would be emptied for a program that is not there.
    pub(crate) fn plan_in_haste(&self, extras: &Extras) -> Result<Plan<'_>> {
        let writes =
            [&self.stdout, &self.stderr].into_iter().any(|stdio| matches!(stdio, Stdio::File { .. }));
        let is_path = lookup::names_a_file(&self.program) && !self.program.as_encoded_bytes().contains(&0);
        Plan::new(self, writes || !is_path, extras)
    }

    /// The file that the program's name means, looked for as a run would.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::PermissionDenied`].
    pub fn resolve_program(&self) -> Result<PathBuf> {
        Plan::new(self, true, &Extras::default()).map(|plan| plan.path)
    }
}

impl<'a> Plan<'a> {
    fn new(command: &'a Command, look: bool, extras: &Extras) -> Result<Plan<'a>> {
        contradictions::refuse(command)?;
        let user = environment::user(command)?;
        let environment = environment::build(command, user.home.as_deref())?;
        let path = if look {
            find(command, environment.path.as_deref())?
        } else {
            absolute(command, directory(command).join(&command.program))
        };
        let mut argv = Vec::with_capacity(command.args.len() + 1);
        argv.push(c_string(command, command.arg0.as_ref().unwrap_or(&command.program), "argv[0]")?);
        for (index, arg) in command.args.iter().enumerate() {
            argv.push(c_string(command, arg, format_args!("argument {}", index + 1))?);
        }
        let cwd = command.cwd.as_deref().map(|cwd| c_string(command, cwd.as_os_str(), "its directory"));
        let mut containment = command.containment;
        if command.process.kill_on_parent_death {
            containment.require = containment.require.max(Some(Guarantee::Guarded));
        }
        let demand = extras.demand(command);
        let choice =
            containment::choose_for(containment, demand).map_err(|refusal| refusal.into_error(command))?;
        let each = limits::per_process(command, &user.identity)?;
        let sandbox = sandbox::resolve(command, &path, &user.identity)?;
        Ok(Plan {
            command,
            env: environment.variables,
            path,
            looked_at: look,
            argv,
            directory: cwd.transpose()?.or_else(|| sandbox.directory.clone()),
            identity: user.identity,
            limits: contradictions::limits(command)?.into_iter().chain(each.limits).collect(),
            affinity: command.process.affinity.as_deref().or(each.cpus).map(cpu_mask),
            io_priority: command.process.io_priority.and_then(|priority| priority.number()),
            sandbox,
            mechanism: choice.mechanism,
            missed: choice.missed,
            required: containment.require.max(extras.group.as_ref().and_then(|group| group.required())),
        })
    }

    /// The file that will be executed.
    pub fn program(&self) -> &Path {
        &self.path
    }

    /// What will hold the run together.
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// What that is good for.
    pub fn guarantee(&self) -> Guarantee {
        containment::guarantee(self.mechanism)
    }

    /// Why it is nothing better, where something better was looked for and cannot be had: `no cgroup v2: ...`.
    pub fn missed(&self) -> Option<&str> {
        self.missed.as_deref()
    }

    /// The whole environment that the program will get, as `NAME=value`. It may hold secrets.
    pub fn environment(&self) -> Vec<CString> {
        self.env.clone().unwrap_or_else(environment::ours)
    }

    fn feeds(&self) -> bool {
        matches!(self.command.stdin, Stdin::Bytes(_) | Stdin::Open)
    }
}

impl Extras {
    /// What the container of a command is to be.
    fn demand<'a>(&'a self, command: &'a Command) -> Demand<'a> {
        Demand {
            limits: Some(&command.limits),
            group: self.group.as_ref(),
            take_over: self.take_over,
            alone: self.one_at_a_time,
            guard_as_child: self.guard_as_child,
        }
    }
}

/// The program's file, and a refusal that says what was looked at.
fn find(command: &Command, search: Option<&OsStr>) -> Result<PathBuf> {
    let refused = |error: LookupError| {
        let kind = match &error {
            LookupError::Empty | LookupError::Nul { .. } => ErrorKind::InvalidInput,
            LookupError::NotFound { .. } => ErrorKind::NotFound,
            _ => ErrorKind::PermissionDenied,
        };
        let error = match error {
            LookupError::NotFound { searched, unsearchable, hint, .. } => {
                let places: Vec<String> = searched.iter().map(|path| path.display().to_string()).collect();
                let error = match places.as_slice() {
                    // Where it was looked for, unless that is what its name says.
                    [_] if Path::new(&command.program).is_absolute() => {
                        command.error(kind, "not found: there is no such file")
                    }
                    [place] => {
                        let place = std::path::absolute(place).unwrap_or_else(|_| place.into());
                        command.error(kind, format!("not found: there is no {}", place.display()))
                    }
                    [] => command.error(kind, "not found: PATH is empty"),
                    _ => command.error(kind, not_found_in(&searched)),
                }
                .looked_for(&searched);
                if let Some(hint) = hint {
                    error.hint(hint.to_string())
                } else if unsearchable.is_empty() {
                    error
                } else {
                    error.hint(format!("{} may not be searched", directories(&unsearchable)))
                }
            }
            other => command.error(kind, other.to_string()),
        }
        .blame_program();
        // A directory that is not there makes every program in it not found; the directory is what to name.
        match &command.cwd {
            Some(cwd) if kind == ErrorKind::NotFound && !cwd.is_dir() => launch::no_directory(command, cwd),
            _ => error,
        }
    };
    let path = lookup::resolve(&command.program, search, &directory(command)).map_err(refused)?;
    Ok(absolute(command, path))
}

/// Where a relative path begins.
fn directory(command: &Command) -> PathBuf {
    // Only a relative directory needs ours; asking costs a call, and fails where ours was removed.
    let absolute = |cwd: &Path| std::path::absolute(cwd).unwrap_or_else(|_| cwd.to_owned());
    command.cwd.as_deref().map_or_else(|| PathBuf::from("."), absolute)
}

/// Without the `./` in front of what was found from our own directory, which says nothing.
fn absolute(command: &Command, path: PathBuf) -> PathBuf {
    if command.cwd.is_some() || path.is_absolute() {
        return path;
    }
    std::path::absolute(&path).unwrap_or(path)
}

/// A `PATH` of more directories than a line has room for would hide what is said behind it.
fn not_found_in(searched: &[PathBuf]) -> String {
    const NAMED: usize = 3;
    let mut different: Vec<&Path> = Vec::new();
    for directory in searched.iter().filter_map(|path| path.parent()) {
        if !different.contains(&directory) {
            different.push(directory);
        }
    }
    match different.len() {
        ..=NAMED => format!("not found in {}", directories(searched)),
        count => format!("not found in any of the {count} directories of PATH"),
    }
}

fn directories(paths: &[PathBuf]) -> String {
    let parents = paths.iter().filter_map(|path| path.parent());
    parents.map(|path| path.display().to_string()).collect::<Vec<_>>().join(":")
}

fn c_string(command: &Command, text: &OsStr, what: impl std::fmt::Display) -> Result<CString> {
    CString::new(text.as_encoded_bytes()).map_err(|_| nul(command, what))
}

fn nul(command: &Command, what: impl std::fmt::Display) -> Error {
    command.error(ErrorKind::InvalidInput, format!("{what} holds a NUL byte, which no program can be given"))
}

fn cpu_mask(cpus: &[u32]) -> Vec<u64> {
    let words = cpus.iter().max().map_or(1, |last| *last as usize / 64 + 1);
    let mut mask = vec![0; words];
    for cpu in cpus {
        mask[*cpu as usize / 64] |= 1 << (cpu % 64);
    }
    mask
}
