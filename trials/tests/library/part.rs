//! The part of a test that needs a process of its own: one that exits, panics, lowers its limits, is somebody else or
//! has other variables.
//!
//! It is this test program again, told to run that very test; where it comes to the part, it does that and nothing else.

use std::any::type_name;
use std::process::{Command, Output, Stdio};

use pinfold_trials::{Trial, as_nobody};

/// Tells the test program that it is there for a part, and in which case.
const VARIABLE: &str = "PINFOLD_PART";

/// A part of the test that makes it, which can be run any number of times.
pub(crate) struct Part(Command);

impl Part {
    /// `body` is told the case that it is run for. It may end the process as it likes; if it returns, the code is 0, and
    /// if it panics, it is not.
    ///
    /// To be made before the trial, since what comes before it is done in the process of the part as well.
    pub(crate) fn new<F: FnOnce(&str)>(body: F) -> Part {
        if let Ok(case) = std::env::var(VARIABLE) {
            body(&case);
            std::process::exit(0);
        }
        // A closure has the name of the function that it stands in: here that is the test.
        let name = type_name::<F>().split_once("::").unwrap().1.split("::{{").next().unwrap();
        // Not by its path, which another user may not be able to follow.
        let mut command = Command::new("/proc/self/exe");
        command.args(["--exact", name, "--nocapture", "--include-ignored"]).stdin(Stdio::null());
        Part(command)
    }

    /// Sets an environment variable.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Part {
        self.0.env(name, value);
        self
    }

    /// Without the rights of root.
    pub(crate) fn unprivileged(mut self) -> Part {
        as_nobody(&mut self.0);
        self
    }

    /// The command that runs it in a case, as part of the trial.
    pub(crate) fn command(&mut self, trial: &Trial, case: &str) -> &mut Command {
        self.0.envs([trial.env(), (VARIABLE, case)])
    }

    /// Runs it to its end.
    pub(crate) fn output(&mut self, trial: &Trial, case: &str) -> Output {
        self.command(trial, case).output().unwrap()
    }

    /// Runs it to its end, which has to be one without a panic: what it wrote on standard error.
    #[track_caller]
    pub(crate) fn pass(&mut self, trial: &Trial, case: &str) -> String {
        let output = self.output(trial, case);
        let [out, err] =
            [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
        assert!(output.status.success(), "{case}: {}\n{out}\n{err}", output.status);
        err
    }
}
