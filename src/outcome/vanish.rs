//! The result of `vanish`: how long each server kept a client that died without closing. `lab` makes it,
//! `report` draws it, and its JSON is of the same family as a run's.

use serde::{Deserialize, Serialize};

use super::{Absent, Envelope, Environment, Scenario};
use crate::theory::Cause;

/// Everything one `mailcall vanish` prints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vanishing {
    /// The fields that every result begins with.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// The machine it ran on.
    pub environment: Environment,
    /// The scenario. Rows without heartbeats turn them off.
    pub scenario: Scenario,
    /// How long servers were watched.
    pub patience_ms: f64,
    /// What is modelled after a kernel instead of measured.
    pub modelled: Modelled,
    /// One row for each technique, two for one that has heartbeats.
    pub results: Vec<Row>,
    /// Techniques that were asked for and cannot exist in this scenario.
    #[serde(default)]
    pub absent: Vec<Absent>,
}

/// The kernel's limits, which the link imitates.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Modelled {
    /// The size of a send buffer.
    pub send_buffer_bytes: usize,
    /// The first retransmission's timeout; each further one is twice as long, up to 120 s.
    pub retransmission_timeout_ms: f64,
    /// How long a connection goes without an acknowledgement until it breaks.
    pub gives_up_after_ms: f64,
}

/// What one technique's server did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The technique's name in the registry.
    pub technique: String,
    /// The silence after which the server sent a heartbeat; `None` if it sends none.
    pub heartbeat_ms: Option<f64>,
    /// From the vanishing until the server had let go of its last connection; `None` if it had not, or had none.
    pub noticed_ms: Option<f64>,
    /// Until it had let go of the first.
    pub first_noticed_ms: Option<f64>,
    /// How it noticed that the last client was gone, as far as its actions show.
    pub by: Option<Cause>,
    /// Its connections.
    pub connections: Kept,
    /// The mail.
    pub mails: MailCounts,
    /// Bytes in all send buffers at the end, by the model: the server has written them and nobody gets them.
    pub buffered_bytes: u64,
    /// Bytes from clients that were on their way and never arrived.
    pub lost_up_bytes: u64,
    /// The prediction; `None` if it says that the server notices nothing in time.
    pub predicted: Option<PredictedNotice>,
}

/// Connections of clients that vanished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Open when the clients vanished.
    pub held: u64,
    /// How many of these the server has let go of since.
    pub let_go: u64,
}

/// Mail before and after the vanishing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailCounts {
    /// Delivered before it, summed over clients.
    pub delivered: u64,
    /// Arrived at the server since then.
    pub arrived_since: u64,
}

/// When a server should notice, by the prediction.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictedNotice {
    /// At the earliest.
    pub earliest_ms: f64,
    /// At the latest.
    pub latest_ms: f64,
    /// How it notices.
    pub by: Cause,
}

/// Everything one `mailcall vanish --nat` prints: simulated, because it is about minutes and hours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Forgetting {
    /// The fields that every result begins with.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// The scenario of the first row; the NAT is part of its link.
    pub scenario: Scenario,
    /// One row for each technique and each of its intervals.
    pub results: Vec<Remembered>,
    /// Techniques that were asked for and are not possible in this scenario.
    pub absent: Vec<Absent>,
}

/// What came through a NAT.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Remembered {
    /// The technique's name in the registry.
    pub technique: String,
    /// The flag that says how long it may be silent: `heartbeat`, `hold` or `interval`.
    pub flag: String,
    /// The flag's value.
    pub every_ms: f64,
    /// Mails that were sent, over all clients.
    pub expected: u64,
    /// Mails that were delivered.
    pub delivered: u64,
    /// The number of the first mail that did not come; `None` if all came.
    pub first_missing: Option<u64>,
    /// How often a client had to connect again.
    pub reconnects: u64,
}
