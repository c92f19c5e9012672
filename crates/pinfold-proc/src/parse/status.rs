//! `/proc/PID/status`: a line for each fact; half as dear again as [`stat`](super::stat) (5.6 us to fetch).
//!
//! See [proc_pid_status(5)](https://man7.org/linux/man-pages/man5/proc_pid_status.5.html).

use std::borrow::Cow;

use super::stat::State;
use super::{ParseError, Problem, lines, pid, radix, relative, split_once, unsigned};

const FILE: &str = "status";

/// The four user ids, or group ids, of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    /// Who started it.
    pub real: u32,
    /// Whose rights it has.
    pub effective: u32,
    /// Whose rights it may take back.
    pub saved: u32,
    /// Whose rights it has on files.
    pub filesystem: u32,
}

/// A set of signals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignalMask(pub u64);

impl SignalMask {
    /// Whether the signal of this number (1 to 64) is in the set.
    #[must_use]
    pub fn contains(self, signal: u32) -> bool {
        signal.checked_sub(1).and_then(|bit| self.0.checked_shr(bit)).is_some_and(|rest| rest & 1 == 1)
    }
}

/// What a process does with signals, and which wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signals {
    /// Pending for this thread alone.
    pub pending: SignalMask,
    /// Pending for the process.
    pub shared_pending: SignalMask,
    /// Blocked by this thread.
    pub blocked: SignalMask,
    /// Ignored.
    pub ignored: SignalMask,
    /// Caught by a handler.
    pub caught: SignalMask,
}

/// The capability sets of a thread, a bit for each, as capabilities(7) numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Kept across exec of a file that allows it.
    pub inheritable: u64,
    /// What it may make effective.
    pub permitted: u64,
    /// What it has.
    pub effective: u64,
    /// The most that an exec may give.
    pub bounding: u64,
    /// Kept across exec of any program that is not privileged.
    pub ambient: u64,
}

/// Whether system calls are filtered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seccomp {
    /// No.
    Disabled,
    /// Only read, write, exit and sigreturn are left.
    Strict,
    /// By programs.
    Filter,
    /// A mode that is not known here.
    Other(u32),
}

/// Memory, in bytes (the file counts in KiB). A process without memory, which is a zombie or a kernel thread, has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// `VmPeak`: the largest that the address space was; gVisor does not tell.
    pub peak_size: Option<u64>,
    /// `VmSize`: the address space.
    pub size: u64,
    /// `VmLck`: what is locked in memory.
    pub locked: Option<u64>,
    /// `VmHWM`: the most that was ever resident; gVisor does not tell.
    pub peak_resident: Option<u64>,
    /// `VmRSS`: what is resident, shared pages included; counted for each thread and added up late, so not exact.
    pub resident: u64,
    /// `RssAnon`: the resident part that belongs to no file; Linux 4.5.
    pub resident_anon: Option<u64>,
    /// `RssFile`: the resident part that maps files; Linux 4.5.
    pub resident_file: Option<u64>,
    /// `RssShmem`: the resident part that is shared memory; Linux 4.5.
    pub resident_shmem: Option<u64>,
    /// `VmSwap`: private pages that are swapped out; Linux 2.6.34.
    pub swap: Option<u64>,
}

/// A process, or a thread, as `/proc/PID/status` tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status<'a> {
    /// `Name`: as `comm` of `stat`, and any bytes.
    pub name: Cow<'a, [u8]>,
    /// `Umask`; Linux 4.7, and `None` for a zombie.
    pub umask: Option<u32>,
    /// `State`.
    pub state: State,
    /// `Tgid`: the process; `pid` is one of its threads.
    pub tgid: u32,
    /// `Pid`.
    pub pid: u32,
    /// `PPid`: its parent; `None` if it has none in this pid namespace.
    pub ppid: Option<u32>,
    /// `TracerPid`: who traces it.
    pub tracer: Option<u32>,
    /// `Uid`, in the reader's user namespace.
    pub uid: Ids,
    /// `Gid`, in the reader's user namespace.
    pub gid: Ids,
    groups: &'a [u8],
    ns_pids: &'a [u8],
    /// `Vm*` and `Rss*`.
    pub memory: Option<Memory>,
    /// `Threads`.
    pub threads: u32,
    /// `SigPnd` and its neighbours; gVisor has none.
    pub signals: Option<Signals>,
    /// `CapInh` and its neighbours.
    pub capabilities: Option<Capabilities>,
    /// `NoNewPrivs`; Linux 4.10.
    pub no_new_privs: Option<bool>,
    /// `Seccomp`; `None` if the kernel is built without.
    pub seccomp: Option<Seccomp>,
    /// `voluntary_ctxt_switches` of this thread.
    pub voluntary_switches: Option<u64>,
    /// `nonvoluntary_ctxt_switches` of this thread.
    pub nonvoluntary_switches: Option<u64>,
}

impl<'a> Status<'a> {
    /// Parses the file. Lines that are not known are passed over.
    ///
    /// # Errors
    /// A field that is malformed, or one of those that every kernel has and that is missing.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let mut table = Table::new(bytes);
        Ok(Self {
            name: table.name()?,
            umask: table.optional("Umask", |text| radix(text, 8))?,
            state: table.required("State", State::parse)?,
            tgid: table.required("Tgid", pid)?,
            pid: table.required("Pid", pid)?,
            ppid: table.required("PPid", relative)?,
            tracer: table.optional("TracerPid", relative)?.flatten(),
            uid: table.required("Uid", Ids::parse)?,
            gid: table.required("Gid", Ids::parse)?,
            groups: table.optional("Groups", id_list)?.unwrap_or_default(),
            ns_pids: table.optional("NSpid", id_list)?.unwrap_or_default(),
            memory: Memory::parse(&mut table)?,
            threads: table.required("Threads", unsigned)?,
            signals: Signals::parse(&mut table)?,
            capabilities: Capabilities::parse(&mut table)?,
            no_new_privs: table.optional("NoNewPrivs", flag)?,
            seccomp: table.optional("Seccomp", Seccomp::parse)?,
            voluntary_switches: table.optional("voluntary_ctxt_switches", unsigned)?,
            nonvoluntary_switches: table.optional("nonvoluntary_ctxt_switches", unsigned)?,
        })
    }

    /// `Groups`: the supplementary groups.
    pub fn groups(&self) -> impl Iterator<Item = u32> + use<'a> {
        ids(self.groups).filter_map(Result::ok)
    }

    /// `NSpid`: its pid in each pid namespace, from the reader's to its own; Linux 4.1, else nothing.
    pub fn ns_pids(&self) -> impl Iterator<Item = u32> + use<'a> {
        ids(self.ns_pids).filter_map(Result::ok)
    }
}

impl Ids {
    fn parse(text: &[u8]) -> Result<Self, Problem> {
        let mut parts = ids(text);
        let mut next = || parts.next().unwrap_or(Err(Problem::Missing));
        Ok(Self { real: next()?, effective: next()?, saved: next()?, filesystem: next()? })
    }
}

impl Memory {
    fn parse(table: &mut Table<'_>) -> Result<Option<Self>, ParseError> {
        let peak_size = table.optional("VmPeak", kibibytes)?;
        let Some(size) = table.optional("VmSize", kibibytes)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            peak_size,
            size,
            locked: table.optional("VmLck", kibibytes)?,
            peak_resident: table.optional("VmHWM", kibibytes)?,
            resident: table.required("VmRSS", kibibytes)?,
            resident_anon: table.optional("RssAnon", kibibytes)?,
            resident_file: table.optional("RssFile", kibibytes)?,
            resident_shmem: table.optional("RssShmem", kibibytes)?,
            swap: table.optional("VmSwap", kibibytes)?,
        }))
    }
}

impl Signals {
    fn parse(table: &mut Table<'_>) -> Result<Option<Self>, ParseError> {
        let mask = |text: &[u8]| radix(text, 16).map(SignalMask);
        let Some(pending) = table.optional("SigPnd", mask)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            pending,
            shared_pending: table.required("ShdPnd", mask)?,
            blocked: table.required("SigBlk", mask)?,
            ignored: table.required("SigIgn", mask)?,
            caught: table.required("SigCgt", mask)?,
        }))
    }
}

impl Capabilities {
    fn parse(table: &mut Table<'_>) -> Result<Option<Self>, ParseError> {
        let set = |text: &[u8]| radix(text, 16);
        let Some(inheritable) = table.optional("CapInh", set)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            inheritable,
            permitted: table.required("CapPrm", set)?,
            effective: table.required("CapEff", set)?,
            bounding: table.required("CapBnd", set)?,
            // Before Linux 4.3 there was no such set, so nothing in it; gVisor does not tell.
            ambient: table.optional("CapAmb", set)?.unwrap_or(0),
        }))
    }
}

impl Seccomp {
    fn parse(text: &[u8]) -> Result<Self, Problem> {
        Ok(match unsigned(text)? {
            0 => Self::Disabled,
            1 => Self::Strict,
            2 => Self::Filter,
            other => Self::Other(other),
        })
    }
}

fn flag(text: &[u8]) -> Result<bool, Problem> {
    match text {
        b"0" => Ok(false),
        b"1" => Ok(true),
        _ => Err(Problem::Malformed),
    }
}

fn kibibytes(text: &[u8]) -> Result<u64, Problem> {
    let count: u64 = unsigned(text.strip_suffix(b" kB").ok_or(Problem::Malformed)?)?;
    count.checked_mul(1024).ok_or(Problem::OutOfRange)
}

fn ids(text: &[u8]) -> impl Iterator<Item = Result<u32, Problem>> {
    text.split(u8::is_ascii_whitespace).filter(|part| !part.is_empty()).map(unsigned)
}

/// The text itself, once each of its numbers has been looked at.
fn id_list(text: &[u8]) -> Result<&[u8], Problem> {
    ids(text).try_for_each(|id| id.map(drop)).map(|()| text)
}

/// The lines, to be asked for by name. The kernel always writes them in one order, and they are best asked for in that
/// order: each search begins where the last one ended.
struct Table<'a> {
    lines: Vec<(&'a [u8], &'a [u8])>,
    next: usize,
}

impl<'a> Table<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let mut table = Vec::with_capacity(64);
        table.extend(lines(bytes).filter_map(|line| split_once(line, b':')));
        Self { lines: table, next: 0 }
    }

    fn raw(&mut self, field: &'static str) -> Option<&'a [u8]> {
        let (before, after) = self.lines.split_at(self.next);
        let found = after.iter().chain(before).position(|(key, _)| *key == field.as_bytes())?;
        let index = (self.next + found) % self.lines.len();
        self.next = index + 1;
        Some(self.lines[index].1)
    }

    fn optional<T>(
        &mut self,
        field: &'static str,
        parse: impl FnOnce(&'a [u8]) -> Result<T, Problem>,
    ) -> Result<Option<T>, ParseError> {
        let value = self.raw(field).map(|text| parse(text.trim_ascii()));
        value.transpose().map_err(|problem| ParseError { file: FILE, field, problem })
    }

    fn required<T>(
        &mut self,
        field: &'static str,
        parse: impl FnOnce(&'a [u8]) -> Result<T, Problem>,
    ) -> Result<T, ParseError> {
        self.optional(field, parse)?.ok_or(ParseError { file: FILE, field, problem: Problem::Missing })
    }

    /// The one value whose blanks count: after the tab comes any name, in which line ends and backslashes are escaped.
    fn name(&mut self) -> Result<Cow<'a, [u8]>, ParseError> {
        let missing = ParseError { file: FILE, field: "Name", problem: Problem::Missing };
        let text = self.raw("Name").ok_or(missing)?;
        Ok(unescape(text.strip_prefix(b"\t").unwrap_or(text)))
    }
}

fn unescape(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    loop {
        rest = match rest {
            [] => return Cow::Owned(plain),
            [b'\\', b'n', rest @ ..] => {
                plain.push(b'\n');
                rest
            }
            [b'\\', b'\\', rest @ ..] => {
                plain.push(b'\\');
                rest
            }
            [byte, rest @ ..] => {
                plain.push(*byte);
                rest
            }
        };
    }
}

#[cfg(test)]
mod tests;
