//! Waiting on a condition, never for a time.

use std::thread;
use std::time::{Duration, Instant};

/// Between two looks at the condition.
const POLL: Duration = Duration::from_millis(2);

/// Waits until `condition` holds, and panics naming `what` when it still does not after `deadline`.
///
/// The condition is looked at at least once, and once more after the deadline.
///
/// ```
/// # use std::time::Duration;
/// let mut looks = 0;
/// pinfold_trials::wait_until("the third look", Duration::from_secs(5), || {
///     looks += 1;
///     looks == 3
/// });
/// ```
#[track_caller]
pub fn wait_until(what: &str, deadline: Duration, condition: impl FnMut() -> bool) {
    assert!(holds_within(deadline, condition), "waited {deadline:?} in vain for {what}");
}

/// Tries what needs a program that is up when its time is over, with more and more time: `attempt` gives `None` where the program
/// was not, by its own word.
///
/// # Panics
/// When the most that there is was too little.
///
/// ```
/// let limit = pinfold_trials::with_time_enough(|limit| (limit.as_secs() > 1).then_some(limit));
/// assert_eq!(limit.as_secs(), 4);
/// ```
#[track_caller]
pub fn with_time_enough<T>(mut attempt: impl FnMut(Duration) -> Option<T>) -> T {
    let limits = [1, 4, 16].map(Duration::from_secs);
    let Some(done) = limits.into_iter().find_map(&mut attempt) else { panic!("{limits:?} were too little") };
    done
}

/// Waits until `condition` holds, and tells whether it did within `deadline`.
pub(crate) fn holds_within(deadline: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    loop {
        let late = start.elapsed() >= deadline;
        if condition() {
            return true;
        }
        if late {
            return false;
        }
        thread::sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "in vain for the moon")]
    fn it_names_what_did_not_come() {
        wait_until("the moon", Duration::ZERO, || false);
    }

    #[test]
    fn a_condition_that_holds_needs_no_time() {
        wait_until("nothing", Duration::ZERO, || true);
    }
}
