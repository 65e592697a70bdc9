//! WebSocket: "give me what is after N and whatever comes after it, on this connection, on which I
//! also talk to you" (RFC 6455).
//!
//! ```text
//! client                              server
//!   | GET /ws?after=0.                  |
//!   | Upgrade: websocket                |
//!   |---------------------------------->|
//!   |   101 Switching Protocols         |
//!   |<----------------------------------|
//!   |            text {"id":1,…}        |  <- mail 1 arrives
//!   |<==================================|
//!   | text {"read":1}                   |     either side speaks at any time
//!   |==================================>|
//!   |            ping                   |  <- after a silence
//!   |<==================================|
//!   | pong                              |
//!   |==================================>|
//!   | close 1000                        |
//!   |==================================>|
//!   |            close 1000             |
//!   |<==================================|
//! ```

mod client;
mod codes;
mod entry;
pub mod handshake;
mod scene;
mod server;
mod socket;

pub use client::{NO_MAIL, Opening, fail_connection, open, refuse};
pub use entry::{FRAMES, TECHNIQUE};
pub use server::{accept, drain, fail, offered};
pub use socket::{
    CLOSING, READ_BUFFER, SERVER_READ_BUFFER, Socket, UNANSWERED, ask_over, close_code, close_frame,
    close_with, over, serve_over,
};
