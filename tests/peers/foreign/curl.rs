//! curl as a client of the techniques that need no more than HTTP.

use std::process::Command;

use mailcall::link::Cut;
use mailcall::outcome::{HttpVersion, Scenario};
use mailcall::technique::Routes;
use mailcall::wire::Direction::{Down, Up};
use serde_json::value::RawValue;

use super::{ALL, EARLY, Got, Site, Way, cut, scenario};
use crate::support::{Talk, is_here, run, runs, until};

pub fn is_installed() -> bool {
    is_here("curl", runs("curl"))
}

/// curl as it is.
pub fn untold() -> Command {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--no-buffer", "--noproxy", "*", "--max-time", "30"]);
    curl
}

/// curl the site's way, trusting its authority and no other.
pub fn to(site: &Site) -> Command {
    let mut curl = untold();
    curl.arg(match site.way {
        Way {
            http: HttpVersion::Http10,
            ..
        } => "--http1.0",
        Way {
            http: HttpVersion::Http11,
            ..
        } => "--http1.1",
        Way {
            http: HttpVersion::Http2,
            tls: true,
        } => "--http2",
        Way {
            http: HttpVersion::Http2,
            tls: false,
        } => "--http2-prior-knowledge",
    });
    if let Some(authority) = site.authority() {
        curl.arg("--capath").arg(authority.parent().unwrap());
        curl.arg("--cacert").arg(authority);
    }
    curl
}

/// One GET: its status and the list's items; `None` if the connection broke. curl takes a head that
/// just stops for a whole one; what tells is that a 200 without a list is no answer.
fn get(site: &Site, path: &str, after: usize) -> Option<(u16, Vec<String>)> {
    let url = site.url("http", &format!("{path}?after={after}"));
    let (status, out) = run(to(site).args(["--write-out", "\n%{http_code}", &url]));
    let out = String::from_utf8(out).unwrap();
    let (body, code) = out.rsplit_once('\n').unwrap();
    if !status.success() {
        return None;
    }
    if code == "204" && body.is_empty() {
        return Some((204, Vec::new()));
    }
    let items: Vec<&RawValue> = serde_json::from_str(body).ok()?;
    Some((
        code.parse().unwrap(),
        items.iter().map(|item| item.get().to_string()).collect(),
    ))
}

/// Mid-head, mid-body of a list of eight mails, near its end, and in the request.
fn cuts_of_lists() -> [Cut; 4] {
    [
        cut(1, Down, 40, false),
        cut(2, Down, 700, true),
        cut(3, Down, 2_400, false),
        cut(4, Up, 30, true),
    ]
}

pub fn polls(way: Way) {
    let site = Site::start("poll", way, &cuts_of_lists());
    assert_eq!(get(&site, "/poll", 0), Some((204, vec![])));
    let mut got = Got::after(0, &site);
    for (upto, broken) in [(EARLY, 4), (ALL, 0)] {
        site.arrive(upto);
        for _ in 0..broken {
            assert_eq!(get(&site, "/poll", got.cursor), None);
        }
        let (status, mails) = get(&site, "/poll", got.cursor).unwrap();
        assert_eq!(status, 200);
        mails.iter().for_each(|mail| got.mail(mail));
        assert_eq!(got.cursor, upto);
    }
    assert_eq!(get(&site, "/poll", ALL), Some((204, vec![])));
    site.stop();
}

pub fn long_polls(way: Way) {
    let scenario = Scenario {
        hold_ms: 20.0,
        ..scenario()
    };
    let site = Site::with(&["long-poll"], way, &cuts_of_lists(), scenario, Routes::new());
    assert_eq!(get(&site, "/long-poll", 0), Some((204, vec![])));
    site.arrive(EARLY);
    for _ in 0..4 {
        assert_eq!(get(&site, "/long-poll", 0), None);
    }
    let (status, mails) = get(&site, "/long-poll", 0).unwrap();
    let mut got = Got::after(0, &site);
    mails.iter().for_each(|mail| got.mail(mail));
    assert_eq!((status, got.cursor), (200, EARLY));
    site.stop();
}

pub fn waits_for_a_long_poll_that_is_held(way: Way) {
    // The first answer breaks in its head, after the wait.
    let site = Site::start("long-poll", way, &[cut(0, Down, 100, false)]);
    let mut got = Got::after(0, &site);
    let held = |after: usize, upto: usize| {
        std::thread::scope(|scope| {
            let asking = scope.spawn(|| get(&site, "/long-poll", after));
            until("the request is held", || site.mailbox.watchers() == 1);
            site.arrive(upto);
            asking.join().unwrap()
        })
    };
    assert_eq!(held(0, 1), None);
    for (after, upto) in [(1, 2), (2, 5), (5, ALL)] {
        if after == 1 {
            let (_, mails) = get(&site, "/long-poll", 0).unwrap();
            mails.iter().for_each(|mail| got.mail(mail));
        }
        let (status, mails) = held(after, upto).unwrap();
        mails.iter().for_each(|mail| got.mail(mail));
        assert_eq!((status, got.cursor), (200, upto));
    }
    site.stop();
}

/// Reads events from a stream (HTML, section 9.2.6, as far as our server makes use of it) until it
/// ends or mail `upto` is there.
fn follow(talk: &Talk, got: &mut Got, upto: usize) {
    let (mut id, mut data) = (String::new(), String::new());
    while got.cursor < upto {
        let Some(line) = talk.next() else { return };
        match line.split_once(": ") {
            Some(("id", value)) => id = value.into(),
            Some(("data", value)) => data = value.into(),
            _ if line.is_empty() && !data.is_empty() => {
                got.mail(&std::mem::take(&mut data));
                // Behind the number stands the log's epoch.
                assert_eq!(id.split('.').next(), Some(&*got.cursor.to_string()));
            }
            _ => {}
        }
    }
}

pub fn follows_an_event_stream(way: Way) {
    let cuts = [
        cut(0, Down, 50, false),
        cut(1, Down, 700, true),
        cut(2, Down, 1_300, false),
        cut(3, Up, 30, true),
    ];
    let site = Site::start("sse", way, &cuts);
    site.arrive(EARLY);
    let mut got = Got::after(0, &site);
    // The header counts, not the URL, as it does for a browser that repeats its first URL.
    let start = |cursor: usize| {
        let seen = format!("Last-Event-ID: {cursor}");
        Talk::start(to(&site).args(["--header", &seen, &site.url("http", "/sse?after=0")]))
    };
    for _ in cuts {
        let mut talk = start(got.cursor);
        follow(&talk, &mut got, ALL);
        talk.ended();
    }
    assert!((1..EARLY).contains(&got.cursor), "the cuts lay among the mails");
    let mut talk = start(got.cursor);
    for upto in EARLY..=ALL {
        site.arrive(upto);
        follow(&talk, &mut got, upto);
        if upto == EARLY {
            site.sit_out_heartbeats();
        }
    }
    let ledger = site.ledger.clone();
    site.stop();
    assert!(talk.ended().success(), "the stream did not end in order");
    assert_eq!(ledger.opened(), 5);
}

pub fn replies(way: Way) {
    let site = Site::start("poll", way, &[]);
    let json = ["--header", "Content-Type: application/json"];
    let status = |body: &str| {
        let mut curl = to(&site);
        curl.args(json)
            .args(["--data", body, "--write-out", "%{http_code}"]);
        curl.args(["--output", "/dev/null", &site.url("http", "/read")]);
        String::from_utf8(run(&mut curl).1).unwrap()
    };
    assert_eq!(status(r#"{"read":1}"#), "204");
    assert_eq!(status("x"), "400");
    // Longer than any window that HTTP/2 opens at first (RFC 9113, section 6.9.2).
    let long = format!(r#"{{"read":{}}}"#, " ".repeat(100_000));
    // The busier the machine, the more often.
    assert_eq!(status(&long), "413");
    assert_eq!(*site.replies.borrow(), 1);
    site.stop();
}
