//! The Python face of pinfold: it converts and presents, and decides nothing.
//!
//! Every class that a user meets is in the package `pinfold`; this module is its native half, `pinfold._native`. Python
//! objects are made on the thread that called, and no thread is started.
#![forbid(unsafe_code)]
#![expect(clippy::needless_pass_by_value, reason = "PyO3 gives arguments to own")]

mod ask;
mod batch;
mod cancel;
mod command;
mod convert;
mod error;
mod event;
mod flow;
mod group;
mod handle;
mod heard;
mod host;
mod limits;
mod machine;
mod metrics;
mod number;
mod pipeline;
mod plain;
mod probe;
mod result;
mod runner;
mod sandbox;
mod supervise;
mod testing;
mod tracked;
mod verbs;

use pinfold_os::memory::Offset;
use pyo3::prelude::*;

/// What stands in front of the content of `bytes`: large captures lie as they do, so that they can become some.
const HEAD: usize = 32;

#[global_allocator]
static MEMORY: Offset<HEAD> = Offset;

/// The native half of pinfold.
#[pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use crate::batch::{BatchProgress, batch};
    #[pymodule_export]
    use crate::cancel::CancelToken;
    #[pymodule_export]
    use crate::command::Command;
    #[pymodule_export]
    use crate::event::{RunEvent, on_every_event};
    #[pymodule_export]
    use crate::flow::Flow;
    #[pymodule_export]
    use crate::group::{Group, GroupEvent, GroupStats, MemberInfo, Pressure, StopReport};
    #[pymodule_export]
    use crate::handle::{OutputEvent, Run, RunProfile, Sample};
    #[pymodule_export]
    use crate::host::host_report_json;
    #[pymodule_export]
    use crate::limits::{IoLimit, Limits};
    #[pymodule_export]
    use crate::machine::Pollable;
    #[pymodule_export]
    use crate::metrics::{Metrics, metrics};
    #[pymodule_export]
    use crate::pipeline::Pipeline;
    #[pymodule_export]
    use crate::plain::unpickle;
    #[pymodule_export]
    use crate::probe::Probe;
    #[pymodule_export]
    use crate::result::{
        BytesResult, EndedWith, LimitsHit, Outcome, ProcessResult, Seen, Stage, Stray, Strays, Usage,
        unpickle_result,
    };
    #[pymodule_export]
    use crate::runner::AnyRunner;
    #[pymodule_export]
    use crate::sandbox::Sandbox;
    #[pymodule_export]
    use crate::supervise::{
        PastRun, Supervised, SupervisionEvent, SupervisionOutcome, SupervisionStatus, Supervisor,
    };
    #[pymodule_export]
    use crate::testing::{Invocation, Reply, Script, Spy, Tape};
    #[pymodule_export]
    use crate::tracked::{cleanup_json, signal_tracked, stop_tracked, tracked_json};

    #[pymodule_export]
    #[expect(non_upper_case_globals, reason = "the name that Python has for it")]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
