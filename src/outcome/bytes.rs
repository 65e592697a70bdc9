//! Bytes by label and by direction.

use std::ops::Add;

use serde::{Deserialize, Serialize};

use crate::wire;

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
    /// What surrounds a message.
    pub framing: N,
    /// Units that carry no message.
    pub control: N,
    /// The mail itself, and the messages of the client's application.
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
