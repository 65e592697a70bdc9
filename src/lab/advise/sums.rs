//! Sums of what simulated stretches cost.

use crate::outcome::Outcome;

pub fn mean_delay(outcome: &Outcome) -> f64 {
    outcome.latency_us.as_ref().map_or(0.0, |l| l.mean / 1e6)
}

/// What one client costs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sums {
    /// HTTP requests.
    pub requests: f64,
    /// WebSocket data frames and events, in both directions.
    pub messages: f64,
    /// Bytes to the server.
    pub up: f64,
    /// Bytes from it.
    pub down: f64,
    /// Bytes in both directions, without payload.
    pub overhead: f64,
}

impl Sums {
    /// Of a run: the mean over its clients.
    pub fn of(o: &Outcome) -> Sums {
        let each = o.mails.sent as f64 / o.mails.expected.max(1) as f64;
        let messages = o.messages.down.unwrap_or(0) + o.messages.up.unwrap_or(0);
        Sums {
            requests: o.requests.total as f64 * each,
            messages: messages as f64 * each,
            up: o.bytes.up.total as f64 * each,
            down: o.bytes.down.total as f64 * each,
            overhead: o.overhead_bytes as f64 * each,
        }
    }

    /// Of bytes without payload.
    pub fn overhead(up: f64, down: f64) -> Sums {
        Sums {
            up,
            down,
            overhead: up + down,
            ..Sums::default()
        }
    }

    /// Bytes in both directions.
    pub fn bytes(self) -> f64 {
        self.up + self.down
    }

    /// Everything multiplied by a factor.
    pub fn times(self, factor: f64) -> Sums {
        Sums::default().plus(factor, self)
    }

    /// `self + factor · other`
    pub fn plus(self, factor: f64, other: Sums) -> Sums {
        Sums {
            requests: self.requests + factor * other.requests,
            messages: self.messages + factor * other.messages,
            up: self.up + factor * other.up,
            down: self.down + factor * other.down,
            overhead: self.overhead + factor * other.overhead,
        }
    }
}
