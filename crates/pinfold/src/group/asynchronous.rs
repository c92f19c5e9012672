//! The methods of a group that wait, as futures on tokio: each is the blocking one's twin, named with `_async`.

use super::events::{GroupEvent, GroupEvents};
use super::stopping::StopReport;
use super::{ProcessGroup, unwaitable};
use crate::drive::tokio::until;
use crate::error::Result;
use crate::settings::StopRule;

impl ProcessGroup {
    /// [`ProcessGroup::stop`], awaited. Dropping the future leaves what does not obey the signal alive.
    ///
    /// # Errors
    /// As there.
    pub async fn stop_async(&self) -> Result<StopReport> {
        self.stop_by_async(self.0.stop).await
    }

    /// [`ProcessGroup::stop_by`], awaited; see [`ProcessGroup::stop_async`].
    ///
    /// # Errors
    /// As there.
    pub async fn stop_by_async(&self, rule: StopRule) -> Result<StopReport> {
        until(&mut self.stopping(rule)?).await.map_err(unwaitable)
    }

    /// [`ProcessGroup::kill_all`], awaited.
    ///
    /// # Errors
    /// As there.
    pub async fn kill_all_async(&self) -> Result<StopReport> {
        self.stop_by_async(StopRule::KILL).await
    }

    /// [`ProcessGroup::wait`], awaited.
    ///
    /// # Errors
    /// As there.
    pub async fn wait_async(&self) -> Result<()> {
        until(&mut self.emptying()?).await.map_err(unwaitable)
    }
}

impl GroupEvents {
    /// [`GroupEvents::next`], awaited.
    ///
    /// # Errors
    /// As there.
    pub async fn next_async(&mut self) -> Result<Vec<GroupEvent>> {
        until(self).await.map_err(unwaitable)
    }
}
