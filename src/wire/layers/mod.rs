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

mod text;

pub(super) use text::{Written, message};

use super::{Direction, Kind, Label};

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
    /// Whether it is all there: a cut may have left it unfinished.
    pub whole: bool,
}

/// A protocol on top: `stomp::Stomp`, [`Transport`] (in `sockjs`), [`EngineIo`] (in `engineio`).
pub(super) trait Layer {
    /// How long the first unit of a body's `bytes` is; `None`: it is not all there yet. The first `from`
    /// of them were asked about before and did not end it, so that a search need not begin anew. What
    /// is left when the body ends is a unit, too. A WebSocket message is one, and not asked about.
    fn unit(&self, bytes: &[u8], from: usize, sender: Direction) -> Option<usize>;

    /// The runs of one unit: their lengths sum to `unit.len()`. [`Kind::Cursor`] is what told the server
    /// how far the client has read, and counted as that.
    fn label(&self, unit: &[u8], carried: Carried, spans: &mut Vec<Span>);
}

/// Which protocol a request begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// A WebSocket whose client offers a version of STOMP.
    Stomp,
    SockJs(Transport),
    EngineIo(EngineIo),
}

/// How SockJS is carried: the last segment of the path says so (protocol 0.3.3). A message in it is
/// STOMP's if `stomp::begins(&message)`, else [`message`]'s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    WebSocket,
    Xhr,
    XhrStreaming,
    EventSource,
    HtmlFile,
    Jsonp,
    XhrSend,
    JsonpSend,
    /// `/info` and the iframe page: all of them is control.
    Page,
}

/// What a request for Engine.IO says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EngineIo {
    /// Packets stand in HTTP bodies (`transport=polling`), separated by a record separator.
    pub polling: bool,
    /// What an Engine.IO message holds is a Socket.IO packet; else it is the application's own.
    pub socket_io: bool,
}
