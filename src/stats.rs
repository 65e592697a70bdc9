//! Latency summaries, and confidence intervals. Pure: samples in, figures out, in the unit of the samples.
//!
//! Percentiles are nearest-rank: the p-th is the smallest sample that at least p percent of all samples do
//! not exceed, so it is always one of the samples, and the p99 of fewer than 100 samples is the maximum. (An
//! index of `floor(p * n)` would be one rank too high.)

use distrs::StudentsT;
use serde::{Deserialize, Serialize};

/// The summary of a set of samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// The number of samples.
    pub count: u64,
    /// The smallest.
    pub min: f64,
    /// The arithmetic mean.
    pub mean: f64,
    /// The median, nearest rank.
    pub p50: f64,
    /// The 90th percentile, nearest rank.
    pub p90: f64,
    /// 95th percentile, nearest rank.
    pub p95: f64,
    /// The 99th percentile, nearest rank.
    pub p99: f64,
    /// The largest.
    pub max: f64,
    /// The standard deviation (n - 1); 0 for a single sample.
    pub stdev: f64,
}

/// Sorts and summarises the samples; `None` if there are none.
///
/// A NaN among them is sorted last and appears in `max`, `mean` and `stdev`: the effect of a broken clock
/// should be visible.
pub fn summarize(samples: &mut [f64]) -> Option<Summary> {
    samples.sort_unstable_by(f64::total_cmp);
    let (min, max) = (*samples.first()?, *samples.last()?);
    let (mean, stdev) = mean_and_stdev(samples);
    let percentile = |p| samples[nearest_rank(p, samples.len()) - 1];
    Some(Summary {
        count: samples.len() as u64,
        min,
        mean,
        p50: percentile(50),
        p90: percentile(90),
        p95: percentile(95),
        p99: percentile(99),
        max,
        stdev,
    })
}

/// The steps of a drawn distribution; more would not be visible in a chart.
const STEPS: usize = 100;

/// A distribution in few figures, from samples in ascending order: all of them if there are at most 101,
/// otherwise 101 at even ranks, including the smallest and the largest.
pub fn quantiles(sorted: &[f64]) -> Vec<f64> {
    let last = sorted.len().saturating_sub(1);
    if last <= STEPS {
        return sorted.to_vec();
    }
    let rank = |step: usize| (step * last + STEPS / 2) / STEPS;
    (0..=STEPS).map(|step| sorted[rank(step)]).collect()
}

/// A mean and its 95 % confidence interval, from `mean - half_width` to `mean + half_width`: of a hundred
/// such intervals, about 95 contain the true mean.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The arithmetic mean.
    pub mean: f64,
    /// Half the interval's width.
    pub half_width: f64,
}

/// The 95 % confidence interval of the mean of independent samples; `None` for fewer than two, which show
/// nothing about their scatter.
///
/// Student's t (Biometrika 6:1, 1908), because the scatter itself is only estimated: with five samples the
/// interval is 1.4 times as wide as with the normal distribution.
pub fn interval(samples: &[f64]) -> Option<Interval> {
    let (mean, stdev) = mean_and_stdev(samples);
    let n = samples.len();
    (n > 1).then(|| Interval {
        mean,
        half_width: StudentsT::ppf(0.975, (n - 1) as f64) * stdev / (n as f64).sqrt(),
    })
}

/// The rank, from 1, of the `percent`-th percentile of `n` samples. In integers, because in floating point a
/// product like 0.07 * 100 is slightly above its whole number and `ceil` would return the next one.
fn nearest_rank(percent: usize, n: usize) -> usize {
    (n * percent).div_ceil(100).max(1)
}

/// Welford's recurrence (Technometrics 4:3, 1962): it needs no large sums, so small differences of large
/// values stay precise.
fn mean_and_stdev(samples: &[f64]) -> (f64, f64) {
    let (mut n, mut mean, mut squares) = (0.0, 0.0, 0.0);
    for x in samples {
        n += 1.0;
        let delta = x - mean;
        mean += delta / n;
        squares += delta * (x - mean);
    }
    let variance = if n > 1.0 { squares / (n - 1.0) } else { 0.0 };
    (mean, variance.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(samples: impl IntoIterator<Item = f64>) -> Summary {
        summarize(&mut samples.into_iter().collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn no_samples_no_summary() {
        assert_eq!(summarize(&mut []), None);
    }

    #[test]
    fn a_single_sample_is_everything() {
        let s = of([7.5]);
        assert_eq!(
            (s.count, s.min, s.mean, s.p50, s.p99, s.max, s.stdev),
            (1, 7.5, 7.5, 7.5, 7.5, 7.5, 0.0)
        );
    }

    #[test]
    fn percentiles_are_nearest_rank() {
        let s = of((1..=100).rev().map(f64::from));
        assert_eq!((s.p50, s.p90, s.p99, s.max), (50.0, 90.0, 99.0, 100.0));
        let s = of((1..=20).map(f64::from));
        assert_eq!((s.p50, s.p90, s.p99), (10.0, 18.0, 20.0));
        let s = of((1..=101).map(f64::from));
        assert_eq!((s.p50, s.p90, s.p99), (51.0, 91.0, 100.0));
        assert_eq!(of([1.0, 2.0, 3.0]).p50, 2.0);
    }

    #[test]
    fn a_distribution_keeps_its_ends_and_its_middle() {
        let few = [1.0, 2.0, 9.0];
        assert_eq!(quantiles(&few), few);
        assert_eq!(quantiles(&[]), [0.0; 0]);
        let many: Vec<f64> = (0..=1_000).map(f64::from).collect();
        let kept = quantiles(&many);
        assert_eq!(
            (kept.len(), kept[0], kept[50], kept[99], kept[100]),
            (101, 0.0, 500.0, 990.0, 1_000.0)
        );
        let hundred: Vec<f64> = (0..102).map(f64::from).collect();
        let kept = quantiles(&hundred);
        assert_eq!((kept.len(), kept[0], kept[100]), (101, 0.0, 101.0));
        assert!(kept.windows(2).all(|w| w[0] < w[1]));
    }

    #[test]
    fn the_textbook_deviation() {
        let s = of([2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]);
        assert_eq!(s.mean, 5.0);
        assert!((s.stdev - (32.0_f64 / 7.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn a_large_offset_keeps_its_spread() {
        let s = of([4.0, 7.0, 13.0, 16.0].map(|x| x + 1e9));
        assert_eq!((s.mean, s.stdev), (1e9 + 10.0, 30.0_f64.sqrt()));
        assert_eq!(of([0.1; 10]).mean, 0.1);
    }

    /// NIST/SEMATECH e-Handbook of Statistical Methods, section 1.3.6.7.2, column 0.975.
    #[test]
    fn intervals_use_the_published_quantiles_of_students_t() {
        let published: [(i32, f64); 10] = [
            (1, 12.706),
            (2, 4.303),
            (3, 3.182),
            (4, 2.776),
            (5, 2.571),
            (9, 2.262),
            (19, 2.093),
            (29, 2.045),
            (99, 1.984),
            (999, 1.962),
        ];
        for (degrees, t) in published {
            // Half of the samples are -1 and half 1 (and one 0 between): everything except t is known.
            let n = degrees + 1;
            let samples: Vec<f64> = (0..n).map(|i| f64::from((2 * i - degrees).signum())).collect();
            let Interval { mean, half_width } = interval(&samples).unwrap();
            let stdev = summarize(&mut samples.clone()).unwrap().stdev;
            assert!(mean.abs() < 1e-12);
            assert!(
                (half_width * f64::from(n).sqrt() / stdev - t).abs() < 6e-4,
                "{degrees}"
            );
        }
    }

    #[test]
    fn an_interval_needs_scatter() {
        assert_eq!(interval(&[]), None);
        assert_eq!(interval(&[3.0]), None);
        let still = Interval {
            mean: 3.0,
            half_width: 0.0,
        };
        assert_eq!(interval(&[3.0; 7]), Some(still));
        // Calculated by hand: 4.303 / √3.
        let Interval { mean, half_width } = interval(&[1.0, 2.0, 3.0]).unwrap();
        assert!(mean == 2.0 && (half_width - 2.4843).abs() < 1e-3, "{half_width}");
        assert!(interval(&[1.0, f64::NAN]).unwrap().half_width.is_nan());
    }

    #[test]
    fn nan_is_seen_and_does_not_panic() {
        let s = of([1.0, f64::NAN, 3.0]);
        assert_eq!((s.count, s.min, s.p50), (3, 1.0, 3.0));
        assert!(s.max.is_nan() && s.mean.is_nan());
    }

    /// The definition, literally: the smallest sample that at least p percent do not exceed.
    fn naive_percentile(samples: &[f64], percent: usize) -> f64 {
        let enough = |x: f64| samples.iter().filter(|y| **y <= x).count() * 100 >= percent * samples.len();
        samples
            .iter()
            .copied()
            .filter(|x| enough(*x))
            .fold(f64::INFINITY, f64::min)
    }

    proptest! {
        #[test]
        fn agrees_with_the_naive_definition(samples in prop::collection::vec(0.0..1e7_f64, 1..300)) {
            let s = of(samples.clone());
            prop_assert_eq!(s.count, samples.len() as u64);
            for (percent, value) in [(50, s.p50), (90, s.p90), (99, s.p99), (100, s.max)] {
                prop_assert_eq!(value, naive_percentile(&samples, percent));
            }
            prop_assert_eq!(s.min, samples.iter().copied().fold(f64::INFINITY, f64::min));
            let n = samples.len() as f64;
            let mean = samples.iter().sum::<f64>() / n;
            prop_assert!((s.mean - mean).abs() <= 1e-9 * mean.max(1.0));
            let squares: f64 = samples.iter().map(|x| (x - mean).powi(2)).sum();
            let stdev = if n > 1.0 { (squares / (n - 1.0)).sqrt() } else { 0.0 };
            prop_assert!((s.stdev - stdev).abs() <= 1e-6 * stdev.max(1.0));
        }
    }
}
