//! Waiting for what is supervised in the background, for an event loop that pinfold knows nothing of.

use super::handle::SupervisorHandle;
use crate::error::{ErrorKind, Result};
use pinfold_os::poll::{Event, Set, Waitable};
use std::io;
use std::sync::Arc;

/// One descriptor that is readable when something has moved since it was last cleared.
///
/// ```
/// use pinfold::{Command, Supervisor};
///
/// let server = Supervisor::new(Command::new("true")).start()?;
/// let watch = server.watch()?;
/// let outcome = loop {
///     watch.clear();
///     if let Some(outcome) = server.try_wait() {
///         break outcome?;
///     }
///     // Whatever an event loop does: here it is poll(2).
///     pinfold::poll::wait(&[watch.waitable()], None)?;
/// };
/// assert_eq!(outcome.restarts, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SupervisionWatch {
    set: Set,
    told: Arc<Event>,
}

impl SupervisorHandle {
    /// A watch, for one who asks by [`SupervisorHandle::try_wait`] and the like. It does not keep supervision going.
    ///
    /// # Errors
    /// [`ErrorKind::ResourceLimit`] if there are no descriptors left for it.
    pub fn watch(&self) -> Result<SupervisionWatch> {
        self.check()?;
        let make = || -> io::Result<SupervisionWatch> {
            let (set, told) = (Set::new()?, Arc::new(Event::new()?));
            set.update(&[told.waitable()])?;
            Ok(SupervisionWatch { set, told })
        };
        let watch = make().map_err(|error| {
            let what = format!("cannot be waited for: {error}");
            self.command().error(ErrorKind::ResourceLimit, what).because(error)
        })?;
        self.raise_on_moves(&watch.told);
        Ok(watch)
    }
}

impl SupervisionWatch {
    /// From now on it is readable only for what moves after this: clear it, then ask.
    pub fn clear(&self) {
        self.told.clear();
    }

    /// Readable when it is time to ask again.
    pub fn waitable(&self) -> Waitable<'_> {
        self.set.waitable()
    }

    /// The set that this is, for whoever needs its descriptor.
    pub fn set(&self) -> &Set {
        &self.set
    }
}
