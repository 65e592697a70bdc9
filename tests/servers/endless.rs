//! Clients under servers that never end what they say: reading stops at the limit that all readers share, the
//! client says so and does not ask again.

use crate::support;
#[cfg(unix)]
use crate::support::served;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mailcall::outcome::{Over, Scenario};
use mailcall::technique::limit::{MAX_MESSAGE, is_exceeded};
use mailcall::technique::talk::MessageQueue;
use mailcall::technique::{self, Client, Headers, Inbox, Origin, Start};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_util::sync::CancellationToken;

/// What is said once, and what is said again and again after it.
struct Saying {
    once: Vec<u8>,
    again: Vec<u8>,
}

/// Bytes that are said at once.
const PIECE: usize = 1 << 20;

/// More than a limit by what may be under way in buffers.
const UNDER_WAY: u64 = 32 << 20;

fn endless(once: impl Into<Vec<u8>>, again: impl Into<Vec<u8>>) -> Saying {
    let (once, again) = (once.into(), again.into());
    Saying { once, again }
}

/// A head, and a body that is said to be as long as nothing is.
fn huge(kind: &str) -> Saying {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: 1000000000000\r\n\r\n");
    endless(head, vec![b' '; PIECE])
}

/// A head, what the body begins with, and chunks without end.
fn chunked(kind: &str, first: &str, again: &[u8]) -> Saying {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n");
    let first = match first.len() {
        0 => String::new(),
        length => format!("{length:x}\r\n{first}\r\n"),
    };
    let again = [format!("{:x}\r\n", again.len()).as_bytes(), again, b"\r\n"].concat();
    endless(head + &first, again)
}

fn header() -> Saying {
    endless("HTTP/1.1 200 OK\r\nX: ", vec![b'x'; PIECE])
}

/// An accepted WebSocket, and then one frame, or fragments of one message.
fn websocket(request: &str, first: &[u8], frames: &[u8]) -> Saying {
    let field = |name: &str| {
        let mut lines = request.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    };
    let accept = derive_accept_key(field("sec-websocket-key").unwrap().as_bytes());
    let chosen = field("sec-websocket-protocol").and_then(|offered| offered.split(',').next());
    let protocol = chosen
        .map(|p| format!("Sec-WebSocket-Protocol: {p}\r\n"))
        .unwrap_or_default();
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{protocol}Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    endless([head.as_bytes(), first].concat(), frames)
}

/// A frame of `x`, unmasked, as servers send them (RFC 6455, section 5.2).
fn frame(first: u8, length: usize) -> Vec<u8> {
    let mut frame = vec![first, 127];
    frame.extend((length as u64).to_be_bytes());
    frame.resize(frame.len() + length, b'x');
    frame
}

fn claim(length: u64) -> Vec<u8> {
    [&[0x81, 127][..], &length.to_be_bytes()].concat()
}

/// What a server answers to a request; `None` is silence.
type Answer = fn(&str) -> Option<Saying>;

/// Serves until dropped; counts the requests, and what went out.
fn serve(answer: Answer) -> (String, Arc<AtomicUsize>, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let authority = listener.local_addr().unwrap().to_string();
    let (requests, sent) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicU64::new(0)));
    let (counted, weighed) = (requests.clone(), sent.clone());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (counted, weighed) = (counted.clone(), weighed.clone());
            // Each until its client leaves, and longer than a limit no one listens.
            std::thread::spawn(move || talk(stream.unwrap(), answer, &counted, &weighed));
        }
    });
    (authority, requests, sent)
}

fn talk(mut stream: TcpStream, answer: Answer, requests: &AtomicUsize, sent: &AtomicU64) -> Option<()> {
    stream.set_write_timeout(Some(support::PATIENCE)).unwrap();
    loop {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            (stream.read(&mut byte).ok()? == 1).then(|| request.push(byte[0]))?;
        }
        let request = String::from_utf8(request).unwrap();
        let body = request
            .to_lowercase()
            .split("content-length: ")
            .nth(1)
            .map(|rest| rest.split('\r').next().unwrap().parse().unwrap());
        stream.read_exact(&mut vec![0; body.unwrap_or(0)]).ok()?;
        let Saying { once, again } = answer(&request)?;
        if !again.is_empty() {
            requests.fetch_add(1, Ordering::SeqCst);
        }
        stream.write_all(&once).ok()?;
        while !again.is_empty() && sent.load(Ordering::SeqCst) < 4 * MAX_MESSAGE as u64 {
            stream.write_all(&again).ok()?;
            sent.fetch_add(again.len() as u64, Ordering::SeqCst);
        }
    }
}

/// Runs our client under such a server until it gives up by itself; its error must name the limit.
fn gives_up(technique: &str, over: Over, what: &str, answer: Answer) {
    gives_up_after(1, technique, over, what, answer);
}

/// The same after at most `most` requests for mail.
fn gives_up_after(most: usize, technique: &str, over: Over, what: &str, answer: Answer) {
    let (authority, requests, sent) = serve(answer);
    let (_keep, known) = tokio::sync::watch::channel(Some(Instant::now()));
    let start = Start::new(known);
    let client = Client {
        number: 0,
        origin: Origin::plain(authority),
        network: Default::default(),
        tab: Default::default(),
        cookies: Default::default(),
        tls: None,
        scenario: Arc::new(Scenario {
            over,
            ..Scenario::default()
        }),
        headers: Arc::new(Headers::load("lean").unwrap()),
        inbox: Inbox::new(
            vec![Duration::ZERO].into(),
            start.clone(),
            0,
            tokio::sync::watch::Sender::new(0),
        ),
        messages: MessageQueue::default(),
        outbox: None,
        start,
        reconnect: Default::default(),
        stop: CancellationToken::new(),
    };
    let inbox = client.inbox.clone();
    let run = technique::named(technique).unwrap().client;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let ended = runtime.block_on(async { tokio::time::timeout(support::PATIENCE, run(client)).await });
    let trouble = inbox.record().trouble;
    let error = ended
        .unwrap_or_else(|_| panic!("{technique}, {what}: it goes on; {trouble:?}"))
        .unwrap_err();
    assert!(is_exceeded(&error), "{technique}, {what}: {error:#}");
    assert!(trouble.is_some(), "{technique}, {what}");
    let requests = requests.load(Ordering::SeqCst);
    assert!(
        (1..=most).contains(&requests),
        "{technique}, {what}: it asked {requests} times"
    );
    let sent = sent.load(Ordering::SeqCst);
    assert!(
        sent <= MAX_MESSAGE as u64 + UNDER_WAY,
        "{technique}, {what}: {sent} bytes"
    );
}

const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";
const PLAIN: &str = "text/plain; charset=UTF-8";

#[test]
fn a_list_without_end() {
    for technique in ["poll", "long-poll"] {
        gives_up(technique, Over::Ws, "a huge length", |_| Some(huge(JSON)));
        gives_up(technique, Over::Ws, "chunks", |_| {
            Some(chunked(JSON, "[", &[b' '; PIECE]))
        });
    }
}

#[test]
fn an_event_without_end() {
    gives_up("sse", Over::Ws, "one line", |_| {
        Some(chunked(EVENTS, "data: ", &[b'x'; PIECE]))
    });
    gives_up("sse", Over::Ws, "a field's name", |_| {
        Some(chunked(EVENTS, "", &[b'x'; PIECE]))
    });
    gives_up("sse", Over::Ws, "a comment", |_| {
        Some(chunked(EVENTS, ":", &[b'x'; PIECE]))
    });
    gives_up("sse", Over::Ws, "one event", |_| {
        Some(chunked(
            EVENTS,
            "",
            b"data: 123456789\n".repeat(PIECE / 16).as_slice(),
        ))
    });
    gives_up("sse", Over::Ws, "a huge length", |_| Some(huge(EVENTS)));
}

#[test]
fn a_message_without_end() {
    gives_up("ws", Over::Ws, "a huge frame", |r| {
        Some(websocket(r, &[], &claim(1 << 62)))
    });
    gives_up("ws", Over::Ws, "fragments", |r| {
        Some(websocket(r, &frame(0x01, 1), &frame(0x00, PIECE)))
    });
    gives_up("stomp", Over::Ws, "a huge frame", |r| {
        Some(websocket(r, &[], &claim(1 << 62)))
    });
    gives_up("stomp", Over::Ws, "fragments", |r| {
        Some(websocket(r, &frame(0x01, 1), &frame(0x00, PIECE)))
    });
    // Each message is short, and the frame of STOMP in them has no end.
    gives_up("stomp", Over::Ws, "a header line", |r| {
        Some(websocket(r, b"\x81\x0aCONNECTED\n", &frame(0x81, PIECE)))
    });
    gives_up("stomp", Over::Ws, "a body", |r| {
        Some(websocket(r, b"\x81\x0bCONNECTED\n\n", &frame(0x81, PIECE)))
    });
}

#[test]
fn sockjs_without_end() {
    static POLLS: AtomicUsize = AtomicUsize::new(0);
    gives_up("sockjs", Over::Ws, "/info", |_| {
        Some(chunked(JSON, "{", &[b' '; PIECE]))
    });
    gives_up("sockjs", Over::Ws, "websocket", |r| match r.contains("/info") {
        true => Some(info(true)),
        false => Some(websocket(r, b"\x81\x01o", &claim(1 << 62))),
    });
    // Where the machine pauses, the WebSocket opens too late: it is given up, and the next transport is asked for.
    gives_up_after(2, "sockjs", Over::Ws, "websocket before o", |r| {
        match r.contains("/info") {
            true => Some(info(true)),
            false => Some(websocket(r, &frame(0x01, 1), &frame(0x00, PIECE))),
        }
    });
    gives_up("sockjs", Over::Ws, "xhr-streaming", |r| match () {
        () if r.contains("/info") => Some(info(false)),
        () if r.contains("/xhr_send") => Some(endless("HTTP/1.1 204 No Content\r\n\r\n", "")),
        () => Some(chunked(PLAIN, "o\na[\"", &[b'x'; PIECE])),
    });
    gives_up("sockjs", Over::Ws, "xhr-polling", |r| match () {
        () if r.contains("/info") => Some(info(false)),
        () if r.contains("/xhr_streaming") => {
            Some(endless("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", ""))
        }
        () if r.contains("/xhr_send") => Some(endless("HTTP/1.1 204 No Content\r\n\r\n", "")),
        // Before the session has begun it is soon given up for being late.
        () => Some(
            match r.contains("/xhr ") && POLLS.fetch_add(1, Ordering::SeqCst) == 0 {
                true => said("o\n"),
                false => huge(PLAIN),
            },
        ),
    });
    gives_up("stomp", Over::Sockjs, "/info", |_| Some(huge(JSON)));
}

fn info(websocket: bool) -> Saying {
    let info = format!(r#"{{"websocket":{websocket},"origins":["*:*"],"cookie_needed":false,"entropy":1}}"#);
    endless(
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{info}", info.len()),
        "",
    )
}

#[test]
fn socketio_without_end() {
    gives_up("socketio", Over::Ws, "the handshake", |_| {
        Some(chunked(PLAIN, "0{", &[b' '; PIECE]))
    });
    gives_up("socketio", Over::Ws, "a huge length", |_| Some(huge(PLAIN)));
    gives_up("socketio", Over::Ws, "an answer to a POST", |r| match () {
        () if r.starts_with("POST") => Some(chunked(PLAIN, "", &[b'x'; PIECE])),
        () => Some(opened(r)),
    });
    gives_up("socketio", Over::Ws, "a WebSocket", |r| match () {
        () if r.contains("transport=websocket") => Some(websocket(r, b"\x81\x063probe", &claim(1 << 62))),
        () if r.starts_with("POST") => Some(said("ok")),
        () => Some(opened(r)),
    });
}

fn said(body: &str) -> Saying {
    endless(
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
        "",
    )
}

/// A session's beginning, and its namespace; the poll after that ends as soon as it begins.
fn opened(request: &str) -> Saying {
    match request.contains("sid=") {
        false => said(
            r#"0{"sid":"a","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#,
        ),
        true => said("40{\"sid\":\"b\"}"),
    }
}

#[test]
fn a_head_without_end_is_not_read_for_ever() {
    // How long a head may be is for the libraries to say: far less.
    for technique in technique::ALL {
        let (authority, _, sent) = serve(|_| Some(header()));
        let (_keep, known) = tokio::sync::watch::channel(Some(Instant::now()));
        let start = Start::new(known);
        let stop = CancellationToken::new();
        let inbox = Inbox::new(
            vec![Duration::ZERO].into(),
            start.clone(),
            0,
            tokio::sync::watch::Sender::new(0),
        );
        let client = Client {
            number: 0,
            origin: Origin::plain(authority),
            network: Default::default(),
            tab: Default::default(),
            cookies: Default::default(),
            tls: None,
            scenario: Arc::new(Scenario::default()),
            headers: Arc::new(Headers::load("lean").unwrap()),
            inbox: inbox.clone(),
            messages: MessageQueue::default(),
            outbox: None,
            start,
            reconnect: Default::default(),
            stop: stop.clone(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let given_up = async {
                while inbox.troubles() == 0 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                stop.cancel();
            };
            let both = async { tokio::join!((technique.client)(client), given_up) };
            let ended = tokio::time::timeout(support::PATIENCE, both).await;
            assert!(ended.is_ok(), "{}: it reads on", technique.name);
        });
        let sent = sent.load(Ordering::SeqCst);
        assert!(sent < UNDER_WAY, "{}: {sent} bytes", technique.name);
    }
}

#[cfg(unix)]
#[test]
fn a_visit_to_such_a_server_names_the_limit_and_fails() {
    use std::sync::OnceLock;

    static SCHEDULE: OnceLock<String> = OnceLock::new();
    let real = served::Serving::start(&["--mails", "0"]);
    SCHEDULE
        .set(
            real.get("/schedule?after=0")
                .split_once("\r\n\r\n")
                .unwrap()
                .1
                .into(),
        )
        .unwrap();
    real.stop(rustix::process::Signal::INT);
    let cases: [(&str, Answer); 4] = [
        ("poll", |_| Some(chunked(JSON, "{", &[b' '; PIECE]))),
        ("poll", |r| {
            Some(if r.contains("/schedule") {
                said(SCHEDULE.get().unwrap())
            } else {
                huge(JSON)
            })
        }),
        ("sse", |r| match r.contains("/schedule") {
            true => Some(said(SCHEDULE.get().unwrap())),
            false => Some(chunked(EVENTS, "data: ", &[b'x'; PIECE])),
        }),
        ("ws", |r| match r.contains("/schedule") {
            true => Some(said(SCHEDULE.get().unwrap())),
            false => Some(websocket(r, &[], &claim(1 << 62))),
        }),
    ];
    for (technique, answer) in cases {
        let (authority, ..) = serve(answer);
        let scheme = if technique == "ws" { "ws" } else { "http" };
        let output = served::run(&[technique, &format!("{scheme}://{authority}"), "--mails", "1"]);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{technique}: {text}");
        assert!(
            text.contains(&format!("more than {MAX_MESSAGE} bytes")),
            "{technique}: {text}"
        );
    }
}
