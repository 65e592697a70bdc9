//! What each part of a conversation is, why it is there, and which specification says so: a table and a
//! file for each protocol. `wire` cuts the bytes into pieces; here they are put into words.

mod book;
mod engineio;
mod fields;
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

pub use book::{target, units};
pub use unit::{Detail, Explained, Knowledge, Told, Unit, hex};
