//! A pipeline on a runner: every verb that a command has.

use super::Pipeline;
use crate::cancel::CancelToken;
use crate::command::Command;
use crate::error::Result;
use crate::handle::Handle;
use crate::listener::Listener;
use crate::observe::Observer;
use crate::output::Output;
use crate::retry::RetryIf;
use crate::runner::{Host, Runner};
use crate::running::Running;
#[cfg(all(feature = "tokio", unix))]
use crate::{async_handle::AsyncHandle, async_runner::AsyncRunner};

/// A pipeline, and what runs it: see [`Pipeline::on`].
///
/// As a runner it starts this pipeline, whatever command it is given; so a [`Completion`](crate::Completion) can drive it.
#[derive(Clone)]
pub struct Piped<R> {
    pipeline: Pipeline,
    whole: Command,
    runner: R,
}

impl<R: Runner> Runner for Piped<R> {
    fn launch(&self, whole: &Command) -> Result<Running> {
        self.runner.launch_piped(&self.pipeline.stages, whole)
    }

    fn listener(&self) -> Option<&Listener> {
        self.runner.listener()
    }

    fn retries(&self) -> Option<&RetryIf> {
        self.runner.retries()
    }

    fn observer(&self) -> Option<&Observer> {
        self.runner.observer()
    }

    fn cancel_token(&self) -> Option<&CancelToken> {
        self.runner.cancel_token()
    }
}

/// Not what its commands say: they may hold secrets.
impl<R> std::fmt::Debug for Piped<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Piped").field("stages", &self.pipeline.stages.len()).finish_non_exhaustive()
    }
}

/// The same verbs for a pipeline on a runner, and for one on this host.
macro_rules! verbs {
    ($($(#[$attribute:meta])* fn $verb:ident -> $answer:ty as $by:path;)*) => {
        impl<R: Runner> Piped<R> {
            $($(#[$attribute])*
            pub fn $verb(&self) -> Result<$answer> {
                $by(self, &self.whole)
            })*
        }

        /// The verbs, on this host.
        impl Pipeline {
            $($(#[$attribute])*
            pub fn $verb(&self) -> Result<$answer> {
                self.on(Host::new()).$verb()
            })*
        }
    };
}

verbs! {
    /// [`Runner::run`] of the pipeline: standard output of the last stage, without the line breaks at its end. Every stage
    /// has to end cleanly.
    ///
    /// # Errors
    /// As there, in the name of the stage that counts: [`Error::stage`](crate::Error::stage).
    fn run -> String as Runner::run;

    /// [`Runner::output`] of the pipeline.
    ///
    /// # Errors
    /// As there.
    fn output -> Output as Runner::output;

    /// [`Runner::output_bytes`] of the pipeline.
    ///
    /// # Errors
    /// As there.
    fn output_bytes -> Output<Vec<u8>> as Runner::output_bytes;

    /// [`Runner::exit_code`] of the pipeline: that of the first stage that did not end cleanly, or else of the last.
    ///
    /// # Errors
    /// As there.
    fn exit_code -> i32 as Runner::exit_code;

    /// [`Runner::probe`] of the pipeline.
    ///
    /// # Errors
    /// As there.
    fn probe -> bool as Runner::probe;

    /// [`Runner::first_line`] of the pipeline.
    ///
    /// # Errors
    /// As there.
    fn first_line -> String as Runner::first_line;

    /// [`Runner::start`] of the pipeline: the handle's streams are those of the last stage, its standard input is that of the
    /// first, and its pid is that of the last. Dropping it kills all of it.
    ///
    /// # Errors
    /// As there.
    fn start -> Handle as Runner::start;

    /// [`Piped::start`] with an async handle. It does not wait, so it is no future.
    ///
    /// # Errors
    /// As there.
    #[cfg(all(feature = "tokio", unix))]
    fn start_async -> AsyncHandle as AsyncRunner::start_async;
}

impl<R: Runner> Piped<R> {
    pub(super) fn new(pipeline: Pipeline, runner: R) -> Piped<R> {
        Piped { whole: pipeline.whole(), pipeline, runner }
    }

    /// [`RunnerJson::output_json`](crate::RunnerJson::output_json) of the pipeline.
    ///
    /// # Errors
    /// As there.
    #[cfg(feature = "serde")]
    pub fn output_json<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        crate::runner::RunnerJson::output_json(self, &self.whole)
    }
}

impl Pipeline {
    /// [`RunnerJson::output_json`](crate::RunnerJson::output_json) of the pipeline, on this host.
    ///
    /// # Errors
    /// As there.
    #[cfg(feature = "serde")]
    pub fn output_json<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        self.on(Host::new()).output_json()
    }
}

/// The same verbs, awaited.
#[cfg(all(feature = "tokio", unix))]
macro_rules! awaited {
    ($($(#[$attribute:meta])* fn $verb:ident -> $answer:ty;)*) => {
        impl<R: Runner> Piped<R> {
            $($(#[$attribute])*
            pub async fn $verb(&self) -> Result<$answer> {
                AsyncRunner::$verb(self, &self.whole).await
            })*
        }

        /// The verbs, awaited, on this host.
        impl Pipeline {
            $($(#[$attribute])*
            pub async fn $verb(&self) -> Result<$answer> {
                self.on(Host::new()).$verb().await
            })*
        }
    };
}

#[cfg(all(feature = "tokio", unix))]
awaited! {
    /// [`Piped::run`], awaited.
    ///
    /// # Errors
    /// As there.
    fn run_async -> String;

    /// [`Piped::output`], awaited.
    ///
    /// # Errors
    /// As there.
    fn output_async -> Output;

    /// [`Piped::output_bytes`], awaited.
    ///
    /// # Errors
    /// As there.
    fn output_bytes_async -> Output<Vec<u8>>;

    /// [`Piped::exit_code`], awaited.
    ///
    /// # Errors
    /// As there.
    fn exit_code_async -> i32;

    /// [`Piped::probe`], awaited.
    ///
    /// # Errors
    /// As there.
    fn probe_async -> bool;

    /// [`Piped::first_line`], awaited.
    ///
    /// # Errors
    /// As there.
    fn first_line_async -> String;
}
