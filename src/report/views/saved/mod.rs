//! The views of saved results: a single one like that of its command; several runs side by side, other
//! results one after the other.

mod kind;
mod names;
mod runs;
mod several;

pub use kind::Saved;
pub use several::Several;
