//! The clock of a run: a real run has the system's, a simulated run one that jumps to the next event.
//!
//! The runtime decides which of them it is, as for tokio's own timers: inside [`simulate`] time is
//! simulated, everywhere else it is real. Code that runs in both kinds of run takes its time from here and
//! from tokio, never from `std::time::Instant::now`.

mod instant;
mod simulated;

use std::time::{Duration, Instant};

pub use instant::{now, since};
pub use simulated::{is_simulated, simulate, wake_at};

/// Waits until an instant: to the nanosecond where time is simulated, to some milliseconds where it is not.
pub async fn sleep_until(at: Instant) {
    if is_simulated() {
        simulated::sleep_until(at).await;
    } else {
        tokio::time::sleep_until(at.into()).await;
    }
}

/// A future's output; `None` if it takes longer than `duration`.
pub async fn timeout<F: Future>(duration: Duration, future: F) -> Option<F::Output> {
    tokio::select! {
        biased;
        output = future => Some(output),
        () = sleep(duration) => None,
    }
}

/// Waits for a duration, as exactly as [`sleep_until`].
pub async fn sleep(duration: Duration) {
    sleep_until(now() + duration).await;
}
