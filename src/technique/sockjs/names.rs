//! The names that both halves use, and the messages with the cursor.

use serde::Deserialize;
use serde_json::Value;

use crate::mail::{Cursor, NotOne};
use crate::wire::sockjs::AFTER;

/// The path of the SockJS services.
pub const PREFIX: &str = "/sockjs";

/// The request and the transports that a client tries, by their names in the original client.
pub const INFO: &str = "info";

pub const WEBSOCKET: &str = "websocket";

pub const XHR_STREAMING: &str = "xhr-streaming";

pub const XHR_POLLING: &str = "xhr-polling";

/// A client's first message: its cursor, `after=7.k3f9`.
pub fn say_cursor(cursor: Cursor) -> String {
    format!("{AFTER}{cursor}")
}

/// The cursor in a client's message, in this form or as JSON, `{"after":7}`; `None` for other messages.
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
