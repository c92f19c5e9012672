//! Two things timed in turns, A B A B, until the median of what is compared stands still.
//!
//! A machine drifts: its clock rate, its other users, its caches. What is compared is therefore always a pair taken one
//! right after the other, never a total with a total.

use crate::Result;
use std::time::{Duration, Instant};

/// How much work a comparison may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// At least this many pairs.
    least: usize,
    /// At most this many.
    most: usize,
    /// No further pair is begun after this.
    budget: Duration,
    /// It stands still when the median is surely this close, as a part of it.
    close: f64,
}

impl Effort {
    /// What is worth keeping, of a measure that has a bound.
    pub(crate) const FULL: Effort =
        Effort { least: 5, most: 301, budget: Duration::from_secs(5), close: 0.005 };
    /// What is worth keeping, of one that is for information.
    pub(crate) const SHOWN: Effort =
        Effort { least: 3, most: 301, budget: Duration::from_millis(1500), close: 0.01 };
    /// What shows a change.
    pub(crate) const QUICK: Effort =
        Effort { least: 3, most: 41, budget: Duration::from_secs(2), close: 0.02 };
}

/// One number of each side, taken one right after the other.
pub(crate) type Pair = [f64; 2];

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Compared {
    /// The median of each side.
    pub(crate) sides: Pair,
    /// The median of what each pair gave.
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
    pub(crate) rounds: usize,
}

/// Takes pairs by turns, after one that is thrown away, until `relate` of them stands still.
pub(crate) fn pairs(
    effort: Effort,
    relate: fn(Pair) -> f64,
    mut first: impl FnMut() -> Result<f64>,
    mut second: impl FnMut() -> Result<f64>,
) -> Result<Compared> {
    let begun = Instant::now();
    first()?;
    second()?;
    let mut taken = Vec::new();
    while taken.len() < effort.most {
        taken.push([first()?, second()?]);
        if taken.len() < effort.least {
            continue;
        }
        if begun.elapsed() >= effort.budget || stands_still(&taken, relate, effort.close) {
            break;
        }
    }
    Ok(sum_up(&taken, relate))
}

fn sum_up(taken: &[Pair], relate: fn(Pair) -> f64) -> Compared {
    let related = sorted(taken.iter().map(|pair| relate(*pair)));
    Compared {
        sides: [0, 1].map(|side| median(&sorted(taken.iter().map(|pair| pair[side])))),
        median: median(&related),
        least: related[0],
        most: related[related.len() - 1],
        rounds: taken.len(),
    }
}

/// Whether the true median lies, with a probability of 95 %, within `close` of the one that was found.
///
/// The number of samples below the true median is binomial, so the samples at n/2 - sqrt(n) and n/2 + sqrt(n) hold it
/// between them, whatever the distribution.
fn stands_still(taken: &[Pair], relate: fn(Pair) -> f64, close: f64) -> bool {
    let related = sorted(taken.iter().map(|pair| relate(*pair)));
    let count = related.len() as f64;
    let low = (count / 2.0 - count.sqrt()).floor();
    if low < 0.0 {
        return false;
    }
    let low = low as usize;
    let spread = related[related.len() - 1 - low] - related[low];
    spread / 2.0 <= close * median(&related).abs()
}

fn sorted(numbers: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut numbers: Vec<f64> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    numbers
}

fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn ratio([a, b]: Pair) -> f64 {
        a / b
    }

    #[test]
    fn the_median_is_that_of_the_pairs_and_not_of_the_sides() {
        // The machine became ten times slower on the way; each pair still says a half.
        let taken = [[1.0, 2.0], [10.0, 20.0], [11.0, 22.0]];
        let compared = sum_up(&taken, ratio);
        assert_eq!(compared, Compared { sides: [10.0, 20.0], median: 0.5, least: 0.5, most: 0.5, rounds: 3 });
        assert_eq!(median(&[1.0, 2.0, 4.0, 5.0]), 3.0);
    }

    #[test]
    fn steady_pairs_end_early_and_wild_ones_take_all_they_may() {
        let effort = Effort { least: 5, most: 20, budget: Duration::MAX, close: 0.01 };
        let steady = pairs(effort, ratio, || Ok(1.0), || Ok(2.0)).unwrap();
        assert_eq!(steady.rounds, 5);
        let mut turn = 0.0;
        let wild = || {
            turn += 1.0;
            Ok(turn)
        };
        assert_eq!(pairs(effort, ratio, wild, || Ok(1.0)).unwrap().rounds, 20);
    }

    #[test]
    fn the_first_pair_is_thrown_away() {
        let mut numbers = [1000.0, 1.0, 1.0, 1.0].into_iter();
        let effort = Effort { least: 3, most: 3, budget: Duration::MAX, close: 0.0 };
        let compared = pairs(effort, ratio, || Ok(numbers.next().unwrap()), || Ok(1.0)).unwrap();
        assert_eq!(compared.most, 1.0);
    }

    #[test]
    fn few_samples_never_stand_still() {
        assert!(!stands_still(&[[1.0, 1.0]; 3], ratio, 1.0));
        assert!(stands_still(&[[1.0, 1.0]; 4], ratio, 0.0));
    }
}
