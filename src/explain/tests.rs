//! The RFCs' own examples, and properties of every transcript.

use proptest::prelude::*;

use super::{Detail, Explained, Knowledge, StateItem, Unit, hex, units};
use crate::wire::http2::PREFACE;
use crate::wire::tests::properties::{cuts, garbage, play, script};
use crate::wire::transcript::{Crossed, Happened, Transcript};
use crate::wire::{Conversation, Decoder, Direction, as_declared};

const UPGRADE: &[u8] = b"GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://example.com\r\n\
    Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Version: 13\r\n\r\n";
const SWITCHED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n";

type Piece<'a> = (Direction, &'a [u8]);

fn read(pieces: &[Piece]) -> Vec<Unit> {
    explained(Decoder::Http(Conversation::new()), pieces)
}

fn explained(decoder: Decoder, pieces: &[Piece]) -> Vec<Unit> {
    let crossed: Vec<Crossed> = (0..)
        .zip(pieces)
        .map(|(at, (direction, bytes))| Crossed {
            at_us: f64::from(at),
            sealed: false,
            direction: *direction,
            what: Happened::Bytes(bytes),
        })
        .collect();
    let transcript = Transcript::read(decoder, &crossed);
    assert!(transcript.is_complete());
    let units = units(&transcript);
    let mut shown = [0, 0];
    for unit in &units {
        shown[unit.direction as usize] += unit.len();
    }
    assert_eq!(shown, transcript.raw, "every byte is explained");
    for part in units.iter().flat_map(|u| &u.parts) {
        assert!(!part.what.is_empty() && !part.source.is_empty(), "{part:?}");
    }
    units
}

/// The frames of one direction, after the RFC's handshake.
fn frames(direction: Direction, bytes: &[u8]) -> Vec<Unit> {
    let mut all = read(&[
        (Direction::Up, UPGRADE),
        (Direction::Down, SWITCHED),
        (direction, bytes),
    ]);
    all.drain(..2);
    all
}

fn value<'a>(part: &'a Explained, name: &str) -> &'a str {
    let found = part.details.iter().find(|d| d.name == name);
    &found.unwrap_or_else(|| panic!("no {name} in {part:?}")).value
}

fn details(transcript: &[Unit]) -> impl Iterator<Item = &Detail> {
    transcript.iter().flat_map(|u| &u.parts).flat_map(|p| &p.details)
}

fn titles(transcript: &[Unit]) -> Vec<&str> {
    transcript.iter().map(|u| &*u.title).collect()
}

/// RFC 6455, section 1.3, calculates the answer to exactly this key.
#[test]
fn the_answer_to_a_key_is_worked_out() {
    let transcript = read(&[(Direction::Up, UPGRADE), (Direction::Down, SWITCHED)]);
    let answer = &transcript[1];
    let accept = answer
        .parts
        .iter()
        .find(|p| p.bytes.starts_with(b"Sec-WebSocket-Accept"))
        .unwrap();
    assert_eq!(
        value(accept, "+ GUID"),
        "dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    );
    assert_eq!(
        value(accept, "SHA-1"),
        "b3 7a 4f 2c c0 62 4f 16 90 f6 46 06 cf 38 59 45 b2 be c4 ea"
    );
    assert_eq!(value(accept, "base64"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert!(accept.details[3].what.starts_with("as the field says"));
    assert_eq!(
        &accept.bytes[accept.random.clone().unwrap()],
        b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    );
    let protocol = answer
        .parts
        .iter()
        .find(|p| p.bytes.starts_with(b"Sec-WebSocket-Protocol"))
        .unwrap();
    assert_eq!(
        (value(protocol, "offered"), value(protocol, "chosen")),
        ("chat, superchat", "chat")
    );
}

#[test]
fn a_wrong_answer_to_a_key_is_called_wrong() {
    let wrong = String::from_utf8_lossy(SWITCHED).replace("s3pP", "S3pP");
    let transcript = read(&[(Direction::Up, UPGRADE), (Direction::Down, wrong.as_bytes())]);
    assert!(details(&transcript).any(|d| d.what.starts_with("NOT")));
}

/// The examples of RFC 6455, section 5.7.
#[test]
fn frames_are_taken_apart() {
    let hello = frames(Direction::Down, b"\x81\x05Hello");
    assert_eq!(titles(&hello), ["text frame, 5 bytes"]);
    let header = &hello[0].parts[0];
    assert_eq!(value(header, "FIN"), "1");
    assert_eq!(value(header, "RSV1-3"), "000");
    assert_eq!(value(header, "opcode"), "0001 = 0x1");
    assert_eq!(value(header, "MASK"), "0");
    assert_eq!(value(header, "length 7 bits"), "5");
    assert_eq!(header.random, None);

    let masked = frames(Direction::Up, b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    let [header, content] = &masked[0].parts[..] else {
        panic!("{masked:?}")
    };
    assert_eq!(
        (value(header, "MASK"), value(header, "key")),
        ("1", "37 fa 21 3d")
    );
    assert_eq!(header.random, Some(2..6));
    assert_eq!(value(content, "masked"), "7f 9f 4d 51 58");
    assert_eq!(value(content, "XOR key"), "37 fa 21 3d 37");
    assert_eq!(value(content, "="), hex(b"Hello"));
    assert_eq!(value(content, "content"), "Hello");

    let fragments = frames(Direction::Down, b"\x01\x03Hel\x80\x02lo");
    assert_eq!(
        titles(&fragments),
        [
            "text frame, fragment 1, more follow, 3 bytes",
            "continuation frame, fragment 2, the last, 2 bytes"
        ]
    );
    assert_eq!(
        titles(&frames(Direction::Down, b"\x89\x05Hello")),
        ["ping frame, 5 bytes"]
    );
    let pong = frames(Direction::Up, b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    assert_eq!(titles(&pong), ["pong frame, 5 bytes"]);
    assert_eq!(value(&pong[0].parts[1], "="), hex(b"Hello"));

    let sixteen = [&b"\x82\x7e\x01\x00"[..], &[0; 256]].concat();
    let header = frames(Direction::Down, &sixteen)[0].parts[0].clone();
    assert_eq!(value(&header, "length 7+16 bits"), "126, 01 00 = 256");
    let sixty_four = [&b"\x82\x7f\0\0\0\0\0\x01\0\0"[..], &[0; 65_536]].concat();
    let header = frames(Direction::Down, &sixty_four)[0].parts[0].clone();
    assert_eq!(
        value(&header, "length 7+64 bits"),
        "127, 00 00 00 00 00 01 00 00 = 65536"
    );
}

#[test]
fn empty_frames_in_a_row_are_told_apart_however_they_are_cut() {
    let pings = b"\x89\0\x89\0\x8a\0\x88\x02\x03\xe9";
    let whole = frames(Direction::Down, pings);
    assert_eq!(
        titles(&whole),
        [
            "ping frame, 0 bytes",
            "ping frame, 0 bytes",
            "pong frame, 0 bytes",
            "close frame, 2 bytes"
        ]
    );
    assert!(details(&whole).any(|d| d.value == "03 e9 = 1001" && d.what.starts_with("going away")));
    let handshake = [(Direction::Up, UPGRADE), (Direction::Down, SWITCHED)];
    let bytes = pings.chunks(1).map(|b| (Direction::Down, b));
    let cut = read(&handshake.into_iter().chain(bytes).collect::<Vec<_>>());
    assert_eq!(titles(&cut)[2..], titles(&whole));
    assert_eq!(cut[2].at_us, 2.0);
    assert_eq!(cut[4].at_us, 6.0, "each frame has the time of its own first byte");
}

/// Unmasking continues where the previous read ended.
#[test]
fn a_frame_that_comes_in_pieces_is_unmasked_as_one() {
    let masked = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    let mut pieces = vec![(Direction::Up, UPGRADE), (Direction::Down, SWITCHED)];
    pieces.extend(masked.chunks(2).map(|b| (Direction::Up, b)));
    let content = &read(&pieces)[2].parts[1];
    assert_eq!(value(content, "content"), "Hello");
}

#[test]
fn a_streams_lines_are_told_apart() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let stream =
        b"c\r\nretry: 200\n\n\r\nd\r\n: heartbeat\n\n\r\n16\r\nid: 7\ndata: {\"id\":7}\n\n\r\n0\r\n\r\n";
    let transcript = read(&[
        (Direction::Up, b"GET / HTTP/1.1\r\n\r\n"),
        (Direction::Down, head),
        (Direction::Down, stream),
    ]);
    let titles = titles(&transcript);
    assert_eq!(
        titles[2..],
        [
            "a chunk that holds 12 bytes",
            "a chunk that holds 13 bytes",
            "a chunk that holds 22 bytes",
            "the last chunk"
        ]
    );
    let event: Vec<&[u8]> = transcript[4].parts.iter().map(|p| &p.bytes[..]).collect();
    let wanted: [&[u8]; 7] = [
        b"16\r\n",
        b"id: 7\n",
        b"data: ",
        b"{\"id\":7}",
        b"\n",
        b"\n",
        b"\r\n",
    ];
    assert_eq!(event, wanted);
    let said = |n: usize| transcript[4].parts[n].what.to_string();
    assert!(said(1).starts_with("Field id") && said(2).starts_with("Field data"));
    assert!(said(4).starts_with("Line end") && said(5).starts_with("Blank line"));
    assert_eq!(value(&transcript[4].parts[0], "size"), "16 hexadecimal = 22");
}

#[test]
fn what_a_request_tells_is_counted() {
    use Knowledge::*;
    let head = b"GET /poll?after=12 HTTP/1.1\r\nCookie: a=b\r\nHost: x:80\r\n\r\n";
    let transcript = read(&[(Direction::Up, head)]);
    let state = |what, bytes| StateItem { what, bytes };
    let [cursor, cookie] = [b"after=12".len() as u64, b"Cookie: a=b\r\n".len() as u64];
    let rest = head.len() as u64 - cursor - cookie;
    assert_eq!(
        transcript[0].state,
        [state(Cursor, cursor), state(Identity, cookie), state(Head, rest)]
    );
    assert_eq!(transcript[0].target.as_deref(), Some("/poll?after=12"));
}

#[test]
fn what_is_cut_off_or_broken_is_shown_all_the_same() {
    for bytes in [
        &b"GET / HT"[..],
        b"\x16\x03\x01\0\x01\0",
        b"GET / HTTP/1.1\r\n\r\nnonsense\r\n\r\n",
    ] {
        read(&[(Direction::Up, bytes)]);
    }
    frames(Direction::Up, b"\x81");
    frames(Direction::Up, b"\xff\xff\xff\xff");
    frames(Direction::Down, b"\x81\x7e\x01");
}

/// HPACK's table is shared by all blocks: an error in one makes the next ones wrong, too.
#[test]
fn an_empty_continuation_ends_its_block() {
    let settings: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
    // GET and a path that is added to the table; an empty CONTINUATION; then GET and the path by its index.
    let block = b"\x82\x44\x02/b";
    let frames = [
        &[0, 0, block.len() as u8, 1, 1, 0, 0, 0, 1][..],
        block,
        b"\0\0\0\x09\x04\0\0\0\x01",
        b"\0\0\x02\x01\x05\0\0\0\x03\x82\xbe",
    ];
    let up = [PREFACE, settings, &frames.concat()].concat();
    let units = explained(Decoder::Http2(Box::default()), &[(Direction::Up, &up[..])]);
    assert_eq!(
        titles(&units)[2..],
        [
            "HEADERS frame on stream 1",
            "CONTINUATION frame on stream 1: request: GET /b",
            "HEADERS frame on stream 3: request: GET /b",
        ]
    );
    assert!(
        units
            .iter()
            .flat_map(|unit| &unit.parts)
            .all(|part| !part.bytes.is_empty())
    );
}

/// A frame, masked if the client sends it.
fn frame(direction: Direction, text: &str) -> Vec<u8> {
    const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let len = u8::try_from(text.len()).unwrap();
    if direction == Direction::Down {
        assert!(len < 126);
        return [&[0x81, len], text.as_bytes()].concat();
    }
    let masked = text.bytes().enumerate().map(|(n, b)| b ^ KEY[n % 4]);
    let header = [0x81, 0x80 | len].into_iter().chain(KEY);
    header.chain(masked).collect()
}

/// The units after an upgrade to this target; each message is one frame.
fn messages(target: &str, field: &str, said: &[(Direction, &str)]) -> Vec<Unit> {
    let key = "dGhlIHNhbXBsZSBub25jZQ==";
    let upgrade = format!(
        "GET {target} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nSec-WebSocket-Key: {key}\r\n{field}\r\n"
    );
    let frames: Vec<_> = said.iter().map(|(d, text)| (*d, frame(*d, text))).collect();
    let mut pieces = vec![
        (Direction::Up, upgrade.as_bytes()),
        (Direction::Down, b"HTTP/1.1 101 S\r\n\r\n"),
    ];
    pieces.extend(frames.iter().map(|(d, bytes)| (*d, &bytes[..])));
    let mut all = read(&pieces);
    for part in all.iter().flat_map(|u| &u.parts) {
        assert!(
            part.source.contains("section") || part.source.starts_with("mailcall"),
            "{part:?}"
        );
    }
    all.drain(..2);
    all
}

/// A unit's parts after its frame's header.
fn said(unit: &Unit) -> Vec<(String, String)> {
    let parts = unit.parts.iter().skip(1);
    parts
        .map(|p| (String::from_utf8_lossy(&p.bytes).into_owned(), p.what.to_string()))
        .collect()
}

fn starts(parts: &[(String, String)], wanted: &[(&str, &str)]) {
    assert_eq!(parts.len(), wanted.len(), "{parts:?}");
    for (part, wanted) in parts.iter().zip(wanted) {
        assert!(
            part.0 == wanted.0 && part.1.starts_with(wanted.1),
            "{part:?} is not {wanted:?}"
        );
    }
}

#[test]
fn stomp_is_named_frame_by_frame_and_header_by_header() {
    use Direction::{Down, Up};
    let connect = "STOMP\naccept-version:1.2,1.1\nhost:a\nheart-beat:0,15000\n\n\0";
    let transcript = messages(
        "/stomp",
        "Sec-WebSocket-Protocol: v12.stomp\r\n",
        &[
            (Up, connect),
            (Down, "CONNECTED\r\nversion:1.2\r\n\r\n\0\n"),
            (Up, "SUBSCRIBE\nid:0\nafter:7\n\n\0"),
            (Down, "\n"),
            (Down, "MESSAGE\nsubscription:0\nx:y\\nz\n\n{\"id\":8}\0"),
            (Down, "ERROR\nmessage:no\n\nwhy\0"),
        ],
    );
    let masked = connect.len();
    assert_eq!(
        titles(&transcript),
        [
            &format!("text frame, {masked} bytes: STOMP STOMP"),
            "text frame, 28 bytes: STOMP CONNECTED",
            "text frame, 25 bytes: STOMP SUBSCRIBE",
            "text frame, 1 byte: STOMP heart-beat",
            "text frame, 40 bytes: STOMP MESSAGE",
            "text frame, 22 bytes: STOMP ERROR",
        ]
    );
    let units = &transcript;
    // A client's message is shown as it was sent, and explained without the mask.
    let client = &units[0].parts;
    assert_eq!(client[1].bytes, [0x64, 0xae, 0x6e, 0x70, 0x67, 0xf0]);
    assert_eq!(
        (client[1].random.clone(), value(&client[1], "content")),
        (Some(0..6), "STOMP\n")
    );
    assert!(client[1].details.iter().any(|d| d.name == "XOR key"));
    assert!(!client[2].details.iter().any(|d| d.name == "XOR key"));
    let beats = client
        .iter()
        .find(|p| p.what.starts_with("Header heart-beat"))
        .unwrap();
    assert_eq!(
        (value(beats, "can give"), value(beats, "would like")),
        ("0", "15000")
    );
    starts(
        &said(&units[1]),
        &[
            ("CONNECTED\r\n", "Command CONNECTED: "),
            ("version:1.2\r\n", "Header version says "),
            ("\r\n", "Blank line"),
            ("\0\n", "NUL"),
        ],
    );
    let after = units[2]
        .parts
        .iter()
        .find(|p| p.what.contains("last mail"))
        .unwrap();
    assert_eq!(value(after, "content"), "after:7");
    let behind: Vec<_> = units[2]
        .parts
        .iter()
        .rev()
        .take(3)
        .map(|p| p.what.split(':').next().unwrap())
        .collect();
    assert_eq!(behind, ["NUL", "Blank line", "Line end of the header."]);
    assert_eq!(
        units[2].state,
        [StateItem {
            what: Knowledge::Cursor,
            bytes: 7
        }]
    );
    starts(
        &said(&units[4]),
        &[
            ("MESSAGE\n", "Command MESSAGE: "),
            ("subscription:0\n", "Header subscription says "),
            ("x:y\\nz\n", "Header x: an application's own."),
            ("\n", "Blank line"),
            ("{\"id\":8}", "The mail"),
            ("\0", "NUL"),
        ],
    );
    starts(
        &said(&units[5])[3..],
        &[("why", "The body of a frame"), ("\0", "NUL")],
    );
}

#[test]
fn a_subprotocol_says_what_messages_mean() {
    let upgrade = "GET /stomp HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\
                   Sec-WebSocket-Protocol: v10.stomp, v12.stomp\r\n\r\n";
    let accepted = "HTTP/1.1 101 S\r\nSec-WebSocket-Protocol: v12.stomp\r\n\r\n";
    let transcript = read(&[
        (Direction::Up, upgrade.as_bytes()),
        (Direction::Down, accepted.as_bytes()),
    ]);
    let find = |name: &str, what: &str| {
        let mut found = details(&transcript).filter(|d| d.name == name && d.what.contains(what));
        assert!(found.next().is_some(), "no {name} with {what}");
    };
    find(
        "value",
        "STOMP 1.0, without heart-beats; STOMP 1.2: every message is a frame",
    );
    find("chosen", "STOMP 1.2: every message is a frame");
}

#[test]
fn engine_io_and_socket_io_are_named_packet_by_packet() {
    use Direction::{Down, Up};
    let open =
        r#"0{"sid":"x7","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":9}"#;
    let body = format!("{open}\u{1e}40{{\"sid\":\"s\"}}\u{1e}2");
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    let transcript = read(&[
        (Up, b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\n\r\n"),
        (Down, head.as_bytes()),
        (Down, body.as_bytes()),
    ]);
    assert_eq!(transcript[2].title, "the body: Engine.IO open");
    let parts = &transcript[2].parts;
    let whats: Vec<_> = parts.iter().map(|p| &*p.what).collect();
    let wanted = [
        "0: the session is open.",
        "U+001E",
        "A namespace",
        "U+001E",
        "2: are you there?",
    ];
    assert_eq!(whats.len(), wanted.len());
    assert!(
        whats
            .iter()
            .zip(wanted)
            .all(|(what, wanted)| what.starts_with(wanted)),
        "{whats:?}"
    );
    assert_eq!(
        (value(&parts[0], "sid"), value(&parts[0], "pingTimeout")),
        ("x7", "20000")
    );
    assert!(parts[0].random.is_some() && parts[2].random.is_some());

    let transcript = messages(
        "/socket.io/?EIO=4&transport=websocket&sid=x7",
        "",
        &[
            (Up, "2probe"),
            (Down, "3probe"),
            (Up, "5"),
            (Down, "2"),
            (Up, "3"),
            (Up, r#"40/mail,{"after":7}"#),
            (Down, r#"42/mail,5["mail",{"id":8}]"#),
            (Down, r#"42["gap",3]"#),
            (Up, "43/mail,5[]"),
            (Down, "41"),
            (Down, "1"),
        ],
    );
    let named: Vec<_> = titles(&transcript)
        .iter()
        .map(|t| t.split_once(": ").unwrap().1)
        .collect();
    assert_eq!(
        named,
        [
            "Engine.IO probe",
            "Engine.IO probe's answer",
            "Engine.IO upgrade",
            "Engine.IO ping",
            "Engine.IO pong",
            "Socket.IO CONNECT",
            "Socket.IO EVENT",
            "Socket.IO EVENT",
            "Socket.IO ACK",
            "Socket.IO DISCONNECT",
            "Engine.IO close"
        ]
    );
    let state = &transcript[5].state;
    assert_eq!(
        state,
        &[StateItem {
            what: Knowledge::Cursor,
            bytes: 11
        }]
    );
    let event = &transcript[6];
    starts(
        &said(event),
        &[
            ("42/mail,5[\"mail\",", "An event"),
            ("{\"id\":8}", "The mail"),
            ("]", "The event's array ends."),
        ],
    );
    let envelope = &event.parts[1];
    assert_eq!(
        ["4", "2", "namespace", "acknowledgement", "event"].map(|name| value(envelope, name)),
        ["message", "EVENT", "/mail", "5", "mail"]
    );
}

#[test]
fn what_names_a_session_is_known_to_vary() {
    for (target, varies, lasts) in [
        (
            "/sockjs/123/ab_c/xhr?t=1",
            Some("123/ab_c"),
            "/sockjs/\u{2026}/xhr",
        ),
        ("/a/b/0/x/websocket", Some("0/x"), "/a/b/\u{2026}/websocket"),
        ("/sockjs/info?t=1", None, "/sockjs/info"),
        (
            "/socket.io/?EIO=4&transport=polling&t=P1",
            Some("P1"),
            "/socket.io/",
        ),
        (
            "/socket.io/?EIO=4&t=P1&sid=x7&x=1",
            Some("P1&sid=x7"),
            "/socket.io/",
        ),
        ("/socket.io/?EIO=4", None, "/socket.io/"),
        ("/poll?after=7&t=3", None, "/poll"),
    ] {
        let found = super::target::varying(target).map(|range| &target[range]);
        assert_eq!(
            (found, super::target::lasting(target).as_str()),
            (varies, lasts),
            "{target}"
        );
    }
    let head = b"GET /sockjs/0/x/xhr HTTP/1.1\r\n\r\n";
    let line = &read(&[(Direction::Up, head)])[0].parts[0];
    assert_eq!(&line.bytes[line.random.clone().unwrap()], b"0/x");
}

#[test]
fn sockjs_is_named_frame_by_frame() {
    use Direction::{Down, Up};
    let transcript = messages(
        "/sockjs/0/x/websocket",
        "",
        &[
            (Down, "o"),
            (Up, r#"["{\"after\":7}"]"#),
            (Down, r#"a["{\"id\":8}","x"]"#),
            (Down, "h"),
            (Up, r#"["{\"read\":8}"]"#),
            (Down, r#"a["MESSAGE\nsubscription:0\n\n{\"id\":9}\u0000"]"#),
            (Down, r#"c[3000,"Go away!"]"#),
        ],
    );
    let named: Vec<_> = titles(&transcript)
        .iter()
        .map(|t| t.split_once(": ").unwrap().1)
        .collect();
    assert_eq!(
        named,
        [
            "SockJS open frame",
            "SockJS: messages for the server",
            "SockJS: an array of messages",
            "SockJS heartbeat",
            "SockJS: messages for the server",
            "SockJS: an array of messages",
            "SockJS close frame",
        ]
    );
    let units = &transcript;
    assert_eq!(
        units[1].state,
        [StateItem {
            what: Knowledge::Cursor,
            bytes: 13
        }]
    );
    starts(
        &said(&units[2]),
        &[
            ("a[\"", "An array of messages begins"),
            (r#"{\"id\":8}"#, "The mail"),
            ("\",\"", "The next message"),
            ("x", "The mail"),
            ("\"]", "The array of messages ends"),
        ],
    );
    let mail = &units[2].parts[2];
    assert_eq!(
        (value(mail, "payload"), value(mail, "framing")),
        ("8 bytes", "2 bytes")
    );
    starts(
        &said(&units[5]),
        &[
            ("a[\"", "An array of messages begins"),
            ("MESSAGE\\n", "Command MESSAGE"),
            ("subscription:0\\n", "Header subscription says"),
            ("\\n", "Blank line"),
            (r#"{\"id\":9}"#, "The mail"),
            ("\\u0000", "NUL"),
            ("\"]", "The array of messages ends"),
        ],
    );
    assert_eq!(value(&units[6].parts[1], "code"), "3000");
    // The transports over HTTP.
    for (transport, head, body) in [
        ("xhr_streaming", "", "hhhh\no\na[\"x\"]\n"),
        (
            "eventsource",
            "content-type: text/event-stream\r\n",
            "\r\ndata: o\r\n\r\ndata: a[\"x\"]\r\n\r\n",
        ),
        (
            "htmlfile",
            "",
            "<html>\r\n\r\n<script>\np(\"o\");\n</script>\r\n<script>\np(\"a[\\\"x\\\"]\");\n</script>\r\n",
        ),
        ("jsonp", "", "/**/cb(\"o\");\r\n"),
        ("xhr", "", "o\n"),
    ] {
        let get = format!("GET /sockjs/0/x/{transport}?c=cb HTTP/1.1\r\n\r\n");
        let head = format!("HTTP/1.1 200 OK\r\n{head}content-length: {}\r\n\r\n", body.len());
        let transcript = read(&[
            (Up, get.as_bytes()),
            (Down, head.as_bytes()),
            (Down, body.as_bytes()),
        ]);
        let parts = &transcript[2].parts;
        let whats: Vec<_> = parts.iter().map(|p| p.what.as_ref()).collect();
        assert!(
            whats.contains(&"o: the session is open."),
            "{transport}: {whats:?}"
        );
        let brings = body.contains("a[");
        assert_eq!(
            whats.iter().any(|w| w.starts_with("The mail")),
            brings,
            "{transport}: {whats:?}"
        );
        assert!(parts.iter().all(|p| p.source.contains("section")));
    }
    let info = "GET /sockjs/info HTTP/1.1\r\n\r\n";
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 18\r\n\r\n{\"websocket\":true}";
    let transcript = read(&[(Up, info.as_bytes()), (Down, answer.as_bytes())]);
    assert_eq!(transcript[2].parts[0].what, "What the server can do.");
}

type Pieces = [(Direction, Vec<u8>)];

/// The titles and bytes shown of each direction.
fn shown(pieces: &Pieces) -> [Vec<(String, Vec<u8>)>; 2] {
    let pieces: Vec<Piece> = pieces.iter().map(|(d, bytes)| (*d, &bytes[..])).collect();
    let mut sides = [Vec::new(), Vec::new()];
    for unit in explained(Decoder::http(as_declared), &pieces) {
        let parts = unit.parts.into_iter().map(|p| (p.what.to_string(), p.bytes));
        sides[unit.direction as usize].extend(parts);
    }
    sides
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_parts_are_shown_however_they_were_cut(script in script(), cuts in cuts()) {
        let pieces = play(&script).pieces(&cuts);
        let bytes: Vec<_> = pieces
            .iter()
            .flat_map(|(direction, piece)| piece.iter().map(|b| (*direction, vec![*b])))
            .collect();
        prop_assert_eq!(shown(&pieces), shown(&bytes));
    }

    #[test]
    fn every_byte_of_garbage_is_shown(pieces in garbage()) {
        shown(&pieces);
    }
}
