//! What a technique's client half works with: a cursor, and an inbox that checks what arrives.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_rustls::rustls::ClientConfig;
use tokio_util::sync::CancellationToken;

use super::origin::{self, Origin};
use super::service::Stream;
use super::talk::Says;
use super::Headers;
use crate::mail::Received;
use crate::outcome::{Closer, EventKind, Scenario};

/// Handed to a technique's `client`.
#[derive(Debug)]
pub struct Client {
    /// Which one, from 0.
    pub number: usize,
    /// Where the server is.
    pub origin: Origin,
    /// Whom to trust, where the connection is encrypted; with the memory of this client's sessions.
    pub tls: Option<ClientConfig>,
    /// What was asked for.
    pub scenario: Arc<Scenario>,
    /// What a request carries besides the necessary.
    pub headers: Arc<Headers>,
    /// Where mail goes.
    pub inbox: Inbox,
    /// What its application wants said of its own accord.
    pub says: Says,
    /// When the schedule starts.
    pub start: Start,
    /// Cancelled when the run is over: close in order, don't reconnect.
    pub stop: CancellationToken,
}

impl Client {
    /// Whether this side is to end an open stream now; if the server is to, this never returns.
    pub async fn should_close(&self) {
        match self.scenario.closer {
            Closer::Client => self.stop.cancelled().await,
            Closer::Server => std::future::pending().await,
        }
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// If nobody listens there, or the server cannot prove who it is.
    pub async fn dial(&self) -> anyhow::Result<Stream> {
        origin::dial(&self.origin, self.tls.as_ref()).await
    }

    /// Waits before reconnecting; false if the run is over instead.
    pub async fn pause(&self, duration: Duration) -> bool {
        tokio::select! {
            () = self.stop.cancelled() => false,
            () = tokio::time::sleep(duration) => !self.stop.is_cancelled(),
        }
    }
}

/// The instant the schedule counts from, once it is known.
#[derive(Clone, Debug)]
pub struct Start(watch::Receiver<Option<Instant>>);

impl Start {
    /// Made by whoever starts the run.
    pub fn new(receiver: watch::Receiver<Option<Instant>>) -> Start {
        Start(receiver)
    }

    /// Waits until it is known. It may lie in the future.
    pub async fn known(&self) -> Instant {
        match self.0.clone().wait_for(Option::is_some).await.map(|i| *i) {
            Ok(Some(instant)) => instant,
            _ => std::future::pending().await,
        }
    }

    fn now(&self) -> Option<Instant> {
        *self.0.borrow()
    }
}

/// What one client saw.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The number of the last mail seen: the client's whole state.
    pub cursor: u64,
    /// From due to delivered, microseconds, in order of delivery.
    pub latencies_us: Vec<f64>,
    /// Mails seen before.
    pub duplicated: u64,
    /// Mails with a lower number than the last one seen for the first time.
    pub reordered: u64,
    /// Mails the server said it no longer had.
    pub gap: u64,
    /// What happened when, if this client is watched.
    pub events: Vec<(Instant, EventKind, Option<u64>)>,
    /// Why a connection last failed.
    pub trouble: Option<String>,
    seen: Vec<u64>,
}

/// A client's mail. Shared with the lab, which reads the record when the run is over.
#[derive(Clone, Debug)]
pub struct Inbox {
    record: Arc<Mutex<Record>>,
    due: Arc<[Duration]>,
    start: Start,
    max_events: usize,
    complete: watch::Sender<u64>,
}

impl Inbox {
    /// An empty inbox that expects one mail for each instant in `due`, and reports its completion
    /// by adding one to `complete`.
    pub fn new(due: Arc<[Duration]>, start: Start, max_events: usize, complete: watch::Sender<u64>) -> Inbox {
        Inbox {
            record: Arc::default(),
            due,
            start,
            max_events,
            complete,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was seen so far.
    pub fn record(&self) -> Record {
        self.lock().clone()
    }

    /// The number of the last mail seen.
    pub fn cursor(&self) -> u64 {
        self.lock().cursor
    }

    /// How many mails were seen for the first time.
    pub fn delivered(&self) -> u64 {
        self.lock().latencies_us.len() as u64
    }

    /// Whether all mail that will ever come is accounted for.
    pub fn complete(&self) -> bool {
        self.lock().cursor >= self.due.len() as u64
    }

    /// The application holds a decoded mail. Returns whether it had not seen it before.
    pub fn deliver(&self, mail: &Received) -> bool {
        let now = Instant::now();
        let mut record = self.lock();
        let index = usize::try_from(mail.id).ok().and_then(|id| id.checked_sub(1));
        let Some(due) = index.and_then(|i| self.due.get(i)) else {
            record.trouble = Some(format!("mail {} was never sent", mail.id));
            return false;
        };
        if !record.mark(mail.id) {
            record.duplicated += 1;
            return false;
        }
        if let Some(start) = self.start.now() {
            record
                .latencies_us
                .push(now.saturating_duration_since(start + *due).as_secs_f64() * 1e6);
        }
        if mail.id < record.cursor {
            record.reordered += 1;
        }
        self.note(&mut record, now, EventKind::Delivered, Some(mail.id));
        self.advance(record, mail.id);
        true
    }

    /// The server said that it no longer has the `missed` mails after the cursor.
    pub fn missed(&self, missed: u64) {
        let mut record = self.lock();
        record.gap += missed;
        let cursor = record.cursor + missed;
        self.advance(record, cursor);
    }

    fn advance(&self, mut record: MutexGuard<'_, Record>, to: u64) {
        let all = self.due.len() as u64;
        let completes = record.cursor < all && to >= all;
        record.cursor = record.cursor.max(to);
        drop(record);
        if completes {
            self.complete.send_modify(|n| *n += 1);
        }
    }

    /// Something happened that a timeline shows.
    pub fn happened(&self, kind: EventKind) {
        let mut record = self.lock();
        self.note(&mut record, Instant::now(), kind, None);
    }

    fn note(&self, record: &mut Record, at: Instant, kind: EventKind, mail: Option<u64>) {
        if record.events.len() < self.max_events {
            record.events.push((at, kind, mail));
        }
    }

    /// A connection failed; if the run fails too, this says why.
    pub fn trouble(&self, error: &dyn std::fmt::Display) {
        self.lock().trouble = Some(format!("{error:#}"));
    }
}

impl Record {
    /// Remembers a number; false if it was known.
    fn mark(&mut self, id: u64) -> bool {
        let (word, bit) = ((id / 64) as usize, 1 << (id % 64));
        if self.seen.len() <= word {
            self.seen.resize(word + 1, 0);
        }
        let new = self.seen[word] & bit == 0;
        self.seen[word] |= bit;
        new
    }
}
