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
    /// The command line without the program's name.
    pub argv: Vec<String>,
    /// What was asked for.
    pub scenario: Scenario,
    /// What a client was given to connect to.
    pub url: Url,
    /// Every connection, in the order of acceptance.
    pub connections: Vec<Inspected>,
    /// Whether it was interrupted: the conversation goes only as far as it had come by then.
    pub partial: bool,
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
