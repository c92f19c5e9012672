//! Checksums of files, a few at a time, with the progress on standard error; a file that takes longer than a minute is given
//! up, and one that fails is tried once more.
//!
//! `cargo run --example batch -- FILE...`

use pinfold::{Batch, Command, Judge, Retry};
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    let files: Vec<String> = std::env::args().skip(1).collect();
    let sums = files.iter().map(|file| {
        let sum = Command::new("sha256sum").arg("--").arg(file);
        sum.timeout(Duration::from_secs(60)).retry(Retry::times(2))
    });
    let batch = Batch::new(sums).judge(Judge::Succeed).on_progress(|now| {
        let total = now.total.unwrap_or_default();
        let _ = write!(std::io::stderr(), "\r{}/{total} done, {} failed", now.done, now.failed);
    });
    let (mut stdout, mut failures) = (std::io::stdout(), Vec::new());
    let end = batch.for_each(|finished| match finished.result {
        Ok(output) => drop(stdout.write_all(&output.stdout)),
        Err(error) => failures.push(format!("{}: {error}", files[finished.index])),
    });
    let _ = writeln!(std::io::stderr(), "\n{}", failures.join("\n"));
    if end.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
