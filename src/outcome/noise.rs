//! Whether two outcomes of the same mail differ by more than noise: pure arithmetic on their figures.

use super::{Latency, Outcome};
use crate::stats;

/// With this many seeds, the scatter of a figure is known well enough.
pub const ENOUGH: usize = 5;

/// The noise of a latency without a baseline, in microseconds: what a machine's scheduler adds, whatever
/// the protocol.
pub const SCHEDULER_US: f64 = 1_000.0;

/// Two numbers whose ratio is less than this are called equal.
pub const EQUAL: f64 = 1.02;

/// Two processor times whose ratio is less than this are called equal: caches and other programs change
/// them as much.
const EQUAL_WORK: f64 = 1.25;

/// A figure by which techniques are compared.
pub type Figure = fn(&Outcome) -> Option<f64>;

/// Whether there are enough seeds to know how much the figures scatter.
pub fn seeds_tell(a: &Outcome, b: &Outcome) -> bool {
    a.repeats.len().min(b.repeats.len()) >= ENOUGH
}

/// Whether the mean of the differences under the same seed is significantly different from 0. Both
/// techniques got the same mail under each seed, so a seed's effect on both cancels out.
pub fn seed_by_seed(a: &Outcome, b: &Outcome, figure: Figure) -> bool {
    let pairs = a.repeats.iter().zip(&b.repeats);
    let differences: Vec<f64> = pairs.filter_map(|(a, b)| Some(figure(a)? - figure(b)?)).collect();
    stats::interval(&differences).is_some_and(|i| i.mean.abs() > i.half_width)
}

/// The standard error of the difference of two means of independent deliveries.
pub fn standard_error(a: &Latency, b: &Latency) -> f64 {
    let squared = |l: &Latency| l.stdev.powi(2) / l.count.max(1) as f64;
    (squared(a) + squared(b)).sqrt()
}

/// Whether mean latencies differ: by their differences for each seed, or by the rule of thumb.
pub fn late(a: &Outcome, b: &Outcome) -> bool {
    match (&a.latency_us, &b.latency_us) {
        _ if seeds_tell(a, b) => seed_by_seed(a, b, |o| Some(o.latency_us.as_ref()?.mean)),
        (Some(a), Some(b)) => (a.mean - b.mean).abs() > SCHEDULER_US.max(2.0 * standard_error(a, b)),
        _ => false,
    }
}

/// Whether counts or sizes differ.
pub fn counted(a: &Outcome, b: &Outcome, figure: Figure) -> bool {
    beyond(a, b, figure, EQUAL)
}

/// Whether processor times differ.
pub fn worked(a: &Outcome, b: &Outcome, figure: Figure) -> bool {
    beyond(a, b, figure, EQUAL_WORK)
}

fn beyond(a: &Outcome, b: &Outcome, figure: Figure, equal: f64) -> bool {
    match (figure(a), figure(b)) {
        (Some(x), Some(y)) if x.max(y) > x.min(y) * equal => !seeds_tell(a, b) || seed_by_seed(a, b, figure),
        _ => false,
    }
}
