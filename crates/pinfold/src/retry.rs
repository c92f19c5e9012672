//! When and how often a command is tried again.

use crate::error::Error;
use crate::output::Output;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::Duration;

/// When and how often a command is tried again.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Retry {
    /// How many times it is run at most, the first included.
    pub attempts: u32,
    /// The pause before the second attempt.
    #[cfg_attr(feature = "serde", serde(rename = "pause_seconds", with = "crate::wire::seconds"))]
    pub pause: Duration,
    /// By what each further pause is longer than the one before.
    pub factor: f64,
    /// No pause is longer.
    #[cfg_attr(feature = "serde", serde(rename = "max_pause_seconds", with = "crate::wire::seconds"))]
    pub max_pause: Duration,
    /// The part of each pause that is left to chance, 0 to 1: with 0.5 a pause of a second becomes one between half a
    /// second and a whole one, so that many who failed together do not come back together.
    #[cfg_attr(feature = "serde", serde(default))]
    pub jitter: f64,
    /// What is tried again.
    pub on: RetryOn,
}

impl Retry {
    /// So many attempts at whatever fails, with pauses of 0.1, 0.2, 0.4 ... seconds, 30 at most.
    pub fn times(attempts: u32) -> Retry {
        Retry {
            attempts,
            pause: Duration::from_millis(100),
            factor: 2.0,
            max_pause: Duration::from_secs(30),
            jitter: 0.0,
            on: RetryOn::Failure,
        }
    }

    /// The pause after the given attempt, counted from 1; with jitter, the longest that it can be.
    pub fn pause_after(&self, attempt: u32) -> Duration {
        let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = self.pause.as_secs_f64() * self.factor.max(1.0).powi(exponent);
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX).min(self.max_pause)
    }

    /// [`Retry::pause_after`] as chance has it: without jitter the same, else another one each time.
    ///
    /// ```
    /// use pinfold::Retry;
    ///
    /// let retry = Retry { jitter: 0.5, ..Retry::times(3) };
    /// let (pause, longest) = (retry.draw_pause(1), retry.pause_after(1));
    /// assert!(pause >= longest / 2 && pause <= longest);
    /// ```
    pub fn draw_pause(&self, attempt: u32) -> Duration {
        let longest = self.pause_after(attempt);
        if self.jitter == 0.0 {
            return longest;
        }
        let part = 1.0 - self.jitter.clamp(0.0, 1.0) * chance();
        Duration::try_from_secs_f64(longest.as_secs_f64() * part).map_or(longest, |drawn| drawn.min(longest))
    }
}

/// A number from 0 to 1, another one each time: good for spreading things out, and for no secret.
fn chance() -> f64 {
    // Its keys come from the kernel, and differ from one to the next.
    let drawn = std::hash::RandomState::new().build_hasher().finish();
    f64::from(u32::try_from(drawn >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}

/// What is tried again. A cancelled run never is. [`Host::retry_if`](crate::Host::retry_if) asks a function instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum RetryOn {
    /// Any run that does not succeed, or that cannot be started for want of something that may come back
    /// (processes, memory, descriptors).
    Failure,
    /// Only a run that timed out.
    Timeout,
    /// Only a run that ended with this code.
    Code(i32),
}

/// A function that decides whether a command is tried again.
#[derive(Clone)]
pub struct RetryIf(Arc<Judge>);

type Judge = dyn Fn(Result<&Output<Vec<u8>>, &Error>) -> bool + Send + Sync;

impl RetryIf {
    pub(crate) fn new(
        judge: impl Fn(Result<&Output<Vec<u8>>, &Error>) -> bool + Send + Sync + 'static,
    ) -> RetryIf {
        RetryIf(Arc::new(judge))
    }

    pub(crate) fn wants(&self, result: Result<&Output<Vec<u8>>, &Error>) -> bool {
        (self.0)(result)
    }
}

impl fmt::Debug for RetryIf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RetryIf")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_bound_and_no_further() {
        let retry =
            Retry { pause: Duration::from_secs(1), max_pause: Duration::from_secs(9), ..Retry::times(9) };
        let pauses: Vec<u64> = (1..=6).map(|attempt| retry.pause_after(attempt).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 9, 9]);
        assert_eq!(retry.pause_after(u32::MAX), retry.max_pause);
        assert_eq!(
            retry.draw_pause(2),
            retry.pause_after(2),
            "nothing is left to chance unless that is said"
        );
    }

    #[test]
    fn chance_has_its_part_of_a_pause_and_no_more() {
        let retry = Retry { pause: Duration::from_secs(8), jitter: 0.25, ..Retry::times(2) };
        let drawn: Vec<Duration> = (0..200).map(|_| retry.draw_pause(1)).collect();
        let (least, most) = (drawn.iter().min().copied(), drawn.iter().max().copied());
        assert!(least >= Some(Duration::from_secs(6)) && most <= Some(Duration::from_secs(8)));
        // That 200 of them all fall into one half has a chance of 2 to the power of -200.
        assert!(least < Some(Duration::from_secs(7)) && most > Some(Duration::from_secs(7)), "{drawn:?}");
    }
}
