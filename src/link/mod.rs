//! The server's end of accepted connections: every byte is counted and labelled here, without either side
//! knowing, and delayed as on a real network, if the scenario asks for that.

mod account;
mod attribution;
mod carrier;
mod clock;
mod conditions;
mod kernel;
mod ledger;
mod line;
pub mod memory;
mod meter;
mod metered;
mod nat;
mod network;
mod outlet;
mod recording;
mod sealed;
mod shaped;
mod socket;
pub mod tls;
mod tls_counts;
mod vanish;

pub use account::{Account, Exchange, Owner, Owners};
pub use carrier::Carrier;
pub use clock::SPIN;
pub use conditions::Conditions;
pub use kernel::Kernel;
pub use ledger::{Closed, Cut, Ledger, Totals};
pub use metered::Metered;
pub use network::{Attached, Connection, Network, alpn};
pub use outlet::Outlet;
pub use recording::{Crossing, Layer, Recorded, Recording, What};
pub use shaped::Shaped;
pub use socket::Socket;
pub use tls_counts::TlsCounts;
pub use vanish::{Fate, Vanish};

/// The most data in a segment, as on an Ethernet: loopback's own segments are 64 KiB and would make segment
/// counts meaningless. Linux includes the 12 bytes of the timestamp option, hence 1,460.
pub const MAX_SEGMENT: u32 = 1460;
