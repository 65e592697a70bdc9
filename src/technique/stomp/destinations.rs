//! The topics and queues of a broker, and each session's share of them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::stored::{Bell, BrokerLimits, FellBehind, Most, Queued, Reader, Refusal, Stored};

#[derive(Debug, Default)]
pub struct State {
    /// The last number given to a session, reader or message.
    pub last: u64,
    /// Bytes in topics.
    pub published: usize,
    /// Bytes in queues and transactions.
    pub kept: usize,
    pub topics: HashMap<String, Topic>,
    pub queues: HashMap<String, Queue>,
    /// The sessions, by number.
    pub sessions: HashMap<u64, Share>,
    /// When to check again for queues without consumers.
    pub next_look: Option<Instant>,
}

/// A session's share of the broker's resources.
#[derive(Debug, Default)]
pub struct Share {
    /// The number of existing topics and queues that it created.
    pub destinations: usize,
    /// Bytes that it sent to queues and transactions.
    pub bytes: usize,
}

/// The shortest time between two checks for queues without consumers.
pub const LOOK: Duration = Duration::from_secs(1);

/// A log of the messages that some reader has not read yet.
#[derive(Debug)]
pub struct Topic {
    /// The session that created it.
    pub owner: u64,
    pub log: VecDeque<Entry>,
    /// The position of the log's first message.
    pub first: u64,
    pub bytes: usize,
    pub readers: HashMap<Reader, (u64, Bell)>,
}

#[derive(Debug)]
pub struct Entry {
    pub message: Arc<Stored>,
    pub unread: usize,
}

#[derive(Debug)]
pub struct Queue {
    /// The session that created it.
    pub owner: u64,
    pub ready: VecDeque<Queued>,
    pub consumers: VecDeque<Consumer>,
    /// Since when it has no consumer.
    pub idle_since: Option<Instant>,
}

#[derive(Debug)]
pub struct Consumer {
    pub reader: Reader,
    pub bell: Bell,
    /// Whether it waits for a message.
    pub waits: bool,
    pub given: VecDeque<Queued>,
}

impl State {
    pub fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Counts one more topic or queue, if the limits of the broker and of the session allow it.
    pub fn reserve_destination(&mut self, session: u64, limits: &BrokerLimits) -> Result<(), Refusal> {
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

    /// Counts a topic or queue of a session as removed.
    pub fn count_removed(&mut self, owner: u64) {
        if let Some(share) = self.sessions.get_mut(&owner) {
            share.destinations = share.destinations.saturating_sub(1);
        }
    }

    /// The queue with this name, which is created if it does not exist.
    pub fn queue(&mut self, name: &str, session: u64, limits: &BrokerLimits) -> Result<&mut Queue, Refusal> {
        if !self.queues.contains_key(name) {
            self.reserve_destination(session, limits)?;
        }
        Ok(self.queue_of(name, session))
    }

    pub fn queue_of(&mut self, name: &str, owner: u64) -> &mut Queue {
        self.queues.entry(name.into()).or_insert_with(|| Queue {
            owner,
            ready: VecDeque::new(),
            consumers: VecDeque::new(),
            idle_since: Some(Instant::now()),
        })
    }

    /// Checks whether a session may send this many more bytes to queues and transactions.
    pub fn check_bytes(&self, session: u64, bytes: usize, limits: &BrokerLimits) -> Result<(), Refusal> {
        if self.kept + bytes > limits.bytes {
            return Err(Refusal::Full);
        }
        let has = self.sessions.get(&session).map_or(0, |share| share.bytes);
        match has + bytes > limits.session_bytes {
            true => Err(Refusal::ShareOfBytes),
            false => Ok(()),
        }
    }

    pub fn hold(&mut self, session: u64, bytes: usize) {
        self.kept += bytes;
        if let Some(share) = self.sessions.get_mut(&session) {
            share.bytes += bytes;
        }
    }

    pub fn release(&mut self, session: u64, bytes: usize) {
        self.kept = self.kept.saturating_sub(bytes);
        if let Some(share) = self.sessions.get_mut(&session) {
            share.bytes = share.bytes.saturating_sub(bytes);
        }
    }

    /// Removes queues that had no consumer for `idle`, with their messages.
    pub fn expire(&mut self, idle: Duration) {
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
            self.count_removed(queue.owner);
            for queued in &queue.ready {
                self.release(queued.message.sender, queued.message.size());
            }
        }
    }

    /// Drops messages of the topics that take most memory: a reader of a small topic misses nothing because
    /// another does not read. The slowest readers learn of it at their next read.
    pub fn make_room(&mut self, most: usize, published_in: &str) {
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
    pub fn of(owner: u64) -> Topic {
        Topic {
            owner,
            log: VecDeque::new(),
            first: 0,
            bytes: 0,
            readers: HashMap::new(),
        }
    }

    pub fn end(&self) -> u64 {
        self.first + self.log.len() as u64
    }

    pub fn drop_first(&mut self, published: &mut usize) {
        if let Some(entry) = self.log.pop_front() {
            let size = entry.message.size();
            self.first += 1;
            self.bytes = self.bytes.saturating_sub(size);
            *published = published.saturating_sub(size);
        }
    }

    pub fn read(
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
    pub fn len(&self) -> usize {
        self.ready.len() + self.consumers.iter().map(|c| c.given.len()).sum::<usize>()
    }

    /// Gives ready messages to the waiting consumers, in turn.
    pub fn hand_out(&mut self) {
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

    pub fn take(&mut self, reader: Reader, most: Most) -> Vec<Queued> {
        let limit = most.messages;
        let others = self.consumers.len().saturating_sub(1);
        let Some(consumer) = self.consumers.iter_mut().find(|c| c.reader == reader) else {
            return Vec::new();
        };
        let given = consumer.given.len().min(limit);
        let mut taken: Vec<Queued> = consumer.given.drain(..given).collect();
        // A share of the messages that no consumer waited for.
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

    /// Inserts messages in the order in which they were sent.
    pub fn put_back(&mut self, messages: Vec<Queued>, redelivered: bool, refused_by: Option<Reader>) {
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
