//! The views of all commands' results: one file or folder per command, from an outcome to a
//! [`Doc`](super::doc::Doc). Views neither measure nor lay out.

mod ablation;
mod advice;
mod class;
mod nat;
pub mod run;
pub mod saved;
mod storm;
mod sum;
pub mod sweep;
mod vanish;
