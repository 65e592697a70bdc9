//! A metered connection with TLS. The bytes that cross the socket are counted there, below TLS, and decoded
//! above it, where they are plain. The difference is what encryption adds.
//!
//! ```text
//! hyper        plain bytes                          decoded here, once they have crossed
//!   Opened         | noted in `TlsCounts`, with how many record bytes had gone out by then
//!   rustls         |
//!   Emitting       | records, counted as they leave rustls
//!   Shaped         | (a slower network, where one is asked for)
//!   Metered        v records, counted as the socket takes them: releases what they hold
//! ```
//!
//! So the decoder never sees a byte that a broken connection did not carry, and the labels of each
//! direction sum to what crossed the socket, whenever it ends.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::rustls::ProtocolVersion;
use tokio_rustls::server::TlsStream;

use super::carrier::Carrier;
use super::tls_counts::TlsCounts;
use crate::tap::{self, Tap, Tapped};
use crate::wire::Direction;

/// Counts the records as they leave rustls.
pub type Emitting = Tapped<Carrier, Emitted>;

/// Adds their bytes to the counts.
#[derive(Debug)]
pub struct Emitted(pub(super) TlsCounts);

impl<S> Tap<S> for Emitted {
    fn write(
        &mut self,
        stream: Pin<&mut S>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>>
    where
        S: AsyncWrite,
    {
        let n = ready!(tap::write(stream, cx, bufs))?;
        let mut open = self.0.open();
        tap::written(bufs, n).for_each(|records| open.emit(records));
        Poll::Ready(Ok(n))
    }
}

/// The server's end of an encrypted connection, above TLS.
pub type Opened = Tapped<TlsStream<Emitting>, Plain>;

/// Adds the plain bytes to the counts.
#[derive(Debug)]
pub struct Plain(pub(super) TlsCounts);

impl Plain {
    fn look_below(&self, tls: &TlsStream<Emitting>) {
        if !tls.get_ref().1.wants_write() {
            self.0.open().all_emitted();
        }
    }
}

impl Tap<TlsStream<Emitting>> for Plain {
    fn read(
        &mut self,
        tls: Pin<&mut TlsStream<Emitting>>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let start = buf.filled().len();
        let read = tls.poll_read(cx, buf);
        let new = &buf.filled()[start..];
        if !new.is_empty() {
            self.0.open().read(Direction::Up, new);
        }
        read
    }

    fn write(
        &mut self,
        mut tls: Pin<&mut TlsStream<Emitting>>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let n = ready!(tap::write(tls.as_mut(), cx, bufs))?;
        let mut open = self.0.open();
        open.is_tls13 = tls.get_ref().1.protocol_version() == Some(ProtocolVersion::TLSv1_3);
        tap::written(bufs, n).for_each(|taken| open.seal(taken));
        drop(open);
        self.look_below(&tls);
        Poll::Ready(Ok(n))
    }

    fn flush(
        &mut self,
        mut tls: Pin<&mut TlsStream<Emitting>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let flushed = tls.as_mut().poll_flush(cx);
        self.look_below(&tls);
        flushed
    }

    fn shutdown(
        &mut self,
        mut tls: Pin<&mut TlsStream<Emitting>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let shut = tls.as_mut().poll_shutdown(cx);
        self.look_below(&tls);
        shut
    }
}
