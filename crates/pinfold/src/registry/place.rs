//! Where the registry is.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Names another directory; empty or `none`, there is no registry.
const VARIABLE: &str = "PINFOLD_REGISTRY";
/// For root, whose environment may still be that of the user before `sudo`.
const OF_ROOT: &str = "/run/pinfold";

/// The directory of this user's registry, or why there is none.
pub(crate) fn directory() -> Result<PathBuf, String> {
    find(|name| std::env::var_os(name), pinfold_os::users::effective() == 0)
}

fn find(variable: impl Fn(&str) -> Option<OsString>, is_root: bool) -> Result<PathBuf, String> {
    // The specification has relative paths ignored.
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    match variable(VARIABLE) {
        Some(value) if value.is_empty() || value == "none" => {
            return Err(format!("turned off by {VARIABLE}"));
        }
        Some(value) if Path::new(&value).is_absolute() => return Ok(value.into()),
        Some(_) => return Err(format!("{VARIABLE} is no absolute path")),
        None => {}
    }
    if is_root {
        return Ok(OF_ROOT.into());
    }
    let state = || absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
    let base = absolute("XDG_RUNTIME_DIR").or_else(state);
    base.map(|base| base.join("pinfold")).ok_or_else(|| {
        format!("none of {VARIABLE}, XDG_RUNTIME_DIR, XDG_STATE_HOME and HOME names a directory")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(variables: &[(&str, &str)], is_root: bool) -> Option<String> {
        let get = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        find(get, is_root).ok().map(|path| path.display().to_string())
    }

    #[test]
    fn the_first_variable_that_names_a_directory_holds() {
        let (runtime, state, home) =
            (("XDG_RUNTIME_DIR", "/run/user/7"), ("XDG_STATE_HOME", "/s"), ("HOME", "/h"));
        for (variables, is_root, expected) in [
            (&[runtime, state, home][..], false, Some("/run/user/7/pinfold")),
            (&[state, home], false, Some("/s/pinfold")),
            (&[home], false, Some("/h/.local/state/pinfold")),
            (&[("XDG_RUNTIME_DIR", "relative"), home], false, Some("/h/.local/state/pinfold")),
            (&[("XDG_RUNTIME_DIR", ""), state], false, Some("/s/pinfold")),
            (&[], false, None),
            (&[runtime, home], true, Some("/run/pinfold")),
            (&[], true, Some("/run/pinfold")),
            (&[(VARIABLE, "/r"), runtime], false, Some("/r")),
            (&[(VARIABLE, "/r")], true, Some("/r")),
            (&[(VARIABLE, ""), runtime], false, None),
            (&[(VARIABLE, "none"), runtime], true, None),
            (&[(VARIABLE, "relative"), runtime], false, None),
        ] {
            assert_eq!(place(variables, is_root).as_deref(), expected, "{variables:?} {is_root}");
        }
    }
}
