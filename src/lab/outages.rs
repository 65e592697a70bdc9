//! A server that stops listening for a while, and then listens again on the same port: what clients see when it is
//! restarted.

use std::time::Instant;

use tokio::sync::watch;

/// Tells a server when not to listen.
#[derive(Clone, Debug)]
pub struct Outages(watch::Sender<Option<Instant>>);

impl Default for Outages {
    fn default() -> Self {
        Outages(watch::Sender::new(None))
    }
}

impl Outages {
    /// The server does not listen until then.
    pub fn until(&self, end: Instant) {
        self.0.send_replace(Some(end));
    }

    /// The end of the next outage that begins.
    pub(super) fn watch(&self) -> Watch {
        Watch(self.0.subscribe())
    }
}

/// What a server listens to.
pub(super) struct Watch(watch::Receiver<Option<Instant>>);

impl Watch {
    /// Returns when an outage begins: when it ends.
    pub async fn begun(&mut self) -> Instant {
        loop {
            if self.0.changed().await.is_err() {
                // Nobody can begin one any more.
                return std::future::pending().await;
            }
            let end = *self.0.borrow_and_update();
            if let Some(end) = end {
                return end;
            }
        }
    }
}
