//! The names that both halves use, and how a client says what it has seen.

use serde::Deserialize;
use serde_json::Value;

use crate::mail::{Cursor, NotOne};
use crate::wire::sockjs::AFTER;

/// Where its services are.
pub const PREFIX: &str = "/sockjs";

/// What is tried, by the names that the original's client has for them.
pub const INFO: &str = "info";

pub const WEBSOCKET: &str = "websocket";

pub const XHR_STREAMING: &str = "xhr-streaming";

pub const XHR_POLLING: &str = "xhr-polling";

/// What a client says first: what it has seen, `after=7.k3f9`.
pub fn say_cursor(cursor: Cursor) -> String {
    format!("{AFTER}{cursor}")
}

/// The cursor that a client says, in that form or as JSON, `{"after":7}`; `None` if it says something else.
pub fn heard_cursor(text: &str) -> Option<Result<Cursor, NotOne>> {
    #[derive(Deserialize)]
    struct After {
        after: Value,
    }
    if let Some(cursor) = text.strip_prefix(AFTER) {
        return Some(cursor.parse());
    }
    let After { after } = serde_json::from_str(text).ok()?;
    Some(match after {
        Value::String(cursor) => cursor.parse(),
        other => other.to_string().parse(),
    })
}
