//! A server in a process of its own, so that its processor time, its memory and the descriptors of its
//! sockets are its own. The lab starts its own executable again and talks to it over the child's standard
//! streams, in lines of JSON. The server answers each order. Before the mail and after it, it also reports
//! each change of its status, at most once a millisecond:
//!
//! ```text
//! lab                                          server
//!   | {"technique":"ws","scenario":{…},…}        |
//!   |------------------------------------------->|
//!   |          {"ready":{"address":"127.0.0.1:…"}}
//!   |<-------------------------------------------|
//!   |          {"status":{"watchers":1,…}}       |   a client waits for mail
//!   |<-------------------------------------------|
//!   | {"publish":81726354}                       |   nanoseconds of CLOCK_MONOTONIC
//!   |------------------------------------------->|
//!   |          "done"                            |
//!   |<-------------------------------------------|
//!   | "close"                                    |
//!   |------------------------------------------->|
//!   |          {"left":{"sent":20,…}}            |
//!   |<-------------------------------------------|
//! ```
//!
//! When the lab's end of the pipe closes, for whatever reason, the server ends: it never outlives the lab.

mod process;
mod serve;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::server_record::{ServerRecord, Status};
use crate::link::Cut;
use crate::link::tls::Identity;
use crate::mail::LogAt;
use crate::outcome::Scenario;

pub use process::ServerProcess;
pub use serve::serve;

/// The subcommand that makes the executable be the server.
pub const COMMAND: &str = "serve-isolated";

/// The first message to the server. The server draws mail and headers itself, from the same scenario. The
/// names of their files are sent apart, because a scenario's JSON may not hold them exactly.
#[derive(Debug, Serialize, Deserialize)]
struct Instructions {
    technique: String,
    scenario: Scenario,
    replay: Option<OsString>,
    headers: OsString,
    cuts: Vec<Cut>,
    identity: Option<Identity>,
    /// The log, with the password if it has one: a scenario's JSON has none.
    log: LogAt,
}

/// The orders that follow; the server answers each.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Order {
    /// Report the status, changed or not.
    Status,
    /// Let mail arrive: the schedule starts at this many nanoseconds of the monotonic clock.
    Publish(u64),
    Settle,
    EndStreams,
    ShutDown,
    Close,
}

/// What the server sends.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Ready {
        address: SocketAddr,
        mails: usize,
    },
    /// A status report. It answers no order.
    Status(Status),
    Done,
    Left(Box<ServerRecord>),
    /// Why the server cannot go on.
    Failed(String),
}

/// An instant as nanoseconds of the monotonic clock, which all processes of a machine share.
#[cfg(unix)]
pub(super) fn to_nanos(at: Instant) -> u64 {
    let (here, there) = now_on_both();
    match at.checked_duration_since(here) {
        Some(ahead) => there + ahead.as_nanos() as u64,
        None => there - (here - at).as_nanos() as u64,
    }
}

/// The reverse of [`to_nanos`].
#[cfg(unix)]
pub(super) fn from_nanos(nanos: u64) -> Instant {
    use std::time::Duration;
    let (here, there) = now_on_both();
    match nanos.checked_sub(there) {
        Some(ahead) => here + Duration::from_nanos(ahead),
        None => here - Duration::from_nanos(there - nanos),
    }
}

/// The same moment as an [`Instant`] and in nanoseconds of the clock below it. The thread may be
/// interrupted between the two readings, so the pair with the least time in between is taken.
#[cfg(unix)]
fn now_on_both() -> (Instant, u64) {
    let read = |_| {
        let before = Instant::now();
        let clock = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let spread = before.elapsed();
        let nanos = clock.tv_sec as u64 * 1_000_000_000 + clock.tv_nsec as u64;
        (spread, before + spread / 2, nanos)
    };
    let first = read(0);
    let (_, here, there) = (1..8).map(read).fold(first, |a, b| if b.0 < a.0 { b } else { a });
    (here, there)
}

/// Without a clock that processes share there is nothing to convert to, and [`ServerProcess::start`] fails.
#[cfg(not(unix))]
pub(super) fn to_nanos(_at: Instant) -> u64 {
    0
}

/// See [`to_nanos`].
#[cfg(not(unix))]
pub(super) fn from_nanos(_nanos: u64) -> Instant {
    Instant::now()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn an_instant_survives_the_way_through_nanoseconds() {
        let now = Instant::now();
        for at in [now, now + Duration::from_secs(3), now - Duration::from_millis(5)] {
            let back = from_nanos(to_nanos(at));
            let off = back.max(at) - back.min(at);
            assert!(off < Duration::from_millis(1), "{off:?}");
        }
    }
}
