//! What crossed a server's sockets, kept for later: for a transcript, or a capture file.

use std::net::SocketAddr;
use std::time::Instant;

use parking_lot::Mutex;

use crate::clock;
use crate::wire::Direction;

/// The most bytes that are kept of all connections together; later bytes are only counted.
const MAX_KEPT: usize = 512 << 20;

/// What crossed the sockets of one server.
#[derive(Debug, Default)]
pub struct Recording {
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    connections: Vec<Recorded>,
    secrets: Vec<String>,
    kept: usize,
    dropped: u64,
}

/// One connection.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The client's end.
    pub client: SocketAddr,
    /// The server's end.
    pub server: SocketAddr,
    /// When it was accepted.
    pub opened: Instant,
    /// When the server closed it; `None` if it has not.
    pub closed: Option<Instant>,
    /// Everything that crossed, in order.
    pub crossings: Vec<Crossing>,
}

/// Something that crossed.
#[derive(Clone, Debug)]
pub struct Crossing {
    /// When.
    pub at: Instant,
    /// The direction.
    pub direction: Direction,
    /// Where it was seen.
    pub layer: Layer,
    /// What it was.
    pub what: What,
}

/// Where a crossing was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// At the TCP socket: what really crossed.
    Socket,
    /// Above TLS: the same bytes, decrypted. Only where there is TLS.
    Plain,
}

/// What crossed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Bytes that one call of the socket took or gave.
    Bytes(Vec<u8>),
    /// The end of this direction's stream (FIN).
    End,
    /// The connection was reset (RST).
    Reset,
}

impl Recorded {
    /// The plain conversation: what was seen above TLS, or without TLS, everything.
    pub fn plain(&self) -> impl Iterator<Item = &Crossing> {
        let layer = if self.is_encrypted() {
            Layer::Plain
        } else {
            Layer::Socket
        };
        self.crossings.iter().filter(move |c| c.layer == layer)
    }

    /// Whether the connection used TLS.
    pub fn is_encrypted(&self) -> bool {
        self.crossings.iter().any(|c| c.layer == Layer::Plain)
    }
}

impl Recording {
    /// Adds a connection; returns its index.
    pub(super) fn open(&self, client: SocketAddr, server: SocketAddr) -> usize {
        let mut books = self.books.lock();
        books.connections.push(Recorded {
            client,
            server,
            opened: clock::now(),
            closed: None,
            crossings: Vec::new(),
        });
        books.connections.len() - 1
    }

    pub(super) fn bytes(&self, connection: usize, direction: Direction, layer: Layer, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let mut books = self.books.lock();
        if books.kept + bytes.len() > MAX_KEPT {
            books.dropped += bytes.len() as u64;
            return;
        }
        books.kept += bytes.len();
        books.crossed(connection, direction, layer, What::Bytes(bytes.to_vec()));
    }

    pub(super) fn ended(&self, connection: usize, direction: Direction, what: What) {
        self.books
            .lock()
            .crossed(connection, direction, Layer::Socket, what);
    }

    pub(super) fn close(&self, connection: usize) {
        if let Some(recorded) = self.books.lock().connections.get_mut(connection) {
            recorded.closed = Some(clock::now());
        }
    }

    /// Adds a line of the NSS key log, with which a captured TLS connection can be decrypted.
    pub(super) fn secret(&self, line: String) {
        self.books.lock().secrets.push(line);
    }

    /// Every connection so far, in the order of acceptance.
    pub fn connections(&self) -> Vec<Recorded> {
        self.books.lock().connections.clone()
    }

    /// The lines of the NSS key log so far.
    pub fn secrets(&self) -> Vec<String> {
        self.books.lock().secrets.clone()
    }

    /// Bytes that were too many to keep: if this is not 0, the recording is not complete.
    pub fn dropped(&self) -> u64 {
        self.books.lock().dropped
    }
}

impl Books {
    fn crossed(&mut self, connection: usize, direction: Direction, layer: Layer, what: What) {
        if let Some(recorded) = self.connections.get_mut(connection) {
            recorded.crossings.push(Crossing {
                at: clock::now(),
                direction,
                layer,
                what,
            });
        }
    }
}
