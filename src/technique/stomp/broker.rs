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

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::frames::{QUEUE, TOPIC, is_binary};
use crate::mail::{Letter, Mail, Mailbox, Note, Posted, Received};
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
    sender: u64,
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
    fn new(frame: &Frame, destination: &str, sender: u64) -> Stored {
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
    state: Mutex<State>,
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
    /// The sessions, by number.
    sessions: HashMap<u64, Share>,
    /// When to look next for queues that nobody consumes from.
    next_look: Option<Instant>,
}

/// What a session has of the broker.
#[derive(Debug, Default)]
struct Share {
    /// Topics and queues that it brought into being, and that are still there.
    destinations: usize,
    /// Bytes in queues and transactions that it sent.
    bytes: usize,
}

/// Queues that nobody consumes from are looked for no more often.
const LOOK: Duration = Duration::from_secs(1);

/// A log of what someone has yet to read.
#[derive(Debug)]
struct Topic {
    /// The session that brought it into being.
    owner: u64,
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

#[derive(Debug)]
struct Queue {
    /// The session that brought it into being.
    owner: u64,
    ready: VecDeque<Queued>,
    consumers: VecDeque<Consumer>,
    /// Since when nobody consumes from it.
    idle_since: Option<Instant>,
}

#[derive(Debug)]
struct Consumer {
    reader: Reader,
    bell: Bell,
    /// It has nothing to do, and may be given something.
    waits: bool,
    given: VecDeque<Queued>,
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
    const ALL: Most = Most {
        messages: usize::MAX,
        bytes: usize::MAX,
    };

    /// How many of messages of these sizes it is.
    fn of(self, sizes: impl Iterator<Item = usize>) -> usize {
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

impl Broker {
    /// A broker for the mail of a mailbox, whose mail number k belongs to the topic at `(k - 1) % n`.
    pub fn new(mailbox: Arc<Mailbox>, topics: Vec<String>, limits: Limits) -> Broker {
        Broker {
            limits,
            mailbox,
            topics,
            state: Mutex::default(),
        }
    }

    /// Lets a session in, if there is room; gives it its number.
    pub fn enter(&self) -> Option<u64> {
        let mut state = self.state.lock();
        if state.sessions.len() >= self.limits.sessions {
            return None;
        }
        let number = state.next();
        state.sessions.insert(number, Share::default());
        Some(number)
    }

    /// A session is over.
    pub fn leave(&self, session: u64) {
        self.state.lock().sessions.remove(&session);
    }

    /// Bytes in topics, queues and transactions.
    #[cfg(test)]
    pub fn held(&self) -> usize {
        let state = self.state.lock();
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

    /// The place of the topic that a mail belongs to.
    pub fn topic_of(&self, posted: &Posted) -> usize {
        let usual = || self.usual_topic(posted.number);
        posted.note.as_ref().map_or_else(usual, |note| note.topic)
    }

    fn usual_topic(&self, number: u64) -> usize {
        ((number - 1) % self.topics.len().max(1) as u64) as usize
    }

    /// Lets a mail arrive that a client sent: what is not the JSON of one becomes its text.
    pub fn post(&self, topic: usize, frame: &Frame) -> Result<(), Refusal> {
        let (letter, attachment) = letter(frame)?;
        let headers = passed_on(frame, &[NOT_PASSED_ON, &["content-type"]].concat());
        self.mailbox.append_next(|number| {
            let is_usual = topic == self.usual_topic(number) && headers.is_empty();
            let note = (!is_usual).then_some(Note { topic, headers });
            (Mail::new(number, &letter, attachment), note)
        });
        Ok(())
    }

    /// Makes room for so many bytes of a session's transaction, if there is.
    pub fn hold(&self, session: u64, bytes: usize) -> Result<(), Refusal> {
        let mut state = self.state.lock();
        state.check_bytes(session, bytes, &self.limits)?;
        state.hold(session, bytes);
        Ok(())
    }

    /// Gives the bytes of a session's transaction back.
    pub fn release(&self, session: u64, bytes: usize) {
        self.state.lock().release(session, bytes);
    }

    /// Gives the bytes of messages back that are settled.
    pub fn settle(&self, messages: &[Queued]) {
        let mut state = self.state.lock();
        for queued in messages {
            state.release(queued.message.sender, queued.message.size());
        }
    }

    /// Publishes to a topic. Whoever is not there misses it.
    pub fn publish(&self, name: &str, session: u64, frame: &Frame, destination: &str) {
        let mut state = self.state.lock();
        let State {
            topics, published, ..
        } = &mut *state;
        let Some(topic) = topics.get_mut(name) else {
            return;
        };
        let message = Arc::new(Stored::new(frame, destination, session));
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
    pub fn join(&self, topic: &str, session: u64, bell: &Bell) -> Result<Reader, Refusal> {
        let mut state = self.state.lock();
        if !state.topics.contains_key(topic) {
            state.bring_into_being(session, &self.limits)?;
            state.topics.insert(topic.into(), Topic::of(session));
        }
        let reader = state.next();
        if let Some(topic) = state.topics.get_mut(topic) {
            let end = topic.end();
            topic.readers.insert(reader, (end, bell.clone()));
        }
        Ok(reader)
    }

    /// Reads on: at most so many messages, and no more than have so many bytes if there is more than one.
    pub fn read(&self, topic: &str, reader: Reader, most: Most) -> Result<Vec<Arc<Stored>>, FellBehind> {
        let mut state = self.state.lock();
        let State {
            topics, published, ..
        } = &mut *state;
        match topics.get_mut(topic) {
            Some(topic) => topic.read(reader, most, published),
            None => Ok(Vec::new()),
        }
    }

    /// Reads a topic no more.
    pub fn part(&self, topic: &str, reader: Reader) {
        let mut state = self.state.lock();
        let State {
            topics, published, ..
        } = &mut *state;
        let Some(found) = topics.get_mut(topic) else {
            return;
        };
        // As if it had read all there is.
        let _ = found.read(reader, Most::ALL, published);
        found.readers.remove(&reader);
        if found.readers.is_empty() {
            let owner = found.owner;
            topics.remove(topic);
            state.is_gone(owner);
        }
    }

    /// Puts a message into a queue.
    pub fn enqueue(
        &self,
        queue: &str,
        session: u64,
        frame: &Frame,
        destination: &str,
    ) -> Result<(), Refusal> {
        let mut state = self.state.lock();
        state.expire(self.limits.queue_idle);
        let message = Arc::new(Stored::new(frame, destination, session));
        let size = message.size();
        state.check_bytes(session, size, &self.limits)?;
        if state
            .queues
            .get(queue)
            .is_some_and(|q| q.len() >= self.limits.queue)
        {
            return Err(Refusal::QueueFull);
        }
        let number = state.next();
        let queue = state.queue(queue, session, &self.limits)?;
        queue.ready.push_back(Queued {
            number,
            message,
            redelivered: false,
            refused_by: None,
        });
        queue.hand_out();
        state.hold(session, size);
        Ok(())
    }

    /// Consumes from a queue.
    pub fn consume(&self, queue: &str, session: u64, bell: &Bell) -> Result<Reader, Refusal> {
        let mut state = self.state.lock();
        state.expire(self.limits.queue_idle);
        let reader = state.next();
        let queue = state.queue(queue, session, &self.limits)?;
        queue.idle_since = None;
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
    pub fn take(&self, queue: &str, reader: Reader, most: Most) -> Vec<Queued> {
        let mut state = self.state.lock();
        match state.queues.get_mut(queue) {
            Some(queue) => queue.take(reader, most),
            None => Vec::new(),
        }
    }

    /// Puts messages back where they were: `refused`, or left behind by one who is gone.
    pub fn put_back(&self, queue: &str, messages: Vec<Queued>, refused: Option<Reader>) {
        let mut state = self.state.lock();
        // It may have expired, and whoever brought it into being may be gone: it is there again.
        let owner = messages.first().map_or(0, |queued| queued.message.sender);
        let queue = state.queue_of(queue, owner);
        queue.put_back(messages, true, refused);
        queue.hand_out();
    }

    /// Consumes no more.
    pub fn stop(&self, queue: &str, reader: Reader) {
        let mut state = self.state.lock();
        let Some(found) = state.queues.get_mut(queue) else {
            return;
        };
        let place = found.consumers.iter().position(|c| c.reader == reader);
        if let Some(gone) = place.and_then(|place| found.consumers.remove(place)) {
            found.put_back(gone.given.into(), false, None);
            found.hand_out();
        }
        if !found.consumers.is_empty() {
            return;
        }
        if found.len() == 0 {
            let owner = found.owner;
            state.queues.remove(queue);
            state.is_gone(owner);
        } else {
            found.idle_since = Some(Instant::now());
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

    /// Makes room for one more topic or queue, if there is, for everyone and for the session.
    fn bring_into_being(&mut self, session: u64, limits: &Limits) -> Result<(), Refusal> {
        self.expire(limits.queue_idle);
        if self.topics.len() + self.queues.len() >= limits.destinations {
            return Err(Refusal::TooManyDestinations);
        }
        if let Some(share) = self.sessions.get_mut(&session) {
            if share.destinations >= limits.session_destinations {
                return Err(Refusal::ShareOfDestinations);
            }
            share.destinations += 1;
        }
        Ok(())
    }

    /// A topic or queue is gone that a session brought into being.
    fn is_gone(&mut self, owner: u64) {
        if let Some(share) = self.sessions.get_mut(&owner) {
            share.destinations = share.destinations.saturating_sub(1);
        }
    }

    /// The queue of this name, which is brought into being if it is not there.
    fn queue(&mut self, name: &str, session: u64, limits: &Limits) -> Result<&mut Queue, Refusal> {
        if !self.queues.contains_key(name) {
            self.bring_into_being(session, limits)?;
        }
        Ok(self.queue_of(name, session))
    }

    fn queue_of(&mut self, name: &str, owner: u64) -> &mut Queue {
        self.queues.entry(name.into()).or_insert_with(|| Queue {
            owner,
            ready: VecDeque::new(),
            consumers: VecDeque::new(),
            idle_since: Some(Instant::now()),
        })
    }

    /// Whether a session may send so many bytes more to queues and transactions.
    fn check_bytes(&self, session: u64, bytes: usize, limits: &Limits) -> Result<(), Refusal> {
        if self.kept + bytes > limits.bytes {
            return Err(Refusal::Full);
        }
        let has = self.sessions.get(&session).map_or(0, |share| share.bytes);
        match has + bytes > limits.session_bytes {
            true => Err(Refusal::ShareOfBytes),
            false => Ok(()),
        }
    }

    fn hold(&mut self, session: u64, bytes: usize) {
        self.kept += bytes;
        if let Some(share) = self.sessions.get_mut(&session) {
            share.bytes += bytes;
        }
    }

    fn release(&mut self, session: u64, bytes: usize) {
        self.kept = self.kept.saturating_sub(bytes);
        if let Some(share) = self.sessions.get_mut(&session) {
            share.bytes = share.bytes.saturating_sub(bytes);
        }
    }

    /// Drops queues that nobody has consumed from for so long, with what is in them.
    fn expire(&mut self, idle: Duration) {
        let now = Instant::now();
        if self.next_look.is_some_and(|next| now < next) {
            return;
        }
        self.next_look = Some(now + LOOK.min(idle));
        let is_over = |queue: &mut Queue| queue.idle_since.is_some_and(|since| now >= since + idle);
        let expired: Vec<Queue> = self
            .queues
            .extract_if(|_, queue| is_over(queue))
            .map(|(_, q)| q)
            .collect();
        for queue in expired {
            self.is_gone(queue.owner);
            for queued in &queue.ready {
                self.release(queued.message.sender, queued.message.size());
            }
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
    fn of(owner: u64) -> Topic {
        Topic {
            owner,
            log: VecDeque::new(),
            first: 0,
            bytes: 0,
            readers: HashMap::new(),
        }
    }

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
        most: Most,
        published: &mut usize,
    ) -> Result<Vec<Arc<Stored>>, FellBehind> {
        let (first, end) = (self.first, self.end());
        let Some((cursor, _)) = self.readers.get_mut(&reader) else {
            return Ok(Vec::new());
        };
        let fell_behind = *cursor < first;
        let from = (*cursor).max(first);
        let waiting = self.log.range((from - first) as usize..);
        let upto = from + most.of(waiting.map(|entry| entry.message.size())) as u64;
        debug_assert!(upto <= end);
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

    fn take(&mut self, reader: Reader, most: Most) -> Vec<Queued> {
        let limit = most.messages;
        let others = self.consumers.len().saturating_sub(1);
        let Some(consumer) = self.consumers.iter_mut().find(|c| c.reader == reader) else {
            return Vec::new();
        };
        let given = consumer.given.len().min(limit);
        let mut taken: Vec<Queued> = consumer.given.drain(..given).collect();
        // Of what nobody has waited for, a share.
        let share = self.ready.len().div_ceil(others + 1).min(limit - given);
        let mut place = 0;
        let mut bytes: usize = taken.iter().map(|queued| queued.message.size()).sum();
        while taken.len() < given + share {
            match self.ready.get(place) {
                None => break,
                Some(next) if !taken.is_empty() && bytes + next.message.size() > most.bytes => break,
                Some(message) if others > 0 && message.refused_by == Some(reader) => place += 1,
                Some(next) => {
                    bytes += next.message.size();
                    taken.extend(self.ready.remove(place));
                }
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

    /// A session that nobody counts.
    const ME: u64 = 0;

    fn broker(limits: Limits) -> Broker {
        let topics = vec!["inbox".into(), "promotions".into()];
        Broker::new(
            Arc::new(Mailbox::new(3, crate::mail::Epoch::of_seed(1))),
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
        let taken = broker.take(
            "x",
            reader,
            Most {
                messages: limit,
                ..Most::ALL
            },
        );
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
        broker.publish("x", ME, &send(b"0"), "/topic/x");
        let (fast, slow) = (
            broker.join("x", ME, &bell).unwrap(),
            broker.join("x", ME, &bell).unwrap(),
        );
        let mut read = Vec::new();
        for n in b"1234567" {
            broker.publish("x", ME, &send(&[*n]), "/topic/x");
            read.extend(bodies(
                &broker
                    .read(
                        "x",
                        fast,
                        Most {
                            messages: 10,
                            ..Most::ALL
                        },
                    )
                    .unwrap(),
            ));
        }
        assert_eq!(read, b"1234567");
        assert!(broker.held() > 0);
        assert_eq!(
            broker
                .read(
                    "x",
                    slow,
                    Most {
                        messages: 10,
                        ..Most::ALL
                    }
                )
                .unwrap_err(),
            FellBehind
        );
        assert_eq!(broker.held(), 0, "everybody has read everything");
        broker.publish("x", ME, &send(b"8"), "/topic/x");
        assert_eq!(
            bodies(
                &broker
                    .read(
                        "x",
                        slow,
                        Most {
                            messages: 10,
                            ..Most::ALL
                        }
                    )
                    .unwrap()
            ),
            b"8"
        );
        broker.part("x", fast);
        broker.part("x", slow);
        assert_eq!((broker.held(), broker.state.lock().topics.len()), (0, 0));
    }

    #[test]
    fn all_topics_and_queues_together_hold_so_much() {
        let body = [b'x'; 1_000];
        let size = Stored::new(&send(&body), "/topic/a", ME).size();
        let broker = broker(Limits {
            bytes: 3 * size,
            ..Limits::default()
        });
        let bell = Bell::default();
        let deaf: Vec<Reader> = ["a", "b"]
            .map(|topic| broker.join(topic, ME, &bell).unwrap())
            .into();
        for topic in ["a", "a", "b", "b", "b"] {
            broker.publish(topic, ME, &send(&body), &format!("/topic/{topic}"));
            assert!(broker.held() <= 3 * size);
        }
        assert_eq!(
            broker
                .read(
                    "a",
                    deaf[0],
                    Most {
                        messages: 9,
                        ..Most::ALL
                    }
                )
                .unwrap()
                .len(),
            2
        );
        assert_eq!(
            broker
                .read(
                    "b",
                    deaf[1],
                    Most {
                        messages: 9,
                        ..Most::ALL
                    }
                )
                .unwrap_err(),
            FellBehind
        );
        assert_eq!(broker.hold(ME, 4 * size), Err(Refusal::Full));
        broker.hold(ME, 2 * size).unwrap();
        broker.enqueue("q", ME, &send(&body), "/queue/q").unwrap();
        assert_eq!(
            broker.enqueue("q", ME, &send(&body), "/queue/q"),
            Err(Refusal::Full)
        );
        broker.release(ME, 2 * size);
        broker.enqueue("q", ME, &send(&body), "/queue/q").unwrap();
    }

    #[test]
    fn who_takes_most_loses_first() {
        let body = [b'x'; 1_000];
        let size = Stored::new(&send(&body), "/topic/a", ME).size();
        let broker = broker(Limits {
            bytes: 4 * size,
            ..Limits::default()
        });
        let bell = Bell::default();
        let (deaf, fine) = (
            broker.join("a", ME, &bell).unwrap(),
            broker.join("b", ME, &bell).unwrap(),
        );
        for _ in 0..4 {
            broker.publish("a", ME, &send(&body), "/topic/a");
            broker.enqueue("q", ME, &send(&body), "/queue/q").unwrap();
        }
        assert_eq!(
            broker.enqueue("q", ME, &send(&body), "/queue/q"),
            Err(Refusal::Full)
        );
        broker.publish("b", ME, &send(&body), "/topic/b");
        assert_eq!(
            broker
                .read(
                    "b",
                    fine,
                    Most {
                        messages: 9,
                        ..Most::ALL
                    }
                )
                .unwrap()
                .len(),
            1
        );
        assert_eq!(
            broker
                .read(
                    "a",
                    deaf,
                    Most {
                        messages: 9,
                        ..Most::ALL
                    }
                )
                .unwrap_err(),
            FellBehind
        );
        assert_eq!(broker.held(), 4 * size, "what is in the queue");
    }

    #[test]
    fn a_queue_gives_each_message_to_one_and_takes_it_back_in_order() {
        let broker = broker(Limits::default());
        let bell = Bell::default();
        for n in b"1234" {
            broker.enqueue("x", ME, &send(&[*n]), "/queue/x").unwrap();
        }
        let (a, b) = (
            broker.consume("x", ME, &bell).unwrap(),
            broker.consume("x", ME, &bell).unwrap(),
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
        assert_eq!(broker.state.lock().queues.len(), 0);
    }

    #[test]
    fn those_who_wait_are_given_messages_in_turn() {
        let broker = broker(Limits::default());
        let bell = Bell::default();
        let readers = [(); 3].map(|()| broker.consume("x", ME, &bell).unwrap());
        for reader in readers {
            assert_eq!(taken(&broker, reader, 1).1, b"");
        }
        let mut got = Vec::new();
        for n in b"123456" {
            broker.enqueue("x", ME, &send(&[*n]), "/queue/x").unwrap();
            for reader in readers {
                if !taken(&broker, reader, 1).1.is_empty() {
                    got.push(reader);
                    assert_eq!(taken(&broker, reader, 1).1, b"");
                }
            }
        }
        assert_eq!(got, [readers, readers].concat());
        // What was given to one who goes is not lost.
        broker.enqueue("x", ME, &send(b"7"), "/queue/x").unwrap();
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
        let first = broker.enter().unwrap();
        assert!(broker.enter().is_some() && broker.enter().is_none());
        broker.leave(first);
        assert!(broker.enter().is_some());
        broker.join("x", ME, &bell).unwrap();
        broker.enqueue("x", ME, &send(b"1"), "/queue/x").unwrap();
        assert_eq!(
            broker.enqueue("x", ME, &send(b"1"), "/queue/x"),
            Err(Refusal::QueueFull)
        );
        assert_eq!(broker.join("y", ME, &bell), Err(Refusal::TooManyDestinations));
        assert_eq!(broker.consume("y", ME, &bell), Err(Refusal::TooManyDestinations));
        broker.consume("x", ME, &bell).unwrap();
    }

    #[test]
    fn one_session_has_a_share_of_the_broker_and_leaves_the_rest_to_others() {
        let body = [b'x'; 1_000];
        let size = Stored::new(&send(&body), "/queue/a", ME).size();
        let broker = broker(Limits {
            destinations: 10,
            session_destinations: 3,
            session_bytes: 4 * size,
            ..Limits::default()
        });
        let (greedy, other) = (broker.enter().unwrap(), broker.enter().unwrap());
        let bell = Bell::default();
        let put = |who, queue: &str| broker.enqueue(queue, who, &send(&body), &format!("/queue/{queue}"));
        let reader = broker.join("a", greedy, &bell).unwrap();
        put(greedy, "a").unwrap();
        put(greedy, "b").unwrap();
        assert_eq!(put(greedy, "c"), Err(Refusal::ShareOfDestinations));
        assert_eq!(broker.join("c", greedy, &bell), Err(Refusal::ShareOfDestinations));
        assert_eq!(
            broker.consume("c", greedy, &bell),
            Err(Refusal::ShareOfDestinations)
        );
        put(greedy, "a").unwrap();
        put(greedy, "a").unwrap();
        assert_eq!(put(greedy, "a"), Err(Refusal::ShareOfBytes));
        assert_eq!(broker.hold(greedy, 1), Err(Refusal::ShareOfBytes));
        // Others are served, from the same queues too.
        put(other, "a").unwrap();
        put(other, "c").unwrap();
        let consumer = broker.consume("a", other, &bell).unwrap();
        let most = Most {
            messages: 2,
            ..Most::ALL
        };
        broker.settle(&broker.take("a", consumer, most));
        // What is settled and what is gone counts no more.
        put(greedy, "b").unwrap();
        put(greedy, "b").unwrap();
        assert_eq!(put(greedy, "b"), Err(Refusal::ShareOfBytes));
        broker.part("a", reader);
        broker.join("c", greedy, &bell).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_that_nobody_consumes_from_expires() {
        let idle = Duration::from_secs(60);
        let broker = broker(Limits {
            destinations: 2,
            queue_idle: idle,
            ..Limits::default()
        });
        let bell = Bell::default();
        let attacker = broker.enter().unwrap();
        let put = |queue: &str| broker.enqueue(queue, attacker, &send(b"1"), "/queue/x");
        put("a").unwrap();
        let reader = broker.consume("x", attacker, &bell).unwrap();
        put("x").unwrap();
        assert_eq!(put("b"), Err(Refusal::TooManyDestinations));
        tokio::time::advance(idle - LOOK).await;
        // That more is sent keeps nothing.
        put("a").unwrap();
        assert_eq!(put("b"), Err(Refusal::TooManyDestinations));
        tokio::time::advance(2 * LOOK).await;
        put("b").unwrap();
        // Who consumes keeps a queue, and for a while longer when it is gone.
        tokio::time::advance(idle - LOOK).await;
        broker.stop("x", reader);
        tokio::time::advance(2 * LOOK).await;
        put("c").unwrap();
        let reader = broker.consume("x", attacker, &bell).unwrap();
        assert_eq!(taken(&broker, reader, 9).1, b"1");
        assert_eq!(broker.state.lock().sessions[&attacker].destinations, 2);
        let held = broker.held();
        assert!((1..1_000).contains(&held), "{held}");
    }

    #[test]
    fn messages_are_read_as_far_as_they_fit() {
        let body = [b'x'; 1_000];
        let size = Stored::new(&send(&body), "/topic/a", ME).size();
        let broker = broker(Limits::default());
        let bell = Bell::default();
        let reader = broker.join("a", ME, &bell).unwrap();
        let consumer = broker.consume("a", ME, &bell).unwrap();
        for _ in 0..5 {
            broker.publish("a", ME, &send(&body), "/topic/a");
            broker.enqueue("a", ME, &send(&body), "/topic/a").unwrap();
        }
        let most = |bytes| Most { messages: 9, bytes };
        let sizes = [0, 2 * size, 2 * size + 1, 9 * size];
        let read = sizes.map(|bytes| broker.read("a", reader, most(bytes)).unwrap().len());
        let took = sizes.map(|bytes| broker.take("a", consumer, most(bytes)).len());
        assert_eq!((read, took), ([1, 2, 2, 0], [1, 2, 2, 0]));
    }

    #[test]
    fn a_mail_that_is_sent_keeps_its_topic_and_headers_as_long_as_the_log_keeps_it() {
        let broker = broker(Limits::default());
        let letter = send(br#"{"from":"a","subject":"b","body":"c"}"#);
        broker.post(0, &letter).unwrap();
        // Its number alone would make it the other's.
        broker.post(0, &letter).unwrap();
        broker.post(0, &letter.clone().with("colour", "blue")).unwrap();
        let mails = broker.mailbox.read(0, 9).mails;
        assert_eq!([0, 1, 2].map(|n| broker.topic_of(&mails[n])), [0, 0, 0]);
        let noted = |n: usize| mails[n].note.as_ref().map_or(0, |note| note.headers.len());
        assert_eq!([0, 1, 2].map(noted), [0, 0, 1]);
        for _ in 0..5 {
            broker.post(0, &letter.clone().with("colour", "blue")).unwrap();
        }
        assert_eq!(broker.mailbox.newest(), 8);
        let newest = broker.mailbox.read(7, 1).mails[0].mail.json.clone();
        assert_eq!(&newest[..], br#"{"id":8,"from":"a","subject":"b","body":"c"}"#);
        assert_eq!(broker.post(0, &send(b"\xFF")), Err(Refusal::NotMail));
        let broken = Frame::new(Command::Send).containing("application/octet-stream", &b"\0\0"[..]);
        assert_eq!(broker.post(0, &broken), Err(Refusal::NotMail));
    }
}
