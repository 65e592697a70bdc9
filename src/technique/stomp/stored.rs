//! The messages that a broker keeps, and the limits on them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;

use crate::wire::stomp::Frame;

/// The limits of a broker.
#[derive(Clone, Copy, Debug)]
pub struct BrokerLimits {
    /// The most sessions at once.
    pub sessions: usize,
    /// The most subscriptions of a session.
    pub subscriptions: usize,
    /// The most open transactions of a session.
    pub transactions: usize,
    /// The most frames in a transaction.
    pub in_transaction: usize,
    /// The most topics and queues, not counting those of the mail.
    pub destinations: usize,
    /// The most topics and queues created by one session.
    pub session_destinations: usize,
    /// The most bytes in queues and transactions sent by one session.
    pub session_bytes: usize,
    /// The most bytes that a session queues for its client; one message may exceed it.
    pub session_queued: usize,
    /// How long a queue without consumers is kept.
    pub queue_idle: Duration,
    /// The most messages of a topic that some reader has not read yet.
    pub log: usize,
    /// The most messages in a queue.
    pub queue: usize,
    /// The most unacknowledged messages of a subscription to a queue.
    pub unacknowledged: usize,
    /// The most bytes in all topics, and also in all queues and transactions together.
    pub bytes: usize,
}

impl Default for BrokerLimits {
    fn default() -> BrokerLimits {
        BrokerLimits {
            sessions: 20_000,
            subscriptions: 100,
            transactions: 16,
            in_transaction: 1_000,
            destinations: 10_000,
            session_destinations: 200,
            session_bytes: 4 << 20,
            session_queued: 64 << 10,
            queue_idle: Duration::from_secs(300),
            log: 1_000,
            queue: 10_000,
            unacknowledged: 256,
            bytes: 64 << 20,
        }
    }
}

/// A destination to send or subscribe to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A mail topic, by its index in the scenario's list.
    Mail(usize),
    /// Any other topic.
    Topic(String),
    /// A queue.
    Queue(String),
    /// The server's application, for reports that mail was read.
    Read,
    /// The server's application, for messages that clients send on their own initiative.
    Say,
}

/// Why the broker refuses something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("destinations here are /topic/NAME, /queue/NAME, /app/read and /app/say")]
    Destination,
    #[error("too many topics and queues")]
    TooManyDestinations,
    #[error("this session has brought too many topics and queues into being")]
    ShareOfDestinations,
    #[error("the broker holds as much of this session as of any one")]
    ShareOfBytes,
    #[error("the queue is full")]
    QueueFull,
    #[error("the broker holds as much as it can")]
    Full,
    #[error("a mail that is not text has to be application/octet-stream: its length, JSON, attachment")]
    NotMail,
}

/// A message in a topic or queue.
#[derive(Debug)]
pub struct Stored {
    /// The `destination` as it was sent.
    pub destination: String,
    /// The sender's headers.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Bytes,
    /// The session that sent it.
    pub sender: u64,
}

/// Memory that a message takes in addition to its contents, bytes.
pub const OVERHEAD: usize = 200;

/// Headers that are for the broker only, or that the broker sets itself.
pub const NOT_PASSED_ON: &[&str] = &[
    "destination",
    "receipt",
    "transaction",
    "content-length",
    "subscription",
    "message-id",
    "ack",
    "redelivered",
];

impl Stored {
    /// Makes a message from a SEND. The body is copied: it would keep the whole read buffer in memory.
    pub fn new(frame: &Frame, destination: &str, sender: u64) -> Stored {
        Stored {
            sender,
            destination: destination.into(),
            headers: passed_on(frame, NOT_PASSED_ON),
            body: Bytes::copy_from_slice(&frame.body),
        }
    }

    /// Memory that it takes, bytes.
    pub fn size(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(n, v)| n.len() + v.len() + 48).sum();
        OVERHEAD + self.destination.len() + headers + self.body.len()
    }
}

pub fn passed_on(frame: &Frame, except: &[&str]) -> Vec<(String, String)> {
    let kept = frame
        .headers
        .iter()
        .filter(|(name, _)| !except.contains(&name.as_str()));
    kept.cloned().collect()
}

/// Wakes a session that has something to read.
pub type Bell = Arc<Notify>;

/// The number of a reader of a topic or queue.
pub type Reader = u64;

/// A message in a queue.
#[derive(Clone, Debug)]
pub struct Queued {
    /// Its number, which gives its position.
    pub number: u64,
    /// The message.
    pub message: Arc<Stored>,
    /// Whether a consumer had it before.
    pub redelivered: bool,
    /// The consumer that refused it; it gets the message again only if there is no other.
    pub refused_by: Option<Reader>,
}

/// The most to read at a time. One message is always allowed, however long it is.
#[derive(Clone, Copy, Debug)]
pub struct Most {
    /// The number of messages.
    pub messages: usize,
    /// Their size in bytes.
    pub bytes: usize,
}

impl Most {
    /// Without limits.
    pub const ALL: Most = Most {
        messages: usize::MAX,
        bytes: usize::MAX,
    };

    /// How many messages of these sizes are within the limits.
    pub fn of(self, sizes: impl Iterator<Item = usize>) -> usize {
        let mut left = self.bytes;
        let fits = |(n, size): &(usize, usize)| {
            let fits = *n == 0 || *size <= left;
            left = left.saturating_sub(*size);
            fits
        };
        sizes.take(self.messages).enumerate().take_while(fits).count()
    }
}

/// A reader of a topic has missed messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FellBehind;
