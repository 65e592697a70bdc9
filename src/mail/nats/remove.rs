//! Deletes the stream of a run when the run is over.

use std::time::Duration;

use anyhow::Context;

use super::engine::Engine;
use super::place::Place;
use crate::outcome::Scenario;

/// How long a server may take that does not answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Deletes a stream. It blocks its thread for at most 3 s.
///
/// # Errors
/// If the server does not do it in time.
pub fn remove(place: &Place) -> anyhow::Result<()> {
    let place = place.clone();
    // The caller may be on a runtime.
    let thread = std::thread::Builder::new()
        .name("end of a log".into())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let deleted = runtime.block_on(async {
                tokio::time::timeout(PATIENCE, async {
                    let engine = Engine::connect(&place, &Scenario::default()).await?;
                    engine.jetstream.delete_stream(&place.stream).await?;
                    anyhow::Ok(())
                })
                .await
            });
            deleted.context("the NATS server does not answer")?
        });
    thread?.join().unwrap_or(Ok(()))
}
