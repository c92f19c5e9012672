//! What a command is shut off from, as data. Whether a host can do it is the plan's to say.

use std::path::PathBuf;

/// What a program and all that it starts is shut off from. Off by default; Linux.
///
/// Each option is enforced by the kernel or the command is refused with what is missing: nothing here is tried and left out.
/// Whatever is asked for, the program is also barred from gaining privileges by what it executes
/// ([`Command::no_new_privs`](crate::Command::no_new_privs)). `docs/sandbox.md` says what each option stops, what it does
/// not, and which kernel and privilege it needs.
///
/// ```
/// use pinfold::{Command, Sandbox};
///
/// let sandbox = Sandbox::new().no_network().read_only("/").read_write("/var/tmp");
/// let command = Command::new("make").sandbox(sandbox);
/// # let _ = command;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
#[non_exhaustive]
pub struct Sandbox {
    /// No network: in a network namespace of its own with nothing but a loopback device.
    pub no_network: bool,
    /// `/tmp` is empty, its own, and gone when the last of it has ended.
    pub private_tmp: bool,
    /// The only places where it may open files; `None` is wherever its user may. Empty is none but its own program file.
    pub paths: Option<Vec<AllowedPath>>,
    /// Signals reach nobody outside of it.
    pub no_outside_signals: bool,
    /// The capabilities that it has and can ever have, by name; `None` leaves them to the kernel's rules.
    pub capabilities: Option<Vec<String>>,
    /// The only system calls that it may make, by name, beside those without which nothing starts and ends.
    pub allow_syscalls: Option<Vec<String>>,
    /// System calls that it may not make, by name.
    pub deny_syscalls: Vec<String>,
}

/// A place that a sandboxed program may open files in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct AllowedPath {
    /// A file, or a directory and all below it. A relative path begins in the directory of the command.
    #[cfg_attr(feature = "serde", serde(with = "crate::wire::path"))]
    pub path: PathBuf,
    /// What may be done there, as far as the user may.
    pub access: Access,
    /// It is no error that it is not there.
    #[cfg_attr(feature = "serde", serde(default))]
    pub may_be_missing: bool,
}

/// What may be done in an allowed path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Access {
    /// Read, list and execute.
    ReadOnly,
    /// Everything: beside that write, create, remove, rename and truncate.
    ReadWrite,
}

/// What [`Sandbox::untrusted`] lets be read and executed, where it is there.
const SYSTEM: [&str; 12] = [
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/usr",
    "/etc",
    "/proc",
    "/dev/zero",
    "/dev/random",
    "/dev/urandom",
];
/// What it lets be written beside that.
const DEVICES: [&str; 2] = ["/dev/null", "/dev/full"];

/// What [`Sandbox::untrusted`] denies, by what for.
const DENIED: [&[&str]; 8] = [
    // Sockets of any kind: those of local services are files, which neither a network namespace nor Landlock keeps it from.
    &["socket", "io_uring_setup", "io_uring_enter", "io_uring_register"],
    // The terminal that it may have been given: what it typed there would be read by the next program.
    &["ioctl:tiocsti", "ioctl:tioclinux"],
    // Mode, owner and attributes of files, which Landlock does not look at.
    &["chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat"],
    &["setxattr", "lsetxattr", "fsetxattr", "setxattrat", "removexattr", "lremovexattr", "fremovexattr"],
    // Other processes.
    &[
        "prlimit64:others",
        "ptrace",
        "process_vm_readv",
        "process_vm_writev",
        "process_madvise",
        "pidfd_getfd",
        "kcmp",
    ],
    // Memory, queues and keys that others can be reached by.
    &["shmget", "shmat", "shmctl", "msgget", "semget", "mq_open", "add_key", "keyctl", "request_key"],
    // Namespaces and mounts, where it would have privileges of a kind again.
    &[
        "clone:namespaces",
        "clone3",
        "unshare",
        "setns",
        "mount",
        "umount2",
        "move_mount",
        "open_tree",
        "open_tree_attr",
        "fsopen",
        "fspick",
        "fsconfig",
        "fsmount",
        "mount_setattr",
        "pivot_root",
        "chroot",
    ],
    // The kernel itself: what only root may do, and what has often been the way in.
    &[
        "bpf",
        "perf_event_open",
        "userfaultfd",
        "init_module",
        "finit_module",
        "delete_module",
        "kexec_load",
        "kexec_file_load",
        "reboot",
        "swapon",
        "swapoff",
        "settimeofday",
        "clock_settime",
        "clock_adjtime",
        "adjtimex",
        "sethostname",
        "setdomainname",
        "acct",
        "quotactl",
        "quotactl_fd",
        "syslog",
        "vhangup",
        "open_by_handle_at",
        "iopl",
        "ioperm",
        "modify_ldt",
        "personality",
        "fanotify_init",
        "lookup_dcookie",
        "nfsservctl",
        "removexattrat",
        "file_setattr",
    ],
];

impl Sandbox {
    /// One that takes nothing.
    pub fn new() -> Sandbox {
        Sandbox::default()
    }

    /// For a program that nobody vouches for, all of it stopped by two means where there are two: no network and no
    /// socket, no capabilities, no signals to others, an empty `/tmp` of its own to write to, the system's programs and
    /// configuration to read and to execute (`/usr`, `/bin`, `/lib*`, `/etc`, `/proc`), and a list of system calls denied.
    /// Needs Linux 6.12 with Landlock, and user namespaces where it is not root who asks.
    ///
    /// It shares its user, its kernel and its machine with the caller: `docs/sandbox.md` says what that leaves open.
    pub fn untrusted() -> Sandbox {
        let system = SYSTEM.map(|path| AllowedPath::optional(path, Access::ReadOnly));
        let devices = DEVICES.map(|path| AllowedPath::optional(path, Access::ReadWrite));
        Sandbox {
            no_network: true,
            private_tmp: true,
            paths: Some(system.into_iter().chain(devices).collect()),
            no_outside_signals: true,
            capabilities: Some(Vec::new()),
            allow_syscalls: None,
            deny_syscalls: DENIED.concat().into_iter().map(str::to_owned).collect(),
        }
    }

    /// Without any network; connections within the run go by a loopback device of its own.
    pub fn no_network(mut self) -> Sandbox {
        self.no_network = true;
        self
    }

    /// With an empty `/tmp` of its own.
    pub fn private_tmp(mut self) -> Sandbox {
        self.private_tmp = true;
        self
    }

    /// Lets it read and execute there, and only where such a word allows it.
    pub fn read_only(self, path: impl Into<PathBuf>) -> Sandbox {
        self.allow(path.into(), Access::ReadOnly)
    }

    /// Lets it read, write and execute there, and only where such a word allows it.
    pub fn read_write(self, path: impl Into<PathBuf>) -> Sandbox {
        self.allow(path.into(), Access::ReadWrite)
    }

    fn allow(mut self, path: PathBuf, access: Access) -> Sandbox {
        let allowed = AllowedPath { path, access, may_be_missing: false };
        self.paths.get_or_insert_default().push(allowed);
        self
    }

    /// Keeps its signals inside.
    pub fn no_outside_signals(mut self) -> Sandbox {
        self.no_outside_signals = true;
        self
    }

    /// Gives it exactly these capabilities, whoever it runs as, and lets it never have another: `net_bind_service`, say
    /// (`capabilities(7)`). The caller must have them to give.
    pub fn capabilities<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Sandbox {
        self.capabilities = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Lets it make just these system calls, and `execve`, `exit_group` and `write`; any other fails with `EPERM`.
    pub fn allow_syscalls<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Sandbox {
        self.allow_syscalls.get_or_insert_default().extend(names.into_iter().map(Into::into));
        self
    }

    /// Lets these system calls fail with `EPERM` (`clone3` with `ENOSYS`, upon which C libraries take `clone`). Beside
    /// names there are parts: `clone:namespaces`, `ioctl:tiocsti`, `ioctl:tioclinux`, `prlimit64:others`.
    pub fn deny_syscalls<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Sandbox {
        self.deny_syscalls.extend(names.into_iter().map(Into::into));
        self
    }

    /// Whether it takes nothing.
    pub(crate) fn is_none(&self) -> bool {
        *self == Sandbox::default()
    }
}

impl AllowedPath {
    fn optional(path: &str, access: Access) -> AllowedPath {
        AllowedPath { path: path.into(), access, may_be_missing: true }
    }
}
