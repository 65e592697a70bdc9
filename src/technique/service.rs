//! What a technique's server half works with.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::header::{HeaderName, HeaderValue, RETRY_AFTER};
use parking_lot::RwLock;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::headers::Headers;
use super::stream::Stream;
use super::talk::{ClientMessage, ReceivedMessages};
use crate::mail::{Mailbox, Share};
use crate::outcome::Scenario;

/// The input of a technique's `serve` function; cloned for every request.
#[derive(Clone, Debug)]
pub struct Service {
    /// The log to read from.
    pub mailbox: Arc<Mailbox>,
    /// The scenario of the run.
    pub scenario: Arc<Scenario>,
    /// Header fields that a response carries beyond the necessary ones.
    pub headers: Arc<Headers>,
    /// Cancelled when every open answer is to end.
    pub shutdown: CancellationToken,
    /// Counts the replies of clients.
    pub replies: Arc<watch::Sender<u64>>,
    /// Keeps the messages that clients sent on their own initiative.
    pub received: Arc<ReceivedMessages>,
    /// How long a client may take to send a request's body: [`BODY_TIMEOUT`].
    pub body_timeout: Duration,
    /// Settings that the layered protocols leave to a server.
    pub tuning: Tuning,
    /// Further subprotocols that WebSockets at `/ws` can use.
    pub subprotocols: Arc<Subprotocols>,
}

/// Subprotocols (RFC 6455, section 1.9) of techniques that have their own WebSocket endpoint, for clients
/// that ask for them at the general endpoint `/ws`.
#[derive(Default)]
pub struct Subprotocols(RwLock<Vec<Subprotocol>>);

/// A subprotocol of WebSocket.
#[derive(Clone)]
pub struct Subprotocol {
    /// Its registered name.
    pub name: &'static str,
    /// Handles a connection that was upgraded to it.
    pub speak: Speak,
}

/// Handles an upgraded connection.
pub type Speak = Arc<dyn Fn(Stream) -> BoxFuture<'static, ()> + Send + Sync>;

impl Subprotocols {
    /// Adds a subprotocol to the offer.
    pub fn offer(&self, subprotocol: Subprotocol) {
        let mut all = self.0.write();
        all.push(subprotocol);
    }

    /// Finds a subprotocol by its name.
    pub fn named(&self, name: &str) -> Option<Subprotocol> {
        let all = self.0.read();
        all.iter().find(|s| s.name == name).cloned()
    }
}

impl fmt::Debug for Subprotocols {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.0.read();
        f.debug_list().entries(all.iter().map(|s| s.name)).finish()
    }
}

/// Settings that WebSocket, SockJS and Socket.IO leave to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// Sends messages back, and has the endpoints of conformance suites. `/ws` then delivers no mail.
    pub echo: bool,
    /// Engine.IO: time between two pings (`pingInterval`); `None` is the scenario's heartbeat.
    pub ping_interval: Option<Duration>,
    /// Engine.IO: how long a client may take to answer a ping (`pingTimeout`).
    pub ping_timeout: Duration,
    /// The largest message that is accepted, bytes (Engine.IO's `maxPayload`); `None` is what each protocol's
    /// clients need.
    pub max_payload: Option<usize>,
    /// SockJS: the size in bytes at which a streaming response ends and the client has to ask for another.
    pub response_limit: usize,
}

impl Default for Tuning {
    fn default() -> Self {
        Tuning {
            echo: false,
            ping_interval: None,
            ping_timeout: Duration::from_secs(20),
            max_payload: None,
            response_limit: 128 * 1024,
        }
    }
}

impl Tuning {
    /// The largest message that SockJS and Socket.IO accept, bytes.
    pub fn max_payload(&self) -> usize {
        self.max_payload.unwrap_or(MAX_BODY)
    }
}

impl Service {
    /// Counts what is taken out of the log for a client, in a scenario where clients read slowly.
    pub fn share(&self) -> Share {
        match self.scenario.slow {
            0 => Share::default(),
            _ => Share::of(self.mailbox.backlog()),
        }
    }

    /// Counts a client's reply to a mail.
    pub fn replied(&self) {
        self.replies.send_modify(|n| *n += 1);
    }

    /// Records a message that a client sent on its own initiative.
    pub fn record_message(&self, message: ClientMessage) {
        self.received.record(message);
    }
}

/// How many mails a stream takes from the log at a time: enough to fill a write. A client that does not read
/// keeps no more than these in memory.
pub const BATCH: usize = 32;

/// The `Retry-After` field of a 503 answer, in seconds (RFC 9110, section 10.2.3).
pub const ASK_LATER: (HeaderName, HeaderValue) = (RETRY_AFTER, HeaderValue::from_static("5"));

/// Bytes of the first batch of missed mail, where an answer arrives whole or not at all; each further batch
/// is twice as large. So a client makes progress on a link that breaks every few kB.
pub const FIRST_BATCH: usize = 2_048;

/// The largest request body or message that a server accepts, bytes.
pub const MAX_BODY: usize = 64 * 1024;

/// How long a client may take to send a body: enough on a slow link, short for a client that stalls.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(10);
