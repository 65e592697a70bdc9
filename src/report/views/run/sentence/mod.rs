//! The sentence above the table: what a class should notice in *these* numbers. Every claim is first checked
//! against the result, so there are also sentences for a run that WebSocket loses, or in which nothing
//! differs.

mod alike;
mod alone;
mod compared;
pub mod figures;
mod layers;
mod notice;
mod prices;
#[cfg(test)]
mod tests;

pub use layers::layers;
pub use notice::{notice, own};
