//! A class: students' phones are the clients, the server's meter counts the bytes of each phone, and a board shows
//! what everybody's cost.
//!
//! ```text
//!  phone ──GET /poll?after=3&student=T──▶ the technique's own route      metered, and attributed to T's lane
//!  phone ──POST /class/state?student=T──▶ what the meter says of T       attributed to T's page
//!  board ──GET /class/board────────────▶ what it says of everybody
//!  board ──POST /class/lead, key───────▶ the teacher's orders
//! ```
//!
//! A student is a random token, a number and a colour; nothing else is known of them. Pages ask and the server
//! answers: the class itself polls, because a browser opens no more than six connections to a host, and three are
//! held by the lanes.

mod answers;
mod board;
mod clerk;
mod lead;
mod mails;
mod outage;
mod pages;
mod rate;
mod refused;
mod robot;
mod room;
mod routes;
mod student;
mod sums;

pub use clerk::start as watch;
pub use lead::{Answer, Asked, Lead, Order, Phase, Shown, Vote};
pub use robot::Robots;
pub use room::{LANES, Open, Room, Served};
pub use routes::additions;
