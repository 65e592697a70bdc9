//! When the schedule of the mail starts.

use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Time from "all clients are ready" to the start of the schedule.
pub const LEAD: Duration = Duration::from_millis(25);

/// The instant the schedule counts from, once it is known.
#[derive(Clone, Debug)]
pub struct Start(watch::Receiver<Option<Instant>>);

impl Start {
    /// Reads the instant from the run.
    pub fn new(receiver: watch::Receiver<Option<Instant>>) -> Start {
        Start(receiver)
    }

    /// Waits until the start is known. It may lie in the future.
    pub async fn known(&self) -> Instant {
        match self.0.clone().wait_for(Option::is_some).await.map(|i| *i) {
            Ok(Some(instant)) => instant,
            _ => std::future::pending().await,
        }
    }

    /// The start, if it is known yet.
    pub fn now(&self) -> Option<Instant> {
        *self.0.borrow()
    }
}
