//! All that a child is told, resolved: descriptors, C strings, numbers. Nothing is left to decide.
//!
//! An order is made by a floor that knows policy and is carried out by [`crate::spawn::spawn`], which either gives
//! a process that followed every line of it or names the line that failed.

use crate::descriptor::Borrowed;
use crate::sandbox::Sandbox;
use crate::signal::{Signal, SignalSet};
use std::borrow::Cow;
use std::ffi::CString;
use std::io;

/// One descriptor of ours that becomes descriptor `target` of the child.
#[derive(Clone, Copy, Debug)]
pub struct Mapping<'a> {
    /// Ours; it stays open and unchanged here.
    pub source: Borrowed<'a>,
    /// The child's number for it.
    pub target: i32,
}

/// Where the child starts.
#[derive(Clone, Debug)]
pub enum Directory {
    /// A path, resolved by the child after its user has been switched.
    Path(CString),
}

/// The group of the child among the processes of its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grouping {
    /// The group of its parent.
    Inherit,
    /// A group of its own.
    Own,
    /// This group of its session, which has to be there.
    Join(i32),
    /// A group of its own, and made the foreground group of the terminal at this descriptor of the child.
    OwnForeground(i32),
    /// A session of its own (`setsid(2)`), hence a group of its own and no controlling terminal.
    Session,
    /// A session of its own whose controlling terminal is at this descriptor of the child.
    SessionTerminal(i32),
}

/// One resource limit, as `prlimit(2)` takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The `RLIMIT_` number.
    pub resource: u32,
    /// The soft limit; `u64::MAX` is none.
    pub soft: u64,
    /// The hard limit; `u64::MAX` is none.
    pub hard: u64,
}

/// The user that the child becomes. The calling process needs the privilege.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Supplementary groups, exactly these; `None` keeps them.
    pub groups: Option<Vec<u32>>,
    /// Real, effective and saved group.
    pub gid: Option<u32>,
    /// Real, effective and saved user.
    pub uid: Option<u32>,
}

/// Capability sets, as bit masks by capability number (`capabilities(7)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// What stays in the bounding set.
    pub bounding: u64,
    /// What the program holds from its start: raised in the permitted, inheritable and ambient sets.
    pub ambient: u64,
}

/// Where the environment of a child comes from.
#[derive(Clone)]
pub enum Env<'a> {
    /// That of this process, as it is at the spawn, without a copy of it. Whoever changes it while another thread spawns
    /// breaks the contract of `std::env::set_var` and of `setenv(3)`, and the child may get a mixture.
    Ours,
    /// Exactly these, each as `NAME=value`.
    Exactly(Cow<'a, [CString]>),
}

impl From<Vec<CString>> for Env<'_> {
    fn from(variables: Vec<CString>) -> Self {
        Env::Exactly(Cow::Owned(variables))
    }
}

impl<'a> From<&'a [CString]> for Env<'a> {
    fn from(variables: &'a [CString]) -> Self {
        Env::Exactly(Cow::Borrowed(variables))
    }
}

/// All that a child is told.
#[derive(Clone)]
pub struct Order<'a> {
    /// The path given to `execve(2)`; no search is made.
    pub program: CString,
    /// The arguments, the program's own name first.
    pub argv: Cow<'a, [CString]>,
    /// The environment.
    pub env: Env<'a>,
    /// Descriptors of the child. Every other one is closed on exec; 0, 1 and 2 are inherited where not named.
    pub descriptors: Vec<Mapping<'a>>,
    /// Leave those above 2 that are not named to their own close-on-exec marks instead: what this process was given
    /// by its own parent is then passed on.
    pub pass_descriptors: bool,
    /// Where it starts; `None` keeps the directory.
    pub directory: Option<Directory>,
    /// The file mode creation mask.
    pub umask: Option<u32>,
    /// Session, group, terminal.
    pub grouping: Grouping,
    /// User and groups.
    pub identity: Identity,
    /// `PR_SET_NO_NEW_PRIVS`.
    pub no_new_privs: bool,
    /// What it is shut off from.
    pub sandbox: Sandbox<'a>,
    /// Capability sets; `None` leaves them to the kernel's rules.
    pub capabilities: Option<Capabilities>,
    /// Resource limits, set before the user is switched.
    pub limits: Vec<Limit>,
    /// The nice value itself, not an increment.
    pub nice: Option<i32>,
    /// The CPUs it may run on, a bit each.
    pub affinity: Option<Vec<u64>>,
    /// `ioprio_set(2)`'s value, class and level.
    pub io_priority: Option<u32>,
    /// Written to `/proc/self/oom_score_adj`.
    pub oom_score_adj: Option<i32>,
    /// The signal it gets when the thread that started it ends (`PR_SET_PDEATHSIG`).
    pub parent_death: Option<Signal>,
    /// Blocked signals; `None` is the mask of the calling thread.
    pub mask: Option<SignalSet>,
    /// Signals set to their default action, beside those that have a handler here. Signals ignored here stay
    /// ignored otherwise, as `execve(2)` has it.
    pub default_signals: SignalSet,
    /// The cgroup v2 directory it is born in.
    pub cgroup: Option<Borrowed<'a>>,
    /// Leave it to the system: it is no child of ours and never has to be reaped.
    pub detach: bool,
}

impl std::fmt::Debug for Order<'_> {
    /// The program; its arguments and variables may be secrets and are counted.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let variables = match &self.env {
            Env::Ours => None,
            Env::Exactly(variables) => Some(variables.len()),
        };
        f.debug_struct("Order")
            .field("program", &self.program)
            .field("arguments", &self.argv.len())
            .field("variables", &variables)
            .finish_non_exhaustive()
    }
}

impl<'a> Order<'a> {
    /// An order that changes nothing: the program with these arguments and this environment, in our directory, with
    /// our descriptors 0, 1 and 2, as our user.
    pub fn new(program: CString, argv: impl Into<Cow<'a, [CString]>>, env: impl Into<Env<'a>>) -> Order<'a> {
        Order {
            program,
            argv: argv.into(),
            env: env.into(),
            descriptors: Vec::new(),
            pass_descriptors: false,
            directory: None,
            umask: None,
            grouping: Grouping::Inherit,
            identity: Identity::default(),
            no_new_privs: false,
            sandbox: Sandbox::default(),
            capabilities: None,
            limits: Vec::new(),
            nice: None,
            affinity: None,
            io_priority: None,
            oom_score_adj: None,
            parent_death: None,
            mask: None,
            // Rust's and Python's runtimes ignore these; a program that is not told so expects the default.
            default_signals: SignalSet::empty().with(Signal::PIPE).with(Signal::XFSZ),
            cgroup: None,
            detach: false,
        }
    }
}

macro_rules! steps {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// One line of an order, as the child carries it out: what a [`SpawnError`] names.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        #[non_exhaustive]
        pub enum Step { $($(#[$doc])* $name,)* }

        impl Step {
            #[cfg(target_os = "linux")]
            pub(crate) const ALL: &'static [Step] = &[$(Step::$name,)*];

            /// The step in a few words, to read after "failed to".
            pub fn as_str(self) -> &'static str {
                match self { $(Step::$name => $text,)* }
            }
        }
    };
}

steps! {
    /// Making the process: `clone3(2)`, `clone(2)`, and what the parent prepares for it.
    Clone = "make a process",
    /// Resetting signal actions.
    Signals = "reset signal actions",
    /// Entering the cgroup.
    Cgroup = "enter its cgroup",
    /// Marking other descriptors close-on-exec.
    CloseDescriptors = "close inherited descriptors",
    /// Putting descriptors at their numbers.
    Descriptors = "place its descriptors",
    /// `setsid(2)`.
    Session = "start a session",
    /// `setpgid(2)`.
    ProcessGroup = "start a process group",
    /// Taking the controlling terminal or its foreground.
    Terminal = "take the terminal",
    /// `setpriority(2)`.
    Nice = "set its nice value",
    /// `sched_setaffinity(2)`.
    Affinity = "set its CPU affinity",
    /// `ioprio_set(2)`.
    IoPriority = "set its I/O priority",
    /// `prlimit(2)`.
    Limits = "set a resource limit",
    /// Writing `oom_score_adj`.
    OomScore = "set its oom_score_adj",
    /// The user namespace that a sandbox takes, and who is in it.
    SandboxUser = "enter a user namespace",
    /// A network namespace.
    Network = "enter an empty network namespace",
    /// A mount namespace with a `/tmp` of its own.
    PrivateTmp = "mount a private /tmp",
    /// Capability sets.
    Capabilities = "set its capabilities",
    /// `setgroups(2)`.
    Groups = "set its supplementary groups",
    /// `setresgid(2)`.
    Gid = "set its group",
    /// `setresuid(2)`.
    Uid = "set its user",
    /// `chdir(2)`.
    Directory = "enter its directory",
    /// `PR_SET_NO_NEW_PRIVS`.
    NoNewPrivs = "give up new privileges",
    /// `PR_SET_PDEATHSIG`, or the parent was gone before it was set.
    ParentDeath = "tie its life to its parent",
    /// Setting the signal mask.
    Mask = "set its signal mask",
    /// Standing between us and the program (`PR_SET_CHILD_SUBREAPER`, and executing the guard's program).
    Keeper = "start its keeper",
    /// Writing the maps of its user namespace.
    UserNamespace = "map its user in a user namespace",
    /// Mounting a `/proc` of its PID namespace.
    Proc = "mount its own /proc",
    /// `landlock_restrict_self(2)`.
    Landlock = "restrict itself to its paths",
    /// `seccomp(2)`.
    Seccomp = "filter its system calls",
    /// `execve(2)`.
    Exec = "execute",
}

/// A process was not made as ordered, and nothing of it is left.
#[derive(Debug)]
pub struct SpawnError {
    /// The line of the order that failed.
    pub step: Step,
    /// Why, from the kernel.
    pub source: io::Error,
}

impl SpawnError {
    #[cfg(target_os = "linux")]
    pub(crate) fn new(step: Step, errno: i32) -> SpawnError {
        SpawnError { step, source: io::Error::from_raw_os_error(errno) }
    }
}

impl std::fmt::Display for SpawnError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.step.as_str(), self.source)
    }
}

impl std::error::Error for SpawnError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}
