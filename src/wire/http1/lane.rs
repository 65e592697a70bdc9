//! One direction of a connection that began with HTTP/1.

use std::any::TypeId;

use super::super::websocket::Messages;
use super::super::{Answer, Dialect, Direction, Event, Kind, Label, MAX_HEAD, Out, Sink, Violation};
use super::body::{Body, Step};
use super::head::Method;
use super::head_reader::HeadReader;

/// The parts of a request on which its answer depends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Asked {
    pub method: Method,
    pub upgrade: bool,
    /// The protocol on top.
    pub dialect: Option<Dialect>,
    /// Whether it carried a message of the client's application.
    pub has_message: bool,
    /// The format of its answer, if known.
    pub answer: Option<Answer>,
}

/// One direction of a connection.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// The number of bytes read.
    pub fed: u64,
    pub state: State,
}

/// What carries units, and the type of the layer that reads them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in super::super) enum AtRest {
    Frames(TypeId),
    Chunks(TypeId),
}

#[derive(Debug)]
pub(super) enum State {
    Head(HeadReader),
    /// In a box, because a connection that waits for the next request or that is a WebSocket has none.
    Body(Box<Body>, Next),
    /// After an upgrade request, before its answer: the protocol of these bytes is unknown.
    Held(Vec<u8>),
    Frames(Messages),
    /// After a violation, or the end.
    Unread(Label),
}

/// What follows a body.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Next {
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
            Next::Frames(dialect) => State::Frames(Messages::new(dialect, Direction::Up)),
        }
    }
}

impl Lane {
    /// Reads a head: returns the number of bytes used, the head's total length, and its content. If the head
    /// is incomplete, all bytes are used.
    pub fn head<T>(
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
        let (n, has_message) = read.ok().flatten()?;
        Some((n, self.fed - start, has_message))
    }

    /// Returns how many bytes it used, and whether a body with a message of the client's application, in a
    /// protocol on top, has ended.
    pub fn body(&mut self, direction: Direction, bytes: &[u8], sink: &mut impl Sink) -> (usize, bool) {
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
        let has_message = whole && body.has_message();
        if whole {
            self.state = (*next).into();
        }
        drop(out);
        if let Step::Broken(violation) = step {
            self.give_up(direction, self.fed, violation, Label::Framing, sink);
        }
        (n, has_message)
    }

    /// See [`Conversation::at_rest`](super::Conversation::at_rest).
    pub fn at_rest(&self) -> Option<AtRest> {
        match &self.state {
            State::Frames(frames) => frames.at_rest().map(AtRest::Frames),
            State::Body(body, Next::Head) => body.at_rest().map(AtRest::Chunks),
            _ => None,
        }
    }

    pub fn hold(&mut self, bytes: &[u8], sink: &mut impl Sink) -> usize {
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
    pub fn give_up(
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

    /// The request that a server may refuse before its head is complete, or because it cannot be read.
    pub fn may_be_refused(&self) -> Option<Asked> {
        let refused = match &self.state {
            State::Head(reader) => reader.held() > 0,
            State::Unread(label) => *label == Label::Head,
            _ => false,
        };
        refused.then_some(Asked {
            method: Method::Other,
            upgrade: false,
            dialect: None,
            has_message: false,
            answer: None,
        })
    }

    pub fn finish(&mut self, direction: Direction, sink: &mut impl Sink) {
        let mut out = Out::new(direction, sink);
        match &mut self.state {
            State::Head(reader) => {
                let n = reader.held() as u64;
                out.part(self.fed - n, n, Label::Head, Kind::Unread);
            }
            State::Body(body, _) => body.end(body.ends_by_close(), &mut out),
            State::Held(held) => {
                let n = held.len() as u64;
                out.part(self.fed - n, n, Label::Control, Kind::Unread);
            }
            State::Frames(frames) => frames.end(&mut out),
            State::Unread(_) => return,
        }
        self.state = State::Unread(Label::Control);
    }
}
