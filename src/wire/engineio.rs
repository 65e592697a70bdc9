//! Engine.IO packets, revision 4 (<https://github.com/socketio/engine.io-protocol>), and what their bytes
//! are there for.
//!
//! ```text
//! in a WebSocket message           one packet: a digit, and what belongs to it; binary data as it is
//!   2                              ping
//!   42["mail",{"id":1,…}]          message, which holds a Socket.IO packet
//! in a body of HTTP long polling   packets with U+001E between them; binary data as `b` and base64
//!   2␞42["mail",{"id":1,…}]␞bAQID
//! ```

use std::borrow::Cow;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

/// What separates packets in a body.
pub const SEPARATOR: char = '\u{1e}';

/// What a client says first on a WebSocket that it would like to go on with, and how it is answered.
pub const PROBE: &str = "probe";

/// A packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// The session begins: [`Open`] as JSON.
    Open(&'a str),
    /// It is over.
    Close,
    /// Are you there? Or, with [`PROBE`], may I speak here?
    Ping(&'a str),
    /// I am.
    Pong(&'a str),
    /// What the sessions are for.
    Message(&'a str),
    /// Everything goes here from now on.
    Upgrade,
    /// Nothing: it only ends a poll.
    Noop,
    /// A message that is no text.
    Binary(Cow<'a, [u8]>),
}

/// Why something is no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It has no bytes at all.
    #[error("an empty Engine.IO packet")]
    Empty,
    /// It begins with no digit from 0 to 6, nor `b`.
    #[error("unknown Engine.IO packet type {0:?}")]
    Type(char),
    /// What follows a `b` is not base64.
    #[error("binary data that is not base64")]
    Base64,
}

impl<'a> Packet<'a> {
    /// Reads a packet from text.
    ///
    /// # Errors
    /// If it is none. The protocol has the session closed then.
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

    /// Writes it as text.
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

    /// The same in a string of its own.
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

/// What a server says first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Open {
    /// The session's id, which every further request names.
    pub sid: String,
    /// The transports that the client may go on to.
    pub upgrades: Vec<String>,
    /// From ping to ping, milliseconds.
    pub ping_interval: u64,
    /// How long a client may take to answer one, milliseconds.
    pub ping_timeout: u64,
    /// The largest body or message that is taken, bytes.
    pub max_payload: u64,
}
