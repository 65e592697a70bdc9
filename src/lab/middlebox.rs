//! A proxy or firewall that does not let every technique through (`--block`): a layer around the server's
//! routes, inside the connection that is measured.
//!
//! ```text
//! client                     middlebox                     server
//!   | GET, Upgrade: websocket    |                            |
//!   |--------------------------->|                            |     --block websocket
//!   |   403 Forbidden            |                            |
//!   |<---------------------------|                            |
//!   | POST                       |                            |
//!   |--------------------------->|--------------------------->|     --block streaming
//!   |   200, no Content-Length   |   200, no Content-Length   |
//!   |<---------------------------|<---------------------------|
//!   |                            |            piece           |
//!   |                            |<---------------------------|     kept, until there are 64 KiB
//!   |                            |            piece           |     or the answer is over
//!   |                            |<---------------------------|
//! ```
//!
//! The first is a proxy or a firewall that passes only what it takes for HTTP: it refuses a request to
//! switch to another protocol, whether by `Upgrade` (RFC 9110, section 7.8) or, on HTTP/2, by an extended
//! CONNECT (RFC 8441). The second is a proxy that buffers. It may do so, because HTTP does not promise that
//! a piece of an answer arrives before the rest (RFC 6202, section 3.2, describes such proxies). It ignores
//! `X-Accel-Buffering: no`, with which a stream asks nginx to pass it on. An answer that is soon over
//! passes unchanged.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use bytes::Bytes;
use http::Method;
use http::header::UPGRADE;
use hyper::body::{Frame, SizeHint};

use crate::outcome::{Block, Scenario};
use crate::technique::blocked;
use crate::technique::fanout::Joining;

/// How much of an answer a buffering proxy keeps before it passes anything on: nginx's `proxy_buffers`,
/// eight of 8 KiB.
const BUFFER: usize = 64 * 1024;

/// Puts what the scenario blocks in front of the routes.
pub fn before(routes: Router, scenario: &Scenario) -> Router {
    let mut routes = routes;
    if scenario.blocks(Block::Streaming) {
        routes = routes.layer(from_fn(async |request: Request, next: Next| {
            let mut answer = next.run(request).await;
            // Nothing may pass by the buffer.
            answer.extensions_mut().remove::<Joining>();
            answer.map(|body| Body::new(Buffered::new(body)))
        }));
    }
    if scenario.blocks(Block::Websocket) {
        routes = routes.layer(from_fn(async |request: Request, next: Next| {
            let switches = request.method() == Method::CONNECT || request.headers().contains_key(UPGRADE);
            match switches {
                true => blocked::refusal(),
                false => next.run(request).await,
            }
        }));
    }
    routes
}

/// An answer's body that is kept back.
struct Buffered {
    body: Body,
    kept: VecDeque<Frame<Bytes>>,
    bytes: usize,
    /// Whether the frames that were kept are being passed on.
    passing: bool,
    over: bool,
}

impl Buffered {
    fn new(body: Body) -> Buffered {
        Buffered {
            over: body.is_end_stream(),
            body,
            kept: VecDeque::new(),
            bytes: 0,
            passing: false,
        }
    }
}

impl HttpBody for Buffered {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        loop {
            if self.passing {
                if let Some(frame) = self.kept.pop_front() {
                    return Poll::Ready(Some(Ok(frame)));
                }
                if self.over {
                    return Poll::Ready(None);
                }
                (self.passing, self.bytes) = (false, 0);
            }
            match ready!(Pin::new(&mut self.body).poll_frame(task)) {
                Some(Ok(frame)) => {
                    self.bytes += frame.data_ref().map_or(0, Bytes::len);
                    self.kept.push_back(frame);
                    self.passing = self.bytes >= BUFFER || self.body.is_end_stream();
                }
                Some(Err(e)) => return Poll::Ready(Some(Err(e))),
                None => (self.passing, self.over) = (true, true),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.kept.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.body.size_hint();
        let kept: usize = self.kept.iter().filter_map(Frame::data_ref).map(Bytes::len).sum();
        let kept = kept as u64;
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + kept);
        }
        hint.set_lower(hint.lower() + kept);
        hint
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::FutureExt;
    use http_body_util::BodyExt;
    use tokio::sync::mpsc;

    use super::*;

    fn streamed() -> (mpsc::UnboundedSender<Bytes>, Buffered) {
        let (say, heard) = mpsc::unbounded_channel::<Bytes>();
        let pieces = futures_util::stream::unfold(heard, async |mut heard| {
            let piece = heard.recv().await?;
            Some((Ok::<_, Infallible>(piece), heard))
        });
        (say, Buffered::new(Body::from_stream(pieces)))
    }

    #[tokio::test]
    async fn a_piece_waits_until_the_buffer_is_full_or_the_answer_over() {
        let (say, mut body) = streamed();
        let piece = Bytes::from(vec![b'x'; BUFFER / 2]);
        say.send(piece.clone()).unwrap();
        assert!(body.frame().now_or_never().is_none());
        say.send(piece.clone()).unwrap();
        for _ in 0..2 {
            let frame = body.frame().now_or_never().unwrap().unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap(), piece);
        }
        say.send(Bytes::from_static(b"last")).unwrap();
        assert!(body.frame().now_or_never().is_none());
        drop(say);
        assert_eq!(body.collect().now_or_never().unwrap().unwrap().to_bytes(), "last");
    }

    #[tokio::test]
    async fn an_answer_that_is_whole_passes_as_it_is() {
        let mut body = Buffered::new(Body::from("whole"));
        assert_eq!(body.size_hint().exact(), Some(5));
        assert_eq!(
            body.frame()
                .now_or_never()
                .unwrap()
                .unwrap()
                .unwrap()
                .into_data()
                .unwrap(),
            "whole"
        );
        assert!(body.is_end_stream() && Buffered::new(Body::empty()).is_end_stream());
    }
}
