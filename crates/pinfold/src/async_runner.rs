//! The verbs as futures on tokio: each is the blocking one's twin, named with `_async`.

use crate::async_handle::AsyncHandle;
use crate::command::Command;
use crate::drive::first_line::FirstLine;
use crate::drive::tokio::{complete, failed, until};
use crate::error::Result;
use crate::output::Output;
use crate::runner::{Host, Runner};
use crate::verbs::{self, Judge};
use std::future::Future;

/// The verbs of [`Runner`] as futures. Every runner has them.
///
/// They must be awaited inside a tokio runtime with I/O and time enabled. Dropping a future kills all of its run before
/// the drop returns.
pub trait AsyncRunner: Runner {
    /// [`Runner::run`], awaited.
    fn run_async(&self, command: &Command) -> impl Future<Output = Result<String>> + Send {
        async {
            let output = complete(self, command, Judge::Succeed).await?;
            Ok(verbs::trimmed(output.into_text(&command.encodings).stdout))
        }
    }

    /// [`Runner::output`], awaited.
    fn output_async(&self, command: &Command) -> impl Future<Output = Result<Output>> + Send {
        async { Ok(self.output_bytes_async(command).await?.into_text(&command.encodings)) }
    }

    /// [`Runner::output_bytes`], awaited.
    fn output_bytes_async(&self, command: &Command) -> impl Future<Output = Result<Output<Vec<u8>>>> + Send {
        complete(self, command, Judge::End)
    }

    /// [`RunnerJson::output_json`](crate::RunnerJson::output_json), awaited.
    #[cfg(feature = "serde")]
    fn output_json_async<T: serde::de::DeserializeOwned>(
        &self,
        command: &Command,
    ) -> impl Future<Output = Result<T>> + Send {
        async { verbs::json(complete(self, command, Judge::Succeed).await?, command) }
    }

    /// [`Runner::exit_code`], awaited.
    fn exit_code_async(&self, command: &Command) -> impl Future<Output = Result<i32>> + Send {
        async { verbs::code(complete(self, command, Judge::Return).await?) }
    }

    /// [`Runner::probe`], awaited.
    fn probe_async(&self, command: &Command) -> impl Future<Output = Result<bool>> + Send {
        async { Ok(verbs::code(complete(self, command, Judge::Answer).await?)? == 0) }
    }

    /// [`Runner::first_line`], awaited.
    fn first_line_async(&self, command: &Command) -> impl Future<Output = Result<String>> + Send {
        async move {
            let line = until(&mut FirstLine::new(self, command)).await;
            line.map_err(|error| failed(command, error))?
        }
    }

    /// Starts it and returns a live handle: not a future, since starting does not wait. Dropping the handle kills all
    /// of the run.
    ///
    /// # Errors
    /// As [`Runner::launch`].
    fn start_async(&self, command: &Command) -> Result<AsyncHandle> {
        AsyncHandle::new(self.launch(command)?, command)
    }
}

impl<R: Runner + ?Sized> AsyncRunner for R {}

/// The verbs, awaited, on this host: see [`Runner`] for each.
impl Command {
    /// [`Command::run`], awaited.
    ///
    /// # Errors
    /// As there.
    pub async fn run_async(&self) -> Result<String> {
        Host::new().run_async(self).await
    }

    /// [`Command::output`], awaited.
    ///
    /// # Errors
    /// As there.
    pub async fn output_async(&self) -> Result<Output> {
        Host::new().output_async(self).await
    }

    /// [`Command::output_bytes`], awaited.
    ///
    /// # Errors
    /// As there.
    pub async fn output_bytes_async(&self) -> Result<Output<Vec<u8>>> {
        Host::new().output_bytes_async(self).await
    }

    /// [`Command::output_json`], awaited.
    ///
    /// # Errors
    /// As there.
    #[cfg(feature = "serde")]
    pub async fn output_json_async<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        Host::new().output_json_async(self).await
    }

    /// [`Command::exit_code`], awaited.
    ///
    /// # Errors
    /// As there.
    pub async fn exit_code_async(&self) -> Result<i32> {
        Host::new().exit_code_async(self).await
    }

    /// [`Command::probe`], awaited.
    ///
    /// # Errors
    /// As there.
    pub async fn probe_async(&self) -> Result<bool> {
        Host::new().probe_async(self).await
    }

    /// [`Command::first_line`], awaited.
    ///
    /// # Errors
    /// As there.
    pub async fn first_line_async(&self) -> Result<String> {
        Host::new().first_line_async(self).await
    }

    /// [`Command::start`] with an async handle. It does not wait, so it is no future.
    ///
    /// # Errors
    /// As there.
    pub fn start_async(&self) -> Result<AsyncHandle> {
        Host::new().start_async(self)
    }
}
