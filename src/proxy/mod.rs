//! An HTTP proxy between client and server (`--proxy`), which behaves as its file says.
//!
//! ```text
//! client                proxy                 server
//!   |  GET /sse           |                     |
//!   |-------------------->|  GET /sse           |      on a connection of its own, maybe in HTTP/1.0
//!   |                     |-------------------->|
//!   |                     |   200, event        |
//!   |                     |<--------------------|      kept: the buffer is not full
//!   |                     |   event             |
//!   |                     |<--------------------|
//!   |   200, both         |                     |
//!   |<--------------------|                     |
//! ```
//!
//! A proxy may collect an answer: HTTP does not promise that a piece of it arrives before the rest (RFC 6202, section
//! 3.2, describes such proxies). It speaks for itself on each of its two connections (RFC 9110, section 7.6): what a
//! client asks of its connection, an upgrade among it, reaches the server only if the proxy passes it on.
//!
//! A balancer is such a proxy with several servers behind it (`balance.rs`).
//!
//! It stands above the connection that is metered: the bytes of a run are those between client and proxy. What lies
//! between proxy and server is memory in a run, and a socket where [`in_front_of`] is used.

mod balance;
mod buffer;
mod chain;
mod compress;
mod conditions;
mod cookie;
mod counts;
mod headers;
mod hop;
mod idle;
mod in_use;
mod longest;
mod passing;
mod remedies;
mod shelf;
mod tunnel;
mod upstream;

pub use balance::{Balancer, Seen};
pub use chain::{Serve, before, in_front_of};
pub use counts::Counts;
pub use remedies::{HINT, REMEDIES, Remedy};
pub use shelf::{SHIPPED, find};
pub use upstream::{Dial, Mortal, Upstream, to_address};
