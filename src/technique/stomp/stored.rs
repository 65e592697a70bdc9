//! What a broker keeps of a message, and how much it keeps of all.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;

use crate::wire::stomp::Frame;

/// What a broker puts up with.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Sessions at once.
    pub sessions: usize,
    /// Subscriptions of a session.
    pub subscriptions: usize,
    /// Transactions that a session has begun and not ended.
    pub transactions: usize,
    /// Frames in one.
    pub in_transaction: usize,
    /// Topics and queues, those of the mail left out.
    pub destinations: usize,
    /// Those of them that one session may have brought into being.
    pub session_destinations: usize,
    /// Bytes in queues and transactions that one session may have sent.
    pub session_bytes: usize,
    /// Bytes that a session may have queued for its client; one message may go beyond.
    pub session_queued: usize,
    /// How long a queue is kept that nobody consumes from.
    pub queue_idle: Duration,
    /// Messages of a topic that someone has yet to read.
    pub log: usize,
    /// Messages in a queue.
    pub queue: usize,
    /// Messages that a subscription to a queue has got and not acknowledged.
    pub unacknowledged: usize,
    /// Bytes in all topics, and as many again in all queues and transactions.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
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

/// Where a frame is sent, or what is subscribed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A topic of the mail, by its place in the scenario's list.
    Mail(usize),
    /// Any other topic.
    Topic(String),
    /// A queue.
    Queue(String),
    /// The server's application, which hears that mail was read.
    Read,
    /// The same, which hears what clients say of their own accord.
    Say,
}

/// Why the broker does not do something.
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
    /// As it was sent.
    pub destination: String,
    /// What its sender said of it.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Bytes,
    /// The session that sent it.
    pub sender: u64,
}

/// What a message takes besides its text.
pub const OVERHEAD: usize = 200;

/// Headers that mean something between a sender and the broker, or that the broker sets itself.
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
    /// Takes from a SEND what is passed on. The body is copied: it would hold on to all that came with it.
    pub fn new(frame: &Frame, destination: &str, sender: u64) -> Stored {
        Stored {
            sender,
            destination: destination.into(),
            headers: passed_on(frame, NOT_PASSED_ON),
            body: Bytes::copy_from_slice(&frame.body),
        }
    }

    /// Bytes it takes.
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

/// One who reads a topic or queue.
pub type Reader = u64;

/// A message of a queue.
#[derive(Clone, Debug)]
pub struct Queued {
    /// Its place.
    pub number: u64,
    /// The message.
    pub message: Arc<Stored>,
    /// Whether someone had it before.
    pub redelivered: bool,
    /// Who did not want it, and gets it again only if there is nobody else.
    pub refused_by: Option<Reader>,
}

/// How much is read at a time: one message however long, and more as long as they fit.
#[derive(Clone, Copy, Debug)]
pub struct Most {
    /// Messages.
    pub messages: usize,
    /// Their bytes.
    pub bytes: usize,
}

impl Most {
    /// All there is.
    pub const ALL: Most = Most {
        messages: usize::MAX,
        bytes: usize::MAX,
    };

    /// How many of messages of these sizes it is.
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

/// A reader of a topic that missed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FellBehind;
