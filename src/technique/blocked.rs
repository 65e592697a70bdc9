//! What a middlebox on the way blocks (`--block`): which techniques cannot work behind it, and what answer
//! their clients get.

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};

use crate::lang::text;
use crate::outcome::{Block, HttpVersion, Proxy, Scenario, Upgrade};

const REFUSAL: &str = "no WebSocket gets through here\n";

const WEBSOCKET: &str =
    text!("what is between client and server refuses to upgrade a connection (--block websocket)");
/// Why HTTP streaming is useless where mail should arrive soon or a silence should be noticed.
const STREAMING: &str =
    text!("what is between client and server holds an answer back until it is over (--block streaming)");
const COLLECTED: &str = text!("a proxy on the way collects an answer before it passes it on (--proxy)");

const IGNORED: &str = text!("a proxy on the way passes the request on without its Upgrade field (--proxy)");
const REFUSED: &str = text!("a proxy on the way refuses to upgrade a connection (--proxy)");
const OLD: &str =
    text!("a proxy on the way asks the server in HTTP/1.0, in which no connection is upgraded (--proxy)");
const NOT_HTTP: &str = text!("a proxy on the way passes on HTTP and nothing else (--proxy)");
const OVER_HTTP2: &str =
    text!("a proxy on the way passes on no WebSocket that is asked for over HTTP/2 (--proxy, --http 2)");
const BALANCED_HTTP: &str =
    text!("the balancer chooses a server for each HTTP request, and passes on nothing else (--servers)");
const BALANCED_HTTP2: &str =
    text!("the balancer passes on no WebSocket that is asked for over HTTP/2 (--servers, --http 2)");

/// Why a technique that needs a WebSocket cannot work in a scenario, if it cannot.
pub fn websocket(scenario: &Scenario) -> Option<&'static str> {
    let over_http2 = scenario.http == HttpVersion::Http2;
    let refuses = |proxy: &Proxy| match proxy.settings.upgrade {
        Upgrade::Refused => Some(REFUSED),
        Upgrade::Ignored => Some(IGNORED),
        Upgrade::Forwarded if proxy.settings.upstream == HttpVersion::Http10 => Some(OLD),
        Upgrade::Forwarded => over_http2.then_some(OVER_HTTP2),
    };
    let blocked = scenario.blocks(Block::Websocket).then_some(WEBSOCKET);
    let blocked = blocked.or((scenario.is_balanced() && over_http2).then_some(BALANCED_HTTP2));
    blocked.or_else(|| scenario.proxy.iter().find_map(refuses))
}

/// Why a protocol that is not HTTP cannot work in a scenario, if it cannot.
pub fn raw(scenario: &Scenario) -> Option<&'static str> {
    let balanced = scenario.is_balanced().then_some(BALANCED_HTTP);
    let proxied = (!scenario.proxy.is_empty()).then_some(NOT_HTTP);
    balanced.or(proxied)
}

/// Why an HTTP stream that asks not to be collected (`X-Accel-Buffering: no`) does not bring mail in
/// time, if it does not.
pub fn why_held_back(scenario: &Scenario) -> Option<&'static str> {
    if scenario.blocks(Block::Streaming) {
        return Some(STREAMING);
    }
    // From the server to the client. A proxy that may collect answers does not pass the hint on.
    let mut hinted = true;
    let holds = scenario.proxy.iter().rev().any(|proxy| {
        let holds = proxy.settings.holds_back(hinted);
        hinted &= proxy.settings.buffer_bytes.is_none();
        holds
    });
    holds.then_some(COLLECTED)
}

/// Whether such a stream is held back.
pub fn streaming(scenario: &Scenario) -> bool {
    why_held_back(scenario).is_some()
}

/// A middlebox's answer to a request for a WebSocket.
pub fn refusal<B: From<&'static str>>() -> Response<B> {
    let mut response = Response::new(B::from(REFUSAL));
    *response.status_mut() = StatusCode::FORBIDDEN;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}
