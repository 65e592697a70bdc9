//! Puts one mail of a client into the stream, and says whether the stream has it.

use std::time::Duration;

use async_nats::jetstream::context::{PublishError, PublishErrorKind};

use super::engine::Engine;
use super::message;
use crate::mail::store::{Draft, NotKept};
use crate::terminal::causes;

/// How long its sender waits: less than a client may take for its request.
const PATIENCE: Duration = Duration::from_secs(8);

/// Stores a mail under this id; returns its number. The same id is stored once.
///
/// # Errors
/// If the stream did not acknowledge it.
pub(super) async fn post(engine: &Engine, draft: &Draft, id: &str) -> Result<u64, NotKept> {
    let sent = tokio::time::timeout(PATIENCE, send(engine, draft, id)).await;
    sent.unwrap_or(Err(NotKept::Unknown))
}

/// Sends it, and sends it again after a lost connection.
async fn send(engine: &Engine, draft: &Draft, id: &str) -> Result<u64, NotKept> {
    // Without a connection it would be sent at an unknown time, long after its sender was refused.
    if !engine.is_connected() {
        let why = format!("no connection to {}", engine.place.shown);
        return Err(NotKept::Refused(why));
    }
    loop {
        let connections = engine.connections();
        let message = message::write(draft, id);
        let subject = format!("{}.mail", engine.place.stream);
        let sent = engine.jetstream.send_publish(subject, message).await;
        let sent = sent.map_err(|e| NotKept::Refused(causes(&e.into())))?;
        tokio::select! {
            ack = sent.into_future() => match ack {
                Ok(ack) => return Ok(ack.sequence),
                Err(e) if is_unknown(&e) => {}
                Err(e) => return Err(NotKept::Refused(causes(&e.into()))),
            },
            () = engine.connected_since(connections) => {}
        }
        engine.pause(0).await;
    }
}

/// Whether the stream may have a mail that it did not acknowledge.
fn is_unknown(e: &PublishError) -> bool {
    matches!(
        e.kind(),
        PublishErrorKind::TimedOut | PublishErrorKind::BrokenPipe
    )
}
