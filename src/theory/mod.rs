//! What the model predicts, before anything is measured. Pure arithmetic: times and sizes are
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
//! A technique that asks repeats its heads with every question, so its bytes follow from its
//! exchanges: [`poll_exchanges`] and [`long_poll_exchanges`] list who asked with which cursor and
//! what the answer held, each with its expected count; [`head_len`] and its neighbours price one.
//! Over HTTP/2 a head costs what the connection has not said before: [`hpack`].
//!
//! The formulas know a link that delays and does nothing else. Over one that is slow, uneven or loses
//! segments (a [`Path`]), a run is acted out instead: [`Trial`].
//!
//! Every time is in the same unit, seconds as a rule; no formula depends on which.

mod bound;
mod chances;
mod engineio;
pub mod hpack;
mod keep_alive;
mod long_poll;
mod pipe;
mod poll;
mod push;
mod queue;
mod size;
mod talk;
mod tls;
mod trial;
mod vanish;

#[cfg(test)]
mod simulate;
#[cfg(test)]
mod tests;

pub use bound::{Bounded, Delivery, Mail, Message, Opened, RARE};
pub use engineio::{Carried, Session};
pub use keep_alive::{Kept, Pool, Use};
pub use long_poll::{LongPollRate, long_poll_exchanges, long_poll_latency, long_poll_poisson};
pub use pipe::{Path, Pipe, SEGMENT, Segment};
pub use poll::{Opening, poll_exchanges, poll_latency, poll_opening, poll_requests};
pub use push::{heartbeats, push_latency};
pub use size::{
    LAST_CHUNK, base64_excess, base64_len, chunk_framing, decimal_digits, frame_header, head_len,
};
pub use size::{sse_framing, sse_line};
pub use talk::{Spoken, Way};
pub use tls::{CLOSE_NOTIFY, FINISHED, Handshake, TICKETS, tls_framing};
pub use trial::{Acted, Before, Sizes, Trial};
pub use vanish::{Cause, Death, Idle, Liveness, Notice, SEND_BUFFER, Sender, gives_up_after};

/// Predicted latency, in the unit of the arguments it was made from.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Latency {
    /// Mean over all mails.
    pub mean: f64,
    /// The worst that can happen to a mail.
    pub max: f64,
}

/// Requests that were alike: the same cursor sent, the same mails in the answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exchange {
    /// The cursor sent: the number of the last mail the client held.
    pub after: u64,
    /// The number of the last mail in the answer; equal to `after` if the answer was empty.
    pub upto: u64,
    /// How many such exchanges a run is expected to see.
    pub weight: f64,
}

impl Exchange {
    /// Whether the answer carried no mail.
    pub fn is_empty(&self) -> bool {
        self.upto == self.after
    }
}

/// Expected requests of one client.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Requests {
    /// All of them.
    pub total: f64,
    /// Those answered without mail.
    pub empty: f64,
}

impl Requests {
    /// Adds up exchanges.
    pub fn of(exchanges: &[Exchange]) -> Requests {
        let weigh =
            |chosen: fn(&Exchange) -> bool| exchanges.iter().filter(|e| chosen(e)).map(|e| e.weight).sum();
        Requests {
            total: weigh(|_| true),
            empty: weigh(Exchange::is_empty),
        }
    }
}
