//! Drawing a [`Doc`](super::doc::Doc): one file per format.

pub mod html;
pub mod lanes;
pub mod markdown;
mod tables;
pub mod text;
