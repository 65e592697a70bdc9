//! What `inspect` saw: every byte of a short conversation, explained. Filled in by `lab`, drawn by
//! `report`.

use std::net::SocketAddr;

use super::Scenario;
use crate::wire::Labels;
use crate::wire::transcript::Transcript;

/// A conversation, taken apart.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// The technique's name in the registry, or the scene's.
    pub technique: String,
    /// What was asked for.
    pub scenario: Scenario,
    /// What a client was given to connect to.
    pub url: Url,
    /// Every connection, in the order of acceptance.
    pub connections: Vec<Inspected>,
}

/// A URL, as far as its scheme decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// `http`, `https`, `ws`, `wss`, or `tcp` for the baseline, which has none.
    pub scheme: &'static str,
    /// `host:port`.
    pub authority: SocketAddr,
    /// With its query.
    pub target: String,
}

/// A connection, taken apart.
#[derive(Clone, Debug)]
pub struct Inspected {
    /// The client's end.
    pub client: SocketAddr,
    /// When it was accepted, microseconds since the first one was.
    pub opened_us: f64,
    /// When the server let go of it.
    pub closed_us: Option<f64>,
    /// What was said; below TLS, if there is TLS.
    pub transcript: Transcript,
    /// Bytes at the socket, up and down: what all labels must sum to.
    pub raw: [u64; 2],
}

impl Inspected {
    /// Its bytes by label, up and down; what TLS added is its own.
    pub fn labels(&self) -> [Labels; 2] {
        let mut labels = self.transcript.labels;
        for (labels, (raw, plain)) in labels.iter_mut().zip(self.raw.iter().zip(self.transcript.raw)) {
            labels.tls = raw.saturating_sub(plain);
        }
        labels
    }

    /// Whether every byte that crossed is shown, under one label.
    pub fn is_complete(&self) -> bool {
        self.transcript.is_complete() && self.labels().map(|l| l.total()) == self.raw
    }
}

impl Inspection {
    /// All connections' bytes by label, up and down.
    pub fn labels(&self) -> [Labels; 2] {
        let mut sum = [Labels::default(); 2];
        for connection in &self.connections {
            for (sum, labels) in sum.iter_mut().zip(connection.labels()) {
                *sum += labels;
            }
        }
        sum
    }

    /// All connections' bytes at the socket, up and down.
    pub fn raw(&self) -> [u64; 2] {
        let mut sum = [0, 0];
        for connection in &self.connections {
            sum = [sum[0] + connection.raw[0], sum[1] + connection.raw[1]];
        }
        sum
    }

    /// Whether every byte that crossed is shown, under one label.
    pub fn is_complete(&self) -> bool {
        self.connections.iter().all(Inspected::is_complete)
    }
}
