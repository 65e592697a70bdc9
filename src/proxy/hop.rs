//! One proxy: takes a request, asks what is behind it, and passes the answer on.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderValue, UPGRADE};
use http::uri::{Authority, Scheme};
use http::{Method, Response, StatusCode, Uri, Version};
use hyper::upgrade::OnUpgrade;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};

use super::conditions::pass;
use super::counts::Counts;
use super::headers::{self, HINT};
use super::in_use::InUse;
use super::passing::Passing;
use super::tunnel::tunnel;
use super::upstream::{Connector, Dial};
use crate::clock;
use crate::outcome::{HttpVersion, ProxySettings, Upgrade};

/// What a client is told when its request was passed on, and nothing came back.
const SILENT: &str = "the server does not answer\n";

/// No connection to what is behind a proxy could be opened.
#[derive(Clone, Copy, Debug)]
pub struct NotReached;

/// A proxy in front of something.
#[derive(Clone)]
pub struct Hop {
    settings: Arc<ProxySettings>,
    counts: Arc<Counts>,
    behind: Client<Connector, Body>,
}

impl fmt::Debug for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.fmt(f)
    }
}

impl Hop {
    /// A proxy in front of what `dial` connects to.
    pub fn new(settings: ProxySettings, counts: Arc<Counts>, dial: Dial) -> Hop {
        let mut builder = Client::builder(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .set_host(false);
        if !settings.keep_alive || settings.upstream == HttpVersion::Http10 {
            builder.pool_max_idle_per_host(0);
        }
        let connector = Connector {
            dial,
            counts: counts.clone(),
        };
        Hop {
            settings: Arc::new(settings),
            counts,
            behind: builder.build(connector),
        }
    }

    /// It as a service.
    pub fn into_router(self) -> Router {
        let service = tower::service_fn(move |request: Request| {
            let hop = self.clone();
            async move { Ok::<_, Infallible>(hop.forward(request).await) }
        });
        Router::new().fallback_service(service)
    }

    async fn forward(&self, request: Request) -> Response<Body> {
        self.counts.requests.add(1);
        let asked = self.ask(request, InUse::default()).await;
        asked.unwrap_or_else(|NotReached| plain(StatusCode::BAD_GATEWAY, SILENT))
    }

    /// Passes a request on, and returns the answer as the client gets it. `in_use` is kept until the tunnel that the
    /// request opens has ended, or until the answer's body has.
    ///
    /// # Errors
    /// If no connection can be opened: then the request has gone nowhere.
    pub async fn ask(&self, mut request: Request, in_use: InUse) -> Result<Response<Body>, NotReached> {
        let switches = request.method() == Method::CONNECT || request.headers().contains_key(UPGRADE);
        // In HTTP/1.0 there is no such request (RFC 9110, section 7.8).
        let can = self.settings.upstream == HttpVersion::Http11 && request.version() == Version::HTTP_11;
        let upgrades = switches && can && self.settings.upgrade == Upgrade::Forwarded;
        if switches && !upgrades {
            self.counts.refused_upgrades.add(1);
            if self.settings.upgrade == Upgrade::Refused || request.method() == Method::CONNECT {
                let refusal = "this proxy does not switch protocols\n";
                return Ok(plain(StatusCode::FORBIDDEN, refusal));
            }
        }
        let client = request.extensions_mut().remove::<OnUpgrade>();
        let accepts_gzip = headers::accepts_gzip(request.headers());
        let Some(asked) = self.asked(request, upgrades) else {
            let refusal = "the target of this request is not a path\n";
            return Ok(plain(StatusCode::BAD_REQUEST, refusal));
        };
        let asking = self.behind.request(asked);
        let asking = match self.settings.idle() {
            Some(idle) => clock::timeout(idle, asking).await,
            None => Some(asking.await),
        };
        let answer = match asking {
            Some(Ok(answer)) => answer,
            Some(Err(e)) if e.is_connect() => return Err(NotReached),
            Some(Err(_)) => return Ok(plain(StatusCode::BAD_GATEWAY, SILENT)),
            None => {
                self.counts.idle.add(1);
                let silence = "the server was silent for too long\n";
                return Ok(plain(StatusCode::GATEWAY_TIMEOUT, silence));
            }
        };
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(self.switched(answer.map(Body::new), client, in_use));
        }
        let answer = self.answered(answer.map(Body::new), accepts_gzip).await;
        Ok(in_use.until_the_end_of(answer))
    }

    /// The request as the server gets it; `None` if it has no path.
    fn asked(&self, request: Request, upgrades: bool) -> Option<http::Request<Body>> {
        let (mut parts, body) = request.into_parts();
        let upgrade = parts.headers.get(UPGRADE).cloned();
        headers::remove_hop_by_hop(&mut parts.headers);
        headers::name_host(&mut parts.headers, parts.uri.authority());
        if let (true, Some(upgrade)) = (upgrades, upgrade) {
            parts
                .headers
                .insert(CONNECTION, HeaderValue::from_static("upgrade"));
            parts.headers.insert(UPGRADE, upgrade);
        }
        let mut asked = http::Request::new(body);
        *asked.version_mut() = match self.settings.upstream {
            HttpVersion::Http10 => Version::HTTP_10,
            HttpVersion::Http11 | HttpVersion::Http2 => Version::HTTP_11,
        };
        // There is one server behind it, whatever its name: every connection is one of `dial`.
        let mut uri = parts.uri.into_parts();
        uri.scheme = Some(Scheme::HTTP);
        uri.authority = Some(Authority::from_static("behind"));
        *asked.uri_mut() = Uri::from_parts(uri).ok()?;
        *asked.method_mut() = parts.method;
        *asked.headers_mut() = parts.headers;
        Some(asked)
    }

    /// An answer that opens a tunnel.
    fn switched(
        &self,
        mut answer: Response<Body>,
        client: Option<OnUpgrade>,
        in_use: InUse,
    ) -> Response<Body> {
        self.counts.tunnels.add(1);
        let server = hyper::upgrade::on(&mut answer);
        let hop = self.clone();
        tokio::spawn(async move {
            let _in_use = in_use;
            let Some(client) = client else { return };
            if let (Ok(client), Ok(server)) = tokio::join!(client, server) {
                let (client, server) = (TokioIo::new(client), TokioIo::new(server));
                tunnel(client, server, &hop.settings, hop.counts).await;
            }
        });
        let mut passed = Response::new(Body::empty());
        *passed.status_mut() = answer.status();
        *passed.headers_mut() = std::mem::take(answer.headers_mut());
        passed
    }

    /// An answer as the client gets it.
    async fn answered(&self, mut answer: Response<Body>, accepts_gzip: bool) -> Response<Body> {
        let passing = Passing {
            settings: self.settings.clone(),
            counts: self.counts.clone(),
            accepts_gzip,
            head_bytes: headers::head_bytes(&answer),
            in_chunks: headers::is_in_chunks(&answer),
            hinted: headers::is_hinted(answer.headers()),
        };
        headers::remove_hop_by_hop(answer.headers_mut());
        if self.settings.buffer_bytes.is_some() {
            answer.headers_mut().remove(HINT);
        }
        let mut passed = pass(&passing, answer).await;
        *passed.version_mut() = Version::HTTP_11;
        if !self.settings.chunked && !passed.headers().contains_key(CONTENT_LENGTH) {
            // Without chunks and length, the end of the connection is the answer's end.
            *passed.version_mut() = Version::HTTP_10;
        }
        passed
    }
}

/// An answer of the proxy's own.
pub fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain");
    response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    response
}
