//! The first bytes of a connection, which show the version of HTTP before anything else reads them.
//!
//! An HTTP/2 connection begins with a preface of 24 bytes that no HTTP/1 parser accepts (RFC 9113, section
//! 3.4). Reading it here, under a time limit, also ends connections on which the client sends nothing.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use crate::tap::{Tap, Tapped};

/// The preface that an HTTP/2 client sends first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A stream whose first bytes were examined, and are still to be read.
pub type Opened<S> = Tapped<S, First>;

/// The bytes that were examined.
#[derive(Debug)]
pub struct First(Vec<u8>);

/// Reads until it is clear whether this is HTTP/2; returns that, and a stream that still holds every byte.
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
    let is_http2 = first == PREFACE;
    let tap = First(first);
    Ok((is_http2, Tapped { stream, tap }))
}

impl<S> Tap<S> for First {
    fn read(
        &mut self,
        stream: Pin<&mut S>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>>
    where
        S: AsyncRead,
    {
        if self.0.is_empty() {
            return stream.poll_read(cx, buf);
        }
        let n = self.0.len().min(buf.remaining());
        buf.put_slice(&self.0[..n]);
        self.0.drain(..n);
        if self.0.is_empty() {
            self.0 = Vec::new();
            // Bytes that have come with them are read together with them: a reader that got 24 bytes alone
            // would keep a buffer for them. An error comes again at the next read.
            let _ = stream.poll_read(cx, buf);
        }
        Poll::Ready(Ok(()))
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
