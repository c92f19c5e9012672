//! Files of a group's cgroup that tell when something has changed, opened for one waiter.
//!
//! The kernel remembers for each open file what was read through it: two waiters must not share one, or the first to look
//! would take the news from the second.

use super::{Nest, knobs};
use pinfold_os::descriptor::borrow;
use pinfold_os::poll::{Direction, Waitable};
use std::fs::File;
use std::io;
use std::time::{Duration, Instant};

/// How often what gives no events is asked: at first, and later.
const ASK_AGAIN: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(50)];

/// What one waiter waits for.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// `cgroup.events`; `None` where there is no cgroup.
    pub(super) populated: Option<File>,
    /// `memory.events` and the like.
    pub(super) limits: Vec<File>,
}

impl Watch {
    /// Whether nobody is left; news from here on wakes the waiter again.
    pub(crate) fn is_empty(&self, nest: &Nest) -> io::Result<bool> {
        nest.check()?;
        match &self.populated {
            None => Ok(nest.is_empty()),
            Some(file) => match read(file) {
                Ok(text) => Ok(knobs::keyed(&text, "populated") == Some(0)),
                #[cfg(target_os = "linux")]
                Err(error) if super::cgroup::is_removed(&error) => Ok(true),
                Err(error) => Err(error),
            },
        }
    }

    /// Has news of limits wake the waiter again from here on.
    pub(crate) fn look_at_limits(&self) {
        for file in &self.limits {
            // What it says is read anew by whoever counts.
            let _ = read(file);
        }
    }

    pub(crate) fn waitables(&self) -> Vec<Waitable<'_>> {
        let files = self.populated.iter().chain(&self.limits);
        files.map(|file| Waitable { descriptor: borrow(file), direction: Direction::Change }).collect()
    }

    /// Whether nothing tells.
    pub(crate) fn has_to_be_asked(&self) -> bool {
        self.populated.is_none()
    }

    /// When to ask where nothing tells: the longer nothing has happened the less often, since that can cost a look at every
    /// process of the host.
    pub(crate) fn ask_again(&self, now: Instant, since: Instant) -> Option<Instant> {
        let pause = (now.saturating_duration_since(since) / 16).clamp(ASK_AGAIN[0], ASK_AGAIN[1]);
        self.has_to_be_asked().then(|| now + pause)
    }
}

#[cfg(unix)]
fn read(file: &File) -> io::Result<String> {
    use std::os::unix::fs::FileExt;
    let mut buffer = [0; 512];
    let length = file.read_at(&mut buffer, 0)?;
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

#[cfg(not(unix))]
fn read(_: &File) -> io::Result<String> {
    Err(io::ErrorKind::Unsupported.into())
}
