//! Whether two outcomes of the same mail differ by more than noise: pure arithmetic on what they say.

use super::{Latency, Outcome};
use crate::stats;

/// From so many seeds on the scatter of a figure is known well enough.
pub const ENOUGH: usize = 5;

/// Without a baseline: what the scheduler of one machine does to a latency, whatever the protocol,
/// microseconds.
pub const SCHEDULER_US: f64 = 1_000.0;

/// Two numbers closer than this are called equal.
pub const EQUAL: f64 = 1.02;

/// Two processor times closer than this are: caches and other programs do as much.
const EQUAL_WORK: f64 = 1.25;

/// A figure that techniques are compared by.
pub type Figure = fn(&Outcome) -> Option<f64>;

/// Whether there are seeds enough that the figures themselves say how much they scatter.
pub fn seeds_tell(a: &Outcome, b: &Outcome) -> bool {
    a.repeats.len().min(b.repeats.len()) >= ENOUGH
}

/// Whether the differences under the same seed have a mean that is not 0 by chance. The techniques met
/// the same mail under each, so what a seed does to both of them cancels out.
pub fn seed_by_seed(a: &Outcome, b: &Outcome, figure: Figure) -> bool {
    let pairs = a.repeats.iter().zip(&b.repeats);
    let differences: Vec<f64> = pairs.filter_map(|(a, b)| Some(figure(a)? - figure(b)?)).collect();
    stats::interval(&differences).is_some_and(|i| i.mean.abs() > i.half_width)
}

/// Of the difference of two means of independent deliveries.
pub fn standard_error(a: &Latency, b: &Latency) -> f64 {
    let squared = |l: &Latency| l.stdev.powi(2) / l.count.max(1) as f64;
    (squared(a) + squared(b)).sqrt()
}

/// Whether mean latencies differ: seed by seed, or by the rule of thumb.
pub fn late(a: &Outcome, b: &Outcome) -> bool {
    match (&a.latency_us, &b.latency_us) {
        _ if seeds_tell(a, b) => seed_by_seed(a, b, |o| Some(o.latency_us.as_ref()?.mean)),
        (Some(a), Some(b)) => (a.mean - b.mean).abs() > SCHEDULER_US.max(2.0 * standard_error(a, b)),
        _ => false,
    }
}

/// Whether counts or sizes do.
pub fn counted(a: &Outcome, b: &Outcome, figure: Figure) -> bool {
    beyond(a, b, figure, EQUAL)
}

/// Whether processor times do.
pub fn worked(a: &Outcome, b: &Outcome, figure: Figure) -> bool {
    beyond(a, b, figure, EQUAL_WORK)
}

fn beyond(a: &Outcome, b: &Outcome, figure: Figure, equal: f64) -> bool {
    match (figure(a), figure(b)) {
        (Some(x), Some(y)) if x.max(y) > x.min(y) * equal => !seeds_tell(a, b) || seed_by_seed(a, b, figure),
        _ => false,
    }
}
