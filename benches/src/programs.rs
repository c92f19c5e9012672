//! The programs that are run: the small C ones of `benches/native/`, built now, and what the system has.

use crate::Result;
use crate::python::Python;
use std::cell::OnceCell;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is built with neither a C library nor anything else that takes time at its start.
const BARE: [&str; 6] = [
    "-static",
    "-nostdlib",
    "-fno-stack-protector",
    "-fno-asynchronous-unwind-tables",
    "-s",
    "-Wl,-z,noseparate-code,--build-id=none",
];

/// Paths of programs.
#[derive(Debug)]
pub(crate) struct Programs {
    /// Asks nothing but the kernel: see `floor.c`.
    pub(crate) floor: PathBuf,
    /// Ends at once, or stays: see `tiny.c`.
    pub(crate) tiny: PathBuf,
    /// Starts descendants that try to get away: see `tree.c`.
    pub(crate) tree: PathBuf,
    /// Writes lines: see `writer.c`.
    pub(crate) writer: PathBuf,
    /// The command-line tool as it ships, or why it cannot be had.
    pub(crate) tool: std::result::Result<PathBuf, String>,
    /// The Python package and its peers, once they are asked for.
    python: OnceCell<std::result::Result<Python, String>>,
    target: PathBuf,
}

impl Programs {
    /// Builds them beside this program.
    pub(crate) fn build() -> Result<Programs> {
        let bench = std::env::current_exe()?;
        let profile = bench.parent().ok_or("this program has no directory")?;
        let folder = profile.join("bench-programs");
        std::fs::create_dir_all(&folder)?;
        let compile = |name: &str, flags: &[&str]| compile(&folder, name, flags);
        Ok(Programs {
            floor: compile("floor", &[])?,
            tiny: compile("tiny", &BARE)?,
            tree: compile("tree", &[])?,
            writer: compile("writer", &[])?,
            tool: tool(profile.parent().unwrap_or(profile)),
            python: OnceCell::new(),
            target: profile.parent().unwrap_or(profile).to_owned(),
        })
    }

    /// The Python package and its peers. They are built when they are first asked for, since that takes minutes.
    pub(crate) fn python(&self) -> Result<&Python> {
        let built =
            self.python.get_or_init(|| Python::build(&self.target).map_err(|error| error.to_string()));
        built.as_ref().map_err(|why| why.clone().into())
    }

    /// The same, if it was asked for.
    pub(crate) fn python_if_built(&self) -> Option<&Python> {
        self.python.get()?.as_ref().ok()
    }
}

fn compile(folder: &Path, name: &str, flags: &[&str]) -> Result<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("native").join(format!("{name}.c"));
    let program = folder.join(name);
    let mut command = Command::new("cc");
    command.args(["-O2", "-Wall", "-Wextra", "-Werror"]).args(flags).arg("-o").args([&program, &source]);
    run(command).map_err(|why| format!("{} cannot be compiled: {why}", source.display()))?;
    Ok(program)
}

/// The command-line tool as it ships: static, and built for size.
fn tool(target: &Path) -> std::result::Result<PathBuf, String> {
    if let Some(given) = std::env::var_os("PINFOLD_BIN") {
        return Ok(given.into());
    }
    let triple = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let mut build = Command::new(std::env::var_os("CARGO").as_deref().unwrap_or(OsStr::new("cargo")));
    build.current_dir(env!("CARGO_MANIFEST_DIR"));
    build.args(["build", "--quiet", "--profile", "dist", "--package", "pinfold-cli", "--target", &triple]);
    build.arg("--target-dir").arg(target).env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    run(build)?;
    let program = target.join(triple).join("dist/pinfold");
    let mut trial = Command::new(&program);
    trial.args(["run", "--", "sh", "-c", "exit 7"]);
    match trial.status() {
        Ok(status) if status.code() == Some(7) => Ok(program),
        Ok(status) => Err(format!("`pinfold run` of a program that exits with 7 ended with {status}")),
        Err(error) => Err(error.to_string()),
    }
}

fn run(mut command: Command) -> std::result::Result<(), String> {
    let output = command.output().map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}
