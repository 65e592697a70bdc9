//! How often a student may ask: a token bucket.

use std::time::{Duration, Instant};

/// A limit: so many at once, and then so many in a second.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// At once.
    pub burst: f64,
    /// In a second, in the long run.
    pub per_s: f64,
}

/// What one student has used of a limit.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    limit: Limit,
    left: f64,
    since: Instant,
}

impl Rate {
    /// Nothing used yet.
    pub fn new(limit: Limit, now: Instant) -> Rate {
        Rate {
            limit,
            left: limit.burst,
            since: now,
        }
    }

    /// Whether the limit allows one more.
    pub fn has_any(&mut self, now: Instant) -> bool {
        let passed: Duration = now.saturating_duration_since(self.since);
        self.since = now.max(self.since);
        self.left = (self.left + passed.as_secs_f64() * self.limit.per_s).min(self.limit.burst);
        self.left >= 1.0
    }

    /// Uses one, if the limit allows it.
    pub fn take(&mut self, now: Instant) -> bool {
        let allowed = self.has_any(now);
        if allowed {
            self.left -= 1.0;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_so_many_in_a_second() {
        let start = Instant::now();
        let limit = Limit {
            burst: 3.0,
            per_s: 2.0,
        };
        let mut rate = Rate::new(limit, start);
        let taken = |rate: &mut Rate, at: f64| rate.take(start + Duration::from_secs_f64(at));
        assert_eq!([0.0; 4].map(|at| taken(&mut rate, at)), [true, true, true, false]);
        assert!(!taken(&mut rate, 0.4));
        assert!(taken(&mut rate, 0.5));
        assert!(!taken(&mut rate, 0.6));
        // What is not used is not saved up beyond the burst.
        assert_eq!(
            [100.0; 4].map(|at| taken(&mut rate, at)),
            [true, true, true, false]
        );
    }
}
