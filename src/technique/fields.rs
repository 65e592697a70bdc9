//! The header fields of an HTTP/1.1 request and response under a header profile: one place for those
//! who send them and for those who predict their length.

use http::header::{
    ACCEPT, CONTENT_LENGTH, DATE, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING,
};

use super::Origin;
use super::headers::{Headers, Purpose};
use crate::theory;

/// A request's fields: the profile's, and `ours` where the profile has no such field.
pub fn request<const N: usize>(
    profile: &Headers,
    purpose: Purpose,
    origin: &Origin,
    ours: [(HeaderName, HeaderValue); N],
) -> HeaderMap {
    let mut fields: HeaderMap = profile.request(purpose, origin).into_iter().collect();
    for (name, value) in ours {
        fields.entry(name).or_insert(value);
    }
    fields
}

/// A response's fields: `ours`, replaced and added to by those of the profile that `fit`.
pub fn response(profile: &Headers, ours: HeaderMap, fit: impl Fn(&HeaderName) -> bool) -> HeaderMap {
    let mut fields = ours;
    let captured: Vec<_> = profile.response().iter().filter(|(name, _)| fit(name)).collect();
    for (name, _) in &captured {
        fields.remove(name);
    }
    for (name, value) in captured {
        fields.append(name, value.clone());
    }
    fields
}

/// How a response's body ends (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug)]
pub enum Length {
    /// It has none.
    None,
    /// After so many bytes.
    Known(u64),
    /// With a chunk of size zero.
    Chunked,
}

/// Bytes of the head that reqwest sends for these fields: it adds Host, Accept and Content-Length.
pub fn request_len(
    method: &str,
    target: &str,
    fields: &HeaderMap,
    origin: &Origin,
    body: Option<u64>,
) -> f64 {
    let mut all = fields.clone();
    all.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
    if let Ok(authority) = HeaderValue::from_str(&origin.authority) {
        all.entry(HOST).or_insert(authority);
    }
    if let Some(length) = body {
        all.insert(CONTENT_LENGTH, length.into());
    }
    theory::head_len(&format!("{method} {target} HTTP/1.1"), &all) as f64
}

/// Bytes of the head that hyper sends for these fields: it adds Date, which is of fixed length
/// (RFC 9110, section 5.6.7), and what the body needs.
pub fn response_len(status: &str, fields: &HeaderMap, body: Length) -> f64 {
    let mut all = fields.clone();
    all.insert(DATE, HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT"));
    match body {
        Length::None => {}
        Length::Known(length) => drop(all.insert(CONTENT_LENGTH, length.into())),
        Length::Chunked => drop(all.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"))),
    }
    theory::head_len(&format!("HTTP/1.1 {status}"), &all) as f64
}
