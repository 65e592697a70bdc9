//! SockJS: writing, reading and labels.

use proptest::prelude::*;

use super::super::layer::{Carried, Ending, Layer};
use super::super::layers::Transport;
use super::super::sockjs::*;
use super::super::span::Spans;
use super::super::{Direction, Event, Kind, Kind::*, Label, Label::*};
use super::support::{Reading, Vector, read, read_bytes};

const CLOSE: &str = r#"c[3000,"Go away!"]"#;

#[test]
fn frames_are_read_and_written() {
    for (text, frame) in [
        ("o", Frame::Open),
        ("h", Frame::Heartbeat),
        ("a[]", Frame::Messages(Vec::new())),
        (r#"a["x"]"#, Frame::Messages(vec!["x".into()])),
        (
            r#"a["x","\"\n"]"#,
            Frame::Messages(vec!["x".into(), "\"\n".into()]),
        ),
        (
            CLOSE,
            Frame::Close {
                code: 3000,
                reason: "Go away!".into(),
            },
        ),
    ] {
        assert_eq!(Frame::parse(text), Ok(frame.clone()));
        assert_eq!(frame.text(), text);
    }
    for (text, error) in [
        ("", NotAFrame::Empty),
        ("x", NotAFrame::Type('x')),
        ("oo", NotAFrame::Content('o')),
        ("a[1]", NotAFrame::Content('a')),
        ("a[\"x", NotAFrame::Content('a')),
        ("c[3000]", NotAFrame::Content('c')),
        ("c[70000,\"\"]", NotAFrame::Content('c')),
    ] {
        assert_eq!(Frame::parse(text), Err(error), "{text}");
    }
}

#[test]
fn clients_send_strings() {
    let all = |texts: &[&str]| Ok(texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>());
    for (text, wanted) in [
        ("", all(&[])),
        (r#""a""#, all(&["a"])),
        (r#"["a","b"]"#, all(&["a", "b"])),
        ("[\"a", Err(Refused::Json)),
        ("{", Err(Refused::Json)),
        ("{}", Err(Refused::Payload)),
        ("[1]", Err(Refused::Payload)),
    ] {
        assert_eq!(said(text), wanted, "{text}");
    }
    // Unpaired surrogates, which are valid in JavaScript and not in Unicode.
    for (text, wanted) in [
        (r#"["\ud800"]"#, "\u{fffd}"),
        (r#"["\udc00\ud83d\udce8\\ud800x"]"#, "\u{fffd}\u{1f4e8}\\ud800x"),
    ] {
        assert_eq!(listed(text), all(&[wanted]));
    }
    assert_eq!(listed("[\"\\é\"]"), Err(Refused::Json));
    assert_eq!(listed(""), Err(Refused::Payload));
    assert_eq!(listed(r#""a""#), Err(Refused::Payload));
    assert_eq!(list(&["a", "\""]), r#"["a","\""]"#);
}

/// The protocol: "the server must escape at least" these.
#[test]
fn what_browsers_mangle_is_escaped() {
    for c in (0..0x11_0000).filter_map(char::from_u32) {
        let quoted = quote(&c.to_string());
        let code = u32::from(c);
        let mangled =
            matches!(code, 0..=0x1f | 0x200c..=0x200f | 0x2028..=0x202f | 0x2060..=0x206f | 0xfff0..=0xffff);
        assert_eq!(
            quoted.starts_with("\"\\"),
            mangled || c == '"' || c == '\\',
            "{code:x}"
        );
        assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), c.to_string());
    }
    assert_eq!(quote("\u{fff0}\u{2028}\u{0}\n"), r#""\ufff0\u2028\u0000\n""#);
}

#[test]
fn transports_wrap_frames() {
    let frame = r#"a["x</script>"]"#;
    for (wrapping, wrapped) in [
        (Wrapping::Bare, frame.to_owned()),
        (Wrapping::Line, format!("{frame}\n")),
        (Wrapping::Event, format!("data: {frame}\r\n\r\n")),
        (
            Wrapping::Script,
            "<script>\np(\"a[\\\"x<\\/script>\\\"]\");\n</script>\r\n".into(),
        ),
        (
            Wrapping::Call("c.b".into()),
            "/**/c.b(\"a[\\\"x<\\/script>\\\"]\");\r\n".into(),
        ),
    ] {
        assert_eq!(String::from_utf8(wrapping.wrap(frame)).unwrap(), wrapped);
    }
    assert_eq!(Wrapping::Line.prelude().len(), 2049);
    assert_eq!(Wrapping::Event.prelude(), b"\r\n");
    let page = htmlfile("callback");
    assert!(page.len() > 1024 && page.contains("var c = parent.callback;\n") && page.ends_with(" \r\n\r\n"));
}

#[test]
fn only_names_are_called() {
    for name in ["callback", "_jp.a1b2", "x-y"] {
        assert!(is_callback(name));
    }
    for name in ["", "a(b)", "a;b", "<x>", "é", &"a".repeat(65)] {
        assert!(!is_callback(name), "{name}");
    }
}

#[test]
fn paths_say_what_is_meant() {
    let session = |session, endpoint| Some(Resource::Session { session, endpoint });
    for (path, resource) in [
        ("", Some(Resource::Greeting)),
        ("/", Some(Resource::Greeting)),
        ("//", None),
        ("/a", None),
        ("/info", Some(Resource::Info)),
        ("/info/", None),
        ("/websocket", Some(Resource::RawWebSocket)),
        ("/iframe.html", Some(Resource::Iframe)),
        ("/iframe-0.1.2abc-dirty.2144.html", Some(Resource::Iframe)),
        ("/iframe-/.html", None),
        ("/IFRAME.HTML", None),
        ("/a/b/xhr", session("b", Endpoint::Xhr)),
        ("/a%20/b-_/jsonp_send", session("b-_", Endpoint::JsonpSend)),
        ("/a/b/xhr/", None),
        ("/a/b/poll", None),
        ("/a/b.c/xhr", None),
        ("/./b/xhr", None),
        ("//b/xhr", None),
        ("/a//xhr", None),
    ] {
        assert_eq!(Resource::of(path), resource, "{path}");
    }
}

#[test]
fn forms_are_decoded() {
    assert_eq!(value_of("c=%63all", "c").as_deref(), Some("call"));
    assert_eq!(
        value_of("x=1&d=%5B%22x+y%22%5D&z", "d").as_deref(),
        Some(r#"["x y"]"#)
    );
    assert_eq!(value_of("z", "z").as_deref(), Some(""));
    assert_eq!(value_of("p=p", "d"), None);
    assert_eq!(value_of("d=%", "d").as_deref(), Some("%"));
    assert_eq!(value_of("d=%4", "d").as_deref(), Some("%4"));
    assert_eq!(value_of("d=%C3", "d").as_deref(), Some("\u{fffd}"));
}

proptest! {
    #[test]
    fn whatever_is_written_can_be_read(messages: Vec<String>, code: u16, reason: String) {
        for frame in [Frame::Messages(messages.clone()), Frame::Close { code, reason }] {
            prop_assert_eq!(Frame::parse(&frame.text()), Ok(frame));
        }
        prop_assert_eq!(listed(&list(&messages)), Ok(messages));
    }

    #[test]
    fn whatever_is_read_is_read_in_peace(text: String, bytes: Vec<u8>) {
        let _ = (Frame::parse(&text), said(&text), listed(&text), Resource::of(&text), value_of(&text, "d"));
        for mut transport in TRANSPORTS {
            for sender in [Direction::Up, Direction::Down] {
                let mut spans = Spans::default();
                transport.label(&bytes, Carried { sender, binary: false, ending: Ending::Cut }, &mut spans);
                prop_assert_eq!(spans.total(), bytes.len());
            }
        }
    }
}

const TRANSPORTS: [Transport; 9] = [
    Transport::WebSocket,
    Transport::Xhr,
    Transport::XhrStreaming,
    Transport::EventSource,
    Transport::HtmlFile,
    Transport::Jsonp,
    Transport::XhrSend,
    Transport::JsonpSend,
    Transport::Page,
];

const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

fn request(method: &str, endpoint: &str) -> String {
    format!("{method} /sockjs/0/x/{endpoint} HTTP/1.1\r\n\r\n")
}

fn chunk(content: &str) -> String {
    format!("{:x}\r\n{content}\r\n", content.len())
}

const MAIL: &str = r#"{"id":1}"#;

/// `"{\"id\":1}"`: each of the two quotes takes one more byte.
fn mail() -> Vec<(Kind, Label, u64)> {
    vec![
        (Mail, Payload, 1),
        (Escape, Framing, 1),
        (Mail, Payload, 3),
        (Escape, Framing, 1),
        (Mail, Payload, 4),
    ]
}

fn with(
    before: &[(Kind, Label, u64)],
    inner: Vec<(Kind, Label, u64)>,
    behind: &[(Kind, Label, u64)],
) -> Vec<(Kind, Label, u64)> {
    [before, &inner, behind].concat()
}

#[test]
fn a_websocket_carries_frames() {
    let mail_frame = Frame::Messages(vec![MAIL.into()]).text();
    let frame = |content: &str| [&[0x81, content.len() as u8], content.as_bytes()].concat();
    let upgrade = "GET /sockjs/0/x/websocket HTTP/1.1\r\nUpgrade: websocket\r\n\r\n";
    Vector::new()
        .request(upgrade)
        .response("HTTP/1.1 101 S\r\n\r\n")
        .events(&[Event::Upgraded])
        .down(
            frame("o"),
            &[(FrameHeader, Control, 2), (LayerControl, Control, 1)],
        )
        .down(
            frame(&mail_frame),
            &with(
                &[(FrameHeader, Framing, 2), (Envelope, Framing, 3)],
                mail(),
                &[(Envelope, Framing, 2)],
            ),
        )
        .events(&[Event::Message(Direction::Down)])
        .down(frame("h"), &[(FrameHeader, Control, 2), (Heartbeat, Control, 1)])
        .down(
            frame(r#"a["{\"gap\":3}"]"#),
            &[
                (FrameHeader, Control, 2),
                (Envelope, Control, 3),
                (Notice, Control, 11),
                (Envelope, Control, 2),
            ],
        )
        .down(
            frame(CLOSE),
            &[(FrameHeader, Control, 2), (LayerControl, Control, 18)],
        )
        .check(b"");
}

#[test]
fn a_stream_is_a_prelude_and_lines() {
    let prelude = chunk(std::str::from_utf8(&Wrapping::Line.prelude()).unwrap());
    let mail_frame = format!("{}\n", Frame::Messages(vec![MAIL.into(), MAIL.into()]).text());
    let between = with(
        &[(ChunkSize, Framing, 4), (Envelope, Framing, 3)],
        mail(),
        &[(Envelope, Framing, 3)],
    );
    let lines = with(
        &between,
        mail(),
        &[(Envelope, Framing, 3), (ChunkEnd, Framing, 2)],
    );
    Vector::new()
        .request(&request("POST", "xhr_streaming"))
        .response(CHUNKED)
        .down(
            prelude,
            &[
                (ChunkSize, Control, 5),
                (Prelude, Control, 2049),
                (ChunkEnd, Control, 2),
            ],
        )
        .down(
            chunk("o\n"),
            &[
                (ChunkSize, Control, 3),
                (LayerControl, Control, 2),
                (ChunkEnd, Control, 2),
            ],
        )
        .down(chunk(&mail_frame), &lines)
        .events(&[Event::Message(Direction::Down)])
        .check(b"");
}

#[test]
fn an_event_a_script_or_a_call_is_put_round() {
    let frame = Frame::Messages(vec![MAIL.into()]).text();
    let event = Wrapping::Event.wrap(&frame);
    Vector::new()
        .request(&request("GET", "eventsource"))
        .response("HTTP/1.0 200 OK\r\n\r\n")
        .down("\r\n", &[(LayerControl, Control, 2)])
        .down(
            "data: o\r\n\r\n",
            &[(Envelope, Control, 6), (LayerControl, Control, 5)],
        )
        .down(
            &event,
            &with(&[(Envelope, Framing, 9)], mail(), &[(Envelope, Framing, 6)]),
        )
        .events(&[Event::Message(Direction::Down)])
        .check(b"");
    // Escaped twice: `"` is `\\\"`, of which one byte is payload.
    let twice = |before: u64, behind: u64| {
        let inner = [
            (Mail, Payload, 1),
            (Escape, Framing, 3),
            (Mail, Payload, 3),
            (Escape, Framing, 3),
            (Mail, Payload, 4),
        ];
        with(
            &[(Envelope, Framing, before)],
            inner.into(),
            &[(Envelope, Framing, behind)],
        )
    };
    let script = Wrapping::Script.wrap(&frame);
    let page = htmlfile("c");
    Vector::new()
        .request(&request("GET", "htmlfile?c=c"))
        .response("HTTP/1.0 200 OK\r\n\r\n")
        .down(&page, &[(LayerControl, Control, page.len() as u64)])
        .down(&script, &twice(16, 18))
        .events(&[Event::Message(Direction::Down)])
        .check(b"");
    let call = Wrapping::Call("c".into()).wrap(&frame);
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", call.len());
    Vector::new()
        .request(&request("GET", "jsonp?c=c"))
        .response(&head)
        .down(&call, &twice(11, 8))
        .check(b"");
}

#[test]
fn polls_that_bring_nothing_are_empty() {
    for frame in ["o\n", "h\n", "c[3000,\"Go away!\"]\n"] {
        let kind = if frame == "h\n" { Heartbeat } else { LayerControl };
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", frame.len());
        Vector::new()
            .request(&request("POST", "xhr"))
            .response(&head)
            .down(frame, &[(kind, Control, frame.len() as u64)])
            .events(&[Event::Empty])
            .check(b"");
    }
}

fn post(endpoint: &str, body: &str) -> String {
    let length = body.len();
    format!("POST /sockjs/0/x/{endpoint} HTTP/1.1\r\ncontent-length: {length}\r\n\r\n")
}

#[test]
fn clients_post_lists() {
    let read = r#"["{\"read\":1}"]"#;
    let reply = [
        (Reply, Payload, 1),
        (Escape, Framing, 1),
        (Reply, Payload, 5),
        (Escape, Framing, 1),
        (Reply, Payload, 4),
    ];
    let head = post("xhr_send", read);
    Vector::new()
        .request(&head)
        .up(
            read,
            &with(&[(Envelope, Framing, 2)], reply.into(), &[(Envelope, Framing, 2)]),
        )
        .response("HTTP/1.1 204 No Content\r\n\r\n")
        .check(b"");
    let cursor = r#"["{\"after\":1}"]"#;
    Vector::new()
        .request(&post("xhr_send", cursor))
        .up(
            cursor,
            &[
                (Envelope, Control, 2),
                (Cursor, Control, 13),
                (Envelope, Control, 2),
            ],
        )
        .response("HTTP/1.1 204 No Content\r\n\r\n")
        .check(b"");
    let form = "d=%5B%22hi%22%5D";
    let head = post("jsonp_send", form);
    let ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n";
    Vector::new()
        .request(&head)
        .up(
            form,
            &[
                (Envelope, Framing, 8),
                (Reply, Payload, 2),
                (Envelope, Framing, 6),
            ],
        )
        .response(ok)
        .down("ok", &[(LayerControl, Control, 2)])
        .check(b"");
}

/// STOMP in SockJS is labelled as STOMP.
#[test]
fn what_is_stomp_inside_is_read_as_that() {
    let text = list(&["CONNECT\naccept-version:1.2\n\n\0"]);
    let head = post("xhr_send", &text);
    let sides: Reading = read([(Direction::Up, head.as_bytes()), (Direction::Up, text.as_bytes())]);
    let kinds: Vec<Kind> = sides[0].runs.iter().map(|r| r.kind).collect();
    assert!(kinds.contains(&StompHead), "{kinds:?}");
    assert!(
        sides[0]
            .runs
            .iter()
            .all(|r| r.kind == RequestHead || r.labels.control > 0),
        "{sides:?}"
    );
    let bytes = [head.as_bytes(), text.as_bytes()].concat();
    assert_eq!(read_bytes(&[(Direction::Up, bytes)]), sides);
}
