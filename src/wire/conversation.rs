//! Both directions of one TCP connection, read together.
//!
//! ```text
//! client                                   server
//!   | GET /mail?after=3            head      |
//!   |--------------------------------------->|   asked: [GET]
//!   |        head       HTTP/1.1 200 OK      |
//!   |<---------------------------------------|   the GET decides how to read the body
//!   |        payload, framing   [{"id":4,…}] |
//!   |<---------------------------------------|   asked: []
//!   | GET /ws, Upgrade: websocket  head      |
//!   |--------------------------------------->|   what follows is held until the answer
//!   |        head       HTTP/1.1 101         |
//!   |<---------------------------------------|   from here on both sides are frames
//! ```
//!
//! RFC 9112 for the messages, its section 9.3.2 for pipelining, RFC 6455 behind a 101. A CONNECT
//! tunnel is not known here.

use std::collections::VecDeque;

use super::body::{Body, Content, Length, Step};
use super::http1::{HeadReader, Method, Request, Response};
use super::layers::{Dialect, WebSocket};
use super::out::Out;
use super::{Answer, Answers, Direction, Event, Kind, Label, MAX_HEAD, Sink, Violation, as_declared};

/// How many requests may be on their way before the first is answered.
const MAX_ASKED: usize = 4096;

/// The decoder of one connection. Fed the bytes of both directions in the order in which they
/// crossed (a request before its response), it labels each once, however they are cut. It keeps no
/// heap memory between messages, nor once the connection is a WebSocket.
#[derive(Debug)]
pub struct Conversation {
    up: Lane,
    down: Lane,
    /// Requests not yet answered.
    asked: VecDeque<Asked>,
    answers: Answers,
}

impl Default for Conversation {
    fn default() -> Self {
        Conversation::expecting(as_declared)
    }
}

/// A request, as far as its answer depends on it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Asked {
    method: Method,
    upgrade: bool,
    /// What stands on top.
    dialect: Option<Dialect>,
    /// Whether it brought something that the client's application said.
    said: bool,
    /// What its answer holds, if that is known.
    answer: Option<Answer>,
}

/// One direction.
#[derive(Debug, Default)]
struct Lane {
    /// How many bytes were fed.
    fed: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    Head(HeadReader),
    Body(Body, Next),
    /// Behind an upgrade request, before its answer: what these bytes are is not known.
    Held(Vec<u8>),
    Frames(WebSocket),
    /// Behind a violation, or the end.
    Unread(Label),
}

/// What comes behind a body.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Next {
    Head,
    Held,
    Frames(Option<Dialect>),
}

impl Default for State {
    fn default() -> Self {
        State::Head(HeadReader::default())
    }
}

impl From<Next> for State {
    fn from(next: Next) -> State {
        match next {
            Next::Head => State::default(),
            Next::Held => State::Held(Vec::new()),
            Next::Frames(dialect) => State::Frames(WebSocket::new(dialect, Direction::Up)),
        }
    }
}

impl Conversation {
    /// A connection on which nothing was said yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same where it is known what answers hold.
    pub fn expecting(answers: Answers) -> Self {
        Conversation {
            up: Lane::default(),
            down: Lane::default(),
            asked: VecDeque::new(),
            answers,
        }
    }

    /// Takes the next bytes of one direction.
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
                    if let Err(from) = read {
                        lane.give_up(direction, from, Violation::Frame, Label::Control, sink);
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

    /// The connection is over: labels all that waits, by the state it was in.
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
        let answers = self.answers;
        let parse = |head: &[u8]| Request::parse(head, answers);
        let read = self.up.head(Direction::Up, Kind::RequestHead, bytes, parse, sink);
        let Some((n, head, request)) = read else {
            return bytes.len();
        };
        sink.event(Event::Request);
        if request.state > 0 {
            sink.told(request.state);
        }
        let body = Body::new(request.length, Content::request(request.dialect, head));
        // Under a protocol on top the body tells.
        let said = !body.is_none() && request.dialect.is_none();
        if said {
            sink.said(Direction::Up, head);
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
            said,
            answer: request.answer,
        });
        let next = if request.upgrade { Next::Held } else { Next::Head };
        self.up.state = if body.is_none() {
            next.into()
        } else {
            State::Body(body, next)
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
                if asked.said {
                    sink.said(Direction::Down, head);
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
        let (n, said) = self.lane(direction).body(direction, bytes, sink);
        // The answer to what said something is still to come.
        if said && let Some(asked) = self.asked.back_mut() {
            asked.said = true;
        }
        n
    }

    /// The final response to a request.
    fn answer(&mut self, asked: Asked, response: Response, sink: &mut impl Sink) {
        let get = asked.method == Method::Get;
        if asked.upgrade {
            let frames = (response.status == 101).then_some(Next::Frames(asked.dialect));
            self.release(frames.unwrap_or(Next::Head), sink);
        }
        let none = asked.method == Method::Head || matches!(response.status, 204 | 304);
        if response.status == 101 {
            self.down.state = State::Frames(WebSocket::new(asked.dialect, Direction::Down));
            sink.event(Event::Upgraded);
            return;
        }
        if response.status >= 400 {
            sink.failed();
        }
        let holds = asked.answer.or(response.declared);
        let content = Content::answer(asked.dialect, get, response.status, holds);
        if get && response.status == 204 {
            sink.event(Event::Empty);
        }
        let length = if none { Length::Fixed(0) } else { response.length };
        let body = Body::new(length, content);
        if !body.is_none() {
            self.down.state = State::Body(body, Next::Head);
        }
    }

    /// The upgrade request is answered: reads on behind it.
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

impl Lane {
    /// Reads a head: how many of the bytes are used, how long all of it is, and what it says. Without one,
    /// all bytes are used.
    fn head<T>(
        &mut self,
        direction: Direction,
        kind: Kind,
        bytes: &[u8],
        parse: impl FnOnce(&[u8]) -> Result<T, Violation>,
        sink: &mut impl Sink,
    ) -> Option<(usize, u64, T)> {
        let State::Head(reader) = &mut self.state else {
            return None;
        };
        let start = self.fed - reader.held() as u64;
        let read = reader.feed(bytes, parse);
        let n = if let Ok(Some((n, _))) = read {
            n
        } else {
            bytes.len()
        };
        self.fed += n as u64;
        match read {
            Ok(Some(_)) => Out::new(direction, sink).part(start, self.fed - start, Label::Head, kind),
            Ok(None) => {}
            Err(violation) => self.give_up(direction, start, violation, Label::Head, sink),
        }
        let (n, said) = read.ok().flatten()?;
        Some((n, self.fed - start, said))
    }

    /// Says how many bytes it used, and whether that was the end of what the client's application says
    /// through a protocol on top.
    fn body(&mut self, direction: Direction, bytes: &[u8], sink: &mut impl Sink) -> (usize, bool) {
        let State::Body(body, next) = &mut self.state else {
            return (0, false);
        };
        let mut out = Out::new(direction, sink);
        let (n, step) = body.feed(self.fed, bytes, &mut out);
        self.fed += n as u64;
        if step == Step::More {
            return (n, false);
        }
        let whole = step == Step::Done;
        body.end(whole, &mut out);
        let said = whole && body.said();
        if whole {
            if body.is_empty_answer() {
                out.event(Event::Empty);
            }
            self.state = (*next).into();
        }
        drop(out);
        if let Step::Broken(violation) = step {
            self.give_up(direction, self.fed, violation, Label::Framing, sink);
        }
        (n, said)
    }

    fn hold(&mut self, bytes: &[u8], sink: &mut impl Sink) -> usize {
        let State::Held(held) = &mut self.state else {
            return 0;
        };
        let start = self.fed - held.len() as u64;
        self.fed += bytes.len() as u64;
        if held.len() + bytes.len() <= MAX_HEAD {
            held.extend_from_slice(bytes);
        } else {
            self.give_up(Direction::Up, start, Violation::Backlog, Label::Control, sink);
        }
        bytes.len()
    }

    /// The bytes from offset `from` on cannot be read.
    fn give_up(
        &mut self,
        direction: Direction,
        from: u64,
        violation: Violation,
        label: Label,
        sink: &mut impl Sink,
    ) {
        let mut out = Out::new(direction, sink);
        out.part(from, self.fed - from, label, Kind::Unread);
        out.event(Event::Violation(direction, violation));
        self.state = State::Unread(label);
    }

    /// A server may refuse a request before its head is whole, or because it cannot be read.
    fn may_be_refused(&self) -> Option<Asked> {
        let refused = match &self.state {
            State::Head(reader) => reader.held() > 0,
            State::Unread(label) => *label == Label::Head,
            _ => false,
        };
        refused.then_some(Asked {
            method: Method::Other,
            upgrade: false,
            dialect: None,
            said: false,
            answer: None,
        })
    }

    fn finish(&mut self, direction: Direction, sink: &mut impl Sink) {
        let mut out = Out::new(direction, sink);
        match &mut self.state {
            State::Head(reader) => {
                let n = reader.held() as u64;
                out.part(self.fed - n, n, Label::Head, Kind::Unread);
            }
            State::Body(body, _) => {
                body.end(body.ends_by_close(), &mut out);
                if body.ends_by_close() && body.is_empty_answer() {
                    out.event(Event::Empty);
                }
            }
            State::Held(held) => {
                let n = held.len() as u64;
                out.part(self.fed - n, n, Label::Control, Kind::Unread);
            }
            State::Frames(frames) => frames.end(self.fed, &mut out),
            State::Unread(_) => return,
        }
        self.state = State::Unread(Label::Control);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Vector;
    use super::super::{Kind::*, Label::*, Tally};
    use super::*;

    const GET: &str = "GET / HTTP/1.1\r\n\r\n";
    const UPGRADE: &str = "GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n";
    const POST: &str = "POST / HTTP/1.1\r\ncontent-length: 4\r\n\r\n";
    const OK_2: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n";
    const EMPTY: [(Kind, Label, u64); 1] = [(ListPunctuation, Control, 2)];

    fn violation(direction: Direction, violation: Violation) -> Event {
        Event::Violation(direction, violation)
    }

    #[test]
    fn ten_thousand_of_them_are_small() {
        assert!(
            size_of::<Conversation>() <= 400,
            "{} bytes",
            size_of::<Conversation>()
        );
    }

    /// What a poll with a two-byte answer costs between reqwest and axum: 84 bytes up, 109 down.
    #[test]
    fn a_poll() {
        let request =
            "GET /poll/mailbox?after=18446744073 HTTP/1.1\r\naccept: */*\r\nhost: 127.0.0.1:34567\r\n\r\n";
        let response = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\
                        date: Wed, 01 Jan 2025 00:00:00 GMT\r\n\r\n";
        Vector::new()
            .request(request)
            .response(response)
            .down("[]", &EMPTY)
            .events(&[Event::Empty])
            .check(b"H");
        let mut tally = Tally::default();
        let mut conversation = Conversation::new();
        conversation.feed(Direction::Up, request.as_bytes(), &mut tally);
        conversation.feed(Direction::Down, response.as_bytes(), &mut tally);
        conversation.feed(Direction::Down, b"[]", &mut tally);
        conversation.finish(&mut tally);
        assert_eq!((tally.up.total(), tally.down.total()), (84, 109));
        assert_eq!((tally.up.head, tally.down.head, tally.down.control), (84, 107, 2));
        assert_eq!((tally.requests, tally.empty, tally.violations), (1, 1, 0));
    }

    /// The handshake of RFC 6455, section 1.3, and one between tungstenite and axum: 156 up, 166 down.
    #[test]
    fn a_handshake() {
        let rfc = (
            "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://example.com\r\n\
             Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Version: 13\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n",
        );
        let ours = (
            "GET /ws HTTP/1.1\r\nHost: 127.0.0.1:34567\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\ndate: Wed, 01 Jan 2025 00:00:00 GMT\r\n\r\n",
        );
        assert_eq!((ours.0.len(), ours.1.len()), (156, 166));
        for (request, response) in [rfc, ours] {
            let vector = Vector::new()
                .request(request)
                .response(response)
                .events(&[Event::Upgraded]);
            vector
                .down(b"\x89\x00", &[(FrameHeader, Control, 2)])
                .check(b"\x81\x01x");
        }
    }

    /// An SSE event in a chunk costs its payload and 6 bytes, besides its field names.
    #[test]
    fn an_event_in_a_chunk() {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        let event = [
            (ChunkSize, Framing, 4),
            (SseField, Framing, 12),
            (Mail, Payload, 8),
            (SseField, Framing, 1),
            (SseEnd, Framing, 1),
            (ChunkEnd, Framing, 2),
        ];
        let heartbeat = [
            (ChunkSize, Control, 3),
            (SseComment, Control, 12),
            (SseEnd, Control, 1),
            (ChunkEnd, Control, 2),
        ];
        let both = [
            (ChunkSize, Framing, 3),
            (SseComment, Control, 2),
            (SseEnd, Control, 1),
            (SseField, Framing, 6),
            (SseEnd, Framing, 1),
            (ChunkEnd, Framing, 2),
        ];
        Vector::new()
            .request(GET)
            .response(head)
            .down("16\r\nid: 1\ndata: {\"id\":1}\n\n\r\n", &event)
            .events(&[Event::Message(Direction::Down)])
            .down("d\r\n: heartbeat\n\n\r\n", &heartbeat)
            .down("a\r\n:\n\nid: 2\n\n\r\n", &both)
            .check(b"1\r\n:\r\n");
    }

    #[test]
    fn bodies_that_do_not_exist() {
        for status in ["204 No Content", "304 Not Modified"] {
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: 9\r\n\r\n");
            let events: &[Event] = if status.starts_with("204") {
                &[Event::Empty]
            } else {
                &[]
            };
            let vector = Vector::new().request(GET).response(&head).events(events);
            vector
                .request(GET)
                .response(OK_2)
                .down("[]", &EMPTY)
                .events(&[Event::Empty])
                .check(b"H");
        }
        let head = "HEAD / HTTP/1.1\r\n\r\n";
        let vector = Vector::new()
            .request(head)
            .response(OK_2)
            .request(GET)
            .response(OK_2);
        vector.down("[]", &EMPTY).events(&[Event::Empty]).check(b"H");
        // A POST is not a poll.
        let vector = Vector::new().request("POST / HTTP/1.1\r\n\r\n");
        vector.response("HTTP/1.1 204 No Content\r\n\r\n").check(b"H");
    }

    #[test]
    fn requests_may_be_pipelined_and_answers_interim() {
        Vector::new()
            .request("HEAD / HTTP/1.1\r\n\r\n")
            .request(GET)
            .request(POST)
            .up("read", &[(Reply, Payload, 4)])
            .request(GET)
            .response(OK_2)
            .response("HTTP/1.1 103 Early Hints\r\n\r\n")
            .response(OK_2)
            .down("[]", &EMPTY)
            .events(&[Event::Empty])
            .response("HTTP/1.1 100 Continue\r\n\r\n")
            .response(OK_2)
            .down("[]", &[(OtherBody, Control, 2)])
            .response("HTTP/1.1 302 Found\r\ncontent-length: 2\r\n\r\n")
            .down("[]", &[(OtherBody, Control, 2)])
            .check(b"");
    }

    #[test]
    fn a_body_may_be_chunked() {
        let chunks = "5;a=b\r\n01234\r\n00a \r\n0123456789\r\n0\r\nx: y\r\nz:\r\n\r\n";
        let parts = |kind, label| {
            [
                (ChunkSize, label, 7),
                (kind, if kind == Reply { Payload } else { Control }, 5),
                (ChunkEnd, label, 2),
                (ChunkSize, label, 6),
                (kind, if kind == Reply { Payload } else { Control }, 10),
                (ChunkEnd, label, 2),
                (LastChunk, Framing, 3),
                (Trailers, Head, 10),
                (LastChunk, Framing, 2),
            ]
        };
        Vector::new()
            .request("POST / HTTP/1.1\r\ntransfer-encoding: gzip, Chunked\r\ncontent-length: 3\r\n\r\n")
            .up(chunks, &parts(Reply, Framing))
            .response("HTTP/1.1 500 No\r\ntransfer-encoding: chunked\r\n\r\n")
            .down(chunks, &parts(OtherBody, Control))
            .request(GET)
            .response(OK_2)
            .down("[]", &EMPTY)
            .events(&[Event::Empty])
            .check(b"H");
    }

    #[test]
    fn a_body_may_end_with_the_connection() {
        let old = "HTTP/1.0 200 OK\r\n\r\n";
        Vector::new()
            .request(GET)
            .response(old)
            .down("[]", &EMPTY)
            .events(&[Event::Empty])
            .check(b"");
        Vector::new()
            .request(GET)
            .response(old)
            .down("[", &[(ListPunctuation, Control, 1)])
            .check(b" ");
        // HTTP/1.0 knows no chunks, and a coding that does not end in chunks has no length.
        for head in [
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip",
        ] {
            let head = format!("{head}\r\n\r\n");
            let vector = Vector::new().request(GET).response(&head);
            vector.down("2\r\nxx\r\n", &[(OtherBody, Payload, 7)]).check(b"");
        }
    }

    #[test]
    fn what_follows_an_upgrade_request_waits_for_its_answer() {
        let ping = [(FrameHeader, Control, 6)];
        let early = b"\x89\x80abcd";
        let accepted = "HTTP/1.1 101 S\r\n\r\n";
        Vector::new()
            .request(UPGRADE)
            .up(early, &ping)
            .response(accepted)
            .events(&[Event::Upgraded])
            .check(b"");
        let refused = "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\n";
        Vector::new()
            .request(GET)
            .request(UPGRADE)
            .request(UPGRADE)
            .response(OK_2)
            .down("[]", &EMPTY)
            .events(&[Event::Empty])
            .response(refused)
            .down("no", &[(OtherBody, Control, 2)])
            .response(accepted)
            .events(&[Event::Upgraded])
            .up(early, &ping)
            .check(b"\x89\x80abcd");
        // The upgrade request has a body, which is not all there yet.
        let with_body = "GET / HTTP/1.1\r\nupgrade: h2c, WebSocket\r\ncontent-length: 4\r\n\r\n";
        for body in [["re", "ad"], ["read", ""]] {
            let parts = |s: &str| [(Reply, Payload, s.len() as u64)];
            let vector = Vector::new().request(with_body).up(body[0], &parts(body[0]));
            let vector = vector
                .response(accepted)
                .events(&[Event::Upgraded])
                .up(body[1], &parts(body[1]));
            vector.up(early, &ping).check(early);
        }
        // Only a GET can ask for it.
        let post = "POST / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n";
        let vector = Vector::new().request(post).request(GET).response(accepted);
        vector
            .events(&[violation(Direction::Down, Violation::Unsolicited)])
            .check(b"x");
        // Nobody answers.
        let vector = Vector::new().request(UPGRADE).up(early, &[(Unread, Control, 6)]);
        vector.check(b"GET");
        let flood = vec![b'x'; MAX_HEAD + 1];
        let vector = Vector::new()
            .request(UPGRADE)
            .up(&flood, &[(Unread, Control, flood.len() as u64)]);
        let vector = vector.events(&[violation(Direction::Up, Violation::Backlog)]);
        vector
            .response(accepted)
            .events(&[Event::Upgraded])
            .up(early, &[(Unread, Control, 6)])
            .check(early);
    }

    #[test]
    fn heads_nobody_can_read() {
        let long = format!("GET / HTTP/1.1\r\nx: {}", "x".repeat(MAX_HEAD));
        for head in [
            "\0\r\n\r\n",
            "GET /\r\n\r\n",
            "GET / HTTP/1.1\r\n: x\r\n\r\n",
            "GET / HTTP/2.0\r\n\r\n",
            "GET / HTTP/1.1\r\ncontent-length: x\r\n\r\n",
            "GET / HTTP/1.1\r\ncontent-length: +1\r\n\r\n",
            "GET / HTTP/1.1\r\ncontent-length: 1, 2\r\n\r\n",
            "GET / HTTP/1.1\r\ncontent-length: 99999999999999999999\r\n\r\n",
            "GET / HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n",
            "GET / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n",
            &long,
        ] {
            let unread = [(Unread, Head, head.len() as u64)];
            let broken = Vector::new().up(head, &unread);
            broken
                .events(&[violation(Direction::Up, Violation::Head)])
                .check(GET.as_bytes());
            // The server says so, and that is no violation.
            let refusal = "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n";
            let broken = Vector::new().up(head, &unread);
            let broken = broken.events(&[violation(Direction::Up, Violation::Head)]);
            broken
                .response(refusal)
                .down("no", &[(OtherBody, Control, 2)])
                .check(b"");
        }
        // The largest that can, behind blank lines; equal lengths are one length.
        let head = "\r\n\n\r\nPOST / HTTP/1.1\ncontent-length: 2, 2\r\nx: ";
        let head = format!("{head}{}\r\n\r\n", "x".repeat(MAX_HEAD - head.len() - 4));
        Vector::new()
            .request(&head)
            .up("ok", &[(Reply, Payload, 2)])
            .check(b"G");
        let vector = Vector::new()
            .request(GET)
            .down("HTTP/1.1 xxx\r\n\r\n", &[(Unread, Head, 16)]);
        vector
            .events(&[violation(Direction::Down, Violation::Head)])
            .check(b"x");
    }

    #[test]
    fn a_server_may_refuse_half_a_request() {
        let refusal = "HTTP/1.1 431 Too Large\r\ncontent-length: 2\r\n\r\n";
        let vector = Vector::new()
            .up("GET / HT", &[(Unread, Head, 8)])
            .response(refusal);
        vector.down("no", &[(OtherBody, Control, 2)]).check(b"");
    }

    #[test]
    fn responses_nobody_asked_for() {
        let unsolicited = violation(Direction::Down, Violation::Unsolicited);
        Vector::new()
            .response(OK_2)
            .events(&[unsolicited])
            .down("[]", &[(Unread, Control, 2)])
            .check(b"x");
        let twice = Vector::new()
            .request(GET)
            .response(OK_2)
            .down("[]", &EMPTY)
            .events(&[Event::Empty]);
        twice.response(OK_2).events(&[unsolicited]).check(b"[]");
        Vector::new()
            .request(GET)
            .response("HTTP/1.1 101 S\r\n\r\n")
            .events(&[unsolicited])
            .check(b"x");
    }

    #[test]
    fn chunks_nobody_can_read() {
        let broken = [
            ("x\r\n", 0),
            ("\r\n", 0),
            ("00000000000000001\r\n", 16),
            ("1\n", 1),
            ("1\rx", 2),
            ("1;\n", 2),
        ];
        let head = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n";
        for (chunk, _) in broken {
            let vector = Vector::new()
                .request(head)
                .up(chunk, &[(Unread, Framing, chunk.len() as u64)]);
            vector
                .events(&[violation(Direction::Up, Violation::Chunk)])
                .check(b"1");
        }
        let after = |bytes: &str, parts: &[(Kind, Label, u64)]| {
            let vector = Vector::new().request(head).up(bytes, parts);
            vector
                .events(&[violation(Direction::Up, Violation::Chunk)])
                .check(b"1");
        };
        let chunk = [(ChunkSize, Framing, 3), (Reply, Payload, 1)];
        after("1\r\nx0", &[&chunk[..], &[(Unread, Framing, 1)]].concat());
        after(
            "1\r\nx\r\r",
            &[&chunk[..], &[(ChunkEnd, Framing, 1), (Unread, Framing, 1)]].concat(),
        );
        after("0\r\n\n", &[(LastChunk, Framing, 3), (Unread, Framing, 1)]);
        after("0\r\n\rx", &[(LastChunk, Framing, 4), (Unread, Framing, 1)]);
    }

    #[test]
    fn a_cut_chunk_is_labelled_by_what_it_held() {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        let cut = |bytes: &str, parts: &[(Kind, Label, u64)]| {
            Vector::new()
                .request(GET)
                .response(head)
                .down(bytes, parts)
                .check(b"");
        };
        cut("1", &[(Unread, Framing, 1)]);
        cut("9\r\n", &[(ChunkSize, Framing, 3)]);
        cut("9\r\n: h", &[(ChunkSize, Control, 3), (SseComment, Control, 3)]);
        cut("9\r\nretr", &[(ChunkSize, Framing, 3), (SseField, Framing, 4)]);
        cut(
            "9\r\n:\n\nid",
            &[
                (ChunkSize, Framing, 3),
                (SseComment, Control, 2),
                (SseEnd, Control, 1),
                (SseField, Framing, 2),
            ],
        );
        cut(
            "1\r\n:\r",
            &[
                (ChunkSize, Control, 3),
                (SseComment, Control, 1),
                (ChunkEnd, Control, 1),
            ],
        );
        // What the chunk before held back says nothing about this one.
        let list = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let parts = [
            (ChunkSize, Control, 3),
            (ListPunctuation, Control, 1),
            (ChunkEnd, Control, 2),
            (ChunkSize, Framing, 3),
        ];
        Vector::new()
            .request(GET)
            .response(list)
            .down("1\r\n[\r\n9\r\n", &parts)
            .check(b"");
    }

    #[test]
    fn a_finished_conversation_labels_whatever_comes() {
        let mut tally = Tally::default();
        let mut conversation = Conversation::new();
        conversation.finish(&mut tally);
        conversation.feed(Direction::Up, b"GET", &mut tally);
        conversation.finish(&mut tally);
        assert_eq!((tally.up.control, tally.up.total(), tally.violations), (3, 3, 0));
    }

    #[test]
    fn too_many_requests_at_once() {
        let pipeline = GET.repeat(MAX_ASKED + 1);
        let vector = Vector::new().up(&pipeline, &[(RequestHead, Head, pipeline.len() as u64)]);
        let events = [
            vec![Event::Request; MAX_ASKED + 1],
            vec![violation(Direction::Up, Violation::Backlog)],
        ]
        .concat();
        vector.events(&events).up(GET, &[(Unread, Head, 18)]).check(b"x");
    }
}
