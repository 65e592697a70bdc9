//! Header fields: what each is for, and who defines it.
use std::ops::Range;

use super::request::Request;
use super::stomp;
use super::unit::{Detail, Explained, Knowledge, bytes};
use crate::lang::{Text, phrase};
use crate::wire::is_media_type;
use crate::wire::transcript::Piece;

/// Name, purpose, source.
type Field = (&'static str, &'static str, &'static str);

/// In alphabetical order.
const FIELDS: &[Field] = &[
    (
        "accept",
        "which media types the client can use; */* is any",
        "RFC 9110, section 12.5.1",
    ),
    (
        "accept-charset",
        "which character encodings the client can read: deprecated",
        "RFC 9110, section 12.5.2",
    ),
    (
        "accept-encoding",
        "which compressions the client can undo",
        "RFC 9110, section 12.5.3",
    ),
    (
        "accept-language",
        "which languages the user reads",
        "RFC 9110, section 12.5.4",
    ),
    (
        "accept-ranges",
        "whether parts of it can be asked for",
        "RFC 9110, section 14.3",
    ),
    (
        "access-control-allow-credentials",
        "whether a page of another origin may send cookies",
        "Fetch, section 3.2",
    ),
    (
        "access-control-allow-headers",
        "which fields a page of another origin may send",
        "Fetch, section 3.2",
    ),
    (
        "access-control-allow-methods",
        "which methods a page of another origin may use",
        "Fetch, section 3.2",
    ),
    (
        "access-control-allow-origin",
        "which origins' pages may read this",
        "Fetch, section 3.2",
    ),
    (
        "age",
        "for how many seconds a cache has kept it",
        "RFC 9111, section 5.1",
    ),
    ("allow", "which methods there are", "RFC 9110, section 10.2.1"),
    ("alt-svc", "where else the same is served", "RFC 7838, section 3"),
    (
        "authorization",
        "who the client is, proved anew each time",
        "RFC 9110, section 11.6.2",
    ),
    (
        "cache-control",
        "whether caches may keep it, and how long",
        "RFC 9111, section 5.2",
    ),
    (
        "connection",
        "what holds for this connection only: keep it, close it, or change its protocol",
        "RFC 9110, section 7.6.1",
    ),
    (
        "content-encoding",
        "how the body is compressed",
        "RFC 9110, section 8.4",
    ),
    (
        "content-language",
        "which language it is in",
        "RFC 9110, section 8.5",
    ),
    (
        "content-length",
        "how many bytes of body follow the head",
        "RFC 9110, section 8.6",
    ),
    ("content-type", "what the body is", "RFC 9110, section 8.3"),
    (
        "cookie",
        "what the server once asked to be told with every request: who this is",
        "RFC 6265, section 4.2",
    ),
    ("date", "when the answer was made", "RFC 9110, section 6.6.1"),
    (
        "dnt",
        "that the user does not want to be tracked",
        "Tracking Preference Expression, section 5",
    ),
    (
        "etag",
        "this version's name, to ask later whether it has changed",
        "RFC 9110, section 8.8.3",
    ),
    (
        "expect",
        "wait for a 100 before the body is sent",
        "RFC 9110, section 10.1.1",
    ),
    ("expires", "when caches must drop it", "RFC 9111, section 5.3"),
    (
        "forwarded",
        "who asked, where a proxy asks on",
        "RFC 7239, section 4",
    ),
    (
        "host",
        "which of the names at this address is meant",
        "RFC 9110, section 7.2",
    ),
    (
        "if-modified-since",
        "only if it has changed since",
        "RFC 9110, section 13.1.3",
    ),
    (
        "if-none-match",
        "only if it is not this version",
        "RFC 9110, section 13.1.2",
    ),
    (
        "keep-alive",
        "how long the connection may stay idle",
        "RFC 2068, section 19.7.1.1",
    ),
    (
        "last-event-id",
        "the number of the last event seen: where a reconnecting EventSource goes on",
        "HTML, section 9.2.4",
    ),
    ("last-modified", "when it last changed", "RFC 9110, section 8.8.2"),
    ("location", "where it is instead", "RFC 9110, section 10.2.2"),
    (
        "origin",
        "which site's page asks; a server can refuse other sites'",
        "RFC 6454, section 7",
    ),
    (
        "pragma",
        "HTTP/1.0's way to bypass caches",
        "RFC 9111, section 5.4",
    ),
    ("priority", "how urgent the answer is", "RFC 9218, section 5"),
    ("referer", "which page asks", "RFC 9110, section 10.1.3"),
    (
        "sec-ch-ua",
        "the browser's brand and version",
        "User-Agent Client Hints, section 3",
    ),
    (
        "sec-ch-ua-mobile",
        "whether it is a telephone's browser",
        "User-Agent Client Hints, section 3",
    ),
    (
        "sec-ch-ua-platform",
        "the browser's operating system",
        "User-Agent Client Hints, section 3",
    ),
    (
        "sec-fetch-dest",
        "what the page will use it for",
        "Fetch Metadata, section 2.1",
    ),
    (
        "sec-fetch-mode",
        "how the page asks",
        "Fetch Metadata, section 2.2",
    ),
    (
        "sec-fetch-site",
        "whether a page of the same site asks",
        "Fetch Metadata, section 2.3",
    ),
    (
        "sec-fetch-user",
        "whether the user has set it off",
        "Fetch Metadata, section 2.4",
    ),
    (
        "sec-websocket-accept",
        "the proof that the server has understood this handshake",
        "RFC 6455, section 11.3.3",
    ),
    (
        "sec-websocket-extensions",
        "which extensions the frames may use",
        "RFC 6455, section 11.3.2",
    ),
    (
        "sec-websocket-key",
        "16 random bytes in base64, for the server to answer; no secret, and no proof of who asks",
        "RFC 6455, section 11.3.1",
    ),
    (
        "sec-websocket-protocol",
        "which subprotocol the messages keep to: the client offers, the server chooses one",
        "RFC 6455, section 11.3.4",
    ),
    (
        "sec-websocket-version",
        "which WebSocket; 13 is the RFC's",
        "RFC 6455, section 11.3.5",
    ),
    ("server", "which software answers", "RFC 9110, section 10.2.4"),
    (
        "set-cookie",
        "what the client is to repeat with every request from now on",
        "RFC 6265, section 4.1",
    ),
    (
        "strict-transport-security",
        "that this site is to be asked over TLS only",
        "RFC 6797, section 6.1",
    ),
    (
        "te",
        "which transfer codings the client can undo",
        "RFC 9110, section 10.1.4",
    ),
    (
        "trailer",
        "which fields follow the body",
        "RFC 9110, section 6.6.2",
    ),
    (
        "transfer-encoding",
        "how the body is framed: in chunks, since its length is not known",
        "RFC 9112, section 6.1",
    ),
    ("upgrade", "which protocol to change to", "RFC 9110, section 7.8"),
    (
        "upgrade-insecure-requests",
        "that the browser would rather have it over TLS",
        "Upgrade Insecure Requests, section 3.2.1",
    ),
    ("user-agent", "which software asks", "RFC 9110, section 10.1.5"),
    (
        "vary",
        "which of the request's fields the answer depends on",
        "RFC 9110, section 12.5.5",
    ),
    ("via", "which proxies it has passed", "RFC 9110, section 7.6.3"),
    (
        "x-accel-buffering",
        "whether a proxy may collect an answer before it passes it on",
        "Nginx ngx_http_proxy_module, section proxy_buffering",
    ),
    (
        "x-content-type-options",
        "do not guess another media type",
        "Fetch, section 3.6",
    ),
    (
        "x-frame-options",
        "who may show it in a frame",
        "RFC 7034, section 2.1",
    ),
];

/// Where a name is defined that is not among them.
const UNKNOWN: Field = ("", "an application's own field", "RFC 9110, section 5.1");

fn lookup(name: &str) -> Field {
    let lower = name.to_ascii_lowercase();
    let known = FIELDS.binary_search_by(|(known, ..)| (*known).cmp(&lower));
    known.map_or(UNKNOWN, |i| FIELDS[i])
}

/// What a field tells the server that the server might have kept.
pub fn knowledge(name: &str) -> Knowledge {
    match name.to_ascii_lowercase().as_str() {
        "last-event-id" => Knowledge::Cursor,
        "cookie" | "authorization" => Knowledge::Identity,
        _ => Knowledge::Head,
    }
}

/// A field line.
pub fn explain(line: &Piece, name: &str, value: &str, request: &Request) -> Explained {
    let (_, purpose, source) = lookup(name);
    let what = match source == UNKNOWN.2 {
        true => phrase!("%{name}: %{purpose}.", name = name.to_string(), purpose = purpose),
        false => phrase!(
            "%{name} says %{purpose}.",
            name = name.to_string(),
            purpose = purpose
        ),
    };
    Explained {
        random: varying(line, name, value, request),
        ..Explained::new(line, what, source).with(meaning(name, value).into_iter().collect())
    }
}

/// What this value says, where that needs saying.
fn meaning(name: &str, value: &str) -> Option<Detail> {
    let has = |token: &str| value.split(',').any(|t| t.trim().eq_ignore_ascii_case(token));
    let what = match name.to_ascii_lowercase().as_str() {
        "connection" if has("upgrade") => "this connection is to change its protocol: see Upgrade",
        "connection" if has("close") => "the connection ends with this message",
        "connection" if has("keep-alive") => "the connection is to stay open for the next request",
        "transfer-encoding" if has("chunked") => "each piece comes behind its own length",
        "content-type" if is_media_type(value, "text/event-stream") => {
            "a stream of events: Server-Sent Events"
        }
        "content-type" if is_media_type(value, "application/json") => "JSON (RFC 8259)",
        "cache-control" => return each(value, directive),
        "sec-websocket-protocol" => return each(value, stomp::subprotocol),
        "x-accel-buffering" if has("no") => "each piece of a stream is to pass at once",
        "upgrade" if has("websocket") => "to frames that either side sends when it likes",
        "content-length" => {
            let n = value.parse().ok()?;
            let what = "where the next message begins is known by this";
            return Some(Detail::new("length", "", what).valued(bytes(n)));
        }
        _ => return None,
    };
    Some(Detail::new("value", value, what))
}

/// What those of a list's members say that `explained` knows.
fn each(value: &str, explained: fn(&str) -> Option<&'static str>) -> Option<Detail> {
    let said = value.split(',').filter_map(|member| explained(member.trim()));
    let said = said.map(Text::from);
    let said = said.reduce(|all, next| phrase!("%{all}; %{next}", all = all, next = next))?;
    Some(Detail::new("value", value, said))
}

/// A directive of `Cache-Control` (RFC 9111, section 5.2.2).
fn directive(name: &str) -> Option<&'static str> {
    match name.to_ascii_lowercase().as_str() {
        "no-cache" => Some("no cache may answer with it unasked: a stream is not to be kept"),
        "no-transform" => {
            Some("no proxy may change the body: one that compresses a stream may hold its pieces back")
        }
        _ => None,
    }
}

/// The bytes of a field line that another run would have otherwise.
fn varying(line: &Piece, name: &str, value: &str, request: &Request) -> Option<Range<usize>> {
    let at = |wanted: &str| {
        let found = memchr::memmem::find(&line.bytes, wanted.as_bytes())?;
        (!wanted.is_empty()).then_some(found..found + wanted.len())
    };
    match name.to_ascii_lowercase().as_str() {
        "date" | "sec-websocket-key" | "sec-websocket-accept" => at(value),
        // The port is whichever was free.
        "host" | "origin" | "referer" => at(request.authority.as_deref()?).and_then(|all| {
            let authority = request.authority.as_deref()?;
            let port = authority.rsplit_once(':')?.1;
            Some(all.end - port.len()..all.end)
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_names_a_section_each() {
        assert!(FIELDS.is_sorted_by(|a, b| a.0 < b.0));
        for (name, purpose, source) in FIELDS {
            assert!(source.contains("section"), "{name}: {source}");
            assert!(!purpose.is_empty() && !purpose.ends_with('.'), "{name}");
        }
        assert_eq!(lookup("Sec-WebSocket-Key").2, "RFC 6455, section 11.3.1");
        assert_eq!(lookup("x-session-load"), UNKNOWN);
    }
}
