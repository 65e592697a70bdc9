//! Several servers behind a balancer (`--servers`): how it chooses, and what became of a run there.

use serde::{Deserialize, Serialize};

/// How a balancer chooses the server of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Balance {
    /// Each request goes to the next server.
    #[default]
    RoundRobin,
    /// A cookie (RFC 6265) names the server of a client's first request, and its further requests go there.
    Sticky,
    /// Each request goes to the server with the fewest open requests and tunnels.
    Least,
}

impl Balance {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Balance::RoundRobin => "round-robin",
            Balance::Sticky => "sticky",
            Balance::Least => "least",
        }
    }
}

/// What became of a run with several servers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Balanced {
    /// What each server did, in order. Over several seeds these are sums.
    pub servers: Vec<BalancedServer>,
    /// Requests that went to another server because theirs could not be reached.
    pub redispatched: u64,
    /// Requests that the balancer answered itself (502, 503), because their server was lost before it had answered, or
    /// none could be reached.
    pub failed: u64,
    /// Requests, upgrades included, that a server refused because it did not know their session: that is at another
    /// server, or was at one that is gone.
    pub unknown_sessions: u64,
    /// When the first server was killed, microseconds after the start of the schedule; `None` if none was, and where
    /// the instants of several seeds differ.
    pub killed_us: Option<f64>,
}

/// What a server behind a balancer did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalancedServer {
    /// Requests that it got, upgrades included.
    pub requests: u64,
    /// Connections from the balancer to it.
    pub connections: u64,
    /// Tunnels (WebSockets) to it.
    pub tunnels: u64,
    /// Mails that it sent to clients; `None` if it was killed, and its count with it.
    pub mails: Option<u64>,
    /// Whether it was killed.
    pub killed: bool,
    /// Its requests up to the moment when the first server was killed; `None` if none was.
    pub requests_before: Option<u64>,
    /// Requests and tunnels that were open when it was killed, and were cut; `None` unless it was.
    pub cut: Option<u64>,
}

impl Balanced {
    /// Adds up several runs; `None` if none had several servers.
    pub fn sum<'a>(runs: impl Iterator<Item = Option<&'a Balanced>>) -> Option<Balanced> {
        runs.flatten().cloned().reduce(|sum, run| {
            let servers = sum.servers.into_iter().zip(run.servers);
            Balanced {
                servers: servers.map(|(a, b)| a.plus(&b)).collect(),
                redispatched: sum.redispatched + run.redispatched,
                failed: sum.failed + run.failed,
                unknown_sessions: sum.unknown_sessions + run.unknown_sessions,
                killed_us: sum.killed_us.filter(|at| run.killed_us == Some(*at)),
            }
        })
    }

    /// Whether a server was killed.
    pub fn killed(&self) -> bool {
        self.servers.iter().any(|server| server.killed)
    }
}

impl BalancedServer {
    fn plus(self, other: &BalancedServer) -> BalancedServer {
        let both = |a: Option<u64>, b: Option<u64>| Some(a? + b?);
        BalancedServer {
            requests: self.requests + other.requests,
            connections: self.connections + other.connections,
            tunnels: self.tunnels + other.tunnels,
            mails: both(self.mails, other.mails),
            killed: self.killed || other.killed,
            requests_before: both(self.requests_before, other.requests_before),
            cut: both(self.cut, other.cut),
        }
    }
}
