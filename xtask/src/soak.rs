//! `cargo xtask soak`: the matrices of escapes and endings, those of an owner and those of a run, many times over; a
//! survivor fails it and is named.

use std::process::ExitCode;

use crate::house::House;

/// How often, where nothing is said.
const ROUNDS: &str = "200";

pub(crate) fn main(house: &House, args: &[&str]) -> ExitCode {
    let rounds = match args {
        [] => ROUNDS,
        [rounds] if rounds.parse::<u32>().is_ok_and(|rounds| rounds > 0) => rounds,
        _ => {
            eprintln!("usage: cargo xtask soak [ROUNDS]");
            return ExitCode::from(2);
        }
    };
    let build = ["build", "--workspace", "--bins"];
    // Not by nextest, which ends what is slow.
    let run = ["test", "--package", "pinfold-trials", "--all-features", "--test", "library", "--"];
    let matrices = ["matrix::", "ending::nothing_is_left_of_a_run_however_it_ends"];
    let run = [&run[..], &matrices[..]].concat();
    for words in [&build[..], &run[..]] {
        match house.cargo(words).env("PINFOLD_ROUNDS", rounds).status() {
            Ok(status) if status.success() => {}
            Ok(_) => return ExitCode::FAILURE,
            Err(error) => {
                eprintln!("xtask: cargo cannot be started: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
