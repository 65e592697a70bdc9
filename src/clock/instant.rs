//! Reads the clock of the run. In a simulated run tokio's clock is paused, so it shows simulated time.

use std::time::{Duration, Instant};

/// The present instant.
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// How long ago an instant was; zero if it is still to come.
pub fn since(instant: Instant) -> Duration {
    now().saturating_duration_since(instant)
}
