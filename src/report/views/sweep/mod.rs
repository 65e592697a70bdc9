//! What a sweep says.

mod pictures;
mod tables;
mod view;
mod words;

pub use words::came;
