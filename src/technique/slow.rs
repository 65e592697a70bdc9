//! A client that reads slowly (`--slow`): it takes so many bytes a second from its connection, and leaves the rest there.
//!
//! ```text
//! server ──write──▶ send buffer ──▶ receive buffer ──read, at --read-rate──▶ client
//! ```
//!
//! First the buffers fill, then the receiver's window closes (RFC 9293, section 3.8.6), and the server can write no more:
//! what arrives for this client from then on has to wait at the server.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::future::BoxFuture;
use socket2::SockRef;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;

use crate::clock;
use crate::outcome::Scenario;
use crate::tap::{Tap, Tapped};

/// How many pieces a client reads in a second.
const PIECES: f64 = 20.0;

/// How a client reads its connections.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// Bytes per second.
    rate: f64,
    /// The receive buffer of its sockets, bytes.
    buffer: Option<usize>,
}

impl Reading {
    /// How a client of a scenario reads; `None` for one that reads as fast as it can.
    pub fn of(scenario: &Scenario, client: usize) -> Option<Reading> {
        scenario.read_rate(client).map(|rate| Reading {
            rate,
            buffer: scenario.socket_buffer(),
        })
    }

    /// Makes room in a socket for as much as this client lets wait.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn prepare(self, socket: &TcpStream) -> io::Result<()> {
        match self.buffer {
            Some(bytes) => SockRef::from(socket).set_recv_buffer_size(bytes),
            None => Ok(()),
        }
    }

    /// The connection as this client reads it.
    pub fn over<S: AsyncRead>(self, stream: S) -> Tapped<S, Slow> {
        let tap = Slow {
            rate: self.rate,
            pause: None,
        };
        Tapped { stream, tap }
    }
}

/// Reads a piece, and pauses for as long as that would have taken.
pub struct Slow {
    rate: f64,
    pause: Option<BoxFuture<'static, ()>>,
}

impl<S> Tap<S> for Slow {
    fn read(
        &mut self,
        stream: Pin<&mut S>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>>
    where
        S: AsyncRead,
    {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        let most = ((self.rate / PIECES).max(1.0) as usize).min(buf.remaining());
        let mut piece = ReadBuf::new(buf.initialize_unfilled_to(most));
        ready!(stream.poll_read(cx, &mut piece))?;
        let read = piece.filled().len();
        buf.advance(read);
        let pause = Duration::from_secs_f64(read as f64 / self.rate);
        self.pause = (read > 0).then(|| Box::pin(clock::sleep(pause)) as BoxFuture<'static, ()>);
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn so_many_bytes_take_so_many_seconds() {
        for rate in [1_000.0, 10_000.0, 1e6] {
            let (mut server, client) = tokio::io::duplex(64 * 1024);
            let reading = Reading { rate, buffer: None };
            let began = tokio::time::Instant::now();
            tokio::spawn(async move { server.write_all(&[7; 100_000]).await });
            let mut read = Vec::new();
            reading.over(client).read_to_end(&mut read).await.unwrap();
            assert_eq!(read, [7; 100_000]);
            let took = began.elapsed().as_secs_f64();
            let wanted = 100_000.0 / rate;
            assert!(
                (wanted * 0.95..wanted * 1.1 + 0.1).contains(&took),
                "{rate}: {took}"
            );
        }
    }
}
