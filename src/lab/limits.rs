//! The limits of a server.

use std::net::IpAddr;
use std::time::Duration;

use crate::link::Ledger;
use crate::outcome::Scenario;

/// The limits that a server sets for its clients; `tests/servers/limits.rs` and `tests/servers/http2.rs` go beyond each. A body's
/// are in `technique/service.rs`, STOMP's in `technique/stomp/stored.rs`.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open connections; one more is closed at once. One address may have three quarters of them.
    pub connections: usize,
    /// The time from the start of a connection, or of the next request, to the end of its head. It also
    /// ends idle keep-alive connections, so it must be longer than the poll interval.
    pub head_timeout: Duration,
    /// How long a client may refuse to read what is sent to it, and the time in which it has to read 16 KiB
    /// (`lab::pace`) of what waits for it.
    pub stall: Duration,
    /// The largest request head, in bytes (hyper's least is 8 KiB): its first line, its fields and the
    /// blank line after them, or on HTTP/2 the size of its field list by RFC 9113, section 6.5.2. A larger
    /// one is answered with 431 (RFC 6585, section 5).
    pub head_bytes: usize,
    /// The most header fields in a request over HTTP/1; HTTP/2 counts their bytes alone.
    pub fields: usize,
}

impl Limits {
    /// The same with all timeouts longer: a slow network is not a slow client.
    pub fn patient_by(self, patience: Duration) -> Limits {
        Limits {
            head_timeout: self.head_timeout + patience,
            stall: self.stall + patience,
            ..self
        }
    }

    /// The most connections from one address. It leaves a quarter to others; a class behind one address
    /// still has the rest.
    pub fn from_one_address(&self) -> usize {
        self.connections - self.connections / 4
    }

    /// Whether there is room for one more connection from this address.
    pub(super) fn let_in(&self, ledger: &Ledger, address: IpAddr) -> bool {
        ledger.open() < self.connections as u64 && ledger.open_from(address) < self.from_one_address() as u64
    }

    /// The limits for a scenario.
    pub fn of(scenario: &Scenario) -> Limits {
        Limits::for_clients(scenario.clients, scenario.poll_interval()).patient_by(scenario.link.patience())
    }

    /// The limits for a number of clients that pause up to `interval` between two requests.
    pub fn for_clients(clients: usize, interval: Duration) -> Limits {
        Limits {
            connections: clients * 4 + 64,
            head_timeout: Duration::from_secs(30).max(interval * 2),
            stall: Duration::from_secs(30),
            head_bytes: 64 * 1024,
            fields: 100,
        }
    }
}
