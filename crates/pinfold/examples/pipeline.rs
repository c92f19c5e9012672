//! The most frequent words of a file, counted by the programs that have always done it.
//!
//! `cargo run --example pipeline -- FILE [HOW MANY]`

use pinfold::{Command, Pipeline, Source};
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

fn words(file: &str, most: &str) -> Pipeline {
    Source::file(file)
        | Command::new("tr").args(["-cs", "[:alpha:]", "\n"])
        | Command::new("tr").args(["[:upper:]", "[:lower:]"])
        | Command::new("sort")
        | Command::new("uniq").arg("-c")
        | Command::new("sort").args(["-k1,1rn", "-k2"])
        | Command::new("head").args(["-n", most])
}

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (file, most) = (args.next().unwrap_or_default(), args.next().unwrap_or_else(|| "10".to_owned()));
    match words(&file, &most)
        .timeout(Duration::from_secs(60))
        .output()
        .and_then(pinfold::Output::ensure_success)
    {
        Ok(output) => match std::io::stdout().write_all(output.stdout.as_bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(error) => {
            // It names the stage: `tr (stage 1 of 6): ...`.
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}
