//! What an idle connection costs the server, meter included. Alone in its process, because it
//! measures the process; the clients are bare sockets, which live in the kernel.
#![cfg(target_os = "linux")]

mod serving;

use std::time::Duration;

use mailcall::lab::server::Limits;
use mailcall::outcome::Scenario;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serving::{Raw, Served};

const CLIENTS: usize = 1_000;

/// The bars, bytes per connection.
const BARS: &[(&str, usize)] = &[
    ("ws", 8 * 1024),
    ("sse", 16 * 1024),
    ("long-poll", 16 * 1024),
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

#[test]
fn an_idle_connection_costs_the_server_little() {
    raise_the_descriptor_limit();
    let costs: Vec<(&str, usize, usize)> = BARS.iter().map(|&(t, bar)| (t, cost(t), bar)).collect();
    for (technique, cost, bar) in &costs {
        println!("{technique}: {cost} bytes of resident memory per idle connection, at most {bar}");
    }
    let grown = ["ws", "sse", "socketio"].map(grown_by_deaf_clients);
    println!("ws, sse, socketio: {DEAF} clients that never read made the server grow by {grown:?} bytes");
    // Less than the socket's own state would mean that nothing was measured.
    assert!(
        costs.iter().all(|(_, cost, bar)| (512..=*bar).contains(cost)),
        "{costs:?}"
    );
    // A queue for each of them would come to half a gigabyte.
    assert!(grown.iter().all(|g| *g < PASSING / 2), "{grown:?}");
}
