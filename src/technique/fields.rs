//! The header fields of a request and a response under a header profile.

use anyhow::bail;
use http::header::{CONTENT_ENCODING, HeaderMap, HeaderName, HeaderValue};

use super::Origin;
use super::headers::{Headers, Purpose};

/// A request's fields: those of the profile, and those of `ours` that the profile does not have.
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

/// A response's fields: `ours`, and the profile's fields that `fit`, which replace fields of the same name.
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

/// Asks a proxy to forward each piece of an answer at once. The field is nginx's, which buffers by default;
/// other proxies have adopted it (nginx, `ngx_http_proxy_module`, `proxy_buffering`).
pub const UNBUFFERED: (HeaderName, HeaderValue) = (
    HeaderName::from_static("x-accel-buffering"),
    HeaderValue::from_static("no"),
);

/// Refuses a body in a content coding (RFC 9110, section 8.4) that is still there: this client decodes gzip alone.
///
/// # Errors
/// If `Content-Encoding` names a coding; the error holds the field's name and value.
pub fn uncompressed(path: &str, answer: &HeaderMap) -> anyhow::Result<()> {
    let coded = answer
        .get_all(CONTENT_ENCODING)
        .iter()
        .find(|coding| !coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity"));
    if let Some(coding) = coded {
        bail!(
            "{path} answered with Content-Encoding {coding:?}, which this client cannot decode; it decodes gzip: \
             the server, or something on the way, compresses"
        );
    }
    Ok(())
}
