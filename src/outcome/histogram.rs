//! Latencies as a histogram that stays small: bins whose limits grow by one per cent.
//!
//! Percentiles of several machines cannot be computed from their percentiles, but from their histograms: the counts of
//! equal bins are added.

use serde::{Deserialize, Serialize};

/// How much higher the upper limit of a bin is than that of the one below.
const STEP: f64 = 1.01;

/// The bin of a century.
const LAST: i32 = 3_600;

/// Latencies, counted in bins. Its JSON is a list of `[bin, count]`: bin n is up to 1.01 to the power of n microseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Histogram(Vec<(i32, u64)>);

impl Histogram {
    /// The histogram of latencies in microseconds. Up to one microsecond all are alike.
    pub fn of(sorted: &[f64]) -> Histogram {
        let mut bins: Vec<(i32, u64)> = Vec::new();
        for us in sorted {
            let bin = bin(*us);
            match bins.last_mut() {
                Some((last, count)) if *last == bin => *count += 1,
                _ => bins.push((bin, 1)),
            }
        }
        Histogram(bins)
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many latencies were counted.
    pub fn count(&self) -> u64 {
        self.0
            .iter()
            .fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// Whether its bins are in order, and none is for longer than a century.
    pub fn is_plausible(&self) -> bool {
        let in_range = |(bin, _): &(i32, u64)| (0..=LAST).contains(bin);
        self.0.is_sorted_by(|a, b| a.0 < b.0) && self.0.iter().all(in_range)
    }

    /// The counts of both.
    pub fn plus(&self, other: &Histogram) -> Histogram {
        let mut all: Vec<(i32, u64)> = self.0.iter().chain(&other.0).copied().collect();
        all.sort_by_key(|(bin, _)| *bin);
        let mut bins: Vec<(i32, u64)> = Vec::with_capacity(all.len());
        for (bin, count) in all {
            match bins.last_mut() {
                Some((last, sum)) if *last == bin => *sum = sum.saturating_add(count),
                _ => bins.push((bin, count)),
            }
        }
        Histogram(bins)
    }

    /// The percentile by nearest rank, microseconds: the upper limit of its bin, which is at most one per cent too high.
    /// `None` if nothing was counted.
    pub fn percentile(&self, percent: u64) -> Option<f64> {
        let rank = (u128::from(self.count()) * u128::from(percent)).div_ceil(100);
        let rank = u64::try_from(rank).unwrap_or(u64::MAX).max(1);
        let mut below = 0;
        let holds = |(_, count): &&(i32, u64)| {
            below = count.saturating_add(below);
            below >= rank
        };
        self.0.iter().find(holds).map(|(bin, _)| STEP.powi(*bin))
    }
}

fn bin(us: f64) -> i32 {
    // A latency of a day in microseconds has bin 2530.
    (us.max(1.0).ln() / STEP.ln()).ceil() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_the_sum_are_those_of_all_samples() {
        let samples = |from: u64, to: u64| (from..to).map(|n| (n * n) as f64).collect::<Vec<f64>>();
        let (few, many) = (samples(0, 40), samples(20, 900));
        let sum = Histogram::of(&few).plus(&Histogram::of(&many));
        assert_eq!(sum.count(), 920);
        let mut all = [few, many].concat();
        all.sort_by(f64::total_cmp);
        for percent in [1, 50, 90, 95, 99, 100] {
            let exact = all[(all.len() * percent as usize).div_ceil(100) - 1].max(1.0);
            let read = sum.percentile(percent).unwrap();
            let ratio = read / exact;
            assert!((0.999..=1.0101).contains(&ratio), "{percent}: {read} for {exact}");
        }
        assert_eq!(Histogram::default().percentile(50), None);
        assert!(Histogram::of(&[]).is_empty());
        assert!(sum.is_plausible() && Histogram::of(&[0.0, 86_400e6]).is_plausible());
        for bad in ["[[-1,1]]", "[[3601,1]]", "[[5,1],[5,1]]"] {
            let read: Histogram = serde_json::from_str(bad).unwrap();
            assert!(!read.is_plausible(), "{bad}");
        }
    }
}
