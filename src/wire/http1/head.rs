//! The parts of an HTTP/1 head (RFC 9112) on which further reading depends.

use super::super::answer::is_coded;
use super::super::state;
use super::super::{Answer, Answers, Asks, Dialect, Violation, offers_stomp};
use super::body::Length;
use super::chunked::Chunked;

/// The most fields in a head.
const MAX_FIELDS: usize = 128;

/// A request's method; only those that affect the answer are distinguished.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Method {
    Get,
    Head,
    Other,
}

/// A request head.
#[derive(Debug)]
pub(super) struct Request {
    pub method: Method,
    /// Whether it asks for a WebSocket (RFC 6455, section 4.1).
    pub upgrade: bool,
    /// The protocol on top.
    pub dialect: Option<Dialect>,
    pub length: Length,
    /// Size of the client's state in the head (identity and cursor), bytes.
    pub state: u64,
    /// The format of its answer, if known.
    pub answer: Option<Answer>,
}

/// A response head.
#[derive(Debug)]
pub(super) struct Response {
    pub status: u16,
    /// The length of its body, unless the request or the status excludes a body.
    pub length: Length,
    /// The format that its `Content-Type` declares.
    pub declared: Option<Answer>,
    /// Whether its body is in a content coding.
    pub coded: bool,
}

impl Request {
    /// The target in a complete head's first line (section 3.2); empty if there is none.
    pub fn target(head: &[u8]) -> &[u8] {
        let line = head
            .trim_ascii_start()
            .split(|b| *b == b'\r' || *b == b'\n')
            .next();
        line.unwrap_or_default()
            .split(|b| *b == b' ')
            .nth(1)
            .unwrap_or_default()
    }

    /// Reads a complete request head.
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
            // Section 6.1: a coding in an HTTP/1.0 message is an error; 6.3: the last coding must be chunked.
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
    /// Reads a complete response head.
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
            coded: fields.coded,
        })
    }
}

/// Checks that a parser has used the whole head.
fn whole(parsed: httparse::Result<usize>, head: &[u8]) -> Result<(), Violation> {
    match parsed {
        Ok(httparse::Status::Complete(n)) if n == head.len() => Ok(()),
        _ => Err(Violation::Head),
    }
}

/// The fields on which further reading depends.
#[derive(Default)]
struct Fields {
    length: Option<u64>,
    coding: Coding,
    declared: Option<Answer>,
    coded: bool,
    websocket: bool,
    /// Whether they offer STOMP.
    stomp: bool,
    /// Size of the lines that carry the client's state, bytes.
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
                fields.declared = Answer::declared(header.value);
            } else if name("content-encoding") {
                fields.coded |= is_coded(header.value);
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

    /// Several lengths must be equal (section 6.3).
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
