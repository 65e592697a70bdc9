//! A metered connection under TLS. What crosses the socket is counted there, below TLS; what it means
//! is read above, where it is plain. The difference is what encryption adds.
//!
//! ```text
//! hyper        plain bytes                          read here, once they have crossed
//!   Opened         | told to the page, with how much had gone out below by then
//!   rustls         |
//!   Emitting       | records, counted as they leave rustls
//!   Shaped         | (a slower network, where one is asked for)
//!   Metered        v records, counted as the socket takes them: releases what they hold
//! ```
//!
//! So a reader never sees a byte that a broken connection did not carry, and the labels of each
//! direction sum to what crossed the socket, whenever it ends.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;

use super::ledger::{Ledger, Tape};
use super::network::Carrier;
use super::recording::Layer;
use crate::wire::{Decoder, Direction, Tally};

/// What is known of an encrypted connection, shared by those above and below TLS.
#[derive(Clone, Debug)]
pub struct Page(Arc<Mutex<Open>>);

#[derive(Debug)]
struct Open {
    ledger: Arc<Ledger>,
    tape: Option<Tape>,
    decoder: Decoder,
    tally: Tally,
    /// Plain bytes that have crossed, up and down.
    plain: [u64; 2],
    /// Bytes of records that rustls has put out, and that the socket has taken.
    emitted: u64,
    crossed: u64,
    /// Plain bytes whose records rustls still holds, or some of them.
    inside: Vec<u8>,
    /// Plain bytes, and how far the socket must have come for them to have crossed.
    under_way: VecDeque<(u64, Vec<u8>)>,
}

impl Page {
    /// An empty page for a connection that speaks what `decoder` reads.
    pub(super) fn new(ledger: Arc<Ledger>, tape: Option<Tape>, decoder: Decoder) -> Page {
        Page(Arc::new(Mutex::new(Open {
            ledger,
            tape,
            decoder,
            tally: Tally::default(),
            plain: [0; 2],
            emitted: 0,
            crossed: 0,
            inside: Vec::new(),
            under_way: VecDeque::new(),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The socket took so many bytes from the server.
    pub(super) fn crossed(&self, bytes: usize) {
        let mut open = self.lock();
        open.crossed += bytes as u64;
        open.release();
    }

    /// The connection is over: everything read off it, with what TLS added to `raw`.
    pub(super) fn close(&self, raw: [u64; 2]) -> Tally {
        let mut open = self.lock();
        let Open { decoder, tally, .. } = &mut *open;
        decoder.finish(tally);
        let mut tally = open.tally;
        // No plain byte crosses but in a record, so neither is more than the raw count.
        tally.up.tls = raw[0].saturating_sub(open.plain[0]);
        tally.down.tls = raw[1].saturating_sub(open.plain[1]);
        tally
    }
}

impl Open {
    fn read(&mut self, direction: Direction, bytes: &[u8]) {
        let before = self.tally.requests;
        self.plain[direction as usize] += bytes.len() as u64;
        self.decoder.feed(direction, bytes, &mut self.tally);
        self.ledger.moved(0, self.tally.requests - before);
        if let Some(tape) = &self.tape {
            tape.bytes(direction, Layer::Plain, bytes);
        }
    }

    /// Reads what has crossed by now.
    fn release(&mut self) {
        while let Some((_, bytes)) = self.under_way.pop_front_if(|(by, _)| *by <= self.crossed) {
            self.read(Direction::Down, &bytes);
        }
    }

    /// rustls holds nothing back any more: what went in is in the records it has put out.
    fn all_emitted(&mut self) {
        if !self.inside.is_empty() {
            let bytes = std::mem::take(&mut self.inside);
            self.under_way.push_back((self.emitted, bytes));
            self.release();
        }
    }
}

/// Counts the records as they leave rustls.
#[derive(Debug)]
pub struct Emitting {
    carrier: Carrier,
    page: Page,
}

impl Emitting {
    /// Below TLS, above everything else.
    pub(super) fn new(carrier: Carrier, page: Page) -> Emitting {
        Emitting { carrier, page }
    }
}

impl AsyncRead for Emitting {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.carrier).poll_read(cx, buf)
    }
}

impl AsyncWrite for Emitting {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let n = ready!(Pin::new(&mut self.carrier).poll_write(cx, buf))?;
        self.page.lock().emitted += n as u64;
        Poll::Ready(Ok(n))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let n = ready!(Pin::new(&mut self.carrier).poll_write_vectored(cx, bufs))?;
        self.page.lock().emitted += n as u64;
        Poll::Ready(Ok(n))
    }

    fn is_write_vectored(&self) -> bool {
        self.carrier.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.carrier).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.carrier).poll_shutdown(cx)
    }
}

/// The server's end of an encrypted connection, above TLS.
#[derive(Debug)]
pub struct Opened {
    tls: TlsStream<Emitting>,
    page: Page,
}

impl Opened {
    /// Behind the handshake.
    pub(super) fn new(tls: TlsStream<Emitting>, page: Page) -> Opened {
        Opened { tls, page }
    }

    /// The protocol that the handshake chose (RFC 7301).
    pub fn alpn(&self) -> Option<&[u8]> {
        self.tls.get_ref().1.alpn_protocol()
    }

    fn look_below(&mut self) {
        if !self.tls.get_ref().1.wants_write() {
            self.page.lock().all_emitted();
        }
    }
}

impl AsyncRead for Opened {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let start = buf.filled().len();
        let read = Pin::new(&mut self.tls).poll_read(cx, buf);
        let new = &buf.filled()[start..];
        if !new.is_empty() {
            self.page.lock().read(Direction::Up, new);
        }
        read
    }
}

impl AsyncWrite for Opened {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let n = ready!(Pin::new(&mut self.tls).poll_write(cx, buf))?;
        self.page.lock().inside.extend_from_slice(&buf[..n]);
        self.look_below();
        Poll::Ready(Ok(n))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let n = ready!(Pin::new(&mut self.tls).poll_write_vectored(cx, bufs))?;
        let mut left = n;
        let mut page = self.page.lock();
        for buf in bufs {
            let taken = left.min(buf.len());
            page.inside.extend_from_slice(&buf[..taken]);
            left -= taken;
        }
        drop(page);
        self.look_below();
        Poll::Ready(Ok(n))
    }

    fn is_write_vectored(&self) -> bool {
        self.tls.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.tls).poll_flush(cx);
        self.look_below();
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.tls).poll_shutdown(cx);
        self.look_below();
        shut
    }
}
