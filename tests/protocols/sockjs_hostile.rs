//! Clients of SockJS that mean harm, or are broken: each gets the error that the protocol names, is let go,
//! and disturbs nobody else; what they make the server keep is bounded.

use std::time::Duration;

use mailcall::outcome::Scenario;
use mailcall::technique::sockjs::{Options, Session, routes};
use mailcall::technique::{BODY_TIMEOUT, Routes, Service, Tuning};

use crate::support::serving::{Answer, Raw, SHORT, Served, patient, short, until};
use crate::support::undisturbed::undisturbed;

/// Echoes, and has a service with place for three sessions.
fn served(limits: mailcall::lab::server::Limits, body_timeout: Duration) -> Served {
    let tuning = Tuning {
        echo: true,
        max_payload: Some(4_096),
        ..Tuning::default()
    };
    Served::tuned(
        "sockjs",
        (limits, body_timeout, tuning),
        Scenario::default(),
        small,
    )
}

fn small(service: &Service) -> Routes {
    let options = Options {
        max_sessions: 3,
        disconnect_delay: Duration::from_millis(200),
        ..Options::of(service)
    };
    routes("/small", service.clone(), options, |_, mut session: Session| {
        Box::pin(async move { while session.recv().await.is_some() {} })
    })
}

fn send(served: &Served, target: &str, body: &str) -> Raw {
    let length = body.len();
    served.say(format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{body}"
    ))
}

fn post(served: &Served, target: &str, body: &str) -> Answer {
    send(served, target, body).answer()
}

fn polled(served: &Served, session: &str) -> String {
    String::from_utf8(post(served, &format!("{session}/xhr"), "").body).unwrap()
}

fn upgrade(served: &Served, target: &str) -> Raw {
    let mut raw = served.say(format!(
        "GET {target} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ));
    assert_eq!(raw.head().status, 101);
    assert_eq!(raw.read(3), b"\x81\x01o");
    raw
}

/// A frame that a client sends, masked with zeroes.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first, 0x80 | 126];
    frame.extend((payload.len() as u16).to_be_bytes());
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// Somebody else, who came before and stays, is not disturbed.
struct Bystander(Raw);

impl Bystander {
    fn of(served: &Served) -> Bystander {
        Bystander(upgrade(served, "/echo/000/bystander/websocket"))
    }

    fn is_undisturbed(&mut self) {
        self.0.say(frame(0x81, b"[\"still here\"]"));
        assert_eq!(self.0.read(17), b"\x81\x0fa[\"still here\"]");
    }
}

#[test]
fn nonsense_gets_its_error() {
    let served = served(patient(), BODY_TIMEOUT);
    let mut bystander = Bystander::of(&served);
    assert_eq!(polled(&served, "/echo/0/a"), "o\n");
    let long = format!("[\"{}\"]", "x".repeat(5_000));
    let deep = "[".repeat(4_000);
    for (body, status) in [
        ("[\"\\x\"]", 500),
        ("[\"\\u12\"]", 500),
        ("[\"\\ud8\"]", 500),
        ("[\"a\",]", 500),
        (deep.as_str(), 500),
        (long.as_str(), 413),
    ] {
        let answer = post(&served, "/echo/0/a/xhr_send", body);
        assert_eq!(answer.status, status, "{body:.20}");
        bystander.is_undisturbed();
    }
    // Bytes that are no text.
    let mut raw =
        served.say("POST /echo/0/a/xhr_send HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n");
    raw.say(b"[\"\xff\"]");
    assert_eq!(raw.answer().status, 500);
    // Whoever does not know a session's name has none.
    for session in ["b", "A", "a%20", "%61", "bystander"] {
        assert_eq!(
            post(&served, &format!("/echo/0/{session}/xhr_send"), "[\"x\"]").status,
            404,
            "{session}"
        );
    }
    let huge = format!(
        "POST /echo/0/a/xhr HTTP/1.1\r\nX: {}\r\n\r\n",
        "x".repeat(200_000)
    );
    let mut raw = served.connect();
    raw.try_say(huge);
    let refused = String::from_utf8_lossy(&raw.rest()).into_owned();
    assert!(
        refused.is_empty() || refused.starts_with("HTTP/1.1 431"),
        "{refused}"
    );
    bystander.is_undisturbed();
    served.stop();
}

#[test]
fn nonsense_on_a_websocket_ends_it() {
    let served = served(patient(), BODY_TIMEOUT);
    let mut bystander = Bystander::of(&served);
    let long = frame(0x81, &[b'x'; 5_000]);
    for (bytes, code) in [
        (frame(0x81, b"[\"\\x\"]"), 3000),
        (frame(0x81, b"nonsense"), 3000),
        (frame(0x81, b"\xff\xfe"), 1007),
        (frame(0x83, b"reserved"), 1002),
        (long, 1009),
    ] {
        let mut raw = upgrade(&served, "/echo/0/a/websocket");
        raw.say(bytes);
        let close = raw.read(4);
        assert_eq!((close[0], u16::from_be_bytes([close[2], close[3]])), (0x88, code));
        raw.try_say(frame(0x88, &1000_u16.to_be_bytes()));
        raw.rest();
        bystander.is_undisturbed();
    }
    // Half a frame, and gone.
    let mut raw = upgrade(&served, "/echo/0/a/websocket");
    raw.say(&frame(0x81, b"[\"half\"]")[..9]);
    drop(raw);
    until("it is let go", || served.ledger.open() == 1);
    bystander.is_undisturbed();
    served.stop();
}

/// Echoes pile up where nobody polls for them: not without end.
#[test]
fn who_only_talks_is_slowed_down() {
    undisturbed(|| {
        let served = served(patient(), SHORT);
        let mut bystander = Bystander::of(&served);
        assert_eq!(polled(&served, "/echo/0/flood"), "o\n");
        let message = format!("[\"{}\"]", "x".repeat(4_000));
        let mut taken = 0;
        let refused = loop {
            match post(&served, "/echo/0/flood/xhr_send", &message).status {
                204 => taken += 1,
                status => break status,
            }
            assert!(taken < 100, "{taken} messages of 4,000 bytes wait for nobody");
        };
        assert_eq!(refused, 503);
        bystander.is_undisturbed();
        // What was taken is there for whoever asks.
        let mut echoed = 0;
        while echoed < taken {
            let frame = polled(&served, "/echo/0/flood");
            echoed += serde_json::from_str::<Vec<String>>(&frame[1..]).unwrap().len();
        }
        // A message of the refused request may have made it.
        assert!(echoed - taken <= 1);
        bystander.is_undisturbed();
        served.stop();
    });
}

/// A client that never reads is let go, whatever it was promised.
#[test]
fn who_never_reads_is_let_go() {
    for endpoint in ["websocket", "xhr_streaming"] {
        let served = served(short(), BODY_TIMEOUT);
        let raw = match endpoint {
            "websocket" => {
                let mut raw = upgrade(&served, "/sockjs/0/deaf/websocket");
                raw.say(frame(0x81, b"[\"{\\\"after\\\":0}\"]"));
                raw
            }
            _ => {
                let mut raw = send(&served, "/sockjs/0/deaf/xhr_streaming", "");
                assert_eq!(raw.head().status, 200);
                assert_eq!(
                    post(&served, "/sockjs/0/deaf/xhr_send", "[\"{\\\"after\\\":0}\"]").status,
                    204
                );
                raw
            }
        };
        until("it waits for mail", || served.mailbox.watchers() == 1);
        let mut bystander = Bystander::of(&served);
        // More than kernels buffer.
        for _ in 0..400 {
            served.post(60_000);
        }
        until("it is let go", || served.mailbox.watchers() == 0);
        bystander.is_undisturbed();
        drop(raw);
        served.stop();
    }
}

#[test]
fn sessions_are_not_without_number() {
    let served = served(patient(), BODY_TIMEOUT);
    let held = ["a", "b", "c"].map(|name| {
        let mut raw = send(&served, &format!("/small/0/{name}/xhr_streaming"), "");
        assert_eq!(raw.head().status, 200);
        raw
    });
    assert_eq!(post(&served, "/small/0/d/xhr", "").status, 503);
    drop(held);
    // Elsewhere there is room, and here again when nobody comes back.
    assert_eq!(polled(&served, "/echo/0/d"), "o\n");
    until("there is room again", || {
        post(&served, "/small/0/d/xhr", "").status == 200
    });
    served.stop();
}

/// Bodies that never come, and requests that never end.
#[test]
fn who_does_not_finish_is_not_waited_for() {
    undisturbed(|| {
        let served = served(short(), SHORT);
        assert_eq!(polled(&served, "/echo/0/slow"), "o\n");
        let mut raw = served
            .say("POST /echo/0/slow/xhr_send HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n[\"h");
        assert_eq!(raw.head().status, 408);
        let mut raw = served.say("POST /echo/0/slow/xhr HTTP/1.1\r\nHost: loc");
        raw.rest();
        served.stop();
    });
}
