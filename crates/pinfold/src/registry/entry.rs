//! What a file of the registry says: who the owner is, and where its runs live. No argument and no variable of any of them.
//!
//! ```text
//! pinfold-owner 1
//! process 4026531836 1234 567890
//! boot 0b9f6f0c-...
//! cgroup /sys/fs/cgroup/pinfold.4026531836.1234.567890
//! subreaper           1240               567901
//! ```
//! A line for each run below a keeper or in a process group, as wide as any other so that it can be written over, and blank
//! when it has ended. Whatever reads otherwise is not believed.

use super::identity::Identity;
use crate::outcome::Mechanism;
use std::path::{Path, PathBuf};

const FORMAT: &str = "pinfold-owner 1";
/// How wide a line of a run is, its end included.
pub(crate) const WIDTH: usize = 48;

/// A file's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) owner: Identity,
    /// The start of the system that the owner was started under (`/proc/sys/kernel/random/boot_id`).
    pub(crate) boot: String,
    /// The owner's directory.
    pub(crate) cgroup: Option<PathBuf>,
    pub(crate) runs: Vec<Line>,
}

/// A run that one process stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Subreaper, PID namespace, process group.
    pub(crate) mechanism: Mechanism,
    /// The keeper; the leader of a process group.
    pub(crate) pid: u32,
    pub(crate) start: u64,
}

/// What stands before the runs.
pub(crate) fn head(owner: &Identity, boot: &str) -> String {
    let Identity { namespace, pid, start } = owner;
    format!("{FORMAT}\nprocess {namespace} {pid} {start}\nboot {boot}\n")
}

/// The line of the owner's directory, unless its path cannot stand in one.
pub(crate) fn cgroup_line(path: &Path) -> Option<String> {
    let path = path.to_str().filter(|path| !path.contains('\n'))?;
    Some(format!("cgroup {path}\n"))
}

impl Line {
    pub(crate) fn write(&self) -> String {
        format!("{:<13} {:>10} {:>22}\n", self.mechanism.as_str(), self.pid, self.start)
    }

    fn read(text: &str) -> Option<Line> {
        let mut words = text.split_ascii_whitespace();
        let mechanism = match words.next()? {
            "subreaper" => Mechanism::Subreaper,
            "pid_namespace" => Mechanism::PidNamespace,
            "process_group" => Mechanism::ProcessGroup,
            _ => return None,
        };
        let line = Line { mechanism, pid: words.next()?.parse().ok()?, start: words.next()?.parse().ok()? };
        (words.next().is_none() && line.pid > 1).then_some(line)
    }
}

/// What stands where a run has ended.
pub(crate) fn blank() -> String {
    format!("{:width$}\n", "", width = WIDTH - 1)
}

/// Reads a file that is to be that of `owner`.
///
/// # Errors
/// What is wrong with it, in words.
pub(crate) fn parse(bytes: &[u8], owner: &Identity) -> Result<Entry, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not text".to_owned())?;
    if !text.is_empty() && !text.ends_with('\n') {
        return Err("its last line has no end".to_owned());
    }
    let mut lines = text.lines();
    if lines.next() != Some(FORMAT) {
        return Err(format!("it does not begin with \"{FORMAT}\""));
    }
    let Identity { namespace, pid, start } = owner;
    if lines.next() != Some(&format!("process {namespace} {pid} {start}")) {
        return Err("it names another process than its name does".to_owned());
    }
    let boot = lines.next().and_then(|line| line.strip_prefix("boot "));
    let boot = boot.ok_or("it does not say under which start of the system it was written")?.to_owned();
    let mut entry = Entry { owner: *owner, boot, cgroup: None, runs: Vec::new() };
    for line in lines.filter(|line| !line.trim().is_empty()) {
        if let Some(path) = line.strip_prefix("cgroup ") {
            let path = Path::new(path);
            // Only what an owner makes for itself is ever ended in its name.
            let is_its_own = path.file_name().and_then(|name| name.to_str()) == Some(&owner.name());
            if entry.cgroup.is_some() || !path.is_absolute() || !is_its_own {
                return Err("it names a cgroup that is not its owner's".to_owned());
            }
            entry.cgroup = Some(path.to_owned());
        } else {
            entry.runs.push(Line::read(line).ok_or("it has a line that means nothing")?);
        }
    }
    Ok(entry)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    const OWNER: Identity = Identity { namespace: 7, pid: 1234, start: 99 };

    fn text(rest: &str) -> String {
        head(&OWNER, "b-1") + rest
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let path = Path::new("/sys/fs/cgroup/a b/pinfold.7.1234.99");
        let line = |mechanism, pid, start| Line { mechanism, pid, start };
        let runs = [
            line(Mechanism::Subreaper, 2, 0),
            line(Mechanism::ProcessGroup, u32::MAX, u64::MAX),
            line(Mechanism::PidNamespace, 4_194_304, 1),
        ];
        let mut written = text(&cgroup_line(path).unwrap());
        for run in &runs {
            assert_eq!(run.write().len(), WIDTH, "{run:?}");
            written += &run.write();
            written += &blank();
        }
        assert_eq!(blank().len(), WIDTH);
        let read = parse(written.as_bytes(), &OWNER).unwrap();
        assert_eq!((read.boot.as_str(), read.cgroup.as_deref()), ("b-1", Some(path)));
        assert_eq!(read.runs, runs);
    }

    #[test]
    fn what_reads_otherwise_is_not_believed() {
        for wrong in [
            "cgroup /sys/fs/cgroup\n",
            "cgroup /sys/fs/cgroup/pinfold.7.1234.98\n",
            "cgroup sys/pinfold.7.1234.99\n",
            "cgroup /a/pinfold.7.1234.99\ncgroup /b/pinfold.7.1234.99\n",
            "subreaper 1 99\n",
            "subreaper 0 99\n",
            "subreaper -5 99\n",
            "subreaper 5\n",
            "subreaper 5 6 7\n",
            "cgroup_v2 5 6\n",
            "keeper 5 6\n",
            "subreaper 5 6",
        ] {
            assert!(parse(text(wrong).as_bytes(), &OWNER).is_err(), "{wrong}");
        }
        let other = Identity { pid: 1235, ..OWNER };
        assert!(parse(text("").as_bytes(), &other).is_err());
        assert!(parse(text("").as_bytes(), &OWNER).is_ok());
        for wrong in [&b"\xff\n"[..], b"pinfold-owner 2\n", b"pinfold-owner 1\n", b"x"] {
            assert!(parse(wrong, &OWNER).is_err());
        }
    }
}
