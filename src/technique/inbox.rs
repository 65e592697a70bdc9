//! A client's mail: what arrived, whether it was seen before, and what happened on the way.

use super::start::Start;
use crate::clock;
use crate::mail::{Cursor, Epoch, Log, Notice, Received};
use crate::outcome::{Attempt, EventKind, EventSources};
use crate::terminal;
use parking_lot::{Mutex, MutexGuard};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};

/// What one client saw.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The last mail seen, and of which log: the client's whole state.
    pub cursor: Cursor,
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
    /// How often the server said that the cursor was of no log that it has.
    pub reset: u64,
    /// How many of the mails it was to see its cursor has passed, in all logs.
    pub passed: u64,
    /// Mails that were decoded, expected or not, known or not.
    pub decoded: u64,
    /// Their bytes, as their senders made them.
    pub payload: u64,
    /// How often a stream, a session or a connection that stays open was established, and when first.
    pub opened: u64,
    first_opened: Option<Instant>,
    /// How often a session began that takes more than that to be open.
    pub begun: u64,
    /// From then to the first mail.
    pub first_mail: Option<Duration>,
    /// Requests that were sent and never answered, or not to the end.
    pub unanswered: u64,
    /// What happened when, if this client is watched.
    pub events: Vec<(Instant, EventKind, Option<u64>)>,
    /// From when on what came was asked for anew, and whether as a stream over HTTP, if this client is watched.
    pub asked: Vec<(Instant, bool)>,
    /// Which transports were tried.
    pub attempts: Vec<Attempt>,
    /// What became of its event sources, if it has any.
    pub event_sources: Option<EventSources>,
    first_attempt: Option<Instant>,
    /// Why a connection last failed.
    pub trouble: Option<String>,
    /// How often one has.
    pub troubles: u64,
    /// Of the mails of this log.
    seen: Vec<u64>,
    /// The numbers of the first and the last mail to expect of this log.
    first: u64,
    last: u64,
    /// How many mails it is to see, of whatever log.
    awaited: u64,
}

/// A client's mail. Shared with the lab, which reads the record when the run is over.
#[derive(Clone, Debug)]
pub struct Inbox {
    record: Arc<Mutex<Record>>,
    due: Arc<[Duration]>,
    joined: Cursor,
    start: Start,
    max_events: usize,
    complete: watch::Sender<u64>,
    delivered: Arc<Notify>,
}

/// How many attempts a record keeps.
pub const MAX_ATTEMPTS: usize = 100;

/// Numbers of mails that an inbox remembers are not further from its first than this: 12 MiB.
pub const MAX_SPAN: u64 = 100_000_000;

impl Inbox {
    /// An empty inbox that expects one mail for each instant in `due`, and reports its completion
    /// by adding one to `complete`.
    pub fn new(due: Arc<[Duration]>, start: Start, max_events: usize, complete: watch::Sender<u64>) -> Inbox {
        let record = Record {
            cursor: Cursor::FIRST,
            first: 1,
            last: due.len() as u64,
            awaited: due.len() as u64,
            ..Record::default()
        };
        Inbox {
            record: Arc::new(record.into()),
            joined: Cursor::FIRST,
            due,
            start,
            max_events,
            complete,
            delivered: Arc::default(),
        }
    }

    /// The same, with somebody to notify of each mail that was not seen before.
    pub fn notifying(self, delivered: Arc<Notify>) -> Inbox {
        Inbox { delivered, ..self }
    }

    /// The same for the mails after a cursor, up to and with number `last`, of which nobody here knows when
    /// they are due.
    pub fn after(self, joined: Cursor, last: u64) -> Inbox {
        let record = Record {
            cursor: joined,
            first: joined.number.min(u64::MAX - 1) + 1,
            last,
            awaited: last.saturating_sub(joined.number),
            ..Record::default()
        };
        Inbox {
            record: Arc::new(record.into()),
            due: Arc::default(),
            joined,
            ..self
        }
    }

    /// The same for a client that comes with this cursor, of whatever log it may be.
    pub fn standing(self, cursor: Cursor) -> Inbox {
        self.record.lock().cursor = cursor;
        Inbox {
            joined: cursor,
            ..self
        }
    }

    /// What was seen so far.
    pub fn record(&self) -> Record {
        self.record.lock().clone()
    }

    /// Where it stands.
    pub fn cursor(&self) -> Cursor {
        self.record.lock().cursor
    }

    /// Where it stood before the first mail.
    pub fn joined(&self) -> Cursor {
        self.joined
    }

    /// How many mails were seen for the first time.
    pub fn delivered(&self) -> u64 {
        self.record.lock().delivered
    }

    /// Whether all mail that will ever come is accounted for.
    pub fn complete(&self) -> bool {
        let record = self.record.lock();
        record.passed >= record.awaited
    }

    /// The application holds a decoded mail. Returns whether it had not seen it before.
    pub fn deliver(&self, mail: &Received) -> bool {
        let now = clock::now();
        let mut record = self.record.lock();
        record.decoded += 1;
        record.payload += mail.payload();
        let Some(index) = record.index(mail.id) else {
            record.trouble = Some(format!("mail {} was not expected", mail.id));
            return false;
        };
        if !record.mark(index) {
            record.duplicated += 1;
            return false;
        }
        record.delivered += 1;
        if record.first_mail.is_none() {
            record.first_mail = record.first_opened.map(|at| now.saturating_duration_since(at));
        }
        match self.due.get(index).zip(self.start.now()) {
            Some((due, start)) => record
                .latencies_us
                .push(now.saturating_duration_since(start + *due).as_secs_f64() * 1e6),
            // When the mail of a log that came unexpectedly was due, nobody says.
            None if record.reset > 0 => {}
            None => record.undated.push((mail.id, now)),
        }
        if mail.id < record.cursor.number {
            record.reordered += 1;
        }
        self.note(&mut record, now, EventKind::Delivered, Some(mail.id));
        self.advance(record, mail.id);
        self.delivered.notify_waiters();
        true
    }

    /// The server said something of the log itself.
    pub fn take(&self, notice: Notice) {
        let mut record = self.record.lock();
        match notice {
            Notice::Gap(missed) => {
                record.gap = record.gap.saturating_add(missed);
                let cursor = record.cursor.number.saturating_add(missed);
                self.advance(record, cursor);
            }
            Notice::Epoch(epoch) => record.learn(epoch),
            Notice::Reset(epoch) => record.restart(epoch),
        }
    }

    /// An id came that says of which log it is.
    pub fn identified(&self, id: &str) {
        if let Some(epoch) = id.parse().ok().and_then(|cursor: Cursor| cursor.epoch()) {
            self.record.lock().learn(epoch);
        }
    }

    fn advance(&self, mut record: MutexGuard<'_, Record>, to: u64) {
        let last = record.last;
        let before = record.cursor.number;
        let was_complete = record.passed >= record.awaited;
        record.passed += to.min(last).saturating_sub(before);
        record.cursor.number = before.max(to);
        let completes = record.passed >= record.awaited && !was_complete;
        drop(record);
        if completes {
            self.complete.send_modify(|n| *n += 1);
        }
    }

    /// How often a connection has failed.
    pub fn troubles(&self) -> u64 {
        self.record.lock().troubles
    }

    /// Something happened that a timeline shows.
    pub fn happened(&self, kind: EventKind) {
        let mut record = self.record.lock();
        let now = clock::now();
        if kind == EventKind::Opened {
            record.opened += 1;
            record.first_opened.get_or_insert(now);
        }
        self.note(&mut record, now, kind, None);
    }

    /// A session began that is not open yet.
    pub fn began(&self) {
        self.record.lock().begun += 1;
    }

    /// A request was sent that no whole answer came to.
    pub fn unanswered(&self) {
        self.record.lock().unanswered += 1;
    }

    fn note(&self, record: &mut Record, at: Instant, kind: EventKind, mail: Option<u64>) {
        if record.events.len() < self.max_events {
            record.events.push((at, kind, mail));
        }
    }

    /// What comes from now on was asked for then: as a stream over HTTP, or in another way.
    pub fn asked(&self, at: Instant, streams: bool) {
        let mut record = self.record.lock();
        if record.asked.len() < self.max_events {
            record.asked.push((at, streams));
        }
    }

    /// A transport was tried that may not have worked.
    pub fn tried(&self, attempt: Attempt) {
        let mut record = self.record.lock();
        if record.attempts.len() < MAX_ATTEMPTS {
            record.attempts.push(attempt);
        }
    }

    /// The same for an attempt of a client that began then and is over now.
    pub fn attempted(&self, client: usize, transport: &str, began: Instant, failed: Option<String>) {
        let first = *self.record.lock().first_attempt.get_or_insert(began);
        let us = |d: Duration| d.as_secs_f64() * 1e6;
        self.tried(Attempt {
            client,
            transport: transport.into(),
            t_us: us(began.saturating_duration_since(first)),
            took_us: us(clock::since(began)),
            failed,
        });
    }

    /// The client reads an event stream through `EventSource`s.
    pub fn has_event_sources(&self) {
        self.record.lock().event_sources.get_or_insert_default();
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
        let mut record = self.record.lock();
        let sources = record.event_sources.get_or_insert_default();
        count(sources);
        sources.why = Some(terminal::causes(why));
    }

    /// A connection failed; if the run fails too, this says why.
    pub fn trouble(&self, error: &anyhow::Error) {
        let mut record = self.record.lock();
        record.trouble = Some(terminal::causes(error));
        record.troubles += 1;
    }
}

impl Record {
    /// A mail's place among those expected.
    fn index(&self, id: u64) -> Option<usize> {
        let expected = (self.first..=self.last).contains(&id);
        let index = id.checked_sub(self.first).filter(|i| expected && *i < MAX_SPAN)?;
        usize::try_from(index).ok()
    }

    /// The log that the cursor is of has this name.
    fn learn(&mut self, epoch: Epoch) {
        if self.cursor.epoch().is_none() {
            self.cursor.log = Log::Named(epoch);
        }
    }

    /// The server has another log, which follows from its beginning: of that as many mails are expected as of
    /// the one before were still to come.
    fn restart(&mut self, epoch: Epoch) {
        let beginning = Cursor::of(0, epoch);
        if self.cursor == beginning {
            // Each of a connection's subscriptions is told.
            return;
        }
        (self.first, self.last) = (1, self.awaited.saturating_sub(self.passed));
        self.cursor = beginning;
        self.seen.clear();
        self.reset += 1;
    }

    /// Of `sent` mails behind the one it joined at: how many its cursor has passed without them, and how
    /// many the run ended before.
    pub fn missing(&self, sent: u64) -> (u64, u64) {
        let passed = self.passed.min(sent);
        let known = self.delivered.saturating_add(self.gap);
        (
            passed.saturating_sub(known),
            sent - passed.max(self.delivered.min(sent)),
        )
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::Letter;

    fn mail(id: u64) -> Received {
        Received {
            id,
            letter: Letter::default(),
            attachment: Vec::new(),
            json: 0,
        }
    }

    fn inbox(mails: usize) -> (Inbox, watch::Receiver<u64>) {
        let (_, start) = watch::channel(Some(clock::now()));
        let (complete, completed) = watch::channel(0);
        let due = vec![Duration::ZERO; mails].into();
        (Inbox::new(due, Start::new(start), 0, complete), completed)
    }

    fn cursor(number: u64) -> Cursor {
        Cursor::of(number, "k3f9".parse().unwrap())
    }

    #[test]
    fn after_a_reset_the_other_log_is_read_from_its_beginning() {
        let other: Epoch = "a1b2".parse().unwrap();
        let (inbox, completed) = inbox(0);
        let inbox = inbox.after(cursor(10), 15);
        assert!(inbox.deliver(&mail(11)) && inbox.deliver(&mail(12)));
        inbox.take(Notice::Reset(other));
        assert_eq!(inbox.cursor(), Cursor::of(0, other));
        inbox.take(Notice::Reset(other));
        assert!(inbox.deliver(&mail(1)) && inbox.deliver(&mail(2)) && !inbox.deliver(&mail(2)));
        assert!(!inbox.deliver(&mail(11)), "a mail of the log that is gone");
        assert!(!inbox.complete() && *completed.borrow() == 0);
        assert!(inbox.deliver(&mail(3)) && inbox.complete() && *completed.borrow() == 1);
        let record = inbox.record();
        assert_eq!(
            (
                record.delivered,
                record.passed,
                record.reset,
                record.duplicated,
                record.reordered
            ),
            (5, 5, 1, 1, 0)
        );
        assert_eq!(
            record.undated.len(),
            2,
            "when the other log's mail was due is not known"
        );
    }

    #[test]
    fn a_client_that_was_told_the_epoch_has_it_in_its_cursor() {
        let (inbox, _) = inbox(2);
        assert_eq!(inbox.cursor().to_string(), "0.");
        inbox.take(Notice::Epoch("k3f9".parse().unwrap()));
        assert!(inbox.deliver(&mail(1)));
        assert_eq!(inbox.cursor().to_string(), "1.k3f9");
        inbox.identified("9.a1b2");
        assert_eq!(inbox.cursor(), cursor(1), "only a reset changes it");
    }

    #[test]
    fn who_joins_later_expects_what_comes_then() {
        let (inbox, completed) = inbox(0);
        let inbox = inbox.after(cursor(u64::from(u32::MAX)), u64::from(u32::MAX) + 3);
        let first = inbox.joined().number + 1;
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
        let inbox = inbox(0).0.after(cursor(0), u64::MAX);
        assert!(!inbox.deliver(&mail(u64::MAX)));
        assert!(inbox.deliver(&mail(1)));
        inbox.take(Notice::Gap(u64::MAX));
        assert_eq!((inbox.cursor().number, inbox.delivered()), (u64::MAX, 1));
        assert!(inbox.record().seen.len() == 1);
    }

    /// Lost is what the cursor has passed, undelivered what it has not reached.
    #[test]
    fn what_is_missing_is_lost_or_undelivered() {
        let (inbox, _) = inbox(6);
        assert_eq!(inbox.record().missing(6), (0, 6));
        assert!(inbox.deliver(&mail(1)) && inbox.deliver(&mail(4)));
        assert_eq!(inbox.record().missing(6), (2, 2));
        assert!(inbox.deliver(&mail(2)), "late, but there");
        assert_eq!(inbox.record().missing(6), (1, 2));
        inbox.take(Notice::Gap(1));
        assert_eq!(inbox.record().missing(6), (1, 1), "a gap is neither");
        assert_eq!(inbox.record().missing(4), (0, 0), "no more than were sent");
        let later = inbox.after(cursor(100), 103);
        assert!(later.deliver(&mail(103)));
        assert_eq!(later.record().missing(3), (2, 0), "from where it joined");
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
