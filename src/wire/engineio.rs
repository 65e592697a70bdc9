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
use memchr::{memchr, memchr_iter};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::layers::{self, Carried, Layer, Span, message};
use super::socketio::{self, Type};
use super::{Direction, Kind, Label};

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

impl Layer for layers::EngineIo {
    /// A packet and the separator behind it.
    fn unit(&self, bytes: &[u8], from: usize, _sender: Direction) -> Option<usize> {
        let end = memchr(SEPARATOR as u8, &bytes[from..])?;
        Some(from + end + 1)
    }

    fn label(&self, unit: &[u8], carried: Carried, spans: &mut Vec<Span>) {
        if carried.binary {
            return spans.push(Span::new(unit.len(), Label::Payload, said(carried.sender)));
        }
        let separated = self.polling && unit.last() == Some(&(SEPARATOR as u8));
        let packet = &unit[..unit.len() - usize::from(separated)];
        let before = spans.len();
        match packet.split_first() {
            Some((b'4', text)) => self.label_message(text, carried, spans),
            Some((b'b', text)) => label_base64(text, carried.sender, spans),
            Some((b'2' | b'3', what)) if what != PROBE.as_bytes() => {
                push(spans, packet.len(), Label::Control, Kind::Heartbeat);
            }
            // The body of an answer to a POST is `ok`.
            _ => push(spans, packet.len(), Label::Control, Kind::LayerControl),
        }
        // What a cut left of a character.
        let told: usize = spans[before..].iter().map(|s| s.len).sum();
        push(spans, packet.len() - told, Label::Framing, Kind::Unread);
        if separated {
            let bears = spans[before..].iter().any(|s| s.label != Label::Control);
            let (label, kind) = match bears {
                true => (Label::Framing, Kind::Envelope),
                false => (Label::Control, Kind::LayerControl),
            };
            push(spans, 1, label, kind);
        }
    }
}

impl layers::EngineIo {
    /// Labels a message packet, of which `text` stands behind the type.
    fn label_message(self, text: &[u8], carried: Carried, spans: &mut Vec<Span>) {
        if !self.socket_io {
            push(spans, 1, Label::Framing, Kind::Envelope);
            return message(text, carried.sender, spans);
        }
        // A cut may go through a character.
        let text = match str::from_utf8(text) {
            Ok(text) => text,
            Err(e) => str::from_utf8(&text[..e.valid_up_to()]).unwrap_or_default(),
        };
        let all = 1 + text.len();
        match socketio::Packet::envelope(text) {
            Ok((packet, before)) => match packet.kind {
                Type::Connect if carried.sender == Direction::Up => {
                    push(spans, 1 + before, Label::Control, Kind::LayerControl);
                    label_auth(packet.data, spans);
                }
                Type::Event | Type::BinaryEvent => label_event(packet.data, 1 + before, carried, spans),
                Type::Ack | Type::BinaryAck if bears_data(packet.data) => {
                    label_array(packet.data, 0, 1 + before, carried, spans);
                }
                _ => push(spans, all, Label::Control, Kind::LayerControl),
            },
            Err(_) => push(spans, all, Label::Framing, Kind::Envelope),
        }
    }
}

/// What a client says when it asks for a namespace: how far it has read, or what else it has to say.
fn label_auth(data: &str, spans: &mut Vec<Span>) {
    let mut said = Vec::new();
    message(data.as_bytes(), Direction::Up, &mut said);
    spans.extend(said.into_iter().map(|span| match span.kind {
        Kind::Cursor => span,
        _ => Span::new(span.len, Label::Control, Kind::LayerControl),
    }));
}

/// An event that tells of the log itself is control; else its name is framing, and its arguments are payload.
fn label_event(data: &str, before: usize, carried: Carried, spans: &mut Vec<Span>) {
    if NOTICES.iter().any(|event| data.starts_with(event)) {
        return push(spans, before + data.len(), Label::Control, Kind::Notice);
    }
    label_array(data, 1, before, carried, spans);
}

/// How the events begin that say that mails were dropped, that the log is another, and what it is called.
const NOTICES: [&str; 3] = [r#"["gap","#, r#"["reset","#, r#"["epoch","#];

/// Whether an acknowledgement says more than that it is one.
fn bears_data(data: &str) -> bool {
    let inside = data.trim_ascii().trim_start_matches('[').trim_end_matches(']');
    !inside.trim_ascii().is_empty()
}

/// Labels an array that stands behind `before` bytes: the elements from number `from` on are what an
/// application says, but for those that stand in for attachments.
fn label_array(data: &str, from: usize, before: usize, carried: Carried, spans: &mut Vec<Span>) {
    let whole: Option<Vec<&RawValue>> = serde_json::from_str(data).ok();
    let Some(elements) = whole else {
        return label_cut_array(data, from, before, carried, spans);
    };
    let mut told = 0;
    let mut framing = before;
    for element in elements.into_iter().skip(from).map(RawValue::get) {
        if element.starts_with(PLACEHOLDER) {
            continue;
        }
        // An element is a piece of the array it was read from.
        let start = element.as_ptr() as usize - data.as_ptr() as usize;
        push(spans, framing + start - told, Label::Framing, Kind::Envelope);
        message(element.as_bytes(), carried.sender, spans);
        (told, framing) = (start + element.len(), 0);
    }
    push(spans, framing + data.len() - told, Label::Framing, Kind::Envelope);
}

/// How what stands in for an attachment begins.
const PLACEHOLDER: &str = r#"{"_placeholder":true"#;

/// The same for an array without its end: what there is from the first object on is payload.
fn label_cut_array(data: &str, from: usize, before: usize, carried: Carried, spans: &mut Vec<Span>) {
    let skipped = match from {
        0 => data.find('['),
        _ => data.find(','),
    };
    let start = skipped.map_or(data.len(), |n| n + 1);
    push(spans, before + start, Label::Framing, Kind::Envelope);
    message(&data.as_bytes()[start..], carried.sender, spans);
}

/// Of each four characters one is framing; so are padding and the `b` before.
fn label_base64(text: &[u8], sender: Direction, spans: &mut Vec<Span>) {
    let framing = text.len().div_ceil(4) + memchr_iter(b'=', text).count();
    let framing = framing.min(text.len());
    push(spans, 1, Label::Framing, Kind::Envelope);
    push(spans, framing, Label::Framing, said(sender));
    push(spans, text.len() - framing, Label::Payload, said(sender));
}

/// What binary data is.
fn said(sender: Direction) -> Kind {
    match sender {
        Direction::Down => Kind::Attachment,
        Direction::Up => Kind::Reply,
    }
}

fn push(spans: &mut Vec<Span>, len: usize, label: Label, kind: Kind) {
    if len > 0 {
        spans.push(Span::new(len, label, kind));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn packets_are_read_and_written() {
        for (text, wanted) in [
            ("0{}", Packet::Open("{}")),
            ("1", Packet::Close),
            ("2", Packet::Ping("")),
            ("2probe", Packet::Ping(PROBE)),
            ("3", Packet::Pong("")),
            ("3probe", Packet::Pong(PROBE)),
            ("4", Packet::Message("")),
            ("4héllo", Packet::Message("héllo")),
            ("5", Packet::Upgrade),
            ("6", Packet::Noop),
            ("b", Packet::Binary(Cow::Borrowed(b""))),
            ("bAQIDBA==", Packet::Binary(Cow::Borrowed(&[1, 2, 3, 4]))),
        ] {
            assert_eq!(Packet::parse(text), Ok(wanted.clone()), "{text}");
            assert_eq!(wanted.text(), text);
        }
        for (text, error) in [
            ("", Error::Empty),
            ("7", Error::Type('7')),
            ("abc", Error::Type('a')),
            ("é", Error::Type('é')),
            ("b*", Error::Base64),
            ("bAQIDBA", Error::Base64),
        ] {
            assert_eq!(Packet::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_body_holds_several() {
        let packets = [
            Packet::Message("hello"),
            Packet::Ping(""),
            Packet::Binary(Cow::Borrowed(&[1, 2, 3, 4])),
        ];
        let body = Packet::body(&packets);
        assert_eq!(body, "4hello\u{1e}2\u{1e}bAQIDBA==");
        assert_eq!(
            Packet::payload(&body).collect::<Result<Vec<_>, _>>(),
            Ok(packets.to_vec())
        );
        assert!(Packet::payload("4a\u{1e}").any(|p| p == Err(Error::Empty)));
        assert!(Packet::payload("").any(|p| p.is_err()));
    }

    #[test]
    fn what_a_server_says_first() {
        let json = r#"{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
        let open: Open = serde_json::from_str(json).unwrap();
        assert_eq!((open.ping_interval, open.upgrades.len()), (25_000, 1));
        assert_eq!(serde_json::to_string(&open).unwrap(), json);
    }

    fn spans(layer: layers::EngineIo, text: &[u8], sender: Direction, binary: bool) -> Vec<Span> {
        let mut spans = Vec::new();
        let carried = Carried { sender, binary };
        layer.label(text, carried, &mut spans);
        assert_eq!(spans.iter().map(|s| s.len).sum::<usize>(), text.len());
        assert!(spans.iter().all(|s| s.len > 0), "{spans:?}");
        spans
    }

    const OVER_WEBSOCKET: layers::EngineIo = layers::EngineIo {
        polling: false,
        socket_io: true,
    };
    const POLLED: layers::EngineIo = layers::EngineIo {
        polling: true,
        socket_io: true,
    };

    /// Bytes of payload, framing and control.
    fn sums(layer: layers::EngineIo, text: &str, sender: Direction) -> [usize; 3] {
        let spans = spans(layer, text.as_bytes(), sender, false);
        let sum = |label| spans.iter().filter(|s| s.label == label).map(|s| s.len).sum();
        [sum(Label::Payload), sum(Label::Framing), sum(Label::Control)]
    }

    #[test]
    fn what_bytes_are_there_for() {
        use Direction::{Down, Up};
        for (text, sender, wanted) in [
            (r#"42["mail",{"id":1}]"#, Down, [8, 11, 0]),
            (r#"4217["mail",{"id":1}]"#, Down, [8, 13, 0]),
            (
                r#"42["mail",{"id":1,"attachment":"QUJDREU="}]"#,
                Down,
                [13, 30, 0],
            ),
            (
                r#"451-["mail",{"id":1},{"_placeholder":true,"num":0}]"#,
                Down,
                [8, 43, 0],
            ),
            (r#"42["gap",{"gap":3}]"#, Down, [0, 0, 19]),
            (r#"42["reset",{"reset":"k3f9"}]"#, Down, [0, 0, 28]),
            (r#"42["epoch",{"epoch":"k3f9"}]"#, Down, [0, 0, 28]),
            (r#"42/a,["x","y",2]"#, Down, [4, 12, 0]),
            (r#"43[]"#, Up, [0, 4, 0]),
            (r#"431[]"#, Up, [0, 0, 5]),
            (r#"431[{"read":7}]"#, Up, [10, 5, 0]),
            (r#"42["say",{"client":0,"say":1}]"#, Up, [20, 10, 0]),
            (r#"40{"after":3}"#, Up, [0, 0, 13]),
            (r#"40{"at":"3.k3f9"}"#, Up, [0, 0, 17]),
            (r#"40{"token":3}"#, Up, [0, 0, 13]),
            (r#"40{"sid":"x"}"#, Down, [0, 0, 13]),
            ("41", Up, [0, 0, 2]),
            ("2", Down, [0, 0, 1]),
            ("3", Up, [0, 0, 1]),
            ("2probe", Up, [0, 0, 6]),
            ("ok", Down, [0, 0, 2]),
            (r#"0{"sid":"x"}"#, Down, [0, 0, 12]),
            ("4what?", Up, [0, 6, 0]),
        ] {
            assert_eq!(sums(OVER_WEBSOCKET, text, sender), wanted, "{text}");
        }
        let mail = "42[\"mail\",{\"id\":1}]\u{1e}";
        assert_eq!(sums(POLLED, mail, Down), [8, 12, 0]);
        assert_eq!(sums(POLLED, "2\u{1e}", Down), [0, 0, 2]);
        assert_eq!(sums(POLLED, "bAQIDBA==", Down), [4, 5, 0]);
        assert_eq!(sums(POLLED, "bAQIDBA==\u{1e}", Down), [4, 6, 0]);
        let cursor = spans(OVER_WEBSOCKET, br#"40{"after":3}"#, Up, false);
        assert!(cursor.contains(&Span::new(11, Label::Control, Kind::Cursor)));
        let echo = layers::EngineIo {
            socket_io: false,
            ..OVER_WEBSOCKET
        };
        assert_eq!(sums(echo, "4hello", Up), [5, 1, 0]);
        assert_eq!(
            spans(echo, b"4", Up, true),
            [Span::new(1, Label::Payload, Kind::Reply)]
        );
    }

    #[test]
    fn a_unit_ends_with_its_separator() {
        let body = b"2\x1e42[]";
        assert_eq!(POLLED.unit(body, 0, Direction::Down), Some(2));
        assert_eq!(POLLED.unit(&body[2..], 0, Direction::Down), None);
        assert_eq!(POLLED.unit(body, 1, Direction::Down), Some(2));
    }

    proptest! {
        #[test]
        fn every_byte_of_anything_is_labelled_once(
            text in proptest::collection::vec(any::<u8>(), 0..60),
            cut in 0..60_usize,
            polling in any::<bool>(),
            up in any::<bool>(),
        ) {
            let layer = layers::EngineIo { polling, socket_io: true };
            let sender = if up { Direction::Up } else { Direction::Down };
            spans(layer, &text, sender, false);
            let mail = "451-/a,7[\"mail\",{\"id\":1,\"body\":\"é\"},{\"_placeholder\":true,\"num\":0},[2]]\u{1e}";
            spans(layer, &mail.as_bytes()[..cut.min(mail.len())], sender, false);
        }

        #[test]
        fn what_is_written_is_read(texts in proptest::collection::vec("[^\u{1e}]{0,20}", 1..5), bytes in any::<Vec<u8>>()) {
            let mut packets: Vec<Packet> = texts.iter().map(|t| Packet::Message(t)).collect();
            packets.push(Packet::Binary(bytes.into()));
            let body = Packet::body(&packets);
            prop_assert_eq!(Packet::payload(&body).collect::<Result<Vec<_>, _>>(), Ok(packets));
        }
    }
}
