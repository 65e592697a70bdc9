//! Both directions of an HTTP/1 connection.

use super::super::{
    Conversation, Direction, Event, Kind, Kind::*, Label, Label::*, MAX_HEAD, Tally, Violation,
};
use super::support::Vector;

/// The most requests that may be unanswered at a time.
const MAX_ASKED: usize = 4096;

const GET: &str = "GET / HTTP/1.1\r\n\r\n";
const UPGRADE: &str = "GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\ncontent-length: 4\r\n\r\n";
const OK_2: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n";
const EMPTY: [(Kind, Label, u64); 1] = [(ListPunctuation, Control, 2)];

fn violation(direction: Direction, violation: Violation) -> Event {
    Event::Violation(direction, violation)
}

#[test]
fn ten_thousand_of_them_are_small() {
    assert!(
        size_of::<Conversation>() <= 400,
        "{} bytes",
        size_of::<Conversation>()
    );
}

/// The cost of a poll with a two-byte answer between reqwest and axum: 84 bytes up, 109 down.
#[test]
fn a_poll() {
    let request =
        "GET /poll/mailbox?after=18446744073 HTTP/1.1\r\naccept: */*\r\nhost: 127.0.0.1:34567\r\n\r\n";
    let response = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\
                    date: Wed, 01 Jan 2025 00:00:00 GMT\r\n\r\n";
    Vector::new()
        .request(request)
        .response(response)
        .down("[]", &EMPTY)
        .events(&[Event::Empty])
        .check(b"H");
    let mut tally = Tally::default();
    let mut conversation = Conversation::new();
    conversation.feed(Direction::Up, request.as_bytes(), &mut tally);
    conversation.feed(Direction::Down, response.as_bytes(), &mut tally);
    conversation.feed(Direction::Down, b"[]", &mut tally);
    conversation.finish(&mut tally);
    assert_eq!((tally.up.total(), tally.down.total()), (84, 109));
    assert_eq!((tally.up.head, tally.down.head, tally.down.control), (84, 107, 2));
    assert_eq!((tally.requests, tally.empty, tally.violations), (1, 1, 0));
}

/// Engine.IO's client posts only control when it joins: that is a request, and not an empty answer.
#[test]
fn only_an_answer_is_empty() {
    let mut tally = Tally::default();
    let mut conversation = Conversation::new();
    let mut say = |direction, text: &str| conversation.feed(direction, text.as_bytes(), &mut tally);
    say(
        Direction::Up,
        "POST /socket.io/?EIO=4&transport=polling&sid=x HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\n40",
    );
    say(Direction::Down, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    say(
        Direction::Up,
        "GET /socket.io/?EIO=4&transport=polling&sid=x HTTP/1.1\r\nhost: h\r\n\r\n",
    );
    say(Direction::Down, "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n2");
    conversation.finish(&mut tally);
    assert_eq!((tally.requests, tally.empty, tally.violations), (2, 1, 0));
}

/// The handshake of RFC 6455, section 1.3, and one between tungstenite and axum: 156 up, 166 down.
#[test]
fn a_handshake() {
    let rfc = (
        "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://example.com\r\n\
         Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Version: 13\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n",
    );
    let ours = (
        "GET /ws HTTP/1.1\r\nHost: 127.0.0.1:34567\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\ndate: Wed, 01 Jan 2025 00:00:00 GMT\r\n\r\n",
    );
    assert_eq!((ours.0.len(), ours.1.len()), (156, 166));
    for (request, response) in [rfc, ours] {
        let vector = Vector::new()
            .request(request)
            .response(response)
            .events(&[Event::Upgraded]);
        vector
            .down(b"\x89\x00", &[(FrameHeader, Control, 2)])
            .check(b"\x81\x01x");
    }
}

/// An SSE event in a chunk costs its payload, its field names and 6 more bytes.
#[test]
fn an_event_in_a_chunk() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let event = [
        (ChunkSize, Framing, 4),
        (SseField, Framing, 12),
        (Mail, Payload, 8),
        (SseField, Framing, 1),
        (SseEnd, Framing, 1),
        (ChunkEnd, Framing, 2),
    ];
    let heartbeat = [
        (ChunkSize, Control, 3),
        (SseComment, Control, 12),
        (SseEnd, Control, 1),
        (ChunkEnd, Control, 2),
    ];
    let both = [
        (ChunkSize, Framing, 3),
        (SseComment, Control, 2),
        (SseEnd, Control, 1),
        (SseField, Framing, 6),
        (SseEnd, Framing, 1),
        (ChunkEnd, Framing, 2),
    ];
    Vector::new()
        .request(GET)
        .response(head)
        .down("16\r\nid: 1\ndata: {\"id\":1}\n\n\r\n", &event)
        .events(&[Event::Message(Direction::Down)])
        .down("d\r\n: heartbeat\n\n\r\n", &heartbeat)
        .down("a\r\n:\n\nid: 2\n\n\r\n", &both)
        .check(b"1\r\n:\r\n");
}

#[test]
fn bodies_that_do_not_exist() {
    for status in ["204 No Content", "304 Not Modified"] {
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: 9\r\n\r\n");
        let events: &[Event] = if status.starts_with("204") {
            &[Event::Empty]
        } else {
            &[]
        };
        let vector = Vector::new().request(GET).response(&head).events(events);
        vector
            .request(GET)
            .response(OK_2)
            .down("[]", &EMPTY)
            .events(&[Event::Empty])
            .check(b"H");
    }
    let head = "HEAD / HTTP/1.1\r\n\r\n";
    let vector = Vector::new()
        .request(head)
        .response(OK_2)
        .request(GET)
        .response(OK_2);
    vector.down("[]", &EMPTY).events(&[Event::Empty]).check(b"H");
    // A POST is not a poll.
    let vector = Vector::new().request("POST / HTTP/1.1\r\n\r\n");
    vector.response("HTTP/1.1 204 No Content\r\n\r\n").check(b"H");
}

#[test]
fn requests_may_be_pipelined_and_answers_interim() {
    Vector::new()
        .request("HEAD / HTTP/1.1\r\n\r\n")
        .request(GET)
        .request(POST)
        .up("read", &[(Reply, Payload, 4)])
        .request(GET)
        .response(OK_2)
        .response("HTTP/1.1 103 Early Hints\r\n\r\n")
        .response(OK_2)
        .down("[]", &EMPTY)
        .events(&[Event::Empty])
        .response("HTTP/1.1 100 Continue\r\n\r\n")
        .response(OK_2)
        .down("[]", &[(OtherBody, Control, 2)])
        .response("HTTP/1.1 302 Found\r\ncontent-length: 2\r\n\r\n")
        .down("[]", &[(OtherBody, Control, 2)])
        .check(b"");
}

#[test]
fn a_body_may_be_chunked() {
    let chunks = "5;a=b\r\n01234\r\n00a \r\n0123456789\r\n0\r\nx: y\r\nz:\r\n\r\n";
    let parts = |kind, label| {
        [
            (ChunkSize, label, 7),
            (kind, if kind == Reply { Payload } else { Control }, 5),
            (ChunkEnd, label, 2),
            (ChunkSize, label, 6),
            (kind, if kind == Reply { Payload } else { Control }, 10),
            (ChunkEnd, label, 2),
            (LastChunk, Framing, 3),
            (Trailers, Head, 10),
            (LastChunk, Framing, 2),
        ]
    };
    Vector::new()
        .request("POST / HTTP/1.1\r\ntransfer-encoding: gzip, Chunked\r\ncontent-length: 3\r\n\r\n")
        .up(chunks, &parts(Reply, Framing))
        .response("HTTP/1.1 500 No\r\ntransfer-encoding: chunked\r\n\r\n")
        .down(chunks, &parts(OtherBody, Control))
        .request(GET)
        .response(OK_2)
        .down("[]", &EMPTY)
        .events(&[Event::Empty])
        .check(b"H");
}

#[test]
fn a_body_may_end_with_the_connection() {
    let old = "HTTP/1.0 200 OK\r\n\r\n";
    Vector::new()
        .request(GET)
        .response(old)
        .down("[]", &EMPTY)
        .events(&[Event::Empty])
        .check(b"");
    Vector::new()
        .request(GET)
        .response(old)
        .down("[", &[(ListPunctuation, Control, 1)])
        .check(b" ");
    // HTTP/1.0 has no chunks, and a body whose last coding is not chunked has no length.
    for head in [
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip",
    ] {
        let head = format!("{head}\r\n\r\n");
        let vector = Vector::new().request(GET).response(&head);
        vector.down("2\r\nxx\r\n", &[(OtherBody, Payload, 7)]).check(b"");
    }
}

#[test]
fn what_follows_an_upgrade_request_waits_for_its_answer() {
    let ping = [(FrameHeader, Control, 6)];
    let early = b"\x89\x80abcd";
    let accepted = "HTTP/1.1 101 S\r\n\r\n";
    Vector::new()
        .request(UPGRADE)
        .up(early, &ping)
        .response(accepted)
        .events(&[Event::Upgraded])
        .check(b"");
    let refused = "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\n";
    Vector::new()
        .request(GET)
        .request(UPGRADE)
        .request(UPGRADE)
        .response(OK_2)
        .down("[]", &EMPTY)
        .events(&[Event::Empty])
        .response(refused)
        .down("no", &[(OtherBody, Control, 2)])
        .response(accepted)
        .events(&[Event::Upgraded])
        .up(early, &ping)
        .check(b"\x89\x80abcd");
    // The upgrade request has an incomplete body.
    let with_body = "GET / HTTP/1.1\r\nupgrade: h2c, WebSocket\r\ncontent-length: 4\r\n\r\n";
    for body in [["re", "ad"], ["read", ""]] {
        let parts = |s: &str| [(Reply, Payload, s.len() as u64)];
        let vector = Vector::new().request(with_body).up(body[0], &parts(body[0]));
        let vector = vector
            .response(accepted)
            .events(&[Event::Upgraded])
            .up(body[1], &parts(body[1]));
        vector.up(early, &ping).check(early);
    }
    // Only a GET can ask for an upgrade.
    let post = "POST / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n";
    let vector = Vector::new().request(post).request(GET).response(accepted);
    vector
        .events(&[violation(Direction::Down, Violation::Unsolicited)])
        .check(b"x");
    // Without an answer.
    let vector = Vector::new().request(UPGRADE).up(early, &[(Unread, Control, 6)]);
    vector.check(b"GET");
    let flood = vec![b'x'; MAX_HEAD + 1];
    let vector = Vector::new()
        .request(UPGRADE)
        .up(&flood, &[(Unread, Control, flood.len() as u64)]);
    let vector = vector.events(&[violation(Direction::Up, Violation::Backlog)]);
    vector
        .response(accepted)
        .events(&[Event::Upgraded])
        .up(early, &[(Unread, Control, 6)])
        .check(early);
}

#[test]
fn heads_nobody_can_read() {
    let long = format!("GET / HTTP/1.1\r\nx: {}", "x".repeat(MAX_HEAD));
    for head in [
        "\0\r\n\r\n",
        "GET /\r\n\r\n",
        "GET / HTTP/1.1\r\n: x\r\n\r\n",
        "GET / HTTP/2.0\r\n\r\n",
        "GET / HTTP/1.1\r\ncontent-length: x\r\n\r\n",
        "GET / HTTP/1.1\r\ncontent-length: +1\r\n\r\n",
        "GET / HTTP/1.1\r\ncontent-length: 1, 2\r\n\r\n",
        "GET / HTTP/1.1\r\ncontent-length: 99999999999999999999\r\n\r\n",
        "GET / HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n",
        "GET / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n",
        &long,
    ] {
        let unread = [(Unread, Head, head.len() as u64)];
        let broken = Vector::new().up(head, &unread);
        broken
            .events(&[violation(Direction::Up, Violation::Head)])
            .check(GET.as_bytes());
        // The server refuses, which is not a violation.
        let refusal = "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n";
        let broken = Vector::new().up(head, &unread);
        let broken = broken.events(&[violation(Direction::Up, Violation::Head)]);
        broken
            .response(refusal)
            .down("no", &[(OtherBody, Control, 2)])
            .check(b"");
    }
    // The largest allowed head, after blank lines; equal lengths count as one.
    let head = "\r\n\n\r\nPOST / HTTP/1.1\ncontent-length: 2, 2\r\nx: ";
    let head = format!("{head}{}\r\n\r\n", "x".repeat(MAX_HEAD - head.len() - 4));
    Vector::new()
        .request(&head)
        .up("ok", &[(Reply, Payload, 2)])
        .check(b"G");
    let vector = Vector::new()
        .request(GET)
        .down("HTTP/1.1 xxx\r\n\r\n", &[(Unread, Head, 16)]);
    vector
        .events(&[violation(Direction::Down, Violation::Head)])
        .check(b"x");
}

#[test]
fn a_server_may_refuse_half_a_request() {
    let refusal = "HTTP/1.1 431 Too Large\r\ncontent-length: 2\r\n\r\n";
    let vector = Vector::new()
        .up("GET / HT", &[(Unread, Head, 8)])
        .response(refusal);
    vector.down("no", &[(OtherBody, Control, 2)]).check(b"");
}

#[test]
fn responses_nobody_asked_for() {
    let unsolicited = violation(Direction::Down, Violation::Unsolicited);
    Vector::new()
        .response(OK_2)
        .events(&[unsolicited])
        .down("[]", &[(Unread, Control, 2)])
        .check(b"x");
    let twice = Vector::new()
        .request(GET)
        .response(OK_2)
        .down("[]", &EMPTY)
        .events(&[Event::Empty]);
    twice.response(OK_2).events(&[unsolicited]).check(b"[]");
    Vector::new()
        .request(GET)
        .response("HTTP/1.1 101 S\r\n\r\n")
        .events(&[unsolicited])
        .check(b"x");
}

#[test]
fn chunks_nobody_can_read() {
    let broken = [
        ("x\r\n", 0),
        ("\r\n", 0),
        ("00000000000000001\r\n", 16),
        ("1\n", 1),
        ("1\rx", 2),
        ("1;\n", 2),
    ];
    let head = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n";
    for (chunk, _) in broken {
        let vector = Vector::new()
            .request(head)
            .up(chunk, &[(Unread, Framing, chunk.len() as u64)]);
        vector
            .events(&[violation(Direction::Up, Violation::Chunk)])
            .check(b"1");
    }
    let after = |bytes: &str, parts: &[(Kind, Label, u64)]| {
        let vector = Vector::new().request(head).up(bytes, parts);
        vector
            .events(&[violation(Direction::Up, Violation::Chunk)])
            .check(b"1");
    };
    let chunk = [(ChunkSize, Framing, 3), (Reply, Payload, 1)];
    after("1\r\nx0", &[&chunk[..], &[(Unread, Framing, 1)]].concat());
    after(
        "1\r\nx\r\r",
        &[&chunk[..], &[(ChunkEnd, Framing, 1), (Unread, Framing, 1)]].concat(),
    );
    after("0\r\n\n", &[(LastChunk, Framing, 3), (Unread, Framing, 1)]);
    after("0\r\n\rx", &[(LastChunk, Framing, 4), (Unread, Framing, 1)]);
}

#[test]
fn a_cut_chunk_is_labelled_by_what_it_held() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let cut = |bytes: &str, parts: &[(Kind, Label, u64)]| {
        Vector::new()
            .request(GET)
            .response(head)
            .down(bytes, parts)
            .check(b"");
    };
    cut("1", &[(Unread, Framing, 1)]);
    cut("9\r\n", &[(ChunkSize, Framing, 3)]);
    cut("9\r\n: h", &[(ChunkSize, Control, 3), (SseComment, Control, 3)]);
    cut("9\r\nretr", &[(ChunkSize, Framing, 3), (SseField, Framing, 4)]);
    cut(
        "9\r\n:\n\nid",
        &[
            (ChunkSize, Framing, 3),
            (SseComment, Control, 2),
            (SseEnd, Control, 1),
            (SseField, Framing, 2),
        ],
    );
    cut(
        "1\r\n:\r",
        &[
            (ChunkSize, Control, 3),
            (SseComment, Control, 1),
            (ChunkEnd, Control, 1),
        ],
    );
    // What the previous chunk held back does not affect this one.
    let list = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let parts = [
        (ChunkSize, Control, 3),
        (ListPunctuation, Control, 1),
        (ChunkEnd, Control, 2),
        (ChunkSize, Framing, 3),
    ];
    Vector::new()
        .request(GET)
        .response(list)
        .down("1\r\n[\r\n9\r\n", &parts)
        .check(b"");
}

#[test]
fn a_finished_conversation_labels_whatever_comes() {
    let mut tally = Tally::default();
    let mut conversation = Conversation::new();
    conversation.finish(&mut tally);
    conversation.feed(Direction::Up, b"GET", &mut tally);
    conversation.finish(&mut tally);
    assert_eq!((tally.up.control, tally.up.total(), tally.violations), (3, 3, 0));
}

#[test]
fn too_many_requests_at_once() {
    let pipeline = GET.repeat(MAX_ASKED + 1);
    let vector = Vector::new().up(&pipeline, &[(RequestHead, Head, pipeline.len() as u64)]);
    let events = [
        vec![Event::Request; MAX_ASKED + 1],
        vec![violation(Direction::Up, Violation::Backlog)],
    ]
    .concat();
    vector.events(&events).up(GET, &[(Unread, Head, 18)]).check(b"x");
}
