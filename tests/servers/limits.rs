//! The servers are servers: what they put up with, what they don't, and how they end. Spoken to over
//! raw sockets, by clients as careless or as hostile as clients are.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use mailcall::lab::server::Limits;
use mailcall::outcome::Scenario;
use mailcall::technique::{self, Serve};

use crate::support::serving;
use crate::support::serving::{PATIENCE, Raw, SHORT, Served, handshake, patient, request, short, until};
use crate::support::undisturbed::undisturbed;

/// A scenario whose long polls are short.
fn scenario() -> Scenario {
    Scenario {
        hold_ms: 100.0,
        ..Scenario::default()
    }
}

fn start(technique: &str) -> Served {
    Served::start(technique, short(), scenario())
}

/// The techniques whose replies need a request of their own.
const LISTS: [&str; 3] = ["poll", "long-poll", "sse"];

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

fn post(fields: &str, body: &str) -> String {
    format!("POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{fields}\r\n{body}")
}

/// Says one byte after the other until the server has had enough; returns what it said last.
fn trickle(mut raw: Raw, bytes: impl Iterator<Item = u8>) -> Vec<u8> {
    raw.stream
        .set_read_timeout(Some(Duration::from_millis(20)))
        .unwrap();
    let deadline = Instant::now() + PATIENCE;
    let mut heard = Vec::new();
    for byte in bytes {
        assert!(Instant::now() < deadline, "the server listens for ever");
        raw.try_say([byte]);
        let mut buffer = [0; 512];
        match raw.stream.read(&mut buffer) {
            Ok(0) => return heard,
            Ok(n) => heard.extend_from_slice(&buffer[..n]),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return heard,
        }
    }
    panic!("the server heard it all")
}

#[test]
fn who_never_finishes_a_head_is_not_waited_for() {
    for technique in technique::ALL {
        let served = start(technique.name);
        let mut silent = served.connect();
        let mut half = served.say(&request(technique.name)[..30]);
        let endless = "GET /".bytes().chain(std::iter::repeat(b'a'));
        trickle(served.connect(), endless);
        assert_eq!(
            (silent.rest(), half.rest()),
            (vec![], vec![]),
            "{}",
            technique.name
        );
        served.finish();
    }
}

#[test]
fn who_never_finishes_a_body_is_not_waited_for() {
    for technique in LISTS {
        let served = Served::with_body_timeout(technique, short(), scenario(), SHORT);
        let mut half = served.say(post("Content-Length: 12\r\n", r#"{"re"#));
        let mut without = served.say(post("Transfer-Encoding: chunked\r\n", ""));
        let trickling = served.say(post("Content-Length: 60000\r\n", ""));
        let heard = trickle(trickling, std::iter::repeat(b' '));
        assert!(
            heard.starts_with(b"HTTP/1.1 408 "),
            "{technique}: {}",
            String::from_utf8_lossy(&heard)
        );
        for raw in [&mut half, &mut without] {
            assert_eq!(raw.answer().status, 408, "{technique}");
            assert_eq!(raw.rest(), b"", "{technique}");
        }
        // A body that nobody wants is not waited for either.
        let unwanted = "GET /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhal";
        let mut unwanted = served.say(unwanted);
        assert_eq!(unwanted.answer().status, 404, "{technique}");
        assert_eq!(unwanted.rest(), b"", "{technique}");
        assert_eq!(served.finish().tally.requests, 5);
    }
}

#[test]
fn a_handshake_has_no_body() {
    let served = start("ws");
    for body in ["Content-Length: 9\r\n", "Transfer-Encoding: chunked\r\n"] {
        let mut half = served.say(handshake(body) + "4\r\nhal");
        assert_eq!(half.answer().status, 400, "{body}");
        assert_eq!(half.rest(), b"", "{body}");
    }
    served.finish();
}

#[test]
fn keep_alive_outlives_the_poll_interval_but_not_for_ever() {
    undisturbed(|| {
        let interval = Duration::from_secs(3600);
        assert!(Limits::for_clients(1, interval).head_timeout > interval);
        let served = start("poll");
        let mut raw = served.connect();
        let began = Instant::now();
        while began.elapsed() < SHORT * 2 {
            raw.say(get("/poll?after=0"));
            assert_eq!(raw.answer().status, 204);
            // A polling client's pause, during which it hears nothing.
            raw.stream.set_read_timeout(Some(SHORT / 4)).unwrap();
            assert!(raw.stream.read(&mut [0]).is_err());
        }
        raw.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(raw.rest(), b"");
        assert_eq!(
            served.finish().each[0].port,
            raw.stream.local_addr().unwrap().port()
        );
    });
}

#[test]
fn one_connection_too_many_is_refused_and_the_others_live_on() {
    for technique in ["sse", "ws", "long-poll"] {
        let scenario = Scenario {
            hold_ms: 600_000.0,
            ..Scenario::default()
        };
        let served = Served::start(
            technique,
            Limits {
                connections: 3,
                ..short()
            },
            scenario,
        );
        let mut held: Vec<Raw> = (0..3).map(|_| served.say(request(technique))).collect();
        until("all are there", || served.mailbox.watchers() == 3);
        let mut refused = served.connect();
        refused.try_say(request(technique));
        assert_eq!(refused.rest(), b"");
        assert_eq!(served.ledger.peak(), 3);
        served.post(10);
        for raw in &mut held {
            assert!([101, 200].contains(&raw.head().status), "{technique}");
            while !raw.read(1).starts_with(b"m") {}
        }
        drop(held);
        until("there is room again", || served.ledger.open() == 0);
        served.finish();
    }
}

/// A client that is silent and gone is found by TCP keep-alive (RFC 9293, section 3.8.4): the kernel says of each
/// accepted connection that its timer runs.
#[cfg(target_os = "linux")]
#[test]
fn silent_connections_are_probed() {
    let long = Scenario {
        hold_ms: 600_000.0,
        ..Scenario::default()
    };
    let served = Served::start("long-poll", patient(), long);
    let held = served.say(request("long-poll"));
    until("it is there", || served.mailbox.watchers() == 1);
    let local = format!("0100007F:{:04X}", served.address().port());
    // Columns of /proc/net/tcp: number, local, remote, state (01 is established), queues, timer (02 is
    // keep-alive's, where nothing waits for an acknowledgement).
    until("its keep-alive timer runs", || {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let lines = table
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>());
        let mut ours = lines.filter(|columns| columns[1] == local && columns[3] == "01");
        ours.any(|columns| columns[5].starts_with("02:"))
    });
    drop(held);
    served.stop();
}

/// On Linux the whole of 127.0.0.0/8 is the loopback.
#[cfg(target_os = "linux")]
#[test]
fn one_address_leaves_room_for_others() {
    let limits = Limits {
        connections: 8,
        ..patient()
    };
    let long = Scenario {
        hold_ms: 600_000.0,
        ..Scenario::default()
    };
    let served = Served::start("long-poll", limits, long);
    let held: Vec<Raw> = (0..6).map(|_| served.say(request("long-poll"))).collect();
    until("all are there", || served.mailbox.watchers() == 6);
    let mut refused = served.connect();
    refused.try_say(request("long-poll"));
    assert_eq!(refused.rest(), b"");
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let elsewhere = std::net::SocketAddr::from(([127, 0, 0, 2], 0));
    socket.bind(&elsewhere.into()).unwrap();
    socket.connect(&served.address().into()).unwrap();
    let mut other = Raw {
        stream: socket.into(),
    };
    other.say(request("long-poll"));
    until("the other is there", || served.mailbox.watchers() == 7);
    // Whoever leaves makes room for its own address.
    drop(held);
    until("they are gone", || served.ledger.open() == 1);
    drop(served.say(request("long-poll")));
    drop(other);
    served.stop();
}

#[test]
fn heads_are_limited() {
    let many = (0..150).map(|i| format!("X-{i}: y\r\n")).collect::<String>();
    let oversized = [
        (431, format!("GET /poll HTTP/1.1\r\nX: {}", "y".repeat(100_000))),
        (
            431,
            format!("GET /poll HTTP/1.1\r\n{}", "X: yyyyyyyy\r\n".repeat(10_000)),
        ),
        (431, format!("GET /poll HTTP/1.1\r\n{many}\r\n")),
        (431, format!("GET /{}", "a".repeat(100_000))),
    ];
    for technique in technique::ALL {
        let served = start(technique.name);
        for (status, head) in &oversized {
            let mut raw = served.connect();
            raw.try_say(head);
            assert_eq!(raw.answer().status, *status, "{}: {:.40}", technique.name, head);
            raw.rest();
        }
        served.finish();
    }
}

/// To the byte, whether it comes at once or not, and also behind another request.
#[test]
fn a_head_may_have_64_kib_and_not_one_byte_more() {
    const LIMIT: usize = 64 * 1024;
    let served = start("poll");
    let first = get("/nowhere");
    for (length, status) in [
        (LIMIT - 1, 404),
        (LIMIT, 404),
        (LIMIT + 1, 431),
        (LIMIT + 1_000, 431),
    ] {
        let bare = first.replace("\r\n\r\n", "\r\nX: \r\n\r\n");
        let head = bare.replace("X: ", &format!("X: {}", "y".repeat(length - bare.len())));
        assert_eq!(head.len(), length);
        for piece in [length, LIMIT - 1, 10_000] {
            let mut raw = served.say(&first);
            assert_eq!(raw.answer().status, 404);
            for part in head.as_bytes().chunks(piece) {
                raw.try_say(part);
            }
            assert_eq!(raw.answer().status, status, "{length} in pieces of {piece}");
            if status == 431 {
                raw.rest();
            }
        }
    }
    served.finish();
}

#[test]
fn bodies_are_limited() {
    let spaces = " ".repeat(200_000);
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    let oversized = [
        (413, post("Content-Length: 200000\r\n", &spaces)),
        (413, post("Content-Length: 1000000000000\r\n", &spaces)),
        (413, post("Transfer-Encoding: chunked\r\n", &chunk.repeat(3))),
        (400, post("Content-Length: 99999999999999999999999\r\n", "")),
        (400, post("Content-Length: -1\r\n", "")),
        (
            400,
            post("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n"),
        ),
    ];
    for technique in LISTS {
        let served = start(technique);
        for (status, request) in &oversized {
            let mut raw = served.connect();
            raw.try_say(request);
            assert_eq!(raw.answer().status, *status, "{technique}: {request:.150}");
            raw.rest();
        }
        assert_eq!(*served.replies.borrow(), 0);
        served.finish();
    }
}

/// A log that has more than an answer has room for, many times over.
fn full() -> Served {
    let served = Served::start("poll", patient(), scenario());
    for _ in 0..5_000 {
        served.post(6_000);
    }
    served
}

#[test]
fn a_full_log_comes_in_answers_of_64_kib_that_name_the_next() {
    let served = full();
    let oldest = served.mailbox.read(0, 1).gap;
    let mut raw = served.connect();
    let (mut target, mut mails) = ("?after=0".to_owned(), 0);
    loop {
        raw.say(get(&format!("/poll{target}")));
        let answer = raw.answer();
        assert!(answer.body.len() <= 64 * 1024, "{}", answer.body.len());
        let list: Vec<serde_json::Value> = serde_json::from_slice(&answer.body).unwrap();
        mails += list.iter().filter(|item| item["id"].is_u64()).count() as u64;
        let link = answer
            .head
            .lines()
            .find_map(|l| l.strip_prefix("link: <")?.strip_suffix(">; rel=\"next\""));
        match link {
            Some(next) => target = next.to_owned(),
            None => break,
        }
        let after = list.last().unwrap()["id"].as_u64().unwrap();
        assert_eq!(target, format!("?after={after}.{}", served.epoch()));
    }
    assert_eq!(mails, 5_000 - oldest);
    served.stop();
}

/// One client asks for all of it twenty times at once, and reads nothing.
#[test]
fn others_are_served_while_one_asks_for_a_full_log_again_and_again() {
    for method in ["HEAD", "GET"] {
        let served = full();
        let ask = format!("{method} /poll?after=0 HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let mut greedy = served.say(ask.repeat(20));
        let begun = Instant::now();
        let mut other = served.say(get(&format!("/poll?after={}", served.mailbox.newest())));
        assert_eq!(other.head().status, 204);
        let waited = begun.elapsed();
        assert!(waited < Duration::from_secs(5), "{method}: {waited:?}");
        let first = greedy.head();
        let length = first
            .head
            .lines()
            .find_map(|l| l.strip_prefix("content-length: "));
        assert!(length.unwrap().parse::<usize>().unwrap() <= 64 * 1024);
        served.stop();
    }
}

/// The most that loopback's two socket buffers hold, and as much again.
const BUFFERED: u64 = 24 << 20;

#[test]
fn who_never_reads_is_cut_off() {
    for technique in serving::bare() {
        // Enough mail to fill every buffer many times over, little of it in the log at any time.
        let scenario = Scenario {
            keep: 64,
            hold_ms: 600_000.0,
            ..Scenario::default()
        };
        let served = Served::start(technique.name, short(), scenario);
        let mut raw = served.say(request(technique.name));
        if technique.holds {
            until("the client is there", || served.mailbox.watchers() == 1);
        }
        let deadline = Instant::now() + PATIENCE;
        while served.ledger.open() == 1 {
            assert!(
                Instant::now() < deadline,
                "{} feeds a client that never reads",
                technique.name
            );
            served.post(64 * 1024);
            // Whoever has to ask for each answer asks on, and still does not read.
            raw.stream
                .set_write_timeout(Some(Duration::from_millis(1)))
                .unwrap();
            raw.try_say(get(&format!("/{}?after=0", technique.name)));
        }
        assert!(
            served.ledger.bytes() < BUFFERED,
            "{}: {}",
            technique.name,
            served.ledger.bytes()
        );
        served.finish();
    }
}

#[test]
fn who_pings_and_never_reads_is_not_heard_for_long() {
    let served = Served::start("ws", patient(), scenario());
    let mut raw = served.say(handshake(""));
    assert_eq!(raw.head().status, 101);
    // Masked pings of 125 bytes, whose pongs would pile up if the server went on listening.
    let pings = [&[0x89, 0x80 | 125, 0, 0, 0, 0][..], &[b'p'; 125]]
        .concat()
        .repeat(1_000);
    raw.stream
        .set_write_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    let stopped = loop {
        if let Err(e) = raw.stream.write_all(&pings) {
            break e.kind();
        }
    };
    assert!(
        matches!(stopped, ErrorKind::WouldBlock | ErrorKind::TimedOut),
        "{stopped}"
    );
    let heard = served.ledger.bytes();
    assert!(heard < 2 * BUFFERED, "it heard and answered {heard} bytes");
    drop(raw);
    served.finish();
}

#[test]
fn a_websocket_client_that_falls_silent_within_a_frame_is_cut_off() {
    let served = Served::start(
        "ws",
        short(),
        Scenario {
            heartbeat_ms: 50.0,
            ..Scenario::default()
        },
    );
    let mut raw = served.say(handshake(""));
    assert_eq!(raw.head().status, 101);
    raw.say([0x81, 0x85, 1, 2]);
    // Two pings, which a client that lives would answer.
    assert_eq!(raw.rest(), [0x89, 0, 0x89, 0]);
    served.finish();
}

#[test]
fn a_foreign_origin_may_not_open_a_websocket() {
    let served = start("ws");
    let origins = [
        ("", 101),
        ("Origin: http://localhost\r\n", 101),
        ("Origin: http://evil.example\r\n", 403),
        ("Origin: http://localhost.evil.example\r\n", 403),
        ("Origin: http://localhost:8080\r\n", 403),
        ("Origin: null\r\n", 403),
        ("Origin: \r\n", 403),
        ("Origin: /\r\n", 403),
    ];
    for (field, status) in origins {
        let mut raw = served.say(handshake(field));
        assert_eq!(raw.answer().status, status, "{field}");
        if status == 403 {
            // Refused, not hung up on.
            raw.say(handshake(""));
            assert_eq!(raw.head().status, 101);
        }
    }
    assert_eq!(served.finish().tally.requests, origins.len() as u64 + 6 + 1);
}

#[test]
fn what_is_no_handshake_is_told_so() {
    let served = start("ws");
    let sane = handshake("");
    let cases = [
        (426, sane.replace("Version: 13", "Version: 8")),
        (426, sane.replace("Sec-WebSocket-Version: 13\r\n", "")),
        (426, sane.replace("Upgrade: websocket", "Upgrade: h2c")),
        (426, get("/ws?after=0")),
        (
            400,
            sane.replace("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""),
        ),
        (400, sane.replace("HTTP/1.1", "HTTP/1.0")),
        (405, sane.replace("GET", "POST")),
    ];
    for (status, request) in &cases {
        let answer = served.say(request).answer();
        assert_eq!(answer.status, *status, "{request}\n{}", answer.head);
        if *status == 426 {
            assert!(
                answer.head.contains("\r\nsec-websocket-version: 13\r\n"),
                "{}",
                answer.head
            );
            assert!(
                answer.head.contains("\r\nupgrade: websocket\r\n"),
                "{}",
                answer.head
            );
        }
    }
    served.finish();
}

#[test]
fn other_methods_paths_and_cursors_are_refused() {
    for technique in serving::bare() {
        let served = start(technique.name);
        let mut raw = served.connect();
        let mut status = |request: String| {
            raw.say(&request);
            raw.answer().status
        };
        let path = format!("/{}?after=0", technique.name);
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"] {
            assert_eq!(status(get(&path).replace("GET", method)), 405, "{method} {path}");
        }
        for path in ["/", "/pol", "/ws/", "/../etc/passwd", "/%2e%2e/", "//poll", "*"] {
            assert_eq!(status(get(path)), 404, "{path}");
        }
        for after in ["x", "-1", "1.5", "18446744073709551616", "", "%00"] {
            let bad = request(technique.name).replace("after=0", &format!("after={after}"));
            assert_eq!(status(bad), 400, "{} after={after}", technique.name);
        }
        served.finish();
    }
}

#[test]
fn a_reply_must_be_a_reply() {
    let served = start("poll");
    let mut raw = served.connect();
    let mut status = |request: String| {
        raw.say(&request);
        raw.answer().status
    };
    let sane = post("Content-Length: 10\r\n", r#"{"read":1}"#);
    assert_eq!(status(sane.clone()), 204);
    for same in [
        "Application/JSON",
        "application/json;charset=UTF-8",
        "APPLICATION/JSON; x=y",
    ] {
        assert_eq!(status(sane.replace("application/json", same)), 204, "{same}");
    }
    assert_eq!(status(sane.replace("application/json", "text/plain")), 415);
    assert_eq!(status(sane.replace(r#"{"read":1}"#, r#"{"read":x}"#)), 400);
    assert_eq!(status(sane.replace(r#"{"read":1}"#, r#"{"seen":1}"#)), 422);
    assert_eq!(status(get("/read")), 405);
    assert_eq!(*served.replies.borrow(), 4);
    served.finish();
}

#[test]
fn a_last_event_id_that_no_log_here_gave_is_reset() {
    let served = start("sse");
    (0..3).for_each(|_| served.post(1));
    let other = if served.epoch() == "aaaa" {
        "2.bbbb"
    } else {
        "2.aaaa"
    };
    let ours = format!("2.{}", served.epoch());
    let gone = "0";
    for (id, first) in [
        ("2", "3"),
        (&*ours, "3"),
        ("x", gone),
        ("-1", gone),
        ("9", gone),
        (other, gone),
        ("\u{fc}", gone),
    ] {
        let request = format!("GET /sse?after=1 HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: {id}\r\n\r\n");
        let mut raw = served.say(request);
        assert_eq!(raw.head().status, 200);
        let mut heard = Vec::new();
        while !heard.ends_with(b"\nid: ") {
            heard.extend(raw.read(1));
        }
        assert_eq!(raw.read(1), first.as_bytes(), "Last-Event-ID: {id}");
    }
    served.finish();
}

#[test]
fn shutdown_ends_an_event_stream_with_the_last_chunk() {
    let served = start("sse");
    served.post(10);
    let mut raw = served.say(request("sse"));
    assert_eq!(raw.head().status, 200);
    until("the client waits", || served.mailbox.watchers() == 1);
    served.shut_down();
    let rest = raw.rest();
    assert!(
        rest.ends_with(b"}\n\n\r\n0\r\n\r\n"),
        "{}",
        String::from_utf8_lossy(&rest)
    );
    served.stop();
}

#[test]
fn shutdown_answers_a_long_poll() {
    let served = Served::start(
        "long-poll",
        short(),
        Scenario {
            hold_ms: 600_000.0,
            ..scenario()
        },
    );
    let mut raw = served.say(request("long-poll"));
    until("the client waits", || served.mailbox.watchers() == 1);
    served.shut_down();
    assert_eq!(raw.answer().status, 204);
    assert_eq!(raw.rest(), b"");
    served.stop();
}

#[test]
fn shutdown_closes_a_websocket_with_its_handshake() {
    let served = start("ws");
    let mut raw = served.say(handshake(""));
    assert_eq!(raw.head().status, 101);
    until("the client waits", || served.mailbox.watchers() == 1);
    served.shut_down();
    // 1001, going away: said by the server, repeated by the client, masked.
    assert_eq!(raw.read(4), [0x88, 2, 3, 0xE9]);
    assert_eq!(served.ledger.open(), 1);
    raw.say([0x88, 0x82, 0, 0, 0, 0, 3, 0xE9]);
    assert_eq!(raw.rest(), b"");
    drop(raw);
    let totals = served.stop();
    assert_eq!((totals.tally.up.control, totals.tally.down.control), (8, 4));
}

#[test]
fn shutdown_ends_idle_connections_and_answers_a_last_request() {
    for technique in technique::ALL {
        let served = Served::start(technique.name, patient(), scenario());
        let request = get("/nowhere");
        let mut half = served.say(&request[..9]);
        until("it is heard", || served.ledger.bytes() == 9);
        let mut idle = served.say(&request);
        assert_eq!(idle.answer().status, 404);
        served.shut_down();
        assert_eq!(idle.rest(), b"");
        half.say(&request[9..]);
        assert_eq!(half.answer().status, 404);
        assert_eq!(half.rest(), b"");
        served.stop();
    }
}

#[test]
fn shutdown_cuts_what_does_not_end() {
    let served = Served::start("ws", patient(), scenario());
    let mut half = served.say("GET /");
    // A WebSocket client that never answers the close frame.
    let mut deaf = served.say(handshake(""));
    assert_eq!(deaf.head().status, 101);
    until("both are there", || {
        served.ledger.open() == 2 && served.mailbox.watchers() == 1
    });
    let ledger = served.ledger.clone();
    served.stop();
    assert_eq!((half.rest(), deaf.rest()), (vec![], vec![0x88, 2, 3, 0xE9]));
    assert_eq!(ledger.open(), 0);
}

#[test]
fn head_is_get_without_a_body() {
    for technique in LISTS {
        let served = start(technique);
        served.post(10);
        let mut raw = served.connect();
        for _ in 0..2 {
            raw.say(request(technique).replace("GET", "HEAD"));
            let answer = raw.head();
            assert_eq!(answer.status, 200, "{technique}");
            assert_eq!(
                technique == "sse",
                !answer.head.contains("content-length: 5"),
                "{}",
                answer.head
            );
        }
        raw.say(get("/nowhere"));
        assert_eq!(raw.answer().status, 404, "{technique}: nothing came in between");
        assert_eq!(served.stop().tally.messages_down, 0, "{technique}");
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    for technique in ["poll", "long-poll"] {
        let served = start(technique);
        (0..3).for_each(|_| served.post(10));
        let ask = |after| get(&format!("/{technique}?after={after}"));
        let mut raw = served.say([ask(0), ask(1), ask(2), get("/nowhere")].concat());
        for first in 1..=3 {
            let body = raw.answer().body;
            assert!(
                body.starts_with(format!(r#"[{{"id":{first},"#).as_bytes()),
                "{technique}"
            );
        }
        assert_eq!(raw.answer().status, 404);
        served.finish();
    }
}

#[test]
fn an_http_1_0_client_is_served() {
    for technique in LISTS {
        let served = start(technique);
        served.post(10);
        let epoch = served.epoch();
        let mut raw = served.say(request(technique).replace("HTTP/1.1", "HTTP/1.0"));
        let answer = raw.head();
        assert_eq!(answer.status, 200);
        assert!(!answer.head.contains("chunked"), "{technique}: {}", answer.head);
        if technique == "sse" {
            served.shut_down();
            assert!(
                raw.rest()
                    .starts_with(format!("retry: 200\n\nid: 1.{epoch}\ndata: {{").as_bytes())
            );
            served.stop();
        } else {
            assert!(raw.rest().starts_with(br#"[{"id":1,"#));
            served.finish();
        }
    }
}

#[test]
fn an_expectation_is_met_before_the_body() {
    for technique in LISTS {
        let served = start(technique);
        let mut raw = served.say(post("Expect: 100-continue\r\nContent-Length: 10\r\n", ""));
        assert_eq!(raw.head().status, 100, "{technique}");
        raw.say(r#"{"read":1}"#);
        assert_eq!(raw.answer().status, 204, "{technique}");
        assert_eq!(*served.replies.borrow(), 1);
        served.finish();
    }
}

/// RFC 9112, section 3.2; that of HTTP/1.0 need have none.
#[test]
fn a_request_names_its_host_once() {
    for technique in technique::ALL
        .iter()
        .filter(|t| matches!(t.serve, Serve::Http(_)))
    {
        let served = start(technique.name);
        let open = request(technique.name);
        let paths = ["/nowhere", "/read", "/poll?after=0"].map(get);
        for ask in [&open].into_iter().chain(&paths) {
            let with = |host: &str| ask.replacen("Host: localhost\r\n", host, 1);
            for host in [
                "",
                "Host: localhost\r\nHost: localhost\r\n",
                "Host: localhost\r\nhost: evil.example\r\n",
                "Host:\r\n",
                "Host: localhost, localhost\r\n",
                "Host: a@localhost\r\n",
            ] {
                let refused = served.say(with(host)).answer();
                let why = String::from_utf8(refused.body).unwrap();
                assert_eq!(refused.status, 400, "{}: {ask} with {host:?}", technique.name);
                assert!(why.to_lowercase().contains("host"), "{}: {why}", technique.name);
            }
            let old = with("").replace("HTTP/1.1", "HTTP/1.0");
            let answer = served.say(old).head();
            // No protocol is changed in HTTP/1.0.
            let expected = ask == &open && answer.status == 400 && with("").contains("Upgrade");
            assert!(
                expected || [200, 204, 404, 405].contains(&answer.status),
                "{}: {ask}",
                technique.name
            );
            let twice = with("Host: localhost\r\nHost: localhost\r\n").replace("HTTP/1.1", "HTTP/1.0");
            assert_eq!(served.say(twice).head().status, 400, "{}: {ask}", technique.name);
        }
        served.finish();
    }
}

/// A client that ends its side behind its request (RFC 9112, section 9.6) gets what is ready, and nothing else is
/// kept for it.
#[test]
fn who_ends_its_side_behind_a_request_gets_what_is_ready() {
    for technique in LISTS {
        let long = Scenario {
            hold_ms: 600_000.0,
            heartbeat_ms: 0.0,
            ..Scenario::default()
        };
        let served = Served::start(technique, patient(), long);
        let ended = |request: String| {
            let raw = served.say(request);
            raw.stream.shutdown(Shutdown::Write).unwrap();
            raw
        };
        // Nothing is ready, and nobody waits until there is.
        assert_eq!(ended(get("/nowhere")).answer().status, 404);
        ended(request(technique)).rest();
        until("it is let go", || {
            served.mailbox.watchers() == 0 && served.ledger.open() == 0
        });
        // More than fits into the sockets' buffers, in one answer or in many pieces.
        (0..10).for_each(|_| served.post(6_000));
        let mut raw = ended(request(technique));
        assert_eq!(raw.head().status, 200, "{technique}");
        let rest = String::from_utf8(raw.rest()).unwrap();
        assert!(rest.contains("m".repeat(6_000).as_str()), "{technique}");
        let last = if technique == "sse" {
            "id: 10."
        } else {
            r#""id":10,"#
        };
        assert!(rest.contains(last), "{technique}: {:.100}", rest);
        let posted = post("Content-Length: 10\r\n", r#"{"read":1}"#);
        let mut raw = ended([posted.clone(), get("/nowhere"), posted].concat());
        assert_eq!(
            [204, 404, 204],
            [(); 3].map(|()| raw.answer().status),
            "{technique}"
        );
        assert_eq!(raw.rest(), b"", "{technique}");
        // Half a request, or half a body, is none.
        let mut raw = ended(get("/nowhere")[..20].into());
        assert!(!raw.rest().starts_with(b"HTTP/1.1 2"));
        let mut raw = ended(post("Content-Length: 10\r\n", r#"{"re"#));
        assert!(!raw.rest().starts_with(b"HTTP/1.1 2"));
        assert_eq!(*served.replies.borrow(), 2);
        served.finish();
    }
}

/// The answer reaches a client that reads only after it has sent all of a body that is refused (RFC 9112, section 9.6).
#[test]
fn a_refusal_survives_a_body_that_still_comes() {
    for (technique, target) in [("poll", "/read"), ("poll", "/say")] {
        let served = start(technique);
        for _ in 0..20 {
            let head = post("Content-Length: 500000\r\n", "").replace("/read", target);
            let mut raw = served.say(head);
            for _ in 0..50 {
                raw.say(" ".repeat(10_000));
                std::thread::yield_now();
            }
            assert_eq!(raw.answer().status, 413, "{target}");
        }
        served.finish();
    }
}

/// Who waits for leave to send a body that is not taken is refused at once (RFC 9110, section 10.1.1).
#[test]
fn a_body_that_is_too_large_is_not_invited() {
    let targets = [
        ("poll", "/read", 413),
        ("poll", "/say", 413),
        ("sockjs", "/sockjs/0/a/xhr_send", 413),
        ("sockjs", "/sockjs/0/a/jsonp_send", 413),
        ("poll", "/nowhere", 404),
        ("ws", "/ws", 405),
    ];
    for (technique, target, status) in targets {
        let served = start(technique);
        for length in [10_000_000_u64, u64::MAX / 4] {
            let head = post(
                &format!("Expect: 100-Continue\r\nContent-Length: {length}\r\n"),
                "",
            );
            let mut raw = served.say(head.replace("/read", target));
            assert_eq!(raw.answer().status, status, "{target}");
        }
        served.finish();
    }
    let served = start("socketio");
    let mut raw = served.say(get("/socket.io/?EIO=4&transport=polling"));
    let open = raw.answer().body;
    let open: serde_json::Value = serde_json::from_slice(&open[1..]).unwrap();
    let target = format!(
        "/socket.io/?EIO=4&transport=polling&sid={}",
        open["sid"].as_str().unwrap()
    );
    let head = post("Expect: 100-continue\r\nContent-Length: 10000000\r\n", "");
    raw.say(head.replace("/read", &target));
    assert_eq!(raw.answer().status, 413);
    served.finish();
}

/// RFC 9112, sections 6.1, 6.3 and 11.2.
#[test]
fn no_request_hides_in_another() {
    let hidden = get("/poll?after=0");
    let chunks = format!("a\r\n{{\"read\":1}}\r\n0\r\n\r\n{hidden}");
    // Where both lengths are given, chunked counts and nothing behind the body does.
    let ambiguous = [
        "Content-Length: 10\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    ];
    let refused = [
        "Content-Length: 10\r\nContent-Length: 11\r\n",
        "Content-Length: 10, 11\r\n",
        "Content-Length: +10\r\n",
        "Content-Length: 0x0a\r\n",
        "Content-Length : 10\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "X: y\r\n Transfer-Encoding: chunked\r\n",
        "X: y\rTransfer-Encoding: chunked\r\n",
    ];
    for technique in LISTS {
        let served = start(technique);
        for fields in ambiguous {
            let mut raw = served.say(post(fields, &chunks));
            assert_eq!(raw.answer().status, 204, "{technique}: {fields}");
            assert_eq!(raw.rest(), b"", "{technique}: {fields}");
        }
        for fields in refused {
            let mut raw = served.say(post(fields, &chunks));
            assert_eq!(raw.answer().status, 400, "{technique}: {fields}");
            assert_eq!(raw.rest(), b"", "{technique}: {fields}");
        }
        for fields in [
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: GZip\r\nTransfer-Encoding: Chunked\r\n",
            "Transfer-Encoding: identity, chunked\r\n",
        ] {
            let mut raw = served.say(post(fields, &chunks));
            assert_eq!(raw.answer().status, 501, "{technique}: {fields}");
            assert_eq!(raw.rest(), b"", "{technique}: {fields}");
        }
        for coding in ["chunked", "Chunked", "CHUNKED", ", chunked"] {
            let chunked = chunks.split_once(&hidden).unwrap().0;
            let mut raw = served.say(post(&format!("Transfer-Encoding: {coding}\r\n"), chunked));
            assert_eq!(raw.answer().status, 204, "{technique}: {coding}");
        }
        let old =
            post("Transfer-Encoding: chunked\r\n", &chunks).replace("HTTP/1.1\r\nHost", "HTTP/1.0\r\nHost");
        let mut raw = served.say(old);
        assert_eq!(raw.answer().status, 400, "{technique}: chunked in HTTP/1.0");
        assert_eq!(raw.rest(), b"");
        assert_eq!(*served.replies.borrow(), 6);
        served.finish();
    }
}

#[test]
fn what_is_no_http_is_hung_up_on() {
    let strange: [&[u8]; 4] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS ClientHello\r\n\r\n",
        b"\0\0\0\0\0\0\0\0\r\n\r\n",
        b"EHLO example.org\r\n\r\n",
        b"GET /poll HTTP/1.1\nHost localhost\n\n",
    ];
    for technique in technique::ALL {
        let served = start(technique.name);
        for bytes in strange {
            let answer = served.say(bytes).rest();
            assert!(
                answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"),
                "{}",
                answer.escape_ascii()
            );
        }
        served.finish();
    }
}
