//! The socket as we see it: every byte of an accepted connection is counted and labelled here, at the
//! server's end, without either side knowing; and slowed down like a real network's, if asked to.

mod carrier;
mod clock;
mod kernel;
mod ledger;
mod line;
pub mod memory;
mod metered;
mod network;
mod page;
mod recording;
mod sealed;
mod shaped;
mod socket;
pub mod tls;
mod vanish;

pub use carrier::Carrier;
pub use kernel::Kernel;
pub use ledger::{Closed, Cut, Ledger, Totals};
pub use metered::Metered;
pub use network::{Attached, Connection, Network, alpn};
pub use page::Page;
pub use recording::{Crossing, Layer, Recorded, Recording, What};
pub use shaped::Shaped;
pub use socket::Socket;
pub use vanish::{Fate, Vanish};

/// Segments hold at most this much data, as on an Ethernet: loopback's own are 64 KiB and would make
/// segment counts mean nothing. Linux counts the 12 bytes of the timestamp option in, hence 1,460.
pub const MAX_SEGMENT: u32 = 1460;
