//! What a middlebox on the way leaves of the techniques (`--block`): who cannot exist behind it, and what
//! those hear who try.

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};

use crate::lang::text;
use crate::outcome::{Block, Scenario};

const REFUSAL: &str = "no WebSocket gets through here\n";

const WEBSOCKET: &str =
    text!("what is between client and server refuses to upgrade a connection (--block websocket)");
/// Why a stream over HTTP is of no use where mail is to arrive soon, or a silence to be noticed.
pub const STREAMING: &str =
    text!("what is between client and server holds an answer back until it is over (--block streaming)");

/// Why nothing that needs a WebSocket can exist, if it cannot.
pub fn websocket(scenario: &Scenario) -> Option<&'static str> {
    scenario.blocks(Block::Websocket).then_some(WEBSOCKET)
}

/// Whether a stream over HTTP arrives only when it is over.
pub fn streaming(scenario: &Scenario) -> bool {
    scenario.blocks(Block::Streaming)
}

/// What a middlebox answers to whoever asks for a WebSocket.
pub fn refusal<B: From<&'static str>>() -> Response<B> {
    let mut response = Response::new(B::from(REFUSAL));
    *response.status_mut() = StatusCode::FORBIDDEN;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}
