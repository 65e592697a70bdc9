//! What can be calculated, before anything is measured. Pure arithmetic: times and sizes are
//! arguments, and no result of a run ever comes in.
//!
//! The model is a mailbox, one client and a link on which a byte needs half the round trip R each
//! way; server and client take no time of their own. Mails are numbered from 1 and due at instants
//! a₁ ≤ a₂ ≤ … ≤ aₙ, counted from the start of the schedule, when the client is ready. Latency runs
//! from the due instant to the client's holding the mail, as the lab measures it. The client leaves
//! when it holds all n.
//!
//! ```text
//!             R/2 to ask    R/2 to answer
//!  client  ──●─────────────────────────────●──────▶ time
//!             ╲                           ╱
//!  server  ────●─────────────▲───────────●────────▶
//!              asked         mail due    answered
//! ```
//!
//! What separates the techniques is only how long a mail lies on the server before an answer may
//! carry it: until the next poll ([`poll_latency`]), until the next request is back
//! ([`long_poll_latency`]), or not at all ([`push_latency`]). To that everyone adds the R/2 of the
//! way down.
//!
//! How often a technique that asks does so is known, too: [`poll_requests`] and [`long_poll_requests`].
//!
//! The formulas know a link that delays and does nothing else. Over one that is slow, uneven or loses
//! segments (a [`Path`]), and of what everything weighs, a simulated run knows more: it stands beside each
//! measurement, and the formulas are tested against it.
//!
//! Every time is in the same unit, seconds as a rule; no formula depends on which.

mod bound;
mod chances;
mod keep_alive;
mod long_poll;
mod pipe;
mod poll;
mod push;
mod queue;
mod vanish;

#[cfg(test)]
mod simulate;
#[cfg(test)]
mod tests;

pub use bound::{Bounded, Delivery, Mail, Message, Opened, RARE};
pub use keep_alive::{Kept, Pool, Use};
pub use long_poll::{LongPollRate, long_poll_latency, long_poll_poisson, long_poll_requests};
pub use pipe::{Path, Pipe, SEGMENT, Segment};
pub use poll::{poll_latency, poll_opening, poll_requests};
pub use push::{heartbeats, push_latency};
pub use vanish::{Cause, Death, Idle, Liveness, Notice, SEND_BUFFER, Sender, gives_up_after};

/// Predicted latency, in the unit of the arguments it was made from.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Latency {
    /// Mean over all mails.
    pub mean: f64,
    /// The worst that can happen to a mail.
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
