//! What saved results say: one as its command said it; several side by side where they are runs, else one after
//! the other.

mod kind;
mod names;
mod runs;
mod several;

pub use kind::Saved;
pub use several::Several;
