//! What the server's side of a run reports, from this process or from one of its own: its status while the
//! run lasts, and its record at the end.

use serde::{Deserialize, Serialize};

use super::talk::Known;
use crate::link::Totals;
use crate::mail::Backlogged;
use crate::outcome::{Balanced, Latency, Proxied};

/// How far the server's side of a run has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Clients that wait for mail.
    pub watchers: usize,
    /// Requests so far.
    pub requests: u64,
    /// Bytes so far, both ways.
    pub bytes: u64,
    /// Replies that reached the server so far.
    pub replies: u64,
    /// Messages of clients that reached the server so far, each counted once.
    pub heard: u64,
    /// Connections open now.
    pub connections: u64,
}

/// What the server's side recorded by its end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServerRecord {
    /// Mails appended.
    pub sent: u64,
    /// Replies that reached the server.
    pub replies: u64,
    /// What became of the messages that clients sent on their own initiative; `None` unless they talk.
    pub talk: Option<Known>,
    /// How late mails were appended, in microseconds; `None` if none was.
    pub late_us: Option<Latency>,
    /// What crossed the sockets of closed connections.
    pub totals: Totals,
    /// What the proxies in front of it did, in order from the client.
    #[serde(default)]
    pub proxies: Vec<Proxied>,
    /// Connections accepted.
    pub opened: u64,
    /// The most connections open at one instant.
    pub peak: u64,
    /// Connections still open: if this is not 0, the byte counts are not complete.
    pub open: u64,
    /// What waited for clients at the server; `None` where that was not counted.
    #[serde(default)]
    pub backlogged: Option<Backlogged>,
    /// What the server used; `None` if it shared its process.
    pub used: Option<Used>,
    /// What became of several servers behind a balancer; `None` for one.
    #[serde(default)]
    pub balanced: Option<Balanced>,
}

/// What a server in a process of its own used.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Used {
    /// Processor time from the announcement of the schedule to the last delivery, without the publisher's
    /// waiting and the lab's own questions.
    pub cpu_us: f64,
    /// Resident bytes that each connection added, at rest before the first mail; `None` if there was no
    /// connection then, or if the system does not report them.
    pub memory_bytes_per_connection: Option<f64>,
}
