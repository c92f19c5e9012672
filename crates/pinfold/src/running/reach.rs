//! Whom the end of a run reaches: who is ended with its program, and what it does about processes that it may not end.

use super::Running;
use crate::containment;
use crate::outcome::{Cause, EndedWith};
use crate::stop::Ladder;
use pinfold_os::signal::Signal;
use std::io;
use std::time::{Duration, Instant};

/// How often those that are left after a kill are asked whether they can be ended.
const DOUBT_AGAIN: Duration = Duration::from_millis(100);
/// How often a container that gives no events is asked whether it is empty: at first, and later.
const ASK_AGAIN: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(50)];

impl Running {
    /// Notes who else is there, where pinfold itself ends the program. Whoever tells a run to stop has not asked.
    pub(super) fn look_who_is_ended_with_it(&mut self) {
        let is_ours =
            matches!(self.cause, Cause::Timeout | Cause::IdleTimeout | Cause::OutputLimit | Cause::Cancelled);
        if is_ours && self.exit.is_none() && self.ended_with.is_none() {
            let others = self.source.others();
            self.ended_with = Some(EndedWith { count: others.len(), some: containment::describe(&others) });
        }
    }

    /// Whether nobody is left but processes that have become another user's, which no signal of ours reaches: these are
    /// named and left alone.
    pub(super) fn leaves_whom_it_may_not_end(&mut self, now: Instant) -> bool {
        if self.ladder.as_ref().and_then(Ladder::doubts_from).is_none_or(|from| from > now) {
            return false;
        }
        let left = self.source.leave_whom_it_may_not_end();
        self.strays.beyond_reach = containment::describe(&left);
        !left.is_empty()
    }

    /// Asks once of a program that was killed and lives whether it can be killed at all. That of a cgroup can be, by whomever.
    pub(super) fn doubt_program(&mut self, now: Instant) {
        let due = self.ladder.as_ref().and_then(Ladder::doubts_from).is_some_and(|from| from <= now);
        if !due || self.exit.is_some() || self.withstands.is_some() {
            return;
        }
        let refused = self.source.signal(Signal::KILL);
        self.withstands = Some(refused.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied));
        self.revision += 1;
    }

    /// Whether the program was killed and lives on, since it has become another user's, as `sudo` is root's, and this user
    /// may not end it. Nothing is left to be done then: the run is over when the program ends by itself, or by whoever may
    /// end it. Known from a tenth of a second after the kill.
    pub fn withstands_kill(&self) -> bool {
        self.exit.is_none() && self.withstands == Some(true)
    }

    /// When that is to be asked, of the program or, once that has ended, of what it has left.
    pub(super) fn doubt_at(&self) -> Option<Instant> {
        let from = self.ladder.as_ref().and_then(Ladder::doubts_from)?;
        match self.exit {
            Some(_) => Some(from.max(self.looked + DOUBT_AGAIN)),
            None => self.withstands.is_none().then_some(from),
        }
    }

    /// After what time to ask again whether all of it is gone, where nothing tells: the longer it takes the less often, since
    /// it costs a look at every process of the host.
    pub(super) fn ask_again(&self) -> Duration {
        let since = self.exit.map_or(self.last_act, |(_, at)| at.max(self.last_act));
        (self.looked.saturating_duration_since(since) / 16).clamp(ASK_AGAIN[0], ASK_AGAIN[1])
    }
}
