//! What a request says that its answer must be read with; first of all the opening handshake of a
//! WebSocket (RFC 6455, section 4).

use std::collections::VecDeque;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha1::{Digest, Sha1};

use super::super::Direction;
use super::super::layers::{Asks, Dialect, offers_stomp};
use super::super::transcript::Run;
use super::{Detail, Explained, fields, hex, stomp};
use crate::lang::{Text, phrase};

/// What a server appends to a client's key (RFC 6455, section 1.3).
pub(super) const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Requests kept until their answer.
const MAX_ASKED: usize = 64;

/// The requests that wait for an answer.
#[derive(Debug, Default)]
pub(super) struct Asked {
    waiting: VecDeque<Request>,
    /// What stands on top of what each direction says now.
    dialects: [Option<Dialect>; 2],
}

/// What matters later of a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Request {
    pub method: String,
    pub target: String,
    pub version: String,
    /// `Host`: other fields repeat it.
    pub authority: Option<String>,
    /// `Sec-WebSocket-Key`.
    pub key: Option<String>,
    /// `Sec-WebSocket-Protocol`.
    pub offered: Option<String>,
}

impl Asked {
    pub fn remember(&mut self, request: &Request) {
        self.dialects[Direction::Up as usize] = request.dialect();
        if self.waiting.len() < MAX_ASKED {
            self.waiting.push_back(request.clone());
        }
    }

    /// The request that an answer with this status belongs to.
    pub fn answered(&mut self, status: u16) -> Request {
        let is_interim = (100..200).contains(&status) && status != 101;
        let request = if is_interim {
            self.waiting.front().cloned()
        } else {
            self.waiting.pop_front()
        };
        let request = request.unwrap_or_default();
        self.dialects[Direction::Down as usize] = request.dialect();
        if status == 101 {
            self.dialects[Direction::Up as usize] = request.dialect();
        }
        request
    }

    /// What stands on top of what this direction says now.
    pub fn dialect(&self, direction: Direction) -> Option<Dialect> {
        self.dialects[direction as usize]
    }
}

impl Request {
    pub fn read_line(&mut self, line: &str) {
        let mut words = line.split(' ').map(String::from);
        let mut next = || words.next().unwrap_or_default();
        (self.method, self.target, self.version) = (next(), next(), next());
    }

    pub fn read_field(&mut self, name: &str, value: &str) {
        let remembered = match name.to_ascii_lowercase().as_str() {
            "host" => &mut self.authority,
            "sec-websocket-key" => &mut self.key,
            "sec-websocket-protocol" => &mut self.offered,
            _ => return,
        };
        *remembered = Some(value.into());
    }

    /// What it begins that stands on top of HTTP or of WebSocket.
    pub fn dialect(&self) -> Option<Dialect> {
        Dialect::of(&Asks {
            target: self.target.as_bytes(),
            websocket: self.key.is_some(),
            stomp: self
                .offered
                .as_deref()
                .is_some_and(|o| offers_stomp(o.as_bytes())),
        })
    }
}

/// A field of an answer.
pub(super) fn answer(line: &Run, name: &str, value: &str, request: &Request) -> Explained {
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

/// What a subprotocol means.
fn chosen(name: &str) -> Text {
    match stomp::subprotocol(name) {
        Some(what) => phrase!("what both speak from here on: %{what}", what = what),
        None => "what both speak from here on".into(),
    }
}

/// How the answer to a key is worked out (RFC 6455, section 4.2.2, item 5.4).
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
