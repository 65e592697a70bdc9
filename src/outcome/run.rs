//! What a run of one technique measured.

use serde::{Deserialize, Serialize};

use super::balance::Balanced;
use super::bytes::Traffic;
use super::event::{Attempt, Event, EventSources, StateBytes};
use super::histogram::Histogram;
use super::prediction::Prediction;
use super::proxy::BehindProxies;
use super::slow::SlowReaders;
use super::tabs::TabQueue;
use super::trust::Trust;
use crate::stats::{self, Interval};

/// The row that `--baseline` adds. The others are compared with it.
pub const BASELINE: &str = "tcp";

/// What one technique cost in one scenario.
///
/// With `--repeat` the seeds are pooled: counts and bytes are sums over the seeds, as they are over clients
/// (`connections.peak` is the highest), latency covers all deliveries, and the prediction is pooled in the
/// same way. `per_run` has the means that a table shows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// The technique's name in the registry.
    pub technique: String,
    /// Whether all mail came, once and in order.
    pub mails: Delivery,
    /// From the due instant to the decoded mail; `None` if nothing was delivered.
    pub latency_us: Option<Latency>,
    /// The same as a distribution, ascending: every latency if there are at most 101, otherwise 101 of them
    /// at even ranks from the smallest to the largest, so that entry 50 is the median. Empty if nothing was
    /// delivered, in the single `repeats`, and in files older than this key.
    #[serde(default)]
    pub latency_quantiles_us: Vec<f64>,
    /// Every latency of a visit to a server elsewhere as a histogram, so that results of several machines can be added
    /// up; empty for other runs.
    #[serde(default, skip_serializing_if = "Histogram::is_empty")]
    pub latency_histogram: Histogram,
    /// Messages that clients sent on their own initiative; `None` unless they talk (`--talk`).
    #[serde(default)]
    pub talk: Option<Talk>,
    /// HTTP requests, summed over clients.
    pub requests: Requests,
    /// What requests told the server about its clients' state.
    #[serde(default)]
    pub state: StateBytes,
    /// WebSocket data frames or SSE events; `None` where a technique has neither.
    pub messages: Messages,
    /// TCP connections the server accepted.
    pub connections: Connections,
    /// How requests waited for a connection; `None` unless the clients are tabs of one browser (`--tabs`).
    #[serde(default)]
    pub tabs: Option<TabQueue>,
    /// What slow clients cost; `None` unless some read slowly (`--slow`).
    #[serde(default)]
    pub slow: Option<SlowReaders>,
    /// TCP segments as the kernel counted them; `None` where it does not report them.
    pub segments: Segments,
    /// What the server used; `None` unless it ran in a process of its own (`--isolate`).
    #[serde(default)]
    pub server: Option<ServerUse>,
    /// Every byte that crossed the sockets, by label.
    pub bytes: Traffic<u64>,
    /// All bytes except payload, in both directions.
    pub overhead_bytes: u64,
    /// `overhead_bytes` divided by the mails that the bytes carried ([`Outcome::carried`]); `None` if they
    /// carried none.
    pub overhead_bytes_per_delivery: Option<f64>,
    /// What the same scenario costs with simulated time and network; `null` where that is not known, and in
    /// a simulated run, which is itself the prediction.
    #[serde(with = "super::prediction::unless_unmade")]
    pub predicted: Prediction,
    /// Whether the figures can be trusted.
    pub trust: Trust,
    /// Events of the first clients and mails of the first seed, in order of time.
    pub events: Vec<Event>,
    /// True if `events` leaves something out.
    pub events_truncated: bool,
    /// The transports that the first clients tried, in order, where there is a choice; the last one that
    /// worked was used.
    #[serde(default)]
    pub attempts: Vec<Attempt>,
    /// What became of the clients' `EventSource`s, summed over clients; `None` for a technique without them,
    /// and in files older than this key.
    #[serde(default)]
    pub event_sources: Option<EventSources>,
    /// How mail came out of the proxies on the way; `None` without any (`--proxy`).
    #[serde(default)]
    pub behind_proxies: Option<BehindProxies>,
    /// What became of several servers behind a balancer; `None` with one (`--servers`).
    #[serde(default)]
    pub balanced: Option<Balanced>,
    /// Means over the seeds; `None` unless there were several.
    #[serde(default)]
    pub per_run: Option<PerRun>,
    /// One outcome per seed if `--repeat` asked for several, from `scenario.seed` upward. To keep a file
    /// small they have no `events`, `connections.each` and `latency_quantiles_us`.
    pub repeats: Vec<Outcome>,
    /// Every latency, ascending: pooled percentiles need them. Not part of the contract.
    #[serde(skip)]
    pub samples_us: Vec<f64>,
}

impl Outcome {
    /// Whether every mail came exactly once and in order, except for what the scenario planned otherwise.
    pub fn clean(&self) -> bool {
        let (m, planned) = (&self.mails, self.planned_missing());
        let unsaid = self.tabs.as_ref().is_some_and(|t| t.unserved > 0);
        m.delivered + planned == m.expected
            && m.lost + m.undelivered + m.duplicated + m.reordered + m.gap + m.reset == planned
            && m.replies
                .is_none_or(|r| r + planned == m.expected || unsaid && r < m.expected)
            && self
                .talk
                .as_ref()
                .is_none_or(|t| t.duplicated == 0 && (t.lost == 0 || unsaid))
            && self.repeats.iter().all(Outcome::clean)
    }

    /// How many of the expected mails could not come in this scenario.
    pub fn planned_missing(&self) -> u64 {
        self.starved() + self.planned_gap()
    }

    /// How many of them their tabs had no connection for.
    pub fn starved(&self) -> u64 {
        let starved = self.tabs.as_ref().map_or(0, |tabs| tabs.undelivered);
        starved.min(self.mails.undelivered)
    }

    /// How many of them the queues of slow clients dropped.
    pub fn planned_gap(&self) -> u64 {
        let dropped = self.slow.as_ref().map_or(0, |slow| slow.dropped);
        dropped.min(self.mails.gap)
    }

    /// How many mails its prediction delivers.
    pub fn predicted_mails(&self) -> u64 {
        self.predicted.mails(self.mails.expected)
    }

    /// How many mails the counted bytes carried: every figure for one mail is divided by this.
    pub fn carried(&self) -> u64 {
        self.mails.carried.unwrap_or(self.mails.delivered)
    }

    /// Failed requests that are not explained by a choice of transports: a transport that was tried and
    /// refused is one of the attempts.
    pub fn failed(&self) -> u64 {
        let refused = self.attempts.iter().any(|a| a.failed.is_some());
        self.requests.failed.filter(|_| !refused).unwrap_or(0)
    }

    /// How often clients had to reopen what they keep open.
    pub fn reconnects(&self) -> u64 {
        self.connections.reconnects.unwrap_or(0)
    }

    /// Whether nothing broke off or failed on the way: only then is the cost the technique's own.
    pub fn undisturbed(&self) -> bool {
        let planned = self.slow.as_ref().map_or(0, |slow| slow.cut_off);
        self.failed() + self.reconnects().saturating_sub(planned) == 0
    }

    /// Whether this is the row that the others are compared with.
    pub fn is_baseline(&self) -> bool {
        self.technique == BASELINE
    }

    /// How many runs the sums cover.
    pub fn runs(&self) -> usize {
        self.repeats.len().max(1)
    }
}

/// The means over the seeds of a repeated scenario, each with its 95 % confidence interval.
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

/// The delivery counts, summed over clients.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Mails appended to the mailbox.
    pub sent: u64,
    /// `sent` times clients.
    pub expected: u64,
    /// Mails that reached an application for the first time.
    pub delivered: u64,
    /// Never delivered although the client's cursor has passed them, and no gap was reported. Files older
    /// than `undelivered` count those here, too.
    pub lost: u64,
    /// Not delivered because the run ended before the client's cursor had reached them.
    #[serde(default)]
    pub undelivered: u64,
    /// Delivered to an application that already had it.
    pub duplicated: u64,
    /// Delivered after a mail with a higher number.
    pub reordered: u64,
    /// Mails that a client was told it had missed.
    pub gap: u64,
    /// How often a client was told that its cursor fits no log of the server.
    #[serde(default)]
    pub reset: u64,
    /// Whole mails that the counted bytes carried to clients, expected or not, repeated or not: bytes per
    /// mail are divided by this. `None` in older files.
    #[serde(default)]
    pub carried: Option<u64>,
    /// Mails delivered only because the server ended the stream, which something on the way had held back;
    /// `None` unless that happens (`--block streaming`).
    #[serde(default)]
    pub held_back: Option<u64>,
    /// Replies that reached the server; `None` unless `--reply`.
    pub replies: Option<u64>,
}

/// Messages that clients sent on their own initiative, summed over clients: the other direction of a run
/// that uses both. Overhead here does not include what TLS adds, which belongs to no message in particular.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Talk {
    /// Messages that were due.
    pub sent: u64,
    /// Messages that reached the server's application for the first time.
    pub heard: u64,
    /// Sent, and never arrived.
    pub lost: u64,
    /// Messages that reached the server again: a request without an answer is sent a second time.
    pub duplicated: u64,
    /// Due instant at the client to decoded message at the server; `None` if nothing was heard.
    pub latency_us: Option<Latency>,
    /// Bytes other than payload that messages took: their frames, or the heads of their requests and of the
    /// answers.
    pub overhead_bytes: u64,
    /// Overhead for each message, and for each mail.
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
    /// For one message of a client.
    pub up: Option<f64>,
    /// For one mail: everything that was not for messages, including the opening of connections.
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
    /// 95th percentile, nearest rank; `None` in files older than this key.
    #[serde(default)]
    pub p95: Option<f64>,
    /// 99th percentile, nearest rank; the maximum below 100 samples.
    pub p99: f64,
    /// Largest.
    pub max: f64,
    /// Standard deviation (n - 1); 0 for a single sample.
    pub stdev: f64,
}

impl Latency {
    /// The standard error of the mean, microseconds.
    pub fn standard_error(&self) -> f64 {
        self.stdev / (self.count.max(1) as f64).sqrt()
    }
}

impl From<stats::Summary> for Latency {
    fn from(s: stats::Summary) -> Self {
        let stats::Summary {
            count,
            min,
            mean,
            p50,
            p90,
            p95,
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
            p95: Some(p95),
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
    /// Requests answered with a status of 400 or above, and requests without a complete answer; `None` for
    /// a technique without requests, and in older files.
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
    /// From a stream's opening to a client's first mail on it, in microseconds: the longest of all clients.
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
    /// How often clients had to reopen what they keep open, summed over clients: a stream or session, or
    /// the connection of a technique that only sends requests. `None` where each request has its own
    /// connection, and in older files.
    #[serde(default)]
    pub reconnects: Option<u64>,
    /// The first hundred connections one by one, as in a capture.
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

/// What a server in a process of its own used, without the clients and the lab.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServerUse {
    /// Processor time, user and system, while mail arrived and was delivered.
    pub cpu_us: f64,
    /// `cpu_us` divided by the mails that went out ([`Outcome::carried`]); `None` if none did.
    pub cpu_us_per_delivery: Option<f64>,
    /// Resident memory that each connection added while it waited for the first mail; `None` where no
    /// connection was open then, or the system does not report it.
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
