//! Access control in front of all routes: it decides which requests a server answers.
//!
//! A browser lets any page send requests to any server, even to one that only this machine can reach. Two
//! rules keep the pages of other sites away from a mailbox:
//!
//! - *DNS rebinding*: a page of `http://evil.example` makes that name resolve to 127.0.0.1. For its
//!   browser, it then has the same origin as the server. But the browser still sends the name. So the host
//!   that a request names (`Host`, RFC 9110, section 7.2; `:authority`, RFC 9113, section 8.3.1) must be an
//!   IP address, `localhost`, or a name that was allowed. Ports are not compared.
//! - *Cross-origin requests*: a request is foreign if its `Origin` (RFC 6454, section 7) is not that of the
//!   host it names, or if `Sec-Fetch-Site` (W3C Fetch Metadata, section 2.4) is `cross-site` or
//!   `same-site`, which is the only sign in a `<script>`'s request. Foreign requests are refused with 403,
//!   whatever they ask for, unless their origin was allowed.
//!
//! One kind of foreign request is let through: a link to the page at `/` that opens it in a window of its
//! own. The user sees the page, and the page that holds the link can read nothing of it.
//!
//! Pages of an allowed origin get the answers that CORS defines (WHATWG Fetch, section 3.3). This includes
//! the preflight, which a browser sends before, say, a request with a header field that the page has added:
//!
//! ```text
//! browser                                   server
//!   | OPTIONS /mail                           |
//!   |   Origin: http://localhost:3000         |
//!   |   Access-Control-Request-Method: POST   |
//!   |---------------------------------------->|
//!   |   204                                   |
//!   |   Access-Control-Allow-Origin: http://localhost:3000
//!   |   Access-Control-Allow-Methods: POST    |
//!   |<----------------------------------------|
//!   | POST /mail                              |
//!   |---------------------------------------->|
//! ```
//!
//! Where no origin is allowed, as in every run, answers have no CORS fields.
//!
//! Requests that are not valid HTTP are refused here too, with 400 or 501, because every request passes here.

mod request;
mod site;

use std::future::ready;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use futures_util::TryFutureExt;
use futures_util::future::BoxFuture;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HOST, HeaderMap, HeaderName,
    HeaderValue, ORIGIN, REFERER, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{Method, StatusCode, Version};
use tower::Service;
use tower::layer::layer_fn;

use request::Refused;
pub use site::{Allowed, Host};
use site::{Authority, PageOrigin};

use crate::technique::Headers;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const REQUEST_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-allow-private-network");

/// The path of the only page that is meant for people. All other answers are for programs.
const PAGE: &str = "/";

/// How long a browser may cache the answer to a preflight, in seconds.
const REMEMBERED: &str = "600";

/// The end of a refusal: which hosts a request may name.
const ALLOWED: &str = "Allowed are IP addresses, localhost, and the names given with --allow-host";

/// The most bytes that a refusal quotes of what a client sent.
const QUOTED: usize = 200;

/// Whose requests are answered, in addition to those of the server's own pages and of clients other than browsers.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// The names that a request may use for the server, in addition to `localhost`.
    hosts: Vec<Host>,
    /// The origins whose pages may use the server.
    origins: Vec<Allowed>,
    /// Whether clients connect over TLS.
    encrypts: bool,
    replayed: Vec<Replayed>,
}

/// What a captured request says about its target and its origin.
#[derive(Clone, Debug)]
struct Replayed {
    host: Option<Authority>,
    origin: Option<HeaderValue>,
    site: Option<HeaderValue>,
}

impl Replayed {
    fn of(fields: &[(HeaderName, HeaderValue)]) -> Replayed {
        let value = |wanted| Some(fields.iter().find(|(name, _)| name == wanted)?.1.clone());
        Replayed {
            host: value(HOST).and_then(|host| Authority::read(host.to_str().ok()?)),
            origin: value(ORIGIN),
            site: value(SEC_FETCH_SITE),
        }
    }

    /// Whether a request is this one, replayed.
    fn is(&self, asked: &Asked) -> bool {
        let same = |ours: &Option<HeaderValue>, name| asked.fields.get(name) == ours.as_ref();
        let host = self.host.as_ref();
        // On HTTP/2, `:authority` is where the connection goes: clients of ours may leave the captured one out.
        (asked.over_http2 || host.is_none_or(|host| asked.hosts.contains(&Ok(host.clone()))))
            && same(&self.origin, ORIGIN)
            && same(&self.site, SEC_FETCH_SITE)
    }
}

/// What a request says about its target and its origin.
struct Asked<'a> {
    /// The hosts that it names, the request target's first. `Err` quotes a host that cannot be read.
    hosts: Vec<Result<Authority, String>>,
    fields: &'a HeaderMap,
    over_http2: bool,
    page: bool,
}

impl<'a> Asked<'a> {
    fn of(request: &'a Request) -> Asked<'a> {
        let target = request.uri().authority().map(|a| a.as_str().as_bytes());
        let fields = request.headers().get_all(HOST).into_iter();
        let named = target.into_iter().chain(fields.map(HeaderValue::as_bytes));
        let read = |host: &[u8]| {
            let text = std::str::from_utf8(host).ok();
            text.and_then(Authority::read).ok_or_else(|| quoted(host))
        };
        Asked {
            hosts: named.map(read).collect(),
            fields: request.headers(),
            over_http2: request.version() == Version::HTTP_2,
            page: is_link(request),
        }
    }

    /// The origin of the page that sent the request, if its browser says so: requests of a `<script>` or a
    /// frame have no `Origin`, but in most cases a `Referer`.
    fn source(&self) -> Option<PageOrigin> {
        let text = |name| self.fields.get(name)?.to_str().ok();
        match self.fields.contains_key(ORIGIN) {
            true => PageOrigin::read(text(ORIGIN)?),
            false => PageOrigin::of_url(text(REFERER)?),
        }
    }

    fn is_cross_site(&self) -> bool {
        let mut sites = self.fields.get_all(SEC_FETCH_SITE).iter();
        sites.any(|site| {
            [&b"cross-site"[..], b"same-site"]
                .iter()
                .any(|s| site.as_bytes().eq_ignore_ascii_case(s))
        })
    }
}

/// Whether the request only opens the page in a window (W3C Fetch Metadata, sections 2.2 and 2.3): a frame
/// would be part of a foreign page.
fn is_link(request: &Request) -> bool {
    let is = |name, value| request.headers().get(name).is_some_and(|v| v == value);
    let in_a_window = !request.headers().contains_key(SEC_FETCH_DEST) || is(SEC_FETCH_DEST, "document");
    request.method() == Method::GET
        && request.uri().path() == PAGE
        && is(SEC_FETCH_MODE, "navigate")
        && in_a_window
}

impl Access {
    /// Allows requests that use one of these names or `localhost`, and the pages of these origins;
    /// `encrypts` says whether clients connect over TLS.
    pub fn new(hosts: Vec<Host>, origins: Vec<Allowed>, encrypts: bool) -> Access {
        Access {
            hosts,
            origins,
            encrypts,
            replayed: Vec::new(),
        }
    }

    /// The access of a run whose clients replay captured requests: the hosts and origins in them are not
    /// those of this server.
    pub fn replaying(headers: &Headers, encrypts: bool) -> Access {
        Access {
            encrypts,
            replayed: headers.replayed().map(Replayed::of).collect(),
            ..Access::default()
        }
    }

    /// Puts access control in front of routes.
    pub fn before(self, routes: Router) -> Router {
        let access = Arc::new(self);
        routes.layer(layer_fn(move |routes| Guarded {
            routes,
            access: access.clone(),
        }))
    }

    /// Decides on a request: `Ok` holds the foreign origin that it is let through for, if any; `Err` says why not.
    fn judge(&self, asked: &Asked) -> Result<Option<HeaderValue>, Refused> {
        self.check_hosts(asked)?;
        let mut origins = asked.fields.get_all(ORIGIN).iter();
        let origin = origins.next();
        if origins.next().is_some() {
            return Err(foreign("a request has one Origin, and this one has several"));
        }
        let own = origin.is_none_or(|_| {
            let server = asked.hosts.first().and_then(|host| host.as_ref().ok());
            let source = asked.source();
            server.is_some_and(|server| source.is_some_and(|page| page.is_of(server, self.encrypts)))
        });
        if own && !asked.is_cross_site() || asked.page || self.replayed.iter().any(|r| r.is(asked)) {
            return Ok(None);
        }
        match self.allows(asked, origin) {
            true => Ok(origin.cloned()),
            false => Err(foreign(why_foreign(asked, origin))),
        }
    }

    fn check_hosts(&self, asked: &Asked) -> Result<(), Refused> {
        if let Some(quoted) = asked.hosts.iter().find_map(|host| host.as_ref().err()) {
            return Err(Refused::bad(format!(
                "the host \"{quoted}\" is no host\n{ALLOWED}"
            )));
        }
        let replayed: Vec<_> = self.replayed.iter().filter_map(|r| r.host.as_ref()).collect();
        let is_ours = |host: &Authority| match &host.host {
            Host::Address(_) => true,
            Host::Name(name) => {
                name == "localhost" || self.hosts.contains(&host.host) || replayed.contains(&host)
            }
        };
        let mut named = asked.hosts.iter().flatten();
        match named.find(|host| !is_ours(host)) {
            Some(Authority { host, .. }) => Err(foreign(format!(
                "the host {host} is not a name of this server: mailcall serve --allow-host {host} makes it \
                 one\n{ALLOWED}"
            ))),
            None => Ok(()),
        }
    }

    fn allows(&self, asked: &Asked, origin: Option<&HeaderValue>) -> bool {
        self.origins.iter().any(|allowed| match allowed {
            Allowed::All => true,
            Allowed::Null => origin.is_some_and(|o| o == "null"),
            Allowed::Of(page) => asked.source().as_ref() == Some(page),
        })
    }

    /// Adds the CORS fields to an answer (WHATWG Fetch, section 3.3.3). They repeat the origin, because
    /// with `*` a browser hides the answer from a page that also sends cookies, as SockJS's clients do.
    fn tell(&self, origin: Option<&HeaderValue>, fields: &mut HeaderMap) {
        if self.origins.is_empty() {
            return;
        }
        fields.append(VARY, HeaderValue::from_static("Origin"));
        // The header profile may have captured such fields.
        fields.remove(ACCESS_CONTROL_ALLOW_ORIGIN);
        fields.remove(ACCESS_CONTROL_ALLOW_CREDENTIALS);
        if let Some(origin) = origin {
            fields.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            fields.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        } else if self.origins.contains(&Allowed::All) {
            fields.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        }
    }
}

/// Why a foreign request is refused, and which flag would allow it.
fn why_foreign(asked: &Asked, origin: Option<&HeaderValue>) -> String {
    let server = match asked.hosts.first() {
        Some(Ok(Authority {
            host,
            port: Some(port),
        })) => format!("{host}:{port}"),
        Some(Ok(Authority { host, port: None })) => host.to_string(),
        _ => "a host that it does not name".into(),
    };
    let (page, flag) = match (asked.source(), origin) {
        (Some(page), _) => (format!("a page of {page}"), format!("--allow-origin {page}")),
        (None, Some(origin)) if origin == "null" => (
            "a page without an origin of its own (Origin: null)".into(),
            "--allow-origin null".into(),
        ),
        (None, Some(origin)) => (
            format!("a page of \"{}\"", quoted(origin.as_bytes())),
            "--allow-origin '*', and nothing less,".into(),
        ),
        (None, None) => (
            "a page of another origin, of which neither Origin nor Referer says which,".into(),
            "--allow-origin '*', and nothing less,".into(),
        ),
    };
    format!(
        "{page} may not use this server, which the request calls {server}: mailcall serve {flag} allows it"
    )
}

/// What a client sent, cut short and escaped so that a refusal can quote it.
fn quoted(bytes: &[u8]) -> String {
    bytes[..bytes.len().min(QUOTED)].escape_ascii().to_string()
}

fn foreign(why: impl Into<String>) -> Refused {
    Refused(StatusCode::FORBIDDEN, why.into())
}

fn refuse(Refused(status, why): Refused) -> Response {
    let fields = [
        (CONTENT_TYPE, "text/plain; charset=utf-8"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-store"),
    ];
    (status, fields, format!("refused: {why}\n")).into_response()
}

/// Makes an answer the last one of its HTTP/1 connection: after an invalid request, what follows may be
/// invalid too.
fn hang_up(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Routes behind access control. It keeps nothing of a request while that is answered, which takes long for
/// a held one.
#[derive(Clone)]
struct Guarded<S> {
    routes: S,
    access: Arc<Access>,
}

impl<S> Service<Request> for Guarded<S>
where
    S: Service<Request, Response = Response>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.routes.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let (origin, early) = match request::check(&request) {
            Err(refused) => (None, Some(hang_up(refuse(refused)))),
            Ok(()) => match self.access.judge(&Asked::of(&request)) {
                Err(refused) => (None, Some(refuse(refused))),
                Ok(origin) => (origin, None),
            },
        };
        let preflight = origin.as_ref().and_then(|_| preflight(&request));
        let access = self.access.clone();
        let tell = move |mut response: Response| {
            if let Some(fields) = preflight {
                response = allow(response, fields);
            }
            access.tell(origin.as_ref(), response.headers_mut());
            response
        };
        match early {
            Some(response) => Box::pin(ready(Ok(tell(response)))),
            None => Box::pin(self.routes.call(request).map_ok(tell)),
        }
    }
}

/// The fields that answer a preflight (WHATWG Fetch, section 3.3.2); `None` if the request is not one. They
/// don't say whether the route and method exist: the request itself finds that out.
fn preflight(request: &Request) -> Option<HeaderMap> {
    let asked = request.headers();
    let method = asked
        .get(ACCESS_CONTROL_REQUEST_METHOD)
        .filter(|_| request.method() == Method::OPTIONS)?;
    let mut fields = HeaderMap::from_iter([(ACCESS_CONTROL_ALLOW_METHODS, method.clone())]);
    if let Some(names) = asked.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        fields.insert(ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
    }
    if asked.contains_key(REQUEST_PRIVATE_NETWORK) {
        fields.insert(ALLOW_PRIVATE_NETWORK, HeaderValue::from_static("true"));
    }
    for name in [ACCESS_CONTROL_REQUEST_METHOD, ACCESS_CONTROL_REQUEST_HEADERS] {
        fields.append(VARY, HeaderValue::from(name));
    }
    Some(fields)
}

/// Makes the answer to a preflight from the route's own. A route may answer preflights itself, to say how
/// long the answer may be cached (SockJS wants a year); any other answer to OPTIONS is about OPTIONS.
fn allow(answer: Response, fields: HeaderMap) -> Response {
    let mut answer = match answer.status() {
        StatusCode::NO_CONTENT => answer,
        _ => StatusCode::NO_CONTENT.into_response(),
    };
    let ours = answer.headers_mut();
    ours.entry(ACCESS_CONTROL_MAX_AGE)
        .or_insert(HeaderValue::from_static(REMEMBERED));
    ours.extend(fields);
    answer
}
