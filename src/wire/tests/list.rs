//! The answer to a poll: a list of mails.

use super::super::unit::MAX_PIECES;
use super::super::{Event, Kind, Kind::*, Label, Label::*};
use super::support::Vector;

const GET: &str = "GET / HTTP/1.1\r\n\r\n";

/// Checks the body as the answer to a GET, once with a length and once in chunks of one byte. A chunk's lines
/// are control exactly if its byte is.
fn check(body: &[u8], parts: &[(Kind, Label, u64)], events: &[Event]) {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    let vector = Vector::new().request(GET).response(&head);
    vector.down(body, parts).events(events).check(b"H");
    let mut vector = Vector::new()
        .request(GET)
        .response("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
    let labels = parts
        .iter()
        .flat_map(|(kind, label, n)| vec![(*kind, *label); *n as usize]);
    for ((kind, label), byte) in labels.zip(body.chunks(1)) {
        let around = if label == Control { Control } else { Framing };
        let parts = [(ChunkSize, around, 3), (kind, label, 1), (ChunkEnd, around, 2)];
        vector = vector.down([b"1\r\n", byte, b"\r\n"].concat(), &parts);
    }
    vector
        .down("0\r\n\r\n", &[(LastChunk, Framing, 5)])
        .events(events)
        .check(b"H");
}

#[test]
fn a_list_of_mails() {
    check(
        br#"[{"id":1}]"#,
        &[
            (ListPunctuation, Framing, 1),
            (Mail, Payload, 8),
            (ListPunctuation, Framing, 1),
        ],
        &[],
    );
    let body = br#" [ {"a":"]},{\\\"["} , {"b":[{},[]]},7,"x,]" ] "#;
    let parts = [
        (ListPunctuation, Framing, 3),
        (Mail, Payload, 17),
        (ListPunctuation, Framing, 3),
        (Mail, Payload, 13),
        (ListPunctuation, Framing, 1),
        (Mail, Payload, 1),
        (ListPunctuation, Framing, 1),
        (Mail, Payload, 5),
        (ListPunctuation, Framing, 3),
    ];
    check(body, &parts, &[]);
}

#[test]
fn a_list_without_mail_is_control() {
    check(
        b"[null]",
        &[
            (ListPunctuation, Framing, 1),
            (Mail, Payload, 4),
            (ListPunctuation, Framing, 1),
        ],
        &[],
    );
    for body in [&b"[]"[..], b" [ \r\n ] "] {
        check(
            body,
            &[(ListPunctuation, Control, body.len() as u64)],
            &[Event::Empty],
        );
    }
}

#[test]
fn a_notice_takes_with_it_what_follows() {
    let parts = [
        (ListPunctuation, Framing, 1),
        (Notice, Control, 11),
        (Mail, Payload, 8),
        (ListPunctuation, Framing, 1),
    ];
    check(
        br#"[{"gap":3} ,{"id":4}]"#.trim_ascii(),
        &[parts[0], (Notice, Control, 11), parts[2], parts[3]],
        &[],
    );
    let alone = [
        (ListPunctuation, Control, 1),
        (Notice, Control, 9),
        (ListPunctuation, Control, 1),
    ];
    check(br#"[{"gap":3}]"#, &alone, &[Event::Empty]);
    let named = [parts[0], (Notice, Control, 17), parts[2], parts[3]];
    check(br#"[{"epoch":"k3f9"},{"id":4}]"#, &named, &[]);
    check(br#"[{"reset":"k3f9"},{"id":4}]"#, &named, &[]);
    let both = [parts[0], (Notice, Control, 27), parts[2], parts[3]];
    check(br#"[{"reset":"k3f9"},{"gap":3},{"id":4}]"#, &both, &[]);
    let last = [
        (ListPunctuation, Framing, 1),
        (Mail, Payload, 8),
        (ListPunctuation, Framing, 1),
        (Notice, Control, 20),
        (ListPunctuation, Framing, 1),
    ];
    check(
        br#"[{"id":4},{"gap":"},]{\"\\"}  ]"#,
        &[last[0], last[1], last[2], (Notice, Control, 20), last[4]],
        &[],
    );
    let near = [
        (ListPunctuation, Framing, 1),
        (Mail, Payload, 10),
        (ListPunctuation, Framing, 1),
    ];
    check(br#"[{"gap" :3}]"#, &near, &[]);
}

#[test]
fn an_attachment_costs_its_base64() {
    for (text, framing, payload) in [
        ("", 0, 0),
        ("QQ==", 3, 1),
        ("QUI=", 2, 2),
        ("QUJD", 1, 3),
        ("QUJDREU=", 3, 5),
        // No encoder writes these, but every byte must be counted.
        ("====", 4, 0),
        ("Q=Q", 2, 1),
    ] {
        let body = format!(r#"[{{"id":1,"attachment":"{text}"}},{{"id":2}}]"#);
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        let parts = [
            (ListPunctuation, Framing, 1),
            (Mail, Payload, 7),
            (AttachmentKey, Framing, 15),
            (Attachment, Framing, framing),
            (Attachment, Payload, payload),
            (AttachmentKey, Framing, 1),
            (Mail, Payload, 1),
            (ListPunctuation, Framing, 1),
            (Mail, Payload, 8),
            (ListPunctuation, Framing, 1),
        ];
        Vector::new()
            .request(GET)
            .response(&head)
            .down(body, &parts)
            .check(b"H");
    }
}

/// A captured head may declare any type: the body decides.
#[test]
fn what_is_no_list_is_payload() {
    for body in [&b"<html>[]"[..], b"  {}", b"null", b"   "] {
        check(body, &[(OtherBody, Payload, body.len() as u64)], &[]);
    }
    let html = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 2\r\n\r\n";
    let vector = Vector::new()
        .request(GET)
        .response(html)
        .down("[]", &[(ListPunctuation, Control, 2)]);
    vector.events(&[Event::Empty]).check(b"H");
}

#[test]
fn a_cut_list_is_labelled_by_its_state() {
    let cut = |body: &[u8], parts: &[(Kind, Label, u64)]| {
        let vector = Vector::new()
            .request(GET)
            .response("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n");
        vector.down(body, parts).check(b"");
    };
    cut(b" [ ", &[(ListPunctuation, Control, 3)]);
    // A list is not empty either before its declared length is reached.
    cut(b"[]", &[(ListPunctuation, Control, 2)]);
    cut(b"  ", &[(OtherBody, Payload, 2)]);
    cut(b"[{\"ga", &[(ListPunctuation, Framing, 1), (Mail, Payload, 4)]);
    cut(
        b"[{\"gap\":1},{\"ga",
        &[
            (ListPunctuation, Framing, 1),
            (Notice, Control, 10),
            (Mail, Payload, 4),
        ],
    );
    cut(
        b"[{\"id\":1,\"att",
        &[(ListPunctuation, Framing, 1), (Mail, Payload, 12)],
    );
}

/// White space in separate chunks waits for what follows it, up to a limit.
#[test]
fn what_waits_is_bounded() {
    let chunk = |kind, label| [(ChunkSize, label, 3), (kind, label, 1), (ChunkEnd, label, 2)];
    let last = [&chunk(ListPunctuation, Control)[..], &[(LastChunk, Framing, 5)]].concat();
    let spaces = |n: usize| {
        let mut vector = Vector::new()
            .request(GET)
            .response("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            .down("1\r\n[\r\n", &chunk(ListPunctuation, Control));
        for _ in 0..n {
            vector = vector.down("1\r\n \r\n", &chunk(ListPunctuation, Control));
        }
        vector
    };
    let few = spaces(99).down("1\r\n]\r\n0\r\n\r\n", &last);
    few.events(&[Event::Empty]).check(b"H");
    // Bytes after the limit get the label of those before it.
    spaces(MAX_PIECES + 1)
        .down("1\r\n{\r\n0\r\n\r\n", &last)
        .check(b"H");
}
