//! The decoder of both directions of one TCP connection that starts with HTTP/1.
//!
//! ```text
//! client                                   server
//!   | GET /mail?after=3            head      |
//!   |--------------------------------------->|   asked: [GET]
//!   |        head       HTTP/1.1 200 OK      |
//!   |<---------------------------------------|   the GET determines how to read the body
//!   |        payload, framing   [{"id":4,…}] |
//!   |<---------------------------------------|   asked: []
//!   | GET /ws, Upgrade: websocket  head      |
//!   |--------------------------------------->|   later bytes wait for the answer
//!   |        head       HTTP/1.1 101         |
//!   |<---------------------------------------|   from here on both sides are frames
//! ```
//!
//! Messages follow RFC 9112, pipelining its section 9.3.2, and frames after a 101 RFC 6455. CONNECT tunnels
//! are not supported.

use std::collections::VecDeque;

use super::super::websocket::Messages;
use super::super::{Answers, Content, Direction, Event, Kind, Label, Out, Sink, Violation, as_declared};
use super::body::{Body, Length};
use super::head::{Method, Request, Response};
use super::lane::{Asked, AtRest, Lane, Next, State};

/// The most requests that may be unanswered at a time.
const MAX_ASKED: usize = 4096;

/// The decoder of one connection. It must be fed the bytes of both directions in the order in which they
/// crossed (a request before its response). It labels each byte once, however the bytes are split. It uses no
/// heap memory between messages, nor after the connection became a WebSocket.
#[derive(Debug)]
pub struct Conversation {
    up: Lane,
    down: Lane,
    /// Unanswered requests.
    asked: VecDeque<Asked>,
    answers: Answers,
}

impl Default for Conversation {
    fn default() -> Self {
        Conversation::expecting(as_declared)
    }
}

impl Conversation {
    /// A connection without any bytes yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A connection whose answers have known formats.
    pub fn expecting(answers: Answers) -> Self {
        Conversation {
            up: Lane::default(),
            down: Lane::default(),
            asked: VecDeque::new(),
            answers,
        }
    }

    /// Reads the next bytes of one direction.
    #[inline]
    pub fn feed(&mut self, direction: Direction, bytes: &[u8], sink: &mut impl Sink) {
        let mut used = 0;
        while used < bytes.len() {
            let lane = self.lane(direction);
            let rest = &bytes[used..];
            let start = lane.fed;
            let n = match &mut lane.state {
                State::Frames(frames) => {
                    let read = frames.feed(start, rest, &mut Out::new(direction, sink));
                    lane.fed += rest.len() as u64;
                    if let Err(violation) = read {
                        lane.give_up(direction, lane.fed, violation, Label::Control, sink);
                    }
                    return;
                }
                State::Head(_) if direction == Direction::Up => self.request(rest, sink),
                State::Head(_) => self.response(rest, sink),
                State::Body(..) => self.body(direction, rest, sink),
                State::Held(_) => lane.hold(rest, sink),
                State::Unread(label) => {
                    let label = *label;
                    lane.fed += rest.len() as u64;
                    Out::new(direction, sink).part(start, rest.len() as u64, label, Kind::Unread);
                    return;
                }
            };
            used += n;
        }
    }

    /// How the server's next bytes will be read, if nothing before makes a difference to them.
    pub(in super::super) fn at_rest(&self) -> Option<AtRest> {
        self.down.at_rest()
    }

    /// Passes over bytes of the server after which it is at rest as before.
    pub(in super::super) fn pass_over(&mut self, bytes: u64) {
        self.down.fed += bytes;
    }

    /// Labels all pending bytes at the end of the connection, by the state of each direction.
    pub fn finish(&mut self, sink: &mut impl Sink) {
        self.up.finish(Direction::Up, sink);
        self.down.finish(Direction::Down, sink);
        self.asked = VecDeque::new();
    }

    fn lane(&mut self, direction: Direction) -> &mut Lane {
        match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        }
    }

    fn request(&mut self, bytes: &[u8], sink: &mut impl Sink) -> usize {
        let (answers, wanted) = (self.answers, sink.wants_targets());
        let mut target = None;
        let parse = |head: &[u8]| {
            target = wanted.then(|| Request::target(head).to_vec());
            Request::parse(head, answers)
        };
        let read = self.up.head(Direction::Up, Kind::RequestHead, bytes, parse, sink);
        let Some((n, head, request)) = read else {
            return bytes.len();
        };
        if let Some(target) = target {
            sink.target(&target);
        }
        sink.event(Event::Request);
        if request.state > 0 {
            sink.client_state(request.state);
        }
        let body = Body::new(request.length, Content::request(request.dialect, head));
        // With a protocol on top, the body shows it.
        let has_message = !body.is_none() && request.dialect.is_none();
        if has_message {
            sink.message_head(Direction::Up, head);
        }
        if self.asked.len() == MAX_ASKED {
            self.up
                .give_up(Direction::Up, self.up.fed, Violation::Backlog, Label::Head, sink);
            return n;
        }
        self.asked.push_back(Asked {
            method: request.method,
            upgrade: request.upgrade,
            dialect: request.dialect,
            has_message,
            answer: request.answer,
        });
        let next = if request.upgrade { Next::Held } else { Next::Head };
        self.up.state = if body.is_none() {
            next.into()
        } else {
            State::Body(Box::new(body), next)
        };
        n
    }

    fn response(&mut self, bytes: &[u8], sink: &mut impl Sink) -> usize {
        let read = self
            .down
            .head(Direction::Down, Kind::ResponseHead, bytes, Response::parse, sink);
        let Some((n, head, response)) = read else {
            return bytes.len();
        };
        let asked = self.asked.front().copied().or_else(|| self.up.may_be_refused());
        match (asked, response.status) {
            (None, _) | (Some(Asked { upgrade: false, .. }), 101) => {
                self.down.give_up(
                    Direction::Down,
                    self.down.fed,
                    Violation::Unsolicited,
                    Label::Control,
                    sink,
                );
            }
            (_, 100 | 102..200) => {}
            (Some(asked), _) => {
                self.asked.pop_front();
                sink.answered();
                if asked.has_message {
                    sink.message_head(Direction::Down, head);
                }
                if self.asked.is_empty() {
                    self.asked = VecDeque::new();
                }
                self.answer(asked, response, sink);
            }
        }
        n
    }

    fn body(&mut self, direction: Direction, bytes: &[u8], sink: &mut impl Sink) -> usize {
        let (n, has_message) = self.lane(direction).body(direction, bytes, sink);
        // The answer to this message follows later.
        if has_message && let Some(asked) = self.asked.back_mut() {
            asked.has_message = true;
        }
        n
    }

    /// Handles the final response to a request.
    fn answer(&mut self, asked: Asked, response: Response, sink: &mut impl Sink) {
        let get = asked.method == Method::Get;
        if asked.upgrade {
            let frames = (response.status == 101).then_some(Next::Frames(asked.dialect));
            self.release(frames.unwrap_or(Next::Head), sink);
        }
        let none = asked.method == Method::Head || matches!(response.status, 204 | 304);
        if response.status == 101 {
            self.down.state = State::Frames(Messages::new(asked.dialect, Direction::Down));
            sink.event(Event::Upgraded);
            return;
        }
        if response.status >= 400 {
            sink.failed();
        }
        let holds = asked.answer.or(response.declared);
        let content = if response.coded && matches!(response.status, 200..300) && !none {
            sink.event(Event::Coded);
            Content::coded()
        } else {
            Content::answer(asked.dialect, get, response.status, holds)
        };
        if get && response.status == 204 {
            sink.event(Event::Empty);
        }
        let length = if none { Length::Fixed(0) } else { response.length };
        let body = Body::new(length, content);
        if !body.is_none() {
            self.down.state = State::Body(Box::new(body), Next::Head);
        }
    }

    /// Handles the answer to the upgrade request: continues with the bytes after that request.
    fn release(&mut self, next: Next, sink: &mut impl Sink) {
        match &mut self.up.state {
            State::Body(_, then) => *then = next,
            State::Held(held) => {
                let held = std::mem::take(held);
                self.up.fed -= held.len() as u64;
                self.up.state = next.into();
                self.feed(Direction::Up, &held, sink);
            }
            _ => {}
        }
    }
}
