//! WebSocket messages without a protocol on top.

use super::super::{Direction, Event, Kind, Kind::*, Label, Label::*, Violation};
use super::support::Vector;

const DOWN: Event = Event::Message(Direction::Down);
const UP: Event = Event::Message(Direction::Up);
const PING: &[u8] = b"\x89\x00";
const MASKED_PING: &[u8] = b"\x89\x80abcd";

fn frame(first: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    match content.len() {
        n @ 0..126 => out.push(n as u8),
        n @ 126..65536 => {
            out.push(126);
            out.extend((n as u16).to_be_bytes());
        }
        n => {
            out.push(127);
            out.extend((n as u64).to_be_bytes());
        }
    }
    out.extend(content);
    out
}

fn masked(first: u8, content: &[u8]) -> Vec<u8> {
    let mut out = frame(first, content);
    out[1] |= 0x80;
    let header = out.len() - content.len();
    out.splice(header..header, *b"\x37\xfa\x21\x3d");
    out
}

/// RFC 6455, section 5.7.
#[test]
fn the_examples_of_the_rfc() {
    let header = (FrameHeader, Framing, 2);
    Vector::new()
        .upgraded()
        .down(b"\x81\x05Hello", &[header, (Mail, Payload, 5)])
        .events(&[DOWN])
        .up(
            b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
            &[(FrameHeader, Framing, 6), (Reply, Payload, 5)],
        )
        .events(&[UP])
        .down(b"\x01\x03Hel", &[header, (Mail, Payload, 3)])
        .events(&[DOWN])
        .down(b"\x80\x02lo", &[header, (Mail, Payload, 2)])
        .events(&[DOWN])
        .down(
            b"\x89\x05Hello",
            &[(FrameHeader, Control, 2), (ControlBody, Control, 5)],
        )
        .up(
            b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
            &[(FrameHeader, Control, 6), (ControlBody, Control, 5)],
        )
        .check(MASKED_PING);
    for (len, header, framing) in [
        (256, 4, &b"\x82\x7e\x01\x00"[..]),
        (65536, 10, b"\x82\x7f\0\0\0\0\0\x01\0\0"),
    ] {
        let content = [&[0, 0, 0, 100][..], &vec![7; len - 4]].concat();
        let frame = frame(0x82, &content);
        assert!(frame.starts_with(framing));
        let rest = len as u64 - 104;
        let parts = [
            (FrameHeader, Framing, header),
            (MailLength, Framing, 4),
            (Mail, Payload, 100),
            (Attachment, Payload, rest),
        ];
        Vector::new()
            .upgraded()
            .down(frame, &parts)
            .events(&[DOWN])
            .check(PING);
    }
}

#[test]
fn a_header_costs_what_its_length_takes() {
    for (len, down, up) in [
        (0, 2, 6),
        (1, 2, 6),
        (125, 2, 6),
        (126, 4, 8),
        (65_535, 4, 8),
        (65_536, 10, 14),
        (100_000, 10, 14),
    ] {
        let content = vec![b'x'; len];
        let len = len as u64;
        Vector::new()
            .upgraded()
            .down(
                frame(0x81, &content),
                &[(FrameHeader, Framing, down), (Mail, Payload, len)],
            )
            .events(&[DOWN])
            .up(
                masked(0x82, &content),
                &[(FrameHeader, Framing, up), (Reply, Payload, len)],
            )
            .events(&[UP])
            .check(MASKED_PING);
    }
}

#[test]
fn a_header_is_parsed_once_it_is_whole() {
    for bytes in [
        frame(0x81, &[0; 7]),
        masked(0x02, &[0; 300]),
        masked(0x80, &[0; 70_000]),
    ] {
        let header = super::super::FrameHeader::parse(&bytes).unwrap().unwrap();
        assert_eq!(header.size as u64 + header.len, bytes.len() as u64);
        for n in 0..header.size {
            assert_eq!(super::super::FrameHeader::parse(&bytes[..n]), Ok(None));
        }
        assert_eq!(
            super::super::FrameHeader::parse(&bytes[..header.size]),
            Ok(Some(header))
        );
    }
}

#[test]
fn an_attachment_in_text_costs_its_base64() {
    let mail = br#"{"id":1,"body":"\",\"attachment\":\""#;
    let cut = mail.len() as u64;
    let text = [mail, &br#"","attachment":"QUJDRA=="}"#[..]].concat();
    let parts = [
        (Mail, Payload, cut + 1),
        (AttachmentKey, Framing, 15),
        (Attachment, Framing, 4),
        (Attachment, Payload, 4),
        (AttachmentKey, Framing, 1),
        (Mail, Payload, 1),
    ];
    let whole = [&[(FrameHeader, Framing, 2)][..], &parts].concat();
    Vector::new()
        .upgraded()
        .down(frame(0x81, &text), &whole)
        .events(&[DOWN])
        .check(PING);
    // The key is split over two fragments, with a ping between.
    let at = cut as usize + 6;
    let pieces = [
        frame(0x01, &text[..at]),
        frame(0x89, b"!"),
        frame(0x80, &text[at..]),
    ]
    .concat();
    let parts = [
        (FrameHeader, Framing, 2),
        (Mail, Payload, cut + 1),
        (AttachmentKey, Framing, 5),
        (FrameHeader, Control, 2),
        (ControlBody, Control, 1),
        (FrameHeader, Framing, 2),
        (AttachmentKey, Framing, 10),
        (Attachment, Framing, 4),
        (Attachment, Payload, 4),
        (AttachmentKey, Framing, 1),
        (Mail, Payload, 1),
    ];
    Vector::new()
        .upgraded()
        .down(pieces, &parts)
        .events(&[DOWN, DOWN])
        .check(PING);
}

#[test]
fn the_next_message_begins_anew() {
    let text = frame(0x81, br#"{"id":1,"attachment":"QUJD"}"#);
    let parts = [
        (FrameHeader, Framing, 2),
        (Mail, Payload, 7),
        (AttachmentKey, Framing, 15),
        (Attachment, Framing, 1),
        (Attachment, Payload, 3),
        (AttachmentKey, Framing, 1),
        (Mail, Payload, 1),
    ];
    let vector = Vector::new().upgraded().down(&text, &parts).events(&[DOWN]);
    vector.down(&text, &parts).events(&[DOWN]).check(PING);
}

#[test]
fn a_gap_notice_is_no_message() {
    let gap = frame(0x81, br#"{"gap":12}"#);
    let parts = [(FrameHeader, Control, 2), (Notice, Control, 10)];
    Vector::new().upgraded().down(gap, &parts).check(PING);
    for notice in [&br#"{"reset":"k3f9"}"#[..], br#"{"epoch":"k3f9"}"#] {
        let parts = [(FrameHeader, Control, 2), (Notice, Control, 16)];
        Vector::new()
            .upgraded()
            .down(frame(0x81, notice), &parts)
            .check(PING);
    }
    let fragments = [frame(0x01, br#"{"gap":"#), frame(0x00, b""), frame(0x80, b"12}")].concat();
    let parts = [
        (FrameHeader, Control, 2),
        (Notice, Control, 7),
        (FrameHeader, Control, 4),
        (Notice, Control, 3),
    ];
    Vector::new().upgraded().down(fragments, &parts).check(PING);
    // Texts that are too short, or similar but different.
    for text in [&br#"{"gap""#[..], br#"{"gap";1}"#, br#"{"gas":1}"#, b"{"] {
        let parts = [(FrameHeader, Framing, 2), (Mail, Payload, text.len() as u64)];
        Vector::new()
            .upgraded()
            .down(frame(0x81, text), &parts)
            .events(&[DOWN])
            .check(PING);
    }
    // Every message of a client is a reply.
    let up = masked(0x81, br#"{"gap":12}"#);
    let parts = [(FrameHeader, Framing, 6), (Reply, Payload, 10)];
    Vector::new()
        .upgraded()
        .up(up, &parts)
        .events(&[UP])
        .check(MASKED_PING);
}

#[test]
fn a_binary_mail_may_be_cut_anywhere() {
    let bytes = [0, 0, 0, 3, b'{', b'"', b'}', 1, 2];
    let frames: Vec<u8> = (0..9)
        .flat_map(|n| frame(if n == 0 { 2 } else { 0 }, &bytes[n..=n]))
        .collect();
    let frames = [frames, frame(0x80, b"")].concat();
    let mut parts = Vec::new();
    for kind in [[MailLength; 4].as_slice(), &[Mail; 3], &[Attachment; 2]].concat() {
        let label = if kind == MailLength { Framing } else { Payload };
        parts.extend([(FrameHeader, Framing, 2), (kind, label, 1)]);
    }
    parts.push((FrameHeader, Framing, 2));
    Vector::new()
        .upgraded()
        .down(frames, &parts)
        .events(&[DOWN; 10])
        .check(PING);
    let short = [(FrameHeader, Framing, 2), (MailLength, Framing, 2)];
    Vector::new()
        .upgraded()
        .down(frame(0x82, &[0, 0]), &short)
        .events(&[DOWN])
        .check(PING);
}

#[test]
fn a_close_is_control_and_so_is_what_follows_by_its_own_rules() {
    let parts = [(FrameHeader, Control, 2), (ControlBody, Control, 5)];
    let vector = Vector::new().upgraded().down(frame(0x88, b"\x03\xe8bye"), &parts);
    let parts = [(FrameHeader, Control, 6), (ControlBody, Control, 2)];
    vector.up(masked(0x88, b"\x03\xe8"), &parts).check(MASKED_PING);
}

/// The numbers are those of the Autobahn test suite.
#[test]
fn autobahn_framing() {
    let valid = [
        // 2.1, 2.2, 2.4: pings of any content up to 125 bytes; 2.7, 2.9: unsolicited pongs.
        frame(0x89, b""),
        frame(0x89, b"Hello"),
        frame(0x89, &[0xFE; 125]),
        frame(0x8A, b""),
        [frame(0x8A, b"x"), frame(0x89, b"y")].concat(),
    ];
    for bytes in valid {
        let parts = split_control(&bytes);
        Vector::new().upgraded().down(bytes, &parts).check(PING);
    }
    let broken: [(&str, Vec<u8>); 18] = [
        ("2.5: a ping of 126 bytes", frame(0x89, &[0xFE; 126])),
        ("3.1: RSV 1", frame(0xC1, b"x")),
        ("3.2: RSV 2", frame(0xA1, b"x")),
        ("3.4: RSV 4", frame(0x91, b"x")),
        ("3.5: RSV 5 on binary", frame(0xD2, b"x")),
        ("3.6: RSV 6 on a ping", frame(0xE9, b"x")),
        ("3.7: RSV 7 on a close", frame(0xF8, b"")),
        ("4.1.1: opcode 3", frame(0x83, b"")),
        ("4.1.2: opcode 4", frame(0x84, b"x")),
        ("4.1.5: opcode 7", frame(0x87, b"x")),
        ("4.2.1: opcode 11", frame(0x8B, b"")),
        ("4.2.5: opcode 15", frame(0x8F, b"x")),
        ("5.1: a fragmented ping", frame(0x09, b"x")),
        ("5.2: a fragmented pong", frame(0x0A, b"x")),
        ("5.9: a continuation of nothing", frame(0x80, b"x")),
        ("5.10: an unfinished continuation of nothing", frame(0x00, b"x")),
        ("7.3.6: a close of 126 bytes", frame(0x88, &[0; 126])),
        (
            "section 5.2: a length above 63 bits",
            b"\x82\x7F\x80\0\0\0\0\0\0\0".to_vec(),
        ),
    ];
    let violation = |d| Event::Violation(d, Violation::Frame);
    for (case, bytes) in broken {
        println!("{case}");
        let parts = [(Unread, Control, bytes.len() as u64)];
        let vector = Vector::new().upgraded().down(&bytes, &parts);
        vector.events(&[violation(Direction::Down)]).check(b"\x81\x01x");
    }
    // 5.18: a message begins in the middle of another; 5.12 to 5.15: a continuation follows a
    // finished message.
    for (first, second) in [(0x01, 0x81), (0x81, 0x80)] {
        let parts = [
            (FrameHeader, Framing, 2),
            (Mail, Payload, 1),
            (Unread, Control, 3),
        ];
        Vector::new()
            .upgraded()
            .down([frame(first, b"x"), frame(second, b"y")].concat(), &parts)
            .events(&[DOWN, violation(Direction::Down)])
            .check(b"\x81\x01x");
    }
    // Bytes that the previous message held back are labelled all the same.
    let parts = [
        (FrameHeader, Framing, 2),
        (Mail, Payload, 2),
        (Unread, Control, 2),
    ];
    Vector::new()
        .upgraded()
        .down([frame(0x01, b"x,"), frame(0x83, b"")].concat(), &parts)
        .events(&[DOWN, violation(Direction::Down)])
        .check(b"\x81\x01x");
    // RFC 6455, section 5.1: clients mask, servers do not.
    Vector::new()
        .upgraded()
        .down(masked(0x81, b"x"), &[(Unread, Control, 7)])
        .events(&[violation(Direction::Down)])
        .up(frame(0x81, b"x"), &[(Unread, Control, 3)])
        .events(&[violation(Direction::Up)])
        .check(b"\x81\x81abcdx");
}

fn split_control(mut bytes: &[u8]) -> Vec<(Kind, Label, u64)> {
    let mut parts = Vec::new();
    while let [_, len, rest @ ..] = bytes {
        parts.extend([(FrameHeader, Control, 2), (ControlBody, Control, u64::from(*len))]);
        bytes = &rest[usize::from(*len)..];
    }
    parts
}

#[test]
fn a_cut_frame_is_labelled_by_what_it_began_as() {
    let cut = |bytes: &[u8], parts: &[(Kind, Label, u64)]| {
        Vector::new().upgraded().down(bytes, parts).check(b"");
    };
    cut(b"\x81", &[(Unread, Framing, 1)]);
    cut(b"\x89", &[(Unread, Control, 1)]);
    cut(b"\x81\x7e\x01", &[(Unread, Framing, 3)]);
    cut(b"\x81\x10{\"ga", &[(FrameHeader, Framing, 2), (Mail, Payload, 4)]);
    cut(
        b"\x81\x10{\"id\":1,\"att",
        &[(FrameHeader, Framing, 2), (Mail, Payload, 12)],
    );
    cut(
        b"\x89\x10abc",
        &[(FrameHeader, Control, 2), (ControlBody, Control, 3)],
    );
}
