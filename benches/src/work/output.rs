//! What a program wrote, taken as a whole.

use super::{Job, awaited, expect, repeated, status};
use crate::Result;
use crate::server::Answer;
use pinfold::Isolation;

/// Small outputs, one program after the other.
pub(super) fn answer(job: Job<'_>) -> Result<Answer> {
    match job.way {
        "ours" => {
            let command = job.ours().isolation(Isolation::Cgroup);
            repeated(job.count, || expect("the output", command.output()?.is_success()))
        }
        "std" => repeated(job.count, || expect("the output", job.std().output()?.status.success())),
        "tokio" => {
            awaited(job.count, async || expect("the output", job.tokio().output().await?.status.success()))
        }
        "duct" => {
            let command = job.duct().stdin_null().stdout_capture().stderr_capture();
            repeated(job.count, || expect("the output", command.run()?.status.success()))
        }
        "processkit" => {
            let command = job.processkit();
            awaited(job.count, async || expect("the output", command.output_string().await?.is_success()))
        }
        _ => job.unknown(),
    }
}

/// One large output as bytes, and the most memory that this process ever had for it.
pub(super) fn capture(job: Job<'_>) -> Result<Answer> {
    const EXPECTED: usize = 1 << 30;
    let check = |bytes: Vec<u8>| expect("the size", bytes.len() >= EXPECTED);
    let answer = match job.way {
        "ours" => repeated(1, || check(job.ours().output_bytes()?.stdout)),
        "std" => repeated(1, || check(job.std().output()?.stdout)),
        "tokio" => awaited(1, async || check(job.tokio().output().await?.stdout)),
        "duct" => {
            repeated(1, || check(job.duct().stdin_null().stdout_capture().stderr_capture().run()?.stdout))
        }
        "processkit" => awaited(1, async || check(job.processkit().output_bytes().await?.into_stdout())),
        _ => job.unknown(),
    }?;
    Ok(Answer { bytes: status("VmHWM")? << 10, ..answer })
}
