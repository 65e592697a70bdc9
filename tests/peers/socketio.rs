//! Socket.IO's published clients under our server, over each transport they have, and our client under the
//! published server: every mail once, in order, before and after a cut.
//!
//! The peers' scripts lie in `tests/peers`; `scripts/peers` installs what they need.
#![cfg(unix)]

use mailcall::outcome::{Frames, Scenario};
use mailcall::technique::Routes;
use mailcall::wire::Direction::{Down, Up};

use crate::foreign::ours::under;
use crate::foreign::{ALL, EARLY, ENCRYPTED, Got, PLAIN, Peer, Site, cut, expect, node, python, scenario};
use crate::support;
use crate::support::served::Serving;

const MODES: [&str; 3] = ["polling", "websocket", "upgrade"];

// ---- their clients under our server ----------------------------------------------------------------

/// A client is cut at several places, comes back by itself, and hears mail as it arrives.
fn resumes(peer: &Peer, mode: &str, scenario: Scenario) {
    // Behind the handshake, among the mails, in what the client says. A client that opens a connection for
    // each poll is cut in some of them; by a reset, since to PyPI's requests a head that just stops is a whole
    // one, and what it brought is lost untold.
    let polls = mode != "websocket";
    let cuts = [
        cut(0, Down, 700, true),
        cut(2, Down, 200, polls),
        cut(5, Up, 120, !polls),
        cut(7, Down, 500, polls),
        cut(9, Down, 60, true),
    ];
    let site = Site::with(&["socketio"], PLAIN, &cuts, scenario, Routes::new());
    site.arrive(EARLY);
    let mut got = Got::after(0, &site);
    let mut talk = peer.start(&site, &format!("{mode} {}", site.url("http", "")));
    for upto in EARLY..=ALL {
        site.arrive(upto);
        got.listen(&talk, upto);
        if upto == EARLY {
            site.sit_out_heartbeats();
        }
    }
    talk.order("close");
    got.listen_until(&talk, "left");
    talk.hang_up();
    assert!(talk.ended().success(), "{mode}");
    assert!(site.ledger.opened() > 1, "{mode}: nothing was cut");
    site.stop();
}

fn acknowledges(peer: &Peer, mode: &str) {
    let scenario = Scenario {
        reply: true,
        ..scenario()
    };
    let site = Site::with(&["socketio"], PLAIN, &[], scenario, Routes::new());
    let talk = peer.start(&site, &format!("{mode} {}", site.url("http", "")));
    let mut got = Got::after(0, &site);
    for upto in 1..=ALL {
        site.arrive(upto);
        got.listen(&talk, upto);
        support::until("the mail is acknowledged", || {
            *site.replies.borrow() == upto as u64
        });
    }
    drop(talk);
    site.end();
}

fn carries_attachments(peer: &Peer, mode: &str) {
    for frames in [Frames::Text, Frames::Binary] {
        let scenario = Scenario {
            frames,
            attach: 10_000,
            ..scenario()
        };
        let site = Site::with(&["socketio"], PLAIN, &[], scenario, Routes::new());
        site.arrive(ALL);
        let talk = peer.start(&site, &format!("{mode} {}", site.url("http", "")));
        Got::after(0, &site).listen(&talk, ALL);
        drop(talk);
        site.end();
    }
}

fn is_told_of_a_gap(peer: &Peer, mode: &str) {
    let scenario = Scenario {
        keep: 4,
        ..scenario()
    };
    let site = Site::with(&["socketio"], PLAIN, &[], scenario, Routes::new());
    site.arrive(ALL);
    let talk = peer.start(&site, &format!("{mode} {}", site.url("http", "")));
    expect(&talk, "gap 8");
    Got::after(8, &site).listen(&talk, ALL);
    drop(talk);
    site.end();
}

fn sees_the_server_leave(peer: &Peer, mode: &str) {
    let site = Site::start("socketio", PLAIN, &[]);
    site.arrive(ALL);
    let talk = peer.start(&site, &format!("{mode} {}", site.url("http", "")));
    let mut got = Got::after(0, &site);
    got.listen(&talk, ALL);
    site.server.shutdown.cancel();
    let why = got.listen_until(&talk, "left");
    // Who polls sees the session end with its namespace, or finds nobody when it asks again.
    let polled = mode != "websocket" && why.starts_with("transport");
    assert!(polled || why.contains("server disconnect"), "{mode}: {why}");
    drop(talk);
    site.end();
}

#[test]
fn npm_socket_io_client_resumes() {
    if let Some(peer) = node("socket.io-client", "socketio_client.js") {
        for mode in MODES {
            resumes(&peer, mode, scenario());
        }
    }
}

#[test]
fn npm_socket_io_client_hears_all_there_is() {
    if let Some(peer) = node("socket.io-client", "socketio_client.js") {
        for mode in MODES {
            acknowledges(&peer, mode);
            carries_attachments(&peer, mode);
            is_told_of_a_gap(&peer, mode);
            sees_the_server_leave(&peer, mode);
        }
    }
}

#[test]
fn pypi_python_socketio_resumes() {
    if let Some(peer) = python("socketio", "socketio_client.py") {
        for mode in MODES {
            resumes(&peer, mode, scenario());
        }
    }
}

#[test]
fn pypi_python_socketio_hears_all_there_is() {
    if let Some(peer) = python("socketio", "socketio_client.py") {
        for mode in MODES {
            acknowledges(&peer, mode);
            carries_attachments(&peer, mode);
            is_told_of_a_gap(&peer, mode);
        }
    }
}

/// TLS below it all.
#[test]
fn npm_socket_io_client_is_served_encrypted() {
    let Some(peer) = node("socket.io-client", "socketio_client.js") else {
        return;
    };
    for mode in MODES {
        let site = Site::start("socketio", ENCRYPTED, &[]);
        site.arrive(ALL);
        let talk = peer.start(&site, &format!("{mode} {}", site.url("http", "")));
        Got::after(0, &site).listen(&talk, ALL);
        drop(talk);
        site.end();
    }
}

/// What Socket.IO adds, and the published client expects: events both ways, acknowledgements, binary data
/// anywhere, namespaces, volatile events.
#[test]
fn npm_socket_io_client_finds_what_it_expects_of_an_echo() {
    let Some(peer) = node("socket.io-client", "socketio_echo.js") else {
        return;
    };
    let serving = Serving::start(&["--echo", "--mails", "1", "--rate", "1/min"]);
    for mode in MODES {
        let talk = peer.start_untold(&format!("{mode} {}", serving.url));
        let transport = if mode == "polling" { "polling" } else { "websocket" };
        for line in [
            r#"auth [{"token":"123"}]"#,
            &format!(r#"transport ["{transport}"]"#),
            r#"message [1,"2",{"3":[true],"é":null}]"#,
            r#"binary [[1,2,3],"four"]"#,
            r#"ack [1,"x"]"#,
            "binary ack [[9]]",
            r#"volatile ["volatile"]"#,
            "custom auth [{}]",
            r#"custom ["there"]"#,
            r#"refused ["Invalid namespace"]"#,
            r#"main ["still here"]"#,
        ] {
            assert_eq!(talk.next().as_deref(), Some(line), "{mode}");
        }
        assert_eq!(talk.next(), None);
    }
}

// ---- our client under their server -----------------------------------------------------------------

fn our_client_resumes(peer: &Peer, mode: &str) {
    let scenario = Scenario {
        attach: if mode == "binary" { 3_000 } else { 0 },
        ..scenario()
    };
    let (server, client) = under(peer, mode, "socketio", &scenario);
    let all = scenario.mails as usize;
    let third = all / 3;
    let pieces = [0..third, third..2 * third, 2 * third..all];
    // The namespace's goodbye and the session's share a POST, of which that of the session is seen first.
    let last = match mode {
        "polling" => "transport close",
        _ => "client namespace disconnect",
    };
    let ends = ["forced close", "server namespace disconnect", last];
    for (n, (piece, end)) in pieces.into_iter().zip(ends).enumerate() {
        assert_eq!(
            server.next(),
            Some(format!("open {} polling", piece.start)),
            "{mode}"
        );
        for number in piece {
            let said = server.next().unwrap();
            let wanted = format!(r#"said {{"read":{}}} by "#, number + 1);
            let transport = said
                .strip_prefix(&wanted)
                .unwrap_or_else(|| panic!("{mode}: {said}"));
            // The first session's mail does not wait for the WebSocket.
            assert!(
                n == 0 || transport == if mode == "polling" { mode } else { "websocket" },
                "{said}"
            );
        }
        if n == 2 {
            client.stop();
        }
        assert_eq!(server.next(), Some(format!("left {end}")), "{mode}");
    }
    let record = client.ended();
    let websockets = record
        .attempts
        .iter()
        .filter(|a| a.transport == "websocket")
        .count();
    assert_eq!(websockets > 0, mode != "polling", "{:?}", record.attempts);
}

#[test]
fn our_client_resumes_under_npm_socket_io() {
    if let Some(peer) = node("socket.io", "socketio_server.js") {
        for mode in ["polling", "upgrade", "binary"] {
            our_client_resumes(&peer, mode);
        }
    }
}
