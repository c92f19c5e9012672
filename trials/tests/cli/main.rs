//! `pinfold run` from end to end, by way of the built program: what it exits with, what becomes of signals and keys, what
//! it says, and that nothing is ever left.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stderr, reason = "a test says why it was skipped")]

mod batch;
mod container;
mod emptiness;
mod ending;
mod idle;
mod jobs;
mod killed;
mod limits;
mod log;
mod orphans;
mod output;
mod place;
mod record;
mod refusals;
mod sandbox;
mod schema;
mod signals;
mod terminal;
mod tracked;
mod transparent;
mod wait_for;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use pinfold_trials::{Trial, fixture, pinfold_bin};
use rustix::process::{Pid, Signal, kill_process};

/// Longer than anything here takes on the slowest machine.
const LONG: Duration = Duration::from_secs(30);

/// The containers that this machine has, as `--isolation` calls them.
fn isolations() -> Vec<&'static str> {
    pinfold_trials::mechanisms()
}

/// `pinfold run OPTIONS -- fixture ARGUMENTS`, both split at spaces.
fn run(trial: &Trial, options: &str, arguments: &str) -> Command {
    let mut command = pinfold(trial, options);
    command.arg("--").arg(fixture()).args(arguments.split_whitespace());
    command
}

/// `pinfold run OPTIONS`.
fn pinfold(trial: &Trial, options: &str) -> Command {
    let mut command = Command::new(pinfold_bin());
    command.arg("run");
    if !pinfold_trials::can_write_cgroup2() {
        // What it says of a container that is not the best is told in a trial of its own, and would be in the way of others.
        command.args(["--require", "best-effort"]);
    }
    command.args(options.split_whitespace()).envs([trial.env()]).stdin(Stdio::null());
    command
}

/// Runs it to its end; nothing may be left.
#[track_caller]
fn result(options: &str, arguments: &str) -> Output {
    let trial = Trial::new();
    let output = run(&trial, options, arguments).output().unwrap();
    trial.finish();
    output
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A running pinfold, whose output is read line by line.
struct Live {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Live {
    fn start(command: &mut Command) -> Live {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Live { child, stdout }
    }

    /// Starts it and waits until the fixture says `ready`.
    #[track_caller]
    fn ready(command: &mut Command) -> Live {
        let mut live = Live::start(command);
        let line = live.line();
        assert!(line.starts_with("ready"), "{line}");
        live
    }

    /// The next line, without its end; empty at the end of the stream.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn signal(&self, number: i32) {
        kill_process(Pid::from_child(&self.child), named(number)).unwrap();
    }

    /// What else it writes, and how it ends.
    fn end(mut self) -> (String, ExitStatus) {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        (rest, self.child.wait().unwrap())
    }
}

fn named(number: i32) -> Signal {
    Signal::from_named_raw(number).unwrap()
}
