//! Another process that is asked to do something and answers how long that took.
//!
//! A request is a line of words divided by tabs. The answer is a line: nanoseconds, and for some requests a number of
//! bytes after a space.

use crate::{Error, Result};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// What this program is told to become a worker.
pub(crate) const WORKER: &str = "worker";

/// How long it took, in nanoseconds, and how much memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) nanos: u64,
    pub(crate) bytes: u64,
}

/// A process that answers.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Server {
    /// The bare floor.
    pub(crate) fn floor(program: &Path) -> Result<Server> {
        Server::start(Command::new(program))
    }

    /// This program, as a worker.
    pub(crate) fn worker() -> Result<Server> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(WORKER);
        Server::start(command)
    }

    /// Any program that answers.
    pub(crate) fn start(mut command: Command) -> Result<Server> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let requests = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().ok_or("no pipe")?);
        Ok(Server { child, requests, answers })
    }

    /// Asks and waits for the answer.
    pub(crate) fn ask(&mut self, request: &str) -> Result<Answer> {
        let requests = self.requests.as_mut().ok_or("no pipe")?;
        requests.write_all(format!("{request}\n").as_bytes())?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        parse(line.trim())
            .ok_or_else(|| Error::from(format!("`{request}` was answered by `{}`", line.trim())))
    }
}

fn parse(line: &str) -> Option<Answer> {
    let (nanos, bytes) = line.split_once(' ').unwrap_or((line, "0"));
    Some(Answer { nanos: nanos.parse().ok()?, bytes: bytes.parse().ok()? })
}

impl Drop for Server {
    fn drop(&mut self) {
        // The end of its requests is its end.
        self.requests = None;
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_time_and_perhaps_a_size() {
        assert_eq!(parse("17"), Some(Answer { nanos: 17, bytes: 0 }));
        assert_eq!(parse("17 4096"), Some(Answer { nanos: 17, bytes: 4096 }));
        assert_eq!(parse("no such program"), None);
        assert_eq!(parse(""), None);
    }
}
