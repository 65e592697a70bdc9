//! Clients that publish mail instead of reading it.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::mail::Mail;

/// The queue of mails that a publisher sends, each at the instant it is due.
#[derive(Debug)]
pub struct Outbox {
    queue: mpsc::UnboundedReceiver<(u64, Mail)>,
    open: Arc<watch::Sender<usize>>,
}

impl Outbox {
    /// Reads from a queue; `open` counts the publishers that are ready.
    pub fn new(queue: mpsc::UnboundedReceiver<(u64, Mail)>, open: Arc<watch::Sender<usize>>) -> Outbox {
        Outbox { queue, open }
    }

    /// The next mail and its number in the schedule; waits for ever after the last one. Cancellation loses
    /// nothing.
    pub async fn next(&mut self) -> (u64, Mail) {
        match self.queue.recv().await {
            Some(mail) => mail,
            None => std::future::pending().await,
        }
    }

    /// Counts this publisher as connected.
    pub fn mark_open(&self) {
        self.open.send_modify(|n| *n += 1);
    }
}
