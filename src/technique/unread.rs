//! The rest of a request that is refused before it was read whole. If a server closes its connection while the client
//! still sends, the reset can destroy the answer before the client reads it, so the server reads on for a while
//! (RFC 9112, section 9.6).

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use bytes::{Buf, Bytes};
use http::header::EXPECT;
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};

/// The most that is read of it, in bytes.
const MOST: usize = 1 << 20;
/// How long it is read.
const LONGEST: Duration = Duration::from_secs(1);

/// Middleware: reads what is left of a request's body after it was answered.
///
/// Not the body of a client that waits for leave to send it (RFC 9110, section 10.1.1): reading would be the leave.
pub async fn read_on(request: Request, next: Next) -> Response {
    if request.headers().contains_key(EXPECT) {
        return next.run(request).await;
    }
    next.run(request.map(|body| Body::new(Unread(Some(body))))).await
}

/// A body whose rest is read when it is dropped.
struct Unread(Option<Body>);

impl HttpBody for Unread {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match &mut self.0 {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map(HttpBody::size_hint).unwrap_or_default()
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        let Some(mut body) = self.0.take().filter(|body| !body.is_end_stream()) else {
            return;
        };
        // Without a runtime the server is gone, too.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        runtime.spawn(async move {
            let rest = async {
                let mut read = 0;
                while let Some(Ok(frame)) = body.frame().await {
                    read += frame.data_ref().map_or(0, Buf::remaining);
                    if read > MOST {
                        break;
                    }
                }
            };
            let _ = tokio::time::timeout(LONGEST, rest).await;
        });
    }
}
