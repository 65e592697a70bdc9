//! A server as clients that we did not write meet it, over every version of HTTP, encrypted or not, and
//! what they were given. `scripts/peers` installs the clients, their scripts lie in `tests/peers`.
#![allow(dead_code)] // Each test crate that includes this file uses its own part of it.

pub mod chromium;
pub mod curl;
pub mod ours;
pub mod websocket;

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use http::Version;
use mailcall::lab::access::Access;
use mailcall::lab::server::{Handler, Limits, Server};
use mailcall::link::{Cut, Ledger, Network, tls};
use mailcall::mail::{Epoch, Mailbox, Plan};
use mailcall::outcome::{HttpVersion, Scenario};
use mailcall::technique::{self, Headers, Routes, Service};
use mailcall::wire::Direction::{self, Down};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::support::{self, Talk, is_here, peers, runs, until};

/// Mails there are before a client comes, and all.
pub const EARLY: usize = 8;
pub const ALL: usize = 12;

/// How a client reaches a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    pub http: HttpVersion,
    pub tls: bool,
}

pub const PLAIN: Way = Way::new(HttpVersion::Http11, false);
pub const PRIOR_KNOWLEDGE: Way = Way::new(HttpVersion::Http2, false);
pub const ENCRYPTED: Way = Way::new(HttpVersion::Http11, true);
pub const ENCRYPTED_2: Way = Way::new(HttpVersion::Http2, true);

impl Way {
    pub const fn new(http: HttpVersion, tls: bool) -> Way {
        Way { http, tls }
    }

    /// Nothing of a TLS record can be read before all of it is there. For a cut to lie among the mails,
    /// they must be so long that they don't fit into one.
    fn scale(self) -> u64 {
        if self.tls { 20 } else { 1 }
    }

    fn version(self) -> Version {
        match self.http {
            HttpVersion::Http10 => Version::HTTP_10,
            HttpVersion::Http11 => Version::HTTP_11,
            HttpVersion::Http2 => Version::HTTP_2,
        }
    }
}

pub fn scenario() -> Scenario {
    Scenario {
        mails: ALL as u64,
        heartbeat_ms: 400.0,
        ..Scenario::default()
    }
}

pub fn cut(connection: u64, direction: Direction, after: u64, reset: bool) -> Cut {
    Cut {
        connection,
        direction,
        after,
        reset,
    }
}

/// A server, and the mail that arrives there when a test says so.
pub struct Site {
    pub plan: Plan,
    pub mailbox: Arc<Mailbox>,
    pub ledger: Arc<Ledger>,
    pub replies: Arc<watch::Sender<u64>>,
    pub server: Server,
    way: Way,
    /// What was asked for, and by which version of HTTP.
    asked: Arc<Mutex<Vec<(Version, String)>>>,
    /// Where the authority that the server's certificate is from lies, alone.
    trust: Option<TempDir>,
}

impl Site {
    pub fn start(name: &str, way: Way, cuts: &[Cut]) -> Site {
        Site::with(&[name], way, cuts, scenario(), Routes::new())
    }

    /// Starts the server halves of some techniques, with more routes. Cuts are placed as if there were
    /// neither TLS nor the longer mails that it asks for.
    pub fn with(names: &[&str], way: Way, cuts: &[Cut], scenario: Scenario, more: Routes) -> Site {
        Site::serving(names, way, cuts, scenario, |_| more)
    }

    /// The same with routes that need the service.
    pub fn serving(
        names: &[&str],
        way: Way,
        cuts: &[Cut],
        scenario: Scenario,
        more: impl FnOnce(&Service) -> Routes,
    ) -> Site {
        Site::open_to(Access::default(), names, way, cuts, scenario, more)
    }

    /// The same for pages of other origins, too.
    pub fn open_to(
        access: Access,
        names: &[&str],
        way: Way,
        cuts: &[Cut],
        scenario: Scenario,
        more: impl FnOnce(&Service) -> Routes,
    ) -> Site {
        let scenario = Scenario {
            size: scenario.size * way.scale() as usize,
            http: way.http,
            tls: way.tls,
            ..scenario
        };
        let identity = way.tls.then(|| tls::Identity::make(None).unwrap());
        let shake = identity
            .as_ref()
            .map(|i| tls::rehearse(i, way.http).unwrap()[0].down);
        let placed = cuts.iter().map(|cut| match cut.direction {
            Down => Cut {
                after: shake.unwrap_or(0) + cut.after * way.scale(),
                ..*cut
            },
            Direction::Up => *cut,
        });
        let ledger = Arc::new(Ledger::new(placed.collect()));
        let plan = Plan::draw(&scenario).unwrap();
        let mailbox = Arc::new(Mailbox::of(&scenario, Epoch::of_seed(scenario.seed)));
        let replies = Arc::new(watch::Sender::new(0));
        let shutdown = CancellationToken::new();
        let limits = Limits::for_clients(1, scenario.poll_interval());
        let service = Service {
            mailbox: mailbox.clone(),
            scenario: Arc::new(scenario),
            headers: Arc::new(Headers::default()),
            shutdown: shutdown.clone(),
            replies: replies.clone(),
            received: Arc::default(),
            body_timeout: support::PATIENCE,
            tuning: mailcall::technique::Tuning::default(),
            subprotocols: Arc::default(),
        };
        let mut network = Network::from(ledger.clone());
        if let Some(identity) = &identity {
            // As `mailcall serve` offers them, but for those beyond the way.
            let versions = [HttpVersion::Http2, HttpVersion::Http11, HttpVersion::Http10];
            let beyond = usize::from(way.http != HttpVersion::Http2);
            let config = identity.server(
                versions[beyond..].iter().copied().map(tls::alpn).collect(),
                &ledger,
            );
            network = network.encrypted(config.unwrap());
        }
        let techniques: Vec<_> = names.iter().map(|n| technique::named(n).unwrap()).collect();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let more = more(&service);
        let handler = Handler::of(&techniques, service).with(more).allowing(access);
        let handler = watched(handler, asked.clone());
        let server = Server::start(names[0], handler, limits, network, shutdown).unwrap();
        Site {
            plan,
            mailbox,
            ledger,
            replies,
            server,
            way,
            asked,
            trust: identity.map(|i| {
                let alone = tempfile::tempdir().unwrap();
                fs::write(alone.path().join("authority.pem"), i.authority).unwrap();
                alone
            }),
        }
    }

    /// Lets mail arrive until there are `upto`.
    pub fn arrive(&self, upto: usize) {
        let there = self.mailbox.newest() as usize;
        self.mailbox
            .append(self.plan.mails[there..upto].iter().map(|m| m.mail.clone()));
    }

    /// A URL, of the scheme `http` or `ws` or what they are when encrypted.
    pub fn url(&self, scheme: &str, target: &str) -> String {
        let s = if self.way.tls { "s" } else { "" };
        format!("{scheme}{s}://{}{target}", self.server.address)
    }

    /// The authority to trust, in a directory where there is nothing else.
    pub fn authority(&self) -> Option<PathBuf> {
        Some(self.trust.as_ref()?.path().join("authority.pem"))
    }

    /// Which versions of HTTP the path was asked for by, in the order of the requests.
    pub fn asked(&self, path: &str) -> Vec<Version> {
        let asked = self.asked.lock().unwrap();
        let of_path = asked.iter().filter(|(_, asked)| asked == path);
        of_path.map(|(version, _)| *version).collect()
    }

    /// Waits until heartbeats have crossed an idle stream: more bytes than a last reply and the two
    /// pings that a WebSocket gets that does not answer.
    pub fn sit_out_heartbeats(&self) {
        let enough = self.ledger.bytes() + 40 * self.way.scale();
        until("heartbeats have crossed", || self.ledger.bytes() >= enough);
    }

    /// Stops the server. Every request must have come the way it was meant to.
    pub fn stop(self) {
        let asked = self.asked.lock().unwrap().clone();
        let strays = asked.iter().filter(|(v, _)| *v != self.way.version());
        assert_eq!(strays.count(), 0, "{:?}: {asked:?}", self.way);
        self.end();
    }

    /// Stops the server. The meter must have understood all that was said.
    pub fn end(self) {
        self.server.stop();
        let totals = self.ledger.totals();
        assert_eq!(
            (self.ledger.open(), totals.unbalanced, totals.tally.violations),
            (0, 0, 0)
        );
        assert_eq!(totals.tally.up.tls > 0, self.way.tls);
    }
}

fn watched(handler: Handler, asked: Arc<Mutex<Vec<(Version, String)>>>) -> Handler {
    let note = move |request: Request, next: Next| {
        let target = (request.version(), request.uri().path().to_string());
        asked.lock().unwrap().push(target);
        next.run(request)
    };
    handler.between(|routes| routes.layer(from_fn(note)))
}

/// What a client was given, held against what was sent.
pub struct Got<'a> {
    pub plan: &'a Plan,
    pub cursor: usize,
}

impl Got<'_> {
    /// For a client that starts after `cursor`.
    pub fn after(cursor: usize, site: &Site) -> Got<'_> {
        Got {
            plan: &site.plan,
            cursor,
        }
    }

    /// The next mail must be the one after the cursor, byte by byte.
    pub fn mail(&mut self, text: &str) {
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
    pub fn listen(&mut self, talk: &Talk, upto: usize) {
        while self.cursor < upto {
            let line = talk.next().expect("the peer goes on listening");
            if let Some(text) = line.strip_prefix("mail ") {
                self.mail(text);
            } else {
                let ended = ["close", "wrong", "answer", "broken"];
                assert!(!ended.iter().any(|end| line.starts_with(end)), "{line}");
            }
        }
    }

    /// Listens until what was asked for is over; returns what the peer says of its end, which it tells
    /// as `word` and more.
    pub fn listen_until(&mut self, talk: &Talk, word: &str) -> String {
        loop {
            let line = talk.next().expect("the peer tells how it ended");
            if let Some(text) = line.strip_prefix("mail ") {
                self.mail(text);
            } else if let Some(end) = line.strip_prefix(word) {
                return end.trim_start().to_string();
            }
        }
    }
}

/// Waits for a line; no mail may come before it.
pub fn expect(talk: &Talk, wanted: &str) {
    loop {
        match talk.next() {
            Some(line) if line == wanted => return,
            Some(line) => assert!(!line.starts_with("mail"), "{line} instead of {wanted}"),
            None => panic!("the peer ended without {wanted:?}"),
        }
    }
}

/// A peer's script, and what it runs under.
pub struct Peer {
    interpreter: PathBuf,
    script: String,
}

impl Peer {
    /// Starts it with one argument. It trusts the site's authority, and no other.
    pub fn start(&self, site: &Site, argument: &str) -> Talk {
        let mut command = self.command(argument);
        if let Some(authority) = site.authority() {
            // Where OpenSSL, and so Python and node if told to, looks for authorities.
            command
                .env("SSL_CERT_DIR", authority.parent().unwrap())
                .env("SSL_CERT_FILE", authority)
                .env("NODE_OPTIONS", "--use-openssl-ca");
        }
        Talk::start(&mut command)
    }

    /// Starts it as it is, trusting whom it trusts anyway.
    pub fn start_untold(&self, argument: &str) -> Talk {
        Talk::start(&mut self.command(argument))
    }

    fn command(&self, argument: &str) -> Command {
        let mut command = Command::new(&self.interpreter);
        command.env("NODE_PATH", peers().join("node_modules"));
        command.arg(&self.script).arg(argument);
        command
    }
}

fn script(name: &str) -> String {
    format!("{}/tests/peers/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// A peer's script under node, if the package it needs is installed.
pub fn node(package: &str, name: &str) -> Option<Peer> {
    let present = runs("node") && peers().join("node_modules").join(package).is_dir();
    let peer = Peer {
        interpreter: "node".into(),
        script: script(name),
    };
    is_here(&format!("npm's {package}"), present).then_some(peer)
}

/// A peer's script under Python, likewise.
pub fn python(package: &str, name: &str) -> Option<Peer> {
    let interpreter = peers().join("venv/bin/python");
    let import = ["-c", &format!("import {package}")];
    let tried = Command::new(&interpreter).args(import).output();
    let present = tried.is_ok_and(|o| o.status.success());
    let peer = Peer {
        interpreter,
        script: script(name),
    };
    is_here(&format!("PyPI's {package}"), present).then_some(peer)
}

/// npm's `eventsource` is cut, and resumes by itself.
pub fn eventsource_resumes(peer: &Peer, way: Way) {
    stream_resumes(peer, "sse", way);
}

/// A reader of lines is cut, and asks again with its cursor.
pub fn lines_resume(peer: &Peer, way: Way) {
    stream_resumes(peer, "ndjson", way);
}

fn stream_resumes(peer: &Peer, name: &str, way: Way) {
    let cuts = [
        cut(0, Down, 50, false),
        cut(1, Down, 700, true),
        cut(2, Down, 1_300, false),
        cut(3, Direction::Up, 40, true),
    ];
    let site = Site::start(name, way, &cuts);
    site.arrive(EARLY);
    let mut got = Got::after(0, &site);
    let mut talk = peer.start(&site, &site.url("http", &format!("/{name}?after=0")));
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
