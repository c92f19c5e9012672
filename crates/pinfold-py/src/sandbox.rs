//! The sandbox as a builder.

use crate::convert::{Names, Text};
use crate::plain::plain;
use pinfold::{Access, AllowedPath};
use pyo3::prelude::*;

/// What a command and all that it starts is shut off from. Off by default; Linux.
///
/// A sandbox never changes: each method returns a new one. Each option is enforced by the kernel, or the command is refused with
/// what is missing: nothing here is tried and left out. `docs/sandbox.md` says what each stops, what it does not, and which kernel
/// and privilege it needs.
///
/// >>> from pinfold import Command, Sandbox
/// >>> sandbox = Sandbox().no_network().read_only("/").read_write("/var/tmp")
/// >>> command = Command("make").sandbox(sandbox)
#[pyclass(frozen, module = "pinfold")]
pub(crate) struct Sandbox(pub(crate) pinfold::Sandbox);
plain!(Sandbox, "Sandbox");

impl Sandbox {
    fn with(&self, change: impl FnOnce(pinfold::Sandbox) -> pinfold::Sandbox) -> Sandbox {
        Sandbox(change(self.0.clone()))
    }

    fn allow(&self, path: Text, access: Access, may_be_missing: bool) -> Sandbox {
        self.with(|mut sandbox| {
            let allowed = AllowedPath { path: path.0.into(), access, may_be_missing };
            sandbox.paths.get_or_insert_default().push(allowed);
            sandbox
        })
    }
}

#[pymethods]
impl Sandbox {
    /// One that takes nothing.
    #[new]
    fn new() -> Sandbox {
        Sandbox(pinfold::Sandbox::new())
    }

    /// For a program that nobody vouches for: no network and no socket, no capabilities, no signals to others, an empty `/tmp`
    /// of its own to write to, the system's programs and configuration to read and to execute, and a list of system calls
    /// denied. Needs Linux 6.12 with Landlock, and user namespaces where it is not root who asks.
    ///
    /// >>> from pinfold import Command, Sandbox
    /// >>> command = Command("python3", ["-c", "print(6 * 7)"]).sandbox(Sandbox.untrusted())
    #[staticmethod]
    fn untrusted() -> Sandbox {
        Sandbox(pinfold::Sandbox::untrusted())
    }

    /// Without any network; connections within the run go by a loopback device of its own.
    ///
    /// >>> from pinfold import Command, Sandbox
    /// >>> command = Command("make").sandbox(Sandbox().no_network())
    fn no_network(&self) -> Sandbox {
        self.with(pinfold::Sandbox::no_network)
    }

    /// With an empty `/tmp` of its own, which is gone when the last of it has ended.
    ///
    /// >>> from pinfold import Command, Sandbox
    /// >>> command = Command("make").sandbox(Sandbox().private_tmp())
    fn private_tmp(&self) -> Sandbox {
        self.with(pinfold::Sandbox::private_tmp)
    }

    /// Lets it read and execute there, and only where such a word allows it.
    ///
    /// >>> from pinfold import Sandbox
    /// >>> sandbox = Sandbox().read_only("/usr").read_only("/opt/tools", may_be_missing=True)
    #[pyo3(signature = (path, *, may_be_missing = false))]
    fn read_only(&self, path: Text, may_be_missing: bool) -> Sandbox {
        self.allow(path, Access::ReadOnly, may_be_missing)
    }

    /// Lets it read, write and execute there, and only where such a word allows it.
    ///
    /// >>> from pinfold import Sandbox
    /// >>> sandbox = Sandbox().read_only("/usr").read_write("/srv/build")
    #[pyo3(signature = (path, *, may_be_missing = false))]
    fn read_write(&self, path: Text, may_be_missing: bool) -> Sandbox {
        self.allow(path, Access::ReadWrite, may_be_missing)
    }

    /// Keeps its signals inside.
    ///
    /// >>> from pinfold import Command, Sandbox
    /// >>> command = Command("make").sandbox(Sandbox().no_outside_signals())
    fn no_outside_signals(&self) -> Sandbox {
        self.with(pinfold::Sandbox::no_outside_signals)
    }

    /// Gives it exactly these capabilities, whoever it runs as, and lets it never have another: `"net_bind_service"`, say.
    ///
    /// >>> from pinfold import Command, Sandbox
    /// >>> command = Command("server").sandbox(Sandbox().capabilities(["net_bind_service"]))
    fn capabilities(&self, names: Names) -> Sandbox {
        self.with(|sandbox| sandbox.capabilities(names.0))
    }

    /// Lets it make just these system calls, and `execve`, `exit_group` and `write`; any other fails with `EPERM`.
    ///
    /// >>> from pinfold import Sandbox
    /// >>> sandbox = Sandbox().allow_syscalls(["read", "brk", "mmap", "munmap", "openat", "close"])
    fn allow_syscalls(&self, names: Names) -> Sandbox {
        self.with(|sandbox| sandbox.allow_syscalls(names.0))
    }

    /// Lets these system calls fail with `EPERM`.
    ///
    /// >>> from pinfold import Sandbox
    /// >>> sandbox = Sandbox().deny_syscalls(["ptrace", "mount"])
    fn deny_syscalls(&self, names: Names) -> Sandbox {
        self.with(|sandbox| sandbox.deny_syscalls(names.0))
    }

    fn __repr__(&self) -> String {
        if self.0 == pinfold::Sandbox::untrusted() {
            return "Sandbox.untrusted()".to_owned();
        }
        let mut said = String::from("Sandbox()");
        let flags = [
            (self.0.no_network, ".no_network()"),
            (self.0.private_tmp, ".private_tmp()"),
            (self.0.no_outside_signals, ".no_outside_signals()"),
        ];
        flags.into_iter().filter(|(on, _)| *on).for_each(|(_, word)| said.push_str(word));
        for allowed in self.0.paths.iter().flatten() {
            let word = if allowed.access == Access::ReadWrite { "read_write" } else { "read_only" };
            let missing = if allowed.may_be_missing { ", may_be_missing=True" } else { "" };
            said.push_str(&format!(".{word}({:?}{missing})", allowed.path));
        }
        let lists = [
            ("capabilities", self.0.capabilities.as_ref()),
            ("allow_syscalls", self.0.allow_syscalls.as_ref()),
            ("deny_syscalls", Some(&self.0.deny_syscalls).filter(|names| !names.is_empty())),
        ];
        for (word, names) in lists.into_iter().filter_map(|(word, names)| Some((word, names?))) {
            said.push_str(&format!(".{word}({names:?})"));
        }
        said
    }
}
