//! The Python package: as it is installed, for the test command, and as it is developed, for whoever works on it.
//!
//! Everything lies under `target/python`: `wheel/` and the environment `installed/` that it was installed into, with one for each
//! other Python beside it; `dev/` with the package as links to its sources and to the extension that cargo has just built, and the
//! environment `venv/` for that.

mod others;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs, io};

use crate::house::{House, ask};
use crate::step::{Verdict, run};

/// What the tests need besides the package.
const REQUIREMENTS: &str = "tests/python/requirements.txt";
/// What reads the types.
const CHECKERS: &str = "tests/python/checkers.txt";

/// Builds the wheel, installs it into a fresh environment, and runs the tests and the type checks there.
pub(crate) fn verdict(house: &House) -> Result<Verdict, Verdict> {
    if cfg!(not(target_os = "linux")) {
        return Err(Verdict::excused("the package is for Linux so far"));
    }
    let home = house.target().join("python");
    let wheels = home.join("wheel");
    fresh(&wheels)?;
    let python = fresh_environment(house, &base(house)?, &home.join("installed"))?;
    let build = pip(house, &python, &["wheel", ".", "--no-deps", "--wheel-dir"], &wheels);
    run(build).map_err(|verdict| out_of_reach(verdict, "maturin"))?;
    let wheel = only_wheel(&wheels)?;
    install(house, &python, &wheel, true)?;
    let said = run(house.command(&python, ["-m", "pytest", "-q", "-p", "no:cacheprovider"]))?;
    // What is in strict order is listed in pyproject.toml.
    let mut strict = house.command(&python, ["-m", "basedpyright", "--pythonpath"]);
    strict.arg(&python);
    run(strict)?;
    run(house.command(&python, ["-m", "mypy", "--package", "pinfold"]))?;
    run(house.command(&python, ["-m", "mypy", "tests/python", "examples"]))?;
    run(house.command(
        &python,
        ["-m", "mypy.stubtest", "pinfold", "--allowlist", "tests/python/stubtest.txt", "--concise"],
    ))?;
    let closing = said.lines().rev().find(|line| line.contains(" passed")).unwrap_or_default();
    let others = others::verdict(house, &home, &wheel, &python)?;
    let version = ask(house.command(&python, ["--version"])).unwrap_or_default();
    let size = fs::metadata(&wheel).map_or(0, |wheel| wheel.len() / 1024);
    Ok(Verdict::Passed {
        remark: format!("{version}, a wheel of {size} KiB; {}", others.remark),
        closing: std::iter::once(closing.to_owned()).chain(others.closing).collect(),
    })
}

/// Builds the extension in the profile for development and runs the tests on the sources; the arguments are pytest's.
pub(crate) fn develop(house: &House, args: &[&str]) -> ExitCode {
    match developed(house, args) {
        Ok(code) => code,
        Err(Verdict::Failed(output) | Verdict::Skipped { why: output, .. }) => {
            eprintln!("{}", output.trim_end());
            ExitCode::FAILURE
        }
        Err(Verdict::Passed { .. }) => ExitCode::SUCCESS,
    }
}

fn developed(house: &House, args: &[&str]) -> Result<ExitCode, Verdict> {
    let failed = |error: io::Error| Verdict::Failed(format!("xtask develop: {error}\n"));
    run(house.cargo(["build", "--package", "pinfold-py"]))?;
    let home = house.target().join("python");
    let links = home.join("dev");
    link(house, &links.join("pinfold")).map_err(failed)?;
    let place = home.join("venv");
    let mut python = place.join("bin/python");
    let read = |file| fs::read(house.root().join(file)).map_err(failed);
    let wanted = [read(REQUIREMENTS)?, read(CHECKERS)?].concat();
    let stamp = place.join("requirements.txt");
    if !python.exists() {
        python = fresh_environment(house, &base(house)?, &place)?;
    }
    // What the tests need grows.
    if fs::read(&stamp).ok() != Some(wanted.clone()) {
        run(pip(
            house,
            &python,
            &["install", "--requirement", CHECKERS, "--requirement"],
            Path::new(REQUIREMENTS),
        ))?;
        fs::write(&stamp, wanted).map_err(failed)?;
    }
    println!("PYTHONPATH={} {}", links.display(), python.display());
    let mut tests = house.command(&python, ["-m", "pytest"]);
    let status = tests.args(args).env("PYTHONPATH", &links).status().map_err(failed)?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The package as links.
#[cfg(unix)]
fn link(house: &House, package: &Path) -> io::Result<()> {
    let _ = fs::remove_dir_all(package);
    fs::create_dir_all(package)?;
    for entry in fs::read_dir(house.root().join("python/pinfold"))? {
        let entry = entry?;
        if entry.file_name() != "__pycache__" {
            std::os::unix::fs::symlink(entry.path(), package.join(entry.file_name()))?;
        }
    }
    std::os::unix::fs::symlink(house.bin().join("libpinfold_py.so"), package.join("_native.abi3.so"))
}

#[cfg(not(unix))]
fn link(_: &House, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The Python that does all of it.
fn base(house: &House) -> Result<PathBuf, Verdict> {
    let base = env::var("PINFOLD_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let check = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))";
    if ask(house.command(&base, ["-c", check])).is_none() {
        let why = format!(
            "`{base}` is no Python 3.10 or later with venv (apt-get install python3-venv, or name another by PINFOLD_PYTHON)"
        );
        return Err(Verdict::missing(why));
    }
    Ok(base.into())
}

/// A fresh environment: its interpreter.
fn fresh_environment(house: &House, python: &Path, place: &Path) -> Result<PathBuf, Verdict> {
    let mut make = house.command(python, ["-m", "venv", "--clear"]);
    make.arg(place);
    run(make)?;
    Ok(place.join("bin/python"))
}

/// Installs the wheel, and with it what runs the tests; for the types, too.
fn install(house: &House, python: &Path, wheel: &Path, types: bool) -> Result<(), Verdict> {
    let mut what = vec!["install", "--requirement", REQUIREMENTS];
    what.extend(types.then_some(["--requirement", CHECKERS]).into_iter().flatten());
    run(pip(house, python, &what, wheel)).map_err(|verdict| out_of_reach(verdict, "pytest"))?;
    Ok(())
}

/// What pip is to do, with a path at the end.
fn pip(house: &House, python: &Path, what: &[&str], path: &Path) -> Command {
    let quiet = ["-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"];
    let mut command = house.command(python, quiet);
    command.args(what).arg(path);
    command
}

fn fresh(folder: &Path) -> Result<(), Verdict> {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).map_err(|error| Verdict::Failed(format!("{}: {error}\n", folder.display())))
}

fn only_wheel(folder: &Path) -> Result<PathBuf, Verdict> {
    let wheels: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect();
    match &wheels[..] {
        [wheel] => Ok(wheel.clone()),
        _ => Err(Verdict::Failed(format!("{}: {} wheels, and not one\n", folder.display(), wheels.len()))),
    }
}

/// A package index that is not there is no failure of ours.
fn out_of_reach(verdict: Verdict, what: &str) -> Verdict {
    match verdict {
        Verdict::Failed(output) if output.contains("No matching distribution found") => {
            Verdict::missing(format!("pip finds no {what}: it needs a package index"))
        }
        verdict => verdict,
    }
}
