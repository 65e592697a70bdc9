//! The open streams of one HTTP/2 connection: with none, it is idle, and idle connections are ended.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use http::Method;
use hyper::body::{Bytes, Frame, SizeHint};
use tokio::sync::watch;

/// Counts them.
#[derive(Clone, Debug)]
pub struct Streams(Arc<watch::Sender<usize>>);

impl Default for Streams {
    fn default() -> Self {
        Streams(Arc::new(watch::Sender::new(0)))
    }
}

/// One open stream.
#[derive(Debug)]
pub struct Open(Option<Streams>);

impl Streams {
    /// Counts a stream until it is dropped. One that becomes a tunnel counts for ever: it has heartbeats
    /// of its own.
    pub fn open(&self, method: &Method) -> Open {
        self.0.send_modify(|n| *n += 1);
        Open((method != Method::CONNECT).then(|| self.clone()))
    }

    /// Returns once no stream was open for so long.
    pub async fn idle_for(&self, time: Duration) {
        let mut open = self.0.subscribe();
        loop {
            // The sender lives in `self`, so waiting cannot fail.
            let _ = open.wait_for(|n| *n == 0).await;
            let _ = open.borrow_and_update();
            if tokio::time::timeout(time, open.changed()).await.is_err() {
                return;
            }
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(streams) = &self.0 {
            streams.0.send_modify(|n| *n -= 1);
        }
    }
}

/// An answer's body, whose end is its stream's.
#[derive(Debug)]
pub struct Held {
    pub body: Body,
    pub _open: Open,
}

impl hyper::body::Body for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn idle_is_a_while_without_streams() {
        let streams = Streams::default();
        let idle = streams.idle_for(TIME);
        tokio::pin!(idle);
        let open = streams.open(&Method::GET);
        assert!(tokio::time::timeout(TIME * 3, &mut idle).await.is_err());
        drop(open);
        assert!(tokio::time::timeout(TIME / 2, &mut idle).await.is_err());
        drop(streams.open(&Method::GET));
        assert!(tokio::time::timeout(TIME * 2 / 3, &mut idle).await.is_err());
        idle.await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_tunnel_is_never_idle() {
        let streams = Streams::default();
        drop(streams.open(&Method::CONNECT));
        assert!(tokio::time::timeout(TIME * 3, streams.idle_for(TIME)).await.is_err());
    }
}
