//! What a middlebox on the way leaves of the techniques (`--block`): who cannot exist behind it, and what
//! its refusal costs those who try.

use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Response, StatusCode};

use super::Setting;
use super::bill::Bill;
use super::heads::Length;
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
    *response.headers_mut() = refusal_fields();
    response
}

fn refusal_fields() -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("text/plain"))])
}

/// Charges that answer.
pub fn charge_refusal(bill: &mut Bill, setting: &Setting) {
    let length = REFUSAL.len() as u64;
    let head = bill
        .heads
        .response(403, "Forbidden", &refusal_fields(), Length::Known(length));
    let body = length as f64 + Bill::in_frames(setting, length as f64);
    bill.down.head += head;
    bill.down.control += body;
    bill.seal_down(1.0, head + body);
}
