//! The Python package as it is installed, and its peers, in an environment of their own below `target/python/bench`.
//!
//! The wheel is built anew whenever this is asked for, so that what is measured is what lies in the tree.

use crate::Result;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The environment, once it is needed.
#[derive(Debug)]
pub(crate) struct Python {
    /// Its interpreter.
    pub(crate) interpreter: PathBuf,
    /// What it holds, with versions.
    pub(crate) versions: String,
}

/// Has the interpreter tell of itself and of what stands beside us.
const VERSIONS: &str = "\
import platform
from importlib.metadata import version
names = ['pinfold', 'processkit-py', 'running-process', 'uvloop']
print(platform.python_implementation(), platform.python_version(), *(f'{name} {version(name)}' for name in names), sep=', ')";

impl Python {
    /// Makes it; `target` is where cargo builds.
    pub(crate) fn build(target: &Path) -> Result<Python> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("this crate is in no workspace")?;
        let place = target.join("python/bench");
        let interpreter = place.join("bin/python");
        if !interpreter.exists() {
            let base = std::env::var_os("PINFOLD_PYTHON").unwrap_or_else(|| "python3".into());
            told(Command::new(base).args(["-m", "venv", "--clear"]).arg(&place))?;
        }
        let wheels = place.join("wheel");
        let _ = std::fs::remove_dir_all(&wheels);
        let pip = |words: &[&str]| {
            let mut pip = Command::new(&interpreter);
            pip.args(["-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]).args(words);
            pip.current_dir(root);
            pip
        };
        eprintln!("python: building the wheel and installing the peers");
        told(&mut pip(&["install", "--requirement", "benches/python/requirements.txt"]))?;
        told(pip(&["wheel", ".", "--no-deps", "--wheel-dir"]).arg(&wheels))?;
        let wheel = std::fs::read_dir(&wheels)?.next().ok_or("no wheel was built")??.path();
        told(pip(&["install", "--force-reinstall", "--no-deps"]).arg(wheel))?;
        let versions = told(Command::new(&interpreter).args(["-c", VERSIONS]))?;
        Ok(Python { interpreter, versions: versions.trim().to_owned() })
    }

    /// A process of it that does what it is asked.
    pub(crate) fn worker(&self) -> Command {
        let mut command = Command::new(&self.interpreter);
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("python/worker.py"));
        command
    }
}

/// What a command prints, or what it says of its failure.
fn told(command: &mut Command) -> Result<String> {
    let name = command.get_program().display().to_string();
    let output = command.output().map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout)?);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let why = said.lines().rev().find(|line| line.contains("rror")).unwrap_or("it failed").trim().to_owned();
    Err(format!("{name}: {why}").into())
}
