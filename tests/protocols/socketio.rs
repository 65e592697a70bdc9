//! Engine.IO 4 and Socket.IO 5 as published suites judge a server by them, in our own words; what hostile
//! clients meet; and the technique's own promises: mail comes once, whatever carries it, at the price
//! that was predicted.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mailcall::lab::Lab;
use mailcall::lab::server::{Handler, Limits, Server};
use mailcall::link::{Cut, Ledger, Network};
use mailcall::mail::{Epoch, Mailbox};
use mailcall::outcome::{Arrivals, Block, Closer, Frames, Labelled, Link, Outcome, Scenario};
use mailcall::technique::{self, Headers, Service, Tuning};
use mailcall::wire::Direction;
use mailcall::wire::engineio::Open;
use mailcall::wire::{FrameHeader, Opcode};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::support::pace;
use crate::support::serving::{Answer, PATIENCE, Raw, until};
use crate::support::undisturbed::undisturbed;

const ENGINE: &str = "/engine.io/";
const SOCKET: &str = "/socket.io/";

/// What the suites expect of a server's pings.
const INTERVAL: Duration = Duration::from_millis(300);
const TIMEOUT: Duration = Duration::from_millis(200);

fn echo() -> Tuning {
    Tuning {
        echo: true,
        ping_interval: Some(INTERVAL),
        ping_timeout: TIMEOUT,
        max_payload: Some(1_000_000),
        ..Tuning::default()
    }
}

/// The same, with pings that no test waits for.
fn quiet() -> Tuning {
    Tuning {
        ping_interval: Some(PATIENCE * 4),
        ..echo()
    }
}

/// A server over a mailbox of its own.
struct Site {
    mailbox: Arc<Mailbox>,
    ledger: Arc<Ledger>,
    server: Server,
}

impl Site {
    fn start(tuning: Tuning) -> Site {
        Site::with(tuning, Scenario::default(), Duration::from_secs(10))
    }

    fn with(tuning: Tuning, scenario: Scenario, body_timeout: Duration) -> Site {
        let shutdown = CancellationToken::new();
        let mailbox = Arc::new(Mailbox::of(&scenario, Epoch::of_seed(scenario.seed)));
        let service = Service {
            mailbox: mailbox.clone(),
            headers: Arc::new(Headers::default()),
            scenario: Arc::new(scenario),
            shutdown: shutdown.clone(),
            replies: Arc::default(),
            received: Arc::default(),
            subprotocols: Arc::default(),
            body_timeout,
            tuning,
        };
        let ledger = Arc::new(Ledger::new(Vec::new()));
        let handler = Handler::new(technique::named("socketio").unwrap(), service);
        let limits = Limits {
            stall: Duration::from_secs(1),
            ..Limits::for_clients(64, Duration::ZERO)
        };
        let network = Network::from(ledger.clone());
        let server = Server::start("socketio", handler, limits, network, shutdown).unwrap();
        Site {
            mailbox,
            ledger,
            server,
        }
    }

    fn connect(&self) -> Raw {
        let stream = TcpStream::connect(self.server.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Raw { stream }
    }

    fn ask(&self, method: &str, target: &str, body: &str) -> Raw {
        let mut raw = self.connect();
        raw.say(format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        raw
    }

    fn get(&self, target: &str) -> Answer {
        self.ask("GET", target, "").answer()
    }

    /// Opens a session by polling.
    fn open(&self, path: &str) -> Polled<'_> {
        let answer = self.get(&format!("{path}?EIO=4&transport=polling"));
        assert_eq!(answer.status, 200);
        let open: Open = serde_json::from_slice(answer.body.strip_prefix(b"0").unwrap()).unwrap();
        Polled {
            site: self,
            target: format!("{path}?EIO=4&transport=polling&sid={}", open.sid),
            open,
        }
    }

    /// Tries a WebSocket.
    fn upgrade(&self, target: &str) -> Result<Ws, u16> {
        let mut raw = self.connect();
        raw.say(handshake(target));
        match raw.head().status {
            101 => Ok(Ws(raw)),
            status => Err(status),
        }
    }

    /// A session that is on WebSocket from its beginning, and what the server said first.
    fn ws(&self, path: &str) -> (Ws, Open) {
        let mut ws = self
            .upgrade(&format!("{path}?EIO=4&transport=websocket"))
            .unwrap();
        let open = serde_json::from_str(ws.text().strip_prefix('0').unwrap()).unwrap();
        (ws, open)
    }

    /// The same, in the main namespace.
    fn connected(&self) -> Ws {
        let (mut ws, _) = self.ws(SOCKET);
        ws.say("40");
        assert!(ws.text().starts_with("40{"));
        assert_eq!(ws.text(), r#"42["auth",{}]"#);
        ws
    }

    fn post(&self, body: usize) {
        let (number, body) = (self.mailbox.newest() + 1, "m".repeat(body));
        let json = format!(r#"{{"id":{number},"from":"","subject":"","body":"{body}"}}"#);
        self.mailbox.append([mailcall::mail::Mail {
            json: json.into(),
            attachment: bytes::Bytes::new(),
        }]);
    }

    fn stop(self) {
        self.server.stop();
        let totals = self.ledger.totals();
        assert_eq!(totals.unbalanced, 0, "{totals:?}");
    }
}

fn handshake(target: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
}

/// A session that is polled.
struct Polled<'a> {
    site: &'a Site,
    open: Open,
    target: String,
}

impl Polled<'_> {
    fn get(&self) -> Answer {
        self.site.get(&self.target)
    }

    /// A poll that is held.
    fn hold(&self) -> Raw {
        self.site.ask("GET", &self.target, "")
    }

    fn packets(&self) -> String {
        let answer = self.get();
        assert_eq!(answer.status, 200, "{}", text(&answer));
        text(&answer)
    }

    fn post(&self, body: &str) -> Answer {
        self.site.ask("POST", &self.target, body).answer()
    }

    fn gives(&self, body: &str) {
        let answer = self.post(body);
        assert_eq!((answer.status, text(&answer).as_str()), (200, "ok"));
    }

    fn is_over(&self) -> bool {
        let answer = self.get();
        answer.status == 400
    }

    fn upgrade(&self) -> Result<Ws, u16> {
        self.site
            .upgrade(&self.target.replace("transport=polling", "transport=websocket"))
    }

    /// Through the probe and the `5`.
    fn upgraded(&self) -> Ws {
        let mut ws = self.upgrade().unwrap();
        ws.say("2probe");
        assert_eq!(ws.text(), "3probe");
        ws.say("5");
        ws
    }
}

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body.clone()).unwrap()
}

/// A WebSocket's client end.
struct Ws(Raw);

#[derive(Debug, PartialEq)]
enum Heard {
    Text(String),
    Binary(Vec<u8>),
    Closed(Option<u16>),
}

impl Ws {
    fn frame(&mut self, opcode: u8, content: &[u8]) -> bool {
        let mut frame = vec![0x80 | opcode];
        match content.len() {
            n @ 0..126 => frame.push(0x80 | n as u8),
            n @ 126..65_536 => {
                frame.push(0x80 | 126);
                frame.extend((n as u16).to_be_bytes());
            }
            n => {
                frame.push(0x80 | 127);
                frame.extend((n as u64).to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(content);
        self.0.try_say(frame)
    }

    fn say(&mut self, text: &str) {
        assert!(self.frame(1, text.as_bytes()));
    }

    fn say_binary(&mut self, bytes: &[u8]) {
        assert!(self.frame(2, bytes));
    }

    /// The next message, or the end.
    fn hear(&mut self) -> Heard {
        let mut head = Vec::new();
        let header = loop {
            let mut byte = [0];
            match self.0.stream.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                Err(e)
                    if matches!(
                        e.kind(),
                        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                    ) =>
                {
                    panic!("nothing came in {PATIENCE:?}")
                }
                _ => return Heard::Closed(None),
            }
            if let Some(header) = FrameHeader::parse(&head).unwrap() {
                break header;
            }
        };
        assert!(header.fin && !header.masked);
        let content = self.0.read(header.len as usize);
        match header.opcode {
            Opcode::Text => Heard::Text(String::from_utf8(content).unwrap()),
            Opcode::Binary => Heard::Binary(content),
            Opcode::Close => {
                let code = content.first_chunk().map(|c| u16::from_be_bytes(*c));
                Heard::Closed(code)
            }
            other => panic!("{other:?}"),
        }
    }

    fn text(&mut self) -> String {
        match self.hear() {
            Heard::Text(text) => text,
            other => panic!("{other:?}"),
        }
    }

    /// The same, pings left out.
    fn packet(&mut self) -> Heard {
        loop {
            match self.hear() {
                Heard::Text(text) if text == "2" => {}
                other => return other,
            }
        }
    }

    /// Waits for the end, whatever comes before it; returns its code.
    fn end(&mut self) -> Option<u16> {
        loop {
            if let Heard::Closed(code) = self.hear() {
                return code;
            }
        }
    }
}

// ---- Engine.IO: the handshake ----------------------------------------------------------------------

#[test]
fn a_session_opens_by_polling_and_by_websocket() {
    let site = Site::start(echo());
    for path in [ENGINE, SOCKET] {
        let polled = site.open(path).open;
        let (mut ws, direct) = site.ws(path);
        assert_eq!(
            (polled.upgrades, direct.upgrades),
            (vec!["websocket".to_string()], vec![])
        );
        for (interval, timeout, payload) in [
            (polled.ping_interval, polled.ping_timeout, polled.max_payload),
            (direct.ping_interval, direct.ping_timeout, direct.max_payload),
        ] {
            assert_eq!((interval, timeout, payload), (300, 200, 1_000_000));
        }
        assert!(polled.sid != direct.sid && polled.sid.len() == 16);
        ws.frame(8, &[]);
    }
    let answer = site.get("/engine.io/?EIO=4&transport=polling");
    assert!(
        answer
            .head
            .contains("content-type: text/plain; charset=utf-8\r\n"),
        "{}",
        answer.head
    );
    let keys: Value = serde_json::from_slice(&answer.body[1..]).unwrap();
    let keys: Vec<_> = keys.as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys.len(), 5, "{keys:?}");
    site.stop();
}

#[test]
fn what_is_no_handshake_is_refused_with_the_reference_servers_codes() {
    let site = Site::start(echo());
    let refused = |raw: &mut Raw| {
        let answer = raw.answer();
        assert_eq!(answer.status, 400, "{}", answer.head);
        let json: Value = serde_json::from_slice(&answer.body).unwrap();
        json["code"].as_u64().unwrap()
    };
    for path in [ENGINE, SOCKET] {
        for (query, code) in [
            ("transport=polling", 5),
            ("EIO=abc&transport=polling", 5),
            ("EIO=3&transport=polling", 5),
            ("EIO=4", 0),
            ("", 0),
            ("EIO=4&transport=abc", 0),
            ("EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAA", 1),
            ("EIO=4&transport=polling&sid=..", 1),
            ("EIO=4&transport=polling&sid=", 1),
        ] {
            let target = format!("{path}?{query}");
            assert_eq!(refused(&mut site.ask("GET", &target, "")), code, "{target}");
        }
        for query in [
            "transport=websocket",
            "EIO=abc&transport=websocket",
            "EIO=4",
            "EIO=4&transport=abc",
            "EIO=4&transport=websocket&sid=AAAAAAAAAAAAAAAA",
        ] {
            assert_eq!(
                site.upgrade(&format!("{path}?{query}")).err(),
                Some(400),
                "{query}"
            );
        }
        let open = format!("{path}?EIO=4&transport=polling");
        for method in ["POST", "PUT", "DELETE"] {
            assert_eq!(refused(&mut site.ask(method, &open, "")), 2, "{method}");
        }
        let session = site.open(path);
        assert_eq!(refused(&mut site.ask("PUT", &session.target, "")), 3);
        // One that asks for the transport, but not for an upgrade.
        let plain = site.get(&format!("{path}?EIO=4&transport=websocket"));
        assert_eq!(plain.status, 426, "{}", plain.head);
    }
    site.stop();
}

#[test]
fn engine_io_alone_is_there_for_echoes_only() {
    let site = Site::start(Tuning::default());
    assert_eq!(
        site.ask("GET", "/engine.io/?EIO=4&transport=polling", "")
            .head()
            .status,
        404
    );
    site.stop();
}

// ---- Engine.IO: messages ---------------------------------------------------------------------------

#[test]
fn packets_come_back_by_polling() {
    let site = Site::start(quiet());
    for body in [
        "4hello",
        "4test1\u{1e}4test2\u{1e}4test3",
        "4hello\u{1e}bAQIDBA==",
        "4é\u{1e}4",
    ] {
        let session = site.open(ENGINE);
        session.gives(body);
        assert_eq!(session.packets(), body);
    }
    site.stop();
}

#[test]
fn packets_come_back_by_websocket() {
    let site = Site::start(quiet());
    let (mut ws, _) = site.ws(ENGINE);
    ws.say("4hello");
    assert_eq!(ws.text(), "4hello");
    ws.say_binary(&[1, 2, 3, 4]);
    assert_eq!(ws.hear(), Heard::Binary(vec![1, 2, 3, 4]));
    // Binary data that begins like a packet.
    ws.say_binary(b"1");
    assert_eq!(ws.hear(), Heard::Binary(b"1".to_vec()));
    ws.frame(8, &1000_u16.to_be_bytes());
    assert_eq!(ws.hear(), Heard::Closed(Some(1000)));
    site.stop();
}

#[test]
fn packets_that_are_none_end_the_session() {
    let site = Site::start(quiet());
    for packet in ["abc", "", "4a\u{1e}", "4a\u{1e}x", "b*", "2", "0{}"] {
        let session = site.open(ENGINE);
        assert_eq!(session.post(packet).status, 400, "{packet:?}");
        assert!(session.is_over(), "{packet:?}");
    }
    let session = site.open(ENGINE);
    let target = session.target.clone();
    let mut raw = site.connect();
    raw.say(format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n"
    ));
    raw.say([b'4', 0xff]);
    assert_eq!(raw.answer().status, 400, "not UTF-8");
    assert!(session.is_over());
    for packet in ["abc", "", "2", "0"] {
        let (mut ws, _) = site.ws(ENGINE);
        ws.say(packet);
        assert_eq!(ws.end(), Some(1008), "{packet:?}");
    }
    site.stop();
}

#[test]
fn one_poll_at_a_time_and_one_post() {
    let site = Site::start(quiet());
    let session = site.open(ENGINE);
    let mut held = session.hold();
    let mut second = site.ask("GET", &format!("{}&t=burst", session.target), "");
    // Whichever came second is refused, and the other told that it is over.
    let (first, second) = (held.answer(), second.answer());
    let (told, refused) = match first.status {
        200 => (first, second),
        _ => (second, first),
    };
    assert_eq!(
        (told.status, text(&told).as_str(), refused.status),
        (200, "1", 400)
    );
    assert!(session.is_over());

    let session = site.open(ENGINE);
    let mut slow = site.connect();
    let bytes = site.ledger.bytes();
    slow.say(format!(
        "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n4",
        session.target
    ));
    // The server has to have seen its head.
    until("the first POST is there", || site.ledger.bytes() > bytes);
    let mut second = session.post("4x");
    if second.status == 200 {
        second = session.post("4x");
    }
    assert_eq!(second.status, 400);
    assert!(session.is_over());
    site.stop();
}

#[test]
fn a_poll_that_its_client_breaks_off_ends_the_session() {
    let site = Site::start(quiet());
    let session = site.open(ENGINE);
    let before = site.ledger.bytes();
    let held = session.hold();
    until("the poll is there", || site.ledger.bytes() > before);
    drop(held);
    until("the session is over", || session_is_gone(&session));
    site.stop();
}

/// Asks with a POST that changes nothing, and is answered at once either way.
fn session_is_gone(session: &Polled) -> bool {
    session.post("3").status == 400
}

// ---- Engine.IO: heartbeats -------------------------------------------------------------------------

#[test]
fn pings_come_by_polling_and_are_answered() {
    undisturbed(|| {
        let site = Site::start(echo());
        for path in [ENGINE, SOCKET] {
            let began = Instant::now();
            let session = site.open(path);
            for n in 1..=3 {
                assert_eq!(session.packets(), "2");
                assert!(
                    began.elapsed() + Duration::from_millis(20) >= INTERVAL * n,
                    "not before its time"
                );
                session.gives("3");
            }
            // More answers than questions harm nobody.
            session.gives("3");
            session.gives("3\u{1e}3");
            session.gives("1");
        }
        site.stop();
    });
}

#[test]
fn pings_come_by_websocket_and_are_answered() {
    undisturbed(|| {
        let site = Site::start(echo());
        for path in [ENGINE, SOCKET] {
            let (mut ws, _) = site.ws(path);
            for _ in 0..3 {
                assert_eq!(ws.text(), "2");
                ws.say("3");
            }
            ws.frame(8, &[]);
            ws.end();
        }
        site.stop();
    });
}

#[test]
fn who_answers_no_ping_is_let_go_of() {
    undisturbed(|| {
        let site = Site::start(echo());
        for path in [ENGINE, SOCKET] {
            let began = Instant::now();
            let session = site.open(path);
            let (mut ws, _) = site.ws(path);
            assert_eq!(ws.text(), "2");
            ws.end();
            assert!(began.elapsed() >= INTERVAL + TIMEOUT - Duration::from_millis(20));
            until("it is let go of", || session_is_gone(&session));
            assert!(session.is_over());
        }
        site.stop();
    });
}

#[test]
fn a_ping_goes_with_what_is_there() {
    let site = Site::start(Tuning {
        ping_timeout: PATIENCE,
        ..echo()
    });
    let session = site.open(ENGINE);
    session.gives("4x");
    let asked = Instant::now();
    until("a ping is due", || asked.elapsed() > INTERVAL + TIMEOUT);
    assert_eq!(session.packets(), "2\u{1e}4x");
    session.gives("3");
    site.stop();
}

// ---- Engine.IO: the end ----------------------------------------------------------------------------

#[test]
fn a_client_ends_its_session() {
    let site = Site::start(quiet());
    for path in [ENGINE, SOCKET] {
        let session = site.open(path);
        let mut held = session.hold();
        session.gives("1");
        let answer = held.answer();
        // A poll that comes behind the end finds no session.
        assert!(
            (answer.status, text(&answer).as_str()) == (200, "6") || answer.status == 400,
            "{}",
            answer.head
        );
        assert!(session.is_over());
        let (mut ws, _) = site.ws(path);
        ws.say("1");
        assert_eq!(ws.hear(), Heard::Closed(Some(1000)));
    }
    site.stop();
}

// ---- Engine.IO: the upgrade ------------------------------------------------------------------------

#[test]
fn a_session_goes_on_to_websocket() {
    let site = Site::start(quiet());
    for path in [ENGINE, SOCKET] {
        let session = site.open(path);
        let mut ws = session.upgrade().unwrap();
        ws.say("2probe");
        assert_eq!(ws.text(), "3probe");
        assert_eq!(session.packets(), "6", "a poll ends at once");
        ws.say("5");
        let echoed = if path == ENGINE { "4hello" } else { "40" };
        ws.say(echoed);
        assert!(ws.text().starts_with(echoed));
    }
    site.stop();
}

#[test]
fn a_poll_that_is_held_ends_with_the_probe() {
    let site = Site::start(quiet());
    let session = site.open(ENGINE);
    let mut held = session.hold();
    let mut ws = session.upgrade().unwrap();
    ws.say("2probe");
    assert_eq!(ws.text(), "3probe");
    assert_eq!(text(&held.answer()), "6");
    ws.say("5");
    ws.say("4hello");
    assert_eq!(ws.text(), "4hello");
    site.stop();
}

#[test]
fn the_old_way_is_closed_behind_an_upgrade() {
    let site = Site::start(quiet());
    for path in [ENGINE, SOCKET] {
        let session = site.open(path);
        let mut ws = session.upgraded();
        until("the upgrade is through", || session.get().status == 400);
        assert_eq!(session.post("4x").status, 400);
        // A second WebSocket is accepted and closed at once.
        assert_eq!(session.upgrade().unwrap().hear(), Heard::Closed(Some(1008)));
        let echoed = if path == ENGINE { "4hello" } else { "40" };
        ws.say(echoed);
        assert!(ws.text().starts_with(echoed), "none of which disturbs the first");
    }
    site.stop();
}

#[test]
fn a_websocket_session_cannot_be_polled_nor_upgraded() {
    let site = Site::start(quiet());
    let (mut ws, open) = site.ws(ENGINE);
    let target = |transport| format!("{ENGINE}?EIO=4&transport={transport}&sid={}", open.sid);
    let mut raw = site.connect();
    raw.say(handshake(&target("polling")));
    assert_eq!(raw.head().status, 400);
    // A request that is no handshake is refused as ever; one that is leads to nothing.
    let mut raw = site.connect();
    raw.say(format!(
        "GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        target("websocket")
    ));
    assert_eq!(raw.head().status, 426);
    assert_eq!(
        site.upgrade(&target("websocket")).unwrap().hear(),
        Heard::Closed(Some(1008))
    );
    ws.say("4hello");
    assert_eq!(ws.text(), "4hello");
    site.stop();
}

#[test]
fn a_probe_that_fails_costs_the_session_nothing() {
    let site = Site::start(quiet());
    for said in [None, Some("2"), Some("4hello"), Some("5"), Some("2probe")] {
        let session = site.open(ENGINE);
        let mut ws = session.upgrade().unwrap();
        assert_eq!(session.upgrade().err(), Some(400), "one at a time");
        if let Some(said) = said {
            ws.say(said);
        }
        match said {
            None | Some("2probe") => drop(ws),
            Some(_) => assert_eq!(ws.end(), Some(1008), "{said:?}"),
        }
        // It is where it was, and may try again.
        session.gives("4hello");
        let mut heard = String::new();
        until("what waits is polled", || {
            heard = session.packets();
            heard != "6"
        });
        assert_eq!(heard, "4hello", "{said:?}");
        let mut again = None;
        until("it may try again", || {
            again = session.upgrade().ok();
            again.is_some()
        });
        let mut ws = again.unwrap();
        ws.say("2probe");
        assert_eq!(ws.text(), "3probe");
        ws.say("5");
        ws.say("4again");
        assert_eq!(ws.text(), "4again");
    }
    site.stop();
}

#[test]
fn what_comes_during_an_upgrade_is_neither_lost_nor_doubled() {
    let site = Site::start(quiet());
    let session = site.open(ENGINE);
    session.gives("4before");
    let mut ws = session.upgrade().unwrap();
    session.gives("4trying");
    ws.say("2probe");
    assert_eq!(ws.text(), "3probe");
    session.gives("4probed");
    assert_eq!(session.packets(), "6");
    ws.say("5");
    ws.say("4through");
    let heard: Vec<String> = (0..4).map(|_| ws.text()).collect();
    assert_eq!(heard, ["4before", "4trying", "4probed", "4through"]);
    site.stop();
}

// ---- Socket.IO: namespaces -------------------------------------------------------------------------

#[test]
fn namespaces_are_granted_with_what_was_said_for_them() {
    let site = Site::start(quiet());
    for (asked, granted, auth) in [
        ("40", "40{", r#"42["auth",{}]"#),
        (r#"40{"token":"123"}"#, "40{", r#"42["auth",{"token":"123"}]"#),
        ("40/custom,", "40/custom,{", r#"42/custom,["auth",{}]"#),
        ("40/custom", "40/custom,{", r#"42/custom,["auth",{}]"#),
        (
            r#"40/custom,{"token":"abc"}"#,
            "40/custom,{",
            r#"42/custom,["auth",{"token":"abc"}]"#,
        ),
    ] {
        let (mut ws, _) = site.ws(SOCKET);
        ws.say(asked);
        let answer = ws.text();
        assert!(answer.starts_with(granted), "{asked}: {answer}");
        let sid: Value = serde_json::from_str(&answer[granted.len() - 1..]).unwrap();
        assert!(
            sid["sid"].is_string() && sid.as_object().unwrap().len() == 1,
            "{answer}"
        );
        assert_eq!(ws.text(), auth);
    }
    site.stop();
}

#[test]
fn a_namespace_that_is_not_there_is_refused() {
    let site = Site::start(quiet());
    let (mut ws, _) = site.ws(SOCKET);
    ws.say("40/random");
    assert_eq!(ws.text(), r#"44/random,{"message":"Invalid namespace"}"#);
    // Others may still be asked for.
    ws.say("40/custom");
    assert!(ws.text().starts_with("40/custom,"));
    site.stop();
}

#[test]
fn who_asks_for_no_namespace_is_let_go_of_however_it_answers_pings() {
    undisturbed(|| {
        let site = Site::start(echo());
        let (mut ws, _) = site.ws(SOCKET);
        let mut pings = 0;
        loop {
            match ws.hear() {
                Heard::Text(text) if text == "2" => {
                    pings += 1;
                    ws.frame(1, b"3");
                }
                Heard::Closed(_) => break,
                other => panic!("{other:?}"),
            }
        }
        assert!((3..=5).contains(&pings), "{pings}");
        site.stop();
    });
}

#[test]
fn namespaces_are_left_one_by_one() {
    undisturbed(|| {
        let site = Site::start(echo());
        let mut ws = site.connected();
        ws.say("41");
        // The session itself goes on.
        assert_eq!(ws.text(), "2");
        ws.say("3");
        ws.say("40/custom");
        assert!(matches!(ws.packet(), Heard::Text(t) if t.starts_with("40/custom,")));
        site.stop();

        let site = Site::start(quiet());
        let mut ws = site.connected();
        ws.say("40/custom");
        assert!(ws.text().starts_with("40/custom,"));
        assert_eq!(ws.text(), r#"42/custom,["auth",{}]"#);
        ws.say("41/custom");
        ws.say(r#"42["message","message to main namespace"]"#);
        assert_eq!(ws.text(), r#"42["message-back","message to main namespace"]"#);
        site.stop();
    });
}

// ---- Socket.IO: events -----------------------------------------------------------------------------

#[test]
fn events_come_back_with_their_arguments() {
    let site = Site::start(quiet());
    let mut ws = site.connected();
    for (said, heard) in [
        (
            r#"42["message",1,"2",{"3":[true]}]"#,
            r#"42["message-back",1,"2",{"3":[true]}]"#,
        ),
        (r#"42["message"]"#, r#"42["message-back"]"#),
        (
            r#"42["message",null,-1,0.5,"é",[]]"#,
            r#"42["message-back",null,-1,0.5,"é",[]]"#,
        ),
    ] {
        ws.say(said);
        assert_eq!(ws.text(), heard);
    }
    // The same name, written otherwise.
    ws.say(r#"42["m\u0065ssage",3]"#);
    assert_eq!(ws.text(), r#"42["message-back",3]"#);
    // One that nobody listens to harms nobody.
    ws.say(r#"42["\u00e9\"",1]"#);
    ws.say(r#"42["whatever",1]"#);
    ws.say(r#"42["message",2]"#);
    assert_eq!(ws.text(), r#"42["message-back",2]"#);
    site.stop();
}

#[test]
fn events_are_acknowledged_by_their_numbers() {
    let site = Site::start(quiet());
    let mut ws = site.connected();
    ws.say(r#"42456["message-with-ack",1,"2",{"3":[false]}]"#);
    assert_eq!(ws.text(), r#"43456[1,"2",{"3":[false]}]"#);
    site.stop();
}

/// Two attachments, in a message or an acknowledgement.
const ATTACHED: &str = r#"{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}"#;

#[test]
fn attachments_come_back_behind_their_events() {
    let site = Site::start(quiet());
    let mut ws = site.connected();
    for (said, heard) in [
        (
            format!(r#"452-["message",{ATTACHED}]"#),
            format!(r#"452-["message-back",{ATTACHED}]"#),
        ),
        (
            format!(r#"452-789["message-with-ack",{ATTACHED}]"#),
            format!("462-789[{ATTACHED}]"),
        ),
    ] {
        ws.say(&said);
        ws.say_binary(&[1, 2, 3]);
        ws.say_binary(&[4, 5, 6]);
        assert_eq!(ws.packet(), Heard::Text(heard));
        assert_eq!(ws.packet(), Heard::Binary(vec![1, 2, 3]));
        assert_eq!(ws.packet(), Heard::Binary(vec![4, 5, 6]));
    }
    // By polling they are base64.
    let session = site.open(SOCKET);
    session.gives("40");
    assert!(session.packets().ends_with("42[\"auth\",{}]"));
    session.gives("451-[\"message\",{\"_placeholder\":true,\"num\":0}]\u{1e}bAQID");
    assert_eq!(
        session.packets(),
        "451-[\"message-back\",{\"_placeholder\":true,\"num\":0}]\u{1e}bAQID"
    );
    site.stop();
}

#[test]
fn what_is_no_socket_io_packet_ends_the_session() {
    let site = Site::start(quiet());
    let many = format!("4511-[\"message\"{}]", ",1".repeat(11));
    for packet in [
        "4abc",
        "4",
        "42{}",
        "42[]",
        r#"42[1]"#,
        r#"42["message""#,
        r#"42abc["message-with-ack",1,"2",{"3":[false]}]"#,
        "43[1]",
        r#"44{"message":"no"}"#,
        "45[\"message\"]",
        "45999999999-[\"message\"]",
        &many,
        "41{}",
        "40[]",
    ] {
        let mut ws = site.connected();
        ws.say(packet);
        assert!(ws.end().is_some(), "{packet}");
    }
    // The same before any namespace.
    for packet in ["4abc", r#"42["message",1]"#] {
        let (mut ws, _) = site.ws(SOCKET);
        ws.say(packet);
        assert!(ws.end().is_some(), "{packet}");
    }
    // Text where an attachment is due, and an attachment that nobody is waiting for.
    let mut ws = site.connected();
    ws.say(r#"451-["message",{"_placeholder":true,"num":0}]"#);
    ws.say(r#"42["message",1]"#);
    assert_eq!(ws.end(), Some(1008));
    let mut ws = site.connected();
    ws.say_binary(&[1]);
    assert_eq!(ws.end(), Some(1008));
    site.stop();
}

// ---- hostile clients -------------------------------------------------------------------------------

#[test]
fn what_is_too_large_or_never_comes_is_refused() {
    let tuning = Tuning {
        max_payload: Some(1_000),
        ..quiet()
    };
    let site = Site::with(tuning, Scenario::default(), Duration::from_millis(300));
    let bystander = site.open(ENGINE);
    let session = site.open(ENGINE);
    let large = format!("4{}", "x".repeat(1_000));
    assert_eq!(session.post(&large).status, 413);
    assert!(session.is_over());
    // One that does not say how long it is.
    let session = site.open(ENGINE);
    let mut raw = site.connect();
    raw.say(format!(
        "POST {} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
        session.target
    ));
    for _ in 0..40 {
        if !raw.try_say(format!("20\r\n{}\r\n", "x".repeat(32))) {
            break;
        }
    }
    assert_eq!(raw.answer().status, 413);
    assert!(session.is_over());
    // Half of one.
    let session = site.open(ENGINE);
    let mut raw = site.connect();
    raw.say(format!(
        "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n4x",
        session.target
    ));
    assert_eq!(raw.answer().status, 408);
    assert!(session.is_over());
    let (mut ws, _) = site.ws(ENGINE);
    ws.frame(1, large.as_bytes());
    assert_eq!(ws.end(), Some(1009));
    // A frame that is none, and one whose rest never comes.
    let (mut ws, _) = site.ws(ENGINE);
    ws.0.say([0x81, 0x01, b'4']);
    assert_eq!(ws.end(), Some(1002), "unmasked");
    let (mut half, _) = site.ws(ENGINE);
    half.0.say([0x81, 0x85, 0, 0, 0, 0, b'4']);
    let (mut bad, _) = site.ws(ENGINE);
    bad.frame(1, &[b'4', 0xff]);
    assert_eq!(bad.end(), Some(1007), "not UTF-8");
    bystander.gives("4still there");
    assert_eq!(bystander.packets(), "4still there");
    site.stop();
}

#[test]
fn somebody_elses_session_is_not_found_by_guessing_and_ends_with_its_owner() {
    let site = Site::start(quiet());
    let (a, b) = (site.open(ENGINE), site.open(ENGINE));
    let guess = a
        .target
        .replace(&a.open.sid, &a.open.sid.chars().rev().collect::<String>());
    assert_eq!(site.get(&guess).status, 400);
    // Who knows it can end it; nobody else is the worse for it.
    a.gives("1");
    assert!(a.is_over());
    b.gives("4mine");
    assert_eq!(b.packets(), "4mine");
    site.stop();
}

#[test]
fn a_flood_is_echoed_as_fast_as_it_is_read_or_ends() {
    let site = Site::start(quiet());
    let (mut ws, _) = site.ws(ENGINE);
    let mut writer = Ws(Raw {
        stream: ws.0.stream.try_clone().unwrap(),
    });
    let flood = std::thread::spawn(move || {
        let message = format!("4{}", "x".repeat(1_000));
        (0..5_000)
            .take_while(|_| writer.frame(1, message.as_bytes()))
            .count()
    });
    let mut heard = 0;
    while let Heard::Text(_) = ws.hear() {
        heard += 1;
        if heard == 5_000 {
            break;
        }
    }
    let sent = flood.join().unwrap();
    assert!(heard <= sent);
    let (mut next, _) = site.ws(ENGINE);
    next.say("4next");
    assert_eq!(next.text(), "4next");
    site.stop();
}

// ---- mail ------------------------------------------------------------------------------------------

#[test]
fn mail_crosses_byte_for_byte_by_polling_and_by_websocket() {
    let site = Site::start(Tuning::default());
    let json = r#"{"id":1,"from":"a\/b","subject":"\u00e9 é \"","body":"1.0e3"}"#;
    site.mailbox.append([mailcall::mail::Mail {
        json: json.into(),
        attachment: bytes::Bytes::new(),
    }]);
    let event = format!(r#"42["mail",{json}]"#);
    let session = site.open(SOCKET);
    session.gives("40");
    let granted = format!(r#"40{{"sid":"{}"}}"#, session.open.sid);
    let mut polled = session.packets();
    if polled == granted {
        polled = session.packets();
    }
    assert_eq!(
        polled.trim_start_matches(&granted).trim_start_matches('\u{1e}'),
        event
    );
    let (mut ws, _) = site.ws(SOCKET);
    ws.say("40");
    assert!(ws.text().starts_with("40{"));
    assert_eq!(ws.text(), event);
    // Who names a cursor gets what is after it.
    let (mut ws, _) = site.ws(SOCKET);
    ws.say(r#"40{"after":1}"#);
    assert!(ws.text().starts_with("40{"));
    site.post(5);
    assert_eq!(
        ws.text(),
        r#"42["mail",{"id":2,"from":"","subject":"","body":"mmmmm"}]"#
    );
    site.stop();
}

#[test]
fn a_cursor_behind_the_log_is_told_its_gap() {
    let scenario = Scenario {
        keep: 2,
        ..Scenario::default()
    };
    let site = Site::with(Tuning::default(), scenario, PATIENCE);
    for _ in 0..5 {
        site.post(1);
    }
    let (mut ws, _) = site.ws(SOCKET);
    ws.say(r#"40{"after":1}"#);
    assert!(ws.text().starts_with("40{"));
    assert_eq!(ws.text(), r#"42["gap",{"gap":2}]"#);
    assert!(ws.text().contains(r#""id":4,"#));
    assert!(ws.text().contains(r#""id":5,"#));
    site.stop();
}

#[test]
fn asking_twice_for_the_namespace_brings_each_mail_once() {
    let site = Site::start(Tuning::default());
    let (mut ws, _) = site.ws(SOCKET);
    for _ in 0..3 {
        ws.say("40");
        assert!(ws.text().starts_with("40{"));
    }
    until("one of them waits for mail", || site.mailbox.watchers() == 1);
    site.post(1);
    site.post(2);
    assert!(ws.text().contains(r#""id":1,"#));
    assert!(ws.text().contains(r#""id":2,"#));
    site.stop();
}

#[test]
fn acknowledgements_are_asked_for_where_replies_are_wanted() {
    let scenario = Scenario {
        reply: true,
        ..Scenario::default()
    };
    let site = Site::with(Tuning::default(), scenario, PATIENCE);
    let (mut ws, _) = site.ws(SOCKET);
    ws.say("40");
    assert!(ws.text().starts_with("40{"));
    for n in 1..=12 {
        site.post(n);
        assert!(ws.text().starts_with(&format!(r#"42{n}["mail",{{"id":{n},"#)));
        if n % 2 == 0 {
            ws.say(&format!(r#"43{n}[{{"read":{n}}}]"#));
        }
    }
    site.stop();
}

#[test]
fn who_never_reads_costs_a_number_and_disturbs_nobody() {
    let site = Site::with(
        Tuning {
            ping_interval: Some(PATIENCE * 4),
            ..Tuning::default()
        },
        Scenario {
            keep: 4_000,
            ..Scenario::default()
        },
        PATIENCE,
    );
    let (mut deaf, _) = site.ws(SOCKET);
    let socket = socket2::SockRef::from(&deaf.0.stream);
    socket.set_recv_buffer_size(4_096).unwrap();
    deaf.say("40");
    // It polls once, and then never again.
    let silent = site.open(SOCKET);
    silent.gives("40");
    let (mut reader, _) = site.ws(SOCKET);
    reader.say("40");
    assert!(reader.text().starts_with("40{"));
    until("all three are there", || site.mailbox.watchers() == 3);
    for n in 1..=2_000 {
        site.post(8_000);
        assert!(reader.text().contains(&format!(r#""id":{n},"#)));
    }
    // The one that was polled last long ago still has all of it, from its cursor on.
    let mut next = 1;
    while next <= 100 {
        for packet in silent.packets().split('\u{1e}').filter(|p| p.starts_with("42")) {
            assert!(
                packet.contains(&format!(r#""id":{next},"#)),
                "{next}: {packet:.40}"
            );
            next += 1;
        }
    }
    site.stop();
}

#[test]
fn a_server_that_ends_says_goodbye() {
    let site = Site::start(Tuning::default());
    let (mut ws, _) = site.ws(SOCKET);
    ws.say("40");
    assert!(ws.text().starts_with("40{"));
    let session = site.open(SOCKET);
    session.gives("40");
    assert!(session.packets().starts_with("40{"));
    let before = site.ledger.requests();
    let mut held = session.hold();
    // One that is still on its way when the server ends is reset.
    until("the poll is there", || site.ledger.requests() > before);
    until("both wait for mail", || site.mailbox.watchers() == 2);
    site.server.shutdown.cancel();
    assert_eq!(ws.text(), "41");
    ws.frame(8, &1000_u16.to_be_bytes());
    assert_eq!(ws.hear(), Heard::Closed(Some(1000)));
    let answer = held.answer();
    // Unless it was so late that there was nobody any more.
    assert!(
        matches!(text(&answer).as_str(), "41\u{1e}1" | "1"),
        "{}",
        text(&answer)
    );
    site.stop();
}

// ---- the technique ---------------------------------------------------------------------------------

/// Fast enough for a test, and with arrivals far enough apart that no two share an answer.
fn quick() -> Scenario {
    Scenario {
        mails: 12,
        rate_per_s: 40.0,
        arrivals: Arrivals::Steady,
        grace_ms: 10_000.0,
        ..Scenario::default()
    }
}

fn blocked() -> Scenario {
    Scenario {
        block: vec![Block::Websocket],
        ..quick()
    }
}

fn run_with(scenario: &Scenario, cuts: Vec<Cut>) -> Outcome {
    let mut lab = Lab::new(scenario.clone()).unwrap();
    lab.cuts = cuts;
    let technique = technique::named("socketio").unwrap();
    lab.compare(&[technique], &|_| {}).unwrap().remove(0)
}

/// Whether measured bytes and requests are what was predicted.
fn is_as_predicted(o: &Outcome) -> bool {
    let same = |measured: &Labelled<u64>, predicted: &Labelled<f64>| {
        let pairs = [
            (measured.head, predicted.head),
            (measured.framing, predicted.framing),
            (measured.control, predicted.control),
            (measured.payload, predicted.payload),
            (measured.total, predicted.total),
        ];
        pairs.iter().all(|(m, p)| (*m as f64 - p).abs() < 1e-6)
    };
    let (b, p) = (&o.bytes, &o.predicted.bytes);
    let requests = (o.requests.total as f64, o.requests.empty.map(|e| e as f64));
    same(&b.up, &p.up)
        && same(&b.down, &p.down)
        && requests == (o.predicted.requests.total, o.predicted.requests.empty)
}

fn run(scenario: &Scenario) -> Outcome {
    pace::at_a_pace_that_is_kept(scenario, |s| run_with(s, Vec::new()), is_as_predicted)
}

fn assert_as_predicted(o: &Outcome) {
    let (b, p) = (&o.bytes, &o.predicted.bytes);
    let requests = (&o.requests, &o.predicted.requests);
    assert!(is_as_predicted(o), "{b:?}\n{p:?}\n{requests:?}");
}

#[test]
fn where_websocket_is_blocked_the_bill_is_predicted_to_the_byte() {
    undisturbed(|| {
        for scenario in [
            blocked(),
            Scenario {
                reply: true,
                clients: 2,
                ..blocked()
            },
            Scenario {
                attach: 5_000,
                frames: Frames::Binary,
                reply: true,
                ..blocked()
            },
            Scenario {
                attach: 5_001,
                ..blocked()
            },
            Scenario {
                closer: Closer::Server,
                ..blocked()
            },
            Scenario {
                headers: "browser".into(),
                reply: true,
                ..blocked()
            },
            Scenario {
                headers: "demos/headers/kaazing-2010.http".into(),
                ..blocked()
            },
            Scenario {
                size: 70_000,
                ..blocked()
            },
            Scenario {
                arrivals: Arrivals::Burst(3),
                reply: true,
                ..blocked()
            },
        ] {
            let o = run(&scenario);
            assert!(o.clean(), "{:?}", o.mails);
            assert_as_predicted(&o);
        }
    });
}

#[test]
fn the_cascade_is_told() {
    let o = run(&quick());
    let told: Vec<_> = o
        .attempts
        .iter()
        .map(|a| (a.transport.as_str(), a.failed.is_none()))
        .collect();
    assert_eq!(told, [("polling", true), ("websocket", true)]);
    assert!(o.attempts[1].t_us >= o.attempts[0].took_us && o.attempts[1].took_us > 0.0);
    let o = run(&blocked());
    assert!(o.clean());
    let told: Vec<_> = o
        .attempts
        .iter()
        .map(|a| (a.transport.as_str(), a.failed.as_deref()))
        .collect();
    assert!(
        matches!(told[..], [("polling", None), ("websocket", Some(why))] if why.contains("403")),
        "{told:?}"
    );
    // What only holds streams back is no harm to answers that end.
    let streaming = Scenario {
        block: vec![Block::Streaming],
        ..quick()
    };
    let o = run(&streaming);
    assert!(o.clean() && o.attempts.last().unwrap().failed.is_none());
    assert_as_predicted(&o);
}

#[test]
fn pings_are_predicted_on_either_way() {
    undisturbed(|| {
        for scenario in [quick(), blocked()] {
            let scenario = Scenario {
                mails: 3,
                rate_per_s: 4.0,
                heartbeat_ms: 110.0,
                ..scenario
            };
            let o = run_with(&scenario, Vec::new());
            assert!(o.clean(), "{:?}", o.mails);
            let (measured, predicted) = (o.overhead_bytes as f64, o.predicted.overhead_bytes);
            assert!(
                (measured / predicted - 1.0).abs() < 0.15,
                "{measured} {predicted}"
            );
            assert!(o.bytes.up.control >= 5, "pongs: {:?}", o.bytes.up);
        }
    });
}

#[test]
fn over_a_long_way_mail_comes_by_polling_until_the_upgrade_is_through() {
    undisturbed(|| {
        let scenario = Scenario {
            link: Link {
                rtt_ms: 60.0,
                ..Link::default()
            },
            rate_per_s: 30.0,
            ..quick()
        };
        let o = run_with(&scenario, Vec::new());
        assert!(o.clean(), "{:?}", o.mails);
        // From the session's beginning it takes nine round trips until the 5 is sent.
        let websocket = &o.attempts[1];
        let through = (websocket.t_us + websocket.took_us) / 1e3;
        assert!(through > 6.0 * 60.0, "{through}");
        let (measured, predicted) = (&o.requests, &o.predicted.requests);
        assert!(predicted.total > 5.0, "{predicted:?}");
        assert!(
            (measured.total as f64 - predicted.total).abs() <= 3.0,
            "{measured:?} {predicted:?}"
        );
        // On a WebSocket alone a mail takes half a round trip. How much longer it takes here hangs on when in
        // its round trip it came, so a busy machine may shorten it, too.
        let alone = scenario.link.rtt_ms / 2.0 * 1e3;
        let waited = o.latency_us.as_ref().unwrap().mean - alone;
        let foreseen = o.predicted.latency_us.mean - alone;
        assert!(waited > foreseen / 2.0, "{waited} {foreseen}");
    });
}

#[test]
fn what_blocks_websocket_loses_no_mail_at_cuts() {
    for n in 0..30_u64 {
        let cuts = [0, 1].map(|connection| Cut {
            connection,
            direction: if n % 2 == 0 {
                Direction::Down
            } else {
                Direction::Up
            },
            after: 97 * (n + 1) + 400 * connection,
            reset: n % 3 == 0,
        });
        let scenario = Scenario {
            mails: 6,
            rate_per_s: 100.0,
            seed: n,
            ..blocked()
        };
        let o = run_with(&scenario, cuts.to_vec());
        let m = &o.mails;
        assert!(
            m.delivered == m.expected && m.duplicated + m.reordered + m.lost == 0,
            "{cuts:?}: {m:?}"
        );
    }
}

#[test]
fn pieces_of_a_handshake_are_waited_for() {
    let site = Site::start(quiet());
    let mut raw = site.connect();
    for byte in handshake("/engine.io/?EIO=4&transport=websocket").bytes() {
        raw.stream.write_all(&[byte]).unwrap();
    }
    assert_eq!(raw.head().status, 101);
    let mut ws = Ws(raw);
    assert!(ws.text().starts_with("0{"));
    for byte in [0x81, 0x83, 0, 0, 0, 0, b'4', b'h', b'i'] {
        ws.0.say([byte]);
    }
    assert_eq!(ws.text(), "4hi");
    site.stop();
}
