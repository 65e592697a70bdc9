//! The result of `inspect`: every byte of a short conversation, explained. `lab` makes it, `report` draws it.

use std::net::SocketAddr;

use super::Scenario;
use crate::wire::Labels;
use crate::wire::transcript::Transcript;

/// A conversation, split into explained parts.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// The technique's name in the registry, or the scene's.
    pub technique: String,
    /// The command line without the program's name.
    pub argv: Vec<String>,
    /// The scenario that was run.
    pub scenario: Scenario,
    /// The URL that a client connects to.
    pub url: Url,
    /// Every connection, in the order of acceptance.
    pub connections: Vec<Inspected>,
    /// Whether it was interrupted: then the conversation is not complete.
    pub partial: bool,
}

/// A URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// `http`, `https`, `ws`, `wss`, or `tcp` for the baseline, which has none.
    pub scheme: &'static str,
    /// `host:port`.
    pub authority: SocketAddr,
    /// The path with its query.
    pub target: String,
}

/// A connection, split into explained parts.
#[derive(Clone, Debug)]
pub struct Inspected {
    /// The client's end.
    pub client: SocketAddr,
    /// When it was accepted, microseconds since the first one was.
    pub opened_us: f64,
    /// When the server closed it.
    pub closed_us: Option<f64>,
    /// What crossed, in order.
    pub transcript: Transcript,
}

impl Inspection {
    /// All connections' bytes by label, up and down.
    pub fn labels(&self) -> [Labels; 2] {
        let mut sum = [Labels::default(); 2];
        for connection in &self.connections {
            for (sum, labels) in sum.iter_mut().zip(connection.transcript.labels) {
                *sum += labels;
            }
        }
        sum
    }

    /// All connections' bytes at the socket, up and down.
    pub fn raw(&self) -> [u64; 2] {
        let mut sum = [0, 0];
        for connection in &self.connections {
            let [up, down] = connection.transcript.raw;
            sum = [sum[0] + up, sum[1] + down];
        }
        sum
    }

    /// Whether every byte that crossed is shown, under one label.
    pub fn is_complete(&self) -> bool {
        self.connections.iter().all(|c| c.transcript.is_complete())
    }
}
