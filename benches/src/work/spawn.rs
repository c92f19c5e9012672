//! A process made and waited for, with the streams that it inherits.

use super::{Job, awaited, expect, repeated};
use crate::Result;
use crate::server::Answer;
use pinfold::{Isolation, Stdio};
use pinfold_os::order::Order;
use std::ffi::CString;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;

pub(super) fn answer(job: Job<'_>) -> Result<Answer> {
    match job.way {
        "cgroup" => ours(job, Isolation::Cgroup),
        "group" => ours(job, Isolation::ProcessGroup),
        "subreaper" => ours(job, Isolation::Subreaper),
        "namespace" => ours(job, Isolation::PidNamespace),
        "floor" => floor(job),
        "std" => std(job, false),
        "std with uid" => std(job, true),
        "tokio" => awaited(job.count, async || expect("the status", job.tokio().status().await?.success())),
        "duct" => {
            let command = job.duct();
            repeated(job.count, || command.run().map(drop).map_err(Into::into))
        }
        "processkit" => {
            let inherit = processkit::StdioMode::Inherit;
            let command = job.processkit().inherit_stdin().stdout(inherit).stderr(inherit);
            // Its verb for the code wants a pipe.
            awaited(job.count, async || {
                expect("the code", command.start().await?.wait().await?.code() == Some(0))
            })
        }
        _ => job.unknown(),
    }
}

fn ours(job: Job<'_>, isolation: Isolation) -> Result<Answer> {
    let command =
        job.ours().inherit_stdin().stdout(Stdio::Inherit).stderr(Stdio::Inherit).isolation(isolation);
    repeated(job.count, || expect("the code", command.exit_code()? == 0))
}

/// What lies under our library: an order carried out and its process reaped, with nothing around.
fn floor(job: Job<'_>) -> Result<Answer> {
    let program = CString::new(job.program)?;
    let mut env = Vec::new();
    for (name, value) in std::env::vars_os() {
        env.push(CString::new([name.into_vec(), value.into_vec()].join(&b'='))?);
    }
    let order = Order::new(program.clone(), vec![program], env);
    repeated(job.count, || {
        let mut process = pinfold_os::spawn::spawn(&order).map_err(|error| error.to_string())?;
        process.reap()?;
        Ok(())
    })
}

/// With a user id, even our own, std copies the whole process instead of sharing its memory.
fn std(job: Job<'_>, with_uid: bool) -> Result<Answer> {
    let mut command = job.std();
    if with_uid {
        command.uid(std::fs::metadata("/proc/self")?.uid());
    }
    repeated(job.count, || expect("the status", command.status()?.success()))
}
