//! Cancellation tokens: one word from one place that ends many runs.

use crate::maker::Maker;
use pinfold_os::poll::{Event, Waitable};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

/// A flag that runs are tied to: when it is cancelled, they are stopped by their own stop rule and end in an error.
///
/// Clones are the same token. A [child](CancelToken::child) is cancelled with its parent and can be cancelled alone. A fork
/// copies a token, and what the copy is told is told to nobody in the process that it was forked of.
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
    told: Told,
    children: Mutex<Vec<Weak<Inner>>>,
}

/// The events of a token: one for each process that has waited for it, since a fork shares those that are there with its parent.
#[derive(Debug, Default)]
struct Told(OnceLock<(Maker, Event, Box<Told>)>);

impl Told {
    /// That of this process.
    fn event(&self) -> Option<&Event> {
        let (maker, event, later) = self.0.get()?;
        if maker.is_here() { Some(event) } else { later.event() }
    }

    fn prepare(&self) -> io::Result<()> {
        let mut end = self;
        while let Some((maker, _, later)) = end.0.get() {
            if maker.is_here() {
                return Ok(());
            }
            end = later;
        }
        // Of two threads that come at once one makes what both wait for.
        let _ = end.0.set((Maker::here(), Event::new()?, Box::default()));
        Ok(())
    }
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

    /// What is readable once it is cancelled, and stays so: for a loop of one's own, where [`crate::poll::wait`] stands here.
    ///
    /// ```
    /// use pinfold::{CancelToken, poll};
    ///
    /// let token = CancelToken::new();
    /// let asked = std::thread::spawn({
    ///     let token = token.clone();
    ///     move || token.cancel()
    /// });
    /// poll::wait(&[token.waitable()?], None)?;
    /// assert!(token.is_cancelled());
    /// # asked.join().unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where no descriptor is left for it. It takes one as soon as somebody waits for it, for as long as it lives.
    pub fn waitable(&self) -> io::Result<Waitable<'_>> {
        self.prepare()?;
        self.prepared().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Makes sure that it can be waited for.
    pub(crate) fn prepare(&self) -> io::Result<()> {
        if self.0.told.event().is_none() {
            self.0.told.prepare()?;
            if self.is_cancelled() {
                self.0.raise();
            }
        }
        Ok(())
    }

    /// Readable once it is cancelled; `None` before [`CancelToken::prepare`].
    pub(crate) fn prepared(&self) -> Option<Waitable<'_>> {
        self.0.told.event().map(Event::waitable)
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
        if let Some(event) = self.told.event() {
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

    #[cfg(target_os = "linux")]
    #[test]
    fn a_copy_in_a_forked_process_wakes_nobody_else_and_is_waited_for_by_itself() {
        use pinfold_os::poll::{Woken, wait};
        let token = CancelToken::new();
        let theirs = (Maker::elsewhere(), Event::new().expect("an eventfd"), Box::default());
        token.0.told.0.set(theirs).expect("it is new");
        let ready = |event: &Event| {
            wait(&[event.waitable()], Some(std::time::Instant::now())).expect("poll") == Woken::Ready
        };
        assert!(token.prepared().is_none(), "what is there is its parent's");
        token.prepare().expect("an eventfd");
        let own = token.0.told.event().expect("it was prepared");
        token.prepare().expect("it is there");
        assert!(std::ptr::eq(own, token.0.told.event().expect("it stays")));
        token.cancel();
        let (_, theirs, _) = token.0.told.0.get().expect("it was put there");
        assert!(ready(own) && !ready(theirs));
    }
}
