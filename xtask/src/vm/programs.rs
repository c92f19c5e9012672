//! The static programs that run in a machine: the tests, the fixture and the tool, built for musl.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::house::House;
use crate::step::{Verdict, run};

use super::suites::Suite;

const TARGET: &str = "x86_64-unknown-linux-musl";
const PACKAGES: [&str; 4] = ["pinfold-os", "pinfold-proc", "pinfold-cli", "pinfold-trials"];

/// What was built.
pub(super) struct Programs {
    /// The test programs, by the source file of each.
    tests: BTreeMap<String, PathBuf>,
    /// Where the fixture and the tool are.
    bin: PathBuf,
}

/// A test that is to run in a machine.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Clone)]
pub(super) struct Test {
    pub(super) who: &'static str,
    /// The file name of its program there.
    pub(super) program: String,
    pub(super) name: String,
}

impl Programs {
    pub(super) fn build(house: &House) -> Result<Self, Verdict> {
        crate::test::have_target(house, TARGET)?;
        let cargo = |what: &[&str]| {
            let mut command = house.cargo(what);
            for package in PACKAGES {
                command.args(["--package", package]);
            }
            command.args(["--all-features", "--profile", "vm", "--target", TARGET, "--target-dir"]);
            command.arg(house.target());
            run(crate::test::without_flags(command))
        };
        cargo(&["build", "--bins"])?;
        let said = cargo(&["test", "--no-run", "--message-format", "json-render-diagnostics"])?;
        let tests = said.lines().filter_map(test_program).collect();
        Ok(Self { tests, bin: house.target().join(TARGET).join("vm") })
    }

    /// The tests of a suite. The programs run on this machine too, which is asked what they have.
    pub(super) fn tests(&self, house: &House, suite: &Suite<'_>) -> Result<Vec<Test>, Verdict> {
        let path = self.path(house, suite)?;
        let mut command = house.command(path, ["--list", "--format", "terse"]);
        command.args(suite.only);
        for word in suite.skip {
            command.args(["--skip", word]);
        }
        let listed = run(command)?;
        let tests: Vec<Test> = listed
            .lines()
            .filter_map(|line| line.strip_suffix(": test"))
            .map(|name| Test { who: suite.who.name(), program: short(path), name: name.to_owned() })
            .collect();
        // A word that no test has any more is a suite that holds nothing.
        let idle = suite.only.iter().find(|word| !tests.iter().any(|test| test.name.contains(**word)));
        match idle {
            None if !tests.is_empty() => Ok(tests),
            Some(word) => Err(Verdict::Failed(format!("no test of {} contains `{word}`\n", suite.source))),
            None => Err(Verdict::Failed(format!("{} has no test for a machine\n", suite.source))),
        }
    }

    /// What a machine has below `/tests`: file names there, and files here.
    pub(super) fn files(&self) -> impl Iterator<Item = (String, PathBuf)> {
        let bins = ["fixture", "pinfold"].map(|name| (name.to_owned(), self.bin.join(name)));
        self.tests.values().map(|path| (short(path), path.clone())).chain(bins)
    }

    fn path(&self, house: &House, suite: &Suite<'_>) -> Result<&Path, Verdict> {
        let source = house.root().join(suite.source);
        let path = self.tests.get(&*source.to_string_lossy());
        path.map(PathBuf::as_path)
            .ok_or_else(|| Verdict::Failed(format!("cargo built no test program from {}\n", suite.source)))
    }
}

/// The source file and the program, of a line in which cargo tells of a test program; other lines tell of other things.
fn test_program(line: &str) -> Option<(String, PathBuf)> {
    let value = |key: &str| {
        let (_, rest) = line.split_once(&format!("\"{key}\":\""))?;
        rest.split_once('"').map(|(value, _)| value.to_owned())
    };
    let (_, profile) = line.split_once("\"profile\":{")?;
    let is_test = profile.split('}').next()?.contains("\"test\":true");
    Some((value("src_path")?, value("executable")?.into())).filter(|_| is_test)
}

/// The name of a test program in a machine: that which cargo gave it, and two programs have different ones.
fn short(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_program_is_told_from_what_else_cargo_made() {
        let line = |test: bool, executable: &str| {
            format!(
                "{{\"reason\":\"compiler-artifact\",\"target\":{{\"kind\":[\"test\"],\"name\":\"spawn\",\"src_path\":\
                 \"/a/tests/spawn.rs\",\"test\":true}},\"profile\":{{\"opt_level\":\"0\",\"test\":{test}}},\
                 \"executable\":{executable}}}"
            )
        };
        let found = test_program(&line(true, "\"/t/deps/spawn-1f\""));
        assert_eq!(found, Some(("/a/tests/spawn.rs".to_owned(), "/t/deps/spawn-1f".into())));
        assert_eq!(test_program(&line(true, "null")), None);
        assert_eq!(test_program(&line(false, "\"/t/fixture\"")), None);
        assert_eq!(test_program("running 3 tests"), None);
    }
}
