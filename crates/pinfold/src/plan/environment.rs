//! The environment and the user of a run.

use crate::command::Command;
use crate::error::{ErrorKind, Result};
use pinfold_os::order::Identity;
use std::ffi::{CString, OsStr, OsString};
use std::path::{Path, PathBuf};

/// Who the program becomes.
#[derive(Default)]
pub(super) struct User {
    pub(super) identity: Identity,
    pub(super) home: Option<PathBuf>,
}

#[cfg(unix)]
pub(super) fn user(command: &Command) -> Result<User> {
    use pinfold_os::users::{Database, UserSpec, resolve};
    let settings = &command.process;
    let Some(spec) = &settings.user else {
        let identity = Identity { groups: settings.groups.clone(), gid: settings.gid, uid: settings.uid };
        return Ok(User { identity, home: None });
    };
    let found = UserSpec::parse(spec).and_then(|spec| resolve(&spec, &Database::read()?));
    let found = found.map_err(|error| command.error(ErrorKind::InvalidInput, format!("user: {error}")))?;
    let identity = Identity { groups: Some(found.groups), gid: Some(found.gid), uid: Some(found.uid) };
    Ok(User { identity, home: Some(found.home.unwrap_or_else(|| PathBuf::from("/"))) })
}

#[cfg(not(unix))]
pub(super) fn user(command: &Command) -> Result<User> {
    let settings = &command.process;
    if settings.user.is_some()
        || settings.uid.is_some()
        || settings.gid.is_some()
        || settings.groups.is_some()
    {
        return Err(
            command.error(ErrorKind::Unsupported, "another user by id is not supported on this platform")
        );
    }
    Ok(User::default())
}

/// The environment of a run.
pub(super) struct Environment {
    /// Each variable as `NAME=value`; `None` is ours, unchanged.
    pub(super) variables: Option<Vec<CString>>,
    /// The value of `PATH`.
    pub(super) path: Option<OsString>,
}

/// Ours as the command changes it. `HOME` is that of a user who is switched to, unless the command has its own word.
pub(super) fn build(command: &Command, home: Option<&Path>) -> Result<Environment> {
    let env = &command.env;
    if !env.clear && env.changes.is_empty() && home.is_none() {
        return Ok(Environment { variables: None, path: std::env::var_os("PATH") });
    }
    let mut variables: Variables = if env.clear {
        let ours = env.inherit.iter().filter_map(|name| Some((name.clone(), std::env::var_os(name)?)));
        ours.collect()
    } else {
        std::env::vars_os().collect()
    };
    let mut set = |name: &OsStr, value: Option<&OsStr>| {
        let at = variables.iter().position(|(known, _)| known == name);
        match (at, value) {
            (Some(at), Some(value)) => variables[at].1 = value.to_owned(),
            (None, Some(value)) => variables.push((name.to_owned(), value.to_owned())),
            (Some(at), None) => drop(variables.remove(at)),
            (None, None) => {}
        }
    };
    if let Some(home) = home {
        set(OsStr::new("HOME"), Some(home.as_os_str()));
    }
    for (name, value) in &env.changes {
        set(name, value.as_deref());
    }
    let path = variables.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.clone());
    let nul =
        |name: OsString| super::nul(command, format_args!("the environment variable {}", name.display()));
    let variables = variables.into_iter().map(|(name, value)| join(&name, &value).ok_or_else(|| nul(name)));
    Ok(Environment { variables: Some(variables.collect::<Result<_>>()?), path })
}

/// Ours, as it is.
pub(super) fn ours() -> Vec<CString> {
    std::env::vars_os().filter_map(|(name, value)| join(&name, &value)).collect()
}

/// `NAME=value`, unless a NUL is in it.
fn join(name: &OsStr, value: &OsStr) -> Option<CString> {
    let mut line = Vec::with_capacity(name.len() + value.len() + 2);
    line.extend_from_slice(name.as_encoded_bytes());
    line.push(b'=');
    line.extend_from_slice(value.as_encoded_bytes());
    CString::new(line).ok()
}

type Variables = Vec<(OsString, OsString)>;
