//! Protocols on top of HTTP, recognised by the request that starts them.
//!
//! ```text
//! client                                                                     server
//!   | GET /sockjs/000/x7/websocket, Upgrade          the request shows which protocol
//!   |--------------------------------------------------------------------->|
//!   |  81 01  o                                      a unit: control, its frame's header too
//!   |  81 13  a["{\"id\":1,\"from\":…}"]             a unit: envelope, escapes, and a mail
//!   |<---------------------------------------------------------------------|
//! ```

use super::Layer;
use super::layers::{EngineIo, Stomp, Transport};
#[cfg(test)]
use super::tests::Tiny;

/// A protocol on top that a request starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// A WebSocket whose client offers a version of STOMP.
    Stomp,
    SockJs(Transport),
    EngineIo(EngineIo),
    #[cfg(test)]
    Tiny(Tiny),
}

/// The parts of a request that show which protocol it starts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asks<'a> {
    /// Path and query.
    pub target: &'a [u8],
    /// Whether it asks for a WebSocket.
    pub websocket: bool,
    /// Whether it offers a version of STOMP as subprotocol.
    pub stomp: bool,
}

/// Whether a `Sec-WebSocket-Protocol` field offers a version of STOMP.
pub(crate) fn offers_stomp(value: &[u8]) -> bool {
    let mut offered = value.split(|b| *b == b',').map(<[u8]>::trim_ascii);
    offered.any(|name| matches!(name, b"v10.stomp" | b"v11.stomp" | b"v12.stomp"))
}

impl Dialect {
    /// The protocol on top that this request starts; `None` for none.
    pub fn of(asks: &Asks) -> Option<Dialect> {
        if asks.websocket && asks.stomp {
            return Some(Dialect::Stomp);
        }
        let mut halves = asks.target.splitn(2, |b| *b == b'?');
        let (path, query) = (halves.next()?, halves.next().unwrap_or_default());
        #[cfg(test)]
        if let Some(tiny) = Tiny::of(path) {
            return Some(Dialect::Tiny(tiny));
        }
        if query.split(|b| *b == b'&').any(|p| p == b"EIO=4") {
            return Some(Dialect::EngineIo(EngineIo {
                polling: !asks.websocket,
                socket_io: !path.starts_with(b"/engine.io"),
            }));
        }
        let transport = Transport::of(path)?;
        let fits = asks.websocket == (transport == Transport::WebSocket);
        fits.then_some(Dialect::SockJs(transport))
    }

    /// Whether the answer to a GET (`get`) or to another request has units: Engine.IO answers a POST with a
    /// plain `ok`.
    pub fn is_in_answer(self, get: bool) -> bool {
        get || !matches!(self, Dialect::EngineIo(_))
    }

    /// The layer that reads it.
    pub(super) fn layer(self) -> Box<dyn Layer> {
        match self {
            Dialect::Stomp => Box::new(Stomp),
            Dialect::SockJs(transport) => Box::new(transport),
            Dialect::EngineIo(engine_io) => Box::new(engine_io),
            #[cfg(test)]
            Dialect::Tiny(tiny) => Box::new(tiny),
        }
    }
}
