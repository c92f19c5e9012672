//! A group for as long as a block of code runs.

use super::{GroupBuilder, ProcessGroup};
use crate::error::Result;

/// Ends the group whatever becomes of the block, clones or not.
struct End<'a>(&'a ProcessGroup);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl ProcessGroup {
    /// A group for as long as `body` runs: when that returns or panics, all of the group is killed and gone.
    ///
    /// ```
    /// use pinfold::{Command, ProcessGroup, Runner};
    ///
    /// let handle = ProcessGroup::scope(|group| group.start(&Command::new("sleep").arg("1000")))??;
    /// assert_eq!(handle.wait()?.signal(), Some(pinfold::Signal::KILL));
    /// # pinfold::Result::Ok(())
    /// ```
    ///
    /// # Errors
    /// As [`ProcessGroup::new`].
    pub fn scope<T>(body: impl FnOnce(&ProcessGroup) -> T) -> Result<T> {
        ProcessGroup::builder().scope(body)
    }
}

impl GroupBuilder {
    /// [`ProcessGroup::scope`] with a group as described.
    ///
    /// # Errors
    /// As [`GroupBuilder::make`].
    pub fn scope<T>(self, body: impl FnOnce(&ProcessGroup) -> T) -> Result<T> {
        let group = self.make()?;
        let end = End(&group);
        let result = body(&group);
        drop(end);
        Ok(result)
    }
}
