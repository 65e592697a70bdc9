//! What lies between accepted sockets and the server that speaks on them: the meter, and where one is
//! asked for, a slower network on top of it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::ledger::Ledger;
use super::metered::Metered;
use super::shaped::{Shape, Shaped};
use crate::outcome::Link;
use crate::wire::Decoder;

/// The network of one server.
#[derive(Clone, Debug)]
pub struct Network {
    ledger: Arc<Ledger>,
    shape: Option<Shape>,
    patience: Duration,
}

impl Network {
    /// The loopback as it is, or a slower one over it if the link asks for that. `seed` decides what
    /// is delayed and lost.
    ///
    /// # Errors
    /// If a slower one's clock cannot have a thread.
    pub fn new(ledger: Arc<Ledger>, link: &Link, seed: u64) -> io::Result<Network> {
        let slower = *link != Link::default();
        Ok(Network {
            ledger,
            shape: slower.then(|| Shape::new(link.path(), seed)).transpose()?,
            patience: link.patience(),
        })
    }

    /// Where its connections are accounted for.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// How much longer things may take on it than on the loopback.
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// Takes a freshly accepted socket that speaks what `decoder` reads; must be called on a tokio
    /// runtime.
    pub fn attach(&self, socket: TcpStream, decoder: Decoder) -> Connection {
        let metered = Metered::new(socket, self.ledger.clone(), decoder);
        match &self.shape {
            None => Connection::Plain(metered),
            Some(shape) => {
                let number = metered.number();
                Connection::Shaped(Shaped::new(metered, shape, number))
            }
        }
    }
}

impl From<Arc<Ledger>> for Network {
    /// The loopback as it is.
    fn from(ledger: Arc<Ledger>) -> Network {
        Network {
            ledger,
            shape: None,
            patience: Duration::ZERO,
        }
    }
}

/// The server's end of a connection.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "the large one is the common one")]
pub enum Connection {
    /// As fast as the loopback.
    Plain(Metered),
    /// Over a slower network.
    Shaped(Shaped),
}

/// Calls the same method of whichever it is.
macro_rules! either {
    ($self:ident . $method:ident ( $($arg:expr),* )) => {
        match $self.get_mut() {
            Connection::Plain(plain) => Pin::new(plain).$method($($arg),*),
            Connection::Shaped(shaped) => Pin::new(shaped).$method($($arg),*),
        }
    };
}

impl AsyncRead for Connection {
    #[inline]
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        either!(self.poll_read(cx, buf))
    }
}

impl AsyncWrite for Connection {
    #[inline]
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        either!(self.poll_write(cx, buf))
    }

    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self.poll_write_vectored(cx, bufs))
    }

    #[inline]
    fn is_write_vectored(&self) -> bool {
        match self {
            Connection::Plain(plain) => plain.is_write_vectored(),
            Connection::Shaped(shaped) => shaped.is_write_vectored(),
        }
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.poll_flush(cx))
    }

    #[inline]
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.poll_shutdown(cx))
    }
}
