//! The server half: all URLs of the protocol, and the table of sessions.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::{
    ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_MAX_AGE, CACHE_CONTROL, CONTENT_TYPE, COOKIE, ETAG, EXPIRES,
    HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, SET_COOKIE,
};
use http::{Method, StatusCode};
use hyper::body::Body as _;
use parking_lot::Mutex;
use rand::TryRng;
use rand::rngs::SysRng;
use sha1::{Digest, Sha1};

use super::super::Headers;
use super::super::fields;
use super::super::service::{ASK_LATER, Service, Tuning};
use super::session::{Message, Receiver, Session, Shared};
use crate::outcome::Scenario;
use crate::wire::is_media_type;
use crate::wire::sockjs::{self, Endpoint, Refused, Resource};

/// An application that handles sessions. It must return once [`Session::recv`] returns `None`.
pub struct App(Box<dyn Fn(Service, Session) -> BoxFuture<'static, ()> + Send + Sync>);

impl App {
    /// An application that calls a function with each session.
    pub fn new(app: impl Fn(Service, Session) -> BoxFuture<'static, ()> + Send + Sync + 'static) -> App {
        App(Box::new(app))
    }

    /// Runs the application for one session.
    pub fn run(&self, service: Service, session: Session) -> BoxFuture<'static, ()> {
        (self.0)(service, session)
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("App")
    }
}

/// Settings of a SockJS service.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether it offers WebSocket.
    pub websocket: bool,
    /// Whether answers set a cookie, for load balancers that need one.
    pub cookie_needed: bool,
    /// The silence after which a heartbeat is sent.
    pub heartbeat: Duration,
    /// How long a session without a connection is kept.
    pub disconnect_delay: Duration,
    /// The size of a streaming response in bytes after which the client has to ask for another.
    pub response_limit: usize,
    /// The largest body or message that is accepted, bytes.
    pub max_payload: usize,
    /// The most sessions at the same time, including those whose clients have just left.
    pub max_sessions: usize,
    /// The URL from which the iframe page loads its client.
    pub client_url: &'static str,
}

/// The URL in the iframe page of the original servers.
const CLIENT_URL: &str = "https://cdn.jsdelivr.net/npm/sockjs-client@1/dist/sockjs.min.js";

impl Options {
    /// The settings for a scenario.
    pub fn of(service: &Service) -> Options {
        Options::new(&service.scenario, &service.tuning)
    }

    pub(super) fn new(scenario: &Scenario, tuning: &Tuning) -> Options {
        Options {
            websocket: true,
            cookie_needed: false,
            heartbeat: scenario.heartbeat(),
            disconnect_delay: DISCONNECT_DELAY,
            response_limit: tuning.response_limit,
            max_payload: tuning.max_payload(),
            max_sessions: scenario.clients + MORE_SESSIONS,
            client_url: CLIENT_URL,
        }
    }
}

/// In the protocol: "The session must time out after 5 seconds of not having a receiving connection."
const DISCONNECT_DELAY: Duration = Duration::from_secs(5);

/// The most sessions of a service besides those of the expected clients.
const MORE_SESSIONS: usize = 20_000;

const YEAR: u64 = 31_536_000;
pub const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=UTF-8");
pub const SCRIPT: HeaderValue = HeaderValue::from_static("application/javascript; charset=UTF-8");
const NOT_CACHED: HeaderValue =
    HeaderValue::from_static("no-store, no-cache, no-transform, must-revalidate, max-age=0");
const CACHED: HeaderValue = HeaderValue::from_static("public, max-age=31536000");

/// A running SockJS service.
#[derive(Debug)]
pub struct Server {
    prefix: &'static str,
    pub service: Service,
    pub options: Options,
    pub app: App,
    sessions: Mutex<HashMap<String, Arc<Shared>>>,
}

impl Server {
    /// A service that has no session yet.
    pub fn new(prefix: &'static str, service: Service, options: Options, app: App) -> Server {
        Server {
            prefix,
            sessions: Mutex::default(),
            service,
            options,
            app,
        }
    }

    /// The path that its URLs begin with.
    pub fn prefix(&self) -> &'static str {
        self.prefix
    }

    pub fn has(&self, resource: Resource) -> bool {
        let websocket = matches!(
            resource,
            Resource::RawWebSocket
                | Resource::Session {
                    endpoint: Endpoint::WebSocket,
                    ..
                }
        );
        self.options.websocket || !websocket
    }

    /// An answer with these fields, and with further fields of the header profile.
    pub fn respond(&self, status: StatusCode, ours: HeaderMap, body: Body) -> Response {
        (status, response_fields(&self.service.headers, ours), body).into_response()
    }

    /// An answer with a text for people.
    pub fn say(&self, status: StatusCode, words: impl Into<Body>) -> Response {
        let later = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(ASK_LATER);
        let ours = HeaderMap::from_iter([(CONTENT_TYPE, TEXT)].into_iter().chain(later));
        self.respond(status, ours, words.into())
    }

    pub fn info(&self) -> Response {
        match SysRng.try_next_u32() {
            Ok(entropy) => {
                let info = info(&self.options, entropy);
                self.respond(StatusCode::OK, info_fields(), info.into())
            }
            Err(_) => self.say(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the system has no random numbers\n",
            ),
        }
    }

    pub fn iframe(&self, asked: &HeaderMap) -> Response {
        let page = sockjs::iframe(self.options.client_url);
        let tag: String = Sha1::digest(&page).iter().map(|b| format!("{b:02x}")).collect();
        let tag = format!("\"{tag}\"");
        let mut ours = HeaderMap::from_iter([(CACHE_CONTROL, CACHED)]);
        ours.extend(expires());
        ours.extend(HeaderValue::from_str(&tag).ok().map(|tag| (ETAG, tag)));
        if asked
            .get(IF_NONE_MATCH)
            .is_some_and(|known| known == tag.as_str())
        {
            return self.respond(StatusCode::NOT_MODIFIED, ours, Body::empty());
        }
        ours.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=UTF-8"));
        self.respond(StatusCode::OK, ours, page.into())
    }

    /// Lists the allowed methods, to be cached for a year. Whether a page of another origin may use them is
    /// decided before the routes.
    pub fn options(&self, allowed: &[Method]) -> Response {
        let mut ours = HeaderMap::new();
        let list: Vec<&str> = allowed.iter().map(Method::as_str).collect();
        let methods = HeaderValue::from_str(&list.join(", "));
        ours.extend(methods.ok().map(|list| (ACCESS_CONTROL_ALLOW_METHODS, list)));
        ours.insert(ACCESS_CONTROL_MAX_AGE, YEAR.into());
        ours.insert(CACHE_CONTROL, CACHED);
        ours.extend(expires());
        self.respond(StatusCode::NO_CONTENT, ours, Body::empty())
    }

    /// Attaches a receiving connection to a session; the first one creates the session.
    ///
    /// # Errors
    /// The close frame with the reason; `None` if there are too many sessions.
    pub fn attach(self: &Arc<Self>, session: &str) -> Result<Receiver, Option<Bytes>> {
        let mut sessions = self.sessions.lock();
        let full = sessions.len() >= self.options.max_sessions;
        match sessions.entry(session.to_owned()) {
            Entry::Occupied(known) => known.get().attach().map_err(Some),
            Entry::Vacant(_) if full => Err(None),
            Entry::Vacant(place) => {
                let (shared, application) = Shared::new(true);
                place.insert(shared.clone());
                tokio::spawn(keep(
                    self.clone(),
                    session.to_owned(),
                    shared.clone(),
                    application,
                ));
                shared.attach().map_err(Some)
            }
        }
    }

    /// Handles messages that a client posts.
    pub async fn hear(&self, request: Request, session: &str, endpoint: Endpoint) -> Response {
        let (head, body) = request.into_parts();
        // Before reading: that answers `Expect: 100-continue` (RFC 9110, section 10.1.1).
        if body.size_hint().lower() > self.options.max_payload as u64 {
            return self.say(StatusCode::PAYLOAD_TOO_LARGE, TOO_MUCH);
        }
        let read = axum::body::to_bytes(body, self.options.max_payload);
        let body = match tokio::time::timeout(self.service.body_timeout, read).await {
            Ok(Ok(body)) => body,
            Ok(Err(_)) => return self.say(StatusCode::PAYLOAD_TOO_LARGE, TOO_MUCH),
            Err(_) => return self.say(StatusCode::REQUEST_TIMEOUT, "the body did not come\n"),
        };
        let messages = match posted(&head.headers, &body, endpoint) {
            Ok(messages) => messages,
            Err(Refused::Payload) => {
                return self.say(StatusCode::INTERNAL_SERVER_ERROR, "Payload expected.\n");
            }
            Err(Refused::Json) => {
                return self.say(StatusCode::INTERNAL_SERVER_ERROR, "Broken JSON encoding.\n");
            }
        };
        let known = self.sessions.lock().get(session).cloned();
        let Some(known) = known else {
            return self.say(StatusCode::NOT_FOUND, "there is no such session\n");
        };
        let all = async {
            for message in messages {
                // It fails if the session is over: then the message is dropped.
                let _ = known.say().send(Message::Text(message)).await;
            }
        };
        if tokio::time::timeout(self.service.body_timeout, all)
            .await
            .is_err()
        {
            return self.say(
                StatusCode::SERVICE_UNAVAILABLE,
                "the session takes no more for now\n",
            );
        }
        known.was_spoken_to();
        let ours = session_fields(&self.options, &head.headers, TEXT);
        match endpoint {
            // The original answers 200 because Konqueror did "weird things on 204".
            Endpoint::JsonpSend => self.respond(StatusCode::OK, ours, "ok".into()),
            _ => self.respond(StatusCode::NO_CONTENT, ours, Body::empty()),
        }
    }
}

/// Runs a session's application, and removes the session when nobody has received from it for a while.
async fn keep(server: Arc<Server>, id: String, shared: Arc<Shared>, session: Session) {
    let _known = Known {
        server: server.clone(),
        id,
    };
    let shutdown = server.service.shutdown.clone();
    let app = server.app.run(server.service.clone(), session);
    let abandoned = shared.abandoned(server.options.disconnect_delay);
    tokio::pin!(app, abandoned);
    let mut done = false;
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled(), if !shared.is_closing() => shared.close(GO_AWAY.0, GO_AWAY.1),
            () = &mut app, if !done => {
                done = true;
                shared.close(GO_AWAY.0, GO_AWAY.1);
            }
            () = &mut abandoned => break,
        }
    }
    shared.close(GO_AWAY.0, GO_AWAY.1);
    if !done {
        app.await;
    }
}

/// The answer to a client that posts too much.
const TOO_MUCH: &str = "this is too much at once\n";

/// The close code and reason of a session that the server ends.
pub const GO_AWAY: (u16, &str) = (3000, "Go away!");

/// A session's entry in the table, removed on drop.
struct Known {
    server: Arc<Server>,
    id: String,
}

impl Drop for Known {
    fn drop(&mut self) {
        self.server.sessions.lock().remove(&self.id);
    }
}

fn posted(head: &HeaderMap, body: &Bytes, endpoint: Endpoint) -> Result<Vec<String>, Refused> {
    let text = std::str::from_utf8(body).map_err(|_| Refused::Json)?;
    let is_form = head
        .get(CONTENT_TYPE)
        .is_some_and(|t| is_media_type(t, "application/x-www-form-urlencoded"));
    match endpoint {
        Endpoint::JsonpSend if is_form => sockjs::listed(&sockjs::value_of(text, "d").unwrap_or_default()),
        _ => sockjs::listed(text),
    }
}

/// The fields of an answer, without its length and date.
pub fn response_fields(profile: &Headers, ours: HeaderMap) -> HeaderMap {
    let known: Vec<HeaderName> = ours.keys().cloned().collect();
    fields::response(profile, ours, |name| {
        *name != CONTENT_TYPE && !known.contains(name)
    })
}

/// The body of `/info`. The entropy is for clients without a random generator; it has ten digits, so that
/// every answer has the same length.
pub fn info(options: &Options, entropy: u32) -> String {
    const LEAST: u32 = 1_000_000_000;
    let entropy = LEAST + entropy % (u32::MAX - LEAST + 1);
    format!(
        r#"{{"websocket":{},"origins":["*:*"],"cookie_needed":{},"entropy":{entropy}}}"#,
        options.websocket, options.cookie_needed
    )
}

/// The fields of the answer to a request for `/info`.
pub fn info_fields() -> HeaderMap {
    HeaderMap::from_iter([
        (
            CONTENT_TYPE,
            HeaderValue::from_static("application/json; charset=UTF-8"),
        ),
        (CACHE_CONTROL, NOT_CACHED),
    ])
}

/// The fields of an answer from a session's URL.
pub fn session_fields(options: &Options, asked: &HeaderMap, content: HeaderValue) -> HeaderMap {
    let mut ours = HeaderMap::from_iter([(CONTENT_TYPE, content), (CACHE_CONTROL, NOT_CACHED)]);
    if options.cookie_needed {
        ours.extend(cookie(asked).map(|cookie| (SET_COOKIE, cookie)));
    }
    ours
}

/// The cookie for load balancers: the client's own value if it sent one, otherwise a fixed one.
fn cookie(asked: &HeaderMap) -> Option<HeaderValue> {
    let cookies = asked.get_all(COOKIE).iter().filter_map(|c| c.to_str().ok());
    let known = cookies
        .flat_map(|c| c.split(';'))
        .filter_map(|c| c.trim().strip_prefix("JSESSIONID="))
        .next();
    HeaderValue::from_str(&format!("JSESSIONID={}; path=/", known.unwrap_or("dummy"))).ok()
}

/// An `Expires` field a year from now.
fn expires() -> Option<(HeaderName, HeaderValue)> {
    let then = SystemTime::now() + Duration::from_secs(YEAR);
    Some((
        EXPIRES,
        HeaderValue::from_str(&httpdate::fmt_http_date(then)).ok()?,
    ))
}
