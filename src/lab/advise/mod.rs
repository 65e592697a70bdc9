//! What a user's case would cost with each technique, and which one to take. Bytes and requests are those
//! of simulated runs, delays are judged by the bounds of [`crate::theory::Mail`]; `verify` runs the nearest
//! case that fits the machine.
//!
//! The question is what a client that stays costs per second. So two things are simulated: a stretch of mail like
//! the case's, and one or two mails at one instant. The second shows what opening and ending a connection takes;
//! the rest of the first is the cost per second. A mail a day or ten million clients take no more time than other
//! cases: for rare mail, silence and a single mail are simulated apart, and clients are alike.
//!
//! The client's radio ([`crate::theory::Radio`]) is modelled from the instants of the bytes in such runs. Where some
//! clients are behind a proxy, the same is done for them, and the mean is taken.
//!
//! The stretch always has the same mail, whatever the seed: a seed would change the sample, not the case.
//! `--seed` decides which mail a verification runs with.

mod connections;
mod costs;
mod delays;
mod opened;
mod radio;
mod ranking;
mod stretches;
mod sums;
mod verify;

pub use ranking::{Case, Ranking, proxied, weigh};
pub use verify::{nearest, verify};
