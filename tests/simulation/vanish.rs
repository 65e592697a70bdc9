//! Clients that die without a word: the link that swallows everything, and `mailcall vanish`, which
//! watches what each server does about it.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mailcall::lab::Lab;
use mailcall::lab::server::{Handler, Limits, Server};
use mailcall::lab::vanish::{self, Watch};
use mailcall::link::{Connection, Ledger, Network, Vanish};
use mailcall::outcome::vanish::{Forgetting, Row};
use mailcall::outcome::{HttpVersion, Link, Scenario};
use mailcall::technique::{self, Routes, tcp};
use mailcall::theory::{Cause, SEND_BUFFER};
use mailcall::wire::{Decoder, Lengths};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::support;

// ---- the link --------------------------------------------------------------------------------------

/// The two ends of a connection over a link that can vanish: the server's on a runtime, the client's a
/// plain socket.
struct Ends {
    server: Connection,
    client: TcpStream,
    vanish: Vanish,
    ledger: Arc<Ledger>,
}

async fn connected(link: &Link) -> Ends {
    let (vanish, ledger) = (Vanish::default(), Arc::new(Ledger::new(Vec::new())));
    let network = Network::vanishing(ledger.clone(), link, 1, vanish.clone()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = dial(listener.local_addr().unwrap());
    let (socket, _) = listener.accept().await.unwrap();
    let attached = network.attach(socket, Decoder::Lengths(Lengths::default()));
    Ends {
        server: attached.open().await.unwrap(),
        client,
        vanish,
        ledger,
    }
}

fn dial(address: SocketAddr) -> TcpStream {
    let client = TcpStream::connect(address).unwrap();
    client.set_nodelay(true).unwrap();
    client.set_read_timeout(Some(support::PATIENCE)).unwrap();
    client
}

/// Reads in a thread of its own, or the server's runtime would wait for itself.
async fn heard(client: &TcpStream, bytes: usize) -> Vec<u8> {
    let mut client = client.try_clone().unwrap();
    let read = tokio::task::spawn_blocking(move || {
        let mut heard = vec![0; bytes];
        client.read_exact(&mut heard).map(|()| heard)
    });
    read.await.unwrap().unwrap()
}

/// Whether nothing, not even an end, has come by now.
fn hears_nothing(client: &TcpStream) -> bool {
    client.set_nonblocking(true).unwrap();
    let nothing = matches!((&*client).read(&mut [0]), Err(e) if e.kind() == ErrorKind::WouldBlock);
    client.set_nonblocking(false).unwrap();
    nothing
}

#[tokio::test]
async fn until_it_vanishes_it_is_a_connection_like_any() {
    let mut ends = connected(&Link::default()).await;
    ends.server.write_all(b"down").await.unwrap();
    assert_eq!(heard(&ends.client, 4).await, b"down");
    ends.client.write_all(b"up").unwrap();
    let mut up = [0; 2];
    ends.server.read_exact(&mut up).await.unwrap();
    assert_eq!(&up, b"up");
    assert!(ends.vanish.since().is_none());
    assert_eq!(ends.vanish.fates()[0].let_go, None);
    drop(ends.server);
    ends.ledger.all_closed().await;
    assert!(ends.vanish.fates().is_empty(), "what is closed cannot vanish");
    assert_eq!(ends.client.read(&mut [0]).unwrap(), 0, "the end was told");
}

#[tokio::test]
async fn a_vanished_connection_swallows_until_its_buffer_is_full_and_tells_neither_end() {
    let mut ends = connected(&Link::default()).await;
    ends.server.write_all(b"last").await.unwrap();
    assert_eq!(heard(&ends.client, 4).await, b"last");
    ends.vanish.now();
    ends.client.write_all(b"into the void").unwrap();
    ends.client.shutdown(std::net::Shutdown::Write).unwrap();
    let mut taken = 0;
    let (full, filled) = mpsc::channel::<()>(1);
    let write = async {
        loop {
            taken += ends.server.write(&[b'x'; 1_000]).await.unwrap();
            if taken == SEND_BUFFER {
                full.send(()).await.unwrap();
            }
        }
    };
    let fates = tokio::select! {
        () = write => unreachable!("the buffer has no end"),
        fates = stalled(&ends.vanish, filled) => fates,
    };
    assert_eq!(taken, SEND_BUFFER);
    assert_eq!((fates.buffered, fates.broke), (SEND_BUFFER, false));
    assert!(hears_nothing(&ends.client));
    // Neither the client's bytes nor its end came; nor does the server's.
    let silence = tokio::time::timeout(Duration::from_millis(20), ends.server.read_u8());
    assert!(silence.await.is_err());
    drop(ends.server);
    assert!(ends.vanish.fates()[0].let_go.is_some());
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert!(
        hears_nothing(&ends.client),
        "its server has closed, and it was not told"
    );
    ends.vanish.end();
    ends.ledger.all_closed().await;
    ends.client.set_read_timeout(Some(support::PATIENCE)).unwrap();
    assert_ne!(ends.client.read(&mut [0]).unwrap_or(0), 1);
}

/// Waits until the buffer is full and the writer waiting.
async fn stalled(vanish: &Vanish, mut filled: mpsc::Receiver<()>) -> mailcall::link::Fate {
    filled.recv().await.unwrap();
    loop {
        if let Some(fate) = vanish.fates().into_iter().find(|f| f.stalled.is_some()) {
            return fate;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_is_under_way_at_that_instant_never_arrives() {
    let slow = Link {
        rtt_ms: 600_000.0,
        ..Link::default()
    };
    let mut ends = connected(&slow).await;
    ends.server.write_all(b"half way").await.unwrap();
    ends.client.write_all(b"up").unwrap();
    // The link has taken the client's bytes when the meter has.
    while ends.ledger.bytes() < 2 {
        tokio::task::yield_now().await;
    }
    ends.vanish.now();
    let fate = ends.vanish.fates()[0];
    assert_eq!((fate.buffered, fate.lost_up), (8, 2));
}

#[tokio::test]
async fn an_end_breaks_whoever_waits() {
    let mut ends = connected(&Link::default()).await;
    ends.vanish.now();
    let vanish = ends.vanish.clone();
    let (read, ()) = tokio::join!(ends.server.read_u8(), async {
        tokio::task::yield_now().await;
        vanish.end();
    });
    assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionAborted);
}

#[test]
fn a_server_behind_it_hears_of_no_new_connection() {
    let (vanish, ledger) = (Vanish::default(), Arc::new(Ledger::new(Vec::new())));
    let network = Network::vanishing(ledger.clone(), &Link::default(), 1, vanish.clone()).unwrap();
    let handler = Handler::over(Routes::new(), Arc::default());
    let limits = Limits::of(&Scenario::default());
    let server = Server::start("test", handler, limits, network, CancellationToken::new()).unwrap();
    let ask = |mut client: TcpStream| {
        client
            .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .unwrap();
        client
    };
    let mut before = ask(dial(server.address));
    assert_eq!(before.read(&mut [0]).unwrap(), 1, "until then it answers");
    vanish.now();
    let mut after = ask(dial(server.address));
    after.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let silence = after.read(&mut [0]).unwrap_err();
    assert_eq!(silence.kind(), ErrorKind::WouldBlock, "no answer, and no end");
    assert_eq!((ledger.opened(), vanish.fates().len()), (1, 1));
    vanish.end();
    server.stop();
}

// ---- the command -----------------------------------------------------------------------------------

/// How late a noisy machine may be.
const LATE: f64 = 1_000.0;

fn watched(scenario: Scenario, names: &[&str], patience: Duration) -> Vec<Row> {
    let lab = Lab::new(vanish::supplied(scenario, patience).unwrap()).unwrap();
    let techniques: Vec<_> = names.iter().map(|n| technique::named(n).unwrap()).collect();
    Watch::new(&lab, &techniques, patience).go(&|_| {}).unwrap()
}

fn beating(heartbeat_ms: f64) -> Scenario {
    Scenario {
        heartbeat_ms,
        rate_per_s: 0.01,
        ..Scenario::default()
    }
}

#[test]
fn only_who_pings_notices_and_as_predicted() {
    let names = ["poll", "long-poll", "sse", "ws", tcp::TECHNIQUE.name];
    let rows = watched(beating(200.0), &names, Duration::from_secs(3));
    let kinds: Vec<_> = rows
        .iter()
        .map(|r| (r.technique.as_str(), r.heartbeat_ms))
        .collect();
    let expected = [
        ("poll", None),
        ("long-poll", None),
        ("sse", Some(200.0)),
        ("sse", None),
        ("ws", Some(200.0)),
        ("ws", None),
        ("tcp", None),
    ];
    assert_eq!(kinds, expected);
    for row in &rows {
        assert_eq!(row.connections.held, 1, "{row:?}");
        if (row.technique.as_str(), row.heartbeat_ms) == ("ws", Some(200.0)) {
            let (noticed, predicted) = (row.noticed_ms.unwrap(), row.predicted.unwrap());
            assert!(noticed >= predicted.earliest_ms - 5.0, "{row:?}");
            assert!(noticed <= predicted.latest_ms + LATE, "{row:?}");
            assert_eq!(
                (row.by, predicted.by),
                (Some(Cause::PingUnanswered), Cause::PingUnanswered)
            );
            assert_eq!(row.buffered_bytes, 4, "two pings of two bytes");
            assert_eq!(row.connections.let_go, 1);
        } else {
            assert_eq!(
                (row.noticed_ms, row.by, row.predicted),
                (None, None, None),
                "{row:?}"
            );
            assert_eq!(row.connections.let_go, 0);
        }
    }
    // A comment of 13 bytes in a chunk after each silence, and none where they are turned off.
    let comments = rows[2].buffered_bytes / 18;
    assert!(
        (5..=15).contains(&comments) && rows[2].buffered_bytes.is_multiple_of(18),
        "{:?}",
        rows[2]
    );
    assert_eq!(rows[3].buffered_bytes, 0);
}

#[test]
fn several_clients_encrypted_on_a_slower_link_vanish_together() {
    let scenario = Scenario {
        clients: 5,
        tls: true,
        link: Link {
            rtt_ms: 20.0,
            ..Link::default()
        },
        ..beating(300.0)
    };
    let rows = watched(scenario, &["ws"], Duration::from_secs(4));
    let (row, predicted) = (&rows[0], rows[0].predicted.unwrap());
    assert_eq!((row.connections.held, row.connections.let_go), (5, 5));
    assert!(
        row.first_noticed_ms.unwrap() >= predicted.earliest_ms - 5.0,
        "{row:?}"
    );
    assert!(row.noticed_ms.unwrap() <= predicted.latest_ms + LATE, "{row:?}");
    assert_eq!(row.by, Some(Cause::PingUnanswered));
}

/// After which time to the millisecond, `technique::stomp::server::tests` knows: a clock that is simulated
/// waits for nobody.
#[test]
fn a_broker_listens_however_much_it_has_to_say() {
    // The second fills the send buffer before a heart-beat is overdue.
    for rate_per_s in [0.5, 400.0] {
        let scenario = Scenario {
            rate_per_s,
            ..beating(600.0)
        };
        let rows = watched(scenario, &["stomp"], Duration::from_secs(5));
        let (row, predicted) = (&rows[0], rows[0].predicted.unwrap());
        assert_eq!(
            (row.by, predicted.by),
            (Some(Cause::HeartBeatMissed), Cause::HeartBeatMissed),
            "{row:?}"
        );
        assert_eq!((row.connections.held, row.connections.let_go), (1, 1));
        // Nobody promised any.
        assert_eq!(
            (rows[1].noticed_ms, rows[1].predicted),
            (None, None),
            "{:?}",
            rows[1]
        );
    }
}

#[test]
fn mail_more_frequent_than_pings_hides_the_dead() {
    let busy = Scenario {
        rate_per_s: 50.0,
        ..beating(500.0)
    };
    let rows = watched(busy, &["ws"], Duration::from_secs(3));
    assert_eq!(
        (rows[0].noticed_ms, rows[0].predicted),
        (None, None),
        "{:?}",
        rows[0]
    );
    assert!(rows[0].mails.delivered > 0 && rows[0].mails.arrived_since > 50);
    assert!(rows[0].buffered_bytes > 50 * 300);
}

#[test]
fn a_connection_for_each_request_is_nothing_to_miss() {
    let scenario = Scenario {
        http: HttpVersion::Http10,
        poll_interval_ms: 100.0,
        rate_per_s: 20.0,
        ..Scenario::default()
    };
    let rows = watched(scenario, &["poll", "long-poll"], Duration::from_secs(5));
    assert_eq!(
        (rows[0].connections.held, rows[0].noticed_ms),
        (0, None),
        "{:?}",
        rows[0]
    );
    // The held request is answered with the next mail, and its connection is over.
    assert_eq!(rows[1].by, Some(Cause::Answered), "{:?}", rows[1]);
    assert!(rows[1].noticed_ms.unwrap() <= rows[1].predicted.unwrap().latest_ms + LATE);
}

fn mailcall(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailcall"));
    command.env("LC_ALL", "C");
    command.args(args).stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Output {
    mailcall(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn json_says_null_and_the_table_says_not() {
    let short = ["vanish", "sse", "--heartbeat", "300ms", "--patience", "1s"];
    let output = run(&[&short[..], &["--format", "json", "--baseline"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["command"], &json["schema"]), (&"vanish".into(), &1.into()));
    assert_eq!(json["patience_ms"], 1_000.0);
    assert_eq!(json["scenario"]["heartbeat_ms"], 300.0);
    assert_eq!(
        json["modelled"]["gives_up_after_ms"].as_f64().unwrap().round(),
        924_600.0
    );
    let rows = json["results"].as_array().unwrap();
    assert_eq!(rows.len(), 3);
    for row in rows {
        for key in ["noticed_ms", "first_noticed_ms", "by", "predicted"] {
            assert!(
                row.as_object().unwrap().contains_key(key) && row[key].is_null(),
                "{row}"
            );
        }
        assert_eq!(row["connections"]["held"], 1);
    }
    let table = text(&run(&short).stdout);
    assert!(table.contains("not in 1 s") && table.contains("sse"), "{table}");
}

#[test]
fn it_ends_when_all_have_noticed() {
    let start = Instant::now();
    let output = run(&[
        "vanish",
        "long-poll",
        "--http",
        "1.0",
        "--rate",
        "20/s",
        "--patience",
        "10min",
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(start.elapsed() < support::PATIENCE);
}

#[test]
fn bad_usage_is_named() {
    let cases: &[(&[&str], &str)] = &[
        (&["--patience", "999ms"], "1s to 10m"),
        (&["--patience", "11min"], "1s to 10m"),
        (&["--patience", "soon"], "allowed is"),
        (&["--heartbeat", "0s"], "10ms to 1h"),
        (&["--rate", "0"], "allowed is"),
        (&["--rate", "100000/s"], "allowed are 1024 MiB"),
        (&["--clients", "0"], "from 1 to 10,000"),
        (&["tcp"], "long-poll"),
        (&["--format", "pdf"], "table, json, csv, markdown, html"),
        (&["--mails", "3"], "--mails"),
        (&["ws", "--http", "1.0"], "not possible here"),
        (&["--output", "/no/such/folder/x"], "no directory"),
    ];
    for (args, said) in cases {
        let output = run(&[&["vanish"], *args].concat());
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {error}");
        assert!(
            error.contains(said) && output.stdout.is_empty(),
            "{args:?}: {error}"
        );
    }
}

#[cfg(target_os = "linux")]
fn threads(pid: u32) -> Vec<String> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let names = tasks.filter_map(|t| std::fs::read_to_string(t.ok()?.path().join("comm")).ok());
    names.collect()
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupt_prints_what_there_is() {
    let mut child = mailcall(&["vanish", "sse", "--format", "json", "--patience", "10min"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A thread that lets mail arrive is started after the one that listens for interrupts.
    support::until("mail is published", || {
        threads(child.id()).iter().any(|n| n.contains("publi"))
    });
    let pid = rustix::process::Pid::from_raw(child.id() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let status = child.wait().unwrap();
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    assert_eq!(status.code(), Some(130));
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["partial"], true);
    assert_eq!(json["results"].as_array().unwrap().len(), 2);
}

#[test]
fn a_nat_forgets_what_is_silent_and_only_who_speaks_finds_out() {
    let output = run(&[
        "vanish",
        "--nat",
        "5m",
        "poll",
        "long-poll",
        "sse",
        "ndjson",
        "ws",
        "stomp",
        "sockjs",
        "socketio",
        "--format",
        "json",
    ]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let forgetting: Forgetting = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(forgetting.results.len(), 8 * 5);
    // In these, the client says something by itself: the next request, a heart-beat, an answer to a ping that it misses.
    let speaks = ["poll", "stomp", "socketio"];
    for row in &forgetting.results {
        let (is_kept, finds_out) = (row.every_ms <= 300e3, speaks.contains(&row.technique.as_str()));
        assert_eq!(row.delivered == row.expected, is_kept || finds_out, "{row:?}");
        assert_eq!(
            row.first_missing,
            (!is_kept && !finds_out).then_some(1),
            "{row:?}"
        );
        assert_eq!(row.reconnects > 0, !is_kept && finds_out, "{row:?}");
    }
}
