//! pinfold measured beside named peers, in one run, as ratios. `benches/README.md` says what each row means.
//!
//! This process only asks and compares. What is measured runs in other processes of its own: the floor, a small C
//! program that asks nothing but the kernel, and workers and owners, which are this program started again.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench talks to the person who runs it")]

mod args;
mod compare;
mod escapes;
mod flow;
mod machine;
mod measure;
mod measures;
mod owner;
mod programs;
mod python;
mod report;
mod server;
mod tree;
mod work;

use args::Args;
use compare::Effort;
use measure::Site;
use programs::Programs;
use report::Report;
use std::process::ExitCode;

/// Anything that keeps a measure from being taken.
pub(crate) type Error = Box<dyn std::error::Error>;
pub(crate) type Result<T> = std::result::Result<T, Error>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match words.first().map(String::as_str) {
        Some(server::WORKER) => work::serve().map(|()| true),
        Some(owner::OWNER) => owner::serve(&words[1..]).map(|()| true),
        _ => Args::parse(&words).map_err(Error::from).and_then(|args| bench(&args, &words)),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::from(2)
        }
    }
}

/// Takes the measures and reports them: whether all are within their bounds.
fn bench(args: &Args, words: &[String]) -> Result<bool> {
    let programs = Programs::build()?;
    let mut site = Site::new(&programs);
    let mut report = Report::new(words);
    for measure in measures::all(&programs) {
        if !args.wants(&measure) {
            continue;
        }
        eprintln!("{}: {} against {}", measure.group, measure.what, measure.against);
        let effort = match (args.quick, measure.judge.has_bound()) {
            (true, _) => Effort::QUICK,
            (false, true) => Effort::FULL,
            (false, false) => Effort::SHOWN,
        };
        for row in measure.take(&mut site, effort) {
            report.add(row);
        }
    }
    if args.wants_escapes() {
        eprintln!("{}: what survives", escapes::GROUP);
        let rounds = if args.quick { 1 } else { 3 };
        for (cells, verdict) in escapes::take(&programs.tree, rounds, args.bounds) {
            report.add_escape(cells, verdict);
        }
    }
    if let Some(python) = programs.python_if_built() {
        report.note(&python.versions);
    }
    println!("{}", report.text());
    if args.keep {
        let path = report.keep()?;
        println!("kept in {}", path.display());
    }
    Ok(report.is_within_bounds())
}
