//! The seam between code that runs commands and what runs them.
//!
//! A [`Runner`] has one method of its own, [`Runner::launch`]; every verb follows from it. [`Host`] is the real one.

#[cfg(feature = "serde")]
mod cassette;
mod dry;
mod host;
mod reply;
mod scripted;
mod spy;
#[cfg(test)]
mod tests;
mod with;

#[cfg(feature = "serde")]
pub use cassette::Cassette;
pub use dry::DryRunner;
pub use host::Host;
pub use reply::Reply;
pub use scripted::ScriptedRunner;
pub use spy::{Invocation, RecordingRunner};
pub use with::With;

use crate::cancel::CancelToken;
use crate::command::Command;
use crate::drive::block;
use crate::drive::first_line::FirstLine;
use crate::error::Result;
use crate::handle::Handle;
use crate::listener::Listener;
use crate::observe::{Happening, Observer};
use crate::output::Output;
use crate::plan::Stages;
use crate::retry::RetryIf;
use crate::running::Running;
use crate::verbs::{self, Judge};
use std::sync::Arc;

/// What can run commands, with every verb that waits for the end.
///
/// A verb that returns output keeps what the program wrote, whatever becomes of the run: an [`Error`](crate::Error) carries it too.
pub trait Runner: Send + Sync {
    /// Starts a command: the one thing that a runner has to do.
    ///
    /// # Errors
    /// Nothing was started, and nothing is left.
    fn launch(&self, command: &Command) -> Result<Running>;

    /// Starts the stages of a pipeline, each of which reads what the one before it writes. What holds for all of them together
    /// is in `whole`, whose own program counts for nothing: [`Pipeline`](crate::Pipeline) makes both.
    ///
    /// A runner that says nothing of it has each stage launched by itself, and the bytes are carried between them by whoever
    /// waits for the run; [`Host`] and groups join real programs by the kernel's pipes, in one container.
    ///
    /// # Errors
    /// As [`Runner::launch`], for the first stage that cannot be started: the others are ended. It names the stage.
    fn launch_piped(&self, stages: &[Command], whole: &Command) -> Result<Running> {
        let cancel = self.cancel_token().cloned();
        Stages::new(stages, whole)?.launch_each(cancel, |command| self.launch(command))
    }

    /// What is called with each line, while a verb waits.
    fn listener(&self) -> Option<&Listener> {
        None
    }

    /// What decides whether a command that has a [`Retry`](crate::Retry) is tried again, in place of its
    /// [`RetryOn`](crate::RetryOn).
    fn retries(&self) -> Option<&RetryIf> {
        None
    }

    /// The token that ends the pauses between attempts.
    fn cancel_token(&self) -> Option<&CancelToken> {
        None
    }

    /// Those who are told what happens to its runs.
    fn observer(&self) -> Option<&Observer> {
        None
    }

    /// Runs it and returns its standard output without the line breaks at its end. It has to succeed.
    ///
    /// # Errors
    /// Whatever is no success: [`NonZeroExit`](crate::ErrorKind::NonZeroExit), [`Timeout`](crate::ErrorKind::Timeout),
    /// [`Signalled`](crate::ErrorKind::Signalled), ...
    fn run(&self, command: &Command) -> Result<String> {
        let output = block::complete(self, command, Judge::Succeed)?;
        Ok(verbs::trimmed(output.into_text(&command.encodings).stdout))
    }

    /// Runs it and returns its output as text and how it ended. A failure of the program or a timeout is no error.
    ///
    /// # Errors
    /// It could not be started, was cancelled, or went over an output limit that says so.
    fn output(&self, command: &Command) -> Result<Output> {
        Ok(self.output_bytes(command)?.into_text(&command.encodings))
    }

    /// [`Runner::output`] as bytes.
    ///
    /// # Errors
    /// As there.
    fn output_bytes(&self, command: &Command) -> Result<Output<Vec<u8>>> {
        block::complete(self, command, Judge::End)
    }

    /// Runs it and returns its exit code, whatever that is.
    ///
    /// # Errors
    /// As [`Runner::output`], and if it ended without a code: by a timeout or a signal.
    fn exit_code(&self, command: &Command) -> Result<i32> {
        verbs::code(block::complete(self, command, Judge::Return)?)
    }

    /// Runs it as a question: 0 is yes, 1 is no.
    ///
    /// # Errors
    /// As [`Runner::exit_code`], and for every other code.
    fn probe(&self, command: &Command) -> Result<bool> {
        Ok(verbs::code(block::complete(self, command, Judge::Answer)?)? == 0)
    }

    /// Runs it until it has written one line, returns that and stops it, by the command's stop rule.
    ///
    /// # Errors
    /// [`ErrorKind::UnexpectedOutput`](crate::ErrorKind::UnexpectedOutput) if it ended without a line; as [`Runner::run`] if it failed before.
    fn first_line(&self, command: &Command) -> Result<String> {
        block::until_known(&mut FirstLine::new(self, command)).map_err(|error| command.unwaitable(error))?
    }

    /// Starts it and returns a live handle. Dropping that kills all of it.
    ///
    /// # Errors
    /// As [`Runner::launch`].
    fn start(&self, command: &Command) -> Result<Handle> {
        Ok(Handle::new(self.launch(command)?, command))
    }
}

/// Has what was launched watched, or tells that it was not.
fn watched(observer: &Observer, command: &Command, launched: Result<Running>) -> Result<Running> {
    match launched {
        Ok(mut running) => {
            running.watch(observer, command);
            Ok(running)
        }
        Err(error) => {
            observer.tell_of(&command.program, Happening::NotStarted { kind: error.kind() });
            Err(error)
        }
    }
}

/// A runner that is shared, or lent, is one too.
macro_rules! passed_on {
    ($($pointer:ty),*) => {$(
        impl<R: Runner + ?Sized> Runner for $pointer {
            fn launch(&self, command: &Command) -> Result<Running> {
                (**self).launch(command)
            }

            fn launch_piped(&self, stages: &[Command], whole: &Command) -> Result<Running> {
                (**self).launch_piped(stages, whole)
            }

            fn listener(&self) -> Option<&Listener> {
                (**self).listener()
            }

            fn cancel_token(&self) -> Option<&CancelToken> {
                (**self).cancel_token()
            }

            fn observer(&self) -> Option<&Observer> {
                (**self).observer()
            }

            fn retries(&self) -> Option<&RetryIf> {
                (**self).retries()
            }
        }
    )*};
}

passed_on!(&R, Arc<R>, Box<R>);

/// [`Runner::run`] and a JSON value.
#[cfg(feature = "serde")]
pub trait RunnerJson: Runner {
    /// Runs it and reads its standard output as one JSON value. It has to succeed.
    ///
    /// # Errors
    /// As [`Runner::run`]; [`ErrorKind::UnexpectedOutput`](crate::ErrorKind::UnexpectedOutput) if the output is something else.
    fn output_json<T: serde::de::DeserializeOwned>(&self, command: &Command) -> Result<T> {
        verbs::json(block::complete(self, command, Judge::Succeed)?, command)
    }
}

#[cfg(feature = "serde")]
impl<R: Runner + ?Sized> RunnerJson for R {}
