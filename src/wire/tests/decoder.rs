//! Which protocol a connection speaks, and what answers hold.

use super::super::{Answer, Decoder, Direction, Known, Tally, as_declared, http2};

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

const UPGRADE: [&[u8]; 2] = [
    b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
];
const EVENTS: [&[u8]; 2] = [
    b"GET /sse HTTP/1.1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n\
      d\r\nretry: 1000\n\n\r\n",
];
const FRAME: &[u8] = b"\x81\x08{\"id\":7}";
const EVENT: &[u8] = b"16\r\nid: 7\ndata: {\"id\":7}\n\n\r\n";

/// Bytes that are known are counted as those that are read, and what is not whole is read.
#[test]
fn what_is_known_counts_as_if_it_were_read() {
    for (heads, unit) in [(UPGRADE, FRAME), (EVENTS, EVENT)] {
        let mut tallies = [Tally::default(); 2];
        let [mut read, mut knows, mut other] = [0; 3].map(|_| Decoder::http(as_declared));
        let mut spare = Tally::default();
        for (direction, bytes) in [Direction::Up, Direction::Down].into_iter().zip(heads) {
            read.feed(direction, bytes, &mut tallies[0]);
            knows.feed(direction, bytes, &mut tallies[1]);
            other.feed(direction, bytes, &mut spare);
        }
        let three = [unit, unit, unit];
        let mut known = Known::default();
        other.feed_known(three.into_iter(), &mut known, &mut spare);
        for (pieces, is_known) in [
            (three, true),
            ([unit, unit, &unit[..5]], false),
            // It stands within a unit, so what is known does not apply.
            ([&unit[5..], unit, unit], false),
            (three, true),
        ] {
            for piece in pieces {
                read.feed(Direction::Down, piece, &mut tallies[0]);
            }
            let mut none = Known::default();
            let may_know = if is_known { &mut known } else { &mut none };
            // Where it knows them, it is given nothing to read.
            let given = pieces.into_iter().filter(|_| !is_known);
            let bytes = knows.feed_known(given, may_know, &mut tallies[1]);
            assert_eq!(bytes, pieces.iter().map(|p| p.len() as u64).sum::<u64>());
            // What is not whole does not become known.
            assert_eq!(other.feed_known(std::iter::empty(), &mut none, &mut spare), 0);
        }
        read.finish(&mut tallies[0]);
        knows.finish(&mut tallies[1]);
        assert_eq!(tallies[0], tallies[1]);
        assert!(tallies[0].mails >= 8, "{tallies:?}");
    }
}
