//! A proxy's connections to what is behind it.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::counts::Counts;
use crate::tap::{self, Tap, Tapped};

/// Both directions of a connection.
pub trait Both: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Both for T {}

/// A connection to what is behind a proxy.
pub struct Upstream(pub Box<dyn Both>);

/// Opens connections to what is behind a proxy.
pub type Dial = Arc<dyn Fn() -> BoxFuture<'static, io::Result<Upstream>> + Send + Sync>;

/// Connects to a server at an address.
pub fn to_address(server: SocketAddr) -> Dial {
    Arc::new(move || {
        Box::pin(async move {
            let socket = TcpStream::connect(server).await?;
            socket.set_nodelay(true)?;
            Ok(Upstream(Box::new(socket)))
        })
    })
}

/// Opens a proxy's connections for hyper.
#[derive(Clone)]
pub struct Connector {
    /// How.
    pub dial: Dial,
    /// Where they are counted.
    pub counts: Arc<Counts>,
}

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<Upstream>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<TokioIo<Upstream>>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _uri: Uri) -> Self::Future {
        let opening = (self.dial)();
        let counts = self.counts.clone();
        Box::pin(async move {
            let upstream = opening.await?;
            counts.connections.add(1);
            Ok(TokioIo::new(upstream))
        })
    }
}

impl Connection for Upstream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Upstream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Upstream {
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

/// A connection to a server in this process that may be killed.
pub type Mortal = Tapped<Box<dyn Both>, Death>;

/// Resets a connection when its server is killed (RFC 9293, section 3.5.2), as the system does for a process that is
/// gone.
pub struct Death(Pin<Box<WaitForCancellationFutureOwned>>);

impl Mortal {
    /// Such a connection; the server is killed when the token is cancelled.
    ///
    /// # Errors
    /// If it was killed already: nobody listens there.
    pub fn new(stream: Box<dyn Both>, killed: CancellationToken) -> io::Result<Mortal> {
        if killed.is_cancelled() {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let tap = Death(Box::pin(killed.cancelled_owned()));
        Ok(Tapped { stream, tap })
    }
}

impl Death {
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.0.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::ConnectionReset.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl Tap<Box<dyn Both>> for Death {
    fn read(
        &mut self,
        stream: Pin<&mut Box<dyn Both>>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(cx)?;
        stream.poll_read(cx, buf)
    }

    fn write(
        &mut self,
        stream: Pin<&mut Box<dyn Both>>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        tap::write(stream, cx, bufs)
    }

    fn flush(&mut self, stream: Pin<&mut Box<dyn Both>>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        stream.poll_flush(cx)
    }

    fn shutdown(&mut self, stream: Pin<&mut Box<dyn Both>>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        stream.poll_shutdown(cx)
    }
}
