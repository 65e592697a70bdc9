//! An answer that passes a proxy: what a condition has to know of it, and how it makes a body.

use std::sync::Arc;

use axum::Error;
use axum::body::Body;
use bytes::Bytes;
use futures_util::stream::try_unfold;
use http_body_util::StreamBody;
use hyper::body::Frame;

use super::counts::Counts;
use crate::outcome::ProxySettings;

/// What a condition needs to know of the answer that passes.
#[derive(Clone, Debug)]
pub struct Passing {
    /// What the proxy does.
    pub settings: Arc<ProxySettings>,
    /// What it has counted.
    pub counts: Arc<Counts>,
    /// Whether the client accepts gzip.
    pub accepts_gzip: bool,
    /// The bytes of the answer's head as the server wrote it.
    pub head_bytes: usize,
    /// Whether the server sends the answer in chunks.
    pub in_chunks: bool,
    /// Whether the answer asks not to be collected.
    pub hinted: bool,
}

/// A body that is made frame by frame: `step` takes the state, and returns the next frame with the state after it, or
/// `None` at the end.
pub fn body<S, F, T>(state: S, step: F) -> Body
where
    S: Send + 'static,
    F: FnMut(S) -> T + Send + 'static,
    T: Future<Output = Result<Option<(Frame<Bytes>, S)>, Error>> + Send + 'static,
{
    Body::new(StreamBody::new(try_unfold(state, step)))
}

/// The error that ends an answer in the middle: the connection to the client is cut.
pub fn cut(why: &'static str) -> Error {
    Error::new(std::io::Error::other(why))
}
