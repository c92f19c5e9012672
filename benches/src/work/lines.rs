//! Lines taken one by one while the program writes them.

use super::{Job, awaited, expect, repeated};
use crate::Result;
use crate::server::Answer;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use tokio::io::AsyncBufReadExt;

pub(super) fn answer(job: Job<'_>) -> Result<Answer> {
    let expected: u64 = job.args.first().ok_or("no number of lines")?.parse()?;
    let check = |lines: u64| expect("the number of lines", lines == expected);
    match job.way {
        "borrowed" => repeated(1, || check(borrowed(job)?)),
        "owned" => repeated(1, || check(owned(job)?)),
        "std" => repeated(1, || check(std(job)?)),
        "std reused" => repeated(1, || check(std_reused(job)?)),
        "tokio" => awaited(1, async || check(tokio_lines(job).await?)),
        "duct" => repeated(1, || {
            let reader = job.duct().stdin_null().reader()?;
            check(count(BufReader::new(reader).lines())?)
        }),
        "processkit" => awaited(1, async || check(processkit(job).await?)),
        _ => job.unknown(),
    }
}

fn borrowed(job: Job<'_>) -> Result<u64> {
    let handle = job.ours().start()?;
    let mut lines = handle.stdout_lines()?;
    let (mut count, mut bytes) = (0, 0);
    while let Some(line) = lines.next_line()? {
        count += 1;
        bytes += line.len();
    }
    std::hint::black_box(bytes);
    expect("the ending", handle.wait()?.code() == Some(0))?;
    Ok(count)
}

fn owned(job: Job<'_>) -> Result<u64> {
    let handle = job.ours().start()?;
    let lines = count(handle.stdout_lines()?)?;
    expect("the ending", handle.wait()?.code() == Some(0))?;
    Ok(lines)
}

fn std(job: Job<'_>) -> Result<u64> {
    let mut child = job.std().stdout(Stdio::piped()).spawn()?;
    let lines = count(BufReader::new(child.stdout.take().ok_or("no pipe")?).lines())?;
    expect("the ending", child.wait()?.success())?;
    Ok(lines)
}

fn std_reused(job: Job<'_>) -> Result<u64> {
    let mut child = job.std().stdout(Stdio::piped()).spawn()?;
    let mut reader = BufReader::new(child.stdout.take().ok_or("no pipe")?);
    let (mut line, mut lines, mut bytes) = (String::new(), 0, 0);
    while reader.read_line(&mut line)? > 0 {
        lines += 1;
        bytes += line.trim_end_matches(['\r', '\n']).len();
        line.clear();
    }
    std::hint::black_box(bytes);
    expect("the ending", child.wait()?.success())?;
    Ok(lines)
}

async fn tokio_lines(job: Job<'_>) -> Result<u64> {
    let mut child = job.tokio().stdout(Stdio::piped()).spawn()?;
    let mut lines = tokio::io::BufReader::new(child.stdout.take().ok_or("no pipe")?).lines();
    let (mut count, mut bytes) = (0, 0);
    while let Some(line) = lines.next_line().await? {
        count += 1;
        bytes += line.len();
    }
    std::hint::black_box(bytes);
    expect("the ending", child.wait().await?.success())?;
    Ok(count)
}

async fn processkit(job: Job<'_>) -> Result<u64> {
    use processkit::prelude::StreamExt;
    let mut run = job.processkit().start().await?;
    let mut lines = run.stdout_lines()?;
    let (mut count, mut bytes) = (0, 0);
    while let Some(line) = lines.next().await {
        count += 1;
        bytes += line.len();
    }
    std::hint::black_box(bytes);
    expect("the ending", run.finish().await?.outcome.code() == Some(0))?;
    Ok(count)
}

/// Each line taken as a `String` of its own and looked at.
fn count<E: Into<crate::Error>>(lines: impl Iterator<Item = std::result::Result<String, E>>) -> Result<u64> {
    let (mut count, mut bytes) = (0, 0);
    for line in lines {
        count += 1;
        bytes += line.map_err(Into::into)?.len();
    }
    std::hint::black_box(bytes);
    Ok(count)
}
