//! Puts one mail of a client into the stream, and says whether the stream has it.

use async_nats::jetstream::context::{PublishError, PublishErrorKind};

use super::engine::Engine;
use super::message;
use crate::mail::store::{Draft, NotKept};

/// How often a mail is sent whose acknowledgement does not come.
const ATTEMPTS: usize = 2;

/// Stores a mail under this id; returns its number. The same id is stored once.
///
/// # Errors
/// If the stream did not acknowledge it.
pub(super) async fn post(engine: &Engine, draft: &Draft, id: &str) -> Result<u64, NotKept> {
    let subject = format!("{}.mail", engine.place.stream);
    let mut answer = Err(NotKept::Refused(format!(
        "no connection to {}",
        engine.place.shown
    )));
    for _ in 0..ATTEMPTS {
        // Without a connection it would be sent at an unknown time, long after its sender was refused.
        if !engine.is_connected() {
            break;
        }
        let message = message::write(draft, id);
        answer = match engine.jetstream.send_publish(subject.clone(), message).await {
            Ok(sent) => sent.await.map(|ack| ack.sequence).map_err(not_kept),
            Err(e) => Err(NotKept::Refused(crate::terminal::causes(&e.into()))),
        };
        if answer != Err(NotKept::Unknown) {
            break;
        }
    }
    answer
}

fn not_kept(e: PublishError) -> NotKept {
    match e.kind() {
        PublishErrorKind::TimedOut | PublishErrorKind::BrokenPipe => NotKept::Unknown,
        _ => NotKept::Refused(crate::terminal::causes(&e.into())),
    }
}
