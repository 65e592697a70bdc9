//! STOMP's broker under clients that say exactly what a test wants: every rule of the specification that a
//! server can keep or break, in each version, and what @stomp/stompjs's own specs ask of a broker. Then
//! clients that mean no good.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mailcall::lab::Lab;
use mailcall::outcome::{Arrivals, Closer, Frames, Labelled, Link, Outcome, Scenario};
use mailcall::technique::{self, BODY_TIMEOUT, Routes, Tuning};
use mailcall::wire::stomp::{Command, Frame, FrameLimits, Item, Parser, Version};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

use Version::{V1_0, V1_1, V1_2};

use crate::support::pace;
use crate::support::serving;
use crate::support::serving::{SHORT, Served, patient, until};
use crate::support::undisturbed::undisturbed;

/// A client of the broker, and what it says of what it heard.
struct Peer {
    socket: WebSocket<TcpStream>,
    parser: Parser,
    version: Version,
    /// The subprotocol that the server chose.
    subprotocol: Option<String>,
    /// The session's id.
    session: String,
}

fn frame(command: Command, headers: &[(&str, &str)]) -> Frame {
    let with = |frame: Frame, (name, value): &(&str, &str)| frame.with(*name, *value);
    headers.iter().fold(Frame::new(command), with)
}

fn send(destination: &str, body: impl Into<Bytes>) -> Frame {
    frame(Command::Send, &[("destination", destination)]).containing("text/plain", body)
}

fn subscribe(id: &str, destination: &str, ack: &str) -> Frame {
    frame(
        Command::Subscribe,
        &[("id", id), ("destination", destination), ("ack", ack)],
    )
}

/// A frame without headers that name something of this broker.
fn connect(version: Version) -> Frame {
    match version {
        V1_0 => frame(Command::Connect, &[]),
        version => frame(
            Command::Connect,
            &[("accept-version", version.name()), ("host", "localhost")],
        ),
    }
}

impl Peer {
    /// Opens the WebSocket and says nothing.
    fn open(served: &Served, path: &str, subprotocols: &str) -> Peer {
        let stream = served.connect().stream;
        let url = format!("ws://{}{path}", served.address());
        let mut request = url.into_client_request().unwrap();
        if !subprotocols.is_empty() {
            let offered = subprotocols.parse().unwrap();
            request.headers_mut().insert("Sec-WebSocket-Protocol", offered);
        }
        let (socket, response) = tungstenite::client(request, stream).unwrap();
        let chosen = response.headers().get("Sec-WebSocket-Protocol");
        Peer {
            socket,
            parser: Parser::new(FrameLimits {
                headers: 100,
                line: 10_000,
                body: 4 << 20,
            }),
            version: V1_2,
            subprotocol: chosen.map(|c| c.to_str().unwrap().into()),
            session: String::new(),
        }
    }

    /// Connected in a version.
    fn speaking(served: &Served, version: Version) -> Peer {
        let mut peer = Peer::open(served, "/stomp", version.subprotocol());
        peer.say(&connect(version));
        let connected = peer.hear(Command::Connected);
        assert_eq!(connected.header("version"), Some(version.name()));
        peer.session = connected.header("session").unwrap().into();
        peer.version = version;
        peer.parser.speak(version);
        peer
    }

    fn new(served: &Served) -> Peer {
        Peer::speaking(served, V1_2)
    }

    fn say(&mut self, frame: &Frame) {
        self.say_bytes(&frame.to_bytes(self.version));
    }

    fn say_bytes(&mut self, bytes: &[u8]) {
        self.socket.send(Message::binary(bytes.to_vec())).unwrap();
    }

    fn say_text(&mut self, text: &str) {
        self.socket.send(Message::text(text)).unwrap();
    }

    /// The next frame or heart-beat; `None` once the server has closed.
    fn item(&mut self) -> Option<Item> {
        loop {
            if let Some(item) = self.parser.next().unwrap() {
                return Some(item);
            }
            match self.socket.read() {
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(message) => self.parser.feed(&message.into_data()),
            }
        }
    }

    fn next(&mut self) -> Frame {
        loop {
            match self.item().expect("the server goes on") {
                Item::Frame(frame) => return frame,
                Item::HeartBeat => {}
            }
        }
    }

    /// The next frame, which is of this kind.
    fn hear(&mut self, command: Command) -> Frame {
        let frame = self.next();
        assert_eq!(frame.command, command, "{frame:?}");
        frame
    }

    fn message(&mut self) -> Frame {
        self.hear(Command::Message)
    }

    fn body(&mut self) -> String {
        String::from_utf8(self.message().body.to_vec()).unwrap()
    }

    /// Says a frame with a receipt, and hears that it was done; everything before it, too.
    fn done(&mut self, said: Frame) {
        self.say(&said.with("receipt", "done"));
        assert_eq!(self.hear(Command::Receipt).header("receipt-id"), Some("done"));
    }

    /// Nothing comes that was not asked for: the answer to a question is next.
    fn hears_nothing(&mut self) {
        self.done(frame(Command::Begin, &[("transaction", "hears nothing")]));
        self.done(frame(Command::Abort, &[("transaction", "hears nothing")]));
    }

    /// The next is an ERROR, and then the server closes.
    fn is_refused(&mut self) -> (Frame, CloseCode) {
        let error = self.hear(Command::Error);
        assert!(
            error.header("message").is_some_and(|m| !m.is_empty()),
            "{error:?}"
        );
        loop {
            match self.socket.read() {
                Ok(Message::Close(close)) => return (error, close.expect("with a code").code),
                Ok(_) => {}
                Err(e) => panic!("the server says goodbye before it leaves: {e}"),
            }
        }
    }

    /// Leaves without a word.
    fn vanish(self) {
        drop(self);
    }
}

fn served() -> Served {
    Served::start("stomp", patient(), Scenario::default())
}

fn with(scenario: Scenario) -> Served {
    Served::start("stomp", patient(), scenario)
}

// ---- connecting ----------------------------------------------------------------------------------

#[test]
fn every_version_is_spoken_and_the_newest_in_common() {
    let served = served();
    for (accepted, version) in [
        (Some("1.0,1.1,1.2"), V1_2),
        (Some("1.2"), V1_2),
        (Some("1.0,1.1,2.0"), V1_1),
        (Some("1.0"), V1_0),
        (None, V1_0),
    ] {
        for command in [Command::Connect, Command::Stomp] {
            let mut peer = Peer::open(&served, "/stomp", "v10.stomp, v11.stomp, v12.stomp");
            assert_eq!(peer.subprotocol.as_deref(), Some("v12.stomp"));
            let hello = accepted
                .iter()
                .fold(Frame::new(command), |f, v| f.with("accept-version", *v));
            peer.say(&hello.with("heart-beat", "0,0"));
            let connected = peer.hear(Command::Connected);
            assert_eq!(connected.header("version"), Some(version.name()));
            assert!(connected.header("server").unwrap().starts_with("mailcall/"));
            assert_eq!(connected.header("heart-beat").is_some(), version > V1_0);
        }
    }
    served.stop();
}

#[test]
fn the_subprotocol_is_the_newest_that_is_offered_or_none() {
    undisturbed(|| {
        let served = served();
        for (offered, chosen) in [
            ("v10.stomp, v11.stomp", Some("v11.stomp")),
            ("v10.stomp", Some("v10.stomp")),
            ("", None),
        ] {
            let mut peer = Peer::open(&served, "/stomp", offered);
            assert_eq!(peer.subprotocol.as_deref(), chosen);
            peer.say(&connect(V1_2));
            peer.hear(Command::Connected);
        }
        served.stop();
    });
}

#[test]
fn no_version_in_common_is_an_error_that_lists_ours() {
    let served = served();
    let mut peer = Peer::open(&served, "/stomp", "");
    peer.say(&frame(Command::Connect, &[("accept-version", "2.0,3.0")]));
    let (error, code) = peer.is_refused();
    assert_eq!(
        (error.header("version"), code),
        (Some("1.0,1.1,1.2"), CloseCode::Protocol)
    );
    assert!(!error.body.is_empty());
    served.stop();
}

#[test]
fn whoever_says_to_be_the_guest_knows_the_passcode() {
    let served = served();
    let login = |login: &str, passcode: &str| connect(V1_2).with("login", login).with("passcode", passcode);
    let mut peer = Peer::open(&served, "/stomp", "");
    peer.say(&login("guest", "bad-passcode"));
    peer.is_refused();
    for (name, passcode) in [("guest", "guest"), ("someone", "else")] {
        let mut peer = Peer::open(&served, "/stomp", "");
        peer.say(&login(name, passcode));
        peer.hear(Command::Connected);
    }
    served.stop();
}

#[test]
fn what_is_out_of_place_is_refused() {
    undisturbed(|| {
        let served = served();
        let before = [
            send("/topic/x", "too soon"),
            frame(Command::Disconnect, &[]),
            frame(
                Command::Connect,
                &[("accept-version", "1.2"), ("heart-beat", "often")],
            ),
        ];
        for said in before {
            let mut peer = Peer::open(&served, "/stomp", "");
            peer.say(&said);
            peer.is_refused();
        }
        let after = [
            connect(V1_2),
            frame(Command::Connected, &[("version", "1.2")]),
            frame(Command::Message, &[("destination", "/topic/x")]),
            frame(Command::Receipt, &[("receipt-id", "1")]),
            frame(Command::Error, &[]),
            send("/app/read", "not a reply"),
            send("/app/say", "nothing"),
            send("/app/else", "nobody"),
            send("/exchange/amq.direct/x", "not here"),
            send("/topic/", "no name"),
            send("x", "no form"),
            frame(Command::Send, &[]),
            frame(Command::Subscribe, &[("id", "0")]),
            frame(Command::Subscribe, &[("destination", "/topic/x")]),
            subscribe("0", "/elsewhere/x", "auto"),
            subscribe("0", "/app/read", "auto"),
            subscribe("0", "/topic/x", "sometimes"),
            frame(
                Command::Subscribe,
                &[
                    ("id", "0"),
                    ("destination", "/topic/inbox"),
                    ("after", "yesterday"),
                ],
            ),
            frame(Command::Unsubscribe, &[]),
            frame(Command::Unsubscribe, &[("id", "unknown")]),
            frame(Command::Begin, &[]),
            frame(Command::Commit, &[("transaction", "unknown")]),
            frame(Command::Abort, &[("transaction", "unknown")]),
            send("/topic/x", "").with("transaction", "unknown"),
            frame(Command::Ack, &[]),
            frame(Command::Ack, &[("id", "unknown")]),
            frame(Command::Nack, &[("id", "7")]),
            frame(Command::Ack, &[("id", "00000000-1")]),
        ];
        for said in after {
            let mut peer = Peer::new(&served);
            peer.say(&said.clone().with("receipt", "mine"));
            let (error, code) = peer.is_refused();
            assert_eq!(
                (error.header("receipt-id"), code),
                (Some("mine"), CloseCode::Protocol),
                "{said:?}"
            );
        }
        served.stop();
    });
}

#[test]
fn a_stomp_client_that_comes_to_the_general_websocket_is_understood() {
    let techniques = ["ws", "stomp"].map(|name| technique::named(name).unwrap());
    let lab = Lab::new(Scenario {
        mails: 0,
        ..Scenario::default()
    })
    .unwrap();
    let server =
        mailcall::lab::standalone::Standalone::start(&lab, &techniques, "127.0.0.1:0".parse().unwrap())
            .unwrap();
    let stream = TcpStream::connect(server.address).unwrap();
    let mut request = format!("ws://{}/ws", server.address)
        .into_client_request()
        .unwrap();
    let offered = "v12.stomp, v11.stomp".parse().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Protocol", offered);
    let (mut socket, response) = tungstenite::client(request, stream).unwrap();
    assert_eq!(response.headers()["Sec-WebSocket-Protocol"], "v12.stomp");
    socket
        .send(Message::text("CONNECT\naccept-version:1.2\n\n\0"))
        .unwrap();
    let answer = socket.read().unwrap().into_text().unwrap();
    assert!(answer.starts_with("CONNECTED\nversion:1.2\n"), "{answer}");
    drop(socket);
    server.stop();
}

// ---- sending and receiving -------------------------------------------------------------------------

#[test]
fn a_topic_goes_to_every_subscriber_as_it_was_sent() {
    let served = served();
    let (mut sender, mut other) = (Peer::new(&served), Peer::new(&served));
    for peer in [&mut sender, &mut other] {
        peer.done(subscribe("mine", "/topic/chat.general", "auto"));
    }
    let octets: Vec<u8> = (0..=255).cycle().take(1_024).collect();
    let large = "large ".repeat(1023 * 1024 / 6);
    let bodies: [&[u8]; 6] = [
        b"Is anybody out there?",
        "\u{c4}l\u{e4} sin\u{e4} yht\u{e4}\u{e4}n and \u{627}\u{644}\u{633}".as_bytes(),
        br#"{"text":"hello","bool":true}"#,
        b"",
        &octets,
        large.as_bytes(),
    ];
    for body in bodies {
        sender.say(&send("/topic/chat.general", body.to_vec()));
        for peer in [&mut sender, &mut other] {
            let message = peer.message();
            assert!(message.body == body, "{} bytes", message.body.len());
            assert_eq!(message.header("subscription"), Some("mine"));
            assert_eq!(message.header("destination"), Some("/topic/chat.general"));
            assert!(message.header("message-id").unwrap().starts_with(&peer.session));
            assert_eq!(message.header("ack"), None);
        }
    }
    served.stop();
}

#[test]
fn a_body_without_a_length_ends_at_its_nul() {
    let served = served();
    let mut peer = Peer::new(&served);
    peer.done(subscribe("0", "/topic/x", "auto"));
    peer.say_text("SEND\ndestination:/topic/x\n\nHello, world\0");
    assert_eq!(peer.body(), "Hello, world");
    served.stop();
}

#[test]
fn what_the_sender_said_of_it_is_passed_on() {
    let served = served();
    let strange = "f:o:o\nbar\rbaz\\foo\nbar\rbaz\\";
    let mut peers = [V1_2, V1_1, V1_0].map(|version| Peer::speaking(&served, version));
    for peer in &mut peers {
        peer.done(subscribe("0", "/topic/x", "auto"));
    }
    let said = send("/topic/x", "Hello")
        .with("cust", strange)
        .with("cust", "second")
        .with("pri:ority", "9")
        .with("subscription", "forged")
        .with("message-id", "forged")
        .with("transaction-like", "kept");
    peers[0].say(&said);
    for (peer, (cust, name)) in peers.iter_mut().zip([
        (strange, "pri:ority"),
        (strange, "pri:ority"),
        // Nothing is escaped in 1.0, where it can be written at all.
        ("f:o:obar\rbaz\\foobar\rbaz\\", "priority"),
    ]) {
        let message = peer.message();
        let value = |name| message.header(name);
        assert_eq!(
            (value("cust"), value(name)),
            (Some(cust), Some("9")),
            "{message:?}"
        );
        assert_eq!(value("content-type"), Some("text/plain"));
        assert_eq!(value("subscription"), Some("0"));
        assert_eq!(value("transaction-like"), Some("kept"));
        let repeated = message.headers.iter().filter(|(n, _)| n == "message-id");
        assert_eq!(repeated.count(), 1);
    }
    served.stop();
}

#[test]
fn whoever_unsubscribes_hears_no_more() {
    let served = served();
    for version in Version::ALL {
        let mut peer = Peer::speaking(&served, version);
        peer.say(&subscribe("1", "/topic/x", "auto"));
        peer.say(&subscribe("2", "/topic/x", "auto"));
        peer.done(frame(Command::Unsubscribe, &[("id", "1")]));
        peer.say(&send("/topic/x", "Calling all cars!"));
        assert_eq!(peer.message().header("subscription"), Some("2"));
        peer.hears_nothing();
    }
    served.stop();
}

#[test]
fn in_1_0_a_subscription_may_be_without_id() {
    let served = served();
    let mut peer = Peer::speaking(&served, V1_0);
    peer.done(frame(Command::Subscribe, &[("destination", "/topic/x")]));
    peer.say(&send("/topic/x", "one"));
    assert_eq!(peer.message().header("subscription"), None);
    peer.done(frame(Command::Unsubscribe, &[("destination", "/topic/x")]));
    peer.say(&send("/topic/x", "two"));
    peer.hears_nothing();
    peer.say(&frame(Command::Nack, &[("message-id", "1")]));
    peer.is_refused();
    served.stop();
}

#[test]
fn ids_are_of_one_subscription_and_one_transaction() {
    let served = served();
    let mut peer = Peer::new(&served);
    peer.say(&subscribe("0", "/topic/x", "auto"));
    peer.say(&subscribe("0", "/topic/y", "auto"));
    peer.is_refused();
    let mut peer = Peer::new(&served);
    peer.say(&frame(Command::Begin, &[("transaction", "t")]));
    peer.say(&frame(Command::Begin, &[("transaction", "t")]));
    peer.is_refused();
    served.stop();
}

#[test]
fn receipts_come_in_order_for_every_frame() {
    let served = served();
    let mut peer = Peer::new(&served);
    let all = [
        subscribe("0", "/queue/x", "client"),
        send("/queue/x", "first"),
        frame(Command::Begin, &[("transaction", "t")]),
        send("/queue/x", "second").with("transaction", "t"),
        frame(Command::Commit, &[("transaction", "t")]),
        frame(Command::Begin, &[("transaction", "t")]),
        frame(Command::Abort, &[("transaction", "t")]),
        frame(Command::Unsubscribe, &[("id", "0")]),
    ];
    // In one message: nothing of the queue's comes between them.
    let bytes: Vec<Bytes> = (all.into_iter().zip(0..))
        .map(|(f, n)| f.with("receipt", format!("r:{n}")).to_bytes(V1_2))
        .collect();
    peer.say_bytes(&bytes.concat());
    for n in 0..8 {
        let receipt = peer.hear(Command::Receipt);
        assert_eq!(receipt.header("receipt-id"), Some(&*format!("r:{n}")));
    }
    served.stop();
}

#[test]
fn a_subscription_is_confirmed_before_its_first_message() {
    let served = with(Scenario::default());
    served.post(10);
    let mut peer = Peer::new(&served);
    peer.done(subscribe("sub-0", "/topic/inbox", "auto"));
    let id = format!("1.{}", served.epoch());
    assert_eq!(peer.message().header("message-id"), Some(&*id));
    served.stop();
}

#[test]
fn disconnect_has_its_receipt_and_then_nothing() {
    let served = served();
    let mut peer = Peer::new(&served);
    peer.done(subscribe("0", "/topic/x", "auto"));
    let bytes = [
        frame(Command::Disconnect, &[("receipt", "77")]).to_bytes(V1_2),
        send("/topic/x", "after all").with("receipt", "78").to_bytes(V1_2),
    ];
    peer.say_bytes(&bytes.concat());
    assert_eq!(peer.hear(Command::Receipt).header("receipt-id"), Some("77"));
    peer.socket.close(None).unwrap();
    assert!(peer.item().is_none());
    served.stop();
}

#[test]
fn frames_may_be_cut_and_joined_and_padded() {
    let served = served();
    let mut peer = Peer::new(&served);
    peer.done(subscribe("0", "/topic/x", "auto"));
    let said = send("/topic/x", "cut anywhere\0").to_bytes(V1_2);
    for piece in said.chunks(7) {
        peer.say_bytes(piece);
    }
    assert_eq!(peer.body(), "cut anywhere\0");
    let both = "\n\r\nSEND\r\ndestination:/topic/x\r\n\r\none\0\n\nSEND\ndestination:/topic/x\n\ntwo\0\n";
    peer.say_text(both);
    assert_eq!((peer.body(), peer.body()), ("one".into(), "two".into()));
    served.stop();
}

// ---- transactions --------------------------------------------------------------------------------

#[test]
fn what_is_in_a_transaction_happens_when_it_is_committed() {
    let served = served();
    for destination in ["/topic/x", "/queue/x"] {
        let mut peer = Peer::new(&served);
        peer.done(subscribe("0", destination, "auto"));
        let said = |body: &'static str| send(destination, body).with("transaction", "t");
        let begin = frame(Command::Begin, &[("transaction", "t")]);
        peer.say(&begin);
        peer.done(said("aborted"));
        peer.say(&send(destination, "outside"));
        assert_eq!(peer.body(), "outside");
        peer.done(frame(Command::Abort, &[("transaction", "t")]));
        peer.say(&begin);
        peer.say(&said("one"));
        peer.done(said("two"));
        peer.done(frame(Command::Commit, &[("transaction", "t")]));
        assert_eq!((peer.body(), peer.body()), ("one".into(), "two".into()));
        peer.hears_nothing();
    }
    // Whoever leaves before the end has aborted.
    let (mut leaving, mut staying) = (Peer::new(&served), Peer::new(&served));
    staying.done(subscribe("0", "/topic/x", "auto"));
    leaving.say(&frame(Command::Begin, &[("transaction", "t")]));
    leaving.done(send("/topic/x", "never").with("transaction", "t"));
    leaving.done(frame(Command::Disconnect, &[]));
    staying.hears_nothing();
    served.stop();
}

#[test]
fn an_acknowledgement_can_be_in_a_transaction() {
    let served = served();
    let mut peer = Peer::new(&served);
    peer.done(subscribe("0", "/queue/x", "client-individual"));
    peer.say(&send("/queue/x", "work"));
    let ack = peer.message().header("ack").unwrap().to_owned();
    peer.say(&frame(Command::Begin, &[("transaction", "t")]));
    peer.done(frame(Command::Ack, &[("id", &ack), ("transaction", "t")]));
    peer.done(frame(Command::Abort, &[("transaction", "t")]));
    // It was not acknowledged: the next one gets it.
    peer.vanish();
    let mut next = Peer::new(&served);
    next.done(subscribe("0", "/queue/x", "client"));
    let again = next.message();
    assert_eq!(
        (&again.body[..], again.header("redelivered")),
        (&b"work"[..], Some("true"))
    );
    let ack = again.header("ack").unwrap();
    next.say(&frame(Command::Begin, &[("transaction", "t")]));
    next.say(&frame(Command::Ack, &[("id", ack), ("transaction", "t")]));
    next.done(frame(Command::Commit, &[("transaction", "t")]));
    next.done(frame(Command::Unsubscribe, &[("id", "0")]));
    next.done(subscribe("0", "/queue/x", "client"));
    next.hears_nothing();
    served.stop();
}

// ---- queues and acknowledgement ------------------------------------------------------------------

#[test]
fn a_queue_keeps_what_nobody_reads_and_gives_each_message_once() {
    let served = served();
    let (mut sender, mut a, mut b) = (Peer::new(&served), Peer::new(&served), Peer::new(&served));
    sender.say(&send("/queue/x", "kept 1"));
    sender.done(send("/queue/x", "kept 2"));
    a.done(subscribe("0", "/queue/x", "auto"));
    assert_eq!((a.body(), a.body()), ("kept 1".into(), "kept 2".into()));
    a.hears_nothing();
    b.done(subscribe("0", "/queue/x", "auto"));
    b.hears_nothing();
    // Those who wait get them in turn.
    let mut heard = Vec::new();
    for n in 0..6 {
        sender.done(send("/queue/x", n.to_string()));
        let peer = if n % 2 == 0 { &mut a } else { &mut b };
        heard.push(peer.body());
    }
    assert_eq!(heard, ["0", "1", "2", "3", "4", "5"]);
    served.stop();
}

#[test]
fn what_one_refuses_another_gets() {
    let served = served();
    let mut peers = [Peer::new(&served), Peer::new(&served)];
    for peer in &mut peers {
        peer.done(subscribe("0", "/queue/test01", "client"));
    }
    Peer::new(&served).done(send("/queue/test01", "nobody wants me"));
    // Who is first is for the broker to say; then it goes back and forth.
    let mut turn = 0;
    let (read_a, read_b) = (
        peers[0].socket.get_ref().try_clone(),
        peers[1].socket.get_ref().try_clone(),
    );
    let (a, b) = (read_a.unwrap(), read_b.unwrap());
    until("one of them has it", || {
        let ready = |s: &TcpStream| {
            s.set_nonblocking(true).unwrap();
            let there = s.peek(&mut [0]).is_ok();
            s.set_nonblocking(false).unwrap();
            there
        };
        turn = usize::from(ready(&b));
        ready(&a) || turn == 1
    });
    for n in 0..3 {
        let message = peers[turn].message();
        assert_eq!(message.header("redelivered").is_some(), n > 0);
        let answer = if n < 2 { Command::Nack } else { Command::Ack };
        peers[turn].done(frame(answer, &[("id", message.header("ack").unwrap())]));
        turn = 1 - turn;
    }
    for peer in &mut peers {
        peer.hears_nothing();
    }
    // Alone, one gets again what it refused.
    let [mut a, b] = peers;
    b.vanish();
    a.done(send("/queue/test02", "again"));
    a.done(subscribe("1", "/queue/test02", "client-individual"));
    let message = a.message();
    a.say(&frame(Command::Nack, &[("id", message.header("ack").unwrap())]));
    assert_eq!(a.message().header("redelivered"), Some("true"));
    served.stop();
}

#[test]
fn what_was_not_acknowledged_comes_again_when_its_consumer_goes() {
    let served = served();
    for version in Version::ALL {
        let mut sender = Peer::new(&served);
        for body in ["one", "two", "three"] {
            sender.done(send("/queue/x", body));
        }
        let mut leaving = Peer::speaking(&served, version);
        leaving.done(subscribe("s", "/queue/x", "client"));
        let got: Vec<Frame> = (0..3).map(|_| leaving.message()).collect();
        assert_eq!(got[0].header("ack").is_some(), version == V1_2);
        let id = got[0].header("message-id").unwrap();
        let ack = match version {
            V1_0 => frame(Command::Ack, &[("message-id", id)]),
            V1_1 => frame(Command::Ack, &[("message-id", id), ("subscription", "s")]),
            V1_2 => frame(Command::Ack, &[("id", got[0].header("ack").unwrap())]),
        };
        leaving.done(ack);
        if version == V1_1 {
            leaving.vanish();
        } else {
            leaving.done(frame(Command::Disconnect, &[]));
        }
        let mut next = Peer::new(&served);
        next.done(subscribe("0", "/queue/x", "auto"));
        assert_eq!((next.body(), next.body()), ("two".into(), "three".into()));
        next.hears_nothing();
    }
    served.stop();
}

#[test]
fn client_acknowledges_all_before_and_client_individual_one() {
    let served = served();
    for (mode, left) in [("client", vec!["3"]), ("client-individual", vec!["1", "3"])] {
        let mut peer = Peer::new(&served);
        peer.done(subscribe("0", "/queue/x", mode));
        for body in ["1", "2", "3"] {
            peer.say(&send("/queue/x", body));
        }
        let acks: Vec<String> = (0..3)
            .map(|_| peer.message().header("ack").unwrap().into())
            .collect();
        peer.done(frame(Command::Ack, &[("id", &acks[1])]));
        // What is settled may be acknowledged again.
        peer.done(frame(Command::Ack, &[("id", &acks[1])]));
        peer.done(frame(Command::Unsubscribe, &[("id", "0")]));
        let mut next = Peer::new(&served);
        next.done(subscribe("0", "/queue/x", "auto"));
        let again: Vec<String> = left.iter().map(|_| next.body()).collect();
        assert_eq!(again, left, "{mode}");
        next.hears_nothing();
    }
    served.stop();
}

#[test]
fn nobody_acknowledges_for_another() {
    let served = served();
    let (mut owner, mut other) = (Peer::new(&served), Peer::new(&served));
    owner.done(subscribe("0", "/queue/x", "client"));
    owner.say(&send("/queue/x", "mine"));
    let ack = owner.message().header("ack").unwrap().to_owned();
    other.say(&frame(Command::Ack, &[("id", &ack)]));
    other.is_refused();
    owner.done(frame(Command::Nack, &[("id", &ack)]));
    assert_eq!(owner.body(), "mine");
    served.stop();
}

#[test]
fn a_consumer_that_acknowledges_nothing_is_not_given_everything() {
    let served = served();
    let (mut greedy, mut sender) = (Peer::new(&served), Peer::new(&served));
    greedy.done(subscribe("0", "/queue/x", "client"));
    for n in 0..300 {
        sender.say(&send("/queue/x", n.to_string()));
    }
    let mut got: Vec<Frame> = (0..256).map(|_| greedy.message()).collect();
    greedy.hears_nothing();
    let ack = got.pop().unwrap();
    greedy.say(&frame(Command::Ack, &[("id", ack.header("ack").unwrap())]));
    for n in 256..300 {
        assert_eq!(greedy.body(), n.to_string());
    }
    served.stop();
}

// ---- heart-beats ---------------------------------------------------------------------------------

fn beating(heartbeat_ms: f64) -> Served {
    with(Scenario {
        heartbeat_ms,
        ..Scenario::default()
    })
}

#[test]
fn heart_beats_come_as_often_as_was_agreed_on() {
    undisturbed(|| {
        let served = beating(100.0);
        let mut peer = Peer::open(&served, "/stomp", "");
        let begun = Instant::now();
        peer.say(&connect(V1_1).with("heart-beat", "0,250"));
        assert_eq!(
            peer.hear(Command::Connected).header("heart-beat"),
            Some("100,100")
        );
        for n in 1..=3 {
            assert_eq!(peer.item(), Some(Item::HeartBeat));
            // The seldomer of the two holds; later is the machine's affair.
            assert!(begun.elapsed() + Duration::from_millis(20) >= Duration::from_millis(250) * n);
        }
        served.stop();
    });
}

#[test]
fn whoever_promised_heart_beats_and_sends_none_is_let_go() {
    undisturbed(|| {
        let served = beating(100.0);
        let mut peer = Peer::open(&served, "/stomp", "");
        let begun = Instant::now();
        peer.say(&connect(V1_2).with("heart-beat", "100,0"));
        peer.hear(Command::Connected);
        assert_eq!(peer.item(), None);
        assert!(
            begun.elapsed() >= Duration::from_millis(900),
            "{:?}",
            begun.elapsed()
        );
        // And whoever sends some is not, whatever they are.
        let mut peer = Peer::open(&served, "/stomp", "");
        peer.say(&connect(V1_2).with("heart-beat", "100,0"));
        peer.hear(Command::Connected);
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(1_500) {
            peer.say_text("\n");
            peer.hears_nothing();
            std::thread::park_timeout(Duration::from_millis(50));
        }
        served.stop();
    });
}

#[test]
fn without_heart_beats_silence_is_no_crime() {
    undisturbed(|| {
        let served = beating(50.0);
        for hello in [
            connect(V1_2),
            connect(V1_2).with("heart-beat", "0,0"),
            connect(V1_0).with("heart-beat", "50,50"),
        ] {
            let mut peer = Peer::open(&served, "/stomp", "");
            peer.say(&hello);
            peer.hear(Command::Connected);
            let quiet = Duration::from_millis(1_200);
            peer.socket.get_ref().set_read_timeout(Some(quiet)).unwrap();
            match peer.socket.read() {
                Err(tungstenite::Error::Io(e)) => assert!(
                    [std::io::ErrorKind::WouldBlock, std::io::ErrorKind::TimedOut].contains(&e.kind()),
                    "{e}"
                ),
                said => panic!("{said:?}"),
            }
        }
        served.stop();
    });
}

// ---- mail ----------------------------------------------------------------------------------------

#[test]
fn a_subscriber_resumes_behind_the_mail_it_names() {
    let served = with(Scenario {
        topics: vec!["inbox".into(), "promotions".into()],
        ..Scenario::default()
    });
    (0..6).for_each(|_| served.post(10));
    let end = format!(".{}", served.epoch());
    let numbers = |peer: &mut Peer, n: usize| -> Vec<String> {
        let number = |id: &str| id.strip_suffix(&*end).unwrap().to_owned();
        (0..n)
            .map(|_| number(peer.message().header("message-id").unwrap()))
            .collect()
    };
    let mut peer = Peer::new(&served);
    peer.done(subscribe("a", "/topic/inbox", "auto"));
    assert_eq!(numbers(&mut peer, 3), ["1", "3", "5"]);
    peer.done(subscribe("b", "/topic/promotions", "auto").with("after", "3"));
    assert_eq!(numbers(&mut peer, 2), ["4", "6"]);
    peer.hears_nothing();
    served.post(10);
    let message = peer.message();
    assert_eq!(message.header("subscription"), Some("a"));
    assert_eq!(message.header("destination"), Some("/topic/inbox"));
    assert_eq!(message.header("content-type"), Some("application/json"));
    assert!(message.body.starts_with(br#"{"id":7,"#));
    // Mail is everyone's: acknowledging it changes nothing.
    let mut peer = Peer::new(&served);
    peer.done(subscribe("c", "/topic/inbox", "client").with("after", "6"));
    let message = peer.message();
    assert_eq!(message.header("ack"), Some(&*format!("7{end}")));
    peer.done(frame(Command::Nack, &[("id", &format!("7{end}"))]));
    peer.hears_nothing();
    served.stop();
}

#[test]
fn all_topics_come_in_order_and_a_gap_is_told_once() {
    let served = with(Scenario {
        topics: vec!["a".into(), "b".into(), "c".into()],
        keep: 4,
        ..Scenario::default()
    });
    (0..10).for_each(|_| served.post(10));
    let mut peer = Peer::new(&served);
    let all: Vec<Bytes> = (["a", "b", "c"].iter().enumerate())
        .map(|(i, t)| subscribe(&i.to_string(), &format!("/topic/{t}"), "auto").to_bytes(V1_2))
        .collect();
    peer.say_bytes(&all.concat());
    assert_eq!(peer.body(), r#"{"gap":6}"#);
    for number in 7..=10 {
        assert_eq!(
            peer.message().header("message-id"),
            Some(&*format!("{number}.{}", served.epoch()))
        );
    }
    peer.hears_nothing();
    served.stop();
}

#[test]
fn replies_and_talk_reach_the_application() {
    let served = served();
    let mut peer = Peer::new(&served);
    peer.say(&send("/app/say", r#"{"client":0,"say":1}"#));
    peer.done(send("/app/read", r#"{"read":1}"#));
    assert_eq!(*served.replies.borrow(), 1);
    served.stop();
}

#[test]
fn what_is_sent_to_a_mail_topic_becomes_mail() {
    let served = with(Scenario {
        topics: vec!["inbox".into(), "promotions".into()],
        ..Scenario::default()
    });
    let mut peer = Peer::new(&served);
    let all = [
        subscribe("i", "/topic/inbox", "auto").to_bytes(V1_2),
        subscribe("p", "/topic/promotions", "auto").to_bytes(V1_2),
    ];
    peer.say_bytes(&all.concat());
    peer.say(&send("/topic/promotions", "plain text").with("colour", "blue"));
    let message = peer.message();
    assert_eq!(
        (
            message.header("subscription"),
            message.header("message-id"),
            message.header("colour")
        ),
        (Some("p"), Some(&*format!("1.{}", served.epoch())), Some("blue"))
    );
    assert_eq!(
        &message.body[..],
        br#"{"id":1,"from":"","subject":"","body":"plain text"}"#
    );
    let letter = r#"{"from":"a","subject":"b","body":"c"}"#;
    peer.say(&send("/topic/inbox", letter));
    assert_eq!(peer.body(), r#"{"id":2,"from":"a","subject":"b","body":"c"}"#);
    // As the lab's publishers send it; a number is the broker's to give.
    peer.say(&send(
        "/topic/inbox",
        r#"{"id":99,"from":"a","subject":"b","body":"c","attachment":"QUJD"}"#,
    ));
    assert_eq!(
        peer.body(),
        r#"{"id":3,"from":"a","subject":"b","body":"c","attachment":"QUJD"}"#
    );
    peer.say(&send("/topic/inbox", vec![0xFF, 0xFE]));
    peer.is_refused();
    served.stop();
}

// ---- clients that mean no good -------------------------------------------------------------------

#[test]
fn what_breaks_the_protocol_is_told_and_disturbs_nobody() {
    undisturbed(|| {
        let served = served();
        let mut bystander = Peer::new(&served);
        bystander.done(subscribe("0", "/topic/x", "auto"));
        let long = format!("SEND\na:{}\n\n\0", "x".repeat(9_000));
        let many = format!("SEND\n{}\n\0", "a:b\n".repeat(65));
        let endless = "x".repeat(9_000);
        let large = format!("SEND\ndestination:/topic/x\n\n{}", "x".repeat((1 << 20) + 1));
        for (said, code) in [
            ("NONSENSE\n\n\0", CloseCode::Protocol),
            ("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", CloseCode::Protocol),
            ("SEND\nbad\\escape:1\n\n\0", CloseCode::Protocol),
            ("SEND\nno colon\n\n\0", CloseCode::Protocol),
            ("SEND\ncontent-length:x\n\n\0", CloseCode::Protocol),
            ("SEND\ncontent-length:1\n\nxx\0", CloseCode::Protocol),
            ("SUBSCRIBE\nid:0\n\nbody\0", CloseCode::Protocol),
            ("SEND\ncontent-length:2000000\n\n", CloseCode::Size),
            (&*long, CloseCode::Size),
            (&*many, CloseCode::Size),
            (&*endless, CloseCode::Size),
            (&*large, CloseCode::Size),
        ] {
            let mut peer = Peer::new(&served);
            peer.say_text(said);
            let (error, closed) = peer.is_refused();
            assert_eq!(closed, code, "{error:?}");
        }
        // Half a frame harms nobody, and is forgotten with its connection.
        let mut peer = Peer::new(&served);
        peer.say_text("SEND\ndestination:/topic/x\n\nhalf");
        peer.vanish();
        bystander.hears_nothing();
        bystander.say(&send("/topic/x", "still here"));
        assert_eq!(bystander.body(), "still here");
        served.stop();
    });
}

#[test]
fn a_server_takes_what_it_is_told_to() {
    let tuning = Tuning {
        max_payload: Some(1_000),
        ..Tuning::default()
    };
    let rules = (patient(), BODY_TIMEOUT, tuning);
    let served = Served::tuned("stomp", rules, Scenario::default(), |_| Routes::new());
    let mut peer = Peer::new(&served);
    peer.done(send("/topic/x", "x".repeat(1_000)));
    peer.say(&send("/topic/x", "x".repeat(1_001)));
    assert_eq!(peer.is_refused().1, CloseCode::Size);
    served.stop();
}

#[test]
fn whoever_does_not_say_connect_is_not_waited_for() {
    undisturbed(|| {
        let served = Served::with_body_timeout("stomp", patient(), Scenario::default(), SHORT);
        for said in ["", "\n", "CONN"] {
            let mut peer = Peer::open(&served, "/stomp", "v12.stomp");
            peer.say_text(said);
            peer.is_refused();
        }
        served.stop();
    });
}

#[test]
fn there_is_a_limit_to_what_one_session_has() {
    let served = served();
    let mut peer = Peer::new(&served);
    for n in 0..100 {
        peer.say(&subscribe(&n.to_string(), "/topic/x", "auto"));
    }
    peer.hears_nothing();
    peer.say(&subscribe("more", "/topic/x", "auto"));
    assert_eq!(peer.is_refused().1, CloseCode::Size);
    let mut peer = Peer::new(&served);
    for n in 0..16 {
        peer.say(&frame(Command::Begin, &[("transaction", &n.to_string())]));
    }
    peer.done(send("/topic/x", "").with("transaction", "0"));
    peer.say(&frame(Command::Begin, &[("transaction", "more")]));
    assert_eq!(peer.is_refused().1, CloseCode::Size);
    let mut peer = Peer::new(&served);
    peer.say(&frame(Command::Begin, &[("transaction", "t")]));
    let one = send("/topic/x", "").with("transaction", "t").to_bytes(V1_2);
    peer.say_bytes(&one.repeat(1_001));
    assert_eq!(peer.is_refused().1, CloseCode::Size);
    served.stop();
}

#[test]
fn a_queue_that_nobody_reads_is_full_some_day() {
    undisturbed(|| {
        let served = served();
        let mut bystander = Peer::new(&served);
        bystander.done(subscribe("b", "/topic/b", "auto"));
        let mut peer = Peer::new(&served);
        let one = send("/queue/x", "").to_bytes(V1_2);
        peer.say_bytes(&one.repeat(10_000));
        peer.hears_nothing();
        peer.say(&send("/queue/x", "one more").with("receipt", "r"));
        let (error, code) = peer.is_refused();
        assert_eq!((error.header("receipt-id"), code), (Some("r"), CloseCode::Size));
        // A session has its share of what all queues hold together.
        let large = "x".repeat(1 << 20);
        let mut taken = 0;
        loop {
            let share = fill_queues(&served, taken, &large);
            assert!(share < 4, "one session filled {share} MiB");
            taken += share;
            if share == 0 {
                break;
            }
        }
        assert!((40..64).contains(&taken), "{taken}");
        // Topics have room of their own.
        bystander.say(&send("/topic/b", large.clone()));
        assert_eq!(bystander.message().body.len(), large.len());
        served.stop();
    });
}

/// Sends a message to a queue of its own, and another, in a new session until one is refused; says how many
/// were taken.
fn fill_queues(served: &Served, first: usize, body: &str) -> usize {
    let mut peer = Peer::new(served);
    for taken in 0..100 {
        let message = send(&format!("/queue/{}", first + taken), body.to_owned());
        peer.socket.send(Message::binary(message.to_bytes(V1_2))).unwrap();
        peer.say(&frame(Command::Begin, &[("transaction", "t"), ("receipt", "r")]));
        match peer.next().command {
            Command::Receipt => peer.done(frame(Command::Abort, &[("transaction", "t")])),
            Command::Error => return taken,
            other => panic!("{other:?}"),
        }
    }
    panic!("a hundred large messages were taken of one session");
}

#[test]
fn a_subscriber_that_never_reads_is_let_go_and_the_others_are_not() {
    let served = Served::start("stomp", serving::short(), Scenario::default());
    let (mut deaf, mut sender, mut reader) = (Peer::new(&served), Peer::new(&served), Peer::new(&served));
    deaf.done(subscribe("0", "/topic/x", "auto"));
    reader.done(subscribe("0", "/topic/x", "auto"));
    let body = "x".repeat(100_000);
    let mut sent = 0;
    until("the deaf one is let go", || {
        sender.done(send("/topic/x", body.clone()));
        assert_eq!(reader.message().body.len(), body.len());
        sent += 1;
        served.ledger.open() == 2
    });
    assert!(sent < 10_000);
    reader.hears_nothing();
    served.stop();
}

#[test]
fn a_flood_is_answered_as_fast_as_it_is_read_and_disturbs_nobody() {
    let served = served();
    let (mut flood, mut other) = (Peer::new(&served), Peer::new(&served));
    other.done(subscribe("0", "/topic/y", "auto"));
    let one = send("/topic/x", "flood").with("receipt", "r").to_bytes(V1_2);
    flood.say_bytes(&one.repeat(5_000));
    other.say(&send("/topic/y", "through"));
    assert_eq!(other.body(), "through");
    for _ in 0..5_000 {
        flood.hear(Command::Receipt);
    }
    served.stop();
}

// ---- in the lab ----------------------------------------------------------------------------------

fn run(scenario: Scenario) -> Outcome {
    let scenario = Scenario {
        mails: 13,
        rate_per_s: 60.0,
        arrivals: Arrivals::Steady,
        grace_ms: 10_000.0,
        ..scenario
    };
    let stomp = technique::named("stomp").unwrap();
    let run = |scenario: &Scenario| {
        let lab = Lab::new(scenario.clone()).unwrap();
        let outcome = lab.compare(&[stomp], &|_| {}).unwrap().remove(0);
        assert!(outcome.clean(), "{:?} {:?}", outcome.mails, outcome.trust);
        outcome
    };
    pace::at_a_pace_that_is_kept(&scenario, run, is_as_predicted)
}

fn is_as_predicted(o: &Outcome) -> bool {
    let same = |m: &Labelled<u64>, p: &Labelled<f64>| {
        let pairs = [
            (m.head, p.head),
            (m.framing, p.framing),
            (m.control, p.control),
            (m.payload, p.payload),
            (m.total, p.total),
        ];
        pairs.iter().all(|(m, p)| (*m as f64 - p).abs() < 1e-6)
    };
    let (b, p) = (&o.bytes, &o.predicted.bytes);
    same(&b.up, &p.up) && same(&b.down, &p.down) && o.requests.total as f64 == o.predicted.requests.total
}

fn assert_as_predicted(o: &Outcome) {
    let (b, p) = (&o.bytes, &o.predicted.bytes);
    assert!(is_as_predicted(o), "{b:?}\n{p:?}");
    assert_eq!(o.overhead_bytes as f64, o.predicted.overhead_bytes);
}

#[test]
fn topics_and_publishers_cost_what_is_predicted() {
    let topics = ["inbox", "promotions", "x"].map(String::from).to_vec();
    for scenario in [
        Scenario {
            clients: 3,
            topics: topics.clone(),
            ..Scenario::default()
        },
        Scenario {
            publishers: 1,
            ..Scenario::default()
        },
        Scenario {
            publishers: 3,
            clients: 2,
            topics,
            reply: true,
            attach: 1_000,
            ..Scenario::default()
        },
        Scenario {
            publishers: 2,
            frames: Frames::Binary,
            attach: 100,
            closer: Closer::Server,
            ..Scenario::default()
        },
    ] {
        let o = run(scenario.clone());
        assert_as_predicted(&o);
        assert_eq!(
            o.connections.opened,
            (scenario.clients + scenario.publishers) as u64
        );
        let sent = 13 * (scenario.size + scenario.attach) as u64;
        assert_eq!(o.bytes.down.payload, sent * scenario.clients as u64);
        let published = if scenario.publishers > 0 { sent } else { 0 };
        assert!(o.bytes.up.payload >= published);
    }
}

#[test]
fn publishing_takes_a_transit_of_its_own() {
    let link = Link {
        rtt_ms: 40.0,
        ..Link::default()
    };
    let o = run(Scenario {
        publishers: 2,
        link,
        ..Scenario::default()
    });
    // To the broker and from it: half a round trip each.
    assert_eq!(o.predicted.latency_us.mean, 40_000.0);
    let least = o.latency_us.as_ref().unwrap().min;
    assert!(least >= 39_900.0, "{least}");
    assert_as_predicted(&o);
}
