//! Bytes by label and by direction.

use std::ops::{Add, Deref, DerefMut};

use serde::{Deserialize, Serialize};

use crate::wire::{Label, Labels};

/// Bytes of both directions by label: `u64` as counted, `f64` as predicted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(deserialize = "N: Default + Deserialize<'de>"))]
pub struct Traffic<N> {
    /// Client to server.
    pub up: Labelled<N>,
    /// Server to client.
    pub down: Labelled<N>,
}

/// One direction's bytes by label, and their sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(deserialize = "N: Default + Deserialize<'de>"))]
pub struct Labelled<N> {
    /// The bytes under each label.
    #[serde(flatten)]
    pub labels: Labels<N>,
    /// The raw count, which the labels sum to.
    pub total: N,
}

impl<N: Copy + Add<Output = N>> Traffic<N> {
    /// Bytes of one label, both directions together.
    pub fn both(&self, label: Label) -> N {
        self.up[label] + self.down[label]
    }

    /// All bytes of both directions.
    pub fn total(&self) -> N {
        self.up.total + self.down.total
    }
}

impl<N: Copy> Traffic<N> {
    /// Each number as something else.
    pub fn map<M>(&self, f: impl Fn(N) -> M) -> Traffic<M> {
        Traffic {
            up: self.up.map(&f),
            down: self.down.map(&f),
        }
    }
}

impl<N: Copy> Labelled<N> {
    fn map<M>(&self, f: impl Fn(N) -> M) -> Labelled<M> {
        Labelled {
            labels: Labels::of(|label| f(self[label])),
            total: f(self.total),
        }
    }
}

impl<N: Copy + Add<Output = N>> Add for Traffic<N> {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Traffic {
            up: self.up + other.up,
            down: self.down + other.down,
        }
    }
}

impl<N: Copy + Add<Output = N>> Add for Labelled<N> {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Labelled {
            labels: self.labels + other.labels,
            total: self.total + other.total,
        }
    }
}

impl From<Labels> for Labelled<u64> {
    fn from(labels: Labels) -> Self {
        Labelled {
            total: labels.total(),
            labels,
        }
    }
}

impl<N> Deref for Labelled<N> {
    type Target = Labels<N>;
    fn deref(&self) -> &Labels<N> {
        &self.labels
    }
}

impl<N> DerefMut for Labelled<N> {
    fn deref_mut(&mut self) -> &mut Labels<N> {
        &mut self.labels
    }
}
