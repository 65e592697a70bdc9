//! The counts of one run: which connections are open, what has crossed, and the totals of closed connections.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, watch};

use super::kernel::Kernel;
use super::recording::{Layer, Recording, What};
use super::socket::Socket;
use crate::clock;
use crate::wire::{Direction, Tally};

/// Where a connection breaks: used to show that a break loses no mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// Index of the accepted connection, from 0.
    pub connection: u64,
    /// The direction in which bytes are counted.
    pub direction: Direction,
    /// The number of bytes in that direction; 0 breaks before the first.
    pub after: u64,
    /// Whether the peer gets a reset (RST) rather than an end of stream (FIN).
    pub reset: bool,
}

/// The most connections that are kept one by one in [`Totals::each`].
const KEPT_APART: usize = 100;

/// What was counted on a closed connection.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Closed {
    /// The client's TCP port.
    pub port: u16,
    /// Everything decoded from it.
    pub tally: Tally,
    /// Bytes as the socket calls returned them, up and down.
    pub raw: [u64; 2],
    /// The kernel's figures, taken just before the socket was closed.
    pub kernel: Option<Kernel>,
}

/// All closed connections together.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Labels and counts.
    pub tally: Tally,
    /// Raw bytes, up and down.
    pub raw: [u64; 2],
    /// The kernel's figures; `None` if a connection had none.
    pub kernel: Option<Kernel>,
    /// The first connections one by one.
    pub each: Vec<Closed>,
    /// Connections whose labels did not sum to their raw count: if this is not 0, the run is void.
    pub unbalanced: u64,
}

/// The counts of a server, shared by all its connections.
#[derive(Debug)]
pub struct Ledger {
    open: watch::Sender<u64>,
    /// How many open connections each client has.
    open_from: Mutex<HashMap<IpAddr, u64>>,
    opened: AtomicU64,
    peak: AtomicU64,
    bytes: AtomicU64,
    requests: AtomicU64,
    /// Notified when one of these figures has changed.
    changed: Notify,
    totals: Mutex<Totals>,
    cuts: Vec<Cut>,
    recording: Option<Arc<Recording>>,
    /// When each connection was accepted, if that is kept.
    accepted: Option<Mutex<Vec<Instant>>>,
}

/// A connection's place in the recording.
#[derive(Clone, Debug)]
pub(super) struct Tape {
    recording: Arc<Recording>,
    connection: usize,
}

impl Tape {
    pub fn bytes(&self, direction: Direction, layer: Layer, bytes: &[u8]) {
        self.recording.bytes(self.connection, direction, layer, bytes);
    }

    pub fn ended(&self, direction: Direction, what: What) {
        self.recording.ended(self.connection, direction, what);
    }

    pub fn close(&self) {
        self.recording.close(self.connection);
    }
}

/// The address that stands for a client: in IPv6 its network of 64 bits, which is the least that a site has
/// (RFC 6177).
fn whose(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
        v4 => v4,
    }
}

impl Ledger {
    /// An empty ledger; its connections break where `cuts` says.
    pub fn new(cuts: Vec<Cut>) -> Ledger {
        let totals = Totals {
            kernel: Some(Kernel::default()),
            ..Totals::default()
        };
        Ledger {
            open: watch::Sender::new(0),
            open_from: Mutex::default(),
            opened: AtomicU64::new(0),
            peak: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            changed: Notify::new(),
            totals: Mutex::new(totals),
            cuts,
            recording: None,
            accepted: None,
        }
    }

    /// The same, with a recording of everything that crosses.
    pub fn recorded(self, recording: Arc<Recording>) -> Ledger {
        Ledger {
            recording: Some(recording),
            ..self
        }
    }

    /// The same, which also keeps when each connection was accepted.
    pub fn timed(self) -> Ledger {
        Ledger {
            accepted: Some(Mutex::default()),
            ..self
        }
    }

    /// When each connection since this instant was accepted, in order; none unless that is kept.
    pub fn accepted_since(&self, since: Instant) -> Vec<Instant> {
        let accepted = self.accepted.as_ref().map(|accepted| accepted.lock().clone());
        let mut accepted = accepted.unwrap_or_default();
        accepted.retain(|at| *at >= since);
        accepted
    }

    /// The recording of everything that crosses, if there is one.
    pub fn recording(&self) -> Option<&Recording> {
        self.recording.as_deref()
    }

    /// A place in the recording for a new connection, if there is a recording.
    pub(super) fn tape(&self, socket: &Socket) -> Option<Tape> {
        let recording = self.recording.clone()?;
        let (client, server) = (socket.peer()?, socket.local()?);
        let connection = recording.open(client, server);
        Some(Tape {
            recording,
            connection,
        })
    }

    /// Counts a new connection of a client at this address; returns its number and where it has to break.
    pub fn enter(&self, client: Option<SocketAddr>) -> (u64, Option<Cut>) {
        if let Some(client) = client {
            *self.open_from.lock().entry(whose(client.ip())).or_default() += 1;
        }
        if let Some(accepted) = &self.accepted {
            accepted.lock().push(clock::now());
        }
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        self.open.send_modify(|n| *n += 1);
        self.peak.fetch_max(*self.open.borrow(), Ordering::Relaxed);
        self.changed.notify_waiters();
        let cut = self.cuts.iter().find(|c| c.connection == number);
        (number, cut.copied())
    }

    /// How many connections from this address are open.
    pub fn open_from(&self, address: IpAddr) -> u64 {
        self.open_from.lock().get(&whose(address)).copied().unwrap_or(0)
    }

    /// Counts a connection from this address as closed.
    pub fn left(&self, client: SocketAddr) {
        let (mut clients, whose) = (self.open_from.lock(), whose(client.ip()));
        if let Some(open) = clients.get_mut(&whose) {
            *open -= 1;
            if *open == 0 {
                clients.remove(&whose);
            }
        }
    }

    /// Counts bytes that crossed, and requests among them.
    pub fn moved(&self, bytes: usize, requests: u64) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        if requests > 0 {
            self.requests.fetch_add(requests, Ordering::Relaxed);
        }
        self.changed.notify_waiters();
    }

    /// Adds a connection that is closed now to the totals.
    pub fn close(&self, closed: Closed) {
        let mut totals = self.totals.lock();
        let labelled = [closed.tally.up.total(), closed.tally.down.total()];
        totals.unbalanced += u64::from(labelled != closed.raw);
        totals.tally += closed.tally;
        totals.raw[0] += closed.raw[0];
        totals.raw[1] += closed.raw[1];
        totals.kernel = totals.kernel.zip(closed.kernel).map(|(a, b)| Kernel {
            sent: a.sent + b.sent,
            received: a.received + b.received,
            segments_out: a.segments_out + b.segments_out,
            segments_in: a.segments_in + b.segments_in,
        });
        if totals.each.len() < KEPT_APART {
            totals.each.push(closed);
        }
        drop(totals);
        self.open.send_modify(|n| *n -= 1);
        self.changed.notify_waiters();
    }

    /// The totals of all closed connections.
    pub fn totals(&self) -> Totals {
        self.totals.lock().clone()
    }

    /// Connections open now.
    pub fn open(&self) -> u64 {
        *self.open.borrow()
    }

    /// Connections accepted so far.
    pub fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// The most connections open at one instant.
    pub fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }

    /// Bytes so far, open connections included.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Requests so far, open connections included.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Ends when connections, bytes or requests have changed since this was called.
    pub fn changes(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// Returns once no connection is open.
    pub async fn all_closed(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.open.subscribe().wait_for(|n| *n == 0).await;
    }
}
