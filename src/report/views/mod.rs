//! What each command's result says: one file or folder per command, from an outcome to a
//! [`Doc`](super::doc::Doc). Views measure nothing and lay nothing out.

mod advice;
pub mod run;
pub mod saved;
pub mod sweep;
mod vanish;
