//! A balancer: an HTTP proxy with several servers behind it, which chooses one for each request, as HAProxy does in
//! `mode http`.
//!
//! A request that asks for an upgrade is one like the others; the tunnel that it opens stays with its server. A server
//! that cannot be reached gets no requests for a second, and a request for it goes to another (HAProxy: `option
//! redispatch`). A request that a server had when it was lost is not repeated, because the server may have acted on it:
//! its client gets 502.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use http::request::Parts;
use http::{Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use parking_lot::Mutex;

use super::cookie;
use super::counts::Counts;
use super::hop::{Hop, NotReached, plain};
use super::in_use::InUse;
use super::upstream::Dial;
use crate::clock;
use crate::outcome::{Balance, ProxySettings};

/// How long a server that could not be reached gets no requests.
const OUT: Duration = Duration::from_secs(1);

/// The largest body of a request that is kept for another server, bytes: none of ours is larger.
const MAX_BODY: usize = 1 << 20;

/// How long a client may take to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// A balancer, and what it has counted.
#[derive(Debug)]
pub struct Balancer {
    policy: Balance,
    servers: Vec<Behind>,
    /// The place of the server whose turn it is.
    turn: Mutex<usize>,
    redispatched: AtomicU64,
    failed: AtomicU64,
}

/// A server behind it.
#[derive(Debug)]
struct Behind {
    hop: Hop,
    counts: Arc<Counts>,
    /// The requests that it got.
    requests: AtomicU64,
    /// Its open requests and tunnels.
    open: Arc<AtomicUsize>,
    /// Until when it gets none.
    out: Mutex<Option<Instant>>,
}

/// What a balancer has seen of one server so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Requests that it got, upgrades included.
    pub requests: u64,
    /// Connections to it.
    pub connections: u64,
    /// Tunnels to it.
    pub tunnels: u64,
    /// Its requests and tunnels that are open now.
    pub open: u64,
}

impl Balancer {
    /// A balancer in front of servers, each with how to connect to it.
    pub fn new(policy: Balance, servers: impl IntoIterator<Item = Dial>) -> Arc<Balancer> {
        let servers = servers.into_iter().map(|dial| {
            let counts = Arc::<Counts>::default();
            Behind {
                hop: Hop::new(ProxySettings::default(), counts.clone(), dial),
                counts,
                requests: AtomicU64::new(0),
                open: Arc::default(),
                out: Mutex::default(),
            }
        });
        Arc::new(Balancer {
            policy,
            servers: servers.collect(),
            turn: Mutex::default(),
            redispatched: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        })
    }

    /// It as a service.
    pub fn router(self: &Arc<Balancer>) -> Router {
        let balancer = self.clone();
        let service = tower::service_fn(move |request: Request| {
            let balancer = balancer.clone();
            async move { Ok::<_, Infallible>(balancer.answer(request).await) }
        });
        Router::new().fallback_service(service)
    }

    /// What it has seen of each server, in order.
    pub fn seen(&self) -> Vec<Seen> {
        let each = self.servers.iter().map(|server| {
            let counted = server.counts.so_far("");
            Seen {
                requests: server.requests.load(Ordering::Relaxed),
                connections: counted.connections,
                tunnels: counted.tunnels,
                open: server.open.load(Ordering::SeqCst) as u64,
            }
        });
        each.collect()
    }

    /// How many requests went to another server because theirs could not be reached.
    pub fn redispatched(&self) -> u64 {
        self.redispatched.load(Ordering::Relaxed)
    }

    /// How many requests it answered itself.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    async fn answer(&self, request: Request) -> Response<Body> {
        let (mut parts, body) = request.into_parts();
        // Kept whole, so that the request can go to another server.
        let body = match clock::timeout(BODY_TIMEOUT, Limited::new(body, MAX_BODY).collect()).await {
            Some(Ok(body)) => body.to_bytes(),
            Some(Err(e)) if e.is::<LengthLimitError>() => {
                return plain(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "the body of this request is too long\n",
                );
            }
            Some(Err(_)) => return plain(StatusCode::BAD_REQUEST, "the body of this request ended early\n"),
            None => {
                return plain(
                    StatusCode::REQUEST_TIMEOUT,
                    "the body of this request did not come\n",
                );
            }
        };
        let named = match self.policy {
            Balance::Sticky => cookie::take(&mut parts.headers),
            Balance::RoundRobin | Balance::Least => None,
        };
        let named = named.filter(|place| *place < self.servers.len());
        let mut place = named.filter(|place| self.is_in(*place));
        let mut missed = named.is_some() && place.is_none();
        for _ in 0..self.servers.len() {
            let Some(chosen) = place.or_else(|| self.choose()) else {
                break;
            };
            match self.ask(chosen, &parts, &body).await {
                Ok(mut answer) => {
                    if self.policy == Balance::Sticky && named != Some(chosen) {
                        cookie::put(answer.headers_mut(), chosen);
                    }
                    self.redispatched.fetch_add(u64::from(missed), Ordering::Relaxed);
                    return answer;
                }
                Err(NotReached) => {
                    *self.servers[chosen].out.lock() = Some(clock::now() + OUT);
                    (place, missed) = (None, true);
                }
            }
        }
        self.failed.fetch_add(1, Ordering::Relaxed);
        plain(StatusCode::SERVICE_UNAVAILABLE, "no server can be reached\n")
    }

    async fn ask(&self, place: usize, parts: &Parts, body: &Bytes) -> Result<Response<Body>, NotReached> {
        let server = &self.servers[place];
        let request = Request::from_parts(parts.clone(), Body::from(body.clone()));
        server.requests.fetch_add(1, Ordering::Relaxed);
        let answer = server.hop.ask(request, InUse::of(&server.open)).await;
        let answer = answer.inspect_err(|NotReached| {
            server.requests.fetch_sub(1, Ordering::Relaxed);
        })?;
        // The servers answer no 502 themselves.
        let lost = answer.status() == StatusCode::BAD_GATEWAY;
        self.failed.fetch_add(u64::from(lost), Ordering::Relaxed);
        Ok(answer)
    }

    /// Whether a server gets requests.
    fn is_in(&self, place: usize) -> bool {
        let server = self.servers.get(place);
        server.is_some_and(|server| server.out.lock().is_none_or(|until| until <= clock::now()))
    }

    /// The server for the next request: from the one whose turn it is, the first that gets requests, or the first of
    /// those with the fewest open.
    fn choose(&self) -> Option<usize> {
        let all = self.servers.len();
        // Locked until the next one is known: two requests may come on two threads.
        let mut turn = self.turn.lock();
        let places = (*turn..*turn + all).map(|place| place % all);
        let mut free = places.filter(|place| self.is_in(*place));
        let chosen = match self.policy {
            Balance::RoundRobin | Balance::Sticky => free.next(),
            Balance::Least => free.min_by_key(|place| self.servers[*place].open.load(Ordering::SeqCst)),
        }?;
        *turn = (chosen + 1) % all;
        Some(chosen)
    }
}
