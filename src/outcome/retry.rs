//! How long clients wait before they connect again.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::theory::{Backoff, Jitter};

/// The longest wait, unless the first is longer: as `reconnectionDelayMax` of Socket.IO's client.
const MOST: Duration = Duration::from_secs(5);

/// The waits between a lost connection and the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// The first wait, milliseconds; `None` is the technique's own, which is short.
    pub first_ms: Option<f64>,
    /// What each failed attempt multiplies the wait by.
    pub factor: f64,
    /// How a wait is drawn.
    pub jitter: Jitter,
}

impl Default for Retry {
    fn default() -> Self {
        Retry {
            first_ms: None,
            factor: 2.0,
            jitter: Jitter::default(),
        }
    }
}

impl Retry {
    /// The first wait, where `own` is the technique's.
    pub fn first(&self, own: Duration) -> Duration {
        let given = |ms: f64| Duration::from_secs_f64((ms / 1e3).max(0.0));
        self.first_ms.map_or(own, given)
    }

    /// All waits, in seconds, where the first is this.
    pub fn waits(&self, first: Duration) -> Backoff {
        Backoff {
            first: first.as_secs_f64(),
            factor: self.factor,
            most: first.max(MOST).as_secs_f64(),
            jitter: self.jitter,
        }
    }

    pub(super) fn is_usual(&self) -> bool {
        *self == Retry::default()
    }
}
