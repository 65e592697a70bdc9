//! The sending side of a connection, for who sends the same bytes to many of them: past the connection's task, and past the
//! layers that have nothing to do for it.
//!
//! The bytes are counted in two steps: the [`Ledger`] has their number at once, and the connection's decoder reads them
//! later, many at a time, but before any that its own task writes.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::net::TcpStream;

use super::ledger::Ledger;
use super::meter::Meter;

/// The sending side of a connection whose task writes nothing meanwhile.
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

    /// Counts what was sent.
    pub fn count<'a>(&self, sent: impl Iterator<Item = &'a Bytes>) {
        let mut meter = self.meter.lock();
        sent.for_each(|bytes| meter.sent(bytes));
    }
}
