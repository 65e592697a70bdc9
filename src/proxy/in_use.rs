//! How many requests and tunnels a server behind a balancer has open.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::Error;
use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http::Response;
use hyper::body::{Frame, SizeHint};

/// Counts a request as open until it is dropped. By default nobody counts.
#[derive(Debug, Default)]
pub struct InUse(Option<Arc<AtomicUsize>>);

impl InUse {
    /// Counts one more.
    pub fn of(open: &Arc<AtomicUsize>) -> InUse {
        open.fetch_add(1, Ordering::SeqCst);
        InUse(Some(open.clone()))
    }

    /// Counts the request as open until its answer has ended.
    pub fn until_the_end_of(self, answer: Response<Body>) -> Response<Body> {
        match self.0 {
            None => answer,
            Some(_) => answer.map(|body| Body::new(Held { body, _in_use: self })),
        }
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        if let Some(open) = &self.0 {
            open.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// A body whose request is open until it is dropped.
struct Held {
    body: Body,
    _in_use: InUse,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
