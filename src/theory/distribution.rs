//! A random time, as its possible values and the probability of each.

use super::Path;

/// Values that differ by less than this share are merged into the larger one, so that lateness is never
/// underestimated.
const ALIKE: f64 = 0.02;

/// The number of equal parts that jitter is divided into.
const PARTS: i32 = 8;

/// Probabilities below this are left out.
const NEGLIGIBLE: f64 = 1e-12;

/// A random time in seconds, never negative.
#[derive(Clone, Debug, PartialEq)]
pub struct DelayDistribution(Vec<(f64, f64)>);

impl DelayDistribution {
    /// A time that is always the same.
    pub fn certain(time: f64) -> DelayDistribution {
        DelayDistribution(vec![(time, 1.0)])
    }

    /// A time with these values and probabilities, in any order.
    pub fn new(mut values: Vec<(f64, f64)>) -> DelayDistribution {
        values.retain(|(_, chance)| *chance > NEGLIGIBLE);
        values.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut merged: Vec<(f64, f64)> = Vec::new();
        let mut least = f64::NEG_INFINITY; // the smallest value that the last of `merged` stands for
        for (value, chance) in values {
            match merged.last_mut() {
                Some(last) if value - least <= ALIKE * value => *last = (value, last.1 + chance),
                _ => {
                    least = value;
                    merged.push((value, chance));
                }
            }
        }
        let sum: f64 = merged.iter().map(|(_, chance)| chance).sum();
        merged.iter_mut().for_each(|(_, chance)| *chance /= sum);
        DelayDistribution(merged)
    }

    /// The random delay of a message of this many bytes: the jitter and the retransmissions of the segment
    /// that is delayed most.
    pub fn random_delay(path: &Path, bytes: f64) -> DelayDistribution {
        let segments = segments(bytes);
        let mut each = Vec::new();
        let (mut lost, mut k) = (1.0, 0);
        while lost > NEGLIGIBLE {
            let delivered = lost * (1.0 - path.loss);
            let held = path.held(k);
            match path.jitter > 0.0 {
                true => each.extend((0..PARTS).map(|part| {
                    let middle = (f64::from(part) + 0.5) / f64::from(PARTS);
                    (held + path.jitter * middle, delivered / f64::from(PARTS))
                })),
                false => each.push((held, delivered)),
            }
            lost *= path.loss;
            k += 1;
        }
        each.sort_by(|a, b| a.0.total_cmp(&b.0));
        // The largest of several values is below a limit if each of them is.
        let mut below = 0.0;
        let worst = each.into_iter().map(|(value, chance)| {
            let before = f64::powf(below, segments);
            below = f64::min(below + chance, 1.0);
            (value, f64::powf(below, segments) - before)
        });
        DelayDistribution::new(worst.collect())
    }

    /// A function of this time and another that is independent of it.
    pub fn with(&self, other: &DelayDistribution, f: impl Fn(f64, f64) -> f64) -> DelayDistribution {
        let pairs = self.0.iter().flat_map(|(a, p)| {
            let f = &f;
            other.0.iter().map(move |(b, q)| (f(*a, *b), p * q))
        });
        DelayDistribution::new(pairs.collect())
    }

    /// The sum of this time and another that is independent of it.
    pub fn plus(&self, other: &DelayDistribution) -> DelayDistribution {
        self.with(other, |a, b| a + b)
    }

    /// The expected value of a function of it.
    pub fn expect(&self, f: impl Fn(f64) -> f64) -> f64 {
        self.0.iter().map(|(value, chance)| chance * f(*value)).sum()
    }

    /// Its mean.
    pub fn mean(&self) -> f64 {
        self.expect(|value| value)
    }

    /// The probability that it is longer.
    pub fn above(&self, time: f64) -> f64 {
        self.expect(|value| f64::from(u8::from(value > time)))
    }
}

/// How many segments a message takes.
pub fn segments(bytes: f64) -> f64 {
    (bytes / super::SEGMENT as f64).ceil().max(1.0)
}

#[cfg(test)]
mod tests {
    use super::super::Pipe;
    use super::*;

    #[test]
    fn luck_is_what_a_pipe_deals_out() {
        let path = Path {
            rtt: 0.06,
            jitter: 0.05,
            loss: 0.1,
            ..Path::default()
        };
        for bytes in [100, 10_000] {
            let delay = DelayDistribution::random_delay(&path, bytes as f64);
            let mut pipe = Pipe::down(path, 0.0, 3, 0);
            let n = 20_000;
            let held: Vec<f64> = (1..=n)
                .map(|k| f64::from(k) * 3_600.0)
                .map(|now| pipe.deliver(now, bytes) - now - 0.03)
                .collect();
            for time in [0.011, 0.026, 0.1, 0.21, 0.24, 0.3, 0.7, 1.5] {
                let seen = held.iter().filter(|h| **h > time).count() as f64 / f64::from(n);
                let error = delay.above(time) - seen;
                assert!(error.abs() < 0.07, "{bytes} B later than {time}: off by {error}");
            }
            let mean = held.iter().sum::<f64>() / f64::from(n);
            assert!(
                (delay.mean() / mean - 1.0).abs() < 0.05,
                "{} {mean}",
                delay.mean()
            );
        }
        assert_eq!(
            DelayDistribution::random_delay(&Path::default(), 1e6),
            DelayDistribution::certain(0.0)
        );
    }
}
