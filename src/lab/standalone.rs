//! A server alone, for clients of any make: every technique on one port, over one mailbox, until it is
//! told to stop. Besides the techniques' own routes it has
//!
//! - `GET /`: what there is;
//! - `GET /schedule`: what mail it lets arrive, and since when;
//! - `POST /mail`: a mail from outside, as JSON with `from`, `subject` and `body`, or as plain text.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::isolate::to_nanos;
use super::publisher;
use super::server::{Handler, Limits, Server};
use super::{Lab, descriptors};
use crate::link::{Ledger, Network, Totals, tls};
use crate::mail::{Letter, Mail, Mailbox};
use crate::outcome::{HttpVersion, Scenario};
use crate::technique::{BODY_TIMEOUT, MAX_BODY, Service, Technique};

/// The most connections it keeps open, where descriptors suffice.
const MAX_CONNECTIONS: usize = 20_000;

/// What it says of the mail it lets arrive.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Schedule {
    /// The version of mailcall that serves.
    pub mailcall: String,
    /// What was asked of it.
    pub scenario: Scenario,
    /// When the schedule started, nanoseconds of the machine's monotonic clock.
    pub start_ns: u64,
    /// The number of the newest mail.
    pub newest: u64,
}

/// A running server.
#[derive(Debug)]
pub struct Standalone {
    /// Where it listens.
    pub address: SocketAddr,
    server: Server,
    ledger: Arc<Ledger>,
    halt: CancellationToken,
    publisher: JoinHandle<publisher::Published>,
}

/// What it leaves.
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
    /// If the address cannot be listened on, or threads cannot be had.
    pub fn start(lab: &Lab, techniques: &[&Technique], listen: SocketAddr) -> anyhow::Result<Standalone> {
        let (shutdown, link) = (CancellationToken::new(), &lab.scenario.link);
        let patience = link.patience();
        let service = Service {
            mailbox: Arc::new(Mailbox::new(lab.scenario.keep)),
            scenario: lab.scenario.clone(),
            headers: lab.headers.clone(),
            shutdown: shutdown.clone(),
            replies: Arc::default(),
            heard: Arc::default(),
            body_timeout: BODY_TIMEOUT + patience,
        };
        let mailbox = service.mailbox.clone();
        let ledger = Arc::new(Ledger::new(Vec::new()));
        let mut network = Network::new(ledger.clone(), link, lab.scenario.seed)?;
        if let Some(identity) = &lab.identity {
            let versions = [HttpVersion::Http2, HttpVersion::Http11, HttpVersion::Http10];
            let config = identity.server(versions.map(tls::alpn).to_vec(), &ledger)?;
            network = network.encrypted(config);
        }
        let limits = Limits {
            connections: descriptors::available().min(MAX_CONNECTIONS),
            ..Limits::for_clients(1, lab.scenario.poll_interval()).patient_by(patience)
        };
        let start = Instant::now();
        let routes = about(techniques).merge(post_office(&mailbox)).merge(schedule(
            mailbox.clone(),
            lab.scenario.clone(),
            start,
        ));
        let handler = Handler::of(techniques, service).with(routes);
        let server = Server::start_at(listen, "mailcall", handler, limits, network, shutdown)?;
        let (halt, plan) = (lab.interrupt.child_token(), lab.plan.clone());
        let publisher = {
            let halt = halt.clone();
            std::thread::Builder::new()
                .name("publisher".into())
                .spawn(move || publisher::publish(&mailbox, &plan, start, &halt))?
        };
        Ok(Standalone {
            address: server.address,
            server,
            ledger,
            halt,
            publisher,
        })
    }

    /// Ends every stream in order, then the server.
    pub fn stop(self) -> Summary {
        self.halt.cancel();
        // It only panics on a defect of ours, which its own message has told by now.
        let _ = self.publisher.join();
        self.server.stop();
        Summary {
            connections: self.ledger.opened(),
            totals: self.ledger.totals(),
        }
    }
}

/// `GET /`
fn about(techniques: &[&Technique]) -> Router {
    let mut text = String::from("mailcall serves here:\n\n");
    for technique in techniques {
        text += &format!("  /{:<12} {}\n", technique.name, technique.about);
    }
    text += "  /schedule     Which mail arrives here, and since when\n  POST /mail    Lets a mail arrive\n";
    Router::new().route("/", get(async || text))
}

fn schedule(mailbox: Arc<Mailbox>, scenario: Arc<Scenario>, start: Instant) -> Router {
    let tell = async move || {
        Json(Schedule {
            mailcall: env!("CARGO_PKG_VERSION").into(),
            scenario: (*scenario).clone(),
            start_ns: to_nanos(start),
            newest: mailbox.newest(),
        })
    };
    Router::new().route("/schedule", get(tell))
}

fn post_office(mailbox: &Arc<Mailbox>) -> Router {
    Router::new()
        .route("/mail", post(take))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(mailbox.clone())
}

/// A mail from outside.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Posted {
    from: String,
    subject: String,
    body: String,
}

async fn take(State(mailbox): State<Arc<Mailbox>>, headers: HeaderMap, body: Bytes) -> Response {
    let kind = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
    let letter = match kind.split(';').next().map(str::trim) {
        Some("application/json") => match serde_json::from_slice::<Posted>(&body) {
            Ok(Posted { from, subject, body }) => Letter { from, subject, body },
            Err(e) => return refuse(&format!("not a mail: {e}; allowed are from, subject and body")),
        },
        _ => match String::from_utf8(body.into()) {
            Ok(body) => Letter { body, ..Letter::default() },
            Err(_) => return refuse("a plain mail has to be UTF-8"),
        },
    };
    let number = mailbox.append_next(|number| Mail::new(number, &letter, Bytes::new()));
    let place = [(LOCATION, format!("/poll?after={}", number - 1))];
    (StatusCode::CREATED, place, Json(serde_json::json!({ "id": number }))).into_response()
}

fn refuse(why: &str) -> Response {
    (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response()
}
