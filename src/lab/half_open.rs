//! A client that ends its side of a connection (FIN) after its request, and waits for the answer: TCP
//! allows it (RFC 9293, section 3.6), `nc -N` does it, and so do clients of HTTP/1.0.
//!
//! ```text
//! client                              server
//!   | GET /poll?after=0                 |
//!   | FIN                               |
//!   |---------------------------------->|
//!   |   200 OK, what is ready           |
//!   |<----------------------------------|
//!   |   FIN                             |   when the answer is over, or nothing more of it is ready
//!   |<----------------------------------|
//! ```
//!
//! To the server this looks the same as a client that has left, and most such clients have left. So the
//! client gets what is ready, and no more: a long poll that has no mail yet, and an event stream that has
//! sent its mail, are ended as soon as the FIN is seen. hyper itself either ends every answer at the FIN or
//! does not look for it at all (`half_close`); this looks for it in hyper's place.

use std::io::{self, ErrorKind, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::tap::{self, Tap, Tapped};

/// The most bytes that are read ahead to see whether the client has ended its side. If there are any, the
/// client has asked for more and is not done.
const AHEAD: usize = 1024;

/// How often all other tasks may run before an answer of which nothing was written counts as not ready:
/// some answers come from tasks of their own.
const ROUNDS: u32 = 32;

/// A stream that reads ahead when it is flushed. Its flush fails when the client has ended its side and
/// nothing more is written.
pub type HalfOpen<S> = Tapped<S, Ending>;

/// Looks for the end of the client's side.
#[derive(Debug)]
pub struct Ending {
    watched: Arc<Watched>,
    ahead: Vec<u8>,
    /// Whether something was written since the last flush.
    wrote: bool,
    /// After the client has ended its side: the number of flushes since the last write.
    ended: Option<u32>,
}

/// What is known of a watched stream while somebody else has it.
#[derive(Debug, Default)]
pub struct Watched {
    /// Whether the connection no longer speaks HTTP.
    stopped: AtomicBool,
    /// Whether something was to be written after the last flush.
    unflushed: AtomicBool,
}

impl Watched {
    /// Stops watching. An upgraded connection needs none, because it reads all the time.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Whether everything is written.
    pub fn is_flushed(&self) -> bool {
        !self.unflushed.load(Ordering::Relaxed)
    }
}

/// Watches a stream.
pub fn half_open<S>(stream: S) -> (HalfOpen<S>, Arc<Watched>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let watched = Arc::<Watched>::default();
    let tap = Ending {
        watched: watched.clone(),
        ahead: Vec::new(),
        wrote: false,
        ended: None,
    };
    (Tapped { stream, tap }, watched)
}

impl<S: AsyncRead + AsyncWrite + Unpin> HalfOpen<S> {
    /// Returns whether there is more to read, once that is known: not if the client has ended its side.
    pub fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        self.tap.look_ahead(Pin::new(&mut self.stream), cx)?;
        match self.tap.ended {
            _ if !self.tap.ahead.is_empty() => Poll::Ready(Ok(true)),
            Some(_) => Poll::Ready(Ok(false)),
            None => Poll::Pending,
        }
    }

    /// Puts these bytes before all others that are still to be read.
    pub fn read_first(&mut self, bytes: &[u8]) {
        self.tap.ahead.splice(..0, bytes.iter().copied());
    }
}

impl Ending {
    /// Reads ahead, if nothing is known yet; returns whether something has become known.
    fn look_ahead<S: AsyncRead>(&mut self, stream: Pin<&mut S>, cx: &mut Context<'_>) -> io::Result<bool> {
        if !self.ahead.is_empty() || self.ended.is_some() {
            return Ok(false);
        }
        let mut bytes = [MaybeUninit::uninit(); AHEAD];
        let mut read = ReadBuf::uninit(&mut bytes);
        let Poll::Ready(done) = stream.poll_read(cx, &mut read) else {
            return Ok(false);
        };
        done?;
        match read.filled() {
            [] => self.ended = Some(0),
            some => self.ahead.extend_from_slice(some),
        }
        Ok(true)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Tap<S> for Ending {
    fn read(
        &mut self,
        stream: Pin<&mut S>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ended.is_some() && self.ahead.is_empty() {
            return Poll::Ready(Ok(()));
        }
        if self.ahead.is_empty() {
            let before = buf.filled().len();
            ready!(stream.poll_read(cx, buf))?;
            // An end that was read is not read again: a recording of the stream below would show it twice.
            if buf.filled().len() == before && buf.remaining() > 0 {
                self.ended = Some(0);
            }
            return Poll::Ready(Ok(()));
        }
        let n = self.ahead.len().min(buf.remaining());
        buf.put_slice(&self.ahead[..n]);
        self.ahead.drain(..n);
        if self.ahead.is_empty() {
            self.ahead = Vec::new();
        }
        Poll::Ready(Ok(()))
    }

    fn write(
        &mut self,
        stream: Pin<&mut S>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.wrote = true;
        self.watched.unflushed.store(true, Ordering::Relaxed);
        tap::write(stream, cx, bufs)
    }

    /// hyper then writes one buffer, with head and body together.
    fn is_vectored(&self, _: &S) -> bool {
        false
    }

    fn shutdown(&mut self, stream: Pin<&mut S>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What is being shut down is not waited for.
        self.watched.unflushed.store(true, Ordering::Relaxed);
        stream.poll_shutdown(cx)
    }

    fn flush(&mut self, mut stream: Pin<&mut S>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(stream.as_mut().poll_flush(cx))?;
        self.watched.unflushed.store(false, Ordering::Relaxed);
        if self.watched.stopped.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        if self.look_ahead(stream, cx)? {
            // A task that waits to read would not be woken otherwise.
            cx.waker().wake_by_ref();
        }
        let wrote = std::mem::take(&mut self.wrote);
        if let Some(rounds) = &mut self.ended {
            *rounds = if wrote { 0 } else { *rounds + 1 };
            if *rounds > ROUNDS {
                return Poll::Ready(Err(ErrorKind::ConnectionAborted.into()));
            }
            cx.waker().wake_by_ref();
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn what_was_read_ahead_is_read_and_the_end_behind_it() {
        let (mut client, server) = duplex(1_000);
        let (mut stream, _) = half_open(server);
        client.write_all(&[7; 100]).await.unwrap();
        client.shutdown().await.unwrap();
        for _ in 0..2 * ROUNDS {
            stream.flush().await.unwrap();
        }
        let mut read = Vec::new();
        stream.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, [7; 100]);
    }

    /// Counts how often its end is read.
    struct Ends(tokio::io::DuplexStream, usize);

    impl AsyncRead for Ends {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            ready!(Pin::new(&mut self.0).poll_read(cx, buf))?;
            self.1 += usize::from(buf.filled().is_empty());
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Ends {
        fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.0).poll_write(cx, buf)
        }
        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_flush(cx)
        }
        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_shutdown(cx)
        }
    }

    #[tokio::test]
    async fn the_end_is_read_once_whoever_comes_first() {
        for flushed_first in [true, false] {
            let (mut client, server) = duplex(1_000);
            let (mut stream, _) = half_open(Ends(server, 0));
            client.shutdown().await.unwrap();
            for flush in [flushed_first, !flushed_first] {
                match flush {
                    true => stream.flush().await.unwrap(),
                    false => assert_eq!(stream.read(&mut [0; 4]).await.unwrap(), 0),
                }
            }
            assert_eq!(stream.stream.1, 1, "flushed first: {flushed_first}");
        }
    }

    #[tokio::test]
    async fn a_client_that_left_is_written_to_as_long_as_there_is_something_to_write() {
        let (mut client, server) = duplex(1_000_000);
        let (mut stream, watched) = half_open(server);
        client.shutdown().await.unwrap();
        for _ in 0..10 * ROUNDS {
            stream.write_all(b"mail").await.unwrap();
            stream.flush().await.unwrap();
        }
        let quiet = async |stream: &mut HalfOpen<_>| {
            let mut flushed = Ok(());
            for _ in 0..=ROUNDS {
                flushed = flushed.and(stream.flush().await);
            }
            flushed
        };
        assert_eq!(
            quiet(&mut stream).await.unwrap_err().kind(),
            ErrorKind::ConnectionAborted
        );
        watched.stop();
        quiet(&mut stream).await.unwrap();
    }

    #[tokio::test]
    async fn whoever_waits_to_read_is_woken_by_what_is_read_ahead() {
        let (mut client, server) = duplex(1_000);
        let (mut stream, _) = half_open(server);
        let reading = poll_fn(|cx| {
            let mut bytes = [0; 4];
            let mut read = ReadBuf::new(&mut bytes);
            let polled = Pin::new(&mut stream).poll_read(cx, &mut read);
            // Like hyper, read and then flush.
            let _ = Pin::new(&mut stream).poll_flush(cx);
            polled.map(|read_it| read_it.map(|()| read.filled().to_vec()))
        });
        let talking = async {
            tokio::task::yield_now().await;
            client.write_all(b"mail").await.unwrap();
        };
        let (read, ()) = tokio::join!(reading, talking);
        assert_eq!(read.unwrap(), b"mail");
    }
}
