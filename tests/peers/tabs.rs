//! Eight clients in one browser: Chromium's pool of connections, and ours (`--tabs 8`), which must agree.

use std::time::Duration;

use axum::response::Html;
use axum::routing::get;
use mailcall::lab::{Lab, Run, Simulated};
use mailcall::outcome::{HttpVersion, Outcome, Scenario};
use mailcall::technique::{self, Routes};
use serde_json::json;

use crate::foreign::chromium::{chromium_is_here, trust};
use crate::foreign::{ALL, ENCRYPTED_2, PLAIN, Site, Way, scenario};
use crate::support::browser::{Browser, Screen};
use crate::support::until;

const TABS: usize = 8;

const SCREEN: Screen = Screen {
    width: 800,
    scheme: "light",
};

/// Eight clients of a technique in Chromium.
struct Eight {
    site: Site,
    browser: Browser,
    path: String,
}

impl Eight {
    /// Opens them; `waiting` of them can reach the server.
    fn open(technique: &str, way: Way, waiting: usize) -> Eight {
        let page = Routes::new().route("/page", get(Html(include_str!("tabs.html"))));
        let site = Site::with(&[technique], way, &[], scenario(), page);
        let home = tempfile::tempdir().unwrap();
        site.authority()
            .iter()
            .for_each(|authority| trust(home.path(), authority));
        let mut browser = Browser::start_in(home);
        browser.visit(&site.url("http", "/page"), SCREEN);
        browser.evaluate(&format!("start({}, {TABS})", json!(technique)));
        until("they are there", || site.mailbox.watchers() == waiting);
        let path = format!("/{technique}");
        Eight { site, browser, path }
    }

    /// Waits until the counts of their mails are these.
    fn got(&mut self, counts: [usize; TABS]) {
        until("they have their mail", || {
            self.browser.evaluate("got") == json!(counts)
        });
    }

    fn requests(&self) -> usize {
        self.site.asked(&self.path).len()
    }
}

/// What `--tabs 8` says of the same.
fn ours(technique: &str, http: HttpVersion) -> Outcome {
    let scenario = Scenario {
        clients: TABS,
        tabs: Some(TABS),
        mails: ALL as u64,
        http,
        ..Scenario::default()
    };
    let lab = Lab {
        simulated: Some(Simulated::default()),
        ..Lab::new(scenario).unwrap()
    };
    let technique = technique::named(technique).unwrap();
    Run::new(&lab, technique, Duration::ZERO).simulate().unwrap()
}

#[test]
fn six_event_sources_get_mail_and_the_seventh_when_one_is_closed() {
    if !chromium_is_here() {
        return;
    }
    let mut eight = Eight::open("sse", PLAIN, 6);
    eight.site.arrive(ALL);
    eight.got([ALL, ALL, ALL, ALL, ALL, ALL, 0, 0]);
    assert_eq!((eight.requests(), eight.site.ledger.open()), (6, 6));
    let simulated = ours("sse", HttpVersion::Http11);
    assert_eq!(simulated.mails.delivered, 6 * ALL as u64);
    assert_eq!((simulated.requests.total, simulated.connections.peak), (6, 6));
    // They were in the queue, and nowhere else.
    eight.browser.evaluate("closes[0]()");
    eight.got([ALL, ALL, ALL, ALL, ALL, ALL, ALL, 0]);
    assert_eq!(eight.requests(), 7);
    drop(eight.browser);
    eight.site.stop();
}

#[test]
fn held_requests_take_turns() {
    if !chromium_is_here() {
        return;
    }
    let mut eight = Eight::open("long-poll", PLAIN, 6);
    for n in 1..=ALL {
        eight.site.arrive(n);
        eight.got([n; TABS]);
        until("six are held again", || eight.site.mailbox.watchers() == 6);
    }
    assert_eq!(eight.site.ledger.peak(), 6);
    let simulated = ours("long-poll", HttpVersion::Http11);
    assert_eq!(simulated.mails.delivered, (TABS * ALL) as u64);
    assert_eq!(simulated.connections.peak, 6);
    drop(eight.browser);
    eight.site.stop();
}

#[test]
fn a_websocket_is_not_counted_among_the_six() {
    if !chromium_is_here() {
        return;
    }
    let mut eight = Eight::open("ws", PLAIN, TABS);
    eight.site.arrive(ALL);
    eight.got([ALL; TABS]);
    assert!(eight.site.ledger.open() >= TABS as u64);
    let simulated = ours("ws", HttpVersion::Http11);
    assert_eq!(simulated.mails.delivered, (TABS * ALL) as u64);
    assert_eq!(simulated.connections.peak, TABS as u64);
    drop(eight.browser);
    eight.site.stop();
}

#[test]
fn http2_has_one_connection_for_all() {
    if !chromium_is_here() {
        return;
    }
    for technique in ["sse", "ws"] {
        let mut eight = Eight::open(technique, ENCRYPTED_2, TABS);
        eight.site.arrive(ALL);
        eight.got([ALL; TABS]);
        let ledger = eight.site.ledger.clone();
        drop(eight.browser);
        eight.site.stop();
        // Chromium may open a second one before it knows that the server speaks HTTP/2.
        let used = ledger
            .totals()
            .each
            .iter()
            .filter(|c| c.tally.requests > 0)
            .count();
        assert_eq!(used, 1, "{technique}");
        let simulated = ours(technique, HttpVersion::Http2);
        assert_eq!(simulated.mails.delivered, (TABS * ALL) as u64, "{technique}");
        assert_eq!(simulated.connections.opened, 1, "{technique}");
    }
}
