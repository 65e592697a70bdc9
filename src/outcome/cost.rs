//! What clients cost in the long run, for one of them or for all.

use serde::{Deserialize, Serialize};

/// Costs in the long run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// HTTP requests.
    pub requests_per_s: f64,
    /// WebSocket data frames and events, in both directions; `None` for a technique without messages, and in files
    /// older than this key.
    #[serde(default)]
    pub messages_per_s: Option<f64>,
    /// All bytes, in both directions.
    pub bytes_per_day: f64,
    /// Bytes to the server; `None` in files older than this key.
    #[serde(default)]
    pub bytes_up_per_day: Option<f64>,
    /// Bytes from the server; `None` in files older than this key.
    #[serde(default)]
    pub bytes_down_per_day: Option<f64>,
    /// All bytes except payload.
    pub overhead_bytes_per_day: f64,
    /// Connections that are open on average, including idle ones until `scenario.keep_alive_ms` is over.
    pub connections: f64,
    /// Connections that a client opens while it stays: again after a close, or for its messages.
    #[serde(default)]
    pub opened_per_s: f64,
    /// Bytes that opening and ending a connection cost, each time.
    pub opening_bytes: f64,
    /// Requests that opening and ending a connection take in addition.
    pub opening_requests: f64,
}

impl Cost {
    /// The cost of this many clients.
    pub fn times(self, clients: f64) -> Cost {
        self.each(self, |cost, _| cost * clients)
    }

    /// Both together.
    pub fn plus(self, other: Cost) -> Cost {
        self.each(other, |one, two| one + two)
    }

    fn each(self, other: Cost, of: impl Fn(f64, f64) -> f64) -> Cost {
        let maybe = |one: Option<f64>, two: Option<f64>| match (one, two) {
            (None, None) => None,
            _ => Some(of(one.unwrap_or(0.0), two.unwrap_or(0.0))),
        };
        Cost {
            requests_per_s: of(self.requests_per_s, other.requests_per_s),
            messages_per_s: maybe(self.messages_per_s, other.messages_per_s),
            bytes_per_day: of(self.bytes_per_day, other.bytes_per_day),
            bytes_up_per_day: maybe(self.bytes_up_per_day, other.bytes_up_per_day),
            bytes_down_per_day: maybe(self.bytes_down_per_day, other.bytes_down_per_day),
            overhead_bytes_per_day: of(self.overhead_bytes_per_day, other.overhead_bytes_per_day),
            connections: of(self.connections, other.connections),
            opened_per_s: of(self.opened_per_s, other.opened_per_s),
            opening_bytes: of(self.opening_bytes, other.opening_bytes),
            opening_requests: of(self.opening_requests, other.opening_requests),
        }
    }
}
