//! The view of a sweep.

mod pictures;
mod tables;
mod view;
mod words;

pub use words::came;
