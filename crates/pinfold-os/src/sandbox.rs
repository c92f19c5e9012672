//! What a child is shut off from, resolved: the part of an order that takes things away.

use crate::descriptor::Borrowed;
use std::ffi::CString;

/// What is taken from a child. The default takes nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sandbox<'a> {
    /// A network namespace of its own, in which there is a loopback device and nothing else.
    pub no_network: bool,
    /// A mount namespace of its own, in which `/tmp` is a tmpfs of its own.
    pub private_tmp: bool,
    /// Makes these namespaces inside of a user namespace in which there are only our own user and group, under their
    /// own numbers: for whoever has no privilege to make them otherwise. Nobody can become another user in there.
    pub user_namespace: bool,
    /// A Landlock ruleset that it restricts itself by, when it has its user and its directory.
    pub landlock: Option<Landlock<'a>>,
    /// What is asked about each of its system calls from its execution on.
    pub filter: Option<&'a Filter>,
}

/// A Landlock ruleset. Who is not privileged needs `no_new_privs` beside it.
#[derive(Clone, Copy, Debug)]
pub struct Landlock<'a> {
    /// The ruleset. One ruleset, one child: it adds to it.
    pub ruleset: Borrowed<'a>,
    /// What the child adds, since only it can name what is mounted for it alone.
    pub inside: &'a [Inside],
}

/// A directory by its path in the mount namespace of the child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inside {
    /// Which.
    pub path: CString,
    /// What may be done there, as the kernel's mask.
    pub rights: u64,
}

/// A filter of system calls, made from names. Who is not privileged needs `no_new_privs` beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter(pub(crate) Vec<Instruction>);

/// The kernel's `struct sock_filter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Instruction {
    pub(crate) code: u16,
    pub(crate) jt: u8,
    pub(crate) jf: u8,
    pub(crate) k: u32,
}

#[cfg(target_os = "linux")]
impl Filter {
    pub(crate) fn instructions(&self) -> &[Instruction] {
        &self.0
    }
}
