//! Tests in Python in a machine: scripts that are told which test to run as a test program is, and the package beside them.
//!
//! The interpreter is Debian's; the extension is built here, and is of use there if it asks for no newer C library.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::house::House;
use crate::step::{Verdict, run};

use super::cpio::Archive;
use super::programs::Test;
use super::suites::Suite;

/// What the interpreter and the library of a machine are made of.
pub(super) const PACKAGES: [&str; 2] = ["python3-minimal", "libpython3-stdlib"];
/// Where the interpreter is, once these are unpacked.
pub(super) const INTERPRETER: &str = "usr/bin/python3";
/// The C library of a machine.
const LIBRARY: &str = "usr/lib/x86_64-linux-gnu/libc.so.6";
/// Where the package is there; the scripts are beside it.
const SITE: &str = "tests/site";

/// Whether the source of a suite is a script.
pub(super) fn is_script(suite: &Suite<'_>) -> bool {
    suite.source.ends_with(".py")
}

/// The tests of a script: its functions whose names begin so.
pub(super) fn tests(house: &House, suite: &Suite<'_>) -> Result<Vec<Test>, Verdict> {
    let path = house.root().join(suite.source);
    let text = fs::read_to_string(&path)
        .map_err(|error| Verdict::Failed(format!("{}: {error}\n", path.display())))?;
    let is_wanted = |name: &str| {
        let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
        (suite.only.is_empty() || has(suite.only)) && !has(suite.skip)
    };
    let program = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let tests: Vec<Test> = functions(&text)
        .filter(|name| is_wanted(name))
        .map(|name| Test { who: suite.who.name(), program: program.clone(), name: name.to_owned() })
        .collect();
    if tests.is_empty() {
        return Err(Verdict::Failed(format!("{} has no test for a machine\n", suite.source)));
    }
    Ok(tests)
}

fn functions(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter_map(|line| line.strip_prefix("def ")?.split_once('(').map(|(name, _)| name))
        .filter(|name| name.starts_with("test_"))
}

/// The extension, built for this machine.
pub(super) fn build(house: &House) -> Result<PathBuf, Verdict> {
    let what = ["build", "--package", "pinfold-py", "--profile", "vm", "--target-dir"];
    let mut command = house.cargo(what);
    command.arg(house.target());
    run(crate::test::without_flags(command))?;
    Ok(house.target().join("vm/libpinfold_py.so"))
}

/// Why a machine with these packages cannot load the extension, if it cannot.
pub(super) fn lacking(extension: &Path, packages: &Path) -> io::Result<Option<String>> {
    let (wanted, there) = (newest(&fs::read(extension)?), newest(&fs::read(packages.join(LIBRARY))?));
    Ok((wanted > there).then(|| {
        format!("no Python there: what is built here needs glibc 2.{wanted}, and there it is 2.{there}")
    }))
}

/// The newest version of glibc 2 that a file names.
fn newest(file: &[u8]) -> u32 {
    const NAME: &[u8] = b"GLIBC_2.";
    let named = file.windows(NAME.len()).enumerate().filter(|(_, window)| *window == NAME);
    let number = |(at, _): (usize, &[u8])| {
        let digits = file[at + NAME.len()..].iter().take_while(|byte| byte.is_ascii_digit());
        digits.fold(0_u32, |number, digit| number.saturating_mul(10).saturating_add(u32::from(digit - b'0')))
    };
    named.map(number).max().unwrap_or(0)
}

/// Puts scripts and package into an archive.
pub(super) fn add(
    archive: &mut Archive,
    house: &House,
    extension: &Path,
    scripts: &[&str],
) -> io::Result<()> {
    for source in scripts {
        let path = house.root().join(source);
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        archive.file(&format!("tests/{name}"), 0o755, &fs::read(&path)?);
    }
    archive.directory(SITE);
    archive.directory(&format!("{SITE}/pinfold"));
    for entry in fs::read_dir(house.root().join("python/pinfold"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "py") {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            archive.file(&format!("{SITE}/pinfold/{name}"), 0o644, &fs::read(&path)?);
        }
    }
    archive.file(&format!("{SITE}/pinfold/_native.abi3.so"), 0o755, &fs::read(extension)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_functions_by_their_names() {
        let text =
            "def helper(): pass\ndef test_one() -> None:\n    def test_inner(): pass\ndef test_two():\n";
        assert_eq!(functions(text).collect::<Vec<_>>(), ["test_one", "test_two"]);
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(newest(b"\0GLIBC_2.4\0GLIBC_2.36\0GLIBC_2.9\0GLIBC_PRIVATE"), 36);
        assert_eq!(newest(b"none"), 0);
    }
}
