//! What an idle connection costs the server, meter included. Alone in its process, because it
//! measures the process; the clients are bare sockets, which live in the kernel.
#![cfg(target_os = "linux")]

#[path = "support/mod.rs"]
mod support;

use std::time::Duration;

use mailcall::lab::server::Limits;
use mailcall::outcome::Scenario;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use support::serving::{self, Raw, Served};

const CLIENTS: usize = 1_000;

/// The bars, bytes per connection.
const BARS: &[(&str, usize)] = &[
    ("ws", 8 * 1024),
    // hyper takes 1 KiB more of each where a client may end its side first (`half_close`).
    ("sse", 18 * 1024),
    ("long-poll", 18 * 1024),
    // Its library allots each session's queue a block of 32 places of 192 bytes, before there is anything
    // in it: 6 KiB, and keeps the session, its timers and its namespace apart from each other.
    ("socketio", 24 * 1024),
];

/// The process's resident memory (proc(5), `smaps_rollup`: counted, where `statm` is rounded).
fn resident() -> usize {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let rss = rollup.lines().find_map(|l| l.strip_prefix("Rss:")).unwrap();
    rss.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

fn raise_the_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.unwrap_or(u64::MAX).min(65_536);
    assert!(
        wanted > 4 * CLIENTS as u64 + 100,
        "{CLIENTS} connections need more open files than {wanted}"
    );
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(wanted),
            maximum: limit.maximum,
        },
    )
    .unwrap();
}

/// What opens a technique's stream. Socket.IO's clients poll first; this one begins with WebSocket, and asks
/// for the namespace (`40`).
fn opening(technique: &str) -> Vec<u8> {
    if technique != "socketio" {
        return serving::request(technique).into();
    }
    let handshake = serving::handshake("").replace("/ws?after=0", "/socket.io/?EIO=4&transport=websocket");
    [handshake.as_bytes(), &[0x81, 0x82, 0, 0, 0, 0], b"40"].concat()
}

/// Opens as many connections as there are clients, and waits until the server holds all of them.
fn crowd(served: &Served, technique: &str) -> Vec<Raw> {
    let expected = served.mailbox.watchers() + CLIENTS;
    let crowd: Vec<Raw> = (0..CLIENTS).map(|_| served.say(opening(technique))).collect();
    serving::until("all clients are there", || served.mailbox.watchers() == expected);
    crowd
}

/// Bytes per connection of a second crowd, when a first one has filled what is only filled once.
fn cost(technique: &str) -> usize {
    let scenario = Scenario {
        hold_ms: 600_000.0,
        heartbeat_ms: 600_000.0,
        ..Scenario::default()
    };
    let served = Served::start(technique, serving::patient(), scenario);
    let first = crowd(&served, technique);
    let before = resident();
    let second = crowd(&served, technique);
    let cost = resident().saturating_sub(before) / CLIENTS;
    drop((first, second));
    served.stop();
    cost
}

/// Clients that never read, and how much mail goes by.
const DEAF: usize = 16;
const PASSING: usize = 32 << 20;

/// How much they make the process grow.
fn grown_by_deaf_clients(technique: &str) -> usize {
    let size = 16 * 1024;
    let limits = Limits {
        stall: Duration::from_secs(1),
        ..serving::patient()
    };
    // Little of the mail is in the log at any time.
    let scenario = Scenario {
        keep: 16,
        ..Scenario::default()
    };
    let served = Served::start(technique, limits, scenario);
    let deaf: Vec<Raw> = (0..DEAF).map(|_| served.say(opening(technique))).collect();
    for raw in &deaf {
        // Or the kernel takes megabytes before the server notices.
        let socket = socket2::SockRef::from(&raw.stream);
        socket.set_recv_buffer_size(size).unwrap();
    }
    serving::until("all clients are there", || served.mailbox.watchers() == DEAF);
    let before = resident();
    let mut peak = before;
    for n in 0..PASSING / size {
        served.post(size);
        if n % 16 == 0 {
            peak = peak.max(resident());
        }
    }
    serving::until("all clients are cut off", || {
        // Who slept while mail went by has not been sent enough of it yet.
        served.post(size);
        peak = peak.max(resident());
        served.ledger.open() == 0
    });
    served.stop();
    peak - before
}

/// Streams of one HTTP/2 connection.
const STREAMS: u32 = 200;

/// An HTTP/2 frame (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = &(payload.len() as u32).to_be_bytes()[1..];
    [length, &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// How much one HTTP/2 connection makes the process grow whose client asks for a full log on each stream and
/// takes nothing: its streams' windows are closed, or open so far that the server's own buffers are what
/// fills.
fn grown_by_unread_streams(window: u32) -> usize {
    const SETTINGS: u8 = 4;
    const HEADERS: u8 = 1;
    const WINDOW_UPDATE: u8 = 8;
    let served = Served::start("poll", serving::patient(), Scenario::default());
    for _ in 0..1_000 {
        served.post(16 * 1024);
    }
    let window = [&[0, 4][..], &window.to_be_bytes()].concat();
    // GET, http, and literals for the path and the authority (RFC 7541, appendix A and section 6.2.2).
    let fields = [&b"\x82\x86\x04\x0d/poll?after=0\x01\x09localhost"[..]].concat();
    let mut opening = [
        &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..],
        &frame(SETTINGS, 0, 0, &window),
        &frame(WINDOW_UPDATE, 0, 0, &0x7FFF_0000_u32.to_be_bytes()),
    ]
    .concat();
    for stream in 0..STREAMS {
        opening.extend(frame(HEADERS, 0x5, 2 * stream + 1, &fields));
    }
    let before = resident();
    let silent = served.say(opening);
    // An answer to another client comes after those.
    let mut peak = before;
    for _ in 0..20 {
        let newest = served.mailbox.newest();
        let mut other = served.say(format!(
            "GET /poll?after={newest} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        ));
        assert_eq!(other.head().status, 204);
        peak = peak.max(resident());
    }
    drop(silent);
    served.stop();
    peak - before
}

/// Bytes that a server grows by when one STOMP client subscribes a hundred times to all of a log of 2 MB, in one
/// message, and reads nothing.
fn grown_by_many_subscriptions() -> usize {
    let served = Served::start("stomp", serving::patient(), Scenario::default());
    (0..1_000).for_each(|_| served.post(2_000));
    let text = |text: &str| {
        let length = text.len() as u16;
        let mut frame = vec![0x81];
        match length {
            0..126 => frame.push(0x80 | length as u8),
            _ => frame.extend([&[0x80 | 126], &length.to_be_bytes()[..]].concat()),
        }
        [&frame[..], &[0; 4], text.as_bytes()].concat()
    };
    let handshake =
        serving::handshake("Sec-WebSocket-Protocol: v12.stomp\r\n").replace("/ws?after=0", "/stomp");
    let connect = text("CONNECT\naccept-version:1.2\nhost:localhost\n\n\0");
    let subscribe = |n| format!("SUBSCRIBE\nid:{n}\ndestination:/topic/inbox\nafter:0\n\n\0");
    let subscriptions: String = (0..100).map(subscribe).collect();
    let before = resident();
    let mut peer = served.connect();
    let socket = socket2::SockRef::from(&peer.stream);
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    peer.say([handshake.into_bytes(), connect, text(&subscriptions)].concat());
    serving::until("it has subscribed", || served.mailbox.watchers() == 1);
    // Once it is served again and again, all that it is to get would be there.
    let mut peak = before;
    for _ in 0..50 {
        std::thread::sleep(Duration::from_millis(20));
        peak = peak.max(resident());
    }
    let heard = peer.read(4_096);
    assert!(heard.windows(8).any(|w| w == b"MESSAGE\n"), "it is served");
    drop(peer);
    served.stop();
    peak - before
}

#[test]
fn an_idle_connection_costs_the_server_little() {
    raise_the_descriptor_limit();
    let costs: Vec<(&str, usize, usize)> = BARS.iter().map(|&(t, bar)| (t, cost(t), bar)).collect();
    for (technique, cost, bar) in &costs {
        println!("{technique}: {cost} bytes of resident memory per idle connection, at most {bar}");
    }
    let grown = ["ws", "sse", "socketio"].map(grown_by_deaf_clients);
    println!("ws, sse, socketio: {DEAF} clients that never read made the server grow by {grown:?} bytes");
    let unread = [0, 0x7FFF_0000].map(grown_by_unread_streams);
    println!("{STREAMS} streams that are not read made the server grow by {unread:?} bytes");
    let subscribed = grown_by_many_subscriptions();
    println!("a hundred subscriptions of one client made the server grow by {subscribed} bytes");
    // All of the log for each of them would come to 200 MB.
    assert!(subscribed < 32 << 20, "{subscribed}");
    // All of the log for each of them would come to 3 GB.
    assert!(unread.iter().all(|g| *g < 48 << 20), "{unread:?}");
    // Less than the socket's own state would mean that nothing was measured.
    assert!(
        costs.iter().all(|(_, cost, bar)| (512..=*bar).contains(cost)),
        "{costs:?}"
    );
    // A queue for each of them would come to half a gigabyte.
    assert!(grown.iter().all(|g| *g < PASSING / 2), "{grown:?}");
}
