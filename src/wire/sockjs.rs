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

use serde::de::{DeserializeOwned, IgnoredAny};
use thiserror::Error;

use super::layers::Written;

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
    let text = Written::form_value(value.as_bytes()).text;
    Cow::Owned(String::from_utf8_lossy(&text).into_owned())
}
