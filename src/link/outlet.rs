//! The sending side of a connection, for code that sends the same bytes to many connections and does not go through each
//! connection's task and layers.
//!
//! The bytes are counted in two steps: their number is added to the [`Ledger`] at once, and the connection's decoder reads
//! them later, many at a time, but before any that its own task writes.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::net::TcpStream;

use super::ledger::Ledger;
use super::meter::Meter;
use crate::wire::Known;

/// The sending side of a connection. It may be used while the connection's own task writes nothing.
#[derive(Clone, Debug)]
pub struct Outlet {
    socket: Arc<TcpStream>,
    meter: Arc<Mutex<Meter>>,
    ledger: Arc<Ledger>,
}

impl Outlet {
    pub(super) fn new(socket: Arc<TcpStream>, meter: Arc<Mutex<Meter>>, ledger: Arc<Ledger>) -> Outlet {
        Outlet {
            socket,
            meter,
            ledger,
        }
    }

    /// Whether its bytes may be counted later: not if somebody's account shows them as they cross.
    pub fn is_free(&self) -> bool {
        self.meter.lock().is_unowned()
    }

    /// Its socket, to send on.
    pub fn socket(&self) -> &Arc<TcpStream> {
        &self.socket
    }

    /// Tells the ledger how many bytes were sent, on whichever of its connections.
    pub fn moved(&self, bytes: usize) {
        self.ledger.moved(bytes, 0);
    }

    /// Counts what was sent; `known` is what the same was on another connection.
    pub fn count<'a>(&self, sent: impl Iterator<Item = &'a Bytes>, known: &mut Known) {
        self.meter.lock().sent(sent.map(|bytes| &bytes[..]), known);
    }
}
