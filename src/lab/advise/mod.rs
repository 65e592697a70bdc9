//! What somebody's case would cost with each technique, and which one to take. Everything is predicted:
//! bytes and requests from the same models that stand beside a run's figures, delays by the bounds of
//! [`crate::theory::Mail`]; `verify` runs the nearest case that fits the machine.
//!
//! What is asked for is a cost per second, for a client that stays. So the model is asked about a long
//! stretch of mail such as the case has, and about a mail or two in one instant, from which it is known
//! what opening and ending a connection takes: the rest is what goes on. A mail a day or ten million
//! clients need no more time than others: the models count by mail, not by request, and clients are alike.
//!
//! That stretch is always the same mail, whatever the seed: a seed would change the sample, not the case.
//! `--seed` decides what mail a verification is run with.

mod connections;
mod delays;
mod opened;
mod opinion;
mod stretches;
mod verify;

pub use opinion::{Case, Opinion, weigh};
pub use verify::{nearest, verify};
