//! Whether two techniques differ by more than noise: only then is a difference marked or mentioned.
//!
//! With enough seeds the figures themselves show how much they scatter. The techniques got the same mail with
//! each seed, so Student's t gives the confidence interval of their differences, seed by seed: an effect of a
//! seed on all of them cancels out. With fewer seeds only latency is in doubt, and the noise is estimated by
//! a rule of thumb, which the legend explains.

use crate::lang::text;
use crate::outcome::noise::{SCHEDULER_US, seed_by_seed, standard_error};
use crate::outcome::{Latency, Outcome, Report};

use crate::outcome::noise::ENOUGH;
pub use crate::outcome::noise::Figure;

/// The estimate of a report's noise.
pub struct Noise<'a> {
    enough: bool,
    baseline: Option<&'a Latency>,
}

impl<'a> Noise<'a> {
    pub fn of(report: &'a Report) -> Noise<'a> {
        Noise {
            enough: report.results.iter().any(|o| o.repeats.len() >= ENOUGH),
            baseline: report.baseline().and_then(|o| o.latency_us.as_ref()),
        }
    }

    /// Whether a count or a size differs by more than noise.
    pub fn differs(&self, a: &Outcome, b: &Outcome, figure: Figure) -> bool {
        !self.enough || seed_by_seed(a, b, figure)
    }

    /// Whether the mean latencies differ by more than noise.
    pub fn late(&self, a: &Outcome, b: &Outcome) -> bool {
        if self.enough {
            return seed_by_seed(a, b, |o| Some(o.latency_us.as_ref()?.mean));
        }
        match (&a.latency_us, &b.latency_us) {
            (Some(a), Some(b)) => (a.mean - b.mean).abs() > self.floor_us().max(2.0 * standard_error(a, b)),
            _ => false,
        }
    }

    /// The noise floor: twice the baseline's spread, from its median to its 90th percentile, which a single
    /// outlier does not move.
    fn floor_us(&self) -> f64 {
        self.baseline.map_or(SCHEDULER_US, |l| 2.0 * (l.p90 - l.p50))
    }

    /// The rule in words, for the legend.
    pub fn rule(&self) -> &'static str {
        match self.baseline {
            _ if self.enough => {
                text!(
                    "Where the 95 % interval of the difference, seed by seed, has 0 in it, two figures count as equal."
                )
            }
            Some(_) => {
                text!(
                    "Latencies within twice tcp's spread (p90 − p50), or twice their standard error, count as equal."
                )
            }
            None => text!("Latencies within 1 ms, or within twice their standard error, count as equal."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::{self, POLL, Plain, SSE, TCP, WS};

    /// Two techniques of 100 mails whose latencies scatter by 0.6 of their mean.
    fn pair(a_ms: f64, b_ms: f64, baseline: Option<f64>) -> Report {
        let at = |mean_ms: f64, plain: Plain| Plain {
            mails: 100,
            mean_ms,
            ..plain
        };
        let mut plain = vec![at(a_ms, SSE), at(b_ms, WS)];
        plain.extend(baseline.map(|ms| at(ms, TCP)));
        fixture::of(&plain)
    }

    fn late(report: &Report) -> bool {
        Noise::of(report).late(&report.results[0], &report.results[1])
    }

    #[test]
    fn one_run_without_a_baseline_tells_milliseconds_apart() {
        assert!(!late(&pair(0.1, 0.9, None)), "the scheduler's doing");
        assert!(late(&pair(0.1, 3.0, None)));
        // 100 ± 60 and 110 ± 66 over a hundred mails: the standard error is 8.9 ms.
        assert!(!late(&pair(100.0, 110.0, None)), "sampling");
        assert!(late(&pair(100.0, 130.0, None)));
    }

    #[test]
    fn one_run_with_a_baseline_is_read_by_its_spread() {
        // The fixture's p90 − p50 is 0.72 of its mean: twice that is 0.072 ms.
        assert!(!late(&pair(0.1, 0.16, Some(0.05))));
        assert!(late(&pair(0.1, 0.2, Some(0.05))));
        assert!(!late(&pair(0.1, 0.2, Some(0.1))));
        assert!(
            !late(&pair(100.0, 110.0, Some(0.05))),
            "a quiet machine, but few samples"
        );
    }

    #[test]
    fn nothing_delivered_is_not_told_apart() {
        let mut report = pair(0.1, 90.0, None);
        report.results[0].latency_us = None;
        assert!(!late(&report));
    }

    #[test]
    fn five_seeds_tell_pairs_apart_that_scatter_together() {
        let seeds = |n: usize, a: fn(usize) -> f64, b: fn(usize) -> f64| {
            let at = |i, ms: fn(usize) -> f64, plain: Plain| Plain {
                mean_ms: ms(i),
                ..plain
            };
            let each: Vec<Vec<Plain>> = (0..n).map(|i| vec![at(i, a, SSE), at(i, b, WS)]).collect();
            fixture::repeated(&each)
        };
        let wild = |i: usize| 1.0 + i as f64;
        let above = |i: usize| 1.01 + i as f64 + 0.001 * (i % 2) as f64;
        let around = |i: usize| 1.0 + i as f64 + [0.1, -0.1, 0.05, -0.04, 0.0][i];
        assert!(late(&seeds(5, wild, above)), "always a little later");
        assert!(!late(&seeds(5, wild, around)), "now later, now earlier");
        assert!(!late(&seeds(4, wild, above)), "four seeds are not enough");
        assert!(!late(&seeds(5, wild, wild)), "equal");
    }

    #[test]
    fn counts_are_in_doubt_only_where_seeds_show_it() {
        let requests: Figure = |o| Some(o.requests.total as f64);
        let differs =
            |report: &Report| Noise::of(report).differs(&report.results[0], &report.results[1], requests);
        let with = |n: u64| {
            vec![
                Plain {
                    requests: 60 + n,
                    ..POLL
                },
                Plain { requests: 60, ..SSE },
            ]
        };
        assert!(differs(&fixture::of(&with(9))));
        assert!(differs(&fixture::repeated(&[with(9), with(0)])));
        assert!(!differs(&fixture::repeated(&[9, 0, 0, 1, 0].map(with))));
        assert!(differs(&fixture::repeated(&[9, 7, 8, 9, 7].map(with))));
        assert!(
            differs(&fixture::repeated(&[9; 5].map(with))),
            "no scatter at all"
        );
    }

    #[test]
    fn the_rule_that_holds_is_the_one_that_is_told() {
        let rule = |report: &Report| Noise::of(report).rule();
        assert!(rule(&fixture::typical()).contains("1 ms"));
        assert!(rule(&pair(1.0, 2.0, Some(0.1))).contains("tcp's spread"));
        let five: Vec<Vec<Plain>> = vec![vec![TCP, WS]; 5];
        assert!(rule(&fixture::repeated(&five)).contains("seed by seed"));
        assert!(rule(&fixture::repeated(&five[..4])).contains("tcp's spread"));
    }
}
