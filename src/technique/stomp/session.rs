//! A client's session with the broker: frames in, frames out, and no socket.

mod serve;
mod settle;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Notify;

use super::super::list::Reply;
use super::super::service::Service;
use super::super::talk::ClientMessage;
use super::beats::{Beats, heart_beat};
use super::broker::Broker;
use super::fault::Fault;
use super::frames;
use super::stored::{Bell, Destination, Queued, Reader};
use crate::mail::{Cursor, Position, Posting, Watch};
use crate::wire::stomp::{AFTER, Command, Frame, Version};

/// Something to write: a frame, or a heart-beat's end of line.
#[derive(Clone, Debug)]
pub enum Outgoing {
    /// Already encoded.
    Made {
        /// The encoded bytes.
        bytes: Bytes,
        /// Whether the bytes are UTF-8.
        is_text: bool,
    },
    /// A frame that is encoded when it is sent: until then its body is shared with other sessions.
    Frame(Frame, Version),
}

impl Outgoing {
    /// Approximate memory that it takes in the session, bytes.
    fn size(&self) -> usize {
        match self {
            Outgoing::Made { bytes, .. } => bytes.len(),
            Outgoing::Frame(frame, _) => size(frame),
        }
    }

    /// The bytes, and whether they are UTF-8, as a WebSocket's text messages have to be.
    pub fn into_bytes(self) -> (Bytes, bool) {
        match self {
            Outgoing::Made { bytes, is_text } => (bytes, is_text),
            Outgoing::Frame(frame, version) => {
                let is_text = std::str::from_utf8(&frame.body).is_ok();
                (frame.to_bytes(version), is_text)
            }
        }
    }
}

/// The acknowledgement mode of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ack {
    /// No acknowledgements: a sent message counts as received.
    Auto,
    /// An ACK covers its message and all earlier ones of the subscription.
    Client,
    /// An ACK covers one message.
    ClientIndividual,
}

#[derive(Debug)]
struct Subscription {
    /// In version 1.0 there may be none.
    id: Option<String>,
    destination: String,
    ack: Ack,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Mail {
        topic: usize,
        cursor: u64,
        /// Whether its frames have the same bytes as those of most subscribers.
        is_usual: bool,
    },
    Topic {
        name: String,
        reader: Reader,
    },
    Queue {
        name: String,
        reader: Reader,
        unsettled: VecDeque<Unsettled>,
    },
}

/// A message that was delivered and not acknowledged.
#[derive(Debug)]
struct Unsettled {
    delivery: u64,
    queued: Queued,
}

/// A transaction: frames that wait for COMMIT.
#[derive(Debug)]
struct Transaction {
    id: String,
    frames: Vec<Frame>,
    bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Fresh,
    Connected,
    Leaving,
}

/// A client's session.
#[derive(Debug)]
pub struct Session {
    broker: Arc<Broker>,
    service: Service,
    bell: Bell,
    stage: Stage,
    number: u64,
    version: Version,
    beats: Beats,
    takes_binary: bool,
    subscriptions: Vec<Subscription>,
    transactions: Vec<Transaction>,
    /// How many messages other than mail it was given.
    deliveries: u64,
    /// Registers the session as waiting for mail.
    watch: Option<Watch>,
    /// The log that its cursors belong to: [`crate::mail::Mailbox::generation`].
    generation: u64,
    /// Mail of the last frame that the log has not acknowledged, and the receipt that waits for it.
    posted: Vec<Posting>,
    receipt: Option<String>,
    out: Vec<Outgoing>,
    /// Approximate size of `out`, bytes.
    queued: usize,
    /// Index of the subscription to serve next.
    turn: usize,
}

/// The form of a mail, as text, for all subscribers with the usual frames.
enum UsualText {}

/// The form of a mail, as [`crate::mail::Mail::binary`], for the same subscribers.
enum UsualBinary {}

type Handled = Result<(), Fault>;

impl Session {
    /// A session whose client has not sent anything yet.
    pub fn new(broker: Arc<Broker>, service: Service, takes_binary: bool) -> Session {
        Session {
            generation: service.mailbox.generation(),
            posted: Vec::new(),
            receipt: None,
            broker,
            service,
            bell: Arc::new(Notify::new()),
            stage: Stage::Fresh,
            number: 0,
            version: Version::V1_2,
            beats: Beats::default(),
            takes_binary,
            subscriptions: Vec::new(),
            transactions: Vec::new(),
            deliveries: 0,
            watch: None,
            out: Vec::new(),
            queued: 0,
            turn: 0,
        }
    }

    /// The agreed version; `None` before the agreement.
    pub fn version(&self) -> Option<Version> {
        (self.stage != Stage::Fresh).then_some(self.version)
    }

    /// The agreed heart-beats.
    pub fn beats(&self) -> Beats {
        self.beats
    }

    /// Whether the client has sent DISCONNECT.
    pub fn is_leaving(&self) -> bool {
        self.stage == Stage::Leaving
    }

    /// Notified when a topic or queue has something for the session.
    pub fn bell(&self) -> Bell {
        self.bell.clone()
    }

    /// Waits until there is mail for the session.
    pub async fn mail(&mut self) {
        match (self.cursor(), &mut self.watch) {
            (Some(after), Some(watch)) => watch.beyond(after).await,
            _ => std::future::pending().await,
        }
    }

    /// Whether there is something to write.
    pub fn has_written(&self) -> bool {
        !self.out.is_empty()
    }

    /// Takes the queued frames.
    pub fn written(&mut self) -> Vec<Outgoing> {
        self.queued = 0;
        std::mem::take(&mut self.out)
    }

    /// Whether so much is queued that it has to be sent before more is added.
    pub fn is_full(&self) -> bool {
        self.queued >= self.broker.limits.session_queued
    }

    fn tell(&mut self, frame: Frame) {
        self.queue(Outgoing::Frame(frame, self.version));
    }

    fn queue(&mut self, outgoing: Outgoing) {
        self.queued += outgoing.size();
        self.out.push(outgoing);
    }

    /// Handles a frame of the client.
    ///
    /// # Errors
    /// The content of the ERROR that ends the session.
    pub fn hear(&mut self, frame: &Frame) -> Handled {
        let receipt = frame.header("receipt");
        let handled = match (self.stage, frame.command) {
            (Stage::Leaving, _) => return Ok(()),
            (Stage::Fresh, Command::Connect | Command::Stomp) => return self.connect(frame),
            (Stage::Fresh, _) => Err(Fault::new("say CONNECT first")),
            (Stage::Connected, _) => self.do_as_told(frame),
        };
        match (handled, receipt) {
            (Ok(()), Some(receipt)) if self.posted.is_empty() => {
                self.tell(frames::receipt(receipt));
                Ok(())
            }
            (Ok(()), receipt) => {
                self.receipt = receipt.map(Into::into);
                Ok(())
            }
            (Err(fault), Some(receipt)) => Err(fault.with("receipt-id", receipt)),
            (handled, None) => handled,
        }
    }

    fn connect(&mut self, frame: &Frame) -> Handled {
        let version = match frame.header("accept-version") {
            None => Version::V1_0,
            Some(list) => Version::best_of(list).ok_or_else(|| {
                Fault::new("supported protocol versions are 1.0, 1.1 and 1.2").with("version", "1.0,1.1,1.2")
            })?,
        };
        check_login(frame, version)?;
        let theirs =
            heart_beat(frame).ok_or_else(|| Fault::new("heart-beat is two numbers of milliseconds"))?;
        let number = self.broker.enter();
        self.number = number.ok_or_else(|| Fault::limit("too many sessions"))?;
        self.stage = Stage::Connected;
        self.version = version;
        let least = frames::least_heart_beat(self.service.scenario.heartbeat());
        let ms = least.as_millis() as u64;
        if version > Version::V1_0 {
            self.beats = Beats::agreed((ms, ms), theirs);
        }
        self.tell(frames::connected(version, self.number, least));
        Ok(())
    }

    fn do_as_told(&mut self, frame: &Frame) -> Handled {
        match frame.command {
            Command::Send | Command::Ack | Command::Nack => match frame.header("transaction") {
                Some(id) => self.postpone(id, frame),
                None => self.carry_out(frame),
            },
            Command::Subscribe => self.subscribe(frame),
            Command::Unsubscribe => self.unsubscribe(frame),
            Command::Begin => self.begin(frame),
            Command::Commit => self.commit(frame),
            Command::Abort => self
                .transaction(frame)
                .map(|t| self.broker.release(self.number, t.bytes)),
            Command::Disconnect => {
                self.stage = Stage::Leaving;
                self.forget();
                Ok(())
            }
            Command::Connect | Command::Stomp => Err(Fault::new("you are connected already")),
            Command::Connected | Command::Message | Command::Receipt | Command::Error => Err(Fault::new(
                format!("{} is for servers to say", frame.command.name()),
            )),
        }
    }

    /// Carries out a SEND, ACK or NACK.
    fn carry_out(&mut self, frame: &Frame) -> Handled {
        match frame.command {
            Command::Send => self.send(frame),
            Command::Nack if self.version == Version::V1_0 => Err(Fault::new("1.0 has no NACK")),
            command => self.settle(frame, command == Command::Ack),
        }
    }

    fn send(&mut self, frame: &Frame) -> Handled {
        let name = required(frame, "destination")?;
        match self.broker.destination(name)? {
            Destination::Mail(topic) => match self.broker.post(topic, frame)? {
                Posting::Kept(_) => {}
                sent @ Posting::Sent(_) => self.posted.push(sent),
            },
            Destination::Topic(topic) => self.broker.publish(&topic, self.number, frame, name),
            Destination::Queue(queue) => self.broker.enqueue(&queue, self.number, frame, name)?,
            Destination::Read => match serde_json::from_slice::<Reply>(&frame.body) {
                Ok(_) => self.service.replied(),
                Err(_) => return Err(Fault::new(r#"/app/read takes {"read":N}"#)),
            },
            Destination::Say => match serde_json::from_slice::<ClientMessage>(&frame.body) {
                Ok(message) => self.service.record_message(message),
                Err(_) => return Err(Fault::new(r#"/app/say takes {"client":N,"say":N}"#)),
            },
        }
        Ok(())
    }

    fn subscribe(&mut self, frame: &Frame) -> Handled {
        let destination = required(frame, "destination")?;
        let id = match (frame.header("id"), self.version) {
            (None, Version::V1_1 | Version::V1_2) => return Err(lacks(frame, "id")),
            (id, _) => id,
        };
        if id.is_some() && self.subscriptions.iter().any(|s| s.id.as_deref() == id) {
            return Err(Fault::new("there is a subscription with this id"));
        }
        if self.subscriptions.len() >= self.broker.limits.subscriptions {
            return Err(Fault::limit("too many subscriptions"));
        }
        let ack = match frame.header("ack") {
            None | Some("auto") => Ack::Auto,
            Some("client") => Ack::Client,
            Some("client-individual") if self.version > Version::V1_0 => Ack::ClientIndividual,
            Some(_) => return Err(Fault::new("ack is auto, client or client-individual")),
        };
        let subscription = Subscription {
            source: self.source(frame, destination, ack)?,
            id: id.map(Into::into),
            destination: destination.into(),
            ack,
        };
        self.subscriptions.push(subscription);
        Ok(())
    }

    fn source(&mut self, frame: &Frame, destination: &str, ack: Ack) -> Result<Source, Fault> {
        Ok(match self.broker.destination(destination)? {
            Destination::Mail(topic) => {
                let after = frame.header(AFTER).map_or(Ok(Cursor::default()), str::parse);
                let after = after.map_err(|e| Fault::new(format!("after: {e}")))?;
                let log = &self.service.mailbox;
                let position = Position::of(Some(after), log);
                if position.is_reset() {
                    let name = self.broker.topic(topic);
                    self.tell(frames::reset(frame.header("id"), name, log.epoch()));
                }
                let cursor = position.after();
                self.watch.get_or_insert_with(|| self.service.mailbox.watch());
                let is_usual = self.version == Version::V1_2
                    && ack == Ack::Auto
                    && frame.header("id") == Some(&*frames::subscription(topic));
                Source::Mail {
                    topic,
                    cursor,
                    is_usual,
                }
            }
            Destination::Topic(name) => {
                let reader = self.broker.join(&name, self.number, &self.bell)?;
                Source::Topic { name, reader }
            }
            Destination::Queue(name) => {
                let reader = self.broker.consume(&name, self.number, &self.bell)?;
                let unsettled = VecDeque::new();
                Source::Queue {
                    name,
                    reader,
                    unsettled,
                }
            }
            Destination::Read | Destination::Say => {
                return Err(Fault::new("nothing is published at /app/: it is for SEND"));
            }
        })
    }

    fn unsubscribe(&mut self, frame: &Frame) -> Handled {
        let place = match (frame.header("id"), frame.header("destination")) {
            (Some(id), _) => self
                .subscriptions
                .iter()
                .position(|s| s.id.as_deref() == Some(id)),
            (None, Some(destination)) if self.version == Version::V1_0 => self
                .subscriptions
                .iter()
                .position(|s| s.destination == destination),
            (None, _) => return Err(lacks(frame, "id")),
        };
        let place = place.ok_or_else(|| Fault::new("there is no such subscription"))?;
        let subscription = self.subscriptions.remove(place);
        self.end(subscription);
        if self.cursor().is_none() {
            self.watch = None;
        }
        Ok(())
    }

    /// Ends a subscription; its unacknowledged messages go to other consumers.
    fn end(&self, subscription: Subscription) {
        match subscription.source {
            Source::Mail { .. } => {}
            Source::Topic { name, reader } => self.broker.part(&name, reader),
            Source::Queue {
                name,
                reader,
                unsettled,
            } => {
                if !unsettled.is_empty() {
                    let back = unsettled.into_iter().map(|u| u.queued).collect();
                    self.broker.put_back(&name, back, None);
                }
                self.broker.stop(&name, reader);
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.forget();
        if self.stage != Stage::Fresh {
            self.broker.leave(self.number);
        }
    }
}

/// The only user with a passcode, the same as in a newly installed broker.
const GUEST: &str = "guest";

/// Checks the passcode of the user `guest`; other names need none.
fn check_login(frame: &Frame, version: Version) -> Handled {
    let value = |name| {
        let value = frame.header(name);
        // The examples of version 1.0 have a space after the colon.
        if version == Version::V1_0 {
            value.map(str::trim)
        } else {
            value
        }
    };
    match (value("login"), value("passcode")) {
        (Some(GUEST), passcode) if passcode != Some(GUEST) => Err(Fault::new("access refused")),
        _ => Ok(()),
    }
}

fn required<'a>(frame: &'a Frame, name: &str) -> Result<&'a str, Fault> {
    frame.header(name).ok_or_else(|| lacks(frame, name))
}

fn lacks(frame: &Frame, name: &str) -> Fault {
    Fault::new(format!("{} needs the header {name}", frame.command.name()))
}

/// Approximate memory that a kept frame takes, bytes.
fn size(frame: &Frame) -> usize {
    let headers: usize = frame.headers.iter().map(|(n, v)| n.len() + v.len() + 48).sum();
    200 + headers + frame.body.len()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::super::stored::BrokerLimits;
    use super::*;
    use crate::mail::{Epoch, Mail, Mailbox};
    use crate::outcome::Scenario;
    use crate::technique::BODY_TIMEOUT;

    /// A hundred subscriptions to one topic multiply each mail, but the queue stays within its limit.
    #[test]
    fn what_a_session_queues_is_limited_and_nothing_of_it_is_lost() {
        const SUBSCRIPTIONS: usize = 100;
        const MAILS: usize = 20;
        let limits = BrokerLimits {
            session_queued: 5_000,
            ..BrokerLimits::default()
        };
        let mailbox = Arc::new(Mailbox::new(100, Epoch::of_seed(1)));
        let broker = Arc::new(Broker::new(mailbox.clone(), vec!["inbox".into()], limits));
        let service = Service {
            mailbox: mailbox.clone(),
            scenario: Arc::new(Scenario::default()),
            headers: Arc::default(),
            shutdown: Default::default(),
            replies: Arc::default(),
            received: Arc::default(),
            body_timeout: BODY_TIMEOUT,
            tuning: Default::default(),
            subprotocols: Arc::default(),
        };
        let mut session = Session::new(broker, service, false);
        let every = std::time::Duration::from_secs(10);
        session.hear(&frames::connect("localhost", every)).unwrap();
        for id in 0..SUBSCRIPTIONS {
            session
                .hear(&frames::subscribe(id, "inbox", Cursor::FIRST))
                .unwrap();
        }
        session.written();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        mailbox.append((1..=MAILS).map(|id| Mail::made_up(id as u64, 400, Bytes::new(), &mut rng)));
        let (mut most, mut delivered) = (0, 0);
        while session.serve().unwrap() {
            let written: Vec<_> = session.written().into_iter().map(|o| o.into_bytes().0).collect();
            most = most.max(written.iter().map(Bytes::len).sum());
            delivered += written
                .iter()
                .filter(|bytes| bytes.starts_with(b"MESSAGE"))
                .count();
        }
        assert_eq!(delivered, SUBSCRIPTIONS * MAILS);
        // The limit counts the memory of a message, so fewer bytes are written; one message may exceed it.
        assert!((2_000..5_000 + 1_000).contains(&most), "{most}");
    }
}
