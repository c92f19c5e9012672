//! How long is waited before a restart: pauses that grow, drawn at random below a bound that grows, and the long pause when
//! failures come thick and fast.

use std::hash::{BuildHasher, Hasher};
use std::time::{Duration, Instant};

/// The pauses before restarts.
///
/// The bound of the first is `initial`, each further one's is `factor` times that of the one before, and none is above
/// `max`. With `jitter`, which is the default, a pause is drawn evenly from zero to its bound, so that many that failed
/// together do not come back together; without it a pause is its bound.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct Backoff {
    /// The first bound.
    #[cfg_attr(feature = "serde", serde(rename = "initial_seconds", with = "crate::wire::seconds"))]
    pub initial: Duration,
    /// By what each bound is longer than the one before; 1 or more.
    pub factor: f64,
    /// No bound is longer.
    #[cfg_attr(feature = "serde", serde(rename = "max_seconds", with = "crate::wire::seconds"))]
    pub max: Duration,
    /// Whether pauses are drawn at random.
    pub jitter: bool,
}

impl Default for Backoff {
    /// 0.2, 0.4, 0.8 ... seconds, 30 at most, with jitter.
    fn default() -> Backoff {
        let (initial, max) = (Duration::from_millis(200), Duration::from_secs(30));
        Backoff { initial, factor: 2.0, max, jitter: true }
    }
}

impl Backoff {
    /// No pauses.
    pub const NONE: Backoff =
        Backoff { initial: Duration::ZERO, factor: 1.0, max: Duration::ZERO, jitter: false };

    /// The longest pause before the restart with this number in a row, counted from 1.
    pub fn bound(&self, number: u32) -> Duration {
        let exponent = i32::try_from(number.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = self.initial.as_secs_f64() * self.factor.powi(exponent);
        // Nothing times infinity is no number, and still nothing.
        let seconds = if self.initial.is_zero() { 0.0 } else { seconds };
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX).min(self.max)
    }

    pub(super) fn contradiction(&self) -> Option<&'static str> {
        (!self.factor.is_finite() || self.factor < 1.0).then_some("its backoff factor is no number from 1 on")
    }

    pub(super) fn pause(&self, number: u32, chance: &mut Chance) -> Duration {
        let bound = self.bound(number);
        if self.jitter { bound.mul_f64(chance.draw()).min(bound) } else { bound }
    }
}

/// Numbers by chance: SplitMix64, which is enough to scatter pauses.
#[derive(Clone, Debug)]
pub(super) struct Chance(u64);

impl Chance {
    /// The same numbers for the same seed; without one others for each.
    pub(super) fn new(seed: Option<u64>) -> Chance {
        Chance(seed.unwrap_or_else(|| std::hash::RandomState::new().build_hasher().finish()))
    }

    /// From 0 up to, but not, 1.
    fn draw(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// When failures are a storm: each counts 1, and what was counted halves every `decay`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Storm {
    /// How long nothing is started once it is one.
    #[cfg_attr(feature = "serde", serde(rename = "pause_seconds", with = "crate::wire::seconds"))]
    pub pause: Duration,
    /// It is one when the count goes above this.
    pub threshold: f64,
    /// The time in which the count halves.
    #[cfg_attr(feature = "serde", serde(rename = "decay_seconds", with = "crate::wire::seconds"))]
    pub decay: Duration,
}

impl Storm {
    /// This pause, above 5 failures that halve every 30 seconds.
    pub fn pausing(pause: Duration) -> Storm {
        Storm { pause, threshold: 5.0, decay: Duration::from_secs(30) }
    }

    pub(super) fn contradiction(&self) -> Option<&'static str> {
        if !self.threshold.is_finite() || self.threshold < 0.0 {
            return Some("its failure threshold is no number from 0 on");
        }
        self.decay.is_zero().then_some("its failures decay in no time")
    }
}

/// The count that a storm is told by.
#[derive(Clone, Debug, Default)]
pub(super) struct Failures {
    count: f64,
    at: Option<Instant>,
}

impl Failures {
    /// One more: whether that makes a storm of them, at which the count begins anew.
    pub(super) fn add(&mut self, storm: &Storm, now: Instant) -> bool {
        let since = self.at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        let halvings = since.as_secs_f64() / storm.decay.as_secs_f64();
        self.count = self.count * 0.5f64.powf(halvings) + 1.0;
        self.at = Some(now);
        let is_storm = self.count > storm.threshold;
        if is_storm {
            self.count = 0.0;
        }
        is_storm
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_grow_to_their_maximum_and_no_further() {
        let second = Duration::from_secs(1);
        let backoff = Backoff { initial: second, factor: 3.0, max: 20 * second, jitter: false };
        let bounds: Vec<u64> = (1..=5).map(|number| backoff.bound(number).as_secs()).collect();
        assert_eq!(bounds, [1, 3, 9, 20, 20]);
        assert_eq!(backoff.bound(u32::MAX), 20 * second);
        assert_eq!(Backoff::NONE.bound(u32::MAX), Duration::ZERO);
        assert_eq!(Backoff { initial: Duration::ZERO, ..backoff }.bound(u32::MAX), Duration::ZERO);
        for factor in [0.5, f64::NAN, f64::INFINITY] {
            assert!(Backoff { factor, ..backoff }.contradiction().is_some());
        }
    }

    #[test]
    fn jitter_is_full_and_the_same_for_the_same_seed() {
        let backoff = Backoff { initial: Duration::from_secs(10), factor: 1.0, ..Backoff::default() };
        let draw = |seed| {
            let mut chance = Chance::new(Some(seed));
            (0..1000).map(|_| backoff.pause(1, &mut chance).as_secs_f64()).collect::<Vec<f64>>()
        };
        let pauses = draw(7);
        assert_eq!(pauses, draw(7));
        assert_ne!(pauses, draw(8));
        assert!(pauses.iter().all(|pause| (0.0..10.0).contains(pause)));
        for tenth in 0..10 {
            let there = pauses.iter().filter(|pause| **pause as usize == tenth).count();
            assert!((60..140).contains(&there), "{there} of 1000 in the tenth {tenth}");
        }
    }

    #[test]
    fn a_storm_is_many_failures_in_a_short_time() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let storm = Storm { pause: second, threshold: 3.0, decay: 10 * second };
        let mut failures = Failures::default();
        let at_once: Vec<bool> = (0..8).map(|_| failures.add(&storm, start)).collect();
        assert_eq!(at_once, [false, false, false, true, false, false, false, true]);
        let mut failures = Failures::default();
        // One every decay comes to less than two.
        assert!((0..1000).all(|number| !failures.add(&storm, start + number * storm.decay)));
    }
}
