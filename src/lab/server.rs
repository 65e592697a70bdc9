//! A technique's server on threads of its own: the accept loop, its limits, and its end.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use futures_util::future::{BoxFuture, Either};
use tokio_io_timeout::TimeoutWriter;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::access::Access;
pub use super::http1::ClientAddress;
use super::http1::{Common, serve_http1};
pub use super::limits::Limits;
use super::listener::{Listener, Place};
use super::middlebox;
use super::outages::Outages;
use super::outlet::outlet;
use super::pace::paced;
use super::role::Role;
use super::serving::{Guarded, serve_http};
use super::simulated::Simulated;
use crate::lang::t;
use crate::link::memory;
use crate::link::{Attached, Network};
use crate::outcome::{Proxied, Proxy, Scenario};
use crate::proxy::{self, Counts};
use crate::technique::{self, Routes, Serve, Service, Stream, Technique, reply_route};
use crate::wire::{Decoder, Lengths};

/// How a server handles its connections.
pub enum Handler {
    /// HTTP with these routes.
    Http(Site),
    /// A protocol of its own.
    Raw(Service, fn(Service, Stream) -> BoxFuture<'static, ()>),
}

/// Routes, and what is put in front of them.
#[derive(Debug)]
pub struct Site {
    routes: Routes,
    access: Access,
    scenario: Arc<Scenario>,
    outages: Option<Outages>,
    proxies: Proxies,
    dated: Option<Simulated>,
}

/// The proxies in front of a server, in order from the client, each with what it counts.
pub type Proxies = Vec<(Proxy, Arc<Counts>)>;

impl Handler {
    /// A technique's server half over a mailbox, for the clients of a run.
    pub fn new(technique: &Technique, service: Service) -> Handler {
        let access = Access::replaying(&service.headers, service.scenario.tls);
        match technique.serve {
            Serve::Http(_) => Handler::of(&[technique], service).allowing(access),
            Serve::Raw(serve) => Handler::Raw(service, serve),
        }
    }

    /// Several techniques over one mailbox; only those over HTTP can share a port.
    pub fn of(techniques: &[&Technique], service: Service) -> Handler {
        let routes = techniques.iter().filter_map(|t| match t.serve {
            Serve::Http(routes) => Some(routes(service.clone())),
            Serve::Raw(_) => None,
        });
        let routes = routes.fold(reply_route(service.clone()), Routes::merge);
        Handler::over(routes, service.scenario)
    }

    /// Only these routes, in a scenario.
    pub fn over(routes: Routes, scenario: Arc<Scenario>) -> Handler {
        let proxies = scenario.proxy.iter().map(|proxy| (proxy.clone(), Arc::default()));
        Handler::Http(Site {
            routes,
            access: Access::default(),
            proxies: proxies.collect(),
            scenario,
            outages: None,
            dated: None,
        })
    }

    /// The same with more routes.
    pub fn with(mut self, more: Routes) -> Handler {
        if let Handler::Http(site) = &mut self {
            site.routes = std::mem::take(&mut site.routes).merge(more);
        }
        self
    }

    /// The same with this access control instead of the default one.
    pub fn allowing(mut self, access: Access) -> Handler {
        if let Handler::Http(site) = &mut self {
            site.access = access;
        }
        self
    }

    /// The same with something between the caller and the handlers.
    pub fn between(mut self, put: impl FnOnce(Router) -> Router) -> Handler {
        if let Handler::Http(site) = &mut self {
            site.routes = std::mem::take(&mut site.routes).between(put);
        }
        self
    }

    /// The same on a server that does not listen while there is an outage.
    pub fn with_outages(mut self, outages: Option<Outages>) -> Handler {
        if let Handler::Http(site) = &mut self {
            site.outages = outages;
        }
        self
    }

    /// The path of each route.
    pub fn paths(&self) -> &[String] {
        match self {
            Handler::Http(site) => site.routes.paths(),
            Handler::Raw(..) => &[],
        }
    }

    /// The same with a simulation's date in every answer.
    pub fn dated(mut self, simulated: Option<Simulated>) -> Handler {
        if let Handler::Http(site) = &mut self {
            site.dated = simulated;
        }
        self
    }

    /// How many threads its scenario has for it.
    fn threads(&self) -> usize {
        match self {
            Handler::Http(site) => site.scenario.threads,
            Handler::Raw(service, _) => service.scenario.threads,
        }
    }

    /// The proxies in front of it.
    fn proxies(&self) -> Proxies {
        match self {
            Handler::Http(site) => site.proxies.clone(),
            Handler::Raw(..) => Vec::new(),
        }
    }

    /// Puts the access check, the proxies and the other conditions of the scenario in front of all routes.
    fn closed(self, limits: Limits, shutdown: &CancellationToken) -> Closed {
        match self {
            Handler::Http(site) => {
                let dated = |routes: Router| match site.dated {
                    Some(simulated) => simulated.dated(routes),
                    None => routes,
                };
                let routes = dated(site.access.before(site.routes.into_router()));
                let shutdown = shutdown.clone();
                let common = move |router, connects| {
                    Arc::new(Common {
                        router,
                        connects,
                        limits,
                        shutdown: shutdown.clone(),
                    })
                };
                let behind = common.clone();
                let serve: proxy::Serve = Arc::new(move |stream, router| {
                    tokio::spawn(serve_http1(stream, (None, None), behind(router, false)));
                });
                let routes = match site.proxies.is_empty() {
                    true => routes,
                    false => dated(proxy::before(routes, &site.proxies, &serve)),
                };
                Closed::Http(common(
                    middlebox::before(routes, &site.scenario),
                    site.proxies.is_empty() && !site.scenario.is_balanced(),
                ))
            }
            Handler::Raw(service, serve) => Closed::Raw(service.into(), serve),
        }
    }
}

/// A complete handler.
#[derive(Clone)]
enum Closed {
    Http(Arc<Common>),
    Raw(Arc<Service>, fn(Service, Stream) -> BoxFuture<'static, ()>),
}

impl Closed {
    fn decoder(&self) -> Decoder {
        match self {
            Closed::Http(_) => Decoder::http(technique::answers),
            Closed::Raw(..) => Decoder::Lengths(Lengths::default()),
        }
    }
}

/// How long a server that shuts down waits for its connections to end in order.
const LINGER: Duration = Duration::from_secs(3);

/// A running server.
#[derive(Debug)]
pub struct Server {
    /// The address it listens on.
    pub address: SocketAddr,
    /// Cancelled to end every stream in order.
    pub shutdown: CancellationToken,
    /// Opens connections to it in a simulated run.
    pub dialler: Option<memory::Dialler>,
    proxies: Proxies,
    killed: CancellationToken,
    role: Role<()>,
}

impl Server {
    /// Starts serving on a free port of the loopback.
    ///
    /// # Errors
    /// If the port, the thread or its runtime are not available.
    pub fn start(
        name: &str,
        handler: Handler,
        limits: Limits,
        network: impl Into<Network>,
        shutdown: CancellationToken,
    ) -> anyhow::Result<Server> {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Server::start_at(anywhere, name, handler, limits, network, shutdown)
    }

    /// The same at an address.
    ///
    /// # Errors
    /// As for [`Server::start`].
    pub fn start_at(
        place: impl Into<Place>,
        name: &str,
        handler: Handler,
        limits: Limits,
        network: impl Into<Network>,
        shutdown: CancellationToken,
    ) -> anyhow::Result<Server> {
        let outages = match &handler {
            Handler::Http(site) => site.outages.clone().unwrap_or_default(),
            Handler::Raw(..) => Outages::default(),
        };
        let (threads, proxies) = (handler.threads(), handler.proxies());
        let (network, handler) = (network.into(), handler.closed(limits, &shutdown));
        let (token, killed) = (shutdown.clone(), CancellationToken::new());
        let (place, kill) = (place.into(), killed.clone());
        let (mut at, mut dialler) = (place.address, None);
        let role = Role::on_threads(threads, format!("{name} server"), || {
            let (listener, opens) = place
                .listener()
                .with_context(|| t!("cannot listen on %{address}", address = at))?;
            at = listener.address(at)?;
            dialler = opens;
            let serving = accept(listener, outages, handler, limits, network, token);
            Ok(async move {
                tokio::select! {
                    biased;
                    () = kill.cancelled() => {}
                    () = serving => {}
                }
            })
        })?;
        Ok(Server {
            address: at,
            shutdown,
            dialler,
            proxies,
            killed,
            role,
        })
    }

    /// The network that its clients' connections use.
    pub fn network(&self) -> technique::Network {
        match self.dialler.clone() {
            None => technique::Network::Sockets,
            Some(dialler) => technique::Network::Simulated(Arc::new(move || Ok(Box::new(dialler.dial()?)))),
        }
    }

    /// Ends every stream in order, then the server. Connections that don't end in time are cut. Returns what the
    /// proxies in front of it did.
    pub async fn stopped(self) -> Vec<Proxied> {
        self.shutdown.cancel();
        let _ = self.role.join().await;
        let did = |(proxy, counts): &(Proxy, Arc<Counts>)| counts.so_far(&proxy.name);
        self.proxies.iter().map(did).collect()
    }

    /// The same for a caller without a runtime.
    pub fn stop(self) {
        self.shutdown.cancel();
        let _ = self.role.join_here();
    }

    /// Ends it as if its process were killed: the kernel closes every connection, without a close frame or the end of a
    /// response. Returns the
    /// place where it listened, which nobody else gets meanwhile.
    ///
    /// # Errors
    /// If somebody else has taken its port.
    pub async fn kill(self) -> std::io::Result<Place> {
        self.killed.cancel();
        // In a real run its connections end with its runtime.
        let _ = self.role.join().await;
        self.dialler.iter().for_each(memory::Dialler::end_connections);
        Place::kept(self.address)
    }
}

async fn accept(
    listener: Listener,
    outages: Outages,
    handler: Closed,
    limits: Limits,
    network: Network,
    shutdown: CancellationToken,
) {
    let Some(mut listener) = listener.opened(&shutdown).await else {
        return;
    };
    let connections = TaskTracker::new();
    let mut swallowed = Vec::new();
    let mut outage = outages.watch();
    let left = loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break Some(listener),
            end = outage.begun() => match listener.closed_until(end, &shutdown).await {
                Some(again) => {
                    listener = again;
                    continue;
                }
                None => break None,
            },
            accepted = listener.accept() => accepted,
        };
        match accepted {
            // As if its SYN had not come: closing it would tell the client.
            Ok((socket, _)) if network.has_vanished() => swallowed.push(socket),
            Ok((socket, client)) if limits.let_in(network.ledger(), client.ip()) => {
                let connection = network.attach(socket, handler.decoder());
                let from = network.has_owners().then(|| ClientAddress(client.ip()));
                connections.spawn(serve(connection, from, handler.clone(), limits));
            }
            // Over the limit: closing at once tells the client more than silence.
            Ok((socket, _)) => drop(socket),
            // Out of descriptors, most likely: others have to close first.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    drop(left);
    network.end_nat();
    connections.close();
    // An upgraded connection outlives its task: the ledger knows when it is closed.
    let _ = tokio::time::timeout(LINGER + network.patience(), async {
        tokio::join!(connections.wait(), network.ledger().all_closed())
    })
    .await;
}

/// Serves one connection until it ends. No more is kept in its task than is needed as long as the connection lasts.
fn serve(
    attached: Attached,
    from: Option<ClientAddress>,
    handler: Closed,
    limits: Limits,
) -> impl Future<Output = ()> {
    let about = (from, attached.outlet().map(outlet));
    let opened = Box::pin(open(attached, limits));
    match handler {
        Closed::Http(common) => Either::Left(serve_http(opened, about, common)),
        Closed::Raw(service, serve) => Either::Right(async move {
            if let Some(stream) = opened.await {
                serve((*service).clone(), Box::new(stream)).await;
            }
        }),
    }
}

async fn open(attached: Attached, limits: Limits) -> Option<Guarded> {
    // When a client breaks off the TLS handshake, or never finishes it, there is nobody to tell.
    let opened = tokio::time::timeout(limits.head_timeout, attached.open()).await;
    let mut guarded = TimeoutWriter::new(paced(opened.ok()?.ok()?, limits.stall));
    guarded.set_timeout(Some(limits.stall));
    Some(Box::pin(guarded))
}
