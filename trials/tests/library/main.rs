//! The library from outside: real programs, real endings, and after each test nothing that is left of them.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stderr, clippy::print_stdout, reason = "a part tells its test what it saw")]

mod part;

mod asynchronous;
mod background;
mod bad_input;
mod batches;
mod containers;
mod control;
mod detached;
mod emptiness;
mod ending;
mod exhaustion;
mod faults;
mod given;
mod group;
mod limits;
mod machine;
mod matrix;
mod outcome;
mod owner;
mod pipelines;
mod routes;
mod sandbox;
mod sharing;
mod streams;
mod text;
mod threads;
mod verbs;

use std::time::Duration;

use pinfold::{Command, Isolation};
use pinfold_trials::descriptors::Descriptor;
use pinfold_trials::{Trial, cgroup2_dir};

/// Longer than anything here takes on the slowest machine.
const LONG: Duration = Duration::from_secs(30);

/// A trial that knows what the library keeps open for good: the empty cgroups that wait for the next run, the
/// handle of its guard, and its file in the registry.
fn begin() -> Trial {
    let mut trial = Trial::new();
    let own = cgroup2_dir();
    let is_kept = move |descriptor: &Descriptor| {
        // Where it was, and where it is once systemd has given it a scope.
        let places = [own.clone(), cgroup2_dir()].into_iter().flatten();
        let mut below = places.filter_map(|own| {
            std::path::Path::new(&descriptor.target).strip_prefix(own).ok().map(Into::into)
        });
        below.any(|below: std::path::PathBuf| below.to_string_lossy().starts_with("pinfold."))
            || is_of_guard(descriptor)
            || is_of_registry(descriptor)
    };
    trial.allow_fds(is_kept);
    trial
}

/// Whether a descriptor is the file of an owner in a registry.
fn is_of_registry(descriptor: &Descriptor) -> bool {
    let name = std::path::Path::new(&descriptor.target).file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("pinfold.") && name.split('.').count() == 4
}

/// Whether a descriptor is the handle of a guard.
fn is_of_guard(descriptor: &Descriptor) -> bool {
    let told =
        std::fs::read_to_string(format!("/proc/self/fdinfo/{}", descriptor.number)).unwrap_or_default();
    let pid = told.lines().find_map(|line| line.strip_prefix("Pid:")).map(str::trim);
    let name = pid.and_then(|pid| std::fs::read_to_string(format!("/proc/{pid}/comm")).ok());
    name.is_some_and(|name| name.trim() == "pinfold-guard")
}

/// `fixture ARGUMENTS`, split at spaces; in the trial of whoever starts it, if it has one.
fn fixture(arguments: &str) -> Command {
    Command::new(pinfold_trials::fixture()).args(arguments.split_whitespace())
}

/// A shell script.
fn sh(script: &str) -> Command {
    Command::new("sh").args(["-c", script])
}

/// What a trial's process is told, so that it is found.
trait Of: Sized {
    /// The same command in a trial.
    fn of(self, trial: &Trial) -> Self;
}

impl Of for Command {
    fn of(self, trial: &Trial) -> Command {
        let (name, value) = trial.env();
        self.env(name, value)
    }
}

/// Every container that this host has.
fn mechanisms() -> Vec<Isolation> {
    pinfold_trials::mechanisms().into_iter().map(isolation).collect()
}

/// A container by the name that the command-line tool gives it.
fn isolation(name: &str) -> Isolation {
    serde_json::from_value(name.replace('-', "_").into()).unwrap()
}
