//! The server's clock beside ours, as each of its answers tells (Cristian, "Probabilistic clock synchronization",
//! Distributed Computing 3, 1989): the server read its clock between our question and its answer, so half the time
//! between them is the most by which the middle can be wrong.

use std::time::{Duration, Instant};

use super::super::isolate::to_nanos;

/// One answer of the server.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// The middle between question and answer.
    pub at: Instant,
    /// Half the time between them.
    pub half: Duration,
    /// What the server's clock said, nanoseconds.
    pub server_ns: u64,
}

/// How far the server's clock is ahead of ours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Offset {
    /// Nanoseconds.
    pub ns: f64,
    /// The most by which that may be wrong, either way.
    pub uncertainty_ns: f64,
}

impl Reading {
    /// The reading between a question and its answer.
    pub fn between(asked: Instant, answered: Instant, server_ns: u64) -> Reading {
        let half = answered.saturating_duration_since(asked) / 2;
        Reading {
            at: asked + half,
            half,
            server_ns,
        }
    }

    /// Whether the server reads the clock of this machine: its reading lies between two of ours.
    pub fn is_ours(&self) -> bool {
        let (before, after) = (to_nanos(self.at - self.half), to_nanos(self.at + self.half));
        !self.half.is_zero() && (before..=after).contains(&self.server_ns)
    }

    /// The offset by this reading alone.
    pub fn offset(&self) -> Offset {
        Offset {
            ns: self.server_ns as f64 - to_nanos(self.at) as f64,
            uncertainty_ns: self.half.as_nanos() as f64,
        }
    }
}

/// The offset by several readings: where their ranges overlap, it is there. Otherwise the clocks have drifted, and it is
/// somewhere in all of them.
pub fn offset(readings: &[Reading]) -> Option<Offset> {
    let ranges = readings.iter().map(|reading| {
        let Offset { ns, uncertainty_ns } = reading.offset();
        (ns - uncertainty_ns, ns + uncertainty_ns)
    });
    let ranges: Vec<(f64, f64)> = ranges.collect();
    let shared = ranges
        .iter()
        .copied()
        .reduce(|a, b| (a.0.max(b.0), a.1.min(b.1)))?;
    let whole = ranges
        .iter()
        .copied()
        .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
    let (low, high) = if shared.0 <= shared.1 { shared } else { whole };
    Some(Offset {
        ns: (low + high) / 2.0,
        uncertainty_ns: (high - low) / 2.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(at_ms: u64, half_ms: u64, ahead_ms: i64) -> Reading {
        let at = Instant::now() + Duration::from_millis(at_ms);
        Reading {
            at,
            half: Duration::from_millis(half_ms),
            server_ns: to_nanos(at).saturating_add_signed(ahead_ms * 1_000_000),
        }
    }

    fn ms(readings: &[Reading]) -> (f64, f64) {
        let offset = offset(readings).unwrap();
        let round = |ns: f64| (ns / 1e6).round();
        (round(offset.ns), round(offset.uncertainty_ns))
    }

    #[test]
    fn the_narrowest_range_that_all_readings_allow() {
        assert_eq!(ms(&[reading(0, 10, 5_000)]), (5_000.0, 10.0));
        // From 4990 to 5010, and from 5006 to 5010.
        assert_eq!(
            ms(&[reading(0, 10, 5_000), reading(900, 2, 5_008)]),
            (5_008.0, 2.0)
        );
        assert_eq!(
            ms(&[reading(0, 10, 5_000), reading(900, 2, 5_010)]),
            (5_009.0, 1.0)
        );
    }

    #[test]
    fn clocks_that_drift_apart_widen_it() {
        assert_eq!(ms(&[reading(0, 1, -100), reading(900, 1, -80)]), (-90.0, 11.0));
        assert!(offset(&[]).is_none());
    }

    #[test]
    fn a_clock_is_ours_if_it_was_read_between_two_of_ours() {
        assert!(reading(0, 5, 3).is_ours());
        assert!(!reading(0, 5, 6).is_ours() && !reading(0, 5, -6).is_ours());
        assert!(!reading(0, 0, 0).is_ours());
    }
}
