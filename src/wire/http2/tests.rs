use http::{Method, Request, Response};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::Kind::{Attachment, AttachmentKey, Cursor, Envelope, H2FrameHeader, HeaderBlock, Notice};
use super::super::Kind::{FrameHeader as WebSocketHeader, LayerControl, ListPunctuation, Mail};
use super::super::Kind::{OtherBody, Padding, Preface, Reply, SseComment, SseEnd, SseField};
use super::super::Kind::{UnknownFrame, Unread};
use super::super::Label::{Control, Framing, Head, Payload};
use super::super::tests::support::{self as testing, Reading, Vector, read_bytes_with, read_with};
use super::super::tests::testing::{Crossed, Exchange, converse};
use super::super::{Direction, MAX_HEAD, Violation};
use super::super::{Event, Kind, Label, Tally};
use super::FrameType::{self, Continuation, Data, Headers};
use super::connection::MAX_STREAMS;
use super::{ACK, Connection, END_HEADERS, END_STREAM, FrameHeader, PADDED, PREFACE, PRIORITY};

type Parts<'a> = &'a [(Kind, Label, u64)];

const POLL: &[(&str, &str)] = &[(":method", "GET"), (":path", "/mail?after=3")];
const POST: &[(&str, &str)] = &[(":method", "POST"), (":path", "/mail")];
const OK: &[(&str, &str)] = &[(":status", "200")];
const EVENTS: &[(&str, &str)] = &[(":status", "200"), ("content-type", "text/event-stream")];

fn code(kind: FrameType) -> u8 {
    let known = (0..10).find(|n| FrameType::from(*n) == kind);
    match (kind, known) {
        (FrameType::Unknown(code), _) | (_, Some(code)) => code,
        (kind, None) => unreachable!("{kind:?} has a code"),
    }
}

fn frame(kind: FrameType, flags: u8, stream: u32, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let mut out = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    out.extend([code(kind), flags]);
    out.extend(stream.to_be_bytes());
    out.extend(payload);
    out
}

/// A header block of literals.
fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        out.push(0);
        for string in [name, value] {
            out.push(u8::try_from(string.len()).unwrap());
            out.extend(string.bytes());
        }
    }
    out
}

fn head(flags: u8, stream: u32, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(Headers, END_HEADERS | flags, stream, block(fields))
}

fn data(stream: u32, content: impl AsRef<[u8]>) -> Vec<u8> {
    frame(Data, 0, stream, content)
}

fn last(stream: u32, content: impl AsRef<[u8]>) -> Vec<u8> {
    frame(Data, END_STREAM, stream, content)
}

impl Vector {
    /// A connection on which both sides have sent their first frames.
    fn opened() -> Vector {
        let settings = frame(FrameType::Settings, 0, 0, []);
        Vector::http2()
            .up(PREFACE, &[(Preface, Control, 24)])
            .up(&settings, &[(H2FrameHeader, Control, 9)])
            .down(&settings, &[(H2FrameHeader, Control, 9)])
    }

    fn ask(self, flags: u8, stream: u32, fields: &[(&str, &str)]) -> Vector {
        let bytes = head(flags, stream, fields);
        let len = bytes.len() as u64 - 9;
        self.up(bytes, &[(H2FrameHeader, Head, 9), (HeaderBlock, Head, len)])
            .events(&[Event::Request])
    }

    fn answer(self, flags: u8, stream: u32, fields: &[(&str, &str)]) -> Vector {
        let bytes = head(flags, stream, fields);
        let len = bytes.len() as u64 - 9;
        self.down(bytes, &[(H2FrameHeader, Head, 9), (HeaderBlock, Head, len)])
    }

    fn get(self, stream: u32) -> Vector {
        self.ask(END_STREAM, stream, POLL)
    }

    fn websocket(self, stream: u32) -> Vector {
        let connect = [(":method", "CONNECT"), (":protocol", "websocket")];
        self.ask(0, stream, &connect)
            .answer(0, stream, OK)
            .events(&[Event::Upgraded])
    }
}

const EMPTY: Parts<'_> = &[(H2FrameHeader, Control, 9), (ListPunctuation, Control, 2)];

fn violation(direction: Direction, violation: Violation) -> Event {
    Event::Violation(direction, violation)
}

#[test]
fn a_header_is_parsed_once_it_is_whole() {
    let bytes = [frame(Headers, 0x25, 0x7FFF_FFFF, [0; 300]), vec![1]].concat();
    let header = FrameHeader::parse(&bytes).unwrap();
    let expected = FrameHeader {
        len: 300,
        kind: Headers,
        flags: 0x25,
        stream: 0x7FFF_FFFF,
    };
    assert_eq!(header, expected);
    assert!(header.has(PRIORITY) && header.has(END_STREAM) && !header.has(PADDED));
    for n in 0..FrameHeader::SIZE {
        assert_eq!(FrameHeader::parse(&bytes[..n]), None);
    }
    // The reserved bit is ignored.
    let stream = |bytes| FrameHeader::parse(bytes).unwrap().stream;
    assert_eq!(stream(&[0, 0, 0, 0, 0, 0x80, 0, 0, 1]), 1);
}

#[test]
fn opening_and_steering_are_control() {
    let settings = [0, 3, 0, 0, 0, 100, 0, 4, 0, 0, 255, 255];
    let parts = |kind, n| [(H2FrameHeader, Control, 9), (kind, Control, n)];
    let vector = Vector::http2()
        .up(PREFACE, &[(Preface, Control, 24)])
        .up(
            frame(FrameType::Settings, 0, 0, settings),
            &parts(Kind::Settings, 12),
        )
        .up(
            frame(FrameType::WindowUpdate, 0, 0, [0, 0x10, 0, 0]),
            &parts(Kind::WindowUpdate, 4),
        )
        .down(
            frame(FrameType::Settings, 0, 0, settings),
            &parts(Kind::Settings, 12),
        )
        .down(
            frame(FrameType::Settings, ACK, 0, []),
            &[(H2FrameHeader, Control, 9)],
        );
    let vector = vector
        .up(frame(FrameType::Ping, 0, 0, [7; 8]), &parts(Kind::Ping, 8))
        .down(frame(FrameType::Ping, ACK, 0, [7; 8]), &parts(Kind::Ping, 8))
        .up(
            frame(FrameType::Priority, 0, 1, [0; 5]),
            &parts(Kind::Priority, 5),
        )
        .up(
            frame(FrameType::Unknown(0xFA), 0xFF, 7, b"grease"),
            &parts(UnknownFrame, 6),
        )
        .down(frame(FrameType::GoAway, 0, 0, [0; 12]), &parts(Kind::GoAway, 12));
    vector.check(b"\0\0\0");
}

#[test]
fn polls_one_after_the_other() {
    let mail = br#"[{"id":4,"from":"a"}]"#;
    let mails = [
        (H2FrameHeader, Framing, 9),
        (ListPunctuation, Framing, 1),
        (Mail, Payload, 19),
        (ListPunctuation, Framing, 1),
    ];
    Vector::opened()
        .get(1)
        .answer(0, 1, OK)
        .down(last(1, "[]"), EMPTY)
        .events(&[Event::Empty])
        .get(3)
        .answer(END_STREAM, 3, &[(":status", "204")])
        .events(&[Event::Empty])
        .get(5)
        .answer(0, 5, OK)
        .down(last(5, mail), &mails)
        .get(7)
        .answer(0, 7, OK)
        .down(data(7, "[]"), EMPTY)
        .down(last(7, ""), &[(H2FrameHeader, Framing, 9)])
        .events(&[Event::Empty])
        // The answer to a HEAD has no content, and is not an empty poll.
        .ask(END_STREAM, 9, &[(":method", "HEAD")])
        .answer(END_STREAM, 9, OK)
        .check(b"\0");
}

#[test]
fn an_error_is_control_and_so_is_its_frame() {
    let parts = [(H2FrameHeader, Control, 9), (OtherBody, Control, 5)];
    Vector::opened()
        .get(1)
        .answer(0, 1, &[(":status", "500")])
        .down(last(1, "sorry"), &parts)
        .check(b"\0");
}

#[test]
fn a_reply_is_payload() {
    let reply = |n| [(H2FrameHeader, Framing, 9), (Reply, Payload, n)];
    Vector::opened()
        .ask(0, 1, POST)
        .up(data(1, "I'll "), &reply(5))
        .up(last(1, "be back"), &reply(7))
        .answer(END_STREAM, 1, &[(":status", "204")])
        .check(b"\0");
}

#[test]
fn a_frame_of_heartbeats_is_control() {
    let beat = [
        (H2FrameHeader, Control, 9),
        (SseComment, Control, 12),
        (SseEnd, Control, 1),
    ];
    let mail = [
        (H2FrameHeader, Framing, 9),
        (SseField, Framing, 12),
        (Mail, Payload, 8),
        (SseField, Framing, 1),
        (SseEnd, Framing, 1),
    ];
    let both = [
        (H2FrameHeader, Framing, 9),
        (SseComment, Control, 12),
        (SseEnd, Control, 1),
        (SseField, Framing, 12),
        (Mail, Payload, 8),
        (SseField, Framing, 1),
        (SseEnd, Framing, 1),
    ];
    let event = "id: 7\ndata: {\"id\":7}\n\n";
    Vector::opened()
        .get(1)
        .answer(0, 1, EVENTS)
        .down(data(1, ": heartbeat\n\n"), &beat)
        .down(data(1, event), &mail)
        .events(&[Event::Message(Direction::Down)])
        .down(data(1, format!(": heartbeat\n\n{event}")), &both)
        .events(&[Event::Message(Direction::Down)])
        .check(b"\0");
}

/// A frame's header waits for its content, and the content may wait for the next frame.
#[test]
fn content_that_waits_keeps_its_frames_waiting() {
    let opening = |label| [(H2FrameHeader, label, 9), (ListPunctuation, label, 1)];
    let empty = Vector::opened().get(1).answer(0, 1, OK);
    empty
        .down(data(1, "["), &opening(Control))
        .down(last(1, "]"), &opening(Control))
        .events(&[Event::Empty])
        .check(b"\0");
    let mail = [
        (H2FrameHeader, Framing, 9),
        (Mail, Payload, 8),
        (ListPunctuation, Framing, 1),
    ];
    let full = Vector::opened().get(1).answer(0, 1, OK);
    full.down(data(1, "["), &opening(Framing))
        .down(last(1, "{\"id\":1}]"), &mail)
        .check(b"\0");
    // An attachment's key split over two frames, with a frame of another stream between.
    let (first, second) = (r#"[{"id":1,"atta"#, r#"chment":"QUJD"}]"#);
    let parts = [
        (H2FrameHeader, Framing, 9),
        (AttachmentKey, Framing, 9),
        (Attachment, Framing, 1),
        (Attachment, Payload, 3),
        (AttachmentKey, Framing, 1),
        (Mail, Payload, 1),
        (ListPunctuation, Framing, 1),
    ];
    let start = [
        (H2FrameHeader, Framing, 9),
        (ListPunctuation, Framing, 1),
        (Mail, Payload, 7),
        (AttachmentKey, Framing, 6),
    ];
    let vector = Vector::opened().get(1).get(3).answer(0, 1, OK).answer(0, 3, OK);
    vector
        .down(data(1, first), &start)
        .down(last(3, "[]"), EMPTY)
        .events(&[Event::Empty])
        .down(last(1, second), &parts)
        .check(b"\0");
}

#[test]
fn what_is_held_back_is_bounded() {
    let mut connection = Connection::new();
    let mut tally = Tally::default();
    let settings = frame(FrameType::Settings, 0, 0, []);
    connection.feed(
        Direction::Up,
        &[PREFACE, &settings, &head(1, 1, POLL)].concat(),
        &mut tally,
    );
    connection.feed(Direction::Down, &[settings, head(0, 1, OK)].concat(), &mut tally);
    let before = tally.down.total();
    let spaces = data(1, " ").repeat(10_000);
    connection.feed(Direction::Down, &spaces, &mut tally);
    let held = spaces.len() as u64 - (tally.down.total() - before);
    assert!(held < 1_000, "{held} bytes wait");
    connection.finish(&mut tally);
    assert_eq!(tally.down.total() - before, spaces.len() as u64);
}

const TINY: &[(&str, &str)] = &[(":method", "GET"), (":path", "/tiny/poll")];

/// A unit of a protocol on top in DATA frames waits as a whole, and its frames with it.
#[test]
fn units_of_a_protocol_on_top_may_be_cut_by_frames() {
    let control = |n| [(H2FrameHeader, Control, 9), (LayerControl, Control, n)];
    let first = [
        (H2FrameHeader, Framing, 9),
        (Envelope, Framing, 1),
        (Mail, Payload, 2),
    ];
    let second = [
        (H2FrameHeader, Framing, 9),
        (Mail, Payload, 2),
        (Envelope, Framing, 1),
        (LayerControl, Control, 2),
    ];
    Vector::opened()
        .ask(END_STREAM, 1, TINY)
        .answer(0, 1, OK)
        .down(data(1, "cop"), &control(3))
        .down(data(1, "en\n"), &control(3))
        .down(data(1, "mma"), &first)
        .down(data(1, "il\nc!"), &second)
        .down(last(1, "\n"), &control(1))
        .ask(END_STREAM, 3, TINY)
        .answer(0, 3, OK)
        .down(last(3, "cnothing"), &control(8))
        .events(&[Event::Empty])
        .check(b"\0");
    // A stream that is reset: its bytes so far are labelled.
    Vector::opened()
        .ask(END_STREAM, 1, TINY)
        .answer(0, 1, OK)
        .down(data(1, "mma"), &first)
        .down(
            frame(FrameType::RstStream, 0, 1, [0; 4]),
            &[(H2FrameHeader, Control, 9), (Kind::RstStream, Control, 4)],
        )
        .check(b"\0");
}

#[test]
fn messages_of_a_protocol_on_top_may_be_cut_by_frames() {
    let connect = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":path", "/tiny"),
    ];
    let control = [
        (H2FrameHeader, Control, 9),
        (WebSocketHeader, Control, 2),
        (LayerControl, Control, 2),
    ];
    let rest = [(H2FrameHeader, Control, 9), (LayerControl, Control, 2)];
    let mail = [
        (H2FrameHeader, Framing, 9),
        (WebSocketHeader, Framing, 2),
        (Envelope, Framing, 1),
        (Mail, Payload, 1),
    ];
    let cursor = [
        (H2FrameHeader, Control, 9),
        (WebSocketHeader, Control, 6),
        (Cursor, Control, 2),
    ];
    Vector::opened()
        .ask(0, 1, &connect)
        .answer(0, 1, OK)
        .events(&[Event::Upgraded])
        .down(data(1, b"\x81\x04co"), &control)
        .down(data(1, b"pe"), &rest)
        .down(data(1, b"\x81\x02mx"), &mail)
        .events(&[Event::Message(Direction::Down)])
        .up(data(1, b"\x81\x82\x01\x02\x03\x04\x6a\x35"), &cursor)
        .check(b"\0");
}

/// Whether a POST carries a message is known when its body has ended; the client's state is reported at once.
#[test]
fn a_post_to_a_protocol_on_top_says_what_its_body_says() {
    for (body, said, told) in [("mread\n", true, [0, 0]), ("k12\n", false, [1, 4])] {
        let mut tally = Tally::default();
        let mut connection = Connection::new();
        let settings = frame(FrameType::Settings, 0, 0, []);
        let post = head(0, 1, &[(":method", "POST"), (":path", "/tiny")]);
        let answer = head(END_STREAM, 1, &[(":status", "204")]);
        let up = [
            PREFACE,
            &settings,
            &post,
            &data(1, &body[..2]),
            &last(1, &body[2..]),
        ]
        .concat();
        connection.feed(Direction::Up, &up, &mut tally);
        connection.feed(Direction::Down, &[settings, answer.clone()].concat(), &mut tally);
        connection.finish(&mut tally);
        let heads = (post.len() as u64, answer.len() as u64);
        assert_eq!(
            (tally.message_heads_up, tally.message_heads_down),
            if said { heads } else { (0, 0) }
        );
        assert_eq!(tally.client_state, told);
    }
}

#[test]
fn padding_is_framing_or_what_its_frame_is() {
    let padded = |content: &str, padding: u8| {
        let zeros = vec![0; usize::from(padding)];
        [&[padding][..], content.as_bytes(), &zeros].concat()
    };
    let mut request = padded("", 3);
    request.splice(1..1, [&[0, 0, 0, 0, 255][..], &block(POST)].concat());
    let request = frame(Headers, END_HEADERS | PADDED | PRIORITY, 1, request);
    let parts = [
        (H2FrameHeader, Head, 9),
        (Padding, Head, 1),
        (Kind::Priority, Head, 5),
        (HeaderBlock, Head, block(POST).len() as u64),
        (Padding, Head, 3),
    ];
    let data = |flags, content, padding| frame(Data, PADDED | flags, 1, padded(content, padding));
    let vector = Vector::opened().up(request, &parts).events(&[Event::Request]);
    vector
        .up(
            data(0, "hello", 255),
            &[
                (H2FrameHeader, Framing, 9),
                (Padding, Framing, 1),
                (Reply, Payload, 5),
                (Padding, Framing, 255),
            ],
        )
        .up(
            data(END_STREAM, "", 2),
            &[(H2FrameHeader, Framing, 9), (Padding, Framing, 3)],
        )
        .answer(0, 1, &[(":status", "400")])
        .down(
            data(0, "no", 1),
            &[
                (H2FrameHeader, Control, 9),
                (Padding, Control, 1),
                (OtherBody, Control, 2),
                (Padding, Control, 1),
            ],
        )
        .check(b"\0");
}

#[test]
fn a_block_may_go_on_in_continuations() {
    let whole = block(&[(":method", "GET"), ("cookie", "a=b")]);
    let parts = |n| [(H2FrameHeader, Head, 9), (HeaderBlock, Head, n)];
    let len = whole.len() as u64;
    Vector::opened()
        .up(frame(Headers, END_STREAM, 1, &whole[..3]), &parts(3))
        .up(frame(Continuation, 0, 1, []), &[(H2FrameHeader, Head, 9)])
        .up(frame(Continuation, 0, 1, &whole[3..9]), &parts(6))
        .up(frame(Continuation, END_HEADERS, 1, &whole[9..]), &parts(len - 9))
        .events(&[Event::Request])
        .answer(0, 1, OK)
        .down(last(1, "[]"), EMPTY)
        .events(&[Event::Empty])
        .check(b"\0");
}

#[test]
fn the_next_block_builds_on_the_last() {
    // RFC 7541, appendices C.4.1 and C.4.2; then a poll whose fields are all in the tables.
    let first = b"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff";
    let second = b"\x82\x86\x84\xbe\x58\x86\xa8\xeb\x10\x64\x9c\xbf";
    let mut vector = Vector::opened();
    for (n, block) in [&first[..], second, b"\x82\x86\x84\xbf\xbe"]
        .into_iter()
        .enumerate()
    {
        let stream = 2 * n as u32 + 1;
        let parts = [(H2FrameHeader, Head, 9), (HeaderBlock, Head, block.len() as u64)];
        vector = vector
            .up(frame(Headers, END_HEADERS | END_STREAM, stream, block), &parts)
            .events(&[Event::Request])
            .down(
                frame(Headers, END_HEADERS | END_STREAM, stream, b"\x89"),
                &[(H2FrameHeader, Head, 9), (HeaderBlock, Head, 1)],
            )
            .events(&[Event::Empty]);
    }
    vector.check(b"\0");
}

#[test]
fn streams_interleave() {
    let event = [
        (H2FrameHeader, Framing, 9),
        (SseField, Framing, 6),
        (Mail, Payload, 8),
    ];
    let rest = [
        (H2FrameHeader, Framing, 9),
        (SseField, Framing, 1),
        (SseEnd, Framing, 1),
    ];
    let reply = [(H2FrameHeader, Framing, 9), (Reply, Payload, 2)];
    Vector::opened()
        .get(1)
        .ask(0, 3, POST)
        .answer(0, 1, EVENTS)
        .down(data(1, "data: {\"id\":1}"), &event)
        .up(data(3, "he"), &reply)
        .get(5)
        .answer(0, 5, OK)
        .down(last(5, "[]"), EMPTY)
        .events(&[Event::Empty])
        .down(data(1, "\n\n"), &rest)
        .events(&[Event::Message(Direction::Down)])
        .up(last(3, "y!"), &reply)
        .answer(END_STREAM, 3, &[(":status", "204")])
        .check(b"\0");
}

/// RFC 8441, section 5.1, with a few frames in place of its "WebSocket Data".
#[test]
fn a_websocket_is_a_stream() {
    let announced = [0, 8, 0, 0, 0, 1];
    let request = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "https"),
        (":path", "/chat"),
        (":authority", "server.example.com"),
        ("sec-websocket-protocol", "chat, superchat"),
        ("sec-websocket-extensions", "permessage-deflate"),
        ("sec-websocket-version", "13"),
        ("origin", "http://www.example.com"),
    ];
    let response = [(":status", "200"), ("sec-websocket-protocol", "chat")];
    let settings = [(H2FrameHeader, Control, 9), (Kind::Settings, Control, 6)];
    // RFC 6455, section 5.7.
    let masked = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    Vector::opened()
        .down(frame(FrameType::Settings, 0, 0, announced), &settings)
        .ask(0, 1, &request)
        .answer(0, 1, &response)
        .events(&[Event::Upgraded])
        .up(
            data(1, masked),
            &[
                (H2FrameHeader, Framing, 9),
                (Kind::FrameHeader, Framing, 6),
                (Reply, Payload, 5),
            ],
        )
        .events(&[Event::Message(Direction::Up)])
        .down(
            last(1, b"\x81\x05Hello"),
            &[
                (H2FrameHeader, Framing, 9),
                (Kind::FrameHeader, Framing, 2),
                (Mail, Payload, 5),
            ],
        )
        .events(&[Event::Message(Direction::Down)])
        .up(last(1, ""), &[(H2FrameHeader, Framing, 9)])
        .check(b"\0");
}

#[test]
fn websocket_frames_lie_across_data_frames() {
    let down = [Event::Message(Direction::Down)];
    // A ping in two halves, and two frames in one DATA frame.
    let ping = [(H2FrameHeader, Control, 9), (Kind::FrameHeader, Control, 1)];
    let two = [
        (H2FrameHeader, Framing, 9),
        (Kind::FrameHeader, Control, 2),
        (Kind::FrameHeader, Framing, 2),
        (Mail, Payload, 2),
    ];
    Vector::opened()
        .websocket(1)
        .down(data(1, b"\x89"), &ping)
        .down(data(1, b"\x00"), &ping)
        .down(data(1, b"\x8A\x00\x81\x02hi"), &two)
        .events(&down)
        .check(b"\0");
    // A gap notice and a similar text, a byte at a time.
    for (text, label, kind) in [
        (br#"{"gap":1}"#, Control, Notice),
        (br#"{"gas":1}"#, Payload, Mail),
    ] {
        let mut vector = Vector::opened().websocket(1);
        let around = if label == Control { Control } else { Framing };
        for byte in [0x81, 9].iter().chain(text).enumerate() {
            let part = if byte.0 < 2 {
                (Kind::FrameHeader, around, 1)
            } else {
                (kind, label, 1)
            };
            vector = vector.down(data(1, [*byte.1]), &[(H2FrameHeader, around, 9), part]);
        }
        if label == Payload {
            vector = vector.events(&down);
        }
        vector.check(b"\0");
    }
    // An attachment's key is split over fragments and DATA frames, with a ping between.
    let parts = |wire, n| {
        [
            (H2FrameHeader, Framing, 9),
            (Kind::FrameHeader, Framing, wire),
            (AttachmentKey, Framing, n),
        ]
    };
    Vector::opened()
        .websocket(1)
        .down(data(1, b"\x01\x06,\"atta"), &parts(2, 6))
        .events(&down)
        .down(
            data(1, b"\x89\x00"),
            &[(H2FrameHeader, Control, 9), (Kind::FrameHeader, Control, 2)],
        )
        .down(data(1, b"\x80\x0Achme"), &parts(2, 4))
        .down(
            data(1, b"nt\":\"="),
            &[
                (H2FrameHeader, Framing, 9),
                (AttachmentKey, Framing, 5),
                (Attachment, Framing, 1),
            ],
        )
        .events(&down)
        .check(b"\0");
}

#[test]
fn a_broken_websocket_breaks_its_stream_only() {
    let unread = |n| [(H2FrameHeader, Control, 9), (Unread, Control, n)];
    let parts = [
        (H2FrameHeader, Framing, 9),
        (Kind::FrameHeader, Framing, 2),
        (Mail, Payload, 1),
        (Unread, Control, 2),
    ];
    let broken = [
        Event::Message(Direction::Down),
        violation(Direction::Down, Violation::Frame),
    ];
    Vector::opened()
        .websocket(1)
        .down(data(1, b"\x81\x01x\xF1\x00"), &parts)
        .events(&broken)
        .get(3)
        .down(data(1, b"\x81\x01x"), &unread(3))
        .answer(0, 3, OK)
        .down(last(3, "[]"), EMPTY)
        .events(&[Event::Empty])
        .check(b"\0");
    // The header that cannot be read began in the previous frame.
    Vector::opened()
        .websocket(1)
        .down(data(1, b"\xF1"), &unread(1))
        .down(data(1, b"\x00x"), &unread(2))
        .events(&broken[1..])
        .check(b"\0");
}

#[test]
fn a_refused_websocket_is_an_error() {
    Vector::opened()
        .ask(0, 1, &[(":method", "CONNECT"), (":protocol", "websocket")])
        .answer(0, 1, &[(":status", "403")])
        .down(
            last(1, "no"),
            &[(H2FrameHeader, Control, 9), (OtherBody, Control, 2)],
        )
        .check(b"\0");
}

#[test]
fn interim_answers_and_trailers() {
    let trailers = [("checksum", "1")];
    Vector::opened()
        .get(1)
        .answer(0, 1, &[(":status", "103")])
        .answer(0, 1, OK)
        .down(data(1, "[]"), EMPTY)
        .answer(END_STREAM, 1, &trailers)
        .events(&[Event::Empty])
        .check(b"\0");
}

#[test]
fn a_reset_ends_a_stream_and_no_more() {
    let reset = frame(FrameType::RstStream, 0, 1, [0, 0, 0, 8]);
    let parts = [(H2FrameHeader, Control, 9), (Kind::RstStream, Control, 4)];
    let stray = [(H2FrameHeader, Control, 9), (OtherBody, Control, 3)];
    let padded = [
        (H2FrameHeader, Control, 9),
        (Padding, Control, 1),
        (OtherBody, Control, 2),
        (Padding, Control, 1),
    ];
    Vector::opened()
        .get(1)
        .answer(0, 1, OK)
        // Bytes that the list has held back are labelled.
        .down(
            data(1, "["),
            &[(H2FrameHeader, Control, 9), (ListPunctuation, Control, 1)],
        )
        .up(reset, &parts)
        .down(data(1, "{}]"), &stray)
        .down(frame(Data, PADDED | END_STREAM, 1, b"\x01{}\0"), &padded)
        .answer(END_STREAM, 1, &[("trailer", "late")])
        .get(3)
        .answer(0, 3, OK)
        .down(last(3, "[]"), EMPTY)
        .events(&[Event::Empty])
        .check(b"\0");
}

#[test]
fn a_cut_is_labelled_by_the_state_it_was_in() {
    let cut = |bytes: &[u8], parts: Parts<'_>| {
        let vector = Vector::opened().get(1).answer(0, 1, EVENTS);
        vector.down(bytes, parts).check(b"");
    };
    let beat = data(1, ": heartbeat\n\n");
    cut(&beat[..3], &[(Unread, Control, 3)]);
    cut(&beat[..8], &[(Unread, Framing, 8)]);
    cut(&beat[..9], &[(H2FrameHeader, Framing, 9)]);
    cut(
        &beat[..11],
        &[(H2FrameHeader, Control, 9), (SseComment, Control, 2)],
    );
    cut(
        &data(1, "data: {\"id\"")[..18],
        &[
            (H2FrameHeader, Framing, 9),
            (SseField, Framing, 6),
            (Mail, Payload, 3),
        ],
    );
    cut(&frame(Headers, 0, 1, [0; 9])[..7], &[(Unread, Head, 7)]);
    cut(
        &frame(Headers, 0, 1, [0; 9])[..12],
        &[(H2FrameHeader, Head, 9), (HeaderBlock, Head, 3)],
    );
    cut(&frame(Headers, PADDED, 1, [2; 9])[..9], &[(Unread, Head, 9)]);
    cut(&frame(Data, PADDED, 1, [2; 9])[..9], &[(Unread, Framing, 9)]);
    cut(
        &frame(Data, PADDED, 1, b"\x03:\n\0\0\0")[..13],
        &[
            (H2FrameHeader, Control, 9),
            (Padding, Control, 1),
            (SseComment, Control, 2),
            (Padding, Control, 1),
        ],
    );
    cut(
        &frame(FrameType::Ping, 0, 0, [0; 8])[..6],
        &[(Unread, Control, 6)],
    );
    Vector::http2()
        .up(&PREFACE[..9], &[(Preface, Control, 9)])
        .check(b"");
}

#[test]
fn a_preface_must_be_one() {
    let broken = [violation(Direction::Up, Violation::Preface)];
    Vector::http2()
        .up("GET / HTTP/1.1\r\n\r\n", &[(Unread, Control, 18)])
        .events(&broken)
        .check(b"x");
    Vector::http2()
        .up("PRI * HTTP/1.1", &[(Preface, Control, 11), (Unread, Control, 3)])
        .events(&broken)
        .check(b"x");
}

#[test]
fn frames_nobody_may_send() {
    let on = |direction, bytes: Vec<u8>, label, broken| {
        println!("{bytes:?}");
        let parts = [(Unread, label, bytes.len() as u64)];
        let vector = Vector::opened().get(1).ask(0, 3, POST);
        let vector = match direction {
            Direction::Up => vector.up(bytes, &parts),
            Direction::Down => vector.down(bytes, &parts),
        };
        vector.events(&[violation(direction, broken)]).check(b"\0");
    };
    for (bytes, label) in [
        (frame(FrameType::Settings, 0, 1, []), Control),
        (frame(FrameType::Settings, 0, 0, [0; 5]), Control),
        (frame(FrameType::Settings, ACK, 0, [0; 6]), Control),
        (frame(FrameType::Ping, 0, 0, [0; 7]), Control),
        (frame(FrameType::Ping, 0, 1, [0; 8]), Control),
        (frame(FrameType::GoAway, 0, 0, [0; 7]), Control),
        (frame(FrameType::WindowUpdate, 0, 0, [0; 5]), Control),
        (frame(FrameType::RstStream, 0, 0, [0; 4]), Control),
        (frame(FrameType::RstStream, 0, 1, [0; 3]), Control),
        (frame(FrameType::Priority, 0, 0, [0; 5]), Control),
        (frame(FrameType::PushPromise, END_HEADERS, 1, [0; 9]), Head),
        (frame(Continuation, END_HEADERS, 1, []), Head),
        (head(0, 0, POLL), Head),
        (frame(Headers, PADDED, 5, []), Head),
        (frame(Headers, PRIORITY, 5, [0; 4]), Head),
        (frame(Headers, PADDED, 5, [2, 0]), Head),
        (frame(Headers, PADDED | PRIORITY, 5, [1, 0, 0, 0, 0, 0]), Head),
        (data(0, "x"), Framing),
        // A stream that was never opened, and one that this side has ended.
        (data(5, "x"), Framing),
        (data(1, "x"), Framing),
        (frame(Data, PADDED, 3, []), Framing),
        (frame(Data, PADDED, 3, [3, 0, 0]), Framing),
        (
            frame(FrameType::Unknown(99), 0, 0, [0; 16_385])[..9].to_vec(),
            Control,
        ),
    ] {
        on(Direction::Up, bytes, label, Violation::Http2Frame);
    }
    // No content may come before the answer's head.
    on(Direction::Down, data(1, "x"), Framing, Violation::Http2Frame);
    // The first frame of each side must be SETTINGS.
    for (direction, first) in [
        (Direction::Up, frame(FrameType::Ping, 0, 0, [0; 8])),
        (Direction::Down, frame(FrameType::Settings, ACK, 0, [])),
    ] {
        let parts = [(Unread, Control, first.len() as u64)];
        let vector = Vector::http2().up(PREFACE, &[(Preface, Control, 24)]);
        let vector = match direction {
            Direction::Up => vector.up(first, &parts),
            Direction::Down => vector.down(first, &parts),
        };
        vector
            .events(&[violation(direction, Violation::Http2Frame)])
            .check(b"x");
    }
}

#[test]
fn heads_nobody_may_send() {
    let read = |bytes: Vec<u8>| {
        let parts = [
            (H2FrameHeader, Head, 9),
            (HeaderBlock, Head, bytes.len() as u64 - 9),
        ];
        (bytes, parts)
    };
    let broken = |v| violation(Direction::Up, v);
    for (bytes, kind) in [
        (head(END_STREAM, 5, &[(":path", "/")]), Violation::Head),
        (head(END_STREAM, 2, POLL), Violation::Http2Frame),
        (frame(Headers, END_HEADERS, 5, b"\xFF\xFF"), Violation::Hpack),
        // Trailers without END_STREAM, and trailers after it.
        (head(0, 3, &[("trailer", "x")]), Violation::Http2Frame),
        (head(END_STREAM, 1, &[("trailer", "x")]), Violation::Http2Frame),
    ] {
        let (bytes, parts) = read(bytes);
        let vector = Vector::opened().get(1).ask(0, 3, POST).up(bytes, &parts);
        vector.events(&[broken(kind)]).check(b"\0");
    }
    for (bytes, kind) in [
        (head(END_STREAM, 3, OK), Violation::Unsolicited),
        (head(END_STREAM, 2, OK), Violation::Unsolicited),
        (head(0, 1, &[("date", "now")]), Violation::Head),
        (head(0, 1, &[(":status", "101")]), Violation::Head),
        (head(0, 1, &[(":status", "OK")]), Violation::Head),
        (head(END_STREAM, 1, &[(":status", "100")]), Violation::Head),
    ] {
        let (bytes, parts) = read(bytes);
        let vector = Vector::opened().get(1).down(bytes, &parts);
        vector.events(&[violation(Direction::Down, kind)]).check(b"\0");
    }
    // No frame may come between the frames of a block, not even another stream's.
    for between in [
        frame(FrameType::Ping, 0, 0, [0; 8]),
        frame(Continuation, END_HEADERS, 3, []),
    ] {
        let label = FrameType::from(between[3]).label();
        let parts = [(Unread, label, between.len() as u64)];
        Vector::opened()
            .up(frame(Headers, 0, 1, []), &[(H2FrameHeader, Head, 9)])
            .up(between, &parts)
            .events(&[broken(Violation::Http2Frame)])
            .check(b"\0");
    }
}

#[test]
fn a_block_has_a_limit_and_so_have_streams() {
    let parts = [(H2FrameHeader, Head, 9), (HeaderBlock, Head, 16_384)];
    let piece = [0; 16_384];
    let mut vector = Vector::opened().up(frame(Headers, 0, 1, piece), &parts);
    for _ in 1..MAX_HEAD / piece.len() {
        vector = vector.up(frame(Continuation, 0, 1, piece), &parts);
    }
    vector
        .up(frame(Continuation, END_HEADERS, 1, [0]), &[(Unread, Head, 10)])
        .events(&[violation(Direction::Up, Violation::Head)])
        .check(b"\0");
    let mut vector = Vector::opened();
    for n in 0..=MAX_STREAMS as u32 {
        vector = vector.get(2 * n + 1);
    }
    vector
        .events(&[violation(Direction::Up, Violation::Backlog)])
        .check(b"\0");
}

#[test]
fn a_larger_frame_may_be_allowed() {
    let allowed = [0, 5, 0, 0, 0x80, 0, 0, 1, 0, 1, 0, 0];
    let settings = [(H2FrameHeader, Control, 9), (Kind::Settings, Control, 12)];
    let large = data(1, [b'x'; 32_768]);
    let parts = [(H2FrameHeader, Framing, 9), (Reply, Payload, 32_768)];
    // A table size update to 65,536 bytes before the fields.
    let request = [&b"\x3F\xE1\xFF\x03"[..], &block(POST)].concat();
    let request = frame(Headers, END_HEADERS, 1, request);
    let head = [
        (H2FrameHeader, Head, 9),
        (HeaderBlock, Head, request.len() as u64 - 9),
    ];
    Vector::opened()
        .down(frame(FrameType::Settings, 0, 0, allowed), &settings)
        .up(request, &head)
        .events(&[Event::Request])
        .up(large, &parts)
        .check(b"\0");
}

#[test]
fn a_finished_connection_labels_whatever_comes() {
    let mut tally = Tally::default();
    let mut connection = Connection::new();
    connection.finish(&mut tally);
    connection.feed(Direction::Up, PREFACE, &mut tally);
    connection.finish(&mut tally);
    assert_eq!(
        (tally.up.control, tally.up.total(), tally.violations),
        (24, 24, 0)
    );
}

fn read_tapped(crossed: &Crossed) -> Reading {
    let whole = read_with(testing::http2, slices(crossed));
    assert_eq!(read_bytes_with(testing::http2, crossed), whole);
    whole
}

fn payload(side: &testing::Side) -> u64 {
    side.runs.iter().map(|run| run.labels.payload).sum()
}

/// The `h2` crate at both ends: everything in a real connection except padding.
#[test]
fn a_real_connection() {
    let get = || Request::get("http://mail.test/mail?after=3").body(()).unwrap();
    let post = Request::post("http://mail.test/mail").body(()).unwrap();
    let mut connect = Request::new(());
    *connect.method_mut() = Method::CONNECT;
    *connect.uri_mut() = "http://mail.test/ws".parse().unwrap();
    connect
        .extensions_mut()
        .insert(h2::ext::Protocol::from_static("websocket"));
    let ok = || Response::new(());
    let stream = Response::builder()
        .header("content-type", "text/event-stream; charset=utf-8")
        .body(())
        .unwrap();
    let none = Response::builder().status(204).body(()).unwrap();
    let exchange = |request, up: &[&'static [u8]], response, down: &[&'static [u8]]| Exchange {
        request,
        up: up.to_vec(),
        response,
        down: down.to_vec(),
    };
    let exchanges = vec![
        exchange(get(), &[], ok(), &[b"[]"]),
        exchange(get(), &[], ok(), &[b"[{\"id\":1}", b"]"]),
        exchange(post, &[b"hello", b" back"], none, &[]),
        exchange(
            get(),
            &[],
            stream,
            &[b": heartbeat\n\n", b"id: 1\ndata: {\"id\":1}\n\n"],
        ),
        exchange(
            connect,
            &[b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"],
            ok(),
            &[b"\x81\x05He", b"llo\x89", b"\x00"],
        ),
    ];
    let [up, down] = read_tapped(&converse(exchanges));
    let message = Event::Message;
    let asked = [vec![Event::Request; 5], vec![message(Direction::Up)]].concat();
    assert_eq!(up.events, asked);
    let answered = [
        Event::Empty,
        message(Direction::Down),
        Event::Upgraded,
        message(Direction::Down),
    ];
    assert_eq!(down.events, answered);
    assert_eq!((payload(&up), payload(&down)), (10 + 5, 8 + 8 + 5));
    for side in [up, down] {
        let kinds = side.runs.iter().map(|run| run.kind);
        assert!(
            kinds.clone().all(|kind| kind != Unread && kind != OtherBody),
            "{side:?}"
        );
    }
}

fn slices(pieces: &[(Direction, Vec<u8>)]) -> impl Iterator<Item = (Direction, &[u8])> {
    pieces.iter().map(|(d, bytes)| (*d, &bytes[..]))
}

/// Bytes that often look like a connection with many kinds of frames.
fn garbage() -> impl Strategy<Value = Vec<(Direction, Vec<u8>)>> {
    let stream = || select(&[1u32, 1, 3, 5][..]);
    let up = prop_oneof![
        stream().prop_map(|s| head(END_STREAM, s, POLL)),
        stream().prop_map(|s| head(0, s, POST)),
        stream().prop_map(|s| head(0, s, &[(":method", "CONNECT"), (":protocol", "websocket")])),
    ];
    let down = prop_oneof![
        stream().prop_map(|s| head(0, s, OK)),
        stream().prop_map(|s| head(0, s, EVENTS)),
        stream().prop_map(|s| head(END_STREAM, s, &[(":status", "204")])),
        stream().prop_map(|s| head(0, s, &[(":status", "404")])),
    ];
    let content: &[&[u8]] = &[
        b"",
        b"[",
        b"]",
        b"[]",
        b" ",
        b",",
        b"{\"gap\":",
        b"{\"gap\":1}",
        b"{\"id\":1",
        b"}",
        b",\"attachment\":\"",
        b",\"attach",
        b"ment\":\"QUJDRA==",
        b"\"",
        b"data: ",
        b"data",
        b"event: gap",
        b"retry: 1",
        b": x",
        b"\n",
        b"\r",
        b"\x89\x00",
        b"\x89\x80mask",
        b"\x81\x09{\"gap\":1}",
        b"\x81",
        b"\x09{\"ga",
        b"\x01\x05",
        b"\x80\x05",
        b"\x81\x85mask",
        b"\x82\x0A\0\0\0\x02",
        b"\xF1\x00",
    ];
    let flags = select(&[0u8, 0, 0, END_STREAM, PADDED][..]);
    let data = (stream(), vec(select(content), 0..3), flags, 0u8..3).prop_map(|(s, c, flags, n)| {
        let pad = flags & PADDED != 0;
        let before = if pad { vec![n] } else { vec![] };
        let after = if pad { vec![0; n.into()] } else { vec![] };
        frame(Data, flags, s, [before, c.concat(), after].concat())
    });
    let steering = prop_oneof![
        Just(frame(FrameType::Ping, 0, 0, [0; 8])),
        Just(frame(FrameType::Settings, ACK, 0, [])),
        Just(frame(FrameType::Settings, 0, 0, [0, 5, 0, 1, 0, 0])),
        stream().prop_map(|s| frame(FrameType::RstStream, 0, s, [0; 4])),
        stream().prop_map(|s| frame(Headers, 0, s, block(POLL))),
        stream().prop_map(|s| frame(Continuation, END_HEADERS, s, [])),
    ];
    let both = || select(&[Direction::Up, Direction::Down][..]);
    let token = prop_oneof![
        40 => (Just(Direction::Up), up),
        60 => (Just(Direction::Down), down),
        200 => (both(), data),
        30 => (both(), steering),
        1 => (both(), vec(any::<u8>(), 1..20)),
    ];
    (vec(token, 1..40), any::<bool>()).prop_map(|(said, busy)| {
        let settings = frame(FrameType::Settings, 0, 0, []);
        let mut up = [PREFACE, &settings].concat();
        let mut down = settings;
        if busy {
            // Streams on which each kind of content may come at once.
            let connect = [(":method", "CONNECT"), (":protocol", "websocket")];
            up.extend(
                [
                    head(END_STREAM, 1, POLL),
                    head(0, 3, &connect),
                    head(END_STREAM, 5, POLL),
                ]
                .concat(),
            );
            down.extend([head(0, 1, OK), head(0, 3, OK), head(0, 5, EVENTS)].concat());
        }
        let opening = [(Direction::Up, up), (Direction::Down, down)];
        opening.into_iter().chain(said).collect()
    })
}

fn split(pieces: &[(Direction, Vec<u8>)], sizes: &[usize]) -> Vec<(Direction, Vec<u8>)> {
    let mut sizes = sizes.iter().cycle();
    let mut split = Vec::new();
    for (direction, mut bytes) in slices(pieces) {
        while let Some(size) = sizes.next()
            && !bytes.is_empty()
        {
            let (piece, rest) = bytes.split_at(bytes.len().min(*size));
            split.push((direction, piece.to_vec()));
            bytes = rest;
        }
    }
    split
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    /// `read` requires each byte to be labelled once.
    #[test]
    fn garbage_is_labelled_however_it_is_split(
        pieces in garbage(), sizes in vec(1usize..30, 1..20), keep in 0.0..1.0
    ) {
        let whole = read_with(testing::http2, slices(&pieces));
        let pieces_split = split(&pieces, &sizes);
        prop_assert_eq!(read_with(testing::http2, slices(&pieces_split)), whole);
        // And at every possible end.
        let total: usize = pieces.iter().map(|p| p.1.len()).sum();
        let mut keep = (keep * total as f64) as usize;
        let mut cut = pieces;
        for (_, bytes) in &mut cut {
            bytes.truncate(keep);
            keep -= bytes.len();
        }
        let whole = read_with(testing::http2, slices(&cut));
        prop_assert_eq!(read_bytes_with(testing::http2, &cut), whole);
    }

    #[test]
    fn any_bytes_are_labelled(
        pieces in vec((select(&[Direction::Up, Direction::Down][..]), vec(any::<u8>(), 0..60)), 0..20),
        preface in any::<bool>(),
    ) {
        let mut all = pieces;
        if preface {
            all.insert(0, (Direction::Up, PREFACE.to_vec()));
        }
        let whole = read_with(testing::http2, slices(&all));
        prop_assert_eq!(read_bytes_with(testing::http2, &all), whole);
    }
}
