//! What a double does instead of a program, as data.

use crate::command::Command;
use crate::error::{Error, ErrorKind};
use crate::outcome::{Cause, Ending};
use crate::running::{End, Reaction, Reads, Script, Step};
use crate::settings::Stream;
use pinfold_os::signal::Signal;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// What a scripted child does: what it writes and when, how it ends, and how it takes being stopped.
///
/// It passes through the same machine as a real child, so the command's timeouts, limits, encodings and stop rule act on it.
///
/// ```
/// use pinfold::testing::{Reply, ScriptedRunner};
/// use pinfold::{Command, ErrorKind, Runner};
/// use std::time::Duration;
///
/// let slow = Reply::ok("done\n").after(Duration::from_secs(3600));
/// let runner = ScriptedRunner::new().on(["job"], slow);
/// let error = runner.run(&Command::new("job").timeout(Duration::from_millis(10))).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Timeout);
/// ```
#[derive(Clone, Debug)]
#[must_use = "a reply is given to a runner"]
pub struct Reply {
    pub(crate) script: Arc<Script>,
    /// It is not even started, because of this.
    refusal: Option<Refusal>,
}

#[derive(Clone, Debug)]
struct Refusal {
    kind: ErrorKind,
    what: String,
    source: Option<Arc<Source>>,
}

type Source = dyn std::error::Error + Send + Sync;

impl Reply {
    fn ending(end: End) -> Reply {
        Reply::from_script(Script::new(end))
    }

    pub(crate) fn from_script(script: Script) -> Reply {
        Reply { script: Arc::new(script), refusal: None }
    }

    fn with(mut self, edit: impl FnOnce(&mut Script)) -> Reply {
        edit(Arc::make_mut(&mut self.script));
        self
    }

    fn step(self, step: Step) -> Reply {
        self.with(|script| script.steps.push(step))
    }

    /// Writes this to standard output and returns 0.
    pub fn ok(stdout: impl AsRef<[u8]>) -> Reply {
        Reply::exits(0).with_stdout(stdout)
    }

    /// Writes this to standard error and returns a code.
    pub fn fail(code: i32, stderr: impl AsRef<[u8]>) -> Reply {
        Reply::exits(code).with_stderr(stderr)
    }

    /// Writes nothing and returns a code.
    pub fn exits(code: i32) -> Reply {
        Reply::ending(End::As(Ending::Exited { code }, Cause::Itself))
    }

    /// Writes these lines to standard output, with a pause before each but the first, and returns 0.
    pub fn lines<L: AsRef<str>>(lines: impl IntoIterator<Item = L>, pause: Duration) -> Reply {
        let mut reply = Reply::exits(0);
        for (index, line) in lines.into_iter().enumerate() {
            if index > 0 {
                reply = reply.after_pause(pause);
            }
            reply = reply.with_stdout(format!("{}\n", line.as_ref()));
        }
        reply
    }

    /// Ends at once, as a run that went over its timeout and was stopped. For one that really lives through its command's
    /// own timeout there is [`Reply::pending`].
    pub fn timeout() -> Reply {
        let ending = Ending::Signalled { signal: Signal::TERM, core_dumped: false };
        Reply::ending(End::As(ending, Cause::Timeout))
    }

    /// Ends by a signal that nobody here sent.
    pub fn signalled(signal: Signal) -> Reply {
        let ending = Ending::Signalled { signal, core_dumped: false };
        Reply::ending(End::As(ending, Cause::Itself))
    }

    /// Goes on until it is stopped.
    pub fn pending() -> Reply {
        Reply::ending(End::Never)
    }

    /// Is not started, because there is no such program.
    pub fn not_found() -> Reply {
        Reply::refused(ErrorKind::NotFound, "not found in PATH")
    }

    /// Is not started: an error of this kind, which says this after the program's name.
    pub fn refused(kind: ErrorKind, what: impl Into<String>) -> Reply {
        let refusal = Refusal { kind, what: what.into(), source: None };
        Reply { refusal: Some(refusal), ..Reply::exits(0) }
    }

    /// [`Reply::refused`] because of another error, which is the source of that error: as `Arc<dyn Error + Send + Sync>` within
    /// an [`io::Error`].
    pub fn refused_by(
        kind: ErrorKind,
        what: impl Into<String>,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Reply {
        let refusal = Refusal { kind, what: what.into(), source: Some(Arc::new(source)) };
        Reply { refusal: Some(refusal), ..Reply::exits(0) }
    }

    /// Then writes this to standard output.
    pub fn with_stdout(self, bytes: impl AsRef<[u8]>) -> Reply {
        self.writes(Stream::Stdout, bytes)
    }

    /// Then writes this to standard error.
    pub fn with_stderr(self, bytes: impl AsRef<[u8]>) -> Reply {
        self.writes(Stream::Stderr, bytes)
    }

    /// Then writes this to a stream. Nothing is no write.
    pub fn writes(self, stream: Stream, bytes: impl AsRef<[u8]>) -> Reply {
        match bytes.as_ref() {
            [] => self,
            bytes => self.step(Step::Write(stream, bytes.into())),
        }
    }

    /// Then does nothing for this long: what is written after it comes later, or else its end.
    pub fn after_pause(self, pause: Duration) -> Reply {
        self.step(Step::Pause(pause))
    }

    /// Does nothing for this long before everything else.
    pub fn after(self, pause: Duration) -> Reply {
        self.with(|script| script.steps.insert(0, Step::Pause(pause)))
    }

    /// Then waits until it was given another line on its standard input, or the end of that.
    pub fn after_line(self) -> Reply {
        self.step(Step::AwaitLine)
    }

    /// Then waits for the end of its standard input. Without one to read, that is there at once.
    pub fn after_input(self) -> Reply {
        self.step(Step::AwaitEnd)
    }

    /// Ignores a signal, the command's stop signal for one. `SIGKILL` and `SIGSTOP` cannot be ignored.
    pub fn ignoring(self, signal: Signal) -> Reply {
        self.with(|script| script.reactions.push((signal, Reaction::Ignore)))
    }

    /// On a signal leaves what it was at and does this instead; otherwise signals do what they do to a program that does not
    /// care for them, which mostly is to end it.
    pub fn on_signal(self, signal: Signal, reply: Reply) -> Reply {
        self.with(|script| script.reactions.push((signal, Reaction::Turn(reply.script))))
    }

    /// Reads so many bytes of its standard input, which it then closes, instead of all of it.
    pub fn reads(self, bytes: u64) -> Reply {
        self.with(|script| script.reads = Reads::Only(bytes))
    }

    /// Never reads its standard input: as much can be written to it as a pipe holds.
    pub fn reads_nothing(self) -> Reply {
        self.with(|script| script.reads = Reads::Nothing)
    }

    /// Why it is not started, if it is not.
    pub(crate) fn refusal(&self, command: &Command) -> Option<Error> {
        let Refusal { kind, what, source } = self.refusal.as_ref()?;
        let mut error = command.error(*kind, what.as_str());
        if let Some(source) = source {
            error = error.because(io::Error::other(source.clone()));
        }
        let file = matches!(kind, ErrorKind::NotFound | ErrorKind::PermissionDenied);
        Some(if file { error.blame_program() } else { error })
    }
}
