//! A server alone, for clients of any kind: every technique on one port, over one mailbox, until it is told
//! to stop. In addition to the techniques' own routes it has
//!
//! - `GET /`: a list of what it serves;
//! - `GET /schedule?after=N`: which mail it lets arrive, since when, and which mails came from outside
//!   after N: all that a client in another process needs to measure by itself;
//! - `POST /mail`: a mail from outside, as JSON with `from`, `subject` and `body`, or as plain text.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::{Query, State};
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderMap, StatusCode, Uri};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

use super::isolate::to_nanos;
use super::outages::Outages;
use super::publisher;
use super::role::Role;
use super::server::{Handler, Limits, Server};
use super::traffic::Traffic;
use super::{Lab, descriptors};
use crate::clock;
use crate::lang::t;
use crate::link::{Ledger, Network, Owners, Totals, tls};
use crate::mail::{Cursor, Epoch, Letter, Mail, Mailbox};
use crate::outcome::{HttpVersion, SCHEMA, Scenario};
use crate::technique::unread::read_on;
use crate::technique::{After, BODY_TIMEOUT, MAX_BODY, Routes, Serve, Service, Technique, reply_route};
use crate::wire::is_media_type;

/// The most connections that it keeps open, if there are enough descriptors.
const MAX_CONNECTIONS: usize = 20_000;

/// What it says about the mail it lets arrive.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Schedule {
    /// The version of mailcall that serves.
    pub mailcall: String,
    /// The version of this answer and of the scenario in it.
    pub schema: u32,
    /// The server's scenario.
    pub scenario: Scenario,
    /// When the schedule started, nanoseconds of the machine's monotonic clock.
    pub start_ns: u64,
    /// When this answer was made, by the same clock: a client that reads the same time now is on the same machine.
    pub now_ns: u64,
    /// From the start to the last mail of the schedule.
    pub span_ns: u64,
    /// The name of the log. Servers of older versions have none.
    #[serde(default)]
    pub epoch: Option<Epoch>,
    /// The number of the newest mail.
    pub newest: u64,
    /// How many mails of the schedule have arrived by now.
    pub planned: u64,
    /// The numbers of the mails that came from outside, after the one asked about.
    pub outside: Vec<u64>,
}

/// How many mails from outside are remembered by number: the newest.
const OUTSIDE_KEPT: usize = 10_000;

/// Takes mail from outside.
#[derive(Debug)]
struct OutsideMail {
    mailbox: Arc<Mailbox>,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    total: u64,
    numbers: VecDeque<u64>,
}

impl OutsideMail {
    /// Appends a mail; returns its number.
    fn take(&self, letter: &Letter) -> u64 {
        let mut taken = self.taken.lock();
        let number = self
            .mailbox
            .append_next(|number| (Mail::new(number, letter, Bytes::new()), None));
        taken.total += 1;
        taken.numbers.push_back(number);
        if taken.numbers.len() > OUTSIDE_KEPT {
            taken.numbers.pop_front();
        }
        number
    }

    /// The number of the newest mail, how many mails are from the schedule, and which came from outside
    /// after `after`.
    fn state(&self, after: u64) -> (u64, u64, Vec<u64>) {
        let taken = self.taken.lock();
        let newest = self.mailbox.newest();
        let outside = taken.numbers.iter().copied().filter(|n| *n > after).collect();
        (newest, newest - taken.total, outside)
    }
}

/// The log of a server, into which mail from outside can be put.
#[derive(Clone, Debug)]
pub struct Post {
    outside_mail: Arc<OutsideMail>,
    scenario: Arc<Scenario>,
}

impl Post {
    /// Lets a mail arrive; returns its number.
    pub fn take(&self, letter: &Letter) -> u64 {
        self.outside_mail.take(letter)
    }

    /// The log.
    pub fn mailbox(&self) -> &Mailbox {
        &self.outside_mail.mailbox
    }

    /// The server's scenario.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }
}

/// What a server has in addition to the techniques.
#[derive(Clone, Default)]
pub struct Additions {
    /// Its routes.
    pub routes: Routes,
    /// Whether clients cannot put mail into the log by themselves, nor ask for its schedule.
    pub is_closed: bool,
    /// Answers `GET /` where the list of what there is would not do.
    pub front: Option<Front>,
    /// Puts something in front of the techniques' routes.
    pub between: Option<Between>,
    /// Decides whose bytes are whose.
    pub owners: Option<Arc<dyn Owners>>,
    /// Whether these owners change the conditions of their connections.
    pub switches: bool,
    /// Lets it stop listening for a while.
    pub outages: Option<Outages>,
}

/// Answers `GET /`, or leaves it to the list.
pub type Front = Arc<dyn Fn(&HeaderMap, &Uri) -> Option<Response> + Send + Sync>;

/// Puts something in front of routes.
pub type Between = Arc<dyn Fn(Routes) -> Routes + Send + Sync>;

/// A server that does not listen yet.
pub struct Prepared {
    service: Service,
    shutdown: CancellationToken,
    outside_mail: Arc<OutsideMail>,
}

impl Prepared {
    /// Prepares the server of a lab's scenario, with a log of its own.
    ///
    /// # Errors
    /// If the system has no random name for the log.
    pub fn new(lab: &Lab) -> anyhow::Result<Prepared> {
        let shutdown = CancellationToken::new();
        let service = service(lab, shutdown.clone(), lab.scenario.link.patience())?;
        let outside_mail = Arc::new(OutsideMail {
            mailbox: service.mailbox.clone(),
            taken: Mutex::default(),
        });
        Ok(Prepared {
            service,
            shutdown,
            outside_mail,
        })
    }

    /// Its log.
    pub fn post(&self) -> Post {
        Post {
            outside_mail: self.outside_mail.clone(),
            scenario: self.service.scenario.clone(),
        }
    }
}

/// A running server.
#[derive(Debug)]
pub struct Standalone {
    /// The address it listens on.
    pub address: SocketAddr,
    /// The path of each of its routes.
    pub paths: Vec<String>,
    /// How many connections it keeps open.
    pub room: Room,
    /// The requests of each technique.
    pub traffic: Vec<(&'static str, Traffic)>,
    /// Its counts.
    pub ledger: Arc<Ledger>,
    server: Server,
    halt: CancellationToken,
    publisher: Role<publisher::Published>,
}

/// How many connections a server keeps open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// In all.
    pub connections: usize,
    /// From one address.
    pub from_one_address: usize,
    /// The limit of open files, if that is why there are no more connections.
    pub files: Option<u64>,
}

/// What a server has counted when it stops.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Connections accepted.
    pub connections: u64,
    /// What crossed them.
    pub totals: Totals,
}

impl Standalone {
    /// Serves the techniques at an address; mail begins to arrive at once.
    ///
    /// # Errors
    /// If it cannot listen on the address, or threads or descriptors are not available.
    pub fn start(lab: &Lab, techniques: &[&Technique], listen: SocketAddr) -> anyhow::Result<Standalone> {
        Standalone::with(Prepared::new(lab)?, lab, techniques, listen, Additions::default())
    }

    /// The same for a server that was prepared from the same lab, with additions.
    ///
    /// # Errors
    /// As for [`Standalone::start`].
    pub fn with(
        prepared: Prepared,
        lab: &Lab,
        techniques: &[&Technique],
        listen: SocketAddr,
        additions: Additions,
    ) -> anyhow::Result<Standalone> {
        let Prepared {
            service,
            shutdown,
            outside_mail,
        } = prepared;
        let patience = lab.scenario.link.patience();
        let mailbox = service.mailbox.clone();
        let ledger = Arc::new(Ledger::new(Vec::new()));
        let network = network(lab, &ledger, additions.owners, additions.switches)?;
        let (connections, files) = descriptors::for_server(MAX_CONNECTIONS)?;
        let limits = Limits {
            connections,
            ..Limits::for_clients(1, lab.scenario.poll_interval()).patient_by(patience)
        };
        let start = clock::now();
        let served: Vec<_> = techniques
            .iter()
            .filter_map(|technique| match technique.serve {
                Serve::Http(routes) => Some((technique.name, routes, Traffic::default())),
                Serve::Raw(_) => None,
            })
            .collect();
        let routes = about(techniques, additions.front).merge(additions.routes);
        let routes = match additions.is_closed {
            true => routes,
            false => routes.merge(open_routes(lab, &service, outside_mail, start)),
        };
        let put = additions.between.unwrap_or_else(|| Arc::new(|own| own));
        let routes = served.iter().fold(routes, |all, (_, routes, traffic)| {
            all.merge(put(traffic.of(routes(service.clone()))))
        });
        let handler = Handler::over(routes, service.scenario).allowing(lab.access.clone());
        let paths = handler.paths().to_vec();
        let handler = handler.with_outages(additions.outages);
        let server = Server::start_at(listen, "mailcall", handler, limits, network, shutdown)?;
        let (halt, plan) = (lab.interrupt.child_token(), lab.plan.clone());
        let publisher = {
            let halt = halt.clone();
            Role::start("publisher", || {
                Ok(async move { publisher::publish(|| mailbox.clone(), &plan, start, &halt).await })
            })?
        };
        Ok(Standalone {
            address: server.address,
            paths,
            room: Room {
                connections,
                from_one_address: limits.from_one_address(),
                files: Some(files).filter(|_| connections < MAX_CONNECTIONS),
            },
            traffic: served
                .into_iter()
                .map(|(name, _, traffic)| (name, traffic))
                .collect(),
            server,
            ledger,
            halt,
            publisher,
        })
    }

    /// Ends every stream in order, then the server.
    pub fn stop(self) -> Summary {
        self.halt.cancel();
        let _ = self.publisher.join_here();
        self.server.stop();
        Summary {
            connections: self.ledger.opened(),
            totals: self.ledger.totals(),
        }
    }
}

/// Replies, mail from outside, and the schedule.
fn open_routes(lab: &Lab, service: &Service, outside_mail: Arc<OutsideMail>, start: Instant) -> Routes {
    reply_route(service.clone())
        .merge(mail_route(outside_mail.clone(), service.body_timeout))
        .merge(schedule_route(lab, outside_mail, start))
}

/// The service that all techniques share, with a mailbox of a new log.
fn service(lab: &Lab, shutdown: CancellationToken, patience: Duration) -> anyhow::Result<Service> {
    Ok(Service {
        mailbox: Arc::new(Mailbox::of(&lab.scenario, Epoch::random()?)),
        scenario: lab.scenario.clone(),
        headers: lab.headers.clone(),
        shutdown,
        replies: Arc::default(),
        received: Arc::default(),
        body_timeout: BODY_TIMEOUT + patience,
        tuning: lab.tuning,
        subprotocols: Arc::default(),
    })
}

/// The server's network. If it encrypts, it offers every version of HTTP.
fn network(
    lab: &Lab,
    ledger: &Arc<Ledger>,
    owners: Option<Arc<dyn Owners>>,
    switches: bool,
) -> anyhow::Result<Network> {
    let (link, seed) = (&lab.scenario.link, lab.scenario.seed);
    let network = Network::new(ledger.clone(), link, seed)?;
    let network = match owners {
        Some(owners) => network.owned(owners, link, seed, switches)?,
        None => network,
    };
    let Some(identity) = &lab.identity else {
        return Ok(network);
    };
    let versions = [HttpVersion::Http2, HttpVersion::Http11, HttpVersion::Http10];
    let config = identity.server(versions.map(tls::alpn).to_vec(), ledger)?;
    Ok(network.encrypted(config))
}

/// `GET /`
fn about(techniques: &[&Technique], front: Option<Front>) -> Routes {
    let mut text = t!("mailcall serves here:") + "\n\n";
    for technique in techniques {
        text += &format!("  /{:<12} {}\n", technique.name, t!(technique.about));
    }
    text += &format!(
        "  /schedule     {}\n",
        t!("Which mail arrives here, and since when")
    );
    text += &format!("  POST /mail    {}\n", t!("Lets a mail arrive"));
    let answer = async move |fields: HeaderMap, uri: Uri| {
        let front = front.as_ref().and_then(|front| front(&fields, &uri));
        front.unwrap_or_else(|| text.into_response())
    };
    Routes::new().route("/", get(answer))
}

fn schedule_route(lab: &Lab, outside_mail: Arc<OutsideMail>, start: Instant) -> Routes {
    let (scenario, span) = (lab.scenario.clone(), lab.plan.span());
    let answer = async move |Query(After { after }): Query<After>| {
        let (newest, planned, outside) = outside_mail.state(after.number);
        Json(Schedule {
            mailcall: env!("CARGO_PKG_VERSION").into(),
            schema: SCHEMA,
            scenario: (*scenario).clone(),
            start_ns: to_nanos(start),
            now_ns: to_nanos(clock::now()),
            span_ns: span.as_nanos() as u64,
            epoch: Some(outside_mail.mailbox.epoch()),
            newest,
            planned,
            outside,
        })
    };
    Routes::new().route("/schedule", get(answer))
}

fn mail_route(outside_mail: Arc<OutsideMail>, body_timeout: Duration) -> Routes {
    let in_time = TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, body_timeout);
    let taken = post(take).layer((from_fn(read_on), RequestBodyLimitLayer::new(MAX_BODY), in_time));
    Routes::new().route("/mail", taken.with_state(outside_mail))
}

/// A mail from outside.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PostedMail {
    from: String,
    subject: String,
    body: String,
}

/// Reads a mail from a JSON object: serde would accept a list, too.
fn read_posted(json: &[u8]) -> serde_json::Result<Letter> {
    let object: serde_json::Map<_, _> = serde_json::from_slice(json)?;
    let PostedMail { from, subject, body } = serde_json::from_value(object.into())?;
    Ok(Letter { from, subject, body })
}

async fn take(State(outside_mail): State<Arc<OutsideMail>>, headers: HeaderMap, body: Bytes) -> Response {
    let kind = headers.get(CONTENT_TYPE);
    let letter = match kind.is_some_and(|kind| is_media_type(kind, "application/json")) {
        true => match read_posted(&body) {
            Ok(letter) => letter,
            Err(e) => return refuse(&format!("not a mail: {e}; allowed are from, subject and body")),
        },
        false => match String::from_utf8(body.into()) {
            Ok(body) => Letter {
                body,
                ..Letter::default()
            },
            Err(_) => return refuse("a plain mail has to be UTF-8"),
        },
    };
    let number = outside_mail.take(&letter);
    let before = Cursor::of(number - 1, outside_mail.mailbox.epoch());
    let place = [(LOCATION, format!("/poll?after={before}"))];
    (
        StatusCode::CREATED,
        place,
        Json(serde_json::json!({ "id": number })),
    )
        .into_response()
}

fn refuse(why: &str) -> Response {
    (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response()
}
