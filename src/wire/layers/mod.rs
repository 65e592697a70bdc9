//! Protocols on top of WebSocket frames and HTTP bodies: STOMP, SockJS, Engine.IO with Socket.IO in it.
//!
//! ```text
//! client                                                                     server
//!   | GET /sockjs/000/x7/websocket, Upgrade          the request tells which protocol
//!   |--------------------------------------------------------------------->|
//!   |  81 01  o                                      a unit: control, its frame's header too
//!   |  81 13  a["{\"id\":1,\"from\":…}"]             a unit: envelope, escapes, and a mail
//!   |<---------------------------------------------------------------------|
//! ```
//!
//! A [`Layer`] knows one of them: where a unit ends, and what its runs are. It never sees a frame header,
//! a mask, a chunk line or a cut; putting its runs back to where the wire had them is done here.

mod body;
mod dialect;
mod messages;
#[cfg(test)]
mod tests;
mod text;
mod unit;

pub(super) use body::Body;
pub(crate) use dialect::{Asks, Dialect, EngineIo, Transport, offers_stomp};
pub(super) use messages::Messages;
pub(super) use text::{Written, message};

use super::ndjson::Lines;
use super::out::Out;
use super::stomp::Stomp;
use super::websocket::Frames;
use super::{Direction, Kind, Label, Sink};

/// Consecutive bytes of a unit that are one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub len: usize,
    pub label: Label,
    pub kind: Kind,
}

impl Span {
    pub fn new(len: usize, label: Label, kind: Kind) -> Span {
        Span { len, label, kind }
    }
}

/// How a unit came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Carried {
    pub sender: Direction,
    /// Whether it is a WebSocket's binary message: what comes in text or in a body is not.
    pub binary: bool,
}

/// A protocol on top: `stomp::Stomp`, [`Transport`] (in `sockjs`), [`EngineIo`] (in `engineio`), `ndjson::Lines`.
pub(super) trait Layer {
    /// How long the first unit of a body's `bytes` is; `None`: it is not all there yet. The first `from`
    /// of them were asked about before and did not end it, so that a search need not begin anew. What
    /// is left when the body ends is a unit, too. A WebSocket message is one, and not asked about.
    fn unit(&self, bytes: &[u8], from: usize, sender: Direction) -> Option<usize>;

    /// The runs of one unit, which a cut may have left unfinished: their lengths sum to `unit.len()`.
    /// [`Kind::Cursor`] is what told the server
    /// how far the client has read, and counted as that.
    fn label(&self, unit: &[u8], carried: Carried, spans: &mut Vec<Span>);
}

impl Layer for Dialect {
    fn unit(&self, bytes: &[u8], from: usize, sender: Direction) -> Option<usize> {
        match self {
            Dialect::Stomp => Stomp.unit(bytes, from, sender),
            Dialect::SockJs(transport) => transport.unit(bytes, from, sender),
            Dialect::EngineIo(engine_io) => engine_io.unit(bytes, from, sender),
            Dialect::Lines => Lines.unit(bytes, from, sender),
            #[cfg(test)]
            Dialect::Tiny(tiny) => tiny.unit(bytes, from, sender),
        }
    }

    fn label(&self, unit: &[u8], carried: Carried, spans: &mut Vec<Span>) {
        match self {
            Dialect::Stomp => Stomp.label(unit, carried, spans),
            Dialect::SockJs(transport) => transport.label(unit, carried, spans),
            Dialect::EngineIo(engine_io) => engine_io.label(unit, carried, spans),
            Dialect::Lines => Lines.label(unit, carried, spans),
            #[cfg(test)]
            Dialect::Tiny(tiny) => tiny.label(unit, carried, spans),
        }
    }
}

/// What reads one direction of a WebSocket.
#[derive(Debug)]
pub(super) enum WebSocket {
    /// Mail and replies, by themselves.
    Plain(Frames),
    /// Those of a protocol on top. It has a box of its own: a plain one is not to become larger.
    Layered(Box<Messages>),
}

impl WebSocket {
    pub fn new(dialect: Option<Dialect>, sender: Direction) -> WebSocket {
        match dialect {
            None => WebSocket::Plain(Frames::new(sender)),
            Some(dialect) => WebSocket::Layered(Box::new(Messages::new(dialect, sender))),
        }
    }

    /// Takes the next bytes, the first of which has offset `start`.
    ///
    /// # Errors
    /// The offset of the frame that breaks the protocol; nothing from there on is labelled.
    #[inline]
    pub fn feed<S: Sink>(&mut self, start: u64, bytes: &[u8], out: &mut Out<'_, S>) -> Result<(), u64> {
        match self {
            WebSocket::Plain(frames) => frames.feed(start, bytes, out),
            WebSocket::Layered(messages) => messages.feed(start, bytes, out),
        }
    }

    /// Labels what waits, when the connection is over. `end` is the offset behind the last byte.
    pub fn end<S: Sink>(&mut self, end: u64, out: &mut Out<'_, S>) {
        match self {
            WebSocket::Plain(frames) => frames.end(end, out),
            WebSocket::Layered(messages) => messages.end(end, out),
        }
    }
}
