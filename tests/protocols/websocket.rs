//! The Autobahn testsuite's cases, by number, as vectors of our own. Its servers echo, and ours does
//! only if asked to, so where Autobahn waits for an echo, we require that the connection lives: a ping
//! behind the case is answered and the closing handshake completes. Where it waits for a failure, we
//! require the status code, and nothing behind it. Its chapters 12 and 13 are about compression, which
//! is not negotiated. What a server sends back that echoes has tests of its own below.
//!
//! Then the other side: our client half, against a server that does everything wrong.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use bytes::Bytes;
use mailcall::mail::{Letter, Mail};
use mailcall::outcome::Scenario;
use mailcall::technique::talk::MessageQueue;
use mailcall::technique::{
    self, BODY_TIMEOUT, Client, Headers, Inbox, Origin, Record, Routes, Start, Tuning,
};
use tokio_util::sync::CancellationToken;

use crate::support::serving::{PATIENCE, Raw, Served, handshake, patient, until};

/// A frame as the server sends it: its first byte, and its payload.
type Frame = (u8, Vec<u8>);

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;

/// A frame's header up to its mask (RFC 6455, section 5.2).
fn header(first: u8, mask_bit: u8, length: usize) -> Vec<u8> {
    match length {
        0..=125 => vec![first, mask_bit | length as u8],
        126..=65_535 => [&[first, mask_bit | 126][..], &(length as u16).to_be_bytes()].concat(),
        _ => [&[first, mask_bit | 127][..], &(length as u64).to_be_bytes()].concat(),
    }
}

/// A frame as a client sends it: masked.
fn frame(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
    let payload = payload.as_ref();
    let masked = payload.iter().zip(MASK.iter().cycle()).map(|(b, m)| b ^ m);
    header(first, MASKED, payload.len())
        .into_iter()
        .chain(MASK)
        .chain(masked)
        .collect()
}

/// A frame as a server sends it.
fn bare(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let mut frame = header(first, 0, payload.as_ref().len());
    frame.extend_from_slice(payload.as_ref());
    frame
}

fn text(payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(FIN | TEXT, payload)
}

fn binary(payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(FIN | BINARY, payload)
}

fn ping(payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(FIN | PING, payload)
}

fn close(code: u16, reason: impl AsRef<[u8]>) -> Vec<u8> {
    frame(FIN | CLOSE, [&code.to_be_bytes(), reason.as_ref()].concat())
}

/// Splits what the server sent.
fn frames(mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let [first, length, rest @ ..] = bytes {
        assert_eq!(length & MASKED, 0, "a server does not mask");
        let (length, rest) = match length {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            127 => {
                let length = u64::from_be_bytes(rest[..8].try_into().unwrap());
                (length as usize, &rest[8..])
            }
            n => (usize::from(*n), rest),
        };
        frames.push((*first, rest[..length].to_vec()));
        bytes = &rest[length..];
    }
    assert!(bytes.is_empty(), "a frame is cut: {bytes:?}");
    frames
}

/// How a case ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// The connection goes on.
    Lives,
    /// The client closes, and hears this code again.
    Closes(u16),
    /// The client closes without a code, and hears none.
    ClosesBare,
    /// The server fails the connection with this code.
    Fails(u16),
}
use End::{Closes, ClosesBare, Fails, Lives};

/// One of Autobahn's cases.
struct Case {
    number: String,
    /// What the client writes, one write each.
    sent: Vec<Vec<u8>>,
    /// The payloads of the pongs that come back.
    pongs: Vec<Vec<u8>>,
    end: End,
}

fn case(number: impl Into<String>, sent: impl IntoIterator<Item = Vec<u8>>, end: End) -> Case {
    Case {
        number: number.into(),
        sent: sent.into_iter().collect(),
        pongs: Vec::new(),
        end,
    }
}

impl Case {
    /// The same bytes, `size` at a time.
    fn chopped(mut self, size: usize) -> Case {
        self.sent = self.sent.concat().chunks(size).map(<[u8]>::to_vec).collect();
        self
    }

    /// The same bytes at once.
    fn at_once(self) -> Case {
        self.chopped(usize::MAX)
    }

    fn pongs(mut self, pongs: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Case {
        self.pongs = pongs.into_iter().map(|p| p.as_ref().to_vec()).collect();
        self
    }

    fn length(&self) -> usize {
        self.sent.iter().map(Vec::len).sum()
    }

    fn expected(&self) -> Vec<Frame> {
        let pongs = self.pongs.iter().map(|p| (FIN | PONG, p.clone()));
        let code = |code: u16| (FIN | CLOSE, code.to_be_bytes().to_vec());
        let end = match self.end {
            Lives => vec![(FIN | PONG, b"alive?".to_vec()), code(1000)],
            Closes(c) | Fails(c) => vec![code(c)],
            ClosesBare => vec![(FIN | CLOSE, Vec::new())],
        };
        pongs.chain(end).collect()
    }

    fn play(&self, served: &Served) {
        let mut raw = open(served);
        for piece in &self.sent {
            // A server that fails the connection need not hear the rest.
            raw.try_say(piece);
        }
        if self.end == Lives {
            raw.say(ping("alive?"));
            raw.say(close(1000, ""));
        }
        let (heard, ended) = raw.read_to_end();
        // The close frame must not be chased by a reset, unless the client sends on and on.
        assert!(
            ended.is_ok() || self.length() > 256 * 1024,
            "case {}: {ended:?}",
            self.number
        );
        let mut heard = frames(&heard);
        if let Some((first, body)) = heard.last_mut() {
            // The reason is free, and an echoed one is looked at elsewhere.
            body.truncate(if *first == FIN | CLOSE { 2 } else { body.len() });
        }
        assert_eq!(heard, self.expected(), "case {}", self.number);
    }
}

fn open(served: &Served) -> Raw {
    let mut raw = served.say(handshake(""));
    assert_eq!(raw.head().status, 101);
    raw
}

fn play(cases: impl IntoIterator<Item = Case>) {
    let served = Served::start("ws", patient(), Scenario::default());
    cases.into_iter().for_each(|c| c.play(&served));
    served.finish();
}

#[test]
fn the_accept_key_is_that_of_rfc_6455_section_1_3() {
    let served = Served::start("ws", patient(), Scenario::default());
    let offer = "Sec-WebSocket-Protocol: stomp, mailcall\r\nSec-WebSocket-Extensions: permessage-deflate\r\n";
    let mut raw = served.connect();
    raw.say(handshake(offer));
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(raw.read(1));
    }
    let head = String::from_utf8(head).unwrap();
    let value = |name: &str| {
        let prefix = format!("{name}: ");
        head.lines()
            .find_map(|l| l.strip_prefix(&prefix))
            .map(str::to_owned)
    };
    assert_eq!(
        value("sec-websocket-accept").as_deref(),
        Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    );
    assert_eq!(value("sec-websocket-protocol").as_deref(), Some("mailcall"));
    assert_eq!(value("sec-websocket-extensions"), None);
    served.finish();
}

#[test]
fn chapter_1_lengths() {
    for (part, send) in [(1, text as fn(Vec<u8>) -> Vec<u8>), (2, binary)] {
        let lengths = [0, 125, 126, 127, 128, 65_535, 65_536];
        let cases = lengths.iter().enumerate();
        play(cases.map(|(i, n)| case(format!("1.{part}.{}", i + 1), [send(vec![b'*'; *n])], Lives)));
        play([case(format!("1.{part}.8"), [send(vec![b'*'; 65_536])], Lives).chopped(997)]);
        // Beyond our limit.
        let above =
            [65_537, 100_000].map(|n| case(format!("1.{part}.7 of {n}"), [send(vec![b'*'; n])], Fails(1009)));
        play(above);
        let claims = [&header(FIN | TEXT, MASKED, usize::MAX >> 1)[..], &[1; 99]].concat();
        play([case(format!("1.{part}.7 of 2^63"), [claims], Fails(1009))]);
    }
}

#[test]
fn chapter_2_pings_and_pongs() {
    let ten: Vec<String> = (0..10).map(|n| format!("payload-{n}")).collect();
    let strange = [0, 0xFF, 0xFE, 0xFD, 0xFC, 0xFB, 0, 0xFF];
    play([
        case("2.1", [ping("")], Lives).pongs([""]),
        case("2.2", [ping("Hello, world!")], Lives).pongs(["Hello, world!"]),
        case("2.3", [ping(strange)], Lives).pongs([strange]),
        case("2.4", [ping([0xFE; 125])], Lives).pongs([[0xFE; 125]]),
        case("2.5", [ping([0xFE; 126])], Fails(1002)),
        case("2.6", [ping([0xFE; 125])], Lives)
            .pongs([[0xFE; 125]])
            .chopped(1),
        case("2.7", [frame(FIN | PONG, "")], Lives),
        case("2.8", [frame(FIN | PONG, "unsolicited")], Lives),
        case("2.9", [frame(FIN | PONG, "unsolicited"), ping("ping")], Lives).pongs(["ping"]),
        case("2.10", ten.iter().map(ping), Lives).pongs(&ten).at_once(),
        case("2.11", ten.iter().map(ping), Lives).pongs(&ten).chopped(1),
    ]);
}

#[test]
fn chapter_3_reserved_bits() {
    let hello = "Hello, world!";
    let reserved = |rsv: u8| frame(FIN | rsv << 4 | TEXT, hello);
    let behind = |number, rsv| case(number, [text(hello), reserved(rsv), ping("")], Fails(1002));
    play([
        case("3.1", [reserved(1)], Fails(1002)),
        behind("3.2", 2).at_once(),
        behind("3.3", 3),
        behind("3.4", 4).chopped(1),
        case("3.5", [frame(FIN | 5 << 4 | BINARY, [0xFF; 8])], Fails(1002)),
        case("3.6", [frame(FIN | 6 << 4 | PING, hello)], Fails(1002)),
        case(
            "3.7",
            [frame(FIN | 7 << 4 | CLOSE, 1000_u16.to_be_bytes())],
            Fails(1002),
        ),
    ]);
}

#[test]
fn chapter_4_reserved_opcodes() {
    let hello = "Hello, world!";
    for (part, opcodes) in [(1, 3..=7), (2, 11..=15)] {
        for (i, opcode) in opcodes.enumerate() {
            let number = format!("4.{part}.{}", i + 1);
            let payload = if i % 2 == 0 && i < 4 { "" } else { hello };
            let bad = frame(FIN | opcode, payload);
            let sent = if i < 2 {
                vec![bad]
            } else {
                vec![text(hello), bad, ping("")]
            };
            let case = case(number, sent, Fails(1002));
            play([if i == 4 { case.chopped(1) } else { case.at_once() }]);
        }
    }
}

#[test]
fn chapter_5_fragmentation() {
    let first = || frame(TEXT, "fragment1");
    let last = || frame(FIN | CONTINUATION, "fragment2");
    let stray = |fin: u8| frame(fin | CONTINUATION, "non-continuation payload");
    let two = |number| case(number, [first(), last()], Lives);
    let pinged = |number| case(number, [first(), ping("ping"), last()], Lives).pongs(["ping"]);
    let alone = |number, fin| case(number, [stray(fin), text("Hello, world!")], Fails(1002));
    let repeated = |number, fin| {
        let round = [stray(fin), first(), last()];
        case(number, round.clone().into_iter().chain(round), Fails(1002))
    };
    let middle = |n: u8| frame(CONTINUATION, format!("fragment{n}"));
    let five = [
        first(),
        middle(2),
        ping("pongme 1!"),
        middle(3),
        middle(4),
        ping("pongme 2!"),
        frame(FIN | CONTINUATION, "fragment5"),
    ];
    play([
        case("5.1", [frame(PING, "fragment1"), last()], Fails(1002)),
        case("5.2", [frame(PONG, "fragment1"), last()], Fails(1002)),
        two("5.3").at_once(),
        two("5.4"),
        two("5.5").chopped(1),
        pinged("5.6").at_once(),
        pinged("5.7"),
        pinged("5.8").chopped(1),
        alone("5.9", FIN).at_once(),
        alone("5.10", FIN),
        alone("5.11", FIN).chopped(1),
        alone("5.12", 0).at_once(),
        alone("5.13", 0),
        alone("5.14", 0).chopped(1),
        case(
            "5.15",
            [first(), last(), stray(0), text("fragment4")],
            Fails(1002),
        )
        .at_once(),
        repeated("5.16", 0),
        repeated("5.17", FIN),
        case("5.18", [first(), frame(FIN | TEXT, "fragment2")], Fails(1002)),
        case("5.20", five.clone(), Lives).pongs(["pongme 1!", "pongme 2!"]),
    ]);
    // 5.19 waits for the first pong in the middle of the message.
    let served = Served::start("ws", patient(), Scenario::default());
    let mut raw = open(&served);
    raw.say(five[..3].concat());
    assert_eq!(raw.read(11), bare(FIN | PONG, "pongme 1!"), "case 5.19");
    raw.say(five[3..].concat());
    assert_eq!(raw.read(11), bare(FIN | PONG, "pongme 2!"), "case 5.19");
    raw.say(close(1000, ""));
    assert_eq!(raw.rest(), bare(FIN | CLOSE, 1000_u16.to_be_bytes()), "case 5.19");
    served.finish();
}

#[test]
fn a_reply_is_heard_whole_however_it_is_cut() {
    let served = Served::start("ws", patient(), Scenario::default());
    let whole = r#"{"read":7}"#;
    let bytes = whole.as_bytes();
    let mut fragments = vec![frame(BINARY, &bytes[..1])];
    fragments.extend(bytes[1..9].iter().map(|b| frame(CONTINUATION, [*b])));
    fragments.push(frame(FIN | CONTINUATION, &bytes[9..]));
    let said = [
        text(whole),
        binary(whole),
        fragments.concat(),
        text(r#"{"seen":7}"#),
    ]
    .concat();
    case("as it is", [said.clone()], Lives).play(&served);
    case("octet by octet", [said], Lives).chopped(1).play(&served);
    assert_eq!(*served.replies.borrow(), 6);
    served.finish();
}

/// Valid text, and text that stops being valid at its thirteenth byte.
const KOSME: &[u8] = "κόσμε".as_bytes();
const SPOILT: &[u8] = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80edited";

/// A text message whose fragments end at these offsets.
fn fragmented(payload: &[u8], ends: &[usize]) -> Vec<Vec<u8>> {
    let mut start = 0;
    let fragment = ends.iter().enumerate().map(|(i, end)| {
        let opcode = if i == 0 { TEXT } else { CONTINUATION };
        let fin = if i + 1 == ends.len() { FIN } else { 0 };
        frame(fin | opcode, &payload[std::mem::replace(&mut start, *end)..*end])
    });
    fragment.collect()
}

fn each_octet(payload: &[u8]) -> Vec<usize> {
    (1..=payload.len()).collect()
}

#[test]
fn chapter_6_text_in_fragments() {
    let umlauts = "Hello-µ@ßöäüàá-UTF-8!!".as_bytes();
    let surrogate = [KOSME, b"\xed\xa0\x80edited"].concat();
    play([
        case("6.1.1", [text("")], Lives),
        case("6.1.2", fragmented(b"", &[0, 0, 0]), Lives),
        case("6.1.3", fragmented(b"middle frame payload", &[0, 20, 20]), Lives),
        case("6.2.1", [text(umlauts)], Lives),
        case("6.2.2", fragmented(umlauts, &[12, umlauts.len()]), Lives),
        case("6.2.3", fragmented(umlauts, &each_octet(umlauts)), Lives),
        case("6.2.4", fragmented(KOSME, &each_octet(KOSME)), Lives),
        case("6.3.1", [text(&surrogate)], Fails(1007)),
        case(
            "6.3.2",
            fragmented(&surrogate, &each_octet(&surrogate)),
            Fails(1007),
        ),
        // Fails fast: with the fragment that spoils the text, the rest of which never comes.
        case(
            "6.4.1",
            fragmented(SPOILT, &[11, 15, 21])[..2].to_vec(),
            Fails(1007),
        ),
        case(
            "6.4.2",
            fragmented(SPOILT, &[12, 13, 21])[..2].to_vec(),
            Fails(1007),
        ),
        // A single frame is looked at when it is whole, which Autobahn calls non-strict.
        case("6.4.3", [text(SPOILT)], Fails(1007)).chopped(6 + 11),
        case("6.4.4", [text(SPOILT)], Fails(1007)).chopped(6 + 12),
    ]);
}

/// Autobahn's 6.5 to 6.23, after Markus Kuhn's UTF-8 decoder stress test: chapter, whether its
/// sequences are valid, and the sequences, numbered from 1.
const SEQUENCES: &[(u8, bool, &[&[u8]])] = &[
    (
        5,
        true,
        &[
            b"hello\x24world",
            b"hello\xc2\xa2world",
            b"hello\xe2\x82\xacworld",
            b"hello\xf0\xa4\xad\xa2world",
            KOSME,
        ],
    ),
    (
        7,
        true,
        &[b"\0", b"\xc2\x80", b"\xe0\xa0\x80", b"\xf0\x90\x80\x80"],
    ),
    (8, false, &[b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80"]),
    (
        9,
        true,
        &[b"\x7f", b"\xdf\xbf", b"\xef\xbf\xbf", b"\xf4\x8f\xbf\xbf"],
    ),
    (
        10,
        false,
        &[
            b"\xf7\xbf\xbf\xbf",
            b"\xfb\xbf\xbf\xbf\xbf",
            b"\xfd\xbf\xbf\xbf\xbf\xbf",
        ],
    ),
    (
        11,
        true,
        &[
            b"\xed\x9f\xbf",
            b"\xee\x80\x80",
            b"\xef\xbf\xbd",
            b"\xf4\x8f\xbf\xbf",
        ],
    ),
    (
        12,
        false,
        &[
            b"\x80",
            b"\xbf",
            b"\x80\xbf",
            b"\x80\xbf\x80",
            b"\x80\xbf\x80\xbf",
            b"\x80\xbf\x80\xbf\x80",
            b"\x80\xbf\x80\xbf\x80\xbf",
        ],
    ),
    (14, false, INCOMPLETE),
    (16, false, &[b"\xfe", b"\xff", b"\xfe\xfe\xff\xff"]),
    (
        17,
        false,
        &[
            b"\xc0\xaf",
            b"\xe0\x80\xaf",
            b"\xf0\x80\x80\xaf",
            b"\xf8\x80\x80\x80\xaf",
            b"\xfc\x80\x80\x80\x80\xaf",
        ],
    ),
    (
        18,
        false,
        &[
            b"\xc1\xbf",
            b"\xe0\x9f\xbf",
            b"\xf0\x8f\xbf\xbf",
            b"\xf8\x87\xbf\xbf\xbf",
            b"\xfc\x83\xbf\xbf\xbf\xbf",
        ],
    ),
    (
        19,
        false,
        &[
            b"\xc0\x80",
            b"\xe0\x80\x80",
            b"\xf0\x80\x80\x80",
            b"\xf8\x80\x80\x80\x80",
            b"\xfc\x80\x80\x80\x80\x80",
        ],
    ),
    (
        20,
        false,
        &[
            b"\xed\xa0\x80",
            b"\xed\xad\xbf",
            b"\xed\xae\x80",
            b"\xed\xaf\xbf",
            b"\xed\xb0\x80",
            b"\xed\xbe\x80",
            b"\xed\xbf\xbf",
        ],
    ),
    (
        21,
        false,
        &[
            b"\xed\xa0\x80\xed\xb0\x80",
            b"\xed\xa0\x80\xed\xbf\xbf",
            b"\xed\xad\xbf\xed\xb0\x80",
            b"\xed\xad\xbf\xed\xbf\xbf",
            b"\xed\xae\x80\xed\xb0\x80",
            b"\xed\xae\x80\xed\xbf\xbf",
            b"\xed\xaf\xbf\xed\xb0\x80",
            b"\xed\xaf\xbf\xed\xbf\xbf",
        ],
    ),
    (
        23,
        true,
        &[
            b"\xef\xbf\xb9",
            b"\xef\xbf\xba",
            b"\xef\xbf\xbb",
            b"\xef\xbf\xbc",
            b"\xef\xbf\xbd",
            b"\xef\xbf\xbe",
            b"\xef\xbf\xbf",
        ],
    ),
];

const INCOMPLETE: &[&[u8]] = &[
    b"\xc0",
    b"\xe0\x80",
    b"\xf0\x80\x80",
    b"\xf8\x80\x80\x80",
    b"\xfc\x80\x80\x80\x80",
    b"\xdf",
    b"\xef\xbf",
    b"\xf7\xbf\xbf",
    b"\xfb\xbf\xbf\xbf",
    b"\xfd\xbf\xbf\xbf\xbf",
];

#[test]
fn chapter_6_sequences() {
    let verdict = |valid: bool| if valid { Lives } else { Fails(1007) };
    let listed = SEQUENCES.iter().flat_map(|(part, valid, sequences)| {
        let numbered = sequences.iter().enumerate();
        numbered.map(move |(i, s)| case(format!("6.{part}.{}", i + 1), [text(s)], verdict(*valid)))
    });
    play(listed);
    // Every prefix of a valid text; those that end within a character are not.
    let prefixes = (1..=KOSME.len()).map(|n| {
        let whole = "κόσμε".is_char_boundary(n);
        case(format!("6.6.{n}"), [text(&KOSME[..n])], verdict(whole))
    });
    play(prefixes);
    let starts = [0xC0..0xDF, 0xE0..0xEF, 0xF0..0xF7, 0xF8..0xFB, 0xFC..0xFD];
    let lonely = starts.into_iter().enumerate().map(|(i, starts)| {
        let spaced: Vec<u8> = starts.flat_map(|start| [start, b' ']).collect();
        case(format!("6.13.{}", i + 1), [text(spaced)], Fails(1007))
    });
    play(lonely);
    play([
        case("6.11.5", [text(b"\xf4\x90\x80\x80")], Fails(1007)),
        case("6.12.8", [text((0x80..0xBF).collect::<Vec<u8>>())], Fails(1007)),
        case("6.15.1", [text(INCOMPLETE.concat())], Fails(1007)),
    ]);
    // The last two code points of each plane, characters or not.
    let planes = (0..=16_u32).flat_map(|plane| [plane << 16 | 0xFFFE, plane << 16 | 0xFFFF]);
    let unassigned = planes.enumerate().map(|(i, point)| {
        let point = char::from_u32(point).unwrap().to_string();
        case(format!("6.22.{}", i + 1), [text(point)], Lives)
    });
    play(unassigned);
}

#[test]
fn chapter_7_closing() {
    let hello = "Hello World!";
    let reason = "*".repeat(124);
    play([
        case("7.1.1", [text(hello), close(1000, "")], Closes(1000)),
        case("7.1.2", [close(1000, ""), close(1000, "")], Closes(1000)),
        case("7.1.3", [close(1000, ""), ping("")], Closes(1000)),
        case("7.1.4", [close(1000, ""), text(hello)], Closes(1000)),
        case(
            "7.1.5",
            [frame(TEXT, "fragment1"), close(1000, ""), frame(FIN, "fragment2")],
            Closes(1000),
        ),
        // With the longest message we take, and with the one that Autobahn sends.
        case(
            "7.1.6",
            [text([b'*'; 65_536]), close(1000, ""), ping("")],
            Closes(1000),
        ),
        case(
            "7.1.6",
            [text(vec![b'*'; 262_144]), close(1000, ""), ping("")],
            Fails(1009),
        ),
        case(
            "7.1.6 turned round",
            [close(1000, ""), text(vec![b'*'; 65_536]), ping("")],
            Closes(1000),
        ),
        case("7.3.1", [frame(FIN | CLOSE, "")], ClosesBare),
        case("7.3.2", [frame(FIN | CLOSE, "a")], Fails(1002)),
        case("7.3.3", [close(1000, "")], Closes(1000)),
        case("7.3.4", [close(1000, "Hello World!")], Closes(1000)),
        case("7.3.5", [close(1000, &reason[..123])], Closes(1000)),
        case("7.3.6", [close(1000, &reason)], Fails(1002)),
        case("7.5.1", [close(1000, SPOILT)], Fails(1007)),
        case("7.13.1", [close(5000, "")], Fails(1002)),
        case("7.13.2", [close(65_535, "")], Fails(1002)),
    ]);
    // The last three before 3000 have been registered since the RFC; Autobahn does not know them.
    let valid = [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
    ];
    play(
        valid
            .iter()
            .enumerate()
            .map(|(i, c)| case(format!("7.7.{}", i + 1), [close(*c, "")], Closes(*c))),
    );
    let invalid = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999];
    play(
        invalid
            .iter()
            .enumerate()
            .map(|(i, c)| case(format!("7.9.{}", i + 1), [close(*c, "")], Fails(1002))),
    );
    // Not to be sent either (RFC 6455, section 7.4.1), though Autobahn leaves it out.
    play([case("7.9 with 1015", [close(1015, "")], Fails(1002))]);
}

#[test]
fn chapters_9_and_10_many_and_large() {
    let large = |length: usize| vec![b'*'; length];
    let fragments = |size: usize, total: usize| {
        let ends: Vec<usize> = (1..=total / size).map(|n| n * size).collect();
        fragmented(&large(total), &ends).concat()
    };
    play([
        case("9.1.1", [text(large(65_536))], Lives),
        case("9.1.2", [text(large(262_144))], Fails(1009)),
        case("9.1.6", [text(large(16 << 20))], Fails(1009)),
        case("9.2.6", [binary(large(16 << 20))], Fails(1009)),
        case("9.3.1", [fragments(64, 4 << 20)], Fails(1009)),
        case("9.3.1 within our limit", [fragments(64, 65_536)], Lives),
        case("9.3.7", [fragments(256 << 10, 4 << 20)], Fails(1009)),
        case("9.5.1 within our limit", [text(large(65_536))], Lives).chopped(64),
        case("9.7.1", [text("").repeat(1_000)], Lives),
        case("9.7.6", [text(large(4_096)).repeat(1_000)], Lives),
        case("9.8.4", [binary(large(256)).repeat(1_000)], Lives),
        case(
            "10.1.1",
            fragmented(
                &large(65_536),
                &(1..=50).map(|n| n * 1_300).chain([65_536]).collect::<Vec<_>>(),
            ),
            Lives,
        ),
    ]);
}

/// A server that sends back what it hears, with this limit.
fn echo(max_payload: Option<usize>) -> Served {
    let tuning = Tuning {
        echo: true,
        max_payload,
        ..Tuning::default()
    };
    let rules = (patient(), BODY_TIMEOUT, tuning);
    Served::tuned("ws", rules, Scenario::default(), |_| Routes::new())
}

/// Says this and then goodbye; what is heard meanwhile must be this and then goodbye.
fn is_echoed(served: &Served, sent: Vec<Vec<u8>>, heard: Vec<Frame>) {
    let mut raw = open(served);
    // A server that sends back waits for whoever does not listen.
    let mut saying = Raw {
        stream: raw.stream.try_clone().unwrap(),
    };
    let said = std::thread::spawn(move || {
        sent.into_iter().for_each(|piece| saying.say(piece));
        saying.say(close(1000, ""));
    });
    let (bytes, ended) = raw.read_to_end();
    ended.unwrap();
    said.join().unwrap();
    let goodbye = (FIN | CLOSE, 1000_u16.to_be_bytes().to_vec());
    let wanted: Vec<Frame> = heard.into_iter().chain([goodbye]).collect();
    // Not in full: it may be long.
    let short = |frames: &[Frame]| {
        frames
            .iter()
            .map(|(first, body)| (*first, body.len()))
            .collect::<Vec<_>>()
    };
    let found = frames(&bytes);
    assert_eq!(short(&found), short(&wanted));
    assert!(found == wanted);
}

#[test]
fn an_echo_is_a_message_of_the_same_type_and_content() {
    let served = echo(None);
    for length in [0, 125, 126, 127, 128, 65_535, 65_536, 1 << 20, 16 << 20] {
        let payload = vec![b'*'; length];
        is_echoed(
            &served,
            vec![text(&payload), binary(&payload)],
            vec![(FIN | TEXT, payload.clone()), (FIN | BINARY, payload)],
        );
    }
    let all: Vec<u8> = (0..=255).collect();
    is_echoed(
        &served,
        vec![binary(&all), text(KOSME), text("[]"), text(r#"{"read":1}"#)],
        vec![
            (FIN | BINARY, all),
            (FIN | TEXT, KOSME.into()),
            (FIN | TEXT, b"[]".to_vec()),
            (FIN | TEXT, br#"{"read":1}"#.to_vec()),
        ],
    );
    assert_eq!(*served.replies.borrow(), 0, "nobody's reply");
    served.finish();
}

/// One message comes back in one frame, behind the pongs for what stood among its fragments.
#[test]
fn an_echo_of_fragments_is_whole() {
    let served = echo(None);
    let octets = fragmented(KOSME, &each_octet(KOSME));
    let between: Vec<Vec<u8>> = octets.iter().flat_map(|f| [f.clone(), ping("between")]).collect();
    let mut pongs = vec![(FIN | PONG, b"between".to_vec()); octets.len()];
    let last = pongs.pop().unwrap();
    let whole = (FIN | TEXT, KOSME.to_vec());
    let heard: Vec<Frame> = pongs.into_iter().chain([whole.clone(), last]).collect();
    is_echoed(&served, between.clone(), heard.clone());
    is_echoed(&served, vec![between.concat()], heard.clone());
    is_echoed(
        &served,
        between.concat().chunks(1).map(<[u8]>::to_vec).collect(),
        heard,
    );
    // Of nothing, and of much.
    let nothing = vec![frame(BINARY, ""), frame(CONTINUATION, ""), frame(FIN, "")];
    is_echoed(&served, nothing, vec![(FIN | BINARY, Vec::new())]);
    let large = vec![b'*'; 4 << 20];
    let ends: Vec<usize> = (1..=64).map(|n| n << 16).collect();
    is_echoed(&served, fragmented(&large, &ends), vec![(FIN | TEXT, large)]);
    served.finish();
}

#[test]
fn an_echo_brings_no_mail_and_has_the_limit_that_was_asked_for() {
    let served = echo(Some(1_000));
    served.post(3);
    let most = vec![b'*'; 1_000];
    is_echoed(&served, vec![text(&most)], vec![(FIN | TEXT, most)]);
    for (wrong, code) in [
        (text([b'*'; 1_001]), 1009),
        (text(SPOILT), 1007),
        (frame(FIN | 3, ""), 1002),
    ] {
        let mut raw = open(&served);
        raw.say([text("before"), wrong].concat());
        let heard = frames(&raw.rest());
        assert_eq!(heard[0], (FIN | TEXT, b"before".to_vec()));
        assert_eq!((heard.len(), &heard[1].1[..2]), (2, &u16::to_be_bytes(code)[..]));
    }
    served.finish();
}

/// RFC 6455, section 5.1; Autobahn has no case of its own for it.
#[test]
fn an_unmasked_frame_fails_the_connection() {
    let opcodes = [TEXT, BINARY, CLOSE, PING, PONG];
    let unmasked = opcodes.iter().flat_map(|opcode| {
        ["", "no mask"].map(|p| {
            case(
                format!("unmasked {opcode} {p}"),
                [bare(FIN | opcode, p)],
                Fails(1002),
            )
        })
    });
    play(unmasked);
    play([case(
        "unmasked continuation",
        [frame(TEXT, "a"), bare(FIN, "b")],
        Fails(1002),
    )]);
}

#[test]
fn a_close_reply_repeats_the_reason_and_nothing_follows_it() {
    let served = Served::start("ws", patient(), Scenario::default());
    let mut raw = open(&served);
    raw.say(close(4321, "as agreed"));
    assert_eq!(
        raw.rest(),
        bare(FIN | CLOSE, [&4321_u16.to_be_bytes()[..], b"as agreed"].concat())
    );
    // Mail that arrives in between is not squeezed in.
    served.post(10);
    let mut raw = open(&served);
    raw.say(close(1000, ""));
    let heard = frames(&raw.rest());
    assert_eq!(heard.last().map(|(first, _)| *first), Some(FIN | CLOSE));
    served.finish();
}

/// How many mails the badly served client is to get.
const MAILS: u64 = 40;

/// What a server does wrong once.
struct Misdeed {
    what: &'static str,
    /// Makes a false head of the right one.
    head: fn(String) -> String,
    /// Sent after the head and a mail; `None` if the head is the misdeed.
    then: Option<Vec<u8>>,
    /// The status code by which the client fails the connection.
    told: Option<u16>,
}

fn bad_head(what: &'static str, head: fn(String) -> String) -> Misdeed {
    Misdeed {
        what,
        head,
        then: None,
        told: None,
    }
}

fn bad_frame(what: &'static str, then: Vec<u8>, told: impl Into<Option<u16>>) -> Misdeed {
    Misdeed {
        what,
        head: |h| h,
        then: Some(then),
        told: told.into(),
    }
}

fn misdeeds() -> Vec<Misdeed> {
    vec![
        bad_head("nothing at all", |_| String::new()),
        bad_head("not HTTP", |_| "220 smtp.example.org ESMTP\r\n\r\n".into()),
        bad_head("no upgrade", |_| {
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".into()
        }),
        bad_head("an error", |_| {
            "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n".into()
        }),
        bad_head("a cut head", |h| h[..40].into()),
        bad_head("an endless head", |h| {
            h.trim_end().to_owned() + "\r\nX: " + &"y".repeat(1 << 20)
        }),
        bad_head("a wrong accept key", |h| h.replace("Accept: ", "Accept: x")),
        bad_head("no accept key", |h| h.replace("Sec-WebSocket-Accept", "X")),
        bad_head("no Upgrade", |h| h.replace("Upgrade: websocket\r\n", "")),
        bad_head("no Connection", |h| h.replace("Connection: Upgrade\r\n", "")),
        bad_head("no subprotocol", |h| {
            h.replace("Sec-WebSocket-Protocol: mailcall\r\n", "")
        }),
        bad_head("another subprotocol", |h| h.replace("mailcall", "stomp")),
        bad_head("two subprotocols", |h| h.replace("mailcall", "mailcall, stomp")),
        bad_head("the subprotocol twice", |h| {
            h.replace("\r\n\r\n", "\r\nSec-WebSocket-Protocol: mailcall\r\n\r\n")
        }),
        bad_head("an extension", |h| {
            h.replace(
                "\r\n\r\n",
                "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
            )
        }),
        bad_head("another protocol beside", |h| {
            h.replace("Upgrade: websocket", "Upgrade: websocket, h2c")
        }),
        bad_head("no upgrade in Connection", |h| {
            h.replace("Connection: Upgrade", "Connection: keep-alive, upgraded")
        }),
        bad_head("two accept keys", |h| {
            h.replace("\r\n\r\n", "\r\nSec-WebSocket-Accept: x\r\n\r\n")
        }),
        bad_frame("a masked frame", frame(FIN | TEXT, "{}"), 1002),
        bad_frame("a reserved bit", bare(FIN | 0x40 | TEXT, "{}"), 1002),
        bad_frame("a reserved opcode", bare(FIN | 3, ""), 1002),
        bad_frame("a long ping", bare(FIN | PING, [0; 126]), 1002),
        bad_frame("a stray continuation", bare(FIN, "{}"), 1002),
        bad_frame("text that is none", bare(FIN | TEXT, SPOILT), 1007),
        bad_frame(
            "a bad close code",
            bare(FIN | CLOSE, 1005_u16.to_be_bytes()),
            1002,
        ),
        bad_frame("a close", bare(FIN | CLOSE, 1001_u16.to_be_bytes()), 1001),
        bad_frame("a restart", bare(FIN | CLOSE, 1012_u16.to_be_bytes()), 1012),
        bad_frame("an overload", bare(FIN | CLOSE, 1013_u16.to_be_bytes()), 1013),
        bad_frame("a bad gateway", bare(FIN | CLOSE, 1014_u16.to_be_bytes()), 1014),
        bad_frame(
            "half a frame",
            bare(FIN | TEXT, [b'x'; 200])[..100].to_vec(),
            None,
        ),
        bad_frame("text that is no mail", bare(FIN | TEXT, "[]"), 1008),
        bad_frame("text that is no JSON", bare(FIN | TEXT, "mail"), 1008),
        bad_frame(
            "a binary mail that is short",
            bare(FIN | BINARY, [0, 0, 9, 9, b'{']),
            1008,
        ),
        bad_frame("no close frame", Vec::new(), None),
    ]
}

/// The server's end of one of the client's connections.
struct Accepted {
    raw: Raw,
    cursor: u64,
    head: String,
}

fn accept(listener: &TcpListener) -> Accepted {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut raw = Raw { stream };
    let mut request = String::new();
    while !request.ends_with("\r\n\r\n") {
        request.push(raw.read(1)[0].into());
    }
    let key = request.lines().find_map(|l| {
        l.strip_prefix("sec-websocket-key: ")
            .or(l.strip_prefix("Sec-WebSocket-Key: "))
    });
    let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.unwrap().as_bytes());
    let cursor = request.split_once("after=").unwrap().1.split(' ').next().unwrap();
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: mailcall\r\n\r\n"
    );
    Accepted {
        raw,
        // It was never told the epoch.
        cursor: cursor.strip_suffix('.').unwrap().parse().unwrap(),
        head,
    }
}

fn mail(number: u64) -> Vec<u8> {
    bare(
        FIN | TEXT,
        Mail::new(number, &Letter::default(), Bytes::new()).text(),
    )
}

/// The status code of the first close frame among a client's frames, all of which are masked.
fn told(bytes: &[u8]) -> Option<u16> {
    Some(why(bytes)?.0)
}

/// That, and the reason.
fn why(mut bytes: &[u8]) -> Option<(u16, String)> {
    while let [first, length, rest @ ..] = bytes {
        assert_ne!(length & MASKED, 0, "a client masks");
        let (length, rest) = match length & 0x7F {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            n => (usize::from(n), rest),
        };
        let (mask, rest) = rest.split_at(4);
        let (payload, rest) = rest.split_at(length);
        let payload: Vec<u8> = payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(b, m)| b ^ m)
            .collect();
        if *first == FIN | CLOSE {
            let code = u16::from_be_bytes([payload[0], payload[1]]);
            return Some((code, String::from_utf8(payload[2..].to_vec()).unwrap()));
        }
        bytes = rest;
    }
    None
}

/// Commits one misdeed; returns how many mails the client has then.
fn misbehave(misdeed: &Misdeed, connection: Accepted) -> u64 {
    let Accepted {
        mut raw,
        cursor,
        head,
    } = connection;
    raw.try_say((misdeed.head)(head));
    let Some(then) = &misdeed.then else { return cursor };
    // The mail before the misdeed counts; those that came before are sent again, and don't.
    raw.say([mail(cursor + 1), mail(cursor + 1), mail(1), then.clone()].concat());
    raw.stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(told(&raw.rest()), misdeed.told, "after {}", misdeed.what);
    cursor + 1
}

/// Our client half, running until it is told to stop.
fn client(
    technique: &'static str,
    address: std::net::SocketAddr,
) -> (
    Inbox,
    CancellationToken,
    std::thread::JoinHandle<anyhow::Result<()>>,
) {
    let (_, known) = tokio::sync::watch::channel(Some(Instant::now()));
    let start = Start::new(known);
    let due: Arc<[Duration]> = vec![Duration::ZERO; MAILS as usize].into();
    let stop = CancellationToken::new();
    let client = Client {
        number: 0,
        origin: Origin::plain(address.to_string()),
        network: Default::default(),
        tab: Default::default(),
        cookies: Default::default(),
        tls: None,
        scenario: Arc::new(Scenario::default()),
        headers: Arc::new(Headers::load("lean").unwrap()),
        inbox: Inbox::new(due, start.clone(), 0, tokio::sync::watch::Sender::new(0)),
        messages: MessageQueue::default(),
        outbox: None,
        start,
        reconnect: Default::default(),
        stop: stop.clone(),
    };
    let inbox = client.inbox.clone();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on((technique::named(technique).unwrap().client)(client))
    });
    (inbox, stop, thread)
}

#[test]
fn our_client_survives_every_misdeed_and_gets_each_mail_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (inbox, stop, thread) = client("ws", listener.local_addr().unwrap());
    let mut delivered = 0;
    for misdeed in misdeeds() {
        let connection = accept(&listener);
        assert_eq!(
            connection.cursor, delivered,
            "the cursor, before {}",
            misdeed.what
        );
        delivered = misbehave(&misdeed, connection);
    }
    let Accepted {
        mut raw,
        cursor,
        head,
    } = accept(&listener);
    assert_eq!(cursor, delivered, "the cursor, in the end");
    let rest: Vec<u8> = (cursor + 1..=MAILS).flat_map(mail).collect();
    raw.say([head.as_bytes(), &rest].concat());
    until("all mail is there", || inbox.complete());
    stop.cancel();
    assert_eq!(raw.read(8)[..2], [FIN | CLOSE, MASKED | 2]);
    raw.say(bare(FIN | CLOSE, 1000_u16.to_be_bytes()));
    drop(raw);
    thread.join().unwrap().unwrap();
    let Record {
        latencies_us,
        duplicated,
        reordered,
        cursor,
        gap,
        ..
    } = inbox.record();
    assert_eq!(
        (latencies_us.len() as u64, cursor.number, reordered, gap),
        (MAILS, MAILS, 0, 0)
    );
    let resent = misdeeds().iter().filter(|m| m.then.is_some()).count() as u64;
    assert_eq!(duplicated, 2 * resent, "what was sent again was known again");
}

/// A server of a technique on top, which lets a client in and then says something wrong on the WebSocket.
#[derive(Clone, Copy, Debug)]
struct Misled {
    technique: &'static str,
    /// What it chooses in its 101.
    chosen: &'static str,
    /// What it says first, as text.
    right: &'static str,
    /// A frame's first byte, and what it holds.
    wrong: (u8, &'static str),
    /// With which code the client closes, and what its reason has in it.
    told: (u16, &'static str),
}

const fn stomp(wrong: (u8, &'static str), told: (u16, &'static str)) -> Misled {
    Misled {
        technique: "stomp",
        chosen: "Sec-WebSocket-Protocol: v12.stomp\r\n",
        right: "CONNECTED\nversion:1.2\n\n\0",
        wrong,
        told,
    }
}

const fn sockjs(wrong: (u8, &'static str), told: (u16, &'static str)) -> Misled {
    Misled {
        technique: "sockjs",
        chosen: "",
        right: "o",
        wrong,
        told,
    }
}

const fn socketio(right: &'static str, wrong: (u8, &'static str), told: (u16, &'static str)) -> Misled {
    Misled {
        technique: "socketio",
        chosen: "",
        right,
        wrong,
        told,
    }
}

const MISLED: [Misled; 9] = [
    stomp((FIN | TEXT, "NONSENSE\n\n\0"), (1008, "unknown command")),
    stomp(
        (FIN | TEXT, "MESSAGE\nmessage-id:1\n\nno mail\0"),
        (1008, "no mail"),
    ),
    stomp((FIN | 0x40 | TEXT, "\n"), (1002, "")),
    sockjs((FIN | TEXT, "x"), (1008, "'x'")),
    sockjs((FIN | TEXT, r#"a["{}"]"#), (1008, "no mail")),
    sockjs((FIN | TEXT, "o"), (1008, "does not know this session")),
    sockjs((FIN | BINARY, "h"), (1003, "binary")),
    socketio("4x", (FIN | TEXT, "4x"), (1008, "probe")),
    socketio("3probe", (FIN | TEXT, r#"42["mail",{}]"#), (1008, "no mail")),
];

/// Answers a client of any of them, up to its WebSocket. Returns with what it closed that, or when it is gone.
fn mislead(raw: &mut Raw, misled: Misled) -> Option<(u16, String)> {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            raw.stream.read_exact(&mut byte).ok()?;
            head.extend(byte);
        }
        let head = String::from_utf8(head).unwrap();
        let field = |wanted: &str| {
            let mut fields = head.lines().filter_map(|line| line.split_once(": "));
            Some(fields.find(|(name, _)| name.eq_ignore_ascii_case(wanted))?.1)
        };
        if let Some(key) = field("sec-websocket-key") {
            let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
            let head = format!(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Accept: {accept}\r\n{}\r\n",
                misled.chosen
            );
            let (first, wrong) = misled.wrong;
            raw.say(
                [
                    head.into_bytes(),
                    bare(FIN | TEXT, misled.right),
                    bare(first, wrong),
                ]
                .concat(),
            );
            raw.stream.shutdown(std::net::Shutdown::Write).unwrap();
            return why(&raw.rest());
        }
        raw.read(field("content-length").map_or(0, |length| length.parse().unwrap()));
        let answer = match head.split(' ').nth(1)? {
            target if target.ends_with("/info") => {
                r#"{"websocket":true,"origins":["*:*"],"cookie_needed":false,"entropy":1}"#
            }
            target if !target.contains("sid=") => {
                r#"0{"sid":"x","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}"#
            }
            _ if head.starts_with("POST") => "ok",
            _ => r#"40{"sid":"y"}"#,
        };
        let length = answer.len();
        raw.try_say(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{answer}"
        ));
    }
}

/// Instead of leaving without a word.
#[test]
fn our_clients_say_why_they_close() {
    for misled in MISLED {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (_inbox, stop, thread) = client(misled.technique, listener.local_addr().unwrap());
        let (tell, told) = mpsc::channel();
        // Ends with the test: it waits for clients.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let tell = tell.clone();
                std::thread::spawn(move || {
                    let stream = stream.unwrap();
                    stream.set_read_timeout(Some(PATIENCE)).unwrap();
                    if let Some(told) = mislead(&mut Raw { stream }, misled) {
                        // Only the first is waited for.
                        let _ = tell.send(told);
                    }
                });
            }
        });
        let (code, reason) = told
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|_| panic!("it does not say: {misled:?}"));
        let (wanted, with) = misled.told;
        assert!(
            code == wanted && reason.contains(with),
            "{misled:?}: {code} {reason}"
        );
        stop.cancel();
        thread.join().unwrap().unwrap();
    }
}

/// What a proxy makes of the head of a 101 (RFC 9110, sections 5.3 and 7.6.1; RFC 6455, section 4.1).
#[test]
fn our_client_takes_every_form_of_an_acceptance() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (inbox, stop, thread) = client("ws", listener.local_addr().unwrap());
    let forms: [fn(String) -> String; 8] = [
        |h| h.replace("Connection: Upgrade", "Connection: upgrade, keep-alive"),
        |h| {
            h.replace(
                "Connection: Upgrade",
                "Connection: keep-alive\r\nConnection: Upgrade",
            )
        },
        |h| h.replace("Connection: Upgrade", "connection:keep-alive ,\tUPGRADE"),
        |h| h.replace("Connection: Upgrade", "Connection: , close,upgrade,"),
        |h| h.replace("Upgrade: websocket", "UPGRADE: WebSocket"),
        |h| h.replace("Upgrade: websocket", "Upgrade:\r\nUpgrade: websocket"),
        |h| h.replace("101 Switching Protocols", "101 "),
        |h| "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".to_owned() + &h,
    ];
    for (number, form) in (1..).zip(forms) {
        let Accepted {
            mut raw,
            cursor,
            head,
        } = accept(&listener);
        assert_eq!(cursor, number - 1, "form {number} was taken");
        raw.say([form(head).into_bytes(), mail(number)].concat());
        until("the mail is there", || inbox.cursor().number == number);
        raw.say(bare(FIN | CLOSE, 1001_u16.to_be_bytes()));
        raw.stream.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(told(&raw.rest()), Some(1001));
    }
    stop.cancel();
    thread.join().unwrap().unwrap();
}

/// Where a WebSocket can be opened, and by which technique.
const ENDPOINTS: [(&str, &str); 5] = [
    ("ws", "/ws?after=0"),
    ("stomp", "/stomp"),
    ("sockjs", "/sockjs/000/somebody/websocket"),
    ("sockjs", "/sockjs/websocket"),
    ("socketio", "/socket.io/?EIO=4&transport=websocket"),
];

/// The handshake of RFC 6455, section 1.3, with other fields; its status.
fn status(served: &Served, target: &str, version: &str, fields: &[&str]) -> u16 {
    let fields = fields.join("\r\n");
    let mut raw = served.say(format!(
        "GET {target} HTTP/{version}\r\nHost: localhost\r\n{fields}\r\n\r\n"
    ));
    raw.head().status
}

const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";

#[test]
fn every_endpoint_takes_every_form_of_a_handshake() {
    let forms: [&[&str]; 6] = [
        &[
            "Upgrade: websocket",
            "Connection: Upgrade",
            KEY,
            "Sec-WebSocket-Version: 13",
        ],
        &[
            "upgrade:WebSocket",
            "connection:keep-alive ,\tUPGRADE",
            KEY,
            "sec-websocket-version:13",
        ],
        &[
            "Upgrade: h2c",
            "Upgrade: foo/1, websocket",
            "Connection: close",
            "Connection: upgrade",
            KEY,
            "Sec-WebSocket-Version: 13",
        ],
        // The bits to spare are not 0: the RFC's own example.
        &[
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEC==",
            "Sec-WebSocket-Version: 13",
        ],
        &[
            "Upgrade: websocket",
            "Connection: Upgrade",
            KEY,
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Protocol: chat",
            "Sec-WebSocket-Protocol: , superchat ,x!",
        ],
        &[
            "Upgrade: websocket",
            "Connection: Upgrade",
            KEY,
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Extensions: foo, bar; baz=2;qux",
            "Sec-WebSocket-Extensions: permessage-deflate; a=\"10\"",
        ],
    ];
    for (technique, target) in ENDPOINTS {
        let served = Served::start(technique, patient(), Scenario::default());
        for fields in forms {
            assert_eq!(
                status(&served, target, "1.1", fields),
                101,
                "{target} with {fields:?}"
            );
        }
        served.finish();
    }
}

#[test]
fn every_endpoint_refuses_what_the_rfc_says_must_be_refused() {
    let good = [
        "Upgrade: websocket",
        "Connection: Upgrade",
        KEY,
        "Sec-WebSocket-Version: 13",
    ];
    let without = |name: &str| {
        good.into_iter()
            .filter(|f| !f.starts_with(name))
            .collect::<Vec<_>>()
    };
    let with = |name: &str, other: &[&'static str]| [&without(name)[..], other].concat();
    let keys = [
        "Sec-WebSocket-Key:",
        "Sec-WebSocket-Key: x",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZSE=",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ===",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ%==",
        "Sec-WebSocket-Key: dGhlIHNhbXBs ZSBub25jZQ==",
    ];
    let offers = [
        "Sec-WebSocket-Protocol:",
        "Sec-WebSocket-Protocol: a b",
        "Sec-WebSocket-Protocol: chat, \"chat\"",
        "Sec-WebSocket-Protocol: chat, super, chat",
        "Sec-WebSocket-Extensions:",
        "Sec-WebSocket-Extensions: ;",
        "Sec-WebSocket-Extensions: foo; =1",
        "Sec-WebSocket-Extensions: foo; bar=\"a b\"",
        "Sec-WebSocket-Extensions: foo; bar=",
    ];
    let mut flawed: Vec<Vec<&str>> = vec![
        without("Upgrade"),
        with("Upgrade", &["Upgrade: websockets, web socket"]),
        without("Connection"),
        with("Connection", &["Connection: keep-alive, upgrade-insecure"]),
        without("Sec-WebSocket-Version"),
        with("Sec-WebSocket-Version", &["Sec-WebSocket-Version: 14"]),
        with("Sec-WebSocket-Version", &["Sec-WebSocket-Version: 13, 14"]),
        with("none", &["Sec-WebSocket-Version: 13"]),
        without("Sec-WebSocket-Key"),
        with("none", &[KEY]),
        with("none", &["Content-Length: 1"]),
        with("none", &["Transfer-Encoding: chunked"]),
    ];
    flawed.extend(keys.map(|key| with("Sec-WebSocket-Key", &[key])));
    flawed.extend(offers.map(|offer| with("none", &[offer])));
    for (technique, target) in ENDPOINTS {
        let served = Served::start(technique, patient(), Scenario::default());
        for fields in &flawed {
            let status = status(&served, target, "1.1", fields);
            assert!(
                [400, 426].contains(&status),
                "{target} answers {fields:?} with {status}"
            );
        }
        assert_eq!(status(&served, target, "1.0", &good), 400, "{target} of HTTP/1.0");
        served.finish();
    }
}

#[test]
fn our_client_stops_while_a_server_keeps_it_waiting() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (_, stop, thread) = client("ws", listener.local_addr().unwrap());
    let mut waiting: TcpStream = accept(&listener).raw.stream;
    stop.cancel();
    thread.join().unwrap().unwrap();
    assert_eq!(waiting.read(&mut [0]).unwrap(), 0);
}
