//! Fills the window of a mailbox from the stream, in the order of its numbers, also across broken connections.

use std::sync::{Arc, Weak};
use std::time::Duration;

use anyhow::anyhow;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, push};
use async_nats::jetstream::stream::Stream;
use futures_util::StreamExt;

use super::engine::Engine;
use super::message;
use crate::mail::mailbox::{Mailbox, Stored};

/// How often the server says that it is there while no mail comes. Twice the time without a word, and the feeder asks
/// again.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// The most mails that are put into the window at once.
const BATCH: usize = 256;

/// Feeds until the mailbox is gone. `planned` is the subject of this server's schedule.
pub(super) async fn feed(engine: Arc<Engine>, mailbox: Weak<Mailbox>, planned: String) {
    let mut failed = 0;
    loop {
        engine.pause(failed).await;
        let Some(before) = mailbox.upgrade().map(|mailbox| mailbox.newest()) else {
            return;
        };
        // It ends only because something failed. What that was does not matter: the next attempt finds out what is there.
        let _ = feed_once(&engine, &mailbox, &planned).await;
        let came = mailbox.upgrade().is_some_and(|mailbox| mailbox.newest() > before);
        failed = if came { 0 } else { failed + 1 };
    }
}

/// Reads the stream from the window's end on, until something fails.
async fn feed_once(engine: &Engine, mailbox: &Weak<Mailbox>, planned: &str) -> anyhow::Result<()> {
    let gone = || anyhow!("the mailbox is gone");
    let connections = engine.connections();
    let (stream, info) = engine.stream().await?;
    let epoch = engine.epoch(&info);
    let next = {
        let mailbox = mailbox.upgrade().ok_or_else(gone)?;
        if epoch != mailbox.epoch() || info.state.last_sequence < mailbox.newest() {
            mailbox.begin_anew(epoch, engine.before(&info));
        }
        mailbox.newest() + 1
    };
    let messages = follow(engine, &stream, next).await?;
    let batches = messages.ready_chunks(BATCH);
    tokio::pin!(batches);
    let mut read = 0;
    loop {
        let batch = tokio::select! {
            batch = batches.next() => batch.ok_or_else(|| anyhow!("the subscription has ended"))?,
            // The server may have forgotten the consumer.
            () = engine.connected_since(connections) => return Err(anyhow!("it was connected again")),
        };
        let mut mails = Vec::with_capacity(batch.len());
        let mut trouble = None;
        for message in batch {
            let stored = message.map_err(anyhow::Error::from).and_then(|message| {
                let info = message.info().map_err(|e| anyhow!(e))?;
                read += 1;
                if info.consumer_sequence != read {
                    return Err(anyhow!("a message was lost on the way"));
                }
                let number = info.stream_sequence;
                let (mail, note) = message::read(number, message.headers.as_ref(), &message.payload);
                Ok(Stored {
                    number,
                    mail,
                    note,
                    is_planned: message.subject.as_str() == planned,
                })
            });
            match stored {
                Ok(stored) => mails.push(stored),
                Err(e) => {
                    trouble = Some(e);
                    break;
                }
            }
        }
        mailbox.upgrade().ok_or_else(gone)?.fill(mails);
        if let Some(e) = trouble {
            return Err(e);
        }
    }
}

/// The messages from a number on. The server forgets the consumer by itself when nobody listens.
async fn follow(engine: &Engine, stream: &Stream, next: u64) -> anyhow::Result<push::Messages> {
    let settings = push::Config {
        deliver_subject: engine.client.new_inbox(),
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: next },
        ack_policy: AckPolicy::None,
        idle_heartbeat: HEARTBEAT,
        flow_control: true,
        memory_storage: true,
        num_replicas: 1,
        ..push::Config::default()
    };
    Ok(stream.create_consumer(settings).await?.messages().await?)
}
