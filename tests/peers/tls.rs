//! The servers in every version of HTTP, encrypted and not, under clients that we did not write. They
//! check the certificate, and trust the authority made on the spot and no other: every mail arrives
//! unaltered, once and in order, before and after its connection is cut.

use std::sync::mpsc::{self, Receiver};

use http::Version;
use mailcall::outcome::{HttpVersion, Scenario};
use mailcall::technique::Routes;
use mailcall::wire::Direction::{Down, Up};

use crate::foreign;
use crate::foreign::chromium::{chromium, chromium_is_here, page};
use crate::foreign::websocket::{does, is_told_of_a_gap, resumes, sees_the_server_leave};
use crate::foreign::{
    ALL, EARLY, ENCRYPTED, ENCRYPTED_2, Got, PRIOR_KNOWLEDGE, Peer, Site, Way, curl, cut, expect, node,
    python, scenario,
};
use crate::support;
use crate::support::{Talk, run, until};

const ENCRYPTED_1_0: Way = Way::new(HttpVersion::Http10, true);

// ---- curl ----------------------------------------------------------------------------------------

const WAYS: [Way; 4] = [ENCRYPTED_1_0, ENCRYPTED, ENCRYPTED_2, PRIOR_KNOWLEDGE];

#[test]
fn curl_polls() {
    if curl::is_installed() {
        WAYS.into_iter().for_each(curl::polls);
    }
}

#[test]
fn curl_long_polls() {
    if curl::is_installed() {
        WAYS.into_iter().for_each(curl::long_polls);
        WAYS.into_iter()
            .for_each(curl::waits_for_a_long_poll_that_is_held);
    }
}

#[test]
fn curl_follows_an_event_stream() {
    if curl::is_installed() {
        WAYS.into_iter().for_each(curl::follows_an_event_stream);
    }
}

#[test]
fn curl_replies() {
    if curl::is_installed() {
        WAYS.into_iter().for_each(curl::replies);
    }
}

/// What curl says when it cannot verify who the server is.
const UNVERIFIED: Option<i32> = Some(60);

#[test]
fn curl_trusts_nobody_else() {
    if !curl::is_installed() {
        return;
    }
    let [site, other] = [(); 2].map(|()| Site::start("poll", ENCRYPTED, &[]));
    let url = site.url("http", "/poll?after=0");
    // Whoever was not told of the authority, or of another.
    assert_eq!(run(curl::untold().arg(&url)).0.code(), UNVERIFIED);
    assert_eq!(run(curl::to(&other).arg(&url)).0.code(), UNVERIFIED);
    // And the authority vouches for the loopback alone.
    let address = site.server.address;
    let elsewhere = format!("mail.example:443:{address}");
    let mut curl = curl::to(&site);
    curl.args(["--connect-to", &elsewhere, "https://mail.example/poll?after=0"]);
    assert_eq!(run(&mut curl).0.code(), UNVERIFIED);
    assert_eq!(site.ledger.requests(), 0);
    assert!(run(curl::to(&site).arg(&url)).0.success());
    site.stop();
}

// ---- npm's and PyPI's clients ----------------------------------------------------------------------

#[test]
fn eventsource_resumes_by_itself() {
    if let Some(peer) = node("eventsource", "eventsource.js") {
        foreign::eventsource_resumes(&peer, ENCRYPTED);
        trusts_nobody_else(&peer, "sse", "http");
    }
}

#[test]
fn npm_ws_resumes_and_understands_how_it_ends() {
    if let Some(peer) = node("ws", "ws_client.js") {
        resumes(&peer, ENCRYPTED, scenario());
        sees_the_server_leave(&peer, ENCRYPTED);
        is_told_of_a_gap(&peer, ENCRYPTED);
        does(&peer, ENCRYPTED, &[("oversize", "close 1009")]);
        trusts_nobody_else(&peer, "ws", "ws");
    }
}

#[test]
fn pypi_websockets_resumes_and_understands_how_it_ends() {
    if let Some(peer) = python("websockets", "websockets_client.py") {
        resumes(&peer, ENCRYPTED, scenario());
        sees_the_server_leave(&peer, ENCRYPTED);
        is_told_of_a_gap(&peer, ENCRYPTED);
        does(&peer, ENCRYPTED, &[("ping", "pong"), ("close", "close 1000")]);
        trusts_nobody_else(&peer, "ws", "ws");
    }
}

/// A client that was not told of the authority never gets to ask for anything.
fn trusts_nobody_else(peer: &Peer, technique: &str, scheme: &str) {
    let site = Site::start(technique, ENCRYPTED, &[]);
    let talk = peer.start_untold(&site.url(scheme, &format!("/{technique}?after=0")));
    until("it has left", || {
        site.ledger.opened() > 0 && site.ledger.open() == 0
    });
    drop(talk);
    assert_eq!(site.ledger.requests(), 0);
    site.server.stop();
}

const OVER_HTTP: [&str; 3] = ["poll", "long-poll", "sse"];

/// A client that is told what to ask for polls, waits, replies and follows, on one connection. Returns
/// it while it still follows.
fn asks_waits_and_follows(peer: &Peer, way: Way) -> (Site, Talk) {
    let site = Site::with(&OVER_HTTP, way, &[], scenario(), Routes::new());
    let mut talk = peer.start(&site, &site.url("http", ""));
    let mut got = Got::after(0, &site);
    talk.order("get /poll?after=0");
    expect(&talk, "answer 204");
    site.arrive(4);
    talk.order("get /poll?after=0");
    assert_eq!(got.listen_until(&talk, "answer"), "200");
    assert_eq!(got.cursor, 4);
    talk.order("get /long-poll?after=4");
    until("the request is held", || site.mailbox.watchers() == 1);
    site.arrive(6);
    assert_eq!(got.listen_until(&talk, "answer"), "200");
    assert_eq!(got.cursor, 6);
    talk.order(r#"post {"read":6}"#);
    expect(&talk, "answer 204");
    assert_eq!(*site.replies.borrow(), 1);
    // The header counts, not the URL.
    talk.order("follow /sse?after=0 3");
    got.cursor = 3;
    got.listen(&talk, 6);
    site.sit_out_heartbeats();
    for upto in EARLY..=ALL {
        site.arrive(upto);
        got.listen(&talk, upto);
    }
    assert_eq!(site.ledger.opened(), 1);
    (site, talk)
}

/// It is cut at every kind of place, and goes on from where it was.
fn goes_on_after_cuts(peer: &Peer, way: Way) {
    let cuts = [
        cut(0, Down, 40, false),
        cut(1, Down, 700, true),
        cut(2, Up, 60, false),
        cut(3, Down, 1_300, false),
        cut(4, Down, 700, true),
    ];
    let site = Site::with(&OVER_HTTP, way, &cuts, scenario(), Routes::new());
    let mut talk = peer.start(&site, &site.url("http", ""));
    let mut got = Got::after(0, &site);
    site.arrive(EARLY);
    for ask in ["poll", "poll", "long-poll"] {
        talk.order(&format!("get /{ask}?after=0"));
        got.listen_until(&talk, "broken");
        assert_eq!(got.cursor, 0, "half a list is none");
    }
    for _ in 3..cuts.len() {
        talk.order(&format!("follow /sse?after=0 {}", got.cursor));
        got.listen_until(&talk, "broken");
    }
    assert!((1..EARLY).contains(&got.cursor), "the cuts lay among the mails");
    talk.order(&format!("follow /sse?after=0 {}", got.cursor));
    got.listen(&talk, EARLY);
    site.arrive(ALL);
    got.listen(&talk, ALL);
    assert_eq!(site.ledger.opened(), 1 + cuts.len() as u64);
    site.stop();
}

#[test]
fn httpx_asks_waits_and_follows() {
    if let Some(peer) = python("httpx, h2", "httpx_client.py") {
        for way in [ENCRYPTED_2, PRIOR_KNOWLEDGE] {
            // Its end is its own: PyPI's h2 takes the first GOAWAY for the end of the connection, and
            // fails on the PING that a server goes on with (RFC 9113, section 6.8).
            let (site, talk) = asks_waits_and_follows(&peer, way);
            drop(talk);
            site.stop();
            goes_on_after_cuts(&peer, way);
        }
        is_broken_off_untold(&peer);
    }
}

#[test]
fn node_http2_asks_waits_and_follows() {
    if let Some(peer) = node("ws", "http2_client.js") {
        for way in [ENCRYPTED_2, PRIOR_KNOWLEDGE] {
            let (site, mut talk) = asks_waits_and_follows(&peer, way);
            site.server.shutdown.cancel();
            // The stream's end and GOAWAY come from two tasks that hear of the shutdown at once: in either order.
            let mut ends = [talk.next(), talk.next()].map(Option::unwrap_or_default);
            ends.sort();
            assert_eq!(ends, ["ended", "goaway 0"]);
            site.stop();
            talk.hang_up();
            assert!(talk.ended().success());
            goes_on_after_cuts(&peer, way);
        }
        is_broken_off_untold(&peer);
    }
}

/// Like [`trusts_nobody_else`], for a client that is told what to ask for.
fn is_broken_off_untold(peer: &Peer) {
    let site = Site::start("poll", ENCRYPTED_2, &[]);
    let mut talk = peer.start_untold(&site.url("http", ""));
    talk.order("get /poll?after=0");
    expect(&talk, "broken");
    assert_eq!((site.ledger.opened(), site.ledger.requests()), (1, 0));
    site.server.stop();
}

#[test]
fn node_http2_has_many_streams_on_one_connection() {
    let Some(peer) = node("ws", "http2_client.js") else {
        return;
    };
    for way in [ENCRYPTED_2, PRIOR_KNOWLEDGE] {
        let scenario = Scenario {
            size: 4_000,
            ..scenario()
        };
        let site = Site::with(&["sse"], way, &[], scenario, Routes::new());
        let mut talk = peer.start(&site, &site.url("http", ""));
        talk.order(&format!("crowd 100 /sse?after=0 {ALL}"));
        until("all are there", || site.mailbox.watchers() == 100);
        site.arrive(EARLY);
        site.arrive(ALL);
        expect(&talk, "crowd 100");
        assert_eq!((site.ledger.opened(), site.asked("/sse").len()), (1, 100));
        site.stop();
    }
}

/// RFC 8441.
#[test]
fn node_http2_carries_a_websocket() {
    let Some(peer) = node("ws", "http2_client.js") else {
        return;
    };
    for way in [ENCRYPTED_2, PRIOR_KNOWLEDGE] {
        // Node's HTTP/2 over TLS does not always hear of an end that comes while it is about to write.
        let cuts = if way.tls {
            Vec::new()
        } else {
            vec![
                cut(0, Down, 60, false),
                cut(1, Down, 1_000, false),
                cut(2, Up, 300, false),
            ]
        };
        let site = Site::start("ws", way, &cuts);
        let mut talk = peer.start(&site, &site.url("http", ""));
        let mut got = Got::after(0, &site);
        site.arrive(EARLY);
        let open = |talk: &mut Talk, cursor: usize| talk.order(&format!("ws /ws?after={cursor}"));
        for _ in &cuts {
            open(&mut talk, got.cursor);
            assert_eq!(got.listen_until(&talk, "close"), "1006");
        }
        assert!(way.tls || got.cursor > 0, "the cuts lay among the mails");
        support::until("the last is let go", || way.tls || site.ledger.open() == 0);
        let (before, said) = (got.cursor, *site.replies.borrow());
        open(&mut talk, got.cursor);
        got.listen(&talk, EARLY);
        site.sit_out_heartbeats();
        site.arrive(ALL);
        got.listen(&talk, ALL);
        talk.order("goodbye");
        assert_eq!(got.listen_until(&talk, "close"), "1000");
        assert_eq!(*site.replies.borrow() - said, (ALL - before) as u64);
        // The connection outlives its WebSocket, and has a place for others.
        open(&mut talk, 0);
        got.cursor = 0;
        got.listen(&talk, ALL);
        site.server.shutdown.cancel();
        assert_eq!(got.listen_until(&talk, "close"), "1001");
        assert_eq!(site.ledger.opened(), 1 + cuts.len() as u64);
        site.stop();
    }
}

// ---- Chromium --------------------------------------------------------------------------------------

const PAGE: &str = include_str!("page.html");

/// Hears the page out; returns how its WebSocket closed.
fn hear(page: &Receiver<String>, site: &Site) -> String {
    let techniques = ["poll", "long-poll", "sse", "ws"];
    let mut got = techniques.map(|_| Got::after(0, site));
    let mut closed = String::new();
    loop {
        let line = page.recv_timeout(support::PATIENCE).expect("the page goes on");
        let (who, what) = line.split_once(' ').unwrap_or((&line, ""));
        match (techniques.iter().position(|t| *t == who), what.split_once(' ')) {
            (Some(who), Some(("mail", text))) => got[who].mail(text),
            (Some(_), Some(("close", how))) => closed = how.to_string(),
            _ => {
                assert_eq!((line.as_str(), got.map(|got| got.cursor)), ("all", [ALL; 4]));
                return closed;
            }
        }
    }
}

fn chromium_receives(way: Way, cuts: &[mailcall::link::Cut]) -> Site {
    let (tell, told) = mpsc::channel();
    let techniques = ["poll", "long-poll", "sse", "ws"];
    let site = Site::with(&techniques, way, cuts, scenario(), page(PAGE, tell));
    let home = tempfile::tempdir().unwrap();
    let url = site.url("http", &format!("/page?upto={ALL}"));
    site.arrive(EARLY);
    let authority = site.authority();
    let browser = Talk::start(chromium(home.path(), authority.as_deref()).arg(url));
    until("it talks", || site.mailbox.watchers() >= 2);
    site.arrive(ALL);
    assert_eq!(hear(&told, &site), "1000 mailcall");
    drop(browser);
    site
}

#[test]
fn chromium_receives_every_mail() {
    if !chromium_is_here() {
        return;
    }
    chromium_receives(ENCRYPTED, &[]).stop();
    let site = chromium_receives(ENCRYPTED_2, &[]);
    // The WebSocket's frames too (RFC 8441), among all the others.
    assert_eq!(site.asked("/ws"), [Version::HTTP_2]);
    site.stop();
}

#[test]
fn chromium_resumes() {
    if !chromium_is_here() {
        return;
    }
    let cuts: Vec<_> = (0..4)
        .map(|n| cut(n, Down, 1_000 + 300 * n, n % 2 == 0))
        .collect();
    for way in [ENCRYPTED, ENCRYPTED_2] {
        let site = chromium_receives(way, &cuts);
        assert!(site.ledger.opened() > 1);
        // A WebSocket that finds no HTTP/2 connection opens one of its own, by HTTP/1.1.
        site.end();
    }
}

#[test]
fn chromium_trusts_nobody_else() {
    if !chromium_is_here() {
        return;
    }
    let (tell, _told) = mpsc::channel();
    let site = Site::with(&["poll"], ENCRYPTED_2, &[], scenario(), page(PAGE, tell));
    let home = tempfile::tempdir().unwrap();
    let url = site.url("http", "/page?upto=1");
    let (_, page) = run(chromium(home.path(), None).arg("--dump-dom").arg(url));
    assert!(!String::from_utf8(page).unwrap().contains("every technique"));
    assert!(site.ledger.opened() > 0);
    assert_eq!(site.ledger.requests(), 0);
    site.server.stop();
}
