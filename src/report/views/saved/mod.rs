//! What saved results say: one as its command said it; several side by side where they are runs, else one after
//! the other.

mod names;
mod runs;
mod saved;
mod several;

pub use saved::Saved;
pub use several::Several;
