//! Events and their times: mail that arrived, requests, connections, transports that were tried.

use serde::{Deserialize, Serialize};

/// Bytes of requests that say which client it is (a cookie) and how far it has read (its cursor). A stateless
/// server needs them in each request, a stateful one once. They are counted in `bytes` of the outcome, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateBytes {
    /// How often.
    pub times: u64,
    /// How many bytes; in HTTP/2, the bytes of the fields as they crossed.
    pub bytes: u64,
}

/// A transport that a client tried, where it may have to try several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Which client, from 0.
    pub client: usize,
    /// The name that its protocol gives the transport.
    pub transport: String,
    /// When it began, in microseconds from the beginning of the first attempt.
    pub t_us: f64,
    /// How long it took until it worked or failed.
    pub took_us: f64,
    /// Why it did not work; `None` if it did.
    pub failed: Option<String>,
}

/// What became of `EventSource`s (WHATWG HTML, section 9.2) that failed. One that only loses its connection
/// reconnects by itself, and is not counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventSources {
    /// How often an application started a new one. A new one sends no `Last-Event-ID`, but `after=` in its URL.
    pub restarted: u64,
    /// How many clients gave theirs up, because a new one would have failed, too.
    pub ended: u64,
    /// Why the last one failed; `None` if none did.
    pub why: Option<String>,
}

impl EventSources {
    /// The sum over clients or runs; `None` if none of them has any.
    pub fn sum<'a>(each: impl Iterator<Item = Option<&'a EventSources>>) -> Option<EventSources> {
        each.flatten().cloned().reduce(|sum, next| EventSources {
            restarted: sum.restarted + next.restarted,
            ended: sum.ended + next.ended,
            why: next.why.or(sum.why),
        })
    }
}

/// Something that happened during a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Microseconds since the schedule's start; negative while clients get ready.
    pub t_us: f64,
    /// Which client, from 0; for `arrived`, `None`.
    pub client: Option<usize>,
    /// What happened.
    pub kind: EventKind,
    /// The mail's number, if the event is about a mail.
    pub mail: Option<u64>,
}

/// The kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// A mail was due in the mailbox.
    Arrived,
    /// A client sent a GET.
    Requested,
    /// The request was answered in full.
    Answered,
    /// The request was answered with an error, or not to the end; or a stream or WebSocket could not be
    /// established.
    Failed,
    /// A client's application holds a decoded mail.
    Delivered,
    /// A stream or WebSocket was established.
    Opened,
    /// A stream or WebSocket ended.
    Closed,
    /// A request waits for a free connection of its browser (`--tabs`).
    Queued,
    /// It got one.
    Dequeued,
}
