//! The state of a request that is needed to explain its response.

use std::collections::VecDeque;

use crate::wire::{Asks, Dialect, Direction, offers_stomp};

/// The most requests that are kept.
const MAX_ASKED: usize = 64;

/// Requests without a response so far.
#[derive(Debug, Default)]
pub struct Asked {
    waiting: VecDeque<Request>,
    /// The current protocol on top of each direction.
    dialects: [Option<Dialect>; 2],
}

/// The parts of a request that later explanations need.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub method: String,
    pub target: String,
    pub version: String,
    /// The field `Host`, which other fields repeat.
    pub authority: Option<String>,
    /// The field `Sec-WebSocket-Key`.
    pub key: Option<String>,
    /// The field `Sec-WebSocket-Protocol`.
    pub offered: Option<String>,
}

impl Asked {
    /// Records a request.
    pub fn remember(&mut self, request: &Request) {
        self.dialects[Direction::Up as usize] = request.dialect();
        if self.waiting.len() < MAX_ASKED {
            self.waiting.push_back(request.clone());
        }
    }

    /// The request that a response with this status belongs to.
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

    /// The current protocol on top of this direction.
    pub fn dialect(&self, direction: Direction) -> Option<Dialect> {
        self.dialects[direction as usize]
    }
}

impl Request {
    /// Reads the request line.
    pub fn read_line(&mut self, line: &str) {
        let mut words = line.split(' ').map(String::from);
        let mut next = || words.next().unwrap_or_default();
        (self.method, self.target, self.version) = (next(), next(), next());
    }

    /// Reads a header field.
    pub fn read_field(&mut self, name: &str, value: &str) {
        let remembered = match name.to_ascii_lowercase().as_str() {
            "host" => &mut self.authority,
            "sec-websocket-key" => &mut self.key,
            "sec-websocket-protocol" => &mut self.offered,
            _ => return,
        };
        *remembered = Some(value.into());
    }

    /// The protocol on top of HTTP or WebSocket that it starts.
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
