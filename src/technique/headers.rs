//! Header profiles: which fields a request and its response carry beyond those that HTTP needs. They affect
//! the result strongly, since polling sends them again with every request.
//!
//! - `lean` adds nothing;
//! - `browser` adds what a desktop Chromium sends for a page's own `fetch`, `EventSource` and `WebSocket`,
//!   with a session cookie; the captured heads are in `demos/headers/browser`;
//! - a file replays a captured exchange: a request head, a blank line, a response head (RFC 9112, section
//!   2.1), each as it was on the wire. Field names are sent in lower case, which changes no length.

use std::ffi::OsStr;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use http::header::{
    CONNECTION, CONTENT_LENGTH, DATE, EXPECT, HOST, HeaderName, HeaderValue, ORIGIN, REFERER, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};

use super::Origin;
use crate::input;
use crate::lang::{t, text};
use crate::mail::Cursor;
use crate::outcome::HttpVersion;

/// The largest file with a captured exchange, bytes.
const MAX_FILE: u64 = 64 << 10;
/// The most fields in a captured head: servers and clients refuse more than 100, including our own fields.
const MAX_FIELDS: usize = 80;
/// The longest body, in bytes, of a captured answer that represents an empty answer.
const MAX_EMPTY_BODY: usize = 64 << 10;

type Fields = Vec<(HeaderName, HeaderValue)>;

/// The purpose of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A GET that asks for mail.
    Fetch,
    /// A POST that carries a reply.
    Post,
    /// The GET of an event stream.
    EventSource,
    /// The GET that becomes a WebSocket.
    WebSocket,
}

impl Purpose {
    const ALL: [Purpose; 4] = [
        Purpose::Fetch,
        Purpose::Post,
        Purpose::EventSource,
        Purpose::WebSocket,
    ];

    /// The captured head for this purpose.
    fn captured(self) -> &'static str {
        match self {
            Purpose::Fetch => include_str!("../../demos/headers/browser/fetch.http"),
            Purpose::Post => include_str!("../../demos/headers/browser/post.http"),
            Purpose::EventSource => include_str!("../../demos/headers/browser/eventsource.http"),
            Purpose::WebSocket => include_str!("../../demos/headers/browser/websocket.http"),
        }
    }
}

/// A header profile.
#[derive(Clone, Debug, Default)]
pub struct Headers {
    name: String,
    /// By purpose, in the order of [`Purpose::ALL`].
    requests: [Fields; 4],
    /// The captured authority in `Origin` and `Referer`, to be replaced by the real one.
    authority: Option<String>,
    /// Length of the captured request-target, bytes; 0 leaves our own unchanged.
    target: usize,
    response: Fields,
    empty_body: Option<usize>,
    /// Names of the captured fields that are not replayed.
    left_out: Vec<HeaderName>,
}

impl Headers {
    /// Loads the profile `lean` or `browser`; any other name is the file of a captured exchange.
    ///
    /// # Errors
    /// If the file cannot be read, is too large, or does not hold the heads of a GET and its response.
    pub fn load(spec: impl AsRef<OsStr>) -> anyhow::Result<Headers> {
        let spec = spec.as_ref();
        let name = spec.to_string_lossy();
        let mut headers = match spec.to_str() {
            Some("lean") => Headers::default(),
            Some("browser") => Headers::browser()?,
            _ => input::read(Path::new(spec), MAX_FILE)
                .and_then(|bytes| Headers::parse(&bytes))
                .with_context(|| {
                    t!(
                        "headers %{name} (allowed: lean, browser or a captured exchange's file)",
                        name = format!("{name:?}")
                    )
                })?,
        };
        headers.name = name.into_owned();
        Ok(headers)
    }

    fn browser() -> anyhow::Result<Headers> {
        let mut headers = Headers::default();
        for (purpose, fields) in Purpose::ALL.into_iter().zip(&mut headers.requests) {
            let head = Head::read(&mut lines(purpose.captured().as_bytes()))?;
            let host = head.fields.iter().find(|(name, _)| name == HOST);
            headers.authority = host.and_then(|(_, value)| Some(value.to_str().ok()?.to_owned()));
            *fields = head.fields;
            fields.retain(|(name, _)| name != HOST && !is_ours(name, purpose));
        }
        Ok(headers)
    }

    /// Reads a captured exchange: a GET's head, a blank line, its response's head. Line ends are LF or CRLF.
    ///
    /// # Errors
    /// If it is anything else; the message names the line.
    pub fn parse(bytes: &[u8]) -> anyhow::Result<Headers> {
        let bytes = input::unmarked(bytes)?;
        recognise(bytes)?;
        let mut lines = lines(bytes).peekable();
        let mut request = Head::read(&mut lines).context(t!("in the request head"))?;
        let target = request.target()?;
        while lines.next_if(|(_, line)| line.is_empty()).is_some() {}
        ensure!(
            lines.peek().is_some(),
            t!("there is no response head: allowed is a request head, a blank line, a response head")
        );
        let mut response = Head::read(&mut lines).context(t!("in the response head"))?;
        let empty_body = response.empty_body().context(t!("in the response head"))?;
        if let Some((number, _)) = lines.find(|(_, line)| !line.is_empty()) {
            bail!(t!(
                "line %{number}: allowed is nothing after the response head, so no body",
                number = number
            ));
        }
        let mut left_out = Vec::new();
        for fields in [&mut request.fields, &mut response.fields] {
            let out = fields.extract_if(.., |(name, value)| steers_connection(name, value));
            left_out.extend(out.map(|(name, _)| name));
        }
        left_out.sort_by(|a: &HeaderName, b| a.as_str().cmp(b.as_str()));
        left_out.dedup();
        let requests = Purpose::ALL.map(|purpose| {
            let kept = request.fields.iter().filter(|(name, _)| !is_ours(name, purpose));
            kept.cloned().collect()
        });
        let mut kept = response.fields;
        kept.retain(|(name, _)| !is_servers(name));
        Ok(Headers {
            requests,
            target,
            response: kept,
            empty_body,
            left_out,
            ..Headers::default()
        })
    }

    /// Removes fields that do not fit the HTTP version: `Connection` would keep HTTP/1.0 connections open,
    /// unlike the original HTTP/1.0, and HTTP/2 has no such field (RFC 9113, section 8.2.2).
    pub fn over(mut self, version: HttpVersion) -> Headers {
        if version != HttpVersion::Http11 {
            let all = self.requests.iter_mut().chain([&mut self.response]);
            all.for_each(|fields| fields.retain(|(name, _)| name != CONNECTION));
        }
        self
    }

    /// The names of captured fields that are not replayed, because they would change how the connection is
    /// kept or framed: the run would then differ from the scenario.
    pub fn left_out(&self) -> &[HeaderName] {
        &self.left_out
    }

    /// `lean`, `browser`, or the file's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The fields to send to a server. They replace the client's own fields of the same name; `Host` is among
    /// them if a file holds one.
    pub fn request(&self, purpose: Purpose, origin: &Origin) -> Vec<(HeaderName, HeaderValue)> {
        let mut fields = self.requests[purpose as usize].clone();
        let Some(captured) = &self.authority else {
            return fields;
        };
        let captured = Origin::plain(captured).http("");
        for (name, value) in &mut fields {
            if matches!(*name, ORIGIN | REFERER)
                && let Ok(text) = value.to_str()
                && let Ok(real) = HeaderValue::from_str(&text.replace(&captured, &origin.http("")))
            {
                *value = real;
            }
        }
        fields
    }

    /// The fields of each captured request that are sent unchanged: none if the profile replaces its
    /// authority.
    pub fn replayed(&self) -> impl Iterator<Item = &[(HeaderName, HeaderValue)]> {
        let as_captured = self.requests.iter().filter(|_| self.authority.is_none());
        as_captured.map(Vec::as_slice)
    }

    /// The target of a request for the mail after a cursor: `{path}?after={after}`, padded with zeros to the
    /// length of a captured target.
    pub fn target(&self, path: &str, after: Cursor) -> String {
        let width = self.target.saturating_sub(path.len() + "?after=".len());
        let after = after.to_string();
        format!("{path}?after={after:0>width$}")
    }

    /// The fields that a server adds to its response. `Content-Type` is among them if a file holds one; the
    /// caller leaves it out where a client needs the true one.
    pub fn response(&self) -> &[(HeaderName, HeaderValue)] {
        &self.response
    }

    /// The length of the captured answer's body, if its status was 200 and it is long enough for a list;
    /// otherwise an empty answer is a 204.
    pub fn empty_body(&self) -> Option<usize> {
        self.empty_body
    }
}

/// Whether a field changes how a connection is kept or framed (RFC 9110, section 7.6.1). Fields that only
/// announce that the connection is kept, which it is anyway, are replayed: `Connection: keep-alive`, and a
/// `Keep-Alive` field, which has no effect here.
fn steers_connection(name: &HeaderName, value: &HeaderValue) -> bool {
    if name == CONNECTION {
        let mut options = value.as_bytes().split(|b| *b == b',').map(<[u8]>::trim_ascii);
        return !options.all(|o| o.is_empty() || o.eq_ignore_ascii_case(b"keep-alive"));
    }
    let hop_by_hop = [TRANSFER_ENCODING, UPGRADE, TE, TRAILER, EXPECT].contains(name);
    hop_by_hop || ["proxy-connection", "http2-settings"].contains(&name.as_str())
}

/// Whether our client writes this request field itself, because the protocol needs its own value.
fn is_ours(name: &HeaderName, purpose: Purpose) -> bool {
    let framing = [CONTENT_LENGTH, TRANSFER_ENCODING, EXPECT].contains(name);
    let handshake = [CONNECTION, UPGRADE].contains(name) || is_websocket(name) || name == "keep-alive";
    framing || purpose == Purpose::WebSocket && handshake
}

/// Whether our server writes this response field itself; its `Date` is as long as the captured one.
fn is_servers(name: &HeaderName) -> bool {
    let own = [CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION, UPGRADE, DATE].contains(name);
    own || name == "keep-alive" || is_websocket(name)
}

fn is_websocket(name: &HeaderName) -> bool {
    name.as_str().starts_with("sec-websocket-")
}

/// Returns an error that names the file's kind, if it is one often confused with a captured exchange.
fn recognise(bytes: &[u8]) -> anyhow::Result<()> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    let curl = |line: &str| ["> ", "< ", "* "].iter().any(|mark| line.starts_with(mark));
    let kind = if first.starts_with('{') || first.starts_with('[') {
        match text.contains("\"log\"") && text.contains("\"entries\"") {
            true => text!("a HAR file: copy one request's head and its response's from it, as raw text"),
            false => text!("JSON: allowed is the raw text of two heads"),
        }
    } else if curl(first) || first == ">" {
        text!("the output of curl -v: leave out the lines with * and the marks > and < before the others")
    } else if first.starts_with(':')
        || first.starts_with("HTTP/2")
        || text.lines().any(|l| l.starts_with(":method"))
    {
        text!("a head of HTTP/2 (:method, :path): capture the exchange over HTTP/1.1")
    } else {
        return Ok(());
    };
    bail!(t!(
        "it is %{kind}; allowed is a request head of HTTP/1.1, a blank line, a response head",
        kind = t!(kind)
    ))
}

/// Lines without their ends, numbered from 1.
fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    (1..).zip(
        bytes
            .split(|b| *b == b'\n')
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line)),
    )
}

/// A captured head: its first line and its fields.
struct Head {
    line: usize,
    start: String,
    fields: Fields,
}

impl Head {
    /// Reads up to and with the blank line, or to the end.
    fn read<'b>(lines: &mut impl Iterator<Item = (usize, &'b [u8])>) -> anyhow::Result<Head> {
        let (number, start) = lines.next().unwrap_or((1, b""));
        let start = std::str::from_utf8(start)
            .ok()
            .filter(|line| line.is_ascii() && !line.is_empty());
        let start = start.with_context(|| {
            t!(
                "line %{number}: a head must begin with its request or status line",
                number = number
            )
        })?;
        let mut fields = Fields::new();
        for (number, line) in lines.take_while(|(_, line)| !line.is_empty()) {
            fields.push(field(line).with_context(|| {
                t!(
                    "line %{number}: %{line}",
                    number = number,
                    line = format!("{:?}", String::from_utf8_lossy(line))
                )
            })?);
            ensure!(
                fields.len() <= MAX_FIELDS,
                t!(
                    "line %{number}: allowed are %{max_fields} fields a head",
                    number = number,
                    max_fields = MAX_FIELDS
                )
            );
        }
        Ok(Head {
            line: number,
            start: start.to_owned(),
            fields,
        })
    }

    /// The length of a GET's request-target, bytes.
    fn target(&self) -> anyhow::Result<usize> {
        match self.start.split(' ').collect::<Vec<_>>()[..] {
            ["GET", target, version] if !target.is_empty() && version.starts_with("HTTP/1.") => {
                Ok(target.len())
            }
            _ => bail!(t!(
                "line %{line}: %{start}: allowed is a request line as in GET /news HTTP/1.1",
                line = self.line,
                start = format!("{:?}", self.start)
            )),
        }
    }

    /// The value of [`Headers::empty_body`].
    fn empty_body(&self) -> anyhow::Result<Option<usize>> {
        let mut words = self.start.split(' ');
        let version = words.next().is_some_and(|v| v.starts_with("HTTP/1."));
        let status = words
            .next()
            .and_then(|s| http::StatusCode::from_bytes(s.as_bytes()).ok());
        let Some(status) = status.filter(|_| version) else {
            bail!(t!(
                "line %{line}: %{start}: allowed is a status line as in HTTP/1.1 200 OK",
                line = self.line,
                start = format!("{:?}", self.start)
            ));
        };
        let Some((_, length)) = self.fields.iter().find(|(name, _)| name == CONTENT_LENGTH) else {
            return Ok(None);
        };
        let length: Option<usize> = length
            .to_str()
            .ok()
            .and_then(|n| n.parse().ok())
            .filter(|n| *n <= MAX_EMPTY_BODY);
        let length = length.with_context(|| {
            format!("Content-Length: allowed is a whole number from 0 to {MAX_EMPTY_BODY}")
        })?;
        Ok((status == http::StatusCode::OK && length >= 2).then_some(length))
    }
}

fn field(line: &[u8]) -> anyhow::Result<(HeaderName, HeaderValue)> {
    const ALLOWED: &str = text!("allowed is a field as in Name: value, unfolded, and no comment");
    let colon = line
        .iter()
        .position(|b| *b == b':')
        .filter(|_| line[0] != b'#')
        .with_context(|| t!(ALLOWED))?;
    let name = HeaderName::from_bytes(&line[..colon]).with_context(|| t!(ALLOWED))?;
    Ok((
        name,
        HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).with_context(|| t!(ALLOWED))?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const KAAZING: &str = include_str!("../../demos/headers/kaazing-2010.http");

    fn kaazing() -> Headers {
        Headers::parse(KAAZING.as_bytes()).unwrap()
    }

    fn value<'f>(fields: &'f [(HeaderName, HeaderValue)], wanted: &str) -> Option<&'f str> {
        let mut values = fields.iter().filter(|(name, _)| name == wanted);
        let value = values.next().map(|(_, value)| value.to_str().unwrap());
        assert!(values.next().is_none(), "{wanted} twice");
        value
    }

    /// Length of fields on the wire in bytes, each with its colon, space and line end.
    fn length(fields: &[(HeaderName, HeaderValue)]) -> usize {
        fields
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len() + 4)
            .sum()
    }

    #[test]
    fn what_is_no_captured_exchange_is_named() {
        let heads = "GET /poll HTTP/1.1\r\nHost: example.org\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n";
        assert!(Headers::parse(format!("\u{FEFF}{heads}").as_bytes()).is_ok());
        let utf16: Vec<u8> = heads.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (bytes, name) in [
            (&utf16[..], "UTF-16"),
            (
                b"{\"log\": {\"version\": \"1.2\", \"entries\": []}}",
                "a HAR file",
            ),
            (b"{\"a\": 1}", "JSON"),
            (
                b"* Connected to example.org\n> GET / HTTP/1.1\n> Host: a\n>\n< HTTP/1.1 200 OK\n<\n",
                "curl -v",
            ),
            (b"> GET / HTTP/1.1\n> Host: a\n>\n< HTTP/1.1 200 OK\n", "curl -v"),
            (b":method: GET\n:path: /\n\n:status: 200\n", "HTTP/2"),
            (b"HTTP/2 200\nserver: x\n", "HTTP/2"),
        ] {
            let said = format!("{:#}", Headers::parse(bytes).unwrap_err());
            assert!(said.contains(name), "{said}");
        }
    }

    #[test]
    fn the_published_exchange_has_the_published_lengths() {
        let (request, response) = KAAZING.trim_end().split_once("\n\n").unwrap();
        let characters = |head: &str| head.lines().map(str::len).sum::<usize>();
        let on_the_wire = |head: &str| characters(head) + 2 * (head.lines().count() + 1);
        assert_eq!((characters(request), on_the_wire(request)), (692, 716));
        assert_eq!((characters(response), on_the_wire(response)), (179, 193));
    }

    #[test]
    fn our_request_takes_the_captured_length() {
        let headers = kaazing();
        for (path, after) in [
            ("/poll", "0."),
            ("/poll", "1.k3f9"),
            ("/poll", "1234567890.k3f9"),
            ("/poll", "123456789012345"),
            ("/long-poll", "0."),
            ("/long-poll", "12345.k3f9"),
        ] {
            let after = after.parse().unwrap();
            let line = format!("GET {} HTTP/1.1\r\n", headers.target(path, after));
            let fields = headers.request(Purpose::Fetch, &Origin::plain("127.0.0.1:1"));
            assert_eq!(value(&fields, "host"), Some("localhost:8080"));
            assert_eq!(line.len() + length(&fields) + 2, 716, "{line}");
        }
    }

    #[tokio::test]
    async fn the_client_sends_exactly_that_much() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let headers = kaazing();
        let fields = headers
            .request(Purpose::Fetch, &Origin::plain(&authority))
            .into_iter()
            .collect();
        let url = format!("http://{authority}{}", headers.target("/poll", cursor("7.k3f9")));
        let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let (answer, bytes) = tokio::join!(client.get(url).headers(fields).send(), async {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(socket.read_u8().await.unwrap());
            }
            socket
                .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
                .await
                .unwrap();
            head.len()
        });
        assert_eq!(answer.unwrap().status(), 204);
        assert_eq!(bytes, 716);
    }

    #[tokio::test]
    async fn the_server_answers_with_exactly_that_much() {
        let headers = kaazing();
        let service = hyper::service::service_fn(|_| {
            let mut answer = http::Response::new(" ".repeat(headers.empty_body().unwrap()));
            answer.headers_mut().extend(
                headers
                    .response()
                    .iter()
                    .map(|(n, v)| (Some(n.clone()), v.clone())),
            );
            std::future::ready(Ok::<_, std::convert::Infallible>(answer))
        });
        let (mut client, server) = tokio::io::duplex(4_096);
        let server = hyper_util::rt::TokioIo::new(server);
        let mut bytes = Vec::new();
        let (served, _) = tokio::join!(
            hyper::server::conn::http1::Builder::new().serve_connection(server, service),
            async {
                client
                    .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                    .await
                    .unwrap();
                while bytes.len() < 193 + 21 {
                    bytes.push(client.read_u8().await.unwrap());
                }
                drop(client);
            }
        );
        served.unwrap();
        assert!(
            bytes.ends_with(&[b"\r\n\r\n", &[b' '; 21][..]].concat()),
            "{}",
            String::from_utf8_lossy(&bytes)
        );
    }

    fn cursor(text: &str) -> Cursor {
        text.parse().unwrap()
    }

    #[test]
    fn lean_adds_nothing() {
        let headers = Headers::load("lean").unwrap();
        assert_eq!(headers.name(), "lean");
        assert!(
            Purpose::ALL
                .iter()
                .all(|p| headers.request(*p, &Origin::plain("h")).is_empty())
        );
        assert!(headers.response().is_empty());
        assert_eq!(headers.empty_body(), None);
        assert_eq!(headers.target("/poll", cursor("7.k3f9")), "/poll?after=7.k3f9");
    }

    #[test]
    fn browser_speaks_of_the_real_server() {
        let headers = Headers::load("browser").unwrap();
        assert_eq!(headers.name(), "browser");
        assert_eq!(headers.target("/poll", cursor("7.k3f9")), "/poll?after=7.k3f9");
        assert!(headers.response().is_empty());
        for purpose in Purpose::ALL {
            let fields = headers.request(purpose, &Origin::plain("mail.test:9"));
            let agent = value(&fields, "user-agent").unwrap();
            assert!(
                agent.contains(" Chrome/") && !agent.contains("Headless"),
                "{agent}"
            );
            let session = value(&fields, "cookie")
                .and_then(|c| c.strip_prefix("session="))
                .unwrap();
            assert!(
                session.len() == 32 && session.bytes().all(|b| b.is_ascii_hexdigit()),
                "{session}"
            );
            for ours in [
                "host",
                "content-length",
                "upgrade",
                "sec-websocket-key",
                "sec-websocket-extensions",
            ] {
                assert_eq!(value(&fields, ours), None);
            }
            let page = value(&fields, "referer");
            let origin = value(&fields, "origin");
            let (connection, accept) = (value(&fields, "connection"), value(&fields, "accept"));
            let expected = match purpose {
                Purpose::Fetch => (Some("http://mail.test:9/"), None, Some("keep-alive"), Some("*/*")),
                Purpose::Post => (
                    Some("http://mail.test:9/"),
                    Some("http://mail.test:9"),
                    Some("keep-alive"),
                    Some("*/*"),
                ),
                Purpose::EventSource => (
                    Some("http://mail.test:9/"),
                    None,
                    Some("keep-alive"),
                    Some("text/event-stream"),
                ),
                Purpose::WebSocket => (None, Some("http://mail.test:9"), None, None),
            };
            assert_eq!((page, origin, connection, accept), expected, "{purpose:?}");
        }
        let reply = headers.request(Purpose::Post, &Origin::plain("h"));
        assert_eq!(value(&reply, "content-type"), Some("application/json"));
    }

    #[test]
    fn what_the_protocol_sets_is_not_replayed() {
        let capture = "GET /a HTTP/1.1\r\nHost: h:1\r\nOrigin: http://h:1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
            Sec-WebSocket-Key: k\r\nContent-Length: 0\r\nExpect: 100-continue\r\nX-Mine:  two  words\r\n\r\n\r\n\
            HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: k\r\nConnection: Upgrade\r\nDate: now\r\n\
            Set-Cookie: a\r\nSet-Cookie: b\r\n\r\n";
        let headers = Headers::parse(capture.as_bytes()).unwrap();
        let names = |fields: &[(HeaderName, HeaderValue)]| -> Vec<String> {
            fields.iter().map(|(name, _)| name.to_string()).collect()
        };
        let socket = headers.request(Purpose::WebSocket, &Origin::plain("real:2"));
        assert_eq!(names(&socket), ["host", "origin", "x-mine"]);
        assert_eq!(value(&socket, "origin"), Some("http://h:1"));
        assert_eq!(value(&socket, "x-mine"), Some("two  words"));
        assert_eq!(
            names(&headers.request(Purpose::Fetch, &Origin::plain("real:2"))),
            ["host", "origin", "sec-websocket-key", "x-mine"]
        );
        assert_eq!(names(headers.response()), ["set-cookie", "set-cookie"]);
        assert_eq!(headers.left_out(), ["connection", "expect", "upgrade"]);
        let foreign = Headers::parse(capture.replace("//h:1", "//g:1").as_bytes()).unwrap();
        for purpose in Purpose::ALL {
            let fields = foreign.request(purpose, &Origin::plain("real:2"));
            assert_eq!(value(&fields, "origin"), Some("http://g:1"), "{purpose:?}");
        }
    }

    #[test]
    fn what_would_change_the_connection_is_left_out_and_named() {
        let steers = [
            ("Connection", "close"),
            ("Connection", "keep-alive, close"),
            ("Connection", "X-Mine"),
            ("Proxy-Connection", "keep-alive"),
            ("Upgrade", "h2c"),
            ("HTTP2-Settings", "AAMAAABkAAQCAAAAAAIAAAAA"),
            ("TE", "trailers"),
            ("Trailer", "Expires"),
            ("Transfer-Encoding", "chunked"),
            ("Expect", "100-continue"),
        ];
        let harmless = [("Connection", "Keep-Alive"), ("Keep-Alive", "300")];
        for (name, value) in steers.into_iter().chain(harmless) {
            let field = format!("{name}: {value}");
            let parse = |request: &str, response: &str| {
                let capture = format!("GET / HTTP/1.1\n{request}\nHTTP/1.1 200 OK\n{response}");
                Headers::parse(capture.as_bytes()).unwrap()
            };
            let asked = parse(&format!("{field}\n"), "");
            let answered = parse("", &field);
            let left_out = steers.contains(&(name, value));
            for profile in [&asked, &answered] {
                let named = profile
                    .left_out()
                    .iter()
                    .any(|n| n == name.to_lowercase().as_str());
                assert_eq!(named, left_out, "{field}");
            }
            let sent = asked.request(Purpose::Fetch, &Origin::plain("h"));
            assert_eq!(sent.is_empty(), left_out, "{field}");
            assert!(answered.response().is_empty(), "{field}");
        }
        assert!(kaazing().left_out().is_empty() && Headers::load("browser").unwrap().left_out().is_empty());
    }

    #[test]
    fn an_empty_answer_has_the_captured_body() {
        for (response, expected) in [
            ("HTTP/1.1 200 OK\nContent-Length: 21", Some(21)),
            ("HTTP/1.1 200\ncontent-length:2", Some(2)),
            ("HTTP/1.0 200 All is well\nContent-Length: 1", None),
            ("HTTP/1.1 200 OK\nTransfer-Encoding: chunked", None),
            ("HTTP/1.1 404 Not Found\nContent-Length: 21", None),
            ("HTTP/1.1 204 No Content", None),
        ] {
            let headers = Headers::parse(format!("GET / HTTP/1.1\n\n{response}").as_bytes()).unwrap();
            assert_eq!(headers.empty_body(), expected, "{response}");
        }
    }

    #[test]
    fn line_ends_make_no_difference() {
        let crlf = Headers::parse(KAAZING.replace('\n', "\r\n").as_bytes()).unwrap();
        assert_eq!(format!("{crlf:?}"), format!("{:?}", kaazing()));
    }

    #[test]
    fn complaints_name_the_line_and_what_is_allowed() {
        let many = format!(
            "GET / HTTP/1.1\n{}\nHTTP/1.1 200 OK\n",
            "A: b\n".repeat(MAX_FIELDS + 1)
        );
        for (text, words) in [
            ("", ["line 1", "request"]),
            ("\nGET / HTTP/1.1\n", ["line 1", "request"]),
            ("GET / HTTP/1.1\nA: b\n", ["no response head", "a blank line"]),
            (
                "GET / HTTP/1.1\nA: b\nHTTP/1.1 200 OK\n",
                ["line 3", "\"HTTP/1.1 200 OK\""],
            ),
            (
                "POST / HTTP/1.1\n\nHTTP/1.1 200 OK\n",
                ["line 1: \"POST / HTTP/1.1\"", "GET /news"],
            ),
            ("GET / HTTP/2\n\nHTTP/1.1 200 OK\n", ["line 1", "GET /news"]),
            ("GET  HTTP/1.1\n\nHTTP/1.1 200 OK\n", ["line 1", "GET /news"]),
            (
                "GET / HTTP/1.1\nno colon\n\nHTTP/1.1 200 OK\n",
                ["line 2: \"no colon\"", "Name: value"],
            ),
            (
                "GET / HTTP/1.1\nA : b\n\nHTTP/1.1 200 OK\n",
                ["line 2: \"A : b\"", "Name: value"],
            ),
            (
                "GET / HTTP/1.1\nA: b\n c\n\nHTTP/1.1 200 OK\n",
                ["line 3: \" c\"", "unfolded"],
            ),
            (
                "GET / HTTP/1.1\n#A: b\n\nHTTP/1.1 200 OK\n",
                ["line 2: \"#A: b\"", "no comment"],
            ),
            (
                "GET / HTTP/1.1\nA: \u{1}\n\nHTTP/1.1 200 OK\n",
                ["line 2", "Name: value"],
            ),
            (
                "GET / HTTP/1.1\n\n200 OK\n",
                ["line 3: \"200 OK\"", "HTTP/1.1 200 OK"],
            ),
            (
                "GET / HTTP/1.1\n\nHTTP/1.1 2000 OK\n",
                ["line 3: \"HTTP/1.1 2000 OK\"", "HTTP/1.1 200 OK"],
            ),
            (
                "GET / HTTP/1.1\n\nHTTP/1.1 200 OK\nContent-Length: x\n",
                ["Content-Length", "65536"],
            ),
            (
                "GET / HTTP/1.1\n\nHTTP/1.1 200 OK\nContent-Length: 65537\n",
                ["Content-Length", "65536"],
            ),
            ("GET / HTTP/1.1\n\nHTTP/1.1 200 OK\n\n[]\n", ["line 5", "no body"]),
            (&many, ["line 82", "80 fields"]),
        ] {
            let said = format!("{:#}", Headers::parse(text.as_bytes()).err().unwrap());
            assert!(words.iter().all(|w| said.contains(w)), "{text:?}: {said}");
        }
    }

    #[test]
    fn files_are_loaded_or_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("capture.http");
        let spec = path.to_str().unwrap();
        let complaint = |spec: &str| format!("{:#}", Headers::load(spec).err().unwrap());
        assert!(
            complaint(spec).contains("allowed: lean, browser or"),
            "{}",
            complaint(spec)
        );
        std::fs::write(&path, KAAZING).unwrap();
        let headers = Headers::load(spec).unwrap();
        assert_eq!((headers.name(), headers.empty_body()), (spec, Some(21)));
        std::fs::write(&path, "x".repeat(MAX_FILE as usize + 1)).unwrap();
        assert!(
            complaint(spec).contains("larger than the 64 KiB allowed"),
            "{}",
            complaint(spec)
        );
        let folder = dir.path().to_str().unwrap();
        assert!(
            complaint(folder).contains("it is a directory"),
            "{}",
            complaint(folder)
        );
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_much(
            noise in prop::collection::vec(any::<u8>(), 0..60),
            at in 0..KAAZING.len(),
            cut in 0..60usize,
        ) {
            let mut text = KAAZING.as_bytes().to_vec();
            text.splice(at..(at + cut).min(KAAZING.len()), noise);
            if let Ok(headers) = Headers::parse(&text) {
                prop_assert!(headers.target("/poll", Cursor::FIRST).len() >= "/poll?after=0".len());
            }
        }
    }
}
