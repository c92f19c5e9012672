//! What a run does about processes that it may not end.

use super::Running;
use crate::containment;
use crate::stop::Ladder;
use std::time::{Duration, Instant};

/// How often those that are left after a kill are asked whether they can be ended.
const DOUBT_AGAIN: Duration = Duration::from_millis(100);
/// How often a container that gives no events is asked whether it is empty: at first, and later.
const ASK_AGAIN: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(50)];

impl Running {
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

    /// When that is to be asked, once the program has ended.
    pub(super) fn doubt_at(&self) -> Option<Instant> {
        let from = self.ladder.as_ref().and_then(Ladder::doubts_from)?;
        self.exit.map(|_| from.max(self.looked + DOUBT_AGAIN))
    }

    /// After what time to ask again whether all of it is gone, where nothing tells: the longer it takes the less often, since
    /// it costs a look at every process of the host.
    pub(super) fn ask_again(&self) -> Duration {
        let since = self.exit.map_or(self.last_act, |(_, at)| at.max(self.last_act));
        (self.looked.saturating_duration_since(since) / 16).clamp(ASK_AGAIN[0], ASK_AGAIN[1])
    }
}
