//! What the kernel would say if a file were executed, asked without executing it.
//!
//! The answers are for this process with its effective ids, now. A child that runs as another user, or a moment later,
//! may be told something else; only its exec decides.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;

/// Whether this is a regular file that may be executed.
///
/// On Unix by [`access`]; on Windows the file has to exist and end in one of [`executable_suffixes`].
#[must_use]
pub fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file()) && access(path).is_ok()
}

/// Whether this process may execute the file, or search the directory, told by [faccessat(2)] with effective ids.
///
/// For root that is yes where anyone has the permission. On Windows it is told by the name.
///
/// # Errors
/// The kernel's: permission denied, or that there is no such file.
///
/// [faccessat(2)]: https://man7.org/linux/man-pages/man2/access.2.html
#[cfg(unix)]
pub fn access(path: &Path) -> io::Result<()> {
    use rustix::fs::{Access, AtFlags, CWD};
    use rustix::io::Errno;
    use rustix::process::{getegid, geteuid, getgid, getuid};
    match rustix::fs::accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS) {
        // Linux before 5.8 has no faccessat2, and old container profiles answer it with EPERM, which the question
        // itself never gives. faccessat asks with the real ids; where those differ, in a setuid program, nothing can
        // be told here and exec has the last word.
        Err(Errno::NOSYS | Errno::PERM) if getuid() == geteuid() && getgid() == getegid() => {
            Ok(rustix::fs::accessat(CWD, path, Access::EXEC_OK, AtFlags::empty())?)
        }
        Err(Errno::NOSYS | Errno::PERM) => path.metadata().map(drop),
        answer => Ok(answer?),
    }
}

/// Whether this process may execute the file, or search the directory: told by the name.
///
/// # Errors
/// Not found; permission denied for a file that ends in none of [`executable_suffixes`].
#[cfg(windows)]
pub fn access(path: &Path) -> io::Result<()> {
    if path.metadata()?.is_dir() {
        return Ok(());
    }
    let known = path.extension().is_some_and(|extension| {
        executable_suffixes()
            .iter()
            .any(|suffix| suffix.as_encoded_bytes()[1..].eq_ignore_ascii_case(extension.as_encoded_bytes()))
    });
    if known { Ok(()) } else { Err(io::ErrorKind::PermissionDenied.into()) }
}

/// What may be left out at the end of a program's name: nothing on Unix, `PATHEXT` on Windows.
///
/// Each begins with a dot.
#[must_use]
pub fn executable_suffixes() -> Vec<OsString> {
    if cfg!(not(windows)) {
        return Vec::new();
    }
    let suffixes =
        std::env::var_os("PATHEXT").unwrap_or_else(|| OsStr::new(".COM;.EXE;.BAT;.CMD").to_owned());
    std::env::split_paths(&suffixes)
        .map(Into::into)
        .filter(|suffix: &OsString| suffix.as_encoded_bytes().starts_with(b"."))
        .collect()
}

/// Whether the file lies on a mount that lets nothing be executed.
///
/// Only Linux tells; elsewhere it is `false`.
///
/// # Errors
/// Those of [statvfs(3)](https://man7.org/linux/man-pages/man3/statvfs.3.html).
pub fn on_noexec_mount(path: &Path) -> io::Result<bool> {
    #[cfg(target_os = "linux")]
    return Ok(rustix::fs::statvfs(path)?.f_flag.contains(rustix::fs::StatVfsMountFlags::NOEXEC));
    #[cfg(not(target_os = "linux"))]
    return path.metadata().map(|_| false);
}

#[cfg(all(test, unix))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn executable_is_a_regular_file_with_the_permission() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tool");
        assert_eq!(access(&file).unwrap_err().kind(), io::ErrorKind::NotFound);
        fs::write(&file, "").unwrap();
        for (mode, expected) in [(0o644, false), (0o755, true), (0o600, false), (0o700, true)] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(is_executable(&file), expected, "{mode:o}");
            assert_eq!(access(&file).is_ok(), expected, "{mode:o}");
        }
        assert!(access(folder.path()).is_ok());
        assert!(!is_executable(folder.path()));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn proc_is_mounted_noexec_and_the_shell_is_not() {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let proc = mounts.lines().rfind(|line| line.split(' ').nth(1) == Some("/proc")).unwrap();
        assert_eq!(on_noexec_mount(Path::new("/proc/self/stat")).unwrap(), proc.contains("noexec"));
        assert!(!on_noexec_mount(Path::new("/bin/sh")).unwrap());
    }
}
