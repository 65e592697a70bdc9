//! What the sessions of one server share: mail topics, which the mailbox keeps; other topics, each a log
//! with cursors; queues; and what all of that may hold.
//!
//! ```text
//! SEND /topic/inbox ──▶ the mailbox             every subscriber has a cursor, resumes with `after`
//! SEND /topic/x ──▶ [ 7 8 9 ]                   every subscriber has a cursor; who falls behind is let go
//! SEND /queue/x ──▶ 1 2 3 ──▶ one consumer      until it acknowledges, a message may come back
//! ```
//!
//! All of it is synchronous: a session rings the bells of those who have something to read.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bytes::Bytes;
use tokio::sync::Notify;

use super::frames::{QUEUE, TOPIC, is_binary};
use crate::mail::{Letter, Mail, Mailbox, Received};
use crate::wire::stomp::{APPLICATION, Frame};

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
}

/// What a message takes besides its text.
const OVERHEAD: usize = 200;

/// Headers that mean something between a sender and the broker, or that the broker sets itself.
const NOT_PASSED_ON: &[&str] = &[
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
    fn new(frame: &Frame, destination: &str) -> Stored {
        Stored {
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

fn passed_on(frame: &Frame, except: &[&str]) -> Vec<(String, String)> {
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
    number: u64,
    /// The message.
    pub message: Arc<Stored>,
    /// Whether someone had it before.
    pub redelivered: bool,
    /// Who did not want it, and gets it again only if there is nobody else.
    refused_by: Option<Reader>,
}

/// The broker.
#[derive(Debug)]
pub struct Broker {
    /// What it puts up with.
    pub limits: Limits,
    mailbox: Arc<Mailbox>,
    topics: Vec<String>,
    keep: u64,
    sent: RwLock<BTreeMap<u64, Sent>>,
    /// Whether there is anything in it.
    any_sent: AtomicBool,
    sessions: AtomicUsize,
    state: Mutex<State>,
}

/// A mail that does not follow from its number alone.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    /// Its topic's place in the list.
    pub topic: usize,
    /// What its sender said of it.
    pub headers: Vec<(String, String)>,
}

#[derive(Debug, Default)]
struct State {
    /// Gives sessions, readers and messages their numbers.
    last: u64,
    /// Bytes in topics.
    published: usize,
    /// Bytes in queues and transactions.
    kept: usize,
    topics: HashMap<String, Topic>,
    queues: HashMap<String, Queue>,
}

/// A log of what someone has yet to read.
#[derive(Debug, Default)]
struct Topic {
    log: VecDeque<Entry>,
    /// The place of the log's first message.
    first: u64,
    bytes: usize,
    readers: HashMap<Reader, (u64, Bell)>,
}

#[derive(Debug)]
struct Entry {
    message: Arc<Stored>,
    unread: usize,
}

#[derive(Debug, Default)]
struct Queue {
    ready: VecDeque<Queued>,
    consumers: VecDeque<Consumer>,
}

#[derive(Debug)]
struct Consumer {
    reader: Reader,
    bell: Bell,
    /// It has nothing to do, and may be given something.
    waits: bool,
    given: VecDeque<Queued>,
}

/// A reader of a topic that missed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FellBehind;

impl Broker {
    /// A broker for the mail of a mailbox, whose mail number k belongs to the topic at `(k - 1) % n`.
    pub fn new(mailbox: Arc<Mailbox>, keep: usize, topics: Vec<String>, limits: Limits) -> Broker {
        Broker {
            limits,
            mailbox,
            topics,
            keep: keep as u64,
            sent: RwLock::default(),
            any_sent: AtomicBool::new(false),
            sessions: AtomicUsize::new(0),
            state: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a session in, if there is room; gives it its number.
    pub fn enter(&self) -> Option<u64> {
        let room = |n: usize| (n < self.limits.sessions).then_some(n + 1);
        let entered = self
            .sessions
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, room);
        entered.is_ok().then(|| self.lock().next())
    }

    /// A session is over.
    pub fn leave(&self) {
        self.sessions.fetch_sub(1, Ordering::SeqCst);
    }

    /// Bytes in topics, queues and transactions.
    #[cfg(test)]
    pub fn held(&self) -> usize {
        let state = self.lock();
        state.published + state.kept
    }

    /// Reads what a header says.
    pub fn destination(&self, name: &str) -> Result<Destination, Refusal> {
        let called = |prefix| name.strip_prefix(prefix).filter(|name: &&str| !name.is_empty());
        if let Some(topic) = called(TOPIC) {
            let place = self.topics.iter().position(|t| t == topic);
            return Ok(place.map_or_else(|| Destination::Topic(topic.into()), Destination::Mail));
        }
        match (called(QUEUE), called(APPLICATION)) {
            (Some(queue), _) => Ok(Destination::Queue(queue.into())),
            (None, Some("read")) => Ok(Destination::Read),
            (None, Some("say")) => Ok(Destination::Say),
            (None, _) => Err(Refusal::Destination),
        }
    }

    /// The name of a mail topic.
    pub fn topic(&self, place: usize) -> &str {
        self.topics.get(place).map_or("", String::as_str)
    }

    /// Which topic a mail belongs to, and what else its sender said of it.
    pub fn sent(&self, number: u64) -> Sent {
        if self.any_sent.load(Ordering::SeqCst) {
            let sent = self.sent.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(sent) = sent.get(&number) {
                return sent.clone();
            }
        }
        Sent {
            topic: self.usual_topic(number),
            headers: Vec::new(),
        }
    }

    fn usual_topic(&self, number: u64) -> usize {
        ((number - 1) % self.topics.len().max(1) as u64) as usize
    }

    /// Lets a mail arrive that a client sent: what is not the JSON of one becomes its text.
    pub fn post(&self, topic: usize, frame: &Frame) -> Result<(), Refusal> {
        let (letter, attachment) = letter(frame)?;
        let headers = passed_on(frame, &[NOT_PASSED_ON, &["content-type"]].concat());
        self.mailbox.append_next(|number| {
            if topic != self.usual_topic(number) || !headers.is_empty() {
                let mut sent = self.sent.write().unwrap_or_else(PoisonError::into_inner);
                sent.insert(number, Sent { topic, headers });
                // What the log dropped needs no words any more.
                *sent = sent.split_off(&number.saturating_sub(self.keep));
                self.any_sent.store(true, Ordering::SeqCst);
            }
            Mail::new(number, &letter, attachment)
        });
        Ok(())
    }

    /// Makes room for so many bytes of a transaction, if there is.
    pub fn hold(&self, bytes: usize) -> Result<(), Refusal> {
        let mut state = self.lock();
        if state.kept + bytes > self.limits.bytes {
            return Err(Refusal::Full);
        }
        state.kept += bytes;
        Ok(())
    }

    /// Gives so many bytes back: of a transaction, or of messages that are settled.
    pub fn release(&self, bytes: usize) {
        let mut state = self.lock();
        state.kept = state.kept.saturating_sub(bytes);
    }

    /// Publishes to a topic. Whoever is not there misses it.
    pub fn publish(&self, name: &str, frame: &Frame, destination: &str) {
        let mut state = self.lock();
        let State {
            topics, published, ..
        } = &mut *state;
        let Some(topic) = topics.get_mut(name) else {
            return;
        };
        let message = Arc::new(Stored::new(frame, destination));
        *published += message.size();
        topic.bytes += message.size();
        topic.log.push_back(Entry {
            message,
            unread: topic.readers.len(),
        });
        if topic.log.len() > self.limits.log {
            topic.drop_first(published);
        }
        for (_, bell) in topic.readers.values() {
            bell.notify_one();
        }
        state.make_room(self.limits.bytes, name);
    }

    /// Reads a topic from now on.
    pub fn join(&self, topic: &str, bell: &Bell) -> Result<Reader, Refusal> {
        let mut state = self.lock();
        state.check_room(state.topics.contains_key(topic), self.limits.destinations)?;
        let reader = state.next();
        let topic = state.topics.entry(topic.into()).or_default();
        let end = topic.end();
        topic.readers.insert(reader, (end, bell.clone()));
        Ok(reader)
    }

    /// Reads on, at most so many messages.
    pub fn read(&self, topic: &str, reader: Reader, limit: usize) -> Result<Vec<Arc<Stored>>, FellBehind> {
        let mut state = self.lock();
        let State {
            topics, published, ..
        } = &mut *state;
        match topics.get_mut(topic) {
            Some(topic) => topic.read(reader, limit, published),
            None => Ok(Vec::new()),
        }
    }

    /// Reads a topic no more.
    pub fn part(&self, topic: &str, reader: Reader) {
        let mut state = self.lock();
        let State {
            topics, published, ..
        } = &mut *state;
        let Some(found) = topics.get_mut(topic) else {
            return;
        };
        // As if it had read all there is.
        let _ = found.read(reader, usize::MAX, published);
        found.readers.remove(&reader);
        if found.readers.is_empty() {
            topics.remove(topic);
        }
    }

    /// Puts a message into a queue.
    pub fn enqueue(&self, queue: &str, frame: &Frame, destination: &str) -> Result<(), Refusal> {
        let mut state = self.lock();
        state.check_room(state.queues.contains_key(queue), self.limits.destinations)?;
        let number = state.next();
        let message = Arc::new(Stored::new(frame, destination));
        if state.kept + message.size() > self.limits.bytes {
            return Err(Refusal::Full);
        }
        let entry = state.queues.entry(queue.into()).or_default();
        if entry.len() >= self.limits.queue {
            return Err(Refusal::QueueFull);
        }
        let size = message.size();
        entry.ready.push_back(Queued {
            number,
            message,
            redelivered: false,
            refused_by: None,
        });
        entry.hand_out();
        state.kept += size;
        Ok(())
    }

    /// Consumes from a queue.
    pub fn consume(&self, queue: &str, bell: &Bell) -> Result<Reader, Refusal> {
        let mut state = self.lock();
        state.check_room(state.queues.contains_key(queue), self.limits.destinations)?;
        let reader = state.next();
        let queue = state.queues.entry(queue.into()).or_default();
        queue.consumers.push_back(Consumer {
            reader,
            bell: bell.clone(),
            waits: false,
            given: VecDeque::new(),
        });
        bell.notify_one();
        Ok(reader)
    }

    /// Takes at most so many messages, or, if there is none, waits for the bell. They are the taker's until
    /// it releases their bytes or puts them back.
    pub fn take(&self, queue: &str, reader: Reader, limit: usize) -> Vec<Queued> {
        let mut state = self.lock();
        match state.queues.get_mut(queue) {
            Some(queue) => queue.take(reader, limit),
            None => Vec::new(),
        }
    }

    /// Puts messages back where they were: `refused`, or left behind by one who is gone.
    pub fn put_back(&self, queue: &str, messages: Vec<Queued>, refused: Option<Reader>) {
        let mut state = self.lock();
        let Some(queue) = state.queues.get_mut(queue) else {
            // Nobody consumes, and nothing was left: it begins anew.
            let mut again = Queue::default();
            again.put_back(messages, true, refused);
            state.queues.insert(queue.into(), again);
            return;
        };
        queue.put_back(messages, true, refused);
        queue.hand_out();
    }

    /// Consumes no more.
    pub fn stop(&self, queue: &str, reader: Reader) {
        let mut state = self.lock();
        let Some(found) = state.queues.get_mut(queue) else {
            return;
        };
        let place = found.consumers.iter().position(|c| c.reader == reader);
        if let Some(gone) = place.and_then(|place| found.consumers.remove(place)) {
            found.put_back(gone.given.into(), false, None);
            found.hand_out();
        }
        if found.len() == 0 && found.consumers.is_empty() {
            state.queues.remove(queue);
        }
    }
}

/// What a SEND to a mail topic holds.
fn letter(frame: &Frame) -> Result<(Letter, Bytes), Refusal> {
    let received = match is_binary(frame) {
        true => Some(Received::from_binary(&frame.body).map_err(|_| Refusal::NotMail)?),
        false => Received::from_text(&frame.body).ok(),
    };
    if let Some(mail) = received {
        return Ok((mail.letter, mail.attachment.into()));
    }
    let letter = match serde_json::from_slice(&frame.body) {
        Ok(letter) => letter,
        Err(_) => Letter {
            body: String::from_utf8(frame.body.to_vec()).map_err(|_| Refusal::NotMail)?,
            ..Letter::default()
        },
    };
    Ok((letter, Bytes::new()))
}

impl State {
    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Whether there is room for a topic or queue, if it is not there already.
    fn check_room(&self, is_there: bool, most: usize) -> Result<(), Refusal> {
        match is_there || self.topics.len() + self.queues.len() < most {
            true => Ok(()),
            false => Err(Refusal::TooManyDestinations),
        }
    }

    /// Makes room in the topics, where most of it is taken: who reads what little there is for it misses
    /// nothing because somebody else does not read. Those who were slowest are told when they look.
    fn make_room(&mut self, most: usize, published_in: &str) {
        let State {
            topics, published, ..
        } = self;
        while *published > most {
            let largest = topics
                .iter_mut()
                .max_by_key(|(name, topic)| (topic.bytes, *name == published_in));
            match largest {
                Some((_, topic)) if !topic.log.is_empty() => topic.drop_first(published),
                _ => return,
            }
        }
    }
}

impl Topic {
    fn end(&self) -> u64 {
        self.first + self.log.len() as u64
    }

    fn drop_first(&mut self, published: &mut usize) {
        if let Some(entry) = self.log.pop_front() {
            let size = entry.message.size();
            self.first += 1;
            self.bytes = self.bytes.saturating_sub(size);
            *published = published.saturating_sub(size);
        }
    }

    fn read(
        &mut self,
        reader: Reader,
        limit: usize,
        published: &mut usize,
    ) -> Result<Vec<Arc<Stored>>, FellBehind> {
        let (first, end) = (self.first, self.end());
        let Some((cursor, _)) = self.readers.get_mut(&reader) else {
            return Ok(Vec::new());
        };
        let fell_behind = *cursor < first;
        let from = (*cursor).max(first);
        let upto = from.saturating_add(limit as u64).min(end);
        *cursor = upto;
        let unread = self
            .log
            .range_mut((from - first) as usize..(upto - first) as usize);
        let messages = unread.map(|entry| {
            entry.unread = entry.unread.saturating_sub(1);
            entry.message.clone()
        });
        let messages = messages.collect();
        while self.log.front().is_some_and(|entry| entry.unread == 0) {
            self.drop_first(published);
        }
        if fell_behind {
            Err(FellBehind)
        } else {
            Ok(messages)
        }
    }
}

impl Queue {
    fn len(&self) -> usize {
        self.ready.len() + self.consumers.iter().map(|c| c.given.len()).sum::<usize>()
    }

    /// Gives what is ready to those who wait, in turn.
    fn hand_out(&mut self) {
        let mut place = 0;
        while place < self.ready.len() && self.consumers.iter().any(|c| c.waits) {
            let refused_by = self.ready[place].refused_by.filter(|_| self.consumers.len() > 1);
            let fits = |c: &Consumer| c.waits && refused_by != Some(c.reader);
            let chosen = self.consumers.iter().position(fits);
            match chosen.and_then(|chosen| self.consumers.remove(chosen)) {
                None => place += 1,
                Some(mut consumer) => {
                    consumer.given.extend(self.ready.remove(place));
                    consumer.waits = false;
                    consumer.bell.notify_one();
                    self.consumers.push_back(consumer);
                }
            }
        }
    }

    fn take(&mut self, reader: Reader, limit: usize) -> Vec<Queued> {
        let others = self.consumers.len().saturating_sub(1);
        let Some(consumer) = self.consumers.iter_mut().find(|c| c.reader == reader) else {
            return Vec::new();
        };
        let given = consumer.given.len().min(limit);
        let mut taken: Vec<Queued> = consumer.given.drain(..given).collect();
        // Of what nobody has waited for, a share.
        let share = self.ready.len().div_ceil(others + 1).min(limit - given);
        let mut place = 0;
        while taken.len() < given + share {
            match self.ready.get(place) {
                None => break,
                Some(message) if others > 0 && message.refused_by == Some(reader) => place += 1,
                Some(_) => taken.extend(self.ready.remove(place)),
            }
        }
        consumer.waits = taken.is_empty() && limit > 0;
        taken
    }

    /// In the order in which they were sent.
    fn put_back(&mut self, messages: Vec<Queued>, redelivered: bool, refused_by: Option<Reader>) {
        for message in messages {
            let place = self.ready.partition_point(|m| m.number < message.number);
            self.ready.insert(
                place,
                Queued {
                    redelivered: redelivered || message.redelivered,
                    refused_by: refused_by.or(message.refused_by),
                    ..message
                },
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::stomp::Command;

    fn broker(limits: Limits) -> Broker {
        let topics = vec!["inbox".into(), "promotions".into()];
        Broker::new(
            Arc::new(Mailbox::new(3, crate::mail::Epoch::of_seed(1))),
            3,
            topics,
            limits,
        )
    }

    fn send(body: &[u8]) -> Frame {
        Frame::new(Command::Send).containing("text/plain", Bytes::copy_from_slice(body))
    }

    fn bodies<'a>(messages: impl IntoIterator<Item = &'a Arc<Stored>>) -> Vec<u8> {
        messages.into_iter().map(|m| m.body[0]).collect()
    }

    fn taken(broker: &Broker, reader: Reader, limit: usize) -> (Vec<Queued>, Vec<u8>) {
        let taken = broker.take("x", reader, limit);
        let bodies = bodies(taken.iter().map(|q| &q.message));
        (taken, bodies)
    }

    #[test]
    fn destinations_are_told_by_their_beginning() {
        let broker = broker(Limits::default());
        let of = |name| broker.destination(name);
        assert_eq!(of("/topic/inbox"), Ok(Destination::Mail(0)));
        assert_eq!(of("/topic/promotions"), Ok(Destination::Mail(1)));
        assert_eq!(of("/topic/inbox.x"), Ok(Destination::Topic("inbox.x".into())));
        assert_eq!(of("/queue/a/b"), Ok(Destination::Queue("a/b".into())));
        assert_eq!(
            (of("/app/read"), of("/app/say")),
            (Ok(Destination::Read), Ok(Destination::Say))
        );
        for name in [
            "",
            "inbox",
            "/topic/",
            "/queue/",
            "/topic",
            "/app/x",
            "/temp-queue/x",
            "/TOPIC/x",
        ] {
            assert_eq!(of(name), Err(Refusal::Destination), "{name}");
        }
    }

    #[test]
    fn whoever_falls_behind_a_topic_is_told_and_holds_nobody_up() {
        let broker = broker(Limits {
            log: 3,
            ..Limits::default()
        });
        let bell = Bell::default();
        broker.publish("x", &send(b"0"), "/topic/x");
        let (fast, slow) = (broker.join("x", &bell).unwrap(), broker.join("x", &bell).unwrap());
        let mut read = Vec::new();
        for n in b"1234567" {
            broker.publish("x", &send(&[*n]), "/topic/x");
            read.extend(bodies(&broker.read("x", fast, 10).unwrap()));
        }
        assert_eq!(read, b"1234567");
        assert!(broker.held() > 0);
        assert_eq!(broker.read("x", slow, 10).unwrap_err(), FellBehind);
        assert_eq!(broker.held(), 0, "everybody has read everything");
        broker.publish("x", &send(b"8"), "/topic/x");
        assert_eq!(bodies(&broker.read("x", slow, 10).unwrap()), b"8");
        broker.part("x", fast);
        broker.part("x", slow);
        assert_eq!((broker.held(), broker.lock().topics.len()), (0, 0));
    }

    #[test]
    fn all_topics_and_queues_together_hold_so_much() {
        let body = [b'x'; 1_000];
        let size = Stored::new(&send(&body), "/topic/a").size();
        let broker = broker(Limits {
            bytes: 3 * size,
            ..Limits::default()
        });
        let bell = Bell::default();
        let deaf: Vec<Reader> = ["a", "b"].map(|topic| broker.join(topic, &bell).unwrap()).into();
        for topic in ["a", "a", "b", "b", "b"] {
            broker.publish(topic, &send(&body), &format!("/topic/{topic}"));
            assert!(broker.held() <= 3 * size);
        }
        assert_eq!(broker.read("a", deaf[0], 9).unwrap().len(), 2);
        assert_eq!(broker.read("b", deaf[1], 9).unwrap_err(), FellBehind);
        assert_eq!(broker.hold(4 * size), Err(Refusal::Full));
        broker.hold(2 * size).unwrap();
        broker.enqueue("q", &send(&body), "/queue/q").unwrap();
        assert_eq!(broker.enqueue("q", &send(&body), "/queue/q"), Err(Refusal::Full));
        broker.release(2 * size);
        broker.enqueue("q", &send(&body), "/queue/q").unwrap();
    }

    #[test]
    fn who_takes_most_loses_first() {
        let body = [b'x'; 1_000];
        let size = Stored::new(&send(&body), "/topic/a").size();
        let broker = broker(Limits {
            bytes: 4 * size,
            ..Limits::default()
        });
        let bell = Bell::default();
        let (deaf, fine) = (broker.join("a", &bell).unwrap(), broker.join("b", &bell).unwrap());
        for _ in 0..4 {
            broker.publish("a", &send(&body), "/topic/a");
            broker.enqueue("q", &send(&body), "/queue/q").unwrap();
        }
        assert_eq!(broker.enqueue("q", &send(&body), "/queue/q"), Err(Refusal::Full));
        broker.publish("b", &send(&body), "/topic/b");
        assert_eq!(broker.read("b", fine, 9).unwrap().len(), 1);
        assert_eq!(broker.read("a", deaf, 9).unwrap_err(), FellBehind);
        assert_eq!(broker.held(), 4 * size, "what is in the queue");
    }

    #[test]
    fn a_queue_gives_each_message_to_one_and_takes_it_back_in_order() {
        let broker = broker(Limits::default());
        let bell = Bell::default();
        for n in b"1234" {
            broker.enqueue("x", &send(&[*n]), "/queue/x").unwrap();
        }
        let (a, b) = (
            broker.consume("x", &bell).unwrap(),
            broker.consume("x", &bell).unwrap(),
        );
        // Each a share of what waits.
        let (first, bodies) = taken(&broker, a, 10);
        assert_eq!(bodies, b"12");
        assert_eq!(taken(&broker, b, 10).1, b"3");
        broker.put_back("x", first, None);
        let (again, bodies) = taken(&broker, b, 2);
        assert_eq!(bodies, b"12");
        assert!(again.iter().all(|q| q.redelivered));
        // Refused: the other gets it, unless there is none.
        broker.put_back("x", again, Some(b));
        assert_eq!(taken(&broker, b, 1).1, b"4");
        assert_eq!(taken(&broker, b, 9).1, b"");
        let (refused, bodies) = taken(&broker, a, 9);
        assert_eq!(bodies, b"1");
        broker.put_back("x", refused, Some(a));
        broker.stop("x", b);
        assert_eq!(taken(&broker, a, 9).1, b"12");
        broker.stop("x", a);
        assert_eq!(broker.lock().queues.len(), 0);
    }

    #[test]
    fn those_who_wait_are_given_messages_in_turn() {
        let broker = broker(Limits::default());
        let bell = Bell::default();
        let readers = [(); 3].map(|()| broker.consume("x", &bell).unwrap());
        for reader in readers {
            assert_eq!(taken(&broker, reader, 1).1, b"");
        }
        let mut got = Vec::new();
        for n in b"123456" {
            broker.enqueue("x", &send(&[*n]), "/queue/x").unwrap();
            for reader in readers {
                if !taken(&broker, reader, 1).1.is_empty() {
                    got.push(reader);
                    assert_eq!(taken(&broker, reader, 1).1, b"");
                }
            }
        }
        assert_eq!(got, [readers, readers].concat());
        // What was given to one who goes is not lost.
        broker.enqueue("x", &send(b"7"), "/queue/x").unwrap();
        broker.stop("x", readers[0]);
        let left = [1, 2].map(|n| taken(&broker, readers[n], 1).1).concat();
        assert_eq!(left, b"7");
    }

    #[test]
    fn there_is_room_for_so_many() {
        let broker = broker(Limits {
            sessions: 2,
            destinations: 2,
            queue: 1,
            ..Limits::default()
        });
        let bell = Bell::default();
        assert!(broker.enter().is_some() && broker.enter().is_some() && broker.enter().is_none());
        broker.leave();
        assert!(broker.enter().is_some());
        broker.join("x", &bell).unwrap();
        broker.enqueue("x", &send(b"1"), "/queue/x").unwrap();
        assert_eq!(
            broker.enqueue("x", &send(b"1"), "/queue/x"),
            Err(Refusal::QueueFull)
        );
        assert_eq!(broker.join("y", &bell), Err(Refusal::TooManyDestinations));
        assert_eq!(broker.consume("y", &bell), Err(Refusal::TooManyDestinations));
        broker.consume("x", &bell).unwrap();
    }

    #[test]
    fn a_mail_that_is_sent_keeps_its_topic_and_headers_as_long_as_the_log_keeps_it() {
        let broker = broker(Limits::default());
        let letter = send(br#"{"from":"a","subject":"b","body":"c"}"#);
        broker.post(0, &letter).unwrap();
        // Its number alone would make it the other's.
        broker.post(0, &letter).unwrap();
        broker.post(0, &letter.clone().with("colour", "blue")).unwrap();
        assert_eq!([1, 2, 3, 4].map(|n| broker.sent(n).topic), [0, 0, 0, 1]);
        assert_eq!(
            broker.sent(3).headers,
            [("colour".to_string(), "blue".to_string())]
        );
        for _ in 0..5 {
            broker.post(0, &letter.clone().with("colour", "blue")).unwrap();
        }
        assert!(broker.sent.read().unwrap().len() <= 4);
        assert_eq!(broker.mailbox.newest(), 8);
        let newest = broker.mailbox.read(7, 1).1[0].mail.json.clone();
        assert_eq!(&newest[..], br#"{"id":8,"from":"a","subject":"b","body":"c"}"#);
        assert_eq!(broker.post(0, &send(b"\xFF")), Err(Refusal::NotMail));
        let broken = Frame::new(Command::Send).containing("application/octet-stream", &b"\0\0"[..]);
        assert_eq!(broker.post(0, &broken), Err(Refusal::NotMail));
    }
}
