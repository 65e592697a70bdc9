//! SockJS (<https://github.com/sockjs/sockjs-protocol>): what a server sends ("Framing accepted by the client"),
//! what a client sends, and what each transport puts round it.
//!
//! ```text
//! o                       open: a session has begun
//! h                       heartbeat
//! a["…","…"]              messages, each a JSON string
//! c[3000,"Go away!"]      close: why the session is over
//! ```
//!
//! Clients have no frames: they send a JSON string, or a list of them.

use std::borrow::Cow;
use std::fmt::Write as _;

use memchr::{memchr, memmem};
use serde::de::{DeserializeOwned, IgnoredAny};
use thiserror::Error;

use super::layers::{Carried, Layer, Span, Transport, Written, message};
use super::stomp::{self, Stomp};
use super::{Direction, Kind, Label};

/// What a client of ours says first, before its cursor: how far it has read.
pub const AFTER: &str = "after=";

/// A frame, as a client reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The session has begun.
    Open,
    /// Nothing; but the connection is not idle.
    Heartbeat,
    /// Messages, in order.
    Messages(Vec<String>),
    /// The session is over.
    Close {
        /// Why, as a number: 1000 to 4999.
        code: u16,
        /// And in words.
        reason: String,
    },
}

/// Why something is not a frame.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotAFrame {
    /// It is empty.
    #[error("a SockJS frame is at least one character")]
    Empty,
    /// Its first character says nothing.
    #[error("{0:?} does not begin a SockJS frame")]
    Type(char),
    /// What follows is not the JSON that belongs there.
    #[error("a SockJS frame `{0}` has other content than it should")]
    Content(char),
}

/// Why what a client sent is not what it should be. The words are those that the protocol's tests expect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// There is nothing, or it is no list of strings.
    #[error("Payload expected.")]
    Payload,
    /// It is no JSON.
    #[error("Broken JSON encoding.")]
    Json,
}

impl Frame {
    /// Reads a frame without its line end or other wrapping.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(text: &str) -> Result<Frame, NotAFrame> {
        let mut rest = text.chars();
        let kind = rest.next().ok_or(NotAFrame::Empty)?;
        let content = rest.as_str();
        let unfit = || NotAFrame::Content(kind);
        match kind {
            'o' | 'h' if !content.is_empty() => Err(unfit()),
            'o' => Ok(Frame::Open),
            'h' => Ok(Frame::Heartbeat),
            'a' => serde_json::from_str(content)
                .map(Frame::Messages)
                .map_err(|_| unfit()),
            'c' => {
                let (code, reason) = serde_json::from_str(content).map_err(|_| unfit())?;
                Ok(Frame::Close { code, reason })
            }
            other => Err(NotAFrame::Type(other)),
        }
    }

    /// Writes it, without line end or other wrapping.
    pub fn text(&self) -> String {
        match self {
            Frame::Open => "o".into(),
            Frame::Heartbeat => "h".into(),
            Frame::Messages(messages) => {
                let quoted: Vec<String> = messages.iter().map(|m| quote(m)).collect();
                format!("a[{}]", quoted.join(","))
            }
            Frame::Close { code, reason } => format!("c[{code},{}]", quote(reason)),
        }
    }
}

/// What a client sends on a WebSocket: one message, or a list of them; nothing is nothing ("Server must
/// ignore empty messages").
///
/// # Errors
/// If it is neither.
pub fn said(text: &str) -> Result<Vec<String>, Refused> {
    match text.as_bytes().first() {
        None => Ok(Vec::new()),
        Some(b'[') => listed(text),
        Some(_) => read(text).map(|message| vec![message]),
    }
}

/// What a client posts: a list of messages.
///
/// # Errors
/// If it is none.
pub fn listed(text: &str) -> Result<Vec<String>, Refused> {
    if text.is_empty() {
        return Err(Refused::Payload);
    }
    read(text)
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, Refused> {
    let read = serde_json::from_str(text).or_else(|_| serde_json::from_str(&mended(text)));
    read.map_err(|_| match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => Refused::Payload,
        Err(_) => Refused::Json,
    })
}

/// JSON in which half a pair of surrogates, which is no character but may stand in a string of JavaScript,
/// is U+FFFD instead.
fn mended(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(n) = rest.find('\\') {
        let (plain, escape) = rest.split_at(n);
        out.push_str(plain);
        let unit = |at: usize| {
            let digits = escape.get(at..)?.strip_prefix("\\u")?.get(..4)?;
            u32::from_str_radix(digits, 16).ok()
        };
        let (written, len) = match (unit(0), unit(6)) {
            (Some(0xD800..0xDC00), Some(0xDC00..0xE000)) => (&escape[..12], 12),
            (Some(0xD800..0xE000), _) => ("\\ufffd", 6),
            // What is escaped may be a backslash; it may be no ASCII, and then it is no JSON.
            _ => {
                let len = 1 + escape[1..].chars().next().map_or(0, char::len_utf8);
                (&escape[..len], len)
            }
        };
        out.push_str(written);
        rest = &escape[len..];
    }
    out + rest
}

/// A message as the list in which clients send it.
pub fn list(messages: &[impl AsRef<str>]) -> String {
    let quoted: Vec<String> = messages.iter().map(|m| quote(m.as_ref())).collect();
    format!("[{}]", quoted.join(","))
}

/// A message as a JSON string (RFC 8259, section 7), with those characters escaped besides that the
/// protocol says get lost in browsers ("JSON Unicode Encoding").
pub fn quote(message: &str) -> String {
    // Writing a string as JSON cannot fail.
    let json = serde_json::to_string(message).unwrap_or_default();
    if !json.contains(is_mangled) {
        return json;
    }
    let mut out = String::with_capacity(json.len() + 64);
    for c in json.chars() {
        if is_mangled(c) {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// Beyond what JSON itself wants escaped. Its surrogates cannot occur: text here is Unicode.
fn is_mangled(c: char) -> bool {
    matches!(c, '\u{200c}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{2060}'..='\u{206f}' | '\u{fff0}'..='\u{ffff}')
}

/// The prelude of an XHR stream: browsers show nothing of an answer before they have so much of it.
pub const XHR_PRELUDE: usize = 2_048;

/// An HTML page is not run before a browser has so much of it.
const HTML_PRELUDE: usize = 1_024;

/// What a transport puts round frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrapping {
    /// Nothing: the message of a WebSocket.
    Bare,
    /// A line each, for XHR.
    Line,
    /// An event each, for EventSource.
    Event,
    /// A script each, in a page that never ends.
    Script,
    /// The call of a function by this name, for a script that is loaded for each frame.
    Call(String),
}

impl Wrapping {
    /// What a stream begins with.
    pub fn prelude(&self) -> Vec<u8> {
        match self {
            Wrapping::Bare | Wrapping::Script | Wrapping::Call(_) => Vec::new(),
            Wrapping::Line => {
                let mut line = vec![b'h'; XHR_PRELUDE];
                line.push(b'\n');
                line
            }
            Wrapping::Event => b"\r\n".to_vec(),
        }
    }

    /// A frame, wrapped.
    pub fn wrap(&self, frame: &str) -> Vec<u8> {
        match self {
            Wrapping::Bare => frame.into(),
            Wrapping::Line => format!("{frame}\n"),
            Wrapping::Event => format!("data: {frame}\r\n\r\n"),
            Wrapping::Script => format!("<script>\np({});\n</script>\r\n", literal(frame)),
            // The comment keeps whoever made the URL from saying what the answer begins with: some letters
            // and digits are a program to a plug-in that looks at nothing but the beginning.
            Wrapping::Call(callback) => format!("/**/{callback}({});\r\n", literal(frame)),
        }
        .into_bytes()
    }
}

/// A frame as a string of JavaScript that may stand in a page: what would end the script is told apart by
/// a backslash that says nothing.
fn literal(frame: &str) -> String {
    let json = serde_json::to_string(frame).unwrap_or_default();
    json.replace("</", "<\\/").replace("<!--", "<\\!--")
}

/// The page whose scripts call `callback` in the page around it ("HtmlFile").
pub fn htmlfile(callback: &str) -> String {
    let mut page = format!(
        "<!doctype html>\n<html><head>\n  <meta http-equiv=\"X-UA-Compatible\" content=\"IE=edge\" />\n  \
         <meta http-equiv=\"Content-Type\" content=\"text/html; charset=UTF-8\" />\n\
         </head><body><h2>Don't panic!</h2>\n  <script>\n    document.domain = document.domain;\n    \
         var c = parent.{callback};\n    c.start();\n    function p(d) {{c.message(d);}};\n    \
         window.onload = function() {{c.stop();}};\n  </script>\n"
    );
    while page.len() < HTML_PRELUDE {
        page.push(' ');
    }
    page.push_str("\r\n\r\n");
    page
}

/// Whether a name may stand where a function is called: anything else would let whoever made the URL write
/// the script.
pub fn is_callback(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (1..=64).contains(&name.len()) && name.chars().all(fits)
}

/// The page through which a client of another origin reaches the transports that know no CORS ("IFrame
/// page"). It loads the client from `url`.
pub fn iframe(url: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html>\n<head>\n  <meta http-equiv=\"X-UA-Compatible\" content=\"IE=edge\" />\n  \
         <meta http-equiv=\"Content-Type\" content=\"text/html; charset=UTF-8\" />\n  \
         <script src=\"{url}\"></script>\n  <script>\n    document.domain = document.domain;\n    \
         SockJS.bootstrap_iframe();\n  </script>\n</head>\n<body>\n  <h2>Don't panic!</h2>\n  \
         <p>This is a SockJS hidden iframe. It's used for cross domain magic.</p>\n</body>\n</html>"
    )
}

/// What a path below a service's own stands for ("Session URLs" and the sections before).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource<'a> {
    /// The greeting.
    Greeting,
    /// What the server can do.
    Info,
    /// The page of another origin's clients.
    Iframe,
    /// A WebSocket without SockJS in it.
    RawWebSocket,
    /// Something of a session. The server's part of the path is for load balancers.
    Session {
        /// The session, as it stands in the path.
        session: &'a str,
        /// What of it.
        endpoint: Endpoint,
    },
}

/// What a session has URLs for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `websocket`
    WebSocket,
    /// `xhr`: polling.
    Xhr,
    /// `xhr_send`
    XhrSend,
    /// `xhr_streaming`
    XhrStreaming,
    /// `eventsource`
    EventSource,
    /// `htmlfile`
    HtmlFile,
    /// `jsonp`: polling.
    Jsonp,
    /// `jsonp_send`
    JsonpSend,
}

/// Each of them, by its name in the path.
pub const ENDPOINTS: [(&str, Endpoint); 8] = [
    ("websocket", Endpoint::WebSocket),
    ("xhr", Endpoint::Xhr),
    ("xhr_send", Endpoint::XhrSend),
    ("xhr_streaming", Endpoint::XhrStreaming),
    ("eventsource", Endpoint::EventSource),
    ("htmlfile", Endpoint::HtmlFile),
    ("jsonp", Endpoint::Jsonp),
    ("jsonp_send", Endpoint::JsonpSend),
];

impl<'a> Resource<'a> {
    /// Of the part of a path behind the service's own, as it stands in the request.
    pub fn of(rest: &'a str) -> Option<Resource<'a>> {
        match rest {
            "" | "/" => return Some(Resource::Greeting),
            "/info" => return Some(Resource::Info),
            "/websocket" => return Some(Resource::RawWebSocket),
            _ => {}
        }
        let path = rest.strip_prefix('/')?;
        if let Some(version) = path.strip_prefix("iframe").and_then(|p| p.strip_suffix(".html")) {
            let fits = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
            return version.chars().all(fits).then_some(Resource::Iframe);
        }
        let mut parts = path.split('/');
        let (server, session, endpoint) = (parts.next()?, parts.next()?, parts.next()?);
        let any = |part: &str| !part.is_empty() && !part.contains('.');
        if parts.next().is_some() || !any(server) || !any(session) {
            return None;
        }
        let endpoint = ENDPOINTS.iter().find(|(name, _)| *name == endpoint)?.1;
        Some(Resource::Session { session, endpoint })
    }
}

/// A value of a URL's query or a form's body, decoded (WHATWG URL, section 5.1); the last of its name.
pub fn value_of<'a>(form: &'a str, name: &str) -> Option<Cow<'a, str>> {
    form.split('&')
        .filter_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (key == name).then(|| decoded(value))
        })
        .next_back()
}

fn decoded(value: &str) -> Cow<'_, str> {
    if !value.contains(['%', '+']) {
        return Cow::Borrowed(value);
    }
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [first, tail @ ..] = rest {
        let (byte, tail) = match (first, tail) {
            (b'+', _) => (b' ', tail),
            (b'%', [a, b, tail @ ..]) if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => {
                (hex(*a) << 4 | hex(*b), tail)
            }
            _ => (*first, tail),
        };
        out.push(byte);
        rest = tail;
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        other => other.to_ascii_lowercase() - b'a' + 10,
    }
}

/// How the meter reads SockJS. What it puts round a mail or a message is framing, and so are the bytes that
/// a string in a string takes more; a unit without any is control.
impl Layer for Transport {
    fn unit(&self, bytes: &[u8], from: usize, sender: Direction) -> Option<usize> {
        let end = match (self, sender) {
            (Transport::Xhr | Transport::XhrStreaming, Direction::Down) => "\n",
            // The prelude is an empty line.
            (Transport::EventSource, Direction::Down) if bytes.starts_with(b"\r\n") => return Some(2),
            (Transport::EventSource, Direction::Down) => "\r\n\r\n",
            (Transport::HtmlFile, Direction::Down) if bytes.starts_with(b"<s") => "</script>\r\n",
            (Transport::HtmlFile, Direction::Down) if bytes.len() > 1 => "\r\n\r\n",
            _ => return None,
        };
        // It may have begun in what was asked about before.
        let from = from.saturating_sub(end.len() - 1);
        let found = memmem::find(&bytes[from..], end.as_bytes())?;
        Some(from + found + end.len())
    }

    fn label(&self, unit: &[u8], carried: Carried, spans: &mut Vec<Span>) {
        let before = spans.len();
        match (self, carried.sender) {
            (Transport::Page, _) => {}
            (Transport::WebSocket | Transport::XhrSend, Direction::Up) => strings(unit, carried, spans),
            (Transport::JsonpSend, Direction::Up) => posted_form(unit, carried, spans),
            (_, Direction::Up) | (Transport::XhrSend | Transport::JsonpSend, Direction::Down) => {}
            (Transport::WebSocket | Transport::Xhr | Transport::XhrStreaming, Direction::Down) => {
                frame(unit, carried, spans);
            }
            (Transport::EventSource, Direction::Down) => {
                if let Some(rest) = unit.strip_prefix(b"data: ") {
                    push(spans, unit.len() - rest.len(), Label::Framing, Kind::Envelope);
                    frame(rest, carried, spans);
                }
            }
            (Transport::HtmlFile | Transport::Jsonp, Direction::Down) => literals(unit, carried, spans),
        }
        settle(unit.len(), before, spans);
    }
}

/// A frame, and what may stand behind it.
fn frame(bytes: &[u8], carried: Carried, spans: &mut Vec<Span>) {
    if bytes.starts_with(b"a") {
        return strings(bytes, carried, spans);
    }
    let kind = match bytes {
        [b'h', b'h', ..] => Kind::Prelude,
        [b'h', ..] => Kind::Heartbeat,
        _ => Kind::LayerControl,
    };
    push(spans, bytes.len(), Label::Control, kind);
}

/// JSON strings, and what stands between them.
fn strings(bytes: &[u8], carried: Carried, spans: &mut Vec<Span>) {
    each_string(bytes, spans, |text, spans| match stomp::begins(text) {
        true => Stomp.label(text, carried, spans),
        false => message(text, carried.sender, spans),
    });
}

/// The same where what stands in the strings is frames.
fn literals(bytes: &[u8], carried: Carried, spans: &mut Vec<Span>) {
    if memmem::find(bytes, b"(\"").is_some() {
        each_string(bytes, spans, |text, spans| frame(text, carried, spans));
    }
}

fn each_string(bytes: &[u8], spans: &mut Vec<Span>, inside: impl Fn(&[u8], &mut Vec<Span>)) {
    let mut rest = bytes;
    while let Some(n) = memchr(b'"', rest) {
        push(spans, n + 1, Label::Framing, Kind::Envelope);
        let (written, len) = Written::json_string(&rest[n + 1..]);
        let mut inner = Vec::new();
        inside(&written.text, &mut inner);
        written.stretch(&inner, spans);
        rest = &rest[n + 1 + len..];
        if let Some(behind) = rest.strip_prefix(b"\"") {
            push(spans, 1, Label::Framing, Kind::Envelope);
            rest = behind;
        }
    }
    push(spans, rest.len(), Label::Framing, Kind::Envelope);
}

/// `d=` and a list, as forms write it; or the list as it is.
fn posted_form(unit: &[u8], carried: Carried, spans: &mut Vec<Span>) {
    let Some(value) = unit.strip_prefix(b"d=") else {
        return strings(unit, carried, spans);
    };
    push(spans, 2, Label::Framing, Kind::Envelope);
    let written = Written::form_value(value);
    let mut inner = Vec::new();
    strings(&written.text, carried, &mut inner);
    written.stretch(&inner, spans);
}

/// Makes the runs from `before` on as long as the unit; where they bring nothing, all of them is control.
fn settle(len: usize, before: usize, spans: &mut Vec<Span>) {
    let told: usize = spans[before..].iter().map(|s| s.len).sum();
    let bears = |s: &Span| s.label != Label::Control && !matches!(s.kind, Kind::Envelope | Kind::Escape);
    if spans[before..].iter().any(bears) {
        push(spans, len.saturating_sub(told), Label::Framing, Kind::Envelope);
        return;
    }
    for span in &mut spans[before..] {
        span.label = Label::Control;
    }
    push(
        spans,
        len.saturating_sub(told),
        Label::Control,
        Kind::LayerControl,
    );
}

fn push(spans: &mut Vec<Span>, len: usize, label: Label, kind: Kind) {
    if len > 0 {
        spans.push(Span::new(len, label, kind));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{Reading, Vector, read, read_bytes};
    use super::super::{Event, Kind::*, Label::*};
    use super::*;

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
        // Half a character, which JavaScript has and Unicode has not.
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

    /// "the server must escape at least" these.
    #[test]
    fn what_browsers_mangle_is_escaped() {
        for c in (0..0x11_0000).filter_map(char::from_u32) {
            let quoted = quote(&c.to_string());
            let code = u32::from(c);
            let mangled = matches!(code, 0..=0x1f | 0x200c..=0x200f | 0x2028..=0x202f | 0x2060..=0x206f | 0xfff0..=0xffff);
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
        assert!(
            page.len() > 1024 && page.contains("var c = parent.callback;\n") && page.ends_with(" \r\n\r\n")
        );
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
            for transport in TRANSPORTS {
                for sender in [Direction::Up, Direction::Down] {
                    let mut spans = Vec::new();
                    transport.label(&bytes, Carried { sender, binary: false }, &mut spans);
                    prop_assert_eq!(spans.iter().map(|s| s.len).sum::<usize>(), bytes.len());
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

    /// `"{\"id\":1}"`: each of two quotes takes a byte more.
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
        // Escaped twice: `"` is `\\\"`, of which one byte was meant.
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

    /// STOMP inside is told apart as STOMP.
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
}
