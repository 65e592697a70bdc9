//! The servers under clients that we did not write, and our WebSocket client under such a server:
//! every mail arrives unaltered, once and in order, before and after its connection is cut.
//!
//! The peers' scripts lie in `tests/peers`; `scripts/peers` installs what they need.

mod support;

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mailcall::lab::server::{Handler, Limits, Server};
use mailcall::link::{Cut, Ledger};
use mailcall::mail::{Mailbox, Plan};
use mailcall::outcome::{Frames, Scenario};
use mailcall::technique::{self, Client, Headers, Inbox, Origin, Service, Start};
use mailcall::wire::Direction::{self, Down, Up};
use serde_json::value::RawValue;
use support::{Talk, is_here, peers, run, runs, until};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Mails there are before a client comes, and all.
const EARLY: usize = 8;
const ALL: usize = 12;

fn scenario() -> Scenario {
    Scenario {
        mails: ALL as u64,
        heartbeat_ms: 400.0,
        ..Scenario::default()
    }
}

fn cut(connection: u64, direction: Direction, after: u64, reset: bool) -> Cut {
    Cut {
        connection,
        direction,
        after,
        reset,
    }
}

/// One technique's server, and the mail that arrives there when a test says so.
struct Site {
    plan: Plan,
    mailbox: Arc<Mailbox>,
    ledger: Arc<Ledger>,
    replies: Arc<AtomicU64>,
    server: Server,
}

impl Site {
    fn start(name: &str, cuts: &[Cut]) -> Site {
        Site::with(name, cuts, scenario())
    }

    fn with(name: &str, cuts: &[Cut], scenario: Scenario) -> Site {
        let technique = technique::named(name).unwrap();
        let plan = Plan::draw(&scenario).unwrap();
        let mailbox = Arc::new(Mailbox::new(scenario.keep));
        let ledger = Arc::new(Ledger::new(cuts.to_vec()));
        let replies = Arc::new(AtomicU64::new(0));
        let shutdown = CancellationToken::new();
        let limits = Limits::for_clients(1, scenario.poll_interval());
        let service = Service {
            mailbox: mailbox.clone(),
            scenario: Arc::new(scenario),
            headers: Arc::new(Headers::default()),
            shutdown: shutdown.clone(),
            replies: replies.clone(),
            body_timeout: support::PATIENCE,
        };
        let server = Server::start(
            name,
            Handler::new(technique, service),
            limits,
            ledger.clone(),
            shutdown,
        )
        .unwrap();
        Site {
            plan,
            mailbox,
            ledger,
            replies,
            server,
        }
    }

    /// Lets mail arrive until there are `upto`.
    fn arrive(&self, upto: usize) {
        let there = self.mailbox.newest() as usize;
        self.mailbox
            .append(self.plan.mails[there..upto].iter().map(|m| m.mail.clone()));
    }

    /// A URL that asks for what is after `after`.
    fn url(&self, scheme: &str, path: &str, after: usize) -> String {
        format!("{scheme}://{}{path}?after={after}", self.server.address)
    }

    /// Waits until heartbeats have crossed an idle stream: more bytes than a last reply and the two
    /// pings that a WebSocket gets that does not answer.
    fn sit_out_heartbeats(&self) {
        let enough = self.ledger.bytes() + 40;
        until("heartbeats have crossed", || self.ledger.bytes() >= enough);
    }

    /// Stops the server; the meter must have understood all that was said.
    fn stop(self) {
        self.server.stop();
        let totals = self.ledger.totals();
        assert_eq!(
            (self.ledger.open(), totals.unbalanced, totals.tally.violations),
            (0, 0, 0)
        );
    }
}

/// What a client was given, held against what was sent.
struct Got<'a> {
    plan: &'a Plan,
    cursor: usize,
}

impl Got<'_> {
    /// The next mail must be the one after the cursor, byte by byte.
    fn mail(&mut self, text: &str) {
        let sent = self.plan.mails[self.cursor].mail.text();
        let fits = text.as_bytes() == sent;
        assert!(
            fits,
            "after mail {}: {} bytes {text:.40}… instead of {}",
            self.cursor,
            text.len(),
            sent.len()
        );
        self.cursor += 1;
    }

    /// Listens until mail `upto` is there.
    fn listen(&mut self, talk: &Talk, upto: usize) {
        while self.cursor < upto {
            let line = talk.next().expect("the peer goes on listening");
            if let Some(text) = line.strip_prefix("mail ") {
                self.mail(text);
            } else {
                assert!(!line.starts_with("close") && !line.starts_with("wrong"), "{line}");
            }
        }
    }

    /// Listens until the connection is closed; returns the close code.
    fn listen_to_the_end(&mut self, talk: &Talk) -> String {
        loop {
            let line = talk.next().expect("the peer tells how its connection ended");
            if let Some(text) = line.strip_prefix("mail ") {
                self.mail(text);
            } else if let Some(code) = line.strip_prefix("close ") {
                return code.to_string();
            }
        }
    }
}

fn expect(talk: &Talk, wanted: &str) {
    loop {
        match talk.next() {
            Some(line) if line == wanted => return,
            Some(line) => assert!(!line.starts_with("mail"), "{line} instead of {wanted}"),
            None => panic!("the peer ended without {wanted:?}"),
        }
    }
}

// ---- curl ----------------------------------------------------------------------------------------

fn curl() -> Command {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--no-buffer", "--noproxy", "*", "--max-time", "30"]);
    curl
}

/// One GET: its status and the list's items; `None` if the connection broke. curl takes a head that
/// just stops for a whole one; what tells is that a 200 without a list is no answer.
fn get(url: &str) -> Option<(u16, Vec<String>)> {
    let (status, out) = run(curl().args(["--write-out", "\n%{http_code}", url]));
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

#[test]
fn curl_polls() {
    if !is_here("curl", runs("curl")) {
        return;
    }
    let site = Site::start("poll", &cuts_of_lists());
    assert_eq!(get(&site.url("http", "/poll", 0)), Some((204, vec![])));
    let mut got = Got {
        plan: &site.plan,
        cursor: 0,
    };
    for (upto, broken) in [(EARLY, 4), (ALL, 0)] {
        site.arrive(upto);
        for _ in 0..broken {
            assert_eq!(get(&site.url("http", "/poll", got.cursor)), None);
        }
        let (status, mails) = get(&site.url("http", "/poll", got.cursor)).unwrap();
        assert_eq!(status, 200);
        mails.iter().for_each(|mail| got.mail(mail));
        assert_eq!(got.cursor, upto);
    }
    assert_eq!(get(&site.url("http", "/poll", ALL)), Some((204, vec![])));
    site.stop();
}

#[test]
fn curl_long_polls() {
    if !is_here("curl", runs("curl")) {
        return;
    }
    let site = Site::with(
        "long-poll",
        &cuts_of_lists(),
        Scenario {
            hold_ms: 20.0,
            ..scenario()
        },
    );
    assert_eq!(get(&site.url("http", "/long-poll", 0)), Some((204, vec![])));
    site.arrive(EARLY);
    for _ in 0..4 {
        assert_eq!(get(&site.url("http", "/long-poll", 0)), None);
    }
    let (status, mails) = get(&site.url("http", "/long-poll", 0)).unwrap();
    let mut got = Got {
        plan: &site.plan,
        cursor: 0,
    };
    mails.iter().for_each(|mail| got.mail(mail));
    assert_eq!((status, got.cursor), (200, EARLY));
    site.stop();
}

#[test]
fn curl_waits_for_a_long_poll_that_is_held() {
    if !is_here("curl", runs("curl")) {
        return;
    }
    // The first answer breaks in its head, after the wait.
    let site = Site::start("long-poll", &[cut(0, Down, 60, false)]);
    let mut got = Got {
        plan: &site.plan,
        cursor: 0,
    };
    let held = |after: usize, upto: usize| {
        std::thread::scope(|scope| {
            let asking = scope.spawn(|| get(&site.url("http", "/long-poll", after)));
            until("the request is held", || site.mailbox.watchers() == 1);
            site.arrive(upto);
            asking.join().unwrap()
        })
    };
    assert_eq!(held(0, 1), None);
    for (after, upto) in [(1, 2), (2, 5), (5, ALL)] {
        if after == 1 {
            let (_, mails) = get(&site.url("http", "/long-poll", 0)).unwrap();
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
                assert_eq!(id, got.cursor.to_string());
            }
            _ => {}
        }
    }
}

#[test]
fn curl_follows_an_event_stream() {
    if !is_here("curl", runs("curl")) {
        return;
    }
    let cuts = [
        cut(0, Down, 50, false),
        cut(1, Down, 700, true),
        cut(2, Down, 1_300, false),
        cut(3, Up, 30, true),
    ];
    let site = Site::start("sse", &cuts);
    site.arrive(EARLY);
    let mut got = Got {
        plan: &site.plan,
        cursor: 0,
    };
    // The header counts, not the URL, as it does for a browser that repeats its first URL.
    let start = |cursor: usize| {
        let url = site.url("http", "/sse", 0);
        Talk::start(
            curl()
                .arg("--header")
                .arg(format!("Last-Event-ID: {cursor}"))
                .arg(url),
        )
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

#[test]
fn curl_is_refused_a_websocket_from_a_foreign_origin() {
    if !is_here("curl", runs("curl")) {
        return;
    }
    let site = Site::start("ws", &[]);
    let status = |origin: &str| {
        let mut curl = curl();
        for field in [
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            origin,
        ] {
            curl.args(["--header", field]);
        }
        Talk::start(curl.args(["--http1.1", "--include", &site.url("http", "/ws", 0)]))
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

// ---- npm's and PyPI's clients ----------------------------------------------------------------------

/// A peer's script under node, if the package it needs is installed.
fn node(package: &str, script: &str) -> Option<impl Fn(&str) -> Talk> {
    let modules = peers().join("node_modules");
    let present = runs("node") && modules.join(package).is_dir();
    let path = format!("{}/tests/peers/{script}", env!("CARGO_MANIFEST_DIR"));
    let start = move |url: &str| {
        let mut node = Command::new("node");
        Talk::start(node.env("NODE_PATH", &modules).arg(&path).arg(url))
    };
    is_here(&format!("npm's {package}"), present).then_some(start)
}

fn python(package: &str, script: &str) -> Option<impl Fn(&str) -> Talk> {
    let interpreter = peers().join("venv/bin/python");
    let import = ["-c", &format!("import {package}")];
    let present = Command::new(&interpreter)
        .args(import)
        .output()
        .is_ok_and(|o| o.status.success());
    let path = format!("{}/tests/peers/{script}", env!("CARGO_MANIFEST_DIR"));
    let start = move |url: &str| Talk::start(Command::new(&interpreter).arg(&path).arg(url));
    is_here(&format!("PyPI's {package}"), present).then_some(start)
}

#[test]
fn eventsource_resumes_by_itself() {
    let Some(start) = node("eventsource", "eventsource.js") else {
        return;
    };
    let cuts = [
        cut(0, Down, 50, false),
        cut(1, Down, 700, true),
        cut(2, Down, 1_300, false),
        cut(3, Up, 40, true),
    ];
    let site = Site::start("sse", &cuts);
    site.arrive(EARLY);
    let mut got = Got {
        plan: &site.plan,
        cursor: 0,
    };
    let mut talk = start(&site.url("http", "/sse", 0));
    for upto in EARLY..=ALL {
        site.arrive(upto);
        got.listen(&talk, upto);
        if upto == EARLY {
            site.sit_out_heartbeats();
        }
    }
    assert_eq!(site.ledger.opened(), 1 + cuts.len() as u64);
    talk.hang_up();
    assert!(talk.ended().success());
    assert_eq!(talk.next(), None, "something came after the last mail");
    site.stop();
}

#[test]
fn eventsource_is_told_of_a_gap() {
    let Some(start) = node("eventsource", "eventsource.js") else {
        return;
    };
    let site = Site::with(
        "sse",
        &[],
        Scenario {
            keep: 4,
            ..scenario()
        },
    );
    site.arrive(ALL);
    let talk = start(&site.url("http", "/sse", 0));
    expect(&talk, "gap 8");
    Got {
        plan: &site.plan,
        cursor: 8,
    }
    .listen(&talk, ALL);
    drop(talk);
    site.stop();
}

/// A WebSocket client is cut at every kind of place, resumes, hears mail as it arrives, and closes.
fn resumes(start: &impl Fn(&str) -> Talk, scenario: Scenario) {
    let cuts = [
        cut(0, Down, 60, false),
        cut(1, Down, 600, true),
        cut(2, Down, 1_000, false),
        cut(3, Up, 30, true),
        cut(4, Up, 300, false),
    ];
    let site = Site::with("ws", &cuts, scenario);
    site.arrive(EARLY);
    let mut got = Got {
        plan: &site.plan,
        cursor: 0,
    };
    for _ in cuts {
        let talk = start(&site.url("ws", "/ws", got.cursor));
        assert_eq!(got.listen_to_the_end(&talk), "1006");
    }
    assert!(got.cursor > 0, "the cuts lay among the mails");
    let (before, said) = (got.cursor, site.replies.load(Ordering::Relaxed));
    let mut talk = start(&site.url("ws", "/ws", got.cursor));
    expect(&talk, "open mailcall");
    for upto in EARLY..=ALL {
        site.arrive(upto);
        got.listen(&talk, upto);
        if upto == EARLY {
            site.sit_out_heartbeats();
        }
    }
    talk.order("close");
    assert_eq!(got.listen_to_the_end(&talk), "1000");
    assert_eq!(site.replies.load(Ordering::Relaxed) - said, (ALL - before) as u64);
    assert_eq!(site.ledger.opened(), 1 + cuts.len() as u64);
    site.stop();
}

/// The server closes, in order, a client that is there when it stops.
fn sees_the_server_leave(start: &impl Fn(&str) -> Talk) {
    let site = Site::start("ws", &[]);
    site.arrive(ALL);
    let mut got = Got {
        plan: &site.plan,
        cursor: 0,
    };
    let talk = start(&site.url("ws", "/ws", 0));
    got.listen(&talk, ALL);
    site.server.shutdown.cancel();
    assert_eq!(
        Got {
            plan: &site.plan,
            cursor: ALL
        }
        .listen_to_the_end(&talk),
        "1001"
    );
    site.stop();
}

fn is_told_of_a_gap(start: &impl Fn(&str) -> Talk) {
    let site = Site::with(
        "ws",
        &[],
        Scenario {
            keep: 4,
            ..scenario()
        },
    );
    site.arrive(ALL);
    let talk = start(&site.url("ws", "/ws", 0));
    expect(&talk, "gap 8");
    Got {
        plan: &site.plan,
        cursor: 8,
    }
    .listen(&talk, ALL);
    drop(talk);
    site.stop();
}

#[test]
fn npm_ws_resumes() {
    let Some(start) = node("ws", "ws_client.js") else {
        return;
    };
    resumes(&start, scenario());
    // Attachments long enough for both extended lengths to be needed.
    resumes(
        &start,
        Scenario {
            frames: Frames::Binary,
            attach: 1_000,
            ..scenario()
        },
    );
    resumes(
        &start,
        Scenario {
            frames: Frames::Binary,
            attach: 100_000,
            ..scenario()
        },
    );
}

#[test]
fn npm_ws_understands_how_it_ends() {
    let Some(start) = node("ws", "ws_client.js") else {
        return;
    };
    sees_the_server_leave(&start);
    is_told_of_a_gap(&start);
    let site = Site::start("ws", &[]);
    let mut talk = start(&site.url("ws", "/ws", 0));
    expect(&talk, "open mailcall");
    talk.order("oversize");
    expect(&talk, "close 1009");
    site.stop();
}

#[test]
fn pypi_websockets_resumes() {
    let Some(start) = python("websockets", "websockets_client.py") else {
        return;
    };
    resumes(&start, scenario());
}

#[test]
fn pypi_websockets_understands_how_it_ends() {
    let Some(start) = python("websockets", "websockets_client.py") else {
        return;
    };
    sees_the_server_leave(&start);
    is_told_of_a_gap(&start);
    let site = Site::start("ws", &[]);
    let mut talk = start(&site.url("ws", "/ws", 0));
    expect(&talk, "open mailcall");
    talk.order("ping");
    expect(&talk, "pong");
    talk.order("close");
    expect(&talk, "close 1000");
    site.stop();
}

// ---- our WebSocket client under npm's server -------------------------------------------------------

/// Our client half on a thread of its own.
struct OurClient {
    inbox: Inbox,
    complete: watch::Receiver<u64>,
    stop: CancellationToken,
    thread: std::thread::JoinHandle<anyhow::Result<()>>,
    // Dropping it would tell the client that its start will never be known.
    _start: watch::Sender<Option<Instant>>,
}

impl OurClient {
    fn start(authority: String, mails: usize) -> OurClient {
        let (start, known) = watch::channel(Some(Instant::now()));
        let (complete, completed) = watch::channel(0);
        let due: Vec<Duration> = vec![Duration::ZERO; mails];
        let inbox = Inbox::new(due.into(), Start::new(known.clone()), 0, complete);
        let stop = CancellationToken::new();
        let client = Client {
            number: 0,
            origin: Origin::plain(authority),
            tls: None,
            scenario: Arc::new(Scenario {
                reply: true,
                ..scenario()
            }),
            headers: Arc::new(Headers::default()),
            inbox: inbox.clone(),
            start: Start::new(known),
            stop: stop.clone(),
        };
        let run = technique::named("ws").unwrap().client;
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(run(client))
        });
        OurClient {
            inbox,
            complete: completed,
            stop,
            thread,
            _start: start,
        }
    }
}

#[test]
fn our_client_resumes_under_npm_ws() {
    let Some(start) = node("ws", "ws_server.js") else {
        return;
    };
    let mails = Plan::draw(&scenario()).unwrap().mails;
    let mut server = start("");
    for planned in &mails {
        server.order(std::str::from_utf8(&planned.mail.json).unwrap());
    }
    server.hang_up();
    let port = server.next().unwrap().replace("port ", "");
    let client = OurClient::start(format!("127.0.0.1:{port}"), mails.len());

    let third = mails.len() / 3;
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
    wanted.extend(said(2 * third..mails.len()));
    for line in wanted {
        assert_eq!(server.next(), Some(line));
    }
    assert_eq!(*client.complete.borrow(), 1);
    client.stop.cancel();
    assert_eq!(server.next().as_deref(), Some("close 1000"));
    client.thread.join().unwrap().unwrap();
    let record = client.inbox.record();
    assert_eq!(record.latencies_us.len(), mails.len());
    assert_eq!(
        (record.cursor, record.duplicated, record.reordered, record.gap),
        (mails.len() as u64, 0, 0, 0)
    );
}
