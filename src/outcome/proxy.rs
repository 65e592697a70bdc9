//! What a proxy between client and server does. A file of these settings is a proxy (`--proxy FILE.toml`), and so are
//! the shipped ones in `src/proxy/shipped/`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::http_version::HttpVersion;

/// An HTTP proxy by its name and settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Proxy {
    /// The name of a shipped one, or its file's.
    pub name: String,
    /// What it does.
    pub settings: ProxySettings,
}

/// What a proxy does. Every setting may be left out: a proxy without settings passes everything on as it comes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProxySettings {
    /// What it stands for, in a sentence.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// It collects an answer until it has so many bytes, head included, and then passes them on at once: from 1 to
    /// 16777216. `None` passes on what comes.
    pub buffer_bytes: Option<usize>,
    /// Whether it collects an answer in chunks (RFC 9112, section 7.1), too; otherwise it passes each chunk on.
    pub buffers_chunks: bool,
    /// Whether `X-Accel-Buffering: no` in an answer keeps it from collecting that answer.
    pub obeys_hint: bool,
    /// It compresses what a client accepts compressed, and passes on what the compressor has ready.
    pub compress: Option<Coding>,
    /// The version of HTTP in which it asks the server, 1.0 or 1.1. In 1.0 an answer has no chunks: the end of the
    /// connection is its end.
    pub upstream: HttpVersion,
    /// Whether it keeps its connections to the server for further requests.
    pub keep_alive: bool,
    /// Whether an answer of unknown length reaches the client in chunks; otherwise the connection ends with it.
    pub chunked: bool,
    /// It gives up on a server from which nothing comes for so many milliseconds: with 504 before an answer's head, and
    /// by cutting the connection after it. A tunnel is cut if nothing comes either way.
    pub idle_ms: Option<f64>,
    /// It cuts an answer that lasts longer than so many milliseconds.
    pub longest_answer_ms: Option<f64>,
    /// What it does with a request to switch to another protocol (RFC 9110, section 7.8).
    pub upgrade: Upgrade,
    /// It cuts a tunnel, which an upgrade opens, after so many milliseconds.
    pub longest_tunnel_ms: Option<f64>,
}

/// A content coding (RFC 9110, section 8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Coding {
    /// RFC 1952.
    Gzip,
}

/// What a proxy does with a request to switch to another protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Upgrade {
    /// It passes the request on, and then every byte.
    #[default]
    Forwarded,
    /// It passes the request on without its `Upgrade` field, like every field of one connection (RFC 9110, section
    /// 7.6.1), unless it is told otherwise.
    Ignored,
    /// It answers 403.
    Refused,
}

impl Default for ProxySettings {
    fn default() -> Self {
        ProxySettings {
            about: String::new(),
            buffer_bytes: None,
            buffers_chunks: true,
            obeys_hint: false,
            compress: None,
            upstream: HttpVersion::Http11,
            keep_alive: true,
            chunked: true,
            idle_ms: None,
            longest_answer_ms: None,
            upgrade: Upgrade::Forwarded,
            longest_tunnel_ms: None,
        }
    }
}

impl ProxySettings {
    /// Whether an answer that does not end stays in it for a while. `hinted` says that the answer asks not to be
    /// collected.
    pub fn holds_back(&self, hinted: bool) -> bool {
        let collects = self.buffer_bytes.is_some()
            && (self.buffers_chunks || self.upstream == HttpVersion::Http10)
            && !(hinted && self.obeys_hint);
        collects || self.compress.is_some()
    }

    /// The silence after which it gives up.
    pub fn idle(&self) -> Option<Duration> {
        self.idle_ms.map(millis)
    }

    /// How long an answer may last.
    pub fn longest_answer(&self) -> Option<Duration> {
        self.longest_answer_ms.map(millis)
    }

    /// How long a tunnel may last.
    pub fn longest_tunnel(&self) -> Option<Duration> {
        self.longest_tunnel_ms.map(millis)
    }
}

fn millis(ms: f64) -> Duration {
    Duration::from_secs_f64((ms / 1e3).clamp(0.0, 1e9))
}

/// How mail came out of the proxies on the way. The figures about clients are those of the first eight.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BehindProxies {
    /// From the first mail's arrival until a client has its first mail, microseconds: the longest of the clients;
    /// `None` if none came.
    pub first_us: Option<f64>,
    /// How often mail came, where mails that are read within 5 ms of each other come at once.
    pub clumps: u64,
    /// How many mails came in them.
    pub mails_in_clumps: u64,
    /// The most that came at once.
    pub largest_clump: u64,
    /// What each proxy did, in order from the client.
    pub proxies: Vec<Proxied>,
}

impl BehindProxies {
    /// How many mails came at once, on average.
    pub fn mails_per_clump(&self) -> Option<f64> {
        (self.clumps > 0).then(|| self.mails_in_clumps as f64 / self.clumps as f64)
    }

    /// How often a proxy cut an answer or a tunnel.
    pub fn cuts(&self) -> u64 {
        self.proxies.iter().map(|proxy| proxy.idle + proxy.too_long).sum()
    }

    /// Adds up several runs.
    pub fn sum<'a>(runs: impl Iterator<Item = Option<&'a BehindProxies>>) -> Option<BehindProxies> {
        runs.flatten().cloned().reduce(|sum, run| BehindProxies {
            first_us: [sum.first_us, run.first_us]
                .into_iter()
                .flatten()
                .reduce(f64::max),
            clumps: sum.clumps + run.clumps,
            mails_in_clumps: sum.mails_in_clumps + run.mails_in_clumps,
            largest_clump: sum.largest_clump.max(run.largest_clump),
            proxies: sum
                .proxies
                .into_iter()
                .zip(run.proxies)
                .map(|(a, b)| a.plus(b))
                .collect(),
        })
    }
}

/// What a proxy did in a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proxied {
    /// The proxy's name.
    pub proxy: String,
    /// Requests that it passed on.
    pub requests: u64,
    /// Connections that it opened to the server, or to the next proxy.
    pub connections: u64,
    /// Bytes of answers' bodies that it took.
    pub taken_bytes: u64,
    /// Bytes of answers' bodies that it passed on: fewer if it compresses.
    pub passed_bytes: u64,
    /// In how many pieces it passed them on.
    pub pieces: u64,
    /// Answers and tunnels that it cut because nothing came for too long, and requests that it answered with 504.
    pub idle: u64,
    /// Answers and tunnels that it cut because they lasted too long.
    pub too_long: u64,
    /// Requests to switch to another protocol that it did not pass on.
    pub refused_upgrades: u64,
    /// Tunnels that it opened.
    pub tunnels: u64,
}

impl Proxied {
    fn plus(self, other: Proxied) -> Proxied {
        Proxied {
            proxy: self.proxy,
            requests: self.requests + other.requests,
            connections: self.connections + other.connections,
            taken_bytes: self.taken_bytes + other.taken_bytes,
            passed_bytes: self.passed_bytes + other.passed_bytes,
            pieces: self.pieces + other.pieces,
            idle: self.idle + other.idle,
            too_long: self.too_long + other.too_long,
            refused_upgrades: self.refused_upgrades + other.refused_upgrades,
            tunnels: self.tunnels + other.tunnels,
        }
    }
}
