//! A worker: this program started again to do what is measured, in a process that does nothing else.

mod death;
mod flow;
mod group;
mod guard;
mod lines;
mod many;
mod output;
mod spawn;
mod stop;
mod supervise;

use crate::server::Answer;
use crate::{Error, Result};
use std::io::{BufRead, Write};
use std::time::Instant;

/// What a request asks for: which way, how many, and the program with its arguments.
#[derive(Clone, Copy, Debug)]
struct Job<'a> {
    way: &'a str,
    count: u64,
    program: &'a str,
    args: &'a [&'a str],
}

/// Answers requests until there are no more.
pub(crate) fn serve() -> Result<()> {
    let mut held = Vec::new();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split('\t').collect();
        let answer = answer(&words, &mut held)?;
        let mut out = std::io::stdout().lock();
        writeln!(out, "{} {}", answer.nanos, answer.bytes)?;
        out.flush()?;
    }
    Ok(())
}

fn answer(words: &[&str], held: &mut Vec<u8>) -> Result<Answer> {
    if let ["touch", bytes] = words {
        // Not zeros: those would be mapped and never made.
        *held = vec![1; bytes.parse()?];
        return Ok(Answer::default());
    }
    let [verb, way, count, program, args @ ..] = words else {
        return Err(Error::from(format!("no such request: {words:?}")));
    };
    let job = Job { way, count: count.parse()?, program, args };
    match *verb {
        "spawn" => spawn::answer(job),
        "output" => output::answer(job),
        "capture" => output::capture(job),
        "lines" => lines::answer(job),
        "many" => many::answer(job),
        "pipeline" => flow::pipeline(job),
        "batch" => flow::batch(job),
        "stop" => stop::answer(job),
        "group" => group::answer(job),
        "guard" => guard::answer(job),
        "death" => death::answer(job),
        "supervise" => supervise::answer(job),
        _ => Err(Error::from(format!("no such request: {words:?}"))),
    }
}

impl Job<'_> {
    /// The program for our own library, its streams as they come by default.
    fn ours(&self) -> pinfold::Command {
        pinfold::Command::new(self.program).args(self.args.iter().copied())
    }

    fn std(&self) -> std::process::Command {
        let mut command = std::process::Command::new(self.program);
        command.args(self.args);
        command
    }

    fn tokio(&self) -> tokio::process::Command {
        self.std().into()
    }

    fn duct(&self) -> duct::Expression {
        duct::cmd(self.program, self.args)
    }

    fn processkit(&self) -> processkit::Command {
        processkit::Command::new(self.program).args(self.args)
    }

    fn unknown<T>(&self) -> Result<T> {
        Err(Error::from(format!("no such way: {}", self.way)))
    }
}

/// How long it takes.
fn timed(work: impl FnOnce() -> Result<()>) -> Result<Answer> {
    let begun = Instant::now();
    work()?;
    Ok(Answer { nanos: u64::try_from(begun.elapsed().as_nanos())?, bytes: 0 })
}

/// How long it takes, so many times.
fn repeated(count: u64, mut work: impl FnMut() -> Result<()>) -> Result<Answer> {
    timed(|| (0..count).try_for_each(|_| work()))
}

/// [`repeated`] on a runtime of tokio's, which is there before the time begins.
fn awaited(count: u64, mut work: impl AsyncFnMut() -> Result<()>) -> Result<Answer> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    timed(|| {
        runtime.block_on(async {
            for _ in 0..count {
                work().await?;
            }
            Ok(())
        })
    })
}

fn expect(what: &str, holds: bool) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::from(format!("{what} is not what it should be"))) }
}

/// A figure of this process from `/proc/self/status`, as it stands there.
fn status(name: &str) -> Result<u64> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or("no such figure")?.parse()?)
}
