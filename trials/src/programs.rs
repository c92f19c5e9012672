//! Where the built programs are.

use std::env;
use std::path::PathBuf;

/// The fixture program, as built: `PINFOLD_FIXTURE`, else beside the running test.
///
/// # Panics
/// When it is not there. Cargo builds it for the tests of this package; for those of another one it must be built first.
#[must_use]
pub fn fixture() -> PathBuf {
    find("fixture", "PINFOLD_FIXTURE", "pinfold-trials")
}

/// The `pinfold` command-line tool, as built: `PINFOLD_BIN`, else beside the running test.
///
/// # Panics
/// When it is not there: Cargo does not build the programs of other packages for a test.
#[must_use]
pub fn pinfold_bin() -> PathBuf {
    find("pinfold", "PINFOLD_BIN", "pinfold-cli")
}

/// What `sh -c` makes a family of whose many generations one lives at a time: each starts the next and ends, deaf to
/// SIGTERM, and the last makes the file `$done`. Who looks for it looks between two of them again and again.
pub const RELAY: &str =
    "trap '' TERM; f() { if [ $1 = 0 ]; then : > $done; else f $(($1 - 1)) & fi; }; f 900; echo ready";

/// The program `name` from `variable` or beside the running test, which is `<profile>/deps/<test>`.
fn find(name: &str, variable: &str, package: &str) -> PathBuf {
    let file = format!("{name}{}", env::consts::EXE_SUFFIX);
    let told = env::var_os(variable).map(PathBuf::from);
    let beside = || {
        let test = env::current_exe().ok()?;
        test.ancestors().skip(1).take(2).map(|folder| folder.join(&file)).find(|path| path.is_file())
    };
    let found = told.as_ref().map_or_else(beside, |path| path.is_file().then(|| path.clone()));
    found.unwrap_or_else(|| match told {
        Some(path) => panic!("{variable} is {}, which is no file", path.display()),
        None => panic!(
            "`{name}` is not beside this test; run `cargo build -p {package} --bin {name}` with the same profile and \
             target, or set {variable}"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "run `cargo build -p pinfold-nothing --bin nothing`")]
    fn a_program_that_is_not_built_is_refused_with_what_to_do() {
        find("nothing", "PINFOLD_NOTHING", "pinfold-nothing");
    }
}
