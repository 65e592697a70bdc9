//! What somebody's case would cost with each technique, and which one to take. Bytes and requests are those of
//! simulated runs, delays are judged by the bounds of [`crate::theory::Mail`]; `verify` runs the nearest case that
//! fits the machine.
//!
//! What is asked for is a cost per second, for a client that stays. So a stretch of mail such as the case has is
//! simulated, and a mail or two in one instant, from which it is known what opening and ending a connection
//! takes: the rest is what goes on. A mail a day or ten million clients need no more time than others: of rare
//! mail it is simulated what silence costs and what a mail does, and clients are alike.
//!
//! That stretch is always the same mail, whatever the seed: a seed would change the sample, not the case.
//! `--seed` decides what mail a verification is run with.

mod connections;
mod delays;
mod opened;
mod opinion;
mod stretches;
mod sums;
mod verify;

pub use opinion::{Case, Opinion, weigh};
pub use verify::{nearest, verify};
