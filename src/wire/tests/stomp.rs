//! STOMP: writing, reading and labels.

use super::support;
use proptest::prelude::*;

use bytes::Bytes;

use super::super::layer::{Carried, Ending, Layer};
use super::super::layers::{Stomp, begins_stomp as begins};
use super::super::span::Spans;
use super::super::stomp::*;
use super::super::{Direction, Kind, Label};

const LIMITS: FrameLimits = FrameLimits {
    headers: 4,
    line: 40,
    body: 300,
};

fn parser(version: Version) -> Parser {
    let mut parser = Parser::new(LIMITS);
    parser.speak(version);
    parser
}

fn drain(parser: &mut Parser, items: &mut Vec<Item>) -> Result<(), Malformed> {
    while let Some(item) = parser.next()? {
        items.push(item);
    }
    Ok(())
}

/// Reads the bytes in pieces of this size.
fn read(version: Version, bytes: &[u8], piece: usize) -> Result<Vec<Item>, Malformed> {
    let (mut parser, mut items) = (parser(version), Vec::new());
    for piece in bytes.chunks(piece) {
        parser.feed(piece);
        drain(&mut parser, &mut items)?;
    }
    Ok(items)
}

fn frame(command: Command, headers: &[(&str, &str)], body: &[u8]) -> Frame {
    let headers = headers.iter().map(|(n, v)| ((*n).into(), (*v).into()));
    Frame {
        command,
        headers: headers.collect(),
        body: Bytes::copy_from_slice(body),
    }
}

use Version::{V1_0, V1_1, V1_2};

/// Bytes, their version, and the frame they mean; the flag tells whether the writer produces the same bytes.
fn vectors() -> Vec<(Version, &'static [u8], Frame, bool)> {
    let message = |headers| frame(Command::Message, headers, b"");
    vec![
        (V1_2, b"MESSAGE\n\n\0", message(&[]), true),
        (
            V1_2,
            b"MESSAGE\ndestination:foo\nmessage-id:456\n\n\0",
            message(&[("destination", "foo"), ("message-id", "456")]),
            true,
        ),
        (
            V1_2,
            b"MESSAGE\r\ndestination:bar\r\nmessage-id:203\r\n\r\nHello\r\n\0",
            frame(
                Command::Message,
                &[("destination", "bar"), ("message-id", "203")],
                b"Hello\r\n",
            ),
            false,
        ),
        (
            V1_2,
            b"MESSAGE\na:foo:bar:baz\n\n\0",
            message(&[("a", "foo:bar:baz")]),
            false,
        ),
        (
            V1_2,
            b"MESSAGE\na:\nb: x \n\n\0",
            message(&[("a", ""), ("b", " x ")]),
            true,
        ),
        (
            V1_2,
            b"MESSAGE\na\\cb:f\\co\\nb\\rz\\\\\n\n\0",
            message(&[("a:b", "f:o\nb\rz\\")]),
            true,
        ),
        (
            V1_1,
            b"MESSAGE\na:f\\co\\nb\rz\\\\\n\n\0",
            message(&[("a", "f:o\nb\rz\\")]),
            true,
        ),
        (V1_1, b"MESSAGE\na:b\r\n\n\0", message(&[("a", "b\r")]), true),
        (
            V1_0,
            b"MESSAGE\na:\\n\\q:\\\n\n\0",
            message(&[("a", "\\n\\q:\\")]),
            true,
        ),
        (V1_0, b"MESSAGE\n a : b c \n\n\0", message(&[("a", "b c")]), false),
        (
            V1_2,
            b"CONNECT\nlogin:a\\b\npasscode: \\q:\n\n\0",
            frame(Command::Connect, &[("login", "a\\b"), ("passcode", " \\q:")], b""),
            true,
        ),
        (
            V1_2,
            b"CONNECTED\nsession:a:b\n\n\0",
            frame(Command::Connected, &[("session", "a:b")], b""),
            true,
        ),
        (V1_2, b"STOMP\n\n\0", frame(Command::Stomp, &[], b""), true),
        (
            V1_2,
            b"SEND\ncontent-length:5\n\na\0\0\nb\0",
            frame(Command::Send, &[("content-length", "5")], b"a\0\0\nb"),
            true,
        ),
        (
            V1_2,
            b"SEND\na:World\na:Hello\ncontent-length:0\ncontent-length:9\n\n\0",
            frame(
                Command::Send,
                &[
                    ("a", "World"),
                    ("a", "Hello"),
                    ("content-length", "0"),
                    ("content-length", "9"),
                ],
                b"",
            ),
            true,
        ),
        (
            V1_2,
            "ERROR\nmessage:\u{444}\u{2116}\n\n\u{ae}\0".as_bytes(),
            frame(
                Command::Error,
                &[("message", "\u{444}\u{2116}")],
                "\u{ae}".as_bytes(),
            ),
            true,
        ),
    ]
}

#[test]
fn frames_are_read_however_they_are_cut_and_written_again() {
    for (version, bytes, frame, is_canonical) in vectors() {
        let trailing = [bytes, b"\n\r\n", bytes].concat();
        let alone = vec![Item::Frame(frame.clone())];
        let twice = [&alone[..], &[Item::HeartBeat, Item::HeartBeat], &alone[..]].concat();
        for piece in 1..=trailing.len() {
            assert_eq!(read(version, bytes, piece), Ok(alone.clone()), "{frame:?}");
            assert_eq!(read(version, &trailing, piece), Ok(twice.clone()), "{frame:?}");
        }
        let written = frame.to_bytes(version);
        assert_eq!(written == bytes, is_canonical, "{written:?}");
        assert_eq!(read(version, &written, 1), Ok(alone), "{written:?}");
    }
}

#[test]
fn half_a_frame_is_waited_for() {
    let whole = b"SEND\ncontent-length:3\n\nabc\0";
    for n in 1..whole.len() {
        let mut parser = parser(V1_2);
        parser.feed(&whole[..n]);
        assert_eq!(parser.next(), Ok(None));
        assert!(parser.is_midway());
        parser.feed(&whole[n..]);
        assert!(matches!(parser.next(), Ok(Some(Item::Frame(_)))) && !parser.is_midway());
    }
}

#[test]
fn the_first_of_repeated_headers_counts() {
    let frame = Frame::new(Command::Message)
        .with("foo", "World")
        .with("foo", "Hello");
    assert_eq!(frame.header("foo"), Some("World"));
    assert_eq!(frame.header("Foo"), None, "case matters");
}

#[test]
fn what_breaks_the_protocol_is_named() {
    let long = [b"SEND\na:", &[b'x'; 39][..], b"\n\n\0"].concat();
    let endless = [b'S'; 60];
    let large = [b"SEND\n\n", &[b'x'; 301][..], b"\0"].concat();
    let vectors: [(Version, &[u8], Malformed); 23] = [
        (V1_2, b"HELLO\n\n\0", Malformed::Command),
        (V1_2, b"send\n\n\0", Malformed::Command),
        (V1_2, b"GET / HTTP/1.1\r\n\r\n", Malformed::Command),
        (V1_1, b"SEND\r\n\r\n\0", Malformed::Command),
        (V1_2, b"\0\n", Malformed::Command),
        (V1_2, b"SEND\nheader\n\n\0", Malformed::Header),
        (V1_2, b"SEND\n:value\n\n\0", Malformed::Header),
        (V1_2, b"SEND\na:\\t\n\n\0", Malformed::Escape),
        (V1_2, b"SEND\na\\:b\n\n\0", Malformed::Escape),
        (V1_2, b"SEND\na:\\\n\n\0", Malformed::Escape),
        (V1_1, b"SEND\na:\\r\n\n\0", Malformed::Escape),
        (V1_2, b"SEND\na:b\rc\n\n\0", Malformed::CarriageReturn),
        (V1_2, b"\rSEND\n\n\0", Malformed::CarriageReturn),
        (V1_2, b"SEND\na:\xff\n\n\0", Malformed::Utf8),
        (V1_2, b"SEND\ncontent-length:\n\n\0", Malformed::ContentLength),
        (V1_2, b"SEND\ncontent-length:-1\n\n\0", Malformed::ContentLength),
        (V1_2, b"SEND\ncontent-length:1\n\nab\0", Malformed::Unterminated),
        (V1_2, b"SUBSCRIBE\n\nbody\0", Malformed::Body),
        (
            V1_2,
            b"SEND\na:1\na:1\na:1\na:1\na:1\n\n\0",
            Malformed::TooManyHeaders,
        ),
        (V1_2, &long, Malformed::LineTooLong),
        (V1_2, &endless, Malformed::LineTooLong),
        (V1_2, &large, Malformed::BodyTooLarge),
        (
            V1_2,
            b"SEND\ncontent-length:99999999999999999999\n\n",
            Malformed::BodyTooLarge,
        ),
    ];
    for (version, bytes, malformed) in vectors {
        for piece in [1, 7, bytes.len()] {
            assert_eq!(read(version, bytes, piece), Err(malformed), "{bytes:?}");
        }
    }
    assert!(Malformed::BodyTooLarge.is_limit() && !Malformed::Escape.is_limit());
}

#[test]
fn a_body_that_never_ends_is_not_kept_for_ever() {
    let mut parser = parser(V1_2);
    parser.feed(b"SEND\n\n");
    let fed = (1..1_000).find(|_| {
        parser.feed(b"x");
        parser.next().is_err()
    });
    assert_eq!(fed, Some(301));
}

#[test]
fn the_newest_common_version_is_spoken() {
    for (list, version) in [
        ("1.0,1.1,1.2", Some(V1_2)),
        ("1.0, 1.1,2.0", Some(V1_1)),
        ("1.0", Some(V1_0)),
        ("2.0,11", None),
        ("", None),
    ] {
        assert_eq!(Version::best_of(list), version, "{list}");
    }
}

#[test]
fn what_cannot_be_written_does_not_break_the_frame() {
    let frame = Frame::new(Command::Message)
        .with("a:\nb", "c\nd\0")
        .containing("text/plain", &b"\0"[..]);
    for (version, name, value) in [
        (V1_0, "ab", "cd"),
        (V1_1, "a:\nb", "c\nd"),
        (V1_2, "a:\nb", "c\nd"),
    ] {
        let items = read(version, &frame.to_bytes(version), 1).unwrap();
        let [Item::Frame(read)] = &items[..] else {
            panic!("{items:?}")
        };
        assert_eq!(
            (read.headers[0].0.as_str(), read.headers[0].1.as_str()),
            (name, value)
        );
        assert_eq!(&read.body[..], b"\0");
    }
}

/// The runs of a message: where each begins, its label and its kind.
fn labelled(unit: &[u8], sender: Direction, binary: bool) -> Vec<(usize, Label, Kind)> {
    let mut spans = Spans::default();
    let carried = Carried {
        sender,
        binary,
        ending: Ending::Whole,
    };
    Stomp.label(unit, carried, &mut spans);
    let mut at = 0;
    let mut starts = Vec::new();
    for span in spans.iter() {
        starts.push((at, span.label, span.kind));
        at += span.len;
    }
    assert_eq!(at, unit.len(), "{spans:?}");
    starts
}

const DOWN: Direction = Direction::Down;
const UP: Direction = Direction::Up;

#[test]
fn a_message_is_framing_round_a_mail() {
    let mail = r#"{"id":1,"body":"\\u0000","attachment":"QUJD"}"#;
    let message = Frame::new(Command::Message)
        .with("subscription", "sub-0")
        .containing("application/json", mail);
    let unit = message.to_bytes(V1_2);
    let kinds: Vec<Kind> = labelled(&unit, DOWN, false)
        .iter()
        .map(|(_, _, kind)| *kind)
        .collect();
    let attachment = [Kind::AttachmentKey, Kind::Attachment, Kind::AttachmentKey];
    assert_eq!(
        kinds,
        [
            &[Kind::StompHead, Kind::Mail],
            &attachment[..],
            &[Kind::Mail, Kind::StompEnd]
        ]
        .concat()
    );
    let mut spans = Spans::default();
    let carried = Carried {
        sender: DOWN,
        binary: false,
        ending: Ending::Whole,
    };
    Stomp.label(&unit, carried, &mut spans);
    let payload = support::sums(&unit, &spans).payload as usize;
    assert_eq!(payload, mail.len() - r#","attachment":""Q"#.len());
}

#[test]
fn a_binary_mail_has_its_length_before_it() {
    let mut body = 9_u32.to_be_bytes().to_vec();
    body.extend_from_slice(br#"{"id":1} and bytes"#);
    let unit = Frame::new(Command::Message)
        .containing("application/octet-stream", body.clone())
        .to_bytes(V1_2);
    let head = unit.len() - body.len() - 1;
    let spans = labelled(&unit, DOWN, true);
    assert_eq!(
        spans[1..4],
        [
            (head, Label::Framing, Kind::MailLength),
            (head + 4, Label::Payload, Kind::Mail),
            (head + 13, Label::Payload, Kind::Attachment)
        ]
    );
    assert_eq!(
        labelled(&unit, DOWN, false)[1],
        (head, Label::Payload, Kind::Mail)
    );
}

#[test]
fn all_but_message_and_send_is_control() {
    let unit = b"\n\r\nSUBSCRIBE\nid:0\nafter:12\n\n\0\nSEND\ndestination:/app/read\n\n{\"read\":1}\0";
    assert_eq!(
        labelled(unit, UP, false),
        [
            (0, Label::Control, Kind::Heartbeat),
            (3, Label::Control, Kind::StompHead),
            (18, Label::Control, Kind::Cursor),
            (26, Label::Control, Kind::StompHead),
            (28, Label::Control, Kind::StompEnd),
            (30, Label::Framing, Kind::StompHead),
            (58, Label::Payload, Kind::Reply),
            (68, Label::Framing, Kind::StompEnd),
        ]
    );
    for unit in [
        &b"MESSAGE\nmessage-id:1\n\n{\"gap\":5}\0"[..],
        b"MESSAGE\nmessage-id:0.k3f9\nreset:k3f9\n\n\0",
        b"ERROR\nmessage:no\n\nbecause\0",
        b"CONNECTED\nversion:1.2\n\n\0",
    ] {
        assert!(
            labelled(unit, DOWN, false)
                .iter()
                .all(|(_, label, _)| *label == Label::Control)
        );
    }
}

#[test]
fn what_a_cut_left_is_labelled_as_far_as_it_goes() {
    let unit = b"MESSAGE\nmessage-id:1\ncontent-length:8\n\n{\"id\":1}\0";
    for n in 1..unit.len() {
        let cut = labelled(&unit[..n], DOWN, false);
        assert!(
            n < 8 || cut[0] == (0, Label::Framing, Kind::StompHead),
            "{n}: {cut:?}"
        );
    }
    // The rest, after the cut, in a separate message.
    assert_eq!(
        labelled(b":1}\0SEND", DOWN, false),
        [
            (0, Label::Payload, Kind::Mail),
            (3, Label::Framing, Kind::StompEnd),
            (4, Label::Framing, Kind::StompHead),
        ]
    );
}

#[test]
fn a_message_tells_that_it_is_of_stomp() {
    for unit in [&b"\n"[..], b"\r\n", b"CONNECT\n\n\0", b"SEND\r\n\r\n\0"] {
        assert!(begins(unit), "{unit:?}");
    }
    for unit in [&b""[..], b"SEND", b"{\"id\":1}\n", b"SENDER\n"] {
        assert!(!begins(unit), "{unit:?}");
    }
}

fn text() -> impl Strategy<Value = String> {
    "[a-z:\\\\\r\n \u{e9}\u{2116}]{1,6}"
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        command in 0..Command::ALL.len(),
        headers in prop::collection::vec((text(), text()), 0..4),
        body in prop::collection::vec(any::<u8>(), 0..50),
        piece in 1..20_usize,
    ) {
        let command = Command::ALL[command];
        let opens = matches!(command, Command::Connect | Command::Stomp | Command::Connected);
        prop_assume!(!opens);
        let mut frame = Frame { headers, ..Frame::new(command) };
        if command.has_body() {
            frame.headers.truncate(2);
            frame = frame.containing("application/octet-stream", body);
        }
        let bytes = frame.to_bytes(V1_2);
        prop_assert_eq!(read(V1_2, &bytes, piece), Ok(vec![Item::Frame(frame)]));
    }

    #[test]
    fn nothing_makes_it_panic_or_hang(bytes in prop::collection::vec(any::<u8>(), 0..200), piece in 1..20_usize) {
        for version in Version::ALL {
            let whole = read(version, &bytes, 200);
            prop_assert_eq!(read(version, &bytes, piece).is_ok(), whole.is_ok());
        }
        for (sender, binary) in [(UP, false), (DOWN, true)] {
            labelled(&bytes, sender, binary);
        }
    }
}
