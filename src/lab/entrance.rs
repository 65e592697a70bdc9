//! What a run's connections pass on their way to its server: the counting, the simulated link, and TLS.

use std::sync::Arc;

use anyhow::Context;

use super::Lab;
use crate::link::{Ledger, Network, tls};
use crate::technique::Technique;

/// The ledger of a run, with the cuts and the recording that its lab wants.
pub fn ledger(lab: &Lab, technique: &Technique) -> Ledger {
    let ledger = Ledger::new(lab.cuts.clone());
    match &lab.recordings {
        Some(recordings) => ledger.recorded(recordings.of(technique.name)),
        None => ledger,
    }
}

/// The network in front of a server that starts, which counts for a ledger. Its keys for TLS sessions are new.
///
/// # Errors
/// If TLS or the clock of the link is not available.
pub fn network(lab: &Lab, ledger: &Arc<Ledger>) -> anyhow::Result<Network> {
    let (link, seed) = (&lab.scenario.link, lab.scenario.seed);
    let books = ledger.clone();
    let network = match &lab.vanish {
        Some(vanish) => Network::vanishing(books, link, seed, vanish.clone()),
        None => Network::new(books, link, seed),
    }
    .context("cannot start the clock of the simulated link")?
    .with_send_buffer(lab.scenario.socket_buffer());
    Ok(match &lab.identity {
        Some(identity) => {
            let alpn = vec![tls::alpn(lab.scenario.http)];
            network.encrypted(identity.server(alpn, ledger)?)
        }
        None => network,
    })
}
