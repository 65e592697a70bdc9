//! Decoders of the bytes on the wire: bytes in, labelled parts out. Everything here is pure, without socket,
//! clock and runtime, so every decoder can be fed byte by byte, replayed and fuzzed.
//!
//! A [`Conversation`], or for HTTP/2 an [`http2::Connection`], reads both directions of one TCP connection,
//! because a response cannot be read without its request (RFC 9112, section 6.3: a response to HEAD, a 204
//! and a 101 have no body). It passes each byte to a [`Sink`] exactly once, with exactly one [`Label`].

mod answer;
mod carrier;
mod content;
mod decoder;
mod dialect;
pub mod engineio;
mod event;
mod http1;
pub mod http2;
mod layer;
mod layers;
mod lengths;
mod media_type;
mod notice;
mod out;
mod part;
pub mod records;
pub mod socketio;
pub mod sockjs;
mod span;
mod state;
pub mod stomp;
mod tally;
#[cfg(test)]
pub(crate) mod tests;
pub mod transcript;
mod unit;
mod websocket;

pub use answer::{Answer, Answers, as_declared};
pub(in crate::wire) use content::Content;
pub use decoder::{Decoder, Known};
pub(crate) use dialect::{Asks, Dialect, offers_stomp};
pub use event::{Event, MAX_HEAD, Sink, Violation};
pub use http1::Conversation;
pub(in crate::wire) use layer::{Carried, Ending, Layer, Seen};
pub(crate) use layers::{EngineIo, Transport};
pub use lengths::{GAP, Lengths};
pub use media_type::is_media_type;
pub(in crate::wire) use out::Out;
pub use part::{Direction, Kind, Label, Labels, Part};
pub(in crate::wire) use span::Spans;
pub use tally::Tally;
pub use websocket::{FrameHeader, HeaderReader, Opcode, Whole};
