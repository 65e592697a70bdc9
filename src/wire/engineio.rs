//! Engine.IO packets, revision 4 (<https://github.com/socketio/engine.io-protocol>), and what their bytes are
//! for.
//!
//! ```text
//! in a WebSocket message           one packet: a digit and its content; binary data as raw bytes
//!   2                              ping
//!   42["mail",{"id":1,…}]          message, which holds a Socket.IO packet
//! in a body of HTTP long polling   packets with U+001E between them; binary data as `b` and base64
//!   2␞42["mail",{"id":1,…}]␞bAQID
//! ```

use std::borrow::Cow;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

/// The separator of packets in a body.
pub const SEPARATOR: char = '\u{1e}';

/// The content of a client's first ping on a WebSocket, which tests it before an upgrade, and of the answer.
pub const PROBE: &str = "probe";

/// A packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// Opens the session: [`Open`] as JSON.
    Open(&'a str),
    /// Closes the session.
    Close,
    /// A ping; with [`PROBE`] it asks to change to this transport.
    Ping(&'a str),
    /// The answer to a ping.
    Pong(&'a str),
    /// A message of the application or of Socket.IO.
    Message(&'a str),
    /// Changes to this transport.
    Upgrade,
    /// Without content: it only ends a poll.
    Noop,
    /// A binary message.
    Binary(Cow<'a, [u8]>),
}

/// Why a text is not a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is empty.
    #[error("an empty Engine.IO packet")]
    Empty,
    /// It starts neither with a digit from 0 to 6 nor with `b`.
    #[error("unknown Engine.IO packet type {0:?}")]
    Type(char),
    /// The text after `b` is not base64.
    #[error("binary data that is not base64")]
    Base64,
}

impl<'a> Packet<'a> {
    /// Reads a packet from text.
    ///
    /// # Errors
    /// If it is not a packet. The protocol then requires the session to be closed.
    pub fn parse(text: &'a str) -> Result<Packet<'a>, Error> {
        let kind = text.chars().next().ok_or(Error::Empty)?;
        let rest = &text[kind.len_utf8()..];
        Ok(match kind {
            '0' => Packet::Open(rest),
            '1' => Packet::Close,
            '2' => Packet::Ping(rest),
            '3' => Packet::Pong(rest),
            '4' => Packet::Message(rest),
            '5' => Packet::Upgrade,
            '6' => Packet::Noop,
            'b' => Packet::Binary(BASE64_STANDARD.decode(rest).map_err(|_| Error::Base64)?.into()),
            other => return Err(Error::Type(other)),
        })
    }

    /// Reads the packets of a body.
    pub fn payload(body: &'a str) -> impl Iterator<Item = Result<Packet<'a>, Error>> {
        body.split(SEPARATOR).map(Packet::parse)
    }

    /// Writes the packet as text.
    pub fn write(&self, out: &mut String) {
        let (kind, rest) = match self {
            Packet::Open(json) => ('0', *json),
            Packet::Close => ('1', ""),
            Packet::Ping(what) => ('2', *what),
            Packet::Pong(what) => ('3', *what),
            Packet::Message(text) => ('4', *text),
            Packet::Upgrade => ('5', ""),
            Packet::Noop => ('6', ""),
            Packet::Binary(bytes) => {
                out.push('b');
                return BASE64_STANDARD.encode_string(bytes, out);
            }
        };
        out.push(kind);
        out.push_str(rest);
    }

    /// The packet as a new string.
    pub fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }

    /// Writes a body of packets.
    pub fn body<'b>(packets: impl IntoIterator<Item = &'b Packet<'b>>) -> String {
        let mut body = String::new();
        for packet in packets {
            if !body.is_empty() {
                body.push(SEPARATOR);
            }
            packet.write(&mut body);
        }
        body
    }
}

/// The content of a server's first packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Open {
    /// The session's id, which every further request contains.
    pub sid: String,
    /// The transports that the client may change to.
    pub upgrades: Vec<String>,
    /// Time between two pings, milliseconds.
    pub ping_interval: u64,
    /// How long a client may take to answer a ping, milliseconds.
    pub ping_timeout: u64,
    /// The largest body or message that is accepted, bytes.
    pub max_payload: u64,
}
