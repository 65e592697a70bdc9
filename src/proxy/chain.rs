//! Proxies in a row.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use tokio::io::DuplexStream;

use super::counts::Counts;
use super::hop::Hop;
use super::upstream::{Dial, Upstream, to_address};
use crate::outcome::{Proxy, ProxySettings};

/// How many bytes may be on their way between a proxy and what is behind it, each way.
const BETWEEN: usize = 64 * 1024;

/// Serves routes on a connection, until it ends, in a task of its own.
pub type Serve = Arc<dyn Fn(DuplexStream, Router) + Send + Sync>;

/// Puts proxies in front of a server's routes. `proxies` are in order from the client to the server, each with its
/// counters, and `serve` is how everything behind a proxy serves its connections.
pub fn before(routes: Router, proxies: &[(Proxy, Arc<Counts>)], serve: &Serve) -> Router {
    let hops = proxies.iter().rev();
    hops.fold(routes, |behind, (proxy, counts)| {
        let serve = serve.clone();
        let dial: Dial = Arc::new(move || {
            let (ours, theirs) = tokio::io::duplex(BETWEEN);
            serve(theirs, behind.clone());
            Box::pin(std::future::ready(Ok(Upstream(Box::new(ours)))))
        });
        Hop::new(proxy.settings.clone(), counts.clone(), dial).into_router()
    })
}

/// A proxy in front of a server at an address.
pub fn in_front_of(server: SocketAddr, settings: ProxySettings) -> Router {
    Hop::new(settings, Arc::default(), to_address(server)).into_router()
}
