//! A scenario: the mail, the clients, the transport and the network of a run.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::balance::Balance;
use super::file_name::FileName;
use super::http_version::HttpVersion;
use super::log_place::LogPlace;
use super::oddity::Oddity;
use super::proxy::Proxy;
use super::retry::Retry;
use crate::lang::t;
use crate::theory;

/// The most clients of one technique in a run.
pub const MOST_CLIENTS: u64 = 100_000;

/// The most connections for HTTP/1 that a browser opens to one host: those of Chromium and Firefox.
const BROWSERS_CONNECTIONS: usize = 6;

/// What a run is asked to do. Times are milliseconds, sizes bytes, rates per second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scenario {
    /// How many mails arrive.
    pub mails: u64,
    /// Bytes of each mail's JSON text.
    pub size: usize,
    /// Bytes of each mail's binary attachment; 0 for none.
    pub attach: usize,
    /// How the arrival instants are drawn.
    pub arrivals: Arrivals,
    /// Mean arrival rate, mails per second.
    pub rate_per_s: f64,
    /// The file whose arrivals are replayed, if there is one.
    pub replay: Option<FileName>,
    /// How many times faster than recorded a replay runs.
    pub replay_speed: f64,
    /// What was odd about the replayed file; empty if nothing was, or without a replay.
    #[serde(default)]
    pub replay_oddities: Vec<Oddity>,
    /// The seed of the mail, its arrivals and every client's phase; with `repeat`, the first of several.
    pub seed: u64,
    /// Concurrent clients per technique.
    pub clients: usize,
    /// How many tabs of one browser the clients are, and share its connections; `None` if each is a program of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tabs: Option<usize>,
    /// How many of the clients, the first ones, read slowly.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub slow: usize,
    /// How fast these read, bytes per second; `None` unless some do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_bytes_s: Option<f64>,
    /// What a server does that keeps a queue for each client, when that is full; `None` for one that reads from its log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_policy: Option<SlowPolicy>,
    /// Whether a client answers each mail.
    pub reply: bool,
    /// How often each client sends a message, per second; `None` if never.
    #[serde(default)]
    pub talk_per_s: Option<f64>,
    /// How long after the last arrival a run waits for missing mail.
    pub grace_ms: f64,
    /// How long clients wait before they connect again.
    #[serde(default, skip_serializing_if = "Retry::is_usual")]
    pub retry: Retry,
    /// Polling: the time from request to request.
    pub poll_interval_ms: f64,
    /// Long polling: how long a request is kept before it is answered empty.
    pub hold_ms: f64,
    /// Silence after which a server sends an SSE comment or a WebSocket ping.
    pub heartbeat_ms: f64,
    /// How a mail travels over WebSocket.
    pub frames: Frames,
    /// Which side starts the WebSocket closing handshake.
    pub closer: Closer,
    /// How many mails the mailbox keeps.
    pub keep: usize,
    /// How many bytes its mails may take, including the forms in which they are sent.
    #[serde(default = "Scenario::kept_bytes")]
    pub keep_bytes: u64,
    /// Where the mailbox keeps them: `memory`, `nats`, or a NATS server's address without its password.
    #[serde(default, skip_serializing_if = "LogPlace::is_memory")]
    pub log: LogPlace,
    /// HTTP version.
    pub http: HttpVersion,
    /// Whether connections are encrypted.
    pub tls: bool,
    /// Whether a client that connects again over TLS resumes its session, instead of a full handshake.
    #[serde(default = "Scenario::usually", skip_serializing_if = "Clone::clone")]
    pub tls_resumes: bool,
    /// How long a connection is kept between requests; `None` means as long as the client stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_alive_ms: Option<f64>,
    /// `lean`, `browser` or the file of a captured exchange.
    pub headers: FileName,
    /// What the messages of STOMP and SockJS run over.
    #[serde(default)]
    pub over: Over,
    /// STOMP: how many clients publish the mail; with 0, the server itself does.
    #[serde(default)]
    pub publishers: usize,
    /// STOMP: the topics that mail is published to, in turn.
    #[serde(default = "Scenario::inbox")]
    pub topics: Vec<String>,
    /// What a middlebox on the way blocks.
    #[serde(default)]
    pub block: Vec<Block>,
    /// The proxies on the way, in order from the client to the server.
    #[serde(default)]
    pub proxy: Vec<Proxy>,
    /// How many servers there are; more than one stand behind a balancer.
    #[serde(default = "Scenario::alone", skip_serializing_if = "is_one")]
    pub servers: usize,
    /// How the balancer chooses the server of a request; `None` with one server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance: Option<Balance>,
    /// How long after the start of the schedule the first server is killed; `None` if it lives on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kill_ms: Option<f64>,
    /// How many threads each server has, and the balancer.
    #[serde(default = "Scenario::alone", skip_serializing_if = "is_one")]
    pub threads: usize,
    /// How many seeds are run.
    pub repeat: u32,
    /// The simulated link.
    pub link: Link,
}

impl Default for Scenario {
    fn default() -> Self {
        Scenario {
            mails: 20,
            size: 300,
            attach: 0,
            arrivals: Arrivals::Poisson,
            rate_per_s: 2.0,
            replay: None,
            replay_speed: 1.0,
            replay_oddities: Vec::new(),
            seed: 1,
            clients: 1,
            tabs: None,
            slow: 0,
            read_bytes_s: None,
            slow_policy: None,
            reply: false,
            talk_per_s: None,
            grace_ms: 5_000.0,
            retry: Retry::default(),
            poll_interval_ms: 200.0,
            hold_ms: 25_000.0,
            heartbeat_ms: 15_000.0,
            frames: Frames::Text,
            closer: Closer::Client,
            keep: 10_000,
            keep_bytes: Scenario::kept_bytes(),
            log: LogPlace::Memory,
            http: HttpVersion::Http11,
            tls: false,
            tls_resumes: true,
            keep_alive_ms: None,
            headers: "lean".into(),
            over: Over::default(),
            publishers: 0,
            topics: Scenario::inbox(),
            block: Vec::new(),
            proxy: Vec::new(),
            servers: 1,
            balance: None,
            kill_ms: None,
            threads: 1,
            repeat: 1,
            link: Link::default(),
        }
    }
}

impl Scenario {
    /// The polling interval.
    pub fn poll_interval(&self) -> Duration {
        millis(self.poll_interval_ms)
    }
    /// How long a long poll is held.
    pub fn hold(&self) -> Duration {
        millis(self.hold_ms)
    }
    /// The silence after which a heartbeat is sent.
    pub fn heartbeat(&self) -> Duration {
        millis(self.heartbeat_ms)
    }
    /// How many requests a browser has on their way at once; `None` if nothing limits them.
    pub fn connections_per_host(&self) -> Option<usize> {
        (self.tabs.is_some() && self.http != HttpVersion::Http2).then_some(BROWSERS_CONNECTIONS)
    }
    /// How fast a client reads, bytes per second; `None` for one that reads as fast as it can.
    pub fn read_rate(&self, client: usize) -> Option<f64> {
        self.read_bytes_s.filter(|_| client < self.slow)
    }
    /// The `SO_SNDBUF` and the `SO_RCVBUF` of connections where clients read slowly: together they then hold about as
    /// much as a simulated connection, and not the megabytes to which Linux lets them grow.
    pub fn socket_buffer(&self) -> Option<usize> {
        (self.slow > 0).then_some(64 * 1024)
    }
    /// Whether clients send messages or replies, which takes a second connection with some techniques.
    pub fn speaks(&self) -> bool {
        self.reply || self.talk_per_s.is_some()
    }
    /// Whether something on the way blocks this.
    pub fn blocks(&self, what: Block) -> bool {
        self.block.contains(&what)
    }
    /// How long a connection is kept between requests; `None` if nothing closes it.
    pub fn keep_alive(&self) -> Option<Duration> {
        self.keep_alive_ms.map(millis)
    }
    /// Whether several servers stand behind a balancer.
    pub fn is_balanced(&self) -> bool {
        self.servers > 1
    }
    /// How the balancer chooses; `None` without one.
    pub fn balance(&self) -> Option<Balance> {
        self.is_balanced().then(|| self.balance.unwrap_or_default())
    }
    /// When the first server is killed, after the start of the schedule.
    pub fn kill(&self) -> Option<Duration> {
        self.kill_ms.map(millis)
    }
    fn alone() -> usize {
        1
    }
    fn usually() -> bool {
        true
    }
    fn kept_bytes() -> u64 {
        64 << 20
    }

    fn inbox() -> Vec<String> {
        vec!["inbox".into()]
    }
    /// How long a run waits for missing mail.
    pub fn grace(&self) -> Duration {
        millis(self.grace_ms)
    }
}

fn is_zero(n: &usize) -> bool {
    *n == 0
}

fn is_one(n: &usize) -> bool {
    *n == 1
}

fn millis(ms: f64) -> Duration {
    Duration::from_secs_f64((ms / 1e3).max(0.0))
}

/// The simulated link; all zero and `None` is the bare loopback.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// Round-trip time added.
    pub rtt_ms: f64,
    /// Random extra delay, each way.
    pub jitter_ms: f64,
    /// Bits per second, each way; `None` is unlimited.
    pub bandwidth_bit_s: Option<f64>,
    /// Chance that a segment is lost.
    pub loss_fraction: f64,
    /// The silence after which a NAT on the way forgets a connection; `None` without a NAT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nat_ms: Option<f64>,
}

impl Link {
    /// The silence after which a NAT forgets a connection.
    pub fn nat(&self) -> Option<Duration> {
        self.nat_ms.map(millis)
    }

    /// The link as `theory` describes it, in seconds.
    pub fn path(&self) -> theory::Path {
        theory::Path {
            rtt: self.rtt_ms / 1e3,
            jitter: self.jitter_ms / 1e3,
            bandwidth: self.bandwidth_bit_s,
            loss: self.loss_fraction,
        }
    }

    /// How much longer than on the loopback an exchange may take: time limits are extended by this. It
    /// covers opening a connection, a page's worth of bytes, and a few losses.
    pub fn patience(&self) -> Duration {
        const PAGE: f64 = 16_384.0;
        let round_trips = 4.0 * (self.rtt_ms + 2.0 * self.jitter_ms);
        let line_time = self.bandwidth_bit_s.map_or(0.0, |b| PAGE * 8e3 / b);
        let lost = if self.loss_fraction > 0.0 {
            15.0 * (2.0 * self.rtt_ms).max(200.0)
        } else {
            0.0
        };
        millis(round_trips + line_time + lost)
    }
}

/// How arrival instants are drawn. Serialised as on the command line: `poisson`, `burst:5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Arrivals {
    /// Independent exponential gaps: mail as it really comes.
    Poisson,
    /// Equal gaps.
    Steady,
    /// Groups of this many at one instant, the groups Poisson; the mean rate stays the same.
    Burst(u32),
}

impl fmt::Display for Arrivals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Arrivals::Poisson => f.write_str("poisson"),
            Arrivals::Steady => f.write_str("steady"),
            Arrivals::Burst(k) => write!(f, "burst:{k}"),
        }
    }
}

impl FromStr for Arrivals {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        match s {
            "poisson" => Ok(Arrivals::Poisson),
            "steady" => Ok(Arrivals::Steady),
            _ => s
                .strip_prefix("burst:")
                .and_then(|k| k.parse().ok())
                .filter(|k| (1..=100_000).contains(k))
                .map(Arrivals::Burst)
                .ok_or_else(|| t!("allowed are poisson, steady and burst:K with K from 1 to 100000")),
        }
    }
}

impl TryFrom<String> for Arrivals {
    type Error = String;
    fn try_from(s: String) -> Result<Self, String> {
        s.parse()
    }
}

impl From<Arrivals> for String {
    fn from(a: Arrivals) -> String {
        a.to_string()
    }
}

/// The kind of WebSocket data frame a mail travels in (RFC 6455, section 5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Frames {
    /// Opcode 1: JSON, an attachment as base64 within it.
    Text,
    /// Opcode 2: the JSON's length, the JSON, the attachment's own bytes.
    Binary,
}

/// What STOMP's frames run over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Over {
    /// WebSocket, as a subprotocol of it.
    #[default]
    Ws,
    /// SockJS, whatever that runs over in turn.
    Sockjs,
}

/// What becomes of a queue that its client does not empty fast enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum SlowPolicy {
    /// It grows.
    Buffer,
    /// Its oldest mail is dropped when it is full, with 16 mails.
    DropOldest,
    /// It holds the newest mail alone.
    Latest,
    /// Its client is cut off when it is full, with 16 mails.
    Disconnect,
}

/// What a middlebox does not let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Block {
    /// It refuses to upgrade a connection.
    Websocket,
    /// It holds an answer back until it is over, as a proxy that buffers does.
    Streaming,
}

/// Who sends the first close frame (RFC 6455, section 7.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Closer {
    /// The client, when it has all its mail.
    Client,
    /// The server, when it shuts down.
    Server,
}
