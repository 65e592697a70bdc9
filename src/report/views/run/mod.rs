//! The views of a run: of one technique, or of several with the same mail.

mod attempts;
mod cards;
pub mod colour;
pub mod headline;
pub mod lanes;
pub mod legend;
mod marks;
pub mod noise;
pub mod pictures;
pub mod records;
mod seeds;
pub mod sentence;
mod servers;
pub mod tables;
mod topics;
mod view;
