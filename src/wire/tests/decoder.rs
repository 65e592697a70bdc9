//! Which protocol a connection speaks, and what answers hold.

use super::super::{Answer, Decoder, Direction, Tally, as_declared, http2};

fn tally(up: &[u8], piece: usize, down: &[u8]) -> Tally {
    let (mut decoder, mut tally) = (Decoder::http(as_declared), Tally::default());
    for bytes in up.chunks(piece) {
        decoder.feed(Direction::Up, bytes, &mut tally);
    }
    decoder.feed(Direction::Down, down, &mut tally);
    decoder.finish(&mut tally);
    tally
}

#[test]
fn the_client_begins_with_its_version() {
    let http1 = b"PRIVATE / HTTP/1.1\r\n\r\n";
    for piece in 1..=http1.len() {
        let heard = tally(http1, piece, b"HTTP/1.1 204 No Content\r\n\r\n");
        assert_eq!(
            (heard.up.head, heard.down.head, heard.requests, heard.violations),
            (http1.len() as u64, 27, 1, 0)
        );
        let heard = tally(http2::PREFACE, piece, b"");
        assert_eq!((heard.up.control, heard.violations), (24, 0));
    }
}

fn answered(target: &str, declared: &str, body: &str) -> Tally {
    let known = |target: &[u8]| match target {
        b"/list" => Some(Answer::List),
        b"/events" => Some(Answer::Events),
        _ => None,
    };
    let (mut decoder, mut tally) = (Decoder::http(known), Tally::default());
    let asked = format!("GET {target} HTTP/1.1\r\n\r\n");
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {declared}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    decoder.feed(Direction::Up, asked.as_bytes(), &mut tally);
    decoder.feed(Direction::Down, (head + body).as_bytes(), &mut tally);
    decoder.finish(&mut tally);
    tally
}

#[test]
fn what_is_known_of_an_answer_outweighs_what_it_declares() {
    let (list, events) = (r#"[{"id":1},{"id":2}]"#, "data: {\"id\":1}\n\n");
    for declared in ["application/json", "text/event-stream", "text/html"] {
        let read = answered("/list", declared, list);
        assert_eq!(
            (read.down.payload, read.mails, read.messages_down),
            (16, 2, 0),
            "{declared}"
        );
        let read = answered("/events", declared, events);
        assert_eq!(
            (read.down.payload, read.mails, read.messages_down),
            (8, 1, 1),
            "{declared}"
        );
    }
    assert_eq!(
        answered("/", "text/event-stream", events).mails,
        1,
        "else it is believed"
    );
}

#[test]
fn errors_are_counted() {
    for (status, failed) in [(200, 0), (204, 0), (304, 0), (400, 1), (403, 1), (504, 1)] {
        let answer = format!("HTTP/1.1 {status} So\r\ncontent-length: 0\r\n\r\n");
        let read = tally(b"GET / HTTP/1.1\r\n\r\n", 100, answer.as_bytes());
        assert_eq!(read.failed, failed, "{status}");
    }
}

#[test]
fn too_little_to_tell_is_labelled_all_the_same() {
    assert_eq!(tally(b"PR", 1, b"").up.head, 2);
    let refused = tally(
        b"P",
        1,
        b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n",
    );
    assert_eq!((refused.up.head, refused.down.head), (1, 51));
    assert_eq!(tally(b"", 1, b"").up.total(), 0);
}
