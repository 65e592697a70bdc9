//! The servers are servers over HTTP/2 (RFC 9113) and TLS too: what they put up with, what they don't,
//! and how they end. Frames are written and read by hand, by clients as careless or as hostile as
//! clients are.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use httlib_hpack::Decoder;
use mailcall::lab::server::Limits;
use mailcall::link::tls;
use mailcall::outcome::{HttpVersion, Scenario};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConnection, StreamOwned};

use crate::support::serving;
use crate::support::serving::{PATIENCE, Raw, SHORT, Served, patient, short, until};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// Types of frames, section 6, and flags.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

const SCENARIO: fn() -> Scenario = || Scenario {
    hold_ms: 100.0,
    ..Scenario::default()
};

fn start(technique: &str, limits: Limits) -> Served {
    Served::start(technique, limits, SCENARIO())
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let mut frame = [&length[1..], &[kind, flags]].concat();
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Fields, none of them compressed (RFC 7541, section 6.2.2).
fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            // A length with a prefix of 7 bits, section 5.1.
            let mut length = text.len();
            if length < 127 {
                block.push(length as u8);
            } else {
                block.push(127);
                length -= 127;
                while length >= 128 {
                    block.push(length as u8 | 128);
                    length >>= 7;
                }
                block.push(length as u8);
            }
            block.extend(text.as_bytes());
        }
    }
    block
}

fn request<'a>(method: &'a str, path: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        (":method", method),
        (":scheme", "http"),
        (":path", path),
        (":authority", "localhost"),
    ]
}

fn ask(stream: u32, method: &str, path: &str) -> Vec<u8> {
    frame(
        HEADERS,
        END_HEADERS | END_STREAM,
        stream,
        &fields(&request(method, path)),
    )
}

/// The opening handshake of RFC 8441, section 5.
fn handshake(stream: u32, more: &[(&str, &str)]) -> Vec<u8> {
    let mut head = request("CONNECT", "/ws?after=0");
    head.push((":protocol", "websocket"));
    head.push(("sec-websocket-version", "13"));
    head.extend(more);
    frame(HEADERS, END_HEADERS, stream, &fields(&head))
}

/// What opens a technique's stream, or asks its question, on stream 1.
fn opening(technique: &str) -> Vec<u8> {
    match technique {
        "ws" => handshake(1, &[]),
        _ => ask(1, "GET", &format!("/{technique}?after=0")),
    }
}

#[derive(Debug)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

/// A client's end of an HTTP/2 connection.
struct Http2 {
    raw: Raw,
    hpack: Decoder<'static>,
}

impl Http2 {
    fn open(served: &Served) -> Http2 {
        let mut raw = served.connect();
        raw.say([PREFACE, &frame(SETTINGS, 0, 0, b"")].concat());
        Http2 {
            raw,
            hpack: Decoder::default(),
        }
    }

    fn say(&mut self, frame: Vec<u8>) {
        self.raw.say(frame);
    }

    /// The next frame, whatever it is.
    fn next(&mut self) -> Frame {
        let head = self.raw.read(9);
        let number = |bytes: &[u8]| bytes.iter().fold(0, |n, b| n << 8 | u32::from(*b));
        Frame {
            payload: self.raw.read(number(&head[..3]) as usize),
            kind: head[3],
            flags: head[4],
            stream: number(&head[5..]),
        }
    }

    /// Every frame up to the end of the connection; PINGs are answered.
    fn rest(&mut self) -> Vec<Frame> {
        let mut rest = Vec::new();
        while self.raw.stream.peek(&mut [0]).is_ok_and(|n| n > 0) {
            rest.push(self.next());
            self.pong(rest.last().expect("one was pushed"));
        }
        rest
    }

    fn pong(&mut self, ping: &Frame) {
        if ping.kind == PING && ping.flags & ACK == 0 {
            self.raw.try_say(frame(PING, ACK, 0, &ping.payload));
        }
    }

    /// The next frame of a kind; PINGs on the way are answered.
    fn until(&mut self, kind: u8) -> Frame {
        loop {
            let frame = self.next();
            if frame.kind == kind {
                return frame;
            }
            self.pong(&frame);
        }
    }

    /// The next answer's status.
    fn status(&mut self) -> u16 {
        let mut block = self.until(HEADERS).payload;
        let mut list = Vec::new();
        self.hpack.decode(&mut block, &mut list).unwrap();
        let status = list.iter().find(|(name, ..)| name == b":status").unwrap();
        String::from_utf8_lossy(&status.1).parse().unwrap()
    }
}

// ---- who is slow, or silent ------------------------------------------------------------------------

#[test]
fn who_never_finishes_a_preface_is_not_waited_for() {
    for technique in serving::bare() {
        let served = start(technique.name, short());
        let mut half = served.say(&PREFACE[..10]);
        assert_eq!(half.rest(), b"", "{}", technique.name);
        served.finish();
    }
}

/// It is half a request, so it has a request's time, and not that of answers too.
#[test]
fn a_preface_alone_is_cut_like_any_half_request() {
    let limits = Limits {
        stall: 2 * PATIENCE,
        ..short()
    };
    for opening in [PREFACE.to_vec(), [PREFACE, &frame(SETTINGS, 0, 0, b"")].concat()] {
        let served = start("poll", limits);
        let silent = served.say(opening);
        until("it is closed", || served.ledger.open() == 0);
        drop(silent);
        served.finish();
    }
}

#[test]
fn an_idle_connection_is_ended_in_order() {
    for technique in serving::bare() {
        let served = start(technique.name, short());
        let mut client = Http2::open(&served);
        let goaway = client.until(GOAWAY);
        assert_eq!(goaway.payload[4..8], [0; 4], "NO_ERROR");
        client.until(GOAWAY);
        client.raw.rest();
        served.finish();
    }
}

/// A client that is told to leave and never says goodbye is not waited for.
#[test]
fn an_idle_connection_is_ended_whatever_its_client_does() {
    let silent: fn(&mut Http2) = |_| {};
    let half_asked: fn(&mut Http2) = |client| {
        let block = fields(&request("GET", "/"));
        client.say(frame(HEADERS, END_STREAM, 1, &block[..9]));
    };
    for behave in [silent, half_asked] {
        let served = start("poll", short());
        let mut client = Http2::open(&served);
        behave(&mut client);
        until("it is closed", || served.ledger.open() == 0);
        served.finish();
    }
    // One that goes on pinging does not keep it open either.
    let served = start("poll", short());
    let mut client = Http2::open(&served);
    let deadline = Instant::now() + PATIENCE;
    while client.raw.try_say(frame(PING, 0, 0, b"mailcall")) {
        assert!(Instant::now() < deadline, "the server listens for ever");
        std::thread::yield_now();
    }
    served.finish();
}

#[test]
fn a_connection_is_idle_again_after_its_websockets() {
    // One that was refused, one that was closed, and one whose client reset it.
    for end in [
        None,
        Some(frame(DATA, END_STREAM, 1, &[0x88, 0x82, 0, 0, 0, 0, 3, 0xE8])),
        Some(frame(RST_STREAM, 0, 1, &8_u32.to_be_bytes())),
    ] {
        let served = start("ws", short());
        let mut client = Http2::open(&served);
        match &end {
            None => client.say(handshake(1, &[("origin", "http://evil.example")])),
            Some(_) => client.say(handshake(1, &[])),
        }
        assert_eq!(client.status(), if end.is_some() { 200 } else { 403 });
        end.into_iter().for_each(|end| client.say(end));
        client.until(GOAWAY);
        until("it is closed", || served.ledger.open() == 0);
        served.finish();
    }
}

#[test]
fn an_open_stream_keeps_its_connection() {
    for technique in ["sse", "ws"] {
        let served = start(technique, short());
        let mut client = Http2::open(&served);
        client.say(opening(technique));
        assert_eq!(client.status(), 200);
        std::thread::sleep(SHORT * 2);
        served.post(10);
        let mail = br#""body":"mmmmmmmmmm"}"#;
        while !client
            .until(DATA)
            .payload
            .windows(mail.len())
            .any(|bytes| bytes == mail)
        {}
        drop(client);
        served.finish();
    }
}

/// Its socket is read, its windows are never opened again (RFC 9113, section 5.2).
#[test]
fn who_never_opens_its_window_is_cut_off() {
    for technique in ["poll", "long-poll", "sse", "ws"] {
        let scenario = Scenario {
            heartbeat_ms: 200.0,
            ..SCENARIO()
        };
        let served = Served::start(technique, short(), scenario);
        (0..32).for_each(|_| served.post(16 * 1024));
        let mut client = Http2::open(&served);
        client.say(opening(technique));
        assert_eq!(client.status(), 200);
        let deadline = Instant::now() + PATIENCE;
        while served.ledger.open() == 1 {
            assert!(Instant::now() < deadline, "{technique} waits for ever");
            // Whoever answers PINGs is there, and still does not take what it asked for.
            client.raw.try_say(frame(PING, 0, 0, b"mailcall"));
            std::thread::sleep(Duration::from_millis(5));
        }
        served.finish();
    }
}

#[test]
fn who_resets_all_it_asks_for_is_hung_up_on() {
    for technique in ["poll", "long-poll", "sse"] {
        let served = start(technique, patient());
        let mut client = Http2::open(&served);
        let path = format!("/{technique}?after=0");
        let mut stream = 1;
        while stream < 200_000 {
            let cancel = frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes());
            if !client.raw.try_say([ask(stream, "GET", &path), cancel].concat()) {
                break;
            }
            stream += 2;
        }
        assert!(stream < 200_000, "{technique} puts up with it");
        served.finish();
    }
}

#[test]
fn who_pings_and_never_reads_is_not_heard_for_long() {
    let served = start("poll", short());
    let mut client = Http2::open(&served);
    client
        .raw
        .stream
        .set_write_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    let pings = frame(PING, 0, 0, b"mailcall").repeat(1_000);
    while client.raw.stream.write_all(&pings).is_ok() {
        assert!(served.ledger.bytes() < 48 << 20, "it hears them all");
    }
    served.finish();
}

// ---- what is too much, or wrong --------------------------------------------------------------------

#[test]
fn heads_are_limited() {
    let huge = "y".repeat(100_000);
    for technique in serving::bare() {
        let served = start(technique.name, patient());
        let mut client = Http2::open(&served);
        let mut head = request("GET", "/poll");
        head.push(("x", &huge));
        let block = fields(&head);
        let mut pieces = block.chunks(16_384).peekable();
        let (mut kind, mut flags) = (HEADERS, END_STREAM);
        while let Some(piece) = pieces.next() {
            let last = if pieces.peek().is_none() { END_HEADERS } else { 0 };
            client.raw.try_say(frame(kind, flags | last, 1, piece));
            (kind, flags) = (CONTINUATION, 0);
        }
        assert_eq!(client.status(), 431, "{}", technique.name);
        served.finish();
    }
}

#[test]
fn a_head_that_never_ends_is_hung_up_on() {
    let served = start("poll", patient());
    let mut client = Http2::open(&served);
    client.say(frame(HEADERS, END_STREAM, 1, &fields(&request("GET", "/"))));
    let piece = frame(CONTINUATION, 0, 1, &fields(&[("x", &"y".repeat(10_000))]));
    let deadline = Instant::now() + PATIENCE;
    while client.raw.try_say(&piece) {
        assert!(Instant::now() < deadline, "the server listens for ever");
    }
    served.finish();
}

#[test]
fn bodies_are_limited_in_size_and_time() {
    let json = |stream: u32| {
        let mut head = request("POST", "/read");
        head.push(("content-type", "application/json"));
        frame(HEADERS, END_HEADERS, stream, &fields(&head))
    };
    let served = Served::with_body_timeout("poll", patient(), SCENARIO(), SHORT);
    let mut client = Http2::open(&served);
    let spaces = [b' '; 13_000];
    // The window is open this far: 65,535.
    client.say(json(1));
    for _ in 0..5 {
        client.say(frame(DATA, 0, 1, &spaces));
    }
    client.say(json(3));
    assert_eq!(client.status(), 408);
    client.say(json(5));
    client.say(frame(DATA, END_STREAM, 5, br#"{"read":1}"#));
    let statuses = [client.status(), client.status()];
    assert!(statuses == [408, 204] || statuses == [204, 408], "{statuses:?}");
    assert_eq!(*served.replies.borrow(), 1);
    drop(client);
    served.finish();
}

#[test]
fn what_is_no_request_of_ours_is_refused() {
    let served = start("ws", patient());
    let mut client = Http2::open(&served);
    // A page whose name was resolved to this server all of a sudden.
    let rebound = |stream, method| {
        let mut head = request(method, "/ws?after=0");
        head[3].1 = "evil.example";
        if method == "CONNECT" {
            head.push((":protocol", "websocket"));
        }
        head.extend([("sec-websocket-version", "13"), ("origin", "http://evil.example")]);
        let end = if method == "GET" { END_STREAM } else { 0 };
        frame(HEADERS, END_HEADERS | end, stream, &fields(&head))
    };
    let connect = |stream, protocol, version| {
        let mut head = request("CONNECT", "/ws?after=0");
        head.push((":protocol", protocol));
        head.push(("sec-websocket-version", version));
        frame(HEADERS, END_HEADERS, stream, &fields(&head))
    };
    let cases = [
        (501, connect(1, "connect-udp", "13")),
        (400, connect(3, "websocket", "8")),
        (403, handshake(5, &[("origin", "http://evil.example")])),
        (403, handshake(7, &[("origin", "null")])),
        (405, ask(9, "POST", "/ws?after=0")),
        (404, ask(11, "GET", "/nowhere")),
        (426, ask(13, "GET", "/ws?after=0")),
        (200, handshake(15, &[("origin", "http://localhost")])),
        (403, handshake(17, &[("sec-fetch-site", "cross-site")])),
        (403, rebound(19, "CONNECT")),
        (403, rebound(21, "GET")),
        (200, connect(23, "WebSocket", "13")),
    ];
    for (status, frames) in cases {
        client.say(frames);
        assert_eq!(client.status(), status);
    }
    drop(client);
    served.finish();
}

#[test]
fn head_is_get_without_a_body() {
    for technique in ["poll", "long-poll", "sse"] {
        let served = start(technique, patient());
        served.post(10);
        let mut client = Http2::open(&served);
        client.say(ask(1, "HEAD", &format!("/{technique}?after=0")));
        assert_eq!(client.status(), 200);
        client.say(ask(3, "GET", "/nowhere"));
        assert_eq!(client.status(), 404, "{technique}: nothing came in between");
        drop(client);
        assert_eq!(served.stop().tally.messages_down, 0);
    }
}

/// RFC 9113, sections 8.1, 8.2 and 8.3: a stream error, and no harm to other streams.
#[test]
fn a_request_with_trailers_that_are_none_is_refused() {
    let wrong: [&[(&str, &str)]; 8] = [
        &[(":method", "POST")],
        &[(":path", "/read"), ("x", "y")],
        &[("x", "y"), (":path", "/read")],
        &[(":status", "200")],
        &[("connection", "close")],
        &[("transfer-encoding", "chunked")],
        &[("te", "gzip")],
        &[("upgrade", "websocket")],
    ];
    let served = start("poll", patient());
    let mut client = Http2::open(&served);
    let mut stream = 1;
    let mut post = |client: &mut Http2, trailers: &[(&str, &str)], flags| {
        let mut head = request("POST", "/read");
        head.push(("content-type", "application/json"));
        client.say(frame(HEADERS, END_HEADERS, stream, &fields(&head)));
        client.say(frame(DATA, 0, stream, br#"{"read":1}"#));
        client.say(frame(HEADERS, flags, stream, &fields(trailers)));
        stream += 2;
        stream - 2
    };
    for trailers in wrong {
        let posted = post(&mut client, trailers, END_HEADERS | END_STREAM);
        let reset = client.until(RST_STREAM);
        assert_eq!(
            (reset.stream, &reset.payload[..]),
            (posted, &[0, 0, 0, 1][..]),
            "{trailers:?}"
        );
    }
    let posted = post(&mut client, &[("x", "y")], END_HEADERS);
    assert_eq!(
        client.until(RST_STREAM).stream,
        posted,
        "trailers end their stream"
    );
    for trailers in [
        &[("x", "y")][..],
        &[("grpc-status", "0"), ("te", "trailers")],
        &[],
    ] {
        post(&mut client, trailers, END_HEADERS | END_STREAM);
        assert_eq!(client.status(), 204, "{trailers:?}");
    }
    assert_eq!(*served.replies.borrow(), 3);
    drop(client);
    served.finish();
}

#[test]
fn a_request_names_its_host_once() {
    let served = start("poll", patient());
    let mut client = Http2::open(&served);
    let bare = || request("GET", "/poll?after=0")[..3].to_vec();
    let cases: [(&[(&str, &str)], u16); 5] = [
        (&[], 400),
        (&[("host", "localhost")], 204),
        (&[(":authority", "localhost"), ("host", "localhost")], 204),
        (&[("host", "localhost"), ("host", "localhost")], 400),
        (&[(":authority", "localhost"), ("host", "evil.example")], 403),
    ];
    for (stream, (more, status)) in (1..).step_by(2).zip(cases) {
        let head = [bare(), more.to_vec()].concat();
        client.say(frame(HEADERS, END_HEADERS | END_STREAM, stream, &fields(&head)));
        assert_eq!(client.status(), status, "{more:?}");
    }
    drop(client);
    served.finish();
}

#[test]
fn a_head_may_have_64_kib_and_no_more() {
    const LIMIT: usize = 64 * 1024;
    let served = start("poll", patient());
    let mut client = Http2::open(&served);
    let bare = request("GET", "/nowhere");
    // Each field counts 32 bytes more than its name and value have (RFC 9113, section 6.5.2).
    let size: usize = bare
        .iter()
        .map(|(name, value)| name.len() + value.len() + 32)
        .sum();
    for (stream, (total, status)) in [(LIMIT - 1, 404), (LIMIT + 1, 431)].into_iter().enumerate() {
        let stream = stream as u32 * 2 + 1;
        let long = "y".repeat(total - size - 33);
        let head = [&bare[..], &[("x", &long)]].concat();
        let block = fields(&head);
        let pieces: Vec<&[u8]> = block.chunks(16_384).collect();
        for (n, piece) in pieces.iter().enumerate() {
            let (kind, flags) = if n == 0 {
                (HEADERS, END_STREAM)
            } else {
                (CONTINUATION, 0)
            };
            let last = if n + 1 == pieces.len() { END_HEADERS } else { 0 };
            client.say(frame(kind, flags | last, stream, piece));
        }
        assert_eq!(client.status(), status, "{total}");
    }
    drop(client);
    served.finish();
}

// ---- how it ends -----------------------------------------------------------------------------------

#[test]
fn shutdown_ends_open_streams_in_order() {
    let scenario = Scenario {
        hold_ms: 600_000.0,
        ..SCENARIO()
    };
    for technique in ["long-poll", "sse", "ws"] {
        let served = Served::start(technique, patient(), scenario.clone());
        let mut client = Http2::open(&served);
        client.say(opening(technique));
        until("the client waits", || served.mailbox.watchers() == 1);
        served.shut_down();
        if technique == "ws" {
            // 1001, going away: said by the server, repeated by the client, masked.
            assert_eq!(client.until(DATA).payload, [0x88, 2, 3, 0xE9]);
            client.say(frame(DATA, END_STREAM, 1, &[0x88, 0x82, 0, 0, 0, 0, 3, 0xE9]));
        }
        let rest = client.rest();
        let of_stream: Vec<_> = rest.iter().filter(|frame| frame.stream == 1).collect();
        let last = of_stream.last().unwrap();
        assert_eq!(
            (last.kind == RST_STREAM, last.flags & END_STREAM),
            (false, END_STREAM),
            "{rest:?}"
        );
        // The last stream that was heard of, and NO_ERROR.
        let goaway = rest.iter().rfind(|frame| frame.kind == GOAWAY).unwrap();
        assert_eq!(goaway.payload[..8], [0, 0, 0, 1, 0, 0, 0, 0], "{technique}");
        served.stop();
    }
}

// ---- TLS -------------------------------------------------------------------------------------------

/// A client's handshake, as far as it goes without the server.
fn hello(authority: &str) -> (ClientConnection, Vec<u8>) {
    let config = tls::client(authority, vec![tls::alpn(HttpVersion::Http2)]).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    (client, hello)
}

#[test]
fn who_never_finishes_a_tls_handshake_is_not_waited_for() {
    for technique in serving::bare() {
        let (served, authority) = Served::encrypted(technique.name, short(), SCENARIO());
        let (_, hello) = hello(&authority);
        let silent = served.connect();
        let half = served.say(&hello[..hello.len() / 2]);
        let unfinished = served.say(&hello);
        until("all are there", || served.ledger.opened() == 3);
        until("all are gone", || served.ledger.open() == 0);
        drop((silent, half, unfinished));
        assert_eq!(served.stop().tally.requests, 0);
    }
}

#[test]
fn what_is_no_tls_is_hung_up_on() {
    for technique in serving::bare() {
        let (served, _) = Served::encrypted(technique.name, patient(), SCENARIO());
        for said in [
            &b"GET /poll HTTP/1.1\r\nHost: localhost\r\n\r\n"[..],
            PREFACE,
            &[22; 64],
        ] {
            // An alert at most (RFC 8446, section 6).
            let rest = served.say(said).rest();
            assert!(rest.is_empty() || rest[0] == 21, "{}", rest.escape_ascii());
        }
        assert_eq!(served.stop().tally.requests, 0);
    }
}

#[test]
fn who_says_nothing_behind_the_handshake_is_not_waited_for() {
    for technique in serving::bare() {
        let (served, authority) = Served::encrypted(technique.name, short(), SCENARIO());
        for said in [&b""[..], &PREFACE[..10], b"GET / HT"] {
            let (client, hello) = hello(&authority);
            let mut tls = StreamOwned::new(client, served.say(hello).stream);
            tls.write_all(said).unwrap();
            tls.flush().unwrap();
            assert_eq!(tls.conn.alpn_protocol(), Some(&b"h2"[..]));
            until("it is gone", || served.ledger.open() == 0);
        }
        assert_eq!(served.stop().tally.requests, 0);
    }
}
