//! The broker that a server's sessions share: mail topics, which are the mailbox; other topics, each a log
//! with cursors; queues; and the limits for all of it.
//!
//! ```text
//! SEND /topic/inbox ──▶ the mailbox             every subscriber has a cursor, resumes with `after`
//! SEND /topic/x ──▶ [ 7 8 9 ]                   every subscriber has a cursor; one that falls behind is cut
//! SEND /queue/x ──▶ 1 2 3 ──▶ one consumer      until it acknowledges, a message may come back
//! ```
//!
//! The broker is synchronous: a session notifies the sessions that have something to read.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::destinations::{Consumer, Entry, Share, State, Topic};
use super::frames::{QUEUE, TOPIC, is_binary};
use super::stored::{
    Bell, BrokerLimits, Destination, FellBehind, Most, NOT_PASSED_ON, Queued, Reader, Refusal, Stored,
    passed_on,
};
use crate::mail::{Draft, Letter, LogEntry, Mailbox, Note, Posting, Received};
use crate::wire::stomp::{APPLICATION, Frame};

/// The broker of a server.
#[derive(Debug)]
pub struct Broker {
    /// The broker's limits.
    pub limits: BrokerLimits,
    mailbox: Arc<Mailbox>,
    topics: Vec<String>,
    state: Mutex<State>,
}

impl Broker {
    /// A broker for the mail of a mailbox; mail number k belongs to the topic at index `(k - 1) % n`.
    pub fn new(mailbox: Arc<Mailbox>, topics: Vec<String>, limits: BrokerLimits) -> Broker {
        Broker {
            limits,
            mailbox,
            topics,
            state: Mutex::default(),
        }
    }

    /// Admits a session if there is room, and returns its number.
    pub fn enter(&self) -> Option<u64> {
        let mut state = self.state.lock();
        if state.sessions.len() >= self.limits.sessions {
            return None;
        }
        let number = state.next();
        state.sessions.insert(number, Share::default());
        Some(number)
    }

    /// Removes a session.
    pub fn leave(&self, session: u64) {
        self.state.lock().sessions.remove(&session);
    }

    /// Bytes in topics, queues and transactions.
    #[cfg(test)]
    pub fn held(&self) -> usize {
        let state = self.state.lock();
        state.published + state.kept
    }

    /// Parses the value of a `destination` header.
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

    /// The name of a mail topic, by its index.
    pub fn topic(&self, place: usize) -> &str {
        self.topics.get(place).map_or("", String::as_str)
    }

    /// The index of the topic that a mail belongs to.
    pub fn topic_of(&self, entry: &LogEntry) -> usize {
        let usual = || self.usual_topic(entry.number);
        entry.note.as_ref().map_or_else(usual, |note| note.topic)
    }

    fn usual_topic(&self, number: u64) -> usize {
        ((number - 1) % self.topics.len().max(1) as u64) as usize
    }

    /// Hands a client's mail to the mailbox; a body that is no mail's JSON becomes a mail's text.
    pub fn post(&self, topic: usize, frame: &Frame) -> Result<Posting, Refusal> {
        let (letter, attachment) = letter(frame)?;
        let headers = passed_on(frame, &[NOT_PASSED_ON, &["content-type"]].concat());
        // Among several topics the usual one depends on the number, which is not known yet.
        let is_usual = self.topics.len() == 1 && headers.is_empty();
        let draft = Draft {
            letter,
            attachment,
            note: (!is_usual).then_some(Note { topic, headers }),
        };
        Ok(self.mailbox.post(draft, None))
    }

    /// Reserves bytes for a session's transaction, if there is room.
    pub fn hold(&self, session: u64, bytes: usize) -> Result<(), Refusal> {
        let mut state = self.state.lock();
        state.check_bytes(session, bytes, &self.limits)?;
        state.hold(session, bytes);
        Ok(())
    }

    /// Releases the bytes of a session's transaction.
    pub fn release(&self, session: u64, bytes: usize) {
        self.state.lock().release(session, bytes);
    }

    /// Releases the bytes of messages that were acknowledged.
    pub fn settle(&self, messages: &[Queued]) {
        let mut state = self.state.lock();
        for queued in messages {
            state.release(queued.message.sender, queued.message.size());
        }
    }

    /// Publishes to a topic. Clients that subscribe later miss the message.
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

    /// Starts to read a topic, from now on.
    pub fn join(&self, topic: &str, session: u64, bell: &Bell) -> Result<Reader, Refusal> {
        let mut state = self.state.lock();
        if !state.topics.contains_key(topic) {
            state.reserve_destination(session, &self.limits)?;
            state.topics.insert(topic.into(), Topic::of(session));
        }
        let reader = state.next();
        if let Some(topic) = state.topics.get_mut(topic) {
            let end = topic.end();
            topic.readers.insert(reader, (end, bell.clone()));
        }
        Ok(reader)
    }

    /// Reads a topic further, within the limits of `most`.
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

    /// Stops reading a topic.
    pub fn part(&self, topic: &str, reader: Reader) {
        let mut state = self.state.lock();
        let State {
            topics, published, ..
        } = &mut *state;
        let Some(found) = topics.get_mut(topic) else {
            return;
        };
        // The same as after reading everything.
        let _ = found.read(reader, Most::ALL, published);
        found.readers.remove(&reader);
        if found.readers.is_empty() {
            let owner = found.owner;
            topics.remove(topic);
            state.count_removed(owner);
        }
    }

    /// Adds a message to a queue.
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

    /// Starts to consume a queue.
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

    /// Takes messages within the limits of `most`; if there are none, the consumer waits for its bell. The
    /// taker owns them until it settles them or puts them back.
    pub fn take(&self, queue: &str, reader: Reader, most: Most) -> Vec<Queued> {
        let mut state = self.state.lock();
        match state.queues.get_mut(queue) {
            Some(queue) => queue.take(reader, most),
            None => Vec::new(),
        }
    }

    /// Puts messages back in their place: refused by a consumer, or left behind when it ended.
    pub fn put_back(&self, queue: &str, messages: Vec<Queued>, refused: Option<Reader>) {
        let mut state = self.state.lock();
        // The queue may have expired, and its creator may be gone: it is created again.
        let owner = messages.first().map_or(0, |queued| queued.message.sender);
        let queue = state.queue_of(queue, owner);
        queue.put_back(messages, true, refused);
        queue.hand_out();
    }

    /// Stops consuming a queue.
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
            state.count_removed(owner);
        } else {
            found.idle_since = Some(Instant::now());
        }
    }
}

/// The mail in a SEND to a mail topic.
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::destinations::LOOK;
    use super::*;
    use crate::wire::stomp::Command;

    /// A session without a share, so it is not counted.
    const ME: u64 = 0;

    fn broker(limits: BrokerLimits) -> Broker {
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
        let broker = broker(BrokerLimits::default());
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
        let broker = broker(BrokerLimits {
            log: 3,
            ..BrokerLimits::default()
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
        let broker = broker(BrokerLimits {
            bytes: 3 * size,
            ..BrokerLimits::default()
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
        let broker = broker(BrokerLimits {
            bytes: 4 * size,
            ..BrokerLimits::default()
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
        let broker = broker(BrokerLimits::default());
        let bell = Bell::default();
        for n in b"1234" {
            broker.enqueue("x", ME, &send(&[*n]), "/queue/x").unwrap();
        }
        let (a, b) = (
            broker.consume("x", ME, &bell).unwrap(),
            broker.consume("x", ME, &bell).unwrap(),
        );
        // Each consumer takes a share of the waiting messages.
        let (first, bodies) = taken(&broker, a, 10);
        assert_eq!(bodies, b"12");
        assert_eq!(taken(&broker, b, 10).1, b"3");
        broker.put_back("x", first, None);
        let (again, bodies) = taken(&broker, b, 2);
        assert_eq!(bodies, b"12");
        assert!(again.iter().all(|q| q.redelivered));
        // Refused messages go to the other consumer, unless there is none.
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
        let broker = broker(BrokerLimits::default());
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
        // A message given to a consumer that stops is not lost.
        broker.enqueue("x", ME, &send(b"7"), "/queue/x").unwrap();
        broker.stop("x", readers[0]);
        let left = [1, 2].map(|n| taken(&broker, readers[n], 1).1).concat();
        assert_eq!(left, b"7");
    }

    #[test]
    fn there_is_room_for_so_many() {
        let broker = broker(BrokerLimits {
            sessions: 2,
            destinations: 2,
            queue: 1,
            ..BrokerLimits::default()
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
        let broker = broker(BrokerLimits {
            destinations: 10,
            session_destinations: 3,
            session_bytes: 4 * size,
            ..BrokerLimits::default()
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
        // Others are still served, also from the same queues.
        put(other, "a").unwrap();
        put(other, "c").unwrap();
        let consumer = broker.consume("a", other, &bell).unwrap();
        let most = Most {
            messages: 2,
            ..Most::ALL
        };
        broker.settle(&broker.take("a", consumer, most));
        // Settled and dropped messages no longer count.
        put(greedy, "b").unwrap();
        put(greedy, "b").unwrap();
        assert_eq!(put(greedy, "b"), Err(Refusal::ShareOfBytes));
        broker.part("a", reader);
        broker.join("c", greedy, &bell).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_that_nobody_consumes_from_expires() {
        let idle = Duration::from_secs(60);
        let broker = broker(BrokerLimits {
            destinations: 2,
            queue_idle: idle,
            ..BrokerLimits::default()
        });
        let bell = Bell::default();
        let attacker = broker.enter().unwrap();
        let put = |queue: &str| broker.enqueue(queue, attacker, &send(b"1"), "/queue/x");
        put("a").unwrap();
        let reader = broker.consume("x", attacker, &bell).unwrap();
        put("x").unwrap();
        assert_eq!(put("b"), Err(Refusal::TooManyDestinations));
        tokio::time::advance(idle - LOOK).await;
        // Sending more does not keep an idle queue.
        put("a").unwrap();
        assert_eq!(put("b"), Err(Refusal::TooManyDestinations));
        tokio::time::advance(2 * LOOK).await;
        put("b").unwrap();
        // A consumer keeps a queue, and after it has stopped the queue stays for a while.
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
        let broker = broker(BrokerLimits::default());
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
        let broker = broker(BrokerLimits::default());
        let letter = send(br#"{"from":"a","subject":"b","body":"c"}"#);
        broker.post(0, &letter).unwrap();
        // By its number alone it would belong to the other topic.
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
        assert_eq!(broker.post(0, &send(b"\xFF")).err(), Some(Refusal::NotMail));
        let broken = Frame::new(Command::Send).containing("application/octet-stream", &b"\0\0"[..]);
        assert_eq!(broker.post(0, &broken).err(), Some(Refusal::NotMail));
    }
}
