//! Constants that server and clients share: their paths and their limits.

use std::time::Duration;

use super::super::limit::MAX_MESSAGE;
use super::super::service::Tuning;
use crate::outcome::{Frames, Over, Scenario};
use crate::wire::stomp::FrameLimits;

/// The path of STOMP over its own WebSocket.
pub const PATH: &str = "/stomp";

/// The path of STOMP over SockJS.
pub const SOCKJS_PATH: &str = "/stomp-sockjs";

/// The interval of SockJS's heartbeats: so long that STOMP's heart-beats, where agreed on, replace them.
pub fn sockjs_heartbeat(scenario: &Scenario) -> Duration {
    scenario.heartbeat().saturating_mul(3)
}

/// The encoding of mail in bodies: SockJS carries text only.
pub fn frames_of(scenario: &Scenario) -> Frames {
    match scenario.over {
        Over::Ws => scenario.frames,
        Over::Sockjs => Frames::Text,
    }
}

/// The largest body that the broker accepts, bytes: more than a browser's client sends at once.
pub const MAX_BODY: usize = 1 << 20;

/// The broker's limits for a frame.
pub fn limits(tuning: &Tuning) -> FrameLimits {
    FrameLimits {
        headers: 64,
        line: 8 * 1024,
        body: tuning.max_payload.unwrap_or(MAX_BODY),
    }
}

/// The largest WebSocket message that the broker accepts, bytes: the largest frame.
pub fn max_message(tuning: &Tuning) -> usize {
    limits(tuning).body + 64 * 1024
}

/// A client's limits for a frame.
pub const CLIENT_LIMITS: FrameLimits = FrameLimits {
    headers: 256,
    line: 64 * 1024,
    body: MAX_MESSAGE,
};

/// A heart-beat counts as missing after this multiple of the agreed time, since timers and networks are late
/// (section "Heart-beating"), and after `LEAST_OVERDUE` at the earliest.
pub const OVERDUE: u32 = 2;

pub const LEAST_OVERDUE: Duration = Duration::from_secs(1);

pub fn overdue(every: Duration) -> Duration {
    (every * OVERDUE).max(LEAST_OVERDUE)
}
