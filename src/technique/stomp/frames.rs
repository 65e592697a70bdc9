//! Constructors of the frames that client and server of the lab send.

use std::time::Duration;

use bytes::Bytes;

use super::super::list::Reply;
use super::super::talk::ClientMessage;
use crate::mail::{Cursor, Epoch, Mail, Notice};
use crate::outcome::Frames;
use crate::wire::is_media_type;
use crate::wire::stomp::{AFTER, APPLICATION, Command, Frame, RESET, Version};

/// The subprotocols that the lab's client offers for a WebSocket, in order of preference.
pub const SUBPROTOCOLS: &str = "v12.stomp, v11.stomp, v10.stomp";

/// The prefix of a topic's name: every subscriber gets each message.
pub const TOPIC: &str = "/topic/";

/// The prefix of a queue's name: one of the subscribers gets each message.
pub const QUEUE: &str = "/queue/";

const JSON: &str = "application/json";
const BYTES: &str = "application/octet-stream";

/// The client's first frame. It offers heart-beats as often as it wants them.
pub fn connect(host: &str, heart_beat: Duration) -> Frame {
    let ms = heart_beat.as_millis();
    Frame::new(Command::Connect)
        .with("accept-version", "1.0,1.1,1.2")
        .with("host", host)
        .with("heart-beat", format!("{ms},{ms}"))
}

/// The server's answer. It can send heart-beats once per `least`, and accepts them as often.
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

/// The shortest time between the server's heart-beats: a second, or the heartbeat if that is shorter.
pub fn least_heart_beat(heartbeat: Duration) -> Duration {
    heartbeat.min(Duration::from_secs(1))
}

/// The id of a client's subscription to the topic at this index of the list.
pub fn subscription(topic: usize) -> String {
    format!("sub-{topic}")
}

/// Subscribes to a topic's mail after a cursor, including future mail.
pub fn subscribe(topic: usize, name: &str, after: Cursor) -> Frame {
    Frame::new(Command::Subscribe)
        .with("id", subscription(topic))
        .with("destination", format!("{TOPIC}{name}"))
        .with(AFTER, after.to_string())
}

/// A client's reply to a mail.
pub fn reply(mail: u64) -> Frame {
    to_application("read", Reply::json(mail))
}

/// A message of the client's application.
pub fn say(message: ClientMessage) -> Frame {
    to_application("say", message.json())
}

/// A message from a client's application to the server's.
pub fn to_application(what: &str, json: String) -> Frame {
    Frame::new(Command::Send)
        .with("destination", format!("{APPLICATION}{what}"))
        .containing(JSON, json)
}

/// A mail from a publisher to the broker.
pub fn send_mail(topic: &str, mail: &Mail, frames: Frames) -> Frame {
    let (kind, body) = content(mail, frames);
    Frame::new(Command::Send)
        .with("destination", format!("{TOPIC}{topic}"))
        .containing(kind, body)
}

/// A mail for a subscriber; the cursor after it is its id, and `more` are the sender's headers.
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

/// Reports to a subscriber that the log no longer has `missed` mails up to a cursor.
pub fn gap(subscription: Option<&str>, topic: &str, missed: u64, upto: Cursor) -> Frame {
    message(subscription, upto.to_string(), format!("{TOPIC}{topic}"), None)
        .containing(JSON, Notice::Gap(missed).json())
}

/// Reports to a subscriber that its cursor is of another log; this log follows from its beginning.
pub fn reset(subscription: Option<&str>, topic: &str, epoch: Epoch) -> Frame {
    let id = Cursor::of(0, epoch).to_string();
    message(subscription, id, format!("{TOPIC}{topic}"), None).with(RESET, epoch.to_string())
}

/// A MESSAGE without its sender's headers and body. In version 1.0, a subscription may have no id.
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

/// A mail's media type and body.
fn content(mail: &Mail, frames: Frames) -> (&'static str, Bytes) {
    match frames {
        Frames::Text => (JSON, mail.text()),
        Frames::Binary => (BYTES, mail.binary()),
    }
}

/// Whether a body holds a mail in the form of [`Mail::binary`].
pub fn is_binary(frame: &Frame) -> bool {
    frame
        .header("content-type")
        .is_some_and(|kind| is_media_type(kind, BYTES))
}

/// Confirms the request with this receipt id.
pub fn receipt(id: &str) -> Frame {
    Frame::new(Command::Receipt).with("receipt-id", id)
}

/// The client's last frame. Its receipt confirms that all frames before it were processed.
pub fn disconnect() -> Frame {
    Frame::new(Command::Disconnect).with("receipt", FAREWELL)
}

/// The receipt id of the last frame.
pub const FAREWELL: &str = "bye";
