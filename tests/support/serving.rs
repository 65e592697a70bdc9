//! A technique's server as a test meets it: started in-process, spoken to over raw sockets.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mailcall::lab::access::{Access, Allowed};
use mailcall::lab::server::{Handler, Limits, Server};
use mailcall::link::{Ledger, Network, Totals, tls};
use mailcall::mail::{Epoch, Mail, Mailbox};
use mailcall::outcome::{HttpVersion, Scenario};
use mailcall::technique::{self, BODY_TIMEOUT, Headers, Routes, Service, Technique, Tuning};
use tokio_util::sync::CancellationToken;

/// No wait in a test is longer; whoever runs into it hangs.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Timeouts short enough to wait for.
pub const SHORT: Duration = Duration::from_millis(300);

/// Limits with those timeouts.
pub fn short() -> Limits {
    Limits {
        head_timeout: SHORT,
        stall: SHORT,
        ..Limits::for_clients(16, Duration::ZERO)
    }
}

/// Limits that no test reaches.
pub fn patient() -> Limits {
    Limits::for_clients(2_000, Duration::ZERO)
}

/// A server over a mailbox of its own.
pub struct Served {
    pub mailbox: Arc<Mailbox>,
    pub ledger: Arc<Ledger>,
    pub replies: Arc<tokio::sync::watch::Sender<u64>>,
    /// The path of each route.
    pub paths: Vec<String>,
    technique: String,
    server: Server,
}

impl Served {
    /// Starts the server half of the technique of this name.
    pub fn start(technique: &str, limits: Limits, scenario: Scenario) -> Served {
        Served::with_body_timeout(technique, limits, scenario, BODY_TIMEOUT)
    }

    /// The same, impatient with bodies.
    pub fn with_body_timeout(
        technique: &str,
        limits: Limits,
        scenario: Scenario,
        body_timeout: Duration,
    ) -> Served {
        let rules = (limits, body_timeout, Tuning::default());
        Served::over(technique, rules, scenario, Network::from, |_| Routes::new())
    }

    /// The same with limits, patience with bodies, what the protocols on top leave to a server's choice, and
    /// more routes.
    pub fn tuned(
        technique: &str,
        rules: (Limits, Duration, Tuning),
        scenario: Scenario,
        more: impl Fn(&Service) -> Routes,
    ) -> Served {
        Served::over(technique, rules, scenario, Network::from, more)
    }

    /// The same with what the protocols on top leave to a server's choice, for pages of any origin.
    pub fn for_all_pages(technique: &str, tuning: Tuning, more: impl Fn(&Service) -> Routes) -> Served {
        let rules = (patient(), BODY_TIMEOUT, tuning);
        let more = |service: &Service| (more(service), Access::new(Vec::new(), vec![Allowed::All], false));
        Served::behind(technique, rules, Scenario::default(), Network::from, more)
    }

    /// The same over TLS, with every version of HTTP; also returns the authority to trust.
    pub fn encrypted(technique: &str, limits: Limits, scenario: Scenario) -> (Served, String) {
        let identity = tls::Identity::make(None).unwrap();
        let versions = [HttpVersion::Http2, HttpVersion::Http11, HttpVersion::Http10];
        let encrypted = |ledger: Arc<Ledger>| {
            let config = identity.server(versions.map(tls::alpn).to_vec(), &ledger);
            Network::from(ledger).encrypted(config.unwrap())
        };
        let rules = (limits, BODY_TIMEOUT, Tuning::default());
        let served = Served::over(technique, rules, scenario, encrypted, |_| Routes::new());
        (served, identity.authority)
    }

    fn over(
        technique: &str,
        (limits, body_timeout, tuning): (Limits, Duration, Tuning),
        scenario: Scenario,
        network: impl Fn(Arc<Ledger>) -> Network,
        more: impl Fn(&Service) -> Routes,
    ) -> Served {
        let more = |service: &Service| (more(service), Access::replaying(&service.headers, false));
        let rules = (limits, body_timeout, tuning);
        Served::behind(technique, rules, scenario, network, more)
    }

    fn behind(
        technique: &str,
        (limits, body_timeout, tuning): (Limits, Duration, Tuning),
        scenario: Scenario,
        network: impl Fn(Arc<Ledger>) -> Network,
        more: impl Fn(&Service) -> (Routes, Access),
    ) -> Served {
        let shutdown = CancellationToken::new();
        let service = Service {
            mailbox: Arc::new(Mailbox::of(&scenario, Epoch::of_seed(scenario.seed))),
            headers: Arc::new(Headers::load(&scenario.headers).unwrap()),
            scenario: Arc::new(scenario),
            shutdown: shutdown.clone(),
            replies: Arc::default(),
            received: Arc::default(),
            body_timeout,
            tuning,
            subprotocols: Arc::default(),
        };
        let ledger = Arc::new(Ledger::new(Vec::new()));
        let (mailbox, replies) = (service.mailbox.clone(), service.replies.clone());
        let (more, access) = more(&service);
        let handler = Handler::new(technique::named(technique).unwrap(), service);
        let handler = handler.with(more).allowing(access);
        let paths = handler.paths().to_vec();
        let server = Server::start(technique, handler, limits, network(ledger.clone()), shutdown).unwrap();
        Served {
            mailbox,
            ledger,
            replies,
            paths,
            technique: technique.into(),
            server,
        }
    }

    /// The name of its log.
    pub fn epoch(&self) -> String {
        self.mailbox.epoch().to_string()
    }

    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// Tells every stream to end.
    pub fn shut_down(&self) {
        self.server.shutdown.cancel();
    }

    /// Appends one mail whose body is this long.
    pub fn post(&self, body: usize) {
        let (number, body) = (self.mailbox.newest() + 1, "m".repeat(body));
        let json = format!(r#"{{"id":{number},"from":"","subject":"","body":"{body}"}}"#);
        let attachment = Bytes::new();
        self.mailbox.append([Mail {
            json: json.into(),
            attachment,
        }]);
    }

    /// A new connection on which nothing was said.
    pub fn connect(&self) -> Raw {
        let stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Raw { stream }
    }

    /// A new connection on which this was said.
    pub fn say(&self, bytes: impl AsRef<[u8]>) -> Raw {
        let mut raw = self.connect();
        raw.say(bytes);
        raw
    }

    /// Whatever was done to the server: it serves the next client, ends, and its books balance.
    pub fn finish(self) -> Totals {
        let mut next = self.say(request(&self.technique));
        let expected: &[u16] = match self.technique.as_str() {
            "ws" | "stomp" | "sockjs" | "socketio" => &[101],
            _ => &[200, 204],
        };
        let status = next.head().status;
        assert!(
            expected.contains(&status),
            "{} answers the next client {status}",
            self.technique
        );
        drop(next);
        self.stop()
    }

    /// Kills the server, and requires its books to balance at once.
    pub fn kill(self) -> Totals {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        // It may not get its port back: a process that another test starts has a copy of the socket for a moment.
        let _ = runtime.block_on(self.server.kill());
        assert_eq!(self.ledger.open(), 0, "its connections end with it");
        Served::balanced(&self.ledger)
    }

    /// Ends the server and requires its books to balance.
    pub fn stop(self) -> Totals {
        self.server.stop();
        Served::balanced(&self.ledger)
    }

    fn balanced(ledger: &Ledger) -> Totals {
        let totals = ledger.totals();
        assert_eq!(totals.unbalanced, 0, "labels sum to the raw bytes: {totals:?}");
        totals
    }
}

/// An answer read off a raw socket.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// The head, with field names in lower case.
    pub head: String,
    pub body: Vec<u8>,
}

/// A socket to say anything on.
pub struct Raw {
    pub stream: TcpStream,
}

impl Raw {
    pub fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Like [`Raw::say`], but a server that does not listen any more is no failure.
    pub fn try_say(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    /// Exactly so many bytes.
    pub fn read(&mut self, n: usize) -> Vec<u8> {
        let mut bytes = vec![0; n];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// What has come, once something has; nothing at the end of the connection.
    pub fn some(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; 64 * 1024];
        let n = self.stream.read(&mut bytes).unwrap();
        bytes.truncate(n);
        bytes
    }

    /// Up to and with the blank line.
    pub fn head(&mut self) -> Answer {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.extend(self.read(1));
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer {
            status,
            head,
            body: Vec::new(),
        }
    }

    /// A head and the body whose length it says.
    pub fn answer(&mut self) -> Answer {
        let mut answer = self.head();
        let length = answer
            .head
            .lines()
            .find_map(|l| l.strip_prefix("content-length: "));
        answer.body = self.read(length.map_or(0, |l| l.parse().unwrap()));
        answer
    }

    /// Everything up to the end of the connection, which a reset is too.
    pub fn rest(&mut self) -> Vec<u8> {
        match self.read_to_end() {
            (bytes, Ok(())) => bytes,
            (bytes, Err(e)) if e.kind() == ErrorKind::ConnectionReset => bytes,
            (_, Err(e)) => panic!("the server keeps the connection open: {e}"),
        }
    }

    /// Everything up to the end of the connection, and how it ended.
    pub fn read_to_end(&mut self) -> (Vec<u8>, std::io::Result<()>) {
        let deadline = Instant::now() + PATIENCE;
        let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
        while Instant::now() < deadline {
            match self.stream.read(&mut buffer) {
                Ok(0) => return (bytes, Ok(())),
                Ok(n) => bytes.extend_from_slice(&buffer[..n]),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return (bytes, Err(e)),
            }
        }
        (bytes, Err(ErrorKind::TimedOut.into()))
    }
}

/// Waits until something holds that nobody tells.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The request that opens a technique's stream, or asks its question.
pub fn request(technique: &str) -> String {
    match technique {
        "ws" => handshake(""),
        "stomp" => upgrade("/stomp", "Sec-WebSocket-Protocol: v12.stomp\r\n"),
        "sockjs" => upgrade("/sockjs/000/somebody/websocket", ""),
        "socketio" => upgrade("/socket.io/?EIO=4&transport=websocket", ""),
        _ => format!("GET /{technique}?after=0 HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    }
}

/// A WebSocket's opening handshake with further fields (RFC 6455, section 1.3).
pub fn handshake(fields: &str) -> String {
    upgrade("/ws?after=0", fields)
}

fn upgrade(target: &str, fields: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{fields}\r\n"
    )
}

/// The techniques that need no other. Those on top have hostile clients of their own protocol in files of
/// their own.
#[allow(dead_code, reason = "not every test needs it")]
pub fn bare() -> impl Iterator<Item = &'static Technique> {
    technique::ALL.iter().copied().filter(|t| t.layered.is_none())
}
