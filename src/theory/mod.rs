//! Formulas: what can be calculated before anything is measured. Pure arithmetic: times and sizes are
//! arguments, and no result of a run is used.
//!
//! The model is a mailbox, one client and a link on which a byte needs half the round trip R each way;
//! server and client take no time themselves. Mails are numbered from 1 and due at instants a₁ ≤ a₂ ≤ … ≤
//! aₙ, counted from the start of the schedule, when the client is ready. Latency is the time from the due
//! instant until the client has the mail, as the lab measures it. The client leaves when it has all n.
//!
//! ```text
//!             R/2 to ask    R/2 to answer
//!  client  ──●─────────────────────────────●──────▶ time
//!             ╲                           ╱
//!  server  ────●─────────────▲───────────●────────▶
//!              asked         mail due    answered
//! ```
//!
//! The techniques differ only in how long a mail lies on the server before an answer may carry it: until
//! the next poll ([`poll_latency`]), until the next request has come back ([`long_poll_latency`]), or not
//! at all ([`push_latency`]). All add R/2 for the way down.
//!
//! For techniques that ask, the number of requests is known, too: [`poll_requests`] and
//! [`long_poll_requests`].
//!
//! The formulas describe a link that delays and does nothing else. For a link that is slow, uneven or loses
//! segments (a [`Path`]), and for the number of bytes, a simulated run is needed: it stands beside each
//! measurement, and the formulas are tested against it.
//!
//! All times have the same unit, usually seconds; no formula depends on it.

mod backoff;
mod bound;
mod distribution;
mod keep_alive;
mod long_poll;
mod pipe;
mod poll;
mod push;
mod queue;
mod radio;
mod vanish;

#[cfg(test)]
mod simulate;
#[cfg(test)]
mod tests;

pub use backoff::{Backoff, Jitter};
pub use bound::{Bounded, Delivery, Mail, Message, Opened, RARE};
pub use keep_alive::{Kept, Pool, Use};
pub use long_poll::{LongPollRate, long_poll_latency, long_poll_poisson, long_poll_requests};
pub use pipe::{Path, Pipe, SEGMENT, Segment};
pub use poll::{poll_latency, poll_opening, poll_requests};
pub use push::{heartbeats, push_latency};
pub use radio::{Messages, Radio};
pub use vanish::{Cause, Death, Idle, Liveness, Notice, SEND_BUFFER, Sender, gives_up_after};

/// Predicted latency, in the unit of the arguments it was made from.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Latency {
    /// Mean over all mails.
    pub mean: f64,
    /// The worst case for a mail.
    pub max: f64,
}

/// Expected requests of one client.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Requests {
    /// All of them.
    pub total: f64,
    /// Those answered without mail.
    pub empty: f64,
}
