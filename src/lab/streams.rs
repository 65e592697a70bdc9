//! The open streams of one HTTP/2 connection. A connection without any is idle, and idle connections are
//! ended. So are connections with a stream whose client does not open its window (RFC 9113, section 5.2).

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::BytesMut;
use hyper::body::{Bytes, Frame, SizeHint};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

/// Counts the open streams.
#[derive(Clone, Debug, Default)]
pub struct Streams(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    open: watch::Sender<usize>,
    any: AtomicBool,
    bodies: Mutex<Bodies>,
}

/// Since when each body has waited for its client, by the body's number.
#[derive(Debug, Default)]
struct Bodies {
    next: u64,
    waiting: BTreeMap<u64, Instant>,
}

/// One open stream, until the last reference is dropped. What follows from a request may keep one, as a
/// tunnel does.
#[derive(Debug)]
pub struct Open(Streams);

impl Streams {
    /// Counts a stream.
    pub fn open(&self) -> Arc<Open> {
        self.0.any.store(true, Ordering::SeqCst);
        self.0.open.send_modify(|n| *n += 1);
        Arc::new(Open(self.clone()))
    }

    /// Whether no stream was opened yet.
    pub fn none_yet(&self) -> bool {
        !self.0.any.load(Ordering::SeqCst)
    }

    /// Returns once no stream has been open for this long.
    pub async fn idle_for(&self, time: Duration) {
        let mut open = self.0.open.subscribe();
        loop {
            // The sender lives in `self`, so waiting cannot fail.
            let _ = open.wait_for(|n| *n == 0).await;
            let _ = open.borrow_and_update();
            if tokio::time::timeout(time, open.changed()).await.is_err() {
                return;
            }
        }
    }

    /// Returns once a body has waited for this long.
    pub async fn stalled_for(&self, time: Duration) {
        loop {
            let since = self.0.bodies.lock().waiting.values().min().copied();
            let due = since.unwrap_or_else(Instant::now) + time;
            if due <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(due).await;
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.0.open.send_modify(|n| *n -= 1);
    }
}

/// As much as fits into one DATA frame, unless the client allows more (RFC 9113, section 6.5.2). A long mail is
/// given out in such pieces, so that a client that takes it slowly does not look like one that takes nothing.
const PIECE: usize = 16_384;

/// An answer's body, whose end is its stream's. hyper asks for more of it as soon as the client has room
/// for more, so a body that has given something and is not asked again is waiting for the client.
#[derive(Debug)]
pub struct Held {
    body: Body,
    rest: Bytes,
    number: u64,
    open: Arc<Open>,
}

impl Held {
    pub fn new(body: Body, open: Arc<Open>) -> Held {
        let mut bodies = open.0.0.bodies.lock();
        bodies.next += 1;
        let number = bodies.next;
        drop(bodies);
        Held {
            body,
            rest: Bytes::new(),
            number,
            open,
        }
    }

    fn shared(&self) -> &Shared {
        &self.open.0.0
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.shared().bodies.lock().waiting.remove(&self.number);
    }
}

impl hyper::body::Body for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.shared().bodies.lock().waiting.remove(&self.number);
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)).map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => self.rest = data,
                Some(Ok(Err(trailers))) => return Poll::Ready(Some(Ok(trailers))),
                Some(Err(e)) => return Poll::Ready(Some(Err(e))),
                None => return Poll::Ready(None),
            }
        }
        let is_whole = self.body.size_hint().exact().is_some();
        if is_whole && self.rest.len() < PIECE && !self.body.is_end_stream() {
            // An answer of known length that comes in small parts is sent in whole pieces all the same.
            let mut piece = BytesMut::from(&self.rest[..]);
            while piece.len() < PIECE {
                match Pin::new(&mut self.body)
                    .poll_frame(cx)
                    .map(|f| f.map(|f| f.map(Frame::into_data)))
                {
                    Poll::Ready(Some(Ok(Ok(data)))) => piece.extend_from_slice(&data),
                    _ => break,
                }
            }
            self.rest = piece.freeze();
        }
        let length = self.rest.len().min(PIECE);
        let piece = self.rest.split_to(length);
        self.shared()
            .bodies
            .lock()
            .waiting
            .insert(self.number, Instant::now());
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        // hyper asks for it before the first piece.
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::body::Body as _;

    const TIME: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn idle_is_a_while_without_streams() {
        let streams = Streams::default();
        let idle = streams.idle_for(TIME);
        tokio::pin!(idle);
        let open = streams.open();
        assert!(tokio::time::timeout(TIME * 3, &mut idle).await.is_err());
        drop(open);
        assert!(tokio::time::timeout(TIME / 2, &mut idle).await.is_err());
        drop(streams.open());
        assert!(tokio::time::timeout(TIME * 2 / 3, &mut idle).await.is_err());
        idle.await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_is_not_asked_for_more_is_stalled() {
        let streams = Streams::default();
        let mut held = Held::new(Body::from("mail"), streams.open());
        assert!(
            tokio::time::timeout(TIME * 3, streams.stalled_for(TIME))
                .await
                .is_err()
        );
        let next =
            |held: &mut Held| Pin::new(held).poll_frame(&mut Context::from_waker(std::task::Waker::noop()));
        assert!(next(&mut held).is_ready());
        assert!(
            tokio::time::timeout(TIME / 2, streams.stalled_for(TIME))
                .await
                .is_err()
        );
        streams.stalled_for(TIME).await;
        assert!(next(&mut held).is_ready());
        assert!(
            tokio::time::timeout(TIME * 3, streams.stalled_for(TIME))
                .await
                .is_err()
        );
    }
}
