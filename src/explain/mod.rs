//! Explains each part of a conversation: what it is, why it is there, and which specification defines it.
//! Each protocol has a table and a file. `wire` splits the bytes into pieces; this module describes them.

mod engineio;
mod fields;
mod grouper;
mod handshake;
mod http1;
mod http2;
mod layered;
mod lengths;
mod mail;
mod ndjson;
mod request;
mod sockjs;
mod sse;
mod stomp;
mod table;
mod target;
#[cfg(test)]
mod tests;
mod tls;
mod unit;
mod websocket;

pub use grouper::{target, units};
pub use unit::{Detail, Explained, Knowledge, StateItem, Unit, hex};
