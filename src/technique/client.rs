//! What a technique's client half works with: a cursor, and an inbox that checks what arrives.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_rustls::rustls::ClientConfig;
use tokio_util::sync::CancellationToken;

use super::Headers;
use super::origin::{self, Origin};
use super::publish::Outbox;
use super::service::Stream;
use super::talk::Says;
use crate::mail::Received;
use crate::outcome::{Attempt, Closer, EventKind, EventSources, Scenario};

/// From "all clients are ready" to the schedule's start.
pub const LEAD: Duration = Duration::from_millis(25);

/// Handed to a technique's `client`.
#[derive(Debug)]
pub struct Client {
    /// Which one, from 0.
    pub number: usize,
    /// Where the server is.
    pub origin: Origin,
    /// The socket of a relay that carries the connections there, and encrypts them where that is wanted.
    pub via: Option<Arc<Path>>,
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
    /// What it publishes, if that is what it is there for.
    pub outbox: Option<Outbox>,
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
        match &self.via {
            Some(relay) => origin::dial_relay(relay).await,
            None => origin::dial(&self.origin, self.tls.as_ref()).await,
        }
    }

    /// The URL of a target as it is asked for over this client's own connections.
    pub fn url(&self, target: &str) -> String {
        match &self.via {
            Some(_) => Origin::plain(&*self.origin.authority).http(target),
            None => self.origin.http(target),
        }
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
    /// Mails seen for the first time.
    pub delivered: u64,
    /// From due to delivered, microseconds, in order of delivery.
    pub latencies_us: Vec<f64>,
    /// Mails of which it is not known here when they were due, and when they came.
    pub undated: Vec<(u64, Instant)>,
    /// Mails seen before.
    pub duplicated: u64,
    /// Mails with a lower number than the last one seen for the first time.
    pub reordered: u64,
    /// Mails the server said it no longer had.
    pub gap: u64,
    /// What happened when, if this client is watched.
    pub events: Vec<(Instant, EventKind, Option<u64>)>,
    /// Which transports were tried.
    pub attempts: Vec<Attempt>,
    /// What became of its event sources, if it has any.
    pub event_sources: Option<EventSources>,
    first_attempt: Option<Instant>,
    /// Why a connection last failed.
    pub trouble: Option<String>,
    /// How often one has.
    pub troubles: u64,
    seen: Vec<u64>,
}

/// A client's mail. Shared with the lab, which reads the record when the run is over.
#[derive(Clone, Debug)]
pub struct Inbox {
    record: Arc<Mutex<Record>>,
    due: Arc<[Duration]>,
    first: u64,
    last: u64,
    start: Start,
    max_events: usize,
    complete: watch::Sender<u64>,
}

/// How many attempts a record keeps.
const MAX_ATTEMPTS: usize = 100;

/// Numbers of mails that an inbox remembers are not further from its first than this: 12 MiB.
const MAX_SPAN: u64 = 100_000_000;

impl Inbox {
    /// An empty inbox that expects one mail for each instant in `due`, and reports its completion
    /// by adding one to `complete`.
    pub fn new(due: Arc<[Duration]>, start: Start, max_events: usize, complete: watch::Sender<u64>) -> Inbox {
        Inbox {
            record: Arc::default(),
            first: 1,
            last: due.len() as u64,
            due,
            start,
            max_events,
            complete,
        }
    }

    /// The same for the mails above number `after`, up to and with `last`, of which nobody here knows
    /// when they are due.
    pub fn after(self, after: u64, last: u64) -> Inbox {
        let record = Record {
            cursor: after,
            ..Record::default()
        };
        Inbox {
            record: Arc::new(record.into()),
            due: Arc::default(),
            first: after.min(u64::MAX - 1) + 1,
            last,
            ..self
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

    /// The number of the last mail before those it expects.
    pub fn joined(&self) -> u64 {
        self.first - 1
    }

    /// How many mails were seen for the first time.
    pub fn delivered(&self) -> u64 {
        self.lock().delivered
    }

    /// Whether all mail that will ever come is accounted for.
    pub fn complete(&self) -> bool {
        self.lock().cursor >= self.last
    }

    /// The application holds a decoded mail. Returns whether it had not seen it before.
    pub fn deliver(&self, mail: &Received) -> bool {
        let now = Instant::now();
        let mut record = self.lock();
        let Some(index) = self.index(mail.id) else {
            record.trouble = Some(format!("mail {} was not expected", mail.id));
            return false;
        };
        if !record.mark(index) {
            record.duplicated += 1;
            return false;
        }
        record.delivered += 1;
        match self.due.get(index).zip(self.start.now()) {
            Some((due, start)) => record
                .latencies_us
                .push(now.saturating_duration_since(start + *due).as_secs_f64() * 1e6),
            None => record.undated.push((mail.id, now)),
        }
        if mail.id < record.cursor {
            record.reordered += 1;
        }
        self.note(&mut record, now, EventKind::Delivered, Some(mail.id));
        self.advance(record, mail.id);
        true
    }

    /// A mail's place among those expected.
    fn index(&self, id: u64) -> Option<usize> {
        let expected = (self.first..=self.last).contains(&id);
        let index = id.checked_sub(self.first).filter(|i| expected && *i < MAX_SPAN)?;
        usize::try_from(index).ok()
    }

    /// The server said that it no longer has the `missed` mails after the cursor.
    pub fn missed(&self, missed: u64) {
        let mut record = self.lock();
        record.gap = record.gap.saturating_add(missed);
        let cursor = record.cursor.saturating_add(missed);
        self.advance(record, cursor);
    }

    fn advance(&self, mut record: MutexGuard<'_, Record>, to: u64) {
        let completes = record.cursor < self.last && to >= self.last;
        record.cursor = record.cursor.max(to);
        drop(record);
        if completes {
            self.complete.send_modify(|n| *n += 1);
        }
    }

    /// How often a connection has failed.
    pub fn troubles(&self) -> u64 {
        self.lock().troubles
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

    /// A transport was tried that may not have worked.
    pub fn tried(&self, attempt: Attempt) {
        let mut record = self.lock();
        if record.attempts.len() < MAX_ATTEMPTS {
            record.attempts.push(attempt);
        }
    }

    /// The same for an attempt of a client that began then and is over now.
    pub fn attempted(&self, client: usize, transport: &str, began: Instant, failed: Option<String>) {
        let first = *self.lock().first_attempt.get_or_insert(began);
        let us = |d: Duration| d.as_secs_f64() * 1e6;
        self.tried(Attempt {
            client,
            transport: transport.into(),
            t_us: us(began.saturating_duration_since(first)),
            took_us: us(began.elapsed()),
            failed,
        });
    }

    /// The client reads an event stream through `EventSource`s.
    pub fn has_event_sources(&self) {
        self.lock().event_sources.get_or_insert_default();
    }

    /// An `EventSource` failed, and the application starts a new one.
    pub fn event_source_restarted(&self, why: &anyhow::Error) {
        self.event_source(why, |sources| sources.restarted += 1);
    }

    /// An `EventSource` failed, and the application starts no other.
    pub fn event_source_ended(&self, why: &anyhow::Error) {
        self.event_source(why, |sources| sources.ended += 1);
    }

    fn event_source(&self, why: &anyhow::Error, count: impl Fn(&mut EventSources)) {
        let mut record = self.lock();
        let sources = record.event_sources.get_or_insert_default();
        count(sources);
        sources.why = Some(format!("{why:#}"));
    }

    /// A connection failed; if the run fails too, this says why.
    pub fn trouble(&self, error: &dyn std::fmt::Display) {
        let mut record = self.lock();
        record.trouble = Some(format!("{error:#}"));
        record.troubles += 1;
    }
}

impl Record {
    /// Remembers a place; false if it was known.
    fn mark(&mut self, index: usize) -> bool {
        let (word, bit) = (index / 64, 1 << (index % 64));
        if self.seen.len() <= word {
            self.seen.resize(word + 1, 0);
        }
        let new = self.seen[word] & bit == 0;
        self.seen[word] |= bit;
        new
    }
}

/// Clients without a lab.
#[cfg(test)]
pub mod testing {
    use super::*;

    /// A client of the server at `origin` that expects `mails` mails.
    pub fn client(origin: Origin, mails: usize) -> Client {
        let (_, start) = watch::channel(Some(Instant::now()));
        let (start, due) = (Start::new(start), vec![Duration::ZERO; mails]);
        Client {
            number: 0,
            origin,
            via: None,
            tls: None,
            scenario: Arc::default(),
            headers: Arc::new(Headers::load("lean").expect("it is built in")),
            inbox: Inbox::new(due.into(), start.clone(), 0, watch::Sender::new(0)),
            says: Says::default(),
            outbox: None,
            start,
            stop: CancellationToken::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::Letter;

    fn mail(id: u64) -> Received {
        Received {
            id,
            letter: Letter::default(),
            attachment: Vec::new(),
        }
    }

    fn inbox(mails: usize) -> (Inbox, watch::Receiver<u64>) {
        let (_, start) = watch::channel(Some(Instant::now()));
        let (complete, completed) = watch::channel(0);
        let due = vec![Duration::ZERO; mails].into();
        (Inbox::new(due, Start::new(start), 0, complete), completed)
    }

    #[test]
    fn who_joins_later_expects_what_comes_then() {
        let (inbox, completed) = inbox(0);
        let inbox = inbox.after(u64::from(u32::MAX), u64::from(u32::MAX) + 3);
        let first = inbox.joined() + 1;
        assert!(
            !inbox.deliver(&mail(first - 1)) && !inbox.deliver(&mail(first + 3)),
            "before, and after the last"
        );
        assert!(inbox.deliver(&mail(first)) && inbox.deliver(&mail(first + 2)));
        assert!(!inbox.deliver(&mail(first)), "known");
        assert!(inbox.complete() && *completed.borrow() == 1);
        let record = inbox.record();
        let undated: Vec<u64> = record.undated.iter().map(|(id, _)| *id).collect();
        assert_eq!(
            (record.delivered, record.duplicated, undated),
            (2, 1, vec![first, first + 2])
        );
        assert!(record.latencies_us.is_empty());
    }

    #[test]
    fn a_number_without_end_takes_no_memory() {
        let inbox = inbox(0).0.after(0, u64::MAX);
        assert!(!inbox.deliver(&mail(u64::MAX)));
        assert!(inbox.deliver(&mail(1)));
        inbox.missed(u64::MAX);
        assert_eq!((inbox.cursor(), inbox.delivered()), (u64::MAX, 1));
        assert!(inbox.record().seen.len() == 1);
    }

    #[test]
    fn planned_mail_has_its_latency() {
        let (inbox, completed) = inbox(2);
        assert!(inbox.deliver(&mail(1)) && !inbox.deliver(&mail(3)) && !inbox.complete());
        assert!(inbox.deliver(&mail(2)) && *completed.borrow() == 1);
        let record = inbox.record();
        assert_eq!((record.latencies_us.len(), record.undated.len()), (2, 0));
    }
}
