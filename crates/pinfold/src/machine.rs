//! What goes on by itself as long as somebody waits for it: runs, and everything that is made of runs.

mod crowd;

pub use crowd::{Answered, Crowd, Key};

use crate::outcome::Outcome;
use crate::running::{Progress, Running};
use pinfold_os::poll::Waitable;
use std::io;
use std::time::Instant;

/// What a driver is to wait for: any of these descriptors, or the deadline.
#[derive(Debug)]
pub struct Interest<'a> {
    /// Descriptors and directions.
    pub waitables: Vec<Waitable<'a>>,
    /// When to advance even if none is ready.
    pub deadline: Option<Instant>,
}

/// A state machine over descriptors: it never blocks, never sleeps and never looks at a clock of its own.
///
/// A driver waits for what [`Machine::interest`] names and then calls [`Machine::advance`], until there is an answer; it
/// decides nothing. After the answer a machine is not advanced again. Dropping one before ends what it has started.
///
/// ```
/// use pinfold::{Command, Completion, Host, Judge, Machine};
/// use std::time::Instant;
///
/// let mut echo = Completion::new(Host::new(), Command::new("echo").arg("hello"), Judge::Succeed);
/// let output = loop {
///     if let Some(answer) = echo.advance(Instant::now())? {
///         break answer?;
///     }
///     let interest = echo.interest(Instant::now());
///     // Whatever an event loop does: here it is poll(2).
///     pinfold::poll::wait(&interest.waitables, interest.deadline)?;
/// };
/// assert_eq!(output.stdout, b"hello\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Machine {
    /// What it comes to.
    type Answer;

    /// Does all that can be done without waiting: the answer, once there is one.
    ///
    /// # Errors
    /// It cannot go on: the kernel does not say what it has to be told.
    fn advance(&mut self, now: Instant) -> io::Result<Option<Self::Answer>>;

    /// What to wait for before it is advanced again.
    fn interest(&self, now: Instant) -> Interest<'_>;
}

impl Machine for Running {
    type Answer = Outcome;

    fn advance(&mut self, now: Instant) -> io::Result<Option<Outcome>> {
        Ok(match self.step(now)? {
            Progress::Done => self.outcome().cloned(),
            Progress::Pending => None,
        })
    }

    fn interest(&self, _: Instant) -> Interest<'_> {
        Running::interest(self)
    }
}
