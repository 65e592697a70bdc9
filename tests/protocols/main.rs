//! Each protocol, word for word: what is written, what is refused, what a broken peer gets.

#[path = "../support/mod.rs"]
mod support;

mod fuzz;
mod socketio;
mod sockjs;
mod sockjs_hostile;
mod sockjs_protocol;
mod stomp;
mod websocket;
