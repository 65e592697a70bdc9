//! What a run measured and what was predicted of it, as plain data: the seam between `lab`, which
//! fills it in, and `report`, which draws it. Serialised with serde it is the JSON contract; a key
//! may be added, none changes its meaning, and `schema` counts up when that cannot be helped.
//!
//! What a platform cannot measure, or what does not exist for a technique, is `None` (JSON `null`),
//! never 0.

pub mod advice;
mod envelope;
mod file_name;
pub mod inspection;
pub mod noise;
mod oddity;
pub mod plausible;
pub mod sweep;
pub mod vanish;

use std::fmt;
use std::ops::Add;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use envelope::{Envelope, SCHEMA};
pub use file_name::FileName;
pub use oddity::{Oddity, OddityKind};

use crate::stats::{self, Interval};
use crate::{theory, wire};

/// The most clients of one technique in a run.
pub const MOST_CLIENTS: u64 = 100_000;

/// The row that `--baseline` adds. It is what the others are read against, not one of them.
pub const BASELINE: &str = "tcp";

/// Everything one invocation prints: the scenario and one outcome per technique.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// What every result begins with.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// Whether time and network were simulated: then nothing was measured, and the figures are what the
    /// protocols cost by themselves.
    #[serde(default)]
    pub simulated: bool,
    /// The machine the figures belong to; `None` if they belong to none, as those of simulated runs.
    pub environment: Option<Environment>,
    /// What was asked for.
    pub scenario: Scenario,
    /// One outcome per technique, in the order they were named.
    pub results: Vec<Outcome>,
    /// Techniques that were asked for and cannot exist in this scenario.
    #[serde(default)]
    pub absent: Vec<Absent>,
    /// The URL of the server, where that was not of this process: then the figures are the client's.
    #[serde(default)]
    pub remote: Option<String>,
}

impl Report {
    /// Whether the figures are of half a run. Interrupted between seeds, they are of whole ones.
    pub fn cut_short(&self) -> bool {
        self.envelope.partial && self.results.iter().all(|o| o.repeats.is_empty())
    }

    /// The row the others are read against, if there is one.
    pub fn baseline(&self) -> Option<&Outcome> {
        self.results.iter().find(|o| o.is_baseline())
    }
}

/// A technique that cannot exist in a scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absent {
    /// Its name.
    pub technique: String,
    /// Why it cannot.
    pub why: String,
}

/// The machine a report was measured on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// Operating system, as in [`std::env::consts::OS`].
    pub os: String,
    /// The processor's model name, where the system tells it.
    pub cpu: Option<String>,
    /// Logical processors available to the process.
    pub cores: usize,
}

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
    /// The file whose arrivals are replayed instead.
    pub replay: Option<FileName>,
    /// How many times faster than recorded a replay runs.
    pub replay_speed: f64,
    /// What was odd about the replayed file; nothing where it was not, or there is none.
    #[serde(default)]
    pub replay_oddities: Vec<Oddity>,
    /// Seeds mail, arrivals and every client's phase; with `repeat`, the first of so many.
    pub seed: u64,
    /// Concurrent clients per technique.
    pub clients: usize,
    /// Whether a client answers each mail.
    pub reply: bool,
    /// How often each client sends a message, per second; `None` if never.
    #[serde(default)]
    pub talk_per_s: Option<f64>,
    /// How long after the last arrival a run waits for missing mail.
    pub grace_ms: f64,
    /// Polling: from request to request.
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
    /// How many bytes its mails may take, with the forms in which they are sent.
    #[serde(default = "Scenario::kept_bytes")]
    pub keep_bytes: u64,
    /// HTTP version.
    pub http: HttpVersion,
    /// Whether connections are encrypted.
    pub tls: bool,
    /// Whether a client that connects again over TLS resumes its session, instead of a whole handshake.
    #[serde(default = "Scenario::usually", skip_serializing_if = "Clone::clone")]
    pub tls_resumes: bool,
    /// How long a connection is kept between requests; `None` is as long as the client stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_alive_ms: Option<f64>,
    /// `lean`, `browser` or the file of a captured exchange.
    pub headers: FileName,
    /// STOMP, SockJS: what the messages run over.
    #[serde(default)]
    pub over: Over,
    /// STOMP: how many clients publish the mail; 0 leaves it to the server itself.
    #[serde(default)]
    pub publishers: usize,
    /// STOMP: where mail is published, in turn.
    #[serde(default = "Scenario::inbox")]
    pub topics: Vec<String>,
    /// What a middlebox on the way does not let through.
    #[serde(default)]
    pub block: Vec<Block>,
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
            reply: false,
            talk_per_s: None,
            grace_ms: 5_000.0,
            poll_interval_ms: 200.0,
            hold_ms: 25_000.0,
            heartbeat_ms: 15_000.0,
            frames: Frames::Text,
            closer: Closer::Client,
            keep: 10_000,
            keep_bytes: Scenario::kept_bytes(),
            http: HttpVersion::Http11,
            tls: false,
            tls_resumes: true,
            keep_alive_ms: None,
            headers: "lean".into(),
            over: Over::default(),
            publishers: 0,
            topics: Scenario::inbox(),
            block: Vec::new(),
            repeat: 1,
            link: Link::default(),
        }
    }
}

impl Scenario {
    /// Polling's interval.
    pub fn poll_interval(&self) -> Duration {
        millis(self.poll_interval_ms)
    }
    /// Long polling's hold.
    pub fn hold(&self) -> Duration {
        millis(self.hold_ms)
    }
    /// The silence a heartbeat breaks.
    pub fn heartbeat(&self) -> Duration {
        millis(self.heartbeat_ms)
    }
    /// Whether clients say anything, which takes a connection of its own with some techniques.
    pub fn speaks(&self) -> bool {
        self.reply || self.talk_per_s.is_some()
    }
    /// Whether something on the way does not let it through.
    pub fn blocks(&self, what: Block) -> bool {
        self.block.contains(&what)
    }
    /// How long a connection is kept between requests, if that has an end.
    pub fn keep_alive(&self) -> Option<Duration> {
        self.keep_alive_ms.map(millis)
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
    /// The wait for missing mail.
    pub fn grace(&self) -> Duration {
        millis(self.grace_ms)
    }
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
}

impl Link {
    /// The link as `theory` knows it, in seconds.
    pub fn path(&self) -> theory::Path {
        theory::Path {
            rtt: self.rtt_ms / 1e3,
            jitter: self.jitter_ms / 1e3,
            bandwidth: self.bandwidth_bit_s,
            loss: self.loss_fraction,
        }
    }

    /// How much longer than on the loopback an exchange may well take: what limits of time are
    /// stretched by. It covers opening a connection, a page's worth of bytes, and a few losses.
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
                .ok_or_else(|| "allowed are poisson, steady and burst:K with K from 1 to 100000".to_string()),
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

/// What requests told the server of who asks (its cookie) and how far it has read (its cursor). A
/// stateless server is told with each request, a stateful one once. The bytes are in `bytes`, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// How often.
    pub times: u64,
    /// In how many bytes; in HTTP/2, of the fields as they crossed.
    pub bytes: u64,
}

/// A version of HTTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
pub enum HttpVersion {
    /// A connection for each request (RFC 1945).
    #[serde(rename = "1.0")]
    #[value(name = "1.0")]
    Http10,
    /// Connections that are kept (RFC 9112).
    #[default]
    #[serde(rename = "1.1")]
    #[value(name = "1.1")]
    Http11,
    /// Many streams on one connection, headers compressed (RFC 9113).
    #[serde(rename = "2")]
    #[value(name = "2")]
    Http2,
}

impl fmt::Display for HttpVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HttpVersion::Http10 => "1.0",
            HttpVersion::Http11 => "1.1",
            HttpVersion::Http2 => "2",
        })
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

/// What a middlebox does not let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Block {
    /// It refuses to upgrade a connection.
    Websocket,
    /// It holds an answer back until it is over, as a proxy that buffers does.
    Streaming,
}

/// A transport that a client tried, where it may have to try several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Which client, from 0.
    pub client: usize,
    /// The transport, by the name that its protocol gives it.
    pub transport: String,
    /// When it began, microseconds from the first attempt's beginning.
    pub t_us: f64,
    /// How long it took until it worked, or did not.
    pub took_us: f64,
    /// Why it did not work; `None` if it did.
    pub failed: Option<String>,
}

/// What became of `EventSource`s (WHATWG HTML, section 9.2) that failed. One that merely loses its
/// connection reconnects by itself, and is not counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventSources {
    /// How often an application started a new one. A new one sends no `Last-Event-ID`: it says `after=` in
    /// its URL.
    pub restarted: u64,
    /// How many clients ended theirs for good, because a new one would not have fared better.
    pub ended: u64,
    /// Why the last one failed; `None` if none did.
    pub why: Option<String>,
}

impl EventSources {
    /// The sum over clients or runs; `None` if none of them has any.
    pub fn sum<'a>(each: impl Iterator<Item = Option<&'a EventSources>>) -> Option<EventSources> {
        each.flatten().cloned().reduce(|sum, next| EventSources {
            restarted: sum.restarted + next.restarted,
            ended: sum.ended + next.ended,
            why: next.why.or(sum.why),
        })
    }
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

/// What one technique cost in one scenario.
///
/// With `--repeat` the seeds are pooled: counts and bytes are sums over the seeds, as they are over
/// clients (`connections.peak` is the highest), latency is that of all deliveries, and the prediction
/// is pooled alike. `per_run` has the means that a table shows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// The technique's name in the registry.
    pub technique: String,
    /// Whether all mail came, once and in order.
    pub mails: Delivery,
    /// Due instant to decoded mail; `None` if nothing was delivered.
    pub latency_us: Option<Latency>,
    /// The same as a distribution, ascending: every latency if they are 101 at most, else 101 of them at
    /// even ranks from the smallest to the largest, so that entry 50 is the median. Empty if nothing was
    /// delivered, in the single `repeats`, and in files older than this key.
    #[serde(default)]
    pub latency_quantiles_us: Vec<f64>,
    /// What clients said of their own accord; `None` unless they talk (`--talk`).
    #[serde(default)]
    pub talk: Option<Talk>,
    /// HTTP requests, summed over clients.
    pub requests: Requests,
    /// What the server was told of its clients' state.
    #[serde(default)]
    pub state: Told,
    /// WebSocket data frames or SSE events; `None` where a technique has neither.
    pub messages: Messages,
    /// TCP connections the server accepted.
    pub connections: Connections,
    /// TCP segments as the kernel counted them; `None` where it does not tell.
    pub segments: Segments,
    /// What the server used; `None` unless it ran in a process of its own (`--isolate`).
    #[serde(default)]
    pub server: Option<ServerUse>,
    /// Every byte that crossed the sockets, by label.
    pub bytes: Traffic<u64>,
    /// All bytes but payload, both ways.
    pub overhead_bytes: u64,
    /// `overhead_bytes` over the mails that the bytes carried ([`Outcome::carried`]); `None` if they carried none.
    pub overhead_bytes_per_delivery: Option<f64>,
    /// What the same scenario costs where time and network are simulated; `null` where that is not known, and
    /// in a simulated run, which is nothing else.
    #[serde(with = "unless_unmade")]
    pub predicted: Prediction,
    /// Whether to believe the figures.
    pub trust: Trust,
    /// What happened when, for the first clients and mails of the first seed, in order of time.
    pub events: Vec<Event>,
    /// True if `events` leaves something out.
    pub events_truncated: bool,
    /// Which transports the first clients tried, in order, where there is a choice; the last that worked is
    /// the one that was used.
    #[serde(default)]
    pub attempts: Vec<Attempt>,
    /// What became of the clients' `EventSource`s, summed over clients; `None` for a technique without them,
    /// and in files older than this key.
    #[serde(default)]
    pub event_sources: Option<EventSources>,
    /// Means over the seeds; `None` unless there were several.
    #[serde(default)]
    pub per_run: Option<PerRun>,
    /// One outcome per seed where `--repeat` asked for several, from `scenario.seed` upward. To keep
    /// a file small they come without `events`, `connections.each` and `latency_quantiles_us`.
    pub repeats: Vec<Outcome>,
    /// Every latency, ascending: pooled percentiles need them. Not part of the contract.
    #[serde(skip)]
    pub samples_us: Vec<f64>,
}

impl Outcome {
    /// Whether every mail came exactly once and in order.
    pub fn clean(&self) -> bool {
        let m = &self.mails;
        m.delivered == m.expected
            && m.lost + m.undelivered + m.duplicated + m.reordered + m.gap + m.reset == 0
            && m.replies.is_none_or(|r| r == m.expected)
            && self.talk.as_ref().is_none_or(|t| t.lost + t.duplicated == 0)
            && self.repeats.iter().all(Outcome::clean)
    }

    /// How many mails the counted bytes carried: what every figure for one mail is divided by.
    pub fn carried(&self) -> u64 {
        self.mails.carried.unwrap_or(self.mails.delivered)
    }

    /// Requests that failed though no choice of transports explains it: a transport that was tried and
    /// refused is one of the attempts.
    pub fn failed(&self) -> u64 {
        let refused = self.attempts.iter().any(|a| a.failed.is_some());
        self.requests.failed.filter(|_| !refused).unwrap_or(0)
    }

    /// How often clients had to open again what they keep open.
    pub fn reconnects(&self) -> u64 {
        self.connections.reconnects.unwrap_or(0)
    }

    /// Whether nothing broke off or failed on the way: only then is what it cost the technique's own price.
    pub fn undisturbed(&self) -> bool {
        self.failed() + self.reconnects() == 0
    }

    /// Whether this is the row the others are read against.
    pub fn is_baseline(&self) -> bool {
        self.technique == BASELINE
    }

    /// How many runs the sums are over.
    pub fn runs(&self) -> usize {
        self.repeats.len().max(1)
    }
}

/// What one run of a repeated scenario comes to: means over the seeds, each with its 95 % interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PerRun {
    /// How many seeds.
    pub seeds: u64,
    /// A run's mean latency, microseconds; `None` if fewer than two runs delivered anything.
    pub latency_us: Option<Interval>,
    /// A run's requests.
    pub requests: Option<Interval>,
    /// A run's overhead per delivered mail.
    pub overhead_bytes_per_delivery: Option<Interval>,
}

impl PerRun {
    /// The means over one outcome per seed; `None` for fewer than two.
    pub fn of(seeds: &[Outcome]) -> Option<PerRun> {
        let over = |figure: fn(&Outcome) -> Option<f64>| {
            stats::interval(&seeds.iter().filter_map(figure).collect::<Vec<_>>())
        };
        (seeds.len() > 1).then(|| PerRun {
            seeds: seeds.len() as u64,
            latency_us: over(|o| Some(o.latency_us.as_ref()?.mean)),
            requests: over(|o| Some(o.requests.total as f64)),
            overhead_bytes_per_delivery: over(|o| o.overhead_bytes_per_delivery),
        })
    }
}

/// The delivery sheet, summed over clients.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Mails appended to the mailbox.
    pub sent: u64,
    /// `sent` times clients.
    pub expected: u64,
    /// Mails that reached an application for the first time.
    pub delivered: u64,
    /// Never delivered although the client's cursor has passed them, and no gap was told. In files older
    /// than `undelivered`, those are in it, too.
    pub lost: u64,
    /// Not delivered because the run ended before the client's cursor had reached them.
    #[serde(default)]
    pub undelivered: u64,
    /// Delivered to an application that had it already.
    pub duplicated: u64,
    /// Delivered after a mail with a higher number.
    pub reordered: u64,
    /// Mails a client was told it had missed.
    pub gap: u64,
    /// How often a client was told that its cursor is of no log that the server has.
    #[serde(default)]
    pub reset: u64,
    /// Whole mails that the counted bytes carried to clients, awaited or not, a second time or not: what bytes
    /// for each mail are shared out over. `None` in older files.
    #[serde(default)]
    pub carried: Option<u64>,
    /// Delivered only because the server ended the stream that something on the way had held back; `None`
    /// unless there was one (`--block streaming`).
    #[serde(default)]
    pub held_back: Option<u64>,
    /// Replies that reached the server; `None` unless `--reply`.
    pub replies: Option<u64>,
}

/// What clients said of their own accord, summed over them: the other way of a run that goes both ways at
/// once. Overhead is shared out here without what TLS adds, which belongs to no message in particular.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Talk {
    /// Messages that were due.
    pub sent: u64,
    /// Messages that reached the server's application for the first time.
    pub heard: u64,
    /// Sent and never heard.
    pub lost: u64,
    /// Heard again: a request whose answer does not come is sent anew.
    pub duplicated: u64,
    /// Due instant at the client to decoded message at the server; `None` if nothing was heard.
    pub latency_us: Option<Latency>,
    /// Bytes besides payload that messages took: their frames, or their requests' heads and those of the
    /// answers.
    pub overhead_bytes: u64,
    /// What that comes to for one.
    pub overhead_bytes_per_message: EachWay,
    /// TCP connections that a client opened, on average.
    pub connections_per_client: f64,
    /// Every latency, ascending: pooled percentiles need them. Not part of the contract.
    #[serde(skip)]
    pub samples_us: Vec<f64>,
}

/// A figure for each direction; `None` where nothing went that way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EachWay {
    /// For one message that a client said.
    pub up: Option<f64>,
    /// For one mail: all that was not for messages, what opens connections included.
    pub down: Option<f64>,
}

/// A latency summary in microseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Deliveries.
    pub count: u64,
    /// Smallest.
    pub min: f64,
    /// Arithmetic mean.
    pub mean: f64,
    /// Median, nearest rank.
    pub p50: f64,
    /// 90th percentile, nearest rank.
    pub p90: f64,
    /// 99th percentile, nearest rank; the maximum below 100 samples.
    pub p99: f64,
    /// Largest.
    pub max: f64,
    /// Standard deviation (n - 1); 0 for a single sample.
    pub stdev: f64,
}

impl From<stats::Summary> for Latency {
    fn from(s: stats::Summary) -> Self {
        let stats::Summary {
            count,
            min,
            mean,
            p50,
            p90,
            p99,
            max,
            stdev,
        } = s;
        Latency {
            count,
            min,
            mean,
            p50,
            p90,
            p99,
            max,
            stdev,
        }
    }
}

/// HTTP requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requests {
    /// All of them, upgrades and a reply's POST included.
    pub total: u64,
    /// Poll or long-poll GETs answered without mail; `None` where a technique has no such thing.
    pub empty: Option<u64>,
    /// Those answered with a status of 400 or above, and those that no whole answer came to; `None` for what
    /// makes no requests, and in older files.
    #[serde(default)]
    pub failed: Option<u64>,
}

/// WebSocket data frames or SSE events.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Messages {
    /// Server to client.
    pub down: Option<u64>,
    /// Client to server.
    pub up: Option<u64>,
    /// From a stream's opening to a client's first mail on it, microseconds: the longest of all clients'.
    /// `None` where nothing stays open, nothing came, and in older files.
    #[serde(default)]
    pub first_us: Option<f64>,
}

/// Accepted TCP connections.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connections {
    /// Over the whole run.
    pub opened: u64,
    /// At one instant.
    pub peak: u64,
    /// How often clients had to open again what they keep open, summed over them: a stream or session, or
    /// for requests that come and go the connection. `None` where each request has its own, and in older
    /// files.
    #[serde(default)]
    pub reconnects: Option<u64>,
    /// Each connection on its own, the first hundred, as a capture shows them.
    #[serde(default)]
    pub each: Vec<Connection>,
}

/// One accepted connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// The client's TCP port.
    pub port: u16,
    /// HTTP requests on it.
    pub requests: u64,
    /// Its bytes by label.
    pub bytes: Traffic<u64>,
}

/// What a server in a process of its own used: nothing of the clients or the lab is in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServerUse {
    /// Processor time, user and system, while mail arrived and was delivered.
    pub cpu_us: f64,
    /// `cpu_us` over the mails that went out ([`Outcome::carried`]); `None` if none did.
    pub cpu_us_per_delivery: Option<f64>,
    /// Resident memory that each connection added while it waited for the first mail; `None` where no
    /// connection was open then, or the system does not tell.
    pub memory_bytes_per_connection: Option<f64>,
}

/// TCP segments, acknowledgements included.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segments {
    /// Server to client.
    pub down: Option<u64>,
    /// Client to server.
    pub up: Option<u64>,
}

/// Bytes of both directions by label: `u64` as counted, `f64` as predicted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic<N> {
    /// Client to server.
    pub up: Labelled<N>,
    /// Server to client.
    pub down: Labelled<N>,
}

/// One direction's bytes by label; the labels sum to `total`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labelled<N> {
    /// HTTP heads and trailers.
    pub head: N,
    /// What is wrapped round a message.
    pub framing: N,
    /// Units that carry no message.
    pub control: N,
    /// The mail itself, and what the client's application says.
    pub payload: N,
    /// What encryption adds.
    pub tls: N,
    /// The raw count.
    pub total: N,
}

impl<N: Add<Output = N>> Add for Traffic<N> {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Traffic {
            up: self.up + other.up,
            down: self.down + other.down,
        }
    }
}

impl<N: Add<Output = N>> Add for Labelled<N> {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Labelled {
            head: self.head + other.head,
            framing: self.framing + other.framing,
            control: self.control + other.control,
            payload: self.payload + other.payload,
            tls: self.tls + other.tls,
            total: self.total + other.total,
        }
    }
}

impl From<wire::Labels> for Labelled<u64> {
    fn from(l: wire::Labels) -> Self {
        Labelled {
            head: l.head,
            framing: l.framing,
            control: l.control,
            payload: l.payload,
            tls: l.tls,
            total: l.total(),
        }
    }
}

/// What the scenario costs with simulated time and a simulated network. Of clients that are alike a few are
/// simulated and multiplied, so counts may have decimals.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// `simulated`, or `simulated with 64 of 1000 clients`. Files of older versions have `closed form`, too.
    pub method: String,
    /// Mean and worst latency.
    pub latency_us: PredictedLatency,
    /// The same by the formula for the technique; `null` where a scenario has none.
    #[serde(default)]
    pub formula_us: Option<PredictedLatency>,
    /// What is said of the other way; `None` unless clients talk.
    #[serde(default)]
    pub talk: Option<PredictedTalk>,
    /// HTTP requests.
    pub requests: PredictedRequests,
    /// Bytes by label.
    pub bytes: Traffic<f64>,
    /// All bytes but payload, both ways.
    pub overhead_bytes: f64,
}

impl Prediction {
    /// Whether there is one: whoever joins in the middle of a run has none.
    pub fn was_made(&self) -> bool {
        !self.method.is_empty()
    }
}

/// A prediction that was not made is `null`.
mod unless_unmade {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Prediction;

    pub fn serialize<S: Serializer>(predicted: &Prediction, to: S) -> Result<S::Ok, S::Error> {
        predicted.was_made().then_some(predicted).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Prediction, D::Error> {
        Ok(Option::deserialize(from)?.unwrap_or_default())
    }
}

/// What is predicted of what clients say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PredictedTalk {
    /// From due to heard.
    pub latency_us: PredictedLatency,
    /// As [`Talk::overhead_bytes`].
    pub overhead_bytes: f64,
    /// As [`Talk::connections_per_client`].
    pub connections_per_client: f64,
}

/// Predicted latency, microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PredictedLatency {
    /// Mean over all deliveries.
    pub mean: f64,
    /// The worst that can happen.
    pub max: f64,
}

/// Predicted requests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PredictedRequests {
    /// All of them.
    pub total: f64,
    /// Those answered without mail; `None` where a technique has no such thing.
    pub empty: Option<f64>,
}

/// Whether the figures should be believed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Trust {
    /// How late arrivals were against their schedule, 99th percentile; `None` where nobody saw them arrive.
    pub late_p99_us: Option<f64>,
    /// Whether the machine was too busy to measure.
    pub starved: bool,
    /// Each with what to change.
    pub warnings: Vec<String>,
}

/// A warning's words without its figures, which warnings of one cause share, and its first figure,
/// by which the worst of them is known.
pub fn cause(warning: &str) -> (String, f64) {
    let (words, figures) = apart(warning);
    let first = figures.first().and_then(|n| n.parse().ok());
    (words, first.unwrap_or(0.0))
}

/// A text with a `#` for each of its figures, and the figures.
pub fn apart(text: &str) -> (String, Vec<String>) {
    let (mut words, mut numbers) = (String::new(), Vec::new());
    for c in text.chars() {
        let in_number = words.ends_with('#') && (c.is_ascii_digit() || c == '.');
        match numbers.last_mut() {
            Some(number) if in_number => String::push(number, c),
            _ if c.is_ascii_digit() => {
                words.push('#');
                numbers.push(c.to_string());
            }
            _ => words.push(c),
        }
    }
    (words, numbers)
}

/// Something that happened during a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Microseconds since the schedule's start; negative while clients get ready.
    pub t_us: f64,
    /// Which client, from 0; for `arrived`, `None`.
    pub client: Option<usize>,
    /// What.
    pub kind: EventKind,
    /// Which mail, where one is meant.
    pub mail: Option<u64>,
}

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// A mail was due in the mailbox.
    Arrived,
    /// A client sent a GET.
    Requested,
    /// It was answered in full.
    Answered,
    /// It was answered with an error, or not to the end; or a stream or WebSocket could not be established.
    Failed,
    /// A client's application holds a decoded mail.
    Delivered,
    /// A stream or WebSocket was established.
    Opened,
    /// It ended.
    Closed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_its_words_and_how_bad_it_is() {
        let late = |ms: &str| {
            cause(&format!(
                "arrivals were up to {ms} ms late (99th percentile): close programs"
            ))
        };
        assert_eq!(late("3.2"), (late("17").0, 3.2));
        assert_eq!(late("17").1, 17.0);
        assert_ne!(late("3").0, cause("3 connections broke").0);
        assert_eq!(cause("no figure #"), ("no figure #".into(), 0.0));
        assert_eq!(cause("by 3. Then 4"), ("by # Then #".into(), 3.0));
        assert_eq!(cause(""), (String::new(), 0.0));
    }
}
