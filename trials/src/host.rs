//! What this machine lets a test do, and what a test does when the machine does not let it.

/// Whether a test can go on, given that it needs `what`: `can` itself, after it has said so when it is false.
///
/// With `CI` in the environment what is missing is a failure: there a test that does not run must not look like one that
/// passed.
///
/// # Panics
/// In CI, when `can` is false.
#[must_use]
#[expect(clippy::print_stderr, reason = "the test harness shows what a test says there")]
pub fn given(can: bool, what: &str) -> bool {
    if !can {
        assert!(std::env::var_os("CI").is_none(), "needs {what}, and CI is where it may not be skipped");
        eprintln!("skipped: needs {what}");
    }
    can
}

#[cfg(unix)]
mod unix {
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    /// The user and group that own nothing, by the number that every Linux and BSD gives or leaves them.
    pub(crate) const NOBODY: u32 = 65_534;

    /// Whether this test runs with the rights of root.
    #[must_use]
    pub fn is_root() -> bool {
        rustix::process::geteuid().is_root()
    }

    /// Lets `command` run without rights: as nobody when this test is root, else as it is, since it has none to lose.
    pub fn as_nobody(command: &mut Command) -> &mut Command {
        if is_root() {
            // Without groups of its own, a root that changes its user loses the supplementary ones too.
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }
}
#[cfg(target_os = "linux")]
pub(crate) use unix::NOBODY;
#[cfg(unix)]
pub use unix::{as_nobody, is_root};

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::OsString;
    use std::fs;
    use std::os::unix::ffi::OsStringExt;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use rustix::fs::{Access, access};

    /// A copy of the fixture in this directory that runs as root whoever starts it; `None` where there can be none.
    ///
    /// # Panics
    /// If it cannot be copied.
    #[must_use]
    pub fn setuid_fixture(place: &Path) -> Option<PathBuf> {
        use std::os::unix::fs::PermissionsExt;
        let options = rustix::fs::statvfs(place).ok()?.f_flag;
        if !super::is_root() || options.contains(rustix::fs::StatVfsMountFlags::NOSUID) {
            return None;
        }
        let copy = place.join("fixture");
        fs::copy(crate::fixture(), &copy).expect("the fixture can be copied");
        for (path, mode) in [(place, 0o755), (&copy, 0o4755)] {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("they are ours");
        }
        Some(copy)
    }

    /// The directory of this process in the cgroup v2 hierarchy, wherever that is mounted; see cgroups(7).
    #[must_use]
    pub fn cgroup2_dir() -> Option<PathBuf> {
        let mounts = fs::read("/proc/self/mountinfo").ok()?;
        let (root, mount_point) = mounts.split(|&byte| byte == b'\n').find_map(cgroup2_mount)?;
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let own = own.lines().find_map(|line| line.strip_prefix("0::"))?;
        // A mount shows the part of the hierarchy below its root.
        let below = Path::new(own).strip_prefix(root).ok()?;
        Some(mount_point.join(below))
    }

    /// Whether this process may make cgroups below its own.
    #[must_use]
    pub fn can_write_cgroup2() -> bool {
        cgroup2_dir().is_some_and(|dir| access(dir, Access::WRITE_OK | Access::EXEC_OK).is_ok())
    }

    /// Every container that this machine has, by the names that `pinfold run --isolation` gives them.
    #[must_use]
    pub fn mechanisms() -> Vec<&'static str> {
        const BETTER: [(&str, &str); 3] = [
            ("subreaper", "a subreaper keeper"),
            ("pid-namespace", "PID namespaces, as root or in a user namespace"),
            ("cgroup", "a cgroup v2 directory that can be written to"),
        ];
        // Whether one can be had is found out by trying, which the tool does when it explains itself.
        let can = |name: &str| {
            let mut explain = Command::new(crate::pinfold_bin());
            explain.args(["run", "--explain", "--isolation", name, "--", "sh"]);
            explain.output().is_ok_and(|output| output.status.success())
        };
        let better = BETTER.into_iter().filter(|(name, what)| super::given(can(name), what));
        std::iter::once("process-group").chain(better.map(|(name, _)| name)).collect()
    }

    /// Whether the container of this name holds on to a descendant that makes itself a session of its own.
    #[must_use]
    pub fn holds_sessions(mechanism: &str) -> bool {
        mechanism != "process-group"
    }

    /// The controllers that this process can hand down to cgroups below its own, as far as the kernel says.
    #[must_use]
    pub fn controllers() -> Vec<String> {
        let own = cgroup2_dir().and_then(|own| fs::read_to_string(own.join("cgroup.controllers")).ok());
        own.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
    }

    /// Whether these controllers are at hand; says which are not. With `PINFOLD_LIMITS=all` in the environment, as a machine
    /// that has every controller has it, what is missing is a failure.
    ///
    /// # Panics
    /// Then.
    #[must_use]
    #[expect(clippy::print_stderr, reason = "the test harness shows what a test says there")]
    pub fn has_controllers(wanted: &[&str]) -> bool {
        let here = controllers();
        let missing: Vec<_> = wanted.iter().filter(|name| !here.iter().any(|here| here == *name)).collect();
        let all = std::env::var("PINFOLD_LIMITS").is_ok_and(|value| value == "all");
        assert!(missing.is_empty() || !all, "no {missing:?} in {here:?}");
        if !missing.is_empty() {
            eprintln!("skipped: needs the controllers {missing:?} in cgroup v2, and there are {here:?}");
        }
        missing.is_empty()
    }

    /// Root and mount point of a line of mountinfo that is a cgroup2 mount; see `proc_pid_mountinfo(5)`.
    fn cgroup2_mount(line: &[u8]) -> Option<(PathBuf, PathBuf)> {
        let fields: Vec<_> = line.split(|&byte| byte == b' ').collect();
        let separator = fields.iter().position(|&field| field == b"-")?;
        let is_cgroup2 = fields.get(separator + 1) == Some(&&b"cgroup2"[..]);
        is_cgroup2.then_some(())?;
        Some((unescape(fields.get(3)?), unescape(fields.get(4)?)))
    }

    /// Space, tab, line end and backslash stand there as a backslash and three octal digits.
    fn unescape(field: &[u8]) -> PathBuf {
        let mut path = Vec::with_capacity(field.len());
        let mut rest = field;
        while let [first, tail @ ..] = rest {
            let octal =
                tail.get(..3).filter(|_| *first == b'\\').and_then(|digits| str::from_utf8(digits).ok());
            match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
                Some(byte) => {
                    path.push(byte);
                    rest = &tail[3..];
                }
                None => {
                    path.push(*first);
                    rest = tail;
                }
            }
        }
        OsString::from_vec(path).into()
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_cgroup2_mount_is_told_from_the_others() {
            let line = br"42 31 0:39 / /a\040b/unified rw,relatime shared:1 - cgroup2 cgroup2 rw";
            assert_eq!(cgroup2_mount(line), Some(("/".into(), "/a b/unified".into())));
            assert_eq!(cgroup2_mount(b"42 31 0:39 / /cgroup2 rw - cgroup none rw,cpu"), None);
            assert_eq!(cgroup2_mount(b""), None);
        }
    }
}
#[cfg(target_os = "linux")]
pub use linux::{
    can_write_cgroup2, cgroup2_dir, controllers, has_controllers, holds_sessions, mechanisms, setuid_fixture,
};
