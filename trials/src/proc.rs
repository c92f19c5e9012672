//! The few files of `/proc/<pid>` that the guard and the fixture read, each as a whole.
//!
//! See `proc_pid_stat(5)`, `proc_pid_status(5)`, `proc_pid_environ(5)`.

use std::fs;
use std::io;

/// `PF_EXITING` of the kernel's `sched.h`: the process is past the point from which no process returns.
const EXITING: u32 = 0x4;

/// What `/proc/<pid>/stat` says, as far as it is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stat {
    /// The process id, in the world of pids that `/proc` shows.
    pub pid: i32,
    /// The name of the program: at most 15 bytes.
    pub name: String,
    /// The state by its letter: `R`, `S`, `D`, `T`, `t`, `Z`, `X`, `I`.
    pub state: char,
    /// The parent, 0 when it is outside this world.
    pub ppid: i32,
    /// The process group.
    pub group: i32,
    /// The session.
    pub session: i32,
    /// The controlling terminal's device number, 0 for none.
    pub terminal: i32,
    /// The foreground group of that terminal, -1 for none.
    pub foreground: i32,
    /// The kernel's flags of the process.
    pub flags: u32,
    /// The processor time used, user and system, in clock ticks: hundredths of a second.
    pub cpu: u64,
    /// How many threads are left, a dead first one included.
    pub threads: u32,
    /// When it started, in clock ticks since boot: with the pid, an identity.
    pub start: u64,
    /// The scheduling policy: 0 for the ordinary one.
    pub policy: u32,
}

impl Stat {
    /// Reads it for `pid`, a number or `self`.
    ///
    /// # Errors
    /// That of reading the file: `NotFound`, or `ESRCH`, when the process is gone.
    pub fn of(pid: &str) -> io::Result<Self> {
        let text = fs::read(format!("/proc/{pid}/stat"))?;
        Self::parse(&String::from_utf8_lossy(&text)).ok_or_else(|| malformed("stat"))
    }

    /// The name stands in brackets and may itself have brackets and spaces in it, so that the last bracket counts.
    fn parse(text: &str) -> Option<Self> {
        let (pid, rest) = text.split_once(" (")?;
        let (name, rest) = rest.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        // The manual counts from one, and two fields are before these.
        let field = |number: usize| fields.get(number - 3);
        Some(Self {
            pid: pid.parse().ok()?,
            name: name.to_owned(),
            state: field(3)?.chars().next()?,
            ppid: field(4)?.parse().ok()?,
            group: field(5)?.parse().ok()?,
            session: field(6)?.parse().ok()?,
            terminal: field(7)?.parse().ok()?,
            foreground: field(8)?.parse().ok()?,
            flags: field(9)?.parse().ok()?,
            cpu: field(14)?.parse::<u64>().ok()? + field(15)?.parse::<u64>().ok()?,
            threads: field(20)?.parse().ok()?,
            start: field(22)?.parse().ok()?,
            policy: field(41)?.parse().ok()?,
        })
    }

    /// Whether it is dead and only its status is left.
    #[must_use]
    pub fn is_zombie(&self) -> bool {
        self.state == 'Z' && self.threads <= 1
    }

    /// Whether it has begun to exit.
    #[must_use]
    pub fn is_exiting(&self) -> bool {
        self.flags & EXITING != 0 || matches!(self.state, 'Z' | 'X')
    }

    /// The state in a word.
    #[must_use]
    pub fn state_name(&self) -> &'static str {
        match self.state {
            'R' => "running",
            'S' | 'I' => "sleeping",
            'D' => "waiting for a device",
            'T' => "stopped",
            't' => "traced",
            'Z' => "zombie",
            'X' => "dead",
            _ => "in an unknown state",
        }
    }
}

/// `/proc/<pid>/status`, by the names of its lines.
#[derive(Debug)]
pub struct Status(String);

impl Status {
    /// Reads it for `pid`, a number or `self`.
    ///
    /// # Errors
    /// That of reading the file.
    pub fn of(pid: &str) -> io::Result<Self> {
        let text = fs::read(format!("/proc/{pid}/status"))?;
        Ok(Self(String::from_utf8_lossy(&text).into_owned()))
    }

    /// What stands after `name` and its colon, trimmed.
    ///
    /// # Errors
    /// `InvalidData` when there is no such line: another kernel has other lines.
    pub fn field(&self, name: &str) -> io::Result<&str> {
        let value = self.0.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.map(str::trim).ok_or_else(|| malformed(name))
    }

    /// A line that is a set of signals or capabilities in hexadecimal; signal n is bit n - 1.
    ///
    /// # Errors
    /// `InvalidData` when there is no such line, or it is no such set.
    pub fn mask(&self, name: &str) -> io::Result<u64> {
        u64::from_str_radix(self.field(name)?, 16).map_err(|_| malformed(name))
    }
}

/// Whether the environment with which `pid` began its program holds `variable`, which is `NAME=VALUE`.
///
/// A process whose first thread has ended shows its environment only through the other ones. A zombie, a thread of the
/// kernel, a process that is gone and one of another user all show none.
#[must_use]
pub fn was_given(pid: i32, variable: &str) -> bool {
    let holds = |path: String| {
        let environ = fs::read(path).unwrap_or_default();
        environ.split(|&byte| byte == 0).any(|entry| entry == variable.as_bytes())
    };
    if holds(format!("/proc/{pid}/environ")) {
        return true;
    }
    let half_dead = Stat::of(&pid.to_string()).is_ok_and(|stat| stat.state == 'Z' && !stat.is_zombie());
    half_dead
        && numbers_in(&format!("/proc/{pid}/task"))
            .any(|task| holds(format!("/proc/{pid}/task/{task}/environ")))
}

/// The command line of `pid` with spaces between its arguments, or its name in brackets where it shows none.
#[must_use]
pub fn command_line(pid: i32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words: Vec<_> = bytes.split(|&byte| byte == 0).map(String::from_utf8_lossy).collect();
    let line = words.join(" ");
    if !line.trim().is_empty() {
        return line.trim_end().to_owned();
    }
    Stat::of(&pid.to_string()).map_or_else(|_| "(gone)".to_owned(), |stat| format!("({})", stat.name))
}

/// Every process on the machine that can be seen.
pub(crate) fn pids() -> impl Iterator<Item = i32> {
    numbers_in("/proc")
}

fn numbers_in(folder: &str) -> impl Iterator<Item = i32> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what} of a process does not read as expected"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_is_no_trap() {
        let text = "12 (a) S (b) S 7 12 11 1026 -1 4194560 1 2 3 4 5 6 7 8 20 0 3 0 99 1 2 3 4 5 6 7 8 9 10 11 12 13 14 \
                    15 16 17 18 2 19";
        let stat = Stat::parse(text).unwrap();
        assert_eq!((stat.pid, &*stat.name, stat.state, stat.ppid), (12, "a) S (b", 'S', 7));
        assert_eq!((stat.group, stat.session, stat.terminal, stat.foreground), (12, 11, 1026, -1));
        assert_eq!((stat.cpu, stat.threads, stat.start, stat.policy), (11, 3, 99, 2));
    }

    #[test]
    fn this_process_reads_as_itself() {
        let stat = Stat::of("self").unwrap();
        assert_eq!(u32::try_from(stat.pid).unwrap(), std::process::id());
        assert!(!stat.is_exiting());
        assert_eq!(Status::of("self").unwrap().field("Pid").unwrap(), stat.pid.to_string());
        assert!(pids().any(|pid| pid == stat.pid));
    }
}
