//! Making a process from an order.

use crate::handle::Process;
use crate::order::{Order, SpawnError};
use std::convert::Infallible;

/// How a process is made. The fastest that the host allows is found once and remembered ([`chosen`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// `clone3(2)` with shared memory until exec, a pidfd, and birth inside the cgroup.
    Clone3,
    /// `clone(2)` with shared memory until exec; the child moves itself into its cgroup first.
    Clone,
    /// A copy of the calling process, which costs more the bigger that process is. For debuggers and sanitizers, and
    /// where memory cannot be shared.
    Fork,
}

impl Route {
    /// Every route, fastest first.
    pub const ALL: [Route; 3] = [Route::Clone3, Route::Clone, Route::Fork];

    /// The name that `PINFOLD_SPAWN` takes.
    pub fn name(self) -> &'static str {
        match self {
            Route::Clone3 => "clone3",
            Route::Clone => "clone",
            Route::Fork => "fork",
        }
    }
}

/// Carries out an order. The process that comes back has followed all of it and is executing its program.
///
/// The calling thread is blocked until the child has executed: some 40 microseconds on Linux.
///
/// # Errors
/// Names the step that failed; nothing is left running.
pub fn spawn(order: &Order<'_>) -> Result<Process, SpawnError> {
    imp::spawn(order, None)
}

/// [`spawn`] by one given route, for tests that compare them and for a host that is being examined.
///
/// # Errors
/// As [`spawn`], and where the host does not have that route.
pub fn spawn_by(route: Route, order: &Order<'_>) -> Result<Process, SpawnError> {
    imp::spawn(order, Some(route))
}

/// Carries out an order in this very process, which becomes the program.
///
/// Most of what could fail is tried in a throw-away child first, so that a failure leaves this process as it was.
///
/// # Errors
/// Names the step that failed. If it failed after the trial had passed, earlier steps of the order hold in this
/// process.
pub fn exec(order: &Order<'_>) -> Result<Infallible, SpawnError> {
    imp::exec(order)
}

/// The route that [`spawn`] takes on this host, found now if it was not yet.
///
/// `PINFOLD_SPAWN=clone3|clone|fork` forces one, `PINFOLD_DENY=clone3` hides the first.
pub fn chosen() -> Route {
    imp::chosen()
}

#[cfg(target_os = "linux")]
use crate::linux::spawn as imp;

#[cfg(not(target_os = "linux"))]
mod imp {
    use super::{Infallible, Order, Process, Route, SpawnError};
    use crate::order::Step;
    use std::io;

    fn unsupported() -> SpawnError {
        SpawnError { step: Step::Clone, source: io::Error::from(io::ErrorKind::Unsupported) }
    }

    pub(super) fn spawn(_: &Order<'_>, _: Option<Route>) -> Result<Process, SpawnError> {
        Err(unsupported())
    }

    pub(super) fn exec(_: &Order<'_>) -> Result<Infallible, SpawnError> {
        Err(unsupported())
    }

    pub(super) fn chosen() -> Route {
        Route::Fork
    }
}
