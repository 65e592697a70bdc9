//! Real peers: browsers, curl, published client and server libraries, a capture.

mod foreign;
#[path = "../support/mod.rs"]
mod support;

mod capture;
#[cfg(unix)]
mod class;
mod general;
mod socketio;
mod sockjs;
mod stomp;
mod tabs;
mod tls;
