//! Where the chores work: the root of the workspace, what cargo built, and the tools at hand.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// This workspace on this machine.
pub(crate) struct House {
    root: PathBuf,
    bin: PathBuf,
    /// Whether this machine stands for all: what it can have, it must have (`CI=true`).
    pub(crate) strict: bool,
}

impl House {
    /// The workspace that this program was built from.
    pub(crate) fn here() -> Self {
        let manifest = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&manifest).parent().map(Path::to_owned).unwrap_or_default();
        // Cargo puts this program beside the others, whatever target directory it was told to use.
        let bin = env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_owned));
        let bin = bin.unwrap_or_else(|| root.join("target/debug"));
        Self { root, bin, strict: env::var_os("CI").is_some_and(|ci| ci == "true") }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The directory of the programs that a plain `cargo build` makes.
    pub(crate) fn bin(&self) -> &Path {
        &self.bin
    }

    /// The target directory.
    pub(crate) fn target(&self) -> &Path {
        self.bin.parent().unwrap_or(&self.bin)
    }

    /// The cargo that runs this chore, in the root of the workspace.
    pub(crate) fn cargo<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        self.command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), args)
    }

    /// Another tool, in the root of the workspace.
    pub(crate) fn command<A: AsRef<OsStr>>(
        &self,
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = A>,
    ) -> Command {
        let mut command = Command::new(program);
        command.args(args).current_dir(&self.root);
        command
    }
}

/// What a tool prints when it is asked for something, or nothing when it is missing or refuses.
pub(crate) fn ask(mut command: Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
