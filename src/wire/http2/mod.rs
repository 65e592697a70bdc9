//! HTTP/2 (RFC 9113): the decoder of both directions of one connection.
//!
//! ```text
//! client                                            server
//!   | preface, SETTINGS, WINDOW_UPDATE    control      |
//!   |------------------------------------------------->|
//!   |             control      SETTINGS, SETTINGS ACK  |
//!   |<-------------------------------------------------|
//!   | 1: HEADERS GET /mail?after=3        head         |
//!   | 3: HEADERS GET /events              head         |
//!   |------------------------------------------------->|   two streams on one connection
//!   |   head           3: HEADERS 200, text/event-…    |
//!   |   control        3: DATA ": heartbeat\n\n"       |
//!   |   head           1: HEADERS 200                  |
//!   |   payload        1: DATA [{"id":4,…}]            |   a DATA frame's header is framing, or
//!   |<-------------------------------------------------|   control if it holds nothing else
//! ```
//!
//! Content is read as on HTTP/1.1. A WebSocket (RFC 8441) is a stream whose request is a CONNECT with
//! `:protocol: websocket`: its frames are in DATA frames in both directions, and the two kinds of frames may
//! be cut at different places.

mod connection;
mod frame;
mod head;
mod hpack;
mod lane;
mod stream;
#[cfg(test)]
mod tests;

pub use connection::Connection;
pub use frame::{ACK, END_HEADERS, END_STREAM, FrameHeader, FrameType, PADDED, PREFACE, PRIORITY};
pub use hpack::{Field, Hpack, HpackError, Representation};
