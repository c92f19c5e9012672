//! pinfold measured beside named peers, in one run, as ratios. `benches/README.md` says what each row means.
//!
//! This process only asks and compares. What is measured runs in other processes of its own: the floor, a small C
//! program that asks nothing but the kernel, and workers, which are this program started again.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench talks to the person who runs it")]

mod args;
mod compare;
mod machine;
mod measure;
mod measures;
mod programs;
mod report;
mod server;
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
    let effort = if args.quick { Effort::QUICK } else { Effort::FULL };
    let programs = Programs::build()?;
    let mut site = Site::new(&programs);
    let mut report = Report::new(words);
    for measure in measures::all(&programs) {
        if !args.wants(&measure) {
            continue;
        }
        eprintln!("{}: {} against {}", measure.group, measure.what, measure.against);
        for row in measure.take(&mut site, effort) {
            report.add(row);
        }
    }
    println!("{}", report.text());
    if args.keep {
        let path = report.keep()?;
        println!("kept in {}", path.display());
    }
    Ok(report.is_within_bounds())
}
