//! A stream with a [`Tap`] that observes its bytes or holds them back; everything else passes unchanged.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A layer between a stream and its user. Each method does the same as the stream unless it is overridden.
pub trait Tap<S> {
    /// As [`AsyncRead::poll_read`].
    #[inline]
    fn read(
        &mut self,
        stream: Pin<&mut S>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>>
    where
        S: AsyncRead,
    {
        stream.poll_read(cx, buf)
    }

    /// As [`AsyncWrite::poll_write_vectored`], and as `poll_write` with a single buffer.
    #[inline]
    fn write(
        &mut self,
        stream: Pin<&mut S>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>>
    where
        S: AsyncWrite,
    {
        write(stream, cx, bufs)
    }

    /// As [`AsyncWrite::is_write_vectored`].
    #[inline]
    fn is_vectored(&self, stream: &S) -> bool
    where
        S: AsyncWrite,
    {
        stream.is_write_vectored()
    }

    /// As [`AsyncWrite::poll_flush`].
    #[inline]
    fn flush(&mut self, stream: Pin<&mut S>, cx: &mut Context<'_>) -> Poll<io::Result<()>>
    where
        S: AsyncWrite,
    {
        stream.poll_flush(cx)
    }

    /// As [`AsyncWrite::poll_shutdown`].
    #[inline]
    fn shutdown(&mut self, stream: Pin<&mut S>, cx: &mut Context<'_>) -> Poll<io::Result<()>>
    where
        S: AsyncWrite,
    {
        stream.poll_shutdown(cx)
    }

    /// Called before the stream is dropped.
    fn end(&mut self, _stream: &S) {}
}

/// Writes with the stream's own method, for one buffer or several.
#[inline]
pub fn write<S: AsyncWrite>(
    stream: Pin<&mut S>,
    cx: &mut Context<'_>,
    bufs: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    match bufs {
        [one] => stream.poll_write(cx, one),
        several => stream.poll_write_vectored(cx, several),
    }
}

/// The written part of each buffer, if `n` bytes were written in all.
pub fn written<'a>(bufs: &'a [IoSlice<'_>], n: usize) -> impl Iterator<Item = &'a [u8]> {
    let mut left = n;
    bufs.iter().map(move |buf| {
        let taken = left.min(buf.len());
        left -= taken;
        &buf[..taken]
    })
}

/// A stream with a tap.
#[derive(Debug)]
pub struct Tapped<S, T: Tap<S>> {
    /// The stream itself.
    pub stream: S,
    /// The tap.
    pub tap: T,
}

impl<S: AsyncRead + Unpin, T: Tap<S> + Unpin> AsyncRead for Tapped<S, T> {
    #[inline]
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Tapped { stream, tap } = &mut *self;
        tap.read(Pin::new(stream), cx, buf)
    }
}

impl<S: AsyncWrite + Unpin, T: Tap<S> + Unpin> AsyncWrite for Tapped<S, T> {
    #[inline]
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let Tapped { stream, tap } = &mut *self;
        tap.write(Pin::new(stream), cx, &[IoSlice::new(buf)])
    }

    #[inline]
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Tapped { stream, tap } = &mut *self;
        tap.write(Pin::new(stream), cx, bufs)
    }

    #[inline]
    fn is_write_vectored(&self) -> bool {
        self.tap.is_vectored(&self.stream)
    }

    #[inline]
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Tapped { stream, tap } = &mut *self;
        tap.flush(Pin::new(stream), cx)
    }

    #[inline]
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Tapped { stream, tap } = &mut *self;
        tap.shutdown(Pin::new(stream), cx)
    }
}

impl<S, T: Tap<S>> Drop for Tapped<S, T> {
    fn drop(&mut self) {
        self.tap.end(&self.stream);
    }
}
