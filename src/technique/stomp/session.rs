//! What one client says to the broker, and what it is told: frames in, frames out, and no socket.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;

use super::super::list::Reply;
use super::super::service::{BATCH, Service};
use super::super::talk::Said;
use super::broker::{Bell, Broker, Destination, Most, Queued, Reader, Refusal, Stored};
use super::frames;
use crate::mail::{Cursor, Log, Position, Posted, Watch};
use crate::outcome::Frames;
use crate::wire::stomp::{AFTER, Command, Frame, Malformed, Version};

/// Something to write: a frame, or an end of line.
#[derive(Clone, Debug)]
pub enum Outgoing {
    /// Its bytes are there.
    Made {
        /// They.
        bytes: Bytes,
        /// Whether they are UTF-8.
        is_text: bool,
    },
    /// It is made when it leaves: until then its body is shared with everyone else's.
    Frame(Frame, Version),
}

impl Outgoing {
    /// Bytes that it keeps the session busy with, about.
    fn size(&self) -> usize {
        match self {
            Outgoing::Made { bytes, .. } => bytes.len(),
            Outgoing::Frame(frame, _) => size(frame),
        }
    }

    /// Its bytes, and whether they are UTF-8, which a WebSocket's text messages have to be.
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

/// Why a session is ended: what the ERROR says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// In short.
    pub message: String,
    /// What else its headers say.
    headers: Vec<(String, String)>,
    /// Whether a limit was exceeded, rather than a rule broken.
    pub is_limit: bool,
}

impl Fault {
    fn new(message: impl Into<String>) -> Fault {
        Fault {
            message: message.into(),
            headers: Vec::new(),
            is_limit: false,
        }
    }

    fn limit(message: impl Into<String>) -> Fault {
        Fault {
            is_limit: true,
            ..Fault::new(message)
        }
    }

    fn with(mut self, name: &str, value: &str) -> Fault {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// A subscriber that did not read what came.
    pub fn fell_behind(destination: &str) -> Fault {
        Fault::limit(format!(
            "you fell behind: {destination} no longer has what you did not read"
        ))
    }

    /// No CONNECT came.
    pub fn silent() -> Fault {
        Fault::new("no CONNECT came in time")
    }

    /// A body that the transport cannot carry.
    pub fn not_text() -> Fault {
        Fault::new("this transport carries text only, and the next message is not UTF-8")
    }

    /// The ERROR frame.
    pub fn frame(&self) -> Frame {
        let mut frame = Frame::new(Command::Error).with("message", &self.message);
        frame.headers.extend(self.headers.iter().cloned());
        frame.containing("text/plain", format!("{}\n", self.message))
    }
}

impl From<Malformed> for Fault {
    fn from(malformed: Malformed) -> Fault {
        Fault {
            is_limit: malformed.is_limit(),
            ..Fault::new(malformed.to_string())
        }
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Fault {
        let is_limit = matches!(
            refusal,
            Refusal::TooManyDestinations
                | Refusal::ShareOfDestinations
                | Refusal::ShareOfBytes
                | Refusal::QueueFull
                | Refusal::Full
        );
        Fault {
            is_limit,
            ..Fault::new(refusal.to_string())
        }
    }
}

/// How often either side is to be heard; `None` if it need not be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beats {
    /// This side.
    pub ours: Option<Duration>,
    /// The other.
    pub theirs: Option<Duration>,
}

impl Beats {
    /// What two sides agree on: each says how often it can be heard, and how often it wants to hear the
    /// other, 0 for never; the seldomer of the two holds (section "Heart-beating").
    pub fn agreed(ours: (u64, u64), theirs: (u64, u64)) -> Beats {
        let seldomer =
            |can: u64, wanted: u64| (can > 0 && wanted > 0).then(|| Duration::from_millis(can.max(wanted)));
        Beats {
            ours: seldomer(ours.0, theirs.1),
            theirs: seldomer(theirs.0, ours.1),
        }
    }
}

/// Reads a `heart-beat` header.
pub fn heart_beat(frame: &Frame) -> Option<(u64, u64)> {
    let Some(value) = frame.header("heart-beat") else {
        return Some((0, 0));
    };
    let (can, wanted) = value.split_once(',')?;
    Some((can.trim().parse().ok()?, wanted.trim().parse().ok()?))
}

/// How a subscription acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ack {
    /// Nothing is awaited: what was sent is taken for received.
    Auto,
    /// With each message all before it, of the same subscription.
    Client,
    /// Each message by itself.
    ClientIndividual,
}

#[derive(Debug)]
struct Subscription {
    /// In 1.0 there may be none.
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
        /// Its mail has the very bytes that most others' has.
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

/// A message that was given and not acknowledged.
#[derive(Debug)]
struct Unsettled {
    delivery: u64,
    queued: Queued,
}

/// A transaction: frames that are not carried out yet.
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
    /// How many messages it was given that are not mail.
    deliveries: u64,
    /// Counts it among those who wait for mail.
    watch: Option<Watch>,
    out: Vec<Outgoing>,
    /// Bytes in it, about.
    queued: usize,
    /// The subscription that is served first next time.
    turn: usize,
}

/// The form of a mail for all subscribers whose frames are as usual, with its text.
enum UsualText {}

/// The same with the mail as [`crate::mail::Mail::binary`] has it.
enum UsualBinary {}

type Heard = Result<(), Fault>;

impl Session {
    /// A session of someone who has said nothing yet.
    pub fn new(broker: Arc<Broker>, service: Service, takes_binary: bool) -> Session {
        Session {
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

    /// The version that was agreed on; `None` before that.
    pub fn version(&self) -> Option<Version> {
        (self.stage != Stage::Fresh).then_some(self.version)
    }

    /// What heart-beats were agreed on.
    pub fn beats(&self) -> Beats {
        self.beats
    }

    /// Whether the client has said its last word.
    pub fn is_leaving(&self) -> bool {
        self.stage == Stage::Leaving
    }

    /// What rings when a topic or queue has something.
    pub fn bell(&self) -> Bell {
        self.bell.clone()
    }

    /// Waits until there is mail for it.
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

    /// Takes what there is to write.
    pub fn written(&mut self) -> Vec<Outgoing> {
        self.queued = 0;
        std::mem::take(&mut self.out)
    }

    /// Whether so much is there to be written that it has to leave before there is more.
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

    /// Takes a frame of the client's.
    ///
    /// # Errors
    /// What the ERROR is to say, after which the session is over.
    pub fn hear(&mut self, frame: &Frame) -> Heard {
        let receipt = frame.header("receipt");
        let heard = match (self.stage, frame.command) {
            (Stage::Leaving, _) => return Ok(()),
            (Stage::Fresh, Command::Connect | Command::Stomp) => return self.connect(frame),
            (Stage::Fresh, _) => Err(Fault::new("say CONNECT first")),
            (Stage::Connected, _) => self.do_as_told(frame),
        };
        match (heard, receipt) {
            (Ok(()), Some(receipt)) => {
                self.tell(frames::receipt(receipt));
                Ok(())
            }
            (Err(fault), Some(receipt)) => Err(fault.with("receipt-id", receipt)),
            (heard, None) => heard,
        }
    }

    fn connect(&mut self, frame: &Frame) -> Heard {
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

    fn do_as_told(&mut self, frame: &Frame) -> Heard {
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

    /// SEND, ACK or NACK, now.
    fn carry_out(&mut self, frame: &Frame) -> Heard {
        match frame.command {
            Command::Send => self.send(frame),
            Command::Nack if self.version == Version::V1_0 => Err(Fault::new("1.0 has no NACK")),
            command => self.settle(frame, command == Command::Ack),
        }
    }

    fn send(&mut self, frame: &Frame) -> Heard {
        let name = required(frame, "destination")?;
        match self.broker.destination(name)? {
            Destination::Mail(topic) => self.broker.post(topic, frame)?,
            Destination::Topic(topic) => self.broker.publish(&topic, self.number, frame, name),
            Destination::Queue(queue) => self.broker.enqueue(&queue, self.number, frame, name)?,
            Destination::Read => match serde_json::from_slice::<Reply>(&frame.body) {
                Ok(_) => self.service.replied(),
                Err(_) => return Err(Fault::new(r#"/app/read takes {"read":N}"#)),
            },
            Destination::Say => match serde_json::from_slice::<Said>(&frame.body) {
                Ok(said) => self.service.told(said),
                Err(_) => return Err(Fault::new(r#"/app/say takes {"client":N,"say":N}"#)),
            },
        }
        Ok(())
    }

    fn subscribe(&mut self, frame: &Frame) -> Heard {
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

    fn unsubscribe(&mut self, frame: &Frame) -> Heard {
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

    /// Ends a subscription; what it did not acknowledge goes to others.
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

    fn begin(&mut self, frame: &Frame) -> Heard {
        let id = required(frame, "transaction")?;
        if self.transactions.iter().any(|t| t.id == id) {
            return Err(Fault::new("there is a transaction with this id"));
        }
        if self.transactions.len() >= self.broker.limits.transactions {
            return Err(Fault::limit("too many transactions"));
        }
        self.transactions.push(Transaction {
            id: id.into(),
            frames: Vec::new(),
            bytes: 0,
        });
        Ok(())
    }

    /// Takes a transaction out.
    fn transaction(&mut self, frame: &Frame) -> Result<Transaction, Fault> {
        let id = required(frame, "transaction")?;
        let place = self.transactions.iter().position(|t| t.id == id);
        let place = place.ok_or_else(|| Fault::new("there is no such transaction"))?;
        Ok(self.transactions.remove(place))
    }

    fn commit(&mut self, frame: &Frame) -> Heard {
        let Transaction { frames, bytes, .. } = self.transaction(frame)?;
        self.broker.release(self.number, bytes);
        frames.iter().try_for_each(|frame| self.carry_out(frame))
    }

    fn postpone(&mut self, id: &str, frame: &Frame) -> Heard {
        if frame.command == Command::Send {
            self.broker.destination(required(frame, "destination")?)?;
        }
        let most = self.broker.limits.in_transaction;
        let transaction = self.transactions.iter_mut().find(|t| t.id == id);
        let transaction = transaction.ok_or_else(|| Fault::new("there is no such transaction"))?;
        if transaction.frames.len() >= most {
            return Err(Fault::limit("too much in one transaction"));
        }
        // The body would hold on to all that came with it.
        let body = Bytes::copy_from_slice(&frame.body);
        let kept = Frame {
            body,
            ..frame.clone()
        };
        let bytes = size(&kept);
        self.broker.hold(self.number, bytes)?;
        transaction.bytes += bytes;
        transaction.frames.push(kept);
        Ok(())
    }

    /// ACK or NACK. What was settled before, or belonged to a subscription that is gone, is past.
    fn settle(&mut self, frame: &Frame, is_ack: bool) -> Heard {
        let (id, subscription) = match self.version {
            Version::V1_2 => (required(frame, "id")?, None),
            Version::V1_1 => (
                required(frame, "message-id")?,
                Some(required(frame, "subscription")?),
            ),
            Version::V1_0 => (required(frame, "message-id")?, None),
        };
        let delivery = match self.delivery(id)? {
            Some(delivery) => delivery,
            // Mail is everyone's: there is nothing to give to somebody else.
            None => return Ok(()),
        };
        for s in &mut self.subscriptions {
            let Source::Queue {
                name,
                reader,
                unsettled,
            } = &mut s.source
            else {
                continue;
            };
            let Some(place) = unsettled.iter().position(|u| u.delivery == delivery) else {
                continue;
            };
            if subscription.is_some_and(|wanted| s.id.as_deref() != Some(wanted)) {
                return Err(Fault::new("this message was for another subscription"));
            }
            let settled = match s.ack {
                Ack::Client => unsettled.drain(..=place),
                Ack::Auto | Ack::ClientIndividual => unsettled.drain(place..=place),
            };
            let settled: Vec<Queued> = settled.map(|u| u.queued).collect();
            if is_ack {
                self.broker.settle(&settled);
            } else {
                self.broker.put_back(name, settled, Some(*reader));
            }
            return Ok(());
        }
        Ok(())
    }

    /// Which of this session's deliveries an id means; `None` for a mail's.
    fn delivery(&self, id: &str) -> Result<Option<u64>, Fault> {
        let unknown = || Fault::new("no message with this id was delivered");
        match id.split_once('-') {
            Some((session, delivery)) if session == format!("{:08x}", self.number) => {
                let delivery = delivery
                    .parse()
                    .ok()
                    .filter(|n| (1..=self.deliveries).contains(n));
                delivery.map(Some).ok_or_else(unknown)
            }
            Some(_) => Err(unknown()),
            None => match id.parse() {
                Ok(Cursor {
                    number,
                    log: Log::Any | Log::Named(_),
                }) if (1..=self.service.mailbox.newest()).contains(&number) => Ok(None),
                _ => Err(unknown()),
            },
        }
    }

    /// The number of the last mail that no subscription wants.
    fn cursor(&self) -> Option<u64> {
        let cursors = self.subscriptions.iter().filter_map(|s| match s.source {
            Source::Mail { cursor, .. } => Some(cursor),
            _ => None,
        });
        cursors.min()
    }

    /// Writes what is there for the client, some of it at a time; says whether there was anything.
    ///
    /// # Errors
    /// If it cannot have what it subscribed to any more.
    pub fn serve(&mut self) -> Result<bool, Fault> {
        if self.stage != Stage::Connected || self.subscriptions.is_empty() {
            return Ok(false);
        }
        let before = self.out.len();
        self.serve_mail();
        let mut subscriptions = std::mem::take(&mut self.subscriptions);
        let served = self.serve_in_turn(&mut subscriptions);
        self.subscriptions = subscriptions;
        served?;
        Ok(self.out.len() > before)
    }

    /// Serves what is not mail until all had their turn or there is enough to write: then the others are
    /// first next time.
    fn serve_in_turn(&mut self, subscriptions: &mut [Subscription]) -> Heard {
        for _ in 0..subscriptions.len() {
            if self.is_full() {
                break;
            }
            let place = self.turn % subscriptions.len();
            self.turn = place + 1;
            self.serve_messages(&mut subscriptions[place])?;
        }
        Ok(())
    }

    /// Mail for every subscription, until there is enough to write: what is left is read once more.
    fn serve_mail(&mut self) {
        let Some(after) = self.cursor() else { return };
        let read = self.service.mailbox.read(after, BATCH);
        if read.gap > 0 {
            self.tell_gap(after + read.gap);
        }
        let mut subscriptions = std::mem::take(&mut self.subscriptions);
        for posted in &read.mails {
            let its_topic = self.broker.topic_of(posted);
            for s in &mut subscriptions {
                if self.is_full() {
                    break;
                }
                if let Source::Mail { topic, cursor, .. } = &mut s.source
                    && *cursor < posted.number
                {
                    *cursor = posted.number;
                    if *topic == its_topic {
                        let outgoing = self.mail_for(s, posted, its_topic);
                        self.queue(outgoing);
                    }
                }
            }
        }
        self.subscriptions = subscriptions;
    }

    /// The subscription that is furthest back is told; all of them go on behind it.
    fn tell_gap(&mut self, upto: u64) {
        let end = Cursor::of(upto, self.service.mailbox.epoch());
        let mut furthest: Option<(u64, Frame)> = None;
        for s in &mut self.subscriptions {
            if let Source::Mail { topic, cursor, .. } = &mut s.source
                && *cursor < upto
            {
                if furthest.as_ref().is_none_or(|(least, _)| *cursor < *least) {
                    let name = self.broker.topic(*topic);
                    let frame = frames::gap(s.id.as_deref(), name, upto - *cursor, end);
                    furthest = Some((*cursor, frame));
                }
                *cursor = upto;
            }
        }
        if let Some((_, frame)) = furthest {
            self.tell(frame);
        }
    }

    fn mail_for(&self, s: &Subscription, posted: &Posted, topic: usize) -> Outgoing {
        let is_text = !self.takes_binary || self.service.scenario.frames == Frames::Text;
        let frames = if is_text { Frames::Text } else { Frames::Binary };
        let headers = posted.note.as_ref().map_or(&[][..], |note| &note.headers);
        let frame = |posted: &Posted| {
            let cursor = Cursor::of(posted.number, self.service.mailbox.epoch());
            let place = (cursor, self.broker.topic(topic));
            let ack = s.ack != Ack::Auto && self.version == Version::V1_2;
            frames::mail(s.id.as_deref(), place, ack, headers, (&posted.mail, frames))
        };
        let make = |posted: &Posted| frame(posted).to_bytes(self.version);
        let is_usual = matches!(s.source, Source::Mail { is_usual: true, .. });
        let bytes = match frames {
            _ if !is_usual || !headers.is_empty() => return Outgoing::Frame(frame(posted), self.version),
            Frames::Text => posted.form::<UsualText>(make),
            Frames::Binary => posted.form::<UsualBinary>(make),
        };
        Outgoing::Made { bytes, is_text }
    }

    fn serve_messages(&mut self, s: &mut Subscription) -> Heard {
        let most = |messages| Most {
            messages,
            bytes: self.broker.limits.session_queued.saturating_sub(self.queued),
        };
        match &mut s.source {
            Source::Mail { .. } => {}
            Source::Topic { name, reader } => {
                let read = self.broker.read(name, *reader, most(BATCH));
                let messages = read.map_err(|_| Fault::fell_behind(&s.destination))?;
                for message in messages {
                    self.deliver(s.id.as_deref(), s.ack, &message, false);
                }
            }
            Source::Queue {
                name,
                reader,
                unsettled,
            } => {
                let room = match s.ack {
                    Ack::Auto => BATCH,
                    _ => self.broker.limits.unacknowledged.saturating_sub(unsettled.len()),
                };
                for queued in self.broker.take(name, *reader, most(room.min(BATCH))) {
                    self.deliver(s.id.as_deref(), s.ack, &queued.message, queued.redelivered);
                    let delivery = self.deliveries;
                    match s.ack {
                        Ack::Auto => self.broker.settle(&[queued]),
                        _ => unsettled.push_back(Unsettled { delivery, queued }),
                    }
                }
            }
        }
        Ok(())
    }

    fn deliver(&mut self, subscription: Option<&str>, ack: Ack, message: &Stored, redelivered: bool) {
        self.deliveries += 1;
        let id = format!("{:08x}-{}", self.number, self.deliveries);
        let ack = (ack != Ack::Auto && self.version == Version::V1_2).then(|| id.clone());
        let mut frame = frames::message(subscription, id, message.destination.clone(), ack);
        if redelivered {
            frame = frame.with("redelivered", "true");
        }
        frame.headers.extend(message.headers.iter().cloned());
        let mut frame = frame.with("content-length", message.body.len().to_string());
        frame.body = message.body.clone();
        self.tell(frame);
    }

    /// Lets go of all that the broker keeps for it.
    fn forget(&mut self) {
        self.watch = None;
        for subscription in std::mem::take(&mut self.subscriptions) {
            self.end(subscription);
        }
        // What was not committed did not happen.
        for transaction in std::mem::take(&mut self.transactions) {
            self.broker.release(self.number, transaction.bytes);
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

/// The one user here that has a passcode, as brokers have it when they are new.
const GUEST: &str = "guest";

/// Whoever says to be the guest has to know the passcode; other names are nobody's.
fn check_login(frame: &Frame, version: Version) -> Heard {
    let value = |name| {
        let value = frame.header(name);
        // 1.0's own examples put a space behind the colon.
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

/// Bytes that a frame takes while it is kept.
fn size(frame: &Frame) -> usize {
    let headers: usize = frame.headers.iter().map(|(n, v)| n.len() + v.len() + 48).sum();
    200 + headers + frame.body.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seldomer_of_two_wishes_holds() {
        let ms = |n| Some(Duration::from_millis(n));
        let beats = |ours, theirs| Beats { ours, theirs };
        assert_eq!(Beats::agreed((10, 20), (30, 40)), beats(ms(40), ms(30)));
        assert_eq!(Beats::agreed((50, 60), (30, 40)), beats(ms(50), ms(60)));
        assert_eq!(Beats::agreed((10, 20), (0, 40)), beats(ms(40), None));
        assert_eq!(Beats::agreed((10, 0), (30, 40)), beats(ms(40), None));
        assert_eq!(Beats::agreed((0, 20), (30, 40)), beats(None, ms(30)));
        assert_eq!(Beats::agreed((10, 20), (0, 0)), Beats::default());
    }

    #[test]
    fn a_heart_beat_header_is_two_numbers() {
        let of = |value: &str| heart_beat(&Frame::new(Command::Connect).with("heart-beat", value));
        assert_eq!(heart_beat(&Frame::new(Command::Connect)), Some((0, 0)));
        assert_eq!((of("100,0"), of("1, 2")), (Some((100, 0)), Some((1, 2))));
        for value in ["", "100", "a,b", "-1,0", "1,2,3"] {
            assert_eq!(of(value), None, "{value}");
        }
    }
}
