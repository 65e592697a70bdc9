//! A client's inbox: what mail arrived, whether it was seen before, and what happened meanwhile.

use super::start::Start;
use crate::clock;
use crate::mail::{Cursor, Epoch, Log, Notice, Received};
use crate::outcome::{Attempt, EventKind, EventSources};
use crate::terminal;
use parking_lot::{Mutex, MutexGuard};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};

/// The record of what one client saw.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The last mail seen, and its log: the client's whole state.
    pub cursor: Cursor,
    /// Mails seen for the first time.
    pub delivered: u64,
    /// From due to delivered, microseconds, in order of delivery.
    pub latencies_us: Vec<f64>,
    /// Mails whose due instant is unknown here: their number, and when they arrived.
    pub undated: Vec<(u64, Instant)>,
    /// Mails seen before.
    pub duplicated: u64,
    /// Mails with a lower number than an earlier mail's, seen for the first time.
    pub reordered: u64,
    /// Mails that the server reported as no longer kept.
    pub gap: u64,
    /// How often the server reported that the cursor belongs to none of its logs.
    pub reset: u64,
    /// The most mails that had arrived at the server, and not here, when one was delivered.
    pub behind: u64,
    /// How many of the expected mails were due so far.
    arrived: usize,
    /// How many of the expected mails its cursor has passed, in all logs.
    pub passed: u64,
    /// Mails that were decoded, expected or not, known or not.
    pub decoded: u64,
    /// Bytes of the decoded mails, as their senders made them.
    pub payload: u64,
    /// How often a stream, a session or a connection that stays open was established.
    pub opened: u64,
    first_opened: Option<Instant>,
    /// How often a session began that needs further steps before it counts as opened.
    pub begun: u64,
    /// From the first opening to the first mail.
    pub first_mail: Option<Duration>,
    /// Requests that were sent and never answered, or answered incompletely.
    pub unanswered: u64,
    /// Requests that were refused because the server did not know their session.
    pub unknown_sessions: u64,
    /// How its requests waited for a connection of its browser.
    pub waits: Waits,
    /// The events with their instants, if this client is watched.
    pub events: Vec<(Instant, EventKind, Option<u64>)>,
    /// Since when mail answers each new request, and whether as an HTTP stream, if this client is watched.
    pub asked: Vec<(Instant, bool)>,
    /// The transports that were tried.
    pub attempts: Vec<Attempt>,
    /// How its event sources ended, if it has any.
    pub event_sources: Option<EventSources>,
    first_attempt: Option<Instant>,
    /// Why a connection last failed.
    pub trouble: Option<String>,
    /// How often a connection failed.
    pub troubles: u64,
    /// A bit for each mail of this log that was seen.
    seen: Vec<u64>,
    /// The numbers of the first and the last expected mail of this log.
    first: u64,
    last: u64,
    /// How many mails it expects, of all logs.
    awaited: u64,
    /// How many mails arrived in the logs before this one.
    before: u64,
    /// The log that replaces this one: how many mails this one has, and the name of the other.
    replaced: Option<(u64, Epoch)>,
}

/// How requests waited for a free connection.
#[derive(Clone, Debug, Default)]
pub struct Waits {
    /// How long each of them waited, whether it got one or not, in microseconds.
    pub us: Vec<f64>,
    /// How many got none.
    pub unserved: u64,
}

/// A client's inbox. The lab shares it, and reads the record when the run is over.
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

/// The most attempts that a record keeps.
pub const MAX_ATTEMPTS: usize = 100;

/// The range of mail numbers, from its first, that an inbox remembers: 12 MiB of bits.
pub const MAX_SPAN: u64 = 100_000_000;

impl Inbox {
    /// An empty inbox that expects one mail for each instant in `due`, and adds one to `complete` when it has
    /// all.
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

    /// Also notifies `delivered` of each new mail.
    pub fn notifying(self, delivered: Arc<Notify>) -> Inbox {
        Inbox { delivered, ..self }
    }

    /// An inbox for the mails after a cursor, up to and with number `last`, whose due instants are unknown
    /// here.
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

    /// Sets the cursor that the client starts with, of any log.
    pub fn standing(self, cursor: Cursor) -> Inbox {
        self.record.lock().cursor = cursor;
        Inbox {
            joined: cursor,
            ..self
        }
    }

    /// A copy of the record so far.
    pub fn record(&self) -> Record {
        self.record.lock().clone()
    }

    /// Its current cursor.
    pub fn cursor(&self) -> Cursor {
        self.record.lock().cursor
    }

    /// Its cursor before the first mail.
    pub fn joined(&self) -> Cursor {
        self.joined
    }

    /// How many mails were seen for the first time.
    pub fn delivered(&self) -> u64 {
        self.record.lock().delivered
    }

    /// Whether all expected mail is accounted for.
    pub fn complete(&self) -> bool {
        let record = self.record.lock();
        record.passed >= record.awaited
    }

    /// Records a decoded mail that the application holds. Returns whether it is new.
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
        let planned = index.saturating_add(record.before as usize);
        match self.due.get(planned).zip(self.start.now()) {
            Some((due, start)) => {
                let waited = now.saturating_duration_since(start + *due);
                record.latencies_us.push(waited.as_secs_f64() * 1e6);
                record.fall_behind(planned, &self.due, now.saturating_duration_since(start));
            }
            // The due instants of mail from an unexpected log are unknown.
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

    /// Takes a message that may be a mail or a notice about the log. Returns the number of a mail that is new.
    ///
    /// # Errors
    /// If it is neither.
    pub fn take_text(&self, text: &[u8]) -> anyhow::Result<Option<u64>> {
        match Received::from_text(text) {
            Ok(mail) => Ok(self.deliver(&mail).then_some(mail.id)),
            Err(e) => {
                self.take(serde_json::from_slice(text).map_err(|_| e)?);
                Ok(None)
            }
        }
    }

    /// Applies a server's notice about its log.
    pub fn take(&self, notice: Notice) {
        let mut record = self.record.lock();
        match notice {
            Notice::Gap(missed) => {
                record.gap = record.gap.saturating_add(missed);
                let cursor = record.cursor.number.saturating_add(missed);
                self.advance(record, cursor);
            }
            Notice::Epoch(epoch) => self.begin(record, |record| record.learn(epoch)),
            Notice::Reset(epoch) => self.begin(record, |record| record.restart(epoch)),
        }
    }

    /// Tells that the server replaces its log, which has so many mails, by that of `epoch`. A client that comes to the
    /// new log has lost what it had not seen of the old one.
    pub fn log_replaced(&self, mails: u64, epoch: Epoch) {
        self.record.lock().replaced = Some((mails, epoch));
    }

    /// Changes the log, which may leave no mail to wait for.
    fn begin(&self, mut record: MutexGuard<'_, Record>, change: impl FnOnce(&mut Record)) {
        let was_complete = record.passed >= record.awaited;
        change(&mut record);
        let completes = record.passed >= record.awaited && !was_complete;
        drop(record);
        if completes {
            self.complete.send_modify(|n| *n += 1);
        }
    }

    /// Learns the log's epoch from an event id, if it names one.
    pub fn identified(&self, id: &str) {
        if let Some(epoch) = id.parse().ok().and_then(|cursor: Cursor| cursor.epoch()) {
            self.begin(self.record.lock(), |record| record.learn(epoch));
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

    /// Records an event for the timeline.
    pub fn happened(&self, kind: EventKind) {
        let mut record = self.record.lock();
        let now = clock::now();
        if kind == EventKind::Opened {
            record.opened += 1;
            record.first_opened.get_or_insert(now);
        }
        self.note(&mut record, now, kind, None);
    }

    /// Whether a request was given up for want of a connection.
    pub fn is_starved(&self) -> bool {
        self.record.lock().waits.unserved > 0
    }

    /// Records the end of such a wait, whether it got a connection or was given up.
    pub fn left_queue(&self, since: Instant, is_served: bool) {
        let mut record = self.record.lock();
        record.waits.us.push(clock::since(since).as_secs_f64() * 1e6);
        record.waits.unserved += u64::from(!is_served);
        drop(record);
        if is_served {
            self.happened(EventKind::Dequeued);
        }
    }

    /// Records that a session began that is not open yet.
    pub fn began(&self) {
        self.record.lock().begun += 1;
    }

    /// Records a request that was not answered, or only in part.
    pub fn unanswered(&self) {
        self.record.lock().unanswered += 1;
    }

    /// Records a request that was refused because the server did not know its session.
    pub fn session_unknown(&self) {
        self.record.lock().unknown_sessions += 1;
    }

    /// How many requests were refused because the server did not know their session.
    pub fn unknown_sessions(&self) -> u64 {
        self.record.lock().unknown_sessions
    }

    /// The events since an instant, after the last one before it that opened or ended a request or stream; `None`
    /// if this client is not watched, or its record is full.
    pub fn recent(&self, since: Instant) -> Option<Vec<(Instant, EventKind, Option<u64>)>> {
        let record = self.record.lock();
        let events = &record.events;
        if events.len() >= self.max_events {
            return None;
        }
        let first = events.partition_point(|(at, ..)| *at < since);
        let before = events[..first]
            .iter()
            .rposition(|(_, kind, _)| *kind != EventKind::Delivered);
        let before = before.map(|i| events[i]);
        Some(
            before
                .into_iter()
                .chain(events[first..].iter().copied())
                .collect(),
        )
    }

    fn note(&self, record: &mut Record, at: Instant, kind: EventKind, mail: Option<u64>) {
        if record.events.len() < self.max_events {
            record.events.push((at, kind, mail));
        }
    }

    /// Records that mail from now on answers the request of that instant: as an HTTP stream, or otherwise.
    pub fn asked(&self, at: Instant, streams: bool) {
        let mut record = self.record.lock();
        if record.asked.len() < self.max_events {
            record.asked.push((at, streams));
        }
    }

    /// Records the attempt to use a transport.
    pub fn tried(&self, attempt: Attempt) {
        let mut record = self.record.lock();
        if record.attempts.len() < MAX_ATTEMPTS {
            record.attempts.push(attempt);
        }
    }

    /// Records an attempt of `client` that began at `began` and has ended now.
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

    /// Records that the client reads an event stream through `EventSource`s.
    pub fn has_event_sources(&self) {
        self.record.lock().event_sources.get_or_insert_default();
    }

    /// Records that an `EventSource` failed and the application starts a new one.
    pub fn event_source_restarted(&self, why: &anyhow::Error) {
        self.event_source(why, |sources| sources.restarted += 1);
    }

    /// Records that an `EventSource` failed and the application starts no other.
    pub fn event_source_ended(&self, why: &anyhow::Error) {
        self.event_source(why, |sources| sources.ended += 1);
    }

    fn event_source(&self, why: &anyhow::Error, count: impl Fn(&mut EventSources)) {
        let mut record = self.record.lock();
        let sources = record.event_sources.get_or_insert_default();
        count(sources);
        sources.why = Some(terminal::causes(why));
    }

    /// Records the error of a failed connection, which explains the run's failure if the run fails too.
    pub fn trouble(&self, error: &anyhow::Error) {
        let mut record = self.record.lock();
        record.trouble = Some(terminal::causes(error));
        record.troubles += 1;
    }
}

impl Record {
    /// Records how many mails were due by `now` besides the one with this index, and those before it.
    fn fall_behind(&mut self, index: usize, due: &[Duration], now: Duration) {
        let more = due[self.arrived..].iter().take_while(|due| **due <= now);
        self.arrived += more.count();
        self.behind = self.behind.max(self.arrived.saturating_sub(index + 1) as u64);
    }

    /// A mail's index among the expected ones.
    fn index(&self, id: u64) -> Option<usize> {
        let expected = (self.first..=self.last).contains(&id);
        let index = id.checked_sub(self.first).filter(|i| expected && *i < MAX_SPAN)?;
        usize::try_from(index).ok()
    }

    /// Sets the name of the cursor's log, if it was unknown.
    fn learn(&mut self, epoch: Epoch) {
        if self.cursor.epoch().is_none() {
            match self.replaced.is_some_and(|(_, new)| new == epoch) {
                true => self.leave(epoch),
                false => self.cursor.log = Log::Named(epoch),
            }
        }
    }

    /// Goes on with another log, from its beginning.
    fn leave(&mut self, epoch: Epoch) {
        if let Some((mails, _)) = self.replaced.take_if(|(_, new)| *new == epoch) {
            self.passed += mails.saturating_sub(self.cursor.number);
            self.before += mails;
        }
        (self.first, self.last) = (1, self.awaited.saturating_sub(self.passed));
        self.cursor = Cursor::of(0, epoch);
        self.seen.clear();
    }

    /// Starts over with another log of the server. It expects as many mails of that log as were still missing
    /// of the one before.
    fn restart(&mut self, epoch: Epoch) {
        let beginning = Cursor::of(0, epoch);
        if self.cursor == beginning {
            // Every subscription of a connection receives the reset.
            return;
        }
        self.leave(epoch);
        self.reset += 1;
    }

    /// For `sent` mails after the cursor at which it joined: how many the cursor has passed without them
    /// (lost), and how many it had not reached when the run ended (undelivered).
    pub fn missing(&self, sent: u64) -> (u64, u64) {
        let passed = self.passed.min(sent);
        let known = self.delivered.saturating_add(self.gap);
        (
            passed.saturating_sub(known),
            sent - passed.max(self.delivered.min(sent)),
        )
    }

    /// Marks an index as seen; returns false if it was marked already.
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
    fn what_was_not_seen_of_a_log_that_is_replaced_is_lost_with_it() {
        let other: Epoch = "a1b2".parse().unwrap();
        let (inbox, completed) = inbox(5);
        inbox.take(Notice::Epoch("k3f9".parse().unwrap()));
        assert!(inbox.deliver(&mail(1)));
        inbox.log_replaced(3, other);
        assert!(inbox.deliver(&mail(2)), "it was on its way");
        inbox.take(Notice::Reset(other));
        assert!(
            inbox.deliver(&mail(1)) && !inbox.deliver(&mail(3)),
            "the new log has two"
        );
        assert!(inbox.deliver(&mail(2)));
        let record = inbox.record();
        assert_eq!(
            (record.missing(5), record.delivered, record.reset),
            ((1, 0), 4, 1)
        );
        assert_eq!(*completed.borrow(), 1);
        assert_eq!(record.latencies_us.len(), 4);
    }

    #[test]
    fn a_client_that_knew_no_log_learns_which_one_it_reads() {
        let other: Epoch = "a1b2".parse().unwrap();
        let (inbox, completed) = inbox(3);
        inbox.log_replaced(2, other);
        inbox.take(Notice::Epoch(other));
        assert!(inbox.deliver(&mail(1)));
        let record = inbox.record();
        assert_eq!((record.missing(3), record.reset), ((2, 0), 0));
        assert_eq!(*completed.borrow(), 1);
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

    /// Lost mail is mail that the cursor has passed; undelivered mail, mail that it has not reached.
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
