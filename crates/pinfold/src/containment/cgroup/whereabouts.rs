//! Where the directory of this process lies, and what it is called.

use super::super::control;
use super::super::refusal::Lack;
use super::PREFIX;
use pinfold_os::linux::cgroup::{self, Cgroup};
use pinfold_os::linux::namespace;
use pinfold_proc::{Proc, ReadError, Target};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Makes the directory of this process: in the cgroup that it is in, or where that cannot be written, in one that systemd
/// makes for it.
pub(super) fn settle() -> Result<Cgroup, Lack> {
    use pinfold_os::deny::{Feature, denied};
    if denied(Feature::Cgroup) {
        return Err(Lack::lasting("hidden by PINFOLD_DENY"));
    }
    let mut proc = Proc::host().map_err(unreadable)?;
    let (what, error) = match make_in(&base(&mut proc)?, &mut proc)? {
        Ok(cgroup) => return Ok(cgroup),
        Err(failed) => failed,
    };
    // Another cgroup of a hierarchy that is mounted read-only would be no better.
    let elsewhere = error.kind() != io::ErrorKind::ReadOnlyFilesystem;
    let why = match Lack::of(&what, error) {
        Lack::Lasting(why) if elsewhere => why,
        lack => return Err(lack),
    };
    match scope() {
        None => Err(Lack::Lasting(why)),
        Some(Err(no)) => Err(Lack::Lasting(format!("{why}; systemd gave no scope: {no}"))),
        Some(Ok(())) => settle_in_scope(),
    }
}

/// The directory of this process once it is in a scope.
pub(super) fn settle_in_scope() -> Result<Cgroup, Lack> {
    let mut proc = Proc::host().map_err(unreadable)?;
    let made = make_in(&base(&mut proc)?, &mut proc)?;
    made.map_err(|(what, error)| Lack::of(&format!("in a scope of systemd's: {what}"), error))
}

/// Has systemd move this process into a scope: whether it did. `None` where it is not asked.
pub(super) fn scope() -> Option<Result<(), String>> {
    #[cfg(feature = "systemd")]
    {
        let (pid, start) =
            Proc::host().ok()?.stat(Target::Own).map(|stat| (stat.pid, stat.starttime)).ok()?;
        super::super::systemd::scope(&format!("{PREFIX}-{pid}-{start}.scope"))
    }
    #[cfg(not(feature = "systemd"))]
    None
}

/// Makes a directory of ours in a cgroup; the inner error says that this one cannot be used.
fn make_in(base: &Path, proc: &mut Proc) -> Result<Result<Cgroup, (String, io::Error)>, Lack> {
    let directory = base.join(own_name(proc)?);
    match std::fs::create_dir(&directory) {
        Ok(()) => {}
        // Ours by its name, so it was left by a process image of this very process before it executed us.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Ok(Err((format!("{} cannot be written to", base.display()), error))),
    }
    // Only inside a threaded subtree, or where moving between cgroups is not ours to do, does this fail.
    Ok(match Cgroup::open(&directory).and_then(|cgroup| cgroup.is_populated().map(|_| cgroup)) {
        Ok(cgroup) => Ok(cgroup),
        Err(error) => {
            let _ = cgroup::remove(&directory);
            Err((format!("{} is no usable cgroup", directory.display()), error))
        }
    })
}

/// Where our directory goes: into our own cgroup.
pub(super) fn base(proc: &mut Proc) -> Result<PathBuf, Lack> {
    let mut own = own_cgroup(proc)?;
    // A leaf into which we, or who made us, stepped aside.
    let stepped_aside = |path: &Path| {
        path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.starts_with(control::SELF))
    };
    while stepped_aside(&own) && own.pop() {}
    Ok(own)
}

/// The cgroup v2 directory that this process is in.
fn own_cgroup(proc: &mut Proc) -> Result<PathBuf, Lack> {
    use std::os::unix::ffi::OsStringExt;
    let malformed =
        |error: pinfold_proc::parse::ParseError| Lack::lasting(format!("/proc cannot be read: {error}"));
    let own = {
        let cgroups = proc.cgroup(Target::Own).map_err(unreadable)?;
        let own = cgroups.v2().map_err(malformed)?;
        own.ok_or_else(|| Lack::lasting("the kernel has no cgroup v2"))?.path.to_vec()
    };
    if let Some(place) = usual_place(&own) {
        return Ok(place);
    }
    let mounts = proc.mountinfo(Target::Own).map_err(unreadable)?;
    let mount = mounts.cgroup2().map_err(malformed)?;
    let mount = mount.ok_or_else(|| Lack::lasting("no cgroup v2 hierarchy is mounted"))?;
    let place = mount.locate(&own).ok_or_else(|| {
        let (own, point) = (String::from_utf8_lossy(&own), String::from_utf8_lossy(&mount.mount_point));
        Lack::lasting(format!("our cgroup {own} is not below what is mounted at {point}"))
    })?;
    Ok(std::ffi::OsString::from_vec(place).into())
}

/// Our cgroup where hosts usually have the hierarchy, if that is certain: reading the table of mounts, which the kernel
/// writes anew for each reader, costs as much as all the rest.
fn usual_place(own: &[u8]) -> Option<PathBuf> {
    /// The namespace that a host begins with (`PROC_CGROUP_INIT_INO`): paths told in it begin at the hierarchy's root.
    const FIRST: u64 = 4_026_531_835;
    if namespace::own(namespace::Kind::Cgroup)? != FIRST {
        return None;
    }
    let place = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].into_iter().map(Path::new);
    let root = place.into_iter().find(|place| cgroup::is_hierarchy(place))?;
    let own = own.strip_prefix(b"/")?;
    Some(if own.is_empty() { root.to_owned() } else { root.join(OsStr::from_bytes(own)) })
}

pub(super) fn own_name(proc: &mut Proc) -> Result<String, Lack> {
    let stat = proc.stat(Target::Own).map_err(unreadable)?;
    let namespace = pid_namespace().ok_or_else(|| Lack::lasting("/proc does not say where we are"))?;
    Ok(format!("{PREFIX}.{namespace}.{}.{}", stat.pid, stat.starttime))
}

pub(super) fn unreadable(error: ReadError) -> Lack {
    match error {
        ReadError::Other { path, source } => Lack::of(&format!("{} cannot be read", path.display()), source),
        other => Lack::lasting(format!("/proc cannot be read: {other}")),
    }
}

/// The number of our PID namespace. The pids in other ones mean nothing here.
pub(super) fn pid_namespace() -> Option<u64> {
    namespace::own(namespace::Kind::Pid)
}
