//! What a connection opens with: which version of HTTP it is, before anything is made of it.
//!
//! An HTTP/2 connection begins with a preface of 24 bytes that no HTTP/1 parser accepts (RFC 9113,
//! section 3.4). Reading it here, under a time limit, is also what ends a connection that says nothing.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// What an HTTP/2 client says first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A stream whose first bytes were looked at, and are still to be read.
#[derive(Debug)]
pub struct Opened<S> {
    first: Vec<u8>,
    stream: S,
}

/// Reads until it is clear whether this is HTTP/2; returns that, and the stream as it was.
///
/// # Errors
/// If it does not become clear in time, or the client leaves.
pub async fn look<S>(mut stream: S, within: Duration) -> io::Result<(bool, Opened<S>)>
where
    S: AsyncRead + Unpin,
{
    let mut first = Vec::with_capacity(PREFACE.len());
    let read = async {
        while first.len() < PREFACE.len() && PREFACE.starts_with(&first) {
            let left = (PREFACE.len() - first.len()) as u64;
            if (&mut stream).take(left).read_buf(&mut first).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
        }
        Ok(())
    };
    tokio::time::timeout(within, read).await??;
    Ok((first == PREFACE, Opened { first, stream }))
}

impl<S: AsyncRead + Unpin> AsyncRead for Opened<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let n = self.first.len().min(buf.remaining());
        buf.put_slice(&self.first[..n]);
        self.first.drain(..n);
        if self.first.is_empty() {
            self.first = Vec::new();
            // What came with it is read with it: a reader handed 24 bytes alone would keep a buffer for
            // them. An error comes again.
            let _ = Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Opened<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    const PATIENCE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn nothing_that_was_looked_at_is_lost() {
        let said: [&[u8]; 4] = [
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0",
            b"PRIVATE / HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\rX",
        ];
        for (said, is_http2) in said.into_iter().zip([true, false, false, false]) {
            for piece in [1, 2, 100] {
                let (mut client, server) = tokio::io::duplex(64);
                let talk = async {
                    for bytes in said.chunks(piece) {
                        client.write_all(bytes).await.unwrap();
                    }
                    client.shutdown().await.unwrap();
                };
                let listen = async {
                    let (found, mut stream) = look(server, PATIENCE).await.unwrap();
                    assert_eq!(found, is_http2);
                    let mut heard = Vec::new();
                    stream.read_to_end(&mut heard).await.unwrap();
                    assert_eq!(heard, said);
                };
                tokio::join!(talk, listen);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends() {
        let (mut client, server) = tokio::io::duplex(64);
        client.write_all(b"PRI * HTTP").await.unwrap();
        let error = look(server, PATIENCE).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
