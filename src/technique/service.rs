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
use super::talk::{Heard, Said};
use crate::mail::Mailbox;
use crate::outcome::Scenario;

/// Handed to a technique's `serve`; cloned into every request.
#[derive(Clone, Debug)]
pub struct Service {
    /// The log to read from.
    pub mailbox: Arc<Mailbox>,
    /// What was asked for.
    pub scenario: Arc<Scenario>,
    /// What a response carries besides the necessary.
    pub headers: Arc<Headers>,
    /// Cancelled when every open answer is to be ended.
    pub shutdown: CancellationToken,
    /// Counts what clients answered.
    pub replies: Arc<watch::Sender<u64>>,
    /// Keeps what clients said of their own accord.
    pub heard: Arc<Heard>,
    /// How long a client may take to send a request's body: [`BODY_TIMEOUT`].
    pub body_timeout: Duration,
    /// What the protocols on top leave to a server's choice.
    pub tuning: Tuning,
    /// What else WebSockets at `/ws` can speak.
    pub subprotocols: Arc<Subprotocols>,
}

/// Subprotocols (RFC 6455, section 1.9) of techniques that have a WebSocket of their own, for clients that
/// ask for them on the general one.
#[derive(Default)]
pub struct Subprotocols(RwLock<Vec<Subprotocol>>);

/// One of them.
#[derive(Clone)]
pub struct Subprotocol {
    /// Its registered name.
    pub name: &'static str,
    /// What to do with a connection that was upgraded to it.
    pub speak: Speak,
}

/// What to do with an upgraded connection.
pub type Speak = Arc<dyn Fn(Stream) -> BoxFuture<'static, ()> + Send + Sync>;

impl Subprotocols {
    /// Offers one.
    pub fn offer(&self, subprotocol: Subprotocol) {
        let mut all = self.0.write();
        all.push(subprotocol);
    }

    /// Finds the one of a name.
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

/// What WebSocket, SockJS and Socket.IO leave to a server's choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// Sends back what arrives, and has the endpoints that conformance suites expect. `/ws` brings no mail then.
    pub echo: bool,
    /// Engine.IO: from ping to ping (`pingInterval`); `None` is the scenario's heartbeat.
    pub ping_interval: Option<Duration>,
    /// Engine.IO: how long a client may take to answer one (`pingTimeout`).
    pub ping_timeout: Duration,
    /// The largest message that is taken, bytes (Engine.IO's `maxPayload`); `None` is what each protocol's
    /// clients need.
    pub max_payload: Option<usize>,
    /// SockJS: how many bytes a streaming response has before it is ended and another asked for.
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
    /// The largest message that SockJS and Socket.IO take, bytes.
    pub fn max_payload(&self) -> usize {
        self.max_payload.unwrap_or(MAX_BODY)
    }
}

impl Service {
    /// A client's application answered a mail.
    pub fn replied(&self) {
        self.replies.send_modify(|n| *n += 1);
    }

    /// A message of a client's application came.
    pub fn told(&self, said: Said) {
        self.heard.hear(said);
    }
}

/// How many mails a stream takes from the log at a time: enough to fill a write, and all that a client
/// that does not read keeps the log from dropping.
pub const BATCH: usize = 32;

/// What an answer says that has 503: when to ask again, in seconds (RFC 9110, section 10.2.3).
pub const ASK_LATER: (HeaderName, HeaderValue) = (RETRY_AFTER, HeaderValue::from_static("5"));

/// With so many bytes a server begins to send what a client has missed, where an answer arrives whole or not
/// at all: with twice as many the next time. So a client gets on over a link that breaks every few kB.
pub const FIRST_BATCH: usize = 2_048;

/// The largest request body or message a server takes, bytes.
pub const MAX_BODY: usize = 64 * 1024;

/// Long enough for a slow link, short enough that a client that never finishes is not kept for long.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(10);
