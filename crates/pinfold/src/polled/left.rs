//! A run whose handle was given up, and that is not to be ended by that.

use super::{PolledHandle, Shared};
use crate::capture::{Cursor, Keep};
use crate::drive::background::{self, Next, Tended};
use crate::error::{ErrorKind, Result};
use crate::running::{Progress, Running};
use pinfold_os::poll::Set;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Such a run, in the care of the background.
struct Left {
    run: Arc<Shared>,
    /// How far its output was read for nobody.
    read: Mutex<[Option<Cursor>; 2]>,
}

impl PolledHandle {
    /// Gives up this handle and leaves the run as it is: from here on one thread, which looks after all that was left so,
    /// reads its output away, holds it to its timeouts and notices its end. For a run that something else ends, such as its
    /// group. What others read of it, by what they have opened already, they get all the same.
    ///
    /// # Errors
    /// [`ErrorKind::ResourceLimit`] if the thread cannot be made; the run is killed then, unless others have a handle of it.
    pub fn leave(self) -> Result<()> {
        if !self.0.maker.is_here() {
            return Ok(());
        }
        let read = self.0.visit(|running| {
            [0, 1].map(|index| {
                let capture = running.channels[index].capture.as_mut()?;
                capture.set_keep(Keep(0));
                Some(capture.open_cursor())
            })
        });
        self.0.tended.store(true, Ordering::SeqCst);
        background::tend(Arc::new(Left { run: self.0.clone(), read: Mutex::new(read) })).map_err(|error| {
            let what = format!("cannot be left to the background: {error}");
            self.0.command.error(ErrorKind::ResourceLimit, what).because(error)
        })
    }
}

impl Left {
    fn read_away(&self, running: &mut Running) {
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        for (channel, cursor) in running.channels.iter_mut().zip(read.iter()) {
            if let (Some(capture), Some(cursor)) = (&mut channel.capture, cursor) {
                let all = capture.bytes_seen();
                capture.advance_cursor(cursor, all);
            }
        }
    }
}

impl Tended for Left {
    fn tend(&self, set: &Set) -> io::Result<Next> {
        let mut running = self.run.lock();
        let before = running.revision();
        let progress = running.advance(Instant::now());
        self.read_away(&mut running);
        if running.revision() != before {
            self.run.tell_watches(None);
        }
        if progress == Progress::Done {
            set.update(&[])?;
            self.run.tended.store(false, Ordering::SeqCst);
            return Ok(Next::Done);
        }
        let interest = running.interest();
        set.update(&interest.waitables)?;
        Ok(Next::At(interest.deadline))
    }
}
