//! SockJS under the original's own client, in node and in a browser, over every transport that it has
//! there; and our client under the original's server. Every mail arrives unaltered, once and in order,
//! before and after connections are cut.

use std::sync::mpsc::{self, Receiver};

use axum::routing::get;
use http::header::CONTENT_TYPE;
use mailcall::lab::access::{Access, Allowed};
use mailcall::link::Cut;
use mailcall::outcome::{Block, HttpVersion, Scenario};
use mailcall::technique::Routes;
use mailcall::technique::Service;
use mailcall::technique::sockjs::{self, Options};
use mailcall::wire::Direction::{Down, Up};

use crate::foreign::chromium::{chromium, chromium_is_here, page};
use crate::foreign::ours::under;
use crate::foreign::{ALL, EARLY, Got, PLAIN, Peer, Site, Way, cut, expect, node, scenario};
use crate::support;
use crate::support::{Talk, is_here, peers, until};

// ---- npm's client in node --------------------------------------------------------------------------

const IN_NODE: [&str; 4] = ["websocket", "xhr-streaming", "eventsource", "xhr-polling"];

fn npm_client() -> Option<Peer> {
    node("sockjs-client", "sockjs_client.js")
}

fn start(peer: &Peer, site: &Site, transport: &str) -> Talk {
    peer.start(site, &format!("{}#{transport}", site.url("http", "/sockjs")))
}

/// It hears mail as it comes, says that it has, sits out silence, and leaves.
#[test]
fn npm_client_receives_over_each_transport() {
    let Some(peer) = npm_client() else { return };
    for transport in IN_NODE {
        let site = Site::start("sockjs", PLAIN, &[]);
        site.arrive(EARLY);
        let mut talk = start(&peer, &site, transport);
        expect(&talk, &format!("open {transport}"));
        let mut got = Got::after(0, &site);
        got.listen(&talk, EARLY);
        expect(&talk, "heartbeat");
        for upto in EARLY + 1..=ALL {
            site.arrive(upto);
            got.listen(&talk, upto);
        }
        until("all is answered", || *site.replies.borrow() == ALL as u64);
        talk.order("close");
        assert_eq!(got.listen_until(&talk, "close"), "1000 Normal closure");
        site.stop();
    }
}

/// Whatever is cut, it comes back and says what it has seen.
#[test]
fn npm_client_resumes_over_each_transport() {
    let Some(peer) = npm_client() else { return };
    for transport in IN_NODE {
        // In node it does not hear of the end of an XHR's answer that breaks, only of its request's.
        let cuts: Vec<Cut> = (0..10)
            .map(|n| match transport.starts_with("xhr") {
                true => cut(n, Up, 30 + 120 * (n % 4), true),
                false => cut(n, Down, 300 + 350 * (n % 4), n % 2 == 0),
            })
            .collect();
        let site = Site::start("sockjs", PLAIN, &cuts);
        site.arrive(EARLY);
        let mut talk = start(&peer, &site, transport);
        let mut got = Got::after(0, &site);
        got.listen(&talk, EARLY);
        for upto in EARLY + 1..=ALL {
            site.arrive(upto);
            got.listen(&talk, upto);
        }
        talk.order("close");
        until("it has left", || talk.next().is_none());
        assert_eq!(got.cursor, ALL);
        assert!(site.ledger.opened() > 2, "{transport}: nothing was cut");
        // A server that ends cuts what is left of broken sessions.
        site.end();
    }
}

/// A middlebox makes it fall back, by itself.
#[test]
fn npm_client_falls_back() {
    let Some(peer) = npm_client() else { return };
    for (block, transport) in [
        (vec![], "websocket"),
        (vec![Block::Websocket], "xhr-streaming"),
        (vec![Block::Websocket, Block::Streaming], "xhr-polling"),
    ] {
        let scenario = Scenario { block, ..scenario() };
        let site = Site::with(&["sockjs"], PLAIN, &[], scenario, Routes::new());
        site.arrive(EARLY);
        let talk = start(&peer, &site, "");
        expect(&talk, &format!("open {transport}"));
        let mut got = Got::after(0, &site);
        got.listen(&talk, EARLY);
        site.arrive(ALL);
        got.listen(&talk, ALL);
        until("all is answered", || *site.replies.borrow() == ALL as u64);
        site.server.shutdown.cancel();
        assert_eq!(got.listen_until(&talk, "close"), "3000 Go away!");
        site.end();
    }
}

#[test]
fn npm_client_is_told_of_a_gap() {
    let Some(peer) = npm_client() else { return };
    for transport in IN_NODE {
        let scenario = Scenario {
            keep: 4,
            ..scenario()
        };
        let site = Site::with(&["sockjs"], PLAIN, &[], scenario, Routes::new());
        site.arrive(ALL);
        let talk = start(&peer, &site, transport);
        expect(&talk, &format!("open {transport}"));
        expect(&talk, "gap 8");
        Got::after(8, &site).listen(&talk, ALL);
        drop(talk);
        site.end();
    }
}

// ---- npm's client in Chromium ------------------------------------------------------------------------

const IN_CHROMIUM: [&str; 9] = [
    "websocket",
    "xhr-streaming",
    "eventsource",
    "iframe-eventsource",
    "htmlfile",
    "iframe-htmlfile",
    "xhr-polling",
    "iframe-xhr-polling",
    "jsonp-polling",
];

/// Mails that each transport brings beyond those that came before.
const MORE: usize = 3;

const PAGE: &str = include_str!("sockjs_page.html");

/// A service whose iframe page loads the client from the server itself.
fn framed(service: &Service) -> Routes {
    let options = Options {
        client_url: "/sockjs.js",
        ..Options::of(service)
    };
    sockjs::routes("/framed", service.clone(), options, sockjs::mail)
}

fn browses(way: Way, cuts: &[Cut], transports: &[&str], at: impl Fn(&Site) -> String) -> Option<Site> {
    browses_as(Access::default(), way, cuts, transports, at)
}

fn browses_as(
    access: Access,
    way: Way,
    cuts: &[Cut],
    transports: &[&str],
    at: impl Fn(&Site) -> String,
) -> Option<Site> {
    let client = peers().join("node_modules/sockjs-client/dist/sockjs.min.js");
    if !chromium_is_here() || !is_here("npm's sockjs-client", client.exists()) {
        return None;
    }
    let script = std::fs::read_to_string(client).unwrap();
    let script = get(async move || ([(CONTENT_TYPE, "text/javascript")], script.clone()));
    let (tell, told) = mpsc::channel();
    let scenario = Scenario {
        mails: (MORE * transports.len()) as u64,
        ..scenario()
    };
    let more = page(PAGE, tell).route("/sockjs.js", script);
    let site = Site::open_to(access, &["sockjs"], way, cuts, scenario, |service| {
        more.merge(framed(service))
    });
    let home = tempfile::tempdir().unwrap();
    let query = format!("at={}&transports={}&more={MORE}", at(&site), transports.join(","));
    let url = site.url("http", &format!("/page?{query}"));
    let authority = site.authority();
    let browser = Talk::start(chromium(home.path(), authority.as_deref()).arg(url));
    hear(&told, transports, &site);
    drop(browser);
    Some(site)
}

/// Hears the page out: each transport brings all mail there is, and what comes while it is open.
fn hear(page: &Receiver<String>, transports: &[&str], site: &Site) {
    let mut got: Vec<Got> = transports.iter().map(|_| Got::after(0, site)).collect();
    let place = |name: &str| transports.iter().position(|t| *t == name);
    let mut again = 0;
    loop {
        let line = page.recv_timeout(support::PATIENCE).expect("the page goes on");
        let (who, what) = line.split_once(' ').unwrap_or((&line, ""));
        match (who, place(who)) {
            (_, Some(n)) => got[n].mail(what),
            ("open", _) => site.arrive(MORE * (place(what).expect("a transport") + 1)),
            ("again", _) => {
                again += 1;
                assert!(again < 100, "it does not come to an end: {line}");
            }
            _ => break,
        }
    }
    for (n, got) in got.iter().enumerate() {
        assert_eq!(got.cursor, MORE * (n + 1), "{}", transports[n]);
    }
}

#[test]
fn chromium_receives_over_each_transport() {
    if let Some(site) = browses(PLAIN, &[], &IN_CHROMIUM, |site| site.url("http", "/framed")) {
        site.end();
    }
    // Over HTTP/2 and TLS, a WebSocket is a stream, too.
    let encrypted = Way::new(HttpVersion::Http2, true);
    if let Some(site) = browses(encrypted, &[], &IN_CHROMIUM, |site| site.url("http", "/framed")) {
        site.end();
    }
}

/// A page of another origin: by CORS, and by the iframe.
#[test]
fn chromium_receives_from_another_origin() {
    let elsewhere = |site: &Site| format!("http://localhost:{}/framed", site.server.address.port());
    // A page of its own origin is what `htmlfile` is, unless an iframe stands between.
    let transports: Vec<&str> = IN_CHROMIUM.into_iter().filter(|t| *t != "htmlfile").collect();
    let access = Access::new(Vec::new(), vec![Allowed::All], false);
    if let Some(site) = browses_as(access, PLAIN, &[], &transports, elsewhere) {
        site.end();
    }
}

#[test]
fn chromium_resumes() {
    let cuts: Vec<Cut> = (4..16)
        .map(|n| cut(n, Down, 3_000 + 700 * n, n % 2 == 0))
        .collect();
    // An iframe tells nobody that its document broke off: over htmlfile npm's client waits for ever.
    let transports: Vec<&str> = IN_CHROMIUM
        .into_iter()
        .filter(|t| !t.ends_with("htmlfile"))
        .collect();
    if let Some(site) = browses(PLAIN, &cuts, &transports, |site| site.url("http", "/framed")) {
        // On a busy machine more mail comes with each answer, so fewer connections are opened; four of those that are
        // to be cut there have been in any case.
        assert!(site.ledger.opened() > 8);
        site.end();
    }
}

// ---- our client under npm's server -------------------------------------------------------------------

#[test]
fn our_client_falls_back_and_resumes_under_npms_server() {
    let Some(peer) = node("sockjs", "sockjs_server.js") else {
        return;
    };
    for (blocked, transport, failures) in [
        ("none", "websocket", &[][..]),
        ("websocket", "xhr-streaming", &[]),
        ("websocket,streaming", "xhr-polling", &["xhr-streaming"]),
    ] {
        let scenario = scenario();
        let (server, client) = under(&peer, blocked, "sockjs", &scenario);
        let all = scenario.mails as usize;
        let third = all / 3;
        let mut wanted = Vec::new();
        for (from, upto) in [(0, third), (third, 2 * third), (2 * third, all)] {
            wanted.push(format!("open {transport} {from}"));
            wanted.extend((from + 1..=upto).map(|n| format!(r#"said {{"read":{n}}}"#)));
        }
        for line in wanted {
            assert_eq!(server.next(), Some(line), "{blocked}");
        }
        until("all is there", || client.is_complete());
        client.stop();
        let record = client.ended();
        let failed: Vec<&str> = record
            .attempts
            .iter()
            .filter(|a| a.failed.is_some())
            .map(|a| a.transport.as_str())
            .collect();
        let expected: Vec<&str> = failures
            .iter()
            .cycle()
            .take(3 * failures.len())
            .copied()
            .collect();
        assert_eq!(failed, expected, "{blocked}");
    }
}
