//! Event streams.

use super::super::{Direction, Event, Kind, Kind::*, Label, Label::*};
use super::support::Vector;

const GET: &str = "GET / HTTP/1.1\r\n\r\n";
const MESSAGE: Event = Event::Message(Direction::Down);

/// Checks the stream, once until close and once with each byte in a separate chunk.
fn check(stream: &[u8], parts: &[(Kind, Label, u64)], events: &[Event]) {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\n";
    let vector = Vector::new().request(GET).response(head);
    vector.down(stream, parts).events(events).check(b": trailing");
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut vector = Vector::new().request(GET).response(head);
    let labels = parts
        .iter()
        .flat_map(|(kind, label, n)| vec![(*kind, *label); *n as usize]);
    for ((kind, label), byte) in labels.zip(stream.chunks(1)) {
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
fn an_event() {
    for (end, n) in [("\n", 1), ("\r", 1), ("\r\n", 2)] {
        let stream = "retry: 1000\n\nid: 7\ndata: {\"id\":7}\n\n".replace('\n', end);
        let parts = [
            (SseField, Control, 11 + n),
            (SseEnd, Control, n),
            (SseField, Framing, 5 + n + 6),
            (Mail, Payload, 8),
            (SseField, Framing, n),
            (SseEnd, Framing, n),
        ];
        check(stream.as_bytes(), &parts, &[MESSAGE]);
    }
}

#[test]
fn a_heartbeat_is_control() {
    for stream in [": heartbeat\n\n", ":\n\n", ":\r:\r\r"] {
        let comment = stream.trim_end_matches(['\r', '\n']).len() as u64 + 1;
        check(
            stream.as_bytes(),
            &[(SseComment, Control, comment), (SseEnd, Control, 1)],
            &[],
        );
    }
}

#[test]
fn a_retry_with_data_does_not_make_it_control() {
    let parts = [
        (SseField, Control, 8),
        (SseField, Framing, 5),
        (Mail, Payload, 1),
        (SseField, Framing, 1),
        (SseEnd, Framing, 1),
    ];
    check(b"retry:1\ndata:x\n\n", &parts, &[MESSAGE]);
    check(b"retry\n\n", &[(SseField, Control, 6), (SseEnd, Control, 1)], &[]);
}

#[test]
fn a_notice_is_control_whole() {
    for stream in [
        "event: gap\ndata: 3\nid: 9\nretry: 1\n: x\ndata\n\n",
        "event:gap\r\ndata: 3\r\n\r\n",
        "event: reset\nid: 0.k3f9\ndata: k3f9\n\n",
        "event:reset\rdata: k3f9\r\r",
    ] {
        check(
            stream.as_bytes(),
            &[(Kind::Notice, Control, stream.len() as u64)],
            &[],
        );
    }
}

#[test]
fn only_a_first_line_makes_a_notice() {
    for first in [
        "id: 1\nevent: gap\n",
        "event: gaps\n",
        "event: resets\n",
        "event: rest\n",
        "event: greset\n",
        "event:  reset\n",
        "event:  gap\n",
        "event: ga\n",
        "event\n",
        "even: gap\n",
    ] {
        let parts = [
            (SseField, Framing, first.len() as u64 + 6),
            (Mail, Payload, 1),
            (SseField, Framing, 1),
            (SseEnd, Framing, 1),
        ];
        check(format!("{first}data: 3\n\n").as_bytes(), &parts, &[MESSAGE]);
    }
}

#[test]
fn other_fields_are_framing_and_no_message() {
    for field in [
        "id: 5",
        "id",
        "event: mail",
        "dat: x",
        "database: x",
        "retrying: x",
        "retr",
        "x",
        " data: y",
    ] {
        let parts = [(SseField, Framing, field.len() as u64 + 1), (SseEnd, Framing, 1)];
        check(format!("{field}\n\n").as_bytes(), &parts, &[]);
    }
}

#[test]
fn data_without_a_value_is_data() {
    check(
        b"data\n\n",
        &[(SseField, Framing, 5), (SseEnd, Framing, 1)],
        &[MESSAGE],
    );
    check(
        b"data:\r\n\r\n",
        &[(SseField, Framing, 7), (SseEnd, Framing, 2)],
        &[MESSAGE],
    );
    let two = [
        (SseField, Framing, 6),
        (Mail, Payload, 2),
        (SseField, Framing, 6),
        (Mail, Payload, 1),
    ];
    check(
        b"data:  a\ndata:b\n\n",
        &[&two[..], &[(SseField, Framing, 1), (SseEnd, Framing, 1)]].concat(),
        &[MESSAGE],
    );
}

#[test]
fn a_byte_order_mark_is_framing() {
    let event = [(Mail, Payload, 1), (SseField, Framing, 1), (SseEnd, Framing, 1)];
    check(
        b"\xEF\xBB\xBFdata:x\n\n",
        &[&[(SseField, Framing, 8)], &event[..]].concat(),
        &[MESSAGE],
    );
    check(
        b"\xEF\xBBdata:x\n\n",
        &[(SseField, Framing, 9), (SseEnd, Framing, 1)],
        &[],
    );
}

/// A reader joins the data lines of an event with a line end, and no key contains one.
#[test]
fn an_attachment_does_not_begin_in_the_line_before() {
    let stream = b"data:,\"attach\ndata:ment\":\"QUJD\"\n\n";
    let parts = [
        (SseField, Framing, 5),
        (Mail, Payload, 8),
        (SseField, Framing, 6),
        (Mail, Payload, 12),
        (SseField, Framing, 1),
        (SseEnd, Framing, 1),
    ];
    check(stream, &parts, &[MESSAGE]);
}

#[test]
fn an_attachment_costs_its_base64() {
    let stream = b"data: {\"id\":1,\"attachment\":\"QUJD\"}\n\ndata: ,\"attachment\n\n";
    let parts = [
        (SseField, Framing, 6),
        (Mail, Payload, 7),
        (AttachmentKey, Framing, 15),
        (Attachment, Framing, 1),
        (Attachment, Payload, 3),
        (AttachmentKey, Framing, 1),
        (Mail, Payload, 1),
        (SseField, Framing, 1),
        (SseEnd, Framing, 1),
        (SseField, Framing, 6),
        (Mail, Payload, 12),
        (SseField, Framing, 1),
        (SseEnd, Framing, 1),
    ];
    let head = "HTTP/1.0 200 OK\r\ncontent-type: Text/Event-Stream\r\n\r\n";
    let vector = Vector::new().request(GET).response(head);
    vector.down(stream, &parts).events(&[MESSAGE; 2]).check(b":");
}
