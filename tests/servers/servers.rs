//! Several servers behind a balancer, in processes of their own: what clients lose when one is killed, which is nothing,
//! and our balancer beside HAProxy.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use mailcall::lab::{Lab, Progress};
use mailcall::outcome::{Arrivals, Balance, Outcome, Scenario};
use mailcall::proxy::{Balancer, to_address};
use mailcall::technique;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::support::Kept;
use crate::support::haproxy::{haproxy, has_haproxy};
use crate::support::nats::Nats;
use crate::support::serving::{PATIENCE, Served, patient, until};

/// Runs all techniques over three server processes; `during` is called once this many mails were delivered with one of
/// them.
fn run(scenario: Scenario, at: u64, during: impl FnOnce()) -> Vec<Outcome> {
    let lab = Lab {
        isolate: Some(env!("CARGO_BIN_EXE_mailcall").into()),
        ..Lab::new(scenario).unwrap()
    };
    let delivered = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let running = scope.spawn(|| {
            let progress = |progress: Progress| {
                delivered.fetch_max(progress.delivered, Ordering::SeqCst);
            };
            lab.compare(technique::ALL, &progress).unwrap()
        });
        // A busy machine takes longer than other tests have patience; the run itself ends in any case.
        while delivered.load(Ordering::SeqCst) < at && !running.is_finished() {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        during();
        running.join().unwrap()
    })
}

fn three(clients: usize, mails: u64, rate: f64) -> Scenario {
    Scenario {
        mails,
        rate_per_s: rate,
        arrivals: Arrivals::Burst(20),
        clients: clients * 3,
        poll_interval_ms: 500.0,
        grace_ms: 60_000.0,
        servers: 3,
        balance: Some(Balance::Sticky),
        kill_ms: Some(mails as f64 / rate * 1e3 / 3.0),
        ..Scenario::default()
    }
}

fn nothing_is_lost(outcomes: &[Outcome], mails: u64, clients: u64) {
    assert_eq!(outcomes.len(), technique::ALL.len());
    for o in outcomes {
        let m = &o.mails;
        let wrong = [m.lost, m.undelivered, m.duplicated, m.reordered, m.gap, m.reset];
        let name = &o.technique;
        assert_eq!((m.sent, m.delivered), (mails, mails * clients), "{name}: {m:?}");
        assert_eq!(wrong, [0; 6], "{name}: {m:?}");
        let balanced = o.balanced.as_ref().unwrap();
        assert!(
            balanced.killed() && balanced.killed_us.is_some(),
            "{name}: {balanced:?}"
        );
        assert!(
            balanced.servers.iter().all(|s| s.requests > 0),
            "{name}: {balanced:?}"
        );
    }
}

/// A log in memory, of which each server has a copy.
#[cfg(unix)]
#[test]
fn a_killed_server_loses_no_mail_of_a_copied_log() {
    let outcomes = run(three(4, 60, 20.0), 0, || {});
    nothing_is_lost(&outcomes, 60, 12);
}

/// Clients of each technique at each of three servers. A debug build takes too long for more; `scripts/bench servers` runs
/// 1,000.
#[cfg(unix)]
const CLIENTS: usize = if cfg!(debug_assertions) { 30 } else { 300 };

/// 1,000 mails to the clients of every technique, over three servers and NATS; a server is killed, and NATS is killed and
/// started again.
#[cfg(unix)]
#[test]
fn nothing_is_lost_over_three_servers_and_nats_when_one_and_then_nats_is_killed() {
    let Some(mut nats) = Nats::start("") else { return };
    let (clients, mails) = (CLIENTS, 1_000);
    let scenario = Scenario {
        log: nats.url().parse().unwrap(),
        ..three(clients, mails, 50.0)
    };
    let all = clients as u64 * 3;
    let outcomes = run(scenario, all * mails * 6 / 10, || {
        nats.kill();
        std::thread::sleep(std::time::Duration::from_millis(300));
        nats.start_again();
    });
    nothing_is_lost(&outcomes, mails, all);
}

/// A server that says its name, to whoever asks, and never ends an answer to `/hold`.
fn named(name: &'static str) -> (SocketAddr, DropGuard) {
    let hold = move || async move {
        let first = futures_util::stream::once(async move { Ok::<_, std::io::Error>(name) });
        Body::from_stream(futures_util::StreamExt::chain(
            first,
            futures_util::stream::pending(),
        ))
    };
    let routes = Router::new()
        .route("/", get(move || async move { name }))
        .route("/hold", get(hold));
    serve(routes)
}

/// Serves routes until the guard is dropped, and then breaks what is open.
fn serve(routes: Router) -> (SocketAddr, DropGuard) {
    let end = CancellationToken::new();
    let (over, listener) = (end.clone(), TcpListener::bind("127.0.0.1:0").unwrap());
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            tokio::select! {
                ended = async { axum::serve(listener, routes).await } => ended.unwrap(),
                () = over.cancelled() => {}
            }
        });
    });
    (address, end.drop_guard())
}

/// A balancer, ours or HAProxy.
struct InFront {
    address: SocketAddr,
    _child: Option<Kept>,
    _until: Option<DropGuard>,
}

fn ours(policy: Balance, servers: &[SocketAddr]) -> InFront {
    let balancer = Balancer::new(policy, servers.iter().map(|at| to_address(*at)));
    let (address, until) = serve(balancer.router());
    InFront {
        address,
        _child: None,
        _until: Some(until),
    }
}

fn theirs(policy: Balance, servers: &[SocketAddr], folder: &Path) -> InFront {
    let (balance, cookie) = match policy {
        Balance::RoundRobin => ("roundrobin", ""),
        Balance::Least => ("leastconn", ""),
        Balance::Sticky => ("roundrobin", "    cookie SRV insert indirect nocache\n"),
    };
    let servers: String = (1..)
        .zip(servers)
        .map(|(n, at)| format!("    server s{n} {at} cookie s{n}\n"))
        .collect();
    let defaults = "    timeout connect 1s\n    timeout server 1h\n    retries 2\n    option redispatch 1";
    let backend = format!("    balance {balance}\n{cookie}{servers}");
    let (address, child) = haproxy(folder, defaults, &backend);
    InFront {
        address,
        _child: Some(child),
        _until: None,
    }
}

/// Sends a request on a connection of its own, and reads the answer to its end.
fn ask(at: SocketAddr, request: &str, cookie: &str, body: &str) -> (String, String) {
    let mut socket = TcpStream::connect(at).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let cookie = if cookie.is_empty() {
        String::new()
    } else {
        format!("Cookie: {cookie}\r\n")
    };
    let length = body.len();
    write!(
        socket,
        "{request} HTTP/1.1\r\nHost: {at}\r\n{cookie}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("{request}: {answer}"));
    (head.to_lowercase(), body.to_owned())
}

/// Which server answered, by the name that its answer holds.
fn who(at: SocketAddr, cookie: &str) -> (String, String) {
    let (head, body) = ask(at, "GET /", cookie, "");
    assert!(head.starts_with("http/1.1 200"), "{head}");
    let name = ["one", "two", "three"]
        .into_iter()
        .find(|name| body.contains(name));
    (name.unwrap_or_else(|| panic!("{body}")).into(), head)
}

/// Holds a request open; returns which server holds it.
fn hold(at: SocketAddr) -> (String, TcpStream) {
    let mut socket = TcpStream::connect(at).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(socket, "GET /hold HTTP/1.1\r\nHost: {at}\r\n\r\n").unwrap();
    let (mut read, mut buffer) = (String::new(), [0; 1_024]);
    loop {
        let n = socket.read(&mut buffer).unwrap();
        assert!(n > 0, "{read}");
        read += &String::from_utf8_lossy(&buffer[..n]);
        if let Some(name) = ["one", "two", "three"]
            .into_iter()
            .find(|name| read.contains(name))
        {
            return (name.into(), socket);
        }
    }
}

fn each(policy: Balance, servers: &[SocketAddr], folder: &Path) -> [InFront; 2] {
    [theirs(policy, servers, folder), ours(policy, servers)]
}

fn set_cookie(head: &str) -> Option<String> {
    let value = head.lines().find_map(|line| line.strip_prefix("set-cookie: "))?;
    Some(
        value
            .split(';')
            .next()
            .unwrap()
            .to_uppercase()
            .replace("=S", "=s"),
    )
}

#[test]
fn haproxy_gives_requests_to_the_servers_that_ours_gives_them_to() {
    if !has_haproxy() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (servers, _guards): (Vec<_>, Vec<_>) = ["one", "two", "three"].map(named).into_iter().unzip();
    for balancer in each(Balance::RoundRobin, &servers, folder.path()) {
        let names: Vec<String> = (0..7).map(|_| who(balancer.address, "").0).collect();
        let again = |i: usize| names[i] == names[i - 3];
        assert!((3..7).all(again), "{names:?}");
        assert!(
            names[0] != names[1] && names[1] != names[2] && names[0] != names[2],
            "{names:?}"
        );
    }
    for balancer in each(Balance::Least, &servers, folder.path()) {
        let (first, _kept) = hold(balancer.address);
        let (second, _kept) = hold(balancer.address);
        assert_ne!(first, second);
        for _ in 0..4 {
            let (free, _) = who(balancer.address, "");
            assert!(
                free != first && free != second,
                "{free} has the fewest: {first}, {second} hold one"
            );
        }
    }
    for balancer in each(Balance::Sticky, &servers, folder.path()) {
        let (name, head) = who(balancer.address, "");
        let cookie = set_cookie(&head).unwrap_or_else(|| panic!("{head}"));
        assert!(head.contains("path=/"), "{head}");
        for _ in 0..4 {
            let (again, head) = who(balancer.address, &format!("a=b; {cookie}"));
            assert_eq!((again, set_cookie(&head)), (name.clone(), None), "{head}");
        }
        let (_, head) = who(balancer.address, "SRV=s9");
        assert!(
            set_cookie(&head).is_some(),
            "a cookie that names no server is replaced: {head}"
        );
    }
}

#[test]
fn haproxy_gives_a_dead_servers_client_to_another_as_ours_does() {
    if !has_haproxy() {
        return;
    }
    for real in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let (servers, mut guards): (Vec<_>, Vec<_>) = ["one", "two", "three"].map(named).into_iter().unzip();
        let balancer = match real {
            true => theirs(Balance::Sticky, &servers, folder.path()),
            false => ours(Balance::Sticky, &servers),
        };
        drop(guards.remove(0));
        until("the first server is gone", || {
            TcpStream::connect(servers[0]).is_err()
        });
        let (name, head) = who(balancer.address, "SRV=s1");
        let cookie = set_cookie(&head).unwrap_or_else(|| panic!("a new cookie: {head}"));
        assert!(name != "one" && cookie != "SRV=s1", "{name}: {head}");
        assert_eq!(who(balancer.address, &cookie).0, name);
    }
}

/// The session of SockJS is at the server that began it.
#[test]
fn sockjs_fails_behind_haproxy_without_the_cookie_and_works_with_it_as_behind_ours() {
    if !has_haproxy() {
        return;
    }
    let all: Vec<Served> = (0..3)
        .map(|_| Served::start("sockjs", patient(), Scenario::default()))
        .collect();
    let servers: Vec<SocketAddr> = all.iter().map(Served::address).collect();
    let folder = tempfile::tempdir().unwrap();
    for (policy, status) in [
        (Balance::RoundRobin, "http/1.1 404"),
        (Balance::Sticky, "http/1.1 204"),
    ] {
        for (place, balancer) in each(policy, &servers, folder.path()).into_iter().enumerate() {
            let session = format!("/sockjs/000/{}-{place}", policy.name());
            let (head, body) = ask(balancer.address, &format!("POST {session}/xhr"), "", "");
            assert!(body.contains('o'), "{head}");
            let cookie = set_cookie(&head).unwrap_or_default();
            let message = r#"["hello"]"#;
            let (head, _) = ask(
                balancer.address,
                &format!("POST {session}/xhr_send"),
                &cookie,
                message,
            );
            assert!(head.starts_with(status), "{policy:?}, {place}: {head}");
        }
    }
}
