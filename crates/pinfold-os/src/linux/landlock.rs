//! Landlock rulesets (`landlock(7)`): made here, taken on by a child with one system call.
//!
//! It does not guess what a caller could do without: what the kernel does not have is an error.

use super::sys::call;
use crate::deny::{Feature, denied};
use crate::descriptor::Borrowed;
use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, Ruleset, RulesetAttr,
    RulesetCreatedAttr, Scope,
};
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

/// The first version in which a file that may not be written cannot be truncated either: Linux 6.2.
pub const FILES: u32 = 3;
/// The first version that can keep signals inside: Linux 6.12.
pub const SIGNALS: u32 = 6;

/// The version of Landlock that this kernel has.
///
/// # Errors
/// `ENOSYS` where it was built without, `EOPNOTSUPP` where it was not switched on at boot.
pub fn version() -> io::Result<u32> {
    const LANDLOCK_CREATE_RULESET_VERSION: u32 = 1;
    if denied(Feature::Landlock) {
        return Err(io::Error::from_raw_os_error(libc::ENOSYS));
    }
    // SAFETY: asks for the version; neither a pointer nor a size is given.
    let version = unsafe { call!(libc::SYS_landlock_create_ruleset, 0, 0, LANDLOCK_CREATE_RULESET_VERSION) };
    version.map(|version| version as u32).map_err(io::Error::from_raw_os_error)
}

/// Names a file or a directory for a rule, without opening it for anything.
///
/// # Errors
/// What `open(2)` says.
pub fn place(path: &Path) -> io::Result<OwnedFd> {
    use rustix::fs::{Mode, OFlags};
    Ok(rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?)
}

/// A file, or all that is below a directory, and what may be done there.
#[derive(Clone, Copy, Debug)]
pub struct Rule<'a> {
    /// See [`place`].
    pub place: Borrowed<'a>,
    /// Whether it may be changed, beside being read and executed.
    pub write: bool,
}

/// A ruleset: of files just these where some are given, and signals to nobody outside where that is asked for.
///
/// # Errors
/// What the kernel says, and `EOPNOTSUPP` where its version is too old for what is asked.
pub fn ruleset(files: Option<&[Rule<'_>]>, keep_signals_inside: bool) -> io::Result<OwnedFd> {
    let mut ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    if files.is_some() {
        ruleset = ruleset.handle_access(all()).map_err(io::Error::other)?;
    }
    if keep_signals_inside {
        ruleset = ruleset.scope(Scope::Signal).map_err(io::Error::other)?;
    }
    let mut ruleset = ruleset.create().map_err(io::Error::other)?;
    for rule in files.unwrap_or_default() {
        let rights = rights_of(rule.write);
        let is_directory = rustix::fs::fstat(rule.place)
            .map(|status| rustix::fs::FileType::from_raw_mode(status.st_mode).is_dir())?;
        // Rights in a directory mean nothing at a file, and the kernel refuses them there.
        let rights = if is_directory { rights } else { rights & AccessFs::from_file(ABI::V3) };
        ruleset = ruleset.add_rule(PathBeneath::new(rule.place, rights)).map_err(io::Error::other)?;
    }
    Option::<OwnedFd>::from(ruleset).ok_or_else(|| io::Error::from_raw_os_error(libc::EOPNOTSUPP))
}

/// The rights that a [`Rule`] gives in a directory, as the kernel's mask.
pub fn rights(write: bool) -> u64 {
    rights_of(write).bits()
}

fn rights_of(write: bool) -> BitFlags<AccessFs> {
    if write { all() } else { AccessFs::from_read(ABI::V3) }
}

fn all() -> BitFlags<AccessFs> {
    AccessFs::from_all(ABI::V3)
}
