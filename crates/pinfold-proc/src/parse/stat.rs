//! `/proc/PID/stat`: one line, the cheapest description of a process (3.6 us to fetch).
//!
//! See [proc_pid_stat(5)](https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html). The addresses, the signal masks
//! of 32 bits and the other fields that are obsolete are left out; [`status`](super::status) has better ones.

use super::{Fields, ParseError, Problem, find, pid, relative, signed, unsigned};

const FILE: &str = "stat";
/// `PF_KTHREAD` of the kernel's `include/linux/sched.h`.
const KERNEL_THREAD: u32 = 0x0020_0000;

/// What a process is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// `R`: running or ready to.
    Running,
    /// `S`: sleeping, a signal wakes it.
    Sleeping,
    /// `D`: waiting, usually for a disk; no signal wakes it.
    DiskSleep,
    /// `I`: an idle kernel thread.
    Idle,
    /// `T`: stopped by a signal.
    Stopped,
    /// `t`: stopped by a tracer.
    Traced,
    /// `Z`: ended, not yet reaped.
    Zombie,
    /// `X` or `x`: gone but for its entry.
    Dead,
    /// `P`: a parked kernel thread.
    Parked,
    /// A letter that is not known here.
    Other(u8),
}

impl State {
    pub(super) fn parse(text: &[u8]) -> Result<Self, Problem> {
        Ok(match text.first() {
            Some(b'R') => Self::Running,
            Some(b'S') => Self::Sleeping,
            Some(b'D') => Self::DiskSleep,
            Some(b'I') => Self::Idle,
            Some(b'T') => Self::Stopped,
            Some(b't') => Self::Traced,
            Some(b'Z') => Self::Zombie,
            Some(b'X' | b'x') => Self::Dead,
            Some(b'P') => Self::Parked,
            Some(letter) if letter.is_ascii_alphabetic() => Self::Other(*letter),
            _ => return Err(Problem::Malformed),
        })
    }

    /// Every state that has a name, with it.
    const NAMES: [(State, &'static str); 9] = [
        (State::Running, "running"),
        (State::Sleeping, "sleeping"),
        (State::DiskSleep, "waiting"),
        (State::Idle, "idle"),
        (State::Stopped, "stopped"),
        (State::Traced, "traced"),
        (State::Zombie, "zombie"),
        (State::Dead, "dead"),
        (State::Parked, "parked"),
    ];

    /// Its name: `running`, `sleeping`, `waiting` (for a disk), `stopped`, ...; `other` for a letter that is not known here.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(state, _)| *state == self).map_or("other", |(_, name)| name)
    }

    /// The state of this name; `None` for a word that names none, `other` among them.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(state, _)| *state)
    }

    /// Whether it has ended: it executes nothing any more and no signal reaches it.
    #[must_use]
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Zombie | Self::Dead)
    }
}

/// A controlling terminal, by its device number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tty {
    /// 136 to 143 for `/dev/pts`, 4 for `/dev/tty*`.
    pub major: u32,
    /// Which of them.
    pub minor: u32,
}

impl Tty {
    /// The kernel's `new_encode_dev`: the minor number lies on both sides of the major.
    fn parse(text: &[u8]) -> Result<Option<Self>, Problem> {
        let number = signed(text)?.cast_unsigned();
        let tty = Self { major: number >> 8 & 0xfff, minor: number & 0xff | number >> 12 & 0xf_ff00 };
        Ok((number != 0).then_some(tty))
    }
}

/// A process, or a thread, as `/proc/PID/stat` tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat<'a> {
    /// Process id.
    pub pid: u32,
    /// The name of the program, cut to 15 bytes unless it is a kernel thread's. Any bytes, even `)` and newlines.
    pub comm: &'a [u8],
    /// What it is doing.
    pub state: State,
    /// Its parent; `None` if it has none in this pid namespace.
    pub ppid: Option<u32>,
    /// Its process group; `None` for kernel threads, and where the leader is outside this pid namespace.
    pub pgrp: Option<u32>,
    /// Its session; `None` as for `pgrp`.
    pub session: Option<u32>,
    /// Its controlling terminal.
    pub tty: Option<Tty>,
    /// The foreground process group of that terminal.
    pub tpgid: Option<u32>,
    /// The kernel's `PF_*` flags.
    pub flags: u32,
    /// User time of all its threads, in clock ticks (`sysconf(_SC_CLK_TCK)`, 100 a second everywhere today).
    pub utime: u64,
    /// System time of all its threads, in clock ticks.
    pub stime: u64,
    /// User time of the children that it has reaped, in clock ticks.
    pub cutime: u64,
    /// System time of the children that it has reaped, in clock ticks.
    pub cstime: u64,
    /// 20 + `nice`, or -2 to -100 for real-time policies 1 to 99, or -101 for deadline scheduling.
    pub priority: i32,
    /// -20 (gets most) to 19.
    pub nice: i32,
    /// Threads; 0 for a process that is being reaped.
    pub num_threads: u32,
    /// When it started, in clock ticks since boot, in the reader's time namespace. With the pid it names a process, but
    /// ticks are long: a pid that is reused at once may have the same.
    pub starttime: u64,
    /// Address space, in bytes; 0 for zombies and kernel threads.
    pub vsize: u64,
    /// Resident memory, in pages, as counted without precision; `VmRSS` of `status` has the same flaw.
    pub rss: u64,
}

impl<'a> Stat<'a> {
    /// Whether it executes anything. `state` is that of its first thread alone, and a process lives until its last one has
    /// ended.
    #[must_use]
    pub fn lives(&self) -> bool {
        !self.state.has_ended() || self.num_threads > 1
    }

    /// Parses the file.
    ///
    /// ```
    /// # use pinfold_proc::parse::stat::Stat;
    /// let line = b"7 (a) Z (b) S 1 7 7 0 -1 4194304 0 0 0 0 3 4 0 0 20 0 1 0 99 4096 12 0\n";
    /// let stat = Stat::parse(line)?;
    /// assert_eq!((stat.comm, stat.ppid, stat.starttime), (&b"a) Z (b"[..], Some(1), 99));
    /// # Ok::<(), pinfold_proc::parse::ParseError>(())
    /// ```
    ///
    /// # Errors
    /// The first field that is missing or malformed.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        // A name may hold parentheses; what follows it may not, so the last one ends it.
        let name = find(b'(', bytes).zip(bytes.iter().rposition(|byte| *byte == b')'));
        let Some((open, close)) = name.filter(|(open, close)| open < close) else {
            return Err(ParseError { file: FILE, field: "comm", problem: Problem::Missing });
        };
        let mut head = Fields { file: FILE, parts: std::iter::once(bytes[..open].trim_ascii()) };
        let parts = bytes[close + 1..].split(u8::is_ascii_whitespace).filter(|part| !part.is_empty());
        let mut fields = Fields { file: FILE, parts };
        Ok(Self {
            pid: head.read("pid", pid)?,
            comm: &bytes[open + 1..close],
            state: fields.read("state", State::parse)?,
            ppid: fields.read("ppid", relative)?,
            pgrp: fields.read("pgrp", relative)?,
            session: fields.read("session", relative)?,
            tty: fields.read("tty_nr", Tty::parse)?,
            tpgid: fields.read("tpgid", relative)?,
            flags: fields.read("flags", unsigned)?,
            utime: fields.after(&["minflt", "cminflt", "majflt", "cmajflt"])?.read("utime", unsigned)?,
            stime: fields.read("stime", unsigned)?,
            cutime: fields.read("cutime", unsigned)?,
            cstime: fields.read("cstime", unsigned)?,
            priority: fields.read("priority", signed)?,
            nice: fields.read("nice", signed)?,
            num_threads: fields.read("num_threads", unsigned)?,
            starttime: fields.after(&["itrealvalue"])?.read("starttime", unsigned)?,
            vsize: fields.read("vsize", unsigned)?,
            rss: fields.read("rss", unsigned)?,
        })
    }

    /// Whether it is a thread of the kernel, which has no program, no arguments and no memory of its own.
    #[must_use]
    pub fn is_kernel_thread(&self) -> bool {
        self.flags & KERNEL_THREAD != 0
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    const CAT: &[u8] = b"18018 (cat) R 18008 18007 2956 34816 18006 4194560 104 1 2 3 5 6 7 8 20 -5 1 0 204224 \
        3133440 412 18446744073709551615 93853374275584 93853374295465 140732123500064 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 \
        0 93853374311472 93853374313088 93853488005120 140732123507411 140732123507444 140732123507444 140732123508715 \
        0\n";
    const KTHREADD: &[u8] = b"2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 24 0 0 \
        18446744073709551615 0 0 0 0 0 0 0 2147483647 0 1 0 0 0 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n";

    #[test]
    fn each_field_is_where_the_man_page_says() {
        let expected = Stat {
            pid: 18018,
            comm: b"cat",
            state: State::Running,
            ppid: Some(18008),
            pgrp: Some(18007),
            session: Some(2956),
            tty: Some(Tty { major: 136, minor: 0 }),
            tpgid: Some(18006),
            flags: 4_194_560,
            utime: 5,
            stime: 6,
            cutime: 7,
            cstime: 8,
            priority: 20,
            nice: -5,
            num_threads: 1,
            starttime: 204_224,
            vsize: 3_133_440,
            rss: 412,
        };
        assert_eq!(Stat::parse(CAT).unwrap(), expected);
        assert!(!expected.is_kernel_thread());
    }

    #[test]
    fn a_process_lives_until_its_last_thread_has_ended() {
        for (state, num_threads, lives) in
            [("S", 1, true), ("Z", 2, true), ("Z", 1, false), ("Z", 0, false), ("X", 0, false)]
        {
            let line = format!("5 (a) {state} 1 5 5 0 -1 0 0 0 0 0 0 0 0 0 20 0 {num_threads} 0 7 0 0");
            assert_eq!(Stat::parse(line.as_bytes()).unwrap().lives(), lives, "{state} {num_threads}");
        }
    }

    #[test]
    fn a_kernel_thread_has_no_parent_no_group_and_no_terminal() {
        let stat = Stat::parse(KTHREADD).unwrap();
        assert!(stat.is_kernel_thread());
        assert_eq!(
            (stat.ppid, stat.pgrp, stat.session, stat.tty, stat.tpgid),
            (None, None, None, None, None)
        );
    }

    #[test]
    fn a_name_may_imitate_the_rest_of_the_line() {
        for name in [&b") R 1 1 1"[..], b"(", b")", b"", b"\n", b"caf\xe9 (x) Z 0"] {
            let line = [b"5 (", name, b") S 1 5 5 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 7 0 0"].concat();
            let stat = Stat::parse(&line).unwrap();
            assert_eq!((stat.comm, stat.state, stat.starttime), (name, State::Sleeping, 7));
        }
    }

    #[test]
    fn an_error_names_the_field() {
        let field = |line: &[u8]| Stat::parse(line).unwrap_err();
        assert_eq!(field(b""), ParseError { file: "stat", field: "comm", problem: Problem::Missing });
        assert_eq!(field(b")(").field, "comm");
        assert_eq!(field(b"x (a) S 1").field, "pid");
        assert_eq!(field(b"5 (a)").field, "state");
        assert_eq!(field(b"5 (a) S 1 5 5 0 -1 0 0 0 0").to_string(), "field cmajflt of stat is missing");
        assert_eq!(field(b"5 (a) S one").to_string(), "field ppid of stat is malformed");
        assert_eq!(field(b"5 (a) S -7").to_string(), "field ppid of stat is out of range");
    }

    #[test]
    fn the_minor_number_of_a_terminal_has_twenty_bits() {
        let tty = |text: &[u8]| Tty::parse(text).unwrap();
        assert_eq!(tty(b"34817"), Some(Tty { major: 136, minor: 1 }));
        assert_eq!(tty(b"1083393"), Some(Tty { major: 136, minor: 257 }));
        assert_eq!(tty(b"0"), None);
        assert_eq!(tty(b"-1"), Some(Tty { major: 0xfff, minor: 0xf_ffff }));
    }
}
