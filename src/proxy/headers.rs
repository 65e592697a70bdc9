//! The header fields that a proxy passes on.

use http::header::{
    ACCEPT_ENCODING, CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, TE, TRAILER, TRANSFER_ENCODING,
    UPGRADE,
};
use http::{Response, Version, uri::Authority};

/// `Keep-Alive`, an old field of one connection.
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

/// The hint that keeps nginx from collecting an answer, which nginx does not pass on.
pub const HINT: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Removes the fields that are for one connection alone, and those that `Connection` names (RFC 9110, section 7.6.1).
pub fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        // Without it the server could not tell for whom it is asked.
        .filter(|name| *name != HOST)
        .collect();
    let usual = [CONNECTION, KEEP_ALIVE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];
    for name in named.iter().chain(&usual) {
        headers.remove(name);
    }
}

/// Names the host as HTTP/1 does, for a request that came in HTTP/2.
pub fn name_host(headers: &mut HeaderMap, authority: Option<&Authority>) {
    let host = authority.and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    if let (Some(host), false) = (host, headers.contains_key(HOST)) {
        headers.insert(HOST, host);
    }
}

/// Whether a client accepts gzip (RFC 9110, section 12.5.3): it is named, and not with a weight of 0.
pub fn accepts_gzip(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(ACCEPT_ENCODING).iter();
    codings
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| {
            let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
            let weight = weight.trim().strip_prefix("q=").map(str::parse::<f64>);
            name.trim().eq_ignore_ascii_case("gzip") && !matches!(weight, Some(Ok(0.0)))
        })
}

/// Whether the answer asks not to be collected.
pub fn is_hinted(headers: &HeaderMap) -> bool {
    headers.get(HINT).is_some_and(|value| value == "no")
}

/// The bytes of an answer's head in HTTP/1: the status line, the fields and the blank line (RFC 9112, section 2.1).
pub fn head_bytes<B>(response: &Response<B>) -> usize {
    let reason = response.status().canonical_reason().unwrap_or("");
    let status = "HTTP/1.1 200 ".len() + reason.len() + 2;
    let fields = response.headers().iter();
    status
        + fields
            .map(|(name, value)| name.as_str().len() + value.len() + 4)
            .sum::<usize>()
        + 2
}

/// Whether an answer is in chunks.
pub fn is_in_chunks<B>(response: &Response<B>) -> bool {
    response.version() == Version::HTTP_11 && response.headers().contains_key(TRANSFER_ENCODING)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_for_one_connection_is_removed_and_the_rest_passes() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Mine, host"),
            ("keep-alive", "timeout=5"),
            ("x-mine", "1"),
            ("te", "trailers"),
            ("upgrade", "websocket"),
            ("host", "localhost"),
            ("cookie", "a=b"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        remove_hop_by_hop(&mut headers);
        let left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(left, ["host", "cookie"]);
    }

    #[test]
    fn gzip_is_accepted_where_it_is_named_and_not_refused() {
        let accepts = |value: &'static str| {
            accepts_gzip(&HeaderMap::from_iter([(
                ACCEPT_ENCODING,
                HeaderValue::from_static(value),
            )]))
        };
        for yes in ["gzip", "br, GZIP;q=0.5", "deflate,gzip"] {
            assert!(accepts(yes), "{yes}");
        }
        for no in ["", "br", "gzip;q=0", "gzip; q=0.0", "x-gzip"] {
            assert!(!accepts(no), "{no}");
        }
    }
}
