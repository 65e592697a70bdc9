//! What crosses the wire. A conversation is read whole and byte by byte, and must be labelled the same,
//! each byte once.
//!
//! Where both sides speak, an input is a row of pieces: a byte that says who sends (its highest bit: 0 the
//! client, 1 the server) and how many bytes (the other seven, plus one), and those bytes.

use mailcall::explain::units;
use mailcall::mail::{Cursor, Notice, Received};
use mailcall::wire::Direction::{Down, Up};
use mailcall::wire::http2::PREFACE;
use mailcall::wire::sockjs::{Frame, Resource};
use mailcall::wire::stomp::{FrameLimits, Item, Malformed, Parser, Version};
use mailcall::wire::transcript::{Crossed, Happened, Transcript};
use mailcall::wire::{Conversation, Decoder, Direction, Event, Kind, Label, Labels, Lengths, Part, Sink};
use mailcall::wire::{Tally, Violation, as_declared, engineio as engine, socketio, sockjs as sock};

use super::text;

/// Any bytes in any order from both sides.
pub fn conversation(data: &[u8]) {
    check(|| Decoder::Http(Conversation::new()), pieces(data).into_iter());
    check(|| Decoder::http(as_declared), pieces(data).into_iter());
}

/// Any bytes as the answer to a poll, until close and as chunks.
pub fn list(data: &[u8]) {
    let heads: [&[u8]; 2] = [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
    ];
    answered(heads, data);
}

/// Any bytes as an event stream, until close and as chunks.
pub fn sse(data: &[u8]) {
    let heads: [&[u8]; 2] = [
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
    ];
    answered(heads, data);
}

fn answered(heads: [&[u8]; 2], body: &[u8]) {
    for head in heads {
        behind([b"GET / HTTP/1.1\r\n\r\n", head], vec![(Down, body)]);
    }
}

/// Any bytes from both sides behind a handshake.
pub fn websocket(data: &[u8]) {
    let handshake: [&[u8]; 2] = [
        b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    ];
    behind(handshake, pieces(data));
}

/// What `layers` reads as messages behind a handshake.
const SOCKETS: [&str; 4] = [
    "/stomp HTTP/1.1\r\nSec-WebSocket-Protocol: v12.stomp",
    "/sockjs/0/x/websocket HTTP/1.1",
    "/socket.io/?EIO=4 HTTP/1.1",
    "/engine.io/?EIO=4 HTTP/1.1",
];

/// What it reads as a body each way.
const BODIES: [&str; 8] = [
    "/sockjs/0/x/xhr",
    "/sockjs/0/x/xhr_streaming",
    "/sockjs/0/x/eventsource",
    "/sockjs/0/x/htmlfile",
    "/sockjs/0/x/jsonp",
    "/sockjs/0/x/xhr_send",
    "/sockjs/0/x/jsonp_send",
    "/socket.io/?EIO=4",
];

/// Any bytes from both sides where a protocol stands on top, which one the first byte says: messages behind
/// a handshake, or a body each way, the client's in chunks.
pub fn layers(data: &[u8]) {
    let Some((&first, data)) = data.split_first() else {
        return;
    };
    let first = usize::from(first) % (SOCKETS.len() + BODIES.len());
    let (request, response) = match SOCKETS.get(first) {
        Some(socket) => (
            format!("GET {socket}\r\nUpgrade: websocket\r\n\r\n"),
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        ),
        None => (
            format!(
                "POST {} HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n",
                BODIES[first - SOCKETS.len()]
            ),
            "HTTP/1.1 200 OK\r\n\r\n",
        ),
    };
    behind([request.as_bytes(), response.as_bytes()], pieces(data));
}

/// Reads an HTTP/1 connection that begins with these heads.
fn behind([request, response]: [&[u8]; 2], rest: Vec<(Direction, &[u8])>) {
    let opening = [(Up, request), (Down, response)].into_iter();
    check(|| Decoder::Http(Conversation::new()), opening.chain(rest));
}

const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";

/// A GET on stream 1, another on 3, a WebSocket on 5.
const REQUESTS: &[u8] = b"\0\0\x01\x01\x05\0\0\0\x01\x82\
    \0\0\x01\x01\x05\0\0\0\x03\x82\
    \0\0\x1e\x01\x04\0\0\0\x05\x02\x07CONNECT\0\x09:protocol\x09websocket";

/// A list, an event stream, a WebSocket.
const RESPONSES: &[u8] = b"\0\0\x01\x01\x04\0\0\0\x01\x88\
    \0\0\x15\x01\x04\0\0\0\x03\x88\x0f\x10\x11text/event-stream\
    \0\0\x01\x01\x04\0\0\0\x05\x88";

/// Any bytes in any order from both sides of an HTTP/2 connection, as they are and behind an opening with
/// streams of each sort.
pub fn http2(data: &[u8]) {
    let new = || Decoder::Http2(Box::default());
    let pieces = pieces(data);
    check(new, pieces.iter().copied());
    let opening = [
        (Up, PREFACE),
        (Up, SETTINGS),
        (Down, SETTINGS),
        (Up, REQUESTS),
        (Down, RESPONSES),
    ];
    check(new, opening.into_iter().chain(pieces));
}

/// Any bytes from both sides of a baseline connection.
pub fn lengths(data: &[u8]) {
    let (mut whole, mut bytes) = (
        (Lengths::default(), Tally::default()),
        (Lengths::default(), Tally::default()),
    );
    let mut fed = [0; 2];
    for (direction, piece) in pieces(data) {
        fed[direction as usize] += piece.len() as u64;
        whole.0.feed(direction, piece, &mut whole.1);
        piece
            .chunks(1)
            .for_each(|b| bytes.0.feed(direction, b, &mut bytes.1));
    }
    whole.0.finish(&mut whole.1);
    bytes.0.finish(&mut bytes.1);
    assert_eq!(whole.1, bytes.1);
    assert_eq!(fed, [whole.1.up.total(), whole.1.down.total()]);
}

/// Any bytes in any order from both sides, named and explained: none is left out. The first byte says what
/// they speak and whether, besides, each piece crosses as a record of TLS that seals it.
pub fn transcript(data: &[u8]) {
    let Some((&first, data)) = data.split_first() else {
        return;
    };
    let decoder = match first % 3 {
        0 => Decoder::http(as_declared),
        1 => Decoder::Http2(Box::default()),
        _ => Decoder::Lengths(Lengths::default()),
    };
    let pieces = pieces(data);
    let records: Vec<Vec<u8>> = pieces.iter().map(|(_, bytes)| sealed(bytes)).collect();
    let mut crossed = Vec::new();
    for ((direction, bytes), record) in pieces.into_iter().zip(&records) {
        let crosses = |sealed, bytes| Crossed {
            at_us: 0.0,
            sealed,
            direction,
            what: Happened::Bytes(bytes),
        };
        crossed.extend((first & 0x80 != 0).then(|| crosses(true, record)));
        crossed.push(crosses(false, bytes));
    }
    let transcript = Transcript::read(decoder, &crossed);
    assert!(transcript.is_complete());
    let explained: u64 = units(&transcript).iter().map(|unit| unit.len()).sum();
    assert_eq!(explained, transcript.raw.iter().sum::<u64>());
}

/// A record of application data (RFC 8446, section 5.2): its header, and 17 bytes behind what it seals.
fn sealed(content: &[u8]) -> Vec<u8> {
    let [high, low] = (content.len() as u16 + 17).to_be_bytes();
    [&[23, 3, 3, high, low], content, &[0; 17]].concat()
}

/// Any text as a frame of a SockJS server, as what a client says, as a path and as a form; what can be read
/// is written again and read the same.
pub fn sockjs(data: &[u8]) {
    let text = text(data);
    if let Ok(frame) = Frame::parse(text) {
        assert_eq!(Frame::parse(&frame.text()), Ok(frame));
    }
    for messages in [sock::said(text), sock::listed(text)].into_iter().flatten() {
        assert_eq!(sock::listed(&sock::list(&messages)), Ok(messages));
    }
    let quoted = sock::quote(text);
    assert_eq!(sock::said(&quoted), Ok(vec![text.to_owned()]));
    let _ = (Resource::of(text), sock::value_of(text, "d"));
}

/// Any text as a body of Engine.IO packets, and as a Socket.IO packet: what can be read is written again and
/// read the same.
pub fn engineio(data: &[u8]) {
    let text = text(data);
    let read = |body| engine::Packet::payload(body).collect::<Result<Vec<_>, _>>();
    if let Ok(packets) = read(text) {
        let body = engine::Packet::body(&packets);
        assert_eq!(
            engine::Packet::payload(&body).collect::<Result<Vec<_>, _>>(),
            Ok(packets)
        );
    }
    if let Ok(packet) = socketio::Packet::parse(text) {
        let written = packet.to_string();
        assert_eq!(socketio::Packet::parse(&written), Ok(packet));
        let _ = (packet.event(), packet.arguments());
    }
}

const LIMITS: FrameLimits = FrameLimits {
    headers: 8,
    line: 100,
    body: 1_000,
};

/// Any bytes as a stream of STOMP frames: read the same however they are cut, and what was read is read
/// again as it is written.
pub fn stomp(data: &[u8]) {
    for version in Version::ALL {
        let (items, end) = frames(version, data, data.len().max(1));
        assert_eq!((items.clone(), end), frames(version, data, 1));
        for item in items {
            let Item::Frame(frame) = item else { continue };
            let written = frame.to_bytes(version);
            let again = frames(version, &written, written.len());
            // A NUL can be read in a header, and is left out when it is written: others take it for the end.
            let has_nul = frame
                .headers
                .iter()
                .any(|(n, v)| n.contains('\0') || v.contains('\0'));
            if version == Version::V1_2 && !has_nul {
                // Escapes take more room: a line may be too long by now.
                let same = again == (vec![Item::Frame(frame)], None);
                assert!(same || again.1 == Some(Malformed::LineTooLong), "{again:?}");
            }
        }
    }
}

fn frames(version: Version, bytes: &[u8], piece: usize) -> (Vec<Item>, Option<Malformed>) {
    let mut parser = Parser::new(LIMITS);
    parser.speak(version);
    let mut items = Vec::new();
    for piece in bytes.chunks(piece) {
        parser.feed(piece);
        loop {
            match parser.next() {
                Ok(Some(item)) => items.push(item),
                Ok(None) => break,
                Err(e) => return (items, Some(e)),
            }
        }
    }
    (items, None)
}

/// Any bytes as a mail, as text and in binary, as a notice, and as a cursor, which is read as it is written.
pub fn mail(data: &[u8]) {
    for mail in [Received::from_text(data), Received::from_binary(data)]
        .into_iter()
        .flatten()
    {
        assert!(mail.payload() <= data.len() as u64);
    }
    if let Ok(notice) = serde_json::from_slice::<Notice>(data) {
        assert_eq!(serde_json::from_str::<Notice>(&notice.json()).ok(), Some(notice));
    }
    if let Ok(cursor) = text(data).parse::<Cursor>() {
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
    }
}

/// Remembers all it is told.
#[derive(Default)]
struct Record {
    parts: Vec<Part>,
    events: Vec<Event>,
}

impl Sink for Record {
    fn part(&mut self, part: Part) {
        self.parts.push(part);
    }
    fn event(&mut self, event: Event) {
        self.events.push(event);
    }
}

/// What a byte is, and its label where the decoder tells it of each byte.
type Byte = (Kind, Option<Label>);

/// A direction's bytes, its sums, and its events.
type Side = (Vec<Byte>, Labels, Vec<Event>);

/// Reads these pieces of a connection whole and byte by byte.
fn check<'a>(new: impl Fn() -> Decoder, pieces: impl Iterator<Item = (Direction, &'a [u8])> + Clone) {
    let whole = read(new(), pieces.clone());
    let bytes = pieces.flat_map(|(d, bytes)| bytes.chunks(1).map(move |b| (d, b)));
    assert_eq!(whole, read(new(), bytes));
}

fn read<'a>(mut decoder: Decoder, pieces: impl Iterator<Item = (Direction, &'a [u8])>) -> [Side; 2] {
    let mut record = Record::default();
    let mut fed = [0; 2];
    for (direction, bytes) in pieces {
        fed[direction as usize] += bytes.len() as u64;
        decoder.feed(direction, bytes, &mut record);
    }
    decoder.finish(&mut record);
    record.parts.sort_by_key(|p| p.start);
    [Up, Down].map(|d| {
        let mut bytes = Vec::new();
        let mut labels = Labels::default();
        for p in record.parts.iter().filter(|p| p.direction == d) {
            assert_eq!(bytes.len() as u64, p.start, "a byte labelled twice or not at all");
            // Of base64 only the sums are told.
            let label = (p.kind != Kind::Attachment).then_some(p.label);
            bytes.extend((0..p.len).map(|_| (p.kind, label)));
            labels[p.label] += p.len;
        }
        assert_eq!(labels.total(), fed[d as usize]);
        let events = record
            .events
            .iter()
            .filter(|e| direction(e) == d)
            .copied()
            .collect::<Vec<_>>();
        // A WebSocket on an HTTP/2 stream breaks by itself, anything else a whole direction.
        let broken = |e: &&Event| matches!(e, Event::Violation(_, v) if *v != Violation::Frame);
        assert!(events.iter().filter(broken).count() <= 1);
        (bytes, labels, events)
    })
}

fn direction(event: &Event) -> Direction {
    match event {
        Event::Request => Up,
        Event::Empty | Event::Upgraded | Event::Coded => Down,
        Event::Message(d) | Event::Violation(d, _) => *d,
    }
}

/// Cuts an input into its pieces.
fn pieces(mut data: &[u8]) -> Vec<(Direction, &[u8])> {
    let mut pieces = Vec::new();
    while let Some((&first, rest)) = data.split_first() {
        let direction = if first & 0x80 == 0 { Up } else { Down };
        let (piece, rest) = rest.split_at(rest.len().min(usize::from(first & 0x7F) + 1));
        pieces.push((direction, piece));
        data = rest;
    }
    pieces
}
