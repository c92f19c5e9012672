//! A system in which systemd is the first program, and which has a Python: Debian's packages, unpacked, and the few files that their installation
//! would have made.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::house::House;
use crate::step::Verdict;

use super::apt::{Apt, out_of_reach};
use super::cpio::Archive;
use super::python;

const PACKAGES: [&str; 9] = [
    "systemd",
    "libpam-systemd",
    "dbus",
    "dbus-user-session",
    "base-files",
    "bash",
    "dash",
    "coreutils",
    "util-linux",
];
/// Where the directories of the root are since Debian keeps all programs below `/usr`.
const MERGED: [(&str, &str); 4] =
    [("bin", "usr/bin"), ("sbin", "usr/sbin"), ("lib", "usr/lib"), ("lib64", "usr/lib64")];
/// What no test needs, by the beginning of its path.
const NEEDLESS: [&str; 12] = [
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/perl",
    "usr/share/zoneinfo",
    "usr/lib/x86_64-linux-gnu/perl",
    "usr/lib/udev/hwdb.d",
    "usr/lib/python3.11/lib2to3",
    "usr/lib/python3.11/pydoc_data",
    "usr/lib/python3.11/distutils",
    "usr/share/mime",
    "boot",
];
/// Everybody who is already here may come in; what matters is that a session is made of it.
const PAM: &str = "account required pam_permit.so\nauth required pam_permit.so\nsession required pam_permit.so\n\
                   session optional pam_systemd.so\n";
const SERVICE: &str = "[Unit]\nAfter=dbus.service systemd-logind.service user@1000.service\n\
                       Wants=dbus.service systemd-logind.service user@1000.service\n\
                       [Service]\nType=oneshot\nTimeoutStartSec=infinity\nExecStart=/tests/init.sh service\n";
/// What would wait for a device or a person, or do what is done once in the life of an installation.
const MASKED: [&str; 7] = [
    "getty.target",
    "systemd-udevd.service",
    "systemd-hwdb-update.service",
    "systemd-journal-catalog-update.service",
    "systemd-firstboot.service",
    "systemd-pstore.service",
    "ldconfig.service",
];

/// The unpacked packages: from the cache, else from Debian's archive.
pub(super) fn packages(house: &House, debian: &str) -> Result<PathBuf, Verdict> {
    let home = house.target().join("vm/systems").join(debian);
    // What an earlier list of packages left is of no use.
    if !["usr/lib/systemd/systemd", python::INTERPRETER].iter().all(|file| home.join(file).exists()) {
        let fetch = || {
            let apt = Apt::of(house, debian, home.with_extension("part"))?;
            let packages = [&["-y", "--download-only", "install"], &PACKAGES[..], &python::PACKAGES[..]];
            apt.run("apt-get", &packages.concat())?;
            let _ = fs::remove_dir_all(&home);
            apt.unpack(&MERGED, &home)
        };
        fetch().map_err(|verdict| out_of_reach(verdict, "systemd", debian))?;
    }
    Ok(home)
}

/// Puts the system into an archive. It runs `init.sh` as a service once it is up.
pub(super) fn add(archive: &mut Archive, packages: &Path) -> io::Result<()> {
    tree(archive, packages, "")?;
    for dir in ["var/lib/systemd/linger", "etc/systemd/system/multi-user.target.wants"] {
        let mut at = 0;
        while let Some(end) = dir[at..].find('/').map(|end| at + end) {
            archive.directory(&dir[..end]);
            at = end + 1;
        }
        archive.directory(dir);
    }
    for file in ["etc/pam.d/systemd-user", "etc/pam.d/other"] {
        archive.file(file, 0o644, PAM.as_bytes());
    }
    archive.file("etc/nsswitch.conf", 0o644, b"passwd: files\ngroup: files\n");
    archive.file("etc/machine-id", 0o444, b"0123456789abcdef0123456789abcdef\n");
    // A manager of the user's own from the start.
    archive.file("var/lib/systemd/linger/user", 0o644, b"");
    archive.link("etc/systemd/system/default.target", "/usr/lib/systemd/system/multi-user.target");
    archive.file("etc/systemd/system/tests.service", 0o644, SERVICE.as_bytes());
    archive.link("etc/systemd/system/multi-user.target.wants/tests.service", "../tests.service");
    for unit in MASKED {
        archive.link(&format!("etc/systemd/system/{unit}"), "/dev/null");
    }
    archive.link("init", "/usr/lib/systemd/systemd");
    Ok(())
}

/// Everything below a directory of packages, in the order that an archive wants.
fn tree(archive: &mut Archive, packages: &Path, below: &str) -> io::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(packages.join(below))?.collect::<io::Result<_>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        if NEEDLESS.iter().any(|needless| path.starts_with(needless)) {
            continue;
        }
        let kind = entry.file_type()?;
        if kind.is_dir() {
            archive.directory(&path);
            tree(archive, packages, &path)?;
        } else if kind.is_symlink() {
            archive.link(&path, &fs::read_link(entry.path())?.to_string_lossy());
        } else if kind.is_file() {
            archive.file(&path, mode(&entry.metadata()?), &fs::read(entry.path())?);
        }
    }
    Ok(())
}

/// What everybody may do with a file: systemd complains of settings that can be executed.
#[cfg(unix)]
fn mode(file: &fs::Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    if file.permissions().mode() & 0o100 == 0 { 0o644 } else { 0o755 }
}

#[cfg(not(unix))]
fn mode(_: &fs::Metadata) -> u32 {
    0o755
}
