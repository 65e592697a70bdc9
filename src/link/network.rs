//! The layers between an accepted socket and the server: the meter, above it a slower network if one is
//! asked for, and above that TLS.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_util::either::Either;

use super::account::Owners;
use super::attribution::Attribution;
use super::carrier::Carrier;
use super::conditions::Assigned;
use super::ledger::Ledger;
use super::metered::Metered;
use super::outlet::Outlet;
use super::sealed::{Emitted, Emitting, Opened, Plain};
use super::shaped::{Shape, Shaped};
use super::socket::Socket;
use super::tls_counts::TlsCounts;
use super::vanish::Vanish;
use crate::outcome::Link;
use crate::tap::Tapped;
use crate::wire::Decoder;

/// The network of one server.
#[derive(Clone)]
pub struct Network {
    ledger: Arc<Ledger>,
    shape: Option<Shape>,
    patience: Duration,
    send_buffer: Option<usize>,
    tls: Option<TlsAcceptor>,
    owners: Option<Arc<dyn Owners>>,
}

impl Network {
    /// The loopback as it is, or a slower network if the link asks for one. `seed` decides what is delayed
    /// and lost.
    ///
    /// # Errors
    /// If a slower network's clock cannot start its thread.
    pub fn new(ledger: Arc<Ledger>, link: &Link, seed: u64) -> io::Result<Network> {
        let slower = *link != Link::default();
        Ok(Network {
            ledger,
            shape: slower.then(|| Shape::new(link, seed, None)).transpose()?,
            patience: link.patience(),
            send_buffer: None,
            tls: None,
            owners: None,
        })
    }

    /// The same, with connections that vanish when `vanish` says so.
    ///
    /// # Errors
    /// If the clock cannot start its thread.
    pub fn vanishing(ledger: Arc<Ledger>, link: &Link, seed: u64, vanish: Vanish) -> io::Result<Network> {
        Ok(Network {
            ledger,
            shape: Some(Shape::new(link, seed, Some(vanish))?),
            patience: link.patience(),
            send_buffer: None,
            tls: None,
            owners: None,
        })
    }

    /// The same, with a send buffer of this size for each socket, in bytes, if one is given.
    pub fn with_send_buffer(self, send_buffer: Option<usize>) -> Network {
        Network { send_buffer, ..self }
    }

    /// The same, where every byte is also counted for its owner. `switches` says that owners decide on the conditions
    /// of their requests, too.
    ///
    /// # Errors
    /// If the clock of these conditions cannot start its thread.
    pub fn owned(
        self,
        owners: Arc<dyn Owners>,
        link: &Link,
        seed: u64,
        switches: bool,
    ) -> io::Result<Network> {
        let shape = match self.shape {
            None if switches => Some(Shape::new(link, seed, None)?),
            shape => shape,
        };
        Ok(Network {
            shape,
            owners: Some(owners),
            ..self
        })
    }

    /// The same, encrypted.
    pub fn encrypted(self, config: Arc<ServerConfig>) -> Network {
        Network {
            tls: Some(config.into()),
            ..self
        }
    }

    /// Whether bytes are counted for their owners.
    pub fn has_owners(&self) -> bool {
        self.owners.is_some()
    }

    /// Whether it is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether all connections have vanished: a connection accepted now would never have reached the server.
    pub fn has_vanished(&self) -> bool {
        self.shape.as_ref().is_some_and(Shape::has_vanished)
    }

    /// Ends what a NAT has swallowed: the clients are told.
    pub fn end_nat(&self) {
        self.shape.iter().for_each(Shape::end_nat);
    }

    /// The ledger that counts its connections.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// How much longer time limits are on it than on the loopback.
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// Takes a freshly accepted socket, whose protocol `decoder` reads; must be called on a tokio runtime.
    pub fn attach(&self, socket: impl Into<Socket>, decoder: Decoder) -> Attached {
        let socket = socket.into();
        self.send_buffer
            .iter()
            .for_each(|bytes| socket.set_send_buffer(*bytes));
        let Some(acceptor) = &self.tls else {
            let assigned = Arc::<Assigned>::default();
            let owners = self.owners.clone();
            let attribution = owners.map(|owners| Attribution::new(owners, assigned.clone()));
            let metered = Metered::new(socket, self.ledger.clone(), decoder).attributed(attribution);
            return Attached::Open(self.carry(metered, Some(assigned).filter(|_| self.owners.is_some())));
        };
        let (metered, counts) = Metered::sealed(socket, self.ledger.clone(), decoder);
        let emitting = Tapped {
            stream: self.carry(metered, None),
            tap: Emitted(counts.clone()),
        };
        Attached::Sealed(Box::new((acceptor.clone(), emitting, counts)))
    }

    fn carry(&self, metered: Metered, assigned: Option<Arc<Assigned>>) -> Carrier {
        match &self.shape {
            None => Either::Left(metered),
            Some(shape) => {
                let number = metered.number();
                Either::Right(Shaped::new(metered, shape, number, assigned))
            }
        }
    }
}

/// A connection before its TLS handshake, if it has one.
pub enum Attached {
    /// It has none.
    Open(Carrier),
    /// It has one.
    Sealed(Box<(TlsAcceptor, Emitting, TlsCounts)>),
}

impl Attached {
    /// The sending side of a plain connection; `None` if it has TLS or a slower network.
    pub fn outlet(&self) -> Option<Outlet> {
        match self {
            Attached::Open(Either::Left(metered)) => metered.outlet(),
            _ => None,
        }
    }

    /// Does the handshake.
    ///
    /// # Errors
    /// If the client breaks it off.
    pub async fn open(self) -> io::Result<Connection> {
        match self {
            Attached::Open(carrier) => Ok(Either::Left(carrier)),
            Attached::Sealed(sealed) => {
                let (acceptor, emitting, counts) = *sealed;
                let tls = acceptor.accept(emitting).await?;
                Ok(Either::Right(Box::new(Tapped {
                    stream: tls,
                    tap: Plain(counts),
                })))
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
            send_buffer: None,
            tls: None,
            owners: None,
        }
    }
}

/// The server's end of a connection: plain, or in TLS records.
pub type Connection = Either<Carrier, Box<Opened>>;

/// The protocol that a connection's TLS handshake chose (RFC 7301).
pub fn alpn(connection: &Connection) -> Option<&[u8]> {
    match connection {
        Either::Left(_) => None,
        Either::Right(opened) => opened.stream.get_ref().1.alpn_protocol(),
    }
}
