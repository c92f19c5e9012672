//! Why a container cannot be had: for now, or on this host at all.

use crate::command::Command;
use crate::error::{Error, ErrorKind};
use std::io;

/// Why a container cannot be had.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) what: String,
    pub(crate) instead: String,
    /// It is limits that cannot be had.
    pub(crate) limits: bool,
    /// Something had run out: it may be had later.
    pub(crate) passing: Option<io::Error>,
}

/// Why one kind of container cannot be had.
#[derive(Debug)]
pub(crate) enum Lack {
    /// For this reason, as long as this process lives.
    Lasting(String),
    /// Something had run out just now. That is no reason to be content with less: the run fails as any other does then.
    Passing(io::Error),
}

impl Lack {
    pub(crate) fn lasting(why: impl Into<String>) -> Lack {
        Lack::Lasting(why.into())
    }

    /// What an error in doing something means.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only what Linux has can run out"))]
    pub(crate) fn of(what: &str, error: io::Error) -> Lack {
        if pinfold_os::wait::is_exhaustion(&error) {
            Lack::Passing(error)
        } else {
            Lack::Lasting(format!("{what}: {error}"))
        }
    }
}

/// There is no such process.
const ESRCH: i32 = 3;

impl Refusal {
    /// A step that failed.
    pub(crate) fn at(step: &str, error: io::Error) -> Refusal {
        Refusal {
            what: format!("failed to {step}: {error}"),
            instead: match error.raw_os_error() {
                _ if pinfold_os::wait::is_exhaustion(&error) => {
                    "see ulimit -n for descriptors, ulimit -u for processes"
                }
                Some(ESRCH) => "it has ended, or there never was one",
                _ => "it is this process that has to be allowed to",
            }
            .to_owned(),
            passing: Some(error),
            limits: false,
        }
    }

    /// As an error of a command.
    pub(crate) fn into_error(self, command: &Command) -> Error {
        let (what, instead, limits) = (self.what, self.instead, self.limits);
        let error = |kind| {
            let error = command.error(kind, what).hint(instead);
            if limits { error.about_limits() } else { error }
        };
        let Some(source) = self.passing else { return error(ErrorKind::Unsupported) };
        let kind = match source.kind() {
            io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
            io::ErrorKind::NotFound => ErrorKind::NotFound,
            _ if source.raw_os_error() == Some(ESRCH) => ErrorKind::NotFound,
            _ => ErrorKind::ResourceLimit,
        };
        error(kind).because(source)
    }

    /// Limits without a cgroup.
    pub(crate) fn no_cgroup(why: &str) -> Refusal {
        Refusal {
            what: format!("its limits cannot be enforced: no cgroup v2 can be had: {why}"),
            instead: "run as root, or in a cgroup that is delegated to your user, or ask for limits of each process: Enforcement::PerProcess".to_owned(),
            passing: None,
            limits: true,
        }
    }
}
