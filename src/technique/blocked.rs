//! What a middlebox on the way blocks (`--block`): which techniques cannot work behind it, and what answer
//! their clients get.

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};

use crate::lang::text;
use crate::outcome::{Block, Scenario};

const REFUSAL: &str = "no WebSocket gets through here\n";

const WEBSOCKET: &str =
    text!("what is between client and server refuses to upgrade a connection (--block websocket)");
/// Why HTTP streaming is useless where mail should arrive soon or a silence should be noticed.
pub const STREAMING: &str =
    text!("what is between client and server holds an answer back until it is over (--block streaming)");

/// Why a technique that needs a WebSocket cannot work in a scenario, if it cannot.
pub fn websocket(scenario: &Scenario) -> Option<&'static str> {
    scenario.blocks(Block::Websocket).then_some(WEBSOCKET)
}

/// Whether an HTTP stream is held back until it has ended.
pub fn streaming(scenario: &Scenario) -> bool {
    scenario.blocks(Block::Streaming)
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
