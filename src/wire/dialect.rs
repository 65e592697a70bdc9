//! Which protocol stands on top: the request that begins it says so.
//!
//! ```text
//! client                                                                     server
//!   | GET /sockjs/000/x7/websocket, Upgrade          the request tells which protocol
//!   |--------------------------------------------------------------------->|
//!   |  81 01  o                                      a unit: control, its frame's header too
//!   |  81 13  a["{\"id\":1,\"from\":…}"]             a unit: envelope, escapes, and a mail
//!   |<---------------------------------------------------------------------|
//! ```

use super::layer::Layer;
use super::layers::{EngineIo, Stomp, Transport};
#[cfg(test)]
use super::tests::Tiny;

/// Which protocol a request begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// A WebSocket whose client offers a version of STOMP.
    Stomp,
    SockJs(Transport),
    EngineIo(EngineIo),
    #[cfg(test)]
    Tiny(Tiny),
}

/// What a request says of the protocol that it begins.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asks<'a> {
    /// Path and query.
    pub target: &'a [u8],
    /// Whether it asks for a WebSocket.
    pub websocket: bool,
    /// Whether it offers a version of STOMP as what is spoken there.
    pub stomp: bool,
}

/// Whether a `Sec-WebSocket-Protocol` field offers a version of STOMP.
pub(crate) fn offers_stomp(value: &[u8]) -> bool {
    let mut offered = value.split(|b| *b == b',').map(<[u8]>::trim_ascii);
    offered.any(|name| matches!(name, b"v10.stomp" | b"v11.stomp" | b"v12.stomp"))
}

impl Dialect {
    /// Which protocol this request begins; `None`: none on top.
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

    /// Whether the answer to a GET, or to another request, has units in it: Engine.IO says just `ok` to
    /// what is posted.
    pub fn is_in_answer(self, get: bool) -> bool {
        get || !matches!(self, Dialect::EngineIo(_))
    }

    /// What reads it.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn of(target: &str, websocket: bool, stomp: bool) -> Option<Dialect> {
        Dialect::of(&Asks {
            target: target.as_bytes(),
            websocket,
            stomp,
        })
    }

    #[test]
    fn a_path_names_the_transport_of_sockjs() {
        for (name, transport) in [
            ("xhr", Transport::Xhr),
            ("xhr_streaming", Transport::XhrStreaming),
            ("eventsource", Transport::EventSource),
            ("htmlfile", Transport::HtmlFile),
            ("jsonp", Transport::Jsonp),
            ("xhr_send", Transport::XhrSend),
            ("jsonp_send", Transport::JsonpSend),
        ] {
            let is = |target: &str| of(target, false, false) == Some(Dialect::SockJs(transport));
            assert!(is(&format!("/sockjs/000/x7f/{name}")));
            assert!(is(&format!("/a/b/000/x7f/{name}?c=callback")));
            for wrong in [
                "/sockjs/0.0/x/",
                "/sockjs/0/x.y/",
                "/0/x/",
                "/sockjs//x/",
                "/sockjs/0//",
                "/",
            ] {
                assert!(!is(&format!("{wrong}{name}")), "{wrong}{name}");
            }
            assert_eq!(of(&format!("/sockjs/0/x/{name}"), true, false), None);
        }
        let websocket = Some(Dialect::SockJs(Transport::WebSocket));
        assert_eq!(of("/sockjs/0/x/websocket", true, false), websocket);
        assert_eq!(of("/sockjs/0/x/websocket", false, false), None);
        // Raw: what `ws` speaks, unless STOMP is agreed on.
        assert_eq!(of("/sockjs/websocket", true, false), None);
        assert_eq!(of("/sockjs/websocket", true, true), Some(Dialect::Stomp));
        let page = Some(Dialect::SockJs(Transport::Page));
        for path in [
            "/sockjs/info",
            "/sockjs/info?t=1",
            "/a/b/iframe-0.3.3.html",
            "/sockjs/iframe.html",
        ] {
            assert_eq!(of(path, false, false), page);
        }
        assert_eq!(
            [of("/info", false, false), of("/a/iframe.htm", false, false)],
            [None; 2]
        );
    }

    #[test]
    fn a_query_names_engine_io_and_a_field_stomp() {
        let engine_io = |polling, socket_io| Some(Dialect::EngineIo(EngineIo { polling, socket_io }));
        assert_eq!(
            of("/socket.io/?EIO=4&transport=polling", false, false),
            engine_io(true, true)
        );
        assert_eq!(
            of("/socket.io/?transport=websocket&EIO=4", true, false),
            engine_io(false, true)
        );
        assert_eq!(of("/engine.io/?EIO=4", true, false), engine_io(false, false));
        assert_eq!(
            [of("/socket.io/?EIO=3", true, false), of("/EIO=4", true, false)],
            [None; 2]
        );
        assert_eq!(of("/stomp", true, true), Some(Dialect::Stomp));
        assert_eq!([of("/stomp", false, true), of("/stomp", true, false)], [None; 2]);
        for (value, offered) in [
            ("v12.stomp", true),
            ("mailcall, v10.stomp", true),
            ("v11.stomp,v12.stomp", true),
            ("v13.stomp", false),
            ("stomp", false),
            ("", false),
        ] {
            assert_eq!(offers_stomp(value.as_bytes()), offered);
        }
    }
}
