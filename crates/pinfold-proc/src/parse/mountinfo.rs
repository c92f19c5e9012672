//! `/proc/PID/mountinfo`: the mounts that a process sees, and where among them control groups of version 2 are.
//!
//! See [proc_pid_mountinfo(5)](https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html).

use std::borrow::Cow;

use super::{Fields, ParseError, Problem, find, lines, radix, split_once, unsigned};

const FILE: &str = "mountinfo";

/// The content of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mounts<'a> {
    bytes: &'a [u8],
}

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount<'a> {
    /// Its number.
    pub id: u32,
    /// The number of the mount that it is mounted on.
    pub parent: u32,
    /// Major and minor number of the file system's device.
    pub device: (u32, u32),
    /// Which directory of the file system is mounted; of control groups it is relative to the reader's cgroup
    /// namespace, and begins with `/..` where it lies outside.
    pub root: Cow<'a, [u8]>,
    /// Where it is mounted, relative to the process's root directory.
    pub mount_point: Cow<'a, [u8]>,
    /// Options of the mount, separated by commas.
    pub options: &'a [u8],
    /// Kind of file system, such as `ext4` or `cgroup2`.
    pub fs_type: &'a [u8],
    /// What is mounted, as far as the kind of file system has an answer.
    pub source: Cow<'a, [u8]>,
    /// Options of the file system, separated by commas.
    pub super_options: &'a [u8],
}

impl<'a> Mounts<'a> {
    /// Takes the file's content.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// All mounts, in the order of the file. A line that is malformed is an error and does not end the iteration.
    pub fn iter(&self) -> impl Iterator<Item = Result<Mount<'a>, ParseError>> + use<'a> {
        lines(self.bytes).map(Mount::parse)
    }

    /// The mount through which control groups of version 2 are best reached, if there is one.
    ///
    /// It need not be at `/sys/fs/cgroup`: beside version 1 it is often at `/sys/fs/cgroup/unified`. A mount that has
    /// another on top of itself is passed over. Of several the one that shows most of the hierarchy is taken: the one
    /// whose root is shortest. Whether it is covered further up, or may be written, only the directory itself tells.
    ///
    /// ```
    /// # use pinfold_proc::parse::mountinfo::Mounts;
    /// let file = b"31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
    ///     41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw\n";
    /// let mount = Mounts::parse(file).cgroup2()?.unwrap();
    /// assert_eq!(mount.locate(b"/jobs/a").unwrap(), b"/sys/fs/cgroup/unified/jobs/a");
    /// # Ok::<(), pinfold_proc::parse::ParseError>(())
    /// ```
    ///
    /// # Errors
    /// A malformed line.
    pub fn cgroup2(&self) -> Result<Option<Mount<'a>>, ParseError> {
        let mounts = self.iter().collect::<Result<Vec<_>, _>>()?;
        let covered = |mount: &Mount<'_>| {
            mounts.iter().any(|other| other.parent == mount.id && other.mount_point == mount.mount_point)
        };
        let candidates = mounts.iter().filter(|mount| mount.fs_type == b"cgroup2" && !covered(mount));
        Ok(candidates.min_by_key(|mount| mount.root.len()).cloned())
    }
}

impl<'a> Mount<'a> {
    fn parse(line: &'a [u8]) -> Result<Self, ParseError> {
        // One blank between fields, so that a source without a name is an empty field.
        let mut fields = Fields { file: FILE, parts: line.split(|byte| *byte == b' ') };
        let id = fields.read("mount ID", unsigned)?;
        let parent = fields.read("parent ID", unsigned)?;
        let device = fields.read("major:minor", |text| {
            let (major, minor) = split_once(text, b':').ok_or(Problem::Malformed)?;
            Ok((unsigned(major)?, unsigned(minor)?))
        })?;
        let root = unescape(fields.text("root")?);
        let mount_point = unescape(fields.text("mount point")?);
        let options = fields.text("mount options")?;
        while fields.text("separator")? != b"-" {}
        Ok(Self {
            id,
            parent,
            device,
            root,
            mount_point,
            options,
            fs_type: fields.text("filesystem type")?,
            source: unescape(fields.text("mount source")?),
            super_options: fields.text("super options")?,
        })
    }

    /// Whether the mount or the whole file system may not be written.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        let says_so = |options: &[u8]| options.split(|byte| *byte == b',').any(|option| option == b"ro");
        says_so(self.options) || says_so(self.super_options)
    }

    /// Where a path inside the file system, such as a [control group's](super::cgroup::Cgroup::path), is found through
    /// this mount; `None` if the mount does not show it, or if `..` in either hides which directory is meant.
    #[must_use]
    pub fn locate(&self, path: &[u8]) -> Option<Vec<u8>> {
        let upwards = |path: &[u8]| path.split(|byte| *byte == b'/').any(|part| part == b"..");
        if upwards(path) || upwards(&self.root) {
            return None;
        }
        let rest = path.strip_prefix(without_slash(&self.root))?;
        if !rest.is_empty() && !rest.starts_with(b"/") {
            return None;
        }
        let found = [without_slash(&self.mount_point), without_slash(rest)].concat();
        Some(if found.is_empty() { b"/".to_vec() } else { found })
    }
}

fn without_slash(path: &[u8]) -> &[u8] {
    path.strip_suffix(b"/").unwrap_or(path)
}

/// Undoes `\040` and its like, by which the kernel writes blanks, line ends and backslashes.
fn unescape(text: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = find(b'\\', text) else {
        return Cow::Borrowed(text);
    };
    let mut plain = text[..first].to_vec();
    let mut rest = &text[first..];
    while let Some((byte, after)) = rest.split_first() {
        let escaped =
            after.get(..3).filter(|_| *byte == b'\\').and_then(|digits| radix::<u8>(digits, 8).ok());
        plain.push(escaped.unwrap_or(*byte));
        rest = &after[if escaped.is_some() { 3 } else { 0 }..];
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn one(line: &[u8]) -> Mount<'_> {
        Mounts::parse(line).iter().next().unwrap().unwrap()
    }

    fn cgroup2(lines: &[u8]) -> Option<Vec<u8>> {
        Mounts::parse(lines).cgroup2().unwrap().map(|mount| mount.mount_point.into_owned())
    }

    #[test]
    fn each_field_is_where_the_man_page_says() {
        let line =
            b"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue\n";
        let mount = one(line);
        assert_eq!((mount.id, mount.parent, mount.device), (36, 35, (98, 0)));
        assert_eq!(
            (&*mount.root, &*mount.mount_point, mount.options),
            (&b"/mnt1"[..], &b"/mnt2"[..], &b"rw,noatime"[..])
        );
        assert_eq!((mount.fs_type, &*mount.source), (&b"ext3"[..], &b"/dev/root"[..]));
        assert_eq!(mount.super_options, b"rw,errors=continue");
        assert!(!mount.is_read_only());
        assert!(one(b"1 0 0:1 / / ro - tmpfs  rw").is_read_only());
        assert!(one(b"1 0 0:1 / / rw - tmpfs  rw,ro").is_read_only());
        assert_eq!(&*one(b"1 0 0:1 / / rw - tmpfs  rw").source, b"");
    }

    #[test]
    fn octal_escapes_are_undone() {
        let mount = one(b"1 0 0:1 /a\\134040 /b\\040c\\011\\012\\351 rw - nfs h:/\\043x rw");
        assert_eq!(&*mount.root, b"/a\\040");
        assert_eq!(&*mount.mount_point, b"/b c\t\n\xe9");
        assert_eq!(&*mount.source, b"h:/#x");
        for text in [&b"\\"[..], b"\\04", b"\\089", b"\\400", b"x\\+12"] {
            assert_eq!(&*unescape(text), text, "what is no escape stays");
        }
    }

    #[test]
    fn the_widest_uncovered_cgroup2_mount_is_found() {
        let tmpfs = b"31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n";
        assert_eq!(cgroup2(tmpfs), None);
        assert_eq!(cgroup2(b""), None);
        let lines = b"40 23 0:26 /jobs /jobs rw - cgroup2 c rw\n41 23 0:26 / /one rw - cgroup2 c rw\n\
            42 23 0:26 / /two rw - cgroup2 c rw\n";
        assert_eq!(cgroup2(lines).unwrap(), b"/one");
        let covered = b"41 23 0:26 / /one rw - cgroup2 c rw\n42 23 0:26 /jobs /jobs rw - cgroup2 c rw\n\
            43 41 0:30 / /one rw - tmpfs t rw\n44 42 0:30 / /jobs/below rw - tmpfs t rw\n";
        assert_eq!(cgroup2(covered).unwrap(), b"/jobs");
    }

    #[test]
    fn a_group_is_located_through_root_and_mount_point() {
        let locate = |root: &str, point: &str, path: &str| {
            let line = format!("1 0 0:1 {root} {point} rw - cgroup2 c rw");
            one(line.as_bytes()).locate(path.as_bytes()).map(|found| String::from_utf8(found).unwrap())
        };
        let at = |path: &str| Some(path.to_owned());
        assert_eq!(locate("/", "/sys/fs/cgroup", "/"), at("/sys/fs/cgroup"));
        assert_eq!(locate("/", "/sys/fs/cgroup", "/a/b"), at("/sys/fs/cgroup/a/b"));
        assert_eq!(locate("/a", "/mnt", "/a/b"), at("/mnt/b"));
        assert_eq!(locate("/a", "/mnt", "/a"), at("/mnt"));
        assert_eq!(locate("/a", "/mnt", "/ab"), None);
        assert_eq!(locate("/a", "/mnt", "/"), None);
        assert_eq!(locate("/", "/", "/"), at("/"));
        assert_eq!(locate("/", "/", "/a"), at("/a"));
        assert_eq!(locate("/", "/mnt", "/../a"), None);
        assert_eq!(locate("/..", "/mnt", "/"), None);
        assert_eq!(locate("/", "/mnt", "/..a"), at("/mnt/..a"));
    }

    #[test]
    fn an_error_names_the_field() {
        let error = |line: &[u8]| Mounts::parse(line).cgroup2().unwrap_err().to_string();
        assert_eq!(error(b"x"), "field mount ID of mountinfo is malformed");
        assert_eq!(error(b"1 0 0-1 / / rw - a b c"), "field major:minor of mountinfo is malformed");
        assert_eq!(error(b"1 0 0:1 / / rw shared:1"), "field separator of mountinfo is missing");
        assert_eq!(error(b"1 0 0:1 / / rw - tmpfs t"), "field super options of mountinfo is missing");
    }
}
