//! What lies between accepted sockets and the server that speaks on them: the meter, where one is
//! asked for a slower network on top of it, and on top of that TLS.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::ledger::Ledger;
use super::metered::Metered;
use super::sealed::{Emitting, Opened, Page};
use super::shaped::{Shape, Shaped};
use super::socket::Socket;
use super::vanish::Vanish;
use crate::outcome::Link;
use crate::wire::Decoder;

/// The network of one server.
#[derive(Clone)]
pub struct Network {
    ledger: Arc<Ledger>,
    shape: Option<Shape>,
    patience: Duration,
    tls: Option<TlsAcceptor>,
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
            shape: slower.then(|| Shape::new(link.path(), seed, None)).transpose()?,
            patience: link.patience(),
            tls: None,
        })
    }

    /// The same, with connections that vanish when `vanish` says so.
    ///
    /// # Errors
    /// If the clock cannot have a thread.
    pub fn vanishing(ledger: Arc<Ledger>, link: &Link, seed: u64, vanish: Vanish) -> io::Result<Network> {
        Ok(Network {
            ledger,
            shape: Some(Shape::new(link.path(), seed, Some(vanish))?),
            patience: link.patience(),
            tls: None,
        })
    }

    /// The same, encrypted.
    pub fn encrypted(self, config: Arc<ServerConfig>) -> Network {
        Network {
            tls: Some(config.into()),
            ..self
        }
    }

    /// Whether it is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether nobody gets through any more: a connection accepted now was never asked for.
    pub fn has_vanished(&self) -> bool {
        self.shape.as_ref().is_some_and(Shape::has_vanished)
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
    pub fn attach(&self, socket: impl Into<Socket>, decoder: Decoder) -> Attached {
        let socket = socket.into();
        let Some(acceptor) = &self.tls else {
            let metered = Metered::new(socket, self.ledger.clone(), decoder);
            return Attached::Open(self.carry(metered));
        };
        let (metered, page) = Metered::sealed(socket, self.ledger.clone(), decoder);
        let emitting = Emitting::new(self.carry(metered), page.clone());
        Attached::Sealed(Box::new((acceptor.clone(), emitting, page)))
    }

    fn carry(&self, metered: Metered) -> Carrier {
        match &self.shape {
            None => Carrier::Plain(metered),
            Some(shape) => {
                let number = metered.number();
                Carrier::Shaped(Shaped::new(metered, shape, number))
            }
        }
    }
}

/// A connection whose TLS handshake, where there is one, is still to come.
#[expect(clippy::large_enum_variant, reason = "the large one is the common one")]
pub enum Attached {
    /// There is none.
    Open(Carrier),
    /// There is.
    Sealed(Box<(TlsAcceptor, Emitting, Page)>),
}

impl Attached {
    /// Does the handshake.
    ///
    /// # Errors
    /// If the client breaks it off.
    pub async fn open(self) -> io::Result<Connection> {
        match self {
            Attached::Open(carrier) => Ok(Connection::Plain(carrier)),
            Attached::Sealed(sealed) => {
                let (acceptor, emitting, page) = *sealed;
                let tls = acceptor.accept(emitting).await?;
                Ok(Connection::Encrypted(Box::new(Opened::new(tls, page))))
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
            tls: None,
        }
    }
}

/// What carries a connection's bytes.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "the large one is the common one")]
pub enum Carrier {
    /// The loopback as it is.
    Plain(Metered),
    /// A slower network.
    Shaped(Shaped),
}

/// The server's end of a connection.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "the large one is the common one")]
pub enum Connection {
    /// What is said crosses as it is.
    Plain(Carrier),
    /// In TLS records.
    Encrypted(Box<Opened>),
}

impl Connection {
    /// The protocol that the TLS handshake chose.
    pub fn alpn(&self) -> Option<&[u8]> {
        match self {
            Connection::Plain(_) => None,
            Connection::Encrypted(opened) => opened.alpn(),
        }
    }
}

/// Either of two streams.
macro_rules! either {
    ($name:ident: $one:ident | $other:ident) => {
        impl AsyncRead for $name {
            #[inline]
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                match self.get_mut() {
                    $name::$one(stream) => Pin::new(stream).poll_read(cx, buf),
                    $name::$other(stream) => Pin::new(stream).poll_read(cx, buf),
                }
            }
        }

        impl AsyncWrite for $name {
            #[inline]
            fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
                match self.get_mut() {
                    $name::$one(stream) => Pin::new(stream).poll_write(cx, buf),
                    $name::$other(stream) => Pin::new(stream).poll_write(cx, buf),
                }
            }

            #[inline]
            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                match self.get_mut() {
                    $name::$one(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
                    $name::$other(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
                }
            }

            #[inline]
            fn is_write_vectored(&self) -> bool {
                match self {
                    $name::$one(stream) => stream.is_write_vectored(),
                    $name::$other(stream) => stream.is_write_vectored(),
                }
            }

            #[inline]
            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                match self.get_mut() {
                    $name::$one(stream) => Pin::new(stream).poll_flush(cx),
                    $name::$other(stream) => Pin::new(stream).poll_flush(cx),
                }
            }

            #[inline]
            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                match self.get_mut() {
                    $name::$one(stream) => Pin::new(stream).poll_shutdown(cx),
                    $name::$other(stream) => Pin::new(stream).poll_shutdown(cx),
                }
            }
        }
    };
}

either!(Carrier: Plain | Shaped);
either!(Connection: Plain | Encrypted);
