//! What a run's connections pass on their way to its server: the counting, the simulated link, and TLS.

use std::sync::Arc;

use anyhow::Context;

use super::Lab;
use crate::link::{Ledger, Network, tls};
use crate::technique::Technique;

/// A ledger, and the network that counts for it, as a lab's scenario wants it.
///
/// # Errors
/// If TLS or the clock of the link is not available.
pub fn metered(lab: &Lab, technique: &Technique) -> anyhow::Result<(Arc<Ledger>, Network)> {
    let link = &lab.scenario.link;
    let ledger = Ledger::new(lab.cuts.clone());
    let ledger = Arc::new(match &lab.recordings {
        Some(recordings) => ledger.recorded(recordings.of(technique.name)),
        None => ledger,
    });
    let (books, seed) = (ledger.clone(), lab.scenario.seed);
    let network = match &lab.vanish {
        Some(vanish) => Network::vanishing(books, link, seed, vanish.clone()),
        None => Network::new(books, link, seed),
    }
    .context("cannot start the clock of the simulated link")?
    .with_send_buffer(lab.scenario.socket_buffer());
    let network = match &lab.identity {
        Some(identity) => {
            let alpn = vec![tls::alpn(lab.scenario.http)];
            network.encrypted(identity.server(alpn, &ledger)?)
        }
        None => network,
    };
    Ok((ledger, network))
}
