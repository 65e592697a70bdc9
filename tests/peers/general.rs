//! The servers under clients that we did not write, and our WebSocket client under such a server:
//! every mail arrives unaltered, once and in order, before and after its connection is cut.
//!
//! The peers' scripts lie in `tests/peers`; `scripts/peers` installs what they need.
#![cfg(unix)]

use mailcall::outcome::{Frames, Scenario};
use mailcall::technique::Routes;

use crate::foreign;
use crate::foreign::ours::under;
use crate::foreign::websocket::{does, is_told_of_a_gap, resumes, sees_the_server_leave};
use crate::foreign::{ALL, Got, PLAIN, Peer, Site, curl, expect, node, python, scenario};
use crate::support::Talk;
use crate::support::served::Serving;

#[test]
fn curl_asks_follows_and_replies() {
    if curl::is_installed() {
        curl::polls(PLAIN);
        curl::long_polls(PLAIN);
        curl::waits_for_a_long_poll_that_is_held(PLAIN);
        curl::follows_an_event_stream(PLAIN);
        curl::replies(PLAIN);
    }
}

#[test]
fn curl_is_refused_a_websocket_from_a_foreign_origin() {
    if !curl::is_installed() {
        return;
    }
    let site = Site::start("ws", PLAIN, &[]);
    let status = |origin: &str| {
        let mut curl = curl::to(&site);
        for field in [
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            origin,
        ] {
            curl.args(["--header", field]);
        }
        Talk::start(curl.args(["--include", &site.url("http", "/ws?after=0")]))
            .next()
            .unwrap()
    };
    assert_eq!(
        status("Origin: https://elsewhere.example").trim_end(),
        "HTTP/1.1 403 Forbidden"
    );
    let own = format!("Origin: http://{}", site.server.address);
    assert_eq!(status(&own).trim_end(), "HTTP/1.1 101 Switching Protocols");
    site.stop();
}

#[test]
fn eventsource_resumes_by_itself() {
    if let Some(peer) = node("eventsource", "eventsource.js") {
        foreign::eventsource_resumes(&peer, PLAIN);
    }
}

#[test]
fn eventsource_is_told_of_a_gap() {
    let Some(peer) = node("eventsource", "eventsource.js") else {
        return;
    };
    let scenario = Scenario {
        keep: 4,
        ..scenario()
    };
    let site = Site::with(&["sse"], PLAIN, &[], scenario, Routes::new());
    site.arrive(ALL);
    let talk = peer.start(&site, &site.url("http", "/sse?after=0"));
    expect(&talk, "gap 8");
    Got::after(8, &site).listen(&talk, ALL);
    drop(talk);
    site.stop();
}

#[test]
fn readers_of_lines_resume_with_their_cursor() {
    for peer in [node("ws", "fetch_lines.js"), python("httpx", "httpx_lines.py")] {
        let Some(peer) = peer else { continue };
        foreign::lines_resume(&peer, PLAIN);
        let scenario = Scenario {
            keep: 4,
            ..scenario()
        };
        let site = Site::with(&["ndjson"], PLAIN, &[], scenario, Routes::new());
        site.arrive(ALL);
        let talk = peer.start(&site, &site.url("http", "/ndjson?after=0"));
        expect(&talk, "gap 8");
        Got::after(8, &site).listen(&talk, ALL);
        drop(talk);
        site.stop();
    }
}

#[test]
fn npm_ws_resumes() {
    let Some(peer) = node("ws", "ws_client.js") else {
        return;
    };
    resumes(&peer, PLAIN, scenario());
    // Attachments long enough for both extended lengths to be needed.
    for attach in [1_000, 100_000] {
        let scenario = Scenario {
            frames: Frames::Binary,
            attach,
            ..scenario()
        };
        resumes(&peer, PLAIN, scenario);
    }
}

#[test]
fn npm_ws_understands_how_it_ends() {
    if let Some(peer) = node("ws", "ws_client.js") {
        sees_the_server_leave(&peer, PLAIN);
        is_told_of_a_gap(&peer, PLAIN);
        does(&peer, PLAIN, &[("oversize", "close 1009")]);
    }
}

#[test]
fn pypi_websockets_resumes() {
    if let Some(peer) = python("websockets", "websockets_client.py") {
        resumes(&peer, PLAIN, scenario());
    }
}

#[test]
fn pypi_websockets_understands_how_it_ends() {
    if let Some(peer) = python("websockets", "websockets_client.py") {
        sees_the_server_leave(&peer, PLAIN);
        is_told_of_a_gap(&peer, PLAIN);
        does(&peer, PLAIN, &[("ping", "pong"), ("close", "close 1000")]);
    }
}

/// What `serve --echo` sends back, on the technique's own WebSocket and on SockJS's raw one.
fn is_echoed(peer: &Peer, goodbye: &str) {
    let serving = Serving::start(&[
        "ws",
        "sockjs",
        "--echo",
        "--max-payload",
        "8388608",
        "--rate",
        "100/s",
    ]);
    for path in ["/ws", "/echo/websocket"] {
        let talk = peer.start_untold(&format!("{}{path}", serving.at("ws")));
        let heard: Vec<String> = std::iter::from_fn(|| talk.next()).collect();
        let (pongs, messages): (Vec<&str>, Vec<&str>) = heard
            .iter()
            .map(String::as_str)
            .partition(|line| line.starts_with("pong"));
        assert_eq!(
            pongs,
            ["pong 0", "pong 1", "pong 2", "pong 3", "pong 0", "pong 1"],
            "{path}"
        );
        assert_eq!(
            messages,
            [
                "text 0 as sent",
                "binary 0 as sent",
                "text 15 as sent",
                "binary 256 as sent",
                "text 200 as sent",
                "binary 70000 as sent",
                "text 1048576 as sent",
                "binary 4194304 as sent",
                goodbye,
            ],
            "{path}"
        );
    }
    serving.stop(rustix::process::Signal::INT);
}

#[test]
fn npm_ws_hears_its_echo() {
    if let Some(peer) = node("ws", "ws_echo.js") {
        is_echoed(&peer, "close 1000 that was all");
    }
}

#[test]
fn pypi_websockets_hears_its_echo() {
    if let Some(peer) = python("websockets", "websockets_echo.py") {
        is_echoed(&peer, "close 1000 that was all");
    }
}

// ---- our WebSocket client under npm's server -------------------------------------------------------

#[test]
fn our_client_resumes_under_npm_ws() {
    let Some(peer) = node("ws", "ws_server.js") else {
        return;
    };
    let scenario = scenario();
    let (server, client) = under(&peer, "", "ws", &scenario);
    let all = scenario.mails as usize;
    let third = all / 3;
    let said = |numbers: std::ops::Range<usize>| numbers.map(|n| format!(r#"said {{"read":{}}}"#, n + 1));
    let mut wanted = vec!["open 0".to_string()];
    wanted.extend(said(0..third));
    wanted.extend([
        "close 1006".into(),
        format!("open {third}"),
        "pong between fragments".into(),
    ]);
    wanted.extend(said(third..2 * third));
    wanted.extend([
        "close 1001".into(),
        format!("open {}", 2 * third),
        "pong still there?".into(),
    ]);
    wanted.extend(said(2 * third..all));
    for line in wanted {
        assert_eq!(server.next(), Some(line));
    }
    assert!(client.is_complete());
    client.stop();
    assert_eq!(server.next().as_deref(), Some("close 1000"));
    client.ended();
}
