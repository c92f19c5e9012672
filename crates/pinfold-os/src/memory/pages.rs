//! Pages that are made before they are written, and whether huge ones are a gain.

use super::{HUGE, imp};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A huge page that takes longer gains nothing: five hundred small ones are as soon there.
const FAIR: Duration = Duration::from_micros(400);
/// How far they may be behind before they are given up.
const PATIENCE: Duration = Duration::from_millis(5);

#[derive(Debug, Default)]
pub(super) struct Pages {
    /// Huge pages were no gain here.
    pub(super) given_up: bool,
    /// What they took, and what would have been fair.
    taken: Duration,
    fair: Duration,
}

impl Pages {
    fn judge(&mut self, taken: Duration, bytes: usize) {
        self.taken += taken;
        self.fair += FAIR.mul_f64(bytes as f64 / HUGE as f64);
        self.given_up |= self.taken > self.fair + PATIENCE;
    }
}

/// Makes them at these addresses.
pub(super) fn make(range: Range<usize>, pages: &Mutex<Pages>) {
    let bytes = range.len();
    // On the processor, and not by the clock: what others do there meanwhile is no fault of the pages.
    let begun = imp::time();
    imp::populate(range);
    lock(pages).judge(imp::time().saturating_sub(begun), bytes);
}

/// What a panic left there is as good as before.
pub(super) fn lock(pages: &Mutex<Pages>) -> MutexGuard<'_, Pages> {
    pages.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn huge_pages_are_given_up_when_they_are_no_gain() {
        let mut pages = Pages::default();
        for _ in 0..100 {
            pages.judge(Duration::from_micros(180), HUGE);
        }
        pages.judge(Duration::from_millis(20), HUGE);
        assert!(!pages.given_up, "that was one of a hundred");
        pages.judge(Duration::from_millis(20), HUGE);
        assert!(pages.given_up);
        let mut pages = Pages::default();
        pages.judge(Duration::from_millis(4), HUGE);
        pages.judge(Duration::from_millis(4), HUGE);
        assert!(pages.given_up, "none of them was soon there");
    }
}
