//! What happens to a group, told to whoever asks: by descriptors to wait for, without a thread.

use super::{ProcessGroup, drive, unwaitable};
use crate::containment::{Counters, Nest, Watch};
use crate::error::Result;
use crate::machine::{Interest, Machine};
use pinfold_os::poll::Event;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Something that happened to a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum GroupEvent {
    /// There were processes in it, and none was left.
    Emptied,
    /// The kernel killed processes of it because memory had run out.
    OutOfMemory {
        /// How many.
        kills: u64,
    },
    /// Its memory was about to go over its limit.
    MemoryMax {
        /// How often.
        times: u64,
    },
    /// Processes or threads were refused, since there were as many as its limit allows. Linux 6.11 and later.
    ProcessesRefused {
        /// How many.
        count: u64,
    },
    /// It has ended, and nothing can be started in it any more: the last event, told to whoever asks again too.
    Ended,
}

/// A place in what happens to a group, from [`ProcessGroup::events`]. It does not keep the group alive.
///
/// ```
/// use pinfold::{Command, GroupEvent, ProcessGroup, Runner};
///
/// let group = ProcessGroup::new()?;
/// let mut events = group.events()?;
/// let handle = group.start(&Command::new("true"))?;
/// assert_eq!(events.next(None)?, [GroupEvent::Emptied]);
/// # drop(handle);
/// # pinfold::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct GroupEvents {
    pub(super) nest: Arc<Nest>,
    watch: Watch,
    /// Raised when the group has ended.
    ended: Arc<Event>,
    births: u64,
    populated: bool,
    /// When that or the births changed last.
    since: Instant,
    counters: Counters,
}

impl ProcessGroup {
    /// What happens to it from now on. Limits that it is given later bring no events to a place that was there before.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if no descriptor is left for it.
    pub fn events(&self) -> Result<GroupEvents> {
        let nest = self.0.nest.clone();
        let watch = nest.watch(true).map_err(unwaitable)?;
        let ended = nest.farewell().map_err(unwaitable)?;
        let (births, counters) = (nest.births(), nest.counters());
        let populated = !watch.is_empty(&nest).map_err(unwaitable)?;
        Ok(GroupEvents { nest, watch, ended, births, populated, since: Instant::now(), counters })
    }
}

impl GroupEvents {
    /// What to wait for before there can be anything to take, for an event loop of your own.
    pub fn interest(&self) -> Interest<'_> {
        Machine::interest(self, Instant::now())
    }

    /// What has happened since the last time, without waiting; often nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the kernel does not say.
    pub fn take_events(&mut self) -> Result<Vec<GroupEvent>> {
        self.look(Instant::now()).map_err(unwaitable)
    }

    /// Waits until something happens, for this long at most: nothing if it is over before.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if it cannot be waited for.
    pub fn next(&mut self, timeout: Option<Duration>) -> Result<Vec<GroupEvent>> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        Ok(drive(self, deadline)?.unwrap_or_default())
    }

    fn look(&mut self, now: Instant) -> io::Result<Vec<GroupEvent>> {
        let mut events = Vec::new();
        // In this order: what is told below has happened before the end.
        let ended = self.nest.is_over();
        self.watch.look_at_limits();
        let counters = self.nest.counters();
        let hit = counters.since(self.counters).hit;
        let some = |count: Option<u64>| count.filter(|count| *count > 0);
        events.extend(some(hit.memory_max).map(|times| GroupEvent::MemoryMax { times }));
        events.extend(some(hit.oom_kills).map(|kills| GroupEvent::OutOfMemory { kills }));
        events.extend(some(hit.processes).map(|count| GroupEvent::ProcessesRefused { count }));
        self.counters = counters;
        // In this order: who is born between the two is told of the next time.
        let births = self.nest.births();
        let populated = !self.watch.is_empty(&self.nest)?;
        if !populated && (self.populated || births != self.births) {
            events.push(GroupEvent::Emptied);
        }
        if (births, populated) != (self.births, self.populated) {
            (self.births, self.populated, self.since) = (births, populated, now);
        }
        if ended {
            events.push(GroupEvent::Ended);
        }
        Ok(events)
    }
}

impl Machine for GroupEvents {
    type Answer = Vec<GroupEvent>;

    fn advance(&mut self, now: Instant) -> io::Result<Option<Vec<GroupEvent>>> {
        let events = self.look(now)?;
        Ok(if events.is_empty() { None } else { Some(events) })
    }

    fn interest(&self, now: Instant) -> Interest<'_> {
        let mut waitables = self.watch.waitables();
        waitables.push(self.ended.waitable());
        Interest { waitables, deadline: self.watch.ask_again(now, self.since) }
    }
}
