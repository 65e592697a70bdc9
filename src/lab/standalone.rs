//! A server alone, for clients of any kind: every technique on one port, over one mailbox, until it is told
//! to stop. In addition to the techniques' own routes it has
//!
//! - `GET /`: a list of what it serves;
//! - `GET /schedule?after=N`: which mail it lets arrive, since when, and which mails came from outside
//!   after N: all that a client in another process needs to measure by itself;
//! - `POST /mail`: a mail from outside, as JSON with `from`, `subject` and `body`, or as plain text.

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
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

use super::isolate::to_nanos;
use super::log::OpenLog;
use super::outages::Outages;
use super::publisher;
use super::role::Role;
use super::server::{Handler, Limits, Server};
use super::traffic::Traffic;
use super::{Lab, descriptors};
use crate::clock;
use crate::lang::t;
use crate::link::{Ledger, Network, Owners, Totals, tls};
use crate::mail::{self, Arrivals, Cursor, Epoch, Letter, Mailbox, Posting};
use crate::outcome::{HttpVersion, SCHEMA, Scenario};
use crate::technique::unread::read_on;
use crate::technique::{
    ASK_LATER, After, BODY_TIMEOUT, MAX_BODY, Routes, Serve, Service, Technique, reply_route,
};
use crate::wire::is_media_type;

/// The most connections that it keeps open, if there are enough descriptors.
const MAX_CONNECTIONS: usize = 250_000;

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

/// The log of a server, into which mail from outside can be put.
#[derive(Clone, Debug)]
pub struct Post {
    mailbox: Arc<Mailbox>,
    scenario: Arc<Scenario>,
}

impl Post {
    /// Lets a mail arrive. If the log is in memory, its number is known at once.
    pub fn take(&self, letter: Letter) -> Posting {
        self.mailbox.post(letter.into(), None)
    }

    /// The log.
    pub fn mailbox(&self) -> &Mailbox {
        &self.mailbox
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
    _log: OpenLog,
}

impl Prepared {
    /// Prepares the server of a lab's scenario, with its log.
    ///
    /// # Errors
    /// If the system has no random name for the log, or a log outside the process cannot be opened.
    pub fn new(lab: &Lab) -> anyhow::Result<Prepared> {
        let shutdown = CancellationToken::new();
        let log = lab.open_lasting_log()?;
        let mailbox = mail::open(log.place(), &lab.scenario, Epoch::random()?)?;
        let service = service(lab, mailbox, shutdown.clone());
        Ok(Prepared {
            service,
            shutdown,
            _log: log,
        })
    }

    /// Its log.
    pub fn post(&self) -> Post {
        Post {
            mailbox: self.service.mailbox.clone(),
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
    mailbox: Arc<Mailbox>,
    server: Server,
    halt: CancellationToken,
    publisher: Role<publisher::Published>,
    /// Last, because the log outlives the server.
    _log: OpenLog,
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
            _log,
        } = prepared;
        let mailbox = service.mailbox.clone();
        let ledger = Arc::new(Ledger::new(Vec::new()));
        let network = network(lab, &ledger, additions.owners, additions.switches)?;
        let (connections, files) = descriptors::for_server(MAX_CONNECTIONS)?;
        let limits = Limits {
            connections,
            ..Limits::for_clients(1, lab.scenario.poll_interval()).patient_by(lab.scenario.link.patience())
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
            false => routes.merge(open_routes(lab, &service, start)),
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
            let (mailbox, halt) = (mailbox.clone(), halt.clone());
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
            mailbox,
            server,
            ledger,
            halt,
            publisher,
            _log,
        })
    }

    /// Whether its log can be reached: a log in memory always can.
    pub fn reaches_its_log(&self) -> bool {
        self.mailbox.is_reachable()
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
fn open_routes(lab: &Lab, service: &Service, start: Instant) -> Routes {
    let mailbox = service.mailbox.clone();
    reply_route(service.clone())
        .merge(mail_route(mailbox.clone(), service.body_timeout))
        .merge(schedule_route(lab, mailbox, start))
}

/// The service that all techniques share.
fn service(lab: &Lab, mailbox: Arc<Mailbox>, shutdown: CancellationToken) -> Service {
    Service {
        mailbox,
        scenario: lab.scenario.clone(),
        headers: lab.headers.clone(),
        shutdown,
        replies: Arc::default(),
        received: Arc::default(),
        body_timeout: BODY_TIMEOUT + lab.scenario.link.patience(),
        tuning: lab.tuning,
        subprotocols: Arc::default(),
    }
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

fn schedule_route(lab: &Lab, mailbox: Arc<Mailbox>, start: Instant) -> Routes {
    let (scenario, span) = (lab.scenario.clone(), lab.plan.span());
    let answer = async move |Query(After { after }): Query<After>| {
        let Arrivals {
            newest,
            planned,
            outside,
        } = mailbox.arrivals(after.number);
        Json(Schedule {
            mailcall: env!("CARGO_PKG_VERSION").into(),
            schema: SCHEMA,
            scenario: (*scenario).clone(),
            start_ns: to_nanos(start),
            now_ns: to_nanos(clock::now()),
            span_ns: span.as_nanos() as u64,
            epoch: Some(mailbox.epoch()),
            newest,
            planned,
            outside,
        })
    };
    Routes::new().route("/schedule", get(answer))
}

fn mail_route(mailbox: Arc<Mailbox>, body_timeout: Duration) -> Routes {
    let in_time = TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, body_timeout);
    let taken = post(take).layer((from_fn(read_on), RequestBodyLimitLayer::new(MAX_BODY), in_time));
    Routes::new().route("/mail", taken.with_state(mailbox))
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

async fn take(State(mailbox): State<Arc<Mailbox>>, headers: HeaderMap, body: Bytes) -> Response {
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
    let key = match idempotency_key(&headers) {
        Ok(key) => key,
        Err(why) => return refuse(why),
    };
    let number = match mailbox.post(letter.into(), key).number().await {
        Ok(number) => number,
        Err(why) => {
            return (StatusCode::SERVICE_UNAVAILABLE, [ASK_LATER], format!("{why}\n")).into_response();
        }
    };
    let before = Cursor::of(number.saturating_sub(1), mailbox.epoch());
    let place = [(LOCATION, format!("/poll?after={before}"))];
    (
        StatusCode::CREATED,
        place,
        Json(serde_json::json!({ "id": number })),
    )
        .into_response()
}

/// The client's name for the mail, so that the log keeps a mail once that is sent again after a lost answer
/// (draft-ietf-httpapi-idempotency-key-header-07; its value is a string in quotes, RFC 9651, section 3.3.3). A log in
/// memory answers at once and needs none.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, &'static str> {
    const WRONG: &str =
        "an Idempotency-Key has 1 to 128 visible ASCII characters, and may stand in double quotes";
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let text = value.to_str().map_err(|_| WRONG)?.trim();
    let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let key = quoted.unwrap_or(text);
    let fits = (1..=128).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic() && b != b'"');
    if fits { Ok(Some(key)) } else { Err(WRONG) }
}

fn refuse(why: &str) -> Response {
    (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response()
}
