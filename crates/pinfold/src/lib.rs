//! Start processes, contain them, and tell the truth about them: *nothing you start outlives you unless you say so*.
//!
//! ```
//! use pinfold::Command;
//! use std::time::Duration;
//!
//! // Whatever this shell starts is ended with it: the sleeper does not survive the run.
//! let result = Command::new("sh")
//!     .args(["-c", "sleep 1000 & echo started; exit 3"])
//!     .timeout(Duration::from_secs(10))
//!     .output()?;
//! assert_eq!((result.stdout.as_str(), result.code()), ("started\n", Some(3)));
//! assert_eq!(result.strays.count, 1);
//! # pinfold::Result::Ok(())
//! ```
#![forbid(unsafe_code)]

pub mod capture;
pub mod lookup;
#[cfg(feature = "metrics")]
pub mod metrics;
pub mod text;
#[cfg(target_os = "linux")]
pub mod tracked;

#[cfg(all(feature = "tokio", unix))]
mod async_handle;
#[cfg(all(feature = "tokio", unix))]
mod async_runner;
mod batch;
mod cancel;
mod client;
mod command;
mod containment;
mod cursor;
mod drive;
mod error;
mod group;
mod handle;
mod limits;
mod listener;
mod machine;
mod maker;
mod observe;
mod outcome;
mod output;
mod pipeline;
mod plan;
pub mod poll;
mod polled;
mod probe;
#[cfg(target_os = "linux")]
mod registry;
mod report;
mod retry;
mod runner;
mod running;
mod sandbox;
mod settings;
mod stop;
mod supervise;
pub mod testing;
mod verbs;
#[cfg(feature = "serde")]
mod wire;

#[cfg(all(feature = "tokio", unix))]
pub use async_handle::{AsyncChunks, AsyncEvents, AsyncHandle, AsyncLines, AsyncStdinWriter, AsyncStream};
#[cfg(all(feature = "tokio", unix))]
pub use async_runner::AsyncRunner;
#[cfg(all(feature = "tokio", unix))]
pub use batch::{AsyncCompleted, output_all_async, output_all_bytes_async, output_as_completed_async};
pub use batch::{
    Batch, BatchProgress, Completed, Finished, output_all, output_all_bytes, output_as_completed,
};
pub use cancel::CancelToken;
pub use capture::{Keep, Limit, Overflow};
pub use client::CliClient;
pub use command::Command;
pub use cursor::Event;
pub use drive::completion::Completion;
pub use drive::first_line::FirstLine;
pub use error::{Error, ErrorKind, Result};
pub use group::{
    Emptying, GroupBuilder, GroupEvent, GroupEvents, GroupStats, MemberInfo, Pressure, ProcessGroup,
    ProcessState, StopReport, Stopping,
};
pub use handle::{Chunks, Events, Handle, Lines, StdinWriter};
pub use limits::{BlockDevice, Enforcement, IoLimit, Limits};
pub use listener::Listener;
pub use machine::{Answered, Crowd, Interest, Key, Machine};
pub use observe::{Happening, LimitKind, Observer, RunEvent};
pub use outcome::{
    Cause, EndedWith, Ending, Guarantee, LimitsHit, Mechanism, Outcome, Seen, Stray, Strays, Usage,
};
pub use output::{Output, Stage};
pub use pinfold_os::handle::Pid;
pub use pinfold_os::limits::Resource;
pub use pinfold_os::signal::{Signal, SignalSet};
pub use pipeline::{Piped, Pipeline, Sink, Source};
pub use plan::Plan;
pub use polled::{PolledChunks, PolledEvents, PolledHandle, PolledLines, Watch};
pub use probe::{PolledWaiting, Probe, Waiting};
pub use report::{CgroupReport, HostReport, RegistryReport, Rung};
pub use retry::{Retry, RetryIf, RetryOn};
#[cfg(feature = "serde")]
pub use runner::RunnerJson;
pub use runner::{DryRunner, Host, Runner, With};
pub use running::{Progress, Running};
pub use sandbox::{Access, AllowedPath, Sandbox};
pub use settings::{
    Containment, IoPriority, Isolation, Payload, Rlimit, Stdin, Stdio, StopRule, StrayRule, Stream,
};
pub use supervise::{
    Backoff, Liveness, PastRun, Phase, Reason, Restart, Status, Stopped, Storm, Supervision,
    SupervisionEvent, SupervisionEvents, SupervisionOutcome, SupervisionWatch, Supervisor, SupervisorHandle,
};
pub use text::{Encoding, LineRule};
pub use verbs::Judge;

/// The README's examples, as tests; some of them are async.
#[cfg(all(doctest, feature = "tokio", unix))]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// The tour of the library.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/library.md")]
struct Tour;

/// The example of the page on waiting.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/wait-for.md")]
struct WaitForPage;

/// The example of the page on supervision.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/supervision.md")]
struct SupervisionPage;

/// The examples of the page on pipelines and batches.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/pipelines.md")]
struct PipelinesPage;

/// The example of the page on the sandbox.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/sandbox.md")]
struct SandboxPage;

/// The examples of the pages on testing and on seeing what runs.
#[cfg(all(doctest, feature = "serde", feature = "tokio", unix))]
#[doc = include_str!("../../../docs/testing.md")]
struct TestingPage;

#[cfg(all(doctest, feature = "metrics", feature = "serde"))]
#[doc = include_str!("../../../docs/events.md")]
struct EventsPage;
