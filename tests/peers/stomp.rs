//! STOMP's broker under clients that we did not write, over each transport they have: every mail arrives
//! once and in order, before and after a cut. And our client under RabbitMQ with its Web STOMP plugin.
//!
//! The peers' scripts lie in `tests/peers`; `scripts/peers` installs what they need.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command as Process;
use std::time::{Duration, Instant};

use mailcall::link::Cut;
use mailcall::outcome::{Frames, Scenario};
use mailcall::technique::Routes;
use mailcall::technique::stomp::connection::{Carrier, Connection, is_farewell};
use mailcall::technique::ws::{self, handshake};
use mailcall::technique::{Headers, Origin};
use mailcall::wire::Direction::{Down, Up};
use mailcall::wire::stomp::{Command, Frame, Version};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::foreign::{ALL, EARLY, Got, PLAIN, Peer, Site, cut, expect, node, python, scenario};
use crate::support::{Kept, PATIENCE, is_here, until};

/// A client is cut at every kind of place, resumes by itself, hears mail as it arrives, and leaves.
fn resumes(peer: &Peer, url: &dyn Fn(&Site) -> String, cuts: &[Cut], scenario: Scenario) {
    let site = Site::with(&["stomp"], PLAIN, cuts, scenario, Routes::new());
    site.arrive(EARLY);
    let mut got = Got::after(0, &site);
    let mut talk = peer.start(&site, &url(&site));
    for upto in EARLY..=ALL {
        site.arrive(upto);
        got.listen(&talk, upto);
    }
    let opened = site.ledger.opened();
    assert!(
        opened > cuts.len() as u64,
        "{opened} connections: not every cut lay where something was said"
    );
    talk.order("close");
    got.listen_until(&talk, "close");
    // A reply that was said on a connection that broke is gone.
    assert!(*site.replies.borrow() > 0);
    assert!(talk.ended().success());
    site.stop();
}

/// Cuts on a WebSocket: in the handshake, in CONNECTED, among the mails, and in what the client says.
fn socket_cuts() -> Vec<Cut> {
    vec![
        cut(0, Down, 60, false),
        cut(1, Down, 250, true),
        cut(2, Down, 1_200, false),
        cut(3, Down, 1_900, true),
        cut(4, Up, 600, false),
    ]
}

/// Over SockJS, by one of its transports. Requests come and go on connections of the peer's choice: the cuts
/// are there for those that last.
fn sockjs(peer: &Peer, transport: &str) {
    let url = |site: &Site| site.url("http", &format!("/stomp-sockjs#{transport}"));
    let cuts = match transport {
        "xhr-polling" => vec![cut(1, Down, 1_000, false), cut(2, Down, 1_500, true)],
        _ => vec![cut(1, Down, 3_500, false), cut(2, Down, 4_000, true)],
    };
    resumes(peer, &url, &cuts, scenario());
}

#[test]
fn stompjs_resumes_over_sockjs() {
    let present = node("sockjs-client", "stomp_client.js");
    let Some(peer) = node("@stomp/stompjs", "stomp_client.js").and(present) else {
        return;
    };
    for transport in ["websocket", "xhr-streaming", "xhr-polling"] {
        sockjs(&peer, transport);
    }
}

fn socket(site: &Site) -> String {
    site.url("ws", "/stomp")
}

#[test]
fn stompjs_resumes() {
    let Some(peer) = node("@stomp/stompjs", "stomp_client.js") else {
        return;
    };
    resumes(&peer, &socket, &socket_cuts(), scenario());
    for attach in [1_000, 100_000] {
        let scenario = Scenario {
            frames: Frames::Binary,
            attach,
            ..scenario()
        };
        resumes(&peer, &socket, &socket_cuts(), scenario);
    }
}

#[test]
fn stompjs_is_told_of_a_gap() {
    let Some(peer) = node("@stomp/stompjs", "stomp_client.js") else {
        return;
    };
    let scenario = Scenario {
        keep: 4,
        ..scenario()
    };
    let site = Site::with(&["stomp"], PLAIN, &[], scenario, Routes::new());
    site.arrive(ALL);
    let talk = peer.start(&site, &socket(&site));
    expect(&talk, "open 1.2");
    expect(&talk, "gap 8");
    Got::after(8, &site).listen(&talk, ALL);
    drop(talk);
    site.stop();
}

#[test]
fn what_stompjs_asks_of_a_broker_holds() {
    let Some(peer) = node("@stomp/stompjs", "stomp_specs.js") else {
        return;
    };
    let site = Site::start("stomp", PLAIN, &[]);
    let talk = peer.start(&site, &socket(&site));
    let mut held = 0;
    loop {
        let line = talk.next().expect("the specs come to an end");
        if line == "done" {
            break;
        }
        assert!(line.starts_with("holds: "), "{line}");
        held += 1;
    }
    assert_eq!(held, 17);
    site.stop();
}

#[test]
fn stomp_py_resumes() {
    if let Some(peer) = python("stomp", "stomp_client.py") {
        resumes(&peer, &socket, &socket_cuts(), scenario());
    }
}

// ---- our client under RabbitMQ -------------------------------------------------------------------

/// A broker of its own, with its port and name server, gone with the test.
struct RabbitMq {
    port: u16,
    _server: Kept,
    _names: Kept,
    _home: TempDir,
}

const SERVER: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";

/// A port that nobody listens on.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn listens(port: u16) -> bool {
    std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
}

impl RabbitMq {
    /// Starts it, if it is installed, and waits until it takes connections.
    fn start() -> Option<RabbitMq> {
        if !is_here("RabbitMQ", Path::new(SERVER).exists()) {
            return None;
        }
        let home = TempDir::new().unwrap();
        let at = |name: &str| home.path().join(name);
        let [port, names, distribution] = [free_port(), free_port(), free_port()];
        let settings = format!(
            "listeners.tcp = none\nstomp.listeners.tcp = none\nweb_stomp.tcp.ip = 127.0.0.1\n\
             web_stomp.tcp.port = {port}\nlog.console = false\nlog.file = false\ndisk_free_limit.absolute = 1MB\n"
        );
        std::fs::write(at("rabbitmq.conf"), settings).unwrap();
        std::fs::write(at("enabled_plugins"), "[rabbitmq_web_stomp].\n").unwrap();
        // Otherwise the server would start one that outlives it.
        let epmd = ["-port", &names.to_string(), "-address", "127.0.0.1"].map(String::from);
        let names_server = Kept::start(Process::new("epmd").args(epmd));
        until("the name server listens", || listens(names));
        let mut server = Process::new(SERVER);
        server
            .env("HOME", home.path())
            .env("ERL_EPMD_PORT", names.to_string())
            .env("RABBITMQ_DIST_PORT", distribution.to_string())
            .env("RABBITMQ_NODENAME", format!("mailcall{port}@localhost"))
            .env("RABBITMQ_CONFIG_FILE", at("rabbitmq.conf"))
            .env("RABBITMQ_CONF_ENV_FILE", at("none"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", at("enabled_plugins"))
            .env("RABBITMQ_MNESIA_BASE", at("mnesia"))
            .env("RABBITMQ_LOG_BASE", at("log"))
            .env("RABBITMQ_PID_FILE", at("pid"))
            // It is to be the process itself, not one that looks after it.
            .env("RABBITMQ_ALLOW_INPUT", "1")
            .stderr(std::process::Stdio::null());
        let mut broker = RabbitMq {
            port,
            _server: Kept::start(&mut server),
            _names: names_server,
            _home: home,
        };
        broker.wait();
        Some(broker)
    }

    fn wait(&mut self) {
        let deadline = Instant::now() + 3 * PATIENCE;
        while !listens(self.port) {
            assert_eq!(self._server.has_ended(), None, "RabbitMQ starts");
            assert!(Instant::now() < deadline, "RabbitMQ does not come up");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    async fn connect(&self, beat: Duration) -> Connection {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let origin = Origin::plain(format!("127.0.0.1:{}", self.port));
        let offered = Some("v12.stomp, v11.stomp, v10.stomp");
        let request = handshake::request(&origin, &Headers::load("lean").unwrap(), "/ws", offered);
        let opened = handshake::open(Box::new(stream), request.unwrap(), &Default::default())
            .await
            .unwrap();
        let socket = ws::ask_over(opened.stream, &opened.read).await;
        let hello = Connection::greeting("/", beat)
            .with("login", "guest")
            .with("passcode", "guest");
        let connection = Connection::open(Carrier::from(socket), &hello, PATIENCE)
            .await
            .unwrap();
        assert_eq!(connection.version(), Version::V1_2);
        connection
    }
}

fn frame(command: Command, headers: &[(&str, &str)]) -> Frame {
    let with = |frame: Frame, (name, value): &(&str, &str)| frame.with(*name, *value);
    headers.iter().fold(Frame::new(command), with)
}

fn send(destination: &str, body: &str) -> Frame {
    frame(Command::Send, &[("destination", destination)]).containing("text/plain", body.to_owned())
}

fn subscribe(id: &str, destination: &str, ack: &str) -> Frame {
    let headers = [
        ("id", id),
        ("destination", destination),
        ("ack", ack),
        ("receipt", id),
    ];
    frame(Command::Subscribe, &headers)
}

/// The next frame, which is of this kind.
async fn hear(connection: &mut Connection, command: Command) -> Frame {
    let heard = tokio::time::timeout(PATIENCE, connection.next()).await;
    let frame = heard.expect("it comes").unwrap().expect("the broker goes on");
    assert_eq!(frame.command, command, "{frame:?}");
    frame
}

/// Leaves, and hears that everything was heard.
async fn leave(mut connection: Connection) {
    connection.say_goodbye().await.unwrap();
    while let Some(frame) = connection.next().await.unwrap() {
        if is_farewell(&frame) {
            break;
        }
    }
    // RabbitMQ closes behind its receipt, too: who is first does not matter.
    let _ = connection.close().await;
}

#[tokio::test]
async fn our_client_speaks_with_rabbitmq() {
    let Some(rabbit) = RabbitMq::start() else { return };
    sends_and_receives(&rabbit).await;
    acknowledges(&rabbit).await;
    keeps_quiet(&rabbit).await;
    is_refused(&rabbit).await;
}

async fn sends_and_receives(rabbit: &RabbitMq) {
    let mut connection = rabbit.connect(Duration::ZERO).await;
    connection
        .send(&subscribe("s", "/topic/x", "auto"))
        .await
        .unwrap();
    let receipt = hear(&mut connection, Command::Receipt).await;
    assert_eq!(receipt.header("receipt-id"), Some("s"));
    for body in [
        "one",
        "",
        "NUL \0 inside",
        "\u{c4}l\u{e4} sin\u{e4}",
        &"long ".repeat(20_000),
    ] {
        let cust = "f:o:o\nbar\rbaz\\";
        let said = send("/topic/x", body).with("cust", cust).with("receipt", "r");
        connection.send(&said).await.unwrap();
        // The message and the receipt come in either order.
        let mut got = [None, None];
        for _ in 0..2 {
            let frame = connection.next().await.unwrap().unwrap();
            let is_receipt = frame.command == Command::Receipt;
            got[usize::from(is_receipt)] = Some(frame);
        }
        let [Some(message), Some(_)] = got else {
            panic!("{got:?}")
        };
        assert_eq!(&message.body[..], body.as_bytes());
        assert_eq!(
            (message.header("cust"), message.header("subscription")),
            (Some(cust), Some("s"))
        );
    }
    // A transaction, all in one message.
    let transaction = |command| frame(command, &[("transaction", "t")]);
    let all = [
        transaction(Command::Begin),
        send("/topic/x", "never").with("transaction", "t"),
        transaction(Command::Abort),
        transaction(Command::Begin),
        send("/topic/x", "in the end").with("transaction", "t"),
        transaction(Command::Commit),
    ];
    connection.send_all(&all).await.unwrap();
    assert_eq!(
        &hear(&mut connection, Command::Message).await.body[..],
        b"in the end"
    );
    leave(connection).await;
}

async fn acknowledges(rabbit: &RabbitMq) {
    let mut sender = rabbit.connect(Duration::ZERO).await;
    for mode in ["client", "client-individual"] {
        let queue = format!("/queue/{mode}");
        for body in ["1", "2", "3"] {
            sender
                .send(&send(&queue, body).with("receipt", "r"))
                .await
                .unwrap();
            hear(&mut sender, Command::Receipt).await;
        }
        let mut consumer = rabbit.connect(Duration::ZERO).await;
        consumer.send(&subscribe("s", &queue, mode)).await.unwrap();
        let mut acks = Vec::new();
        while acks.len() < 3 {
            let heard = consumer.next().await.unwrap().unwrap();
            if heard.command == Command::Message {
                acks.push(heard.header("ack").unwrap().to_owned());
            }
        }
        let ack = frame(Command::Ack, &[("id", &acks[1]), ("receipt", "acknowledged")]);
        consumer.send(&ack).await.unwrap();
        hear(&mut consumer, Command::Receipt).await;
        let nack = frame(Command::Nack, &[("id", &acks[2])]);
        consumer.send(&nack).await.unwrap();
        assert_eq!(
            &hear(&mut consumer, Command::Message).await.body[..],
            b"3",
            "again"
        );
        drop(consumer);
        let mut next = rabbit.connect(Duration::ZERO).await;
        next.send(&subscribe("s", &queue, "auto")).await.unwrap();
        let left: &[&str] = if mode == "client" { &["3"] } else { &["1", "3"] };
        let mut got = Vec::new();
        while got.len() < left.len() {
            let frame = next.next().await.unwrap().unwrap();
            if frame.command == Command::Message {
                got.push(String::from_utf8(frame.body.to_vec()).unwrap());
            }
        }
        assert_eq!(got, left, "{mode}");
        leave(next).await;
    }
    leave(sender).await;
}

/// Both sides are silent for several times what was agreed on, and neither lets go.
async fn keeps_quiet(rabbit: &RabbitMq) {
    let beat = Duration::from_secs(1);
    let mut connection = rabbit.connect(beat).await;
    let (ours, theirs) = connection.heart_beats();
    assert!(ours.is_some_and(|b| b >= beat) && theirs.is_some_and(|b| b >= beat));
    let silence = tokio::time::timeout(5 * beat, connection.next()).await;
    assert!(silence.is_err(), "{silence:?}");
    connection
        .send(&send("/topic/x", "").with("receipt", "r"))
        .await
        .unwrap();
    hear(&mut connection, Command::Receipt).await;
    leave(connection).await;
}

async fn is_refused(rabbit: &RabbitMq) {
    let mut connection = rabbit.connect(Duration::ZERO).await;
    let unknown = frame(Command::Subscribe, &[("id", "s"), ("destination", "/nowhere/x")]);
    connection.send(&unknown).await.unwrap();
    let error = hear(&mut connection, Command::Error).await;
    assert!(error.header("message").is_some());
}
