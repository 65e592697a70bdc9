//! The sentence under the table: what a class should notice in *these* numbers. Every claim in it is
//! checked against the result first, so a run that WebSocket loses, or in which nothing differs, gets
//! a sentence that says so.

mod alike;
mod alone;
mod compared;
mod figures;
mod layers;
mod notice;
mod prices;
#[cfg(test)]
mod tests;

pub use layers::layers;
pub use notice::{notice, own};
