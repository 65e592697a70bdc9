//! SockJS (<https://github.com/sockjs/sockjs-protocol>): the frames of a server ("Framing accepted by the
//! client"), the messages of a client, and the wrapping of each transport.
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

/// The prefix of the cursor in our client's first message.
pub const AFTER: &str = "after=";

/// A frame from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The session has begun.
    Open,
    /// No message; it only keeps the connection from being idle.
    Heartbeat,
    /// Messages, in order.
    Messages(Vec<String>),
    /// The session is over.
    Close {
        /// The code: 1000 to 4999.
        code: u16,
        /// The reason as text.
        reason: String,
    },
}

/// Why a text is not a frame.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotAFrame {
    /// It is empty.
    #[error("a SockJS frame is at least one character")]
    Empty,
    /// Its first character is no frame type.
    #[error("{0:?} does not begin a SockJS frame")]
    Type(char),
    /// The rest is not the JSON that this type requires.
    #[error("a SockJS frame `{0}` has other content than it should")]
    Content(char),
}

/// Why a client's message is refused, in the words that the protocol's tests expect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// It is empty, or not a list of strings.
    #[error("Payload expected.")]
    Payload,
    /// It is not JSON.
    #[error("Broken JSON encoding.")]
    Json,
}

impl Frame {
    /// Reads a frame without its line end or other wrapping.
    ///
    /// # Errors
    /// If it is not a frame.
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

    /// Writes the frame without line end or other wrapping.
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

/// Reads what a client sends on a WebSocket: one message, or a list of them; an empty text is no message
/// ("Server must ignore empty messages").
///
/// # Errors
/// If it is neither a message nor a list.
pub fn said(text: &str) -> Result<Vec<String>, Refused> {
    match text.as_bytes().first() {
        None => Ok(Vec::new()),
        Some(b'[') => listed(text),
        Some(_) => read(text).map(|message| vec![message]),
    }
}

/// Reads a client's POST: a list of messages.
///
/// # Errors
/// If it is not a list.
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

/// Replaces unpaired surrogates in JSON, which JavaScript allows in strings but which are no characters, with
/// U+FFFD.
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
            // The escaped character may be a backslash, or not ASCII, which is not valid JSON.
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

/// Messages as the list in which clients send them.
pub fn list(messages: &[impl AsRef<str>]) -> String {
    let quoted: Vec<String> = messages.iter().map(|m| quote(m.as_ref())).collect();
    format!("[{}]", quoted.join(","))
}

/// A message as a JSON string (RFC 8259, section 7), which also escapes the characters that, according to the
/// protocol, browsers lose ("JSON Unicode Encoding").
pub fn quote(message: &str) -> String {
    // Serialising a string as JSON cannot fail.
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

/// Whether a character must be escaped in addition to those of JSON. Surrogates cannot occur in a `str`.
fn is_mangled(c: char) -> bool {
    matches!(c, '\u{200c}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{2060}'..='\u{206f}' | '\u{fff0}'..='\u{ffff}')
}

/// The size of an XHR stream's prelude, bytes: browsers pass on an answer only after that many.
pub const XHR_PRELUDE: usize = 2_048;

/// The size of an HTML page's prelude, bytes: a browser runs no script before that many.
const HTML_PRELUDE: usize = 1_024;

/// How a transport wraps frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrapping {
    /// Not at all: each is a WebSocket message.
    Bare,
    /// As lines, for XHR.
    Line,
    /// As events, for EventSource.
    Event,
    /// As scripts, in a page that never ends.
    Script,
    /// As calls of this function, for a script that is loaded for each frame.
    Call(String),
}

impl Wrapping {
    /// The first bytes of a stream.
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

    /// A wrapped frame.
    pub fn wrap(&self, frame: &str) -> Vec<u8> {
        match self {
            Wrapping::Bare => frame.into(),
            Wrapping::Line => format!("{frame}\n"),
            Wrapping::Event => format!("data: {frame}\r\n\r\n"),
            Wrapping::Script => format!("<script>\np({});\n</script>\r\n", literal(frame)),
            // The comment prevents the author of the URL from choosing the first bytes of the answer: a
            // plug-in that checks only these might run some letters and digits as a program.
            Wrapping::Call(callback) => format!("/**/{callback}({});\r\n", literal(frame)),
        }
        .into_bytes()
    }
}

/// A frame as a JavaScript string that is safe inside a page: a backslash without effect breaks up the
/// sequences that would end the script.
fn literal(frame: &str) -> String {
    let json = serde_json::to_string(frame).unwrap_or_default();
    json.replace("</", "<\\/").replace("<!--", "<\\!--")
}

/// The page whose scripts call `callback` in the surrounding page ("HtmlFile").
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

/// Whether a name is allowed as the called function: any other text would let the author of the URL write the
/// script.
pub fn is_callback(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (1..=64).contains(&name.len()) && name.chars().all(fits)
}

/// The page through which a client of another origin uses the transports without CORS ("IFrame page"). It
/// loads the client from `url`.
pub fn iframe(url: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html>\n<head>\n  <meta http-equiv=\"X-UA-Compatible\" content=\"IE=edge\" />\n  \
         <meta http-equiv=\"Content-Type\" content=\"text/html; charset=UTF-8\" />\n  \
         <script src=\"{url}\"></script>\n  <script>\n    document.domain = document.domain;\n    \
         SockJS.bootstrap_iframe();\n  </script>\n</head>\n<body>\n  <h2>Don't panic!</h2>\n  \
         <p>This is a SockJS hidden iframe. It's used for cross domain magic.</p>\n</body>\n</html>"
    )
}

/// The meaning of a path below a service's prefix ("Session URLs" and the sections before).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource<'a> {
    /// The greeting page.
    Greeting,
    /// The server's capabilities.
    Info,
    /// The iframe page for clients of other origins.
    Iframe,
    /// A WebSocket without SockJS frames.
    RawWebSocket,
    /// A session's endpoint. The path also has a server segment, which is for load balancers.
    Session {
        /// The session's id in the path.
        session: &'a str,
        /// The endpoint.
        endpoint: Endpoint,
    },
}

/// The endpoints of a session.
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

/// All endpoints, with their names in the path.
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
    /// The resource of the path after the service's prefix, as written in the request.
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

/// The last value with this name in a URL's query or a form's body, decoded (WHATWG URL, section 5.1).
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
