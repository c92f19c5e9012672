//! The verbs of pipelines, in both manners.

use super::Pipeline;
use crate::cancel::CancelToken;
use crate::command::Command;
use crate::handle::Run;
use crate::machine::{Pollable, block};
use crate::runner::{Any, chosen};
use crate::verbs::{Call, Shape, launched, live_verbs, to_a_line, to_its_end, verbs};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use std::sync::Arc;

impl Pipeline {
    /// What runs it, what is run, and whether that has a container that is its alone.
    fn ran_by(&self, py: Python<'_>, runner: Option<&Bound<'_, PyAny>>) -> PyResult<(Any, Command, bool)> {
        let (runner, owns) = chosen(py, runner)?;
        Ok((Arc::new(self.0.on(runner)), Command::of(self.0.whole()), owns))
    }
}

verbs! { Pipeline:
    /// Runs it and returns standard output of the last stage without the line breaks at its end. Every stage has to end
    /// cleanly; what is raised names the stage that did not (`error.stage`). `on_line` is called with each line of the last
    /// stage; `cancel` is a token that ends all of it. `runner` is what runs its stages, a double or a group, in place of this
    /// host.
    ///
    /// >>> from pinfold import Command
    /// >>> (Command("echo", ["hello"]) | Command("tr", ["a-z", "A-Z"])).run()
    /// 'HELLO'
    run, arun, "`run()`, awaited." => Shape::Run;
    /// Runs it and returns its output as text and how it ended. A failure of a program or a timeout is data.
    ///
    /// >>> from pinfold import Command
    /// >>> result = (Command("false") | Command("echo", ["still"])).output()
    /// >>> result.stdout, result.program, result.code, result.failed_stage
    /// ('still\n', 'false', 1, 0)
    output, aoutput, "`output()`, awaited." => Shape::Output;
    /// `output()` with standard output as bytes.
    ///
    /// >>> from pinfold import Command
    /// >>> (Command("echo", ["hello"]) | Command("cat")).output_bytes().stdout
    /// b'hello\n'
    output_bytes, aoutput_bytes, "`output_bytes()`, awaited." => Shape::OutputBytes;
    /// Runs it and reads standard output of the last stage as one JSON value. Every stage has to end cleanly; raises
    /// `UnexpectedOutput` if it wrote something else.
    ///
    /// >>> from pinfold import Command
    /// >>> (Command("echo", ["[1, 2]"]) | Command("cat")).output_json()
    /// [1, 2]
    output_json, aoutput_json, "`output_json()`, awaited." => Shape::Json;
    /// Another name of `output_json()`.
    ///
    /// >>> from pinfold import Command
    /// >>> (Command("echo", ["[1, 2]"]) | Command("cat")).run_json()
    /// [1, 2]
    run_json, arun_json, "Another name of `aoutput_json()`." => Shape::Json;
    /// Runs it and returns the exit code of the first stage that did not end cleanly, or else of the last. Raises if that ended
    /// without one.
    ///
    /// >>> from pinfold import Command
    /// >>> (Command("sh", ["-c", "exit 3"]) | Command("cat")).exit_code()
    /// 3
    exit_code, aexit_code, "`exit_code()`, awaited." => Shape::ExitCode;
    /// Runs it as a question: the exit code 0 is `True`, 1 is `False`, and everything else raises.
    ///
    /// >>> from pinfold import Command
    /// >>> (Command("echo", ["hello"]) | Command("grep", ["-q", "ell"])).probe()
    /// True
    probe, aprobe, "`probe()`, awaited." => Shape::Probe;
}

live_verbs! { Pipeline:
    /// Runs it until the last stage has written one line, returns that and stops it. Raises `UnexpectedOutput` if it ended
    /// without one.
    ///
    /// >>> from pinfold import Command
    /// >>> (Command("yes") | Command("cat")).first_line()
    /// 'y'
    first_line;
    /// Starts it and returns a live handle that blocks where it waits: its streams and its pid are those of the last stage, its
    /// standard input is that of the first. Leaving its `with` block ends all of it.
    ///
    /// >>> from pinfold import Command
    /// >>> with (Command("seq", ["3"]) | Command("tac")).start() as process:
    /// ...     [int(line) for line in process]
    /// [3, 2, 1]
    start;
}
