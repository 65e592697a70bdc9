//! Fields of a response that depend on its request, above all those of a WebSocket's opening handshake (RFC
//! 6455, section 4).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha1::{Digest, Sha1};

use super::request::Request;
use super::unit::{Detail, Explained, hex};
use super::{fields, stomp};
use crate::lang::{Text, phrase};
use crate::wire::transcript::Piece;

/// What a server appends to a client's key (RFC 6455, section 1.3).
pub const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A header field of a response.
pub fn answer(line: &Piece, name: &str, value: &str, request: &Request) -> Explained {
    let part = fields::explain(line, name, value, request);
    match (name.to_ascii_lowercase().as_str(), &request.key, &request.offered) {
        ("sec-websocket-accept", Some(key), _) => part.with(accept(key, value)),
        ("sec-websocket-protocol", _, Some(offered)) => part.with(vec![
            Detail::new(
                "offered",
                offered.clone(),
                "what the client would speak, by preference",
            ),
            Detail::new("chosen", value, chosen(value)),
        ]),
        _ => part,
    }
}

/// The meaning of the chosen subprotocol.
fn chosen(name: &str) -> Text {
    match stomp::subprotocol(name) {
        Some(what) => phrase!("what both speak from here on: %{what}", what = what),
        None => "what both speak from here on".into(),
    }
}

/// How the answer to a key is calculated (RFC 6455, section 4.2.2, item 5.4).
fn accept(key: &str, value: &str) -> Vec<Detail> {
    let joined = format!("{key}{GUID}");
    let digest = Sha1::digest(joined.as_bytes());
    let encoded = BASE64_STANDARD.encode(digest);
    let verdict = if encoded == value {
        "as the field says: the server has read this very request and speaks WebSocket"
    } else {
        "NOT what the field says: the client must drop the connection"
    };
    vec![
        Detail::new("key", key, "Sec-WebSocket-Key of the request, as it stands").random(),
        Detail::new(
            "+ GUID",
            joined,
            "a constant that nobody else appends (section 1.3)",
        )
        .random(),
        Detail::new("SHA-1", hex(&digest), "20 bytes (FIPS 180-4, section 6.1)").random(),
        Detail::new("base64", encoded, verdict).random(),
    ]
}
