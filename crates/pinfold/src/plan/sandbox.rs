//! What a command is to be shut off from, and whether this host can do it.

use crate::command::Command;
use crate::error::{Error, ErrorKind, Result};
use crate::lookup::{closest, interpreters};
use crate::sandbox::Sandbox;
use pinfold_os::capability;
use pinfold_os::descriptor::{Owned, borrow};
use pinfold_os::order::{Capabilities, Identity, Order, Step};
use pinfold_os::sandbox::{Filter, Inside, Landlock};
use std::ffi::CString;
use std::path::{Path, PathBuf};

/// A sandbox against the facts of this host.
#[derive(Clone, Debug, Default)]
pub(super) struct Resolved {
    user_namespace: bool,
    capabilities: Option<Capabilities>,
    filter: Option<Filter>,
    /// Allowed paths that may be mounted for it alone, and have to be named from inside.
    inside: Vec<Inside>,
    /// Where it is entered, when that must not be left to the directory that we happen to be in.
    pub(super) directory: Option<CString>,
}

/// Decides, or refuses.
pub(super) fn resolve(command: &Command, program: &Path, identity: &Identity) -> Result<Resolved> {
    let sandbox = &command.process.sandbox;
    if sandbox.is_none() {
        return Ok(Resolved::default());
    }
    let directory = if sandbox.private_tmp { outside_of_tmp(command, program)? } else { None };
    let capabilities = sandbox.capabilities.as_deref().map(|names| capabilities(command, names));
    let capabilities = capabilities.transpose()?;
    let filter = host::filter(command, sandbox)?;
    host::landlock(command, sandbox)?;
    let missing = allowed(command).find(|(path, optional)| !optional && path.symlink_metadata().is_err());
    if let Some((path, _)) = missing {
        let what = format!("its sandbox allows {}, which is not there", path.display());
        return Err(no(command, what, "allow what is there, or make it first"));
    }
    let user_namespace = (sandbox.no_network || sandbox.private_tmp) && !makes_namespaces(sandbox);
    if user_namespace && *identity != Identity::default() {
        let what =
            "a sandbox without privileges takes a user namespace, in which it cannot become another user";
        return Err(command
            .error(ErrorKind::PermissionDenied, what)
            .hint("run it as root, or as the user that you are"));
    }
    if capabilities.is_some() && !user_namespace && !has("setpcap") {
        let what = "its capabilities can only be set with CAP_SETPCAP";
        return Err(command
            .error(ErrorKind::PermissionDenied, what)
            .hint("run it as root; other users' programs have no capabilities to lose"));
    }
    let inside = host::inside(sandbox);
    Ok(Resolved { user_namespace, capabilities, filter, inside, directory })
}

fn no(command: &Command, what: impl Into<String>, instead: impl Into<String>) -> Error {
    command.error(ErrorKind::InvalidInput, what).hint(instead)
}

fn has(name: &str) -> bool {
    capability::number(name).is_some_and(|number| capability::effective() & 1 << number != 0)
}

/// Whether this process may make its namespaces as it is.
fn makes_namespaces(sandbox: &Sandbox) -> bool {
    has("sys_admin") && (!sandbox.no_network || has("net_admin"))
}

/// Its directory, which must not be one that a private `/tmp` hides: by staying in it, it would see the other one.
fn outside_of_tmp(command: &Command, program: &Path) -> Result<Option<CString>> {
    let below_tmp = |path: &Path| path.starts_with("/tmp") && path != Path::new("/tmp");
    if below_tmp(program) {
        let what = format!("its private /tmp would hide {}", program.display());
        return Err(no(command, what, "put the program elsewhere"));
    }
    let directory = match &command.cwd {
        Some(cwd) if cwd.is_absolute() => cwd.clone(),
        relative => {
            let ours = std::env::current_dir().map_err(|error| {
                let what = format!("the directory to start in cannot be told: {error}");
                no(command, what, "name one, by cwd()").because(error)
            })?;
            relative.as_ref().map_or(ours.clone(), |cwd| ours.join(cwd))
        }
    };
    if below_tmp(&directory) {
        let what = format!("its private /tmp would hide {}, in which it starts", directory.display());
        return Err(no(command, what, "start it elsewhere, or in /tmp itself"));
    }
    super::c_string(command, directory.as_os_str(), "its directory").map(Some)
}

fn capabilities(command: &Command, names: &[String]) -> Result<Capabilities> {
    let mut set = 0;
    for name in names {
        let Some(number) = capability::number(name) else {
            let close = closest(&name.to_ascii_lowercase(), capability::NAMES.into_iter());
            return Err(unknown(command, "capability", name, close, "capabilities(7)"));
        };
        set |= 1 << number;
    }
    Ok(Capabilities { bounding: set, ambient: set })
}

fn unknown(command: &Command, kind: &str, name: &str, close: Option<&str>, page: &str) -> Error {
    let instead = close.map_or(format!("see {page}"), |close| format!("did you mean '{close}'?"));
    no(command, format!("no {kind} is called '{name}'"), instead)
}

/// Each allowed path, from where it begins, and whether it may be missing.
fn allowed(command: &Command) -> impl Iterator<Item = (PathBuf, bool)> {
    let paths = command.process.sandbox.paths.iter().flatten();
    paths.map(|allowed| (super::directory(command).join(&allowed.path), allowed.may_be_missing))
}

/// What executing this program takes as well and its sandbox keeps from it: an interpreter or a loader, in words, and what to do.
pub(super) fn kept_from(command: &Command, program: &Path) -> Option<(String, &'static str)> {
    let sandbox = &command.process.sandbox;
    let real = |path: &Path| path.canonicalize().ok();
    let real_allowed: Vec<PathBuf> = allowed(command).filter_map(|(path, _)| real(&path)).collect();
    let from = super::directory(command);
    interpreters(program).into_iter().find_map(|(path, loader)| {
        // One that is not there at all is another matter.
        let place = real(&from.join(&path))?;
        let (why, instead) = if sandbox.private_tmp && place.starts_with("/tmp") {
            ("which its private /tmp hides", "put that elsewhere")
        } else if sandbox.paths.is_some() && !real_allowed.iter().any(|allowed| place.starts_with(allowed)) {
            (
                "which is outside of the paths that its sandbox allows",
                "allow that as well, best by its directory, and what it reads in turn, such as its libraries",
            )
        } else {
            return None;
        };
        Some((format!("it needs {path:?} {}, {why}", loader.aside()), instead))
    })
}

impl Resolved {
    /// Puts it into an order, beside the ruleset that was made for this launch.
    pub(super) fn admit<'o>(&'o self, sandbox: &Sandbox, ruleset: Option<&'o Owned>, order: &mut Order<'o>) {
        order.no_new_privs |= !sandbox.is_none();
        order.capabilities = self.capabilities;
        order.sandbox.no_network = sandbox.no_network;
        order.sandbox.private_tmp = sandbox.private_tmp;
        order.sandbox.user_namespace = self.user_namespace;
        order.sandbox.filter = self.filter.as_ref();
        order.sandbox.landlock =
            ruleset.map(|ruleset| Landlock { ruleset: borrow(ruleset), inside: &self.inside });
    }

    /// A ruleset for one launch, where it takes one.
    pub(super) fn ruleset(&self, command: &Command, program: &Path) -> Result<Option<Owned>> {
        host::ruleset(command, program)
    }

    /// What it is made of beside what was asked for, for a description.
    pub(super) fn in_user_namespace(&self) -> bool {
        self.user_namespace
    }
}

/// What a step of the sandbox that failed means: which option, and what to do.
pub(super) fn explain(command: &Command, step: Step, error: &std::io::Error) -> Option<Error> {
    let (what, instead) = match step {
        Step::SandboxUser if error.kind() == std::io::ErrorKind::InvalidInput => (
            "a process with several threads cannot enter the user namespace that its sandbox takes",
            "become it from a process with one thread, or as root",
        ),
        Step::SandboxUser => (
            "a sandbox without privileges takes a user namespace, and none can be had",
            "run it as root, or allow user namespaces: see the sysctls user.max_user_namespaces, \
             kernel.unprivileged_userns_clone and kernel.apparmor_restrict_unprivileged_userns, and the profile of a \
             container",
        ),
        Step::Network => (
            "its network cannot be taken away",
            "run it as root, allow user namespaces, or leave no_network out",
        ),
        Step::PrivateTmp => (
            "no /tmp of its own can be mounted",
            "run it as root, allow user namespaces, or leave private_tmp out",
        ),
        Step::Landlock => ("its paths cannot be restricted", "leave paths and no_outside_signals out"),
        Step::Seccomp => ("its system calls cannot be filtered", "leave the lists of system calls out"),
        _ => return None,
    };
    let kind = if pinfold_os::wait::is_exhaustion(error) {
        ErrorKind::ResourceLimit
    } else {
        ErrorKind::Unsupported
    };
    Some(command.error(kind, format!("{what}: failed to {}: {error}", step.as_str())).hint(instead))
}

#[cfg(target_os = "linux")]
mod host {
    use super::{closest, no, unknown};
    use crate::command::Command;
    use crate::error::{ErrorKind, Result};
    use crate::sandbox::{Access, Sandbox};
    use pinfold_os::descriptor::{Owned, borrow};
    use pinfold_os::linux::landlock::{self, Rule};
    use pinfold_os::linux::seccomp::{self, List, Refusal};
    use pinfold_os::sandbox::{Filter, Inside};
    use std::io;
    use std::path::Path;

    /// Whether Landlock can do what is asked for, all of it.
    pub(super) fn landlock(command: &Command, sandbox: &Sandbox) -> Result<()> {
        let wanted = [
            (sandbox.paths.is_some(), "restricting it to its allowed paths", landlock::FILES, "6.2"),
            (sandbox.no_outside_signals, "keeping its signals inside", landlock::SIGNALS, "6.12"),
        ];
        for (_, what, needed, since) in wanted.into_iter().filter(|(asked, ..)| *asked) {
            let lack = match landlock::version() {
                Ok(version) if version >= needed => continue,
                Ok(version) => format!("this kernel has ABI {version}"),
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                    "this kernel was built without it, or a container bars it".to_owned()
                }
                Err(error) => format!("it cannot be had: {error}"),
            };
            let what = format!("{what} takes Landlock ABI {needed} (Linux {since}), and {lack}");
            let instead =
                "use a newer kernel with landlock among its security modules (lsm=), or leave this out";
            return Err(command.error(ErrorKind::Unsupported, what).hint(instead));
        }
        Ok(())
    }

    /// The ruleset: the allowed paths, and the program's own file, without which there would be nothing to run.
    pub(super) fn ruleset(command: &Command, program: &Path) -> Result<Option<Owned>> {
        let sandbox = &command.process.sandbox;
        if sandbox.paths.is_none() && !sandbox.no_outside_signals {
            return Ok(None);
        }
        let failed = |error: io::Error, what: &str| {
            let kind = super::super::launch::kind_of(&error);
            command.error(kind, format!("failed to restrict it to its paths: {what}: {error}")).because(error)
        };
        let mut places = Vec::new();
        let access = sandbox.paths.iter().flatten().map(|allowed| allowed.access);
        for ((path, may_be_missing), access) in super::allowed(command).zip(access) {
            match landlock::place(&path) {
                Ok(place) => places.push((place, access == Access::ReadWrite)),
                Err(error) if may_be_missing && error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed(error, &path.display().to_string())),
            }
        }
        // A program that is not there is for its execution to tell.
        places.extend(landlock::place(program).ok().map(|place| (place, false)));
        let rules: Vec<Rule<'_>> =
            places.iter().map(|(place, write)| Rule { place: borrow(place), write: *write }).collect();
        let files = sandbox.paths.is_some().then_some(rules.as_slice());
        let ruleset = landlock::ruleset(files, sandbox.no_outside_signals);
        ruleset.map(Some).map_err(|error| failed(error, "make a Landlock ruleset"))
    }

    /// A `/tmp` of its own, and a `/proc` that may be: who is in a PID namespace has one.
    pub(super) fn inside(sandbox: &Sandbox) -> Vec<Inside> {
        let Some(paths) = &sandbox.paths else { return Vec::new() };
        let proc = paths.iter().filter(|allowed| allowed.path == Path::new("/proc") && allowed.path.exists());
        let proc = proc.map(|proc| Inside {
            path: c"/proc".into(),
            rights: landlock::rights(proc.access == Access::ReadWrite),
        });
        let tmp =
            sandbox.private_tmp.then(|| Inside { path: c"/tmp".into(), rights: landlock::rights(true) });
        tmp.into_iter().chain(proc).collect()
    }

    pub(super) fn filter(command: &Command, sandbox: &Sandbox) -> Result<Option<Filter>> {
        let (list, names) = match (&sandbox.allow_syscalls, sandbox.deny_syscalls.as_slice()) {
            (None, []) => return Ok(None),
            (None, names) => (List::Deny, names),
            (Some(names), []) => (List::Allow, names.as_slice()),
            (Some(_), _) => {
                let what = "system calls are both allowed and denied by lists";
                let instead = "what is not allowed is denied: one list is enough";
                return Err(no(command, what, instead));
            }
        };
        if !seccomp::available() {
            let what = "its system calls cannot be filtered: this kernel was built without seccomp filters";
            return Err(command
                .error(ErrorKind::Unsupported, what)
                .hint("leave the list of system calls out"));
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let refused = |(name, refusal): (&str, Refusal)| match refusal {
            Refusal::Unknown => {
                let close = closest(name, seccomp::names());
                unknown(command, "system call", name, close, "syscalls(2)")
            }
            Refusal::Needed => {
                let what = format!("without {name} no program is started and ended");
                no(command, what, format!("{} cannot be denied", seccomp::NEEDED.join(", ")))
            }
            Refusal::Part => no(command, format!("{name} can only be denied"), "allow the call itself"),
        };
        seccomp::filter(list, &names).map(Some).map_err(refused)
    }
}

#[cfg(not(target_os = "linux"))]
mod host {
    use crate::command::Command;
    use crate::error::{ErrorKind, Result};
    use crate::sandbox::Sandbox;
    use pinfold_os::descriptor::Owned;
    use pinfold_os::sandbox::{Filter, Inside};
    use std::path::Path;

    pub(super) fn landlock(command: &Command, _: &Sandbox) -> Result<()> {
        Err(command
            .error(ErrorKind::Unsupported, "a sandbox is only supported on Linux")
            .hint("leave the sandbox out"))
    }

    pub(super) fn ruleset(_: &Command, _: &Path) -> Result<Option<Owned>> {
        Ok(None)
    }

    pub(super) fn inside(_: &Sandbox) -> Vec<Inside> {
        Vec::new()
    }

    pub(super) fn filter(_: &Command, _: &Sandbox) -> Result<Option<Filter>> {
        Ok(None)
    }
}
