//! `/proc/PID/cgroup`: where a process lies in each hierarchy of control groups, version 1 and 2.
//!
//! See [cgroups(7)](https://man7.org/linux/man-pages/man7/cgroups.7.html). Paths are relative to the root of the
//! reader's cgroup namespace; of a process outside it they begin with `/..`.

use super::{ParseError, Problem, lines, split_once, unsigned};

const FILE: &str = "cgroup";

/// The content of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cgroups<'a> {
    bytes: &'a [u8],
}

/// A place in one hierarchy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cgroup<'a> {
    /// The hierarchy's number; 0 is version 2.
    pub hierarchy: u32,
    /// Version 1: its controllers, separated by commas, or `name=...`. Version 2: empty.
    pub controllers: &'a [u8],
    /// The path below the hierarchy's root, beginning with `/`.
    pub path: &'a [u8],
    /// The group's directory has been removed; only of a zombie. (A live group whose name ends in ` (deleted)` reads
    /// the same.)
    pub deleted: bool,
}

impl<'a> Cgroups<'a> {
    /// Takes the file's content.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// All hierarchies, in the order of the file. A line that is malformed is an error and does not end the iteration.
    pub fn iter(&self) -> impl Iterator<Item = Result<Cgroup<'a>, ParseError>> + use<'a> {
        lines(self.bytes).map(Cgroup::parse)
    }

    /// The place in the version 2 hierarchy; `None` where the kernel has none.
    ///
    /// ```
    /// # use pinfold_proc::parse::cgroup::Cgroups;
    /// let file = b"4:memory:/a\n1:name=systemd:/\n0::/user.slice/b\n";
    /// assert_eq!(Cgroups::parse(file).v2()?.unwrap().path, b"/user.slice/b");
    /// # Ok::<(), pinfold_proc::parse::ParseError>(())
    /// ```
    ///
    /// # Errors
    /// A malformed line at or before it.
    pub fn v2(&self) -> Result<Option<Cgroup<'a>>, ParseError> {
        self.find(|cgroup| cgroup.hierarchy == 0)
    }

    /// The place in the version 1 hierarchy of this controller, such as `memory`, or of this `name=...`.
    ///
    /// # Errors
    /// A malformed line at or before it.
    pub fn v1(&self, controller: &[u8]) -> Result<Option<Cgroup<'a>>, ParseError> {
        self.find(|cgroup| cgroup.controllers.split(|byte| *byte == b',').any(|one| one == controller))
    }

    fn find(&self, wanted: impl Fn(&Cgroup<'a>) -> bool) -> Result<Option<Cgroup<'a>>, ParseError> {
        self.iter().find(|line| line.as_ref().map_or(true, &wanted)).transpose()
    }
}

impl<'a> Cgroup<'a> {
    fn parse(line: &'a [u8]) -> Result<Self, ParseError> {
        let error = |field, problem| ParseError { file: FILE, field, problem };
        let (number, rest) = split_once(line, b':').ok_or(error("controllers", Problem::Missing))?;
        let (controllers, path) = split_once(rest, b':').ok_or(error("path", Problem::Missing))?;
        let hierarchy = unsigned(number).map_err(|problem| error("hierarchy", problem))?;
        if !path.starts_with(b"/") {
            return Err(error("path", Problem::Malformed));
        }
        let kept = path.strip_suffix(b" (deleted)").filter(|_| hierarchy == 0);
        Ok(Self { hierarchy, controllers, path: kept.unwrap_or(path), deleted: kept.is_some() })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    const MIXED: &[u8] =
        b"9:name=systemd:/s (deleted)\n4:cpu,cpuacct:/jobs/a:b\n3:cpuset:/\n0::/x/y z (deleted)\n";

    #[test]
    fn both_versions_are_found() {
        let cgroups = Cgroups::parse(MIXED);
        let v2 = Cgroup { hierarchy: 0, controllers: b"", path: b"/x/y z", deleted: true };
        assert_eq!(cgroups.v2().unwrap(), Some(v2));
        let cpu = Cgroup { hierarchy: 4, controllers: b"cpu,cpuacct", path: b"/jobs/a:b", deleted: false };
        assert_eq!(cgroups.v1(b"cpuacct").unwrap(), Some(cpu));
        assert_eq!(
            cgroups.v1(b"name=systemd").unwrap().unwrap().path,
            b"/s (deleted)",
            "only version 2 says so"
        );
        assert_eq!(cgroups.v1(b"memory").unwrap(), None);
        assert_eq!(cgroups.iter().count(), 4);
        assert_eq!(Cgroups::parse(b"").v2().unwrap(), None);
    }

    #[test]
    fn an_error_names_the_field() {
        let error = |line: &[u8]| Cgroups::parse(line).v2().unwrap_err().to_string();
        assert_eq!(error(b"0"), "field controllers of cgroup is missing");
        assert_eq!(error(b"0:"), "field path of cgroup is missing");
        assert_eq!(error(b"x::/"), "field hierarchy of cgroup is malformed");
        assert_eq!(error(b"0::a"), "field path of cgroup is malformed");
    }
}
