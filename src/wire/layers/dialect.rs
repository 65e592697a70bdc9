//! Which protocol stands on top: the request that begins it says so.

/// Which protocol a request begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// A WebSocket whose client offers a version of STOMP.
    Stomp,
    SockJs(Transport),
    EngineIo(EngineIo),
    /// Lines of JSON, which no request names: the answer's `Content-Type` does.
    Lines,
    #[cfg(test)]
    Tiny(super::tests::Tiny),
}

/// How SockJS is carried: the last segment of the path says so ("Session URLs"). A message in it is
/// STOMP's if `stomp::begins(&message)`, else [`super::message`]'s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
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
pub(crate) struct EngineIo {
    /// Packets stand in HTTP bodies (`transport=polling`), separated by a record separator.
    pub polling: bool,
    /// What an Engine.IO message holds is a Socket.IO packet; else it is the application's own.
    pub socket_io: bool,
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
        if let Some(tiny) = super::tests::Tiny::of(path) {
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

    /// Whether an answer ends as soon as it has brought something.
    pub fn is_poll(self) -> bool {
        match self {
            Dialect::Stomp | Dialect::Lines => false,
            Dialect::SockJs(transport) => matches!(transport, Transport::Xhr | Transport::Jsonp),
            Dialect::EngineIo(engine_io) => engine_io.polling,
            #[cfg(test)]
            Dialect::Tiny(tiny) => tiny.poll,
        }
    }

    /// Whether an answer goes on for ever, a unit being what an event is elsewhere.
    pub fn is_stream(self) -> bool {
        use Transport::{EventSource, HtmlFile, XhrStreaming};
        matches!(
            self,
            Dialect::Lines | Dialect::SockJs(XhrStreaming | EventSource | HtmlFile)
        )
    }
}

impl Transport {
    /// `/prefix/server/session/transport`, where neither server nor session has a dot, or a page of the
    /// prefix's.
    fn of(path: &[u8]) -> Option<Transport> {
        let mut segments = path.rsplit(|b| *b == b'/');
        let last = segments.next()?;
        let transport = match last {
            b"websocket" => Transport::WebSocket,
            b"xhr" => Transport::Xhr,
            b"xhr_streaming" => Transport::XhrStreaming,
            b"eventsource" => Transport::EventSource,
            b"htmlfile" => Transport::HtmlFile,
            b"jsonp" => Transport::Jsonp,
            b"xhr_send" => Transport::XhrSend,
            b"jsonp_send" => Transport::JsonpSend,
            b"info" => Transport::Page,
            _ if last.starts_with(b"iframe") && last.ends_with(b".html") => Transport::Page,
            _ => return None,
        };
        let mut named = segments.take_while(|segment| !segment.is_empty());
        if transport != Transport::Page {
            let mut is_name = || named.next().is_some_and(|name| !name.contains(&b'.'));
            if !is_name() || !is_name() {
                return None;
            }
        }
        named.next().map(|_| transport)
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
