//! Pushing, by Server-Sent Events or WebSocket: the client asked once, and each mail leaves the
//! instant it comes, as an event or a frame of its own.

use super::Latency;

/// Latency of pushing: one transit, R/2, for every mail. Mail does not wait, so the worst case is the mean.
pub fn push_latency(rtt: f64) -> Latency {
    Latency {
        mean: rtt / 2.0,
        max: rtt / 2.0,
    }
}

/// How many heartbeats a server writes until the last mail, if it writes one after each `heartbeat` of
/// silence: Σ ⌊gap/heartbeat⌋.
///
/// Every write, a heartbeat too, restarts the silence; so a gap between two mails holds as many heartbeats
/// as whole periods fit into it, and none is carried over to the next gap. The first gap began when the
/// stream was opened, `lead` before the schedule. WebSocket has pings for this (RFC 6455, section 5.5.2),
/// SSE comment lines, which the HTML standard suggests about every 15 s (section 9.2.7).
pub fn heartbeats(due: &[f64], heartbeat: f64, lead: f64) -> u64 {
    let mut last = -lead;
    due.iter()
        .map(|a| ((a - std::mem::replace(&mut last, *a)) / heartbeat).floor() as u64)
        .sum()
}
