//! The opening handshake, both sides, for every technique that upgrades: the request, reasons to refuse it,
//! and the answer (RFC 6455, section 4; on HTTP/2 RFC 8441, section 5).
//!
//! A list field is read over all its lines and split at commas (RFC 9110, section 5.3); the tokens of
//! `Connection` and `Upgrade` are compared without case.

use std::convert::Infallible;
use std::fmt;
use std::future::pending;

use anyhow::{anyhow, bail, ensure};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use http::header::{
    CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{Method, Request, Response, StatusCode, Version};
use http_body_util::Empty;
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper::ext::Protocol;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::super::cookies::Cookies;
use super::super::headers::{Headers, Purpose};
use super::super::origin::Origin;
use super::super::reconnect::{self, ComeBackLater};
use super::super::stream::Stream;

/// The version of WebSocket that the RFC describes.
pub const VERSION: &str = "13";

/// The longest head of an answer that a client reads, bytes.
const MAX_HEAD: usize = 64 * 1024;

/// Why a request is not an opening handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It uses HTTP/1.0, or is not a GET.
    Http,
    /// `Upgrade` does not name `websocket`.
    Upgrade,
    /// `Connection` does not name `upgrade`.
    Connection,
    /// A CONNECT that does not open a WebSocket.
    Protocol,
    /// `Sec-WebSocket-Version` is none of the supported versions.
    Version,
    /// `Sec-WebSocket-Version` appears twice.
    Versions,
    /// `Sec-WebSocket-Key` is missing, appears twice, or is not 16 bytes in base64.
    Key,
    /// `Sec-WebSocket-Protocol` is not a list of tokens, each named once.
    Subprotocols,
    /// `Sec-WebSocket-Extensions` is not a list of extensions.
    Extensions,
    /// It has a body, whose bytes would be read as frames.
    Body,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Flaw::Http => "it must be a GET of HTTP/1.1",
            Flaw::Upgrade => "Upgrade must name websocket",
            Flaw::Connection => "Connection must name upgrade",
            Flaw::Protocol => "only a WebSocket can be opened with CONNECT here",
            Flaw::Version => "Sec-WebSocket-Version must be 13",
            Flaw::Versions => "Sec-WebSocket-Version must appear once",
            Flaw::Key => "Sec-WebSocket-Key must appear once, and be 16 bytes in base64",
            Flaw::Subprotocols => "Sec-WebSocket-Protocol must be a list of tokens, each named once",
            Flaw::Extensions => "Sec-WebSocket-Extensions must be a list of extensions",
            Flaw::Body => "it must have no body",
        })
    }
}

/// The non-empty items of a list field, in order.
pub fn items<'h>(fields: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h [u8]> {
    let lines = fields.get_all(name).into_iter();
    lines
        .flat_map(|line| line.as_bytes().split(|b| *b == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|item| !item.is_empty())
}

/// Whether a list field contains a token, in upper or lower case.
pub fn lists(fields: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    items(fields, name).any(|item| item.eq_ignore_ascii_case(token.as_bytes()))
}

/// The value of a field that appears exactly once.
fn once<'h>(fields: &'h HeaderMap, name: &HeaderName) -> Option<&'h HeaderValue> {
    let mut lines = fields.get_all(name).into_iter();
    lines.next().filter(|_| lines.next().is_none())
}

/// Checks a request against the RFC; `versions` are the supported versions of WebSocket.
///
/// # Errors
/// The first flaw found.
pub fn check<B: Body>(request: &Request<B>, versions: &[&str]) -> Result<(), Flaw> {
    let fields = request.headers();
    if request.method() == Method::CONNECT {
        let protocol = request.extensions().get::<Protocol>().map(Protocol::as_str);
        require(
            protocol.is_some_and(|p| p.eq_ignore_ascii_case("websocket")),
            Flaw::Protocol,
        )?;
        check_version(fields, &[VERSION])?;
    } else {
        asks_for_upgrade(request)?;
        check_version(fields, versions)?;
        require(once(fields, &SEC_WEBSOCKET_KEY).is_some_and(is_key), Flaw::Key)?;
        require(request.body().is_end_stream(), Flaw::Body)?;
    }
    check_offers(fields)
}

/// Checks that a request asks for an upgrade to WebSocket, of any version.
///
/// # Errors
/// If it does not.
pub fn asks_for_upgrade<B>(request: &Request<B>) -> Result<(), Flaw> {
    let fields = request.headers();
    let may_upgrade = request.method() == Method::GET && request.version() >= Version::HTTP_11;
    require(may_upgrade, Flaw::Http)?;
    require(lists(fields, &UPGRADE, "websocket"), Flaw::Upgrade)?;
    require(lists(fields, &CONNECTION, "upgrade"), Flaw::Connection)
}

fn require(holds: bool, flaw: Flaw) -> Result<(), Flaw> {
    if holds { Ok(()) } else { Err(flaw) }
}

fn check_version(fields: &HeaderMap, versions: &[&str]) -> Result<(), Flaw> {
    let said = fields.get(SEC_WEBSOCKET_VERSION).ok_or(Flaw::Version)?;
    require(once(fields, &SEC_WEBSOCKET_VERSION).is_some(), Flaw::Versions)?;
    require(versions.iter().any(|v| said == v), Flaw::Version)
}

/// Checks that the client's offers are well formed (sections 4.2.1, 4.3 and 9.1), accepted or not.
fn check_offers(fields: &HeaderMap) -> Result<(), Flaw> {
    let mut subprotocols: Vec<&[u8]> = items(fields, &SEC_WEBSOCKET_PROTOCOL).collect();
    let all = subprotocols.len();
    let offers = |name: &HeaderName| fields.contains_key(name);
    let tokens =
        subprotocols.iter().all(|name| is_token(name)) && (all > 0 || !offers(&SEC_WEBSOCKET_PROTOCOL));
    subprotocols.sort_unstable();
    subprotocols.dedup();
    require(tokens && subprotocols.len() == all, Flaw::Subprotocols)?;
    let mut extensions = items(fields, &SEC_WEBSOCKET_EXTENSIONS).peekable();
    let some = extensions.peek().is_some() || !offers(&SEC_WEBSOCKET_EXTENSIONS);
    require(some && extensions.all(is_extension), Flaw::Extensions)
}

/// Whether this is an extension with its parameters: `name; parameter; parameter=value` (section 9.1). A
/// quoted value has to be a token, so it contains no comma.
fn is_extension(item: &[u8]) -> bool {
    let mut parts = item.split(|b| *b == b';').map(<[u8]>::trim_ascii);
    let unquoted = |value: &[u8]| {
        let inside = value.strip_prefix(b"\"").and_then(|v| v.strip_suffix(b"\""));
        is_token(inside.unwrap_or(value))
    };
    parts.next().is_some_and(is_token)
        && parts.all(|part| match part.iter().position(|b| *b == b'=') {
            Some(at) => is_token(part[..at].trim_ascii()) && unquoted(part[at + 1..].trim_ascii()),
            None => is_token(part),
        })
}

/// A token (RFC 9110, section 5.6.2).
fn is_token(bytes: &[u8]) -> bool {
    let mark = |b| b"!#$%&'*+-.^_`|~".contains(b);
    !bytes.is_empty() && bytes.iter().all(|b| b.is_ascii_alphanumeric() || mark(b))
}

/// Whether a key is 16 bytes in base64. The unused bits of base64 need not be 0: they are not in the RFC's
/// own example (section 4.1).
fn is_key(key: &HeaderValue) -> bool {
    const BASE64: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
    );
    BASE64.decode(key).is_ok_and(|bytes| bytes.len() == 16)
}

/// The status and fields of the answer that accepts a request (section 4.2.2); HTTP/2 needs no fields.
pub fn acceptance<B>(request: &Request<B>) -> (StatusCode, HeaderMap) {
    if request.method() == Method::CONNECT {
        return (StatusCode::OK, HeaderMap::new());
    }
    (StatusCode::SWITCHING_PROTOCOLS, accepted(request.headers()))
}

/// The fields of the answer that accepts an upgrade request with these fields.
pub fn accepted(asked: &HeaderMap) -> HeaderMap {
    let mut ours = HeaderMap::from_iter([
        (CONNECTION, HeaderValue::from_static("Upgrade")),
        (UPGRADE, HeaderValue::from_static("websocket")),
    ]);
    ours.extend(accept_key(asked).map(|accept| (SEC_WEBSOCKET_ACCEPT, accept)));
    ours
}

/// The proof that the server has read the key.
fn accept_key(asked: &HeaderMap) -> Option<HeaderValue> {
    let key = asked.get(SEC_WEBSOCKET_KEY)?;
    HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok()
}

/// The request that opens a WebSocket at `target`. `subprotocols` are offered, separated by commas.
///
/// # Errors
/// If the target, the origin or the subprotocols cannot be written in a request.
pub fn request(
    origin: &Origin,
    headers: &Headers,
    target: &str,
    subprotocols: Option<&str>,
) -> anyhow::Result<Request<Empty<Bytes>>> {
    let mut request = Request::builder()
        .uri(target)
        .header(HOST, &origin.authority)
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_VERSION, VERSION)
        .header(SEC_WEBSOCKET_KEY, generate_key())
        .body(Empty::new())?;
    let fields = request.headers_mut();
    if let Some(offer) = subprotocols {
        fields.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_str(offer)?);
    }
    for (name, value) in headers.request(Purpose::WebSocket, origin) {
        if name == HOST {
            fields.insert(name, value);
        } else {
            fields.append(name, value);
        }
    }
    Ok(request)
}

/// A connection after its server has accepted.
pub struct Opened {
    /// The connection.
    pub stream: Stream,
    /// Bytes read after the answer: the server's first frames.
    pub read: Bytes,
    /// The subprotocol that the server chose.
    pub subprotocol: Option<HeaderValue>,
}

/// The server did not accept the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server answered {0}")]
pub struct NotSwitched(pub StatusCode);

/// Does the client's side of the handshake on a connection, and closes it if the server does not accept. The request
/// takes the client's cookie along.
///
/// # Errors
/// If the server refuses, or its answer is one that the RFC tells a client to reject.
pub async fn open(
    stream: Stream,
    mut request: Request<Empty<Bytes>>,
    cookies: &Cookies,
) -> anyhow::Result<Opened> {
    cookies.put(request.headers_mut());
    let asked = request.headers().clone();
    let (mut http, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .handshake(TokioIo::new(stream))
        .await?;
    let opened = async move {
        let response = http.send_request(request).await?;
        cookies.keep(response.headers());
        let subprotocol = check_upgrade(&asked, &response)?;
        let upgraded = hyper::upgrade::on(response).await?;
        let parts = upgraded.downcast::<TokioIo<Stream>>();
        let parts = parts.map_err(|_| anyhow!("the connection is not the one that was opened"))?;
        Ok(Opened {
            stream: parts.io.into_inner(),
            read: parts.read_buf,
            subprotocol,
        })
    };
    // Ends when the connection is handed over, or with an error that the request reports as well.
    let carried = async move {
        let _ = connection.with_upgrades().await;
        pending::<Infallible>().await
    };
    tokio::select! {
        biased;
        opened = opened => opened,
        never = carried => match never {},
    }
}

/// Checks an answer against section 4.1; returns the subprotocol that the server chose.
fn check_upgrade(asked: &HeaderMap, response: &Response<Incoming>) -> anyhow::Result<Option<HeaderValue>> {
    let fields = response.headers();
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        if let Some(wait) = reconnect::retry_after(response.status(), fields) {
            return Err(ComeBackLater(wait).into());
        }
        bail!(NotSwitched(response.status()));
    }
    let mut protocols = items(fields, &UPGRADE).peekable();
    ensure!(
        protocols.peek().is_some() && protocols.all(|p| p.eq_ignore_ascii_case(b"websocket")),
        "the server's Upgrade is not websocket"
    );
    ensure!(
        lists(fields, &CONNECTION, "upgrade"),
        "the server's Connection does not name upgrade"
    );
    ensure!(
        once(fields, &SEC_WEBSOCKET_ACCEPT) == accept_key(asked).as_ref(),
        "the server's Sec-WebSocket-Accept is not the answer to our key"
    );
    chosen(asked, fields)
}

/// The subprotocol that the server chose from the offer. Extensions are never offered.
///
/// # Errors
/// If it chose something that was not offered (section 4.1, the last two items).
pub fn chosen(asked: &HeaderMap, answered: &HeaderMap) -> anyhow::Result<Option<HeaderValue>> {
    if let Some(extension) = answered.get(SEC_WEBSOCKET_EXTENSIONS) {
        bail!("the server uses an extension that was not offered: {extension:?}");
    }
    let Some(subprotocol) = answered.get(SEC_WEBSOCKET_PROTOCOL) else {
        return Ok(None);
    };
    let offered = items(asked, &SEC_WEBSOCKET_PROTOCOL).any(|name| name == subprotocol.as_bytes());
    ensure!(
        offered && once(answered, &SEC_WEBSOCKET_PROTOCOL).is_some(),
        "the server speaks a subprotocol that was not offered: {subprotocol:?}"
    );
    Ok(Some(subprotocol.clone()))
}
