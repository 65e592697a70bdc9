//! Waiting for a turn: customers are served one after the other, each takes a time S, and they come at
//! random, L per second (the M/G/1 queue).
//!
//! A customer has to wait with probability L E[S], the share of the time in which another one is served,
//! and waits L E[S²] / (2 (1 - L E[S])) on average (Pollaczek and Khinchine). The wait is longer than x
//! with a probability of at most e^(-θ x), where θ > 0 solves L (E[e^(θ S)] - 1) = θ (J. F. C. Kingman,
//! "Inequalities in the theory of queues", Journal of the Royal Statistical Society B 32, 1970).

use super::distribution::DelayDistribution;

/// A queue that does not grow for ever.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Queue {
    busy: f64,
    decay: f64,
    mean_wait: f64,
}

impl Queue {
    /// A queue with `rate` customers per second, and this service time; `None` if it grows for ever.
    pub fn new(rate: f64, service: &DelayDistribution) -> Option<Queue> {
        let busy = rate * service.mean();
        if busy >= 1.0 {
            return None;
        }
        let twice = rate * service.expect(|s| s * s);
        Some(Queue {
            busy,
            decay: if busy > 0.0 {
                decay(rate, service)
            } else {
                f64::INFINITY
            },
            mean_wait: twice / (2.0 * (1.0 - busy)),
        })
    }

    /// The mean wait.
    pub fn mean_wait(&self) -> f64 {
        self.mean_wait
    }

    /// A time that the wait exceeds with a probability of at most `share`.
    pub fn exceeded_by(&self, share: f64) -> f64 {
        match self.busy <= share {
            true => 0.0,
            false => (1.0 / share).ln() / self.decay,
        }
    }

    /// The wait, by the inequality: never shorter than the real one.
    pub fn waits(&self) -> DelayDistribution {
        const HALVES: i32 = 40;
        let mut waits = vec![(0.0, 1.0 - self.busy)];
        waits.extend((1..=HALVES).map(|k| {
            let above = self.busy * 0.5_f64.powi(k);
            ((1.0 / above).ln() / self.decay, above)
        }));
        DelayDistribution::new(waits)
    }
}

/// Solves for θ by halving: below the solution the left side is less than the right, above it more.
fn decay(rate: f64, service: &DelayDistribution) -> f64 {
    let is_above = |decay: f64| rate * (service.expect(|s| (decay * s).exp()) - 1.0) > decay;
    let (mut below, mut above) = (0.0, 1.0 / service.mean());
    while !is_above(above) {
        (below, above) = (above, 2.0 * above);
    }
    for _ in 0..60 {
        let middle = (below + above) / 2.0;
        match is_above(middle) {
            true => above = middle,
            false => below = middle,
        }
    }
    below
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, Exp};

    #[test]
    fn waits_are_as_long_as_lindley_has_them() {
        for (rate, services) in [(0.3, [1.0, 1.0]), (0.8, [1.0, 1.0]), (0.5, [0.1, 2.0])] {
            let service = DelayDistribution::new(services.map(|s| (s, 0.5)).to_vec());
            let queue = Queue::new(rate, &service).unwrap();
            let mut rng = ChaCha8Rng::seed_from_u64(11);
            let gaps = Exp::new(rate).unwrap();
            let n = 200_000;
            let (mut wait, mut waits) = (0.0_f64, Vec::new());
            for k in 0..n {
                waits.push(wait);
                wait = (wait + services[(k * k / 7) % 2] - gaps.sample(&mut rng)).max(0.0);
            }
            let mean = waits.iter().sum::<f64>() / n as f64;
            if services[0] == services[1] {
                assert!((queue.mean_wait() / mean - 1.0).abs() < 0.05, "{queue:?} {mean}");
            }
            for share in [0.1, 0.01, 0.001] {
                let time = queue.exceeded_by(share);
                let seen = waits.iter().filter(|w| **w > time).count() as f64 / n as f64;
                assert!(seen <= 1.2 * share, "{rate}, {share}: {seen}");
            }
            let waits_above = queue.waits().above(0.0);
            assert!(
                (waits_above - rate * service.mean()).abs() < 1e-9,
                "{waits_above}"
            );
        }
        assert_eq!(Queue::new(1.0, &DelayDistribution::certain(1.0)), None);
        assert_eq!(
            Queue::new(5.0, &DelayDistribution::certain(0.0))
                .unwrap()
                .exceeded_by(0.001),
            0.0
        );
    }
}
