//! The plain values that a command is made of: where its streams go, how it is stopped, what it is given.

use crate::outcome::Guarantee;
use pinfold_os::limits::Resource;
use pinfold_os::signal::Signal;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// One of the two output streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Stream {
    /// Descriptor 1.
    Stdout,
    /// Descriptor 2.
    Stderr,
}

impl Stream {
    /// Both, in the order of their descriptors.
    pub const BOTH: [Stream; 2] = [Stream::Stdout, Stream::Stderr];

    /// `stdout` or `stderr`.
    pub fn as_str(self) -> &'static str {
        match self {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        }
    }
}

impl std::fmt::Display for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a command reads on its standard input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Stdin {
    /// Nothing: `/dev/null`. A program that asks a question gets no answer, rather than a terminal to wait at.
    #[default]
    Null,
    /// What this process reads.
    Inherit,
    /// These bytes, then the end.
    Bytes(#[cfg_attr(feature = "serde", serde(with = "crate::wire::bytes"))] Payload),
    /// A file, from its beginning.
    File(#[cfg_attr(feature = "serde", serde(with = "crate::wire::path"))] PathBuf),
    /// A pipe that stays open, to write to through the live handle.
    Open,
}

/// Bytes to be fed, shared by all clones of a command, in whatever holds them: what another runtime owns is not copied.
#[derive(Clone)]
pub struct Payload(Arc<dyn AsRef<[u8]> + Send + Sync>);

impl Payload {
    /// The bytes of this owner, which must stay the same from call to call.
    pub fn of(owner: impl AsRef<[u8]> + Send + Sync + 'static) -> Payload {
        Payload(Arc::new(owner))
    }
}

impl std::ops::Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        (*self.0).as_ref()
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Payload) -> bool {
        **self == **other
    }
}

impl Eq for Payload {}

impl std::fmt::Debug for Payload {
    /// Its size, not its content.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}

impl<T: Into<Vec<u8>>> From<T> for Payload {
    fn from(bytes: T) -> Payload {
        Payload::of(bytes.into())
    }
}

/// Where one output stream of a command goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case", deny_unknown_fields)
)]
#[non_exhaustive]
pub enum Stdio {
    /// Captured.
    #[default]
    Pipe,
    /// To where this process writes its own.
    Inherit,
    /// Nowhere.
    Null,
    /// To a file.
    File {
        /// Which; made if it is not there.
        #[cfg_attr(feature = "serde", serde(with = "crate::wire::path"))]
        path: PathBuf,
        /// Whether to add to what is there, rather than to replace it.
        append: bool,
    },
    /// For standard error alone: to where standard output goes, in the order in which the program writes.
    Stdout,
}

impl Stdio {
    /// A file, emptied first.
    pub fn file(path: impl Into<PathBuf>) -> Stdio {
        Stdio::File { path: path.into(), append: false }
    }

    /// A file, added to.
    pub fn append(path: impl Into<PathBuf>) -> Stdio {
        Stdio::File { path: path.into(), append: true }
    }
}

/// How a run is stopped: a signal to all of it, time to end, and then `SIGKILL` for what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct StopRule {
    /// The first word.
    #[cfg_attr(feature = "serde", serde(with = "crate::wire::signal"))]
    pub signal: Signal,
    /// How long they have after it. Zero goes straight to the kill.
    #[cfg_attr(feature = "serde", serde(rename = "grace_seconds", with = "crate::wire::seconds"))]
    pub grace: Duration,
}

impl StopRule {
    /// No signal, no grace.
    pub const KILL: StopRule = StopRule { signal: Signal::KILL, grace: Duration::ZERO };
}

impl Default for StopRule {
    /// `SIGTERM`, and five seconds.
    fn default() -> StopRule {
        StopRule { signal: Signal::TERM, grace: Duration::from_secs(5) }
    }
}

/// What becomes of processes that outlive the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum StrayRule {
    /// They may finish for this long after the program, then they are stopped. The run ends when all of it has.
    StopAfter(#[cfg_attr(feature = "serde", serde(with = "crate::wire::seconds"))] Duration),
    /// The run goes on until the last of them has ended of its own accord, or a timeout or a stop ends it.
    Wait,
}

impl Default for StrayRule {
    /// 100 milliseconds: time for the last process of a shell's pipeline to write what it has.
    fn default() -> StrayRule {
        StrayRule::StopAfter(Duration::from_millis(100))
    }
}

/// One resource limit of each process (`setrlimit(2)`); `None` is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Rlimit {
    /// Which.
    #[cfg_attr(feature = "serde", serde(with = "crate::wire::resource"))]
    pub resource: Resource,
    /// What is enforced.
    pub soft: Option<u64>,
    /// Up to where the program may raise it again.
    pub hard: Option<u64>,
}

/// I/O scheduling class and level (`ioprio_set(2)`), Linux.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum IoPriority {
    /// Before everything else; level 0 (first) to 7. Needs privilege.
    Realtime(u8),
    /// As usual; level 0 (first) to 7.
    BestEffort(u8),
    /// Only when nobody else wants the disk.
    Idle,
}

impl IoPriority {
    /// The kernel's number for it; `None` for a level above 7.
    pub fn number(self) -> Option<u32> {
        let (class, level) = match self {
            IoPriority::Realtime(level) => (1, level),
            IoPriority::BestEffort(level) => (2, level),
            IoPriority::Idle => (3, 0),
        };
        (level <= 7).then(|| class << 13 | u32::from(level))
    }
}

/// Which container a run gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Isolation {
    /// The best that this host offers. With the cargo feature `systemd` that includes what systemd gives: see
    /// [`Isolation::Cgroup`].
    #[default]
    Best,
    /// A cgroup v2 directory, or an error.
    ///
    /// With the cargo feature `systemd`, where ours cannot be written (a login session, a service without `Delegate=`), or
    /// where a limit cannot be had in it, systemd is asked once for a transient scope with `Delegate=`. **This very process
    /// moves into it**, with all its threads, and stays there: out of the cgroup of its session or service, whose limits
    /// hold for it no longer and which is stopped without it. That takes some milliseconds, and where systemd does not
    /// answer at most two seconds, once. What was refused is part of [`crate::Plan::missed`] and of errors;
    /// `PINFOLD_DENY=systemd` in the environment, or another isolation by name, leaves systemd unasked.
    Cgroup,
    /// A process group and no more.
    ProcessGroup,
    /// A keeper process that adopts every descendant whose parent has ended (Linux, `PR_SET_CHILD_SUBREAPER`), or an error.
    /// The program is the keeper's child.
    Subreaper,
    /// A PID namespace (Linux, `pid_namespaces(7)`), made as root or in a user namespace, or an error. The program has
    /// other pids, a process group of its own and a `/proc` that shows what is in the namespace.
    PidNamespace,
}

/// Which container a run gets, and what it must be good for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Containment {
    /// Which.
    pub isolation: Isolation,
    /// The least that it must guarantee; what cannot be had is an error.
    pub require: Option<Guarantee>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_its_bytes_whoever_holds_them_and_shows_none_of_them() {
        let held = Payload::of(Box::<[u8]>::from(*b"secret"));
        assert_eq!(held, Payload::from("secret"));
        assert_ne!(held, Payload::from(""));
        assert_eq!(held.clone().as_ptr(), held.as_ptr());
        assert_eq!(format!("{held:?}"), "6 bytes");
    }

    #[test]
    fn io_priorities_are_the_kernels_numbers() {
        assert_eq!(IoPriority::BestEffort(4).number(), Some(2 << 13 | 4));
        assert_eq!(IoPriority::Idle.number(), Some(3 << 13));
        assert_eq!(IoPriority::Realtime(8).number(), None);
    }
}
