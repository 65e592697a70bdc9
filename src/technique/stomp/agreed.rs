//! What server and clients agree on: where they meet, and what they put up with.

use std::time::Duration;

use super::super::limit::MAX_MESSAGE;
use super::super::service::Tuning;
use crate::outcome::{Frames, Over, Scenario};
use crate::wire::stomp::Limits;

/// Where it is spoken over a WebSocket of its own.
pub const PATH: &str = "/stomp";

/// Where over SockJS.
pub const SOCKJS_PATH: &str = "/stomp-sockjs";

/// STOMP's heart-beats keep SockJS's away, for those who want any.
pub fn sockjs_heartbeat(scenario: &Scenario) -> Duration {
    scenario.heartbeat().saturating_mul(3)
}

/// How mail stands in bodies: SockJS carries text only.
pub fn frames_of(scenario: &Scenario) -> Frames {
    match scenario.over {
        Over::Ws => scenario.frames,
        Over::Sockjs => Frames::Text,
    }
}

/// The largest body that the broker takes: what a browser's client sends at once has less.
pub const MAX_BODY: usize = 1 << 20;

/// What the broker puts up with in a frame.
pub fn limits(tuning: &Tuning) -> Limits {
    Limits {
        headers: 64,
        line: 8 * 1024,
        body: tuning.max_payload.unwrap_or(MAX_BODY),
    }
}

/// The largest WebSocket message it takes: such a frame.
pub fn max_message(tuning: &Tuning) -> usize {
    limits(tuning).body + 64 * 1024
}

/// What a client puts up with.
pub const CLIENT_LIMITS: Limits = Limits {
    headers: 256,
    line: 64 * 1024,
    body: MAX_MESSAGE,
};

/// Heart-beats are taken for missing when none came for so many times what was agreed on, since timers
/// and networks are late (section "Heart-beating"), and for so long.
pub const OVERDUE: u32 = 2;

pub const LEAST_OVERDUE: Duration = Duration::from_secs(1);

pub fn overdue(every: Duration) -> Duration {
    (every * OVERDUE).max(LEAST_OVERDUE)
}
