//! `cargo xtask bench`: builds the benches as they would be shipped, and runs them.

use std::process::ExitCode;

use crate::house::House;

pub(crate) fn main(house: &House, args: &[&str]) -> ExitCode {
    let fixed = ["run", "--release", "--package", "pinfold-benches", "--"];
    match house.cargo(fixed.iter().chain(args)).status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(status) => {
            let code = status.code().and_then(|code| u8::try_from(code).ok());
            code.map_or(ExitCode::FAILURE, ExitCode::from)
        }
        Err(error) => {
            eprintln!("xtask: cargo cannot be started: {error}");
            ExitCode::FAILURE
        }
    }
}
