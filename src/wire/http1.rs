//! HTTP/1 heads (RFC 9112): where one ends, and what it says about the body behind it.

use memchr::memchr_iter;

use super::body::{Chunked, Length};
use super::layers::{Asks, Dialect, offers_stomp};
use super::{Answer, Answers, MAX_HEAD, Violation, is_media_type, state};

/// How many fields a head may have.
const MAX_FIELDS: usize = 128;

/// Collects a head until its blank line. Keeps a buffer only while a head is cut.
#[derive(Debug, Default)]
pub(super) struct HeadReader {
    buffer: Vec<u8>,
    /// Whether the request or status line has begun: blank lines before it are passed over
    /// (section 2.2).
    begun: bool,
    line: Line,
}

/// What the current line of a head has held so far.
#[derive(Clone, Copy, Debug, Default)]
enum Line {
    #[default]
    Nothing,
    Cr,
    Text,
}

impl HeadReader {
    /// Takes the next bytes; once the head is all there, says how many of them belong to it and what
    /// `parse` made of it.
    ///
    /// # Errors
    /// [`Violation::Head`] if the head is larger than [`MAX_HEAD`], or `parse`'s.
    pub fn feed<T>(
        &mut self,
        bytes: &[u8],
        parse: impl FnOnce(&[u8]) -> Result<T, Violation>,
    ) -> Result<Option<(usize, T)>, Violation> {
        let end = self.find_end(bytes);
        let n = end.unwrap_or(bytes.len());
        if self.buffer.len() + n > MAX_HEAD {
            return Err(Violation::Head);
        }
        if end.is_none() {
            self.buffer.extend_from_slice(bytes);
            return Ok(None);
        }
        let head = if self.buffer.is_empty() {
            parse(&bytes[..n])
        } else {
            self.buffer.extend_from_slice(&bytes[..n]);
            parse(&self.buffer)
        }?;
        *self = HeadReader::default();
        Ok(Some((n, head)))
    }

    /// How many bytes wait for the rest of their head.
    pub fn held(&self) -> usize {
        self.buffer.len()
    }

    fn find_end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut from = 0;
        for lf in memchr_iter(b'\n', bytes) {
            let blank = matches!(
                (self.line, &bytes[from..lf]),
                (Line::Nothing, [] | b"\r") | (Line::Cr, [])
            );
            if blank && self.begun {
                return Some(lf + 1);
            }
            self.begun |= !blank;
            self.line = Line::Nothing;
            from = lf + 1;
        }
        self.line = match (self.line, &bytes[from..]) {
            (line, []) => line,
            (Line::Nothing, b"\r") => Line::Cr,
            _ => Line::Text,
        };
        None
    }
}

/// A request's method, as far as its answer depends on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Method {
    Get,
    Head,
    Other,
}

/// What a request says.
#[derive(Debug)]
pub(super) struct Request {
    pub method: Method,
    /// Whether it asks for a WebSocket (RFC 6455, section 4.1).
    pub upgrade: bool,
    /// What stands on top.
    pub dialect: Option<Dialect>,
    pub length: Length,
    /// Bytes that tell the client's state.
    pub state: u64,
    /// What its answer holds, if that is known.
    pub answer: Option<Answer>,
}

/// What a response says.
#[derive(Debug)]
pub(super) struct Response {
    pub status: u16,
    /// Its length, unless the request or the status says that there is none.
    pub length: Length,
    /// What it says that it holds, if it is an event stream.
    pub declared: Option<Answer>,
}

impl Request {
    /// Reads a whole request head.
    ///
    /// # Errors
    /// [`Violation::Head`]
    pub fn parse(head: &[u8], answers: Answers) -> Result<Request, Violation> {
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut request = httparse::Request::new(&mut fields);
        whole(request.parse(head), head)?;
        let method = match request.method {
            Some("GET") => Method::Get,
            Some("HEAD") => Method::Head,
            _ => Method::Other,
        };
        let fields = Fields::read(request.headers)?;
        let length = match (fields.coding, fields.length) {
            // Section 6.1: an HTTP/1.0 message with a coding is faulty; 6.3: the last must be chunked.
            (Coding::Chunked, _) if request.version == Some(1) => Length::Chunked(Chunked::default()),
            (Coding::None, length) => Length::Fixed(length.unwrap_or(0)),
            _ => return Err(Violation::Head),
        };
        let upgrade = fields.websocket && method == Method::Get;
        let target = request.path.unwrap_or_default().as_bytes();
        let asks = Asks {
            target,
            websocket: upgrade,
            stomp: fields.stomp,
        };
        Ok(Request {
            method,
            upgrade,
            dialect: Dialect::of(&asks),
            length,
            state: fields.state + state::cursor(target),
            answer: answers(target),
        })
    }
}

impl Response {
    /// Reads a whole response head.
    ///
    /// # Errors
    /// [`Violation::Head`]
    pub fn parse(head: &[u8]) -> Result<Response, Violation> {
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut response = httparse::Response::new(&mut fields);
        whole(response.parse(head), head)?;
        let fields = Fields::read(response.headers)?;
        let length = match (fields.coding, fields.length) {
            (Coding::Chunked, _) if response.version == Some(1) => Length::Chunked(Chunked::default()),
            (Coding::None, Some(length)) => Length::Fixed(length),
            _ => Length::UntilClose,
        };
        let status = response.code.ok_or(Violation::Head)?;
        Ok(Response {
            status,
            length,
            declared: fields.declared,
        })
    }
}

/// Requires a parser to have used the head up to its end.
fn whole(parsed: httparse::Result<usize>, head: &[u8]) -> Result<(), Violation> {
    match parsed {
        Ok(httparse::Status::Complete(n)) if n == head.len() => Ok(()),
        _ => Err(Violation::Head),
    }
}

/// What is in an answer whose `content-type` is this, whatever its parameters. Any other is read as a list.
const MEDIA_TYPES: [(&str, Answer); 2] = [
    ("text/event-stream", Answer::Events),
    ("application/x-ndjson", Answer::Lines),
];

/// What a `content-type` says that the answer holds.
pub(super) fn declared(content_type: &[u8]) -> Option<Answer> {
    let declares = |(media_type, _): &&(&str, Answer)| is_media_type(content_type, media_type);
    MEDIA_TYPES.iter().find(declares).map(|(_, answer)| *answer)
}

/// The fields that decide how to read on.
#[derive(Default)]
struct Fields {
    length: Option<u64>,
    coding: Coding,
    declared: Option<Answer>,
    websocket: bool,
    /// Whether it offers STOMP.
    stomp: bool,
    /// Bytes of lines that tell the client's state.
    state: u64,
}

/// The last transfer coding.
#[derive(Clone, Copy, Default)]
enum Coding {
    #[default]
    None,
    Chunked,
    Unknown,
}

impl Fields {
    fn read(headers: &[httparse::Header<'_>]) -> Result<Fields, Violation> {
        let mut fields = Fields::default();
        for header in headers {
            let name = |n: &str| header.name.eq_ignore_ascii_case(n);
            let mut items = header.value.split(|b| *b == b',').map(<[u8]>::trim_ascii);
            if name("content-length") {
                fields.content_length(items)?;
            } else if name("transfer-encoding") {
                let chunked = items
                    .next_back()
                    .is_some_and(|c| c.eq_ignore_ascii_case(b"chunked"));
                fields.coding = if chunked { Coding::Chunked } else { Coding::Unknown };
            } else if name("content-type") {
                fields.declared = declared(header.value);
            } else if name("upgrade") {
                fields.websocket |= items.any(|p| p.eq_ignore_ascii_case(b"websocket"));
            } else if name("sec-websocket-protocol") {
                fields.stomp |= offers_stomp(header.value);
            } else if state::is_state(header.name.as_bytes()) {
                fields.state += (header.name.len() + ": \r\n".len() + header.value.len()) as u64;
            }
        }
        Ok(fields)
    }

    /// Several lengths must be the same one (section 6.3).
    fn content_length<'a>(&mut self, items: impl Iterator<Item = &'a [u8]>) -> Result<(), Violation> {
        for item in items {
            let digits = std::str::from_utf8(item)
                .ok()
                .filter(|s| s.bytes().all(|b| b.is_ascii_digit()));
            let length = digits.and_then(|s| s.parse().ok()).ok_or(Violation::Head)?;
            if *self.length.get_or_insert(length) != length {
                return Err(Violation::Head);
            }
        }
        Ok(())
    }
}
