//! Tests of the decoders: vectors, random conversations, and cuts anywhere.

mod conversation;
mod cuts;
mod decoder;
mod dialect;
mod engineio;
mod layers;
mod list;
pub(crate) mod properties;
mod sockjs;
mod sse;
mod stomp;
pub(super) mod support;
pub(crate) mod testing;
mod websocket;

pub(super) use layers::Tiny;
