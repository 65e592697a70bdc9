//! Requests that every HTTP server must refuse.

use axum::extract::Request;
use http::header::{HOST, TRANSFER_ENCODING};
use http::{StatusCode, Version};

/// Why a request is refused: a status, and a message for its sender.
#[derive(Debug)]
pub struct Refused(pub StatusCode, pub String);

impl Refused {
    /// Refuses an invalid request.
    pub fn bad(why: impl Into<String>) -> Refused {
        Refused(StatusCode::BAD_REQUEST, why.into())
    }
}

/// Checks a request against RFC 9112, sections 3.2 and 6.1, and RFC 9113, section 8.3.1.
///
/// # Errors
/// - 400 if it does not name its host, which HTTP/1.0 need not, or has several `Host` fields; or if its
///   body is chunked twice;
/// - 501 if its body has a transfer coding other than `chunked`. Where `chunked` is not the last coding,
///   hyper has already answered 400: nobody knows where such a body ends (RFC 9112, section 6.3).
pub fn check(request: &Request) -> Result<(), Refused> {
    let hosts = request.headers().get_all(HOST).iter().count();
    let has_authority = request.version() == Version::HTTP_2 && request.uri().authority().is_some();
    match hosts {
        0 if request.version() >= Version::HTTP_11 && !has_authority => {
            return Err(Refused::bad("a request names its host, and this one has no Host"));
        }
        0 | 1 => {}
        _ => return Err(Refused::bad("a request has one Host, and this one has several")),
    }
    let lines = request.headers().get_all(TRANSFER_ENCODING).iter();
    let codings = lines.flat_map(|line| line.as_bytes().split(|b| *b == b','));
    let codings: Vec<&[u8]> = codings
        .map(<[u8]>::trim_ascii)
        .filter(|c| !c.is_empty())
        .collect();
    if !codings
        .iter()
        .all(|coding| coding.eq_ignore_ascii_case(b"chunked"))
    {
        let why = "of the transfer codings, this server knows chunked alone";
        return Err(Refused(StatusCode::NOT_IMPLEMENTED, why.into()));
    }
    match codings.len() {
        0 | 1 => Ok(()),
        _ => Err(Refused::bad("a body is chunked once")),
    }
}
