//! Which protocol a request begins.

use super::super::{Asks, Dialect, EngineIo, Transport, offers_stomp};

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
    // The raw WebSocket: the protocol of `ws`, unless STOMP is agreed on.
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
