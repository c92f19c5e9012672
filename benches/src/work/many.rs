//! Many children that live at the same time, from the start of the first to the end of the last.
//!
//! Each reads one pipe to its end, which comes when all of them are there.

use super::{Job, expect, status, timed};
use crate::Result;
use crate::server::Answer;
use pinfold::{Isolation, Stdio};
use std::fs::File;
use std::io::PipeReader;
use std::os::fd::AsRawFd;
use std::sync::mpsc;

pub(super) fn answer(job: Job<'_>) -> Result<Answer> {
    match job.way {
        "ours" => ours(job, Isolation::Cgroup),
        "group" => ours(job, Isolation::ProcessGroup),
        "std" => std(job),
        _ => job.unknown(),
    }
}

/// What a child opens to read the pipe, whichever way it is started.
fn path(reader: &PipeReader) -> String {
    format!("/proc/self/fd/{}", reader.as_raw_fd())
}

fn ours(job: Job<'_>, isolation: Isolation) -> Result<Answer> {
    let (reader, writer) = std::io::pipe()?;
    let command =
        job.ours().stdin_file(path(&reader)).stdout(Stdio::Null).stderr(Stdio::Null).isolation(isolation);
    let threads = status("Threads")?;
    timed(|| {
        let handles = (0..job.count).map(|_| command.start()).collect::<pinfold::Result<Vec<_>>>()?;
        expect("the number of our threads", status("Threads")? == threads)?;
        drop(writer);
        for handle in &handles {
            expect("the ending", handle.wait()?.code() == Some(0))?;
        }
        Ok(())
    })
}

fn std(job: Job<'_>) -> Result<Answer> {
    let (reader, writer) = std::io::pipe()?;
    let path = path(&reader);
    let (started, starts) = mpsc::channel();
    let run = || {
        let mut command = job.std();
        command
            .stdin(File::open(&path)?)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        let mut child = command.spawn()?;
        started.send(())?;
        expect("the ending", child.wait()?.success())
    };
    let run = || run().map_err(|error| error.to_string());
    timed(|| {
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..job.count).map(|_| scope.spawn(run)).collect();
            for _ in 0..job.count {
                starts.recv()?;
            }
            drop(writer);
            for thread in threads {
                thread.join().map_err(|_| "a thread panicked")??;
            }
            Ok(())
        })
    })
}
