//! What `vanish` saw: how long each server kept a client that died without a word. Filled in by `lab`,
//! drawn by `report`, and as JSON of the same family as a run's.

use serde::{Deserialize, Serialize};

use super::{Absent, Envelope, Environment, Scenario};
use crate::theory::Cause;

/// Everything one `mailcall vanish` prints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vanishing {
    /// What every result begins with.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// The machine it ran on.
    pub environment: Environment,
    /// What was asked for. Every other row has its heartbeats turned off.
    pub scenario: Scenario,
    /// How long servers were watched.
    pub patience_ms: f64,
    /// What is not measured but modelled after a kernel.
    pub modelled: Modelled,
    /// One row for each technique, two for one that has heartbeats.
    pub results: Vec<Row>,
    /// Techniques that were asked for and cannot exist in this scenario.
    #[serde(default)]
    pub absent: Vec<Absent>,
}

/// The kernel's part, which the link plays.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Modelled {
    /// What a send buffer takes.
    pub send_buffer_bytes: usize,
    /// The first retransmission's timeout; each further one is twice as long, up to 120 s.
    pub retransmission_timeout_ms: f64,
    /// After how long without an acknowledgement a connection breaks.
    pub gives_up_after_ms: f64,
}

/// What one technique's server did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The technique's name in the registry.
    pub technique: String,
    /// The silence after which the server sent a heartbeat; `None` without.
    pub heartbeat_ms: Option<f64>,
    /// From the vanishing until the server had let go of the last connection; `None` if it had not, or
    /// had none.
    pub noticed_ms: Option<f64>,
    /// Until it had let go of the first.
    pub first_noticed_ms: Option<f64>,
    /// What it noticed the last one by, as far as its doings show.
    pub by: Option<Cause>,
    /// Its connections.
    pub connections: Kept,
    /// The mail.
    pub mails: Told,
    /// What the kernel held to the last, as modelled, in all send buffers together: bytes that the
    /// server has written and nobody gets.
    pub buffered_bytes: u64,
    /// Bytes from clients that were under way and never arrived.
    pub lost_up_bytes: u64,
    /// What is predicted; `None` where that says that nothing is noticed in time.
    pub predicted: Option<Foretold>,
}

/// Connections of clients that vanished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Open at that instant.
    pub held: u64,
    /// Of these, let go of since.
    pub let_go: u64,
}

/// Mail before and after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Delivered before, summed over clients.
    pub delivered: u64,
    /// Arrived at the server since.
    pub arrived_since: u64,
}

/// When a server notices, as predicted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Foretold {
    /// At the earliest.
    pub earliest_ms: f64,
    /// At the latest.
    pub latest_ms: f64,
    /// By what.
    pub by: Cause,
}
