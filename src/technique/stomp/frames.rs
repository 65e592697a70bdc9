//! The frames that both sides of the lab send: one place for those who write them.

use std::time::Duration;

use bytes::Bytes;

use super::super::list::Reply;
use super::super::talk::Said;
use crate::mail::{Cursor, Epoch, Mail, Notice};
use crate::outcome::Frames;
use crate::wire::is_media_type;
use crate::wire::stomp::{AFTER, APPLICATION, Command, Frame, RESET, Version};

/// What the lab's client offers when it opens a WebSocket, the best first.
pub const SUBPROTOCOLS: &str = "v12.stomp, v11.stomp, v10.stomp";

/// Behind it stands a topic's name: everyone who subscribes gets each message.
pub const TOPIC: &str = "/topic/";

/// Behind it stands a queue's name: one of those who subscribe gets a message.
pub const QUEUE: &str = "/queue/";

const JSON: &str = "application/json";
const BYTES: &str = "application/octet-stream";

/// The client's first frame. It promises heart-beats as often as it wants them.
pub fn connect(host: &str, heart_beat: Duration) -> Frame {
    let ms = heart_beat.as_millis();
    Frame::new(Command::Connect)
        .with("accept-version", "1.0,1.1,1.2")
        .with("host", host)
        .with("heart-beat", format!("{ms},{ms}"))
}

/// The server's answer. It can send heart-beats as often as once in `least`, and takes them as often.
pub fn connected(version: Version, session: u64, least: Duration) -> Frame {
    let frame = Frame::new(Command::Connected)
        .with("version", version.name())
        .with("session", format!("{session:08x}"))
        .with("server", concat!("mailcall/", env!("CARGO_PKG_VERSION")));
    match version {
        Version::V1_0 => frame,
        Version::V1_1 | Version::V1_2 => {
            let ms = least.as_millis();
            frame.with("heart-beat", format!("{ms},{ms}"))
        }
    }
}

/// The server does not say more than once a second that it is there, and not seldomer than it is told to.
pub fn least_heart_beat(heartbeat: Duration) -> Duration {
    heartbeat.min(Duration::from_secs(1))
}

/// The id of a client's subscription to the topic of that place in the list.
pub fn subscription(topic: usize) -> String {
    format!("sub-{topic}")
}

/// Asks for all of a topic's mail after a cursor, and for what comes later.
pub fn subscribe(topic: usize, name: &str, after: Cursor) -> Frame {
    Frame::new(Command::Subscribe)
        .with("id", subscription(topic))
        .with("destination", format!("{TOPIC}{name}"))
        .with(AFTER, after.to_string())
}

/// What a client's application says of a mail.
pub fn reply(mail: u64) -> Frame {
    to_application("read", Reply::json(mail))
}

/// A message of the application.
pub fn say(said: Said) -> Frame {
    to_application("say", said.json())
}

/// What a client's application says to the server's.
pub fn to_application(what: &str, json: String) -> Frame {
    Frame::new(Command::Send)
        .with("destination", format!("{APPLICATION}{what}"))
        .containing(JSON, json)
}

/// A mail on its way to the broker.
pub fn send_mail(topic: &str, mail: &Mail, frames: Frames) -> Frame {
    let (kind, body) = content(mail, frames);
    Frame::new(Command::Send)
        .with("destination", format!("{TOPIC}{topic}"))
        .containing(kind, body)
}

/// A mail on its way to a subscriber, whose cursor behind it is its id; `more` are the headers that its sender gave it.
pub fn mail(
    subscription: Option<&str>,
    (cursor, topic): (Cursor, &str),
    ack: bool,
    more: &[(String, String)],
    (mail, frames): (&Mail, Frames),
) -> Frame {
    let (kind, body) = content(mail, frames);
    let id = cursor.to_string();
    let ack = ack.then(|| id.clone());
    let mut frame = message(subscription, id, format!("{TOPIC}{topic}"), ack);
    frame.headers.extend_from_slice(more);
    frame.containing(kind, body)
}

/// Tells a subscriber that the log no longer has so many mails up to a cursor.
pub fn gap(subscription: Option<&str>, topic: &str, missed: u64, upto: Cursor) -> Frame {
    message(subscription, upto.to_string(), format!("{TOPIC}{topic}"), None)
        .containing(JSON, Notice::Gap(missed).json())
}

/// Tells a subscriber that its cursor is none of this log, which follows from its beginning.
pub fn reset(subscription: Option<&str>, topic: &str, epoch: Epoch) -> Frame {
    let id = Cursor::of(0, epoch).to_string();
    message(subscription, id, format!("{TOPIC}{topic}"), None).with(RESET, epoch.to_string())
}

/// A MESSAGE without its sender's headers and body. Subscriptions of 1.0 may be without id.
pub fn message(subscription: Option<&str>, id: String, destination: String, ack: Option<String>) -> Frame {
    let mut frame = Frame::new(Command::Message);
    if let Some(id) = subscription {
        frame = frame.with("subscription", id);
    }
    frame = frame.with("message-id", id).with("destination", destination);
    match ack {
        Some(ack) => frame.with("ack", ack),
        None => frame,
    }
}

/// How a mail stands in a body.
fn content(mail: &Mail, frames: Frames) -> (&'static str, Bytes) {
    match frames {
        Frames::Text => (JSON, mail.text()),
        Frames::Binary => (BYTES, mail.binary()),
    }
}

/// Whether a body holds a mail as [`Mail::binary`] has it.
pub fn is_binary(frame: &Frame) -> bool {
    frame
        .header("content-type")
        .is_some_and(|kind| is_media_type(kind, BYTES))
}

/// What was asked for with a receipt is done.
pub fn receipt(id: &str) -> Frame {
    Frame::new(Command::Receipt).with("receipt-id", id)
}

/// The client's last frame. The receipt tells it that all before was heard.
pub fn disconnect() -> Frame {
    Frame::new(Command::Disconnect).with("receipt", FAREWELL)
}

/// The receipt of the last frame.
pub const FAREWELL: &str = "bye";
