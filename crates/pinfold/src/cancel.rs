//! Cancellation tokens: one word from one place that ends many runs.

use pinfold_os::poll::{Event, Waitable};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

/// A flag that runs are tied to: when it is cancelled, they are stopped by their own stop rule and end in an error.
///
/// Clones are the same token. A [child](CancelToken::child) is cancelled with its parent and can be cancelled alone.
///
/// ```
/// use pinfold::{CancelToken, Command, ErrorKind, Host, Runner};
///
/// let token = CancelToken::new();
/// let host = Host::new().cancel_on(&token);
/// std::thread::spawn({
///     let token = token.clone();
///     move || token.cancel()
/// });
/// let error = host.run(&Command::new("sleep").arg("60")).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Cancelled);
/// ```
#[derive(Clone, Debug, Default)]
pub struct CancelToken(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    cancelled: AtomicBool,
    /// Made when a run first waits for it.
    event: OnceLock<Event>,
    children: Mutex<Vec<Weak<Inner>>>,
}

impl CancelToken {
    /// A token that is not cancelled.
    pub fn new() -> CancelToken {
        CancelToken::default()
    }

    /// A token that is cancelled with this one.
    #[must_use]
    pub fn child(&self) -> CancelToken {
        let child = CancelToken::new();
        let mut children = self.0.children.lock().unwrap_or_else(PoisonError::into_inner);
        children.retain(|child| child.strong_count() > 0);
        children.push(Arc::downgrade(&child.0));
        drop(children);
        // Cancelled while the list was being added to: the walk may have passed.
        if self.is_cancelled() {
            child.cancel();
        }
        child
    }

    /// Cancels it and all its children, for good. From any thread, and without waiting.
    pub fn cancel(&self) {
        self.0.cancel();
    }

    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::SeqCst)
    }

    /// Makes sure that it can be waited for.
    pub(crate) fn prepare(&self) -> io::Result<()> {
        if self.0.event.get().is_none() {
            let _ = self.0.event.set(Event::new()?);
            if self.is_cancelled() {
                self.0.raise();
            }
        }
        Ok(())
    }

    /// Readable once it is cancelled; `None` before [`CancelToken::prepare`].
    pub(crate) fn waitable(&self) -> Option<Waitable<'_>> {
        self.0.event.get().map(Event::waitable)
    }
}

impl Inner {
    fn cancel(&self) {
        if self.cancelled.swap(true, Ordering::SeqCst) {
            return;
        }
        self.raise();
        let children = std::mem::take(&mut *self.children.lock().unwrap_or_else(PoisonError::into_inner));
        for child in children.iter().filter_map(Weak::upgrade) {
            child.cancel();
        }
    }

    fn raise(&self) {
        if let Some(event) = self.event.get() {
            event.raise();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_follow_their_parent_and_not_the_other_way() {
        let parent = CancelToken::new();
        let (one, two) = (parent.child(), parent.child());
        let grandchild = one.child();
        one.cancel();
        assert!(one.is_cancelled() && grandchild.is_cancelled());
        assert!(!parent.is_cancelled() && !two.is_cancelled());
        parent.cancel();
        assert!(two.is_cancelled());
        assert!(parent.child().is_cancelled(), "born cancelled");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_token_is_ready_whether_it_was_cancelled_before_or_after_it_was_prepared() {
        use pinfold_os::poll::{Woken, wait};
        for before in [true, false] {
            let token = CancelToken::new();
            if before {
                token.cancel();
            }
            token.prepare().expect("an eventfd");
            token.cancel();
            let waitable = token.waitable().expect("it was prepared");
            assert_eq!(wait(&[waitable], Some(std::time::Instant::now())).expect("poll"), Woken::Ready);
        }
    }
}
