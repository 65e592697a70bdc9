//! Puts the mail of a server's schedule into the stream, each once and in order, whatever fails meanwhile.
//!
//! Mails are sent without waiting for the one before. Each names the one before as the stream's last
//! (`Nats-Expected-Last-Msg-Id`) if that is not acknowledged yet: if it was lost, those behind it are refused, too, and
//! are sent again in order. What the stream has already is read from the stream: the newest message of the schedule's
//! own subject.

use std::collections::VecDeque;
use std::sync::Arc;

use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::publish::PublishAck;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesOrdered;
use tokio::sync::mpsc;

use super::engine::Engine;
use super::message;
use crate::mail::store::Draft;

/// The most mails that are on their way at once.
const AHEAD: usize = 256;

type Acknowledged = BoxFuture<'static, Result<PublishAck, PublishError>>;

/// The mails of the schedule that are not acknowledged.
pub(super) struct Keeper {
    engine: Arc<Engine>,
    /// The schedule's own subject.
    subject: String,
    /// In order; the first ones are on their way.
    waiting: VecDeque<Draft>,
    /// The number in the schedule of the first of them.
    first: u64,
    /// One for each mail on its way, in order.
    acks: FuturesOrdered<Acknowledged>,
    /// How often the engine had been connected again when these were sent.
    connections: u64,
    failed: u32,
}

impl Keeper {
    pub(super) fn new(engine: Arc<Engine>, subject: String) -> Keeper {
        Keeper {
            engine,
            subject,
            waiting: VecDeque::new(),
            first: 1,
            acks: FuturesOrdered::new(),
            connections: 0,
            failed: 0,
        }
    }

    /// Keeps mail until nobody can hand over more.
    pub(super) async fn keep(mut self, mut arriving: mpsc::UnboundedReceiver<Vec<Draft>>) {
        loop {
            if let Err(e) = self.send().await {
                self.fail(&e).await;
                continue;
            }
            tokio::select! {
                biased;
                Some(ack) = self.acks.next() => match ack {
                    Ok(_) => self.acknowledge(1),
                    Err(e) => self.fail(&e).await,
                },
                // The connection on which these acknowledgements would have come is gone.
                () = self.engine.connected_since(self.connections), if !self.acks.is_empty() => {
                    self.look_up().await;
                }
                drafts = arriving.recv() => match drafts {
                    Some(drafts) => self.waiting.extend(drafts),
                    None => return,
                }
            }
        }
    }

    /// Sends what may be sent now.
    async fn send(&mut self) -> Result<(), PublishError> {
        if self.acks.is_empty() {
            self.connections = self.engine.connections();
        }
        while self.acks.len() < AHEAD
            && let Some(draft) = self.waiting.get(self.acks.len())
        {
            let number = self.first + self.acks.len() as u64;
            let message = message::write(draft, &self.id(number));
            let message = match self.acks.is_empty() {
                true => message,
                false => message.expected_last_message_id(self.id(number - 1)),
            };
            let sent = self.engine.jetstream.send_publish(self.subject.clone(), message);
            self.acks.push_back(sent.await?.into_future());
        }
        Ok(())
    }

    fn id(&self, number: u64) -> String {
        format!("{}.{number}", self.subject)
    }

    fn acknowledge(&mut self, mails: usize) {
        let mails = mails.min(self.waiting.len());
        self.waiting.drain(..mails);
        self.first += mails as u64;
        self.failed = 0;
    }

    /// Decides what to do about a mail that was not taken.
    async fn fail(&mut self, why: &PublishError) {
        match why.kind() {
            // It will never be taken. The run's counts show it.
            PublishErrorKind::MaxPayloadExceeded if self.acks.is_empty() => return self.acknowledge(1),
            // Somebody else has published in between, or this one is not the first on its way.
            PublishErrorKind::WrongLastMessageId | PublishErrorKind::MaxPayloadExceeded => {}
            _ => self.failed += 1,
        }
        self.look_up().await;
    }

    /// Finds out what the stream has, so that the rest can be sent again.
    async fn look_up(&mut self) {
        self.acks = FuturesOrdered::new();
        loop {
            self.engine.pause(self.failed).await;
            match self.engine.last_id(&self.subject).await {
                Ok(id) => {
                    let kept = id.and_then(|id| id.rsplit_once('.')?.1.parse::<u64>().ok());
                    let kept = kept.map_or(0, |last| (last + 1).saturating_sub(self.first));
                    if kept > 0 {
                        self.acknowledge(usize::try_from(kept).unwrap_or(usize::MAX));
                    }
                    return;
                }
                Err(_) => self.failed += 1,
            }
        }
    }
}
