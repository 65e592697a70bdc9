//! What the heads of one client's messages weigh on the wire, in the scenario's version of HTTP: the
//! same text each time in HTTP/1, less and less in HTTP/2, which has a memory.

use http::header::{ACCEPT, CONTENT_LENGTH, DATE, HOST, HeaderMap, HeaderValue, TRANSFER_ENCODING};

use super::Origin;
use crate::outcome::HttpVersion;
use crate::theory::{self, hpack};

/// A `Date`, which is of fixed length (RFC 9110, section 5.6.7).
const SOME_DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const OTHER_DATE: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

/// Fields that are about the connection, of which HTTP/2 says all it needs in frames (RFC 9113, section
/// 8.2.2), and the one that has become `:authority`.
const NOT_IN_HTTP2: &[&str] = &[
    "connection",
    "host",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
];

/// How a response's body ends (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug)]
pub enum Length {
    /// It has none.
    None,
    /// After so many bytes.
    Known(u64),
    /// With a chunk of size zero; in HTTP/1.0 with the connection, in HTTP/2 with its last frame.
    Open,
}

/// The heads of one client, as far as one depends on those before it.
#[derive(Debug)]
pub struct Heads {
    version: HttpVersion,
    memory: Option<Memory>,
}

/// What each end of an HTTP/2 connection remembers of what it has sent.
#[derive(Debug, Default)]
struct Memory {
    up: hpack::Encoder,
    down: hpack::Encoder,
}

impl Heads {
    /// Nothing was said yet.
    pub fn new(version: HttpVersion) -> Heads {
        Heads {
            version,
            memory: (version == HttpVersion::Http2).then(Memory::default),
        }
    }

    /// Bytes of the next request's head with these fields: reqwest adds Host, Accept and Content-Length.
    pub fn request(
        &mut self,
        method: &str,
        target: &str,
        fields: &HeaderMap,
        origin: &Origin,
        body: Option<u64>,
    ) -> f64 {
        let mut all = fields.clone();
        all.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        if let Some(length) = body {
            all.insert(CONTENT_LENGTH, length.into());
        }
        self.bare_request(method, target, &all, origin, None)
    }

    /// Bytes of the next request's head with these fields, Host, and none besides; `protocol` is what an
    /// extended CONNECT asks for (RFC 8441, section 4).
    pub fn bare_request(
        &mut self,
        method: &str,
        target: &str,
        fields: &HeaderMap,
        origin: &Origin,
        protocol: Option<&str>,
    ) -> f64 {
        let Some(memory) = &mut self.memory else {
            let mut all = fields.clone();
            if let Ok(authority) = HeaderValue::from_str(&origin.authority) {
                all.entry(HOST).or_insert(authority);
            }
            return theory::head_len(&format!("{method} {target} HTTP/1.1"), &all) as f64;
        };
        let scheme = if origin.encrypted { "https" } else { "http" };
        let named = fields.get(HOST).and_then(|h| h.to_str().ok());
        let mut list = vec![
            (":method", method),
            (":scheme", scheme),
            (":authority", named.unwrap_or(&origin.authority)),
            (":path", target),
        ];
        list.extend(protocol.map(|p| (":protocol", p)));
        list.extend(readable(fields).filter(|(name, _)| !NOT_IN_HTTP2.contains(name)));
        hpack::headers(memory.up.block_len(list)) as f64
    }

    /// Bytes of the next response's head with these fields: hyper adds Date, and what the body needs.
    /// HTTP/2 knows nothing of `reason`.
    pub fn response(&mut self, status: u16, reason: &str, fields: &HeaderMap, body: Length) -> f64 {
        self.dated(SOME_DATE, status, reason, fields, body)
    }

    /// What a response with these fields weighs more when the second is another than the last one's: only
    /// what is remembered is cheap.
    pub fn another_second(&mut self, status: u16, fields: &HeaderMap) -> f64 {
        let mut weigh = |date| self.dated(date, status, "", fields, Length::None);
        weigh(SOME_DATE);
        let same = weigh(SOME_DATE);
        weigh(OTHER_DATE) - same
    }

    fn dated(
        &mut self,
        date: &'static str,
        status: u16,
        reason: &str,
        fields: &HeaderMap,
        body: Length,
    ) -> f64 {
        let mut all = fields.clone();
        all.insert(DATE, HeaderValue::from_static(date));
        match body {
            Length::Known(length) => drop(all.insert(CONTENT_LENGTH, length.into())),
            Length::Open if self.version == HttpVersion::Http11 => {
                drop(all.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked")));
            }
            Length::None | Length::Open => {}
        }
        let Some(memory) = &mut self.memory else {
            return theory::head_len(&format!("HTTP/1.1 {status} {reason}"), &all) as f64;
        };
        let status = status.to_string();
        let list = [(":status", status.as_str())]
            .into_iter()
            .chain(readable(&all).filter(|(name, _)| !NOT_IN_HTTP2.contains(name)));
        hpack::headers(memory.down.block_len(list)) as f64
    }
}

fn readable(fields: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    fields
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
}
