//! The log as a stream of NATS JetStream, a broker's log with sequence numbers (<https://docs.nats.io/nats-concepts/jetstream>).
//!
//! ```text
//! schedule ─▶ keeper ─┐                                ┌─▶ feeder ─▶ window ─▶ clients of this server
//! POST, SEND ─▶ post ─┴─▶ stream in nats-server ───────┴─▶ feeder ─▶ window ─▶ clients of another server
//! ```
//!
//! A mail's number is its sequence in the stream, the log's epoch is made of the stream's name and the instant of its
//! creation: every server of the stream has the same numbers and the same epoch, so a client's cursor is good at each.
//! A mail is stored without its number, which nobody knows before it is stored; the window adds it.

mod engine;
mod feeder;
mod keeper;
mod message;
mod open;
mod place;
mod post;
#[cfg(unix)]
mod private;
mod remove;

pub use open::open;
pub use place::{LogAt, Place};
#[cfg(unix)]
pub use private::PrivateServer;
pub use remove::remove;
